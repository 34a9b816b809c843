//! Places drawn with the chances that their weights give them.

use super::bits::{LANES, Stream, units};
use super::normal::normal64;
use crate::cpu::isa::{Lane, dispatch};
use crate::real::Real;

/// Draws `picks.len()` different places of weights, with their chances: those where the first of exponential clocks ring, each running
/// at its weight's rate. `clocks` and `times` are room for those of the block `at` under the seed.
pub(super) fn first_arrivals(
    row: &[f64],
    clocks: &mut Vec<f64>,
    times: &mut Vec<(f64, i64)>,
    [seed, at]: [u64; 2],
    picks: &mut [i64],
) {
    let weights = row.iter().enumerate().filter(|(_, w)| **w > 0.0);
    clocks.resize(weights.clone().count(), 0.0);
    // SAFETY: there is room for them.
    unsafe { exponentials::<f64>(seed, at, clocks.as_mut_ptr(), clocks.len()) };
    times.clear();
    times.extend(weights.zip(&*clocks).map(|((i, w), time)| (time / w, i as i64)));
    let n = picks.len();
    assert!(times.len() >= n, "too few weights above zero");
    let earlier = |a: &(f64, i64), b: &(f64, i64)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    if n < times.len() {
        times.select_nth_unstable_by(n, earlier);
    }
    times[..n].sort_unstable_by(earlier);
    picks
        .iter_mut()
        .zip(times)
        .for_each(|(pick, time)| *pick = time.1);
}

dispatch!(unsafe fn exponentials<C: Lane>(seed: u64, at: u64, out: *mut C, n: usize) => exponentials_body);

/// n numbers from the exponential distribution of rate 1, from the [stream](Stream) of the block at `at`.
///
/// # Safety
/// There is room for them.
#[inline(always)]
#[allow(clippy::extra_unused_type_parameters)] // whatever reading there is
unsafe fn exponentials_body<S: Real, C: Lane>(seed: u64, at: u64, out: *mut C, n: usize) {
    for from in (0..n).step_by(2 * LANES) {
        let numbers = units(seed, at, (from / 2 + 1) as u64).map(|u| -normal64::ln(u));
        for (i, number) in numbers.into_iter().enumerate().take(n - from) {
            // SAFETY: the caller's promise.
            unsafe { out.add(from + i).write(C::from_f64(number)) };
        }
    }
}

/// Draws places of weights, of which one or more are above zero, with those chances; `sums` is room for what they add up to.
pub(super) fn draw_again(row: &[f64], sums: &mut Vec<f64>, stream: &mut Stream, picks: &mut [i64]) {
    /// Weights that are added up at once; only those in which a draw falls are added one by one.
    const BLOCK: usize = 16;
    let last = row.iter().rposition(|w| *w > 0.0).expect("a weight above zero");
    let (blocks, rest) = row[..=last].as_chunks::<BLOCK>();
    let mut total = 0.0;
    sums.clear();
    sums.extend(blocks.iter().map(|block| {
        let half: [f64; BLOCK / 2] = std::array::from_fn(|l| block[l] + block[l + BLOCK / 2]);
        total += half.iter().sum::<f64>();
        total
    }));
    total += rest.iter().sum::<f64>();
    for pick in picks {
        let target = stream.next() * total;
        let block = sums.partition_point(|s| *s <= target);
        let mut sum = block.checked_sub(1).map_or(0.0, |before| sums[before]);
        // Rounding may lead past the last one that has a weight.
        for (i, w) in row[..=last]
            .iter()
            .enumerate()
            .skip(block * BLOCK)
            .take(BLOCK)
            .filter(|(_, w)| **w > 0.0)
        {
            *pick = i as i64;
            sum += w;
            if sum > target {
                break;
            }
        }
    }
}
