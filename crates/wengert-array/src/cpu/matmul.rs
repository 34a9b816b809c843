//! Matrix products: the `gemm` crate where there is enough to do, loops of our own where calling it costs
//! more than the product.
//!
//! Large products are cut into pieces by their sizes alone, and each piece is computed by one thread: so the
//! bits are the same for any number of threads.

use super::isa::{Lane, dispatch};
use super::threads;
use crate::array::Array;
use crate::kernels;
use crate::layout::Shape;
use crate::real::Real;
use crate::with_compute;
use gemm::{Parallelism, gemm};
use smallvec::SmallVec;

/// Products of up to this many multiplications are done by [`rows`]: `gemm` takes 0.2 µs before it begins.
const TINY: usize = 14000;
/// Columns of one row that [`rows`] is better at than [`sum_rows`].
const SHORT: usize = 128;
/// A transposed right operand that so many rows are multiplied by is turned before: `gemm` packs it slowly.
const TURN: usize = 6;
/// A transposed right operand of up to this many elements is turned on the stack.
const STACK: usize = 1024;
/// Below this depth, writing a result that the caches do not hold takes longer than computing it.
const SHALLOW: usize = 128;

/// `a · b` (+ `bias`, broadcast along the rows) for a [.., m, k] and b [.., k, n], both of the same dtype,
/// whose leading dimensions broadcast to `batch`; the result is [batch.., m, n], contiguous.
///
/// Integers wrap; half precision is computed in f32 and rounded once.
pub fn matmul(a: &Array, b: &Array, batch: &Shape, bias: Option<&Array>) -> Array {
    let dtype = a.dtype();
    let compute = dtype.compute();
    let bias = bias.map(|x| x.cast(compute).contiguous());
    if dtype == compute {
        return with_compute!(dtype, C => run::<C>(a.clone(), b.clone(), batch, bias));
    }
    let [a, b] = [a, b].map(|x| narrow(x).cast(compute));
    with_compute!(dtype, C => run::<C>(a, b, batch, bias)).cast(dtype)
}

/// A matrix in memory, with rows `row` and columns `col` apart: one of them is 1, and both are positive.
#[derive(Clone, Copy)]
struct Matrix<C> {
    at: *const C,
    row: isize,
    col: isize,
}

impl<C> Matrix<C> {
    fn shifted(self, by: isize) -> Matrix<C> {
        Matrix {
            at: self.at.wrapping_offset(by),
            ..self
        }
    }
}

/// One thread's work: `out` = `a · b + bias`, where rows of `out` are `step` apart.
struct Piece<C> {
    /// Rows, depth and columns; none is 0.
    size: [usize; 3],
    out: *mut C,
    step: usize,
    a: Matrix<C>,
    b: Matrix<C>,
    /// As many numbers as there are columns, or null.
    bias: *const C,
}

/// A stack of products of one size, and how each is cut.
struct Stack<C> {
    whole: Piece<C>,
    /// Sizes of the stack's dimensions, and how far apart operands are along them.
    dims: SmallVec<[(usize, isize, isize); 4]>,
    rows: usize,
    columns: usize,
}

// SAFETY: operands are only read, and no two pieces share an element of the result.
unsafe impl<C> Sync for Stack<C> {}

fn run<C: Number>(a: Array, b: Array, batch: &Shape, bias: Option<Array>) -> Array {
    let ([m, k], [_, n]) = (sides(&a), sides(&b));
    let shape: Shape = batch.iter().copied().chain([m, n]).collect();
    let mut result = Array::uninit(shape, C::DTYPE);
    let numel = result.numel();
    if numel == 0 {
        return result;
    }
    let out = result.uninit_slice::<C>();
    let bias = bias.as_ref().map_or(std::ptr::null(), |bias| bias.as_ptr::<C>());
    if k == 0 {
        // SAFETY: the result has numel / n rows of n elements, and the bias n.
        unsafe { start(out, [numel / n, n], n, bias) };
        return result;
    }
    let (a, mut b) = (readable(a), readable(b));
    if n > 1 && strides(&b)[1] != 1 && C::turns([m, k, n], &a) {
        let alone = narrow(&b);
        // A matrix that is used once by few rows is better left as it is.
        if C::ALWAYS || numel / n / (alone.numel() / (k * n)) >= TURN {
            b = turned::<C>(&alone);
        }
    }
    let mut whole = Piece {
        size: [m, k, n],
        out,
        step: n,
        a: matrix(&a),
        b: matrix(&b),
        bias,
    };
    let mut dims = stack_dims(&a, &b, batch);
    // Many matrices times one are one tall matrix times it, where all their rows are evenly spaced.
    if let [(size, a_step, 0)] = dims[..] {
        let straight = whole.a.col == 1 || (m > 1 && whole.a.row == 1);
        if straight && a_step > 0 && (m == 1 || a_step == whole.a.row * m as isize) {
            whole.a.row = if m == 1 { a_step } else { whole.a.row };
            whole.size[0] *= size;
            dims.clear();
        }
    }
    Stack::new(whole, dims).run();
    result
}

impl<C: Number> Stack<C> {
    fn new(whole: Piece<C>, dims: SmallVec<[(usize, isize, isize); 4]>) -> Stack<C> {
        let [m, k, n] = whole.size;
        let grains = cost(whole.size) / threads::GRAIN;
        // Up to eight pieces while they are small; beyond, as many as keep many cores busy.
        let pieces = grains.clamp(1, 8).max(grains / 16).min(64);
        // Columns are cut first, since `gemm` packs less for a narrow piece than for a flat one. Pieces are
        // made of its register tiles, 64 columns and 6 rows or parts of that.
        let by_rows = k < SHALLOW && m >= n && m * n >= 1 << 20;
        let across = if by_rows { 1 } else { pieces.min(n.div_ceil(64)) };
        let columns = n.div_ceil(across).next_multiple_of(64);
        let down = (pieces / n.div_ceil(columns)).clamp(1, m.div_ceil(48));
        let rows = m.div_ceil(down).next_multiple_of(12);
        Stack {
            whole,
            dims,
            rows,
            columns,
        }
    }

    fn run(&self) {
        let [m, k, n] = self.whole.size;
        let (down, across) = (m.div_ceil(self.rows), n.div_ceil(self.columns));
        let count = self.dims.iter().map(|d| d.0).product::<usize>() * down * across;
        if count == 1 {
            // SAFETY: as below.
            return unsafe { C::piece(&self.whole) };
        }
        let cost = cost([m.min(self.rows), k, n.min(self.columns)]);
        threads::split(count, 1, cost.max(1), |start, len| {
            for task in start..start + len {
                let (task, j) = (task / across, task % across);
                let piece = self.piece(task / down, task % down * self.rows, j * self.columns);
                // SAFETY: its sizes and strides are those of its operands and of the result.
                unsafe { C::piece(&piece) };
            }
        });
    }

    /// What is to be done from row `i` and column `j` of the stack's product number `at`.
    fn piece(&self, at: usize, i: usize, j: usize) -> Piece<C> {
        let Piece {
            size: [m, k, n],
            out,
            step,
            a,
            b,
            bias,
        } = self.whole;
        let (mut rest, mut a_at, mut b_at) = (at, i as isize * a.row, j as isize * b.col);
        for &(size, a_step, b_step) in self.dims.iter().rev() {
            let place = (rest % size) as isize;
            rest /= size;
            a_at += place * a_step;
            b_at += place * b_step;
        }
        Piece {
            size: [self.rows.min(m - i), k, self.columns.min(n - j)],
            out: out.wrapping_add((at * m + i) * n + j),
            step,
            a: a.shifted(a_at),
            b: b.shifted(b_at),
            bias: if bias.is_null() {
                bias
            } else {
                bias.wrapping_add(j)
            },
        }
    }
}

/// Roughly how many simple instructions a product costs; a core multiplies 32 pairs in the time of one.
fn cost([m, k, n]: [usize; 3]) -> usize {
    m.saturating_mul(k).saturating_mul(n) / 32 + (m * k + k * n + m * n) / 4
}

/// Sizes of the last two dimensions.
fn sides(x: &Array) -> [usize; 2] {
    let at = x.rank() - 2;
    [x.shape()[at], x.shape()[at + 1]]
}

/// Strides of the last two dimensions, where one of size one has that of a contiguous matrix.
fn strides(x: &Array) -> [isize; 2] {
    let (at, strides) = (x.rank() - 2, x.layout().strides());
    match sides(x) {
        [1, c] => [c as isize, if c == 1 { 1 } else { strides[at + 1] }],
        [_, 1] => [strides[at], 1],
        _ => [strides[at], strides[at + 1]],
    }
}

fn matrix<C: Number>(x: &Array) -> Matrix<C> {
    let [row, col] = strides(x);
    Matrix {
        at: x.as_ptr::<C>(),
        row,
        col,
    }
}

/// How far apart neighbours along dimension `d` of `batch` are in `x`.
fn stride(x: &Array, batch: &Shape, d: usize) -> isize {
    match (d + x.rank() - 2).checked_sub(batch.rank()) {
        Some(d) if x.shape()[d] != 1 => x.layout().strides()[d],
        _ => 0,
    }
}

/// The dimensions of the batch as [`Stack`] wants them, those merged that both operands walk alike.
fn stack_dims(a: &Array, b: &Array, batch: &Shape) -> SmallVec<[(usize, isize, isize); 4]> {
    let mut dims: SmallVec<[(usize, isize, isize); 4]> = SmallVec::new();
    for (d, &size) in batch.iter().enumerate().filter(|(_, size)| **size != 1) {
        let [a, b] = [a, b].map(|x| stride(x, batch, d));
        match dims.last_mut() {
            Some(last) if (last.1, last.2) == (a * size as isize, b * size as isize) => {
                *last = (last.0 * size, a, b);
            }
            _ => dims.push((size, a, b)),
        }
    }
    dims
}

/// `x` with dimensions along which it only repeats cut down to size one.
fn narrow(x: &Array) -> Array {
    let mut x = x.clone();
    for d in 0..x.rank() - 2 {
        if x.layout().strides()[d] == 0 && x.shape()[d] > 1 {
            x = x.slice(d, 0, 1, 1);
        }
    }
    x
}

/// `x`, copied if its matrices are not as [`Matrix`] wants them, or are vectors with gaps.
fn readable(x: Array) -> Array {
    let good = match (sides(&x), strides(&x)) {
        ([1, _], [_, col]) => col == 1,
        ([_, 1], [row, _]) => row == 1,
        (_, [row, col]) => (row == 1 && col > 0) || (col == 1 && row > 0),
    };
    if good { x } else { kernels::copy(&narrow(&x)) }
}

/// A contiguous copy of transposed matrices, whose rows are 1 apart.
fn turned<C: Number>(x: &Array) -> Array {
    /// Elements of a side of the squares in which this is done.
    const SIDE: usize = 16;
    struct Ends<C>(*const C, *mut C);
    // SAFETY: the source is only read, and no two squares share an element of the copy.
    unsafe impl<C> Sync for Ends<C> {}
    let ([k, n], [_, col]) = (sides(x), strides(x));
    let mut copy = Array::uninit(x.shape(), C::DTYPE);
    let ends = Ends(x.as_ptr::<C>(), copy.uninit_slice::<C>());
    let dims = stack_dims(x, x, &x.shape()[..x.rank() - 2].into());
    let (bands, count) = (k.div_ceil(SIDE), x.numel() / (k * n));
    threads::split(count * bands, 1, SIDE * n, |start, len| {
        let Ends(src, out) = *{ &ends };
        let mut square = [[C::default(); SIDE]; SIDE];
        for band in start..start + len {
            let (mut rest, mut from) = (band / bands, 0);
            for &(size, step, _) in dims.iter().rev() {
                from += (rest % size) as isize * step;
                rest /= size;
            }
            let l = band % bands * SIDE;
            let height = SIDE.min(k - l);
            for j in (0..n).step_by(SIDE) {
                let width = SIDE.min(n - j);
                // SAFETY: rows l..l + height and columns j..j + width lie within the matrix that begins at
                // `from`, which is number band / bands of the copy.
                unsafe {
                    let src = src.offset(from + l as isize + j as isize * col);
                    let out = out.add(band / bands * k * n + l * n + j);
                    if (height, width) != (SIDE, SIDE) {
                        turn(src, col, out, n, [height, width]);
                        continue;
                    }
                    // Through the square, since rows a power of two apart would evict each other.
                    for i in (0..SIDE * SIDE / 4).step_by(4) {
                        let (l, t) = (i % SIDE, i / SIDE * 4);
                        turn4(
                            src.add(l).offset(t as isize * col),
                            col,
                            square.as_mut_ptr().cast::<C>().add(l * SIDE + t),
                            SIDE,
                        );
                    }
                    for (l, row) in square.iter().enumerate() {
                        out.add(l * n).cast::<[C; SIDE]>().write_unaligned(*row);
                    }
                }
            }
        }
    });
    copy
}

/// Copies a transposed matrix, whose rows are 1 apart and columns `col`, to one with rows `step` apart.
///
/// # Safety
/// Both hold a matrix of that size.
#[inline(always)]
unsafe fn turn<C: Copy>(src: *const C, col: isize, out: *mut C, step: usize, [k, n]: [usize; 2]) {
    for l in 0..k {
        for j in 0..n {
            // SAFETY: row l and column j are within the matrices.
            unsafe {
                out.add(l * step + j)
                    .write(*src.offset(l as isize + j as isize * col))
            };
        }
    }
}

/// [`turn`] for four rows and columns.
///
/// # Safety
/// Both hold a matrix of that size.
#[inline(always)]
unsafe fn turn4<C: Copy>(src: *const C, col: isize, out: *mut C, step: usize) {
    #[cfg(target_arch = "x86_64")]
    if size_of::<C>() == 4 {
        use std::arch::x86_64::*;
        // The compiler does not find these shuffles by itself.
        // SAFETY: four elements from each of four columns, and to as many rows; any 4 bytes may be moved so.
        unsafe {
            let (src, out) = (src.cast::<f32>(), out.cast::<f32>());
            let [mut x, mut y, mut z, mut w] = [0, 1, 2, 3].map(|j| _mm_loadu_ps(src.offset(j * col)));
            _MM_TRANSPOSE4_PS(&mut x, &mut y, &mut z, &mut w);
            for (l, row) in [x, y, z, w].into_iter().enumerate() {
                _mm_storeu_ps(out.add(l * step), row);
            }
        }
        return;
    }
    // SAFETY: the caller's promise.
    unsafe { turn(src, col, out, step, [4, 4]) }
}

/// Fills rows with the bias, or with zeros where it is null.
///
/// # Safety
/// `out` has room for `m` rows of `n` elements that are `step` apart; the bias is null or `n` elements.
unsafe fn start<C: Number>(out: *mut C, [m, n]: [usize; 2], step: usize, bias: *const C) {
    for i in 0..m {
        // SAFETY: the caller's promise; all zeros are the number zero.
        unsafe {
            match bias.is_null() {
                true => out.add(i * step).write_bytes(0, n),
                false => out.add(i * step).copy_from_nonoverlapping(bias, n),
            }
        }
    }
}

/// A type that matrices are multiplied in.
trait Number: Lane {
    /// Whether a transposed right operand has to be turned.
    const ALWAYS: bool;

    /// Whether a product of this size would rather have its transposed right operand turned before.
    fn turns(size: [usize; 3], a: &Array) -> bool;

    /// Computes a piece.
    ///
    /// # Safety
    /// Its operands and its part of the result have its sizes and strides; nobody else uses the latter.
    unsafe fn piece(piece: &Piece<Self>);
}

impl Number for i64 {
    const ALWAYS: bool = true;

    fn turns(_: [usize; 3], _: &Array) -> bool {
        true
    }

    unsafe fn piece(piece: &Piece<i64>) {
        let Piece {
            size: [m, k, n],
            a,
            b,
            ..
        } = *piece;
        // SAFETY: the caller's promise; columns of b are 1 apart since all others are turned.
        unsafe {
            start(piece.out, [m, n], piece.step, piece.bias);
            for i in 0..m {
                let (out, a) = (piece.out.add(i * piece.step), a.shifted(i as isize * a.row));
                sum_rows(out, n, k, a.at, a.col, b.at, b.row, true);
            }
        }
    }
}

/// Whether [`float`] turns a transposed right operand on the stack.
fn on_stack([m, k, n]: [usize; 3]) -> bool {
    m > 2 && m * n * k <= TINY && k * n <= STACK
}

macro_rules! float {
    ($t:ty) => {
        impl Number for $t {
            const ALWAYS: bool = false;

            fn turns(size: [usize; 3], a: &Array) -> bool {
                // `gemm` is good at few dot products.
                let dots = size[0] * size[2] <= 256 && strides(a)[1] == 1;
                !on_stack(size) && !(size[0] < TURN && dots)
            }

            unsafe fn piece(piece: &Piece<$t>) {
                let &Piece {
                    size: [m, k, n],
                    out,
                    step,
                    a,
                    b,
                    bias,
                } = piece;
                let tiny = m * n * k <= TINY;
                if b.col == 1 || n == 1 {
                    if tiny || (m == 1 && n <= SHORT) {
                        // SAFETY: the caller's promise; columns of b are 1 apart, or it has but one.
                        return unsafe { rows(piece) };
                    }
                } else if on_stack(piece.size) {
                    let mut copy = [const { std::mem::MaybeUninit::<$t>::uninit() }; STACK];
                    let at = copy.as_mut_ptr().cast::<$t>();
                    // SAFETY: k · n elements fit the copy; then as above.
                    unsafe {
                        turn(b.at, b.col, at, n, [k, n]);
                        return rows(&Piece {
                            b: Matrix {
                                at,
                                row: n as isize,
                                col: 1,
                            },
                            ..*piece
                        });
                    }
                } else if 1 < m && m < TURN && a.col == 1 && m * n > 256 {
                    // A row after the other: `gemm` would pack all of b for these few rows.
                    for i in 0..m {
                        let (out, a) = (out.wrapping_add(i * step), a.shifted(i as isize * a.row));
                        // SAFETY: a part of the piece.
                        unsafe {
                            <$t>::piece(&Piece {
                                size: [1, k, n],
                                out,
                                a,
                                ..*piece
                            })
                        };
                    }
                    return;
                }
                // SAFETY: the caller's promise.
                unsafe {
                    if !bias.is_null() {
                        start(out, [m, n], step, bias);
                    }
                    let add = !bias.is_null();
                    if m == 1 && b.col == 1 {
                        return sum_rows(out, n, k, a.at, a.col, b.at, b.row, add);
                    }
                    if n == 1 && step == 1 && a.col != 1 {
                        return sum_rows(out, m, k, b.at, b.row, a.at, a.col, add);
                    }
                    let none = Parallelism::None;
                    let (step, no) = (step as isize, false);
                    gemm(
                        m, n, k, out, 1, step, add, a.at, a.col, a.row, b.at, b.col, b.row, 1.0, 1.0, no, no,
                        no, none,
                    )
                }
            }
        }
    };
}
float!(f32);
float!(f64);

dispatch!(unsafe fn rows<C: Lane>(piece: &Piece<C>) => rows_body);

/// A product in small blocks that stay in registers; columns of b are 1 apart (or it has one column).
#[inline(always)]
unsafe fn rows_body<S: Real, C: Lane>(piece: &Piece<C>) {
    let m = piece.size[0];
    let mut i = 0;
    // SAFETY: rows i.. are within the product.
    unsafe {
        while i + 4 <= m {
            strip::<S, C, 4>(piece, i);
            i += 4;
        }
        if i + 2 <= m {
            strip::<S, C, 2>(piece, i);
            i += 2;
        }
        if i < m {
            strip::<S, C, 1>(piece, i);
        }
    }
}

/// Rows `i .. i + R` of a product.
#[inline(always)]
unsafe fn strip<S: Real, C: Lane, const R: usize>(piece: &Piece<C>, i: usize) {
    let n = piece.size[2];
    let mut j = 0;
    // SAFETY: columns j.. are within the product.
    unsafe {
        // One row alone needs more columns at once to keep the multipliers busy.
        while R == 1 && j + 64 <= n {
            block::<S, C, R, 64>(piece, i, j);
            j += 64;
        }
        while j + 16 <= n {
            block::<S, C, R, 16>(piece, i, j);
            j += 16;
        }
        if j + 8 <= n {
            block::<S, C, R, 8>(piece, i, j);
            j += 8;
        }
        if j + 4 <= n {
            block::<S, C, R, 4>(piece, i, j);
            j += 4;
        }
        if j + 2 <= n {
            block::<S, C, R, 2>(piece, i, j);
            j += 2;
        }
        if j < n {
            block::<S, C, R, 1>(piece, i, j);
        }
    }
}

/// Rows `i .. i + R` and columns `j .. j + W` of a product.
#[inline(always)]
unsafe fn block<S: Real, C: Lane, const R: usize, const W: usize>(piece: &Piece<C>, i: usize, j: usize) {
    const { assert!(size_of::<S>() == size_of::<C>()) };
    let &Piece {
        size: [_, k, _],
        out,
        step,
        a,
        b,
        bias,
    } = piece;
    let mut sums = [[S::ZERO; W]; R];
    // SAFETY: the rows and columns lie within the product, and S has the bits of C.
    unsafe {
        let out = out.add(i * step + j).cast::<S>();
        let (a_at, b_at) = (
            a.at.offset(i as isize * a.row).cast::<S>(),
            b.at.add(j).cast::<S>(),
        );
        if !bias.is_null() {
            for r in 0..R {
                sums[r] = bias.add(j).cast::<[S; W]>().read();
            }
        }
        for l in 0..k as isize {
            let y = b_at.offset(l * b.row).cast::<[S; W]>().read();
            for r in 0..R {
                let x = a_at.offset(r as isize * a.row + l * a.col).read();
                for w in 0..W {
                    sums[r][w] = x.mul_add(y[w], sums[r][w]);
                }
            }
        }
        for r in 0..R {
            out.add(r * step).cast::<[S; W]>().write(sums[r]);
        }
    }
}

dispatch!(unsafe fn sum_rows<C: Lane>(
    out: *mut C, n: usize, k: usize, x: *const C, x_step: isize, y: *const C, y_step: isize, add: bool
) => sum_rows_body);

/// A row of k numbers times a matrix of `n` columns: the sum of its rows, each times a number.
///
/// # Safety
/// `x` has `k` numbers that are `x_step` apart, `y` as many rows of `n` numbers, and `out` room for `n`.
#[inline(always)]
unsafe fn sum_rows_body<S: Real, C: Lane>(
    out: *mut C,
    n: usize,
    k: usize,
    x: *const C,
    x_step: isize,
    y: *const C,
    y_step: isize,
    add: bool,
) {
    /// Numbers of `out` that stay in the first-level cache meanwhile.
    const PART: usize = 2048;
    const { assert!(size_of::<S>() == size_of::<C>()) };
    for from in (0..n).step_by(PART) {
        let n = PART.min(n - from);
        // SAFETY: the caller's promise; S has the bits of C, for which all zeros are a number.
        unsafe {
            let out = out.add(from).cast::<S>();
            if !add {
                out.write_bytes(0, n);
            }
            let out = std::slice::from_raw_parts_mut(out, n);
            let x = |l: usize| x.offset(l as isize * x_step).cast::<S>().read();
            let y = |l: usize| y.offset(l as isize * y_step).add(from).cast::<S>();
            let mut l = 0;
            while l + 4 <= k {
                let (x0, x1, x2, x3) = (x(l), x(l + 1), x(l + 2), x(l + 3));
                let (y0, y1, y2, y3) = (y(l), y(l + 1), y(l + 2), y(l + 3));
                for (j, sum) in out.iter_mut().enumerate() {
                    let two = x1.mul_add(y1.add(j).read(), x0.mul_add(y0.add(j).read(), *sum));
                    *sum = x3.mul_add(y3.add(j).read(), x2.mul_add(y2.add(j).read(), two));
                }
                l += 4;
            }
            while l < k {
                let (x, y) = (x(l), y(l));
                for (j, sum) in out.iter_mut().enumerate() {
                    *sum = x.mul_add(y.add(j).read(), *sum);
                }
                l += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::{DType, Element};
    use crate::with_element;

    fn numbers(shape: &[usize], dtype: DType) -> Array {
        let n: usize = shape.iter().product();
        let data: Vec<f64> = (0..n).map(|i| ((i * 37 + 11) % 17) as f64 / 4.0 - 2.0).collect();
        Array::from_slice(&data, shape).cast(dtype)
    }

    fn full(x: &Array, batch: &Shape) -> Vec<f64> {
        let shape: Shape = batch.iter().copied().chain(sides(x)).collect();
        x.broadcast_to(&shape).to_vec::<f64>()
    }

    fn check(a: &Array, b: &Array, batch: &Shape, bias: Option<&Array>) {
        let got = matmul(a, b, batch, bias);
        let ([m, k], [_, n], dtype) = (sides(a), sides(b), a.dtype());
        let shape: Shape = batch.iter().copied().chain([m, n]).collect();
        assert_eq!(
            (got.shape(), got.dtype(), got.is_contiguous()),
            (&shape, dtype, true)
        );
        let (x, y, bias) = (full(a, batch), full(b, batch), bias.map(|b| b.to_vec::<f64>()));
        for (at, got) in got.to_vec::<f64>().into_iter().enumerate() {
            let (s, i, j) = (at / n / m, at / n % m, at % n);
            let sum: f64 = (0..k)
                .map(|l| x[(s * m + i) * k + l] * y[(s * k + l) * n + j])
                .sum();
            let sum = sum + bias.as_ref().map_or(0.0, |b| b[j]);
            // All numbers here are multiples of a sixteenth: sums are exact until they are stored.
            let want = with_element!(dtype, T => T::store(sum).load::<f64>());
            assert_eq!(
                got,
                want,
                "{a:?} {b:?} at {s} {i} {j}",
                a = a.layout(),
                b = b.layout()
            );
        }
    }

    /// The same elements in other places: turned, in reverse, and with gaps.
    fn views(x: &Array) -> Vec<Array> {
        let r = x.rank();
        let back = |x: &Array, d| match x.shape()[d] {
            0 => x.clone(),
            n => kernels::copy(&x.slice(d, n - 1, n, -1)).slice(d, n - 1, n, -1),
        };
        let gaps = |x: &Array, d: usize| {
            let wide = kernels::copy(&x.unsqueeze(d + 1).broadcast_to(&x.shape().insert(d + 1, 2)));
            let n = x.shape()[d];
            wide.reshape(x.shape().with(d, 2 * n)).slice(d, 0, n, 2)
        };
        let turn = |x: &Array| kernels::copy(&x.transpose(r - 2, r - 1)).transpose(r - 2, r - 1);
        let mut all = vec![
            x.clone(),
            turn(x),
            back(x, r - 1),
            back(x, r - 2),
            gaps(x, r - 1),
            gaps(x, r - 2),
        ];
        all.push(turn(&gaps(x, r - 2)));
        if r > 2 {
            all.extend([
                x.transpose(0, r - 2).contiguous().transpose(0, r - 2),
                back(x, 0),
                gaps(x, 0),
            ]);
        }
        all
    }

    #[test]
    fn products_are_those_of_plain_loops() {
        let sizes = [0, 1, 2, 5, 17, 40];
        for (m, k) in sizes.iter().flat_map(|m| sizes.map(|k| (*m, k))) {
            for n in sizes {
                let (a, b, bias) = (&[m, k][..], &[k, n][..], numbers(&[n], DType::F32));
                let (a, b) = (views(&numbers(a, DType::F32)), views(&numbers(b, DType::F32)));
                for (at, a) in a.iter().enumerate() {
                    for (bt, b) in b.iter().enumerate() {
                        check(
                            a,
                            b,
                            &Shape::default(),
                            (at + bt).is_multiple_of(2).then_some(&bias),
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn any_dtype_and_any_batch() {
        let cases: [(&[usize], &[usize], &[usize]); 14] = [
            (&[9, 14], &[14, 21], &[]),
            (&[4, 3, 20], &[20, 6], &[4]),
            (&[4, 1, 20], &[20, 19], &[4]),
            (&[4, 1, 20], &[20, 1], &[4]),
            (&[4, 6, 1], &[1, 18], &[4]),
            (&[2, 3, 7, 5], &[5, 6], &[2, 3]),
            (&[2, 3, 7, 5], &[1, 1, 5, 6], &[2, 3]),
            (&[2, 1, 3, 12], &[4, 12, 9], &[2, 4]),
            (&[3, 12], &[4, 12, 9], &[4]),
            (&[2, 3, 18, 20], &[2, 3, 20, 17], &[2, 3]),
            (&[3, 2, 0], &[0, 3], &[3]),
            (&[0, 2, 3], &[3, 3], &[0]),
            (&[2, 3], &[0, 3, 4], &[0]),
            (&[1, 1, 1], &[1, 1], &[1]),
        ];
        for (a, b, batch) in cases {
            for dtype in [
                DType::F32,
                DType::F64,
                DType::F16,
                DType::I64,
                DType::U8,
                DType::Bool,
            ] {
                let bias = numbers(&b[b.len() - 1..], dtype);
                for a in views(&numbers(a, dtype)) {
                    for b in views(&numbers(b, dtype)) {
                        check(&a, &b, &batch.into(), None);
                        check(&a, &b, &batch.into(), Some(&bias));
                    }
                }
            }
        }
    }

    #[test]
    fn operands_may_repeat() {
        for (rank, shape) in [(2, [6, 30, 40]), (3, [3, 5, 20])] {
            let x = |v: f64| Array::fill(&shape[3 - rank..], v, DType::F32);
            let batch = Shape::new(&shape[..rank - 2]);
            check(&x(0.5), &x(2.0).transpose(rank - 2, rank - 1), &batch, None);
            let row = numbers(&shape[2..], DType::F32).broadcast_to(x(0.0).shape());
            check(&row, &row.transpose(rank - 2, rank - 1), &batch, None);
            check(&row.transpose(rank - 2, rank - 1), &row, &batch, None);
        }
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let wild = |shape: &[usize]| {
            let n: usize = shape.iter().product();
            let data: Vec<f32> = (0..n).map(|i| ((i * i) as f32).sin()).collect();
            Array::from_slice(&data, shape)
        };
        let cases: [(&[usize], &[usize], &[usize]); 5] = [
            (&[700, 130], &[130, 300], &[]),
            (&[3, 1000, 80], &[80, 70], &[3]),
            (&[40, 33, 65], &[40, 65, 50], &[40]),
            (&[1, 900], &[900, 1100], &[]),
            (&[1100, 900], &[900, 1], &[]),
        ];
        for (a, b, batch) in cases {
            let (a, b, batch) = (wild(a), wild(b), Shape::new(batch));
            for b in [
                &b,
                &b.transpose(b.rank() - 2, b.rank() - 1)
                    .contiguous()
                    .transpose(b.rank() - 2, b.rank() - 1),
            ] {
                let on = |threads| {
                    let pool = rayon::ThreadPoolBuilder::new()
                        .num_threads(threads)
                        .build()
                        .unwrap();
                    let y = pool.install(|| matmul(&a, b, &batch, None));
                    y.as_slice::<f32>()
                        .iter()
                        .map(|v| v.to_bits())
                        .collect::<Vec<_>>()
                };
                let one = on(1);
                assert!(on(2) == one && on(4) == one);
            }
        }
    }
}
