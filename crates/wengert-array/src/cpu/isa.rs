//! Which instructions this processor has.

use std::sync::atomic::{AtomicU8, Ordering};

/// A level of instructions that kernels are compiled for.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Isa {
    /// What every processor of the architecture has; on aarch64 that includes NEON and fused multiply-adds.
    Baseline,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with the AVX-512 subset of server and recent desktop parts (x86-64-v4).
    Avx512,
}

/// The best level this processor has, or a lower one that the environment variable `WENGERT_ISA`
/// (`baseline`, `avx2`, `avx512`) asks for.
#[inline]
pub(crate) fn isa() -> Isa {
    // Every kernel asks, those for few elements many times: no more than a load and comparisons.
    static FOUND: AtomicU8 = AtomicU8::new(UNKNOWN);
    const UNKNOWN: u8 = u8::MAX;
    const BASELINE: u8 = Isa::Baseline as u8;
    const AVX2: u8 = Isa::Avx2 as u8;
    match FOUND.load(Ordering::Relaxed) {
        UNKNOWN => {
            let isa = find();
            FOUND.store(isa as u8, Ordering::Relaxed);
            isa
        }
        BASELINE => Isa::Baseline,
        AVX2 => Isa::Avx2,
        _ => Isa::Avx512,
    }
}

#[cold]
fn find() -> Isa {
    let best = detect();
    if cfg!(wengert_avx2_only) {
        assert!(
            best >= Isa::Avx2,
            "this build is for processors with AVX2 and FMA"
        );
        return Isa::Avx2;
    }
    match std::env::var("WENGERT_ISA").as_deref() {
        Ok("baseline") => Isa::Baseline,
        Ok("avx2") => best.min(Isa::Avx2),
        _ => best,
    }
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Isa {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq");
    match (avx2, avx512) {
        (true, true) => Isa::Avx512,
        (true, false) => Isa::Avx2,
        _ => Isa::Baseline,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Isa {
    Isa::Baseline
}

/// Compiles one body for each level (or, to save time while working on the code, for AVX2 alone where the
/// configuration `wengert_avx2_only` is set) and calls the best one the processor has.
///
/// `dispatch!(fn name<generics>(args) [generics] { body })`, where the body names the scalar type by the macro's `$S`
/// (plain at the baseline, [`Fma`](crate::real::Fma) above it) and is `#[inline(always)]` code throughout.
///
/// `dispatch!(vectors unsafe fn …)` names the [vectors](super::vector::Float) of the type at each level by it, in place of a scalar.
macro_rules! dispatch {
    (vectors $vis:vis unsafe fn $($rest:tt)*) => {
        $crate::cpu::isa::dispatch!(@ Baseline Baseline Avx2 Avx512; $vis unsafe fn $($rest)*);
    };
    ($vis:vis unsafe fn $($rest:tt)*) => {
        $crate::cpu::isa::dispatch!(@ Plain Fused Fused Fused; $vis unsafe fn $($rest)*);
    };
    (@ $plain:ident $arm:ident $avx2:ident $avx512:ident; $vis:vis unsafe fn $name:ident<$C:ident: $bound:path $(, $G:ident: $gb:path)* $(; const $N0:ident: $nt0:ty $(, const $N:ident: $nt:ty)*)?>($($arg:ident: $at:ty),* $(,)?) => $body:ident) => {
        #[inline]
        $vis unsafe fn $name<$C: $bound $(, $G: $gb)* $(, const $N0: $nt0 $(, const $N: $nt)*)?>($($arg: $at),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                unsafe fn avx2<$C: $bound $(, $G: $gb)* $(, const $N0: $nt0 $(, const $N: $nt)*)?>($($arg: $at),*) {
                    // SAFETY: the caller of `$name` vouches for the arguments.
                    unsafe { $body::<$C::$avx2, $C $(, $G)* $(, $N0 $(, $N)*)?>($($arg),*) }
                }
                #[cfg(not(wengert_avx2_only))]
                #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
                unsafe fn avx512<$C: $bound $(, $G: $gb)* $(, const $N0: $nt0 $(, const $N: $nt)*)?>($($arg: $at),*) {
                    // SAFETY: as above.
                    unsafe { $body::<$C::$avx512, $C $(, $G)* $(, $N0 $(, $N)*)?>($($arg),*) }
                }
                match $crate::cpu::isa::isa() {
                    #[cfg(not(wengert_avx2_only))]
                    // SAFETY: the processor was found to have these instructions.
                    $crate::cpu::isa::Isa::Avx512 => return unsafe { avx512::<$C $(, $G)* $(, $N0 $(, $N)*)?>($($arg),*) },
                    // SAFETY: likewise.
                    $crate::cpu::isa::Isa::Avx2 => return unsafe { avx2::<$C $(, $G)* $(, $N0 $(, $N)*)?>($($arg),*) },
                    #[cfg(wengert_avx2_only)]
                    _ => unreachable!("`isa` gives but one level in this build"),
                    #[cfg(not(wengert_avx2_only))]
                    $crate::cpu::isa::Isa::Baseline => {}
                }
            }
            #[cfg(target_arch = "aarch64")]
            // SAFETY: the caller vouches for the arguments.
            unsafe {
                $body::<$C::$arm, $C $(, $G)* $(, $N0 $(, $N)*)?>($($arg),*)
            }
            #[cfg(not(any(target_arch = "aarch64", all(wengert_avx2_only, target_arch = "x86_64"))))]
            // SAFETY: the caller vouches for the arguments.
            unsafe {
                $body::<$C::$plain, $C $(, $G)* $(, $N0 $(, $N)*)?>($($arg),*)
            }
        }
    };
}
pub(crate) use dispatch;

use crate::dtype::Compute;
use crate::real::{Fma, Int, Real};

/// How a compute type is read as a [`Real`]: two types of the same bits as itself.
pub(crate) trait Lane: Compute {
    /// Where the processor has no fused multiply-add.
    type Plain: Real;
    /// Where it has one.
    type Fused: Real;
}

impl Lane for f32 {
    type Plain = f32;
    type Fused = Fma<f32>;
}

impl Lane for f64 {
    type Plain = f64;
    type Fused = Fma<f64>;
}

macro_rules! integers {
    ($($T:ident)*) => {$(
        impl Lane for $T {
            type Plain = Int<$T>;
            type Fused = Int<$T>;
        }
    )*};
}
integers!(i64 i32 i16 i8 u8);

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const FORCED: &str = "WENGERT_ISA";

    #[test]
    fn the_environment_forces_a_level() {
        let wanted = match std::env::var(FORCED).as_deref() {
            _ if cfg!(wengert_avx2_only) => Isa::Avx2,
            Ok("baseline") => Isa::Baseline,
            Ok("avx2") => detect().min(Isa::Avx2),
            _ => detect(),
        };
        assert_eq!(isa(), wanted);
    }

    /// A process has one level, so that the other kernels' tests run again in others.
    #[test]
    fn kernels_are_right_at_every_level() {
        if std::env::var_os(FORCED).is_some() || cfg!(wengert_avx2_only) {
            return;
        }
        let levels = [("baseline", Isa::Baseline), ("avx2", Isa::Avx2)];
        for (name, _) in levels.iter().filter(|(_, level)| *level < detect()) {
            let tests = Command::new(std::env::current_exe().unwrap())
                .args(["cpu::", "complex::", "--test-threads", "2"])
                .env(FORCED, name)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&tests.stdout);
            assert!(tests.status.success(), "with {FORCED}={name}:\n{said}");
            assert!(said.contains("the_environment_forces_a_level ... ok"), "{said}");
        }
    }
}
