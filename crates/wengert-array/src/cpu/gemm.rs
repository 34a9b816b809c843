//! One product on one thread by the crates `gemm-f32` and `gemm-f64`. Their front, `gemm`, would have its kernels for
//! complex numbers built, too, which takes longer than all else that we depend on.

use gemm_common::Parallelism;
use std::any::TypeId;

/// A matrix in memory, with rows `row` and columns `col` apart: both are positive.
#[derive(Clone, Copy)]
pub(super) struct Matrix<C> {
    pub(super) at: *const C,
    pub(super) row: isize,
    pub(super) col: isize,
}

impl<C> Matrix<C> {
    pub(super) fn shifted(self, by: isize) -> Matrix<C> {
        Matrix {
            at: self.at.wrapping_offset(by),
            ..self
        }
    }

    fn transposed(self) -> Matrix<C> {
        Matrix {
            at: self.at,
            row: self.col,
            col: self.row,
        }
    }
}

/// Computes `out = scale · a · b`, or adds that to `out`, whose rows are `step` apart. C is f32 or f64.
///
/// # Safety
/// a is m · k, b is k · n and `out` m · n; nobody else uses `out`.
pub(super) unsafe fn gemm<C: Copy + 'static>(
    [m, k, n]: [usize; 3],
    out: *mut C,
    step: usize,
    add: bool,
    a: Matrix<C>,
    b: Matrix<C>,
    scale: C,
) {
    // The kernels want the result's columns to be the long way: else the transposed product is computed.
    let step = step as isize;
    let ([m, n], [row, col], a, b) = match step > 1 {
        true => ([n, m], [1, step], b.transposed(), a.transposed()),
        false => ([m, n], [step, 1], a, b),
    };
    macro_rules! call {
        ($krate:ident, $t:ident) => {
            // SAFETY: the caller's promise; C is the type that the kernel is for.
            unsafe {
                let number = |x: C| (&raw const x).cast::<$t>().read();
                $krate::gemm::$t::get_gemm_fn()(
                    m,
                    n,
                    k,
                    out.cast(),
                    col,
                    row,
                    add,
                    a.at.cast(),
                    a.col,
                    a.row,
                    b.at.cast(),
                    b.col,
                    b.row,
                    1.0,
                    number(scale),
                    false,
                    false,
                    false,
                    Parallelism::None,
                )
            }
        };
    }
    if TypeId::of::<C>() == TypeId::of::<f32>() {
        call!(gemm_f32, f32)
    } else {
        assert!(
            TypeId::of::<C>() == TypeId::of::<f64>(),
            "matrix products are of f32 or f64"
        );
        call!(gemm_f64, f64)
    }
}
