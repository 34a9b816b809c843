//! Resizing and sampling.

use super::{SizesArg, functions_of};
use crate::args::TensorLike;
use pyo3::prelude::*;
use wengert::nn::functional::{self as F, Resize};
use wengert::{Error, ErrorKind, Tensor};

/// One factor, or one for each dimension.
pub(super) struct Factors(pub(super) Vec<f64>);

impl<'py> FromPyObject<'_, 'py> for Factors {
    type Error = PyErr;
    fn extract(obj: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match obj.extract::<f64>() {
            Ok(f) => Ok(Factors(vec![f])),
            Err(_) => obj.extract().map(Factors),
        }
    }
}

fn resize(
    x: &Tensor,
    size: Option<SizesArg>,
    factor: Option<Factors>,
    mode: &str,
    align: Option<bool>,
    recompute: Option<bool>,
    antialias: bool,
) -> Tensor {
    let fail =
        |message: &str| -> ! { wengert_array::raise(Error::new(ErrorKind::Value, "interpolate", message)) };
    let to = match (size, factor) {
        (Some(size), None) => Resize::Size(size.0),
        (None, Some(factor)) if recompute == Some(true) => {
            let old = &x.shape()[2.min(x.dim())..];
            let at = |d: usize| {
                factor.0[if factor.0.len() == 1 {
                    0
                } else {
                    d.min(factor.0.len() - 1)
                }]
            };
            Resize::Size(
                old.iter()
                    .enumerate()
                    .map(|(d, n)| (*n as f64 * at(d)).floor() as usize)
                    .collect(),
            )
        }
        (None, Some(factor)) => Resize::Scale(factor.0),
        (Some(_), Some(_)) => fail("only one of size and scale_factor may be given"),
        (None, None) => fail("either size or scale_factor must be given"),
    };
    F::interpolate(x, to, mode, align.unwrap_or(false), antialias)
}

functions_of! {
    /// The input resized, to `size` or by `scale_factor`.
    fn interpolate(
        input: TensorLike, size: Option<SizesArg> = None, scale_factor: Option<Factors> = None, mode: String = (nearest()),
        align_corners: Option<bool> = None, recompute_scale_factor: Option<bool> = None, antialias: bool = false
    ) => resize(&input.0, size, scale_factor, &mode, align_corners, recompute_scale_factor, antialias);
    /// As `interpolate`, its old name.
    fn upsample(
        input: TensorLike, size: Option<SizesArg> = None, scale_factor: Option<Factors> = None, mode: String = (nearest()),
        align_corners: Option<bool> = None
    ) => resize(&input.0, size, scale_factor, &mode, align_corners, None, false);
    /// `interpolate` to the nearest element.
    fn upsample_nearest(
        input: TensorLike, size: Option<SizesArg> = None, scale_factor: Option<Factors> = None
    ) => resize(&input.0, size, scale_factor, "nearest", None, None, false);
    /// `interpolate`, bilinear and with aligned corners.
    fn upsample_bilinear(
        input: TensorLike, size: Option<SizesArg> = None, scale_factor: Option<Factors> = None
    ) => resize(&input.0, size, scale_factor, "bilinear", Some(true), None, false);
    /// The input at the places of a grid, interpolated.
    fn grid_sample(
        input: TensorLike, grid: TensorLike, mode: String = (bilinear()), padding_mode: String = (zeros()),
        align_corners: Option<bool> = None
    ) => F::grid_sample(&input.0, &grid.0, &mode, &padding_mode, align_corners.unwrap_or(false));
    /// The grid by which `grid_sample` transforms an image.
    fn affine_grid(theta: TensorLike, size: SizesArg, align_corners: Option<bool> = None) =>
        F::affine_grid(&theta.0, &size.0, align_corners.unwrap_or(false));
}

fn nearest() -> String {
    "nearest".into()
}
fn bilinear() -> String {
    "bilinear".into()
}
fn zeros() -> String {
    "zeros".into()
}
