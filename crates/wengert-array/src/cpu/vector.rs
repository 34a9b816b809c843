//! Vectors by name, for loops of which the compiler makes different code from one build to the next: its own choice of
//! vectors depends on what stands around a loop.

use super::isa::Lane;
use super::walk::{STREAM, prefetch};
use crate::array::Array;
use crate::dtype::{Compute, Element};
use crate::real::Real;
use std::array::from_fn;
use std::ops::Mul;

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
    fn div(self, b: Self) -> Self;
    /// `self · b + c`, fused where the processor fuses it.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// `self · b − c`, likewise.
    fn mul_sub(self, b: Self, c: Self) -> Self;
    /// The larger ones; NaN where either is.
    fn larger(self, b: Self) -> Self;
    /// The smaller ones; NaN where either is.
    fn smaller(self, b: Self) -> Self;
    /// With 0 in place of NaN.
    fn known(self) -> Self;
    fn sqrt(self) -> Self;
    /// Without their signs.
    fn abs(self) -> Self;
    /// `yes` where it is larger than `than`, else, or where one is NaN, `no`.
    fn if_larger(self, than: Self, yes: Self, no: Self) -> Self;
    /// `yes` where both are equal, else, or where one is NaN, `no`.
    fn if_equal(self, to: Self, yes: Self, no: Self) -> Self;
    /// Of this and what follows it, each second number, from the first or from the second on.
    fn each_second(self, next: Self) -> [Self; 2];
    /// The inverse: the numbers of this and of `next` by turns.
    fn by_turns(self, next: Self) -> [Self; 2];
    /// The last number first.
    fn reversed(self) -> Self;
    /// All lanes joined, half with half.
    fn across<J: Join>(self) -> Self::C;
}

/// How two numbers become one.
pub(super) trait Join {
    /// What changes nothing.
    const START: f64;
    fn join<V: Vector>(a: V, b: V) -> V;
}

/// a + b
pub(super) struct Sum;
/// a b
pub(super) struct Product;
/// The larger one; NaN if either is.
pub(super) struct Largest;
/// The smaller one; NaN if either is.
pub(super) struct Smallest;

macro_rules! join {
    ($J:ident, $method:ident, $start:expr) => {
        impl Join for $J {
            const START: f64 = $start;

            #[inline(always)]
            fn join<V: Vector>(a: V, b: V) -> V {
                a.$method(b)
            }
        }
    };
}
join!(Sum, add, 0.0);
join!(Product, mul, 1.0);
join!(Largest, larger, f64::NEG_INFINITY);
join!(Smallest, smaller, f64::INFINITY);

/// Types of which there are vectors, for each level of instructions.
pub(super) trait Float: Lane + Mul<Output = Self> {
    type One: Vector<C = Self>;
    type Baseline: Vector<C = Self>;
    #[cfg(target_arch = "x86_64")]
    type Avx2: Vector<C = Self>;
    #[cfg(target_arch = "x86_64")]
    type Avx512: Vector<C = Self>;
}

/// Numbers side by side, which the compiler puts into registers of the architecture's lowest level.
#[derive(Clone, Copy)]
#[repr(transparent)]
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
            fn div(self, b: Self) -> Self {
                Plain(from_fn(|l| self.0[l] / b.0[l]))
            }

            #[inline(always)]
            fn mul_add(self, b: Self, c: Self) -> Self {
                Plain(from_fn(|l| match cfg!(target_arch = "aarch64") {
                    true => self.0[l].mul_add(b.0[l], c.0[l]),
                    false => self.0[l] * b.0[l] + c.0[l],
                }))
            }

            #[inline(always)]
            fn mul_sub(self, b: Self, c: Self) -> Self {
                self.mul_add(b, Plain(c.0.map(|v| -v)))
            }

            #[inline(always)]
            fn larger(self, b: Self) -> Self {
                Plain(from_fn(|l| Real::max(self.0[l], b.0[l])))
            }

            #[inline(always)]
            fn smaller(self, b: Self) -> Self {
                Plain(from_fn(|l| Real::min(self.0[l], b.0[l])))
            }

            #[inline(always)]
            fn known(self) -> Self {
                Plain(self.0.map(|v| if v.is_nan() { 0.0 } else { v }))
            }

            #[inline(always)]
            fn sqrt(self) -> Self {
                Plain(self.0.map($C::sqrt))
            }

            #[inline(always)]
            fn abs(self) -> Self {
                Plain(self.0.map($C::abs))
            }

            #[inline(always)]
            fn if_larger(self, than: Self, yes: Self, no: Self) -> Self {
                Plain(from_fn(|l| {
                    if self.0[l] > than.0[l] {
                        yes.0[l]
                    } else {
                        no.0[l]
                    }
                }))
            }

            #[inline(always)]
            fn if_equal(self, to: Self, yes: Self, no: Self) -> Self {
                Plain(from_fn(|l| {
                    if self.0[l] == to.0[l] {
                        yes.0[l]
                    } else {
                        no.0[l]
                    }
                }))
            }

            #[inline(always)]
            fn each_second(self, next: Self) -> [Self; 2] {
                let at = |i: usize| if i < L { self.0[i] } else { next.0[i - L] };
                // Of single numbers there is no second.
                [0, 1].map(|from| Plain(from_fn(|l| at((2 * l + from).min(2 * L - 1)))))
            }

            #[inline(always)]
            fn by_turns(self, next: Self) -> [Self; 2] {
                let at = |i: usize| {
                    if i % 2 == 0 {
                        self.0[i / 2]
                    } else {
                        next.0[i / 2]
                    }
                };
                [0, L].map(|from| Plain(from_fn(|l| at(from + l))))
            }

            #[inline(always)]
            fn reversed(self) -> Self {
                Plain(from_fn(|l| self.0[L - 1 - l]))
            }

            #[inline(always)]
            fn across<J: Join>(self) -> $C {
                let (mut x, mut width) = (self.0.map(|v| Plain([v])), L / 2);
                while width > 0 {
                    for l in 0..width {
                        x[l] = J::join(x[l], x[l + width]);
                    }
                    width /= 2;
                }
                x[0].0[0]
            }
        }
    };
}
plain!(f32);
plain!(f64);

#[cfg(target_arch = "x86_64")]
mod x86;

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

/// The products of two rows' elements.
pub(super) struct Products<C>(pub [*const C; 2]);

impl<C: Float> Terms<C, 1, 1> for Products<C> {
    #[inline(always)]
    unsafe fn at<V: Vector<C = C>>(&self, i: usize) -> [[V; 1]; 1] {
        // SAFETY: the caller's promise.
        let [a, b] = self.0.map(|row| unsafe { V::load(row.add(i)) });
        [[a.mul(b)]]
    }
}

/// A row's elements. Memory further on is asked for meanwhile: the processor does so of itself, but not past the end of a page.
pub(super) struct Ahead<C>(pub *const C);

impl<C: Float> Terms<C, 1, 1> for Ahead<C> {
    #[inline(always)]
    unsafe fn at<V: Vector<C = C>>(&self, i: usize) -> [[V; 1]; 1] {
        let x = self.0.wrapping_add(i);
        prefetch(x.wrapping_byte_add(4096), 1);
        // SAFETY: the caller's promise.
        [[unsafe { V::load(x) }]]
    }
}

/// The squares of other terms.
pub(super) struct Squared<T>(pub T);

impl<C: Float, T: Terms<C, 1, 1>> Terms<C, 1, 1> for Squared<T> {
    #[inline(always)]
    unsafe fn at<V: Vector<C = C>>(&self, i: usize) -> [[V; 1]; 1] {
        // SAFETY: the caller's promise.
        let [[x]] = unsafe { self.0.at::<V>(i) };
        [[x.mul(x)]]
    }
}

/// Other terms with 0 in place of NaN.
pub(super) struct Known<T>(pub T);

impl<C: Float, T: Terms<C, 1, 1>> Terms<C, 1, 1> for Known<T> {
    #[inline(always)]
    unsafe fn at<V: Vector<C = C>>(&self, i: usize) -> [[V; 1]; 1] {
        // SAFETY: the caller's promise.
        let [[x]] = unsafe { self.0.at::<V>(i) };
        [[x.known()]]
    }
}

/// The `terms` along rows of n elements [joined](Join): in blocks, those then in f64.
#[inline(always)]
pub(super) unsafe fn fold<V: Vector<C: Float>, J: Join, const N: usize, const K: usize>(
    n: usize,
    terms: &impl Terms<V::C, N, K>,
) -> [[f64; K]; N] {
    /// Results of each kind on their way at once.
    const WAYS: usize = 4;
    /// Elements between two roundings to f64.
    const BLOCK: usize = 2048;
    let wide = |a: &mut f64, b: V::C| *a = J::join(Plain([*a]), Plain([b.to_f64()])).across::<J>();
    let mut total = [[J::START; K]; N];
    let start = V::splat(V::C::from_f64(J::START));
    // SAFETY: the caller's promise that rows have n elements.
    unsafe {
        for from in (0..n).step_by(BLOCK) {
            let end = n.min(from + BLOCK);
            let mut acc = [[[start; K]; N]; WAYS];
            let mut i = from;
            while i + WAYS * V::LANES <= end {
                for acc in &mut acc {
                    let terms = terms.at::<V>(i);
                    *acc = from_fn(|r| from_fn(|k| J::join(acc[r][k], terms[r][k])));
                    i += V::LANES;
                }
            }
            while i + V::LANES <= end {
                let terms = terms.at::<V>(i);
                acc[0] = from_fn(|r| from_fn(|k| J::join(acc[0][r][k], terms[r][k])));
                i += V::LANES;
            }
            // By reference: a closure for all of them came out as a call, in the wheel.
            let [a, b, c, d] = &acc;
            for r in 0..N {
                for k in 0..K {
                    let two = [J::join(a[r][k], b[r][k]), J::join(c[r][k], d[r][k])];
                    wide(&mut total[r][k], J::join(two[0], two[1]).across::<J>());
                }
            }
            while i < end {
                let terms = terms.at::<<V::C as Float>::One>(i);
                for r in 0..N {
                    for k in 0..K {
                        wide(&mut total[r][k], terms[r][k].across::<J>());
                    }
                }
                i += 1;
            }
        }
    }
    total
}

/// The sums of `terms` along rows of n elements.
#[inline(always)]
pub(super) unsafe fn totals<V: Vector<C: Float>, const N: usize, const K: usize>(
    n: usize,
    terms: &impl Terms<V::C, N, K>,
) -> [[f64; K]; N] {
    // SAFETY: the caller's promise.
    unsafe { fold::<V, Sum, N, K>(n, terms) }
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
