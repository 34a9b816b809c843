//! Resizing, and averages over windows: linear maps along single dimensions.

use super::common::{last, numbers};
use super::{contract, ok};
use crate::autograd::Ctx;
use crate::op::{Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use std::sync::Arc;
use wengert_array::kernels::{self, LinearMap};
use wengert_array::{Array, Error, ErrorKind, Meta, Result};

/// y = R x along some dimensions, each with a sparse matrix R of its own; dx = Rᵀ dy.
#[derive(Clone, Debug)]
pub struct Resample {
    /// What it is for, which errors and pictures say.
    pub name: &'static str,
    /// Dimensions and their matrices.
    pub maps: Vec<(usize, Arc<LinearMap>)>,
}

impl Op for Resample {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "resample";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        let mut shape = x.shape.clone();
        for (d, map) in &self.maps {
            if shape.get(*d) != Some(&map.inputs()) {
                let message = format!(
                    "an input of shape {} does not have size {} in dimension {d}",
                    x.shape,
                    map.inputs()
                );
                return Err(Error::new(ErrorKind::Shape, self.name, message));
            }
            shape = shape.with(*d, map.outputs());
        }
        if !x.dtype.is_float() {
            let message = format!("needs floating-point numbers, and got {}", x.dtype);
            return Err(Error::new(ErrorKind::DType, self.name, message));
        }
        Ok(x.with_shape(shape))
    }
    fn forward(&self, [x]: [Array; 1], y: &Meta, _: &mut Extra) -> Array {
        // What makes it smallest first; of equals, rows are best short where it grows and long where it shrinks.
        let mut maps: Vec<_> = self.maps.iter().collect();
        maps.sort_by(|(d, a), (e, b)| {
            let grows = a.outputs() > a.inputs();
            let by_size = (a.outputs() * b.inputs()).cmp(&(b.outputs() * a.inputs()));
            by_size.then(if grows { e.cmp(d) } else { d.cmp(e) })
        });
        let wide = x.cast(y.dtype.compute());
        maps.iter()
            .fold(wide, |x, (d, map)| kernels::linear_map(&x, *d, map))
            .cast(y.dtype)
    }
    fn backward(&self, _: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let maps = self.maps.iter().map(|(d, map)| (*d, Arc::new(map.transposed())));
        [Some(
            Resample {
                name: self.name,
                maps: maps.collect(),
            }
            .apply([&dy]),
        )]
    }
    fn samples() -> Vec<Sample<Self>> {
        let map = || {
            Arc::new(LinearMap::new(
                3,
                [vec![(0, 1.0)], vec![(0, 0.5), (2, 2.0)], vec![], vec![(1, -1.0)]],
            ))
        };
        let both = vec![(0, map()), (1, map())];
        vec![
            Sample::new(
                Resample {
                    name: "resample",
                    maps: vec![(1, map())],
                },
                [Array::from_slice(&[1.0, 2.0, 3.0], [1, 3])],
            )
            .gives([1.0, 6.5, 0.0, -2.0]),
            Sample::new(
                Resample {
                    name: "resample",
                    maps: both,
                },
                [numbers(&[3, 3, 2])],
            ),
        ]
    }
}

/// To what size [`interpolate`] brings a tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Resize {
    /// This one, in all dimensions or in each.
    Size(Vec<usize>),
    /// So many times the old one.
    Scale(Vec<f64>),
}

impl From<usize> for Resize {
    fn from(n: usize) -> Resize {
        Resize::Size(vec![n])
    }
}
impl<const N: usize> From<[usize; N]> for Resize {
    fn from(n: [usize; N]) -> Resize {
        Resize::Size(n.to_vec())
    }
}
impl From<f64> for Resize {
    fn from(n: f64) -> Resize {
        Resize::Scale(vec![n])
    }
}
impl<const N: usize> From<[f64; N]> for Resize {
    fn from(n: [f64; N]) -> Resize {
        Resize::Scale(n.to_vec())
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Nearest,
    NearestExact,
    Linear,
    Cubic,
    Area,
}

/// The place in a line of `n` elements where element `o` of `m` comes from. `scale` is how many elements lie between
/// neighbours.
fn source(o: usize, n: usize, m: usize, align: bool, scale: Option<f64>) -> f64 {
    match (align, scale) {
        (true, _) if m > 1 => o as f64 * ((n - 1) as f64 / (m - 1) as f64),
        (true, _) => 0.0,
        (false, scale) => scale.map_or(n as f64 / m as f64, |s| 1.0 / s) * (o as f64 + 0.5) - 0.5,
    }
}

/// Keys' cubic convolution (1981), at a distance below 1 and below 2, for its parameter a.
fn cubic(x: f64, a: f64) -> f64 {
    let x = x.abs();
    match x {
        x if x <= 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
        x if x < 2.0 => ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a,
        _ => 0.0,
    }
}

/// The map of one dimension from `n` to `m` elements.
fn line(mode: Mode, n: usize, m: usize, align: bool, scale: Option<f64>, antialias: bool) -> LinearMap {
    // PyTorch finds the nearest element in f32, and so that is what decides here.
    let apart = scale.map_or(n as f32 / m as f32, |s| (1.0 / s) as f32);
    let nearest = |at: f32| vec![((at.floor() as usize).min(n - 1), 1.0)];
    let terms = |o: usize| -> Vec<(usize, f64)> {
        match mode {
            Mode::Nearest if n == m => vec![(o, 1.0)],
            Mode::Nearest => nearest(o as f32 * apart),
            Mode::NearestExact if n == m => vec![(o, 1.0)],
            Mode::NearestExact => nearest(((o as f64 + 0.5) * f64::from(apart)) as f32),
            Mode::Area => {
                let (from, to) = (o * n / m, ((o + 1) * n).div_ceil(m));
                (from..to).map(|i| (i, 1.0 / (to - from) as f64)).collect()
            }
            Mode::Linear | Mode::Cubic if antialias => {
                let step = match align && m > 1 {
                    true => (n - 1) as f64 / (m - 1) as f64,
                    false if align => 0.0,
                    false => scale.map_or(n as f64 / m as f64, |s| 1.0 / s),
                };
                let reach = if mode == Mode::Linear { 1.0 } else { 2.0 };
                let wide = step.max(1.0);
                let center = step * (o as f64 + 0.5);
                let from = ((center - reach * wide + 0.5).max(0.0)) as usize;
                let to = ((center + reach * wide + 0.5) as usize).min(n);
                let weight = |i: usize| {
                    let x = (i as f64 - center + 0.5) / wide;
                    if mode == Mode::Linear {
                        (1.0 - x.abs()).max(0.0)
                    } else {
                        cubic(x, -0.5)
                    }
                };
                let total: f64 = (from..to).map(weight).sum();
                (from..to).map(|i| (i, weight(i) / total)).collect()
            }
            Mode::Linear => {
                let at = source(o, n, m, align, scale).max(0.0);
                let low = (at.floor() as usize).min(n - 1);
                let part = (at - low as f64).min(1.0);
                match low + 1 < n {
                    true => vec![(low, 1.0 - part), (low + 1, part)],
                    false => vec![(low, 1.0)],
                }
            }
            Mode::Cubic => {
                let at = source(o, n, m, align, scale);
                let low = at.floor();
                let term = |k: isize| {
                    let i = (low as isize + k).clamp(0, n as isize - 1) as usize;
                    (i, cubic(at - low - k as f64, -0.75))
                };
                (-1..3).map(term).collect()
            }
        }
    };
    LinearMap::new(n, (0..m).map(terms))
}

fn plan(x: &Tensor, to: &Resize, mode: &str, align: bool, antialias: bool) -> Result<Resample> {
    const NAME: &str = "interpolate";
    let (shape, rank) = (x.shape(), x.dim());
    let wrong = |message: String| Error::new(ErrorKind::Value, NAME, message);
    let (kind, ranks) = match mode {
        "nearest" => (Mode::Nearest, 3..=5),
        "nearest-exact" => (Mode::NearestExact, 3..=5),
        "area" => (Mode::Area, 3..=5),
        "linear" => (Mode::Linear, 3..=3),
        "bilinear" => (Mode::Linear, 4..=4),
        "bicubic" => (Mode::Cubic, 4..=4),
        "trilinear" => (Mode::Linear, 5..=5),
        _ => {
            return Err(wrong(format!("there is no mode {mode:?}")).note(
                "the modes are nearest, nearest-exact, linear, bilinear, bicubic, trilinear and area",
            ));
        }
    };
    if !ranks.contains(&rank) {
        let message = format!("mode {mode:?} cannot resize a tensor of shape {shape}");
        let dims = match ranks.start() == ranks.end() {
            true => format!("{}", ranks.start()),
            false => "3 to 5".to_string(),
        };
        return Err(Error::new(ErrorKind::Shape, NAME, message).note(format!(
            "it takes {dims} dimensions, the first two of them n and channels"
        )));
    }
    if align && !matches!(kind, Mode::Linear | Mode::Cubic) {
        return Err(wrong(format!("mode {mode:?} does not know of aligned corners")));
    }
    if antialias && !matches!(mode, "bilinear" | "bicubic") {
        return Err(
            wrong(format!("mode {mode:?} does not know of antialiasing")).note("bilinear and bicubic do")
        );
    }
    let n = rank - 2;
    let old = last(&shape, n);
    let given = match to {
        Resize::Size(s) => s.len(),
        Resize::Scale(s) => s.len(),
    };
    if given != 1 && given != n {
        return Err(wrong(format!(
            "{given} sizes are neither one nor {n}, as many as {shape} has beside n and channels"
        )));
    }
    let mut maps = Vec::new();
    for (d, &old) in old.iter().enumerate() {
        let k = if given == 1 { 0 } else { d };
        let (new, scale) = match to {
            Resize::Size(s) => (s[k], None),
            Resize::Scale(s) => ((old as f64 * s[k]).floor().max(0.0) as usize, Some(s[k])),
        };
        if old == 0 || new == 0 {
            let message = format!("cannot resize {shape} to {new} in dimension {}", d + 2);
            return Err(Error::new(ErrorKind::Shape, NAME, message).note("neither size may be zero"));
        }
        maps.push((d + 2, Arc::new(line(kind, old, new, align, scale, antialias))));
    }
    Ok(Resample { name: NAME, maps })
}

/// x `[n, channels, sizes…]` resized, to a size (`[64, 64]`) or by factors (`2.0`).
///
/// The modes are PyTorch's: `"nearest"`, `"nearest-exact"`, `"area"`, and by the number of dimensions `"linear"`, `"bilinear"`,
/// `"bicubic"` (Keys, 1981, with a = −0.75) or `"trilinear"`. With `align_corners` the corners' elements keep their
/// values, else the corners of the corners' elements stay in place. `antialias` averages over what becomes one element.
///
/// # Panics
/// If the mode does not fit the number of dimensions, or a size is zero.
#[track_caller]
pub fn interpolate(
    x: &Tensor,
    to: impl Into<Resize>,
    mode: &str,
    align_corners: bool,
    antialias: bool,
) -> Tensor {
    ok(plan(x, &to.into(), mode, align_corners, antialias)).apply([x])
}

contract! { resample: Resample }
