//! Single operations, forward and backward.

use super::{Parts, Workload, of};
use wengert::nn::functional as F;
use wengert::{DType, Tensor, fft, no_grad};

pub(super) fn matmul(parts: &Parts<'_>) -> Option<Workload> {
    let (m, k, n) = (parts.size(0)?, parts.size(1)?, parts.size(2)?);
    let (a, b) = match parts.word(3) {
        Some("nt") => (Tensor::randn([m, k]), Tensor::randn([n, k]).t()),
        Some("tn") => (Tensor::randn([k, m]).t(), Tensor::randn([k, n])),
        _ => (Tensor::randn([m, k]), Tensor::randn([k, n])),
    };
    of(1, move || {
        no_grad(|| std::hint::black_box(a.matmul(&b)));
    })
}

pub(super) fn batched(parts: &Parts<'_>) -> Option<Workload> {
    let (batch, n) = (parts.size(0)?, parts.size(1)?);
    let (a, b) = (Tensor::randn([batch, n, n]), Tensor::randn([batch, n, n]));
    of(1, move || {
        no_grad(|| std::hint::black_box(a.matmul(&b)));
    })
}

/// `f` without a record, or with one and then back to `x` and to `others`.
fn once_or_back(
    train: bool,
    x: Tensor,
    others: Vec<Tensor>,
    f: impl Fn(&Tensor, &[Tensor]) -> Tensor + 'static,
) -> Option<Workload> {
    if !train {
        return of(1, move || {
            no_grad(|| std::hint::black_box(f(&x, &others)));
        });
    }
    let dy = no_grad(|| f(&x, &others).ones_like());
    let x = x.requires_grad_(true);
    let others: Vec<Tensor> = others.into_iter().map(|o| o.requires_grad_(true)).collect();
    of(1, move || {
        x.zero_grad();
        others.iter().for_each(Tensor::zero_grad);
        f(&x, &others).backward_with(&dy);
    })
}

pub(super) fn elementwise(parts: &Parts<'_>) -> Option<Workload> {
    let (n, train) = (parts.size(1)?, parts.has("train"));
    let x = Tensor::randn([n / 1024, 1024]);
    let f: fn(&Tensor, &[Tensor]) -> Tensor = match parts.word(0)? {
        "relu" => |x, _| x.relu(),
        "add" => {
            let other = Tensor::randn([n / 1024, 1024]);
            return match train {
                false => once_or_back(false, x, vec![other], |x, y| x + &y[0]),
                // PyTorch's has no gradient for the other either.
                true => once_or_back(true, x, vec![], move |x, _| x + &other),
            };
        }
        "exp" => |x, _| x.exp(),
        "gelu" => |x, _| x.gelu(),
        "sum" => |x, _| x.sum(),
        "softmax" => |x, _| x.softmax(-1),
        "layer_norm" => {
            let wb = vec![Tensor::rand([1024]), Tensor::rand([1024])];
            return once_or_back(train, x, wb, |x, wb| {
                F::layer_norm(x, &[1024], Some(&wb[0]), Some(&wb[1]), 1e-5)
            });
        }
        _ => return None,
    };
    once_or_back(train, x, vec![], f)
}

/// `conv:images,in,out,size,kernel,stride,groups[,train]`, padded by half the kernel.
pub(super) fn convolution(parts: &Parts<'_>) -> Option<Workload> {
    let (images, from, to, side) = (parts.size(0)?, parts.size(1)?, parts.size(2)?, parts.size(3)?);
    let (kernel, stride, groups) = (parts.size(4)?, parts.size(5)?, parts.size(6)?);
    let x = Tensor::randn([images, from, side, side]);
    let w = vec![Tensor::randn([to, from / groups, kernel, kernel]) * 0.1];
    once_or_back(parts.has("train"), x, w, move |x, w| {
        F::conv2d(x, &w[0], None, stride, kernel / 2, 1, groups)
    })
}

/// `grid_sample:images,channels,side[,train]`, bilinear, zeros outside.
pub(super) fn grid_sample(parts: &Parts<'_>) -> Option<Workload> {
    let (images, channels, side) = (parts.size(0)?, parts.size(1)?, parts.size(2)?);
    let x = Tensor::randn([images, channels, side, side]);
    let grid = vec![Tensor::rand([images, side, side, 2]) * 2.2 - 1.1];
    once_or_back(parts.has("train"), x, grid, |x, grid| {
        F::grid_sample(x, &grid[0], "bilinear", "zeros", false)
    })
}

/// `attention:batch,heads,length,width[,train]`, causal.
/// The transform of rows of real numbers, or of complex ones; or a product of complex numbers.
pub(super) fn spectra(kind: &str, parts: &Parts<'_>) -> Option<Workload> {
    let shape = [parts.size(0)?, parts.size(1)?];
    let complex = || Tensor::normal_as(shape, 0.0, 1.0, DType::C64);
    let (x, others, f): (_, _, fn(&Tensor, &[Tensor]) -> Tensor) = match kind {
        "rfft" => (Tensor::randn(shape), vec![], |x, _| {
            fft::rfft(x, None, -1, fft::Norm::Backward)
        }),
        "fft" => (complex(), vec![], |x, _| {
            fft::fft(x, None, -1, fft::Norm::Backward)
        }),
        _ => (complex(), vec![complex()], |x, y| x * &y[0]),
    };
    once_or_back(parts.has("train"), x, others, f)
}

pub(super) fn attention(parts: &Parts<'_>) -> Option<Workload> {
    let shape = [parts.size(0)?, parts.size(1)?, parts.size(2)?, parts.size(3)?];
    let others = vec![Tensor::randn(shape), Tensor::randn(shape)];
    once_or_back(parts.has("train"), Tensor::randn(shape), others, |q, kv| {
        F::scaled_dot_product_attention(q, &kv[0], &kv[1], None, 0.0, true, None, false)
    })
}
