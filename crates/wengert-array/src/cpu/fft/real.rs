//! Transforms of n real numbers, n even, by one of n/2 complex numbers: even places are taken for real parts, odd ones for
//! imaginary parts, and what each contributed is told apart by symmetry.

use super::{Complex, Number};
use crate::cpu::isa::{Lane, dispatch};
use crate::real::Real;
use std::f64::consts::TAU;

/// Pairs that are computed side by side.
const W: usize = 8;

/// Numbers −i e^(−2πik/n) for k up to n/4: real parts, then imaginary parts.
#[derive(Clone)]
pub(super) struct Turns<T> {
    pub re: Vec<T>,
    pub im: Vec<T>,
}

impl<T: Number> Turns<T> {
    pub(super) fn new(n: usize) -> Turns<T> {
        let angle = |k: usize| TAU * k as f64 / n as f64;
        let all = || 0..=n / 4;
        Turns {
            re: all().map(|k| T::number(-angle(k).sin())).collect(),
            im: all().map(|k| T::number(-angle(k).cos())).collect(),
        }
    }

    /// Of `from[0..=m]`, with m = n/2, to `to[0..=m]`, which may be the same: from a = from\[k\] and b = from\[m − k\] to
    ///
    /// ```text
    /// to[k]     = by · (a + b̄ + w (a − b̄))
    /// to[m − k] = by · conj (a + b̄ − w (a − b̄))        w = −i e^(−2πik/n), or conjugated
    /// ```
    ///
    /// That tells apart what a transform of n/2 made of n real numbers, and, conjugated, joins them again.
    pub(super) fn apart(&self, row: &mut [Complex<T>], by: f64, conjugated: bool) {
        let m = row.len() - 1;
        assert!(self.re.len() > m / 2 && self.im.len() == self.re.len());
        let sign = if conjugated { -by } else { by };
        // SAFETY: a complex number is its real and its imaginary part; there are turns for all pairs.
        unsafe {
            pairs::<T>(
                row.as_mut_ptr().cast(),
                m,
                self.re.as_ptr(),
                self.im.as_ptr(),
                [T::number(by), T::number(sign)],
            )
        }
    }
}

dispatch!(unsafe fn pairs<C: Lane>(row: *mut C, m: usize, re: *const C, im: *const C, by: [C; 2]) => pairs_body);

/// # Safety
/// `row` has m + 1 pairs of numbers, and there are m/2 + 1 turns. S has the bits of C.
#[inline(always)]
unsafe fn pairs_body<S: Real, C: Lane>(row: *mut C, m: usize, re: *const C, im: *const C, by: [C; 2]) {
    const { assert!(size_of::<S>() == size_of::<C>()) };
    let (row, re, im) = (row.cast::<S>(), re.cast::<S>(), im.cast::<S>());
    // SAFETY: S has the bits of C.
    let [by, sign] = by.map(|v| unsafe { (&raw const v).cast::<S>().read() });
    let mut k = 0;
    // SAFETY: the caller's promise; blocks from both ends meet no other.
    unsafe {
        while 2 * (k + W) <= m + 1 {
            some::<S, W>(
                row.add(2 * k),
                row.add(2 * (m + 1 - k - W)),
                re.add(k),
                im.add(k),
                by,
                sign,
            );
            k += W;
        }
        while 2 * k <= m {
            some::<S, 1>(
                row.add(2 * k),
                row.add(2 * (m - k)),
                re.add(k),
                im.add(k),
                by,
                sign,
            );
            k += 1;
        }
    }
}

/// N pairs: those from `low` on, and those that end where `high`'s N end, backwards.
///
/// # Safety
/// There are so many.
#[inline(always)]
unsafe fn some<S: Real, const N: usize>(
    low: *mut S,
    high: *mut S,
    re: *const S,
    im: *const S,
    by: S,
    sign: S,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let (low, high) = (low.cast::<[[S; 2]; N]>(), high.cast::<[[S; 2]; N]>());
        let (a, b) = (low.read(), high.read());
        let (wr, wi) = (re.cast::<[S; N]>().read(), im.cast::<[S; N]>().read());
        let (mut x, mut y) = (a, b);
        for l in 0..N {
            let h = N - 1 - l;
            let (sr, si) = (a[l][0] + b[h][0], a[l][1] - b[h][1]);
            let (dr, di) = (a[l][0] - b[h][0], a[l][1] + b[h][1]);
            // A conjugated turn has the sign of its imaginary part changed, before `by` is multiplied with.
            let (ur, ui) = (wr[l] * by, wi[l] * sign);
            let (tr, ti) = (ur * dr - ui * di, ur * di + ui * dr);
            let (sr, si) = (by * sr, by * si);
            x[l] = [sr + tr, si + ti];
            y[h] = [sr - tr, ti - si];
        }
        low.write(x);
        high.write(y);
    }
}
