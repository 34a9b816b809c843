//! What is made of the parts of a floating-point number.

use super::shared::Out;
use super::threads;
use crate::array::Array;
use crate::dtype::{DType, Element};
use crate::layout::Shape;
use crate::real::IntOp;
use half::bf16;
use std::ops::{BitAnd, BitOr, BitXor};

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

/// `a & b`, `a | b` or `a ^ b` at every element of two arrays that broadcast to `shape`, in the integers or truths `dtype`.
pub(crate) fn combine(op: IntOp, a: &Array, b: &Array, shape: &Shape, dtype: DType) -> Array {
    let mut y = Array::uninit(shape, dtype);
    // As unsigned numbers of that many bytes, a truth being 0 or 1.
    match dtype.size() {
        1 => combine_as::<u8>(op, a, b, &mut y),
        2 => combine_as::<u16>(op, a, b, &mut y),
        4 => combine_as::<u32>(op, a, b, &mut y),
        _ => combine_as::<u64>(op, a, b, &mut y),
    }
    y
}

trait Bits: Copy + Send + Sync + BitAnd<Output = Self> + BitOr<Output = Self> + BitXor<Output = Self> {}
impl<T: Copy + Send + Sync + BitAnd<Output = T> + BitOr<Output = T> + BitXor<Output = T>> Bits for T {}

fn combine_as<T: Bits>(op: IntOp, a: &Array, b: &Array, y: &mut Array) {
    let n = y.numel();
    // The same number everywhere stays one.
    let side = |x: &Array| {
        let x = x.cast(y.dtype());
        match x.numel() == 1 && n > 0 {
            true => (x.contiguous(), true),
            false => (x.broadcast_to(y.shape()).contiguous(), false),
        }
    };
    let ((a, one), (b, other)) = (side(a), side(b));
    let out = Out(y.as_bytes_ptr().cast_mut().cast::<T>());
    threads::split(n, 64, 1, |start, len| {
        // SAFETY: both have these elements, of as many bytes as T, or one; those of `y`, a new array, are this thread's.
        let (a, b, y) = unsafe {
            let part = |x: &Array, one: bool| {
                let (from, len) = if one { (0, 1) } else { (start, len) };
                std::slice::from_raw_parts(x.as_bytes_ptr().cast::<T>().add(from), len)
            };
            (part(&a, one), part(&b, other), out.slice(start, len))
        };
        match op {
            IntOp::And => each(a, b, y, one, other, |a, b| a & b),
            IntOp::Or => each(a, b, y, one, other, |a, b| a | b),
            _ => each(a, b, y, one, other, |a, b| a ^ b),
        }
    });
}

fn each<T: Copy>(a: &[T], b: &[T], y: &mut [T], one: bool, other: bool, f: impl Fn(T, T) -> T) {
    match (one, other) {
        (true, true) => y.fill(f(a[0], b[0])),
        (true, false) => y.iter_mut().zip(b).for_each(|(y, b)| *y = f(a[0], *b)),
        (false, true) => y.iter_mut().zip(a).for_each(|(y, a)| *y = f(*a, b[0])),
        (false, false) => y.iter_mut().zip(a).zip(b).for_each(|((y, a), b)| *y = f(*a, *b)),
    }
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
    fn bits_are_combined_in_the_type_itself() {
        let shape = Shape::new(&[3, 70]);
        let n = shape.numel();
        for dtype in [
            DType::Bool,
            DType::U8,
            DType::I8,
            DType::I16,
            DType::I32,
            DType::I64,
        ] {
            let of = |k: i64| {
                let data: Vec<i64> = (0..n as i64).map(|i| (i * k) % 251 - 90).collect();
                Array::from_slice(&data, &shape).cast(dtype)
            };
            let a = of(37);
            let turned = of(101).reshape([70, 3]).transpose(0, 1);
            let row = of(53).slice(0, 0, 1, 1);
            let one = Array::full([], -3.0, dtype);
            for (a, b) in [(&a, &turned), (&a, &row), (&a, &one), (&one, &a), (&one, &one)] {
                for (op, f) in [
                    (IntOp::And, (|a, b| a & b) as fn(i64, i64) -> i64),
                    (IntOp::Or, |a, b| a | b),
                    (IntOp::Xor, |a, b| a ^ b),
                ] {
                    let [x, y] = [a, b].map(|x| x.broadcast_to(&shape).to_vec::<i64>());
                    let want: Vec<i64> = x.iter().zip(&y).map(|(x, y)| f(*x, *y)).collect();
                    let got = combine(op, a, b, &shape, dtype);
                    assert_eq!(got.dtype(), dtype);
                    assert_eq!(
                        got.to_vec::<i64>(),
                        Array::from_slice(&want, &shape).cast(dtype).to_vec::<i64>()
                    );
                }
            }
        }
    }

    #[test]
    fn parts_make_the_number_again() {
        let x = Array::from_slice(&[6.0, -0.3, 0.0, 5e-324, f64::INFINITY], [5]);
        let [m, e] = frexp(&x);
        assert_eq!(m.to_vec::<f64>(), [0.75, -0.6, 0.0, 0.5, f64::INFINITY]);
        assert_eq!(e.to_vec::<i32>(), [3, -1, 0, -1073, 0]);
    }
}
