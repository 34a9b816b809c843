//! A layer of long short-term memory.

use super::common::{numbers, recorded_grads, same_floats};
use super::matmul::linear;
use super::{cat, contract, stack};
use crate::autograd::mode::Duties;
use crate::autograd::{Ctx, Precision, is_recording};
use crate::inspect;
use crate::op::{Each, Extra, In, Many, Op, Sample, Saves, Variadic};
use crate::tensor::Tensor;
use wengert_array::kernels::{self, Reduce};
use wengert_array::{Array, Error, ErrorKind, Meta, Result, Shape};

/// h at all times, then the last c: with gates i, f, o = σ(W x + U h + b) and g = tanh(…), c ← f c + i g and h ← o tanh c
/// (Hochreiter and Schmidhuber, 1997). The gradient goes through the times once, from the last; those for the weights are one
/// product over all times.
#[derive(Clone, Debug)]
pub struct Lstm {
    /// Whether it begins at the last time.
    pub reverse: bool,
}

/// The new h and c, from what was added up for the gates and the old c.
#[track_caller]
pub(crate) fn step(gates: &Tensor, c: &Tensor) -> [Tensor; 2] {
    let n = c.size(-1);
    let part = |i: usize| gates.narrow(-1, i * n, n);
    let (input, forget) = (part(0).sigmoid(), part(1).sigmoid());
    let (new, output) = (part(2).tanh(), part(3).sigmoid());
    let c = forget * c + input * new;
    [output * c.tanh(), c]
}

impl Lstm {
    fn composite(&self, all: &[Tensor]) -> Tensor {
        let gates = linear(&all[0], &all[3].t(), all.get(5));
        let [mut h, mut c] = [all[1].clone(), all[2].clone()];
        let time = gates.size(0);
        let mut outputs: Vec<Tensor> = Vec::with_capacity(time + 1);
        for i in 0..time {
            let t = if self.reverse { time - 1 - i } else { i };
            [h, c] = step(&(gates.select(0, t as isize) + h.matmul(&all[4].t())), &c);
            outputs.push(h.clone());
        }
        if self.reverse {
            outputs.reverse();
        }
        let c = c.unsqueeze(0);
        cat(&[&stack(&outputs.iter().collect::<Vec<_>>(), 0), &c], 0)
    }
}

/// The operations of a layer's products.
fn products(x: &Shape, w_hh: &Shape) -> u64 {
    2 * (x[0] * x[1] * w_hh[0] * (x[2] + w_hh[1])) as u64
}

impl Op for Lstm {
    /// x `[time, batch, in]`, the first h and c `[batch, hidden]`, the weights `[4 hidden, in]` and `[4 hidden, hidden]`, and a bias
    /// `[4 hidden]` where there is one.
    type Inputs = Variadic;
    const NAME: &'static str = "lstm";
    const SAVES: &'static [Saves] = &[Saves::ALL_X.and(Saves::Y)];
    const PRECISION: Precision = Precision::Half;
    fn infer(&self, all: Each<Self, In<'_>>) -> Result<Meta> {
        let [x, h, c, w_ih, w_hh] = [0, 1, 2, 3, 4].map(|i| all[i].shape);
        let hidden = h.last().copied().unwrap_or(0);
        let fits = x.rank() == 3
            && x[0] > 0
            && hidden > 0
            && *h == [x[1], hidden]
            && c == h
            && *w_ih == [4 * hidden, x[2]]
            && *w_hh == [4 * hidden, hidden]
            && all.get(5).is_none_or(|b| *b.shape == [4 * hidden]);
        if !fits {
            let message =
                format!("an input of shape {x} and states {h} and {c} do not fit weights {w_ih} and {w_hh}");
            return Err(Error::new(ErrorKind::Shape, Self::NAME, message).note(
                "they must be [time, batch, in], [batch, hidden], [4 hidden, in] and [4 hidden, hidden], with at least one time and one \
                 hidden number, and a bias [4 hidden]",
            ));
        }
        same_floats(Self::NAME, &all)?;
        Ok(all[0].with_shape([x[0] + 1, x[1], hidden]))
    }
    fn forward(&self, x: Each<Self, Array>, _: &Meta, extra: &mut Extra) -> Array {
        let [y, gates, cells] = kernels::lstm(&x[0], [&x[1], &x[2]], [&x[3], &x[4]], x.get(5), self.reverse);
        extra.keep(gates);
        extra.keep(cells);
        y
    }
    fn flops(&self, x: &[&Shape], _: &Meta) -> u64 {
        products(x[0], x[4])
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> Each<Self, Option<Tensor>> {
        let all: Vec<Tensor> = (0..cx.inputs()).map(|i| cx.x(i)).collect();
        let y = cx.y();
        if is_recording() {
            let wants: Vec<bool> = (0..all.len()).map(|i| cx.wants(i)).collect();
            return recorded_grads(&all, &wants, &dy, |all| self.composite(all));
        }
        let arrays: Vec<Array> = all.iter().map(Tensor::array).collect();
        let [x, h, c, w_ih, w_hh] = [0, 1, 2, 3, 4].map(|i| &arrays[i]);
        if Duties::now().tell() {
            inspect::tell(
                "lstm_backward",
                &[],
                cx.meta(0),
                2 * products(x.shape(), w_hh.shape()),
            );
        }
        let (dtype, y) = (x.dtype(), y.array());
        let [gates, dh, dc] =
            kernels::lstm_backward(&dy.array(), &cx.extra(0), &cx.extra(1), c, w_hh, self.reverse);
        let (time, width) = (x.shape()[0], gates.shape()[2]);
        let rows = |x: &Array| {
            let size = x.shape()[2];
            x.cast(gates.dtype())
                .contiguous()
                .reshape([x.numel() / size.max(1), size])
        };
        let gates_rows = rows(&gates);
        let turned = gates_rows.transpose(0, 1);
        let product = |a: &Array, b: &Array| kernels::matmul(a, b, &Shape::default(), None);
        let give = |i: usize, make: &dyn Fn() -> Array| cx.grad(i, || Tensor::constant(make().cast(dtype)));
        let mut grads: Many<Option<Tensor>> = Many::new();
        grads.push(give(0, &|| {
            product(&gates_rows, &w_ih.cast(gates.dtype())).reshape(x.shape())
        }));
        grads.push(give(1, &|| dh.clone()));
        grads.push(give(2, &|| dc.clone()));
        grads.push(give(3, &|| product(&turned, &rows(x))));
        grads.push(give(4, &|| {
            // h before each time.
            let h = h.reshape([1, h.shape()[0], h.shape()[1]]);
            let before = match self.reverse {
                false => [h, y.slice(0, 0, time - 1, 1)],
                true => [y.slice(0, 1, time - 1, 1), h],
            };
            product(&turned, &rows(&kernels::concat(&before, 0)))
        }));
        if all.len() > 5 {
            grads.push(give(5, &|| {
                kernels::reduce(&gates_rows, &[0], Reduce::Sum, gates.dtype()).reshape([width])
            }));
        }
        grads
    }
    fn samples() -> Vec<Sample<Self>> {
        let inputs = |time, batch, n, hidden: usize| {
            vec![
                numbers(&[time, batch, n]),
                numbers(&[batch, hidden]),
                numbers(&[batch, hidden]),
                numbers(&[4 * hidden, n]),
                numbers(&[4 * hidden, hidden]),
            ]
        };
        let with_bias = |mut all: Vec<Array>| {
            all.push(numbers(&[all[3].shape()[0]]));
            all
        };
        vec![
            Sample::new(Lstm { reverse: false }, with_bias(inputs(3, 2, 2, 3))),
            Sample::new(Lstm { reverse: true }, inputs(2, 3, 1, 2)),
            Sample::new(Lstm { reverse: false }, inputs(1, 1, 2, 1)),
        ]
    }
}

/// One layer in one direction: h at all times `[time, batch, hidden]`, and the last h and c `[batch, hidden]`, for x `[time, batch, in]`, the
/// first h and c, and weights `[4 hidden, in]` and `[4 hidden, hidden]` in the order of input, forget, new and output gate. `reverse` begins
/// at the last time.
///
/// # Panics
/// If shapes or dtypes do not fit.
#[track_caller]
pub fn lstm_layer(
    x: &Tensor,
    state: [&Tensor; 2],
    w: [&Tensor; 2],
    bias: Option<&Tensor>,
    reverse: bool,
) -> (Tensor, [Tensor; 2]) {
    let [h, c] = state;
    let [w_ih, w_hh] = w;
    let all = [Some(x), Some(h), Some(c), Some(w_ih), Some(w_hh), bias];
    let packed = Lstm { reverse }.apply(all.into_iter().flatten().collect());
    let time = packed.size(0) - 1;
    let last = if reverse { 0 } else { time - 1 };
    let state = [last, time].map(|t| packed.select(0, t as isize));
    (packed.narrow(0, 0, time), state)
}

contract! { lstm: Lstm }
