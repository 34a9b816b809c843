//! Discrete Fourier transforms, with the names, defaults and scales of `torch.fft`.
//!
//! ```
//! use wengert::{Tensor, fft::{self, Norm}};
//!
//! let wave = Tensor::new([1.0, 0.0, -1.0, 0.0]).requires_grad_(true);
//! let spectrum = fft::rfft(&wave, None, -1, Norm::Backward);
//! assert_eq!(spectrum.abs().to_vec::<f32>(), [0.0, 2.0, 0.0]);
//! spectrum.abs().square().sum().backward();
//! assert_eq!(wave.grad().unwrap().to_vec::<f32>(), [4.0, 0.0, -4.0, 0.0]);
//! ```

pub use super::stft::Stft;
use super::{axis, checked_axis, contract, ok};
use crate::autograd::Ctx;
use crate::op::{Complex, Extra, Fixed, In, Op, Sample, Saves};
use crate::ops::cat;
use crate::tensor::Tensor;
use wengert_array::num_complex::Complex64;
use wengert_array::{Array, DType, Error, ErrorKind, Meta, Result, kernels, raise};

fn waves() -> Array {
    let numbers: Vec<f64> = (0..15).map(|i| ((i * 7 + 3) % 11) as f64 / 4.0 - 1.0).collect();
    Array::from_slice(&numbers, [3, 5])
}

fn spectra() -> Array {
    let numbers: Vec<Complex64> = (0..15)
        .map(|i| {
            Complex64::new(
                ((i * 7 + 3) % 11) as f64 / 4.0 - 1.0,
                ((i * 5) % 7) as f64 / 3.0 - 1.0,
            )
        })
        .collect();
    Array::from_slice(&numbers, [3, 5])
}

/// The dimension, which must hold something, and the dtypes.
fn along(op: &str, dim: isize, x: &In<'_>, complex: bool) -> Result<usize> {
    if x.dtype.is_complex() != complex || matches!(x.dtype.real(), DType::F16 | DType::BF16) {
        let wanted = if complex {
            "complex numbers"
        } else {
            "float32 or float64"
        };
        let message = format!("needs {wanted}, and got {}", x.dtype);
        return Err(Error::new(ErrorKind::DType, op, message));
    }
    let d = axis(op, dim, x.shape.rank())?;
    if x.shape[d] == 0 {
        let message = format!("dimension {d} of {} has no elements to transform", x.shape);
        return Err(Error::new(ErrorKind::Value, op, message));
    }
    Ok(d)
}

/// y_k = c Σ x_j e^(−2πi jk/n) along a dimension of complex numbers, with + if inverse; dx is the transform of dy with the
/// other sign.
#[derive(Clone, Debug)]
pub struct Fft {
    /// Along which dimension.
    pub dim: isize,
    /// Whether the sign in the exponent is +.
    pub inverse: bool,
    /// The factor c.
    pub scale: f64,
}

impl Op for Fft {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "fft";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn name(&self) -> &'static str {
        if self.inverse { "ifft" } else { "fft" }
    }
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        along(self.name(), self.dim, &x, true)?;
        Ok(x.with_shape(x.shape))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        let d = checked_axis(self.dim, x.rank());
        kernels::fft(&x, d, self.inverse, self.scale)
    }
    fn backward(&self, _: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let back = Fft {
            inverse: !self.inverse,
            ..self.clone()
        };
        [Some(back.apply([&dy]))]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Whole
    }
    fn samples() -> Vec<Sample<Self>> {
        let fft = |dim, inverse, scale| Fft { dim, inverse, scale };
        vec![
            Sample::new(fft(-1, false, 1.0), [spectra()]),
            Sample::new(fft(0, true, 0.5), [spectra()]),
            Sample::new(
                fft(0, false, 1.0),
                [Array::from_slice(&[1.0, 2.0, 4.0], [3]).cast(DType::C128)],
            ),
        ]
    }
}

/// As [`Fft`] of n real numbers: the first n/2 + 1 results, which say all; dx = the real part of the inverse transform of
/// dy, with zeros for the rest ([`Irfft`] that is not mirrored).
#[derive(Clone, Debug)]
pub struct Rfft {
    /// Along which dimension.
    pub dim: isize,
    /// The factor.
    pub scale: f64,
}

impl Op for Rfft {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "rfft";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        let d = along("rfft", self.dim, &x, false)?;
        Ok(Meta {
            dtype: x.dtype.complex(),
            ..x.with_shape(x.shape.with(d, x.shape[d] / 2 + 1))
        })
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        let d = checked_axis(self.dim, x.rank());
        kernels::rfft(&x, d, self.scale)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let x = &cx.meta(0).shape;
        let back = Irfft {
            dim: self.dim,
            n: x[checked_axis(self.dim, x.rank())],
            scale: self.scale,
            mirrored: false,
        };
        [Some(back.apply([&dy]))]
    }
    fn samples() -> Vec<Sample<Self>> {
        let rfft = |dim, scale| Rfft { dim, scale };
        vec![
            Sample::new(rfft(-1, 1.0), [waves()]),
            Sample::new(rfft(0, 0.5), [waves().slice(0, 0, 2, 1)]),
            Sample::new(rfft(0, 1.0), [Array::from_slice(&[1.5], [1])]).gives([1.5, 0.0]),
        ]
    }
}

/// The n real numbers c Σ z_k e^(2πi jk/n) of a spectrum with z_(n−k) the conjugate of z_k, of which the first n/2 + 1 are
/// given; dz_k = the transform of dy, twice but for k = 0 and, of an even n, k = n/2, whose imaginary parts do not count. If not
/// mirrored, the real part of the sum over those given alone; then dz_k is once the transform of dy.
#[derive(Clone, Debug)]
pub struct Irfft {
    /// Along which dimension.
    pub dim: isize,
    /// How many real numbers.
    pub n: usize,
    /// The factor.
    pub scale: f64,
    /// Whether the rest of the spectrum, which is not given, is added up too.
    pub mirrored: bool,
}

impl Op for Irfft {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "irfft";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [z]: [In<'_>; 1]) -> Result<Meta> {
        let d = along("irfft", self.dim, &z, true)?;
        if self.n == 0 || z.shape[d] != self.n / 2 + 1 {
            let message = format!(
                "{} numbers of a spectrum do not give {} real ones",
                z.shape[d], self.n
            );
            return Err(Error::new(ErrorKind::Value, "irfft", message));
        }
        Ok(Meta {
            dtype: z.dtype.real(),
            ..z.with_shape(z.shape.with(d, self.n))
        })
    }
    fn forward(&self, [z]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        let d = checked_axis(self.dim, z.rank());
        kernels::irfft(&z, d, self.n, self.scale, self.mirrored)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let forward = Rfft {
            dim: self.dim,
            scale: self.scale,
        };
        if !self.mirrored {
            return [Some(forward.apply([&dy]))];
        }
        let half = self.n / 2 + 1;
        let weights: Vec<f64> = (0..half)
            .map(|k| if k == 0 || 2 * k == self.n { 1.0 } else { 2.0 })
            .collect();
        let mut sizes = vec![1; dy.dim()];
        sizes[checked_axis(self.dim, dy.dim())] = half;
        let weights = Array::from_slice(&weights, sizes).cast(cx.output().dtype);
        [Some(forward.apply([&dy]) * Tensor::constant(weights))]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Whole
    }
    fn samples() -> Vec<Sample<Self>> {
        let irfft = |dim, n, scale| Irfft {
            dim,
            n,
            scale,
            mirrored: true,
        };
        let once = |n| Irfft {
            mirrored: false,
            ..irfft(-1, n, 0.5)
        };
        vec![
            Sample::new(once(8), [spectra()]),
            Sample::new(once(9), [spectra()]),
            Sample::new(irfft(-1, 8, 0.125), [spectra()]),
            Sample::new(irfft(-1, 9, 1.0), [spectra()]),
            Sample::new(irfft(0, 5, 1.0), [spectra()]),
            Sample::new(
                irfft(0, 1, 2.0),
                [Array::scalar(Complex64::new(1.5, 2.0)).reshape([1])],
            )
            .gives([3.0]),
        ]
    }
}

/// Which of the two directions divides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Norm {
    /// The inverse divides by the number of elements.
    #[default]
    Backward,
    /// The forward transform does.
    Forward,
    /// Each divides by its root, so that lengths stay.
    Ortho,
}

impl Norm {
    /// `"backward"`, `"forward"` or `"ortho"`.
    pub fn named(name: &str) -> Option<Norm> {
        match name {
            "backward" => Some(Norm::Backward),
            "forward" => Some(Norm::Forward),
            "ortho" => Some(Norm::Ortho),
            _ => None,
        }
    }

    fn scale(self, n: usize, inverse: bool) -> f64 {
        match (self, inverse) {
            (Norm::Backward, true) | (Norm::Forward, false) => 1.0 / n as f64,
            (Norm::Ortho, _) => 1.0 / (n as f64).sqrt(),
            _ => 1.0,
        }
    }

    /// That of the other direction.
    fn turned(self) -> Norm {
        match self {
            Norm::Backward => Norm::Forward,
            Norm::Forward => Norm::Backward,
            Norm::Ortho => Norm::Ortho,
        }
    }
}

/// Cut off, or filled up with zeros, to `n` elements along a dimension.
fn resized(x: &Tensor, dim: isize, n: usize) -> Tensor {
    let shape = x.shape();
    let d = ok(axis("fft", dim, shape.rank()));
    match n.checked_sub(shape[d]) {
        Some(0) => x.clone(),
        Some(more) => {
            let zeros = Tensor::constant(Array::fill(shape.with(d, more), 0.0, x.dtype()));
            cat(&[x, &zeros], dim)
        }
        None => x.narrow(dim, 0, n),
    }
}

fn sized(op: &str, n: Option<usize>, size: usize) -> usize {
    match n {
        Some(0) => raise(Error::new(
            ErrorKind::Value,
            op,
            "a transform of 0 numbers was asked for",
        )),
        n => n.unwrap_or(size),
    }
}

/// In complex numbers.
fn complex(x: &Tensor) -> Tensor {
    x.to(x.dtype().or_default().complex())
}

/// In floats; complex numbers are refused by the operation.
fn real(x: &Tensor) -> Tensor {
    match x.dtype() {
        DType::F16 | DType::BF16 => x.to(DType::F32),
        d => x.to(d.or_default()),
    }
}

#[track_caller]
fn both(op: &'static str, x: &Tensor, n: Option<usize>, dim: isize, norm: Norm, inverse: bool) -> Tensor {
    let n = sized(op, n, x.size(dim));
    let scale = norm.scale(n, inverse);
    Fft { dim, inverse, scale }.apply([&resized(&complex(x), dim, n)])
}

/// The transform `y_k = Σ x_j e^(−2πi jk/n)` along `dim`, of x cut off or filled up with zeros to `n` elements.
#[track_caller]
pub fn fft(x: &Tensor, n: Option<usize>, dim: isize, norm: Norm) -> Tensor {
    both("fft", x, n, dim, norm, false)
}

/// The inverse of [`fft`].
#[track_caller]
pub fn ifft(x: &Tensor, n: Option<usize>, dim: isize, norm: Norm) -> Tensor {
    both("ifft", x, n, dim, norm, true)
}

/// The first n/2 + 1 results of [`fft`] of real numbers, of which the rest are the conjugates.
#[track_caller]
pub fn rfft(x: &Tensor, n: Option<usize>, dim: isize, norm: Norm) -> Tensor {
    let n = sized("rfft", n, x.size(dim));
    let scale = norm.scale(n, false);
    Rfft { dim, scale }.apply([&resized(&real(x), dim, n)])
}

/// The inverse of [`rfft`]: `n` real numbers, by default 2 (m − 1) of m.
#[track_caller]
pub fn irfft(z: &Tensor, n: Option<usize>, dim: isize, norm: Norm) -> Tensor {
    let n = sized("irfft", n, (2 * z.size(dim)).saturating_sub(2));
    let n = sized("irfft", Some(n), n);
    let scale = norm.scale(n, true);
    let op = Irfft {
        dim,
        n,
        scale,
        mirrored: true,
    };
    op.apply([&resized(&complex(z), dim, n / 2 + 1)])
}

/// The transform of numbers of which the later half are the conjugates of the first: `n` real numbers.
#[track_caller]
pub fn hfft(z: &Tensor, n: Option<usize>, dim: isize, norm: Norm) -> Tensor {
    irfft(&z.conj(), n, dim, norm.turned())
}

/// The inverse of [`hfft`].
#[track_caller]
pub fn ihfft(x: &Tensor, n: Option<usize>, dim: isize, norm: Norm) -> Tensor {
    rfft(x, n, dim, norm.turned()).conj()
}

/// The dimensions of a transform of several, with the size of each.
fn several(op: &str, x: &Tensor, s: Option<&[isize]>, dims: Option<&[isize]>) -> Vec<(isize, Option<usize>)> {
    let rank = x.dim() as isize;
    let dims: Vec<isize> = match (dims, s) {
        (Some(dims), _) => dims.to_vec(),
        (None, Some(s)) => (rank - s.len() as isize..rank).collect(),
        (None, None) => (0..rank).collect(),
    };
    if let Some(s) = s
        && s.len() != dims.len()
    {
        let message = format!("{} sizes do not go with {} dimensions", s.len(), dims.len());
        raise(Error::new(ErrorKind::Value, op, message));
    }
    let mut seen: Vec<usize> = dims.iter().map(|d| ok(axis(op, *d, rank as usize))).collect();
    seen.sort_unstable();
    if seen.windows(2).any(|w| w[0] == w[1]) {
        let message = format!("a dimension is named twice in {dims:?}");
        raise(Error::new(ErrorKind::Value, op, message));
    }
    // −1 stands for the size as it is.
    let size = |i: usize| match s?[i] {
        -1 => None,
        n => Some(n.max(0) as usize),
    };
    dims.iter().enumerate().map(|(i, d)| (*d, size(i))).collect()
}

/// Of several dimensions the last, and the rest.
type Split = ((isize, Option<usize>), Vec<(isize, Option<usize>)>);

fn last(op: &str, x: &Tensor, s: Option<&[isize]>, dims: Option<&[isize]>) -> Split {
    let mut all = several(op, x, s, dims);
    match all.pop() {
        Some(last) => (last, all),
        None => raise(Error::new(ErrorKind::Value, op, "needs at least one dimension")),
    }
}

/// The transform over several dimensions, by default all; each cut off or filled up to its size in `s`, where that is given
/// and not −1.
#[track_caller]
pub fn fftn(x: &Tensor, s: Option<&[isize]>, dims: Option<&[isize]>, norm: Norm) -> Tensor {
    let all = several("fftn", x, s, dims);
    all.iter().fold(complex(x), |x, (d, n)| fft(&x, *n, *d, norm))
}

/// The inverse of [`fftn`].
#[track_caller]
pub fn ifftn(x: &Tensor, s: Option<&[isize]>, dims: Option<&[isize]>, norm: Norm) -> Tensor {
    let all = several("ifftn", x, s, dims);
    all.iter().fold(complex(x), |x, (d, n)| ifft(&x, *n, *d, norm))
}

/// [`fftn`] of real numbers: of the last dimension the first half.
#[track_caller]
pub fn rfftn(x: &Tensor, s: Option<&[isize]>, dims: Option<&[isize]>, norm: Norm) -> Tensor {
    let ((d, n), rest) = last("rfftn", x, s, dims);
    let first = rfft(x, n, d, norm);
    rest.iter().fold(first, |x, (d, n)| fft(&x, *n, *d, norm))
}

/// The inverse of [`rfftn`].
#[track_caller]
pub fn irfftn(z: &Tensor, s: Option<&[isize]>, dims: Option<&[isize]>, norm: Norm) -> Tensor {
    let ((d, n), rest) = last("irfftn", z, s, dims);
    let before = rest.iter().fold(complex(z), |x, (d, n)| ifft(&x, *n, *d, norm));
    irfft(&before, n, d, norm)
}

/// [`hfft`] over several dimensions.
#[track_caller]
pub fn hfftn(z: &Tensor, s: Option<&[isize]>, dims: Option<&[isize]>, norm: Norm) -> Tensor {
    let ((d, n), rest) = last("hfftn", z, s, dims);
    let before = rest.iter().fold(complex(z), |x, (d, n)| fft(&x, *n, *d, norm));
    hfft(&before, n, d, norm)
}

/// The inverse of [`hfftn`].
#[track_caller]
pub fn ihfftn(x: &Tensor, s: Option<&[isize]>, dims: Option<&[isize]>, norm: Norm) -> Tensor {
    let ((d, n), rest) = last("ihfftn", x, s, dims);
    let first = ihfft(x, n, d, norm);
    rest.iter().fold(first, |x, (d, n)| ifft(&x, *n, *d, norm))
}

/// The frequencies of the results of [`fft`] of `n` samples `d` apart: `[0, 1, …, −2, −1] / (n d)`.
pub fn fftfreq(n: usize, d: f64, dtype: DType) -> Tensor {
    let (n, half) = (n as i64, (n as i64 + 1) / 2);
    let all: Vec<i64> = (0..half).chain(half - n..0).collect();
    Tensor::from_slice(&all, [all.len()]).to(dtype) * (1.0 / (n as f64 * d))
}

/// Those of the results of [`rfft`]: `[0, 1, …, n/2] / (n d)`.
pub fn rfftfreq(n: usize, d: f64, dtype: DType) -> Tensor {
    Tensor::arange(0, n as i64 / 2 + 1).to(dtype) * (1.0 / (n as f64 * d))
}

fn shift(x: &Tensor, dims: Option<&[isize]>, half: impl Fn(usize) -> usize) -> Tensor {
    let all: Vec<isize> = match dims {
        Some(dims) => dims.to_vec(),
        None => (0..x.dim() as isize).collect(),
    };
    if all.is_empty() {
        return x.clone();
    }
    let by: Vec<isize> = all.iter().map(|d| half(x.size(*d)) as isize).collect();
    x.roll(by, all)
}

/// Rolls the frequency 0 to the middle of dimensions, by default of all.
#[track_caller]
pub fn fftshift(x: &Tensor, dims: Option<&[isize]>) -> Tensor {
    shift(x, dims, |n| n / 2)
}

/// Undoes [`fftshift`].
#[track_caller]
pub fn ifftshift(x: &Tensor, dims: Option<&[isize]>) -> Tensor {
    shift(x, dims, |n| n.div_ceil(2))
}

contract! {
    fft_: Fft,
    rfft_: Rfft,
    irfft_: Irfft,
}
