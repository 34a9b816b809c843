//! Random numbers from counters: element `i` of a draw depends on the seed, on how much was drawn before
//! and on `i`, so it is the same on any number of threads and with any instructions.

use super::threads;
use crate::array::Array;
use crate::dtype::{Compute, DType, Element};
use crate::error::{Error, ErrorKind, raise};
use crate::layout::Shape;
use crate::real::Real;
use half::{bf16, f16};

/// How many neighbouring blocks are computed side by side, in the lanes of vector registers.
const LANES: usize = 8;

/// Four words of 32 bits of each of `L` blocks, word by word. They are kept in 64 bits because that is how
/// processors multiply 32-bit lanes to full width.
type Blocks<const L: usize> = [[u64; L]; 4];

const LOW: u64 = 0xFFFF_FFFF;

/// Philox4x32-10: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11.
#[inline(always)]
fn philox<const L: usize>(key: [u32; 2], mut c: Blocks<L>) -> Blocks<L> {
    let [mut k0, mut k1] = key;
    for _ in 0..10 {
        let mut next = [[0; L]; 4];
        for l in 0..L {
            let (p0, p1) = (c[0][l] * 0xD251_1F53, c[2][l] * 0xCD9E_8D57);
            next[0][l] = (p1 >> 32) ^ c[1][l] ^ u64::from(k0);
            next[1][l] = p1 & LOW;
            next[2][l] = (p0 >> 32) ^ c[3][l] ^ u64::from(k1);
            next[3][l] = p0 & LOW;
        }
        c = next;
        // The key schedule: the golden ratio and √3 − 1, in 32 bits.
        k0 = k0.wrapping_add(0x9E37_79B9);
        k1 = k1.wrapping_add(0xBB67_AE85);
    }
    c
}

/// The blocks at counters `at`, `at + 1`, … under `seed`.
#[inline(always)]
fn blocks<const L: usize>(seed: u64, at: u64) -> Blocks<L> {
    let mut c = [[0; L]; 4];
    for l in 0..L {
        let counter = at.wrapping_add(l as u64);
        (c[0][l], c[1][l]) = (counter & LOW, counter >> 32);
    }
    philox([seed as u32, (seed >> 32) as u32], c)
}

/// The blocks' words joined in pairs: the first two of each block, then the last two.
#[inline(always)]
fn pairs(w: &Blocks<LANES>) -> [u64; 2 * LANES] {
    let mut out = [0; 2 * LANES];
    for l in 0..LANES {
        out[l] = w[0][l] | w[1][l] << 32;
        out[LANES + l] = w[2][l] | w[3][l] << 32;
    }
    out
}

/// What is made of random bits. Methods are `inline(always)`, to be compiled for every level of instructions.
trait Sample: Sync {
    type C: Compute;
    /// How many numbers the blocks of all lanes make.
    const N: usize;
    /// Writes the first `N` of `out`.
    fn sample(&self, w: &Blocks<LANES>, out: &mut [Self::C; 4 * LANES]);
}

/// The types that floats are made in.
trait Float: Compute + Real {
    const N: usize;
    /// `N` numbers on an even grid in [0, 1).
    fn unit(w: &Blocks<LANES>, out: &mut [Self; 4 * LANES]);
    /// `N` numbers from the standard normal distribution.
    fn gauss(w: &Blocks<LANES>, out: &mut [Self; 4 * LANES]);
}

impl Float for f32 {
    const N: usize = 4 * LANES;

    #[inline(always)]
    fn unit(w: &Blocks<LANES>, out: &mut [f32; 4 * LANES]) {
        for (out, w) in out.iter_mut().zip(w.as_flattened()) {
            *out = (w >> 8) as i32 as f32 * (1.0 / (1 << 24) as f32);
        }
    }

    #[inline(always)]
    fn gauss(w: &Blocks<LANES>, out: &mut [f32; 4 * LANES]) {
        for half in 0..2 {
            for l in 0..LANES {
                // Half a step off the grid, so never zero: 31 bits give tails up to 6.6.
                let u = (w[2 * half][l] >> 1) as i32 as f32 * (1.0 / (1u32 << 31) as f32)
                    + 0.5 / (1u32 << 31) as f32;
                let [x, y] = normal32::normals(u, w[2 * half + 1][l] as u32);
                out[2 * half * LANES + l] = x;
                out[(2 * half + 1) * LANES + l] = y;
            }
        }
    }
}

impl Float for f64 {
    const N: usize = 2 * LANES;

    #[inline(always)]
    fn unit(w: &Blocks<LANES>, out: &mut [f64; 4 * LANES]) {
        for (out, bits) in out.iter_mut().zip(pairs(w)) {
            *out = (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64);
        }
    }

    #[inline(always)]
    fn gauss(w: &Blocks<LANES>, out: &mut [f64; 4 * LANES]) {
        let bits = pairs(w);
        for l in 0..LANES {
            let u = ((bits[l] >> 11) + 1) as f64 * (1.0 / (1u64 << 53) as f64);
            [out[l], out[LANES + l]] = normal64::normals(u, bits[LANES + l]);
        }
    }
}

struct Uniform<C> {
    low: C,
    width: C,
    /// Rounding can leave the range: the first and the last number that are in it.
    least: C,
    most: C,
}

impl<C: Float> Sample for Uniform<C> {
    type C = C;
    const N: usize = C::N;
    #[inline(always)]
    fn sample(&self, w: &Blocks<LANES>, out: &mut [C; 4 * LANES]) {
        C::unit(w, out);
        for v in &mut out[..C::N] {
            let x = self.low + *v * self.width;
            let x = C::select(x.lt(self.least), self.least, x);
            *v = C::select(self.most.lt(x), self.most, x);
        }
    }
}

struct Normal<C> {
    mean: C,
    std: C,
}

impl<C: Float> Sample for Normal<C> {
    type C = C;
    const N: usize = C::N;
    #[inline(always)]
    fn sample(&self, w: &Blocks<LANES>, out: &mut [C; 4 * LANES]) {
        C::gauss(w, out);
        for v in &mut out[..C::N] {
            *v = self.mean + *v * self.std;
        }
    }
}

struct Integers {
    low: i64,
    count: u64,
}

impl Sample for Integers {
    type C = i64;
    const N: usize = 2 * LANES;
    #[inline(always)]
    fn sample(&self, w: &Blocks<LANES>, out: &mut [i64; 4 * LANES]) {
        for (out, bits) in out.iter_mut().zip(pairs(w)) {
            *out = self.low.wrapping_add(below(bits, self.count).cast_signed());
        }
    }
}

/// Random bits as a number less than `count`: each number stands for as many patterns, give or take one.
#[inline(always)]
fn below(bits: u64, count: u64) -> u64 {
    ((u128::from(bits) * u128::from(count)) >> 64) as u64
}

struct Bernoulli {
    /// How many of the 2^32 words say yes.
    yes: u64,
}

impl Sample for Bernoulli {
    type C = i64;
    const N: usize = 4 * LANES;
    #[inline(always)]
    fn sample(&self, w: &Blocks<LANES>, out: &mut [i64; 4 * LANES]) {
        for (out, &w) in out.iter_mut().zip(w.as_flattened()) {
            *out = i64::from(w < self.yes);
        }
    }
}

macro_rules! box_muller {
    (
        $name:ident, $t:ident, $bits:ident, $mantissa:literal, $root_half:literal,
        $log:expr, $sin:expr, $cos:expr
    ) => {
        /// Functions of their own for Box and Muller's method, so that the numbers do not depend on which
        /// instructions or which library there are: plain arithmetic, never fused, and easily vectorised.
        mod $name {
            use std::f64::consts;

            /// `Σ c[i] xⁱ`.
            #[inline(always)]
            fn polynomial<const K: usize>(x: $t, c: [f64; K]) -> $t {
                c.iter().rev().fold(0.0, |sum, &c| sum * x + c as $t)
            }

            /// The natural logarithm of a normal positive number.
            #[inline(always)]
            fn ln(x: $t) -> $t {
                // x = m · 2^e with m in [√½, √2), and ln m = 2 artanh s with s = (m − 1) / (m + 1).
                let e = (x.to_bits().wrapping_sub($root_half)).cast_signed() >> $mantissa;
                let m = <$t>::from_bits(x.to_bits().wrapping_sub((e << $mantissa).cast_unsigned()));
                let s = (m - 1.0) / (m + 1.0);
                e as i32 as $t * consts::LN_2 as $t + 2.0 * s * polynomial(s * s, $log)
            }

            /// Two independent numbers from the standard normal distribution. `u` is in (0, 1]; `turn` and
            /// its top two bits make a point on the circle.
            #[inline(always)]
            pub(super) fn normals(u: $t, turn: $bits) -> [$t; 2] {
                let radius = (-2.0 * ln(u)).sqrt();
                // An angle in ±π/4; one bit says whether to mirror it to the other axis, one whether to go to
                // the other side.
                let angle = (turn << 2).cast_signed() as $t
                    * (consts::FRAC_PI_4 / (1u64 << ($bits::BITS - 1)) as f64) as $t;
                let a2 = angle * angle;
                let (sin, cos) = (angle * polynomial(a2, $sin), polynomial(a2, $cos));
                let flip = (turn << 1) & (1 << ($bits::BITS - 1));
                let radius = <$t>::from_bits(radius.to_bits() ^ flip);
                let mirror = turn >> ($bits::BITS - 1) != 0;
                let (x, y) = if mirror { (sin, cos) } else { (cos, sin) };
                [radius * x, radius * y]
            }
        }
    };
}

/// 1 / (2k + 1): the series of artanh s / s in s².
const fn odd<const K: usize>() -> [f64; K] {
    let mut c = [0.0; K];
    let mut k = 0;
    while k < K {
        c[k] = 1.0 / (2 * k + 1) as f64;
        k += 1;
    }
    c
}

/// (−1)^k / (2k + first)!: the series of sin a / a (`first` 1) and cos a (`first` 0) in a².
const fn alternating<const K: usize>(first: usize) -> [f64; K] {
    let mut c = [1.0; K];
    let mut k = 1;
    while k < K {
        let n = 2 * k + first;
        c[k] = -c[k - 1] / (n * (n - 1)) as f64;
        k += 1;
    }
    c
}

// As many terms as keep the first one left out below the last bit.
box_muller!(
    normal32,
    f32,
    u32,
    23,
    0x3F35_04F3,
    const { super::odd::<5>() },
    const { super::alternating::<5>(1) },
    const { super::alternating::<6>(0) }
);
box_muller!(
    normal64,
    f64,
    u64,
    52,
    0x3FE6_A09E_667F_3BCD,
    const { super::odd::<11>() },
    const { super::alternating::<9>(1) },
    const { super::alternating::<10>(0) }
);

/// Writes the `n` numbers that the blocks from counter `at` on make.
///
/// # Safety
/// `out` has room for `n` elements.
#[inline(always)]
unsafe fn fill<S: Sample, T: Element>(sample: &S, seed: u64, mut at: u64, n: usize, out: *mut T) {
    let mut values = [S::C::default(); 4 * LANES];
    for start in (0..n).step_by(S::N) {
        sample.sample(&blocks(seed, at), &mut values);
        at = at.wrapping_add(LANES as u64);
        let len = S::N.min(n - start);
        // The usual case on its own, since its length is a constant.
        if len == S::N {
            for i in 0..S::N {
                // SAFETY: start + i < n.
                unsafe { out.add(start + i).write(T::store(values[i])) };
            }
        } else {
            for i in 0..len {
                // SAFETY: start + i < n.
                unsafe { out.add(start + i).write(T::store(values[i])) };
            }
        }
    }
}

/// [`fill`] with the best instructions there are.
///
/// # Safety
/// `out` has room for `n` elements.
unsafe fn fill_best<S: Sample, T: Element>(sample: &S, seed: u64, at: u64, n: usize, out: *mut T) {
    #[cfg(target_arch = "x86_64")]
    {
        use super::isa::{Isa, isa};
        #[target_feature(enable = "avx2")]
        unsafe fn avx2<S: Sample, T: Element>(sample: &S, seed: u64, at: u64, n: usize, out: *mut T) {
            // SAFETY: the caller vouches for `out`.
            unsafe { fill(sample, seed, at, n, out) }
        }
        #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2")]
        unsafe fn avx512<S: Sample, T: Element>(sample: &S, seed: u64, at: u64, n: usize, out: *mut T) {
            // SAFETY: the caller vouches for `out`.
            unsafe { fill(sample, seed, at, n, out) }
        }
        match isa() {
            // SAFETY: the processor was found to have these instructions; the caller vouches for `out`.
            Isa::Avx512 => return unsafe { avx512(sample, seed, at, n, out) },
            // SAFETY: likewise.
            Isa::Avx2 => return unsafe { avx2(sample, seed, at, n, out) },
            Isa::Baseline => {}
        }
    }
    // SAFETY: the caller vouches for `out`.
    unsafe { fill(sample, seed, at, n, out) }
}

/// Where random numbers come from: a seed, and how many have been drawn.
///
/// What a generator draws depends on its seed and on the draws before alone: not on the number of threads,
/// and not on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generator {
    seed: u64,
    /// In blocks, which are what the counters count.
    drawn: u64,
}

impl Generator {
    /// A generator that has drawn nothing. Different seeds give unrelated numbers.
    pub fn new(seed: u64) -> Self {
        Generator { seed, drawn: 0 }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// All there is to know of the generator, to be saved.
    pub fn state(&self) -> [u64; 2] {
        [self.seed, self.drawn]
    }

    /// The generator that had this [`state`](Generator::state): it goes on from there.
    pub fn from_state([seed, drawn]: [u64; 2]) -> Self {
        Generator { seed, drawn }
    }

    /// Floats spread evenly over [`low`, `high`), on a grid of 2^24 steps for f32 and narrower types, which
    /// are then rounded, and of 2^53 for f64.
    ///
    /// # Panics
    /// If `dtype` is no floating dtype, or `low` is above `high`, or the range does not fit in the dtype.
    #[track_caller]
    pub fn uniform(&mut self, shape: &Shape, low: f64, high: f64, dtype: DType) -> Array {
        #[track_caller]
        fn range<T: Element, C: Float>(low: f64, high: f64) -> Uniform<C> {
            let round = |v: f64| T::store(v).load::<f64>();
            let width = C::from_f64(high - low);
            let finite = [round(low), round(high), width.to_f64()]
                .iter()
                .all(|v| v.is_finite());
            if !finite || low > high {
                let message = format!("the range {low} to {high} is not one of {}", T::DTYPE);
                raise(Error::new(ErrorKind::Value, "uniform", message));
            }
            // The neighbour of v in T: the first that doubling a step, too small at first, rounds to.
            let next = |v: f64, sign: f64| {
                let mut step = (v.abs() / (1u64 << 54) as f64).max(f64::from_bits(1));
                while round(v + sign * step) == v {
                    step *= 2.0;
                }
                round(v + sign * step)
            };
            let least = if round(low) < low {
                next(round(low), 1.0)
            } else {
                round(low)
            };
            let most = if round(high) >= high {
                next(round(high), -1.0)
            } else {
                round(high)
            };
            Uniform {
                low: C::from_f64(low),
                width,
                least: C::from_f64(least),
                most: C::from_f64(most.max(least)),
            }
        }
        match dtype {
            DType::F64 => self.draw::<_, f64>(shape, &range::<f64, f64>(low, high)),
            DType::F32 => self.draw::<_, f32>(shape, &range::<f32, f32>(low, high)),
            DType::F16 => self.draw::<_, f16>(shape, &range::<f16, f32>(low, high)),
            DType::BF16 => self.draw::<_, bf16>(shape, &range::<bf16, f32>(low, high)),
            other => not_float("uniform", other),
        }
    }

    /// Floats from the normal distribution with this mean and standard deviation.
    ///
    /// # Panics
    /// If `dtype` is no floating dtype, or `std` is negative.
    #[track_caller]
    pub fn normal(&mut self, shape: &Shape, mean: f64, std: f64, dtype: DType) -> Array {
        if std.is_nan() || std < 0.0 {
            let message = format!("a standard deviation of {std} makes no sense");
            raise(Error::new(ErrorKind::Value, "normal", message));
        }
        let narrow = Normal {
            mean: mean as f32,
            std: std as f32,
        };
        match dtype {
            DType::F64 => self.draw::<_, f64>(shape, &Normal { mean, std }),
            DType::F32 => self.draw::<_, f32>(shape, &narrow),
            DType::F16 => self.draw::<_, f16>(shape, &narrow),
            DType::BF16 => self.draw::<_, bf16>(shape, &narrow),
            other => not_float("normal", other),
        }
    }

    /// I64 numbers spread evenly over `low .. high`.
    ///
    /// # Panics
    /// If the range is empty.
    #[track_caller]
    pub fn integers(&mut self, shape: &Shape, low: i64, high: i64) -> Array {
        if low >= high {
            let message = format!("the range {low}..{high} is empty");
            raise(Error::new(ErrorKind::Value, "integers", message));
        }
        let count = high.wrapping_sub(low).cast_unsigned();
        self.draw::<_, i64>(shape, &Integers { low, count })
    }

    /// Bools, each true with probability `p` (to within 2^−33).
    ///
    /// # Panics
    /// If `p` is not in [0, 1].
    #[track_caller]
    pub fn bernoulli(&mut self, shape: &Shape, p: f64) -> Array {
        if !(0.0..=1.0).contains(&p) {
            let message = format!("{p} is not a probability");
            raise(Error::new(ErrorKind::Value, "bernoulli", message));
        }
        let yes = (p * (1u64 << 32) as f64).round() as u64;
        self.draw::<_, bool>(shape, &Bernoulli { yes })
    }

    /// The I64 numbers 0 … n − 1 in random order: each order is as likely as any other.
    pub fn permutation(&mut self, n: usize) -> Array {
        let mut order: Vec<i64> = (0..n as i64).collect();
        let swaps = n.saturating_sub(1);
        let at = self.reserve((swaps.div_ceil(2 * LANES) * LANES) as u64);
        let mut bits = [0; 2 * LANES];
        // Fisher and Yates: each place, from the last one down, takes one of those that are left.
        for k in 0..swaps {
            let lane = k % (2 * LANES);
            if lane == 0 {
                bits = pairs(&blocks(self.seed, at.wrapping_add((k / 2) as u64)));
            }
            let last = swaps - k;
            order.swap(last, below(bits[lane], last as u64 + 1) as usize);
        }
        Array::from_slice(&order, [n])
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let [[low], [high], ..] = blocks::<1>(self.seed, self.reserve(1));
        low | high << 32
    }

    /// The counter of the first of `blocks` blocks that no later draw uses.
    fn reserve(&mut self, blocks: u64) -> u64 {
        let at = self.drawn;
        self.drawn = at.wrapping_add(blocks);
        at
    }

    fn draw<S: Sample, T: Element>(&mut self, shape: &Shape, sample: &S) -> Array {
        let mut array = Array::uninit(shape, T::DTYPE);
        let n = array.numel();
        let seed = self.seed;
        let at = self.reserve((n.div_ceil(S::N) * LANES) as u64);
        let out = Shared(array.uninit_slice::<T>());
        threads::split(n, S::N, COST, |start, len| {
            let at = at.wrapping_add((start / S::N * LANES) as u64);
            // SAFETY: the parts do not overlap and lie within the array's `n` elements.
            unsafe { fill_best(sample, seed, at, len, out.at(start)) };
        });
        array
    }
}

/// How much more work a number is than an addition, roughly.
const COST: usize = 8;

/// A pointer that threads may share, each for its own part.
struct Shared<T>(*mut T);

// SAFETY: only `at` gives out addresses, and its callers write to parts that do not overlap.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// # Safety
    /// `i` is within what the pointer points to.
    unsafe fn at(&self, i: usize) -> *mut T {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(i) }
    }
}

#[cold]
#[track_caller]
fn not_float(op: &str, dtype: DType) -> ! {
    let message = format!("{dtype} is not a floating dtype");
    raise(Error::new(ErrorKind::DType, op, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published answers of Philox4x32-10, one block in each of several lanes.
    #[test]
    fn blocks_are_philoxs() {
        let cases: [([u32; 4], [u32; 2], [u32; 4]); 3] = [
            ([0; 4], [0; 2], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]),
            (
                [u32::MAX; 4],
                [u32::MAX; 2],
                [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
            ),
            // Digits of π.
            (
                [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
                [0xa4093822, 0x299f31d0],
                [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
            ),
        ];
        for (counter, key, want) in cases {
            let w = philox::<LANES>(key, counter.map(|c| [u64::from(c); LANES]));
            assert_eq!(w, want.map(|v| [u64::from(v); LANES]));
        }
        let zero = blocks::<1>(0, 0);
        assert_eq!(zero.map(|[w]| w as u32), cases[0].2);
        // A later block, by lanes and alone.
        let (eight, one) = (
            blocks::<LANES>(7, u64::from(u32::MAX) - 2),
            blocks::<1>(7, u64::from(u32::MAX) + 2),
        );
        assert_eq!(eight.map(|w| w[4]), one.map(|w| w[0]));
    }

    /// Each kind of draw, as bits.
    fn draws(shape: &Shape, g: &mut Generator) -> Vec<Vec<u64>> {
        let bits = |a: Array| a.to_vec::<f64>().iter().map(|v| v.to_bits()).collect();
        let mut all: Vec<Vec<u64>> = Vec::new();
        for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
            all.push(bits(g.uniform(shape, -1.0, 3.0, dtype)));
            all.push(bits(g.normal(shape, 0.5, 2.0, dtype)));
        }
        all.push(
            g.integers(shape, -5, 1 << 40)
                .to_vec::<i64>()
                .iter()
                .map(|v| v.cast_unsigned())
                .collect(),
        );
        all.push(bits(g.bernoulli(shape, 0.3)));
        all
    }

    #[test]
    fn threads_change_nothing() {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| draws(&[3, 33_337].into(), &mut Generator::new(5)))
        };
        let one = run(1);
        assert!(one == run(2) && one == run(4));
    }

    /// Every level of instructions gives the same bits.
    #[test]
    fn instructions_change_nothing() {
        fn same<S: Sample, T: Element>(sample: &S) {
            const N: usize = 10_007;
            let (mut plain, mut best) = ([T::default(); N], [T::default(); N]);
            // SAFETY: both have N elements.
            unsafe { fill(sample, 3, 1 << 33, N, plain.as_mut_ptr()) };
            // SAFETY: likewise.
            unsafe { fill_best(sample, 3, 1 << 33, N, best.as_mut_ptr()) };
            assert!(plain == best);
        }
        same::<_, f32>(&Normal {
            mean: 1.0f32,
            std: 0.7,
        });
        same::<_, f64>(&Normal {
            mean: 1.0f64,
            std: 0.7,
        });
        let (low, width, least, most) = (0.1, 0.7, 0.1, 0.8);
        same::<_, f32>(&Uniform::<f32> {
            low,
            width,
            least,
            most,
        });
        same::<_, i64>(&Integers {
            low: -9,
            count: 1 << 50,
        });
    }

    #[test]
    fn draws_repeat_and_differ() {
        let shape = Shape::new(&[1000]);
        let mut g = Generator::new(1);
        let first = draws(&shape, &mut g);
        assert_eq!(first, draws(&shape, &mut Generator::new(1)));
        let mut saved = Generator::from_state(g.state());
        assert_eq!((g.seed(), &saved), (1, &g));
        let second = draws(&shape, &mut g);
        assert_eq!(second, draws(&shape, &mut saved));
        let other = draws(&shape, &mut Generator::new(2));
        for (a, b) in first.iter().zip(&second).chain(first.iter().zip(&other)) {
            assert_ne!(a, b);
        }
        // A shorter draw is the beginning of a longer one; nothing drawn leaves the generator as it was.
        let short = draws(&[7].into(), &mut Generator::new(1));
        assert_eq!(short[0], first[0][..7]);
        let state = g.state();
        assert_eq!(g.uniform(&[0, 3].into(), 0.0, 1.0, DType::F32).numel(), 0);
        assert_eq!(g.state(), state);
        let words: Vec<u64> = (0..4).map(|_| g.next_u64()).collect();
        assert!(words.windows(2).all(|w| w[0] != w[1]));
    }

    /// Mean, variance, third and fourth moment of what has been standardised.
    fn moments(v: &[f64]) -> [f64; 4] {
        [1, 2, 3, 4].map(|k| v.iter().map(|x| x.powi(k)).sum::<f64>() / v.len() as f64)
    }

    /// How far the counts of 20 equal bins are from even ones: 19 on average, above 50 one time in 10^4.
    fn chi_square(shares: impl Iterator<Item = f64>) -> f64 {
        let mut counts = [0.0f64; 20];
        shares.for_each(|s| counts[((s * 20.0) as usize).min(19)] += 1.0);
        let even = counts.iter().sum::<f64>() / 20.0;
        counts.iter().map(|c| (c - even).powi(2) / even).sum()
    }

    /// The normal distribution's function, by Simpson's rule.
    fn below_normal(z: f64) -> f64 {
        let f = |x: f64| (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let h = z / 40.0;
        let sum: f64 = (0..20)
            .map(|i| 2.0 * i as f64 * h)
            .map(|x| f(x) + 4.0 * f(x + h) + f(x + 2.0 * h))
            .sum();
        0.5 + sum * h / 3.0
    }

    #[test]
    fn distributions_are_as_named() {
        const N: usize = 200_000;
        let shape = Shape::new(&[N]);
        let mut g = Generator::new(42);
        // Five standard deviations of a mean of N numbers of variance v.
        let near = |got: f64, want: f64, v: f64| {
            assert!((got - want).abs() < 5.0 * (v / N as f64).sqrt(), "{got} {want}")
        };
        for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
            // Narrow types have too few numbers for the bins to be even.
            let fine = dtype.size() >= 4;
            let u = g.uniform(&shape, -2.0, 6.0, dtype).to_vec::<f64>();
            assert!(u.iter().all(|v| (-2.0..6.0).contains(v)));
            let u: Vec<f64> = u.iter().map(|v| (v + 2.0) / 8.0).collect();
            let [m1, m2, m3, _] = moments(&u);
            near(m1, 1.0 / 2.0, 1.0 / 12.0);
            near(m2, 1.0 / 3.0, 4.0 / 45.0);
            near(m3, 1.0 / 4.0, 9.0 / 112.0);
            assert!(!fine || chi_square(u.iter().copied()) < 50.0);

            let z = g.normal(&shape, 3.0, 0.5, dtype).to_vec::<f64>();
            let z: Vec<f64> = z.iter().map(|v| (v - 3.0) / 0.5).collect();
            let [m1, m2, m3, m4] = moments(&z);
            near(m1, 0.0, 1.0);
            near(m2, 1.0, 2.0);
            near(m3, 0.0, 15.0);
            near(m4, 3.0, 96.0);
            assert!(!fine || chi_square(z.iter().map(|&z| below_normal(z))) < 50.0);
            // Neighbours, and the two numbers that one step of the method makes, are independent.
            for lag in [1, LANES] {
                let pairs = z.iter().zip(&z[lag..]);
                near(
                    pairs.clone().map(|(a, b)| a * b).sum::<f64>() / N as f64,
                    0.0,
                    1.0,
                );
                near(
                    pairs.map(|(a, b)| (a * a - 1.0) * (b * b - 1.0)).sum::<f64>() / N as f64,
                    0.0,
                    4.0,
                );
            }
        }
        let i = g.integers(&shape, -40, 60).to_vec::<f64>();
        assert!(i.iter().all(|v| (-40.0..60.0).contains(v)));
        assert!(chi_square(i.iter().map(|v| (v + 40.5) / 100.0)) < 50.0);
        for p in [0.0, 0.3, 1.0] {
            near(
                g.bernoulli(&shape, p).to_vec::<f64>().iter().sum::<f64>() / N as f64,
                p,
                p * (1.0 - p) + 1e-9,
            );
        }
    }

    /// Saved seeds stay good: these bits are part of what this module promises.
    #[test]
    fn numbers_stay_as_they_are() {
        let shape = Shape::new(&[70]);
        let mut g = Generator::new(2024);
        let bits = |a: Array| [0, 9, 69].map(|i| a.to_vec::<f64>()[i].to_bits());
        let got = [
            bits(g.uniform(&shape, -1.0, 1.0, DType::F32)),
            bits(g.uniform(&shape, -1.0, 1.0, DType::F64)),
            bits(g.normal(&shape, 0.0, 1.0, DType::F32)),
            bits(g.normal(&shape, 0.0, 1.0, DType::F64)),
            [0, 9, 69].map(|i| g.integers(&shape, 0, 1 << 40).to_vec::<i64>()[i].cast_unsigned()),
            [g.next_u64(), g.next_u64(), g.state()[1]],
        ];
        let want = [
            [0x3fca8b6b00000000, 0xbfc0693c00000000, 0xbfcce1f300000000],
            [0x3fe3f03f3208be74, 0xbfe495cf3b4c1370, 0x3fdbc4ed1ba882f8],
            [0xbfe499ef40000000, 0x3ff0507a60000000, 0x3fed208f80000000],
            [0xbff2a151208a0356, 0xbfeae2dc7c352931, 0x3ff896a69bd6f867],
            [0xc6eb52beea, 0xf862b516ba, 0x9598c3e296],
            [0xd735fadfb0914aa5, 0x33ee12742f0e21a5, 250],
        ];
        assert_eq!(got, want, "{got:#x?}");
    }

    /// The functions of Box and Muller's method against the library's.
    #[test]
    fn normals_are_accurate() {
        let mut g = Generator::new(0);
        for _ in 0..20_000 {
            let (a, b) = (g.next_u64(), g.next_u64());
            // Of any size, since random ones are seldom small.
            let u = ((a >> 11) + 1) as f64 * 0.5f64.powi(53 + (a % 40) as i32);
            let radius = (-2.0 * u.ln()).sqrt();
            let [x, y] = normal64::normals(u, b);
            assert!((x.hypot(y) - radius).abs() <= 8e-16 * radius, "{u}");
            let angle = ((b << 2).cast_signed() as f64 * 0.5f64.powi(63) * std::f64::consts::FRAC_PI_4).tan();
            let (near, far) = if b >> 63 == 0 { (x, y) } else { (y, x) };
            assert!((far / near - angle).abs() < 4e-16, "{b}");
            assert_eq!(near < 0.0, b << 1 >> 63 == 1);

            let [x, y] = normal32::normals(u as f32, (b >> 32) as u32).map(f64::from);
            let radius = (-2.0 * f64::from(u as f32).ln()).sqrt();
            assert!((x.hypot(y) - radius).abs() <= 3e-7 * radius, "{u}");
            let (near, far) = if b >> 63 == 0 { (x, y) } else { (y, x) };
            assert!((far / near - angle).abs() < 3e-7, "{b}");
        }
        assert_eq!(normal32::normals(1.0, 5 << 20), [0.0; 2]);
    }

    #[test]
    fn ranges_are_kept() {
        let shape = Shape::new(&[100_000]);
        let mut g = Generator::new(9);
        let ranges = [
            (1.0, 2.0),
            (0.1, 0.3),
            (-1.0, 0.0),
            (1.0, 1.0 + 1e-3),
            (-1e-3, 1e-3),
            (5.0, 5.0),
            (0.0, 60000.0),
            (16_777_215.0, 16_777_217.0),
        ];
        for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
            for (low, high) in ranges
                .into_iter()
                .filter(|r| dtype != DType::F16 || r.1 < 65520.0)
            {
                let v = g.uniform(&shape, low, high, dtype).to_vec::<f64>();
                let ok = |v: f64| low <= v && (v < high || low == high);
                assert!(v.iter().all(|&v| ok(v)), "{dtype} {low} {high}");
            }
        }
        for (low, high) in [(0, 1), (i64::MIN, i64::MAX), (-3, 4), (i64::MAX - 1, i64::MAX)] {
            let v = g.integers(&shape, low, high).to_vec::<i64>();
            assert!(v.iter().all(|v| (low..high).contains(v)));
            if high - 1 == low.wrapping_add(6) {
                assert!((low..high).all(|i| v.contains(&i)));
            }
        }
    }

    #[test]
    fn permutations_hold_each_number_once() {
        let mut g = Generator::new(3);
        for n in [0, 1, 2, 17, 5000] {
            let mut p = g.permutation(n).to_vec::<i64>();
            assert!(n < 17 || p.windows(2).any(|w| w[0] > w[1]));
            p.sort_unstable();
            assert_eq!(p, (0..n as i64).collect::<Vec<_>>());
        }
        // All six orders of three turn up equally often: chi-square of 5 degrees, above 26 one time in 10^4.
        let mut counts = [0.0f64; 27];
        for _ in 0..6000 {
            let p = g.permutation(3).to_vec::<i64>();
            counts[(p[0] * 9 + p[1] * 3 + p[2]) as usize] += 1.0;
        }
        let seen: Vec<f64> = counts.into_iter().filter(|&c| c > 0.0).collect();
        assert_eq!(seen.len(), 6);
        assert!(seen.iter().map(|c| (c - 1000.0).powi(2) / 1000.0).sum::<f64>() < 26.0);
    }

    #[test]
    fn nonsense_is_refused() {
        let shape = Shape::new(&[2]);
        let g = || Generator::new(0);
        for (ask, kind) in [
            (
                crate::catch(|| g().uniform(&shape, 1.0, 0.0, DType::F32)),
                ErrorKind::Value,
            ),
            (
                crate::catch(|| g().uniform(&shape, 0.0, f64::NAN, DType::F32)),
                ErrorKind::Value,
            ),
            (
                crate::catch(|| g().uniform(&shape, -3e38, 3e38, DType::F32)),
                ErrorKind::Value,
            ),
            (
                crate::catch(|| g().uniform(&shape, 0.0, 1e6, DType::F16)),
                ErrorKind::Value,
            ),
            (
                crate::catch(|| g().uniform(&shape, 0.0, 1.0, DType::I64)),
                ErrorKind::DType,
            ),
            (
                crate::catch(|| g().normal(&shape, 0.0, -1.0, DType::F32)),
                ErrorKind::Value,
            ),
            (crate::catch(|| g().integers(&shape, 3, 3)), ErrorKind::Value),
            (crate::catch(|| g().bernoulli(&shape, 1.5)), ErrorKind::Value),
        ] {
            assert_eq!(ask.unwrap_err().kind(), kind);
        }
    }
}
