//! What an element is, and how it enters and leaves a computation.

use crate::error::{Error, ErrorKind, raise};
use half::{bf16, f16};
use num_complex::{Complex32, Complex64};
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// The type of an array's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DType {
    /// One byte, 0 or 1.
    Bool,
    /// Unsigned 8-bit integer.
    U8,
    /// Signed 8-bit integer.
    I8,
    /// Signed 16-bit integer.
    I16,
    /// Signed 32-bit integer.
    I32,
    /// Signed 64-bit integer.
    I64,
    /// IEEE half precision; computed in f32.
    F16,
    /// bfloat16; computed in f32.
    BF16,
    /// IEEE single precision.
    F32,
    /// IEEE double precision.
    F64,
    /// Complex, of two F32: the real part, then the imaginary one.
    C64,
    /// Complex, of two F64.
    C128,
}

use DType::*;

/// What new floating-point arrays are made of.
static DEFAULT: AtomicU8 = AtomicU8::new(F32 as u8);

/// The dtype of floating-point numbers for which no other is given: f32 until [`set_default_dtype`] changes it.
pub fn get_default_dtype() -> DType {
    let set = DEFAULT.load(Relaxed);
    [F64, F16, BF16]
        .into_iter()
        .find(|&d| d as u8 == set)
        .unwrap_or(F32)
}

/// Makes floating-point literals, ranges, fills, random numbers and layers of this dtype where no other is given, in all
/// threads, and what integers become where a result is no integer. Complex numbers get parts of it: C64 for half precision.
///
/// # Errors
/// If it is not one of F16, BF16, F32 and F64.
///
/// ```
/// # use wengert_array::{DType, get_default_dtype, set_default_dtype};
/// assert_eq!(get_default_dtype(), DType::F32);
/// assert!(set_default_dtype(DType::I64).is_err());
/// ```
pub fn set_default_dtype(dtype: DType) -> Result<(), Error> {
    if !dtype.is_float() {
        let message =
            format!("only floating-point types are supported as the default type, and {dtype} is none");
        return Err(Error::new(ErrorKind::DType, "set_default_dtype", message));
    }
    DEFAULT.store(dtype as u8, Relaxed);
    Ok(())
}

impl DType {
    /// All of them, real ones first.
    pub const ALL: [DType; 12] = [Bool, U8, I8, I16, I32, I64, F16, BF16, F32, F64, C64, C128];

    /// Itself if floating-point, real or complex; else the [default](get_default_dtype).
    pub fn or_default(self) -> DType {
        match self.is_differentiable() {
            true => self,
            false => get_default_dtype(),
        }
    }

    /// Bytes per element.
    pub const fn size(self) -> usize {
        match self {
            Bool | U8 | I8 => 1,
            I16 | F16 | BF16 => 2,
            I32 | F32 => 4,
            I64 | F64 | C64 => 8,
            C128 => 16,
        }
    }

    /// Whether elements are real floating-point numbers.
    pub const fn is_float(self) -> bool {
        matches!(self, F16 | BF16 | F32 | F64)
    }

    /// Whether elements are complex numbers.
    pub const fn is_complex(self) -> bool {
        matches!(self, C64 | C128)
    }

    /// Whether elements are real or complex floating-point numbers: only these can have a gradient.
    pub const fn is_differentiable(self) -> bool {
        self.is_float() || self.is_complex()
    }

    /// The dtype of the parts of a complex one; any other dtype itself.
    pub const fn real(self) -> DType {
        match self {
            C64 => F32,
            C128 => F64,
            real => real,
        }
    }

    /// The complex dtype whose parts hold these elements: C128 for F64, and C64 for all else.
    pub const fn complex(self) -> DType {
        match self {
            F64 | C128 => C128,
            _ => C64,
        }
    }

    /// Whether elements are floating-point numbers of two bytes.
    pub const fn is_half(self) -> bool {
        matches!(self, F16 | BF16)
    }

    /// Whether elements are integers (bool is not).
    pub const fn is_integer(self) -> bool {
        matches!(self, U8 | I8 | I16 | I32 | I64)
    }

    /// The dtype that kernels compute in: f64 and f32 in themselves, half precision in f32, the rest in i64.
    ///
    /// # Panics
    /// If complex: kernels compute on the parts.
    pub const fn compute(self) -> DType {
        match self {
            F64 => F64,
            F32 | F16 | BF16 => F32,
            C64 | C128 => panic!("kernels compute on the parts of complex numbers"),
            _ => I64,
        }
    }

    /// The dtype that holds the result of combining two tensors of these dtypes (PyTorch's rule).
    pub fn promote(self, other: DType) -> DType {
        match (self, other) {
            (a, b) if a == b => a,
            (a, b) if a.is_complex() || b.is_complex() => {
                let part = |d: DType| if d.is_differentiable() { d.real() } else { F32 };
                part(a).promote(part(b)).complex()
            }
            (F16, BF16) | (BF16, F16) => F32,
            (U8, I8) | (I8, U8) => I16,
            (a, b) if a.is_float() != b.is_float() => {
                if a.is_float() {
                    a
                } else {
                    b
                }
            }
            // Within a kind the order of the enumeration is the order of width.
            (a, b) => a.max(b),
        }
    }

    /// PyTorch's name for it: `float32`, `int64`, `bool`, …
    pub const fn name(self) -> &'static str {
        match self {
            Bool => "bool",
            U8 => "uint8",
            I8 => "int8",
            I16 => "int16",
            I32 => "int32",
            I64 => "int64",
            F16 => "float16",
            BF16 => "bfloat16",
            F32 => "float32",
            F64 => "float64",
            C64 => "complex64",
            C128 => "complex128",
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that can be an array's element.
pub trait Element: sealed::Sealed + Copy + Default + PartialEq + Send + Sync + fmt::Debug + 'static {
    /// Its dtype.
    const DTYPE: DType;
    /// Enters a computation in `C`; of a complex number its real part does.
    fn load<C: Compute>(self) -> C;
    /// Leaves a computation in `C`: integers wrap, floats round, bool asks whether it is not zero.
    fn store<C: Compute>(c: C) -> Self;
}

/// A type that kernels compute in: `f32`, `f64` or `i64`, or a narrower integer where that gives the same.
pub trait Compute: Element {
    #[doc(hidden)]
    fn from_f32(v: f32) -> Self;
    #[doc(hidden)]
    fn from_f64(v: f64) -> Self;
    #[doc(hidden)]
    fn from_i64(v: i64) -> Self;
    #[doc(hidden)]
    fn to_f32(self) -> f32;
    #[doc(hidden)]
    fn to_f64(self) -> f64;
    #[doc(hidden)]
    fn to_i64(self) -> i64;
}

macro_rules! compute {
    ($($t:ty),*) => {$(
        impl Compute for $t {
            #[inline(always)]
            fn from_f32(v: f32) -> Self { v as $t }
            #[inline(always)]
            fn from_f64(v: f64) -> Self { v as $t }
            #[inline(always)]
            fn from_i64(v: i64) -> Self { v as $t }
            #[inline(always)]
            fn to_f32(self) -> f32 { self as f32 }
            #[inline(always)]
            fn to_f64(self) -> f64 { self as f64 }
            #[inline(always)]
            fn to_i64(self) -> i64 { self as i64 }
        }
    )*};
}
compute!(f32, f64, i64, i32, i16, i8, u8);

macro_rules! element {
    ($($t:ty, $dtype:ident, $load:expr, $store:expr;)*) => {$(
        impl sealed::Sealed for $t {}
        impl Element for $t {
            const DTYPE: DType = DType::$dtype;
            #[inline(always)]
            fn load<C: Compute>(self) -> C { $load(self) }
            #[inline(always)]
            fn store<C: Compute>(c: C) -> Self { $store(c) }
        }
    )*};
}
element! {
    bool, Bool, |v: bool| C::from_i64(v as i64), |c: C| c != C::default();
    u8, U8, |v: u8| C::from_i64(v as i64), |c: C| c.to_i64() as u8;
    i8, I8, |v: i8| C::from_i64(v as i64), |c: C| c.to_i64() as i8;
    i16, I16, |v: i16| C::from_i64(v as i64), |c: C| c.to_i64() as i16;
    i32, I32, |v: i32| C::from_i64(v as i64), |c: C| c.to_i64() as i32;
    i64, I64, |v: i64| C::from_i64(v), |c: C| c.to_i64();
    f16, F16, |v: f16| C::from_f32(v.to_f32()), |c: C| f16::from_f64(c.to_f64());
    bf16, BF16, |v: bf16| C::from_f32(v.to_f32()), nearest_bf16;
    f32, F32, |v: f32| C::from_f32(v), |c: C| c.to_f32();
    f64, F64, |v: f64| C::from_f64(v), |c: C| c.to_f64();
    Complex32, C64, |v: Complex32| C::from_f32(v.re), |c: C| Complex32::new(c.to_f32(), 0.0);
    Complex64, C128, |v: Complex64| C::from_f64(v.re), |c: C| Complex64::new(c.to_f64(), 0.0);
}

/// The nearest bf16, of two as near the even one. Of an f32 without a branch, so that loops of it become vector instructions.
#[inline(always)]
fn nearest_bf16<C: Compute>(c: C) -> bf16 {
    if C::DTYPE != F32 {
        return bf16::from_f64(c.to_f64());
    }
    let v = c.to_f32();
    let bits = v.to_bits();
    let half = 0x7fff + (bits >> 16 & 1);
    bf16::from_bits(match v.is_nan() {
        true => bits >> 16 | 0x40,
        false => bits.wrapping_add(half) >> 16,
    } as u16)
}

/// What a kernel that has no loop over complex numbers says.
#[cold]
#[doc(hidden)]
pub fn no_complex(dtype: DType) -> ! {
    raise(
        Error::new(
            ErrorKind::DType,
            "",
            format!("there is no kernel for {dtype} here"),
        )
        .help("`.real()` and `.imag()` are the parts"),
    )
}

/// Runs `$body` with `$T` standing for the Rust type of `$dtype`, which is not complex.
#[macro_export]
macro_rules! with_element {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::DType::Bool => {
                type $T = bool;
                $body
            }
            $crate::DType::U8 => {
                type $T = u8;
                $body
            }
            $crate::DType::I8 => {
                type $T = i8;
                $body
            }
            $crate::DType::I16 => {
                type $T = i16;
                $body
            }
            $crate::DType::I32 => {
                type $T = i32;
                $body
            }
            $crate::DType::I64 => {
                type $T = i64;
                $body
            }
            $crate::DType::F16 => {
                type $T = $crate::half::f16;
                $body
            }
            $crate::DType::BF16 => {
                type $T = $crate::half::bf16;
                $body
            }
            $crate::DType::F32 => {
                type $T = f32;
                $body
            }
            $crate::DType::F64 => {
                type $T = f64;
                $body
            }
            complex => $crate::no_complex(complex),
        }
    };
}

/// Runs `$body` with `$C` standing for the type that `$dtype` is computed in.
#[macro_export]
macro_rules! with_compute {
    ($dtype:expr, $C:ident => $body:expr) => {
        match $dtype.compute() {
            $crate::DType::F32 => {
                type $C = f32;
                $body
            }
            $crate::DType::F64 => {
                type $C = f64;
                $body
            }
            _ => {
                type $C = i64;
                $body
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promotion_is_pytorchs() {
        for (a, b, want) in [
            (F32, F64, F64),
            (I64, F32, F32),
            (Bool, U8, U8),
            (U8, I8, I16),
            (F16, BF16, F32),
            (I64, F16, F16),
            (Bool, Bool, Bool),
            (U8, I64, I64),
            (I32, I16, I32),
            (C64, F32, C64),
            (C64, F64, C128),
            (C64, I64, C64),
            (Bool, C128, C128),
            (C64, F16, C64),
            (C64, C128, C128),
        ] {
            assert_eq!(a.promote(b), want, "{a} {b}");
            assert_eq!(b.promote(a), want, "{b} {a}");
        }
    }

    #[test]
    fn conversions_wrap_round_and_ask() {
        assert_eq!(u8::store(300.0f32), 44);
        assert!(bool::store(0.5f64) && !bool::store(0i64));
        assert_eq!(f16::store(1.0 / 3.0f64).to_f32(), 0.333_251_95);
        assert_eq!(true.load::<f32>(), 1.0);
    }
}
