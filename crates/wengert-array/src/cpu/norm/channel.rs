//! Batch normalization: channels, each of which lies in runs.

use super::columns::{column_backward, column_stats};
use super::steps::{Gradient, Products, Scale, Squares, WAYS, run};
use super::{FEW, In, Out, beside, end_of_stream, goes_past, threads};
use crate::array::Array;
use crate::cpu::isa::dispatch;
use crate::cpu::vector::{Float, Numbers, Terms, Vector, totals};
use std::ops::Range;

/// Runs of channels that are shorter are put together before.
const SHORT: usize = 32;

/// How each channel lies in x [n, c, s].
#[derive(Clone, Copy)]
struct Runs {
    n: usize,
    c: usize,
    s: usize,
}

impl Runs {
    /// Where the runs of channel k begin.
    fn of(self, k: usize) -> impl Iterator<Item = usize> {
        (0..self.n).map(move |i| (i * self.c + k) * self.s)
    }

    /// Elements of each channel.
    fn count(self) -> f64 {
        (self.n * self.s) as f64
    }

    /// The sums of what `terms` gives for each run, over all of channel k.
    #[inline(always)]
    unsafe fn totals<V: Vector<C: Float>, T: Terms<V::C, 1, K>, const K: usize>(
        self,
        k: usize,
        terms: impl Fn(usize) -> T,
    ) -> [f64; K] {
        let mut all = [0.0; K];
        for at in self.of(k) {
            // SAFETY: the caller's promise that the terms have the run.
            let [sums] = unsafe { totals::<V, 1, K>(self.s, &terms(at)) };
            all.iter_mut().zip(sums).for_each(|(all, sum)| *all += sum);
        }
        all
    }
}

/// x [N, C, S] with each channel in one run, if its runs are too short to be worth a loop each.
fn by_channel(x: &Array) -> (Array, Runs) {
    let [n, c, s] = [0, 1, 2].map(|d| x.shape()[d]);
    match s < SHORT && n > 1 {
        true => (x.permute(&[1, 0, 2]).contiguous(), Runs { n: 1, c, s: n * s }),
        false => (x.contiguous(), Runs { n, c, s }),
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
    let (x, runs) = by_channel(&x.cast(compute));
    let [mut mean, mut var] = [0, 1].map(|_| Array::full([runs.c], 0.0, compute));
    with_float!(compute, C => {
        let x = In(x.as_slice::<C>().as_ptr());
        let [mean, var] = [&mut mean, &mut var].map(|a| Out(a.make_mut::<C>().as_mut_ptr()));
        threads::split(runs.c, 1, runs.n * runs.s * 2, |start, len| {
            for k in start..start + len {
                // SAFETY: numbers of this thread's.
                unsafe { stats::<C>(x.at(0), runs, k, mean.at(k), var.at(k)) };
            }
        });
    });
    [mean, var]
}

dispatch!(vectors unsafe fn stats<C: Float>(x: *const C, runs: Runs, k: usize, mean: *mut C, var: *mut C) => stats_body);

/// # Safety
/// x has these runs.
#[inline(always)]
unsafe fn stats_body<V: Vector<C = C>, C: Float>(
    x: *const C,
    runs: Runs,
    k: usize,
    mean: *mut C,
    var: *mut C,
) {
    let x = |at| [x.wrapping_add(at)];
    // SAFETY: the caller's promise.
    unsafe {
        let [sum] = runs.totals::<V, _, 1>(k, |at| Numbers(x(at)));
        let m = C::from_f64(sum / runs.count());
        let [square] = runs.totals::<V, _, 1>(k, |at| Squares { x: x(at), m: [m] });
        mean.write(m);
        var.write(C::from_f64(square / runs.count()));
    }
}

/// y = (x − a) b + c for x [N, C, S] with a number a, b and c for each channel.
pub fn channel_affine(x: &Array, a: &Array, b: &Array, c: &Array) -> Array {
    let (dtype, compute) = (x.dtype(), x.dtype().compute());
    let x = x.cast(compute).contiguous();
    let [n, channels, s] = [0, 1, 2].map(|d| x.shape()[d]);
    // Each of few neighbours gets numbers of its own.
    let apart = s == 1 || s < SHORT && n >= FEW;
    let [a, b, c] = [a, b, c].map(|v| beside(v.cast(compute), if apart { s } else { 1 }));
    let (count, s) = match apart {
        true => (n, channels * s),
        false => (n * channels, s),
    };
    let mut y = Array::uninit(x.shape(), compute);
    with_float!(compute, C => {
        let [x, a, b, c] = [&x, &a, &b, &c].map(|v| In(v.as_slice::<C>().as_ptr()));
        let past = goes_past::<C>(&y, s);
        let y = Out(y.uninit_slice::<C>());
        threads::split(count, 1, s, |start, len| {
            let task = Affine { channels, s, apart, x: x.at(0), of: [a, b, c].map(|v| v.at(0)), y: y.at(0), past };
            // SAFETY: each run belongs to one thread.
            unsafe { affine::<C>(&task, start..start + len) };
            end_of_stream();
        });
    });
    y.cast(dtype)
}

/// Runs of s elements, with three numbers for each channel in turn or, `apart`, for each element.
struct Affine<C> {
    channels: usize,
    s: usize,
    apart: bool,
    x: *const C,
    of: [*const C; 3],
    y: *mut C,
    past: bool,
}

dispatch!(vectors unsafe fn affine<C: Float>(task: &Affine<C>, which: Range<usize>) => affine_body);

/// # Safety
/// The arrays have these runs, and nobody else uses them in the result.
#[inline(always)]
unsafe fn affine_body<V: Vector<C = C>, C: Float>(task: &Affine<C>, which: Range<usize>) {
    let &Affine {
        channels,
        s,
        apart,
        x,
        of: [m, by, plus],
        y,
        past,
    } = task;
    // SAFETY: the caller's promise.
    unsafe {
        for r in which {
            let (x, y) = (x.add(r * s), y.add(r * s));
            if apart {
                run::<V, WAYS>(s, past, &Scale { x, y, m, by, plus });
            } else {
                let [m, by, plus] = [m, by, plus].map(|v| v.add(r % channels).read());
                run::<V, WAYS>(s, past, &Scale { x, y, m, by, plus });
            }
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
    let w = weight.map_or_else(
        || Array::full([shape[1]], 1.0, compute),
        |w| w.cast(compute).contiguous(),
    );
    if shape[2] == 1 {
        let [x, dy] = [x, dy].map(|a| a.cast(compute).contiguous());
        return column_backward(&x, &dy, &w, mean, scale).map(|g| g.cast(dtype));
    }
    let (x, runs) = by_channel(&x.cast(compute));
    let (dy, _) = by_channel(&dy.cast(compute));
    let mut dx = Array::uninit(x.shape(), compute);
    let [mut dw, mut db] = [0, 1].map(|_| Array::full([runs.c], 0.0, compute));
    with_float!(compute, C => {
        let [x, dy, w, mean, scale] = [&x, &dy, &w, mean, scale].map(|a| In(a.as_slice::<C>().as_ptr()));
        let past = goes_past::<C>(&dx, runs.s);
        let dx = Out(dx.uninit_slice::<C>());
        let [dw, db] = [&mut dw, &mut db].map(|a| Out(a.make_mut::<C>().as_mut_ptr()));
        threads::split(runs.c, 1, runs.n * runs.s * 4, |start, len| {
            let task = Backward { x: x.at(0), dy: dy.at(0), dx: dx.at(0), past, runs };
            for k in start..start + len {
                // SAFETY: the channel's elements are this thread's.
                unsafe {
                    let of = [w, mean, scale].map(|a| a.at(k).read());
                    backward::<C>(&task, k, of, dw.at(k), db.at(k));
                }
            }
            end_of_stream();
        });
    });
    let moved = runs.n == 1 && shape[0] > 1;
    let dx = unchanneled(dx, &shape, moved);
    [dx.cast(dtype), dw.cast(dtype), db.cast(dtype)]
}

/// What a channel's gradient is computed from, and where it goes.
struct Backward<C> {
    x: *const C,
    dy: *const C,
    dx: *mut C,
    past: bool,
    runs: Runs,
}

dispatch!(vectors unsafe fn backward<C: Float>(
    task: &Backward<C>, k: usize, of: [C; 3], dw: *mut C, db: *mut C
) => backward_body);

/// Channel k with this weight, mean and scale.
///
/// # Safety
/// The arrays have the runs, and nobody else uses those of the channel in the results.
#[inline(always)]
unsafe fn backward_body<V: Vector<C = C>, C: Float>(
    task: &Backward<C>,
    k: usize,
    [w, m, scale]: [C; 3],
    dw: *mut C,
    db: *mut C,
) {
    let &Backward {
        x,
        dy,
        dx,
        past,
        runs,
    } = task;
    // SAFETY: the caller's promise.
    unsafe {
        let [plain, product] = runs.totals::<V, _, 2>(k, |at| Products {
            x: [x.add(at)],
            dy: [dy.add(at)],
            m,
        });
        let (hat, out) = (product * scale.to_f64(), w.to_f64() * scale.to_f64());
        db.write(C::from_f64(plain));
        dw.write(C::from_f64(hat));
        for at in runs.of(k) {
            let step = Gradient {
                x: x.add(at),
                dy: dy.add(at),
                dx: dx.add(at),
                m,
                scale,
                out: C::from_f64(out),
                slope: C::from_f64(-out * hat / runs.count()),
                shift: C::from_f64(-out * plain / runs.count()),
            };
            run::<V, WAYS>(runs.s, past, &step);
        }
    }
}
