//! Changes to single examples, for datasets' [`get`](super::Dataset::get), as `torchvision.transforms` has them. Pictures are
//! `[.., height, width]`; what is random comes from the generator that it is given.
//!
//! ```
//! use wengert::Tensor;
//! use wengert::data::{Generator, transforms};
//!
//! let change = transforms::Compose::new()
//!     .add(|x, random| transforms::random_crop(x, [28, 28], 4, random))
//!     .add(|x, random| transforms::random_erasing(x, 0.5, [0.02, 0.33], [0.3, 3.3], Some(0.0), random))
//!     .add(|x, _| transforms::normalize(x, &[0.5], &[0.5]));
//! let picture = change.apply(&Tensor::rand([1, 28, 28]), &mut Generator::new(0));
//! assert_eq!(picture.shape(), [1, 28, 28]);
//! ```

use super::Generator;
use crate::ops::PadMode;
use crate::ops::functional::interpolate;
use crate::tensor::Tensor;
use std::fmt;
use wengert_array::{Array, DType, Error, ErrorKind, Shape, raise};

type Change = dyn Fn(&Tensor, &mut Generator) -> Tensor + Send + Sync;

/// One change after the other.
#[derive(Default)]
pub struct Compose(Vec<Box<Change>>);

impl Compose {
    /// None yet: what goes in comes out.
    pub fn new() -> Compose {
        Compose::default()
    }

    /// With one more at the end.
    #[must_use]
    #[allow(clippy::should_implement_trait)] // nothing is summed
    pub fn add(
        mut self,
        change: impl Fn(&Tensor, &mut Generator) -> Tensor + Send + Sync + 'static,
    ) -> Compose {
        self.0.push(Box::new(change));
        self
    }

    /// What all make of x.
    #[track_caller]
    pub fn apply(&self, x: &Tensor, random: &mut Generator) -> Tensor {
        self.0.iter().fold(x.clone(), |x, change| change(&x, random))
    }
}

impl fmt::Debug for Compose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Compose({} changes)", self.0.len())
    }
}

/// A change with probability `p`.
#[track_caller]
pub fn random_apply(
    x: &Tensor,
    p: f64,
    random: &mut Generator,
    change: impl FnOnce(&Tensor, &mut Generator) -> Tensor,
) -> Tensor {
    if chance(p, random) {
        change(x, random)
    } else {
        x.clone()
    }
}

/// Bytes `[height, width, channels]` (or `[height, width]`) as f32 `[channels, height, width]`, from 0 to 1; other numbers are
/// only turned.
///
/// # Panics
/// If there are neither two nor three dimensions.
#[track_caller]
pub fn to_tensor(x: &Tensor) -> Tensor {
    let x = if x.dim() == 2 { x.unsqueeze(-1) } else { x.clone() };
    if x.dim() != 3 {
        let message = format!("a tensor of shape {} is no picture", x.shape());
        raise(
            Error::new(ErrorKind::Shape, "to_tensor", message).note("it must be [height, width, channels]"),
        );
    }
    let x = x.permute([2, 0, 1]);
    match x.dtype() {
        DType::U8 => x.to(DType::F32) / 255.0,
        _ => x.contiguous(),
    }
}

/// (x − mean) / std for each channel.
///
/// # Panics
/// If there are not as many means and deviations as channels.
#[track_caller]
pub fn normalize(x: &Tensor, mean: &[f64], std: &[f64]) -> Tensor {
    let channels = x.size(0);
    if mean.len() != channels || std.len() != channels {
        let message = format!(
            "{} means and {} deviations for {channels} channels",
            mean.len(),
            std.len()
        );
        raise(Error::new(ErrorKind::Value, "normalize", message));
    }
    let shape: Shape = std::iter::once(channels)
        .chain(std::iter::repeat_n(1, x.dim() - 1))
        .collect();
    let seen = |v: &[f64]| Tensor::from_slice(v, shape.clone()).to(x.dtype());
    (x - seen(mean)) / seen(std)
}

/// Whether something of probability `p` happens.
pub fn chance(p: f64, random: &mut Generator) -> bool {
    between([0.0, 1.0], random) < p
}

/// A number from a range.
fn between([low, high]: [f64; 2], random: &mut Generator) -> f64 {
    let drawn = random.uniform(&Shape::new(&[]), 0.0, 1.0, DType::F64).item();
    low + (high - low) * drawn.unwrap_or_default()
}

/// A whole number from 0 to n − 1.
fn below(n: usize, random: &mut Generator) -> usize {
    let drawn = random.integers(&Shape::new(&[]), 0, n as i64).item();
    drawn.map_or(0, |v| v as usize)
}

/// Height and width.
#[track_caller]
fn size(op: &str, x: &Tensor) -> [usize; 2] {
    if x.dim() < 2 {
        let message = format!("a tensor of shape {} is no picture", x.shape());
        raise(Error::new(ErrorKind::Shape, op, message).note("it must be [.., height, width]"));
    }
    [x.size(-2), x.size(-1)]
}

/// The part of this size whose first row and column are these.
fn part(x: &Tensor, [top, left]: [usize; 2], [height, width]: [usize; 2]) -> Tensor {
    x.narrow(-2, top, height).narrow(-1, left, width)
}

/// A part of this size from anywhere.
fn anywhere(x: &Tensor, wanted: [usize; 2], [h, w]: [usize; 2], random: &mut Generator) -> Tensor {
    let top = below(h - wanted[0] + 1, random);
    let left = below(w - wanted[1] + 1, random);
    part(x, [top, left], wanted)
}

/// Turned left to right with probability `p`.
#[track_caller]
pub fn random_horizontal_flip(x: &Tensor, p: f64, random: &mut Generator) -> Tensor {
    if chance(p, random) { x.flip(-1) } else { x.clone() }
}

/// Turned upside down with probability `p`.
#[track_caller]
pub fn random_vertical_flip(x: &Tensor, p: f64, random: &mut Generator) -> Tensor {
    if chance(p, random) { x.flip(-2) } else { x.clone() }
}

/// A part of this size from anywhere in the picture with `padding` zeros around it.
///
/// # Panics
/// If it does not fit.
#[track_caller]
pub fn random_crop(x: &Tensor, size: [usize; 2], padding: usize, random: &mut Generator) -> Tensor {
    let [h, w] = self::size("random_crop", x).map(|n| n + 2 * padding);
    if size[0] > h || size[1] > w {
        let message = format!(
            "a part of {} by {} from a picture of {h} by {w}",
            size[0], size[1]
        );
        raise(Error::new(ErrorKind::Shape, "random_crop", message));
    }
    anywhere(&around(x, [padding; 2]), size, [h, w], random)
}

/// A margin around a picture, of so many elements to the left, above, to the right and below.
///
/// # Panics
/// If x is no picture, or the margin does not fit the mode.
#[track_caller]
pub fn pad(x: &Tensor, [left, top, right, bottom]: [usize; 4], mode: PadMode) -> Tensor {
    size("pad", x);
    x.pad([left, right, top, bottom].map(|n| n as isize), mode)
}

/// The middle of the picture, of this size, with zeros around it where it is larger than the picture.
///
/// # Panics
/// If x is no picture.
#[track_caller]
pub fn center_crop(x: &Tensor, wanted: [usize; 2]) -> Tensor {
    let [h, w] = size("center_crop", x);
    let [down, across] = [wanted[0].saturating_sub(h), wanted[1].saturating_sub(w)];
    let margin = [across / 2, down / 2, across.div_ceil(2), down.div_ceil(2)];
    let x = pad(x, margin, PadMode::Constant(0.0));
    // A half is rounded to an even number, as Python does.
    let first = |n: usize, wanted: usize| ((n - wanted) as f64 / 2.0).round_ties_even() as usize;
    let [h, w] = [h + down, w + across];
    part(&x, [first(h, wanted[0]), first(w, wanted[1])], wanted)
}

/// Another height and width, between neighbours (`"bilinear"`, smoothed where it becomes smaller, or `"bicubic"`) or by the nearest
/// (`"nearest"`).
///
/// # Panics
/// If x is no picture, a size is zero, or there is no such mode.
#[track_caller]
pub fn resize(x: &Tensor, wanted: [usize; 2], mode: &str) -> Tensor {
    let [h, w] = size("resize", x);
    let channels: usize = x.shape()[..x.dim() - 2].iter().product();
    let y = interpolate(
        &x.reshape([1, channels, h, w]),
        wanted,
        mode,
        false,
        mode != "nearest",
    );
    let shape: Shape = x.shape()[..x.dim() - 2].iter().copied().chain(wanted).collect();
    y.reshape(shape)
}

/// As [`resize`], of the smaller side to this size, and of the other in proportion.
///
/// # Panics
/// As [`resize`].
#[track_caller]
pub fn resize_smaller(x: &Tensor, smaller: usize, mode: &str) -> Tensor {
    let [h, w] = size("resize_smaller", x);
    let other = (smaller * h.max(w)).checked_div(h.min(w)).unwrap_or(0);
    resize(
        x,
        if h <= w {
            [smaller, other]
        } else {
            [other, smaller]
        },
        mode,
    )
}

/// A part with a share of the area and a ratio of width and height from these ranges, brought to this size. PyTorch's
/// ranges are [0.08, 1] and [3/4, 4/3].
///
/// # Panics
/// If x is no picture, or the size is zero.
#[track_caller]
pub fn random_resized_crop(
    x: &Tensor,
    wanted: [usize; 2],
    scale: [f64; 2],
    ratio: [f64; 2],
    mode: &str,
    random: &mut Generator,
) -> Tensor {
    let [h, w] = size("random_resized_crop", x);
    for _ in 0..10 {
        let [width, height] = rectangle([h, w], scale, ratio, random);
        if (1..=h).contains(&height) && (1..=w).contains(&width) {
            return resize(&anywhere(x, [height, width], [h, w], random), wanted, mode);
        }
    }
    // None of ten fits: the largest in the middle that does.
    let fits = |n: f64| n.round_ties_even() as usize;
    let middle = [h.min(fits(w as f64 / ratio[0])), w.min(fits(h as f64 * ratio[1]))];
    resize(&center_crop(x, middle), wanted, mode)
}

/// Two sides of a random rectangle with a share of the area, and a ratio of the first to the second, from these ranges.
fn rectangle([h, w]: [usize; 2], scale: [f64; 2], ratio: [f64; 2], random: &mut Generator) -> [usize; 2] {
    let area = (h * w) as f64 * between(scale, random);
    // As often wide as high.
    let ratio = between(ratio.map(f64::ln), random).exp();
    [area * ratio, area / ratio].map(|square| square.sqrt().round_ties_even() as usize)
}

/// With probability `p`, a rectangle with a share of the area and a ratio of height and width from these ranges becomes
/// `value`, or random numbers where that is `None`. PyTorch's ranges are [0.02, 0.33] and [0.3, 3.3].
///
/// Source: Zhong et al., Random Erasing Data Augmentation, 2017.
///
/// # Panics
/// If x is no picture.
#[track_caller]
pub fn random_erasing(
    x: &Tensor,
    p: f64,
    scale: [f64; 2],
    ratio: [f64; 2],
    value: Option<f64>,
    random: &mut Generator,
) -> Tensor {
    let [h, w] = size("random_erasing", x);
    if !chance(p, random) {
        return x.clone();
    }
    for _ in 0..10 {
        let [height, width] = rectangle([h, w], scale, ratio, random);
        if height < h && width < w {
            let (top, left) = (below(h - height + 1, random), below(w - width + 1, random));
            let inside = |n: usize, from: usize, len: usize| {
                let inside: Vec<bool> = (0..n).map(|i| (from..from + len).contains(&i)).collect();
                Tensor::from_vec(inside, [n])
            };
            let erased = inside(h, top, height)
                .unsqueeze(1)
                .logical_and(&inside(w, left, width));
            let new = match value {
                Some(value) => Tensor::full_as([], value, x.dtype()),
                None => Tensor::from(random.normal(&x.shape(), 0.0, 1.0, x.dtype())),
            };
            return new.where_(&erased, x);
        }
    }
    x.clone()
}

/// So many zeros before and after a picture's rows, and before and after its columns.
fn around(x: &Tensor, [before, after]: [usize; 2]) -> Tensor {
    pad(x, [before, before, after, after], PadMode::Constant(0.0))
}

/// Pictures `[n, channels, height, width]` side by side, at most so many in a row, with so many zeros around and between
/// them. Places that are left over are zero.
///
/// # Panics
/// If the shape is another, or a row has no pictures.
#[track_caller]
pub fn make_grid(x: &Tensor, columns: usize, padding: usize) -> Tensor {
    if x.dim() != 4 || columns == 0 {
        let message = format!("a tensor of shape {} in {columns} columns", x.shape());
        raise(
            Error::new(ErrorKind::Shape, "make_grid", message)
                .note("it must be [n, channels, height, width], in at least one column"),
        );
    }
    // Neighbours share what lies between them: each brings the zeros above it and to its left.
    let x = around(x, [padding, 0]);
    let [n, channels, h, w] = [0, 1, 2, 3].map(|d| x.size(d));
    let columns = columns.min(n.max(1));
    let rows = n.div_ceil(columns);
    let rest = x.shape().with(0, rows * columns - n);
    let rest = Tensor::constant(Array::full(rest, 0.0, x.dtype()));
    let x = crate::ops::cat(&[&x, &rest], 0).reshape([rows, columns, channels, h, w]);
    let grid = x
        .permute([2, 0, 3, 1, 4])
        .reshape([channels, rows * h, columns * w]);
    around(&grid, [0, padding])
}
