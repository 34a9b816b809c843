//! One product on one thread: register tiles, the library, or loops of our own.

use super::{Piece, TURN};
use crate::cpu::gemm::{Matrix, Start, is_own, library, tiled};
use crate::cpu::isa::{Lane, dispatch};
use crate::cpu::turn::turn;
use crate::real::Real;

/// Products of up to this many multiplications are done by [`rows`]: others take 0.2 µs before they begin.
const TINY: usize = 14000;
/// From this depth on our own tiles are faster even so.
const DEEP: usize = 32;
/// Columns of one row that [`rows`] is better at than [`sum_rows`].
const SHORT: usize = 128;
/// A transposed right operand of up to this many elements is turned on the stack.
const STACK: usize = 1024;

/// A type that matrices are multiplied in.
pub(super) trait Number: Lane {
    /// Whether a transposed right operand has to be turned.
    const ALWAYS: bool;

    /// Whether a product of this size, of a left operand whose columns lie so far apart, would rather have its transposed
    /// right operand turned before.
    fn turns(size: [usize; 3], a_col: isize) -> bool;

    /// Whether a piece is computed by [`tiles`](Number::tiles).
    fn is_tiled(piece: &Piece<Self>) -> bool;

    /// Computes a piece, in whichever way is best for it.
    ///
    /// # Safety
    /// Its operands and its part of the result have its sizes and strides; nobody else uses the latter.
    unsafe fn piece(piece: &Piece<Self>);

    /// Computes a piece so that each element's bits do not depend on what else is in it.
    ///
    /// # Safety
    /// As [`piece`](Number::piece), and the whole that this is a part of [`is_tiled`](Number::is_tiled).
    unsafe fn tiles(piece: &Piece<Self>);
}

impl Number for i64 {
    const ALWAYS: bool = true;

    fn turns(_: [usize; 3], _: isize) -> bool {
        true
    }

    fn is_tiled(_: &Piece<i64>) -> bool {
        false
    }

    unsafe fn tiles(_: &Piece<i64>) {
        unreachable!("there are no tiles of integers")
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

/// Whether [`rows`] is the best way.
fn is_tiny([m, k, n]: [usize; 3]) -> bool {
    m * n * k <= TINY && (k < DEEP || !is_own())
}

/// Whether [`float`] turns a transposed right operand on the stack.
fn on_stack(size: [usize; 3]) -> bool {
    let [m, k, n] = size;
    m > 2 && is_tiny(size) && k * n <= STACK
}

macro_rules! float {
    ($t:ty) => {
        impl Number for $t {
            const ALWAYS: bool = false;

            fn turns(size: [usize; 3], a_col: isize) -> bool {
                // `gemm` is good at few dot products.
                let dots = size[0] * size[2] <= 256 && a_col == 1;
                !on_stack(size) && !(size[0] < TURN && dots) && !is_own()
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
                let tiny = is_tiny(piece.size);
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
                    let [across, down] = [m == 1 && b.col == 1, n == 1 && step == 1 && a.col != 1];
                    if across || down {
                        if !bias.is_null() {
                            start(out, [m, n], step, bias);
                        }
                        let add = !bias.is_null();
                        return match across {
                            true => sum_rows(out, n, k, a.at, a.col, b.at, b.row, add),
                            false => sum_rows(out, m, k, b.at, b.row, a.at, a.col, add),
                        };
                    }
                    match <$t>::is_tiled(piece) {
                        true => <$t>::tiles(piece),
                        false => library(piece.size, out, step, first(bias), a, b, 1.0),
                    }
                }
            }

            fn is_tiled(piece: &Piece<$t>) -> bool {
                let &Piece {
                    size: [m, _, n],
                    a,
                    b,
                    ..
                } = piece;
                // The library is good at few dot products.
                let dots = b.col != 1 && m < TURN && a.col == 1;
                is_own() && m > 1 && n > 1 && !is_tiny(piece.size) && !dots
            }

            unsafe fn tiles(piece: &Piece<$t>) {
                let &Piece {
                    size,
                    out,
                    step,
                    a,
                    b,
                    bias,
                } = piece;
                // SAFETY: the caller's promise.
                unsafe { tiled(size, out, step, first(bias), a, b, 1.0) }
            }
        }
    };
}
float!(f32);
float!(f64);

/// What a product with this bias is added to.
fn first<C>(bias: *const C) -> Start<C> {
    match bias.is_null() {
        true => Start::Zero,
        false => Start::Row(bias),
    }
}

/// Fills rows with the bias, or with zeros where it is null.
///
/// # Safety
/// `out` has room for `m` rows of `n` elements that are `step` apart; the bias is null or `n` elements.
pub(super) unsafe fn start<C: Number>(out: *mut C, [m, n]: [usize; 2], step: usize, bias: *const C) {
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
