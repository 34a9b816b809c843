//! The same numbers seen in another shape: views, which take no memory.

use super::{axis, contract};
use crate::autograd::Ctx;
use crate::op::{Extra, Fixed, In, Op, Sample, Saves, Variadic};
use crate::tensor::Tensor;
use wengert_array::{Array, Error, ErrorKind, Meta, Result, Shape, kernels, raise};

fn block() -> Array {
    let data = [0.5, -1.0, 2.0, 3.0, -0.25, 1.5, 0.75, -2.0, 1.0, 4.0, -3.0, 0.125];
    Array::from_slice(&data, [2, 3, 2])
}

/// y = x in another shape; dx = dy in x's shape. A view where the strides allow it.
#[derive(Clone, Debug)]
pub struct Reshape(pub Shape);

impl Op for Reshape {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "reshape";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        if self.0.checked_numel() != Some(x.shape.numel()) {
            let message = format!("cannot see {} as {}", x.shape, self.0);
            let wanted = self
                .0
                .checked_numel()
                .map_or("too many".to_string(), |n| n.to_string());
            return Err(Error::new(ErrorKind::Shape, "reshape", message).note(format!(
                "the first has {} elements, the second {wanted}",
                x.shape.numel()
            )));
        }
        Ok(x.with_shape(&self.0))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        x.reshape(&self.0)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        [Some(dy.reshape(&cx.meta(0).shape))]
    }
    fn samples() -> Vec<Sample<Self>> {
        vec![
            Sample::new(Reshape([3, 4].into()), [block()]),
            Sample::new(Reshape([12].into()), [block().permute(&[2, 0, 1])]),
            Sample::new(Reshape([].into()), [Array::from_slice(&[2.0], [1, 1])]).gives([2.0]),
        ]
    }
}

/// y = x with its dimensions in another order; dx = dy in the old order.
#[derive(Clone, Debug)]
pub struct Permute(pub Vec<isize>);

impl Permute {
    fn order(&self, rank: usize) -> Result<Vec<usize>> {
        let order = self
            .0
            .iter()
            .map(|d| axis("permute", *d, rank))
            .collect::<Result<Vec<_>>>()?;
        let mut seen = order.clone();
        seen.sort_unstable();
        if seen.iter().copied().ne(0..rank) {
            let message = format!("{:?} is not an order of {rank} dimensions", self.0);
            return Err(
                Error::new(ErrorKind::Value, "permute", message).note("each must be named exactly once")
            );
        }
        Ok(order)
    }
}

impl Op for Permute {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "permute";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        let order = self.order(x.shape.rank())?;
        Ok(x.with_shape(order.iter().map(|&d| x.shape[d]).collect::<Shape>()))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        x.permute(&self.order(x.rank()).expect("infer has checked it"))
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let order = self.order(cx.meta(0).shape.rank()).expect("infer has checked it");
        let mut back = vec![0; order.len()];
        order
            .iter()
            .enumerate()
            .for_each(|(new, &old)| back[old] = new as isize);
        [Some(Permute(back).apply([&dy]))]
    }
    fn samples() -> Vec<Sample<Self>> {
        vec![
            Sample::new(Permute(vec![2, 0, 1]), [block()]),
            Sample::new(Permute(vec![0, -1, 1]), [block()]),
        ]
    }
}

/// y = x repeated along dimensions of size one and new leading ones; dx = dy, summed where x was repeated.
#[derive(Clone, Debug)]
pub struct Expand(pub Shape);

impl Op for Expand {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "expand";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        if x.shape.broadcast(&self.0).as_ref() != Some(&self.0) {
            let message = format!("cannot expand {} to {}", x.shape, self.0);
            return Err(Error::new(ErrorKind::Shape, "expand", message)
                .note("counted from the last dimension, each size must be equal or 1"));
        }
        Ok(x.with_shape(&self.0))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        x.broadcast_to(&self.0)
    }
    fn backward(&self, _: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        // Broadcasting is undone on the edge, this as any other.
        [Some(dy)]
    }
    fn samples() -> Vec<Sample<Self>> {
        let x = || Array::from_slice(&[1.0, 2.0, 3.0], [3, 1]);
        vec![
            Sample::new(Expand([2, 3, 2].into()), [x()]),
            Sample::new(Expand([3, 0].into()), [x()]).gives([]),
        ]
    }
}

/// y = every `step`-th element along a dimension, `len` of them from `start` on; dx = dy there, 0 elsewhere.
#[derive(Clone, Debug)]
pub struct Slice {
    /// Along which dimension.
    pub dim: isize,
    /// The first element.
    pub start: usize,
    /// How many.
    pub len: usize,
    /// How far apart; negative to go backwards.
    pub step: isize,
}

impl Op for Slice {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "slice";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        let d = axis("slice", self.dim, x.shape.rank())?;
        let last = (self.len.max(1) as isize - 1)
            .checked_mul(self.step)
            .and_then(|n| n.checked_add(self.start as isize));
        let inside =
            last.is_some_and(|last| self.start < x.shape[d] && (0..x.shape[d] as isize).contains(&last));
        if self.len > 0 && !inside {
            let message = format!(
                "{} elements from {} by steps of {} leave dimension {d} of {}",
                self.len, self.start, self.step, x.shape
            );
            return Err(Error::new(ErrorKind::Index, "slice", message));
        }
        Ok(x.with_shape(x.shape.with(d, self.len)))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        x.slice(
            axis("", self.dim, x.rank()).expect("infer has checked it"),
            self.start,
            self.len,
            self.step,
        )
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        [Some(
            Embed {
                slice: self.clone(),
                shape: cx.meta(0).shape.clone(),
            }
            .apply([&dy]),
        )]
    }
    fn samples() -> Vec<Sample<Self>> {
        let slice = |dim, start, len, step| Slice {
            dim,
            start,
            len,
            step,
        };
        vec![
            Sample::new(slice(1, 1, 2, 1), [block()]),
            Sample::new(slice(-2, 2, 2, -2), [block()])
                .gives([-0.25, 1.5, 0.5, -1.0, -3.0, 0.125, 0.75, -2.0]),
            Sample::new(slice(0, 0, 0, 1), [block()]).gives([]),
        ]
    }
}

/// The reverse of [`Slice`]: y = 0 but for x where the slice would look; dx = dy there.
#[derive(Clone, Debug)]
pub struct Embed {
    /// Where.
    pub slice: Slice,
    /// The result's shape.
    pub shape: Shape,
}

impl Op for Embed {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "embed";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        let whole = x.with_shape(&self.shape);
        let part = self.slice.infer([In {
            shape: &whole.shape,
            ..x
        }])?;
        if part.shape != *x.shape {
            let message = format!("{} does not fit the slice of shape {}", x.shape, part.shape);
            return Err(Error::new(ErrorKind::Shape, "embed", message));
        }
        Ok(whole)
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        let mut slices = vec![(0, 1); x.rank()];
        let d = axis("", self.slice.dim, x.rank()).expect("infer has checked it");
        slices[d] = (self.slice.start, self.slice.step);
        kernels::embed(&self.shape, &slices, &x)
    }
    fn backward(&self, _: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        [Some(self.slice.clone().apply([&dy]))]
    }
    fn samples() -> Vec<Sample<Self>> {
        let slice = Slice {
            dim: 1,
            start: 3,
            len: 2,
            step: -2,
        };
        let x = Array::from_slice(&[1.0, 2.0, 3.0, 4.0], [2, 2]);
        vec![
            Sample::new(
                Embed {
                    slice,
                    shape: [2, 4].into(),
                },
                [x],
            )
            .gives([0.0, 2.0, 0.0, 1.0, 0.0, 4.0, 0.0, 3.0]),
        ]
    }
}

/// y = the inputs end to end along a dimension; each input's gradient is its part of dy.
#[derive(Clone, Debug)]
pub struct Cat(pub isize);

impl Op for Cat {
    type Inputs = Variadic;
    const NAME: &'static str = "cat";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, x: Vec<In<'_>>) -> Result<Meta> {
        let Some(first) = x.first() else {
            return Err(Error::new(ErrorKind::Value, "cat", "needs at least one tensor"));
        };
        let d = axis("cat", self.0, first.shape.rank())?;
        let mut size = 0;
        for (i, x) in x.iter().enumerate() {
            let fits = x.shape.rank() == first.shape.rank() && x.shape.with(d, 0) == first.shape.with(d, 0);
            if !fits {
                let message = format!(
                    "cannot join {} and {} (tensors 0 and {i}) along dimension {d}",
                    first.shape, x.shape
                );
                return Err(Error::new(ErrorKind::Shape, "cat", message)
                    .note(format!("all sizes but that of dimension {d} must be equal")));
            }
            size += x.shape[d];
        }
        let dtype = x
            .iter()
            .map(|x| x.dtype)
            .reduce(|a, b| a.promote(b))
            .expect("there is a first");
        Ok(Meta {
            shape: first.shape.with(d, size),
            dtype,
            device: first.device,
        })
    }
    fn forward(&self, x: Vec<Array>, y: &Meta, _: &mut Extra) -> Array {
        let x: Vec<Array> = x.iter().map(|x| x.cast(y.dtype)).collect();
        kernels::concat(
            &x,
            axis("", self.0, y.shape.rank()).expect("infer has checked it"),
        )
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> Vec<Option<Tensor>> {
        let d = axis("", self.0, dy.dim()).expect("infer has checked it");
        let mut start = 0;
        let part = |i| {
            let len = cx.meta(i).shape[d];
            start += len;
            cx.grad(i, || dy.narrow(d as isize, start - len, len))
        };
        (0..cx.inputs()).map(part).collect()
    }
    fn samples() -> Vec<Sample<Self>> {
        let (a, b) = (
            Array::from_slice(&[1.0, 2.0], [2, 1]),
            Array::from_slice(&[3.0, 4.0, 5.0, 6.0], [2, 2]),
        );
        vec![
            Sample::new(Cat(1), vec![a.clone(), b.clone()]).gives([1.0, 3.0, 4.0, 2.0, 5.0, 6.0]),
            Sample::new(Cat(-2), vec![b.clone(), b]),
            Sample::new(Cat(0), vec![a]).gives([1.0, 2.0]),
        ]
    }
}

/// A size in [`Tensor::view`]: −1 is worked out from the others.
fn sizes(op: &str, dims: &[isize], numel: usize, shape: &Shape) -> Result<Shape> {
    let known: usize = dims.iter().filter(|d| **d >= 0).map(|d| *d as usize).product();
    let mut free = dims.iter().filter(|d| **d < 0);
    let bad = |text: String| Err(Error::new(ErrorKind::Shape, op, text));
    match (free.next(), free.next()) {
        (Some(-1), None) if known > 0 && numel.is_multiple_of(known) => Ok(dims
            .iter()
            .map(|d| usize::try_from(*d).unwrap_or(numel / known))
            .collect()),
        (Some(-1), None) => bad(format!(
            "cannot see {shape} as {dims:?}: no size for −1 makes {numel} elements"
        )),
        (Some(-1), Some(-1)) => bad(format!(
            "cannot see {shape} as {dims:?}: only one size can be left as −1"
        )),
        (Some(d), _) => bad(format!("{d} is not a size, in {dims:?}")),
        (None, _) => Ok(dims.iter().map(|d| *d as usize).collect()),
    }
}

/// Views.
impl Tensor {
    /// The same elements in another shape of equal count; a view where the strides allow it, else a copy.
    #[track_caller]
    pub fn reshape(&self, shape: impl Into<Shape>) -> Tensor {
        Reshape(shape.into()).apply([self])
    }

    /// As [`reshape`](Tensor::reshape), where one size may be −1: what is left over.
    #[track_caller]
    pub fn view<const N: usize>(&self, sizes_or_minus_one: [isize; N]) -> Tensor {
        match sizes("view", &sizes_or_minus_one, self.numel(), &self.shape()) {
            Ok(shape) => Reshape(shape).apply([self]),
            Err(error) => raise(error),
        }
    }

    /// Dimensions `start` to `end`, both included, as one.
    #[track_caller]
    pub fn flatten(&self, start: isize, end: isize) -> Tensor {
        let shape = self.shape();
        if shape.rank() == 0 {
            return self.reshape([1]);
        }
        let range =
            axis("flatten", start, shape.rank()).and_then(|a| Ok((a, axis("flatten", end, shape.rank())?)));
        match range {
            Ok((a, b)) if a <= b => {
                let merged = shape[a..=b].iter().product();
                let flat: Shape = shape[..a]
                    .iter()
                    .copied()
                    .chain([merged])
                    .chain(shape[b + 1..].iter().copied())
                    .collect();
                Reshape(flat).apply([self])
            }
            Ok((a, b)) => raise(Error::new(
                ErrorKind::Value,
                "flatten",
                format!("dimension {a} comes after {b}"),
            )),
            Err(error) => raise(error),
        }
    }

    /// The dimensions in a new order.
    #[track_caller]
    pub fn permute<const N: usize>(&self, order: [isize; N]) -> Tensor {
        Permute(order.to_vec()).apply([self])
    }

    /// Dimensions `a` and `b` exchanged.
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Tensor {
        let rank = self.dim();
        let axes = axis("transpose", a, rank).and_then(|a| Ok((a, axis("transpose", b, rank)?)));
        match axes {
            Ok((a, b)) => {
                let mut order: Vec<isize> = (0..rank as isize).collect();
                order.swap(a, b);
                Permute(order).apply([self])
            }
            Err(error) => raise(error),
        }
    }

    /// A matrix with rows and columns exchanged; tensors of lower rank are left as they are.
    ///
    /// # Panics
    /// If there are more than two dimensions; [`transpose`](Tensor::transpose) says which to exchange.
    #[track_caller]
    pub fn t(&self) -> Tensor {
        match self.dim() {
            0 | 1 => self.reshape(self.shape()),
            2 => Permute(vec![1, 0]).apply([self]),
            rank => raise(
                Error::new(
                    ErrorKind::Shape,
                    "t",
                    format!("needs a matrix, and got {rank} dimensions: {}", self.shape()),
                )
                .help("`x.transpose(-2, -1)` exchanges the last two"),
            ),
        }
    }

    /// Repeated along dimensions of size one and new leading ones, without taking memory.
    #[track_caller]
    pub fn expand(&self, shape: impl Into<Shape>) -> Tensor {
        Expand(shape.into()).apply([self])
    }

    /// Without dimension `dim` if its size is one; else unchanged, as in PyTorch.
    #[track_caller]
    pub fn squeeze(&self, dim: isize) -> Tensor {
        let shape = self.shape();
        match axis("squeeze", dim, shape.rank()) {
            Ok(d) if shape[d] == 1 => Reshape(shape.remove(d)).apply([self]),
            Ok(_) => self.clone(),
            Err(error) => raise(error),
        }
    }

    /// With a dimension of size one put in at `dim`.
    #[track_caller]
    pub fn unsqueeze(&self, dim: isize) -> Tensor {
        let shape = self.shape();
        match axis("unsqueeze", dim, shape.rank() + 1) {
            Ok(d) => Reshape(shape.insert(d, 1)).apply([self]),
            Err(error) => raise(error),
        }
    }

    /// `len` elements from `start` on along `dim`.
    #[track_caller]
    pub fn narrow(&self, dim: isize, start: usize, len: usize) -> Tensor {
        Slice {
            dim,
            start,
            len,
            step: 1,
        }
        .apply([self])
    }

    /// The part at index `index` along `dim`, which goes away. The index may count from the end.
    #[track_caller]
    pub fn select(&self, dim: isize, index: isize) -> Tensor {
        let shape = self.shape();
        match axis("select", dim, shape.rank())
            .and_then(|d| Ok((d, super::index::position("select", index, d, &shape)?)))
        {
            Ok((d, start)) => {
                let part = Slice {
                    dim: d as isize,
                    start,
                    len: 1,
                    step: 1,
                }
                .apply([self]);
                Reshape(shape.remove(d)).apply([&part])
            }
            Err(error) => raise(error),
        }
    }

    /// In the reverse order along `dim`; a view.
    #[track_caller]
    pub fn flip(&self, dim: isize) -> Tensor {
        let n = self.size(dim);
        Slice {
            dim,
            start: n.saturating_sub(1),
            len: n,
            step: -1,
        }
        .apply([self])
    }

    /// Row-major without gaps: itself where it is so, else a copy.
    pub fn contiguous(&self) -> Tensor {
        if self.is_contiguous() {
            self.clone()
        } else {
            self * 1.0
        }
    }
}

/// The tensors end to end along `dim`.
#[track_caller]
pub fn cat(tensors: &[&Tensor], dim: isize) -> Tensor {
    Cat(dim).apply(tensors.to_vec())
}

/// Tensors of one shape, side by side along a new dimension `dim`.
#[track_caller]
pub fn stack(tensors: &[&Tensor], dim: isize) -> Tensor {
    if let Some(other) = tensors.iter().find(|t| t.shape() != tensors[0].shape()) {
        let message = format!(
            "the tensors have shapes {} and {}",
            tensors[0].shape(),
            other.shape()
        );
        raise(Error::new(ErrorKind::Shape, "stack", message).note("all must have the same shape"));
    }
    let tensors: Vec<Tensor> = tensors.iter().map(|t| t.unsqueeze(dim)).collect();
    // The new dimension exists in every part, so it can be named from the front.
    Cat(dim).apply(tensors.iter().collect())
}

contract! {
    reshape: Reshape,
    permute: Permute,
    expand: Expand,
    slice: Slice,
    embed: Embed,
    cat: Cat,
}
