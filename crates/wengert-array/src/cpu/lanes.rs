//! Many numbers combined to one, side by side.

/// Numbers that are combined side by side: four vectors of eight f32.
const LANES: usize = 32;

/// Combines `terms` of the elements of `from`, which have one length, K at a time and in an order that only the length
/// decides; `start` is what changes nothing.
#[inline(always)]
pub(super) fn fold<S: Copy, const J: usize, const K: usize>(
    start: S,
    from: [&[S]; J],
    terms: impl Fn([S; J]) -> [S; K],
    join: impl Fn(S, S) -> S + Copy,
) -> [S; K] {
    let n = from.iter().map(|x| x.len()).min().unwrap_or(0);
    // Pointers: checks of bounds would keep the loops from becoming vector instructions.
    let from = from.map(<[S]>::as_ptr);
    // SAFETY: called for i < n only, which all have.
    let at = |i: usize| terms(from.map(|x| unsafe { x.add(i).read() }));
    let mut acc = [[start; LANES]; K];
    let mut i = 0;
    while i + LANES <= n {
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
    acc.each_mut().map(|lanes| across(lanes, join))
}

/// One result of all lanes.
///
/// Not inlined: seen together with the loop that fills the lanes, these last steps, each half as wide as the one before,
/// make the compiler narrow the vectors of the whole loop.
#[inline(never)]
fn across<S: Copy>(lanes: &mut [S; LANES], join: impl Fn(S, S) -> S) -> S {
    let mut width = LANES / 2;
    while width > 0 {
        for l in 0..width {
            lanes[l] = join(lanes[l], lanes[l + width]);
        }
        width /= 2;
    }
    lanes[0]
}
