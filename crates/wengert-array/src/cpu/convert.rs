//! Elements to the numbers that kernels compute in, and back.

use super::isa::{Lane, dispatch};
use super::shared::{In, Out};
use super::{threads, walk};
use crate::array::Array;
use crate::dtype::{DType, Element};
use crate::{with_compute, with_element};
use std::mem::MaybeUninit;

/// Whether [`cast`] has a loop for this.
pub(crate) fn casts(from: DType, to: DType) -> bool {
    let narrow = !from.is_differentiable() && to != DType::Bool && !to.is_half();
    from == from.compute() || narrow || (from.is_half() && to == DType::F32)
}

/// The elements of a contiguous array, each as one of `dtype`: floats round, integers wrap. The two are as [`casts`] says.
pub(crate) fn cast(x: &Array, dtype: DType) -> Array {
    let y = Array::uninit(x.shape(), dtype);
    let out = Out(y.as_bytes_ptr().cast_mut());
    if x.dtype() == x.dtype().compute() {
        with_compute!(x.dtype(), C => {
            let from = In(x.as_ptr::<C>());
            threads::split(x.numel(), 64, 1, |start, len| {
                // SAFETY: both have these elements, those of `y`, a new array, this thread's.
                unsafe { walk::store(from.at(start), dtype, out.at(start * dtype.size()), len) }
            });
        });
        return y;
    }
    match dtype {
        DType::F32 => load_to::<f32>(x, out),
        DType::F64 => load_to::<f64>(x, out),
        DType::I64 => load_to::<i64>(x, out),
        DType::I32 => load_to::<i32>(x, out),
        DType::I16 => load_to::<i16>(x, out),
        DType::I8 => load_to::<i8>(x, out),
        _ => load_to::<u8>(x, out),
    }
    y
}

/// The elements of a contiguous array as those of a new one of `C`.
fn load_to<C: Lane>(x: &Array, out: Out<u8>) {
    with_element!(x.dtype(), T => {
        let x = x.as_slice::<T>();
        threads::split(x.len(), 64, 1, |start, len| {
            // SAFETY: there are as many elements of C as of x, and these are this thread's.
            let out = unsafe { std::slice::from_raw_parts_mut(out.at(0).cast::<MaybeUninit<C>>().add(start), len) };
            load(&x[start..][..len], out);
        });
    });
}

/// Each element as a `C`.
///
/// # Panics
/// If the two have not one length.
pub(crate) fn load<T: Element, C: Lane>(from: &[T], to: &mut [MaybeUninit<C>]) {
    assert_eq!(from.len(), to.len());
    #[cfg(target_arch = "x86_64")]
    if let (DType::F16, DType::F32) = (T::DTYPE, C::DTYPE) {
        // SAFETY: T is f16 and C is f32; both have as many.
        let done = unsafe { halves::widen(from.as_ptr().cast(), to.as_mut_ptr().cast(), from.len()) };
        // SAFETY: unsafe only because it is compiled for instructions, which the dispatch finds.
        return unsafe { load_all::<C, T>(&from[done..], &mut to[done..]) };
    }
    // SAFETY: as above.
    unsafe { load_all::<C, T>(from, to) };
}

/// Each number as an element: floats round, integers wrap.
///
/// # Panics
/// If the two have not one length.
pub(crate) fn store<C: Lane, T: Element>(from: &[C], to: &mut [MaybeUninit<T>]) {
    assert_eq!(from.len(), to.len());
    #[cfg(target_arch = "x86_64")]
    if let (DType::F32, DType::F16) = (C::DTYPE, T::DTYPE) {
        // SAFETY: C is f32 and T is f16; both have as many.
        let done = unsafe { halves::narrow(from.as_ptr().cast(), to.as_mut_ptr().cast(), from.len()) };
        // SAFETY: as in `load`.
        return unsafe { store_all::<C, T>(&from[done..], &mut to[done..]) };
    }
    // SAFETY: as in `load`.
    unsafe { store_all::<C, T>(from, to) };
}

dispatch!(unsafe fn load_all<C: Lane, T: Element>(from: &[T], to: &mut [MaybeUninit<C>]) => load_body);
dispatch!(unsafe fn store_all<C: Lane, T: Element>(from: &[C], to: &mut [MaybeUninit<T>]) => store_body);

// What `S` would compute is no concern of these; they are compiled for each level.
#[allow(clippy::extra_unused_type_parameters)]
#[inline(always)]
unsafe fn load_body<S, C: Lane, T: Element>(from: &[T], to: &mut [MaybeUninit<C>]) {
    for (to, v) in to.iter_mut().zip(from) {
        to.write(v.load::<C>());
    }
}

#[allow(clippy::extra_unused_type_parameters)]
#[inline(always)]
unsafe fn store_body<S, C: Lane, T: Element>(from: &[C], to: &mut [MaybeUninit<T>]) {
    if C::DTYPE.is_float() && T::DTYPE.is_integer() {
        return whole_numbers(from, to);
    }
    for (to, v) in to.iter_mut().zip(from) {
        to.write(T::store(*v));
    }
}

/// Numbers without their fractions, a stretch at a time: by way of 32 bits where all of it is within them, which every
/// processor converts many at a time, and else of 64.
#[inline(always)]
fn whole_numbers<C: Lane, T: Element>(from: &[C], to: &mut [MaybeUninit<T>]) {
    const STRETCH: usize = 64;
    for (to, from) in to.chunks_mut(STRETCH).zip(from.chunks(STRETCH)) {
        let small = |v: &C| match C::DTYPE {
            DType::F32 => v.to_f32().abs() < 2147483648.0,
            _ => v.to_f64().abs() < 2147483648.0,
        };
        if from.iter().fold(true, |all, v| all & small(v)) {
            for (to, v) in to.iter_mut().zip(from) {
                // SAFETY: it was looked at above: it is a number that an i32 can hold.
                let v: i32 = unsafe {
                    match C::DTYPE {
                        DType::F32 => v.to_f32().to_int_unchecked(),
                        _ => v.to_f64().to_int_unchecked(),
                    }
                };
                to.write(T::store(i64::from(v)));
            }
        } else {
            for (to, v) in to.iter_mut().zip(from) {
                to.write(T::store(*v));
            }
        }
    }
}

/// Half precision by the processor's own instructions, which the compiler does not find in what a conversion by bits looks like.
#[cfg(target_arch = "x86_64")]
mod halves {
    use crate::cpu::isa::{Isa, isa};
    use std::arch::x86_64::*;

    macro_rules! halves {
        ($(#[$doc:meta])* $name:ident, $From:ident, $To:ident, |$from:ident, $to:ident| $by16:expr, $by8:expr) => {
            $(#[$doc])*
            ///
            /// Converts as many of the first of n as fit whole vectors, and gives how many those are.
            ///
            /// # Safety
            /// Both have n elements.
            pub(super) unsafe fn $name(from: *const $From, to: *mut $To, n: usize) -> usize {
                #[target_feature(enable = "avx512f")]
                unsafe fn by16(from: *const $From, to: *mut $To, n: usize) {
                    for i in (0..n).step_by(16) {
                        // SAFETY: n is a multiple of 16.
                        unsafe {
                            let ($from, $to) = (from.add(i), to.add(i));
                            $by16
                        }
                    }
                }
                #[target_feature(enable = "avx,f16c")]
                unsafe fn by8(from: *const $From, to: *mut $To, n: usize) {
                    for i in (0..n).step_by(8) {
                        // SAFETY: n is a multiple of 8.
                        unsafe {
                            let ($from, $to) = (from.add(i), to.add(i));
                            $by8
                        }
                    }
                }
                let lanes = match isa() {
                    Isa::Avx512 => 16,
                    Isa::Avx2 if is_x86_feature_detected!("f16c") => 8,
                    _ => return 0,
                };
                let whole = n / lanes * lanes;
                // SAFETY: the caller's promise; the processor was found to have the instructions.
                unsafe {
                    match lanes {
                        16 => by16(from, to, whole),
                        _ => by8(from, to, whole),
                    }
                }
                whole
            }
        };
    }
    halves!(
        /// f16 to f32.
        widen, u16, f32, |from, to| _mm512_storeu_ps(to, _mm512_cvtph_ps(_mm256_loadu_si256(from.cast()))),
        _mm256_storeu_ps(to, _mm256_cvtph_ps(_mm_loadu_si128(from.cast())))
    );
    halves!(
        /// f32 to the nearest f16, of two as near to the even one.
        narrow, f32, u16,
        |from, to| _mm256_storeu_si256(to.cast(), _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm512_loadu_ps(from))),
        _mm_storeu_si128(to.cast(), _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm256_loadu_ps(from)))
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::{bf16, f16};

    fn loaded<T: Element, C: Lane>(from: &[T]) -> Vec<C> {
        let mut to = vec![MaybeUninit::new(C::default()); from.len()];
        load(from, &mut to);
        // SAFETY: all were written.
        to.iter().map(|v| unsafe { v.assume_init() }).collect()
    }

    fn stored<C: Lane, T: Element>(from: &[C]) -> Vec<T> {
        let mut to = vec![MaybeUninit::new(T::default()); from.len()];
        store(from, &mut to);
        // SAFETY: all were written.
        to.iter().map(|v| unsafe { v.assume_init() }).collect()
    }

    #[test]
    fn every_half_is_the_f32_it_was() {
        let halves: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
        let brains: Vec<bf16> = (0..=u16::MAX).map(bf16::from_bits).collect();
        let (wide, from_brains) = (loaded::<f16, f32>(&halves), loaded::<bf16, f32>(&brains));
        for (i, (h, b)) in halves.iter().zip(&brains).enumerate() {
            assert!(wide[i] == h.to_f32() || h.is_nan() && wide[i].is_nan(), "{h:?}");
            assert!(
                from_brains[i] == b.to_f32() || b.is_nan() && from_brains[i].is_nan(),
                "{b:?}"
            );
        }
        for (v, h) in stored::<f32, f16>(&wide).iter().zip(&halves) {
            assert!(
                v.to_bits() == h.to_bits() || h.is_nan() && v.is_nan(),
                "{h:?} became {v:?}"
            );
        }
        for (v, b) in stored::<f32, bf16>(&from_brains).iter().zip(&brains) {
            assert!(
                v.to_bits() == b.to_bits() || b.is_nan() && v.is_nan(),
                "{b:?} became {v:?}"
            );
        }
    }

    #[test]
    fn halves_are_the_nearest_and_then_the_even_ones() {
        // Every exponent, with fractions on both sides of each tie and on it.
        let numbers: Vec<f32> = (0..=u16::MAX)
            .flat_map(|high| {
                [0, 1, 0xfff, 0x1000, 0x1001, 0x7fff, 0x8000, 0x8001, 0xffff].map(|low| (high, low))
            })
            .map(|(high, low)| f32::from_bits(u32::from(high) << 16 | low))
            .collect();
        let (halves, brains) = (stored::<f32, f16>(&numbers), stored::<f32, bf16>(&numbers));
        for ((v, h), b) in numbers.iter().zip(&halves).zip(&brains) {
            let (half, brain) = (f16::from_f32(*v), bf16::from_f32(*v));
            assert!(
                h.to_bits() == half.to_bits() || v.is_nan() && h.is_nan(),
                "{v:e}: {h:?} and not {half:?}"
            );
            assert!(
                b.to_bits() == brain.to_bits() || v.is_nan() && b.is_nan(),
                "{v:e}: {b:?} and not {brain:?}"
            );
        }
    }

    #[test]
    fn fractions_are_dropped_and_integers_wrap_whatever_stands_beside() {
        let odd = [
            3e9,
            -3e9,
            1e19,
            -1e30,
            f32::NAN,
            f32::INFINITY,
            -2147483648.0,
            2147483648.0,
        ];
        let mut numbers: Vec<f32> = (-300..300).map(|i| i as f32 * 1.7).collect();
        numbers.extend((0..64 * odd.len()).map(|i| if i % 64 == 9 { odd[i / 64] } else { i as f32 - 0.5 }));
        let wide: Vec<f64> = numbers.iter().map(|v| f64::from(*v)).collect();
        fn wrapped<T: Element>(numbers: &[f32], cut: fn(i64) -> T) -> Vec<T> {
            numbers.iter().map(|v| cut(*v as i64)).collect()
        }
        assert_eq!(stored::<f32, u8>(&numbers), wrapped(&numbers, |v| v as u8));
        assert_eq!(stored::<f32, i8>(&numbers), wrapped(&numbers, |v| v as i8));
        assert_eq!(stored::<f64, i16>(&wide), wrapped(&numbers, |v| v as i16));
        assert_eq!(stored::<f32, i32>(&numbers), wrapped(&numbers, |v| v as i32));
        assert_eq!(stored::<f64, i32>(&wide), wrapped(&numbers, |v| v as i32));
        assert_eq!(stored::<f32, i64>(&numbers), wrapped(&numbers, |v| v));
        assert_eq!(stored::<f64, i64>(&wide), wrapped(&numbers, |v| v));
    }

    #[test]
    fn arrays_of_every_type_become_any_other() {
        let data: Vec<i64> = (0..300).map(|i| i * 977 - 70_000).collect();
        for from in DType::ALL.into_iter().filter(|d| !d.is_complex()) {
            let x = Array::from_slice(&data, [300]).cast(from);
            for to in DType::ALL
                .into_iter()
                .filter(|d| casts(from, *d) && !d.is_complex())
            {
                let got = cast(&x, to);
                assert_eq!(got.dtype(), to);
                // One at a time, by way of what all of them hold exactly.
                let one = |v: f64| Array::full([], v, to).element::<f64>().expect("one");
                let wrap = |v: f64| {
                    if from.is_float() || to.is_differentiable() {
                        v
                    } else {
                        f64::from(v as i32)
                    }
                };
                let want: Vec<f64> = x.to_vec::<f64>().into_iter().map(|v| one(wrap(v))).collect();
                let same = |(a, b): (&f64, &f64)| a == b || a.is_nan() && b.is_nan();
                assert!(got.to_vec::<f64>().iter().zip(&want).all(same), "{from} to {to}");
            }
        }
    }

    #[test]
    fn lengths_that_fill_no_vector_lose_nothing() {
        for n in 0..70 {
            let numbers: Vec<f32> = (0..n).map(|i| i as f32 - 20.0).collect();
            assert_eq!(loaded::<f16, f32>(&stored(&numbers)), numbers);
            assert_eq!(loaded::<bf16, f32>(&stored(&numbers)), numbers);
            assert_eq!(loaded::<i8, f32>(&stored(&numbers)), numbers);
            let integers: Vec<i64> = (0..n).collect();
            assert_eq!(loaded::<u8, i64>(&stored(&integers)), integers);
            assert_eq!(loaded::<f16, i64>(&stored(&integers)), integers);
            assert_eq!(
                loaded::<bool, f64>(&stored(&integers)),
                stored::<i64, bool>(&integers)
                    .iter()
                    .map(|v| f64::from(*v))
                    .collect::<Vec<_>>()
            );
        }
    }
}
