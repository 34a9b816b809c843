//! Sliding windows, and their reverse.

use super::{axis, contract, ok};
use crate::autograd::Ctx;
use crate::op::{Complex, Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::{Array, Error, ErrorKind, Meta, Result, kernels, raise};

pub use kernels::Sliding;

/// y = windows along a dimension: a new last dimension holds the elements of each, the dimension counts them. A view;
/// dx = dy added up where windows overlap.
#[derive(Clone, Debug)]
pub struct Windows {
    /// Along which dimension, from the front.
    pub dim: usize,
    /// How many elements each has.
    pub size: usize,
    /// How far apart they begin.
    pub step: usize,
    /// How far apart their elements are.
    pub dilation: usize,
}

impl Windows {
    /// How many fit in `n` elements.
    fn count(&self, n: usize) -> Option<usize> {
        let reach = self.dilation * self.size.saturating_sub(1) + usize::from(self.size > 0);
        Some(n.checked_sub(reach)? / self.step + 1)
    }

    /// Where in the dimension element `i` of each window lies, window by window.
    fn places(&self, count: usize) -> Array {
        let place = |w: usize| (0..self.size).map(move |i| (w * self.step + i * self.dilation) as i64);
        let all: Vec<i64> = (0..count).flat_map(place).collect();
        Array::from_slice(&all, [all.len()])
    }
}

impl Op for Windows {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "unfold";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        let d = axis("unfold", self.dim as isize, x.shape.rank())?;
        if self.step == 0 || self.dilation == 0 {
            return Err(Error::new(
                ErrorKind::Value,
                "unfold",
                "a step of zero goes nowhere",
            ));
        }
        let Some(count) = self.count(x.shape[d]) else {
            let message = format!(
                "a window of {} elements, {} apart, does not fit dimension {d} of {}",
                self.size, self.dilation, x.shape
            );
            return Err(Error::new(ErrorKind::Shape, "unfold", message));
        };
        Ok(x.with_shape(x.shape.with(d, count).insert(x.shape.rank(), self.size)))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        x.windows(self.dim, self.size, self.step, self.dilation)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let windows = self.clone();
        let size = cx.meta(0).shape[self.dim];
        [Some(Overlap { windows, size }.apply([&dy]))]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Whole
    }
    fn samples() -> Vec<Sample<Self>> {
        let x = || Array::from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0], [5]);
        let windows = |dim, size, step, dilation| Windows {
            dim,
            size,
            step,
            dilation,
        };
        vec![
            Sample::new(windows(0, 2, 1, 2), [x()]).gives([1.0, 3.0, 2.0, 4.0, 3.0, 5.0]),
            Sample::new(windows(0, 2, 3, 1), [x()]).gives([1.0, 2.0, 4.0, 5.0]),
            Sample::new(windows(1, 2, 1, 1), [super::shape::block()]),
        ]
    }
}

/// The reverse of [`Windows`]: the elements of windows added up where they lie in a dimension of this size.
#[derive(Clone, Debug)]
pub struct Overlap {
    /// The windows.
    pub windows: Windows,
    /// The size of the dimension that they lie in.
    pub size: usize,
}

impl Op for Overlap {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "fold";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        let (d, last) = (self.windows.dim, x.shape.rank() - 1);
        let count = self.windows.count(self.size);
        if count != Some(x.shape[d]) || x.shape[last] != self.windows.size {
            let message = format!(
                "{} windows of {} elements do not lie in a dimension of size {}",
                x.shape[d], x.shape[last], self.size
            );
            return Err(Error::new(ErrorKind::Shape, "fold", message));
        }
        Ok(x.with_shape(x.shape.remove(last).with(d, self.size)))
    }
    fn forward(&self, [x]: [Array; 1], y: &Meta, _: &mut Extra) -> Array {
        let (d, last, count) = (self.windows.dim, x.rank() - 1, x.shape()[self.windows.dim]);
        // The windows' elements behind their dimension, both as one.
        let order: Vec<usize> = (0..=d).chain([last]).chain(d + 1..last).collect();
        let rows = x
            .permute(&order)
            .reshape(y.shape.with(d, count * self.windows.size));
        let zeros = Array::full(&y.shape, 0.0, y.dtype);
        kernels::index_add(zeros, d, &self.windows.places(count), &rows)
    }
    fn backward(&self, _: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        [Some(self.windows.clone().apply([&dy]))]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Parts(1)
    }
    fn samples() -> Vec<Sample<Self>> {
        let windows = |dim, size, step| Windows {
            dim,
            size,
            step,
            dilation: 1,
        };
        let x = Array::from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [3, 2]);
        vec![
            Sample::new(
                Overlap {
                    windows: windows(0, 2, 1),
                    size: 4,
                },
                [x.clone()],
            )
            .gives([1.0, 5.0, 9.0, 6.0]),
            Sample::new(
                Overlap {
                    windows: windows(0, 2, 3),
                    size: 9,
                },
                [x],
            )
            .gives([1.0, 2.0, 0.0, 3.0, 4.0, 0.0, 5.0, 6.0, 0.0]),
            Sample::new(
                Overlap {
                    windows: windows(1, 2, 2),
                    size: 6,
                },
                [super::shape::block()],
            ),
        ]
    }
}

/// y = windows of images [n, c, h, w] as columns [n, c · kh · kw, windows]; dx = dy added up where windows overlap.
#[derive(Clone, Debug)]
pub struct Columns(pub Sliding);

impl Op for Columns {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "unfold";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        let s = &self.0;
        if s.stride.contains(&0) || s.dilation.contains(&0) {
            return Err(Error::new(
                ErrorKind::Value,
                Self::NAME,
                "a step of zero goes nowhere",
            ));
        }
        let [Some(oh), Some(ow)] = [0, 1].map(|i| s.count(i, x.shape[2 + i])) else {
            let message = format!(
                "a window of {} by {} elements, {} and {} apart, does not fit images of shape {} with {} and {} zeros around them",
                s.kernel[0], s.kernel[1], s.dilation[0], s.dilation[1], x.shape, s.padding[0], s.padding[1]
            );
            return Err(Error::new(ErrorKind::Shape, Self::NAME, message));
        };
        Ok(x.with_shape([x.shape[0], x.shape[1] * s.kernel[0] * s.kernel[1], oh * ow]))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        kernels::columns(&x, &self.0)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let shape = &cx.meta(0).shape;
        let images = Images {
            size: [shape[2], shape[3]],
            channels: shape[1],
            sliding: self.0,
        };
        [Some(images.apply([&dy]))]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Parts(1)
    }
    fn samples() -> Vec<Sample<Self>> {
        let wide = Sliding {
            padding: [1, 0],
            stride: [2, 1],
            dilation: [1, 2],
            ..Sliding::new([2, 2])
        };
        let x = Array::from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1, 1, 2, 3]);
        vec![
            Sample::new(Columns(Sliding::new([2, 2])), [x.clone()])
                .gives([1.0, 2.0, 2.0, 3.0, 4.0, 5.0, 5.0, 6.0]),
            Sample::new(Columns(wide), [x]).gives([0.0, 4.0, 0.0, 6.0, 1.0, 0.0, 3.0, 0.0]),
            Sample::new(Columns(wide), [super::common::numbers(&[2, 2, 3, 4])]),
        ]
    }
}

/// The reverse of [`Columns`]: columns [n, c · kh · kw, windows] added up to images [n, c, h, w]; dx = dy as columns.
#[derive(Clone, Debug)]
pub struct Images {
    /// How high and wide the images are.
    pub size: [usize; 2],
    /// How many channels they have.
    pub channels: usize,
    /// The windows.
    pub sliding: Sliding,
}

impl Op for Images {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "fold";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        let ([h, w], [kh, kw]) = (self.size, self.sliding.kernel);
        let counts = [0, 1].map(|i| match self.sliding.stride[i] {
            0 => None,
            _ => self.sliding.count(i, self.size[i]),
        });
        let fits = match (x.shape.rank(), counts) {
            (3, [Some(oh), Some(ow)]) => x.shape[1] == self.channels * kh * kw && x.shape[2] == oh * ow,
            _ => false,
        };
        if !fits {
            let message = format!("columns of shape {} do not make images of {h} by {w}", x.shape);
            let error = Error::new(ErrorKind::Shape, Self::NAME, message);
            return Err(match counts {
                [Some(oh), Some(ow)] => error.note(format!(
                    "they need a multiple of {} rows, and {oh} · {ow} windows",
                    kh * kw
                )),
                _ => error.note("the window is larger than the image"),
            });
        }
        Ok(x.with_shape([x.shape[0], self.channels, h, w]))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        kernels::images(&x, self.size, &self.sliding)
    }
    fn backward(&self, _: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        [Some(Columns(self.sliding).apply([&dy]))]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Parts(1)
    }
    fn samples() -> Vec<Sample<Self>> {
        let images = |sliding| Images {
            size: [2, 3],
            channels: 1,
            sliding,
        };
        let x = Array::from_slice(&[1.0, 2.0, 2.0, 3.0, 4.0, 5.0, 5.0, 6.0], [1, 4, 2]);
        let padded = Sliding {
            padding: [1, 1],
            stride: [1, 2],
            ..Sliding::new([2, 1])
        };
        vec![
            Sample::new(images(Sliding::new([2, 2])), [x]).gives([1.0, 4.0, 3.0, 4.0, 10.0, 6.0]),
            Sample::new(images(padded), [super::common::numbers(&[2, 2, 9])]),
        ]
    }
}

impl Tensor {
    /// Windows of `size` elements that begin every `step` elements along `dim`: a new last dimension holds the
    /// elements of each. A view.
    ///
    /// ```
    /// # use wengert::Tensor;
    /// let x = Tensor::arange(0, 5).unfold(0, 3, 1);
    /// assert_eq!(x.to_vec::<i64>(), [0, 1, 2, 1, 2, 3, 2, 3, 4]);
    /// ```
    #[track_caller]
    pub fn unfold(&self, dim: isize, size: usize, step: usize) -> Tensor {
        if self.dim() == 0 {
            return self.reshape([1]).unfold(dim, size, step).squeeze(0);
        }
        let dim = ok(axis("unfold", dim, self.dim()));
        Windows {
            dim,
            size,
            step,
            dilation: 1,
        }
        .apply([self])
    }

    /// The windows of images as columns (im2col): [n, c, h, w] becomes [n, c·kh·kw, windows]. The batch dimension
    /// may be missing.
    #[track_caller]
    pub fn im2col(&self, sliding: Sliding) -> Tensor {
        let shape = self.shape();
        match shape.rank() {
            3 => return self.unsqueeze(0).im2col(sliding).squeeze(0),
            4 => {}
            _ => {
                let message = format!("needs images of three or four dimensions, and got shape {shape}");
                raise(Error::new(ErrorKind::Shape, "unfold", message))
            }
        }
        Columns(sliding).apply([self])
    }

    /// Columns added up to images (col2im), the reverse of [`im2col`](Tensor::im2col): [n, c·kh·kw, windows] becomes
    /// [n, c, h, w]. The batch dimension may be missing.
    #[track_caller]
    pub fn col2im(&self, size: [usize; 2], sliding: Sliding) -> Tensor {
        let shape = self.shape();
        if shape.rank() == 2 {
            return self.unsqueeze(0).col2im(size, sliding).squeeze(0);
        }
        let taps = sliding.kernel[0] * sliding.kernel[1];
        let channels = shape.get(1).map_or(0, |rows| rows / taps.max(1));
        Images {
            size,
            channels,
            sliding,
        }
        .apply([self])
    }
}

contract! {
    columns: Columns,
    images: Images,
    windows: Windows,
    overlap: Overlap,
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_array::DType;

    #[test]
    fn images_to_columns_and_back() {
        let x = Tensor::arange(0, 9)
            .to(DType::F64)
            .reshape([1, 1, 3, 3])
            .requires_grad_(true);
        let sliding = Sliding::new([2, 2]);
        let columns = x.im2col(sliding);
        assert_eq!(
            columns.to_vec::<f64>(),
            [0., 1., 3., 4., 1., 2., 4., 5., 3., 4., 6., 7., 4., 5., 7., 8.]
        );
        let back = columns.col2im([3, 3], sliding);
        assert_eq!(back.to_vec::<f64>(), [0., 2., 2., 6., 16., 10., 6., 14., 8.]);
        back.sum().backward();
        assert_eq!(
            x.grad().unwrap().to_vec::<f64>(),
            [1., 2., 1., 2., 4., 2., 1., 2., 1.]
        );
        let wide = Sliding {
            padding: [1, 0],
            stride: [2, 1],
            dilation: [1, 2],
            ..sliding
        };
        assert_eq!(x.im2col(wide).shape(), [1, 4, 2]);
    }
}
