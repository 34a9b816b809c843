//! The operation: forward, backward, and what lies between.
//!
//! An operation is a value of a type that implements [`Op`]. Applying it computes its result and, where a
//! gradient may be asked for later, leaves a record of itself in the result's history.

use crate::autograd::mode::Duties;
use crate::autograd::{Autocast, Inputs, Precision, record};
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::fmt::Debug;
use std::panic::Location;
use wengert_array::{Array, DType, Device, Error, ErrorKind, Meta, Result, Shape, raise};

/// What there may be one of for each input.
pub trait Item: Debug + Send + Sync {}
impl<T: Debug + Send + Sync> Item for T {}

/// How many inputs an operation takes: [`Fixed<N>`](Fixed) or [`Variadic`].
pub trait Arity: Debug + Send + Sync + 'static {
    /// One `T` for each input: `[T; N]`, or [`Many`].
    type Of<T: Item>: AsRef<[T]> + AsMut<[T]> + IntoIterator<Item = T> + Item;
    /// Makes one from each of another.
    fn map<T: Item, U: Item>(each: Self::Of<T>, f: impl FnMut(T) -> U) -> Self::Of<U>;
    /// Makes one from a look at each of another.
    fn map_ref<'a, T: Item + 'a, U: Item>(each: &'a Self::Of<T>, f: impl FnMut(&'a T) -> U) -> Self::Of<U>;
    /// Makes one from each of another, which `f` may change.
    fn map_mut<T: Item, U: Item>(each: &mut Self::Of<T>, f: impl FnMut(&mut T) -> U) -> Self::Of<U>;
}

/// `N` inputs.
#[derive(Debug)]
pub struct Fixed<const N: usize>;

impl<const N: usize> Arity for Fixed<N> {
    type Of<T: Item> = [T; N];
    fn map<T: Item, U: Item>(each: [T; N], f: impl FnMut(T) -> U) -> [U; N] {
        each.map(f)
    }
    fn map_ref<'a, T: Item + 'a, U: Item>(each: &'a [T; N], mut f: impl FnMut(&'a T) -> U) -> [U; N] {
        std::array::from_fn(|i| f(&each[i]))
    }
    fn map_mut<T: Item, U: Item>(each: &mut [T; N], f: impl FnMut(&mut T) -> U) -> [U; N] {
        each.each_mut().map(f)
    }
}

/// Any number of inputs.
#[derive(Debug)]
pub struct Variadic;

/// What [`Variadic`] has one of for each input; up to four need no allocation.
pub type Many<T> = SmallVec<[T; 4]>;

impl Arity for Variadic {
    type Of<T: Item> = Many<T>;
    fn map<T: Item, U: Item>(each: Many<T>, f: impl FnMut(T) -> U) -> Many<U> {
        each.into_iter().map(f).collect()
    }
    fn map_ref<'a, T: Item + 'a, U: Item>(each: &'a Many<T>, f: impl FnMut(&'a T) -> U) -> Many<U> {
        each.iter().map(f).collect()
    }
    fn map_mut<T: Item, U: Item>(each: &mut Many<T>, f: impl FnMut(&mut T) -> U) -> Many<U> {
        each.iter_mut().map(f).collect()
    }
}

/// One `T` for each input of operation `O`.
pub type Each<O, T> = <<O as Op>::Inputs as Arity>::Of<T>;

/// Shape, dtype and device of an input, as [`Op::infer`] sees it.
#[derive(Clone, Copy, Debug)]
pub struct In<'a> {
    /// The sizes of the dimensions.
    pub shape: &'a Shape,
    /// The type of the elements.
    pub dtype: DType,
    /// Where the elements are.
    pub device: Device,
}

impl<'a> From<&'a Array> for In<'a> {
    fn from(a: &'a Array) -> In<'a> {
        In {
            shape: a.shape(),
            dtype: a.dtype(),
            device: a.device(),
        }
    }
}

impl In<'_> {
    /// A result of another shape and the same dtype.
    pub fn with_shape(&self, shape: impl Into<Shape>) -> Meta {
        Meta {
            shape: shape.into(),
            dtype: self.dtype,
            device: self.device,
        }
    }
}

/// What a gradient reads when its rule runs: some inputs, the result. The rest is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saves(u32);

impl Saves {
    /// Nothing but the upstream gradient and shapes.
    pub const NOTHING: Saves = Saves(0);
    /// The result.
    pub const Y: Saves = Saves(1 << 31);
    /// Every input.
    pub const ALL_X: Saves = Saves(!(1 << 31));

    /// Input number `i`.
    pub const fn x(i: usize) -> Saves {
        assert!(i < 31);
        Saves(1 << i)
    }
    /// This and that.
    pub const fn and(self, other: Saves) -> Saves {
        Saves(self.0 | other.0)
    }
    /// Only what concerns the inputs in `mask`, and the result.
    pub(crate) fn within(self, mask: u32) -> Saves {
        Saves(self.0 & (mask | 1 << 31))
    }
    /// Whether input `i` is among it.
    pub const fn has_x(self, i: usize) -> bool {
        i < 31 && self.0 & (1 << i) != 0
    }
    /// Whether the result is among it.
    pub const fn has_y(self) -> bool {
        self.0 & (1 << 31) != 0
    }
    /// What gradient number `i` reads, of a list whose last entry stands for all further ones.
    pub fn of(list: &[Saves], i: usize) -> Saves {
        list.get(i).or(list.last()).copied().unwrap_or(Saves::NOTHING)
    }
}

/// Values that `forward` computed on the way and `backward` can use.
#[derive(Debug, Default)]
pub struct Extra(pub(crate) SmallVec<[Array; 1]>, Option<Error>, bool);

impl Extra {
    /// Keeps a value; [`Ctx::extra`](crate::autograd::Ctx::extra) gives it back by its number.
    pub fn keep(&mut self, value: Array) {
        self.0.push(value);
    }

    /// For a result whose gradient nobody can ask for.
    fn unread() -> Extra {
        Extra(SmallVec::new(), None, true)
    }

    /// Whether a gradient may read what is kept.
    pub fn is_read(&self) -> bool {
        !self.2
    }

    /// Says that the inputs do not fit after all: for what only a look at their elements tells, where a look beforehand would take
    /// as long as the operation. The result is thrown away.
    pub fn fail(&mut self, error: Error) {
        self.1 = Some(error);
    }

    /// The values, unless [something](Extra::fail) was wrong.
    pub(crate) fn checked(self, op: &str, at: &'static Location<'static>) -> Result<SmallVec<[Array; 1]>> {
        match self.1 {
            None => Ok(self.0),
            Some(error) => Err(error.of(op).at(at)),
        }
    }
}

/// A differentiable operation.
///
/// The one trait behind everything that is differentiated, the built-in operations and yours alike:
///
/// ```
/// use wengert::{Array, Ctx, Each, Extra, Fixed, Meta, Op, Result, Sample, Saves, Tensor, kernels, op::In};
///
/// /// y = 2x.
/// #[derive(Debug)]
/// struct Twice;
///
/// impl Op for Twice {
///     type Inputs = Fixed<1>;
///     const NAME: &'static str = "twice";
///     const SAVES: &'static [Saves] = &[Saves::NOTHING];
///     fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
///         Ok(x.with_shape(x.shape))
///     }
///     fn forward(&self, [x]: [Array; 1], y: &Meta, _: &mut Extra) -> Array {
///         let mut x = x.contiguous();
///         x.make_mut::<f32>().iter_mut().for_each(|v| *v *= 2.0);
///         x
///     }
///     fn backward(&self, _: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
///         [Some(dy * 2.0)]
///     }
///     fn samples() -> Vec<Sample<Self>> {
///         vec![Sample::new(Twice, [Array::from_slice(&[1.0f32, 2.0], [2])])]
///     }
/// }
///
/// let x = Tensor::new([1.0, 2.0]).requires_grad_(true);
/// Twice.apply([&x]).sum().backward();
/// assert_eq!(x.grad().unwrap().to_vec::<f32>(), [2.0, 2.0]);
/// ```
pub trait Op: Debug + Send + Sync + Sized + 'static {
    /// How many inputs it takes.
    type Inputs: Arity;
    /// The name that errors and pictures use.
    const NAME: &'static str;
    /// For each input, what its gradient reads; the last entry stands for all further inputs.
    const SAVES: &'static [Saves];
    /// In which precision it computes inside [`autocast`](crate::autocast).
    const PRECISION: Precision = Precision::Given;

    /// The result's shape and dtype, or why these inputs do not fit. Only this raises errors about inputs, but for those that
    /// [`Extra::fail`] is for.
    fn infer(&self, x: Each<Self, In<'_>>) -> Result<Meta>;

    /// The result, computed on arrays. An input that nobody else holds may be written to.
    fn forward(&self, x: Each<Self, Array>, y: &Meta, extra: &mut Extra) -> Array;

    /// For each input the gradient, given that of the result, written in tensor operations: so a
    /// gradient's gradient needs no rule of its own.
    ///
    /// It need not mind broadcasting (each gradient is summed to its input's shape) and may leave out what
    /// [`Ctx::wants`](crate::autograd::Ctx::wants) says nobody asks for.
    fn backward(&self, cx: &crate::autograd::Ctx<'_, Self>, dy: Tensor) -> Each<Self, Option<Tensor>>;

    /// Inputs on which the contract of operations is tested.
    fn samples() -> Vec<Sample<Self>>;

    /// The name of this very operation, where the type serves several.
    fn name(&self) -> &'static str {
        Self::NAME
    }

    /// How many floating-point operations computing the result takes, where a multiplication with an addition counts as
    /// two. As in PyTorch's counter only products, convolutions and attention count, beside which the rest is little.
    fn flops(&self, x: &[&Shape], y: &Meta) -> u64 {
        let _ = (x, y);
        0
    }

    /// What becomes of complex inputs; by default they are refused.
    fn complex(&self) -> Complex<Self> {
        Complex::Refused
    }

    /// What gradient number `i` reads, by [`SAVES`](Op::SAVES) or where the type serves several.
    #[doc(hidden)]
    fn saves(&self, i: usize) -> Saves {
        Saves::of(Self::SAVES, i)
    }

    /// What gradient number `i` reads, where that can be told from the rule itself rather than by running it.
    #[doc(hidden)]
    fn reads(&self, i: usize) -> Option<Saves> {
        let _ = i;
        None
    }

    /// Itself, where it has one input whose gradient is zero but for a part.
    #[doc(hidden)]
    fn part(&self) -> Option<&dyn PartOfInput> {
        None
    }

    /// The result of an operation with one input, where that fits and only has to be seen otherwise: what needs no record
    /// then takes no more. What this does not know, `infer` and `forward` do.
    #[doc(hidden)]
    fn view(&self, x: &Array) -> Option<Array> {
        let _ = x;
        None
    }

    /// The result. Panics at the caller's line where the inputs do not fit.
    #[track_caller]
    fn apply(self, x: Each<Self, &Tensor>) -> Tensor {
        match self.try_apply(x) {
            Ok(y) => y,
            Err(error) => raise(error),
        }
    }

    /// Like [`apply`](Op::apply) for inputs that are given up: the result may take over their memory.
    #[track_caller]
    fn apply_owned(self, x: Each<Self, Tensor>) -> Tensor {
        let duties = Duties::now();
        match run::<Self>(self, Inputs::given(x, duties), duties, Location::caller()) {
            Ok(y) => y,
            Err(error) => raise(error),
        }
    }

    /// The result, or the error that [`apply`](Op::apply) would panic with.
    #[track_caller]
    #[inline]
    fn try_apply(self, x: Each<Self, &Tensor>) -> Result<Tensor> {
        let duties = Duties::now();
        if let [x] = x.as_ref()
            && !duties.tell()
            && !(duties.record() && x.requires_grad())
            && let Some(y) = x.with_array(|x| self.view(x))
        {
            return Ok(Tensor::constant(y));
        }
        run::<Self>(self, Inputs::seen(&x, duties), duties, Location::caller())
    }
}

/// What becomes of the complex inputs of an operation.
///
/// The gradient of a real number L at z = a + ib is ∂L/∂a + i ∂L/∂b, as in PyTorch: complex numbers are pairs of real ones,
/// and so operations on them are differentiated as what they are made of.
#[derive(Debug)]
pub enum Complex<O: Op> {
    /// They are refused, with an error that names the operation.
    Refused,
    /// Forward and backward take them as they are.
    Whole,
    /// Real and imaginary parts are computed on alike and apart: forward is given the one and then the other of the inputs
    /// whose bits are set here, and the rest, which say where, as they are. Right for sums, and for what moves
    /// elements about, where backward is of that kind, too.
    Parts(u32),
    /// The result is made of other operations; `None` where these inputs are refused.
    Made(fn(&O, Each<O, Tensor>) -> Option<Tensor>),
}

/// An operation whose result is a part of its only input. Where a gradient of that input is there already, its own is
/// added to the part alone: the rows of a matrix, taken one by one, would else each bring a whole matrix of zeros.
#[doc(hidden)]
pub trait PartOfInput {
    /// `sum`, a gradient of the input, with `dy` added where the result was taken from.
    fn add_to(&self, sum: Array, dy: Tensor) -> Array;
}

/// Infers, computes, and records.
pub(crate) fn run<O: Op>(
    op: O,
    mut x: Inputs<O>,
    duties: Duties,
    at: &'static Location<'static>,
) -> Result<Tensor> {
    if O::PRECISION != Precision::Given
        && let Some(half) = duties.half()
    {
        O::PRECISION.bring(&mut x, half, at)?;
    }
    let y = op
        .infer(O::Inputs::map_ref(&x.arrays, In::from))
        .map_err(|e| e.of(op.name()).at(at))?;
    if y.shape.checked_numel().is_none() {
        let message = format!("a result of shape {} has too many elements", y.shape);
        return Err(Error::new(ErrorKind::Memory, op.name(), message).at(at));
    }
    if x.arrays.as_ref().iter().any(|x| x.dtype().is_complex()) {
        // What complex operations are made of is theirs, not products to be rounded.
        let _given = duties.half().map(|_| Autocast::set(None));
        match op.complex() {
            Complex::Whole | Complex::Parts(_) => {}
            Complex::Refused => return Err(refused(op.name(), x.arrays.as_ref()).at(at)),
            Complex::Made(f) => {
                let error = refused(op.name(), x.arrays.as_ref()).at(at);
                return f(&op, x.tensors()).ok_or(error);
            }
        }
    }
    if duties.tell() {
        let inputs: Vec<&Array> = x.arrays.as_ref().iter().collect();
        let shapes: Vec<&Shape> = inputs.iter().map(|x| x.shape()).collect();
        crate::inspect::tell(op.name(), &inputs, &y, op.flops(&shapes, &y));
    }
    match x.sources {
        Some(sources) if y.dtype.is_differentiable() => record(op, x.arrays, sources, y, at),
        _ => {
            let mut extra = Extra::unread();
            let value = forward(&op, x.arrays, &y, &mut extra);
            extra.checked(op.name(), at)?;
            Ok(Tensor::constant(value))
        }
    }
}

/// [`Op::forward`], of complex numbers on their parts where these are to be computed on apart.
#[inline]
pub(crate) fn forward<O: Op>(op: &O, x: Each<O, Array>, y: &Meta, extra: &mut Extra) -> Array {
    if y.dtype.is_complex()
        && let Complex::Parts(data) = op.complex()
    {
        return on_parts(op, data, x, y, extra);
    }
    op.forward(x, y, extra)
}

#[cold]
fn on_parts<O: Op>(op: &O, data: u32, x: Each<O, Array>, y: &Meta, extra: &mut Extra) -> Array {
    let part = Meta {
        dtype: y.dtype.real(),
        ..y.clone()
    };
    let mut i = 0;
    let imag = O::Inputs::map_ref(&x, |x| {
        i += 1;
        match x.dtype().is_complex() {
            true => x.imag().cast(part.dtype),
            false if is_data(data, i - 1) => Array::fill(x.shape().clone(), 0.0, part.dtype),
            false => x.clone(),
        }
    });
    i = 0;
    let real = O::Inputs::map(x, |x| {
        i += 1;
        if is_data(data, i - 1) {
            x.real().cast(part.dtype)
        } else {
            x
        }
    });
    let re = op.forward(real, &part, extra);
    let im = op.forward(imag, &part, &mut Extra::default());
    Array::join(&re, &im)
}

fn is_data(data: u32, i: usize) -> bool {
    data >> i.min(31) & 1 == 1
}

#[cold]
fn refused(op: &str, x: &[Array]) -> Error {
    let dtypes: Vec<&str> = x.iter().map(|x| x.dtype().name()).collect();
    let message = format!("takes no complex numbers, and got {}", dtypes.join(" and "));
    Error::new(ErrorKind::DType, op, message).help("`.real()`, `.imag()` and `.abs()` are real")
}

/// Inputs on which an operation's contract is tested, and the result they should give where it is known.
#[derive(Debug)]
pub struct Sample<O: Op> {
    /// The operation.
    pub op: O,
    /// Its inputs.
    pub inputs: Each<O, Array>,
    /// The result they give, in row-major order, where it was worked out by other means.
    pub expected: Option<Vec<f64>>,
}

impl<O: Op> Sample<O> {
    /// These inputs for this operation.
    pub fn new(op: O, inputs: impl Into<Each<O, Array>>) -> Sample<O> {
        Sample {
            op,
            inputs: inputs.into(),
            expected: None,
        }
    }

    /// With the result that they give.
    #[must_use]
    pub fn gives(mut self, expected: impl Into<Vec<f64>>) -> Sample<O> {
        self.expected = Some(expected.into());
        self
    }
}
