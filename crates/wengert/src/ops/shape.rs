//! The same numbers seen in another shape: views, which take no memory.

use super::{Dims, axis, contract, ok};
use crate::autograd::Ctx;
use crate::op::{Complex, Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use smallvec::{SmallVec, smallvec};
use wengert_array::{Array, DType, Error, ErrorKind, Meta, Result, Shape, raise};

pub(super) fn block() -> Array {
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
    fn view(&self, x: &Array) -> Option<Array> {
        (x.is_contiguous() && self.0.checked_numel() == Some(x.numel())).then(|| x.reshape(&self.0))
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        [Some(dy.reshape(&cx.meta(0).shape))]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Whole
    }
    fn samples() -> Vec<Sample<Self>> {
        vec![
            Sample::new(Reshape([3, 4].into()), [block()]),
            Sample::new(Reshape([12].into()), [block().permute(&[2, 0, 1])]),
            Sample::new(Reshape([].into()), [Array::from_slice(&[2.0], [1, 1])]).gives([2.0]),
        ]
    }
}

/// Numbers, one for each dimension: up to four need no allocation.
pub type Few = SmallVec<[isize; 4]>;

/// y = x with its dimensions in another order; dx = dy in the old order.
#[derive(Clone, Debug)]
pub struct Permute(pub Few);

impl Permute {
    fn order(&self, rank: usize) -> Result<SmallVec<[usize; 4]>> {
        let (mut order, mut twice) = (SmallVec::from_elem(0, self.0.len()), false);
        for (i, &d) in self.0.iter().enumerate() {
            let d = axis("permute", d, rank)?;
            twice |= order[..i].contains(&d);
            order[i] = d;
        }
        if twice || order.len() != rank {
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
    fn view(&self, x: &Array) -> Option<Array> {
        Some(x.permute(&self.order(x.rank()).ok()?))
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let order = self.order(cx.meta(0).shape.rank()).expect("infer has checked it");
        let mut back = Few::from_elem(0, order.len());
        order
            .iter()
            .enumerate()
            .for_each(|(new, &old)| back[old] = new as isize);
        [Some(Permute(back).apply([&dy]))]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Whole
    }
    fn samples() -> Vec<Sample<Self>> {
        vec![
            Sample::new(Permute(smallvec![2, 0, 1]), [block()]),
            Sample::new(Permute(smallvec![0, -1, 1]), [block()]),
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
    fn complex(&self) -> Complex<Self> {
        Complex::Whole
    }
    fn samples() -> Vec<Sample<Self>> {
        let x = || Array::from_slice(&[1.0, 2.0, 3.0], [3, 1]);
        vec![
            Sample::new(Expand([2, 3, 2].into()), [x()]),
            Sample::new(Expand([3, 0].into()), [x()]).gives([]),
        ]
    }
}

/// Sizes of dimensions, where −1 may stand for one that follows from the rest.
pub trait Sizes {
    /// As signed numbers.
    fn sizes(self) -> Few;
}

macro_rules! sizes {
    ($($t:ty),*) => {$(
        impl<const N: usize> Sizes for [$t; N] {
            fn sizes(self) -> Few {
                self[..].sizes()
            }
        }
        impl<const N: usize> Sizes for &[$t; N] {
            fn sizes(self) -> Few {
                self[..].sizes()
            }
        }
        impl Sizes for Vec<$t> {
            fn sizes(self) -> Few {
                self[..].sizes()
            }
        }
        impl Sizes for &Vec<$t> {
            fn sizes(self) -> Few {
                self[..].sizes()
            }
        }
        impl Sizes for &[$t] {
            fn sizes(self) -> Few {
                let signed = |n: &$t| (*n as i128).clamp(isize::MIN as i128, isize::MAX as i128) as isize;
                self.iter().map(signed).collect()
            }
        }
    )*};
}
sizes!(usize, isize, i32, i64);

impl Sizes for Few {
    fn sizes(self) -> Few {
        self
    }
}
impl Sizes for Shape {
    fn sizes(self) -> Few {
        self.dims().sizes()
    }
}
impl Sizes for &Shape {
    fn sizes(self) -> Few {
        self.dims().sizes()
    }
}

/// The shape that `dims` means for `numel` elements: −1 is worked out from the others.
fn resolve(op: &str, dims: &[isize], shape: &Shape) -> Result<Shape> {
    if dims.iter().all(|d| *d >= 0) {
        return Ok(dims.iter().map(|d| *d as usize).collect());
    }
    let numel = shape.numel();
    let known = dims
        .iter()
        .filter(|d| **d >= 0)
        .try_fold(1usize, |n, d| n.checked_mul(*d as usize))
        .unwrap_or(usize::MAX);
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
        (d, _) => bad(format!(
            "{} is not a size, in {dims:?}",
            d.copied().unwrap_or_default()
        )),
    }
}

/// The shape that an expansion to `dims` means: −1 keeps a size.
fn expanded(dims: &[isize], shape: &Shape) -> Result<Shape> {
    let new = dims.len().checked_sub(shape.rank());
    let size = |(i, d): (usize, &isize)| match (*d, new.and_then(|new| i.checked_sub(new))) {
        (0.., _) => Ok(*d as usize),
        (-1, Some(old)) => Ok(shape[old]),
        _ => Err(Error::new(
            ErrorKind::Shape,
            "expand",
            format!("{d} is not a size, in {dims:?}"),
        )
        .note(format!("−1 keeps the size of a dimension that {shape} has"))),
    };
    dims.iter().enumerate().map(size).collect()
}

/// The distinct dimensions that `dims` names, in its order; all of them where it names none.
pub(crate) fn axes(op: &str, dims: Dims, rank: usize) -> Result<Vec<usize>> {
    let Some(dims) = dims.list() else {
        return Ok((0..rank).collect());
    };
    let mut axes = Vec::with_capacity(dims.len());
    for dim in dims {
        // As PyTorch has it, a 0-d tensor has one dimension where only its name is asked for.
        let d = axis(op, dim, rank.max(1))?;
        if axes.contains(&d) {
            let message = format!("dimension {d} is named twice");
            return Err(Error::new(ErrorKind::Value, op, message));
        }
        axes.push(d);
    }
    Ok(axes)
}

/// Views.
impl Tensor {
    /// The same elements in another shape of equal count; a view where the strides allow it, else a copy. One
    /// size may be −1: what is left over.
    ///
    /// ```
    /// # use wengert::Tensor;
    /// let x = Tensor::arange(0, 6);
    /// assert_eq!(x.reshape([2, -1]).shape().dims(), [2, 3]);
    /// ```
    #[track_caller]
    pub fn reshape(&self, sizes: impl Sizes) -> Tensor {
        Reshape(ok(
            self.with_shape(|shape| resolve("reshape", &sizes.sizes(), shape))
        ))
        .apply([self])
    }

    /// As [`reshape`](Tensor::reshape).
    #[track_caller]
    pub fn view(&self, sizes: impl Sizes) -> Tensor {
        Reshape(ok(self.with_shape(|shape| resolve("view", &sizes.sizes(), shape)))).apply([self])
    }

    /// In the shape of `other`.
    #[track_caller]
    pub fn reshape_as(&self, other: &Tensor) -> Tensor {
        Reshape(other.shape()).apply([self])
    }

    /// In the shape of `other`.
    #[track_caller]
    pub fn view_as(&self, other: &Tensor) -> Tensor {
        Reshape(other.shape()).apply([self])
    }

    /// The bits of the elements read as another dtype of the same size; without history, since bits have no
    /// gradient.
    ///
    /// # Panics
    /// If the sizes differ, or if the dtype is bool.
    #[track_caller]
    pub fn view_dtype(&self, dtype: DType) -> Tensor {
        let from = self.dtype();
        if dtype.size() != from.size() || (dtype == DType::Bool && from != DType::Bool) {
            let message = format!("cannot read the bits of {from} as {dtype}");
            raise(
                Error::new(ErrorKind::DType, "view", message)
                    .note("both must have as many bytes, and not every byte is a bool"),
            );
        }
        Tensor::constant(self.array().bitcast(dtype))
    }

    /// Dimensions `start` to `end`, both included, as one.
    #[track_caller]
    pub fn flatten(&self, start: isize, end: isize) -> Tensor {
        let shape = self.shape();
        let rank = shape.rank().max(1);
        let (a, b) = (ok(axis("flatten", start, rank)), ok(axis("flatten", end, rank)));
        if a > b {
            let message = format!("dimension {a} comes after {b}");
            raise(Error::new(ErrorKind::Value, "flatten", message));
        }
        if shape.rank() == 0 {
            return Reshape([1].into()).apply([self]);
        }
        let merged = shape[a..=b].iter().product();
        let flat: Shape = shape[..a]
            .iter()
            .chain([&merged])
            .chain(&shape[b + 1..])
            .copied()
            .collect();
        Reshape(flat).apply([self])
    }

    /// All elements in row-major order, in one dimension.
    #[track_caller]
    pub fn ravel(&self) -> Tensor {
        Reshape([self.numel()].into()).apply([self])
    }

    /// Dimension `dim` as several of these sizes, of which one may be −1.
    #[track_caller]
    pub fn unflatten(&self, dim: isize, sizes: impl Sizes) -> Tensor {
        let shape = self.shape();
        let (d, sizes) = (ok(axis("unflatten", dim, shape.rank())), sizes.sizes());
        let parts = ok(resolve("unflatten", &sizes, &[shape[d]].into()));
        if parts.numel() != shape[d] {
            let message = format!("cannot see a dimension of size {} as {parts}", shape[d]);
            raise(Error::new(ErrorKind::Shape, "unflatten", message));
        }
        let whole: Shape = shape[..d]
            .iter()
            .chain(parts.iter())
            .chain(&shape[d + 1..])
            .copied()
            .collect();
        Reshape(whole).apply([self])
    }

    /// The dimensions in a new order.
    #[track_caller]
    pub fn permute(&self, order: impl AsRef<[isize]>) -> Tensor {
        Permute(order.as_ref().into()).apply([self])
    }

    /// Dimensions `a` and `b` exchanged.
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Tensor {
        let rank = self.dim();
        let (a, b) = (
            ok(axis("transpose", a, rank.max(1))),
            ok(axis("transpose", b, rank.max(1))),
        );
        let mut order: Few = (0..rank as isize).collect();
        if rank > 0 {
            order.swap(a, b);
        }
        Permute(order).apply([self])
    }

    /// Dimensions `a` and `b` exchanged; NumPy's name for [`transpose`](Tensor::transpose).
    #[track_caller]
    pub fn swapaxes(&self, a: isize, b: isize) -> Tensor {
        self.transpose(a, b)
    }

    /// A matrix with rows and columns exchanged; tensors of lower rank are left as they are.
    ///
    /// # Panics
    /// If there are more than two dimensions; [`transpose`](Tensor::transpose) says which to exchange.
    #[track_caller]
    pub fn t(&self) -> Tensor {
        match self.dim() {
            0 | 1 => self.reshape(self.shape()),
            2 => Permute(smallvec![1, 0]).apply([self]),
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

    /// Matrices, in the last two dimensions, with rows and columns exchanged.
    #[track_caller]
    pub fn mt(&self) -> Tensor {
        if self.dim() < 2 {
            let message = format!("needs two or more dimensions, and got shape {}", self.shape());
            raise(Error::new(ErrorKind::Shape, "mT", message));
        }
        self.transpose(-2, -1)
    }

    /// The dimensions `from`, one or several, moved to places `to`; the others keep their order.
    ///
    /// ```
    /// # use wengert::Tensor;
    /// let x = Tensor::zeros([2, 3, 4]);
    /// assert_eq!(x.movedim(0, -1).shape().dims(), [3, 4, 2]);
    /// assert_eq!(x.movedim([0, 1], [1, 2]).shape().dims(), [4, 2, 3]);
    /// ```
    #[track_caller]
    pub fn movedim(&self, from: impl Into<Dims>, to: impl Into<Dims>) -> Tensor {
        let rank = self.dim();
        let from = ok(axes("movedim", from.into(), rank));
        let to = ok(axes("movedim", to.into(), rank));
        if from.len() != to.len() {
            let message = format!("{} dimensions cannot go to {} places", from.len(), to.len());
            raise(Error::new(ErrorKind::Value, "movedim", message));
        }
        let mut order = vec![None; rank];
        for (from, to) in from.iter().zip(&to).filter(|_| rank > 0) {
            order[*to] = Some(*from as isize);
        }
        let mut others = (0..rank).filter(|d| !from.contains(d));
        let order: Vec<isize> = order
            .into_iter()
            .map(|d| d.unwrap_or_else(|| others.next().expect("as many as places") as isize))
            .collect();
        Permute(order.into()).apply([self])
    }

    /// NumPy's name for [`movedim`](Tensor::movedim).
    #[track_caller]
    pub fn moveaxis(&self, from: impl Into<Dims>, to: impl Into<Dims>) -> Tensor {
        self.movedim(from, to)
    }

    /// Repeated along dimensions of size one and new leading ones, without taking memory; −1 keeps a size.
    #[track_caller]
    pub fn expand(&self, sizes: impl Sizes) -> Tensor {
        Expand(ok(expanded(&sizes.sizes(), &self.shape()))).apply([self])
    }

    /// Expanded to the shape of `other`.
    #[track_caller]
    pub fn expand_as(&self, other: &Tensor) -> Tensor {
        Expand(other.shape()).apply([self])
    }

    /// NumPy's name for [`expand`](Tensor::expand).
    #[track_caller]
    pub fn broadcast_to(&self, sizes: impl Sizes) -> Tensor {
        self.expand(sizes)
    }

    /// Without those of the dimensions `dims` whose size is one; `()` means all dimensions.
    #[track_caller]
    pub fn squeeze(&self, dims: impl Into<Dims>) -> Tensor {
        let shape = self.shape();
        let axes = ok(axes("squeeze", dims.into(), shape.rank()));
        let kept: Shape = (0..shape.rank())
            .filter(|d| shape[*d] != 1 || !axes.contains(d))
            .map(|d| shape[d])
            .collect();
        if kept.rank() == shape.rank() {
            return self.clone();
        }
        Reshape(kept).apply([self])
    }

    /// With a dimension of size one put in at `dim`.
    #[track_caller]
    pub fn unsqueeze(&self, dim: isize) -> Tensor {
        let shape = self.shape();
        let d = ok(axis("unsqueeze", dim, shape.rank() + 1));
        Reshape(shape.insert(d, 1)).apply([self])
    }

    /// Row-major without gaps: itself where it is so, else a copy.
    #[track_caller]
    pub fn contiguous(&self) -> Tensor {
        if self.is_contiguous() {
            return self.clone();
        }
        Contiguous.apply([self])
    }
}

/// y = a row-major copy of x; dx = dy.
#[derive(Clone, Debug)]
pub struct Contiguous;

impl Op for Contiguous {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "contiguous";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        Ok(x.with_shape(x.shape))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        x.contiguous()
    }
    fn backward(&self, _: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        [Some(dy)]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Whole
    }
    fn samples() -> Vec<Sample<Self>> {
        vec![Sample::new(Contiguous, [block().permute(&[2, 0, 1])])]
    }
}

contract! {
    reshape: Reshape,
    permute: Permute,
    expand: Expand,
    contiguous: Contiguous,
}
