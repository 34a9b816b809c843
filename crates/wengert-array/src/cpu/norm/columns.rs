//! Batch normalization where channels are innermost: sums down columns, several columns at a time.

use super::{Out, seen, seen_mut};
use crate::array::Array;
use crate::cpu::isa::{Lane, dispatch};
use crate::cpu::threads;
use crate::dtype::Compute;
use crate::real::Real;
use crate::with_compute;

/// Columns whose sums are taken side by side, and rows between two roundings to f64.
const COLUMNS: usize = 32;
const DOWN: usize = 256;

/// Sums over rows 0..n of `terms` of columns `from .. from + COLUMNS`, or as many of them as there are up to `end`.
#[inline(always)]
unsafe fn columns<S: Real, C: Compute, const K: usize>(
    n: usize,
    from: usize,
    end: usize,
    terms: impl Fn(usize, usize) -> [S; K],
    total: &mut [[f64; COLUMNS]; K],
) {
    for start in (0..n).step_by(DOWN) {
        let rows = start..n.min(start + DOWN);
        let mut acc = [[S::ZERO; COLUMNS]; K];
        if from + COLUMNS <= end {
            for i in rows {
                for l in 0..COLUMNS {
                    let terms = terms(i, from + l);
                    for k in 0..K {
                        acc[k][l] = acc[k][l] + terms[k];
                    }
                }
            }
        } else {
            for i in rows {
                for l in 0..end - from {
                    let terms = terms(i, from + l);
                    for k in 0..K {
                        acc[k][l] = acc[k][l] + terms[k];
                    }
                }
            }
        }
        for k in 0..K {
            // SAFETY: S has the bits of C, by the caller's promise.
            for (total, part) in total[k].iter_mut().zip(unsafe { seen::<C, S>(&acc[k]) }) {
                *total += part.to_f64();
            }
        }
    }
}

dispatch!(unsafe fn column_powers<C: Lane>(
    x: &[C], c: usize, from: usize, mean: &[C], square: bool, total: &mut [[f64; COLUMNS]; 1]
) => column_powers_body);

#[inline(always)]
unsafe fn column_powers_body<S: Real, C: Lane>(
    x: &[C],
    c: usize,
    from: usize,
    mean: &[C],
    square: bool,
    total: &mut [[f64; COLUMNS]; 1],
) {
    // SAFETY: S has the bits of C; rows and columns are those of x.
    unsafe {
        let (x, n) = (x.as_ptr().cast::<S>(), x.len() / c);
        let at = |i: usize, j: usize| x.add(i * c + j).read();
        match square {
            false => columns::<S, C, 1>(n, from, c, |i, j| [at(i, j)], total),
            true => {
                let mean = mean.as_ptr().cast::<S>();
                let away = |i: usize, j: usize| at(i, j) - mean.add(j - from).read();
                columns::<S, C, 1>(n, from, c, |i, j| [away(i, j) * away(i, j)], total);
            }
        }
    }
}

/// [`channel_stats`](super::channel_stats) where channels are innermost.
pub(super) fn column_stats(x: &Array) -> [Array; 2] {
    let [n, c] = [0, 1].map(|d| x.shape()[d]);
    let [mut mean, mut var] = [0, 1].map(|_| Array::full([c], 0.0, x.dtype()));
    with_compute!(x.dtype(), C => {
        let src = x.as_slice::<C>();
        let [mean, var] = [&mut mean, &mut var].map(|a| Out(a.make_mut::<C>().as_mut_ptr()));
        threads::split(c.div_ceil(COLUMNS), 1, n * COLUMNS * 2, |start, len| {
            for block in start..start + len {
                let (from, wide) = (block * COLUMNS, COLUMNS.min(c - block * COLUMNS));
                // SAFETY: these columns are this thread's.
                unsafe {
                    let mut middle = [C::default(); COLUMNS];
                    for (square, to) in [(false, &mean), (true, &var)] {
                        let mut total = [[0.0; COLUMNS]];
                        column_powers::<C>(src, c, from, &middle, square, &mut total);
                        for (l, to) in to.slice(from, wide).iter_mut().enumerate() {
                            *to = C::from_f64(total[0][l] / n as f64);
                            if !square {
                                middle[l] = *to;
                            }
                        }
                    }
                }
            }
        });
    });
    [mean, var]
}

dispatch!(unsafe fn column_products<C: Lane>(
    x: &[C], dy: &[C], c: usize, from: usize, mean: &[C], scale: &[C], total: &mut [[f64; COLUMNS]; 2]
) => column_products_body);
dispatch!(unsafe fn column_dx<C: Lane>(
    x: &[C], dy: &[C], mean: &[C], scale: &[C], out: &[C], shift: &[C], slope: &[C], dx: &mut [C]
) => column_dx_body);

#[inline(always)]
unsafe fn column_products_body<S: Real, C: Lane>(
    x: &[C],
    dy: &[C],
    c: usize,
    from: usize,
    mean: &[C],
    scale: &[C],
    total: &mut [[f64; COLUMNS]; 2],
) {
    // SAFETY: S has the bits of C; rows and columns are those of x and dy.
    unsafe {
        let n = x.len() / c;
        let [x, dy, mean, scale] = [x, dy, mean, scale].map(|a| a.as_ptr().cast::<S>());
        let terms = |i: usize, j: usize| {
            let (x, dy) = (x.add(i * c + j).read(), dy.add(i * c + j).read());
            [dy, dy * ((x - mean.add(j).read()) * scale.add(j).read())]
        };
        columns::<S, C, 2>(n, from, c, terms, total);
    }
}

#[inline(always)]
unsafe fn column_dx_body<S: Real, C: Lane>(
    x: &[C],
    dy: &[C],
    mean: &[C],
    scale: &[C],
    out: &[C],
    shift: &[C],
    slope: &[C],
    dx: &mut [C],
) {
    // SAFETY: S has the bits of C.
    unsafe {
        let dx = seen_mut::<S, C>(dx);
        let n = dx.len();
        let [x, dy, mean, scale, out, shift, slope] =
            [x, dy, mean, scale, out, shift, slope].map(|a| &seen::<S, C>(a)[..n]);
        for j in 0..n {
            dx[j] = out[j] * (dy[j] - shift[j] - (x[j] - mean[j]) * scale[j] * slope[j]);
        }
    }
}

/// [`channel_norm_backward`](super::channel_norm_backward) where channels are innermost.
pub(super) fn column_backward(
    x: &Array,
    dy: &Array,
    weight: Option<&Array>,
    mean: &Array,
    scale: &Array,
) -> [Array; 3] {
    let [n, c] = [0, 1].map(|d| x.shape()[d]);
    let (compute, mut dx) = (x.dtype(), Array::uninit(x.shape(), x.dtype()));
    let [mut dw, mut db, mut out, mut shift, mut slope] = [0; 5].map(|_| Array::full([c], 0.0, compute));
    with_compute!(compute, C => {
        let (src, dys) = (x.as_slice::<C>(), dy.as_slice::<C>());
        let [mean, scale] = [mean, scale].map(|a| a.as_slice::<C>());
        {
            let [dw, db] = [&mut dw, &mut db].map(|a| Out(a.make_mut::<C>().as_mut_ptr()));
            threads::split(c.div_ceil(COLUMNS), 1, n * COLUMNS * 3, |start, len| {
                for block in start..start + len {
                    let (from, wide) = (block * COLUMNS, COLUMNS.min(c - block * COLUMNS));
                    let mut total = [[0.0; COLUMNS]; 2];
                    // SAFETY: these columns are this thread's.
                    unsafe {
                        column_products::<C>(src, dys, c, from, mean, scale, &mut total);
                        for (to, totals) in [(&db, total[0]), (&dw, total[1])] {
                            let to = to.slice(from, wide).iter_mut();
                            to.zip(totals).for_each(|(to, total)| *to = C::from_f64(total));
                        }
                    }
                }
            });
        }
        let (sums, products) = (db.as_slice::<C>(), dw.as_slice::<C>());
        let w = weight.map(|w| w.as_slice::<C>());
        for j in 0..c {
            let w = w.map_or(1.0, |w| w[j].to_f64());
            out.make_mut::<C>()[j] = C::from_f64(w * scale[j].to_f64());
            shift.make_mut::<C>()[j] = C::from_f64(sums[j].to_f64() / n as f64);
            slope.make_mut::<C>()[j] = C::from_f64(products[j].to_f64() / n as f64);
        }
        let [out, shift, slope] = [&out, &shift, &slope].map(|a| a.as_slice::<C>());
        let to = Out(dx.uninit_slice::<C>());
        threads::split(n, 1, c * 2, |start, len| {
            for i in start..start + len {
                // SAFETY: each row belongs to one thread.
                unsafe {
                    let (x, dy) = (&src[i * c..][..c], &dys[i * c..][..c]);
                    column_dx::<C>(x, dy, mean, scale, out, shift, slope, to.slice(i * c, c));
                }
            }
        });
    });
    [dx, dw, db]
}
