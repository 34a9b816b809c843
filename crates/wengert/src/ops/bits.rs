//! What is made of the parts of a floating-point number.

use super::contract;
use super::pointwise::{Kind, infer};
use crate::autograd::Ctx;
use crate::op::{Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::{Array, DType, Error, ErrorKind, Meta, Result, kernels};

/// y = the number next to a on the side of b; da = dy where a ≠ b, else 0, and db = 0, as in PyTorch.
#[derive(Clone, Debug)]
pub struct NextAfter;

impl Op for NextAfter {
    type Inputs = Fixed<2>;
    const NAME: &'static str = "nextafter";
    const SAVES: &'static [Saves] = &[Saves::x(0).and(Saves::x(1)), Saves::NOTHING];
    fn infer(&self, x: [In<'_>; 2]) -> Result<Meta> {
        let y = infer("nextafter", Kind::Float, &x)?;
        if y.dtype == DType::F16 {
            return Err(
                Error::new(ErrorKind::DType, "nextafter", "there is none for float16")
                    .note("it steps in bfloat16, float32 and float64"),
            );
        }
        Ok(y)
    }
    fn forward(&self, [a, b]: [Array; 2], y: &Meta, _: &mut Extra) -> Array {
        kernels::next_after(&a, &b, &y.shape, y.dtype)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 2] {
        let db = cx.grad(1, || dy.zeros_like());
        let da = cx.grad(0, || {
            let moves = cx.x(0).ne(&cx.x(1));
            dy.where_(&moves, &Tensor::full_as([], 0.0, dy.dtype()))
        });
        [da, db]
    }
    fn samples() -> Vec<Sample<Self>> {
        let of = |x: &[f32]| Array::from_slice(x, [x.len()]);
        let e = f64::from(f32::EPSILON);
        vec![
            Sample::new(NextAfter, [of(&[1.0, -1.0]), of(&[2.0])]).gives([1.0 + e, -1.0 + e / 2.0]),
            Sample::new(NextAfter, [of(&[]), of(&[])]).gives([]),
        ]
    }
}

/// y = m of x = m 2^e with ½ ≤ |m| < 1; dx = dy 2^−e.
#[derive(Clone, Debug)]
pub struct Mantissa;

impl Op for Mantissa {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "frexp";
    const SAVES: &'static [Saves] = &[Saves::x(0)];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        if !x.dtype.is_float() {
            let message = format!("needs floating-point numbers, and got {}", x.dtype);
            return Err(
                Error::new(ErrorKind::DType, "frexp", message).help("convert first: `.to(DType::F32)`")
            );
        }
        Ok(x.with_shape(x.shape))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        let [mantissa, _] = kernels::frexp(&x);
        mantissa
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let [_, exponent] = kernels::frexp(&cx.x(0).array());
        let scale = (-Tensor::constant(exponent.cast(dy.dtype()))).exp2();
        [Some(dy * scale)]
    }
    fn samples() -> Vec<Sample<Self>> {
        let x = Array::from_slice(&[6.0, -0.3, 1.5], [3]);
        vec![Sample::new(Mantissa, [x]).gives([0.75, -0.6, 0.75])]
    }
}

impl Tensor {
    /// The number next to each element on the side of that of `other`, among those that the dtype has.
    #[track_caller]
    pub fn nextafter(&self, other: &Tensor) -> Tensor {
        NextAfter.apply([self, other])
    }

    /// Each element as m · 2ᵉ with ½ ≤ |m| < 1: m, and e as i32. The gradient of m is that of x 2⁻ᵉ.
    #[track_caller]
    pub fn frexp(&self) -> (Tensor, Tensor) {
        let mantissa = Mantissa.apply([self]);
        let [_, exponent] = kernels::frexp(&self.array());
        (mantissa, Tensor::constant(exponent))
    }
}

contract! { frexp: Mantissa }

// Steps of rounding are no function that differences could confirm a gradient of: no contract test.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nextafter_broadcasts_and_steps_in_its_own_dtype() {
        for s in NextAfter::samples() {
            let [a, b] = s.inputs.map(Tensor::constant);
            let y = a.nextafter(&b);
            assert_eq!((y.dtype(), Some(y.to_vec::<f64>())), (DType::F32, s.expected));
        }
        let x = Tensor::from_slice(&[1.0f64], [1]);
        assert_eq!(x.nextafter(&(&x * 2.0)).item(), 1.0 + f64::EPSILON);
    }

    #[test]
    fn nextafter_passes_the_gradient_where_it_steps() {
        let a = Tensor::new([1.0, 2.0]).requires_grad_(true);
        let b = Tensor::new([3.0, 2.0]).requires_grad_(true);
        a.nextafter(&b).sum().backward();
        assert_eq!(a.grad().unwrap().to_vec::<f32>(), [1.0, 0.0]);
        assert_eq!(b.grad().unwrap().to_vec::<f32>(), [0.0, 0.0]);
    }

    #[test]
    fn frexp_takes_numbers_apart() {
        let (m, e) = Tensor::from_slice(&[6.0f32, -0.25], [2]).frexp();
        assert_eq!(
            (m.to_vec::<f32>(), e.to_vec::<i32>()),
            (vec![0.75, -0.5], vec![3, -1])
        );
    }
}
