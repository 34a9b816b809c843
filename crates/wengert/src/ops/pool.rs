//! Pooling: the largest element, the mean, or a power mean of each window.

use super::common::{Sizes, last, numbers};
use super::interpolate::Resample;
use super::scatter::{Gather, scattered};
use super::unpool::unpool;
use super::{contract, ok};
use crate::autograd::Ctx;
use crate::op::{Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use std::sync::Arc;
use wengert_array::kernels::{self, LinearMap, Window};
use wengert_array::{Array, Error, ErrorKind, Meta, Result, Shape};

/// y = the largest element of each window; dx = dy at its place. Of equal ones the first in row-major order counts.
#[derive(Clone, Debug)]
pub struct MaxPool {
    /// The name of the function that asked.
    pub name: &'static str,
    /// The windows along each of the last dimensions.
    pub windows: Vec<Vec<Window>>,
}

impl MaxPool {
    /// x of shape [n, channels, sizes…] with three sizes, and the windows along each.
    fn wide(&self, x: &Array) -> (Array, [Vec<Window>; 3]) {
        let shape = x.shape();
        let ones = std::iter::repeat_n(1, 5 - shape.rank());
        let five: Shape = shape[..2]
            .iter()
            .copied()
            .chain(ones)
            .chain(shape[2..].iter().copied())
            .collect();
        let single = vec![Window {
            first: 0,
            count: 1,
            step: 1,
        }];
        let windows = std::array::from_fn(|d| match (d + self.windows.len()).checked_sub(3) {
            Some(d) => self.windows[d].clone(),
            None => single.clone(),
        });
        (x.reshape(five), windows)
    }

    /// Values and places.
    fn run(&self, x: &Array) -> [Array; 2] {
        let (x, windows) = self.wide(x);
        kernels::max_pool(&x, &windows)
    }

    fn shape(&self, x: &Shape) -> Shape {
        x[..2]
            .iter()
            .copied()
            .chain(self.windows.iter().map(Vec::len))
            .collect()
    }
}

/// A shape with its last `n` dimensions as one.
pub(super) fn flat(shape: &Shape, n: usize) -> Shape {
    let at = shape.rank() - n;
    shape[..at]
        .iter()
        .copied()
        .chain([shape[at..].iter().product()])
        .collect()
}

impl Op for MaxPool {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "max_pool";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        if x.shape.rank() != self.windows.len() + 2 {
            let message = format!(
                "an input of shape {} does not have {} dimensions",
                x.shape,
                self.windows.len() + 2
            );
            return Err(Error::new(ErrorKind::Shape, self.name, message));
        }
        Ok(x.with_shape(self.shape(x.shape)))
    }
    fn forward(&self, [x]: [Array; 1], y: &Meta, extra: &mut Extra) -> Array {
        if !extra.is_read() {
            let (x, windows) = self.wide(&x);
            return kernels::max_pool_values(&x, &windows).reshape(&y.shape);
        }
        let [values, places] = self.run(&x);
        extra.keep(places);
        values.reshape(&y.shape)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let (shape, n) = (&cx.meta(0).shape, self.windows.len());
        let places = cx.extra(0).reshape(flat(&cx.output().shape, n));
        let dy = dy.reshape(flat(&cx.output().shape, n));
        let dx = scattered(&flat(shape, n), 2, &Tensor::constant(places), &dy);
        [Some(dx.reshape(shape))]
    }
    fn samples() -> Vec<Sample<Self>> {
        let x = Array::from_slice(&[1.0, 4.0, 2.0, 3.0, -1.0, 0.5, 0.25, 5.0], [1, 1, 2, 4]);
        let op = |k: usize, s: usize, n: &[usize]| MaxPool {
            name: "max_pool",
            windows: n.iter().map(|n| windows(*n, k, s, 0, 1, false)).collect(),
        };
        vec![
            Sample::new(op(2, 2, &[2, 4]), [x.clone()]).gives([4.0, 5.0]),
            Sample::new(op(2, 1, &[4]), [x.reshape([2, 1, 4])]).gives([4.0, 4.0, 3.0, 0.5, 0.5, 5.0]),
            Sample::new(op(2, 1, &[2, 3, 3]), [numbers(&[1, 2, 2, 3, 3])]),
        ]
    }
}

/// How many windows there are along a dimension, PyTorch's rule.
fn count(n: usize, k: usize, s: usize, p: usize, dilation: usize, ceil: bool) -> Option<usize> {
    let room = (n + 2 * p).checked_sub(dilation * (k - 1) + 1)?;
    let count = if ceil { room.div_ceil(s) } else { room / s } + 1;
    // A window that would begin in the padding after the input is left out.
    Some(if ceil && (count - 1) * s >= n + p {
        count - 1
    } else {
        count
    })
}

/// The windows along a dimension, without what is outside.
fn windows(n: usize, k: usize, s: usize, p: usize, dilation: usize, ceil: bool) -> Vec<Window> {
    let one = |o: usize| {
        let start = (o * s) as isize - p as isize;
        let skipped = if start < 0 {
            (-start as usize).div_ceil(dilation)
        } else {
            0
        };
        let first = (start + (skipped * dilation) as isize) as usize;
        let left = n.saturating_sub(first).div_ceil(dilation);
        Window {
            first,
            count: (k - skipped).min(left),
            step: dilation,
        }
    };
    (0..count(n, k, s, p, dilation, ceil).unwrap_or(0))
        .map(one)
        .collect()
}

/// The windows of adaptive pooling: as even as whole numbers allow.
fn even(n: usize, m: usize) -> Vec<Window> {
    let one = |o: usize| {
        let (from, to) = (o * n / m, ((o + 1) * n).div_ceil(m));
        Window {
            first: from,
            count: to - from,
            step: 1,
        }
    };
    (0..m).map(one).collect()
}

/// The arguments of pooling over `n` dimensions, checked.
struct Pool {
    name: &'static str,
    kernel: Vec<usize>,
    stride: Vec<usize>,
    padding: Vec<usize>,
    dilation: Vec<usize>,
    ceil: bool,
}

impl Pool {
    fn new(
        name: &'static str,
        n: usize,
        kernel: &Sizes,
        stride: Option<&Sizes>,
        padding: &Sizes,
        dilation: &Sizes,
        ceil: bool,
    ) -> Result<Pool> {
        let kernel = kernel.positive(name, "the kernel size", n)?;
        let stride = stride.map_or(Ok(kernel.clone()), |s| s.positive(name, "the stride", n))?;
        let padding = padding.each(name, "the padding", n)?;
        let dilation = dilation.positive(name, "the dilation", n)?;
        for d in 0..n {
            if 2 * padding[d] > dilation[d] * (kernel[d] - 1) + 1 {
                let message = format!("padding {padding:?} is too large for a kernel of size {kernel:?}");
                return Err(Error::new(ErrorKind::Value, name, message)
                    .note("more than half of the kernel's reach would leave windows with nothing in them"));
            }
        }
        Ok(Pool {
            name,
            kernel,
            stride,
            padding,
            dilation,
            ceil,
        })
    }

    fn check(&self, x: &Shape) -> Result<()> {
        for (d, &n) in last(x, self.kernel.len()).iter().enumerate() {
            let count = count(
                n,
                self.kernel[d],
                self.stride[d],
                self.padding[d],
                self.dilation[d],
                self.ceil,
            );
            if n == 0 || count.unwrap_or(0) == 0 {
                let message = format!(
                    "windows of size {:?} do not fit an input of shape {x}",
                    self.kernel
                );
                return Err(Error::new(ErrorKind::Shape, self.name, message));
            }
        }
        Ok(())
    }
}

/// x as [n, channels, sizes…], and the leading dimension that was put in.
pub(super) fn batched(name: &str, x: &Tensor, n: usize) -> Result<(Tensor, bool)> {
    match x.dim() {
        rank if rank == n + 2 => Ok((x.clone(), false)),
        rank if rank == n + 1 => Ok((x.unsqueeze(0), true)),
        _ => {
            let message = format!("cannot pool a tensor of shape {}", x.shape());
            let sizes = ["length", "height, width", "depth, height, width"][n - 1];
            Err(Error::new(ErrorKind::Shape, name, message)
                .note(format!("it must be [n, channels, {sizes}], or that without n")))
        }
    }
}

pub(super) fn unbatched(y: Tensor, alone: bool) -> Tensor {
    if alone { y.squeeze(0) } else { y }
}

/// The largest of each window and its place, as a gather at the places found.
#[track_caller]
fn with_indices(x: &Tensor, op: &MaxPool, alone: bool) -> (Tensor, Tensor) {
    let (n, shape) = (op.windows.len(), op.shape(&x.shape()));
    let places = Tensor::constant(op.run(&x.array())[1].reshape(flat(&shape, n)));
    let values = Gather(2).apply([&x.reshape(flat(&x.shape(), n)), &places]);
    (
        unbatched(values.reshape(&shape), alone),
        unbatched(places.reshape(&shape), alone),
    )
}

fn max_op(pool: Result<Pool>, x: &Tensor, n: usize) -> Result<(Tensor, bool, MaxPool)> {
    let pool = pool?;
    let (x, alone) = batched(pool.name, x, n)?;
    let shape = x.shape();
    pool.check(&shape)?;
    let list = (0..n).map(|d| {
        windows(
            shape[d + 2],
            pool.kernel[d],
            pool.stride[d],
            pool.padding[d],
            pool.dilation[d],
            pool.ceil,
        )
    });
    let op = MaxPool {
        name: pool.name,
        windows: list.collect(),
    };
    Ok((x, alone, op))
}

fn adaptive_op(
    name: &'static str,
    x: &Tensor,
    size: &[Option<usize>],
    n: usize,
) -> Result<(Tensor, bool, MaxPool)> {
    let (x, alone, size) = adaptive(name, x, size, n)?;
    let list = (0..n).map(|d| even(x.shape()[d + 2], size[d]));
    let op = MaxPool {
        name,
        windows: list.collect(),
    };
    Ok((x, alone, op))
}

fn adaptive(
    name: &'static str,
    x: &Tensor,
    size: &[Option<usize>],
    n: usize,
) -> Result<(Tensor, bool, Vec<usize>)> {
    let (x, alone) = batched(name, x, n)?;
    let old = last(&x.shape(), n);
    if size.len() != 1 && size.len() != n {
        let message = format!("{} sizes are neither one nor {n}", size.len());
        return Err(Error::new(ErrorKind::Value, name, message));
    }
    if old.contains(&0) {
        let message = format!("an input of shape {} has nothing to pool", x.shape());
        return Err(Error::new(ErrorKind::Shape, name, message));
    }
    let new = (0..n).map(|d| size[if size.len() == 1 { 0 } else { d }].unwrap_or(old[d]));
    Ok((x, alone, new.collect()))
}

fn average_op(
    pool: Result<Pool>,
    x: &Tensor,
    n: usize,
    include: bool,
    divisor: Option<i64>,
) -> Result<(Tensor, bool, Resample)> {
    let pool = pool?;
    let (x, alone) = batched(pool.name, x, n)?;
    if divisor == Some(0) {
        return Err(Error::new(ErrorKind::Value, pool.name, "a divisor of zero"));
    }
    pool.check(&x.shape())?;
    let map = |d: usize| {
        let (size, k, p) = (x.shape()[d + 2], pool.kernel[d], pool.padding[d]);
        let all = windows(size, k, pool.stride[d], p, 1, pool.ceil);
        let terms = all.into_iter().enumerate().map(|(o, w)| {
            // The padding counts, but not what lies beyond it.
            let whole = (o * pool.stride[d] + k).min(size + 2 * p) - o * pool.stride[d];
            let by = match divisor {
                Some(by) if d == 0 => by,
                Some(_) => 1,
                None if include => whole as i64,
                None => w.count as i64,
            };
            (w.first..w.first + w.count)
                .map(|i| (i, 1.0 / by as f64))
                .collect::<Vec<_>>()
        });
        (d + 2, Arc::new(LinearMap::new(size, terms)))
    };
    let maps = (0..n).map(map).collect();
    Ok((
        x,
        alone,
        Resample {
            name: pool.name,
            maps,
        },
    ))
}

fn adaptive_average(
    name: &'static str,
    x: &Tensor,
    size: &[Option<usize>],
    n: usize,
) -> Result<(Tensor, bool, Resample)> {
    let (x, alone, size) = adaptive(name, x, size, n)?;
    let map = |d: usize| {
        let old = x.shape()[d + 2];
        let terms = even(old, size[d]).into_iter();
        let terms = terms.map(|w| {
            (w.first..w.first + w.count)
                .map(|i| (i, 1.0 / w.count as f64))
                .collect::<Vec<_>>()
        });
        (d + 2, Arc::new(LinearMap::new(old, terms)))
    };
    let maps = (0..n).map(map).collect();
    Ok((x, alone, Resample { name, maps }))
}

/// The sizes of adaptive pooling: one for all dimensions or one for each; `None` keeps the input's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputSize(Vec<Option<usize>>);

impl From<usize> for OutputSize {
    fn from(n: usize) -> OutputSize {
        OutputSize(vec![Some(n)])
    }
}
impl<const N: usize> From<[usize; N]> for OutputSize {
    fn from(n: [usize; N]) -> OutputSize {
        OutputSize(n.map(Some).to_vec())
    }
}
impl<const N: usize> From<[Option<usize>; N]> for OutputSize {
    fn from(n: [Option<usize>; N]) -> OutputSize {
        OutputSize(n.to_vec())
    }
}
impl From<Vec<Option<usize>>> for OutputSize {
    fn from(n: Vec<Option<usize>>) -> OutputSize {
        OutputSize(n)
    }
}

/// x to the power p, averaged, times the number of elements, and the p-th root of that.
#[track_caller]
fn power_mean(x: &Tensor, p: f64, elements: usize, average: impl FnOnce(&Tensor) -> Tensor) -> Tensor {
    let mean = average(&x.powf(p));
    // As PyTorch, which takes the magnitude with the sign: a negative mean gives NaN, for an odd p.
    let signed = where_positive(&mean);
    (signed * elements as f64).powf(1.0 / p)
}

/// sign(x) relu(|x|).
fn where_positive(x: &Tensor) -> Tensor {
    let sign = x.gt(0.0).to(x.dtype()) - x.lt(0.0).to(x.dtype());
    sign * x.abs().relu()
}

macro_rules! pooling {
    ($($n:literal $sizes:literal $max:ident $indices:ident $average:ident $lp:ident $amax:ident $aindices:ident $aaverage:ident $unpool:ident;)*) => {$(
        #[doc = concat!("The largest element of each window of x `[n, channels, ", $sizes, "]`, which may lack n. The gradient goes to the first of equal ones.")]
        ///
        /// The stride is the kernel's size where it is `None`. Padding counts as −∞, and `ceil_mode` lets windows
        /// reach beyond it.
        ///
        /// # Panics
        /// If no window fits, or the padding is more than half of the kernel.
        #[track_caller]
        pub fn $max(
            x: &Tensor,
            kernel_size: impl Into<Sizes>,
            stride: Option<Sizes>,
            padding: impl Into<Sizes>,
            dilation: impl Into<Sizes>,
            ceil_mode: bool,
        ) -> Tensor {
            let (kernel, padding, dilation) = (kernel_size.into(), padding.into(), dilation.into());
            let pool = Pool::new(stringify!($max), $n, &kernel, stride.as_ref(), &padding, &dilation, ceil_mode);
            let (x, alone, op) = ok(max_op(pool, x, $n));
            unbatched(op.apply([&x]), alone)
        }

        #[doc = concat!("As [`", stringify!($max), "`], with the places of the largest: numbers in row-major order within each channel.")]
        #[track_caller]
        pub fn $indices(
            x: &Tensor,
            kernel_size: impl Into<Sizes>,
            stride: Option<Sizes>,
            padding: impl Into<Sizes>,
            dilation: impl Into<Sizes>,
            ceil_mode: bool,
        ) -> (Tensor, Tensor) {
            let (kernel, padding, dilation) = (kernel_size.into(), padding.into(), dilation.into());
            let pool = Pool::new(stringify!($max), $n, &kernel, stride.as_ref(), &padding, &dilation, ceil_mode);
            let (x, alone, op) = ok(max_op(pool, x, $n));
            with_indices(&x, &op, alone)
        }

        #[doc = concat!("The mean of each window of x `[n, channels, ", $sizes, "]`, which may lack n.")]
        ///
        /// The stride is the kernel's size where it is `None`. Zeros of the padding count as elements unless
        /// `count_include_pad` is false; `divisor_override` is what sums are divided by instead.
        ///
        /// # Panics
        /// If no window fits, or the padding is more than half of the kernel.
        #[track_caller]
        pub fn $average(
            x: &Tensor,
            kernel_size: impl Into<Sizes>,
            stride: Option<Sizes>,
            padding: impl Into<Sizes>,
            ceil_mode: bool,
            count_include_pad: bool,
            divisor_override: Option<i64>,
        ) -> Tensor {
            let (kernel, padding) = (kernel_size.into(), padding.into());
            let pool = Pool::new(stringify!($average), $n, &kernel, stride.as_ref(), &padding, &1.into(), ceil_mode);
            let (x, alone, op) = ok(average_op(pool, x, $n, count_include_pad, divisor_override));
            unbatched(op.apply([&x]), alone)
        }

        #[doc = concat!("The power mean, without its division, of each window of x `[n, channels, ", $sizes, "]`: (Σ xᵖ)^(1/p).")]
        ///
        /// # Panics
        /// If no window fits.
        #[track_caller]
        pub fn $lp(x: &Tensor, norm_type: f64, kernel_size: impl Into<Sizes>, stride: Option<Sizes>, ceil_mode: bool) -> Tensor {
            let kernel = kernel_size.into();
            let elements = ok(kernel.positive(stringify!($lp), "the kernel size", $n)).iter().product();
            power_mean(x, norm_type, elements, |x| {
                let pool = Pool::new(stringify!($lp), $n, &kernel, stride.as_ref(), &0.into(), &1.into(), ceil_mode);
                let (x, alone, op) = ok(average_op(pool, x, $n, true, None));
                unbatched(op.apply([&x]), alone)
            })
        }

        #[doc = concat!("The largest elements of windows that divide x `[n, channels, ", $sizes, "]` into `output_size` parts.")]
        ///
        /// # Panics
        /// If x is empty.
        #[track_caller]
        pub fn $amax(x: &Tensor, output_size: impl Into<OutputSize>) -> Tensor {
            let (x, alone, op) = ok(adaptive_op(stringify!($amax), x, &output_size.into().0, $n));
            unbatched(op.apply([&x]), alone)
        }

        #[doc = concat!("As [`", stringify!($amax), "`], with the places of the largest.")]
        #[track_caller]
        pub fn $aindices(x: &Tensor, output_size: impl Into<OutputSize>) -> (Tensor, Tensor) {
            let (x, alone, op) = ok(adaptive_op(stringify!($amax), x, &output_size.into().0, $n));
            with_indices(&x, &op, alone)
        }

        #[doc = concat!("The means of windows that divide x `[n, channels, ", $sizes, "]` into `output_size` parts.")]
        ///
        /// # Panics
        /// If x is empty.
        #[track_caller]
        pub fn $aaverage(x: &Tensor, output_size: impl Into<OutputSize>) -> Tensor {
            let (x, alone, op) = ok(adaptive_average(stringify!($aaverage), x, &output_size.into().0, $n));
            unbatched(op.apply([&x]), alone)
        }

        #[doc = concat!("The reverse of [`", stringify!($indices), "`]: zeros with the elements of x at the places `indices`.")]
        ///
        /// `output_size` are the sizes of the last dimensions, where they are not those that the pooling's arguments
        /// say.
        ///
        /// # Panics
        /// If the indices have another shape than x, or one is out of range.
        #[track_caller]
        pub fn $unpool(
            x: &Tensor,
            indices: &Tensor,
            kernel_size: impl Into<Sizes>,
            stride: Option<Sizes>,
            padding: impl Into<Sizes>,
            output_size: Option<Sizes>,
        ) -> Tensor {
            let arguments = (kernel_size.into(), stride, padding.into(), output_size);
            unpool(stringify!($unpool), x, indices, arguments, $n)
        }
    )*};
}
pooling! {
    1 "length" max_pool1d max_pool1d_with_indices avg_pool1d lp_pool1d
        adaptive_max_pool1d adaptive_max_pool1d_with_indices adaptive_avg_pool1d max_unpool1d;
    2 "height, width" max_pool2d max_pool2d_with_indices avg_pool2d lp_pool2d
        adaptive_max_pool2d adaptive_max_pool2d_with_indices adaptive_avg_pool2d max_unpool2d;
    3 "depth, height, width" max_pool3d max_pool3d_with_indices avg_pool3d lp_pool3d
        adaptive_max_pool3d adaptive_max_pool3d_with_indices adaptive_avg_pool3d max_unpool3d;
}

contract! { max_pool: MaxPool }
