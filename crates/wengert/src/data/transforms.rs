//! Changes to single examples, for datasets' [`get`](super::Dataset::get). Pictures are `[channels, height, width]`.

use super::Generator;
use crate::tensor::Tensor;
use wengert_array::{Array, DType, Error, ErrorKind, Shape, raise};

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
    random
        .uniform(&Shape::new(&[]), 0.0, 1.0, DType::F64)
        .item()
        .is_some_and(|v| v < p)
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
    let (h, w) = (x.size(-2) + 2 * padding, x.size(-1) + 2 * padding);
    if size[0] > h || size[1] > w {
        let message = format!(
            "a part of {} by {} from a picture of {h} by {w}",
            size[0], size[1]
        );
        raise(Error::new(ErrorKind::Shape, "random_crop", message));
    }
    let mut corner = |room: usize| {
        let at = random.integers(&Shape::new(&[]), 0, room as i64 + 1);
        at.item().map_or(0, |v| v as usize)
    };
    let (top, left) = (corner(h - size[0]), corner(w - size[1]));
    let padded = if padding == 0 {
        x.clone()
    } else {
        pad(x, [padding; 2])
    };
    padded.narrow(-2, top, size[0]).narrow(-1, left, size[1])
}

/// So many zeros before and after a picture's rows, and before and after its columns.
fn pad(x: &Tensor, around: [usize; 2]) -> Tensor {
    [-2, -1].into_iter().fold(x.clone(), |x, dim| {
        let d = (x.dim() as isize + dim) as usize;
        let [before, after] =
            around.map(|n| Tensor::constant(Array::full(x.shape().with(d, n), 0.0, x.dtype())));
        crate::ops::cat(&[&before, &x, &after], dim)
    })
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
    let x = pad(x, [padding, 0]);
    let [n, channels, h, w] = [0, 1, 2, 3].map(|d| x.size(d));
    let columns = columns.min(n.max(1));
    let rows = n.div_ceil(columns);
    let rest = x.shape().with(0, rows * columns - n);
    let rest = Tensor::constant(Array::full(rest, 0.0, x.dtype()));
    let x = crate::ops::cat(&[&x, &rest], 0).reshape([rows, columns, channels, h, w]);
    let grid = x
        .permute([2, 0, 3, 1, 4])
        .reshape([channels, rows * h, columns * w]);
    pad(&grid, [0, padding])
}
