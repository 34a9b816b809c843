//! The narrow waist: the families of kernels that a device implements, and the only functions that
//! operations may call to compute. They take arguments that were checked before.

pub use crate::cpu::attention::{Scores, attention, attention_backward};
pub use crate::cpu::bits::{frexp, next_after};
pub use crate::cpu::border::{gather_back, place, surround};
pub use crate::cpu::columns::{Sliding, columns, images};
pub use crate::cpu::conv::{ConvSpec, conv, conv_input, conv_weight};
pub use crate::cpu::count::{Groups, bincount, histogram, unique_rows};
pub use crate::cpu::ctc::{Alignment, ctc, ctc_backward};
pub use crate::cpu::distance::distances;
pub use crate::cpu::fft::{fft, irfft, rfft};
pub use crate::cpu::grid::{
    Interpolation, Outside, Sampling, grid_sample, grid_sample_back, grid_sample_slope,
};
pub use crate::cpu::index::{
    arange, concat, embed, gather, index_add, index_select, positions, scatter_add, triangle,
};
pub use crate::cpu::interpolate::{LinearMap, linear_map};
pub use crate::cpu::interpret::interpret;
pub use crate::cpu::linalg::{
    Triangle, cholesky, cofactor, determinant, eigh, geqrf, inverse, is_symmetric, ldl, ldl_solve,
    least_squares, lu, lu_solve, matrix_exp, pinv, qr, solve_triangular, svd, svdvals,
};
pub use crate::cpu::lstm::{lstm, lstm_backward};
pub use crate::cpu::matmul::matmul;
pub use crate::cpu::norm::{
    Rows, channel_affine, channel_norm_backward, channel_stats, norm_rows, norm_rows_backward,
};
pub use crate::cpu::pointwise::Body;
pub use crate::cpu::pool::{Window, max_pool, max_pool_values, max_unpool};
pub use crate::cpu::quotient::{Quotient, has_zero, quotient};
pub use crate::cpu::random::Generator;
pub use crate::cpu::reduce::{Reduce, arg_reduce, reduce, reduce_as};
pub use crate::cpu::rows::{cross_entropy, cross_entropy_backward, softmax, softmax_backward};
pub use crate::cpu::scan::{Scan, log_sum_exp_backward, scan, scan_extreme};
pub use crate::cpu::scatter::{Scatter, index_write, nonzero, scatter, write};
pub use crate::cpu::short::Short;
pub use crate::cpu::sort::{median_index, order, search_sorted};
pub use crate::cpu::special::{Family, Special2, special2};

use crate::array::Array;
use crate::cpu;
use crate::dtype::DType;
use crate::layout::Shape;
use crate::real::Real;

/// `body` at every element of inputs that broadcast to `shape`.
///
/// Inputs are converted to `compute`'s type (f32, f64 or i64) and results from it to the dtypes `out`. An
/// input that is `None` is one that the body does not read. An output takes over the buffer of an input
/// that is moved in and that nobody else holds.
pub fn map<B: Body<I, M, O>, const I: usize, const M: usize, const O: usize>(
    body: &B,
    compute: DType,
    x: [Option<Array>; I],
    more: [Option<Array>; M],
    shape: &Shape,
    out: [DType; O],
) -> [Array; O] {
    cpu::pointwise::map(body, compute, x, more, shape, out)
}

struct Identity;

impl Body<1, 0, 1> for Identity {
    #[inline(always)]
    fn eval<S: Real>(&self, x: [S; 1], []: [S; 0]) -> [S; 1] {
        x
    }
}

/// A row-major copy.
pub fn copy(x: &Array) -> Array {
    if !x.is_contiguous() || !matches!(x.dtype(), DType::F32 | DType::F64 | DType::I64) {
        return cpu::copy::copy(x);
    }
    // As elementwise results are written: past the caches where it exceeds them. A clone, so that the copy never takes over the
    // buffer itself.
    let [y] = map(
        &Identity,
        x.dtype(),
        [Some(x.clone())],
        [],
        x.shape(),
        [x.dtype()],
    );
    y
}

/// A row-major copy with elements converted to `dtype`: floats round, integers wrap, bool asks for non-zero.
pub fn cast(x: &Array, dtype: DType) -> Array {
    match (x.dtype().is_complex(), dtype.is_complex()) {
        (true, true) => return x.view_as_real().cast(dtype.real()).view_as_complex(),
        (false, true) => {
            let zero = Array::fill(x.shape().clone(), 0.0, dtype.real());
            return Array::join(&x.cast(dtype.real()), &zero);
        }
        (true, false) if dtype == DType::Bool => {
            let parts = x.view_as_real().cast(DType::Bool);
            return reduce(&parts, &[x.rank()], Reduce::Max, DType::Bool).reshape(x.shape());
        }
        (true, false) => return x.real().cast(dtype),
        (false, false) => {}
    }
    if x.is_contiguous()
        && cpu::convert::casts(x.dtype(), dtype)
        && x.numel() * x.dtype().size() < cpu::walk::STREAM
    {
        return cpu::convert::cast(x, dtype);
    }
    // Computing in the source's own type loses nothing on the way: the target's rounding is the only one.
    let [y] = map(&Identity, x.dtype(), [Some(x.clone())], [], x.shape(), [dtype]);
    y
}
