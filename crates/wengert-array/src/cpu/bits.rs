//! What is made of the parts of a floating-point number.

use crate::array::Array;
use crate::dtype::{DType, Element};
use crate::layout::Shape;
use half::bf16;

/// The number next to each element of `x` on the side of that of `y`, among those that `dtype` has: F32, F64 or BF16.
pub fn next_after(x: &Array, y: &Array, shape: &Shape, dtype: DType) -> Array {
    let [x, y] = [x, y].map(|a| a.cast(dtype).broadcast_to(shape).contiguous());
    fn each<T: Element>(x: &Array, y: &Array, f: impl Fn(T, T) -> T) -> Array {
        let pairs = x.as_slice::<T>().iter().zip(y.as_slice::<T>());
        let next: Vec<T> = pairs.map(|(x, y)| f(*x, *y)).collect();
        Array::from_slice(&next, x.shape())
    }
    match dtype {
        DType::F64 => each::<f64>(&x, &y, libm::nextafter),
        DType::F32 => each::<f32>(&x, &y, libm::nextafterf),
        _ => each::<bf16>(&x, &y, |x, y| match x.partial_cmp(&y) {
            None => bf16::NAN,
            Some(std::cmp::Ordering::Equal) => y,
            // The smallest number on that side of zero.
            Some(_) if x == bf16::ZERO => bf16::from_bits(1 | y.to_bits() & 0x8000),
            // Bits count up away from zero.
            Some(order) => {
                let away = (order == std::cmp::Ordering::Less) == x.is_sign_positive();
                bf16::from_bits(if away { x.to_bits() + 1 } else { x.to_bits() - 1 })
            }
        }),
    }
}

/// Each element as `m · 2ᵉ` with ½ ≤ |m| < 1: the m, and the e as I32. Of zero, infinities and NaN e is 0.
pub fn frexp(x: &Array) -> [Array; 2] {
    let (parts, exponents): (Vec<f64>, Vec<i32>) = x
        .to_vec::<f64>()
        .into_iter()
        .map(|v| if v.is_finite() { libm::frexp(v) } else { (v, 0) })
        .unzip();
    [
        Array::from_slice(&parts, x.shape()).cast(x.dtype()),
        Array::from_slice(&exponents, x.shape()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_number_is_one_step_away() {
        let x = Array::from_slice(&[1.0f32, 0.0, -1.0, 2.0, f32::MAX], [5]);
        let y = Array::from_slice(&[2.0f32, -1.0, 0.0, 2.0, f32::INFINITY], [5]);
        let next = next_after(&x, &y, x.shape(), DType::F32).to_vec::<f32>();
        assert_eq!(
            next,
            [
                1.0 + f32::EPSILON,
                -1e-45,
                -1.0 + f32::EPSILON / 2.0,
                2.0,
                f32::INFINITY
            ]
        );
        let next = next_after(&x, &y, x.shape(), DType::BF16).to_vec::<f64>();
        assert_eq!(next[..4], [1.0078125, -2f64.powi(-133), -0.99609375, 2.0]);
    }

    #[test]
    fn parts_make_the_number_again() {
        let x = Array::from_slice(&[6.0, -0.3, 0.0, 5e-324, f64::INFINITY], [5]);
        let [m, e] = frexp(&x);
        assert_eq!(m.to_vec::<f64>(), [0.75, -0.6, 0.0, 0.5, f64::INFINITY]);
        assert_eq!(e.to_vec::<i32>(), [3, -1, 0, -1073, 0]);
    }
}
