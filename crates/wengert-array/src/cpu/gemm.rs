//! One product on one thread: by register tiles of our own where the processor has AVX2 or AVX-512, elsewhere by the crates
//! `gemm-f32` and `gemm-f64`. (Their front, `gemm`, would have its kernels for complex numbers built, too, which takes longer
//! than all else that we depend on.)

#[cfg(target_arch = "x86_64")]
mod blocks;
#[cfg(target_arch = "x86_64")]
mod tile;

use super::isa::{Isa, isa};
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

    fn cast<D>(self) -> Matrix<D> {
        Matrix {
            at: self.at.cast(),
            row: self.row,
            col: self.col,
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

/// What a product is added to.
#[derive(Clone, Copy)]
pub(super) enum Start<C> {
    Zero,
    /// What the result holds already.
    Old,
    /// These numbers, one for each column.
    Row(*const C),
}

/// Whether products are computed by tiles of our own, which turn a transposed operand themselves.
pub(super) fn is_own() -> bool {
    cfg!(target_arch = "x86_64") && isa() != Isa::Baseline
}

/// Computes `out = scale · a · b + start`, whose rows are `step` apart. C is f32 or f64.
///
/// # Safety
/// a is m · k, b is k · n and `out` m · n; nobody else uses `out`.
pub(super) unsafe fn gemm<C: Copy + 'static>(
    size: [usize; 3],
    out: *mut C,
    step: usize,
    start: Start<C>,
    a: Matrix<C>,
    b: Matrix<C>,
    scale: C,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match is_own() && size[0] > 1 && size[1] > 0 && size[2] > 1 {
            true => tiled(size, out, step, start, a, b, scale),
            false => library(size, out, step, start, a, b, scale),
        }
    }
}

/// Whether `C` is f32, and not f64.
fn is_f32<C: 'static>() -> bool {
    let [is_f32, is_f64] = [TypeId::of::<f32>(), TypeId::of::<f64>()].map(|id| id == TypeId::of::<C>());
    assert!(is_f32 || is_f64, "matrix products are of f32 or f64");
    is_f32
}

/// [`gemm`] by our own tiles, where they are [there](is_own): each element has the same bits however rows and columns are cut.
///
/// # Safety
/// As there, and no side is 0.
pub(super) unsafe fn tiled<C: Copy + 'static>(
    size: [usize; 3],
    out: *mut C,
    step: usize,
    start: Start<C>,
    a: Matrix<C>,
    b: Matrix<C>,
    scale: C,
) {
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! call {
            ($kernel:ident, $t:ident) => {{
                let start = match start {
                    Start::Zero => Start::Zero,
                    Start::Old => Start::Old,
                    Start::Row(row) => Start::Row(row.cast::<$t>()),
                };
                // SAFETY: the caller's promise; C is the kernel's type.
                unsafe {
                    let scale = (&raw const scale).cast::<$t>().read();
                    blocks::product::<tile::$kernel>(size, out.cast(), step, start, a.cast(), b.cast(), scale)
                }
            }};
        }
        match (isa(), is_f32::<C>()) {
            #[cfg(not(wengert_avx2_only))]
            (Isa::Avx512, true) => call!(F32Avx512, f32),
            #[cfg(not(wengert_avx2_only))]
            (Isa::Avx512, false) => call!(F64Avx512, f64),
            #[cfg(wengert_avx2_only)]
            (Isa::Avx512, _) => unreachable!("this build is for AVX2"),
            (Isa::Avx2, true) => call!(F32Avx2, f32),
            (Isa::Avx2, false) => call!(F64Avx2, f64),
            (Isa::Baseline, _) => unreachable!("tiles need AVX2"),
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = (size, out, step, start, a, b, scale);
        unreachable!("tiles are for x86-64")
    }
}

/// [`gemm`] by the library.
///
/// # Safety
/// As there.
pub(super) unsafe fn library<C: Copy + 'static>(
    size: [usize; 3],
    out: *mut C,
    step: usize,
    start: Start<C>,
    a: Matrix<C>,
    b: Matrix<C>,
    scale: C,
) {
    let [m, k, n] = size;
    if let Start::Row(row) = start {
        for i in 0..m {
            // SAFETY: the caller's promise.
            unsafe { out.add(i * step).copy_from_nonoverlapping(row, n) };
        }
    }
    let add = !matches!(start, Start::Zero);
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
    match is_f32::<C>() {
        true => call!(gemm_f32, f32),
        false => call!(gemm_f64, f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_products_at_all_add_nothing() {
        for (start, want) in [(Start::Zero, 0.0f32), (Start::Old, 3.0)] {
            let mut out = [3.0; 6];
            let none = Matrix {
                at: out.as_ptr(),
                row: 1,
                col: 1,
            };
            // SAFETY: the operands have no elements, and the result six.
            unsafe { gemm([2, 0, 3], out.as_mut_ptr(), 3, start, none, none, 1.0) };
            assert_eq!(out, [want; 6]);
        }
    }
}
