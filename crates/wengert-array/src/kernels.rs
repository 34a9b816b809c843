//! The narrow waist: the families of kernels that a device implements, and the only functions that
//! operations may call to compute. They take arguments that were checked before.

pub use crate::cpu::pointwise::Body;

use crate::array::Array;
use crate::cpu;
use crate::dtype::DType;
use crate::layout::Shape;
use crate::real::Real;

/// `body` at every element of inputs that broadcast to `shape`.
///
/// Inputs are converted to `compute`'s type (f32, f64 or i64) and results from it to the dtypes `out`. An
/// output takes over the buffer of an input that is moved in and that nobody else holds.
pub fn map<B: Body<I, O>, const I: usize, const O: usize>(
    body: &B,
    compute: DType,
    x: [Array; I],
    shape: &Shape,
    out: [DType; O],
) -> [Array; O] {
    cpu::pointwise::map(body, compute, x, shape, out)
}

struct Identity;

impl Body<1, 1> for Identity {
    #[inline(always)]
    fn eval<S: Real>(&self, x: [S; 1]) -> [S; 1] {
        x
    }
}

/// A row-major copy.
pub fn copy(x: &Array) -> Array {
    // A clone, so that the copy never takes over the buffer itself.
    let [y] = map(&Identity, x.dtype(), [x.clone()], x.shape(), [x.dtype()]);
    y
}

/// A row-major copy with elements converted to `dtype`: floats round, integers wrap, bool asks for non-zero.
pub fn cast(x: &Array, dtype: DType) -> Array {
    // Computing in the source's own type loses nothing on the way: the target's rounding is the only one.
    let [y] = map(&Identity, x.dtype(), [x.clone()], x.shape(), [dtype]);
    y
}
