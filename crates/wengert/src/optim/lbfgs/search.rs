//! A line search to the strong Wolfe conditions.

/// A step along the direction: its size, and there the loss, the gradient, and the slope along the direction.
#[derive(Clone)]
pub(super) struct Point {
    pub t: f64,
    pub f: f64,
    pub g: Vec<f64>,
    pub slope: f64,
}

/// How much of the slope at the start the loss must fall by, and how much of it may be left.
const ENOUGH: f64 = 1e-4;
const LEFT: f64 = 0.9;

/// The lowest point, between bounds, of the cubic that agrees with both points in value and slope.
fn cubic(a: &Point, b: &Point, bounds: Option<(f64, f64)>) -> f64 {
    let (low, high) = bounds.unwrap_or(if a.t <= b.t { (a.t, b.t) } else { (b.t, a.t) });
    let d1 = a.slope + b.slope - 3.0 * (a.f - b.f) / (a.t - b.t);
    let square = d1 * d1 - a.slope * b.slope;
    if square.is_nan() || square < 0.0 {
        return (low + high) / 2.0;
    }
    let d2 = square.sqrt();
    let (left, right) = if a.t <= b.t { (a, b) } else { (b, a) };
    let width = right.t - left.t;
    let lowest = right.t - width * ((right.slope + d2 - d1) / (right.slope - left.slope + 2.0 * d2));
    // As `clamp`, but a NaN becomes a bound.
    lowest.max(low).min(high)
}

/// A point of the line that fulfils both conditions, or the best one found within `most` evaluations, and how many
/// evaluations it took. `size` is the first guess, `reach` the direction's largest component.
pub(super) fn strong_wolfe(
    at: &mut dyn FnMut(f64) -> Point,
    start: Point,
    size: f64,
    reach: f64,
    tolerance: f64,
    most: usize,
) -> (Point, usize) {
    let too_high = |p: &Point| p.f > start.f + ENOUGH * p.t * start.slope;
    let flat_enough = |p: &Point| p.slope.abs() <= -LEFT * start.slope;
    let (mut before, mut now) = (start.clone(), at(size));
    let mut used = 1;
    let mut steps = 0;
    // First walk on, until a good point lies between the last two.
    let mut bracket = loop {
        if steps >= most {
            break [start.clone(), now];
        }
        if too_high(&now) || (steps > 1 && now.f >= before.f) {
            break [before, now];
        }
        if flat_enough(&now) {
            return (now, used);
        }
        if now.slope >= 0.0 {
            break [before, now];
        }
        let bounds = (now.t + 0.01 * (now.t - before.t), now.t * 10.0);
        let next = cubic(&before, &now, Some(bounds));
        before = std::mem::replace(&mut now, at(next));
        used += 1;
        steps += 1;
    };
    // Then narrow it down.
    let mut low = usize::from(bracket[0].f > bracket[1].f);
    let mut stuck = false;
    while steps < most {
        let (left, right) = (bracket[0].t.min(bracket[1].t), bracket[0].t.max(bracket[1].t));
        if (right - left) * reach < tolerance {
            break;
        }
        let mut t = cubic(&bracket[0], &bracket[1], None);
        // A guess at the edge twice in a row makes no headway: then a tenth of the way in.
        let margin = 0.1 * (right - left);
        if (right - t).min(t - left) < margin {
            if stuck || t >= right || t <= left {
                t = if (t - right).abs() < (t - left).abs() {
                    right - margin
                } else {
                    left + margin
                };
                stuck = false;
            } else {
                stuck = true;
            }
        } else {
            stuck = false;
        }
        let new = at(t);
        used += 1;
        steps += 1;
        let high = 1 - low;
        if too_high(&new) || new.f >= bracket[low].f {
            bracket[high] = new;
            low = usize::from(bracket[0].f > bracket[1].f);
        } else {
            if flat_enough(&new) {
                return (new, used);
            }
            if new.slope * (bracket[high].t - bracket[low].t) >= 0.0 {
                bracket[high] = bracket[low].clone();
            }
            bracket[low] = new;
        }
    }
    let [a, b] = bracket;
    (if low == 0 { a } else { b }, used)
}
