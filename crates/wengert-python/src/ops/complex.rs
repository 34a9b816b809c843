//! Complex numbers and Fourier transforms.

use crate::args::{TensorLike, as_tensor};
use crate::give::Give;
use crate::guard::guard;
use crate::macros::{functions, ops};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use wengert::fft::{self, Norm, Stft};
use wengert::{Error, ErrorKind, Result, Tensor};

/// The real parts; real tensors themselves.
#[pyfunction]
fn real(py: Python<'_>, input: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    match as_tensor(input) {
        Some(x) if x.dtype().is_complex() => guard(py, 0, || x.real())?.give(py),
        Some(_) => Ok(input.clone().unbind()),
        None => Err(PyTypeError::new_err("real: expected a tensor")),
    }
}

/// The imaginary parts of a complex tensor.
#[pyfunction]
fn imag(py: Python<'_>, input: TensorLike) -> PyResult<Py<PyAny>> {
    guard(py, 0, || input.0.imag())?.give(py)
}

/// `real + i imag`.
#[pyfunction]
#[pyo3(signature = (real, imag, *, out = None))]
fn complex(
    py: Python<'_>,
    real: TensorLike,
    imag: TensorLike,
    out: Option<crate::args::NoOut>,
) -> PyResult<Py<PyAny>> {
    let _ = out;
    guard(py, real.0.numel(), || Tensor::complex(&real.0, &imag.0))?.give(py)
}

/// The complex numbers with these distances from zero and these angles in radians.
#[pyfunction]
#[pyo3(signature = (abs, angle, *, out = None))]
fn polar(
    py: Python<'_>,
    abs: TensorLike,
    angle: TensorLike,
    out: Option<crate::args::NoOut>,
) -> PyResult<Py<PyAny>> {
    let _ = out;
    guard(py, abs.0.numel(), || Tensor::polar(&abs.0, &angle.0))?.give(py)
}

/// The parts of complex numbers as a new last dimension, without a copy.
#[pyfunction]
fn view_as_real(py: Python<'_>, input: TensorLike) -> PyResult<Py<PyAny>> {
    guard(py, 0, || input.0.view_as_real())?.give(py)
}

/// The complex numbers whose parts are the last dimension, of size 2.
#[pyfunction]
fn view_as_complex(py: Python<'_>, input: TensorLike) -> PyResult<Py<PyAny>> {
    guard(py, 0, || input.0.view_as_complex())?.give(py)
}

fn norm(op: &str, name: Option<&str>) -> Result<Norm> {
    let name = name.unwrap_or("backward");
    Norm::named(name).ok_or_else(|| {
        let message = format!("there is no norm {name:?}; there are 'backward', 'forward' and 'ortho'");
        Error::new(ErrorKind::Value, op, message)
    })
}

/// A transform along one dimension, and one over several: the Python side knows defaults and names.
macro_rules! transforms {
    (one: $($one:ident = $f:ident),*; several: $($many:ident = $g:ident),* $(,)?) => {
        $(
            #[doc = concat!("`wengert.fft.", stringify!($f), "`")]
            #[pyfunction]
            fn $one(py: Python<'_>, input: TensorLike, n: Option<isize>, dim: isize, by: Option<&str>) -> PyResult<Py<PyAny>> {
                // What is no size is refused as 0 is.
                let n = n.map(|n| n.max(0) as usize);
                guard(py, input.0.numel(), || Ok::<_, Error>(fft::$f(&input.0, n, dim, norm(stringify!($f), by)?)))?.give(py)
            }
        )*
        $(
            #[doc = concat!("`wengert.fft.", stringify!($g), "`")]
            #[pyfunction]
            fn $many(
                py: Python<'_>, input: TensorLike, s: Option<Vec<isize>>, dims: Option<Vec<isize>>, by: Option<&str>,
            ) -> PyResult<Py<PyAny>> {
                guard(py, input.0.numel(), || {
                    Ok::<_, Error>(fft::$g(&input.0, s.as_deref(), dims.as_deref(), norm(stringify!($g), by)?))
                })?
                .give(py)
            }
        )*
        fn register_transforms(m: &Bound<'_, PyModule>) -> PyResult<()> {
            functions!(m, $($one,)* $($many),*);
            Ok(())
        }
    };
}
transforms! {
    one: _fft_fft = fft, _fft_ifft = ifft, _fft_rfft = rfft, _fft_irfft = irfft, _fft_hfft = hfft, _fft_ihfft = ihfft;
    several: _fft_fftn = fftn, _fft_ifftn = ifftn, _fft_rfftn = rfftn, _fft_irfftn = irfftn, _fft_hfftn = hfftn, _fft_ihfftn = ihfftn,
}

/// What `stft` and `istft` have in common.
fn parts(
    n_fft: usize,
    hop_length: Option<usize>,
    win_length: Option<usize>,
    window: Option<TensorLike>,
    center: bool,
    normalized: bool,
    onesided: Option<bool>,
) -> Stft {
    let mut how = Stft::new(n_fft).center(center).normalized(normalized);
    if let Some(hop) = hop_length {
        how = how.hop_length(hop);
    }
    if let Some(n) = win_length {
        how = how.win_length(n);
    }
    if let Some(w) = window {
        how = how.window(w.0);
    }
    match onesided {
        Some(on) => how.onesided(on),
        None => how,
    }
}

ops! {
    /// The spectra of short parts of a signal `[time]` or `[batch, time]`: `[.., frequency, part]`.
    fn stft(
        input, n_fft: usize, hop_length: Option<usize> = None, win_length: Option<usize> = None,
        window: Option<TensorLike> = None, center: bool = true, pad_mode: Option<String> = None, normalized: bool = false,
        onesided: Option<bool> = None, return_complex: Option<bool> = None
    ) => {
        let how = parts(n_fft, hop_length, win_length, window, center, normalized, onesided);
        let mode = super::arrange::pad_mode("stft", pad_mode.as_deref().unwrap_or("reflect"), None);
        let how = mode.map(|mode| how.pad_mode(mode));
        let real = return_complex == Some(false);
        how.map(|how| if real { how.stft(input).view_as_real() } else { how.stft(input) })
    };
    /// The signal whose short parts have these spectra, `[.., frequency, part]`.
    fn istft(
        input, n_fft: usize, hop_length: Option<usize> = None, win_length: Option<usize> = None,
        window: Option<TensorLike> = None, center: bool = true, normalized: bool = false, onesided: Option<bool> = None,
        length: Option<usize> = None, return_complex: bool = false
    ) => {
        let how = parts(n_fft, hop_length, win_length, window, center, normalized, onesided);
        match return_complex {
            true => how.istft_complex(input, length),
            false => how.istft(input, length),
        }
    };
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    register_ops(m)?;
    register_transforms(m)?;
    functions!(m, real, imag, complex, polar, view_as_real, view_as_complex);
    Ok(())
}
