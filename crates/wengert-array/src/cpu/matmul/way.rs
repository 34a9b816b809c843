//! Which way one product is computed on one thread, and the loops of our own.

use super::TURN;
use crate::cpu::gemm::{Matrix, Product, Start, is_own, library, tiled};
use crate::cpu::isa::{Lane, dispatch};
use crate::cpu::turn::turn;
use crate::dtype::DType;
use crate::real::Real;
use std::mem::MaybeUninit;

/// Products of up to this many multiplications are done by [`rows`]: others take 0.2 µs before they begin.
const TINY: usize = 14000;
/// From this depth on our own tiles are faster even so.
const DEEP: usize = 32;
/// Columns of one row that [`rows`] is better at than [`sum_rows`].
const SHORT: usize = 128;
/// A transposed right operand of up to this many elements is turned on the stack.
const STACK: usize = 1024;

/// How a product is computed.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Way {
    /// By register tiles: each element has the same bits in whatever part of the product it is computed.
    Tiles,
    Library,
    /// By [`rows`].
    Rows,
    /// So, with the right operand turned on the stack.
    Turned,
    /// A row after the other, each in its own way.
    EachRow,
    /// A row as a sum of the right operand's rows.
    Across,
    /// A column as a sum of the left operand's columns.
    Down,
    /// Not as it is: the right operand should be turned first.
    Turn,
}

impl Way {
    /// The best way for a product, where `uses` rows are multiplied by each matrix of its right operand, or 0 where that
    /// cannot be turned first.
    #[inline]
    pub(super) fn of<C: Lane>(product: &Product<C>, uses: impl FnOnce() -> usize) -> Way {
        let &Product {
            size: [m, k, n],
            step,
            a,
            b,
            ..
        } = product;
        let in_rows = b.col == 1 || n == 1;
        if C::DTYPE == DType::I64 {
            return match in_rows {
                true if m == 1 => Way::Across,
                true => Way::EachRow,
                false => Way::Turn,
            };
        }
        let own = is_own();
        let tiny = m * n * k <= TINY && (k < DEEP || !own);
        if in_rows {
            return match () {
                _ if tiny || (m == 1 && n <= SHORT) => Way::Rows,
                _ if m == 1 => Way::Across,
                _ if n == 1 && step == 1 && a.col != 1 => Way::Down,
                _ if n > 1 && own => Way::Tiles,
                _ => Way::Library,
            };
        }
        let dots = m < TURN && a.col == 1;
        match () {
            _ if tiny && m > 2 && k * n <= STACK => Way::Turned,
            // A matrix that is used once by few rows is better left as it is, and the library is good at few dot products.
            _ if !own && uses() >= TURN && !(dots && m * n <= 256) => Way::Turn,
            // The library would pack all of b for these few rows.
            _ if dots && m > 1 && m * n > 256 => Way::EachRow,
            _ if own && m > 1 && !tiny && !dots => Way::Tiles,
            _ => Way::Library,
        }
    }

    /// Computes a product, which is added to [one row](Start::Row) or nothing and has scale 1.
    ///
    /// # Safety
    /// What the [product](Product) says; this is its way, or that of a whole it is part of, which is tiles.
    pub(super) unsafe fn compute<C: Lane>(self, product: &Product<C>) {
        let &Product {
            size: [m, k, n],
            out,
            step,
            a,
            b,
            ..
        } = product;
        // SAFETY: the caller's promise. Columns of b are 1 apart for `rows` and `sum_rows`, or it has but one.
        unsafe {
            match self {
                Way::Tiles => tiled(product),
                Way::Library => library(product),
                Way::Rows => rows(product),
                Way::Turned => {
                    let mut copy = [const { MaybeUninit::<C>::uninit() }; STACK];
                    let at = copy.as_mut_ptr().cast::<C>();
                    turn(b.at, b.col, at, n, [k, n]);
                    let row = n as isize;
                    let b = Matrix { at, row, col: 1 };
                    rows(&Product { b, ..*product });
                }
                Way::EachRow => {
                    for i in 0..m {
                        let row = Product {
                            size: [1, k, n],
                            out: out.add(i * step),
                            a: a.shifted(i as isize * a.row),
                            ..*product
                        };
                        Way::of(&row, || 0).compute(&row);
                    }
                }
                Way::Across => sum_rows(out, n, k, a.at, a.col, b.at, b.row, product.begin()),
                Way::Down => sum_rows(out, m, k, b.at, b.row, a.at, a.col, product.begin()),
                Way::Turn => unreachable!("it was turned first"),
            }
        }
    }
}

dispatch!(unsafe fn rows<C: Lane>(product: &Product<C>) => rows_body);

/// A product in small blocks that stay in registers; columns of b are 1 apart (or it has one column).
#[inline(always)]
unsafe fn rows_body<S: Real, C: Lane>(product: &Product<C>) {
    let m = product.size[0];
    let mut i = 0;
    // SAFETY: rows i.. are within the product.
    unsafe {
        while i + 4 <= m {
            strip::<S, C, 4>(product, i);
            i += 4;
        }
        if i + 2 <= m {
            strip::<S, C, 2>(product, i);
            i += 2;
        }
        if i < m {
            strip::<S, C, 1>(product, i);
        }
    }
}

/// Rows `i .. i + R` of a product.
#[inline(always)]
unsafe fn strip<S: Real, C: Lane, const R: usize>(product: &Product<C>, i: usize) {
    let n = product.size[2];
    let mut j = 0;
    // SAFETY: columns j.. are within the product.
    unsafe {
        // One row alone needs more columns at once to keep the multipliers busy.
        while R == 1 && j + 64 <= n {
            block::<S, C, R, 64>(product, i, j);
            j += 64;
        }
        while j + 16 <= n {
            block::<S, C, R, 16>(product, i, j);
            j += 16;
        }
        if j + 8 <= n {
            block::<S, C, R, 8>(product, i, j);
            j += 8;
        }
        if j + 4 <= n {
            block::<S, C, R, 4>(product, i, j);
            j += 4;
        }
        if j + 2 <= n {
            block::<S, C, R, 2>(product, i, j);
            j += 2;
        }
        if j < n {
            block::<S, C, R, 1>(product, i, j);
        }
    }
}

/// Rows `i .. i + R` and columns `j .. j + W` of a product.
#[inline(always)]
unsafe fn block<S: Real, C: Lane, const R: usize, const W: usize>(product: &Product<C>, i: usize, j: usize) {
    const { assert!(size_of::<S>() == size_of::<C>()) };
    let &Product {
        size: [_, k, _],
        out,
        step,
        a,
        b,
        start,
        ..
    } = product;
    let mut sums = [[S::ZERO; W]; R];
    // SAFETY: the rows and columns lie within the product, and S has the bits of C.
    unsafe {
        let out = out.add(i * step + j).cast::<S>();
        let (a_at, b_at) = (
            a.at.offset(i as isize * a.row).cast::<S>(),
            b.at.add(j).cast::<S>(),
        );
        if let Start::Row(row) = start {
            for r in 0..R {
                sums[r] = row.add(j).cast::<[S; W]>().read();
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
