//! Sampling an image at any places. The three operations, `GridSample`, `GridBack` and `GridSlope`, are closed under
//! differentiation: gradients for places are the same sums with the weights' derivatives.

use super::common::numbers;
use super::pointwise::{Map, Pointwise};
use super::rule::{Rule, contract_rules};
use super::{contract, ok, stack};
use crate::autograd::autocast::bring;
use crate::autograd::{Ctx, Precision};
use crate::op::{Each, Extra, In, Many, Op, Sample, Saves, Variadic};
use crate::tensor::Tensor;
use smallvec::smallvec;
use wengert_array::kernels::{self, Interpolation, Outside, Sampling};
use wengert_array::real::Real;
use wengert_array::{Array, Error, ErrorKind, Meta, Result, Shape, raise};

/// The place in a line of n elements that −1..1 stands for, brought inside.
#[derive(Debug, Clone)]
struct Place {
    n: usize,
    align: bool,
    outside: Outside,
}

impl Pointwise<1> for Place {
    const NAME: &'static str = "grid_place";
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        let (n, half) = (self.n as f64, S::lit(0.5));
        let place = match self.align {
            true => (x + S::ONE) * S::lit((n - 1.0) / 2.0),
            false => ((x + S::ONE) * S::lit(n) - S::ONE) * half,
        };
        self.outside.bring(place, self.n, self.align)
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        let of = |outside, align| {
            let x = Array::from_slice(&[0.3, -0.72, 1.4, -1.9, 2.6, -4.1], [2, 3]);
            Sample::new(Map(Place { n: 5, align, outside }), [x])
        };
        vec![
            of(Outside::Zeros, false),
            of(Outside::Border, true),
            of(Outside::Reflection, false),
            of(Outside::Reflection, true),
        ]
    }
}

/// `y[n, c, m] = Σ Π wᵈ(pᵈ[n, m]) x[n, c, …]` over the neighbours of place m, of each dimension d, with weights that are polynomials
/// between elements. dx is [`GridBack`]; dp is [`GridSlope`].
#[derive(Clone, Debug)]
struct GridSample(Sampling);

impl GridSample {
    /// With the weights of dimension d differentiated once more.
    fn steeper(&self, d: usize) -> GridSample {
        GridSample(self.0.steeper(d))
    }

    fn dims(&self) -> usize {
        self.0.order.len()
    }

    /// The places among an operation's inputs, which follow `first` others.
    fn places<O: Op<Inputs = Variadic>>(&self, cx: &Ctx<'_, O>, first: usize) -> Vec<Tensor> {
        (first..cx.inputs()).map(|i| cx.x(i)).collect()
    }

    /// All places, which follow `first` other inputs.
    fn saved(&self, first: usize) -> Saves {
        (0..self.dims()).fold(Saves::NOTHING, |all, d| all.and(Saves::x(first + d)))
    }

    /// The gradients for the places, inputs of `cx` that follow another.
    fn slopes<O: Op<Inputs = Variadic>>(
        &self,
        cx: &Ctx<'_, O>,
        of: impl Fn() -> [Tensor; 2],
        places: &[Tensor],
    ) -> Vec<Option<Tensor>> {
        if !(0..self.dims()).any(|d| cx.wants(1 + d)) {
            return vec![None; self.dims()];
        }
        let [dy, x] = of();
        let all = GridSlope(self.clone()).apply(with(&[&dy, &x], places));
        (0..self.dims())
            .map(|d| cx.grad(1 + d, || all.select(0, d as isize)))
            .collect()
    }
}

fn with<'a>(first: &[&'a Tensor], places: &'a [Tensor]) -> Many<&'a Tensor> {
    first.iter().copied().chain(places).collect()
}

impl Op for GridSample {
    /// x `[n, c, sizes]`, and the places `[n, m]` of each dimension.
    type Inputs = Variadic;
    const NAME: &'static str = "grid_sample";
    const SAVES: &'static [Saves] = &[];
    fn infer(&self, all: Each<Self, In<'_>>) -> Result<Meta> {
        let (x, places) = (all[0].shape, all[1].shape);
        Ok(all[0].with_shape([x[0], x[1], places[1]]))
    }
    fn forward(&self, x: Each<Self, Array>, _: &Meta, _: &mut Extra) -> Array {
        kernels::grid_sample(&x[0], &x[1..], &self.0)
    }
    fn saves(&self, i: usize) -> Saves {
        match i {
            0 => self.saved(1),
            _ => self.saved(1).and(Saves::x(0)),
        }
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> Each<Self, Option<Tensor>> {
        let places = self.places(cx, 1);
        let dx = cx.grad(0, || {
            let sizes = cx.meta(0).shape[2..].to_vec();
            GridBack(self.clone(), sizes).apply(with(&[&dy], &places))
        });
        let mut grads = smallvec![dx];
        grads.extend(self.slopes(cx, || [dy.clone(), cx.x(0)], &places));
        grads
    }
    fn samples() -> Vec<Sample<Self>> {
        samples(|op, x, _, places| Sample::new(op, [&[x][..], &places].concat()))
    }
}

/// The transpose of [`GridSample`] in x: dx of these sizes from dy `[n, c, m]` and the places. ddy is the gradient, sampled;
/// dpᵈ is [`GridSlope`] of dy and the gradient.
#[derive(Clone, Debug)]
struct GridBack(GridSample, Vec<usize>);

impl Op for GridBack {
    /// dy `[n, c, m]`, and the places `[n, m]` of each dimension.
    type Inputs = Variadic;
    const NAME: &'static str = "grid_sample_back";
    const SAVES: &'static [Saves] = &[];
    fn infer(&self, all: Each<Self, In<'_>>) -> Result<Meta> {
        let dy = all[0].shape;
        let shape: Shape = [dy[0], dy[1]].iter().chain(&self.1).copied().collect();
        Ok(all[0].with_shape(shape))
    }
    fn forward(&self, x: Each<Self, Array>, _: &Meta, _: &mut Extra) -> Array {
        kernels::grid_sample_back(&x[0], &x[1..], &self.0.0, &self.1)
    }
    fn saves(&self, i: usize) -> Saves {
        Op::saves(&self.0, i)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, g: Tensor) -> Each<Self, Option<Tensor>> {
        let places = self.0.places(cx, 1);
        let ddy = cx.grad(0, || self.0.clone().apply(with(&[&g], &places)));
        let mut grads = smallvec![ddy];
        grads.extend(self.0.slopes(cx, || [cx.x(0), g.clone()], &places));
        grads
    }
    fn samples() -> Vec<Sample<Self>> {
        samples(|op, x, dy, places| {
            let sizes = x.shape()[2..].to_vec();
            Sample::new(GridBack(op, sizes), [&[dy][..], &places].concat())
        })
    }
}

/// For each dimension d, Σ over channels of dy `[n, c, m]` times x sampled with wᵈ's derivative: `[dimensions, n, m]`. With g the
/// gradient of a dimension, and summed over them: ddy is g times such samples, dx is [`GridBack`] of g dy, and dp is g times
/// such a sum again.
#[derive(Clone, Debug)]
struct GridSlope(GridSample);

impl Op for GridSlope {
    /// dy `[n, c, m]`, x `[n, c, sizes]`, and the places `[n, m]` of each dimension.
    type Inputs = Variadic;
    const NAME: &'static str = "grid_sample_slope";
    const SAVES: &'static [Saves] = &[];
    fn infer(&self, all: Each<Self, In<'_>>) -> Result<Meta> {
        let places = all[2].shape;
        Ok(all[0].with_shape([self.0.dims(), places[0], places[1]]))
    }
    fn forward(&self, x: Each<Self, Array>, _: &Meta, _: &mut Extra) -> Array {
        kernels::grid_sample_slope(&x[0], &x[1], &x[2..], &self.0.0)
    }
    fn saves(&self, i: usize) -> Saves {
        let places = self.0.saved(2);
        match i {
            0 => places.and(Saves::x(1)),
            1 => places.and(Saves::x(0)),
            _ => places.and(Saves::x(0)).and(Saves::x(1)),
        }
    }
    fn backward(&self, cx: &Ctx<'_, Self>, g: Tensor) -> Each<Self, Option<Tensor>> {
        let (places, dims) = (self.0.places(cx, 2), self.0.dims());
        // Σ of what `f` makes of each dimension's gradient.
        let sum = |f: &dyn Fn(GridSample, Tensor) -> Tensor| {
            let each = (0..dims).map(|d| f(self.0.steeper(d), g.select(0, d as isize)));
            each.reduce(|a, b| a + b).expect("there are dimensions")
        };
        let ddy = cx.grad(0, || {
            sum(&|op, g| g.unsqueeze(1) * op.apply(with(&[&cx.x(1)], &places)))
        });
        let dx = cx.grad(1, || {
            let sizes = cx.meta(1).shape[2..].to_vec();
            sum(&|op, g| {
                let dy = g.unsqueeze(1) * cx.x(0);
                GridBack(op, sizes.clone()).apply(with(&[&dy], &places))
            })
        });
        let mut grads = smallvec![ddy, dx];
        if (0..dims).any(|d| cx.wants(2 + d)) {
            let all = sum(&|op, g| g * GridSlope(op).apply(with(&[&cx.x(0), &cx.x(1)], &places)));
            grads.extend((0..dims).map(|d| cx.grad(2 + d, || all.select(0, d as isize))));
        } else {
            grads.resize(2 + dims, None);
        }
        grads
    }
    fn samples() -> Vec<Sample<Self>> {
        samples(|op, x, dy, places| Sample::new(GridSlope(op), [&[dy, x][..], &places].concat()))
    }
}

/// Samples from an image, what its gradient may be, and places in it: away from whole numbers, where slopes jump, and some
/// outside.
fn samples<O: Op>(of: impl Fn(GridSample, Array, Array, Vec<Array>) -> Sample<O>) -> Vec<Sample<O>> {
    let op = |interpolation, outside, order: &[u8]| {
        GridSample(Sampling {
            interpolation,
            outside,
            align: false,
            order: order.to_vec(),
        })
    };
    let (x, dy) = (|| numbers(&[2, 2, 3, 4]), || numbers(&[2, 2, 5]));
    let down = || Array::from_slice(&[0.3, 1.7, -0.4, 2.2, 5.3, 1.4, 0.7, -3.2, 2.4, 1.1], [2, 5]);
    let right = || Array::from_slice(&[2.2, 0.6, 1.3, 3.4, 1.2, -0.6, 2.8, 0.4, 9.3, 1.6], [2, 5]);
    let far = || Array::from_slice(&[0.3, 1.7, -0.4, 1.2], [1, 4]);
    vec![
        of(
            op(Interpolation::Linear, Outside::Zeros, &[0, 0]),
            x(),
            dy(),
            vec![down(), right()],
        ),
        of(
            op(Interpolation::Cubic, Outside::Border, &[0, 0]),
            x(),
            dy(),
            vec![down(), right()],
        ),
        of(
            op(Interpolation::Cubic, Outside::Reflection, &[1, 0]),
            x(),
            dy(),
            vec![down(), right()],
        ),
        of(
            op(Interpolation::Linear, Outside::Zeros, &[0, 1, 0]),
            numbers(&[1, 2, 2, 3, 2]),
            numbers(&[1, 2, 4]),
            vec![far(), far(), far()],
        ),
    ]
}

fn check(x: &Tensor, grid: &Tensor, mode: &str, padding: &str) -> Result<(Interpolation, Outside)> {
    const NAME: &str = "grid_sample";
    let (a, b) = (x.shape(), grid.shape());
    let fits = (4..=5).contains(&a.rank())
        && b.rank() == a.rank()
        && a[0] == b[0]
        && b[b.rank() - 1] == a.rank() - 2;
    if !fits {
        let message = format!("an input of shape {a} and a grid of shape {b} do not fit");
        return Err(Error::new(ErrorKind::Shape, NAME, message).note(
            "they must be [n, c, h, w] and [n, h′, w′, 2], or [n, c, d, h, w] and [n, d′, h′, w′, 3]",
        ));
    }
    if a[2..].contains(&0) {
        return Err(Error::new(
            ErrorKind::Shape,
            NAME,
            format!("an input of shape {a} has nothing to sample"),
        ));
    }
    if a[2..].iter().product::<usize>() >= 1 << 31 {
        let message = format!("an input of shape {a} is too large");
        return Err(Error::new(ErrorKind::Shape, NAME, message)
            .note("there must be less than 2³¹ elements in each channel"));
    }
    if !x.dtype().is_float() || x.dtype() != grid.dtype() {
        let message = format!("the input is {} and the grid {}", x.dtype(), grid.dtype());
        return Err(Error::new(ErrorKind::DType, NAME, message)
            .note("they must be floating-point numbers of one dtype"));
    }
    let wrong = |what: &str| Err(Error::new(ErrorKind::Value, NAME, format!("there is no {what}")));
    let mode = match mode {
        "bilinear" => Interpolation::Linear,
        "nearest" => Interpolation::Nearest,
        "bicubic" => Interpolation::Cubic,
        other => return wrong(&format!("mode {other:?}: it is bilinear, nearest or bicubic")),
    };
    let outside = match padding {
        "zeros" => Outside::Zeros,
        "border" => Outside::Border,
        "reflection" => Outside::Reflection,
        other => {
            return wrong(&format!(
                "padding mode {other:?}: it is zeros, border or reflection"
            ));
        }
    };
    Ok((mode, outside))
}

/// The elements of x `[n, c, h, w]` at the places of `grid` `[n, h′, w′, 2]`, pairs (x, y) from −1 to 1 (or x of five dimensions at
/// triples (x, y, z)), interpolated: `[n, c, h′, w′]` (Jaderberg et al., 2015).
///
/// The modes are `"bilinear"`, `"nearest"` and `"bicubic"`; outside, x is `"zeros"`, its `"border"`, or its `"reflection"`. ±1 are the
/// centers of the corners' elements with `align_corners`, else their outer edges.
///
/// # Panics
/// If shapes, dtypes or modes do not fit.
#[track_caller]
pub fn grid_sample(x: &Tensor, grid: &Tensor, mode: &str, padding_mode: &str, align_corners: bool) -> Tensor {
    let (x, grid) = (&bring(x, Precision::Full), &bring(grid, Precision::Full));
    let (mode, outside) = ok(check(x, grid, mode, padding_mode));
    let (shape, grid_shape) = (x.shape(), grid.shape());
    let n = shape.rank() - 2;
    let places: usize = grid_shape[1..=n].iter().product();
    let result: Shape = [shape[0], shape[1]]
        .iter()
        .chain(&grid_shape[1..=n])
        .copied()
        .collect();
    // Between the neighbours that a cubic polynomial needs, each is brought inside by itself.
    let (first, then) = match mode {
        Interpolation::Cubic => (Outside::Zeros, outside),
        _ => (outside, Outside::Zeros),
    };
    // The grid's last dimension counts from the innermost.
    let place = |d: usize| {
        let place = Place {
            n: shape[2 + d],
            align: align_corners,
            outside: first,
        };
        let raw = grid.select(-1, (n - 1 - d) as isize).reshape([shape[0], places]);
        Rule::new(place).apply([&raw])
    };
    let spots: Vec<Tensor> = (0..n).map(place).collect();
    let op = GridSample(Sampling {
        interpolation: mode,
        outside: then,
        align: align_corners,
        order: vec![0; n],
    });
    op.apply(with(&[x], &spots)).reshape(result)
}

/// The grid that [`grid_sample`] takes to transform an image of size `[n, c, h, w]` by `theta` `[n, 2, 3]`, or one of
/// `[n, c, d, h, w]` by `[n, 3, 4]`: where each place of the result comes from.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn affine_grid(theta: &Tensor, size: &[usize], align_corners: bool) -> Tensor {
    const NAME: &str = "affine_grid";
    let (shape, n) = (theta.shape(), size.len().wrapping_sub(2));
    if !(2..=3).contains(&n) || shape != [size[0], n, n + 1] || !theta.dtype().is_float() {
        let message = format!(
            "{} transformations of shape {shape} do not fit a size of {size:?}",
            theta.dtype()
        );
        raise(
            Error::new(ErrorKind::Shape, NAME, message)
                .note("they must be floats [n, 2, 3] for [n, c, h, w], or [n, 3, 4] for [n, c, d, h, w]"),
        );
    }
    let line = |m: usize| {
        let at = |i: usize| match (align_corners, m) {
            (_, 0 | 1) => 0.0,
            (true, _) => -1.0 + 2.0 * i as f64 / (m - 1) as f64,
            (false, _) => (2.0 * i as f64 + 1.0) / m as f64 - 1.0,
        };
        Tensor::from_vec((0..m).map(at).collect::<Vec<f64>>(), [m]).to(theta.dtype())
    };
    let spatial: Shape = size[2..].iter().copied().collect();
    // Coordinates (x, y, …), the innermost first, and a one.
    let mut parts: Vec<Tensor> = Vec::new();
    for d in (0..n).rev() {
        let seen: Shape = (0..n).map(|k| if k == d { size[2 + d] } else { 1 }).collect();
        parts.push(line(size[2 + d]).reshape(seen).expand(&spatial));
    }
    parts.push(Tensor::full_as(&spatial, 1.0, theta.dtype()));
    let base = stack(&parts.iter().collect::<Vec<_>>(), -1).reshape([1, spatial.numel(), n + 1]);
    let result: Shape = [size[0]]
        .into_iter()
        .chain(size[2..].iter().copied())
        .chain([n])
        .collect();
    base.expand([size[0], spatial.numel(), n + 1])
        .matmul(&theta.transpose(1, 2))
        .reshape(result)
}

contract_rules! { grid_place: Place, 1 }
contract! {
    grid_sample: GridSample,
    grid_back: GridBack,
    grid_slope: GridSlope,
}
