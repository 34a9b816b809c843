//! Fractional max pooling (Graham, 2014): windows whose distances vary at random around a fraction.

use super::common::Sizes;
use super::ok;
use super::pool::{batched, flat, unbatched};
use super::scatter::Gather;
use crate::op::Op;
use crate::random::with_generator;
use crate::tensor::Tensor;
use wengert_array::kernels::{self, Window};
use wengert_array::{Array, DType, Error, ErrorKind, Result, Shape};

/// The windows along a line of n elements: `m` of size `k`, spread by a random number in [0, 1).
fn line(sample: f64, n: usize, m: usize, k: usize) -> Vec<Window> {
    let alpha = if m > 1 {
        (n - k) as f64 / (m - 1) as f64
    } else {
        0.0
    };
    let at = |i: usize| match i + 1 == m {
        true => n - k,
        false => ((i as f64 + sample) * alpha) as usize - (sample * alpha) as usize,
    };
    (0..m)
        .map(|i| Window {
            first: at(i),
            count: k,
            step: 1,
        })
        .collect()
}

type Prepared = (Tensor, bool, Vec<usize>, Vec<usize>, Vec<f64>);

fn prepare(
    name: &str,
    x: &Tensor,
    kernel: &Sizes,
    size: &Sizes,
    samples: Option<&Tensor>,
    n: usize,
) -> Result<Prepared> {
    let kernel = kernel.positive(name, "the kernel size", n)?;
    let size = size.positive(name, "the output size", n)?;
    let (x, alone) = batched(name, x, n)?;
    let shape = x.shape();
    for d in 0..n {
        if size[d] + kernel[d] > shape[d + 2] + 1 {
            let message = format!("{size:?} windows of size {kernel:?} do not fit an input of shape {shape}");
            return Err(Error::new(ErrorKind::Shape, name, message));
        }
    }
    let wanted: Shape = [shape[0], shape[1], n].into();
    let samples = match samples {
        Some(s) if s.shape() != wanted => {
            let message = format!("random samples of shape {} must have shape {wanted}", s.shape());
            return Err(Error::new(ErrorKind::Shape, name, message));
        }
        Some(s) => s.to_vec(),
        None => with_generator(|g| g.uniform(&wanted, 0.0, 1.0, DType::F64)).to_vec(),
    };
    Ok((x, alone, kernel, size, samples))
}

#[track_caller]
fn pool(
    name: &str,
    x: &Tensor,
    kernel: &Sizes,
    size: &Sizes,
    samples: Option<&Tensor>,
    n: usize,
) -> (Tensor, Tensor) {
    let (x, alone, kernel, size, samples) = ok(prepare(name, x, kernel, size, samples, n));
    let (shape, array) = (x.shape(), x.array());
    let planes = shape[0] * shape[1];
    let ones = std::iter::repeat_n(1, 3 - n);
    let five: Shape = [planes, 1]
        .into_iter()
        .chain(ones)
        .chain(shape[2..].iter().copied())
        .collect();
    let seen = array.reshape(five);
    let single = vec![Window {
        first: 0,
        count: 1,
        step: 1,
    }];
    let mut places: Vec<i64> = Vec::new();
    for p in 0..planes {
        let windows: [Vec<Window>; 3] = std::array::from_fn(|d| match (d + n).checked_sub(3) {
            // In two dimensions the first number is for the width, as in PyTorch.
            Some(d) => line(
                samples[p * n + if n == 2 { 1 - d } else { d }],
                shape[d + 2],
                size[d],
                kernel[d],
            ),
            None => single.clone(),
        });
        let [_, index] = kernels::max_pool(&seen.slice(0, p, 1, 1), &windows);
        places.extend(index.as_slice::<i64>());
    }
    let result: Shape = shape[..2].iter().copied().chain(size).collect();
    let places = Tensor::constant(Array::from_slice(&places, flat(&result, n)));
    let values = Gather(2).apply([&x.reshape(flat(&shape, n)), &places]);
    (
        unbatched(values.reshape(&result), alone),
        unbatched(places.reshape(&result), alone),
    )
}

macro_rules! fractional {
    ($($name:ident $n:literal $sizes:literal)*) => {$(
        #[doc = concat!("The largest elements, and their places, of windows of one size whose distances vary at random, for x `[n, channels, ", $sizes, "]`, which may lack n. `samples` `[n, channels, ", stringify!($n), "]` are the random numbers, in [0, 1).")]
        ///
        /// # Panics
        /// If the windows do not fit.
        #[track_caller]
        pub fn $name(
            x: &Tensor,
            kernel_size: impl Into<Sizes>,
            output_size: impl Into<Sizes>,
            samples: Option<&Tensor>,
        ) -> (Tensor, Tensor) {
            pool(stringify!($name), x, &kernel_size.into(), &output_size.into(), samples, $n)
        }
    )*};
}
fractional! {
    fractional_max_pool2d 2 "height, width"
    fractional_max_pool3d 3 "depth, height, width"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_reach_from_end_to_end() {
        for sample in [0.0, 0.3, 0.999] {
            let windows = line(sample, 11, 5, 2);
            assert_eq!((windows[0].first, windows[4].first), (0, 9));
            assert!(
                windows
                    .windows(2)
                    .all(|w| (1..=3).contains(&(w[1].first - w[0].first)))
            );
        }
    }

    #[test]
    fn the_gradient_goes_to_the_largest() {
        let x = Tensor::randn([2, 3, 7, 8]).requires_grad_(true);
        let (y, places) = fractional_max_pool2d(&x, 2, [4, 5], None);
        assert_eq!(
            (y.shape().dims(), places.shape().dims()),
            (&[2, 3, 4, 5][..], &[2, 3, 4, 5][..])
        );
        y.sum().backward();
        assert_eq!(x.grad().unwrap().sum().item(), 120.0);
    }
}
