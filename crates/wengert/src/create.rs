//! Making tensors: from literals, vectors and ranges.

use crate::ops::ok;
use crate::tensor::Tensor;
use std::panic::Location;
use wengert_array::num_complex::{Complex32, Complex64};
use wengert_array::{Array, DType, Element, Error, ErrorKind, Result, Shape, raise};
use wengert_array::{get_default_dtype, kernels};

/// A number as it stands in a literal. As in PyTorch, floating-point literals become the
/// [default dtype](crate::set_default_dtype), integers i64, complex ones pairs of the default.
pub trait Scalar: Copy {
    /// The element it is read as.
    type Element: Element;
    /// As that element.
    fn element(self) -> Self::Element;
}

macro_rules! scalar {
    ($($t:ty => $e:ty, |$v:ident| $element:expr;)*) => {$(
        impl Scalar for $t {
            type Element = $e;
            fn element(self) -> $e {
                let $v = self;
                $element
            }
        }
        impl Literal for $t {
            type Scalar = $t;
            fn measure(&self, _: usize, _: &mut Vec<usize>) -> Result<()> {
                Ok(())
            }
            fn flatten(&self, out: &mut Vec<$e>) {
                out.push(self.element());
            }
        }
    )*};
}
scalar! {
    f64 => f64, |v| v;
    f32 => f32, |v| v;
    i64 => i64, |v| v;
    i32 => i64, |v| v.into();
    u8 => u8, |v| v;
    bool => bool, |v| v;
    Complex32 => Complex64, |v| Complex64::new(v.re.into(), v.im.into());
    Complex64 => Complex64, |v| v;
}

/// What a tensor can be written as: a number, or an array, slice or vector of such, nested to any depth.
pub trait Literal {
    /// The kind of number it is made of.
    type Scalar: Scalar;
    /// Notes the sizes below depth `depth` in `dims`, or says which part has another size than its siblings.
    fn measure(&self, depth: usize, dims: &mut Vec<usize>) -> Result<()>;
    /// Appends the numbers in row-major order.
    fn flatten(&self, out: &mut Vec<<Self::Scalar as Scalar>::Element>);
}

impl<T: Literal> Literal for [T] {
    type Scalar = T::Scalar;
    fn measure(&self, depth: usize, dims: &mut Vec<usize>) -> Result<()> {
        match dims.get(depth) {
            None => dims.push(self.len()),
            Some(&n) if n == self.len() => {}
            Some(&n) => {
                let message = format!(
                    "rows of different lengths: one at depth {depth} has {} elements, the first has {n}",
                    self.len()
                );
                return Err(Error::new(ErrorKind::Value, "tensor", message));
            }
        }
        self.iter().try_for_each(|row| row.measure(depth + 1, dims))
    }
    fn flatten(&self, out: &mut Vec<<Self::Scalar as Scalar>::Element>) {
        self.iter().for_each(|row| row.flatten(out));
    }
}

macro_rules! literal {
    ($([$($g:tt)*] $t:ty),*) => {$(
        impl<$($g)*> Literal for $t {
            type Scalar = T::Scalar;
            fn measure(&self, depth: usize, dims: &mut Vec<usize>) -> Result<()> {
                self[..].measure(depth, dims)
            }
            fn flatten(&self, out: &mut Vec<<Self::Scalar as Scalar>::Element>) {
                self[..].flatten(out);
            }
        }
    )*};
}
literal!([T: Literal, const N: usize] [T; N], [T: Literal] Vec<T>);

impl<T: Literal + ?Sized> Literal for &T {
    type Scalar = T::Scalar;
    fn measure(&self, depth: usize, dims: &mut Vec<usize>) -> Result<()> {
        (**self).measure(depth, dims)
    }
    fn flatten(&self, out: &mut Vec<<Self::Scalar as Scalar>::Element>) {
        (**self).flatten(out);
    }
}

impl Tensor {
    /// The tensor written down: a number or nested arrays or vectors of numbers.
    ///
    /// As in PyTorch, floating-point literals become the default dtype, f32, and integers i64;
    /// [`from_slice`](Tensor::from_slice) keeps the type as it is.
    ///
    /// ```
    /// # use wengert::Tensor;
    /// let x = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.shape().dims(), [2, 2]);
    /// assert_eq!(x.to_string(), "tensor([[1., 2.],\n        [3., 4.]])");
    /// ```
    ///
    /// # Panics
    /// If rows of the same depth have different lengths.
    #[track_caller]
    pub fn new(data: impl Literal) -> Tensor {
        ok(Tensor::try_new(data))
    }

    /// As [`new`](Tensor::new), with an error for a panic.
    #[track_caller]
    pub fn try_new<L: Literal>(data: L) -> Result<Tensor> {
        let at = Location::caller();
        let mut dims = Vec::new();
        data.measure(0, &mut dims).map_err(|e| e.at(at))?;
        let mut flat = Vec::new();
        data.flatten(&mut flat);
        // An empty row ends the measuring early; what lies below it has no size to disagree with.
        let a = Array::from_slice(&flat, dims);
        let dtype = match a.dtype() {
            d if d.is_complex() => get_default_dtype().complex(),
            d if d.is_float() => get_default_dtype(),
            d => d,
        };
        Ok(Tensor::constant(a.cast(dtype)))
    }

    /// The elements of `data` in row-major order, in this shape. The dtype is that of `T`.
    ///
    /// # Panics
    /// If the shape does not hold as many elements as there are.
    #[track_caller]
    pub fn from_slice<T: Element>(data: &[T], shape: impl Into<Shape>) -> Tensor {
        let shape = shape.into();
        if shape.checked_numel() != Some(data.len()) {
            let message = format!("{} elements do not fill shape {shape}", data.len());
            raise(Error::new(ErrorKind::Shape, "from_slice", message));
        }
        Tensor::constant(Array::from_slice(data, shape))
    }

    /// The elements of a vector, in this shape. See [`from_slice`](Tensor::from_slice).
    ///
    /// # Panics
    /// If the shape does not hold as many elements as there are.
    #[track_caller]
    pub fn from_vec<T: Element>(data: Vec<T>, shape: impl Into<Shape>) -> Tensor {
        Tensor::from_slice(&data, shape)
    }

    /// Zeros, of the [default dtype](crate::set_default_dtype).
    #[track_caller]
    pub fn zeros(shape: impl Into<Shape>) -> Tensor {
        Tensor::full(shape, 0.0)
    }

    /// Ones, of the default dtype.
    #[track_caller]
    pub fn ones(shape: impl Into<Shape>) -> Tensor {
        Tensor::full(shape, 1.0)
    }

    /// Elements of the default dtype that all are `value`.
    #[track_caller]
    pub fn full(shape: impl Into<Shape>, value: f64) -> Tensor {
        Tensor::full_as(shape, value, get_default_dtype())
    }

    /// Elements of this dtype that all are `value`.
    #[track_caller]
    pub fn full_as(shape: impl Into<Shape>, value: f64, dtype: DType) -> Tensor {
        Tensor::constant(Array::full(fits(shape.into(), "full"), value, dtype))
    }

    /// Zeros in the shape and dtype of this tensor.
    #[track_caller]
    pub fn zeros_like(&self) -> Tensor {
        Tensor::full_as(self.shape(), 0.0, self.dtype())
    }

    /// Ones in the shape and dtype of this tensor.
    #[track_caller]
    pub fn ones_like(&self) -> Tensor {
        Tensor::full_as(self.shape(), 1.0, self.dtype())
    }

    /// The i64 numbers from `start` up to, and without, `end`.
    #[track_caller]
    pub fn arange(start: i64, end: i64) -> Tensor {
        let n = usize::try_from(end.saturating_sub(start)).unwrap_or(0);
        fits([n].into(), "arange");
        Tensor::constant(kernels::arange(start as f64, 1.0, n, DType::I64))
    }

    /// The numbers `start`, `start + step`, … up to, and without, `end`.
    ///
    /// # Panics
    /// If `step` is zero or leads away from `end`, or a bound is not finite.
    #[track_caller]
    pub fn arange_step(start: f64, end: f64, step: f64) -> Tensor {
        Tensor::arange_as(start, end, step, get_default_dtype())
    }

    /// As [`arange_step`](Tensor::arange_step), in this dtype. For integers, as in PyTorch, how many there are is worked
    /// out first, and then `start` and `step` lose their fractions.
    ///
    /// # Panics
    /// If `step` is zero or leads away from `end`, or a bound is not finite.
    #[track_caller]
    pub fn arange_as(start: f64, end: f64, step: f64, dtype: DType) -> Tensor {
        let n = ((end - start) / step).ceil();
        if step == 0.0 || !n.is_finite() || !step.is_finite() || n < 0.0 {
            let message = format!("cannot count from {start} to {end} by steps of {step}");
            raise(Error::new(ErrorKind::Value, "arange", message));
        }
        fits([n as usize].into(), "arange");
        let whole = |v: f64| if dtype.is_differentiable() { v } else { v.trunc() };
        let numbers = kernels::arange(whole(start), whole(step), n as usize, dtype.real());
        Tensor::constant(numbers.cast(dtype))
    }

    /// `n` numbers evenly spaced from `start` to `end`, both included.
    #[track_caller]
    pub fn linspace(start: f64, end: f64, n: usize) -> Tensor {
        Tensor::linspace_as(start, end, n, get_default_dtype())
    }

    /// As [`linspace`](Tensor::linspace), in this dtype. For integers, as in PyTorch, the ends lose their fractions
    /// first, and steps are taken in f32.
    #[track_caller]
    pub fn linspace_as(start: f64, end: f64, n: usize, dtype: DType) -> Tensor {
        fits([n].into(), "linspace");
        Tensor::constant(Array::from_slice(&spaced(start, end, n, dtype), [n]).cast(dtype))
    }

    /// `n` powers of `base`, whose exponents are evenly spaced from `start` to `end`.
    #[track_caller]
    pub fn logspace(start: f64, end: f64, n: usize, base: f64) -> Tensor {
        Tensor::logspace_as(start, end, n, base, get_default_dtype())
    }

    /// As [`logspace`](Tensor::logspace), in this dtype.
    #[track_caller]
    pub fn logspace_as(start: f64, end: f64, n: usize, base: f64, dtype: DType) -> Tensor {
        fits([n].into(), "logspace");
        let powers: Vec<f64> = spaced(start, end, n, dtype)
            .into_iter()
            .map(|x| base.powf(x))
            .collect();
        Tensor::constant(Array::from_slice(&powers, [n]).cast(dtype))
    }

    /// The identity matrix.
    #[track_caller]
    pub fn eye(n: usize) -> Tensor {
        Tensor::eye_as(n, n, get_default_dtype())
    }

    /// Ones on the diagonal of a matrix of this dtype, zeros elsewhere.
    #[track_caller]
    pub fn eye_as(rows: usize, cols: usize, dtype: DType) -> Tensor {
        let ones = Tensor::full_as([rows, cols], 1.0, dtype);
        ones.tril(0).triu(0)
    }

    /// A matrix with ones on and below diagonal `k`, zeros above.
    #[track_caller]
    pub fn tri(rows: usize, cols: usize, k: isize) -> Tensor {
        Tensor::ones([rows, cols]).tril(k)
    }

    /// Elements in the shape and dtype of this tensor that all are `value`.
    #[track_caller]
    pub fn full_like(&self, value: f64) -> Tensor {
        Tensor::full_as(self.shape(), value, self.dtype())
    }

    /// Elements of this tensor's dtype that all are `value`.
    #[track_caller]
    pub fn new_full(&self, shape: impl Into<Shape>, value: f64) -> Tensor {
        Tensor::full_as(shape, value, self.dtype())
    }

    /// Zeros of this tensor's dtype.
    #[track_caller]
    pub fn new_zeros(&self, shape: impl Into<Shape>) -> Tensor {
        Tensor::full_as(shape, 0.0, self.dtype())
    }

    /// Ones of this tensor's dtype.
    #[track_caller]
    pub fn new_ones(&self, shape: impl Into<Shape>) -> Tensor {
        Tensor::full_as(shape, 1.0, self.dtype())
    }

    /// The powers of a vector's elements as columns: `n` of them, from the highest to 1, or (`increasing`) the
    /// other way round.
    #[track_caller]
    pub fn vander(&self, n: usize, increasing: bool) -> Tensor {
        if self.dim() != 1 {
            let message = format!("needs a vector, and got shape {}", self.shape());
            raise(Error::new(ErrorKind::Shape, "vander", message));
        }
        let mut power = self.detach().ones_like();
        let mut columns = Vec::with_capacity(n);
        for i in 0..n {
            if i > 0 {
                power = &power * self;
            }
            columns.push(power.clone());
        }
        if !increasing {
            columns.reverse();
        }
        if columns.is_empty() {
            return self.new_zeros([self.numel(), 0]);
        }
        crate::stack(&columns.iter().collect::<Vec<_>>(), 1)
    }
}

/// `n` numbers evenly spaced from `start` to `end`, on their way to `dtype`.
fn spaced(start: f64, end: f64, n: usize, dtype: DType) -> Vec<f64> {
    let whole = !dtype.is_differentiable();
    let (start, end) = if whole {
        (start.trunc(), end.trunc())
    } else {
        (start, end)
    };
    let step = if n > 1 {
        (end - start) / (n - 1) as f64
    } else {
        0.0
    };
    // From both ends to the middle, as PyTorch does, so that the last number is `end` exactly.
    let at = |i: usize| match (i < n.div_ceil(2), whole) {
        (true, false) => start + step * i as f64,
        (false, false) => end - step * (n - 1 - i) as f64,
        (true, true) => f64::from(start as f32 + step as f32 * i as f32),
        (false, true) => f64::from(end as f32 - step as f32 * (n - 1 - i) as f32),
    };
    (0..n).map(at).collect()
}

impl From<Array> for Tensor {
    fn from(array: Array) -> Tensor {
        Tensor::constant(array)
    }
}

/// The shape, if memory could ever hold it.
#[track_caller]
pub(crate) fn fits(shape: Shape, op: &str) -> Shape {
    if shape.checked_numel().is_none() {
        raise(Error::new(
            ErrorKind::Memory,
            op,
            format!("shape {shape} has too many elements"),
        ));
    }
    shape
}
