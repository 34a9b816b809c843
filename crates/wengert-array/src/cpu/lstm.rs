//! Layers of long short-term memory, over a whole sequence at once.
//!
//! What the input adds to the gates is one product for all times, and so are the gradients for the weights. What the state adds is
//! a product at each time, for some sequences of the batch: threads share the batch, and none waits for another on the way.

use super::gemm::{Matrix, Product, Start, is_own, library, tiled};
use super::index::writer;
use super::isa::{Lane, dispatch};
use super::matmul::matmul;
use super::shared::In;
use super::threads;
use super::vector::{Float, Step, Vector, walk};
use crate::array::Array;
use crate::layout::Shape;
use crate::real::Real;

/// Sequences that a thread takes at once, at most where the product's bits depend on how many there are.
const ROWS: usize = 16;
/// Fewer than these take as long, since each step goes over the whole matrix.
const FEW: usize = 4;

/// Calls `f` with parts of a batch of sequences whose every step has a product with a matrix of so many elements.
fn share(batch: usize, cost: usize, f: impl Fn(usize, usize) + Sync) {
    let unit = match is_own() {
        true => batch.div_ceil(threads::get_num_threads()).clamp(FEW, ROWS),
        false => ROWS,
    };
    threads::split(batch, unit, cost, |from, n| {
        let most = if is_own() { n } else { ROWS };
        (0..n)
            .step_by(most.max(1))
            .for_each(|at| f(from + at, most.min(n - at)));
    });
}

/// The times of a sequence in the order in which they are computed, each with the one before.
fn order(time: usize, reverse: bool) -> impl DoubleEndedIterator<Item = (usize, Option<usize>)> {
    (0..time).map(move |i| match reverse {
        false => (i, i.checked_sub(1)),
        true => (time - 1 - i, (i > 0).then(|| time - i)),
    })
}

/// `out = a · b + start` for rows of `a` and of the result that lie one after the other.
///
/// # Safety
/// What the [product](Product) says; no size is 0.
unsafe fn product<C: Lane>([m, k, n]: [usize; 3], a: *const C, b: *const C, out: *mut C, start: Start<C>) {
    let matrix = |at, row: usize| Matrix {
        at,
        row: row as isize,
        col: 1,
    };
    let product = Product {
        size: [m, k, n],
        out,
        step: n,
        start,
        a: matrix(a, k),
        b: matrix(b, n),
        scale: C::from_i64(1),
    };
    // SAFETY: the caller's promise.
    unsafe {
        match is_own() {
            true => tiled(&product),
            false => library(&product),
        }
    }
}

/// For x `[time, batch, in]`, the first state h and c `[batch, hidden]` and the weights `[4 hidden, in]` and `[4 hidden, hidden]` of
/// input and state, in the order of input, forget, new and output: h at all times and then the last c `[time + 1, batch, hidden]`; and,
/// in the computing type, what the gradient reads: the gates `[time, batch, 4 hidden]` and c at all times.
pub fn lstm(
    x: &Array,
    state: [&Array; 2],
    w: [&Array; 2],
    bias: Option<&Array>,
    reverse: bool,
) -> [Array; 3] {
    let (dtype, compute) = (x.dtype(), x.dtype().compute());
    let [time, batch, inputs] = [0, 1, 2].map(|d| x.shape()[d]);
    let hidden = w[1].shape()[1];
    let rows = x.cast(compute).contiguous().reshape([time * batch, inputs]);
    let [w_ih, w_hh] = w.map(|w| w.cast(compute).transpose(0, 1));
    let mut gates = matmul(&rows, &w_ih, &Shape::default(), bias);
    let (w, [h, c]) = (w_hh.contiguous(), state.map(|s| s.cast(compute).contiguous()));
    let mut y = Array::uninit([time + 1, batch, hidden], compute);
    let mut cells = Array::uninit([time, batch, hidden], compute);
    with_float!(compute, C => {
        let [w, h, c] = [&w, &h, &c].map(|x| In(x.as_ptr::<C>()));
        let (gates, y, cells) = (writer::<C>(&mut gates), writer::<C>(&mut y), writer::<C>(&mut cells));
        share(batch, time * hidden * (hidden / 8 + 16), |from, n| {
            // SAFETY: these sequences are this thread's. Row `from + r` of each time lies within its array, and so do n more.
            unsafe {
                for (t, before) in order(time, reverse) {
                    let row = |t: usize| (t * batch + from) * hidden;
                    let (h, c) = match before {
                        Some(t) => (y.at(row(t)).cast_const(), cells.at(row(t)).cast_const()),
                        None => (h.at(row(0)), c.at(row(0))),
                    };
                    let gates = gates.at(4 * row(t));
                    product([n, hidden, 4 * hidden], h, w.at(0), gates, Start::Old);
                    for at in (0..n * hidden).step_by(hidden) {
                        cell::<C>(gates.add(4 * at), c.add(at), cells.at(row(t) + at), y.at(row(t) + at), hidden);
                    }
                    let last = if reverse { t == 0 } else { t + 1 == time };
                    if last {
                        y.at(row(time)).copy_from_nonoverlapping(cells.at(row(t)), n * hidden);
                    }
                }
            }
        });
    });
    let shape = [time, batch, 4 * hidden];
    [y.cast(dtype), gates.reshape(shape), cells]
}

/// The gradients for the gates before their functions, `[time, batch, 4 hidden]`, and for the first h and c, from that of [`lstm`]'s first
/// result; all in the computing type.
pub fn lstm_backward(
    dy: &Array,
    gates: &Array,
    cells: &Array,
    c: &Array,
    w_hh: &Array,
    reverse: bool,
) -> [Array; 3] {
    let compute = gates.dtype();
    let [time, batch, hidden] = [0, 1, 2].map(|d| cells.shape()[d]);
    let [dy, c, w] = [dy, c, w_hh].map(|x| x.cast(compute).contiguous());
    let mut of_gates = Array::uninit(gates.shape(), compute);
    let (mut dh, mut dc) = (
        Array::uninit(c.shape(), compute),
        Array::uninit(c.shape(), compute),
    );
    with_float!(compute, C => {
        let [dy, gates, cells, c, w] = [&dy, gates, cells, &c, &w].map(|x| In(x.as_ptr::<C>()));
        let (out, dh, dc) = (writer::<C>(&mut of_gates), writer::<C>(&mut dh), writer::<C>(&mut dc));
        share(batch, time * hidden * (hidden / 8 + 16), |from, n| {
            // SAFETY: as above.
            unsafe {
                let row = |t: usize| (t * batch + from) * hidden;
                let (dh, dc) = (dh.at(row(0)), dc.at(row(0)));
                dc.copy_from_nonoverlapping(dy.at(row(time)), n * hidden);
                let mut after: Option<usize> = None;
                for (t, before) in order(time, reverse).rev() {
                    dh.copy_from_nonoverlapping(dy.at(row(t)), n * hidden);
                    if let Some(t) = after {
                        product([n, 4 * hidden, hidden], out.at(4 * row(t)), w.at(0), dh, Start::Old);
                    }
                    let c = before.map_or(c.at(row(0)), |t| cells.at(row(t)));
                    for at in (0..n * hidden).step_by(hidden) {
                        let (gates, out) = (gates.at(4 * (row(t) + at)), out.at(4 * (row(t) + at)));
                        cell_backward::<C>(gates, cells.at(row(t) + at), c.add(at), dh.add(at), dc.add(at), out, hidden);
                    }
                    after = Some(t);
                }
                if let Some(t) = after {
                    product([n, 4 * hidden, hidden], out.at(4 * row(t)), w.at(0), dh, Start::Zero);
                }
            }
        });
    });
    [of_gates, dh, dc]
}

/// One step of one sequence: what was added up for the n gates of each kind becomes the gates, and these make the new c and h.
///
/// # Safety
/// There are 4 n gates, and n of all else.
unsafe fn cell<C: Float>(gates: *mut C, old: *const C, c: *mut C, h: *mut C, n: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        sigmoids::<C>(gates, 2 * n);
        tanhs::<C>(gates.add(2 * n), n);
        sigmoids::<C>(gates.add(3 * n), n);
        remember::<C>(gates, old, c, h, n);
        tanhs::<C>(h, n);
        times::<C>(h, gates.add(3 * n), n);
    }
}

/// The gradients for the gates of one step before their functions, from that for h, and that for c, which becomes the old one's.
///
/// # Safety
/// As for [`cell`].
unsafe fn cell_backward<C: Float>(
    gates: *const C,
    c: *const C,
    old: *const C,
    dh: *const C,
    dc: *mut C,
    out: *mut C,
    n: usize,
) {
    // SAFETY: the caller's promise. tanh c stands where the last gate's gradient will be.
    unsafe {
        let tanh = out.add(3 * n);
        tanh.copy_from_nonoverlapping(c, n);
        tanhs::<C>(tanh, n);
        slopes::<C>(gates, old, dh, dc, out, n);
    }
}

dispatch!(unsafe fn sigmoids<C: Lane>(x: *mut C, n: usize) => sigmoids_body);

/// # Safety
/// There are n numbers, and S has the bits of C.
#[inline(always)]
unsafe fn sigmoids_body<S: Real, C: Lane>(x: *mut C, n: usize) {
    // SAFETY: the caller's promise.
    for x in unsafe { std::slice::from_raw_parts_mut(x.cast::<S>(), n) } {
        *x = S::ONE / (S::ONE + (-*x).exp());
    }
}

dispatch!(unsafe fn tanhs<C: Lane>(x: *mut C, n: usize) => tanhs_body);

/// # Safety
/// As above.
#[inline(always)]
unsafe fn tanhs_body<S: Real, C: Lane>(x: *mut C, n: usize) {
    // SAFETY: the caller's promise.
    for x in unsafe { std::slice::from_raw_parts_mut(x.cast::<S>(), n) } {
        *x = x.tanh();
    }
}

dispatch!(vectors unsafe fn remember<C: Float>(gates: *const C, old: *const C, c: *mut C, h: *mut C, n: usize) => remember_body);

/// c = f c + i g, which is left in h as well.
///
/// # Safety
/// As for [`cell`].
#[inline(always)]
unsafe fn remember_body<V: Vector<C = C>, C: Float>(
    gates: *const C,
    old: *const C,
    c: *mut C,
    h: *mut C,
    n: usize,
) {
    struct Remember<C> {
        gates: *const C,
        old: *const C,
        to: [*mut C; 2],
        n: usize,
    }
    impl<C: Float> Step<C> for Remember<C> {
        #[inline(always)]
        unsafe fn at<V: Vector<C = C>>(&self, at: usize, past: bool) {
            // SAFETY: the caller's promise.
            unsafe {
                let [i, f, g] = [0, 1, 2].map(|k| V::load(self.gates.add(k * self.n + at)));
                let c = f.mul_add(V::load(self.old.add(at)), i.mul(g));
                c.store(self.to[0].add(at), past);
                c.store(self.to[1].add(at), past);
            }
        }
    }
    let to = [c, h];
    // SAFETY: the caller's promise.
    unsafe { walk::<V>(n, false, &Remember { gates, old, to, n }) };
}

dispatch!(vectors unsafe fn times<C: Float>(x: *mut C, by: *const C, n: usize) => times_body);

/// x = x · by
///
/// # Safety
/// There are n numbers at each.
#[inline(always)]
unsafe fn times_body<V: Vector<C = C>, C: Float>(x: *mut C, by: *const C, n: usize) {
    struct Times<C>(*mut C, *const C);
    impl<C: Float> Step<C> for Times<C> {
        #[inline(always)]
        unsafe fn at<V: Vector<C = C>>(&self, at: usize, past: bool) {
            // SAFETY: the caller's promise.
            unsafe {
                V::load(self.0.add(at))
                    .mul(V::load(self.1.add(at)))
                    .store(self.0.add(at), past)
            };
        }
    }
    // SAFETY: the caller's promise.
    unsafe { walk::<V>(n, false, &Times(x, by)) };
}

dispatch!(vectors unsafe fn slopes<C: Float>(
    gates: *const C, old: *const C, dh: *const C, dc: *mut C, out: *mut C, n: usize
) => slopes_body);

/// With t = tanh c, which stands in the last part of `out`: dc += dh o (1 − t²), do = dh t o (1 − o), di = dc g i (1 − i),
/// df = dc old f (1 − f), dg = dc i (1 − g²), dc = dc f.
///
/// # Safety
/// As for [`cell`].
#[inline(always)]
unsafe fn slopes_body<V: Vector<C = C>, C: Float>(
    gates: *const C,
    old: *const C,
    dh: *const C,
    dc: *mut C,
    out: *mut C,
    n: usize,
) {
    struct Slopes<C> {
        gates: *const C,
        old: *const C,
        dh: *const C,
        dc: *mut C,
        out: *mut C,
        n: usize,
    }
    impl<C: Float> Step<C> for Slopes<C> {
        #[inline(always)]
        unsafe fn at<V: Vector<C = C>>(&self, at: usize, past: bool) {
            // SAFETY: the caller's promise.
            unsafe {
                let one = V::splat(C::from_f64(1.0));
                let out = |k: usize| self.out.add(k * self.n + at);
                let [i, f, g, o] = [0, 1, 2, 3].map(|k| V::load(self.gates.add(k * self.n + at)));
                let (dh, t) = (V::load(self.dh.add(at)), V::load(out(3)));
                let dc = V::load(self.dc.add(at)).add(dh.mul(o).mul(one.sub(t.mul(t))));
                dc.mul(g).mul(i.mul(one.sub(i))).store(out(0), past);
                dc.mul(V::load(self.old.add(at)))
                    .mul(f.mul(one.sub(f)))
                    .store(out(1), past);
                dc.mul(i).mul(one.sub(g.mul(g))).store(out(2), past);
                dh.mul(t).mul(o.mul(one.sub(o))).store(out(3), past);
                dc.mul(f).store(self.dc.add(at), past);
            }
        }
    }
    let slopes = Slopes {
        gates,
        old,
        dh,
        dc,
        out,
        n,
    };
    // SAFETY: the caller's promise.
    unsafe { walk::<V>(n, false, &slopes) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;

    fn number(i: usize, of: usize) -> f64 {
        ((i * 37 + of) % 101) as f64 / 64.0 - 0.75
    }

    /// By plain loops in f64, of sequences [time, batch, in].
    fn plain(x: &[f64], [h, c]: [&[f64]; 2], w: [&[f64]; 2], sizes: [usize; 4], reverse: bool) -> Vec<f64> {
        let [time, batch, inputs, hidden] = sizes;
        let mut y = vec![0.0; (time + 1) * batch * hidden];
        let (mut h, mut c) = (h.to_vec(), c.to_vec());
        for i in 0..time {
            let t = if reverse { time - 1 - i } else { i };
            for n in 0..batch {
                let gate = |g: usize| {
                    let x: f64 = (0..inputs)
                        .map(|k| x[(t * batch + n) * inputs + k] * w[0][g * inputs + k])
                        .sum();
                    x + (0..hidden)
                        .map(|k| h[n * hidden + k] * w[1][g * hidden + k])
                        .sum::<f64>()
                };
                let gates: Vec<f64> = (0..4 * hidden).map(gate).collect();
                let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
                for j in 0..hidden {
                    let [i, f, g, o] = [0, 1, 2, 3].map(|k| gates[k * hidden + j]);
                    let new = sigmoid(f) * c[n * hidden + j] + sigmoid(i) * g.tanh();
                    c[n * hidden + j] = new;
                    y[(t * batch + n) * hidden + j] = sigmoid(o) * new.tanh();
                }
            }
            h.copy_from_slice(&y[t * batch * hidden..][..batch * hidden]);
        }
        y[time * batch * hidden..].copy_from_slice(&c);
        y
    }

    #[test]
    fn agrees_with_plain_loops_with_any_number_of_threads() {
        for (sizes, reverse) in [
            ([1, 1, 1, 1], false),
            ([3, 2, 5, 7], true),
            ([2, 0, 3, 4], false),
            ([4, 37, 3, 19], false),
            ([3, 50, 17, 33], true),
        ] {
            let [time, batch, inputs, hidden] = sizes;
            let make = |shape: &[usize], of| {
                let all: Vec<f64> = (0..shape.iter().product()).map(|i| number(i, of)).collect();
                Array::from_slice(&all, shape)
            };
            let x = make(&[time, batch, inputs], 3);
            let state = [make(&[batch, hidden], 11), make(&[batch, hidden], 50)];
            let w = [make(&[4 * hidden, inputs], 7), make(&[4 * hidden, hidden], 29)];
            let [state_f64, w_f64] = [&state, &w].map(|all| all.each_ref().map(|a| a.to_vec::<f64>()));
            let want = plain(
                &x.to_vec::<f64>(),
                state_f64.each_ref().map(|a| &a[..]),
                w_f64.each_ref().map(|a| &a[..]),
                sizes,
                reverse,
            );
            for (dtype, close) in [(DType::F64, 1e-12), (DType::F32, 1e-5), (DType::F16, 3e-3)] {
                let all = threads::with_each(&[1, 2, 3], || {
                    let (state, w) = (
                        state.each_ref().map(|a| a.cast(dtype)),
                        w.each_ref().map(|a| a.cast(dtype)),
                    );
                    let (state, w) = (state.each_ref(), w.each_ref());
                    let [y, gates, cells] = lstm(&x.cast(dtype), state, w, None, reverse);
                    assert_eq!(
                        (y.shape().dims(), y.dtype()),
                        (&[time + 1, batch, hidden][..], dtype)
                    );
                    let back = lstm_backward(&y, &gates, &cells, state[1], w[1], reverse);
                    (y.to_vec::<f64>(), back.map(|a| a.to_vec::<f64>()))
                });
                assert!(all.iter().all(|a| *a == all[0]), "{dtype} {sizes:?}");
                for (got, want) in all[0].0.iter().zip(&want) {
                    assert!(
                        (got - want).abs() <= close,
                        "{dtype} {sizes:?}: {got}, not {want}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_nan_stays_in_its_sequence() {
        let mut x = vec![0.5f32; 2 * 3 * 2];
        x[2] = f32::NAN;
        x[4] = f32::INFINITY;
        let x = Array::from_slice(&x, [2, 3, 2]);
        let zeros = Array::full([3, 4], 0.0, DType::F32);
        let w = [
            Array::full([16, 2], 1.0, DType::F32),
            Array::full([16, 4], 0.25, DType::F32),
        ];
        let [y, ..] = lstm(&x, [&zeros; 2], w.each_ref(), None, false);
        let y = y.to_vec::<f32>();
        assert!(y[..4].iter().all(|v| *v > 0.0 && *v < 1.0));
        assert!(y[4..8].iter().all(|v| v.is_nan()));
        // Gates that are open altogether.
        assert!(y[8..12].iter().all(|v| *v == 1f32.tanh()));
    }
}
