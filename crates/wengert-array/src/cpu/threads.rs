//! Splitting work, where it is large enough to pay for waking others.

use rayon::prelude::*;

/// Below this many elements of simple work, waking another thread costs more than it saves.
pub(crate) const GRAIN: usize = 64 << 10;

/// Runs `f(start, len)` over `0..n` in chunks, on several threads where `n × cost` is large.
///
/// Chunks are multiples of `unit`. Callers' results must not depend on where the cuts are.
pub(crate) fn split(n: usize, unit: usize, cost: usize, f: impl Fn(usize, usize) + Sync) {
    let pays = n.saturating_mul(cost) / GRAIN;
    // Small work is most work: it does not even ask how many threads there are.
    if pays < 2 {
        return f(0, n);
    }
    let threads = rayon_threads();
    let wanted = pays.min(threads * 4);
    if threads == 1 {
        return f(0, n);
    }
    let chunk = n.div_ceil(wanted).next_multiple_of(unit);
    (0..n.div_ceil(chunk))
        .into_par_iter()
        .for_each(|c| f(c * chunk, chunk.min(n - c * chunk)));
}

fn rayon_threads() -> usize {
    rayon::current_num_threads()
}
