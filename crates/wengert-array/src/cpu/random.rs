//! Random numbers from counters: element `i` of a draw depends on the seed, on how much was drawn before
//! and on `i`, so it is the same on any number of threads and with any instructions.

mod bits;
mod choice;
mod normal;

use self::bits::{Blocks, LANES, Stream, below, blocks, open_unit, pairs};
use self::choice::{draw_again, first_arrivals};
use self::normal::{normal32, normal64};
use super::shared::Out;
use super::threads;
use crate::array::Array;
use crate::dtype::{Compute, DType, Element};
use crate::error::{Error, ErrorKind, raise};
use crate::layout::Shape;
use crate::real::Real;
use half::{bf16, f16};

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

/// 64 bits each.
struct Bits;

impl Sample for Bits {
    type C = i64;
    const N: usize = 2 * LANES;
    #[inline(always)]
    fn sample(&self, w: &Blocks<LANES>, out: &mut [i64; 4 * LANES]) {
        for (out, bits) in out.iter_mut().zip(pairs(w)) {
            *out = bits.cast_signed();
        }
    }
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

struct Exponential {
    mean: f64,
}

impl Sample for Exponential {
    type C = f64;
    const N: usize = 2 * LANES;
    #[inline(always)]
    fn sample(&self, w: &Blocks<LANES>, out: &mut [f64; 4 * LANES]) {
        for (out, bits) in out.iter_mut().zip(pairs(w)) {
            *out = -normal64::ln(open_unit(bits)) * self.mean;
        }
    }
}

/// ln k!
fn ln_factorial(k: f64) -> f64 {
    if k < 10.0 {
        return normal64::ln((1..=k as u32).map(f64::from).product());
    }
    // Stirling's series.
    let (r, half_ln_tau) = (1.0 / k, 0.918_938_533_204_672_7);
    (k + 0.5) * normal64::ln(k) - k + half_ln_tau + r / 12.0 - r * r * r / 360.0 + r.powi(5) / 1260.0
}

/// A number from the Poisson distribution with this rate.
fn poisson(rate: f64, stream: &mut Stream) -> f64 {
    if rate < 10.0 {
        // Events that follow each other after exponential times, until time `rate` is over.
        let (mut count, mut time) = (0.0, -normal64::ln(stream.next()));
        while time < rate {
            count += 1.0;
            time -= normal64::ln(stream.next());
        }
        return count;
    }
    // Hörmann, "The transformed rejection method for generating Poisson random variables", 1993: PTRS.
    let b = 0.931 + 2.53 * rate.sqrt();
    let a = -0.059 + 0.02483 * b;
    let alpha = 1.1239 + 1.1328 / (b - 3.4);
    let sure = 0.9277 - 3.6224 / (b - 2.0);
    loop {
        let (u, v) = (stream.next() - 0.5, stream.next());
        let edge = 0.5 - u.abs();
        let k = ((2.0 * a / edge + b) * u + rate + 0.43).floor();
        if edge >= 0.07 && v <= sure {
            return k;
        }
        if k < 0.0 || (edge < 0.013 && v > edge) {
            continue;
        }
        let left = normal64::ln(v * alpha / (a / (edge * edge) + b));
        if left <= k * normal64::ln(rate) - rate - ln_factorial(k) {
            return k;
        }
    }
}

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
    /// are then rounded, and of 2^53 for f64; of complex numbers both parts.
    ///
    /// # Panics
    /// If `dtype` is no floating dtype, or `low` is above `high`, or the range does not fit in the dtype.
    #[track_caller]
    pub fn uniform(&mut self, shape: &Shape, low: f64, high: f64, dtype: DType) -> Array {
        if dtype.is_complex() {
            let [re, im] = [(); 2].map(|()| self.uniform(shape, low, high, dtype.real()));
            return Array::join(&re, &im);
        }
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

    /// Floats from the normal distribution with this mean and standard deviation; of complex numbers each part has half of
    /// the variance.
    ///
    /// # Panics
    /// If `dtype` is no floating dtype, or `std` is negative.
    #[track_caller]
    pub fn normal(&mut self, shape: &Shape, mean: f64, std: f64, dtype: DType) -> Array {
        if dtype.is_complex() {
            let half = std * std::f64::consts::FRAC_1_SQRT_2;
            let [re, im] = [mean, 0.0].map(|mean| self.normal(shape, mean, half, dtype.real()));
            return Array::join(&re, &im);
        }
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

    /// Floats from the exponential distribution with this rate: density rate · exp(−rate · x) for x > 0.
    ///
    /// # Panics
    /// If `dtype` is no floating dtype, or `rate` is not positive.
    #[track_caller]
    pub fn exponential(&mut self, shape: &Shape, rate: f64, dtype: DType) -> Array {
        if rate.is_nan() || rate <= 0.0 {
            let message = format!("the rate must be positive, and is {rate}");
            raise(Error::new(ErrorKind::Value, "exponential", message));
        }
        let sample = Exponential { mean: 1.0 / rate };
        match dtype {
            DType::F64 => self.draw::<_, f64>(shape, &sample),
            DType::F32 => self.draw::<_, f32>(shape, &sample),
            DType::F16 => self.draw::<_, f16>(shape, &sample),
            DType::BF16 => self.draw::<_, bf16>(shape, &sample),
            other => not_float("exponential", other),
        }
    }

    /// For each element a number from the Poisson distribution with that rate, in the rates' dtype.
    ///
    /// # Panics
    /// If the dtype is no floating one, or a rate is negative or NaN.
    #[track_caller]
    pub fn poisson(&mut self, rates: &Array) -> Array {
        if !rates.dtype().is_float() {
            not_float("poisson", rates.dtype());
        }
        let rates64 = rates.cast(DType::F64).contiguous();
        let list = rates64.as_slice::<f64>();
        if let Some(bad) = list.iter().find(|r| !r.is_finite() || **r < 0.0) {
            let message = format!("a rate of {bad} makes no sense");
            raise(Error::new(ErrorKind::Value, "poisson", message).note("rates are zero or positive"));
        }
        let (seed, at) = (self.seed, self.reserve(list.len() as u64));
        let mut y = Array::uninit(rates.shape(), DType::F64);
        let out = Out(y.uninit_slice::<f64>());
        threads::split(list.len(), 1, 40 * COST, |start, len| {
            for i in start..start + len {
                let mut stream = Stream::new(seed, at.wrapping_add(i as u64));
                // SAFETY: i is below the number of elements, and this thread's alone.
                unsafe { out.at(i).write(poisson(list[i], &mut stream)) };
            }
        });
        y.cast(rates.dtype())
    }

    /// For each row of a matrix of weights, `n` column numbers drawn with those chances; without `replacement`,
    /// each at most once. I64.
    ///
    /// # Panics
    /// If a row has too few weights above zero, or `weights` has not two dimensions. Weights must be finite and
    /// not negative.
    pub fn multinomial(&mut self, weights: &Array, n: usize, replacement: bool) -> Array {
        let (rows, cols) = (weights.shape()[0], weights.shape()[1]);
        let weights = weights.cast(DType::F64).contiguous();
        let weights = weights.as_slice::<f64>();
        let (seed, first) = (self.seed, self.reserve(rows as u64));
        let mut picks = vec![0i64; rows * n];
        let cost = if replacement { cols } else { 8 * cols };
        threads::each_row(
            &mut picks,
            n,
            cost,
            || (Vec::new(), Vec::new()),
            |(sums, times), r, picks| {
                let row = &weights[r * cols..][..cols];
                let at = first.wrapping_add(r as u64);
                if replacement {
                    draw_again(row, sums, &mut Stream::new(seed, at), picks);
                    return;
                }
                first_arrivals(row, sums, times, [seed, at], picks);
            },
        );
        Array::from_slice(&picks, [rows, n])
    }

    /// The I64 numbers 0 … n − 1 in random order: each order is as likely as any other.
    pub fn permutation(&mut self, n: usize) -> Array {
        // Half as wide while it is shuffled, of which twice as much stays in the caches.
        if let Ok(n) = u32::try_from(n) {
            let (order, mut y) = (self.shuffled(0..n), Array::uninit([n as usize], DType::I64));
            let out = y.uninit_slice::<i64>();
            for (i, place) in order.into_iter().enumerate() {
                // SAFETY: there are as many as in the order.
                unsafe { out.add(i).write(i64::from(place)) };
            }
            return y;
        }
        Array::from_slice(&self.shuffled(0..n as i64), [n])
    }

    fn shuffled<T>(&mut self, numbers: impl Iterator<Item = T>) -> Vec<T> {
        /// Draws that are made at once.
        const SOME: usize = 512;
        let mut order: Vec<T> = numbers.collect();
        let n = order.len();
        let swaps = n.saturating_sub(1);
        let at = self.reserve((swaps.div_ceil(2 * LANES) * LANES) as u64);
        let mut bits = [0i64; SOME];
        // Fisher and Yates: each place, from the last one down, takes one of those that are left.
        for from in (0..swaps).step_by(SOME) {
            let some = SOME.min(swaps - from);
            // SAFETY: there is room for them.
            unsafe {
                fill_best(
                    &Bits,
                    self.seed,
                    at.wrapping_add((from / 2) as u64),
                    some,
                    bits.as_mut_ptr(),
                )
            };
            for (k, bits) in bits[..some].iter().enumerate() {
                let last = swaps - from - k;
                order.swap(last, below(bits.cast_unsigned(), last as u64 + 1) as usize);
            }
        }
        order
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
        let out = Out(array.uninit_slice::<T>());
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

#[cold]
#[track_caller]
fn not_float(op: &str, dtype: DType) -> ! {
    let message = format!("{dtype} is not a floating dtype");
    raise(Error::new(ErrorKind::DType, op, message))
}

#[cfg(test)]
mod tests;
