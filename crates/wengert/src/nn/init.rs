//! First values of weights, as `torch.nn.init`.
//!
//! Functions write to a leaf in place. Those that look at how many inputs and outputs a weight has take PyTorch's
//! layout, `[out, in, ..]`; for a [`Linear`], or a part of a model that lies the other way round, they know better:
//!
//! ```
//! use wengert::nn::{Linear, init};
//!
//! let layer = Linear::new(100, 50);
//! init::kaiming_normal_(&layer, init::Fan::In, "relu", 0.0);
//! init::zeros_(&layer.b);
//! ```

use super::linear::Linear;
use super::module::Part;
use crate::tensor::Tensor;
use crate::with_generator;
use wengert_array::{Array, DType, Error, ErrorKind, Shape, raise};

/// A weight and how it lies.
#[derive(Clone, Copy)]
pub struct Weight<'a> {
    tensor: &'a Tensor,
    transposed: bool,
}

impl<'a> From<&'a Tensor> for Weight<'a> {
    fn from(tensor: &'a Tensor) -> Weight<'a> {
        let transposed = false;
        Weight { tensor, transposed }
    }
}

impl<'a> From<&'a Linear> for Weight<'a> {
    fn from(layer: &'a Linear) -> Weight<'a> {
        Weight {
            tensor: &layer.W,
            transposed: true,
        }
    }
}

impl<'a> TryFrom<Part<'a>> for Weight<'a> {
    type Error = Error;
    /// # Errors
    /// If the part is no parameter.
    fn try_from(part: Part<'a>) -> Result<Weight<'a>, Error> {
        match part {
            Part::Parameter(tensor) => Ok(Weight {
                tensor,
                transposed: false,
            }),
            Part::Transposed(tensor) => Ok(Weight {
                tensor,
                transposed: true,
            }),
            _ => Err(Error::new(ErrorKind::Value, "init", "this part is no parameter")),
        }
    }
}

impl Weight<'_> {
    /// The shape in PyTorch's layout.
    fn shape(&self) -> Shape {
        let shape = self.tensor.shape();
        if self.transposed {
            shape.iter().rev().copied().collect()
        } else {
            shape
        }
    }

    /// Writes values given in PyTorch's layout.
    fn set(&self, value: Array) {
        let value = if self.transposed {
            value.transpose(0, 1)
        } else {
            value
        };
        let dtype = self.tensor.dtype();
        self.tensor
            .update(|_| wengert_array::kernels::copy(&value.cast(dtype)));
    }

    /// How many inputs each output has, and how many outputs each input.
    #[track_caller]
    fn fans(&self, op: &str) -> (usize, usize) {
        let shape = self.shape();
        if shape.rank() < 2 {
            let message = format!("a tensor of shape {shape} has no inputs and outputs");
            raise(Error::new(ErrorKind::Shape, op, message).note("it needs two dimensions or more"));
        }
        let field: usize = shape[2..].iter().product();
        (shape[1] * field, shape[0] * field)
    }
}

/// What a layer with this activation should multiply its weights by: `"linear"`, `"sigmoid"`, `"tanh"`, `"relu"`,
/// `"leaky_relu"` (of this negative slope; PyTorch's default is 0.01), `"selu"`, or a convolution's name.
///
/// # Panics
/// If there is no such name.
#[track_caller]
pub fn calculate_gain(nonlinearity: &str, slope: f64) -> f64 {
    match nonlinearity {
        "linear" | "conv1d" | "conv2d" | "conv3d" | "conv_transpose1d" | "conv_transpose2d"
        | "conv_transpose3d" | "sigmoid" => 1.0,
        "tanh" => 5.0 / 3.0,
        "relu" => 2f64.sqrt(),
        "leaky_relu" => (2.0 / (1.0 + slope * slope)).sqrt(),
        "selu" => 0.75,
        other => raise(
            Error::new(
                ErrorKind::Value,
                "calculate_gain",
                format!("there is no nonlinearity `{other}`"),
            )
            .note("there are linear, sigmoid, tanh, relu, leaky_relu, selu, conv1d to conv_transpose3d"),
        ),
    }
}

/// Which count keeps its variance in Kaiming's initialisation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fan {
    /// The inputs: values keep their size on the way forward.
    #[default]
    In,
    /// The outputs: gradients keep theirs on the way back.
    Out,
}

fn uniform(w: Weight<'_>, low: f64, high: f64) {
    w.set(with_generator(|g| g.uniform(&w.shape(), low, high, wide(w))));
}

fn normal(w: Weight<'_>, mean: f64, std: f64) {
    w.set(with_generator(|g| g.normal(&w.shape(), mean, std, wide(w))));
}

/// Half precision is drawn in f32 and rounded.
fn wide(w: Weight<'_>) -> DType {
    if w.tensor.dtype() == DType::F64 {
        DType::F64
    } else {
        DType::F32
    }
}

/// Uniform in [`low`, `high`); PyTorch's defaults are 0 and 1.
#[track_caller]
pub fn uniform_<'a>(w: impl Into<Weight<'a>>, low: f64, high: f64) {
    uniform(w.into(), low, high);
}

/// Normal with this mean and standard deviation; PyTorch's defaults are 0 and 1.
#[track_caller]
pub fn normal_<'a>(w: impl Into<Weight<'a>>, mean: f64, std: f64) {
    normal(w.into(), mean, std);
}

/// Normal, but drawn again where outside [`low`, `high`]; PyTorch's defaults are mean 0, deviation 1, and ±2.
///
/// # Panics
/// If the range is empty or more than 8 deviations from the mean.
#[track_caller]
pub fn trunc_normal_<'a>(w: impl Into<Weight<'a>>, mean: f64, std: f64, low: f64, high: f64) {
    let w = w.into();
    let nearest = mean.clamp(low.min(high), high.max(low));
    if low.is_nan() || high.is_nan() || low >= high || (nearest - mean).abs() > 8.0 * std {
        let message =
            format!("nothing of a normal distribution of {mean} ± {std} lies between {low} and {high}");
        raise(Error::new(ErrorKind::Value, "trunc_normal_", message));
    }
    let n = w.tensor.numel();
    let mut values: Vec<f64> = Vec::with_capacity(n);
    while values.len() < n {
        let draw =
            with_generator(|g| g.normal(&Shape::new(&[(n - values.len()).max(64)]), mean, std, DType::F64));
        values.extend(
            draw.as_slice::<f64>()
                .iter()
                .filter(|v| (low..=high).contains(*v)),
        );
    }
    values.truncate(n);
    w.set(Array::from_slice(&values, w.shape()));
}

/// Every number `value`.
#[track_caller]
pub fn constant_<'a>(w: impl Into<Weight<'a>>, value: f64) {
    let w = w.into();
    w.set(Array::full(w.shape(), value, DType::F64));
}

/// Zeros.
#[track_caller]
pub fn zeros_<'a>(w: impl Into<Weight<'a>>) {
    constant_(w, 0.0);
}

/// Ones.
#[track_caller]
pub fn ones_<'a>(w: impl Into<Weight<'a>>) {
    constant_(w, 1.0);
}

/// Xavier's uniform: ±gain √(6 / (inputs + outputs)).
///
/// Source: Glorot and Bengio, Understanding the Difficulty of Training Deep Feedforward Neural Networks, 2010.
///
/// # Panics
/// If there are fewer than two dimensions.
#[track_caller]
pub fn xavier_uniform_<'a>(w: impl Into<Weight<'a>>, gain: f64) {
    let w = w.into();
    let (inputs, outputs) = w.fans("xavier_uniform_");
    let bound = gain * (6.0 / (inputs + outputs) as f64).sqrt();
    uniform(w, -bound, bound);
}

/// Xavier's normal: deviation gain √(2 / (inputs + outputs)). See [`xavier_uniform_`].
///
/// # Panics
/// If there are fewer than two dimensions.
#[track_caller]
pub fn xavier_normal_<'a>(w: impl Into<Weight<'a>>, gain: f64) {
    let w = w.into();
    let (inputs, outputs) = w.fans("xavier_normal_");
    normal(w, 0.0, gain * (2.0 / (inputs + outputs) as f64).sqrt());
}

/// Kaiming's uniform: ±gain √(3 / inputs). PyTorch's defaults are `Fan::In`, `"leaky_relu"` and a slope of 0.
///
/// Source: He et al., Delving Deep into Rectifiers, 2015.
///
/// # Panics
/// If there are fewer than two dimensions, or no such nonlinearity.
#[track_caller]
pub fn kaiming_uniform_<'a>(w: impl Into<Weight<'a>>, fan: Fan, nonlinearity: &str, slope: f64) {
    let w = w.into();
    let (inputs, outputs) = w.fans("kaiming_uniform_");
    let n = if fan == Fan::In { inputs } else { outputs };
    let bound = calculate_gain(nonlinearity, slope) * (3.0 / n as f64).sqrt();
    uniform(w, -bound, bound);
}

/// Kaiming's normal: deviation gain / √inputs. See [`kaiming_uniform_`].
///
/// # Panics
/// If there are fewer than two dimensions, or no such nonlinearity.
#[track_caller]
pub fn kaiming_normal_<'a>(w: impl Into<Weight<'a>>, fan: Fan, nonlinearity: &str, slope: f64) {
    let w = w.into();
    let (inputs, outputs) = w.fans("kaiming_normal_");
    let n = if fan == Fan::In { inputs } else { outputs };
    normal(w, 0.0, calculate_gain(nonlinearity, slope) / (n as f64).sqrt());
}

/// A (semi-)orthogonal matrix times `gain`; further dimensions count as columns.
///
/// Source: Saxe, McClelland and Ganguli, Exact solutions to the nonlinear dynamics of learning in deep linear neural
/// networks, 2013.
///
/// # Panics
/// If there are fewer than two dimensions.
#[track_caller]
pub fn orthogonal_<'a>(w: impl Into<Weight<'a>>, gain: f64) {
    let w = w.into();
    w.fans("orthogonal_");
    let shape = w.shape();
    let (rows, columns) = (shape[0], shape[1..].iter().product::<usize>());
    let (n, length) = (rows.min(columns), rows.max(columns));
    let draw = with_generator(|g| g.normal(&Shape::new(&[n * length]), 0.0, 1.0, DType::F64));
    let mut vectors: Vec<Vec<f64>> = draw
        .as_slice::<f64>()
        .chunks(length.max(1))
        .map(<[f64]>::to_vec)
        .collect();
    for i in 0..vectors.len() {
        let (before, rest) = vectors.split_at_mut(i);
        let v = &mut rest[0];
        // Gram and Schmidt, twice: once is not orthogonal to rounding.
        for _ in 0..2 {
            for u in before.iter() {
                let along: f64 = u.iter().zip(v.iter()).map(|(u, v)| u * v).sum();
                v.iter_mut().zip(u).for_each(|(v, u)| *v -= along * u);
            }
        }
        let norm = v.iter().map(|v| v * v).sum::<f64>().sqrt();
        v.iter_mut().for_each(|v| *v /= norm);
    }
    let at = |r: usize, c: usize| {
        if rows <= columns {
            vectors[r][c]
        } else {
            vectors[c][r]
        }
    };
    let values: Vec<f64> = (0..rows * columns)
        .map(|i| gain * at(i / columns, i % columns))
        .collect();
    w.set(Array::from_slice(&values, shape));
}

/// Normal, but in each column this share of zeros; PyTorch's default deviation is 0.01.
///
/// Source: Martens, Deep learning via Hessian-free optimization, 2010.
///
/// # Panics
/// If it is no matrix.
#[track_caller]
pub fn sparse_<'a>(w: impl Into<Weight<'a>>, sparsity: f64, std: f64) {
    let w = w.into();
    let shape = matrix("sparse_", w);
    let (rows, columns) = (shape[0], shape[1]);
    let zeros = ((sparsity * rows as f64).ceil() as usize).min(rows);
    let mut values = with_generator(|g| g.normal(&shape, 0.0, std, DType::F64)).to_vec::<f64>();
    for c in 0..columns {
        let order = with_generator(|g| g.permutation(rows));
        order.as_slice::<i64>()[..zeros]
            .iter()
            .for_each(|r| values[*r as usize * columns + c] = 0.0);
    }
    w.set(Array::from_slice(&values, shape));
}

/// The identity.
///
/// # Panics
/// If it is no matrix.
#[track_caller]
pub fn eye_<'a>(w: impl Into<Weight<'a>>) {
    let w = w.into();
    let shape = matrix("eye_", w);
    let columns = shape[1];
    let value = |i: usize| f64::from(u8::from(i / columns == i % columns));
    w.set(Array::from_slice(
        &(0..shape.numel()).map(value).collect::<Vec<_>>(),
        shape,
    ));
}

/// What makes a convolution pass its input on: 1 in the middle of the kernel between channels of the same number.
///
/// # Panics
/// If there are not three to five dimensions, or the groups do not divide the outputs.
#[track_caller]
pub fn dirac_<'a>(w: impl Into<Weight<'a>>, groups: usize) {
    let w = w.into();
    let shape = w.shape();
    if !(3..=5).contains(&shape.rank()) || groups == 0 || !shape[0].is_multiple_of(groups) {
        let message = format!(
            "needs the weight of a convolution whose outputs {groups} divides, and got shape {shape}"
        );
        raise(Error::new(ErrorKind::Shape, "dirac_", message));
    }
    let field: usize = shape[2..].iter().product();
    let middle = shape[2..].iter().fold(0, |at, size| at * size + size / 2);
    let each = shape[0] / groups;
    let mut values = vec![0.0; shape.numel()];
    for g in 0..groups {
        for d in 0..each.min(shape[1]) {
            values[((g * each + d) * shape[1] + d) * field + middle] = 1.0;
        }
    }
    w.set(Array::from_slice(&values, shape));
}

#[track_caller]
fn matrix(op: &str, w: Weight<'_>) -> Shape {
    let shape = w.shape();
    if shape.rank() != 2 {
        raise(Error::new(
            ErrorKind::Shape,
            op,
            format!("needs a matrix, and got shape {shape}"),
        ));
    }
    shape
}
