//! Vectors by name, for loops of which the compiler makes different code from one build to the next: its own choice of
//! vectors depends on what stands around a loop.

use super::isa::Lane;
use super::walk::STREAM;
use crate::array::Array;
use crate::dtype::{Compute, Element};
use std::array::from_fn;

/// As many numbers as one register holds.
pub(super) trait Vector: Copy {
    type C: Lane;
    const LANES: usize;

    fn splat(v: Self::C) -> Self;

    /// # Safety
    /// There are as many numbers at `at`.
    unsafe fn load(at: *const Self::C) -> Self;

    /// Writes it to `at`, with `past` past the caches.
    ///
    /// # Safety
    /// There is room for it, and with `past` that begins at a multiple of its size.
    unsafe fn store(self, at: *mut Self::C, past: bool);

    fn add(self, b: Self) -> Self;
    fn sub(self, b: Self) -> Self;
    fn mul(self, b: Self) -> Self;
    /// `self · b + c`, fused where the processor fuses it.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// The sum of all lanes.
    fn sum(self) -> Self::C;
}

/// Types of which there are vectors, for each level of instructions.
pub(super) trait Float: Lane {
    type One: Vector<C = Self>;
    type Baseline: Vector<C = Self>;
    #[cfg(target_arch = "x86_64")]
    type Avx2: Vector<C = Self>;
    #[cfg(target_arch = "x86_64")]
    type Avx512: Vector<C = Self>;
}

/// Numbers side by side, which the compiler puts into registers of the architecture's lowest level.
#[derive(Clone, Copy)]
pub(super) struct Plain<C, const L: usize>([C; L]);

macro_rules! plain {
    ($C:ident) => {
        impl<const L: usize> Vector for Plain<$C, L> {
            type C = $C;
            const LANES: usize = L;

            #[inline(always)]
            fn splat(v: $C) -> Self {
                Plain([v; L])
            }

            #[inline(always)]
            unsafe fn load(at: *const $C) -> Self {
                // SAFETY: the caller's promise.
                Plain(unsafe { at.cast::<[$C; L]>().read() })
            }

            #[inline(always)]
            unsafe fn store(self, at: *mut $C, _: bool) {
                // SAFETY: the caller's promise.
                unsafe { at.cast::<[$C; L]>().write(self.0) }
            }

            #[inline(always)]
            fn add(self, b: Self) -> Self {
                Plain(from_fn(|l| self.0[l] + b.0[l]))
            }

            #[inline(always)]
            fn sub(self, b: Self) -> Self {
                Plain(from_fn(|l| self.0[l] - b.0[l]))
            }

            #[inline(always)]
            fn mul(self, b: Self) -> Self {
                Plain(from_fn(|l| self.0[l] * b.0[l]))
            }

            #[inline(always)]
            fn mul_add(self, b: Self, c: Self) -> Self {
                Plain(from_fn(|l| match cfg!(target_arch = "aarch64") {
                    true => self.0[l].mul_add(b.0[l], c.0[l]),
                    false => self.0[l] * b.0[l] + c.0[l],
                }))
            }

            #[inline(always)]
            fn sum(self) -> $C {
                halves(self.0)
            }
        }
    };
}
plain!(f32);
plain!(f64);

/// The sum of some numbers, a power of two, half to half.
#[inline(always)]
fn halves<C: Copy + std::ops::Add<Output = C>, const L: usize>(mut x: [C; L]) -> C {
    let mut width = L / 2;
    while width > 0 {
        for l in 0..width {
            x[l] = x[l] + x[l + width];
        }
        width /= 2;
    }
    x[0]
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Vector;
    use std::arch::x86_64::*;

    /// Half to half: by way of memory it would take three times as long.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn sum8(v: __m256) -> f32 {
        let four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
        let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
    }

    /// As [`sum8`].
    #[inline]
    #[target_feature(enable = "avx2")]
    fn sum4(v: __m256d) -> f64 {
        let two = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd::<1>(v));
        _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
    }

    /// The methods are inlined, and called by code for processors with the instructions alone.
    macro_rules! vector {
        ($V:ident, $C:ident, $lanes:literal, $splat:ident $load:ident $store:ident $stream:ident $add:ident $sub:ident $mul:ident $fma:ident $sum:ident) => {
            impl Vector for $V {
                type C = $C;
                const LANES: usize = $lanes;

                #[inline(always)]
                fn splat(v: $C) -> $V {
                    // SAFETY: as said above; so below.
                    unsafe { $splat(v) }
                }

                #[inline(always)]
                unsafe fn load(at: *const $C) -> $V {
                    // SAFETY: the caller's promise, too.
                    unsafe { $load(at) }
                }

                #[inline(always)]
                unsafe fn store(self, at: *mut $C, past: bool) {
                    // SAFETY: the caller's promise, too.
                    unsafe {
                        match past {
                            true => $stream(at, self),
                            false => $store(at, self),
                        }
                    }
                }

                #[inline(always)]
                fn add(self, b: $V) -> $V {
                    // SAFETY: see above.
                    unsafe { $add(self, b) }
                }

                #[inline(always)]
                fn sub(self, b: $V) -> $V {
                    // SAFETY: see above.
                    unsafe { $sub(self, b) }
                }

                #[inline(always)]
                fn mul(self, b: $V) -> $V {
                    // SAFETY: see above.
                    unsafe { $mul(self, b) }
                }

                #[inline(always)]
                fn mul_add(self, b: $V, c: $V) -> $V {
                    // SAFETY: see above.
                    unsafe { $fma(self, b, c) }
                }

                #[inline(always)]
                fn sum(self) -> $C {
                    // SAFETY: see above.
                    unsafe { $sum(self) }
                }
            }
        };
    }
    vector!(__m512, f32, 16, _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_stream_ps _mm512_add_ps _mm512_sub_ps _mm512_mul_ps _mm512_fmadd_ps _mm512_reduce_add_ps);
    vector!(__m512d, f64, 8, _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_stream_pd _mm512_add_pd _mm512_sub_pd _mm512_mul_pd _mm512_fmadd_pd _mm512_reduce_add_pd);
    vector!(__m256, f32, 8, _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_stream_ps _mm256_add_ps _mm256_sub_ps _mm256_mul_ps _mm256_fmadd_ps sum8);
    vector!(__m256d, f64, 4, _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_stream_pd _mm256_add_pd _mm256_sub_pd _mm256_mul_pd _mm256_fmadd_pd sum4);
}

impl Float for f32 {
    type One = Plain<f32, 1>;
    type Baseline = Plain<f32, 4>;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = std::arch::x86_64::__m256;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = std::arch::x86_64::__m512;
}

impl Float for f64 {
    type One = Plain<f64, 1>;
    type Baseline = Plain<f64, 2>;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = std::arch::x86_64::__m256d;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = std::arch::x86_64::__m512d;
}

/// Numbers to be summed along N rows, K at each place.
pub(super) trait Terms<C, const N: usize, const K: usize> {
    /// # Safety
    /// The rows have a vector at i.
    unsafe fn at<V: Vector<C = C>>(&self, i: usize) -> [[V; K]; N];
}

/// The rows' elements themselves.
pub(super) struct Numbers<C, const N: usize>(pub [*const C; N]);

impl<C: Float, const N: usize> Terms<C, N, 1> for Numbers<C, N> {
    #[inline(always)]
    unsafe fn at<V: Vector<C = C>>(&self, i: usize) -> [[V; 1]; N] {
        // SAFETY: the caller's promise.
        self.0.map(|row| [unsafe { V::load(row.add(i)) }])
    }
}

/// The sums of `terms` along rows of n elements: in blocks, those added up in f64.
#[inline(always)]
pub(super) unsafe fn totals<V: Vector<C: Float>, const N: usize, const K: usize>(
    n: usize,
    terms: &impl Terms<V::C, N, K>,
) -> [[f64; K]; N] {
    /// Sums of each kind on their way at once.
    const WAYS: usize = 4;
    /// Elements between two roundings to f64.
    const BLOCK: usize = 2048;
    let mut total = [[0.0; K]; N];
    let zero = V::splat(V::C::default());
    // SAFETY: the caller's promise that rows have n elements.
    unsafe {
        for start in (0..n).step_by(BLOCK) {
            let end = n.min(start + BLOCK);
            let mut acc = [[[zero; K]; N]; WAYS];
            let mut i = start;
            while i + WAYS * V::LANES <= end {
                for acc in &mut acc {
                    let terms = terms.at::<V>(i);
                    *acc = from_fn(|r| from_fn(|k| acc[r][k].add(terms[r][k])));
                    i += V::LANES;
                }
            }
            while i + V::LANES <= end {
                let terms = terms.at::<V>(i);
                acc[0] = from_fn(|r| from_fn(|k| acc[0][r][k].add(terms[r][k])));
                i += V::LANES;
            }
            for r in 0..N {
                for k in 0..K {
                    let [a, b, c, d] = acc.map(|acc| acc[r][k]);
                    total[r][k] += a.add(b).add(c.add(d)).sum().to_f64();
                }
            }
            while i < end {
                let terms = terms.at::<<V::C as Float>::One>(i);
                for r in 0..N {
                    for k in 0..K {
                        total[r][k] += terms[r][k].sum().to_f64();
                    }
                }
                i += 1;
            }
        }
    }
    total
}

/// What is to be done at each place of some rows.
pub(super) trait Step<C> {
    /// # Safety
    /// The rows have a vector at i; with `past` those begin at multiples of their size.
    unsafe fn at<V: Vector<C = C>>(&self, i: usize, past: bool);
}

/// Takes `step` along n places.
#[inline(always)]
pub(super) unsafe fn walk<V: Vector<C: Float>>(n: usize, past: bool, step: &impl Step<V::C>) {
    let mut i = 0;
    // SAFETY: the caller's promise that rows have n elements.
    unsafe {
        while i + V::LANES <= n {
            step.at::<V>(i, past);
            i += V::LANES;
        }
        while i < n {
            step.at::<<V::C as Float>::One>(i, false);
            i += 1;
        }
    }
}

/// Whether rows of n elements of this array are better written past the caches, and can be.
pub(super) fn goes_past<C: Element>(y: &Array, n: usize) -> bool {
    let lines = (n * size_of::<C>()).is_multiple_of(64) && (y.as_ptr::<C>() as usize).is_multiple_of(64);
    lines && y.numel() * size_of::<C>() >= STREAM
}
