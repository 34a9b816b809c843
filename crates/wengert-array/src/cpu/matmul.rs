//! Matrix products: by [register tiles](super::gemm) where there is enough to do, by loops where beginning with those costs more
//! than the product.
//!
//! Large products are cut into pieces, and each piece is computed by one thread. The bits are the same for any number of
//! threads: where a piece's bits depend on its size, the cuts depend on the product's alone.

mod way;

use super::gemm::{Matrix, Product, Start};
use super::isa::Lane;
use super::threads;
use super::turn::{SIDE, turn};
use crate::array::Array;
use crate::kernels;
use crate::layout::Shape;
use crate::with_compute;
use smallvec::SmallVec;
use std::borrow::Cow;
use way::Way;

/// A transposed right operand that so many rows are multiplied by is turned, before or tile by tile.
const TURN: usize = 6;
/// Products come in rows, one after the other, while threads look for work: they are shared at half the cost of other work.
const EAGER: usize = 2;
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
        return with_compute!(dtype, C => run::<C>(a, b, batch, bias));
    }
    let [a, b] = [a, b].map(|x| narrow(x).cast(compute));
    with_compute!(dtype, C => run::<C>(&a, &b, batch, bias)).cast(dtype)
}

/// A stack of products of one size, and how each is cut.
struct Stack<C> {
    whole: Product<C>,
    /// Sizes of the stack's dimensions, and how far apart operands are along them.
    dims: SmallVec<[(usize, isize, isize); 4]>,
    rows: usize,
    columns: usize,
    way: Way,
}

// SAFETY: operands are only read, and no two pieces share an element of the result.
unsafe impl<C> Sync for Stack<C> {}

fn run<C: Lane>(a: &Array, b: &Array, batch: &Shape, bias: Option<Array>) -> Array {
    let ([m, k], [_, n]) = (sides(a), sides(b));
    let shape: Shape = match batch.rank() {
        0 => [m, n].into(),
        _ => batch.iter().copied().chain([m, n]).collect(),
    };
    if k == 0 {
        return match bias {
            Some(bias) => kernels::copy(&bias.broadcast_to(&shape)),
            None => Array::full(shape, 0.0, C::DTYPE),
        };
    }
    let mut result = Array::uninit(shape, C::DTYPE);
    let numel = result.numel();
    if numel == 0 {
        return result;
    }
    let (a, mut b) = (readable(a), readable(b));
    let mut whole = Product {
        size: [m, k, n],
        out: result.uninit_slice::<C>(),
        step: n,
        start: match &bias {
            Some(bias) => Start::Row(bias.as_ptr::<C>()),
            None => Start::Zero,
        },
        a: matrix(&a),
        b: matrix(&b),
        scale: C::from_i64(1),
    };
    if whole.b.col != 1 && Way::of(&whole, || numel * k / narrow(&b).numel()) == Way::Turn {
        b = Cow::Owned(turned::<C>(&narrow(&b)));
        whole.b = matrix(&b);
    }
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
    let way = Way::of(&whole, || 0);
    if dims.is_empty() && cost(whole.size) < threads::GRAIN {
        // SAFETY: its sizes and strides are those of its operands and of the result.
        unsafe { way.compute(&whole) };
        return result;
    }
    Stack::new(whole, dims, way).run();
    result
}

impl<C: Lane> Stack<C> {
    fn new(whole: Product<C>, dims: SmallVec<[(usize, isize, isize); 4]>, way: Way) -> Stack<C> {
        let [m, k, n] = whole.size;
        let grains = cost(whole.size) / threads::GRAIN;
        let pieces = match (way == Way::Tiles, threads::get_num_threads()) {
            // Up to eight pieces while they are small; beyond, as many as keep many cores busy.
            (false, _) => grains.clamp(1, 8).max(grains / 16).min(64),
            // Those may be cut in any way: some for each thread, since one may be slower than others.
            (true, 1) => 1,
            (true, threads) => {
                let stacked: usize = dims.iter().map(|d| d.0).product();
                (EAGER * grains).clamp(1, (4 * threads).div_ceil(stacked.max(1)))
            }
        };
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
            way,
        }
    }

    fn run(&self) {
        let [m, k, n] = self.whole.size;
        let (down, across) = (m.div_ceil(self.rows), n.div_ceil(self.columns));
        let count = self.dims.iter().map(|d| d.0).product::<usize>() * down * across;
        if count == 1 {
            // SAFETY: as below.
            return unsafe { self.way.compute(&self.whole) };
        }
        let cost = cost([m.min(self.rows), k, n.min(self.columns)]);
        threads::split(count, 1, EAGER * cost.max(1), |start, len| {
            for task in start..start + len {
                let (task, j) = (task / across, task % across);
                let piece = self.piece(task / down, task % down * self.rows, j * self.columns);
                let way = match self.way {
                    Way::Tiles => Way::Tiles,
                    _ => Way::of(&piece, || 0),
                };
                // SAFETY: its sizes and strides are those of its operands and of the result.
                unsafe { way.compute(&piece) };
            }
        });
    }

    /// What is to be done from row `i` and column `j` of the stack's product number `at`.
    fn piece(&self, at: usize, i: usize, j: usize) -> Product<C> {
        let Product {
            size: [m, k, n],
            out,
            start,
            a,
            b,
            ..
        } = self.whole;
        let (mut rest, mut a_at, mut b_at) = (at, i as isize * a.row, j as isize * b.col);
        for &(size, a_step, b_step) in self.dims.iter().rev() {
            let place = (rest % size) as isize;
            rest /= size;
            a_at += place * a_step;
            b_at += place * b_step;
        }
        Product {
            size: [self.rows.min(m - i), k, self.columns.min(n - j)],
            out: out.wrapping_add((at * m + i) * n + j),
            start: match start {
                Start::Row(row) => Start::Row(row.wrapping_add(j)),
                _ => start,
            },
            a: a.shifted(a_at),
            b: b.shifted(b_at),
            ..self.whole
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
        [_, c] if x.is_contiguous() => [c as isize, 1],
        [1, c] => [c as isize, if c == 1 { 1 } else { strides[at + 1] }],
        [_, 1] => [strides[at], 1],
        _ => [strides[at], strides[at + 1]],
    }
}

fn matrix<C: Lane>(x: &Array) -> Matrix<C> {
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
    if batch.rank() == 0 {
        return dims;
    }
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
fn readable(x: &Array) -> Cow<'_, Array> {
    let good = x.is_contiguous()
        || match (sides(x), strides(x)) {
            ([1, _], [_, col]) => col == 1,
            ([_, 1], [row, _]) => row == 1,
            (_, [row, col]) => (row == 1 && col > 0) || (col == 1 && row > 0),
        };
    match good {
        true => Cow::Borrowed(x),
        false => Cow::Owned(kernels::copy(&narrow(x))),
    }
}

/// A contiguous copy of transposed matrices, whose rows are 1 apart.
fn turned<C: Lane>(x: &Array) -> Array {
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
        for band in start..start + len {
            let (mut rest, mut from) = (band / bands, 0);
            for &(size, step, _) in dims.iter().rev() {
                from += (rest % size) as isize * step;
                rest /= size;
            }
            let l = band % bands * SIDE;
            let height = SIDE.min(k - l);
            // SAFETY: rows l..l + height lie within the matrix that begins at `from`, which is number band / bands of the copy.
            unsafe {
                let src = src.offset(from + l as isize);
                turn(src, col, out.add(band / bands * k * n + l * n), n, [height, n]);
            }
        }
    });
    copy
}

#[cfg(test)]
mod tests;
