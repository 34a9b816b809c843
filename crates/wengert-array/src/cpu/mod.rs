//! The kernel families on the processor.

/// Runs `$body` with `$C` standing for f32 or f64, whichever `$dtype` is computed in.
macro_rules! with_float {
    ($dtype:expr, $C:ident => $body:expr) => {
        match $dtype.compute() {
            $crate::dtype::DType::F64 => {
                type $C = f64;
                $body
            }
            _ => {
                type $C = f32;
                $body
            }
        }
    };
}

pub(crate) mod attention;
pub(crate) mod bits;
pub(crate) mod border;
pub(crate) mod columns;
pub(crate) mod conv;
pub(crate) mod convert;
pub(crate) mod copy;
pub(crate) mod count;
pub(crate) mod ctc;
pub(crate) mod distance;
pub(crate) mod fft;
pub(crate) mod gemm;
pub(crate) mod grid;
pub(crate) mod index;
pub(crate) mod interpolate;
pub(crate) mod interpret;
pub(crate) mod isa;
pub(crate) mod linalg;
pub(crate) mod lstm;
pub(crate) mod matmul;
pub(crate) mod norm;
pub(crate) mod pointwise;
pub(crate) mod pool;
pub(crate) mod quotient;
pub(crate) mod random;
pub(crate) mod reduce;
pub(crate) mod rows;
pub(crate) mod scan;
pub(crate) mod scatter;
pub(crate) mod shared;
pub(crate) mod short;
pub(crate) mod sort;
mod source;
pub(crate) mod special;
pub(crate) mod threads;
mod turn;
mod vector;
pub(crate) mod walk;
