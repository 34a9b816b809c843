//! Normalizing to mean 0 and variance 1: rows (layer, group and instance norms), and channels (batch norm).
//!
//! Means and variances take two passes; sums are taken in blocks of a fixed size, and those added up in f64, so
//! they are exact to the last bits and the same for any number of threads.

mod columns;
mod layer;

use super::isa::{Lane, dispatch};
use super::lanes::fold;
use super::reduce::{Reduce, reduce};
use super::shared::Out;
use super::threads;
use super::walk::{self, RowSink};
use crate::array::Array;
use crate::dtype::Compute;
use crate::real::Real;
use crate::with_compute;
use columns::{column_backward, column_stats};

/// How an array is seen as rows to be normalized, and which weight belongs to which element: element j of row r has
/// number `(r mod groups) · (n / inner) + j / inner`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rows {
    /// The length of a row.
    pub n: usize,
    /// After how many rows weights repeat.
    pub groups: usize,
    /// How many neighbours share a weight.
    pub inner: usize,
    /// Whether the mean is subtracted; without it only the size is normalized (RMS norm).
    pub center: bool,
    /// What is added to the variance.
    pub eps: f64,
}

const BLOCK: usize = 2048;
/// Runs of channels that are shorter are put together before.
const SHORT: usize = 32;

/// Rows whose weight gradients are added up in one go, at least, and how many such groups there are at most.
const TOGETHER: usize = 16;
const PARTS: usize = 64;

/// # Safety
/// `S` has the bits of `C`.
#[inline(always)]
unsafe fn seen<S, C>(x: &[C]) -> &[S] {
    const { assert!(size_of::<S>() == size_of::<C>() && align_of::<S>() == align_of::<C>()) };
    // SAFETY: same size, alignment and, by the caller's promise, meaning of bits.
    unsafe { std::slice::from_raw_parts(x.as_ptr().cast(), x.len()) }
}

/// # Safety
/// `S` has the bits of `C`.
#[inline(always)]
unsafe fn seen_mut<S, C>(x: &mut [C]) -> &mut [S] {
    const { assert!(size_of::<S>() == size_of::<C>() && align_of::<S>() == align_of::<C>()) };
    // SAFETY: as in `seen`.
    unsafe { std::slice::from_raw_parts_mut(x.as_mut_ptr().cast(), x.len()) }
}

/// Σ of `terms` over the elements of `from`, which have one length; K sums at a time.
///
/// # Safety
/// `S` has the bits of `C`.
#[inline(always)]
unsafe fn sums<S: Real, C: Compute, const J: usize, const K: usize>(
    from: [&[S]; J],
    terms: impl Fn([S; J]) -> [S; K],
) -> [f64; K] {
    let n = from.iter().map(|x| x.len()).min().unwrap_or(0);
    let mut total = [0.0; K];
    for start in (0..n).step_by(BLOCK) {
        let end = n.min(start + BLOCK);
        let sums = fold(S::ZERO, from.map(|x| &x[start..end]), &terms, |a, b| a + b);
        // SAFETY: S has the bits of C, by the caller's promise.
        for (total, sum) in total.iter_mut().zip(unsafe { seen::<C, S>(&sums) }) {
            *total += sum.to_f64();
        }
    }
    total
}

/// Rows normalized, times the weight and plus the bias where there are any: y, the means, and 1/√(variance + ε).
pub fn norm_rows(x: &Array, rows: &Rows, weight: Option<&Array>, bias: Option<&Array>) -> [Array; 3] {
    let (dtype, compute) = (x.dtype(), x.dtype().compute());
    let x = x.cast(compute).contiguous();
    let [weight, bias] = [weight, bias].map(|a| a.map(|a| a.cast(compute).contiguous()));
    let count = x.numel().checked_div(rows.n).unwrap_or(0);
    if rows.inner == 1 {
        let [y, mean, scale] = layer::norm(&x, rows, weight, bias);
        return [y.cast(dtype), mean, scale];
    }
    let mut y = Array::uninit(x.shape(), compute);
    let [mut mean, mut scale] = [0, 1].map(|_| Array::full([count], 0.0, compute));
    with_compute!(compute, C => {
        let src = x.as_slice::<C>();
        let [w, b] = [&weight, &bias].map(|a| a.as_ref().map_or(&[][..], |a| a.as_slice::<C>()));
        let out = Out(y.uninit_slice::<C>());
        let [mean, scale] = [&mut mean, &mut scale].map(|a| Out(a.make_mut::<C>().as_mut_ptr()));
        threads::split(count, 1, rows.n * 3, |start, len| {
            let mut sink = RowSink::new(rows.n, count * rows.n);
            for r in start..start + len {
                let x = &src[r * rows.n..][..rows.n];
                let next = x.as_ptr().wrapping_add(rows.n);
                if !sink.streams() {
                    walk::prefetch(next, rows.n);
                }
                // What is asked for while a row goes out comes too late for the next row.
                let next = next.wrapping_add(rows.n);
                // SAFETY: each row belongs to one thread.
                unsafe {
                    let (mean, scale) = (&mut mean.slice(r, 1)[0], &mut scale.slice(r, 1)[0]);
                    sink.write(&out, r, rows.n, [next], |y| forward::<C>(rows, r, x, w, b, y, mean, scale));
                }
            }
        });
    });
    [y.cast(dtype), mean, scale]
}

dispatch!(unsafe fn forward<C: Lane>(
    rows: &Rows, r: usize, x: &[C], w: &[C], b: &[C], y: &mut [C], mean: &mut C, scale: &mut C
) => forward_body);

/// # Safety
/// `S` has the bits of `C`.
#[inline(always)]
unsafe fn forward_body<S: Real, C: Lane>(
    rows: &Rows,
    r: usize,
    x: &[C],
    w: &[C],
    b: &[C],
    y: &mut [C],
    mean: &mut C,
    scale: &mut C,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let (x, w, b, y) = (
            seen::<S, C>(x),
            seen::<S, C>(w),
            seen::<S, C>(b),
            seen_mut::<S, C>(y),
        );
        let n = rows.n as f64;
        let middle = if rows.center {
            sums::<S, C, 1, 1>([x], |x| x)[0] / n
        } else {
            0.0
        };
        let m = S::lit(middle);
        let [square] = sums::<S, C, 1, 1>([x], |[x]| [(x - m) * (x - m)]);
        let by = 1.0 / (square / n + rows.eps).sqrt();
        (*mean, *scale) = (C::from_f64(middle), C::from_f64(by));
        let by = S::lit(by);
        if w.is_empty() && b.is_empty() {
            for (y, x) in y.iter_mut().zip(x) {
                *y = (*x - m) * by;
            }
        } else {
            let at = r % rows.groups * (rows.n / rows.inner);
            for (c, (y, x)) in y
                .chunks_exact_mut(rows.inner)
                .zip(x.chunks_exact(rows.inner))
                .enumerate()
            {
                let by = if w.is_empty() { by } else { by * w[at + c] };
                let b = if b.is_empty() { S::ZERO } else { b[at + c] };
                for (y, x) in y.iter_mut().zip(x) {
                    *y = (*x - m).mul_add(by, b);
                }
            }
        }
    }
}

/// The gradients of [`norm_rows`] for x, and for the weight and the bias as flat arrays.
pub fn norm_rows_backward(
    x: &Array,
    dy: &Array,
    rows: &Rows,
    weight: Option<&Array>,
    mean: &Array,
    scale: &Array,
) -> [Array; 3] {
    let (dtype, compute) = (x.dtype(), x.dtype().compute());
    let [x, dy] = [x, dy].map(|a| a.cast(compute).contiguous());
    let weight = weight.map(|a| a.cast(compute).contiguous());
    let count = x.numel().checked_div(rows.n).unwrap_or(0);
    let layer = rows.groups == 1 && rows.inner == 1;
    // Sums for the weights: of several rows each, or where few elements share a weight, of each row by itself.
    let together = if layer {
        TOGETHER.max(count.div_ceil(PARTS))
    } else {
        1
    };
    let (parts, per) = (count.div_ceil(together), rows.n / rows.inner.max(1));
    let [mut dw, mut db] = [0, 1].map(|_| Array::full([parts, per], 0.0, compute));
    let mut dx = Array::uninit(x.shape(), compute);
    if rows.inner == 1 {
        layer::norm_backward(
            &x,
            &dy,
            rows,
            weight,
            [mean, scale],
            together,
            [&mut dx, &mut dw, &mut db],
        );
    } else {
        with_compute!(compute, C => {
            let (src, dy) = (x.as_slice::<C>(), dy.as_slice::<C>());
            let w = weight.as_ref().map_or(&[][..], |a| a.as_slice::<C>());
            let (mean, scale) = (mean.as_slice::<C>(), scale.as_slice::<C>());
            let out = Out(dx.uninit_slice::<C>());
            let [dw, db] = [&mut dw, &mut db].map(|a| Out(a.make_mut::<C>().as_mut_ptr()));
            threads::split(parts, 1, rows.n * together * 4, |start, len| {
                for part in start..start + len {
                    for r in part * together..count.min((part + 1) * together) {
                        // SAFETY: each part's rows and sums belong to one thread.
                        unsafe {
                            let (dx, at) = (out.slice(r * rows.n, rows.n), r * rows.n);
                            let (dw, db) = (dw.slice(part * per, per), db.slice(part * per, per));
                            backward::<C>(rows, r, &src[at..][..rows.n], &dy[at..][..rows.n], w, mean[r], scale[r], dx, dw, db);
                        }
                    }
                }
            });
        });
    }
    let summed = |a: Array| {
        let outer = if layer { parts } else { parts / rows.groups.max(1) };
        let a = a.reshape([outer, per * if layer { 1 } else { rows.groups }]);
        let flat = a.shape()[1];
        reduce(&a, &[0], Reduce::Sum, compute).reshape([flat]).cast(dtype)
    };
    [dx.cast(dtype), summed(dw), summed(db)]
}

dispatch!(unsafe fn backward<C: Lane>(
    rows: &Rows, r: usize, x: &[C], dy: &[C], w: &[C], mean: C, scale: C, dx: &mut [C], dw: &mut [C], db: &mut [C]
) => backward_body);

/// # Safety
/// `S` has the bits of `C`.
#[inline(always)]
unsafe fn backward_body<S: Real, C: Lane>(
    rows: &Rows,
    r: usize,
    x: &[C],
    dy: &[C],
    w: &[C],
    mean: C,
    scale: C,
    dx: &mut [C],
    dw: &mut [C],
    db: &mut [C],
) {
    // SAFETY: the caller's promise.
    unsafe {
        let (x, dy, w) = (seen::<S, C>(x), seen::<S, C>(dy), seen::<S, C>(w));
        let (dx, dw, db) = (seen_mut::<S, C>(dx), seen_mut::<S, C>(dw), seen_mut::<S, C>(db));
        let (m, by) = (S::lit(mean.to_f64()), S::lit(scale.to_f64()));
        let n = rows.n as f64;
        let at = r % rows.groups * (rows.n / rows.inner);
        let w = if w.is_empty() {
            w
        } else {
            &w[at..][..rows.n / rows.inner]
        };
        let mut total = [0.0; 2];
        for (c, (x, dy)) in x
            .chunks_exact(rows.inner)
            .zip(dy.chunks_exact(rows.inner))
            .enumerate()
        {
            let [plain, hat] = sums::<S, C, 2, 2>([x, dy], |[x, dy]| [dy, dy * ((x - m) * by)]);
            let weight = if w.is_empty() {
                1.0
            } else {
                seen::<C, S>(&w[c..c + 1])[0].to_f64()
            };
            total[0] += weight * plain;
            total[1] += weight * hat;
            dw[c] = S::lit(hat);
            db[c] = S::lit(plain);
        }
        let shift = S::lit(if rows.center { total[0] / n } else { 0.0 });
        let slope = S::lit(total[1] / n);
        for (c, (dx, (x, dy))) in dx
            .chunks_exact_mut(rows.inner)
            .zip(x.chunks_exact(rows.inner).zip(dy.chunks_exact(rows.inner)))
            .enumerate()
        {
            let weight = if w.is_empty() { S::ONE } else { w[c] };
            for i in 0..dx.len().min(x.len()).min(dy.len()) {
                dx[i] = by * (dy[i] * weight - shift - (x[i] - m) * by * slope);
            }
        }
    }
}

/// x [N, C, S] with each channel in one run, if its runs are too short to be worth a loop each.
fn by_channel(x: &Array) -> (Array, [usize; 3]) {
    let [n, c, s] = [0, 1, 2].map(|d| x.shape()[d]);
    match s < SHORT && n > 1 {
        true => (x.permute(&[1, 0, 2]).contiguous(), [1, c, n * s]),
        false => (x.contiguous(), [n, c, s]),
    }
}

fn unchanneled(y: Array, shape: &[usize], moved: bool) -> Array {
    match moved {
        true => y
            .reshape([shape[1], shape[0], shape[2]])
            .permute(&[1, 0, 2])
            .contiguous(),
        false => y.reshape(shape),
    }
}

/// The mean and the (biased) variance of each channel of x [N, C, S], in the computing type.
pub fn channel_stats(x: &Array) -> [Array; 2] {
    let compute = x.dtype().compute();
    if x.shape()[2] == 1 {
        return column_stats(&x.cast(compute).contiguous());
    }
    let (x, [n, c, s]) = by_channel(&x.cast(compute));
    let [mut mean, mut var] = [0, 1].map(|_| Array::full([c], 0.0, compute));
    with_compute!(compute, C => {
        let src = x.as_slice::<C>();
        let [mean, var] = [&mut mean, &mut var].map(|a| Out(a.make_mut::<C>().as_mut_ptr()));
        threads::split(c, 1, n * s * 2, |start, len| {
            for channel in start..start + len {
                let count = (n * s) as f64;
                let run = |i: usize| &src[(i * c + channel) * s..][..s];
                // SAFETY: a number of this thread's.
                unsafe {
                    let mut total = 0.0;
                    (0..n).for_each(|i| power_sum::<C>(run(i), C::default(), false, &mut total));
                    let middle = C::from_f64(total / count);
                    let mut square = 0.0;
                    (0..n).for_each(|i| power_sum::<C>(run(i), middle, true, &mut square));
                    mean.slice(channel, 1)[0] = middle;
                    var.slice(channel, 1)[0] = C::from_f64(square / count);
                }
            }
        });
    });
    [mean, var]
}

dispatch!(unsafe fn power_sum<C: Lane>(x: &[C], mean: C, square: bool, total: &mut f64) => power_sum_body);

#[inline(always)]
unsafe fn power_sum_body<S: Real, C: Lane>(x: &[C], mean: C, square: bool, total: &mut f64) {
    // SAFETY: S has the bits of C.
    unsafe {
        let (x, m) = (seen::<S, C>(x), S::lit(mean.to_f64()));
        let [sum] = match square {
            true => sums::<S, C, 1, 1>([x], |[x]| [(x - m) * (x - m)]),
            false => sums::<S, C, 1, 1>([x], |x| x),
        };
        *total += sum;
    }
}

/// y = (x − a) b + c for x [N, C, S] with a number a, b and c for each channel.
pub fn channel_affine(x: &Array, a: &Array, b: &Array, c: &Array) -> Array {
    let (dtype, compute) = (x.dtype(), x.dtype().compute());
    let x = x.cast(compute).contiguous();
    let [channels, s] = [1, 2].map(|d| x.shape()[d]);
    if s == 1 {
        // Channels are innermost: an elementwise affair.
        let shape = x.shape().clone();
        let [a, b, c] = [a, b, c].map(|v| Some(v.cast(compute).reshape([channels, 1])));
        let [y] = crate::kernels::map(&Affine, compute, [Some(x), a, b, c], [], &shape, [dtype]);
        return y;
    }
    let [a, b, c] = [a, b, c].map(|v| v.cast(compute).contiguous());
    let mut y = Array::uninit(x.shape(), compute);
    with_compute!(compute, C => {
        let (src, out) = (x.as_slice::<C>(), Out(y.uninit_slice::<C>()));
        let [a, b, c] = [&a, &b, &c].map(|v| v.as_slice::<C>());
        threads::split(x.numel().checked_div(s).unwrap_or(0), 1, s, |start, len| {
            for r in start..start + len {
                let k = r % channels;
                // SAFETY: each run belongs to one thread.
                unsafe { affine::<C>(&src[r * s..][..s], a[k], b[k], c[k], out.slice(r * s, s)) };
            }
        });
    });
    y.cast(dtype)
}

struct Affine;
impl crate::kernels::Body<4, 0, 1> for Affine {
    #[inline(always)]
    fn eval<S: Real>(&self, [x, a, b, c]: [S; 4], []: [S; 0]) -> [S; 1] {
        [(x - a).mul_add(b, c)]
    }
}

dispatch!(unsafe fn affine<C: Lane>(x: &[C], a: C, b: C, c: C, y: &mut [C]) => affine_body);

#[inline(always)]
unsafe fn affine_body<S: Real, C: Lane>(x: &[C], a: C, b: C, c: C, y: &mut [C]) {
    // SAFETY: S has the bits of C.
    unsafe {
        let (x, y) = (seen::<S, C>(x), seen_mut::<S, C>(y));
        let [a, b, c] = [a, b, c].map(|v| S::lit(v.to_f64()));
        for (y, x) in y.iter_mut().zip(x) {
            *y = (*x - a).mul_add(b, c);
        }
    }
}

/// The gradient of batch normalization of x [N, C, S] for x, and for its weight and bias: with x̂ = (x − mean) · scale,
/// dx = w scale (dy − mean dy − x̂ mean(dy x̂)), dw = Σ dy x̂, db = Σ dy.
pub fn channel_norm_backward(
    x: &Array,
    dy: &Array,
    weight: Option<&Array>,
    mean: &Array,
    scale: &Array,
) -> [Array; 3] {
    let (dtype, compute) = (x.dtype(), x.dtype().compute());
    let shape = x.shape().clone();
    let weight = weight.map(|w| w.cast(compute).contiguous());
    if shape[2] == 1 {
        let [x, dy] = [x, dy].map(|a| a.cast(compute).contiguous());
        return column_backward(&x, &dy, weight.as_ref(), mean, scale).map(|g| g.cast(dtype));
    }
    let (x, [n, c, s]) = by_channel(&x.cast(compute));
    let (dy, _) = by_channel(&dy.cast(compute));
    let mut dx = Array::uninit(x.shape(), compute);
    let [mut dw, mut db] = [0, 1].map(|_| Array::full([c], 0.0, compute));
    with_compute!(compute, C => {
        let (src, dy, out) = (x.as_slice::<C>(), dy.as_slice::<C>(), Out(dx.uninit_slice::<C>()));
        let [mean, scale] = [mean, scale].map(|a| a.as_slice::<C>());
        let w = weight.as_ref().map(|w| w.as_slice::<C>());
        let [dw, db] = [&mut dw, &mut db].map(|a| Out(a.make_mut::<C>().as_mut_ptr()));
        threads::split(c, 1, n * s * 4, |start, len| {
            for k in start..start + len {
                let mut total = [0.0; 2];
                let at = |i: usize| (i * c + k) * s;
                // SAFETY: the channel's elements are this thread's.
                unsafe {
                    for i in 0..n {
                        channel_sums::<C>(&src[at(i)..][..s], &dy[at(i)..][..s], mean[k], scale[k], &mut total);
                    }
                    db.slice(k, 1)[0] = C::from_f64(total[0]);
                    dw.slice(k, 1)[0] = C::from_f64(total[1]);
                    let w = w.map_or(1.0, |w| w[k].to_f64());
                    let means = total.map(|t| t / (n * s) as f64);
                    for i in 0..n {
                        let (x, dy) = (&src[at(i)..][..s], &dy[at(i)..][..s]);
                        channel_dx::<C>(x, dy, mean[k], scale[k], w, means, out.slice(at(i), s));
                    }
                }
            }
        });
    });
    let moved = n == 1 && shape[0] > 1;
    let dx = unchanneled(dx, &shape, moved);
    [dx.cast(dtype), dw.cast(dtype), db.cast(dtype)]
}

dispatch!(unsafe fn channel_sums<C: Lane>(x: &[C], dy: &[C], mean: C, scale: C, total: &mut [f64; 2]) => channel_sums_body);
dispatch!(unsafe fn channel_dx<C: Lane>(
    x: &[C], dy: &[C], mean: C, scale: C, w: f64, means: [f64; 2], dx: &mut [C]
) => channel_dx_body);

#[inline(always)]
unsafe fn channel_sums_body<S: Real, C: Lane>(x: &[C], dy: &[C], mean: C, scale: C, total: &mut [f64; 2]) {
    // SAFETY: S has the bits of C.
    unsafe {
        let (x, dy) = (seen::<S, C>(x), seen::<S, C>(dy));
        let (m, by) = (S::lit(mean.to_f64()), S::lit(scale.to_f64()));
        let here = sums::<S, C, 2, 2>([x, dy], |[x, dy]| [dy, dy * ((x - m) * by)]);
        total[0] += here[0];
        total[1] += here[1];
    }
}

#[inline(always)]
unsafe fn channel_dx_body<S: Real, C: Lane>(
    x: &[C],
    dy: &[C],
    mean: C,
    scale: C,
    w: f64,
    means: [f64; 2],
    dx: &mut [C],
) {
    // SAFETY: S has the bits of C.
    unsafe {
        let (x, dy, dx) = (seen::<S, C>(x), seen::<S, C>(dy), seen_mut::<S, C>(dx));
        let (m, by) = (S::lit(mean.to_f64()), S::lit(scale.to_f64()));
        let (out, shift, slope) = (S::lit(w * scale.to_f64()), S::lit(means[0]), S::lit(means[1]));
        for i in 0..dx.len().min(x.len()).min(dy.len()) {
            dx[i] = out * (dy[i] - shift - (x[i] - m) * by * slope);
        }
    }
}
