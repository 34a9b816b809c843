//! Many numbers combined to one, side by side.

use super::isa::{Isa, isa};
use super::walk::prefetch;

/// Combines `terms` of the elements of `from`, which have one length, K at a time and in an order that only the length and the
/// processor's instructions decide; `start` is what changes nothing.
#[inline(always)]
pub(super) fn fold<S: Copy, const J: usize, const K: usize>(
    start: S,
    from: [&[S]; J],
    terms: impl Fn([S; J]) -> [S; K],
    join: impl Fn(S, S) -> S + Copy,
) -> [S; K] {
    // Four vectors of eight f32, but as many of each of several results would not leave AVX2 registers for anything else.
    if K > 1 && isa() < Isa::Avx512 {
        let lanes = side_by_side::<16, 0, S, J, K>(start, from, terms, join);
        return lanes.each_ref().map(|lanes| across(lanes, join));
    }
    let lanes = side_by_side::<32, 0, S, J, K>(start, from, terms, join);
    lanes.each_ref().map(|lanes| across(lanes, join))
}

/// [`fold`] with so many numbers side by side, which are left to be combined [`across`]. Memory `AHEAD` bytes further on is
/// asked for on the way, if that is not 0: for loops that do less than the time until it comes.
#[inline(always)]
pub(super) fn side_by_side<
    const LANES: usize,
    const AHEAD: usize,
    S: Copy,
    const J: usize,
    const K: usize,
>(
    start: S,
    from: [&[S]; J],
    terms: impl Fn([S; J]) -> [S; K],
    join: impl Fn(S, S) -> S,
) -> [[S; LANES]; K] {
    // The loop is a function of its own at each level, never inlined: seen together with its surroundings, the compiler cuts
    // its vectors into parts of many widths.
    #[cfg(target_arch = "x86_64")]
    macro_rules! level {
        ($features:literal) => {{
            #[inline(never)]
            #[target_feature(enable = $features)]
            unsafe fn at_level<
                const LANES: usize,
                const AHEAD: usize,
                S: Copy,
                const J: usize,
                const K: usize,
            >(
                start: S,
                from: [&[S]; J],
                terms: impl Fn([S; J]) -> [S; K],
                join: impl Fn(S, S) -> S,
            ) -> [[S; LANES]; K] {
                fill::<LANES, AHEAD, S, J, K>(start, from, terms, join)
            }
            // SAFETY: the processor was found to have these instructions.
            return unsafe { at_level::<LANES, AHEAD, S, J, K>(start, from, terms, join) };
        }};
    }
    #[cfg(target_arch = "x86_64")]
    match isa() {
        Isa::Avx512 => level!("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma"),
        Isa::Avx2 => level!("avx2,fma"),
        Isa::Baseline => {}
    }
    fill::<LANES, AHEAD, S, J, K>(start, from, terms, join)
}

#[inline(always)]
fn fill<const LANES: usize, const AHEAD: usize, S: Copy, const J: usize, const K: usize>(
    start: S,
    from: [&[S]; J],
    terms: impl Fn([S; J]) -> [S; K],
    join: impl Fn(S, S) -> S,
) -> [[S; LANES]; K] {
    let n = from.iter().map(|x| x.len()).min().unwrap_or(0);
    // Pointers: checks of bounds would keep the loops from becoming vector instructions.
    let from = from.map(<[S]>::as_ptr);
    // SAFETY: called for i < n only, which all have.
    let at = |i: usize| terms(from.map(|x| unsafe { x.add(i).read() }));
    let mut acc = [[start; LANES]; K];
    let mut i = 0;
    while i + LANES <= n {
        if AHEAD > 0 {
            for x in from {
                prefetch(x.wrapping_add(i).wrapping_byte_add(AHEAD), LANES);
            }
        }
        let mut new = [[start; LANES]; K];
        for l in 0..LANES {
            let terms = at(i + l);
            for k in 0..K {
                new[k][l] = terms[k];
            }
        }
        for k in 0..K {
            for l in 0..LANES {
                acc[k][l] = join(acc[k][l], new[k][l]);
            }
        }
        i += LANES;
    }
    // The rest goes to the first lanes, whose places are constants so that all stay in registers.
    while i + 8 <= n {
        for l in 0..8 {
            let terms = at(i + l);
            for k in 0..K {
                acc[k][l] = join(acc[k][l], terms[k]);
            }
        }
        i += 8;
    }
    while i < n {
        let terms = at(i);
        for k in 0..K {
            acc[k][0] = join(acc[k][0], terms[k]);
        }
        i += 1;
    }
    acc
}

/// One result of all lanes.
#[inline(never)]
pub(super) fn across<S: Copy, const LANES: usize>(lanes: &[S; LANES], join: impl Fn(S, S) -> S) -> S {
    // A copy, which the compiler keeps in registers.
    let mut lanes = *lanes;
    let mut width = LANES / 2;
    while width > 0 {
        for l in 0..width {
            lanes[l] = join(lanes[l], lanes[l + width]);
        }
        width /= 2;
    }
    lanes[0]
}
