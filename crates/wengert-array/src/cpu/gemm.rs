//! One product on one thread: by register tiles of our own where the processor has AVX2 or AVX-512, elsewhere by the crates
//! `gemm-f32` and `gemm-f64`. (Their front, `gemm`, would have its kernels for complex numbers built, too, which takes longer
//! than all else that we depend on.)

#[cfg(target_arch = "x86_64")]
mod blocks;
#[cfg(target_arch = "x86_64")]
mod tile;

use super::isa::{Isa, isa};
use gemm_common::Parallelism;
use std::any::Any;

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

    pub(super) fn transposed(self) -> Matrix<C> {
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

/// `out = scale · a · b + start`. Whoever makes one promises to those who compute it that a is m · k, b is k · n and `out`
/// m · n, and that nobody else uses `out`.
#[derive(Clone, Copy)]
pub(super) struct Product<C> {
    /// m, k and n.
    pub(super) size: [usize; 3],
    pub(super) out: *mut C,
    /// How far apart rows of `out` are.
    pub(super) step: usize,
    pub(super) start: Start<C>,
    pub(super) a: Matrix<C>,
    pub(super) b: Matrix<C>,
    pub(super) scale: C,
}

impl<C: 'static> Product<C> {
    /// It, if it is of f32, and if it is of f64.
    fn floats(&self) -> (Option<&Product<f32>>, Option<&Product<f64>>) {
        let any: &dyn Any = self;
        (any.downcast_ref(), any.downcast_ref())
    }

    /// Writes the row that the product is added to, if it is one, into the result; says whether it is added to anything.
    ///
    /// # Safety
    /// What the [product](Product) says.
    pub(super) unsafe fn begin(&self) -> bool {
        let [m, _, n] = self.size;
        if let Start::Row(row) = self.start {
            for i in 0..m {
                // SAFETY: the caller's promise.
                unsafe { self.out.add(i * self.step).copy_from_nonoverlapping(row, n) };
            }
        }
        !matches!(self.start, Start::Zero)
    }
}

/// Whether products are computed by tiles of our own, which turn a transposed operand themselves.
pub(super) fn is_own() -> bool {
    cfg!(target_arch = "x86_64") && isa() != Isa::Baseline
}

/// Computes a product of f32 or f64.
///
/// # Safety
/// What the [product](Product) says.
pub(super) unsafe fn gemm<C: 'static>(product: &Product<C>) {
    let [m, k, n] = product.size;
    // SAFETY: the caller's promise.
    unsafe {
        match is_own() && m > 1 && k > 0 && n > 1 {
            true => tiled(product),
            false => library(product),
        }
    }
}

/// [`gemm`] by our own tiles, where they are [there](is_own): each element has the same bits however rows and columns are cut.
///
/// # Safety
/// As there, and no side is 0.
pub(super) unsafe fn tiled<C: 'static>(product: &Product<C>) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller's promise; the processor has the instructions.
    unsafe {
        match (isa(), product.floats()) {
            #[cfg(not(wengert_avx2_only))]
            (Isa::Avx512, (Some(product), _)) => return blocks::product::<tile::F32Avx512>(product),
            #[cfg(not(wengert_avx2_only))]
            (Isa::Avx512, (_, Some(product))) => return blocks::product::<tile::F64Avx512>(product),
            (Isa::Avx2, (Some(product), _)) => return blocks::product::<tile::F32Avx2>(product),
            (Isa::Avx2, (_, Some(product))) => return blocks::product::<tile::F64Avx2>(product),
            _ => {}
        }
    }
    unreachable!("no tiles for a product of sizes {:?}", product.size)
}

/// [`gemm`] by the library.
///
/// # Safety
/// As there.
pub(super) unsafe fn library<C: 'static>(product: &Product<C>) {
    macro_rules! call {
        ($product:ident, $kernel:expr) => {{
            let Product { size: [m, k, n], out, step, a, b, scale, .. } = *$product;
            let step = step as isize;
            // The kernels want the result's columns to be the long way: else the transposed product is computed.
            let ([m, n], [row, col], a, b) = match step > 1 {
                true => ([n, m], [1, step], b.transposed(), a.transposed()),
                false => ([m, n], [step, 1], a, b),
            };
            let kernel = $kernel;
            // SAFETY: the caller's promise.
            unsafe {
                let add = $product.begin();
                kernel(
                    m, n, k, out, col, row, add, a.at, a.col, a.row, b.at, b.col, b.row, 1.0, scale, false, false, false,
                    Parallelism::None,
                )
            }
        }};
    }
    match product.floats() {
        (Some(product), _) => call!(product, gemm_f32::gemm::f32::get_gemm_fn()),
        (_, Some(product)) => call!(product, gemm_f64::gemm::f64::get_gemm_fn()),
        _ => unreachable!("the library's products are of f32 or f64"),
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
            let product = Product {
                size: [2, 0, 3],
                out: out.as_mut_ptr(),
                step: 3,
                start,
                a: none,
                b: none,
                scale: 1.0,
            };
            // SAFETY: the operands have no elements, and the result six.
            unsafe { gemm(&product) };
            assert_eq!(out, [want; 6]);
        }
    }
}
