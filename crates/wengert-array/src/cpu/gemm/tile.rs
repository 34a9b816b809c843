//! The register tile: some rows of the left operand times a panel of the right one, two vectors wide.

use crate::cpu::gemm::Matrix;
use crate::dtype::Compute;
use std::arch::x86_64::*;
use std::hint::black_box;

/// What one tile computes.
pub(super) struct Tile<C> {
    /// Products that each element sums.
    pub deep: usize,
    pub columns: usize,
    pub a: Matrix<C>,
    /// Rows of whole vectors of the right operand, one after the other.
    pub panel: *mut C,
    /// Where those rows come from, and how far apart they are there.
    pub b: (*const C, isize),
    pub out: (*mut C, usize),
    /// What is added to the result, and how far apart its rows are; or null.
    pub start: (*const C, usize),
    pub scale: C,
}

/// Where a tile reads the right operand.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// In the panel.
    Panel,
    /// Where it lies; it writes the panel meanwhile, which takes no time of its own.
    Rows,
    /// As [`Source::Rows`], where the last vector reaches beyond the matrix.
    Edge,
    /// Where it lies, which is four vectors wide, for up to ROWS / 2 rows; the panel is not written.
    Once,
}

/// The tiles of one type of number on one level of instructions.
pub(super) trait Kernel {
    type C: Compute + std::ops::Add<Output = Self::C>;
    /// Rows of the largest tile.
    const ROWS: usize;
    /// Numbers in a vector.
    const LANES: usize;

    /// Computes `rows` rows (1 to ROWS) and `vectors` vectors (1 or 2, or else 4) of a product.
    ///
    /// # Safety
    /// The processor has the instructions, and the operands and the result these sizes.
    unsafe fn tile(rows: usize, vectors: usize, source: Source, tile: &Tile<Self::C>);
}

const PANEL: u8 = 0;
const COPY: u8 = 1;
const ONCE: u8 = 2;

macro_rules! kernel {
    ($name:ident, $C:ident, $features:literal, $lanes:literal, $most:literal: $($few:literal)* | $($rows:literal)*,
     $zero:ident $set:ident $load:ident $part:ident $store:ident $fma:ident $mul:ident $add:ident) => {
        pub(super) struct $name;

        impl Kernel for $name {
            type C = $C;
            const ROWS: usize = $most;
            const LANES: usize = $lanes;

            unsafe fn tile(rows: usize, vectors: usize, source: Source, tile: &Tile<$C>) {
                // SAFETY: the caller's promise.
                unsafe {
                    match (rows, vectors, source) {
                        $(
                            ($rows, 1, Source::Panel) => $name::run::<$rows, 1, PANEL, false>(tile),
                            ($rows, 1, Source::Rows) => $name::run::<$rows, 1, COPY, false>(tile),
                            ($rows, 1, Source::Edge) => $name::run::<$rows, 1, COPY, true>(tile),
                            ($rows, 2, Source::Panel) => $name::run::<$rows, 2, PANEL, false>(tile),
                            ($rows, 2, Source::Rows) => $name::run::<$rows, 2, COPY, false>(tile),
                            ($rows, 2, Source::Edge) => $name::run::<$rows, 2, COPY, true>(tile),
                        )*
                        $( ($few, 4, Source::Once) => $name::run::<$few, 4, ONCE, false>(tile), )*
                        _ => unreachable!("no tile has {rows} rows of {vectors} vectors"),
                    }
                }
            }
        }

        impl $name {
            /// By hand, since the compiler keeps some of so many sums in memory.
            #[target_feature(enable = $features)]
            unsafe fn run<const R: usize, const V: usize, const FROM: u8, const EDGE: bool>(tile: &Tile<$C>) {
                let &Tile { deep, columns, a, panel, b: (b, b_row), out: (out, step), start: (start, start_step), scale } = tile;
                let mut sums = [[$zero(); V]; R];
                let mut y = [$zero(); V];
                let row = a.row;
                // Else the compiler goes from row to row by additions, one for each.
                let thrice = black_box(3 * row);
                // SAFETY: the caller's promise. What is asked for ahead need not be there.
                unsafe {
                    for k in 0..deep {
                        let panel = panel.add(k * V * $lanes);
                        if FROM != PANEL {
                            let b = b.offset(k as isize * b_row);
                            for v in 0..V {
                                let at = b.add(v * $lanes);
                                y[v] = match EDGE && v == V - 1 {
                                    true => $part(at, columns - v * $lanes),
                                    false => $load(at),
                                };
                                if FROM == COPY {
                                    $store(panel.add(v * $lanes), y[v]);
                                }
                            }
                            let next = match k + AHEAD < deep {
                                true => b.wrapping_offset(AHEAD as isize * b_row),
                                // Of the panel after this one.
                                false => b.wrapping_offset((AHEAD as isize - deep as isize) * b_row).wrapping_add(V * $lanes),
                            };
                            let next = next.cast::<i8>();
                            for line in 0..(V * $lanes * size_of::<$C>()).div_ceil(64) {
                                _mm_prefetch::<_MM_HINT_T0>(next.wrapping_add(64 * line));
                            }
                        } else {
                            for v in 0..V {
                                y[v] = $load(panel.add(v * $lanes));
                            }
                        }
                        let a_at = a.at.offset(k as isize * a.col);
                        let fourth = [0, 4, 8].map(|r| a_at.wrapping_offset(r * row));
                        for r in 0..R {
                            let x = $set(fourth[r / 4].offset([0, row, 2 * row, thrice][r % 4]).read());
                            for v in 0..V {
                                sums[r][v] = $fma(x, y[v], sums[r][v]);
                            }
                        }
                    }
                    let scale = $set(scale);
                    for r in 0..R {
                        for v in 0..V {
                            let mut sum = $mul(sums[r][v], scale);
                            if !start.is_null() {
                                sum = $add(sum, $load(start.add(r * start_step + v * $lanes)));
                            }
                            $store(out.add(r * step + v * $lanes), sum);
                        }
                    }
                }
            }
        }
    };
}

/// Rows of the right operand that are asked for ahead: they lie too far apart for the processor to do so.
const AHEAD: usize = 8;

#[cfg(not(wengert_avx2_only))]
kernel!(F32Avx512, f32, "avx512f", 16, 12: 1 2 3 4 5 6 | 1 2 3 4 5 6 7 8 9 10 11 12,
    _mm512_setzero_ps _mm512_set1_ps _mm512_loadu_ps part16 _mm512_storeu_ps _mm512_fmadd_ps _mm512_mul_ps _mm512_add_ps);
#[cfg(not(wengert_avx2_only))]
kernel!(F64Avx512, f64, "avx512f", 8, 12: 1 2 3 4 5 6 | 1 2 3 4 5 6 7 8 9 10 11 12,
    _mm512_setzero_pd _mm512_set1_pd _mm512_loadu_pd part8d _mm512_storeu_pd _mm512_fmadd_pd _mm512_mul_pd _mm512_add_pd);
kernel!(F32Avx2, f32, "avx2,fma", 8, 6: 1 2 3 | 1 2 3 4 5 6,
    _mm256_setzero_ps _mm256_set1_ps _mm256_loadu_ps part8 _mm256_storeu_ps _mm256_fmadd_ps _mm256_mul_ps _mm256_add_ps);
kernel!(F64Avx2, f64, "avx2,fma", 4, 6: 1 2 3 | 1 2 3 4 5 6,
    _mm256_setzero_pd _mm256_set1_pd _mm256_loadu_pd part4d _mm256_storeu_pd _mm256_fmadd_pd _mm256_mul_pd _mm256_add_pd);

/// The first `n` numbers at `at`, and zeros.
///
/// # Safety
/// Those numbers can be read.
#[cfg(not(wengert_avx2_only))]
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn part16(at: *const f32, n: usize) -> __m512 {
    // SAFETY: the caller's promise.
    unsafe { _mm512_maskz_loadu_ps(((1_u32 << n) - 1) as __mmask16, at) }
}

/// As [`part16`].
#[cfg(not(wengert_avx2_only))]
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn part8d(at: *const f64, n: usize) -> __m512d {
    // SAFETY: the caller's promise.
    unsafe { _mm512_maskz_loadu_pd(((1_u32 << n) - 1) as __mmask8, at) }
}

/// As [`part16`].
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn part8(at: *const f32, n: usize) -> __m256 {
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    // SAFETY: the caller's promise.
    unsafe { _mm256_maskload_ps(at, _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), lanes)) }
}

/// As [`part16`].
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn part4d(at: *const f64, n: usize) -> __m256d {
    let lanes = _mm256_setr_epi64x(0, 1, 2, 3);
    // SAFETY: the caller's promise.
    unsafe { _mm256_maskload_pd(at, _mm256_cmpgt_epi64(_mm256_set1_epi64x(n as i64), lanes)) }
}
