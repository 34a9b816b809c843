//! Softmax and its logarithm.

use super::{axis, contract, ok};
use crate::autograd::{Ctx, is_recording};
use crate::op::{Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::{Array, DType, Error, ErrorKind, Meta, Result, Shape, kernels, raise};

/// y = e^x / Σ e^x along a dimension, dx = y (dy − Σ dy y); or its logarithm y = x − ln Σ e^x, dx = dy − e^y Σ dy.
#[derive(Clone, Debug)]
pub struct Softmax {
    /// Along which dimension.
    pub dim: isize,
    /// Its logarithm.
    pub log: bool,
}

impl Softmax {
    /// A 0-d tensor is one row of one number.
    fn axis(&self, rank: usize) -> Result<usize> {
        axis(self.name(), self.dim, rank.max(1))
    }
}

fn as_row(x: Array) -> Array {
    if x.rank() == 0 { x.unsqueeze(0) } else { x }
}

impl Op for Softmax {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "softmax";
    const SAVES: &'static [Saves] = &[Saves::Y];
    fn name(&self) -> &'static str {
        if self.log { "log_softmax" } else { "softmax" }
    }
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        self.axis(x.shape.rank())?;
        if !x.dtype.is_float() {
            let message = format!("a tensor of dtype {} has none", x.dtype);
            return Err(Error::new(ErrorKind::DType, self.name(), message)
                .note("exponentials are fractions, which only floating-point dtypes hold")
                .help("convert it first: `.to(DType::F32)`, in Python `dtype=`"));
        }
        Ok(x.with_shape(x.shape))
    }
    fn forward(&self, [x]: [Array; 1], y: &Meta, _: &mut Extra) -> Array {
        let d = self.axis(x.rank()).expect("infer has checked it");
        kernels::softmax(&as_row(x.cast(y.dtype)), d, self.log).reshape(&y.shape)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let y = cx.y();
        if !is_recording() {
            let d = self.axis(y.dim()).expect("infer has checked it");
            let shape = cx.output().shape.clone();
            let dx =
                kernels::softmax_backward(&as_row(y.into_array()), &as_row(dy.into_array()), d, self.log);
            return [Some(Tensor::constant(dx.reshape(&shape)))];
        }
        let sum = |t: Tensor| {
            if t.dim() == 0 {
                t
            } else {
                t.sum_dim(self.dim, true)
            }
        };
        let dx = if self.log {
            &dy - y.exp() * sum(dy.clone())
        } else {
            &y * (&dy - sum(&dy * &y))
        };
        [Some(dx)]
    }
    fn samples() -> Vec<Sample<Self>> {
        let x = || Array::from_slice(&[0.5, -1.0, 2.0, 3.0, -0.25, 1.5], [2, 3]);
        let mut samples = Vec::new();
        for log in [false, true] {
            samples.extend([0, -1].map(|dim| Sample::new(Softmax { dim, log }, [x()])));
            samples.push(Sample::new(Softmax { dim: 0, log }, [Array::scalar(2.0)]));
            samples
                .push(Sample::new(Softmax { dim: 1, log }, [Array::full([2, 0], 0.0, DType::F64)]).gives([]));
        }
        let ln3 = 3f64.ln();
        let known = Array::from_slice(&[0.0, ln3], [2]);
        samples.push(Sample::new(Softmax { dim: 0, log: false }, [known]).gives([0.25, 0.75]));
        samples
    }
}

impl Tensor {
    /// `e^x / Σ e^x` along `dim`: numbers above zero that sum to one.
    #[track_caller]
    pub fn softmax(&self, dim: isize) -> Tensor {
        Softmax { dim, log: false }.apply([self])
    }

    /// The logarithm of [`softmax`](Tensor::softmax), which does not lose what underflows there.
    #[track_caller]
    pub fn log_softmax(&self, dim: isize) -> Tensor {
        Softmax { dim, log: true }.apply([self])
    }
}

impl Tensor {
    /// The softmax of −x: the smallest number gets the most.
    #[track_caller]
    pub fn softmin(&self, dim: isize) -> Tensor {
        (-self).softmax(dim)
    }
}

/// A random choice made differentiable: the softmax of (x + Gumbel noise) / τ along `dim` (Jang et al., 2017). When `hard`, the
/// result is one-hot, and its gradient that of the softmax.
///
/// # Panics
/// If τ is not positive, or there is no such dimension.
#[track_caller]
pub fn gumbel_softmax(logits: &Tensor, tau: f64, hard: bool, dim: isize) -> Tensor {
    if tau.is_nan() || tau <= 0.0 {
        let message = format!("the temperature must be positive, and is {tau}");
        raise(Error::new(ErrorKind::Value, "gumbel_softmax", message));
    }
    let shape = logits.shape();
    // Uniform in (0, 1]: its logarithm is never infinite.
    let uniform = crate::random::with_generator(|g| g.uniform(&shape, 0.0, 1.0, DType::F64));
    let noise = -(-(1.0 - Tensor::constant(uniform)).log() + f64::MIN_POSITIVE).log();
    let soft = ((logits + noise.to(logits.dtype())) / tau).softmax(dim);
    if !hard || soft.dim() == 0 || soft.numel() == 0 {
        return soft;
    }
    let d = ok(axis("gumbel_softmax", dim, soft.dim()));
    let top = soft.detach().argmax_dim(dim, true);
    let count = soft.size(dim);
    let seen: Shape = (0..soft.dim()).map(|k| if k == d { count } else { 1 }).collect();
    let one = Tensor::arange(0, count as i64)
        .reshape(seen)
        .eq(&top)
        .to(soft.dtype());
    one - soft.detach() + soft
}

contract! { softmax: Softmax }
