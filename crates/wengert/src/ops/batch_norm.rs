//! Batch normalization: each channel by its mean and variance over a batch.

use super::common::{numbers, recorded_grads, same_floats};
use super::norm::{Affine, check_channels, in_order, inputs, move_average, widened, with_statistics};
use super::{contract, ok};
use crate::autograd::{Ctx, is_recording};
use crate::op::{Each, Extra, In, Op, Sample, Saves, Variadic};
use crate::tensor::Tensor;
use std::sync::{Arc, OnceLock};
use wengert_array::kernels;
use wengert_array::{Array, Error, ErrorKind, Meta, Result, raise};

/// y = w (x − mean) / √(variance + ε) + b with mean and variance of each channel over all of a batch x [n, channels, ..]
/// (Ioffe and Szegedy, 2015); gradients as those of `NormRows`, with means over the channel.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    /// What is added to the variance.
    pub eps: f64,
    /// Which inputs there are.
    pub affine: Affine,
    /// Where the means and variances are left, for running averages.
    pub seen: Arc<OnceLock<[Array; 2]>>,
}

/// x as [n, channels, the rest].
fn three(x: &Array) -> Array {
    let shape = x.shape();
    x.reshape([shape[0], shape[1], shape[2..].iter().product()])
}

impl BatchNorm {
    fn composite(&self, all: &[Tensor]) -> Tensor {
        let (w, b) = self.affine.split(all);
        let shape = all[0].shape();
        let x = all[0].reshape([shape[0], shape[1], shape[2..].iter().product()]);
        let mean = |x: &Tensor| x.mean_dim([0, 2], true);
        let x = &x - mean(&x);
        let mut y = &x / (mean(&x.square()) + self.eps).sqrt();
        if let Some(w) = w {
            y *= w.unsqueeze(1);
        }
        if let Some(b) = b {
            y += b.unsqueeze(1);
        }
        y.reshape(shape)
    }
}

impl Op for BatchNorm {
    /// x, and a weight and a bias where there are any.
    type Inputs = Variadic;
    const NAME: &'static str = "batch_norm";
    const SAVES: &'static [Saves] = &[Saves::x(0).and(Saves::x(1)), Saves::x(0), Saves::NOTHING];
    fn infer(&self, all: Each<Self, In<'_>>) -> Result<Meta> {
        let x = all[0].shape;
        check_channels("batch_norm", x, all[1..].iter().map(|i| i.shape))?;
        same_floats("batch_norm", &all)?;
        Ok(all[0].with_shape(x))
    }
    fn forward(&self, x: Each<Self, Array>, y: &Meta, extra: &mut Extra) -> Array {
        let (w, b) = self.affine.split(&x);
        let seen = three(&x[0]);
        let [mean, var] = kernels::channel_stats(&seen);
        let inverse = |v: &f64| 1.0 / (v + self.eps).sqrt();
        let scale: Vec<f64> = var.to_vec::<f64>().iter().map(inverse).collect();
        let scale = Array::from_slice(&scale, var.shape());
        let of = |a: Option<&Array>, value: f64| {
            a.map_or_else(|| Array::fill(var.shape(), value, var.dtype()), Clone::clone)
        };
        let by = match w {
            Some(w) => scale_by(&scale, w),
            None => scale.clone(),
        };
        let out = kernels::channel_affine(&seen, &mean, &by, &of(b, 0.0)).reshape(&y.shape);
        extra.keep(mean.clone());
        extra.keep(scale.cast(mean.dtype()));
        let _ = self.seen.set([mean, var]);
        out
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> Each<Self, Option<Tensor>> {
        let affine = self.affine;
        let bias = affine.count() - 1;
        let only_bias = !(cx.wants(0) || affine.weight && cx.wants(1));
        if only_bias {
            let others: Vec<isize> = (0..dy.dim() as isize).filter(|d| *d != 1).collect();
            return in_order(affine, None, None, affine.bias.then(|| dy.sum_dim(others, false)));
        }
        if is_recording() {
            let all = inputs(cx, affine);
            let wants: Vec<bool> = (0..all.len()).map(|i| cx.wants(i)).collect();
            return recorded_grads(&all, &wants, &dy, |all| self.composite(all));
        }
        let x = cx.x(0).into_array();
        let w = (affine.weight && cx.wants(0)).then(|| cx.x(1).into_array());
        let (mean, scale) = (cx.extra(0), cx.extra(1));
        let [dx, dw, db] =
            kernels::channel_norm_backward(&three(&x), &three(&dy.into_array()), w.as_ref(), &mean, &scale);
        let dw = if affine.weight {
            cx.grad(1, || Tensor::constant(dw))
        } else {
            None
        };
        let db = if affine.bias {
            cx.grad(bias, || Tensor::constant(db))
        } else {
            None
        };
        in_order(
            affine,
            cx.grad(0, || Tensor::constant(dx.reshape(x.shape()))),
            dw,
            db,
        )
    }
    fn samples() -> Vec<Sample<Self>> {
        let op = |weight, bias| BatchNorm {
            eps: 1e-3,
            affine: Affine { weight, bias },
            seen: Arc::default(),
        };
        vec![
            Sample::new(
                op(true, true),
                vec![numbers(&[4, 3]), numbers(&[3]), numbers(&[3])],
            ),
            Sample::new(op(true, false), vec![numbers(&[2, 3, 2, 2]), numbers(&[3])]),
            Sample::new(op(false, false), vec![numbers(&[2, 2, 3])]),
        ]
    }
}

/// The product of two short vectors in f64.
fn scale_by(scale: &Array, w: &Array) -> Array {
    let product: Vec<f64> = scale
        .to_vec::<f64>()
        .iter()
        .zip(w.to_vec::<f64>())
        .map(|(s, w)| s * w)
        .collect();
    Array::from_slice(&product, scale.shape())
}

/// x `[n, channels, ..]` with each channel brought to mean 0 and variance 1, times `weight` plus `bias`.
///
/// When `training`, mean and variance are those of the batch, and move the running ones, where given, by the part
/// `momentum` (the variance without its bias); else the running ones are used.
///
/// # Panics
/// If shapes or dtypes do not fit; if there is only one value for each channel to train with; or if running statistics
/// are needed and missing.
#[track_caller]
pub fn batch_norm(
    x: &Tensor,
    running_mean: Option<&Tensor>,
    running_var: Option<&Tensor>,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    training: bool,
    momentum: f64,
    eps: f64,
) -> Tensor {
    const NAME: &str = "batch_norm";
    let shape = x.shape();
    if shape == [0] {
        // As PyTorch, which takes this one shape without channels.
        return x * 1.0;
    }
    let given = [running_mean, running_var, weight, bias].into_iter().flatten();
    ok(check_channels(NAME, &shape, given.map(Tensor::shape)));
    let wide = widened(x, [weight, bias]);
    if !training {
        let (Some(mean), Some(var)) = (running_mean, running_var) else {
            raise(Error::new(
                ErrorKind::Value,
                NAME,
                "running mean and variance are needed outside training",
            ))
        };
        return with_statistics(&wide, mean, var, weight, bias, eps).to(x.dtype());
    }
    let count = shape.numel().checked_div(shape[1]).unwrap_or(0);
    if count == 1 {
        let message = format!("an input of shape {shape} has only one value for each channel");
        raise(Error::new(ErrorKind::Value, NAME, message).note("its variance is zero: training needs more"));
    }
    let op = BatchNorm {
        eps,
        affine: Affine::of(weight, bias),
        seen: Arc::default(),
    };
    let seen = op.seen.clone();
    let y = op.apply([Some(&wide), weight, bias].into_iter().flatten().collect());
    if let Some([mean, var]) = seen.get() {
        if let Some(running) = running_mean {
            move_average(running, &Tensor::constant(mean.clone()), momentum);
        }
        if let Some(running) = running_var {
            let unbiased = Tensor::constant(var.clone()) * (count as f64 / (count as f64 - 1.0));
            move_average(running, &unbiased, momentum);
        }
    }
    y.to(x.dtype())
}

contract! { batch_norm: BatchNorm }
