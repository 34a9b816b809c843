//! Convolution over one to three dimensions, and transposed convolution. The three operations, [`Conv`] and its
//! gradients [`ConvInput`] and [`ConvWeight`], are closed under differentiation: the gradients of each are
//! the others, so derivatives of any order are convolutions again.

mod transpose;

pub use transpose::{ConvInput, conv_transpose1d, conv_transpose2d, conv_transpose3d};

use super::common::{Sizes, last, numbers, same_floats};
use super::pair::Pair;
use super::{contract, ok};
use crate::autograd::{Ctx, Precision};
use crate::op::{Complex, Each, Extra, Fixed, In, Many, Op, Sample, Saves, Variadic};
use crate::tensor::Tensor;
use smallvec::smallvec;
use wengert_array::kernels::{self, ConvSpec};
use wengert_array::{Array, Error, ErrorKind, Meta, Result, Shape};

/// Zeros around the input of a convolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Padding {
    /// So many on each side.
    By(Sizes),
    /// `"valid"`: none; `"same"`: as many as make the result as large as the input, where the stride is 1.
    Named(String),
}

impl<T: Into<Sizes>> From<T> for Padding {
    fn from(sizes: T) -> Padding {
        Padding::By(sizes.into())
    }
}
impl From<&str> for Padding {
    fn from(name: &str) -> Padding {
        Padding::Named(name.to_string())
    }
}

/// `y[n, o, i]` = `b[o]` + Σ `w[o, c, k]` `x[n, c, i·stride + k·dilation − before]`, over the channels c of o's group and the
/// places k of the kernel; x is zero outside. dx is [`ConvInput`], dw is [`ConvWeight`], and db = Σ dy.
#[derive(Clone, Debug)]
pub struct Conv {
    /// How far apart neighbouring positions are in the input; as many numbers as there are dimensions.
    pub stride: Vec<usize>,
    /// Zeros before the input.
    pub before: Vec<usize>,
    /// Zeros after the input; negative where its last elements are not read.
    pub after: Vec<isize>,
    /// How far apart neighbouring places of the kernel are.
    pub dilation: Vec<usize>,
    /// Into how many groups channels are divided.
    pub groups: usize,
}

/// A shape as kernels want it: [n, channels, d, h, w].
fn five(x: &Array) -> Array {
    let shape = x.shape();
    let ones = std::iter::repeat_n(1, 5 - shape.rank());
    x.reshape(
        shape[..2]
            .iter()
            .copied()
            .chain(ones)
            .chain(shape[2..].iter().copied())
            .collect::<Shape>(),
    )
}

fn three(sizes: &[usize], fill: usize) -> [usize; 3] {
    let mut all = [fill; 3];
    all[3 - sizes.len()..].copy_from_slice(sizes);
    all
}

fn joined(n: usize, channels: usize, sizes: &[usize]) -> Shape {
    [n, channels].iter().chain(sizes).copied().collect()
}

/// dy summed for each channel.
fn per_channel(dy: &Tensor) -> Tensor {
    let all: Vec<isize> = [0].into_iter().chain(2..dy.dim() as isize).collect();
    dy.sum_dim(all, false)
}

impl Conv {
    fn dims(&self) -> usize {
        self.stride.len()
    }

    fn spec(&self) -> ConvSpec {
        ConvSpec {
            stride: three(&self.stride, 1),
            before: three(&self.before, 0),
            dilation: three(&self.dilation, 1),
            groups: self.groups,
        }
    }

    fn named(&self, names: [&'static str; 3]) -> &'static str {
        names[self.dims() - 1]
    }

    /// The sizes of the result, for those of the input and the kernel.
    fn sizes(&self, op: &str, x: &[usize], kernel: &[usize]) -> Result<Vec<usize>> {
        let mut sizes = Vec::new();
        for d in 0..self.dims() {
            let padded = (x[d] + self.before[d]).saturating_add_signed(self.after[d]);
            let reach = self.dilation[d] * kernel[d].saturating_sub(1) + 1;
            if kernel[d] == 0 || reach > padded {
                let message = format!("a kernel of size {kernel:?} does not fit an input of size {x:?}");
                return Err(Error::new(ErrorKind::Shape, op, message).note(format!(
                    "in dimension {d} it reaches over {reach} elements, and the input has {padded} with its padding"
                )));
            }
            sizes.push((padded - reach) / self.stride[d] + 1);
        }
        Ok(sizes)
    }

    /// That x, of `channels`, is an input for weights of shape `w`.
    fn check(&self, op: &str, x: &Shape, w: &Shape, channels: usize, transposed: bool) -> Result<()> {
        let rank = self.dims() + 2;
        let wrong = |what: String| {
            let what = format!("cannot convolve {x} with a weight of shape {w}: {what}");
            Err(Error::new(ErrorKind::Shape, op, what))
        };
        if x.rank() != rank || w.rank() != rank {
            return wrong(format!("both need {rank} dimensions"));
        }
        if self.groups == 0 || !w[0].is_multiple_of(self.groups) {
            return wrong(format!(
                "{} groups do not divide its {} channels",
                self.groups, w[0]
            ));
        }
        if x[1] != channels {
            let rule = match (transposed, self.groups) {
                (true, _) => "the first size of the weight",
                (false, 1) => "the second size of the weight",
                _ => "the second size of the weight times the groups",
            };
            return wrong(format!(
                "the input has {} channels, and {rule} is {channels}",
                x[1]
            ));
        }
        Ok(())
    }
}

/// Each number on the side of the result meets the weights of its channel once.
fn flops(result: &Shape, weight: &Shape) -> u64 {
    2 * (result.numel() * weight[1..].iter().product::<usize>()) as u64
}

fn check_bias(op: &str, bias: Option<&In<'_>>, channels: usize) -> Result<()> {
    match bias {
        Some(b) if *b.shape != [channels] => {
            let message = format!("the bias has shape {}, and must be [{channels}]", b.shape);
            Err(Error::new(ErrorKind::Shape, op, message)
                .note("there is one number for each channel of the result"))
        }
        _ => Ok(()),
    }
}

fn some_conv(stride: usize, before: usize, after: usize, groups: usize, n: usize) -> Conv {
    Conv {
        stride: vec![stride; n],
        before: vec![before; n],
        after: vec![after as isize; n],
        dilation: vec![1; n],
        groups,
    }
}

/// Of complex numbers, and with a bias for each channel where there is one.
fn of_pairs(x: Many<Tensor>, f: impl Fn(Many<&Tensor>) -> Tensor) -> Tensor {
    let [a, b] = [&x[0], &x[1]].map(Pair::of);
    let y = a.product(&b, |a, b| f(smallvec![a, b])).into_tensor();
    match x.get(2) {
        Some(bias) => {
            let ones = vec![1; y.dim() - 2];
            y + bias.reshape([&[bias.numel()][..], &ones].concat())
        }
        None => y,
    }
}

impl Op for Conv {
    /// The input, the weight, and where there is one the bias.
    type Inputs = Variadic;
    const NAME: &'static str = "conv";
    const SAVES: &'static [Saves] = &[Saves::x(1), Saves::x(0), Saves::NOTHING];
    const PRECISION: Precision = Precision::Half;
    fn name(&self) -> &'static str {
        self.named(["conv1d", "conv2d", "conv3d"])
    }
    fn infer(&self, all: Each<Self, In<'_>>) -> Result<Meta> {
        let (x, w) = (all[0].shape, all[1].shape);
        let channels = w.get(1).copied().unwrap_or(0) * self.groups;
        self.check(self.name(), x, w, channels, false)?;
        check_bias(self.name(), all.get(2), w[0])?;
        same_floats(self.name(), &all)?;
        let sizes = self.sizes(self.name(), &x[2..], &w[2..])?;
        Ok(all[0].with_shape(joined(x[0], w[0], &sizes)))
    }
    fn forward(&self, x: Each<Self, Array>, y: &Meta, _: &mut Extra) -> Array {
        let size = three(&y.shape[2..], 1);
        kernels::conv(&five(&x[0]), &five(&x[1]), x.get(2), &self.spec(), size).reshape(&y.shape)
    }
    fn flops(&self, x: &[&Shape], y: &Meta) -> u64 {
        flops(&y.shape, x[1])
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> Each<Self, Option<Tensor>> {
        let n = self.dims();
        let dx = cx.grad(0, || {
            let back = ConvInput {
                conv: self.clone(),
                size: last(&cx.meta(0).shape, n),
            };
            back.apply([&dy, &cx.x(1)][..].into())
        });
        let dw = cx.grad(1, || {
            let back = ConvWeight {
                conv: self.clone(),
                kernel: last(&cx.meta(1).shape, n),
            };
            back.apply([&cx.x(0), &dy])
        });
        let mut grads = smallvec![dx, dw];
        if cx.inputs() == 3 {
            grads.push(cx.grad(2, || per_channel(&dy)));
        }
        grads
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Made(|op: &Self, x: Many<Tensor>| Some(of_pairs(x, |x| op.clone().apply(x))))
    }
    fn samples() -> Vec<Sample<Self>> {
        let bias = numbers(&[4]);
        vec![
            Sample::new(
                some_conv(1, 0, 0, 1, 1),
                vec![numbers(&[2, 2, 5]), numbers(&[3, 2, 3])],
            ),
            Sample::new(
                some_conv(2, 1, 1, 2, 2),
                vec![numbers(&[1, 4, 4, 5]), numbers(&[4, 2, 2, 3]), bias],
            ),
            Sample::new(
                some_conv(1, 0, 1, 3, 2),
                vec![numbers(&[1, 3, 2, 3]), numbers(&[3, 1, 2, 2]), numbers(&[3])],
            ),
            Sample::new(
                some_conv(2, 1, 0, 1, 3),
                vec![numbers(&[1, 1, 3, 2, 3]), numbers(&[2, 1, 2, 2, 1])],
            ),
            Sample::new(
                some_conv(1, 0, 0, 1, 1),
                vec![
                    Array::from_slice(&[1.0, 2.0, 3.0], [1, 1, 3]),
                    Array::from_slice(&[1.0, -2.0], [1, 1, 2]),
                ],
            )
            .gives([-3.0, -4.0]),
            Sample::new(
                some_conv(1, 1, 1, 1, 1),
                vec![numbers(&[0, 1, 3]), numbers(&[1, 1, 2])],
            )
            .gives([]),
        ]
    }
}

/// The transpose of [`Conv`] in its weight: dw for an input x and a gradient dy of the result. Its gradients are
/// a [`ConvInput`] and a [`Conv`] with the upstream gradient for a weight.
#[derive(Clone, Debug)]
pub struct ConvWeight {
    /// The convolution.
    pub conv: Conv,
    /// The sizes of its kernel.
    pub kernel: Vec<usize>,
}

impl Op for ConvWeight {
    type Inputs = Fixed<2>;
    const NAME: &'static str = "conv_weight";
    const SAVES: &'static [Saves] = &[Saves::x(1), Saves::x(0)];
    const PRECISION: Precision = Precision::Half;
    fn infer(&self, all: [In<'_>; 2]) -> Result<Meta> {
        let [x, dy] = all.map(|x| x.shape);
        let (rank, groups) = (self.kernel.len() + 2, self.conv.groups);
        if x.rank() != rank || dy.rank() != rank || x[0] != dy[0] || x[1] % groups != 0 || dy[1] % groups != 0
        {
            let message = format!("an input of shape {x} and a gradient of shape {dy} do not fit");
            return Err(Error::new(ErrorKind::Shape, Self::NAME, message));
        }
        same_floats(Self::NAME, &all)?;
        if self.conv.sizes(Self::NAME, &x[2..], &self.kernel)? != dy[2..] {
            let message = format!(
                "a gradient of shape {dy} is not that of an input {x} and a kernel {:?}",
                self.kernel
            );
            return Err(Error::new(ErrorKind::Shape, Self::NAME, message));
        }
        Ok(all[0].with_shape(joined(dy[1], x[1] / groups, &self.kernel)))
    }
    fn forward(&self, [x, dy]: [Array; 2], y: &Meta, _: &mut Extra) -> Array {
        let kernel = three(&self.kernel, 1);
        kernels::conv_weight(&five(&x), &five(&dy), &self.conv.spec(), kernel).reshape(&y.shape)
    }
    fn flops(&self, x: &[&Shape], y: &Meta) -> u64 {
        flops(x[1], &y.shape)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, g: Tensor) -> [Option<Tensor>; 2] {
        let dx = cx.grad(0, || {
            let size = last(&cx.meta(0).shape, self.kernel.len());
            ConvInput {
                conv: self.conv.clone(),
                size,
            }
            .apply([&cx.x(1), &g][..].into())
        });
        let ddy = cx.grad(1, || self.conv.clone().apply([&cx.x(0), &g][..].into()));
        [dx, ddy]
    }
    fn samples() -> Vec<Sample<Self>> {
        let weight = |conv: Conv, kernel: &[usize]| ConvWeight {
            conv,
            kernel: kernel.to_vec(),
        };
        vec![
            Sample::new(
                weight(some_conv(1, 0, 0, 1, 1), &[3]),
                [numbers(&[2, 2, 5]), numbers(&[2, 3, 3])],
            ),
            Sample::new(
                weight(some_conv(2, 1, 1, 2, 2), &[2, 3]),
                [numbers(&[1, 4, 4, 5]), numbers(&[1, 4, 3, 3])],
            ),
        ]
    }
}

/// x with a leading dimension where it has none, and whether it was put in.
fn batched(op: &str, x: &Tensor, n: usize) -> Result<(Tensor, bool)> {
    match x.dim() {
        rank if rank == n + 2 => Ok((x.clone(), false)),
        rank if rank == n + 1 => Ok((x.unsqueeze(0), true)),
        _ => {
            let message = format!("cannot convolve a tensor of shape {}", x.shape());
            let sizes = ["length", "height, width", "depth, height, width"][n - 1];
            Err(Error::new(ErrorKind::Shape, op, message)
                .note(format!("it must be [n, channels, {sizes}], or that without n")))
        }
    }
}

/// The shape of a weight, which has a size for each of `n` dimensions.
fn weight_shape(op: &str, weight: &Tensor, n: usize) -> Result<Shape> {
    let w = weight.shape();
    if w.rank() == n + 2 {
        return Ok(w);
    }
    let message = format!("a weight of shape {w} does not have {} dimensions", n + 2);
    Err(Error::new(ErrorKind::Shape, op, message))
}

#[track_caller]
fn conv(
    n: usize,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    [stride, dilation]: [Sizes; 2],
    padding: Padding,
    groups: usize,
) -> Tensor {
    let op = ["conv1d", "conv2d", "conv3d"][n - 1];
    let prepare = || {
        let (x, alone) = batched(op, x, n)?;
        let stride = stride.positive(op, "the stride", n)?;
        let dilation = dilation.positive(op, "the dilation", n)?;
        let (before, after) = match &padding {
            Padding::By(sizes) => {
                let each = sizes.each(op, "the padding", n)?;
                (each.clone(), each.iter().map(|p| *p as isize).collect())
            }
            Padding::Named(name) if name == "valid" => (vec![0; n], vec![0; n]),
            Padding::Named(name) if name == "same" => {
                if stride.iter().any(|s| *s != 1) {
                    let message = format!("padding \"same\" needs a stride of 1, and it is {stride:?}");
                    return Err(Error::new(ErrorKind::Value, op, message));
                }
                let w = weight_shape(op, weight, n)?;
                // Where the number of zeros is odd, the one more is after the input.
                let total: Vec<usize> = (0..n).map(|d| dilation[d] * w[d + 2].saturating_sub(1)).collect();
                (
                    total.iter().map(|t| t / 2).collect(),
                    total.iter().map(|t| (t - t / 2) as isize).collect(),
                )
            }
            Padding::Named(name) => {
                let message = format!("there is no padding {name:?}");
                return Err(
                    Error::new(ErrorKind::Value, op, message).note("it is numbers, \"same\" or \"valid\"")
                );
            }
        };
        Ok((
            x,
            alone,
            Conv {
                stride,
                before,
                after,
                dilation,
                groups,
            },
        ))
    };
    let (x, alone, conv) = ok(prepare());
    let inputs = [Some(&x), Some(weight), bias].into_iter().flatten().collect();
    let y = conv.apply(inputs);
    if alone { y.squeeze(0) } else { y }
}

macro_rules! convolutions {
    ($($n:literal $conv:ident $sizes:literal;)*) => {$(
        #[doc = concat!("The convolution (strictly, correlation) of x `[n, in, ", $sizes, "]` with a weight `[out, in / groups, ", $sizes, "]` and a bias `[out]`.")]
        ///
        /// Each size becomes `(size + 2 padding − dilation (kernel − 1) − 1) / stride + 1`, rounded down. `stride`,
        /// `padding` and `dilation` are one number, or one for each dimension; the padding may also be `"same"`
        /// or `"valid"`. x may lack its first dimension.
        ///
        /// # Panics
        /// If shapes or dtypes do not fit, or the kernel is larger than the padded input.
        #[track_caller]
        pub fn $conv(
            x: &Tensor,
            weight: &Tensor,
            bias: Option<&Tensor>,
            stride: impl Into<Sizes>,
            padding: impl Into<Padding>,
            dilation: impl Into<Sizes>,
            groups: usize,
        ) -> Tensor {
            conv($n, x, weight, bias, [stride.into(), dilation.into()], padding.into(), groups)
        }
    )*};
}
convolutions! {
    1 conv1d "length";
    2 conv2d "height, width";
    3 conv3d "depth, height, width";
}

contract! {
    conv: Conv,
    conv_weight: ConvWeight,
}
