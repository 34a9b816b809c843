//! Complex numbers and their parts.
//!
//! All that computes with complex numbers is made of real operations (see [`Pair`]); the operations here
//! lead from the one to the other.

use super::contract;
use super::pair::Pair;
use crate::autograd::Ctx;
use crate::op::{Complex, Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::num_complex::Complex64;
use wengert_array::{Array, DType, Error, ErrorKind, Meta, Result, raise};

fn table() -> Array {
    let z = [
        (0.5, -1.0),
        (2.0, 3.0),
        (-0.25, 1.5),
        (0.75, -2.0),
        (1.0, 4.0),
        (-3.0, 0.125),
    ];
    Array::from_slice(&z.map(|(re, im)| Complex64::new(re, im)), [2, 3])
}

fn needs_complex(op: &str, x: &In<'_>) -> Result<()> {
    if x.dtype.is_complex() {
        return Ok(());
    }
    let message = format!("needs complex numbers, and got {}", x.dtype);
    Err(Error::new(ErrorKind::DType, op, message)
        .help("`.to(DType::C64)` makes complex numbers of real ones"))
}

/// y = the real or the imaginary part of x, as a view; dx = dy as that part, with zero as the other.
#[derive(Clone, Debug)]
pub struct PartOf {
    /// The imaginary one.
    pub imag: bool,
}

impl Op for PartOf {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "real";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn name(&self) -> &'static str {
        if self.imag { "imag" } else { "real" }
    }
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        needs_complex(self.name(), &x)?;
        Ok(Meta {
            dtype: x.dtype.real(),
            ..x.with_shape(x.shape)
        })
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        if self.imag { x.imag() } else { x.real() }
    }
    fn backward(&self, _: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let zero = Tensor::full_as([], 0.0, dy.dtype());
        let [re, im] = if self.imag { [&zero, &dy] } else { [&dy, &zero] };
        [Some(Join.apply([re, im]))]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Whole
    }
    fn samples() -> Vec<Sample<Self>> {
        vec![
            Sample::new(PartOf { imag: false }, [table()]).gives([0.5, 2.0, -0.25, 0.75, 1.0, -3.0]),
            Sample::new(PartOf { imag: true }, [table()]).gives([-1.0, 3.0, 1.5, -2.0, 4.0, 0.125]),
        ]
    }
}

/// y = a + ib; da = the real part of dy, db = the imaginary one.
#[derive(Clone, Debug)]
pub struct Join;

impl Op for Join {
    type Inputs = Fixed<2>;
    const NAME: &'static str = "complex";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, x: [In<'_>; 2]) -> Result<Meta> {
        let dtype = x[0].dtype;
        if dtype != x[1].dtype || !matches!(dtype, DType::F32 | DType::F64) {
            let message = format!("the parts are {} and {}", dtype, x[1].dtype);
            return Err(Error::new(ErrorKind::DType, "complex", message)
                .note("both must be float32, or both float64"));
        }
        let shape = super::pointwise::broadcast(&x)?;
        Ok(Meta {
            dtype: dtype.complex(),
            ..x[0].with_shape(shape)
        })
    }
    fn forward(&self, [re, im]: [Array; 2], y: &Meta, _: &mut Extra) -> Array {
        Array::join(&re.broadcast_to(&y.shape), &im.broadcast_to(&y.shape))
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 2] {
        [cx.grad(0, || dy.real()), cx.grad(1, || dy.imag())]
    }
    fn samples() -> Vec<Sample<Self>> {
        let [a, b] = super::arithmetic::pair();
        vec![
            Sample::new(Join, [a, b.clone()]),
            Sample::new(Join, [b, Array::scalar(0.5)]).gives([-1.25, 0.5, 0.5, 0.5, 2.0, 0.5]),
        ]
    }
}

/// y = a b of complex numbers, or a times the conjugate of b; da = dy times the conjugate of what a was multiplied by, db = dy
/// times the conjugate of a (where b was conjugated: a times that of dy).
#[derive(Clone, Debug)]
pub struct ComplexProduct {
    /// Whether b is conjugated.
    pub conjugate: bool,
}

impl Op for ComplexProduct {
    type Inputs = Fixed<2>;
    const NAME: &'static str = "mul";
    const SAVES: &'static [Saves] = &[Saves::x(1), Saves::x(0)];
    fn infer(&self, x: [In<'_>; 2]) -> Result<Meta> {
        needs_complex("mul", &x[0])?;
        if x[0].dtype != x[1].dtype {
            let message = format!("cannot multiply {} by {} at once", x[0].dtype, x[1].dtype);
            return Err(Error::new(ErrorKind::DType, "mul", message));
        }
        Ok(x[0].with_shape(super::pointwise::broadcast(&x)?))
    }
    fn forward(&self, [a, b]: [Array; 2], y: &Meta, _: &mut Extra) -> Array {
        Array::complex_product(&a, &b, self.conjugate, &y.shape)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 2] {
        let product = |conjugate, a: &Tensor, b: &Tensor| ComplexProduct { conjugate }.apply([a, b]);
        let da = cx.grad(0, || product(!self.conjugate, &dy, &cx.x(1)));
        let db = cx.grad(1, || match self.conjugate {
            true => product(true, &cx.x(0), &dy),
            false => product(true, &dy, &cx.x(0)),
        });
        [da, db]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Whole
    }
    fn samples() -> Vec<Sample<Self>> {
        let row = table().slice(0, 1, 1, 1).squeeze(0);
        let nothing = || row.slice(0, 0, 0, 1);
        let both = [false, true].into_iter().flat_map(|conjugate| {
            let op = || ComplexProduct { conjugate };
            [
                Sample::new(op(), [table(), row.clone()]),
                Sample::new(op(), [nothing(), nothing()]).gives([]),
            ]
        });
        both.collect()
    }
}

/// y = x with the parts of its complex numbers as a new last dimension, as a view; dx = dy seen as complex numbers.
#[derive(Clone, Debug)]
pub struct ViewAsReal;

impl Op for ViewAsReal {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "view_as_real";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        needs_complex("view_as_real", &x)?;
        Ok(Meta {
            dtype: x.dtype.real(),
            ..x.with_shape(x.shape.insert(x.shape.rank(), 2))
        })
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        x.view_as_real()
    }
    fn backward(&self, _: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        [Some(dy.view_as_complex())]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Whole
    }
    fn samples() -> Vec<Sample<Self>> {
        let all = [0.5, -1.0, 2.0, 3.0, -0.25, 1.5, 0.75, -2.0, 1.0, 4.0, -3.0, 0.125];
        vec![Sample::new(ViewAsReal, [table()]).gives(all)]
    }
}

/// y = the complex numbers whose parts are the last dimension of x, of size two; dx = dy seen as real numbers.
#[derive(Clone, Debug)]
pub struct ViewAsComplex;

impl Op for ViewAsComplex {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "view_as_complex";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        if !matches!(x.dtype, DType::F32 | DType::F64) {
            let message = format!("the parts must be float32 or float64, and are {}", x.dtype);
            return Err(Error::new(ErrorKind::DType, "view_as_complex", message));
        }
        if x.shape.last() != Some(&2) {
            let message = format!("the last dimension of {} does not have size 2", x.shape);
            return Err(Error::new(ErrorKind::Shape, "view_as_complex", message)
                .note("it holds the real and the imaginary part"));
        }
        Ok(Meta {
            dtype: x.dtype.complex(),
            ..x.with_shape(x.shape.remove(x.shape.rank() - 1))
        })
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        x.view_as_complex()
    }
    fn backward(&self, _: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        [Some(dy.view_as_real())]
    }
    fn samples() -> Vec<Sample<Self>> {
        vec![
            Sample::new(ViewAsComplex, [table().view_as_real()]),
            Sample::new(ViewAsComplex, [Array::from_slice(&[1.5, 2.0], [2])]).gives([1.5, 2.0]),
        ]
    }
}

/// Complex numbers. They are pairs of real ones, and differentiated as such: the gradient of a real number L with respect
/// to a + ib is ∂L/∂a + i ∂L/∂b, as in PyTorch.
///
/// ```
/// # use wengert::{Tensor, DType};
/// let z = Tensor::complex(&Tensor::new([3.0, 0.0]), &Tensor::new([4.0, -2.0])).requires_grad_(true);
/// assert_eq!(z.to_string(), "tensor([3.+4.j, 0.-2.j], requires_grad=True)");
/// (&z * z.conj()).real().sum().backward();
/// assert_eq!(z.grad().unwrap().to_string(), "tensor([6.+8.j, 0.-4.j])");
/// ```
impl Tensor {
    /// `a + ib`, of parts that broadcast.
    ///
    /// # Panics
    /// Unless both are f32, or both f64.
    #[track_caller]
    pub fn complex(re: &Tensor, im: &Tensor) -> Tensor {
        Join.apply([re, im])
    }

    /// The complex numbers with these distances from zero and these angles in radians.
    ///
    /// # Panics
    /// Unless both are f32, or both f64.
    #[track_caller]
    pub fn polar(abs: &Tensor, angle: &Tensor) -> Tensor {
        Join.apply([&(abs * angle.cos()), &(abs * angle.sin())])
    }

    /// The real parts, as a view; a real tensor itself.
    #[track_caller]
    pub fn real(&self) -> Tensor {
        match self.dtype().is_complex() {
            true => PartOf { imag: false }.apply([self]),
            false => self.clone(),
        }
    }

    /// The imaginary parts of a complex tensor, as a view.
    ///
    /// # Panics
    /// If the tensor is real.
    #[track_caller]
    pub fn imag(&self) -> Tensor {
        PartOf { imag: true }.apply([self])
    }

    /// The complex conjugates; a real tensor itself.
    #[track_caller]
    pub fn conj(&self) -> Tensor {
        if !self.dtype().is_complex() {
            return self.clone();
        }
        Join.apply([&self.real(), &-self.imag()])
    }

    /// The conjugate of the transposed matrices in the last two dimensions.
    #[track_caller]
    pub fn adjoint(&self) -> Tensor {
        self.transpose(-2, -1).conj()
    }

    /// The parts of complex numbers as a new last dimension of size two, as a view.
    ///
    /// # Panics
    /// If the tensor is real.
    #[track_caller]
    pub fn view_as_real(&self) -> Tensor {
        ViewAsReal.apply([self])
    }

    /// The complex numbers whose parts are the last dimension.
    ///
    /// # Panics
    /// If that does not have size two, or the dtype is neither f32 nor f64.
    #[track_caller]
    pub fn view_as_complex(&self) -> Tensor {
        ViewAsComplex.apply([self])
    }

    /// The numbers divided by their distances from zero, and zero at zero; of real numbers the sign.
    #[track_caller]
    pub fn sgn(&self) -> Tensor {
        if !self.dtype().is_complex() {
            return self.sign();
        }
        Pair::of(self).sgn().into_tensor()
    }

    /// The only element of a tensor of any dtype, as a complex number.
    ///
    /// # Panics
    /// If there is not exactly one.
    #[track_caller]
    pub fn item_complex(&self) -> Complex64 {
        match self.to_vec::<Complex64>()[..] {
            [z] => z,
            _ => raise(Error::new(
                ErrorKind::Value,
                "item_complex",
                format!("needs a tensor with one element, and got shape {}", self.shape()),
            )),
        }
    }

    /// A 0-d tensor of this number.
    pub fn complex_scalar(z: Complex64, dtype: DType) -> Tensor {
        Tensor::constant(Array::scalar(z).cast(dtype))
    }
}

contract! {
    part_of: PartOf,
    join: Join,
    product: ComplexProduct,
    view_as_real: ViewAsReal,
    view_as_complex: ViewAsComplex,
}
