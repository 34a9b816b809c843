//! Normalization: of rows (layer, RMS, group and instance norms) and of channels over a batch (batch norm).

use super::common::{last, numbers, recorded_grads, same_floats, scalar};
use super::interpolate::Resample;
use super::{contract, ok};
use crate::autograd::{Ctx, is_recording, no_grad};
use crate::op::{Each, Extra, In, Many, Op, Sample, Saves, Variadic};
use crate::tensor::Tensor;
use smallvec::smallvec;
use std::borrow::Borrow;
use std::sync::Arc;
use wengert_array::kernels::{self, LinearMap, Rows};
use wengert_array::{Array, DType, Error, ErrorKind, Meta, Result, Shape, raise};

/// What the inputs besides x are. An operation takes only those that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Affine {
    /// A weight, the second input.
    pub weight: bool,
    /// A bias, the last input.
    pub bias: bool,
}

impl Affine {
    pub(super) fn of(weight: Option<&Tensor>, bias: Option<&Tensor>) -> Affine {
        Affine {
            weight: weight.is_some(),
            bias: bias.is_some(),
        }
    }

    pub(super) fn count(self) -> usize {
        1 + usize::from(self.weight) + usize::from(self.bias)
    }

    pub(super) fn split<T>(self, all: &[T]) -> (Option<&T>, Option<&T>) {
        (
            all.get(1).filter(|_| self.weight),
            all.last().filter(|_| self.bias),
        )
    }
}

/// Gradients in the order of the inputs.
pub(super) fn in_order(
    affine: Affine,
    dx: Option<Tensor>,
    dw: Option<Tensor>,
    db: Option<Tensor>,
) -> Many<Option<Tensor>> {
    let mut grads = smallvec![dx];
    if affine.weight {
        grads.push(dw);
    }
    if affine.bias {
        grads.push(db);
    }
    grads
}

/// The inputs for a recorded backward pass; what was not saved does not matter there, and is anything.
pub(super) fn inputs<O: Op<Inputs = Variadic>>(cx: &Ctx<'_, O>, affine: Affine) -> Vec<Tensor> {
    let stand_in = |i: usize| Tensor::full_as(&cx.meta(i).shape, 1.0, cx.meta(i).dtype);
    let mut all = vec![cx.x(0)];
    if affine.weight {
        all.push(if cx.wants(0) { cx.x(1) } else { stand_in(1) });
    }
    if affine.bias {
        all.push(stand_in(affine.count() - 1));
    }
    all
}

/// y = w (x − mean) / √(variance + ε) + b for each row of n elements, with numbers w and b for each place in a row, or for
/// each channel of a group (Ba et al., 2016; Wu and He, 2018); without centering, y = w x / √(mean x² + ε) (Zhang and
/// Sennrich, 2019). With x̂ = y before w and b, and g = w dy: dx = (g − mean g − x̂ mean(g x̂)) / √(variance + ε),
/// dw = Σ dy x̂ and db = Σ dy over what shares them.
#[derive(Clone, Debug)]
pub struct NormRows {
    /// The name of the function that asked.
    pub name: &'static str,
    /// The rows, and which weight is for which element.
    pub rows: Rows,
    /// Which inputs there are.
    pub affine: Affine,
}

impl NormRows {
    fn weights(&self) -> usize {
        self.rows.groups * (self.rows.n / self.rows.inner.max(1))
    }

    /// The same in tensor operations.
    fn composite(&self, all: &[Tensor]) -> Tensor {
        let (w, b) = self.affine.split(all);
        let Rows {
            n,
            groups,
            inner,
            center,
            eps,
        } = self.rows;
        let shape = all[0].shape();
        let x = all[0].reshape([shape.numel() / (groups * n), groups, n / inner, inner]);
        let mean = |x: &Tensor| x.mean_dim([2, 3], true);
        let x = if center { &x - mean(&x) } else { x };
        let mut y = &x / (mean(&x.square()) + eps).sqrt();
        let seen = |w: &Tensor| w.reshape([groups, n / inner, 1]);
        if let Some(w) = w {
            y *= seen(w);
        }
        if let Some(b) = b {
            y += seen(b);
        }
        y.reshape(shape)
    }
}

impl Op for NormRows {
    /// x, and a weight and a bias where there are any.
    type Inputs = Variadic;
    const NAME: &'static str = "norm_rows";
    const SAVES: &'static [Saves] = &[Saves::x(0).and(Saves::x(1)), Saves::x(0), Saves::NOTHING];
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, all: Each<Self, In<'_>>) -> Result<Meta> {
        same_floats(self.name, &all)?;
        for other in &all[1..] {
            if other.shape.numel() != self.weights() {
                let message = format!(
                    "a weight or bias of shape {} does not have {} elements",
                    other.shape,
                    self.weights()
                );
                return Err(Error::new(ErrorKind::Shape, self.name, message));
            }
        }
        Ok(all[0].with_shape(all[0].shape))
    }
    fn forward(&self, x: Each<Self, Array>, _: &Meta, extra: &mut Extra) -> Array {
        let (w, b) = self.affine.split(&x);
        let [y, mean, scale] = kernels::norm_rows(&x[0], &self.rows, w, b);
        extra.keep(mean);
        extra.keep(scale);
        y
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> Each<Self, Option<Tensor>> {
        let affine = self.affine;
        let bias = affine.count() - 1;
        let only_bias = !(cx.wants(0) || affine.weight && cx.wants(1));
        if only_bias {
            let shape = [
                dy.numel() / (self.rows.groups * self.rows.n),
                self.weights(),
                self.rows.inner,
            ];
            let db = affine.bias.then(|| {
                dy.reshape(shape)
                    .sum_dim([0, 2], false)
                    .reshape(&cx.meta(bias).shape)
            });
            return in_order(affine, None, None, db);
        }
        if is_recording() {
            let all = inputs(cx, affine);
            let wants: Vec<bool> = (0..all.len()).map(|i| cx.wants(i)).collect();
            return recorded_grads(&all, &wants, &dy, |all| self.composite(all));
        }
        let x = cx.x(0).into_array();
        // Its own gradient does not depend on the weight, so any will do where x's is not wanted.
        let w = (affine.weight && cx.wants(0)).then(|| cx.x(1).into_array());
        let w = w.or_else(|| {
            affine
                .weight
                .then(|| Array::fill([self.weights()], 1.0, x.dtype()))
        });
        let (mean, scale) = (cx.extra(0), cx.extra(1));
        let [dx, dw, db] =
            kernels::norm_rows_backward(&x, &dy.into_array(), &self.rows, w.as_ref(), &mean, &scale);
        let seen = |i: usize, d: Array| cx.grad(i, || Tensor::constant(d.reshape(&cx.meta(i).shape)));
        let dw = if affine.weight { seen(1, dw) } else { None };
        let db = if affine.bias { seen(bias, db) } else { None };
        in_order(affine, cx.grad(0, || Tensor::constant(dx)), dw, db)
    }
    fn samples() -> Vec<Sample<Self>> {
        let op = |n, groups, inner, center, affine| NormRows {
            name: "norm_rows",
            rows: Rows {
                n,
                groups,
                inner,
                center,
                eps: 1e-3,
            },
            affine,
        };
        let both = Affine {
            weight: true,
            bias: true,
        };
        let weight = Affine {
            weight: true,
            bias: false,
        };
        vec![
            Sample::new(
                op(4, 1, 1, true, both),
                vec![numbers(&[3, 4]), numbers(&[4]), numbers(&[4])],
            ),
            Sample::new(
                op(6, 1, 1, false, weight),
                vec![numbers(&[2, 2, 3]), numbers(&[2, 3])],
            ),
            Sample::new(
                op(6, 2, 3, true, both),
                vec![numbers(&[2, 4, 3]), numbers(&[4]), numbers(&[4])],
            ),
        ]
    }
}

pub(super) fn check_channels(
    op: &str,
    x: &Shape,
    others: impl Iterator<Item = impl Borrow<Shape>>,
) -> Result<()> {
    if x.rank() < 2 {
        let message = format!("an input of shape {x} has no channels");
        return Err(Error::new(ErrorKind::Shape, op, message).note("it must be [n, channels, ..]"));
    }
    for other in others {
        let other = other.borrow();
        if *other != [x[1]] {
            let message = format!(
                "a vector of shape {other} does not fit the {} channels of an input of shape {x}",
                x[1]
            );
            return Err(Error::new(ErrorKind::Shape, op, message)
                .note("weight, bias and running statistics have one number for each channel"));
        }
    }
    Ok(())
}

/// y = (x − mean) w / √(var + ε) + b with given means and variances, in tensor operations.
#[track_caller]
pub(super) fn with_statistics(
    x: &Tensor,
    mean: &Tensor,
    var: &Tensor,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Tensor {
    let ones = vec![1; x.dim() - 2];
    let shape: Shape = [x.size(1)].into_iter().chain(ones).collect();
    let seen = |v: &Tensor| v.reshape(&shape);
    let scale = 1.0 / (var.detach().to(x.dtype()) + eps).sqrt();
    let scale = match weight {
        Some(w) => scale * w,
        None => scale,
    };
    let y = (x - seen(&mean.detach().to(x.dtype()))) * seen(&scale);
    match bias {
        Some(b) => y + seen(b),
        None => y,
    }
}

/// Moves running averages: r ← (1 − momentum) r + momentum · new.
pub(super) fn move_average(running: &Tensor, new: &Tensor, momentum: f64) {
    no_grad(|| running.copy_(&(running.detach() * (1.0 - momentum) + new.to(running.dtype()) * momentum)));
}

/// The trailing dimensions of x that `normalized` names.
fn trailing(op: &str, x: &Shape, normalized: &[usize], others: [Option<&Tensor>; 2]) -> Result<()> {
    let fits =
        !normalized.is_empty() && x.rank() >= normalized.len() && last(x, normalized.len()) == normalized;
    if !fits {
        let message = format!("an input of shape {x} does not end in the normalized shape {normalized:?}");
        return Err(Error::new(ErrorKind::Shape, op, message));
    }
    match others
        .into_iter()
        .flatten()
        .find(|o| o.shape().dims() != normalized)
    {
        Some(other) => {
            let message = format!(
                "a weight or bias of shape {} does not have the normalized shape {normalized:?}",
                other.shape()
            );
            Err(Error::new(ErrorKind::Shape, op, message))
        }
        None => Ok(()),
    }
}

/// An input of half precision in f32 where a parameter is, as in mixed precision: the norm is computed in f32 then, and
/// the result gets the input's dtype.
#[track_caller]
pub(super) fn widened(x: &Tensor, parameters: [Option<&Tensor>; 2]) -> Tensor {
    let full = |p: &&Tensor| p.dtype() == DType::F32;
    match x.dtype().is_half() && parameters.iter().flatten().any(full) {
        true => x.to(DType::F32),
        false => x.clone(),
    }
}

#[track_caller]
fn rows_of(
    name: &'static str,
    x: &Tensor,
    rows: Rows,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
) -> Tensor {
    if x.numel() == 0 {
        // Nothing to normalize; the gradients are empty, or zero.
        return x * 1.0;
    }
    let op = NormRows {
        name,
        rows,
        affine: Affine::of(weight, bias),
    };
    let wide = widened(x, [weight, bias]);
    let y = op.apply([Some(&wide), weight, bias].into_iter().flatten().collect());
    y.to(x.dtype())
}

/// x with its last dimensions, of `normalized_shape`, brought to mean 0 and variance 1, times `weight` plus `bias` of that
/// shape (Ba et al., 2016).
///
/// # Panics
/// If shapes or dtypes do not fit.
#[track_caller]
pub fn layer_norm(
    x: &Tensor,
    normalized_shape: &[usize],
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Tensor {
    ok(trailing(
        "layer_norm",
        &x.shape(),
        normalized_shape,
        [weight, bias],
    ));
    let n = normalized_shape.iter().product();
    rows_of(
        "layer_norm",
        x,
        Rows {
            n,
            groups: 1,
            inner: 1,
            center: true,
            eps,
        },
        weight,
        bias,
    )
}

/// x divided by √(mean x² + ε) over its last dimensions, of `normalized_shape`, times `weight` of that shape (Zhang and
/// Sennrich, 2019). ε is the smallest step above 1 of the dtype unless given.
///
/// # Panics
/// If shapes or dtypes do not fit.
#[track_caller]
pub fn rms_norm(x: &Tensor, normalized_shape: &[usize], weight: Option<&Tensor>, eps: Option<f64>) -> Tensor {
    ok(trailing("rms_norm", &x.shape(), normalized_shape, [weight, None]));
    let n = normalized_shape.iter().product();
    let eps = eps.unwrap_or(match x.dtype() {
        DType::F64 => f64::EPSILON,
        // Half precision is computed in f32, and so is its ε.
        _ => f64::from(f32::EPSILON),
    });
    rows_of(
        "rms_norm",
        x,
        Rows {
            n,
            groups: 1,
            inner: 1,
            center: false,
            eps,
        },
        weight,
        None,
    )
}

#[track_caller]
fn grouped(
    name: &'static str,
    x: &Tensor,
    groups: usize,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Tensor {
    let shape = x.shape();
    ok(check_channels(
        name,
        &shape,
        [weight, bias].into_iter().flatten().map(Tensor::shape),
    ));
    if groups == 0 || !shape[1].is_multiple_of(groups) {
        let message = format!(
            "{groups} groups do not divide the {} channels of an input of shape {shape}",
            shape[1]
        );
        raise(Error::new(ErrorKind::Value, name, message));
    }
    let inner: usize = shape[2..].iter().product();
    let rows = Rows {
        n: shape[1] / groups * inner,
        groups,
        inner,
        center: true,
        eps,
    };
    rows_of(name, x, rows, weight, bias)
}

/// x `[n, channels, ..]` with the channels of each of `num_groups` groups together brought to mean 0 and variance 1, times
/// `weight` plus `bias` `[channels]` (Wu and He, 2018).
///
/// # Panics
/// If shapes or dtypes do not fit, or the groups do not divide the channels.
#[track_caller]
pub fn group_norm(
    x: &Tensor,
    num_groups: usize,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Tensor {
    grouped("group_norm", x, num_groups, weight, bias, eps)
}

/// x `[n, channels, ..]` with each channel of each example brought to mean 0 and variance 1, times `weight` plus `bias`
/// `[channels]` (Ulyanov et al., 2016). Running statistics, where given, are averages over the examples; without
/// `use_input_stats` they are used instead.
///
/// # Panics
/// If shapes or dtypes do not fit, a channel has only one value, or running statistics are needed and missing.
#[track_caller]
pub fn instance_norm(
    x: &Tensor,
    running_mean: Option<&Tensor>,
    running_var: Option<&Tensor>,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    use_input_stats: bool,
    momentum: f64,
    eps: f64,
) -> Tensor {
    const NAME: &str = "instance_norm";
    let shape = x.shape();
    let given = [running_mean, running_var, weight, bias].into_iter().flatten();
    ok(check_channels(NAME, &shape, given.map(Tensor::shape)));
    if !use_input_stats {
        let (Some(mean), Some(var)) = (running_mean, running_var) else {
            raise(Error::new(
                ErrorKind::Value,
                NAME,
                "running mean and variance are needed without those of the input",
            ))
        };
        return with_statistics(x, mean, var, weight, bias, eps);
    }
    let inner: usize = shape[2..].iter().product();
    if inner == 1 {
        let message = format!("an input of shape {shape} has only one value for each channel");
        raise(Error::new(ErrorKind::Value, NAME, message).note("its variance is zero"));
    }
    if (running_mean.is_some() || running_var.is_some()) && x.numel() > 0 {
        no_grad(|| {
            let seen = x.detach().reshape([shape[0], shape[1], inner]);
            let mean = seen.mean_dim(2, true);
            let var = (&seen - &mean).square().sum_dim(2, false) / (inner as f64 - 1.0);
            if let Some(running) = running_mean {
                move_average(running, &mean.squeeze(2).mean_dim(0, false), momentum);
            }
            if let Some(running) = running_var {
                move_average(running, &var.mean_dim(0, false), momentum);
            }
        });
    }
    grouped(NAME, x, shape[1], weight, bias, eps)
}

/// x `[n, channels, ..]` divided by (k + α/size Σ x²)^β, the sum over `size` neighbouring channels (Krizhevsky et al., 2012).
///
/// # Panics
/// If x has fewer than three dimensions, or `size` is zero.
#[track_caller]
pub fn local_response_norm(x: &Tensor, size: usize, alpha: f64, beta: f64, k: f64) -> Tensor {
    const NAME: &str = "local_response_norm";
    if x.dim() < 3 {
        let message = format!("an input of shape {} has fewer than three dimensions", x.shape());
        raise(Error::new(ErrorKind::Shape, NAME, message));
    }
    if size == 0 {
        raise(Error::new(ErrorKind::Value, NAME, "the size must not be zero"));
    }
    if x.numel() == 0 {
        return x * 1.0;
    }
    let channels = x.size(1);
    let window = |c: usize| {
        let (from, to) = (
            (c + 1).saturating_sub(size / 2 + 1),
            (c + (size - 1) / 2 + 1).min(channels),
        );
        (from..to).map(|i| (i, 1.0 / size as f64)).collect::<Vec<_>>()
    };
    let map = LinearMap::new(channels, (0..channels).map(window));
    let mean = Resample {
        name: NAME,
        maps: vec![(1, Arc::new(map))],
    }
    .apply([&x.square()]);
    x / (mean * alpha + scalar(k, x.dtype())).powf(beta)
}

contract! {
    norm_rows: NormRows,
}
