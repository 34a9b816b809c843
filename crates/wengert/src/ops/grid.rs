//! Sampling an image at any places.

use super::common::{or_raise, scalar};
use super::stack;
use crate::autograd::Precision;
use crate::autograd::autocast::bring;
use crate::tensor::Tensor;
use wengert_array::{DType, Error, ErrorKind, Result, Shape, raise};

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Linear,
    Nearest,
    Cubic,
}

#[derive(Clone, Copy, PartialEq)]
enum Outside {
    Zeros,
    Border,
    Reflection,
}

/// Places in −1..1 as places in a line of n elements.
fn unnormalized(x: &Tensor, n: usize, align: bool) -> Tensor {
    match align {
        true => (x + 1.0) * ((n as f64 - 1.0) / 2.0),
        false => ((x + 1.0) * n as f64 - 1.0) / 2.0,
    }
}

/// Places mirrored at both ends of the line until they are inside.
fn reflected(x: &Tensor, low: f64, span: f64) -> Tensor {
    if span <= 0.0 {
        return x * 0.0;
    }
    let x = (x - low).abs();
    let turns = (x.detach() / span).floor();
    let extra = x - &turns * span;
    // On the way back after an odd number of turns.
    let odd = (&turns * 0.5).floor() * 2.0;
    let odd = odd.ne(&turns);
    (span - &extra).where_(&odd, &extra) + low
}

/// Places brought inside by the rule for what is outside. The slope of what is cut off is zero.
fn inside(x: &Tensor, n: usize, outside: Outside, align: bool) -> Tensor {
    let top = n as f64 - 1.0;
    let clip = |x: Tensor| {
        let (low, high) = (scalar(0.0, x.dtype()), scalar(top, x.dtype()));
        let x = low.where_(&x.le(0.0), &x);
        high.where_(&x.ge(top), &x)
    };
    match outside {
        Outside::Zeros => x.clone(),
        Outside::Border => clip(x.clone()),
        Outside::Reflection if align => clip(reflected(x, 0.0, top)),
        Outside::Reflection => clip(reflected(x, -0.5, n as f64)),
    }
}

/// The elements of x [n, c, sizes] at integer places, one tensor [n, places] for each dimension; zero outside.
fn at(x: &Tensor, places: &[Tensor]) -> Tensor {
    let shape = x.shape();
    let (n, c, sizes) = (shape[0], shape[1], &shape[2..]);
    let mut flat: Option<Tensor> = None;
    let mut valid: Option<Tensor> = None;
    for (place, &size) in places.iter().zip(sizes) {
        let ok = place.ge(0.0).logical_and(&place.lt(size as f64));
        let safe = place.where_(&ok, &scalar(0.0, place.dtype())).to(DType::I64);
        flat = Some(match flat {
            Some(flat) => flat * size as f64 + safe,
            None => safe,
        });
        valid = Some(match valid {
            Some(valid) => valid.logical_and(&ok),
            None => ok,
        });
    }
    let (flat, valid) = (flat.expect("there are places"), valid.expect("there are places"));
    let m = flat.size(1);
    let index = flat.unsqueeze(1).expand([n, c, m]).contiguous();
    let picked = x.reshape([n, c, sizes.iter().product()]).gather(2, &index);
    picked.where_(&valid.unsqueeze(1), &scalar(0.0, x.dtype()))
}

/// Keys' weights (1981), a = −0.75, of the four neighbours of a place that is `t` after the second.
fn cubic_weights(t: &Tensor) -> [Tensor; 4] {
    const A: f64 = -0.75;
    let near = |x: Tensor| ((&x * (A + 2.0) - (A + 3.0)) * &x * &x) + 1.0;
    let far = |x: Tensor| ((&x * A - 5.0 * A) * &x + 8.0 * A) * &x - 4.0 * A;
    [far(t + 1.0), near(t.clone()), near(1.0 - t), far(2.0 - t)]
}

fn check(x: &Tensor, grid: &Tensor, mode: &str, padding: &str) -> Result<(Mode, Outside)> {
    const NAME: &str = "grid_sample";
    let (a, b) = (x.shape(), grid.shape());
    let fits = (4..=5).contains(&a.rank())
        && b.rank() == a.rank()
        && a[0] == b[0]
        && b[b.rank() - 1] == a.rank() - 2;
    if !fits {
        let message = format!("an input of shape {a} and a grid of shape {b} do not fit");
        return Err(Error::new(ErrorKind::Shape, NAME, message).note(
            "they must be [n, c, h, w] and [n, h′, w′, 2], or [n, c, d, h, w] and [n, d′, h′, w′, 3]",
        ));
    }
    if a[2..].contains(&0) {
        return Err(Error::new(
            ErrorKind::Shape,
            NAME,
            format!("an input of shape {a} has nothing to sample"),
        ));
    }
    if !x.dtype().is_float() || x.dtype() != grid.dtype() {
        let message = format!("the input is {} and the grid {}", x.dtype(), grid.dtype());
        return Err(Error::new(ErrorKind::DType, NAME, message)
            .note("they must be floating-point numbers of one dtype"));
    }
    let wrong = |what: &str| Err(Error::new(ErrorKind::Value, NAME, format!("there is no {what}")));
    let mode = match mode {
        "bilinear" => Mode::Linear,
        "nearest" => Mode::Nearest,
        "bicubic" => Mode::Cubic,
        other => return wrong(&format!("mode {other:?}: it is bilinear, nearest or bicubic")),
    };
    let outside = match padding {
        "zeros" => Outside::Zeros,
        "border" => Outside::Border,
        "reflection" => Outside::Reflection,
        other => {
            return wrong(&format!(
                "padding mode {other:?}: it is zeros, border or reflection"
            ));
        }
    };
    Ok((mode, outside))
}

/// The elements of x `[n, c, h, w]` at the places of `grid` `[n, h′, w′, 2]`, pairs (x, y) from −1 to 1 (or x of five dimensions at
/// triples (x, y, z)), interpolated: `[n, c, h′, w′]` (Jaderberg et al., 2015).
///
/// The modes are `"bilinear"`, `"nearest"` and `"bicubic"`; outside, x is `"zeros"`, its `"border"`, or its `"reflection"`. ±1 are the
/// centers of the corners' elements with `align_corners`, else their outer edges.
///
/// # Panics
/// If shapes, dtypes or modes do not fit.
#[track_caller]
pub fn grid_sample(x: &Tensor, grid: &Tensor, mode: &str, padding_mode: &str, align_corners: bool) -> Tensor {
    let (x, grid) = (&bring(x, Precision::Full), &bring(grid, Precision::Full));
    let (mode, outside) = or_raise(check(x, grid, mode, padding_mode));
    let (shape, grid_shape) = (x.shape(), grid.shape());
    let n = shape.rank() - 2;
    let sizes = shape[2..].to_vec();
    let places: usize = grid_shape[1..=n].iter().product();
    let result: Shape = [shape[0], shape[1]]
        .iter()
        .chain(&grid_shape[1..=n])
        .copied()
        .collect();
    // The grid's last dimension counts from the innermost.
    let axis = |d: usize| {
        let raw = grid.select(-1, (n - 1 - d) as isize).reshape([shape[0], places]);
        unnormalized(&raw, sizes[d], align_corners)
    };
    if mode == Mode::Cubic {
        let ends: Vec<(Tensor, [Tensor; 4])> = (0..n)
            .map(|d| {
                let place = axis(d);
                let low = place.detach().floor();
                let weights = cubic_weights(&(place - &low));
                (low, weights)
            })
            .collect();
        let neighbour = |d: usize, k: usize| {
            whole(&inside(
                &(&ends[d].0 + (k as f64 - 1.0)),
                sizes[d],
                outside,
                align_corners,
            ))
        };
        let mut total: Option<Tensor> = None;
        for code in 0..4usize.pow(n as u32) {
            let k = |d: usize| code / 4usize.pow(d as u32) % 4;
            let places: Vec<Tensor> = (0..n).map(|d| neighbour(d, k(d))).collect();
            let weight = (0..n).map(|d| ends[d].1[k(d)].clone()).reduce(|a, b| a * b);
            let term = at(x, &places) * weight.expect("there are dimensions").unsqueeze(1);
            total = Some(match total {
                Some(sum) => sum + term,
                None => term,
            });
        }
        return total.expect("there are neighbours").reshape(result);
    }
    let spots: Vec<Tensor> = (0..n)
        .map(|d| inside(&axis(d), sizes[d], outside, align_corners))
        .collect();
    if mode == Mode::Nearest {
        let nearest: Vec<Tensor> = spots.iter().map(|s| half_even(&s.detach())).collect();
        return at(x, &nearest).reshape(result);
    }
    let lows: Vec<Tensor> = spots.iter().map(|s| s.detach().floor()).collect();
    let parts: Vec<Tensor> = spots.iter().zip(&lows).map(|(s, low)| s - low).collect();
    let mut total: Option<Tensor> = None;
    for corner in 0..1usize << n {
        let high = |d: usize| corner >> d & 1 == 1;
        let place: Vec<Tensor> = (0..n)
            .map(|d| if high(d) { &lows[d] + 1.0 } else { lows[d].clone() })
            .collect();
        let weight = (0..n).map(|d| {
            if high(d) {
                parts[d].clone()
            } else {
                1.0 - &parts[d]
            }
        });
        let weight = weight.reduce(|a, b| a * b).expect("there are dimensions");
        let term = at(x, &place) * weight.unsqueeze(1);
        total = Some(match total {
            Some(sum) => sum + term,
            None => term,
        });
    }
    total.expect("there are corners").reshape(result)
}

/// A place that is a whole number but for rounding.
fn whole(x: &Tensor) -> Tensor {
    (x.detach() + 0.5).floor()
}

/// The nearest whole number, of two the even one.
fn half_even(x: &Tensor) -> Tensor {
    let up = (x + 0.5).floor();
    let tie = (&up - x).eq(0.5);
    let odd = ((&up * 0.5).floor() * 2.0).ne(&up);
    (&up - 1.0).where_(&tie.logical_and(&odd), &up)
}

/// The grid that [`grid_sample`] takes to transform an image of size `[n, c, h, w]` by `theta` `[n, 2, 3]`, or one of
/// `[n, c, d, h, w]` by `[n, 3, 4]`: where each place of the result comes from.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn affine_grid(theta: &Tensor, size: &[usize], align_corners: bool) -> Tensor {
    const NAME: &str = "affine_grid";
    let (shape, n) = (theta.shape(), size.len().wrapping_sub(2));
    if !(2..=3).contains(&n) || shape != [size[0], n, n + 1] || !theta.dtype().is_float() {
        let message = format!(
            "{} transformations of shape {shape} do not fit a size of {size:?}",
            theta.dtype()
        );
        raise(
            Error::new(ErrorKind::Shape, NAME, message)
                .note("they must be floats [n, 2, 3] for [n, c, h, w], or [n, 3, 4] for [n, c, d, h, w]"),
        );
    }
    let line = |m: usize| {
        let at = |i: usize| match (align_corners, m) {
            (_, 0 | 1) => 0.0,
            (true, _) => -1.0 + 2.0 * i as f64 / (m - 1) as f64,
            (false, _) => (2.0 * i as f64 + 1.0) / m as f64 - 1.0,
        };
        Tensor::from_vec((0..m).map(at).collect::<Vec<f64>>(), [m]).to(theta.dtype())
    };
    let spatial: Shape = size[2..].iter().copied().collect();
    // Coordinates (x, y, …), the innermost first, and a one.
    let mut parts: Vec<Tensor> = Vec::new();
    for d in (0..n).rev() {
        let seen: Shape = (0..n).map(|k| if k == d { size[2 + d] } else { 1 }).collect();
        parts.push(line(size[2 + d]).reshape(seen).expand(&spatial));
    }
    parts.push(Tensor::full_as(&spatial, 1.0, theta.dtype()));
    let base = stack(&parts.iter().collect::<Vec<_>>(), -1).reshape([1, spatial.numel(), n + 1]);
    let result: Shape = [size[0]]
        .into_iter()
        .chain(size[2..].iter().copied())
        .chain([n])
        .collect();
    base.expand([size[0], spatial.numel(), n + 1])
        .matmul(&theta.transpose(1, 2))
        .reshape(result)
}
