//! Quotients of integers, and what they leave.
//!
//! They are found as f64, many at a time. Between numbers below 2⁵¹ that is exact: a quotient a / b that is no integer k is at least
//! 1 / |b| away from it, which is more than half the distance of two f64 at k, so rounding never reaches k.

use super::isa::{Lane, dispatch};
use super::shared::Out;
use super::threads;
use crate::array::Array;
use crate::dtype::{DType, Element};
use crate::layout::Shape;
use std::mem::MaybeUninit;

/// What is wanted of two integers, of which the second is not zero: where it is, all of them are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quotient {
    /// a / b rounded down.
    Floor,
    /// a / b rounded toward zero.
    Trunc,
    /// What the first leaves of a: it has the sign of b.
    FloorRest,
    /// What the second leaves of a: it has the sign of a.
    TruncRest,
}

/// The quotients or rests of integers that broadcast to `shape`, as `dtype`, in which all but single numbers can be represented.
pub fn quotient(how: Quotient, a: &Array, b: &Array, shape: &Shape, dtype: DType) -> Array {
    let fits = |x: &Array| {
        x.dtype() == dtype || x.dtype().promote(dtype) == dtype || {
            let one = x.element::<i64>();
            one.is_some_and(|v| Array::scalar(v).cast(dtype).element() == Some(v))
        }
    };
    if !(fits(a) && fits(b)) {
        return quotient(how, a, b, shape, DType::I64).cast(dtype);
    }
    match dtype {
        DType::I64 => of::<i64>(how, a, b, shape),
        DType::I32 => of::<i32>(how, a, b, shape),
        DType::I16 => of::<i16>(how, a, b, shape),
        DType::I8 => of::<i8>(how, a, b, shape),
        _ => of::<u8>(how, a, b, shape),
    }
}

/// Whether an element is zero.
pub fn has_zero(x: &Array) -> bool {
    let x = x.contiguous();
    crate::with_element!(x.dtype(), T => {
        let mut found = false;
        for part in x.as_slice::<T>().chunks(4096) {
            // SAFETY: unsafe only because it is compiled for instructions, which the dispatch finds.
            unsafe { zero_in::<i64, T>(part, &mut found) };
            if found {
                break;
            }
        }
        found
    })
}

dispatch!(unsafe fn zero_in<C: Lane, T: Element>(x: &[T], found: &mut bool) => zero_in_body);

#[allow(clippy::extra_unused_type_parameters)]
#[inline(always)]
unsafe fn zero_in_body<S, C: Lane, T: Element>(x: &[T], found: &mut bool) {
    *found = x.iter().fold(false, |found, v| found | (*v == T::default()));
}

/// Integers of one width.
trait Whole: Element {
    /// Whether the magic of f64 holds for it.
    fn is_near(x: &[Self]) -> bool;
    /// The same, if near.
    fn to_near(self) -> f64;
    /// An integer below 2⁵² in size, wrapped.
    fn from_near(v: f64) -> Self;
    fn wide(self) -> i64;
    fn wrap(v: i64) -> Self;
}

/// 1.5 · 2⁵²: added to an integer below 2⁵¹ in size, it leaves that in the low bits.
const ROUND: f64 = 6755399441055744.0;

macro_rules! whole {
    ($($T:ident $near:expr, |$v:ident| $to:expr;)*) => {$(
        impl Whole for $T {
            #[inline(always)]
            fn is_near(x: &[$T]) -> bool {
                $near(x)
            }
            #[inline(always)]
            fn to_near(self) -> f64 {
                let $v = self;
                $to
            }
            #[inline(always)]
            fn from_near(v: f64) -> $T {
                (v + ROUND).to_bits().wrapping_sub(ROUND.to_bits()) as $T
            }
            #[inline(always)]
            fn wide(self) -> i64 {
                i64::from(self)
            }
            #[inline(always)]
            fn wrap(v: i64) -> $T {
                v as $T
            }
        }
    )*};
}
whole! {
    u8 |_| true, |v| f64::from(v);
    i8 |_| true, |v| f64::from(v);
    i16 |_| true, |v| f64::from(v);
    i32 |_| true, |v| f64::from(v);
    // There is no conversion of 64 bits before AVX-512.
    i64 |x: &[i64]| x.iter().fold(0, |all, v| all | (v ^ (v >> 63))) >> 50 == 0,
        |v| f64::from_bits(ROUND.to_bits().wrapping_add(v as u64)) - ROUND;
}

fn of<T: Whole>(how: Quotient, a: &Array, b: &Array, shape: &Shape) -> Array {
    let y = Array::uninit(shape, T::DTYPE);
    let n = y.numel();
    if n == 0 {
        return y;
    }
    // The same divisor everywhere stays one.
    let one = b.numel() == 1;
    let a = a.cast(T::DTYPE).broadcast_to(shape).contiguous();
    let b = b.cast(T::DTYPE);
    let b = if one { b } else { b.broadcast_to(shape) }.contiguous();
    let (a, b) = (a.as_slice::<T>(), b.as_slice::<T>());
    let out = Out(y.as_bytes_ptr().cast_mut().cast::<MaybeUninit<T>>());
    threads::split(n, 64, 8, |start, len| {
        let b = if one { b } else { &b[start..][..len] };
        // SAFETY: these elements of `y`, a new array, are this thread's; else as in `has_zero`.
        unsafe { divide::<f64, T>(how, &a[start..][..len], b, out.slice(start, len)) };
    });
    y
}

dispatch!(unsafe fn divide<C: Lane, T: Whole>(how: Quotient, a: &[T], b: &[T], out: &mut [MaybeUninit<T>]) => divide_body);

/// A stretch at a time: all of it by f64, or all of it number by number.
#[allow(clippy::extra_unused_type_parameters)]
#[inline(always)]
unsafe fn divide_body<S, C: Lane, T: Whole>(how: Quotient, a: &[T], b: &[T], out: &mut [MaybeUninit<T>]) {
    const STRETCH: usize = 64;
    let same = (b.len() == 1).then(|| [b[0]; STRETCH]);
    for (k, (out, a)) in out.chunks_mut(STRETCH).zip(a.chunks(STRETCH)).enumerate() {
        let b = match &same {
            Some(b) => &b[..a.len()],
            None => &b[k * STRETCH..][..a.len()],
        };
        if !(T::is_near(a) && T::is_near(b)) {
            for ((y, a), b) in out.iter_mut().zip(a).zip(b) {
                y.write(T::wrap(exactly(how, a.wide(), b.wide())));
            }
            continue;
        }
        // Quotients, and numbers less than them times the divisor, are integers that f64 holds.
        macro_rules! each {
            (|$a:ident, $b:ident| $y:expr) => {
                for ((y, a), b) in out.iter_mut().zip(a).zip(b) {
                    let ($a, b) = (a.to_near(), b.to_near());
                    let $b = if b == 0.0 { 1.0 } else { b };
                    let result: f64 = $y;
                    y.write(T::from_near(if b == 0.0 { 0.0 } else { result }));
                }
            };
        }
        match how {
            Quotient::Floor => each!(|a, b| (a / b).floor()),
            Quotient::Trunc => each!(|a, b| (a / b).trunc()),
            Quotient::FloorRest => each!(|a, b| a - (a / b).floor() * b),
            Quotient::TruncRest => each!(|a, b| a - (a / b).trunc() * b),
        }
    }
}

#[inline(always)]
fn exactly(how: Quotient, a: i64, b: i64) -> i64 {
    if b == 0 {
        return 0;
    }
    let q = a.wrapping_div(b);
    let rest = a.wrapping_sub(q.wrapping_mul(b));
    let past = rest != 0 && (rest ^ b) < 0;
    match how {
        Quotient::Trunc => q,
        Quotient::TruncRest => rest,
        Quotient::Floor => q - i64::from(past),
        Quotient::FloorRest => rest + if past { b } else { 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(how: Quotient, a: i128, b: i128) -> i128 {
        match (b, how) {
            (0, _) => 0,
            (_, Quotient::Trunc) => a / b,
            (_, Quotient::TruncRest) => a % b,
            (_, Quotient::Floor) => (a - (a % b + b) % b) / b,
            (_, Quotient::FloorRest) => (a % b + b) % b,
        }
    }

    const ALL: [Quotient; 4] = [
        Quotient::Floor,
        Quotient::Trunc,
        Quotient::FloorRest,
        Quotient::TruncRest,
    ];

    fn edges() -> Vec<i64> {
        let mut edges: Vec<i64> = (-9..=9).collect();
        for k in [7, 8, 15, 16, 31, 32, 49, 50, 51, 52, 53, 62] {
            edges.extend((-2..=2).flat_map(|d| [(1i64 << k) + d, -(1i64 << k) + d]));
        }
        edges.extend([
            i64::MIN,
            i64::MIN + 1,
            i64::MAX,
            94906265,
            94906267,
            94906265 * 23,
        ]);
        edges
    }

    #[test]
    fn quotients_are_exact_in_every_width() {
        let edges = edges();
        let n = edges.len();
        // Each with each, and stretches of near ones alone.
        let pairs = (0..n * n).map(|i| (edges[i / n], edges[i % n]));
        let near = (0..n * n).map(|i| (edges[i / n] >> 14, edges[i % n] >> 20));
        let (a, b): (Vec<i64>, Vec<i64>) = pairs.chain(near).unzip();
        let shape = Shape::new(&[a.len()]);
        for dtype in [DType::I64, DType::I32, DType::I16, DType::I8, DType::U8] {
            let [a, b] = [&a, &b].map(|x| Array::from_slice(x, &shape).cast(dtype));
            let wide = [&a, &b].map(|x| x.to_vec::<i64>());
            for how in ALL {
                let got = quotient(how, &a, &b, &shape, dtype);
                assert_eq!(got.dtype(), dtype);
                for ((a, b), got) in wide[0].iter().zip(&wide[1]).zip(got.to_vec::<i64>()) {
                    let want = wanted(how, i128::from(*a), i128::from(*b)) as i64;
                    let want = Array::scalar(want).cast(dtype).element::<i64>();
                    assert_eq!(Some(got), want, "{how:?} of {a} and {b} as {dtype}");
                }
            }
        }
    }

    #[test]
    fn one_divisor_rows_and_what_is_strided() {
        let a = Array::from_slice(&(-150..150i64).collect::<Vec<_>>(), [100, 3]).cast(DType::I32);
        let a = a.transpose(0, 1);
        let row = Array::from_slice(&(1..=100i32).collect::<Vec<_>>(), [100]);
        for b in [Array::scalar(7i64), Array::scalar(1i64 << 40), row] {
            for how in ALL {
                let y = quotient(how, &a, &b, a.shape(), DType::I32);
                let b = b.broadcast_to(a.shape()).to_vec::<i64>();
                let want: Vec<i64> = (a.to_vec::<i64>().iter().zip(&b))
                    .map(|(a, b)| i64::from(wanted(how, i128::from(*a), i128::from(*b)) as i32))
                    .collect();
                assert_eq!((y.dtype(), y.to_vec::<i64>()), (DType::I32, want));
            }
        }
        let none = Array::full([0, 3], 1.0, DType::I64);
        assert_eq!(
            quotient(ALL[0], &none, &none, none.shape(), DType::I64).numel(),
            0
        );
    }

    #[test]
    fn zeros_are_found_wherever_they_are() {
        for n in [0, 1, 63, 5000] {
            let ones = vec![3i64; n];
            assert!(!has_zero(&Array::from_slice(&ones, [n])));
            for at in [0, n / 2, n.saturating_sub(1)].into_iter().filter(|at| *at < n) {
                let mut x = ones.clone();
                x[at] = 0;
                let x = Array::from_slice(&x, [n]);
                assert!(has_zero(&x) && has_zero(&x.cast(DType::U8)) && has_zero(&x.cast(DType::Bool)));
            }
        }
    }
}
