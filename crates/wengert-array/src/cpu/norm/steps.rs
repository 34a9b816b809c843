//! What norms of several kinds do at each place.

use crate::cpu::vector::{Float, Step, Terms, Vector, walk};
use crate::cpu::walk::prefetch;
use std::array::from_fn;

/// A number for all places, or one for each.
pub(super) trait Given<C>: Copy {
    /// # Safety
    /// Where there is one for each place there is a vector of them at i.
    unsafe fn at<V: Vector<C = C>>(self, i: usize) -> V;
}

impl<C: Float> Given<C> for C {
    #[inline(always)]
    unsafe fn at<V: Vector<C = C>>(self, _: usize) -> V {
        V::splat(self)
    }
}

impl<C: Float> Given<C> for *const C {
    #[inline(always)]
    unsafe fn at<V: Vector<C = C>>(self, i: usize) -> V {
        // SAFETY: the caller's promise.
        unsafe { V::load(self.add(i)) }
    }
}

/// (x − m)²
pub(super) struct Squares<C, M, const N: usize> {
    pub x: [*const C; N],
    pub m: [M; N],
}

impl<C: Float, M: Given<C>, const N: usize> Terms<C, N, 1> for Squares<C, M, N> {
    #[inline(always)]
    unsafe fn at<V: Vector<C = C>>(&self, i: usize) -> [[V; 1]; N] {
        from_fn(|r| {
            // SAFETY: the caller's promise.
            let d = unsafe { V::load(self.x[r].add(i)).sub(self.m[r].at(i)) };
            [d.mul(d)]
        })
    }
}

/// dy and dy (x − m)
pub(super) struct Products<C, M, const N: usize> {
    pub x: [*const C; N],
    pub dy: [*const C; N],
    pub m: M,
}

impl<C: Float, M: Given<C>, const N: usize> Terms<C, N, 2> for Products<C, M, N> {
    #[inline(always)]
    unsafe fn at<V: Vector<C = C>>(&self, i: usize) -> [[V; 2]; N] {
        // SAFETY: the caller's promise.
        unsafe {
            let m = self.m.at::<V>(i);
            from_fn(|r| {
                let (x, dy) = (V::load(self.x[r].add(i)), V::load(self.dy[r].add(i)));
                [dy, dy.mul(x.sub(m))]
            })
        }
    }
}

/// y = (x − m) by + plus
pub(super) struct Scale<C, M> {
    pub x: *const C,
    pub y: *mut C,
    pub m: M,
    pub by: M,
    pub plus: M,
}

impl<C: Float, M: Given<C>> Step<C> for Scale<C, M> {
    #[inline(always)]
    unsafe fn at<V: Vector<C = C>>(&self, i: usize, past: bool) {
        // SAFETY: the caller's promise.
        unsafe {
            let y = V::load(self.x.add(i))
                .sub(self.m.at(i))
                .mul_add(self.by.at(i), self.plus.at(i));
            y.store(self.y.add(i), past);
        }
    }
}

/// dx = dy out + x̂ slope + shift, where x̂ = (x − m) scale.
pub(super) struct Gradient<C, M> {
    pub x: *const C,
    pub dy: *const C,
    pub dx: *mut C,
    pub m: M,
    pub scale: M,
    pub out: M,
    pub slope: M,
    pub shift: M,
}

impl<C: Float, M: Given<C>> Step<C> for Gradient<C, M> {
    #[inline(always)]
    unsafe fn at<V: Vector<C = C>>(&self, i: usize, past: bool) {
        // SAFETY: the caller's promise.
        unsafe {
            let (x, dy) = (V::load(self.x.add(i)), V::load(self.dy.add(i)));
            let hat = x.sub(self.m.at(i)).mul(self.scale.at(i));
            let rest = hat.mul_add(self.slope.at(i), self.shift.at(i));
            dy.mul_add(self.out.at(i), rest).store(self.dx.add(i), past);
        }
    }
}

/// Vectors that a loop which asks for no memory takes at once: it is short enough to be held up by its own end.
pub(super) const WAYS: usize = 4;

/// Takes `step`, which may be taken twice at a place, along n of them: the last vector covers what is left after whole ones.
///
/// # Safety
/// As for [`walk`].
#[inline(always)]
pub(super) unsafe fn run<V: Vector<C: Float>, const WAYS: usize>(
    n: usize,
    past: bool,
    step: &impl Step<V::C>,
) {
    let mut i = 0;
    // SAFETY: the caller's promise.
    unsafe {
        while i + WAYS * V::LANES <= n {
            for _ in 0..WAYS {
                step.at::<V>(i, past);
                i += V::LANES;
            }
        }
        while i + V::LANES <= n {
            step.at::<V>(i, past);
            i += V::LANES;
        }
        match i {
            0 => walk::<V>(n, false, step),
            _ if i < n => step.at::<V>(n - V::LANES, false),
            _ => {}
        }
    }
}

/// A step that also asks for memory `ahead` numbers behind those it reads at `of`.
struct Ahead<'a, C, S, const J: usize> {
    step: &'a S,
    of: [*const C; J],
    ahead: usize,
}

impl<C: Float, S: Step<C>, const J: usize> Step<C> for Ahead<'_, C, S, J> {
    #[inline(always)]
    unsafe fn at<V: Vector<C = C>>(&self, i: usize, past: bool) {
        if (i * size_of::<C>()).is_multiple_of(64) {
            for of in self.of {
                prefetch(of.wrapping_add(i + self.ahead), 1);
            }
        }
        // SAFETY: the caller's promise.
        unsafe { self.step.at::<V>(i, past) }
    }
}

/// As [`run`]; if `ahead` is not 0, memory so many numbers behind what is read at `of` is asked for on the way.
///
/// # Safety
/// As for [`walk`].
#[inline(always)]
pub(super) unsafe fn run_ahead<V: Vector<C: Float>, const J: usize>(
    n: usize,
    past: bool,
    step: &impl Step<V::C>,
    of: [*const V::C; J],
    ahead: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match ahead {
            0 => run::<V, WAYS>(n, past, step),
            _ => run::<V, 1>(n, past, &Ahead { step, of, ahead }),
        }
    }
}
