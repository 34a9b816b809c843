//! The roots of 1/ρ + Σ zᵢ² / (dᵢ − λ).

use crate::cpu::vector::{Sum, Vector};

/// λ as the sum of a d and what is added to it: so that its distances from all d are exact to rounding.
#[derive(Clone, Copy)]
pub(super) struct Root {
    pub(super) origin: usize,
    pub(super) shift: f64,
}

/// Values and derivatives of the sums of the terms up to a place, which are negative, and of those after it.
struct Sums {
    below: [f64; 2],
    above: [f64; 2],
}

/// Root `j`, which lies between dⱼ and the next; `apart` is space for as many numbers as there are d, which ascend and differ.
/// Nothing where the iteration does not end.
///
/// The sums on both sides are approximated by r + s / (d − λ) with the nearest d, such that values and derivatives
/// agree; what leaves the interval in which the root is known to be is replaced by its middle. (Li 1993, *Solving secular equations stably
/// and efficiently*.)
#[inline(always)]
pub(super) fn root<V: Vector<C = f64>>(
    d: &[f64],
    squares: &[f64],
    rho: f64,
    j: usize,
    apart: &mut [f64],
) -> Option<Root> {
    let n = d.len();
    let over = 1.0 / rho;
    let last = j + 1 == n;
    if n == 1 {
        return Some(Root {
            origin: 0,
            shift: rho * squares[0],
        });
    }
    // The poles next to the root, or the last two.
    let left = if last { n - 2 } else { j };
    let right = left + 1;
    let mut origin = j;
    measure(d, d[origin], apart);
    let gap = apart[right] - apart[left];
    let (mut low, mut high) = (
        0.0,
        if last {
            rho * squares.iter().sum::<f64>()
        } else {
            gap
        },
    );
    let mut x = 0.5 * high;
    let mut sums = evaluate::<V>(apart, squares, right, x);
    if !last {
        // The nearer pole is where distances are measured from. A first guess: the other terms as they are in the middle.
        let f = over + sums.below[0] + sums.above[0];
        let rest = f - squares[left] / (apart[left] - x) - squares[right] / (apart[right] - x);
        let guess = if f >= 0.0 {
            high = x;
            let (a, b) = (rest * gap + squares[left] + squares[right], squares[left] * gap);
            let root = (a * a - 4.0 * b * rest).abs().sqrt();
            if a > 0.0 {
                2.0 * b / (a + root)
            } else {
                (a - root) / (2.0 * rest)
            }
        } else {
            origin = right;
            measure(d, d[origin], apart);
            (low, high) = (-(gap - x), 0.0);
            let (a, b) = (rest * gap - squares[left] - squares[right], squares[right] * gap);
            let root = (a * a + 4.0 * b * rest).abs().sqrt();
            if a < 0.0 {
                2.0 * b / (a - root)
            } else {
                -(a + root) / (2.0 * rest)
            }
        };
        x = if guess > low && guess < high {
            guess
        } else {
            0.5 * (low + high)
        };
        sums = evaluate::<V>(apart, squares, right, x);
    }
    for _ in 0..100 {
        let Sums { below, above } = sums;
        let (f, slope) = (over + below[0] + above[0], below[1] + above[1]);
        let doubt = 8.0 * (above[0].abs() - below[0]) + 2.0 * over + x.abs() * slope;
        if f.abs() <= f64::EPSILON * doubt {
            return Some(Root { origin, shift: x });
        }
        *(if f < 0.0 { &mut low } else { &mut high }) = x;
        let (l, r) = (apart[left] - x, apart[right] - x);
        let c = f - l * below[1] - r * above[1];
        let c = if last { c.abs() } else { c };
        let (a, b) = ((l + r) * f - l * r * slope, l * r * f);
        let root = (a * a - 4.0 * b * c).abs().sqrt();
        let step = match last {
            false if a <= 0.0 => (a - root) / (2.0 * c),
            false => 2.0 * b / (a + root),
            true if a >= 0.0 => (a + root) / (2.0 * c),
            true => 2.0 * b / (a - root),
        };
        // f rises: a step the other way is Newton's.
        let step = if step * f < 0.0 { step } else { -f / slope };
        let next = x + step;
        let next = if next > low && next < high {
            next
        } else {
            0.5 * (low + high)
        };
        if next == x || next == low || next == high {
            return Some(Root { origin, shift: x });
        }
        x = next;
        sums = evaluate::<V>(apart, squares, right, x);
    }
    None
}

/// The d less one of them.
#[inline(always)]
pub(super) fn measure(d: &[f64], from: f64, apart: &mut [f64]) {
    apart.iter_mut().zip(d).for_each(|(x, d)| *x = d - from);
}

/// Sums and derivatives of the terms up to `place` and from there on.
#[inline(always)]
fn evaluate<V: Vector<C = f64>>(apart: &[f64], squares: &[f64], place: usize, x: f64) -> Sums {
    let (apart, squares) = (apart.split_at(place), squares.split_at(place));
    Sums {
        below: sum::<V>(apart.0, squares.0, x),
        above: sum::<V>(apart.1, squares.1, x),
    }
}

/// Σ zᵢ² / (aᵢ − x), and its derivative.
#[inline(always)]
fn sum<V: Vector<C = f64>>(apart: &[f64], squares: &[f64], x: f64) -> [f64; 2] {
    let n = apart.len();
    assert!(squares.len() == n);
    let (mut value, mut slope, by, mut i) = (V::splat(0.0), V::splat(0.0), V::splat(x), 0);
    // SAFETY: both have n elements.
    unsafe {
        while i + V::LANES <= n {
            let below = V::load(apart.as_ptr().add(i)).sub(by);
            let over = V::splat(1.0).div(below);
            let term = V::load(squares.as_ptr().add(i)).mul(over);
            value = value.add(term);
            slope = term.mul_add(over, slope);
            i += V::LANES;
        }
    }
    let (mut value, mut slope) = (value.across::<Sum>(), slope.across::<Sum>());
    for i in i..n {
        let over = 1.0 / (apart[i] - x);
        value += squares[i] * over;
        slope += squares[i] * over * over;
    }
    [value, slope]
}
