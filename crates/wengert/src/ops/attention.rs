//! Scaled dot-product attention.

use super::common::{numbers, recorded_grads, scalar};
use super::dropout::dropout;
use super::{contract, ok};
use crate::autograd::mode::Duties;
use crate::autograd::{Ctx, Precision, is_recording};
use crate::inspect;
use crate::op::{Each, Extra, In, Many, Op, Sample, Saves, Variadic};
use crate::tensor::Tensor;
use wengert_array::kernels::{self, Scores};
use wengert_array::{Array, DType, Error, ErrorKind, Meta, Result, Shape};

/// y = P v with P = softmax(scale q kᵀ + mask) over the keys, made block by block so that memory is linear in the length
/// (Dao et al., 2022). With dP = dy vᵀ and dS = P (dP − Σ P dP): dq = scale dS k, dk = scale dSᵀ q, dv = Pᵀ dy, for which P
/// is made again block by block. A query whose keys are all masked gets zeros.
#[derive(Clone, Debug)]
pub struct Attention {
    /// What products of queries and keys are multiplied by.
    pub scale: f64,
    /// Whether query i sees only keys up to i.
    pub causal: bool,
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::Shape, Attention::NAME, message)
}

impl Attention {
    fn scores<'a>(&self, mask: Option<&'a Array>) -> Scores<'a> {
        Scores {
            scale: self.scale,
            causal: self.causal,
            mask,
        }
    }

    /// The mask as large as the scores, without taking memory.
    fn mask(q: &Shape, k: &Shape, mask: Option<Array>) -> Option<Array> {
        let r = q.rank();
        mask.map(|m| m.broadcast_to(&q.with(r - 1, k[r - 2])))
    }
}

/// The operations of a product as large as q kᵀ, and of one as large as that with the values.
fn products(q: &Shape, k: &Shape, v: &Shape) -> [u64; 2] {
    let r = q.rank();
    let pairs = q[..r - 1].iter().product::<usize>() * k[r - 2];
    [q[r - 1], v[r - 1]].map(|width| 2 * (pairs * width) as u64)
}

/// Which key each query may see, for lengths l and s.
fn triangle(l: usize, s: usize) -> Tensor {
    Tensor::arange(0, s as i64).le(&Tensor::arange(0, l as i64).unsqueeze(1))
}

/// Attention in tensor operations, which makes all scores at once.
#[track_caller]
fn composite(all: &[Tensor], op: &Attention, dropout_p: f64) -> Tensor {
    let (q, k, v) = (&all[0], &all[1], &all[2]);
    let mut scores = q.matmul(&k.transpose(-2, -1)) * op.scale;
    let never = scalar(f64::NEG_INFINITY, scores.dtype());
    match all.get(3) {
        Some(mask) if mask.dtype() == DType::Bool => scores = scores.where_(mask, &never),
        Some(mask) => scores += mask.to(q.dtype()),
        None => {}
    }
    if op.causal {
        scores = scores.where_(&triangle(q.size(-2), k.size(-2)), &never);
    }
    if k.size(-2) == 0 {
        return scores.matmul(v);
    }
    let sees = scores.detach().amax(-1, true).ne(f64::NEG_INFINITY);
    let zero = scalar(0.0, scores.dtype());
    let weights = scores.where_(&sees, &zero).softmax(-1).where_(&sees, &zero);
    dropout(&weights, dropout_p, true).matmul(v)
}

impl Op for Attention {
    /// Queries, keys, values, and where there is one a mask.
    type Inputs = Variadic;
    const NAME: &'static str = "scaled_dot_product_attention";
    const SAVES: &'static [Saves] = &[Saves::ALL_X.and(Saves::Y)];
    const PRECISION: Precision = Precision::Half;
    fn infer(&self, all: Each<Self, In<'_>>) -> Result<Meta> {
        let (q, k, v, r) = (all[0].shape, all[1].shape, all[2].shape, all[0].shape.rank());
        let shapes = || format!("queries, keys and values have shapes {q}, {k} and {v}");
        if r < 2 || k.rank() != r || v.rank() != r || q[..r - 2] != k[..r - 2] || q[..r - 2] != v[..r - 2] {
            return Err(
                wrong(shapes()).note("they must be [.., length, width], and all but those two sizes equal")
            );
        }
        if q[r - 1] != k[r - 1] {
            return Err(wrong(shapes()).note("the last sizes of queries and keys must be equal"));
        }
        if k[r - 2] != v[r - 2] {
            return Err(wrong(shapes()).note("there must be as many values as keys"));
        }
        super::common::same_floats(Self::NAME, &all[..3])?;
        if let Some(mask) = all.get(3) {
            let wanted = q.with(r - 1, k[r - 2]);
            if mask.shape.rank() < 2 || mask.shape.broadcast(&wanted).as_ref() != Some(&wanted) {
                return Err(wrong(format!(
                    "a mask of shape {} does not broadcast to the scores {wanted}",
                    mask.shape
                )));
            }
            if mask.dtype != DType::Bool && !mask.dtype.is_float() {
                let message = format!("the mask must be bool or floating-point, and is {}", mask.dtype);
                return Err(Error::new(ErrorKind::DType, Self::NAME, message));
            }
        }
        Ok(all[0].with_shape(q.with(r - 1, v[r - 1])))
    }
    fn forward(&self, mut x: Each<Self, Array>, _: &Meta, extra: &mut Extra) -> Array {
        let mask = if x.len() > 3 { x.pop() } else { None };
        let mask = Attention::mask(x[0].shape(), x[1].shape(), mask);
        let [y, lse] = kernels::attention(&x[0], &x[1], &x[2], &self.scores(mask.as_ref()));
        extra.keep(lse);
        y
    }
    fn flops(&self, x: &[&Shape], _: &Meta) -> u64 {
        let [scores, values] = products(x[0], x[1], x[2]);
        scores + values
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> Each<Self, Option<Tensor>> {
        let all: Vec<Tensor> = (0..cx.inputs()).map(|i| cx.x(i)).collect();
        let y = cx.y();
        let wants: Vec<bool> = (0..all.len())
            .map(|i| cx.wants(i) && cx.meta(i).dtype.is_float())
            .collect();
        if is_recording() || wants.get(3) == Some(&true) {
            // A mask's gradient is as large as all scores anyway.
            let of = |dy: &Tensor| recorded_grads(&all, &wants, dy, |all| composite(all, self, 0.0));
            return match is_recording() {
                true => of(&dy),
                false => {
                    let grads = crate::autograd::enable_grad(|| of(&dy));
                    grads.into_iter().map(|g| g.map(|g| g.detach())).collect()
                }
            };
        }
        let arrays: Vec<Array> = all.iter().map(Tensor::array).collect();
        let mask = Attention::mask(arrays[0].shape(), arrays[1].shape(), arrays.get(3).cloned());
        let [q, k, v] = [&arrays[0], &arrays[1], &arrays[2]];
        let (y, dy) = (y.array(), dy.array());
        if Duties::now().tell() {
            // The scores again and the gradients of queries and keys; those of the weights and of the values.
            let [scores, values] = products(q.shape(), k.shape(), v.shape());
            let name = "scaled_dot_product_attention_backward";
            inspect::tell(name, &[], cx.meta(0), 3 * scores + 2 * values);
        }
        let grads = kernels::attention_backward(q, k, v, &y, &cx.extra(0), &dy, &self.scores(mask.as_ref()));
        let mut grads: Many<_> = grads
            .into_iter()
            .enumerate()
            .map(|(i, g)| cx.grad(i, || Tensor::constant(g)))
            .collect();
        grads.resize(all.len(), None);
        grads
    }
    fn samples() -> Vec<Sample<Self>> {
        let op = |causal| Attention { scale: 0.7, causal };
        let three = || vec![numbers(&[2, 3, 2]), numbers(&[2, 4, 2]), numbers(&[2, 4, 3])];
        let with = |mask: Array| three().into_iter().chain([mask]).collect::<Vec<_>>();
        let sees: Vec<bool> = (0..12).map(|i| i % 3 != 1).collect();
        vec![
            Sample::new(op(false), three()),
            Sample::new(op(true), three()),
            Sample::new(op(false), with(Array::from_slice(&sees, [3, 4]))),
            Sample::new(op(false), with(numbers(&[2, 3, 4]))),
        ]
    }
}

/// softmax(q kᵀ scale + mask) v for queries `[.., L, E]`, keys `[.., S, E]` and values `[.., S, V]`; the scale is 1/√E unless
/// given.
///
/// The mask broadcasts to `[.., L, S]`: bools say which keys a query may see, numbers are added to the scores.
/// `is_causal` lets query i see keys up to i. `enable_gqa` lets several heads of queries share one of keys and values
/// (dimension −3). Memory is linear in the length, but for dropout and for the gradient of a mask. A query that sees
/// nothing gets zeros.
///
/// # Panics
/// If shapes or dtypes do not fit, or a mask is given together with `is_causal`.
#[track_caller]
pub fn scaled_dot_product_attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    attn_mask: Option<&Tensor>,
    dropout_p: f64,
    is_causal: bool,
    scale: Option<f64>,
    enable_gqa: bool,
) -> Tensor {
    let (q, k, v, mask, op) = ok(prepare(
        query, key, value, attn_mask, is_causal, scale, enable_gqa,
    ));
    let all: Many<&Tensor> = [Some(&q), Some(&k), Some(&v), mask.as_ref()]
        .into_iter()
        .flatten()
        .collect();
    if dropout_p > 0.0 {
        // Checked as the operation checks it.
        let metas: Vec<Array> = all.iter().map(|x| x.array()).collect();
        ok(op.infer(metas.iter().map(In::from).collect()));
        let all: Vec<Tensor> = all.into_iter().cloned().collect();
        return composite(&all, &op, dropout_p);
    }
    op.apply(all)
}

type Prepared = (Tensor, Tensor, Tensor, Option<Tensor>, Attention);

fn prepare(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    mask: Option<&Tensor>,
    causal: bool,
    scale: Option<f64>,
    gqa: bool,
) -> Result<Prepared> {
    if mask.is_some() && causal {
        let error = Error::new(
            ErrorKind::Value,
            Attention::NAME,
            "a mask and `is_causal` exclude each other",
        );
        return Err(error.note("put both into the mask"));
    }
    let shapes = [q, k, v].map(Tensor::shape);
    if shapes.iter().any(|s| s.rank() < 2) {
        let [q, k, v] = &shapes;
        return Err(
            wrong(format!("queries, keys and values have shapes {q}, {k} and {v}"))
                .note("they must be [.., length, width]"),
        );
    }
    let scale = scale.unwrap_or(1.0 / (q.size(-1) as f64).sqrt());
    let shared = |x: &Tensor| -> Result<Tensor> {
        let (shape, heads) = (
            x.shape(),
            q.shape().get(q.dim().wrapping_sub(3)).copied().unwrap_or(1),
        );
        let r = shape.rank();
        if !gqa || r < 3 || shape[r - 3] == heads {
            return Ok(x.clone());
        }
        if shape[r - 3] == 0 || heads % shape[r - 3] != 0 {
            return Err(wrong(format!(
                "{heads} heads of queries do not share {} heads of {shape}",
                shape[r - 3]
            )));
        }
        let times = heads / shape[r - 3];
        let all = x.unsqueeze(-3).expand(shape.insert(r - 2, times));
        Ok(all.reshape(shape.with(r - 3, heads)))
    };
    let (k, v) = (shared(k)?, shared(v)?);
    let batch = |x: &Tensor| -> Shape { x.shape()[..x.dim() - 2].iter().copied().collect() };
    let both = batch(q)
        .broadcast(&batch(&k))
        .and_then(|b| b.broadcast(&batch(&v)));
    let Some(both) = both else {
        return Err(wrong(format!(
            "queries, keys and values have shapes {}, {} and {}",
            q.shape(),
            k.shape(),
            v.shape()
        ))
        .note("all but the last two dimensions must broadcast"));
    };
    let whole = |x: &Tensor| {
        let own = &x.shape()[x.dim() - 2..].to_vec();
        let wanted: Shape = both.iter().chain(own).copied().collect();
        if x.shape() == wanted {
            x.clone()
        } else {
            x.expand(wanted)
        }
    };
    Ok((
        whole(q),
        whole(&k),
        whole(&v),
        mask.cloned(),
        Attention { scale, causal },
    ))
}

contract! { attention: Attention }

#[cfg(test)]
mod tests {
    use super::*;
    use crate::autograd::grad;

    #[test]
    fn blocks_give_what_whole_scores_give() {
        for (l, s, causal, dtype) in [
            (70, 600, true, DType::F64),
            (600, 70, true, DType::F64),
            (300, 300, true, DType::F32),
            (70, 600, false, DType::F64),
            (1, 17, true, DType::F64),
        ] {
            let op = Attention { scale: 0.7, causal };
            let all = [l, s, s].map(|n| Tensor::randn([2, n, 5]).to(dtype).requires_grad_(true));
            let weights = Tensor::randn([2, l, 5]).to(dtype);
            let inputs: Vec<&Tensor> = all.iter().collect();
            let with_grads = |y: Tensor| {
                let mut results = grad(&(&y * &weights).sum(), &inputs);
                results.push(y.detach());
                results
            };
            let got = with_grads(op.clone().apply(all.iter().collect()));
            let want = with_grads(composite(&all, &op, 0.0));
            let tolerance = if dtype == DType::F64 { 1e-10 } else { 1e-3 };
            for (got, want) in got.iter().zip(&want) {
                let close = got.allclose(want, tolerance, tolerance);
                assert!(close, "{l} queries, {s} keys, causal: {causal}");
            }
        }
    }
}
