//! Transforms of lengths whose prime factors are 2, 3, 5 and 7, as many side by side as a vector has lanes.
//!
//! Real and imaginary parts lie in vectors of their own, so that a step is but sums and products: it makes R transforms of
//! n/R numbers out of one of n, in the same place (J. W. Cooley and J. W. Tukey, 1965, with the frequencies divided). The last step reads
//! blocks in the order that their digits have backwards, and so writes what it makes in order. What lies side by side are columns,
//! rows that were turned, or the parts of one row: of the n = L m numbers of a row first come transforms of L, whose results
//! then are turned into lanes.

use super::Number;
use super::butterfly::{Pair, butterfly, product};
use crate::cpu::isa::{Isa, dispatch, isa};
use crate::cpu::vector::{Float, Vector};
use num_complex::Complex64;
use std::f64::consts::TAU;

/// Bytes of a block that is done with, down to its last step but one, before the next: half of a first-level cache.
const NEAR: usize = 24 << 10;

/// How many numbers a vector has, where there are such transforms: below AVX2 the library's are as good.
pub(super) fn lanes<C>() -> Option<usize> {
    match isa() {
        Isa::Avx512 => Some(64 / size_of::<C>()),
        Isa::Avx2 => Some(32 / size_of::<C>()),
        Isa::Baseline => None,
    }
}

/// Into how many transforms each step divides; none where there is a larger prime factor.
fn radices(mut n: usize) -> Option<Vec<usize>> {
    let mut radices = Vec::new();
    for radix in [7, 5, 3] {
        while n.is_multiple_of(radix) {
            radices.push(radix);
            n /= radix;
        }
    }
    if !n.is_power_of_two() {
        return None;
    }
    // By eights, and rather two fours than an eight and a two.
    let twos = n.ilog2() as usize;
    let (eights, rest): (usize, &[usize]) = match (twos / 3, twos % 3) {
        (eights, 0) => (eights, &[]),
        (0, 1) => (0, &[2]),
        (eights, 1) => (eights - 1, &[4, 4]),
        (eights, _) => (eights, &[4]),
    };
    radices.extend(vec![8; eights]);
    radices.extend(rest);
    (!radices.is_empty()).then_some(radices)
}

/// e^(∓2πi k/n), with + if `inverse`.
fn turn<C: Number>(k: usize, n: usize, inverse: bool) -> [C; 2] {
    let angle = TAU * (k % n) as f64 / n as f64;
    let turn = Complex64::cis(if inverse { angle } else { -angle });
    [C::number(turn.re), C::number(turn.im)]
}

/// A step of [`Beside`].
struct Step<C> {
    radix: usize,
    /// Of how many numbers the transforms are that it divides.
    size: usize,
    /// What its results but the first are turned by: `radix − 1` for each place.
    turns: Vec<[C; 2]>,
}

/// A plan for transforms of n numbers side by side.
pub(super) struct Beside<C> {
    n: usize,
    inverse: bool,
    steps: Vec<Step<C>>,
    /// Where the blocks are that the last step reads.
    order: Vec<u32>,
}

impl<C: Number> Beside<C> {
    pub(super) fn new(n: usize, inverse: bool) -> Option<Beside<C>> {
        let radices = radices(n)?;
        let last = radices[radices.len() - 1];
        let (mut steps, mut size) = (Vec::new(), n);
        // Digits of the frequency, the first step's first, are what the blocks are numbered by, the first step's last.
        let mut order = vec![0];
        for &radix in &radices {
            let places = size / radix;
            let turns = (0..places).flat_map(|p| (1..radix).map(move |k| (p, k)));
            // An inverse transform's result k stands where the other's has radix − k.
            let turns = turns.map(|(p, k)| turn(p * if inverse { radix - k } else { k }, size, inverse));
            steps.push(Step {
                radix,
                size,
                turns: turns.collect(),
            });
            if places > 1 {
                let digit = |k: usize| order.iter().map(move |at| at + (k * places) as u32);
                order = (0..radix).flat_map(digit).collect();
            }
            size = places;
        }
        debug_assert_eq!(order.len() * last, n);
        Some(Beside {
            n,
            inverse,
            steps,
            order,
        })
    }

    /// How much room [`rows`](Beside::rows) and [`columns`](Beside::columns) need, in numbers.
    pub(super) fn room(&self) -> usize {
        let lanes = lanes::<C>().unwrap_or(1);
        2 * (2 * self.n + lanes) * lanes
    }

    /// Transforms `count` rows, at most as many as a vector has lanes and of at least as many numbers: those at `from`, so many numbers apart, to those at `to`.
    ///
    /// # Safety
    /// The rows lie there and do not overlap; `work` has as much [room](Beside::room).
    pub(super) unsafe fn rows(
        &self,
        from: (*const C, usize),
        to: (*mut C, usize),
        count: usize,
        work: *mut C,
        scale: C,
    ) {
        let lanes = lanes::<C>().unwrap_or(1);
        let square = work.wrapping_add(4 * self.n * lanes);
        let made = work.wrapping_add(2 * self.n * lanes);
        // SAFETY: the caller's promise; the halves of the room hold n pairs of vectors each, and what is left a square.
        unsafe {
            enter_rows::<C>(from.0, from.1, self.n, count, work, square);
            beside::<C>(self, work, made, 0, scale);
            leave_rows::<C>(to.0, to.1, self.n, count, made, square);
        }
    }

    /// Transforms `width` columns, at most as many as a vector has lanes, of matrices whose rows are `step` numbers apart.
    ///
    /// # Safety
    /// As for [`rows`](Beside::rows).
    pub(super) unsafe fn columns(
        &self,
        from: *const C,
        to: *mut C,
        step: usize,
        width: usize,
        work: *mut C,
        scale: C,
    ) {
        let lanes = lanes::<C>().unwrap_or(1);
        let made = work.wrapping_add(2 * self.n * lanes);
        // SAFETY: as above.
        unsafe {
            enter_columns::<C>(from, step, self.n, width, work);
            if width == lanes {
                return beside::<C>(self, work, to, step, scale);
            }
            beside::<C>(self, work, made, 0, scale);
            leave_columns::<C>(to, step, self.n, width, made);
        }
    }
}

/// A plan for the transform of one row, of L m numbers with m ≥ L.
pub(super) struct Row<C> {
    beside: Beside<C>,
    /// What the results of the first transforms are turned by: L − 1 for each L places, those of the first place, and ...
    starts: Vec<[C; 2]>,
    /// ... by how much further at each of L places: L real parts, L imaginary ones for each result but the first.
    further: Vec<C>,
}

impl<C: Number> Row<C> {
    pub(super) fn new(n: usize, inverse: bool) -> Option<Row<C>> {
        let lanes = lanes::<C>()?;
        if n < lanes * lanes || !n.is_multiple_of(lanes) {
            return None;
        }
        let m = n / lanes;
        let which = |k: usize| if inverse { lanes - k } else { k };
        let by = |p: usize, k: usize| turn::<C>(p * which(k), n, inverse);
        let starts = firsts(m, lanes).flat_map(|p| (1..lanes).map(move |k| by(p, k)));
        let further = (1..lanes).flat_map(|k| [0, 1].map(|part| (k, part)));
        let further = further.flat_map(|(k, part)| (0..lanes).map(move |p| by(p, k)[part]));
        Some(Row {
            beside: Beside::new(m, inverse)?,
            starts: starts.collect(),
            further: further.collect(),
        })
    }

    /// How much room [`row`](Row::row) needs, in numbers.
    pub(super) fn room(&self) -> usize {
        let lanes = lanes::<C>().unwrap_or(1);
        2 * (self.beside.n + lanes) * lanes
    }

    /// # Safety
    /// The row lies at `from`, there is room for it at `to`, and as much as said at `work`; they do not overlap.
    pub(super) unsafe fn row(&self, from: *const C, to: *mut C, work: *mut C, scale: C) {
        let lanes = lanes::<C>().unwrap_or(1);
        // SAFETY: the caller's promise.
        unsafe {
            enter_row::<C>(self, from, work, work.wrapping_add(2 * self.beside.n * lanes));
            beside::<C>(&self.beside, work, to, 2 * lanes, scale);
        }
    }
}

/// The first of each L places of n ≥ L; the last few begin before the ones before them end.
#[inline(always)]
fn firsts(n: usize, lanes: usize) -> impl Iterator<Item = usize> {
    (0..n).step_by(lanes).map(move |p| p.min(n - lanes))
}

dispatch!(vectors unsafe fn enter_row<C: Number>(row: &Row<C>, from: *const C, work: *mut C, square: *mut C) => enter_row_body);
dispatch!(vectors unsafe fn enter_rows<C: Number>(from: *const C, step: usize, n: usize, count: usize, work: *mut C, square: *mut C) => enter_rows_body);
dispatch!(vectors unsafe fn leave_rows<C: Number>(to: *mut C, step: usize, n: usize, count: usize, made: *const C, square: *mut C) => leave_rows_body);
dispatch!(vectors unsafe fn enter_columns<C: Number>(from: *const C, step: usize, n: usize, width: usize, work: *mut C) => enter_columns_body);
dispatch!(vectors unsafe fn leave_columns<C: Number>(to: *mut C, step: usize, n: usize, width: usize, made: *const C) => leave_columns_body);
dispatch!(vectors unsafe fn beside<C: Number>(plan: &Beside<C>, work: *mut C, to: *mut C, step: usize, scale: C) => beside_body);

/// Complex numbers at `at`, taken apart.
#[inline(always)]
pub(super) unsafe fn load<V: Vector>(at: *const V::C) -> Pair<V> {
    // SAFETY: the caller's promise that they are there.
    unsafe { V::load(at).each_second(V::load(at.add(V::LANES))) }
}

/// The inverse.
#[inline(always)]
pub(super) unsafe fn store<V: Vector>(pair: Pair<V>, at: *mut V::C) {
    let [first, second] = pair[0].by_turns(pair[1]);
    // SAFETY: the caller's promise that there is room.
    unsafe {
        first.store(at, false);
        second.store(at.add(V::LANES), false);
    }
}

/// Real parts and imaginary parts at `at`.
#[inline(always)]
unsafe fn load_parts<V: Vector>(at: *const V::C) -> Pair<V> {
    // SAFETY: the caller's promise that they are there.
    unsafe { [V::load(at), V::load(at.add(V::LANES))] }
}

/// The inverse.
#[inline(always)]
unsafe fn store_parts<V: Vector>(pair: Pair<V>, at: *mut V::C) {
    // SAFETY: the caller's promise that there is room.
    unsafe {
        pair[0].store(at, false);
        pair[1].store(at.add(V::LANES), false);
    }
}

/// Copies a transposed square of L × L numbers.
#[inline(always)]
unsafe fn turned<V: Vector<C: Float>, const L: usize>(
    from: *const V::C,
    step: usize,
    to: *mut V::C,
    to_step: usize,
) {
    let mut v = [V::splat(V::C::default()); L];
    // SAFETY: the caller's promise that both are there.
    unsafe {
        for l in 0..L {
            v[l] = V::load(from.add(l * step));
        }
        // After log L times all are where they belong.
        if L >= 2 {
            v = once(v);
        }
        if L >= 4 {
            v = once(v);
        }
        if L >= 8 {
            v = once(v);
        }
        if L >= 16 {
            v = once(v);
        }
        for l in 0..L {
            v[l].store(to.add(l * to_step), false);
        }
    }
}

/// The first half and the second half by turns.
#[inline(always)]
fn once<V: Vector, const L: usize>(v: [V; L]) -> [V; L] {
    let mut w = v;
    for i in 0..L / 2 {
        [w[2 * i], w[2 * i + 1]] = v[i].by_turns(v[i + L / 2]);
    }
    w
}

macro_rules! by_lanes {
    ($V:ident, $f:ident($($arg:expr),*)) => {
        match $V::LANES {
            16 => $f::<$V, 16>($($arg),*),
            8 => $f::<$V, 8>($($arg),*),
            4 => $f::<$V, 4>($($arg),*),
            _ => $f::<$V, 2>($($arg),*),
        }
    };
}

#[inline(always)]
unsafe fn enter_row_body<V: Vector<C = C>, C: Number>(
    row: &Row<C>,
    from: *const C,
    work: *mut C,
    square: *mut C,
) {
    // SAFETY: the caller's promise.
    unsafe { by_lanes!(V, enter_row_of(row, from, work, square)) }
}

/// The transforms of L numbers that lie m apart, for L of them at a time, and their results turned into lanes.
#[inline(always)]
unsafe fn enter_row_of<V: Vector<C: Number>, const L: usize>(
    row: &Row<V::C>,
    from: *const V::C,
    work: *mut V::C,
    square: *mut V::C,
) {
    let (m, further, mut starts) = (row.beside.n, row.further.as_ptr(), row.starts.as_ptr());
    let place = |k: usize| if row.beside.inverse { L - k } else { k };
    // SAFETY: all L m numbers are there, and the room; the plan has turns for all.
    unsafe {
        for p in firsts(m, L) {
            let mut a = [[V::splat(V::C::default()); 2]; L];
            for l in 0..L {
                a[l] = load::<V>(from.add(2 * (p + m * l)));
            }
            butterfly::<V, L>(&mut a);
            store_to_square::<V, L>(a[0], square, 0);
            for k in 1..L {
                let [re, im] = *starts.add(k - 1);
                let start = [V::splat(re), V::splat(im)];
                let by = product(load_parts::<V>(further.add(2 * L * (k - 1))), start);
                store_to_square::<V, L>(product(a[k], by), square, place(k));
            }
            let to = work.add(2 * L * p);
            turned::<V, L>(square, L, to, 2 * L);
            turned::<V, L>(square.add(L * L), L, to.add(L), 2 * L);
            starts = starts.add(L - 1);
        }
    }
}

/// A row of the square of real parts and one of that of imaginary parts.
#[inline(always)]
unsafe fn store_to_square<V: Vector, const L: usize>(pair: Pair<V>, square: *mut V::C, row: usize) {
    // SAFETY: the caller's promise that there is room for two squares.
    unsafe {
        pair[0].store(square.add(row * L), false);
        pair[1].store(square.add((L + row) * L), false);
    }
}

#[inline(always)]
unsafe fn enter_rows_body<V: Vector<C = C>, C: Number>(
    from: *const C,
    step: usize,
    n: usize,
    count: usize,
    work: *mut C,
    square: *mut C,
) {
    // SAFETY: the caller's promise.
    unsafe { by_lanes!(V, enter_rows_of(from, step, n, count, work, square)) }
}

/// Rows turned into lanes; where there are fewer, the last is taken for those that lack.
#[inline(always)]
unsafe fn enter_rows_of<V: Vector<C: Number>, const L: usize>(
    from: *const V::C,
    step: usize,
    n: usize,
    count: usize,
    work: *mut V::C,
    square: *mut V::C,
) {
    // SAFETY: the caller's promise.
    unsafe {
        for p in firsts(n, L) {
            for l in 0..L {
                let pair = load::<V>(from.add(2 * p + step * l.min(count - 1)));
                store_to_square::<V, L>(pair, square, l);
            }
            let to = work.add(2 * L * p);
            turned::<V, L>(square, L, to, 2 * L);
            turned::<V, L>(square.add(L * L), L, to.add(L), 2 * L);
        }
    }
}

#[inline(always)]
unsafe fn leave_rows_body<V: Vector<C = C>, C: Number>(
    to: *mut C,
    step: usize,
    n: usize,
    count: usize,
    made: *const C,
    square: *mut C,
) {
    // SAFETY: the caller's promise.
    unsafe { by_lanes!(V, leave_rows_of(to, step, n, count, made, square)) }
}

/// The inverse of [`enter_rows_of`].
#[inline(always)]
unsafe fn leave_rows_of<V: Vector<C: Number>, const L: usize>(
    to: *mut V::C,
    step: usize,
    n: usize,
    count: usize,
    made: *const V::C,
    square: *mut V::C,
) {
    // SAFETY: the caller's promise.
    unsafe {
        for p in firsts(n, L) {
            let from = made.add(2 * L * p);
            turned::<V, L>(from, 2 * L, square, L);
            turned::<V, L>(from.add(L), 2 * L, square.add(L * L), L);
            for l in 0..count {
                let pair = [V::load(square.add(l * L)), V::load(square.add((L + l) * L))];
                store(pair, to.add(2 * p + step * l));
            }
        }
    }
}

#[inline(always)]
unsafe fn enter_columns_body<V: Vector<C = C>, C: Number>(
    from: *const C,
    step: usize,
    n: usize,
    width: usize,
    work: *mut C,
) {
    // SAFETY: the caller's promise; there are no more numbers than places.
    unsafe {
        let mut some = [C::default(); 32];
        for p in 0..n {
            let at = from.add(p * step);
            let pair = if width == V::LANES {
                load::<V>(at)
            } else {
                at.copy_to_nonoverlapping(some.as_mut_ptr(), 2 * width);
                load::<V>(some.as_ptr())
            };
            store_parts(pair, work.add(2 * V::LANES * p));
        }
    }
}

/// The inverse of [`enter_columns_body`], for fewer columns than lanes.
#[inline(always)]
unsafe fn leave_columns_body<V: Vector<C = C>, C: Number>(
    to: *mut C,
    step: usize,
    n: usize,
    width: usize,
    made: *const C,
) {
    // SAFETY: as there.
    unsafe {
        let mut some = [C::default(); 32];
        for p in 0..n {
            store(load_parts::<V>(made.add(2 * V::LANES * p)), some.as_mut_ptr());
            some.as_ptr().copy_to_nonoverlapping(to.add(p * step), 2 * width);
        }
    }
}

macro_rules! by_radix {
    ($radix:expr, $V:ident, $f:ident($($arg:expr),*) $($to:literal)?) => {
        match $radix {
            2 => $f::<$V, 2 $(, $to)?>($($arg),*),
            3 => $f::<$V, 3 $(, $to)?>($($arg),*),
            4 => $f::<$V, 4 $(, $to)?>($($arg),*),
            5 => $f::<$V, 5 $(, $to)?>($($arg),*),
            7 => $f::<$V, 7 $(, $to)?>($($arg),*),
            _ => $f::<$V, 8 $(, $to)?>($($arg),*),
        }
    };
}

/// All steps, from `work` to `to`: to complex numbers, so many numbers apart, or, if `step` is 0, to pairs of vectors.
///
/// # Safety
/// Both have room for n pairs of vectors.
#[inline(always)]
unsafe fn beside_body<V: Vector<C = C>, C: Number>(
    plan: &Beside<C>,
    work: *mut C,
    to: *mut C,
    step: usize,
    scale: C,
) {
    let pair = 2 * V::LANES;
    let (last, steps) = plan.steps.split_last().expect("a plan has steps");
    // Of a transform that the first cache does not hold, parts are finished one after the other.
    let far = |step: &&Step<C>| step.size * pair * size_of::<C>() > NEAR;
    let (far, near) = steps.split_at(steps.iter().take_while(far).count());
    let part = near.first().map_or(last.size, |step| step.size);
    // SAFETY: the caller's promise.
    unsafe {
        for at in (0..plan.n).step_by(part) {
            let work = work.add(at * pair);
            for step in far.iter().filter(|step| at.is_multiple_of(step.size)) {
                by_radix!(step.radix, V, divide(step, work, 1, plan.inverse));
            }
            for step in near {
                by_radix!(step.radix, V, divide(step, work, part / step.size, plan.inverse));
            }
        }
        match step {
            0 => by_radix!(last.radix, V, finish(plan, work, to, step, scale) false),
            _ => by_radix!(last.radix, V, finish(plan, work, to, step, scale) true),
        }
    }
}

/// A step of so many blocks.
#[inline(always)]
unsafe fn divide<V: Vector<C: Number>, const R: usize>(
    step: &Step<V::C>,
    work: *mut V::C,
    blocks: usize,
    inverse: bool,
) {
    let pair = 2 * V::LANES;
    let apart = step.size / R * pair;
    // Where the result after the first goes, and how far from there the next.
    let (second, next) = match inverse {
        false => (apart, apart),
        true => ((R - 1) * apart, apart.wrapping_neg()),
    };
    // SAFETY: the caller's promise that the blocks are there; there are turns for each place.
    unsafe {
        for b in 0..blocks {
            let mut turns = step.turns.as_ptr();
            let block = work.add(b * R * apart);
            for p in 0..step.size / R {
                let at = block.add(p * pair);
                let mut a = [[V::splat(V::C::default()); 2]; R];
                for j in 0..R {
                    a[j] = load_parts::<V>(at.add(j * apart));
                }
                butterfly::<V, R>(&mut a);
                store_parts(a[0], at);
                for k in 1..R {
                    let [re, im] = *turns.add(k - 1);
                    let to = second.wrapping_add(next.wrapping_mul(k - 1));
                    store_parts(product(a[k], [V::splat(re), V::splat(im)]), at.add(to));
                }
                turns = turns.add(R - 1);
            }
        }
    }
}

/// The last step.
#[inline(always)]
unsafe fn finish<V: Vector<C: Number>, const R: usize, const COMPLEX: bool>(
    plan: &Beside<V::C>,
    work: *const V::C,
    to: *mut V::C,
    step: usize,
    scale: V::C,
) {
    let pair = 2 * V::LANES;
    let step = if COMPLEX { step } else { pair };
    let apart = plan.order.len() * step;
    let (second, next) = match plan.inverse {
        false => (apart, apart),
        true => ((R - 1) * apart, apart.wrapping_neg()),
    };
    let (scales, scale) = (scale != V::C::number(1.0), V::splat(scale));
    // SAFETY: the caller's promise.
    unsafe {
        for (q, block) in plan.order.iter().enumerate() {
            let from = work.add(*block as usize * pair);
            let mut a = [[V::splat(V::C::default()); 2]; R];
            for j in 0..R {
                a[j] = load_parts::<V>(from.add(j * pair));
            }
            butterfly::<V, R>(&mut a);
            if scales {
                for k in 0..R {
                    a[k] = [a[k][0].mul(scale), a[k][1].mul(scale)];
                }
            }
            for k in 0..R {
                let at = match k {
                    0 => 0,
                    _ => second.wrapping_add(next.wrapping_mul(k - 1)),
                };
                let to = to.add(q * step + at);
                match COMPLEX {
                    true => store(a[k], to),
                    false => store_parts(a[k], to),
                }
            }
        }
    }
}
