//! Spectra of short parts of a signal, and the signal from them.

use super::fft::{self, Norm};
use super::pad::PadMode;
use super::sliding::{Overlap, Windows};
use super::{axis, ok};
use crate::op::Op;
use crate::tensor::Tensor;
use wengert_array::{Error, ErrorKind, raise};

/// How a signal is cut into parts and these are transformed: the arguments of `torch.stft` and their defaults.
///
/// ```
/// # use wengert::{Tensor, fft::Stft};
/// let signal = Tensor::arange(0, 64).to(wengert::DType::F32).sin();
/// let how = Stft::new(16).window(Tensor::ones([16]));
/// let spectra = how.stft(&signal);
/// assert_eq!(spectra.shape().dims(), [9, 17]);
/// let back = how.istft(&spectra, Some(64));
/// assert!(back.allclose(&signal, 1e-4, 1e-5));
/// ```
#[derive(Clone, Debug)]
pub struct Stft {
    n_fft: usize,
    hop: usize,
    window: Option<Tensor>,
    win_length: usize,
    center: bool,
    pad_mode: PadMode,
    normalized: bool,
    onesided: Option<bool>,
}

impl Stft {
    /// Parts of `n_fft` samples, a quarter of that apart, around their times, reflected at the ends.
    pub fn new(n_fft: usize) -> Stft {
        Stft {
            n_fft,
            hop: n_fft / 4,
            window: None,
            win_length: n_fft,
            center: true,
            pad_mode: PadMode::Reflect,
            normalized: false,
            onesided: None,
        }
    }

    /// How far apart parts are.
    #[must_use]
    pub fn hop_length(mut self, hop: usize) -> Stft {
        self.hop = hop;
        self
    }

    /// The factors of a part's samples; ones by default.
    #[must_use]
    pub fn window(mut self, window: Tensor) -> Stft {
        self.window = Some(window);
        self
    }

    /// How long the window is, in the middle of a part.
    #[must_use]
    pub fn win_length(mut self, n: usize) -> Stft {
        self.win_length = n;
        self
    }

    /// Whether a part's time is that of its middle, for which the signal is padded.
    #[must_use]
    pub fn center(mut self, on: bool) -> Stft {
        self.center = on;
        self
    }

    /// How it is padded.
    #[must_use]
    pub fn pad_mode(mut self, mode: PadMode) -> Stft {
        self.pad_mode = mode;
        self
    }

    /// Whether spectra are divided by the root of `n_fft`.
    #[must_use]
    pub fn normalized(mut self, on: bool) -> Stft {
        self.normalized = on;
        self
    }

    /// Whether only the first half of each spectrum is given; by default it is for real signals.
    #[must_use]
    pub fn onesided(mut self, on: bool) -> Stft {
        self.onesided = Some(on);
        self
    }

    fn norm(&self) -> Norm {
        if self.normalized {
            Norm::Ortho
        } else {
            Norm::Backward
        }
    }

    /// The window in the middle of `n_fft` samples.
    #[track_caller]
    fn weights(&self, op: &str, like: &Tensor) -> Tensor {
        if self.n_fft == 0 || self.hop == 0 || self.win_length == 0 || self.win_length > self.n_fft {
            let message = format!(
                "n_fft {}, hop_length {} and win_length {} do not go together",
                self.n_fft, self.hop, self.win_length
            );
            raise(
                Error::new(ErrorKind::Value, op, message)
                    .note("all are above zero, and a window is at most as long as a part"),
            );
        }
        let window = match &self.window {
            Some(w) => w.clone(),
            None => Tensor::full_as([self.win_length], 1.0, like.dtype().real()),
        };
        if window.shape()[..] != [self.win_length] {
            let message = format!(
                "a window of shape {} does not have win_length {}",
                window.shape(),
                self.win_length
            );
            raise(Error::new(ErrorKind::Shape, op, message));
        }
        let left = (self.n_fft - self.win_length) / 2;
        let right = self.n_fft - self.win_length - left;
        window.pad([left as isize, right as isize], PadMode::Constant(0.0))
    }

    /// The spectra of a signal `[time]` or of several `[batch, time]`: `[.., frequency, part]`.
    ///
    /// # Panics
    /// If the signal is shorter than a part, or the arguments do not go together.
    #[track_caller]
    pub fn stft(&self, x: &Tensor) -> Tensor {
        let window = self.weights("stft", x);
        let complex = x.dtype().is_complex() || window.dtype().is_complex();
        let mut x = match x.dim() {
            1 | 2 => x.clone(),
            n => {
                let message = format!("needs a signal or a batch of them, and got {n} dimensions");
                raise(Error::new(ErrorKind::Shape, "stft", message))
            }
        };
        if self.center {
            let half = (self.n_fft / 2) as isize;
            x = x.pad([half, half], self.pad_mode);
        }
        if x.size(-1) < self.n_fft {
            let message = format!(
                "a signal of {} samples is shorter than n_fft {}",
                x.size(-1),
                self.n_fft
            );
            raise(Error::new(ErrorKind::Value, "stft", message));
        }
        let parts = x.unfold(-1, self.n_fft, self.hop) * window;
        let half = self.onesided.unwrap_or(!complex);
        if half && complex {
            let error = Error::new(
                ErrorKind::Value,
                "stft",
                "a complex signal has no one-sided spectrum",
            );
            raise(error.help("pass onesided = false"));
        }
        let spectra = match half {
            true => fft::rfft(&parts, None, -1, self.norm()),
            false => fft::fft(&parts, None, -1, self.norm()),
        };
        spectra.transpose(-2, -1)
    }

    /// The signal whose spectra these are nearest to (Griffin and Lim, 1984), of `length` samples: parts are weighted by
    /// the window, added up, and divided by the sum of the squared windows.
    ///
    /// # Panics
    /// If the spectra do not fit `n_fft`, or the windows leave out some sample.
    #[track_caller]
    pub fn istft(&self, spectra: &Tensor, length: Option<usize>) -> Tensor {
        self.inverse(spectra, length, false)
    }

    /// As [`istft`](Stft::istft), of spectra of a complex signal.
    #[track_caller]
    pub fn istft_complex(&self, spectra: &Tensor, length: Option<usize>) -> Tensor {
        self.inverse(spectra, length, true)
    }

    #[track_caller]
    fn inverse(&self, spectra: &Tensor, length: Option<usize>, complex: bool) -> Tensor {
        let window = self.weights("istft", spectra);
        let half = self
            .onesided
            .unwrap_or(spectra.dim() >= 2 && spectra.size(-2) != self.n_fft);
        let frequencies = if half { self.n_fft / 2 + 1 } else { self.n_fft };
        if !matches!(spectra.dim(), 2 | 3) || spectra.size(-2) != frequencies || spectra.size(-1) == 0 {
            let message = format!(
                "spectra of shape {} are not [batch, {frequencies} frequencies, parts] of n_fft {}",
                spectra.shape(),
                self.n_fft
            );
            raise(Error::new(ErrorKind::Shape, "istft", message));
        }
        let columns = spectra.transpose(-2, -1);
        let parts = match (half, complex) {
            // Of a spectrum with both sides, the first says all of a real signal.
            (_, false) => fft::irfft(&columns, Some(self.n_fft), -1, self.norm()),
            (true, true) => raise(Error::new(
                ErrorKind::Value,
                "istft",
                "a complex signal has no one-sided spectrum",
            )),
            (false, true) => fft::ifft(&columns, None, -1, self.norm()),
        };
        let signal = self.overlapped(&(parts * &window));
        let squares = window.square().expand([spectra.size(-1), self.n_fft]);
        let weights = self.overlapped(&squares);
        let start = if self.center { self.n_fft / 2 } else { 0 };
        let whole = signal.size(-1);
        let end = match length {
            Some(n) => (start + n).min(whole),
            None if self.center => whole - self.n_fft / 2,
            None => whole,
        };
        let len = end.saturating_sub(start);
        let (signal, weights) = (signal.narrow(-1, start, len), weights.narrow(-1, start, len));
        if len == 0 || weights.abs().min().item() < 1e-11 {
            raise(
                Error::new(ErrorKind::Value, "istft", "the windows leave out samples")
                    .note("each must have a weight above zero in some part"),
            );
        }
        let signal = signal / weights;
        match length {
            Some(n) if n > len => signal.pad([0, (n - len) as isize], PadMode::Constant(0.0)),
            _ => signal,
        }
    }

    /// Parts `[.., part, n_fft]` added up where they lie.
    fn overlapped(&self, parts: &Tensor) -> Tensor {
        let d = ok(axis("istft", -2, parts.dim()));
        let size = (parts.size(-2) - 1) * self.hop + self.n_fft;
        let windows = Windows {
            dim: d,
            size: self.n_fft,
            step: self.hop,
            dilation: 1,
        };
        Overlap { windows, size }.apply([parts])
    }
}
