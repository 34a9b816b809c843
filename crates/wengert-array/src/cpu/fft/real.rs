//! Transforms of n real numbers, n even, by one of n/2 complex numbers: even places are taken for real parts, odd ones for
//! imaginary parts, and what each contributed is told apart by symmetry.

use super::lanes::{load, store};
use super::{Complex, Number};
use crate::cpu::isa::dispatch;
use crate::cpu::vector::{Float, Vector};
use std::f64::consts::TAU;

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
    ///
    /// # Safety
    /// Both are there.
    pub(super) unsafe fn apart(
        &self,
        from: *const Complex<T>,
        to: *mut Complex<T>,
        m: usize,
        by: f64,
        conjugated: bool,
    ) {
        assert!(self.re.len() > m / 2 && self.im.len() == self.re.len());
        let sign = if conjugated { -by } else { by };
        // SAFETY: a complex number is its real and its imaginary part; there are turns for all pairs.
        unsafe {
            pairs::<T>(
                from.cast(),
                to.cast(),
                m,
                [self.re.as_ptr(), self.im.as_ptr()],
                [T::number(by), T::number(sign)],
            )
        }
    }
}

dispatch!(vectors unsafe fn pairs<C: Number>(from: *const C, to: *mut C, m: usize, turns: [*const C; 2], by: [C; 2]) => pairs_body);

/// # Safety
/// Rows have m + 1 pairs of numbers, and there are m/2 + 1 turns.
#[inline(always)]
unsafe fn pairs_body<V: Vector<C = C>, C: Number>(
    from: *const C,
    to: *mut C,
    m: usize,
    turns: [*const C; 2],
    by: [C; 2],
) {
    let mut k = 0;
    // SAFETY: the caller's promise; vectors from both ends meet no other.
    unsafe {
        while 2 * (k + V::LANES) <= m + 1 {
            some::<V>(from, to, [k, m + 1 - k - V::LANES], turns, by);
            k += V::LANES;
        }
        while 2 * k <= m {
            some::<C::One>(from, to, [k, m - k], turns, by);
            k += 1;
        }
    }
}

/// A vector of pairs: those from the first place on, and those that end where the vector at the second place ends, backwards.
///
/// # Safety
/// There are so many.
#[inline(always)]
unsafe fn some<V: Vector<C: Float>>(
    from: *const V::C,
    to: *mut V::C,
    at: [usize; 2],
    turns: [*const V::C; 2],
    by: [V::C; 2],
) {
    // SAFETY: the caller's promise.
    unsafe {
        let (a, b) = (load::<V>(from.add(2 * at[0])), load::<V>(from.add(2 * at[1])));
        let b = [b[0].reversed(), b[1].reversed()];
        let (wr, wi) = (V::load(turns[0].add(at[0])), V::load(turns[1].add(at[0])));
        let (by, sign) = (V::splat(by[0]), V::splat(by[1]));
        let (sr, si) = (a[0].add(b[0]).mul(by), a[1].sub(b[1]).mul(by));
        let (dr, di) = (a[0].sub(b[0]), a[1].add(b[1]));
        // A conjugated turn has the sign of its imaginary part changed, before `by` is multiplied with.
        let (ur, ui) = (wr.mul(by), wi.mul(sign));
        let (tr, ti) = (ur.mul_sub(dr, ui.mul(di)), ur.mul_add(di, ui.mul(dr)));
        let low = [sr.add(tr), si.add(ti)];
        let high = [sr.sub(tr).reversed(), ti.sub(si).reversed()];
        store(low, to.add(2 * at[0]));
        store(high, to.add(2 * at[1]));
    }
}
