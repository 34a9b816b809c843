//! Vectors of AVX2 and AVX-512.

use super::{Join, Plain, Vector};
use std::arch::x86_64::*;
use std::mem::transmute;

/// The methods are inlined, and called by code for processors with the instructions alone.
macro_rules! vector {
    ($V:ident, $C:ident, $lanes:literal, $splat:ident $load:ident $store:ident $stream:ident $add:ident $sub:ident $mul:ident $div:ident $fma:ident $fms:ident $sqrt:ident,
     $max:ident $min:ident, |$a:ident, $m:ident| $unless_nan:expr, |$k:ident| $known:expr, |$v:ident| $halves:expr,
     |$x:ident, $y:ident| $second:expr, |$t:ident, $u:ident| $turns:expr, |$r:ident| $reversed:expr,
     |$s:ident| $abs:expr, |$p:ident, $q:ident, $yes:ident, $no:ident| $if_larger:expr, $if_equal:expr) => {
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
            fn div(self, b: $V) -> $V {
                // SAFETY: see above.
                unsafe { $div(self, b) }
            }

            #[inline(always)]
            fn mul_add(self, b: $V, c: $V) -> $V {
                // SAFETY: see above.
                unsafe { $fma(self, b, c) }
            }

            #[inline(always)]
            fn mul_sub(self, b: $V, c: $V) -> $V {
                // SAFETY: see above.
                unsafe { $fms(self, b, c) }
            }

            // The instructions give b where either is NaN.
            #[inline(always)]
            fn larger(self, b: $V) -> $V {
                // SAFETY: see above.
                unsafe {
                    let ($a, $m) = (self, $max(self, b));
                    $unless_nan
                }
            }

            #[inline(always)]
            fn smaller(self, b: $V) -> $V {
                // SAFETY: see above.
                unsafe {
                    let ($a, $m) = (self, $min(self, b));
                    $unless_nan
                }
            }

            #[inline(always)]
            fn known(self) -> $V {
                let $k = self;
                // SAFETY: see above.
                unsafe { $known }
            }

            #[inline(always)]
            fn sqrt(self) -> $V {
                // SAFETY: see above.
                unsafe { $sqrt(self) }
            }

            #[inline(always)]
            fn abs(self) -> $V {
                let $s = self;
                // SAFETY: see above.
                unsafe { $abs }
            }

            #[inline(always)]
            fn if_larger(self, than: $V, yes: $V, no: $V) -> $V {
                let ($p, $q, $yes, $no) = (self, than, yes, no);
                // SAFETY: see above.
                unsafe { $if_larger }
            }

            #[inline(always)]
            fn if_equal(self, to: $V, yes: $V, no: $V) -> $V {
                let ($p, $q, $yes, $no) = (self, to, yes, no);
                // SAFETY: see above.
                unsafe { $if_equal }
            }

            #[inline(always)]
            fn each_second(self, next: $V) -> [$V; 2] {
                let ($x, $y) = (self, next);
                // SAFETY: see above.
                unsafe { $second }
            }

            #[inline(always)]
            fn by_turns(self, next: $V) -> [$V; 2] {
                let ($t, $u) = (self, next);
                // SAFETY: see above.
                unsafe { $turns }
            }

            #[inline(always)]
            fn reversed(self) -> $V {
                let $r = self;
                // SAFETY: see above.
                unsafe { $reversed }
            }

            #[inline(always)]
            fn across<J: Join>(self) -> $C {
                // SAFETY: see above.
                unsafe {
                    let $v = self;
                    let [low, high] = $halves;
                    J::join(low, high).across::<J>()
                }
            }
        }
    };
}
vector!(__m512, f32, 16, _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_stream_ps _mm512_add_ps _mm512_sub_ps _mm512_mul_ps _mm512_div_ps _mm512_fmadd_ps _mm512_fmsub_ps _mm512_sqrt_ps,
_mm512_max_ps _mm512_min_ps, |a, m| _mm512_mask_mov_ps(m, _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a), a),
|x| _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_ORD_Q>(x, x), x),
|v| [_mm512_castps512_ps256(v), _mm512_extractf32x8_ps::<1>(v)], |x, y| {
    let first = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    let second = _mm512_add_epi32(first, _mm512_set1_epi32(1));
    [_mm512_permutex2var_ps(x, first, y), _mm512_permutex2var_ps(x, second, y)]
}, |x, y| {
    let first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    let second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
    [_mm512_permutex2var_ps(x, first, y), _mm512_permutex2var_ps(x, second, y)]
}, |x| _mm512_permutexvar_ps(_mm512_setr_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), x), |x| _mm512_abs_ps(x),
|a, b, yes, no| _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), no, yes),
_mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b), no, yes));
vector!(__m512d, f64, 8, _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_stream_pd _mm512_add_pd _mm512_sub_pd _mm512_mul_pd _mm512_div_pd _mm512_fmadd_pd _mm512_fmsub_pd _mm512_sqrt_pd,
_mm512_max_pd _mm512_min_pd, |a, m| _mm512_mask_mov_pd(m, _mm512_cmp_pd_mask::<_CMP_UNORD_Q>(a, a), a),
|x| _mm512_maskz_mov_pd(_mm512_cmp_pd_mask::<_CMP_ORD_Q>(x, x), x),
|v| [_mm512_castpd512_pd256(v), _mm512_extractf64x4_pd::<1>(v)], |x, y| {
    let first = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
    let second = _mm512_add_epi64(first, _mm512_set1_epi64(1));
    [_mm512_permutex2var_pd(x, first, y), _mm512_permutex2var_pd(x, second, y)]
}, |x, y| {
    let first = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    let second = _mm512_add_epi64(first, _mm512_set1_epi64(4));
    [_mm512_permutex2var_pd(x, first, y), _mm512_permutex2var_pd(x, second, y)]
}, |x| _mm512_permutexvar_pd(_mm512_setr_epi64(7, 6, 5, 4, 3, 2, 1, 0), x), |x| _mm512_abs_pd(x),
|a, b, yes, no| _mm512_mask_blend_pd(_mm512_cmp_pd_mask::<_CMP_GT_OQ>(a, b), no, yes),
_mm512_mask_blend_pd(_mm512_cmp_pd_mask::<_CMP_EQ_OQ>(a, b), no, yes));
vector!(__m256, f32, 8, _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_stream_ps _mm256_add_ps _mm256_sub_ps _mm256_mul_ps _mm256_div_ps _mm256_fmadd_ps _mm256_fmsub_ps _mm256_sqrt_ps,
_mm256_max_ps _mm256_min_ps, |a, m| _mm256_blendv_ps(m, a, _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a)),
|x| _mm256_and_ps(x, _mm256_cmp_ps::<_CMP_ORD_Q>(x, x)),
|v| transmute::<__m256, [Plain<f32, 4>; 2]>(v), |x, y| {
    let pairs = [_mm256_shuffle_ps::<0b10_00_10_00>(x, y), _mm256_shuffle_ps::<0b11_01_11_01>(x, y)];
    pairs.map(|v| _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(_mm256_castps_pd(v))))
}, |x, y| {
    let (low, high) = (_mm256_unpacklo_ps(x, y), _mm256_unpackhi_ps(x, y));
    [_mm256_permute2f128_ps::<0x20>(low, high), _mm256_permute2f128_ps::<0x31>(low, high)]
}, |x| _mm256_permutevar8x32_ps(x, _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0)), |x| _mm256_andnot_ps(_mm256_set1_ps(-0.0), x),
|a, b, yes, no| _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b)),
_mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b)));
vector!(__m256d, f64, 4, _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_stream_pd _mm256_add_pd _mm256_sub_pd _mm256_mul_pd _mm256_div_pd _mm256_fmadd_pd _mm256_fmsub_pd _mm256_sqrt_pd,
_mm256_max_pd _mm256_min_pd, |a, m| _mm256_blendv_pd(m, a, _mm256_cmp_pd::<_CMP_UNORD_Q>(a, a)),
|x| _mm256_and_pd(x, _mm256_cmp_pd::<_CMP_ORD_Q>(x, x)),
|v| transmute::<__m256d, [Plain<f64, 2>; 2]>(v), |x, y| {
    [_mm256_unpacklo_pd(x, y), _mm256_unpackhi_pd(x, y)].map(|v| _mm256_permute4x64_pd::<0b11_01_10_00>(v))
}, |x, y| {
    let (low, high) = (_mm256_unpacklo_pd(x, y), _mm256_unpackhi_pd(x, y));
    [_mm256_permute2f128_pd::<0x20>(low, high), _mm256_permute2f128_pd::<0x31>(low, high)]
}, |x| _mm256_permute4x64_pd::<0b00_01_10_11>(x), |x| _mm256_andnot_pd(_mm256_set1_pd(-0.0), x),
|a, b, yes, no| _mm256_blendv_pd(no, yes, _mm256_cmp_pd::<_CMP_GT_OQ>(a, b)),
_mm256_blendv_pd(no, yes, _mm256_cmp_pd::<_CMP_EQ_OQ>(a, b)));
