//! What is computed a row at a time: softmax and its kin.

pub(super) mod columns;

use super::isa::{Lane, dispatch};
use super::shared::Out;
use super::threads;
use super::vector::{Ahead, Float, Largest, Numbers, Products, Step, Vector, fold, goes_past, totals, walk};
use super::walk::{end_of_stream, prefetch};
use crate::array::Array;
use crate::dtype::{Compute, DType};
use crate::real::Real;

/// The array with `axis` innermost, contiguous, in the computing dtype.
fn rows(x: &Array, axis: usize) -> Array {
    x.transpose(axis, x.rank() - 1)
        .cast(x.dtype().compute())
        .contiguous()
}

/// The reverse of [`rows`].
fn unrows(y: Array, axis: usize, dtype: DType) -> Array {
    y.transpose(axis, y.rank() - 1).contiguous().cast(dtype)
}

/// Softmax along `axis`, or its logarithm.
pub fn softmax(x: &Array, axis: usize, log: bool) -> Array {
    let wide = x.cast(x.dtype().compute());
    if columns::suits(&wide, axis) {
        return columns::softmax(&wide, axis, log).cast(x.dtype());
    }
    let r = rows(&wide, axis);
    let c = r.shape()[r.rank() - 1];
    let mut y = Array::uninit(r.shape(), r.dtype());
    with_float!(r.dtype(), C => {
        let past = !log && goes_past::<C>(&y, c) && c * size_of::<C>() <= NEAR;
        let (src, out) = (r.as_slice::<C>(), Out(y.uninit_slice::<C>()));
        threads::split(r.numel().checked_div(c).unwrap_or(0), 1, 4 * c, |start, len| {
            let mut space = vec![C::default(); if past { c } else { 0 }];
            for row in start..start + len {
                let x = &src[row * c..][..c];
                // SAFETY: each row belongs to one thread, and lies within both arrays.
                unsafe {
                    let e = if past { &mut space[..] } else { out.slice(row * c, c) };
                    let top = largest(x);
                    exponentials::<C>(x, top, e);
                    match log {
                        true => less::<C>(x, top, C::from_f64(sum(e).ln()), e),
                        false => shares::<C>(e.as_ptr(), out.at(row * c), c, x.as_ptr(), past),
                    }
                }
            }
            end_of_stream();
        });
    });
    unrows(y, axis, x.dtype())
}

/// The gradient of softmax from its result, y (dy − Σ dy y), or of its logarithm, dy − e^y Σ dy.
pub fn softmax_backward(y: &Array, dy: &Array, axis: usize, log: bool) -> Array {
    let [wide, dwide] = [y, dy].map(|a| a.cast(a.dtype().compute()));
    if columns::suits(&wide, axis) {
        return columns::softmax_backward(&wide, &dwide.contiguous(), axis, log).cast(y.dtype());
    }
    let (y_rows, dy_rows) = (rows(&wide, axis), rows(&dwide, axis));
    let c = y_rows.shape()[y_rows.rank() - 1];
    let mut dx = Array::uninit(y_rows.shape(), y_rows.dtype());
    with_float!(y_rows.dtype(), C => {
        let past = !log && goes_past::<C>(&dx, c);
        let (y, dy, out) = (y_rows.as_slice::<C>(), dy_rows.as_slice::<C>(), Out(dx.uninit_slice::<C>()));
        threads::split(y.len().checked_div(c).unwrap_or(0), 1, 4 * c, |start, len| {
            for row in start..start + len {
                let (y, dy) = (&y[row * c..][..c], &dy[row * c..][..c]);
                // SAFETY: each row belongs to one thread, and lies within the arrays.
                unsafe {
                    match log {
                        true => log_softmax_backward_row::<C>(y, dy, C::from_f64(sum(dy)), out.slice(row * c, c)),
                        false => softmax_backward_row::<C>(y.as_ptr(), dy.as_ptr(), out.at(row * c), c, past),
                    }
                }
            }
            end_of_stream();
        });
    });
    unrows(dx, axis, y.dtype())
}

/// Rows of up to so many bytes stay in the first-level cache.
const NEAR: usize = 16 << 10;

dispatch!(vectors unsafe fn shares<C: Float>(e: *const C, y: *mut C, c: usize, x: *const C, past: bool) => shares_body);

/// c numbers divided by their sum. Meanwhile x, from which they come, is asked for two rows further on.
///
/// # Safety
/// Both have the numbers, and with `past` y begins where a cache line does; they may be the same.
#[inline(always)]
unsafe fn shares_body<V: Vector<C = C>, C: Float>(e: *const C, y: *mut C, c: usize, x: *const C, past: bool) {
    struct Scale<C> {
        e: *const C,
        y: *mut C,
        next: *const C,
        by: C,
    }
    impl<C: Float> Step<C> for Scale<C> {
        #[inline(always)]
        unsafe fn at<V: Vector<C = C>>(&self, i: usize, past: bool) {
            prefetch(self.next.wrapping_add(i), 1);
            // SAFETY: the caller's promise.
            unsafe {
                V::load(self.e.add(i))
                    .mul(V::splat(self.by))
                    .store(self.y.add(i), past)
            };
        }
    }
    // SAFETY: the caller's promise.
    unsafe {
        let [[total]] = totals::<V, 1, 1>(c, &Numbers([e]));
        let (next, by) = (x.wrapping_add(2 * c), C::from_f64(1.0 / total));
        walk::<V>(c, past, &Scale { e, y, next, by });
    }
}

dispatch!(vectors unsafe fn softmax_backward_row<C: Float>(
    y: *const C, dy: *const C, dx: *mut C, c: usize, past: bool
) => softmax_backward_row_body);

/// dx = y (dy − Σ dy y)
///
/// # Safety
/// The rows have c elements, and with `past` dx begins where a cache line does.
#[inline(always)]
unsafe fn softmax_backward_row_body<V: Vector<C = C>, C: Float>(
    y: *const C,
    dy: *const C,
    dx: *mut C,
    c: usize,
    past: bool,
) {
    struct Slope<C> {
        rows: [*const C; 2],
        dx: *mut C,
        total: C,
        ahead: usize,
    }
    impl<C: Float> Step<C> for Slope<C> {
        #[inline(always)]
        unsafe fn at<V: Vector<C = C>>(&self, i: usize, past: bool) {
            // SAFETY: the caller's promise.
            unsafe {
                let [y, dy] = self.rows.map(|row| {
                    prefetch(row.wrapping_add(i + self.ahead), 1);
                    V::load(row.add(i))
                });
                y.mul(dy.sub(V::splat(self.total))).store(self.dx.add(i), past);
            }
        }
    }
    // SAFETY: the caller's promise.
    unsafe {
        let rows = [y, dy];
        let [[total]] = totals::<V, 1, 1>(c, &Products(rows));
        let (total, ahead) = (C::from_f64(total), 2 * c);
        let step = Slope {
            rows,
            dx,
            total,
            ahead,
        };
        walk::<V>(c, past, &step);
    }
}

/// For each row of `logits` (`[n, c]`) the cross-entropy with its class in `target` (`[n]`, I64),
/// `ln Σ e^x − x[target]`, and the `ln Σ e^x`. Rows whose target is `ignore` give 0.
///
/// # Panics
/// If another target is not in 0..c.
pub fn cross_entropy(logits: &Array, target: &Array, ignore: i64) -> [Array; 2] {
    let (r, target) = (rows(logits, 1), target.contiguous());
    let (n, c) = (r.shape()[0], r.shape()[1]);
    let target = target.as_slice::<i64>();
    let (mut loss, mut lse) = (Array::full([n], 0.0, r.dtype()), Array::full([n], 0.0, r.dtype()));
    with_float!(r.dtype(), C => {
        let src = r.as_slice::<C>();
        let (loss, lse) = (Out(loss.make_mut::<C>().as_mut_ptr()), Out(lse.make_mut::<C>().as_mut_ptr()));
        threads::split(n, 1, 4 * c.max(1), |start, len| {
            for row in start..start + len {
                let x = &src[row * c..][..c];
                let total = log_sum_exp(x);
                // SAFETY: elements `row` belong to this thread.
                unsafe {
                    lse.slice(row, 1)[0] = total;
                    if target[row] != ignore {
                        loss.slice(row, 1)[0] = total - x[target[row] as usize];
                    }
                }
            }
        });
    });
    [loss.cast(logits.dtype()), lse]
}

/// The gradient of [`cross_entropy`] for the upstream gradient `dy` `[n]`: dy (softmax(x) − onehot(target)); zero in
/// rows whose target is `ignore`.
pub fn cross_entropy_backward(logits: &Array, lse: &Array, target: &Array, dy: &Array, ignore: i64) -> Array {
    let (r, target) = (rows(logits, 1), target.contiguous());
    let (n, c) = (r.shape()[0], r.shape()[1]);
    let target = target.as_slice::<i64>();
    let dy = dy.cast(r.dtype()).contiguous();
    let mut dx = Array::full(r.shape(), 0.0, r.dtype());
    with_float!(r.dtype(), C => {
        let (src, lse, dy) = (r.as_slice::<C>(), lse.as_slice::<C>(), dy.as_slice::<C>());
        let out = Out(dx.make_mut::<C>().as_mut_ptr());
        threads::split(n, 1, 4 * c.max(1), |start, len| {
            for row in (start..start + len).filter(|row| target[*row] != ignore) {
                // SAFETY: row `row` belongs to this thread.
                unsafe {
                    let dx = out.slice(row * c, c);
                    scaled_softmax::<C>(&src[row * c..][..c], lse[row], dy[row], dx);
                    dx[target[row] as usize] -= dy[row];
                }
            }
        });
    });
    dx.cast(logits.dtype())
}

/// The largest number of a row; NaN if one is.
pub(super) fn largest<C: Float>(x: &[C]) -> C {
    dispatch!(vectors unsafe fn find<C: Float>(x: &[C], found: &mut C) => body);

    #[inline(always)]
    unsafe fn body<V: Vector<C = C>, C: Float>(x: &[C], found: &mut C) {
        // SAFETY: the row has these elements.
        *found = C::from_f64(unsafe { fold::<V, Largest, 1, 1>(x.len(), &Ahead(x.as_ptr())) }[0][0]);
    }

    let mut found = C::default();
    // SAFETY: unsafe only because it is compiled for instructions, which the dispatch finds.
    unsafe { find::<C>(x, &mut found) };
    found
}

/// The sum of a row.
pub(super) fn sum<C: Float>(x: &[C]) -> f64 {
    dispatch!(vectors unsafe fn add<C: Float>(x: &[C], total: &mut f64) => body);

    #[inline(always)]
    unsafe fn body<V: Vector<C = C>, C: Float>(x: &[C], total: &mut f64) {
        // SAFETY: the row has these elements.
        *total = unsafe { totals::<V, 1, 1>(x.len(), &Numbers([x.as_ptr()])) }[0][0];
    }

    let mut total = 0.0;
    // SAFETY: as in `largest`.
    unsafe { add::<C>(x, &mut total) };
    total
}

/// Turns a row's numbers into e^(x − shift).
pub(super) fn powers<C: Float>(row: &mut [C], shift: C) {
    // SAFETY: unsafe only because it is compiled for instructions, which the dispatch finds.
    unsafe { become_powers::<C>(row, shift) };
}

/// ln Σ e^x
fn log_sum_exp<C: Float>(x: &[C]) -> C {
    let (top, mut room, mut total) = (largest(x), [C::default(); 1024], 0.0);
    for part in x.chunks(room.len()) {
        // SAFETY: the room has as many elements as the part.
        unsafe { exponentials::<C>(part, top, &mut room) };
        total += sum(&room[..part.len()]);
    }
    C::from_f64(top.to_f64() + total.ln())
}

dispatch!(unsafe fn exponentials<C: Lane>(x: &[C], top: C, out: &mut [C]) => exponentials_body);
dispatch!(unsafe fn become_powers<C: Lane>(row: &mut [C], shift: C) => become_powers_body);
dispatch!(unsafe fn log_softmax_backward_row<C: Lane>(y: &[C], dy: &[C], total: C, out: &mut [C]) => log_softmax_backward_row_body);
dispatch!(unsafe fn scaled_softmax<C: Lane>(x: &[C], lse: C, scale: C, out: &mut [C]) => scaled_softmax_body);
dispatch!(vectors unsafe fn less<C: Float>(x: &[C], top: C, total: C, out: &mut [C]) => less_body);

/// out = x − top − total
///
/// # Safety
/// The rows have one length.
#[inline(always)]
unsafe fn less_body<V: Vector<C = C>, C: Float>(x: &[C], top: C, total: C, out: &mut [C]) {
    struct Less<C> {
        x: *const C,
        top: C,
        total: C,
        out: *mut C,
    }
    impl<C: Float> Step<C> for Less<C> {
        #[inline(always)]
        unsafe fn at<V: Vector<C = C>>(&self, i: usize, past: bool) {
            // SAFETY: the caller's promise.
            unsafe {
                let less = V::load(self.x.add(i)).sub(V::splat(self.top));
                less.sub(V::splat(self.total)).store(self.out.add(i), past);
            }
        }
    }
    let (n, x, out) = (x.len(), x.as_ptr(), out.as_mut_ptr());
    // SAFETY: the caller's promise.
    unsafe { walk::<V>(n, false, &Less { x, top, total, out }) };
}

/// e to each number less `top`. A row of nothing but −∞ gives NaN, as in PyTorch.
///
/// # Safety
/// `S` has the bits of `C`.
#[inline(always)]
unsafe fn exponentials_body<S: Real, C: Lane>(x: &[C], top: C, out: &mut [C]) {
    // SAFETY: the caller's promise.
    let (x, out, top) = unsafe { (cast::<S, C>(x), cast_mut::<S, C>(out), cast::<S, C>(&[top])[0]) };
    for (y, x) in out.iter_mut().zip(x) {
        *y = (*x - top).exp();
    }
}

/// # Safety
/// `S` has the bits of `C`.
#[inline(always)]
unsafe fn become_powers_body<S: Real, C: Lane>(row: &mut [C], shift: C) {
    // SAFETY: the caller's promise.
    let (row, shift) = unsafe { (cast_mut::<S, C>(row), cast::<S, C>(&[shift])[0]) };
    for v in row {
        *v = (*v - shift).exp();
    }
}

/// # Safety
/// `S` has the bits of `C`.
#[inline(always)]
unsafe fn log_softmax_backward_row_body<S: Real, C: Lane>(y: &[C], dy: &[C], total: C, out: &mut [C]) {
    // SAFETY: the caller's promise.
    let (y, dy, out) = unsafe { (cast::<S, C>(y), cast::<S, C>(dy), cast_mut::<S, C>(out)) };
    // SAFETY: likewise.
    let total = unsafe { cast::<S, C>(&[total])[0] };
    for i in 0..y.len().min(dy.len()).min(out.len()) {
        out[i] = dy[i] - y[i].exp() * total;
    }
}

/// # Safety
/// `S` has the bits of `C`.
#[inline(always)]
unsafe fn scaled_softmax_body<S: Real, C: Lane>(x: &[C], lse: C, scale: C, out: &mut [C]) {
    // SAFETY: the caller's promise.
    let (x, out) = unsafe { (cast::<S, C>(x), cast_mut::<S, C>(out)) };
    // SAFETY: likewise.
    let (lse, scale) = unsafe { (cast::<S, C>(&[lse])[0], cast::<S, C>(&[scale])[0]) };
    for (y, x) in out.iter_mut().zip(x) {
        *y = (*x - lse).exp() * scale;
    }
}

/// # Safety
/// `S` has the bits of `C`.
#[inline(always)]
unsafe fn cast<S, C>(x: &[C]) -> &[S] {
    const { assert!(size_of::<S>() == size_of::<C>() && align_of::<S>() == align_of::<C>()) };
    // SAFETY: same size, alignment and, by the caller's promise, meaning of bits.
    unsafe { std::slice::from_raw_parts(x.as_ptr().cast(), x.len()) }
}

/// # Safety
/// `S` has the bits of `C`.
#[inline(always)]
unsafe fn cast_mut<S, C>(x: &mut [C]) -> &mut [S] {
    const { assert!(size_of::<S>() == size_of::<C>() && align_of::<S>() == align_of::<C>()) };
    // SAFETY: as in `cast`.
    unsafe { std::slice::from_raw_parts_mut(x.as_mut_ptr().cast(), x.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(x: &[f64]) -> Vec<f64> {
        let top = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = x.iter().map(|v| (v - top).exp()).sum();
        x.iter().map(|v| (v - top).exp() / sum).collect()
    }

    #[test]
    fn softmax_agrees_with_plain_loops_on_any_axis() {
        for shape in [
            &[1][..],
            &[5],
            &[3, 37],
            &[37, 3],
            &[2, 3, 4],
            &[0, 3],
            &[3, 0],
            &[2, 70, 83],
            &[1000, 64],
        ] {
            let n: usize = shape.iter().product();
            let data: Vec<f64> = (0..n).map(|i| ((i * 37 + 5) % 41) as f64 / 3.0 - 7.0).collect();
            for dtype in [DType::F32, DType::F64, DType::F16] {
                let x = Array::from_slice(&data, shape).cast(dtype);
                for axis in 0..shape.len() {
                    let (y, log) = (softmax(&x, axis, false), softmax(&x, axis, true));
                    let last = x.transpose(axis, shape.len() - 1);
                    let [y, log] = [y, log].map(|a| a.transpose(axis, shape.len() - 1).to_vec::<f64>());
                    let tolerance = if dtype == DType::F16 { 4e-3 } else { 1e-6 };
                    let rows = last.to_vec::<f64>();
                    for (k, row) in rows.chunks(shape[axis].max(1)).enumerate() {
                        for (i, want) in naive(row).iter().enumerate() {
                            let at = k * shape[axis] + i;
                            assert!((y[at] - want).abs() <= tolerance);
                            assert!(
                                (log[at] - want.ln()).abs() <= tolerance * 10.0 * (1.0 + want.ln().abs())
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn rows_past_the_caches_are_the_same_bits() {
        let data: Vec<f32> = (0..4096).map(|i| (i as f32 * 0.37).sin() * 3.0).collect();
        let x = Array::from_slice(&data, [1, 4096]);
        let x = x
            .broadcast_to(&[2050, 4096].into())
            .contiguous()
            .reshape([8200, 1024]);
        let few = |a: &Array| a.slice(0, 0, 7, 1).contiguous();
        let (y, some) = (softmax(&x, 1, false), softmax(&few(&x), 1, false));
        assert_eq!(few(&y).to_vec::<f32>(), some.to_vec::<f32>());
        let (dx, some) = (
            softmax_backward(&y, &x, 1, false),
            softmax_backward(&some, &few(&x), 1, false),
        );
        assert_eq!(few(&dx).to_vec::<f32>(), some.to_vec::<f32>());
        // dx = y (dy - sum of dy y)
        let [y, dy, dx] = [&y, &x, &dx].map(|a| few(a).to_vec::<f64>());
        for row in 0..7 {
            let row = row * 1024..(row + 1) * 1024;
            let total: f64 = row.clone().map(|i| y[i] * dy[i]).sum();
            assert!(
                row.into_iter()
                    .all(|i| (dx[i] - y[i] * (dy[i] - total)).abs() < 1e-8)
            );
        }
    }

    #[test]
    fn columns_are_as_rows_with_any_number_of_threads() {
        for shape in [
            [1, 1, 16],
            [2, 3, 17],
            [1, 130, 600],
            [3, 400, 300],
            [2, 5000, 40],
        ] {
            let n: usize = shape.iter().product();
            let data: Vec<f64> = (0..n).map(|i| (i as f64 * 0.37).sin() * 3.0).collect();
            let up = Array::from_slice(&data.iter().rev().copied().collect::<Vec<_>>(), shape);
            let x = Array::from_slice(&data, shape);
            for (dtype, log) in [DType::F32, DType::F64, DType::BF16]
                .into_iter()
                .flat_map(|t| [false, true].map(|log| (t, log)))
            {
                let (x, up) = (x.cast(dtype), up.cast(dtype));
                let turned = |a: &Array| a.transpose(1, 2).contiguous();
                let y = softmax(&turned(&x), 2, log);
                let want = [&y, &softmax_backward(&y, &turned(&up), 2, log)]
                    .map(|a| a.transpose(1, 2).to_vec::<f64>());
                let all = threads::with_each(&[1, 2, 8], || {
                    let y = softmax(&x, 1, log);
                    let dx = softmax_backward(&y, &up, 1, log);
                    assert_eq!((dx.shape(), dx.dtype()), (x.shape(), dtype));
                    [y, dx].map(|a| a.to_vec::<f64>())
                });
                let tolerance = [1e-5, 1e-12, 2e-2][[DType::F32, DType::F64, DType::BF16]
                    .iter()
                    .position(|t| *t == dtype)
                    .unwrap()];
                for ((want, got), k) in want.iter().zip(&all[0]).zip(0..) {
                    assert!(all.iter().all(|each| each[k] == *got));
                    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= tolerance * (1.0 + b.abs());
                    assert!(got.iter().zip(want).all(close), "{shape:?} {dtype} {log} {k}");
                }
            }
        }
    }

    #[test]
    fn infinities_are_pytorchs() {
        let inf = f32::INFINITY;
        let row = |x: &[f32]| {
            let x = Array::from_slice(x, [x.len(), 1]);
            let columns = x.broadcast_to(&[x.numel(), 80].into()).contiguous();
            let y = softmax(&columns, 0, false).slice(1, 79, 1, 1).to_vec::<f32>();
            let same = |(a, b): (&f32, &f32)| a == b || (a.is_nan() && b.is_nan());
            assert!(softmax(&x, 0, false).to_vec::<f32>().iter().zip(&y).all(same));
            y
        };
        assert!(row(&[-inf, -inf]).iter().all(|v| v.is_nan()));
        assert!(row(&[inf, 0.0])[0].is_nan());
        assert_eq!(row(&[-inf, 0.0, 0.0]), [0.0, 0.5, 0.5]);
        assert_eq!(row(&[1000.0, 1000.0]), [0.5, 0.5]);
    }

    #[test]
    fn cross_entropy_and_its_gradient() {
        let x = Array::from_slice(&[0.5f64, -1.0, 2.0, 3.0, -0.25, 1.5], [2, 3]);
        let target = Array::from_slice(&[2i64, -100], [2]);
        let [loss, lse] = cross_entropy(&x, &target, -100);
        let p = naive(&[0.5, -1.0, 2.0]);
        assert!((loss.to_vec::<f64>()[0] + p[2].ln()).abs() < 1e-12 && loss.to_vec::<f64>()[1] == 0.0);
        let dy = Array::from_slice(&[2.0f64, 3.0], [2]);
        let dx = cross_entropy_backward(&x, &lse, &target, &dy, -100).to_vec::<f64>();
        assert!((dx[0] - 2.0 * p[0]).abs() < 1e-12 && (dx[2] - 2.0 * (p[2] - 1.0)).abs() < 1e-12);
        assert_eq!(dx[3..], [0.0; 3]);
    }
}
