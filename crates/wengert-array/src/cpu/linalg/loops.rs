//! The loops that decompositions are made of, in vectors by name.

use crate::cpu::vector::{Sum, Vector};

/// Compiles functions of vectors `V` of f64 for each level of instructions, and calls what this processor can run. All that is
/// to be faster by it must be inlined.
macro_rules! levels {
    ($($(#[$meta:meta])* fn $name:ident<V>($($arg:tt: $t:ty),* $(,)?) $(-> $r:ty)? $body:block)*) => {$(
        $(#[$meta])*
        pub(super) fn $name($($arg: $t),*) $(-> $r)? {
            #[inline(always)]
            #[allow(clippy::extra_unused_type_parameters)]
            fn body<V: $crate::cpu::vector::Vector<C = f64>>($($arg: $t),*) $(-> $r)? $body
            #[cfg(target_arch = "x86_64")]
            {
                use $crate::cpu::{isa::{Isa, isa}, vector::Float};
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $t),*) $(-> $r)? {
                    body::<<f64 as Float>::Avx2>($($arg),*)
                }
                #[cfg(not(wengert_avx2_only))]
                #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
                fn avx512($($arg: $t),*) $(-> $r)? {
                    body::<<f64 as Float>::Avx512>($($arg),*)
                }
                match isa() {
                    #[cfg(not(wengert_avx2_only))]
                    // SAFETY: the processor was found to have these instructions; so below.
                    Isa::Avx512 => return unsafe { avx512($($arg),*) },
                    Isa::Baseline => {}
                    // SAFETY: see above.
                    _ => return unsafe { avx2($($arg),*) },
                }
            }
            body::<<f64 as $crate::cpu::vector::Float>::Baseline>($($arg),*)
        }
    )*};
}
pub(super) use levels;

/// a · b
#[inline(always)]
pub(super) fn dot<V: Vector<C = f64>>(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len());
    let mut sums = [V::splat(0.0); 4];
    let mut i = 0;
    // SAFETY: both have n elements.
    unsafe {
        let at = |i| (V::load(a.as_ptr().add(i)), V::load(b.as_ptr().add(i)));
        while i + 4 * V::LANES <= n {
            for (k, sum) in sums.iter_mut().enumerate() {
                let (a, b) = at(i + k * V::LANES);
                *sum = a.mul_add(b, *sum);
            }
            i += 4 * V::LANES;
        }
        while i + V::LANES <= n {
            let (a, b) = at(i);
            sums[0] = a.mul_add(b, sums[0]);
            i += V::LANES;
        }
    }
    let rest: f64 = a[i..n].iter().zip(&b[i..n]).map(|(a, b)| a * b).sum();
    sums[0].add(sums[1]).add(sums[2].add(sums[3])).across::<Sum>() + rest
}

/// y += c x
#[inline(always)]
pub(super) fn add<V: Vector<C = f64>>(y: &mut [f64], c: f64, x: &[f64]) {
    let n = y.len().min(x.len());
    let (by, mut i) = (V::splat(c), 0);
    // SAFETY: both have n elements.
    unsafe {
        while i + V::LANES <= n {
            let to = y.as_mut_ptr().add(i);
            V::load(x.as_ptr().add(i))
                .mul_add(by, V::load(to))
                .store(to, false);
            i += V::LANES;
        }
    }
    y[i..n].iter_mut().zip(&x[i..n]).for_each(|(y, x)| *y += c * x);
}

/// The products of four rows with x; and with `into`, y and c: y += Σ cᵣ rowᵣ.
#[inline(always)]
pub(super) fn four<V: Vector<C = f64>>(
    rows: [&[f64]; 4],
    x: Option<&[f64]>,
    mut into: Option<(&mut [f64], [f64; 4])>,
) -> [f64; 4] {
    let n = rows[0].len();
    assert!(rows.iter().all(|row| row.len() == n));
    assert!(x.is_none_or(|x| x.len() == n) && into.as_ref().is_none_or(|(y, _)| y.len() == n));
    let mut sums = [V::splat(0.0); 4];
    let mut by = sums;
    if let Some((_, c)) = &into {
        (0..4).for_each(|r| by[r] = V::splat(c[r]));
    }
    let mut i = 0;
    // SAFETY: all have n elements.
    unsafe {
        while i + V::LANES <= n {
            let mut a = sums;
            for r in 0..4 {
                a[r] = V::load(rows[r].as_ptr().add(i));
            }
            if let Some(x) = x {
                let x = V::load(x.as_ptr().add(i));
                for r in 0..4 {
                    sums[r] = a[r].mul_add(x, sums[r]);
                }
            }
            if let Some((y, _)) = &mut into {
                let y = y.as_mut_ptr().add(i);
                let low = a[0].mul_add(by[0], a[1].mul(by[1]));
                let high = a[2].mul_add(by[2], a[3].mul_add(by[3], V::load(y)));
                low.add(high).store(y, false);
            }
            i += V::LANES;
        }
    }
    let mut results = [0.0; 4];
    for r in 0..4 {
        results[r] = sums[r].across::<Sum>();
    }
    for i in i..n {
        for r in 0..4 {
            results[r] += x.map_or(0.0, |x| rows[r][i] * x[i]);
            if let Some((y, c)) = &mut into {
                y[i] += c[r] * rows[r][i];
            }
        }
    }
    results
}

levels! {
    /// y += c x
    fn along<V>(y: &mut [f64], c: f64, x: &[f64]) {
        add::<V>(y, c, x)
    }

    /// a · b
    fn inner<V>(a: &[f64], b: &[f64]) -> f64 {
        dot::<V>(a, b)
    }
}

/// The largest absolute value; unlike with `max`, NaN where any is.
pub(super) fn largest(x: &[f64]) -> f64 {
    x.iter().fold(
        0.0,
        |m: f64, x| if m.is_nan() || x.abs() <= m { m } else { x.abs() },
    )
}

/// √Σx², without overflow on the way.
#[inline(always)]
pub(super) fn norm<V: Vector<C = f64>>(x: &[f64]) -> f64 {
    let square = dot::<V>(x, x);
    if square.is_normal() && square < 1e300 && square > 1e-280 {
        return square.sqrt();
    }
    let scale = largest(x);
    if scale == 0.0 || !scale.is_finite() {
        return scale;
    }
    scale * x.iter().map(|x| (x / scale) * (x / scale)).sum::<f64>().sqrt()
}

/// √(x² + y²)
#[inline(always)]
pub(super) fn length(x: f64, y: f64) -> f64 {
    let square = x * x + y * y;
    match square > 1e-280 && square < 1e300 {
        true => square.sqrt(),
        false => x.hypot(y),
    }
}
