//! Parts of a tensor that have strides of their own: slices, diagonals, and writing to them.

use super::shape::block;
use super::{Dims, axis, contract, ok};
use crate::autograd::Ctx;
use crate::op::{Complex, Extra, Fixed, In, Op, PartOfInput, Sample, Saves};
use crate::tensor::Tensor;
use smallvec::{SmallVec, smallvec};
use wengert_array::{Array, Error, ErrorKind, Layout, Meta, Result, Shape, kernels, raise};

/// One step to a part of a tensor. Dimensions count from the front, in the tensor that the steps before give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Every `step`-th element along a dimension, `len` of them from `start` on; `step` may be negative.
    Slice {
        /// Along which dimension.
        dim: usize,
        /// The first element.
        start: usize,
        /// How many.
        len: usize,
        /// How far apart.
        step: isize,
    },
    /// One position along a dimension, which goes away.
    At {
        /// Along which dimension.
        dim: usize,
        /// The position.
        at: usize,
    },
    /// With a dimension of size one before this one.
    Insert(usize),
    /// A diagonal of two dimensions, which go away, as a new last one.
    Diagonal {
        /// How far above the main diagonal.
        offset: isize,
        /// The dimension of its rows.
        rows: usize,
        /// The dimension of its columns.
        cols: usize,
    },
}

impl Step {
    /// [`Step::Slice`] in one line.
    #[inline]
    pub fn slice(dim: usize, start: usize, len: usize, step: isize) -> Step {
        Step::Slice {
            dim,
            start,
            len,
            step,
        }
    }
}

/// Few steps need no allocation.
pub type Steps = SmallVec<[Step; 2]>;

/// A part of a tensor: steps that lead to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The operation that asks, for messages and pictures.
    pub name: &'static str,
    /// The steps, in order.
    pub steps: Steps,
}

impl Part {
    pub(super) fn of(name: &'static str, step: Step) -> Part {
        Part {
            name,
            steps: smallvec![step],
        }
    }

    fn see(&self, mut x: Array) -> Array {
        for step in &self.steps {
            x = match *step {
                Step::Slice {
                    dim,
                    start,
                    len,
                    step,
                } => x.slice(dim, start, len, step),
                Step::At { dim, at } => x.select(dim, at),
                Step::Insert(d) => x.unsqueeze(d),
                Step::Diagonal { offset, rows, cols } => x.diagonal(offset, rows, cols),
            };
        }
        x
    }

    /// Where the part lies in a contiguous array of this shape, if it does.
    pub(super) fn layout(&self, shape: &Shape) -> Result<Layout> {
        let mut at = Layout::contiguous(shape.clone());
        for step in &self.steps {
            at = match *step {
                Step::Slice {
                    dim,
                    start,
                    len,
                    step,
                } => {
                    let size = at.shape()[dim];
                    let last = (len.max(1) as isize - 1)
                        .checked_mul(step)
                        .and_then(|n| n.checked_add(start as isize));
                    let inside = last.is_some_and(|last| start < size && (0..size as isize).contains(&last));
                    if len > 0 && (!inside || (step == 0 && len > 1)) {
                        let by = if step == 1 {
                            String::new()
                        } else {
                            format!(" by steps of {step}")
                        };
                        let message = format!(
                            "{len} elements from {start}{by} leave dimension {dim} of {}",
                            at.shape()
                        );
                        return Err(Error::new(ErrorKind::Index, self.name, message));
                    }
                    at.slice(dim, start, len, step)
                }
                Step::At { dim, at: i } => {
                    if i >= at.shape()[dim] {
                        let message =
                            format!("there is no position {i} in dimension {dim} of {}", at.shape());
                        return Err(Error::new(ErrorKind::Index, self.name, message));
                    }
                    at.select(dim, i)
                }
                Step::Insert(d) => at.unsqueeze(d),
                Step::Diagonal { offset, rows, cols } => at.diagonal(offset, rows, cols),
            };
        }
        Ok(at)
    }
}

/// y = a part of x, without a copy; dx = dy there, 0 elsewhere.
#[derive(Clone, Debug)]
pub struct See(pub Part);

impl Op for See {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "slice";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        Ok(x.with_shape(self.0.layout(x.shape)?.shape()))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        self.0.see(x)
    }
    /// Mostly it is one step.
    fn view(&self, x: &Array) -> Option<Array> {
        match self.0.steps[..] {
            [Step::At { dim, at }] if at < *x.shape().get(dim)? => Some(x.select(dim, at)),
            [
                Step::Slice {
                    dim,
                    start,
                    len,
                    step: 1,
                },
            ] if start.checked_add(len)? <= *x.shape().get(dim)? => Some(x.slice(dim, start, len, 1)),
            _ => None,
        }
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let place = Place {
            part: self.0.clone(),
            shape: cx.meta(0).shape.clone(),
            value: 0.0,
        };
        [Some(place.apply([&dy]))]
    }
    fn part(&self) -> Option<&dyn PartOfInput> {
        Some(self)
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Whole
    }
    fn samples() -> Vec<Sample<Self>> {
        let slice = |dim, start, len, step| See(Part::of("slice", Step::slice(dim, start, len, step)));
        let steps = smallvec![
            Step::At { dim: 1, at: 2 },
            Step::Insert(0),
            Step::slice(2, 1, 2, -1),
        ];
        vec![
            Sample::new(slice(1, 1, 2, 1), [block()]),
            Sample::new(slice(1, 2, 2, -2), [block()])
                .gives([-0.25, 1.5, 0.5, -1.0, -3.0, 0.125, 0.75, -2.0]),
            Sample::new(slice(0, 0, 0, 1), [block()]).gives([]),
            Sample::new(See(Part { name: "index", steps }), [block()]).gives([1.5, -0.25, 0.125, -3.0]),
            Sample::new(See(Part::of("diagonal", above())), [block()]).gives([2.0, 1.5, 1.0, 0.125]),
        ]
    }
    fn name(&self) -> &'static str {
        self.0.name
    }
}

impl PartOfInput for See {
    fn add_to(&self, sum: Array, dy: Tensor) -> Array {
        let part = self.0.layout(sum.shape()).expect("infer has checked it");
        let added = Tensor::constant(self.0.see(sum.clone())) + dy;
        kernels::write(sum, &part, &added.into_array())
    }
}

/// For samples: a diagonal of a [2, 3, 2] block's last and second dimensions.
fn above() -> Step {
    Step::Diagonal {
        offset: 1,
        rows: 2,
        cols: 1,
    }
}

/// The reverse of [`See`]: y = `value` everywhere but for x at the part; dx = dy there.
#[derive(Clone, Debug)]
pub struct Place {
    /// Where.
    pub part: Part,
    /// The result's shape.
    pub shape: Shape,
    /// What lies around it.
    pub value: f64,
}

impl Op for Place {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "place";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        let part = self.part.layout(&self.shape)?;
        if part.shape() != x.shape {
            let message = format!("{} does not fit a part of shape {}", x.shape, part.shape());
            return Err(Error::new(ErrorKind::Shape, self.part.name, message));
        }
        Ok(x.with_shape(&self.shape))
    }
    fn forward(&self, [x]: [Array; 1], y: &Meta, _: &mut Extra) -> Array {
        let part = self.part.layout(&self.shape).expect("infer has checked it");
        kernels::place(&x, &part, &y.shape, self.value)
    }
    fn backward(&self, _: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        [Some(See(self.part.clone()).apply([&dy]))]
    }
    fn complex(&self) -> Complex<Self> {
        if self.value == 0.0 {
            return Complex::Parts(1);
        }
        // What lies around is real.
        Complex::Made(|op: &Self, [x]: [Tensor; 1]| {
            let zero = Place {
                value: 0.0,
                ..op.clone()
            };
            let (re, im) = (op.clone().apply([&x.real()]), zero.apply([&x.imag()]));
            Some(Tensor::complex(&re, &im))
        })
    }
    fn samples() -> Vec<Sample<Self>> {
        let part = Part::of("slice", Step::slice(1, 3, 2, -2));
        let x = Array::from_slice(&[1.0, 2.0, 3.0, 4.0], [2, 2]);
        let place = |value| Place {
            part: part.clone(),
            shape: [2, 4].into(),
            value,
        };
        let diagonal = Place {
            part: Part::of("diag_embed", above()),
            shape: [2, 3, 2].into(),
            value: 0.0,
        };
        vec![
            Sample::new(place(0.0), [x.clone()]).gives([0.0, 2.0, 0.0, 1.0, 0.0, 4.0, 0.0, 3.0]),
            Sample::new(place(7.0), [x.clone()]).gives([7.0, 2.0, 7.0, 1.0, 7.0, 4.0, 7.0, 3.0]),
            Sample::new(diagonal, [x.slice(0, 0, 2, 1)]),
        ]
    }
}

/// y = x with a part of it replaced by v, which broadcasts; dx = dy without that part, dv = dy there.
#[derive(Clone, Debug)]
pub struct Overwrite(pub Part);

impl Op for Overwrite {
    type Inputs = Fixed<2>;
    const NAME: &'static str = "overwrite";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x, v]: [In<'_>; 2]) -> Result<Meta> {
        let part = self.0.layout(x.shape)?;
        if v.shape.broadcast(part.shape()).as_ref() != Some(part.shape()) {
            let message = format!("cannot put {} into a part of shape {}", v.shape, part.shape());
            return Err(Error::new(ErrorKind::Shape, self.0.name, message)
                .note("it must broadcast to the part's shape"));
        }
        Ok(x.with_shape(x.shape))
    }
    fn forward(&self, [x, v]: [Array; 2], y: &Meta, _: &mut Extra) -> Array {
        let part = self.0.layout(&y.shape).expect("infer has checked it");
        let v = v.cast(y.dtype).broadcast_to(part.shape());
        kernels::write(x, &part, &v)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 2] {
        let zero = Tensor::constant(Array::full([], 0.0, dy.dtype()));
        [
            cx.grad(0, || Overwrite(self.0.clone()).apply([&dy, &zero])),
            cx.grad(1, || See(self.0.clone()).apply([&dy])),
        ]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Parts(0b11)
    }
    fn samples() -> Vec<Sample<Self>> {
        let part = Part::of("slice", Step::slice(1, 0, 2, 2));
        let v = Array::from_slice(&[5.0, 6.0], [2, 1]);
        let whole = [5.0, 5.0, 2.0, 3.0, 6.0, 6.0, 5.0, 5.0, 1.0, 4.0, 6.0, 6.0];
        vec![
            Sample::new(Overwrite(part), [block(), v.clone()]).gives(whole),
            Sample::new(Overwrite(Part::of("diagonal_scatter", above())), [block(), v]),
        ]
    }
    fn name(&self) -> &'static str {
        self.0.name
    }
}

/// Python's rule for slices: ends are clamped, and count from the back where negative. Gives the first element and
/// how many there are.
pub(crate) fn span(n: usize, from: Option<isize>, to: Option<isize>, step: isize) -> (usize, usize) {
    let n = n as isize;
    let clamp =
        |i: isize, low: isize, high: isize| (if i < 0 { i.saturating_add(n) } else { i }).clamp(low, high);
    let (start, len) = if step > 0 {
        let (a, b) = (clamp(from.unwrap_or(0), 0, n), clamp(to.unwrap_or(n), 0, n));
        (a, (b - a).max(0).unsigned_abs().div_ceil(step.unsigned_abs()))
    } else {
        let a = from.map_or(n - 1, |i| clamp(i, -1, n - 1));
        let b = to.map_or(-1, |i| clamp(i, -1, n - 1));
        (a, (a - b).max(0).unsigned_abs().div_ceil(step.unsigned_abs()))
    };
    (start.max(0) as usize, len)
}

/// The diagonal of two dimensions that may count from the end, as a step.
pub(super) fn diagonal(op: &'static str, offset: isize, a: isize, b: isize, rank: usize) -> Result<Step> {
    let (rows, cols) = (axis(op, a, rank)?, axis(op, b, rank)?);
    if rows == cols {
        let message = format!("a diagonal needs two dimensions, and {a} and {b} are the same");
        return Err(Error::new(ErrorKind::Value, op, message));
    }
    Ok(Step::Diagonal { offset, rows, cols })
}

/// Parts.
impl Tensor {
    #[track_caller]
    pub(super) fn part(&self, name: &'static str, dim: usize, start: usize, len: usize) -> Tensor {
        See(Part::of(name, Step::slice(dim, start, len, 1))).apply([self])
    }

    /// `len` elements from `start` on along `dim`.
    #[track_caller]
    pub fn narrow(&self, dim: isize, start: usize, len: usize) -> Tensor {
        let d = ok(axis("narrow", dim, self.dim()));
        self.part("narrow", d, start, len)
    }

    /// The part at index `index` along `dim`, which goes away. The index may count from the end.
    #[track_caller]
    pub fn select(&self, dim: isize, index: isize) -> Tensor {
        let shape = self.shape();
        let d = ok(axis("select", dim, shape.rank()));
        let start = ok(super::index::position("select", index, d, &shape));
        See(at("select", d, start)).apply([self])
    }

    /// With the part at index `index` along `dim` replaced by `src`.
    #[track_caller]
    pub fn select_scatter(&self, src: &Tensor, dim: isize, index: isize) -> Tensor {
        let shape = self.shape();
        let d = ok(axis("select_scatter", dim, shape.rank()));
        let start = ok(super::index::position("select_scatter", index, d, &shape));
        ok(same_shape("select_scatter", src, &shape.remove(d)));
        Overwrite(at("select_scatter", d, start)).apply([self, src])
    }

    /// With the slice `start .. end` by steps of `step` along `dim` replaced by `src`; ends are clamped as in
    /// Python.
    #[track_caller]
    pub fn slice_scatter(
        &self,
        src: &Tensor,
        dim: isize,
        start: Option<isize>,
        end: Option<isize>,
        step: usize,
    ) -> Tensor {
        let shape = self.shape();
        let dim = ok(axis("slice_scatter", dim, shape.rank()));
        if step == 0 {
            raise(Error::new(
                ErrorKind::Value,
                "slice_scatter",
                "a step of zero goes nowhere",
            ));
        }
        let step = step as isize;
        let (start, len) = span(shape[dim], start, end, step);
        ok(same_shape("slice_scatter", src, &shape.with(dim, len)));
        Overwrite(Part::of("slice_scatter", Step::slice(dim, start, len, step))).apply([self, src])
    }

    /// With a diagonal of two dimensions replaced by `src`.
    #[track_caller]
    pub fn diagonal_scatter(&self, src: &Tensor, offset: isize, dim1: isize, dim2: isize) -> Tensor {
        let step = ok(diagonal("diagonal_scatter", offset, dim1, dim2, self.dim()));
        let part = Part::of("diagonal_scatter", step);
        let place = ok(part.layout(&self.shape()));
        ok(same_shape("diagonal_scatter", src, place.shape()));
        Overwrite(part).apply([self, src])
    }

    /// In the reverse order along `dims`, one or several; a view.
    #[track_caller]
    pub fn flip(&self, dims: impl Into<Dims>) -> Tensor {
        let shape = self.shape();
        let axes = ok(super::shape::axes("flip", dims.into(), shape.rank()));
        let reversed = |dim: usize| Step::slice(dim, shape[dim].saturating_sub(1), shape[dim], -1);
        let steps = axes
            .into_iter()
            .filter(|_| shape.rank() > 0)
            .map(reversed)
            .collect();
        See(Part { name: "flip", steps }).apply([self])
    }

    /// Columns, along the second dimension, in reverse order.
    #[track_caller]
    pub fn fliplr(&self) -> Tensor {
        self.flip(1)
    }

    /// Rows, along the first dimension, in reverse order.
    #[track_caller]
    pub fn flipud(&self) -> Tensor {
        self.flip(0)
    }

    /// A diagonal of dimensions `dim1` and `dim2`, which go away, as a new last dimension; a view. `offset` counts
    /// diagonals above the main one.
    #[track_caller]
    pub fn diagonal(&self, offset: isize, dim1: isize, dim2: isize) -> Tensor {
        let step = ok(diagonal("diagonal", offset, dim1, dim2, self.dim()));
        See(Part::of("diagonal", step)).apply([self])
    }
}

/// One index of a dimension, which goes away.
pub(super) fn at(name: &'static str, dim: usize, start: usize) -> Part {
    Part::of(name, Step::At { dim, at: start })
}

fn same_shape(op: &str, src: &Tensor, part: &Shape) -> Result<()> {
    if src.shape() == *part {
        return Ok(());
    }
    let message = format!(
        "a source of shape {} does not fit a part of shape {part}",
        src.shape()
    );
    Err(Error::new(ErrorKind::Shape, op, message))
}

contract! {
    see: See,
    place: Place,
    overwrite: Overwrite,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Backward, DType, fork_rng};

    #[test]
    fn scatters_replace_parts() {
        let x = Tensor::zeros([2, 3]).requires_grad_(true);
        let v = Tensor::ones([3]).requires_grad_(true);
        let y = x.select_scatter(&v, 0, -1);
        assert_eq!(y.to_vec::<f32>(), [0., 0., 0., 1., 1., 1.]);
        y.sum().backward();
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [1., 1., 1., 0., 0., 0.]);
        assert_eq!(v.grad().unwrap().to_vec::<f32>(), [1., 1., 1.]);
        let y = x.slice_scatter(&Tensor::ones([2, 2]), 1, None, None, 2);
        assert_eq!(y.to_vec::<f32>(), [1., 0., 1., 1., 0., 1.]);
        let y = x.diagonal_scatter(&Tensor::new([5.0, 6.0]), 1, 0, 1);
        assert_eq!(y.to_vec::<f32>(), [0., 5., 0., 0., 0., 6.]);
    }

    #[test]
    fn gradients_of_many_parts_add_up() {
        let x = fork_rng(1, || Tensor::normal_as([6, 4], 0.0, 1.0, DType::F64)).requires_grad_(true);
        // Rows, columns that overlap, a diagonal, steps backwards; as they are, of a result, and twice of one part.
        let f = |x: &Tensor| {
            let y = x.exp();
            let rows = x
                .unbind(0)
                .into_iter()
                .zip(1..)
                .map(|(row, k)| row.square() * f64::from(k));
            let columns = y
                .chunk(3, 1)
                .into_iter()
                .chain([y.narrow(1, 1, 3)])
                .map(|c| c.square());
            let last = y.select(0, -1);
            let others = [
                y.diagonal(1, 0, 1).sin(),
                y.index(crate::s(.., -2)).cos(),
                &last * &last,
                last.tanh(),
            ];
            let terms = rows.chain(columns).chain(others).map(|t| t.sum());
            terms.reduce(|a, b| a + b).expect("there are some")
        };
        crate::gradcheck(|x| f(&x[0]), &[&x]).unwrap();
        // Recorded, each part has a gradient of its own: the same, but for the order in which they are added.
        f(&x).backward();
        let whole = Backward::new()
            .create_graph(true)
            .try_grad(&f(&x), &[&x], None)
            .unwrap()[0]
            .clone()
            .unwrap();
        assert!(x.grad().unwrap().allclose(&whole.detach(), 1e-12, 1e-12));
        // A gradient that someone else holds is not written to.
        let (held, kept) = (Tensor::zeros([2, 2]).requires_grad_(true), Tensor::ones([2, 2]));
        let y = &held * 1.0;
        Backward::new().run_many(&[
            (&y.select(0, 0), Some(&Tensor::new([5.0, 6.0]))),
            (&y, Some(&kept)),
        ]);
        assert_eq!(held.grad().unwrap().to_vec::<f32>(), [6.0, 7.0, 1.0, 1.0]);
        assert_eq!(kept.to_vec::<f32>(), [1.0; 4]);
    }
}
