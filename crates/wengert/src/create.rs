//! Making tensors: from literals, vectors, ranges and random numbers.

use crate::tensor::Tensor;
use std::panic::Location;
use std::sync::Mutex;
use wengert_array::kernels::{self, Generator};
use wengert_array::{Array, DType, Element, Error, ErrorKind, Result, Shape, raise};

/// A number as it stands in a literal. As in PyTorch, floating-point literals become f32, integers i64.
pub trait Scalar: Copy {
    /// The element it becomes.
    type Element: Element;
    /// As that element.
    fn element(self) -> Self::Element;
}

macro_rules! scalar {
    ($($t:ty => $e:ty),*) => {$(
        impl Scalar for $t {
            type Element = $e;
            fn element(self) -> $e {
                self as $e
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
scalar!(f64 => f32, f32 => f32, i64 => i64, i32 => i64, u8 => u8, bool => bool);

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
    /// As in PyTorch, floating-point literals become f32 and integers i64;
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
        match Tensor::try_new(data) {
            Ok(t) => t,
            Err(error) => raise(error),
        }
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
        Ok(Tensor::constant(Array::from_slice(&flat, dims)))
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

    /// f32 zeros.
    #[track_caller]
    pub fn zeros(shape: impl Into<Shape>) -> Tensor {
        Tensor::full(shape, 0.0)
    }

    /// f32 ones.
    #[track_caller]
    pub fn ones(shape: impl Into<Shape>) -> Tensor {
        Tensor::full(shape, 1.0)
    }

    /// f32 elements that all are `value`.
    #[track_caller]
    pub fn full(shape: impl Into<Shape>, value: f64) -> Tensor {
        Tensor::full_as(shape, value, DType::F32)
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

    /// The f32 numbers `start`, `start + step`, … up to, and without, `end`.
    ///
    /// # Panics
    /// If `step` is zero, or a bound is not finite.
    #[track_caller]
    pub fn arange_step(start: f64, end: f64, step: f64) -> Tensor {
        let n = ((end - start) / step).ceil().max(0.0);
        if step == 0.0 || !n.is_finite() {
            let message = format!("cannot count from {start} to {end} by steps of {step}");
            raise(Error::new(ErrorKind::Value, "arange", message));
        }
        fits([n as usize].into(), "arange");
        Tensor::constant(kernels::arange(start, step, n as usize, DType::F32))
    }

    /// `n` f32 numbers evenly spaced from `start` to `end`, both included.
    #[track_caller]
    pub fn linspace(start: f64, end: f64, n: usize) -> Tensor {
        let step = if n > 1 {
            (end - start) / (n - 1) as f64
        } else {
            0.0
        };
        // From both ends to the middle, as PyTorch does, so that the last number is `end` exactly.
        let at = |i: usize| {
            if i < n / 2 {
                start + step * i as f64
            } else {
                end - step * (n - 1 - i) as f64
            }
        };
        let data: Vec<f32> = (0..n)
            .map(|i| if n == 1 { start } else { at(i) } as f32)
            .collect();
        Tensor::from_slice(&data, [n])
    }

    /// The f32 identity matrix.
    #[track_caller]
    pub fn eye(n: usize) -> Tensor {
        fits([n, n].into(), "eye");
        let mut data = vec![0.0f32; n * n];
        data.iter_mut().step_by(n + 1).for_each(|v| *v = 1.0);
        Tensor::from_slice(&data, [n, n])
    }

    /// f32 random numbers, uniform in [0, 1).
    #[track_caller]
    pub fn rand(shape: impl Into<Shape>) -> Tensor {
        Tensor::uniform(shape, 0.0, 1.0)
    }

    /// f32 random numbers, uniform in [`low`, `high`).
    #[track_caller]
    pub fn uniform(shape: impl Into<Shape>, low: f64, high: f64) -> Tensor {
        let shape = fits(shape.into(), "uniform");
        Tensor::constant(with_generator(|g| g.uniform(&shape, low, high, DType::F32)))
    }

    /// f32 random numbers from the standard normal distribution.
    #[track_caller]
    pub fn randn(shape: impl Into<Shape>) -> Tensor {
        let shape = fits(shape.into(), "randn");
        Tensor::constant(with_generator(|g| g.normal(&shape, 0.0, 1.0, DType::F32)))
    }

    /// i64 random numbers in `low .. high`.
    ///
    /// # Panics
    /// If the range is empty.
    #[track_caller]
    pub fn randint(low: i64, high: i64, shape: impl Into<Shape>) -> Tensor {
        if low >= high {
            raise(Error::new(
                ErrorKind::Value,
                "randint",
                format!("the range {low}..{high} is empty"),
            ));
        }
        let shape = fits(shape.into(), "randint");
        Tensor::constant(with_generator(|g| g.integers(&shape, low, high)))
    }

    /// The i64 numbers 0 … n−1 in random order.
    #[track_caller]
    pub fn randperm(n: usize) -> Tensor {
        fits([n].into(), "randperm");
        Tensor::constant(with_generator(|g| g.permutation(n)))
    }
}

impl From<Array> for Tensor {
    fn from(array: Array) -> Tensor {
        Tensor::constant(array)
    }
}

/// The shape, if memory could ever hold it.
#[track_caller]
fn fits(shape: Shape, op: &str) -> Shape {
    if shape.checked_numel().is_none() {
        raise(Error::new(
            ErrorKind::Memory,
            op,
            format!("shape {shape} has too many elements"),
        ));
    }
    shape
}

static GENERATOR: Mutex<Option<Generator>> = Mutex::new(None);

/// Sets the seed of the random numbers that this module makes. Without a seed it is 0: a program gives the
/// same numbers every time it runs.
pub fn manual_seed(seed: u64) {
    *crate::autograd::lock(&GENERATOR) = Some(Generator::new(seed));
}

/// Runs `f` on the generator behind [`manual_seed`].
pub fn with_generator<T>(f: impl FnOnce(&mut Generator) -> T) -> T {
    f(crate::autograd::lock(&GENERATOR).get_or_insert_with(|| Generator::new(0)))
}
