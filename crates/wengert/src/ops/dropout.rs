//! Dropout. Which elements are dropped depends on the seed and on their places, and not on the number of threads.

use super::pair::Pair;
use super::pointwise::{Kind, Map, Pointwise};
use super::{contract, ok};
use crate::op::{Op, Sample, Saves};
use crate::random::with_generator;
use crate::tensor::Tensor;
use wengert_array::real::Real;
use wengert_array::{Array, Error, ErrorKind, Result, Shape};

/// y = c x where the mask holds, else 0; dx = c dy there.
#[derive(Debug, Clone)]
pub struct Dropout(pub f64);

impl Pointwise<2> for Dropout {
    const NAME: &'static str = "dropout";
    const KIND: Kind = Kind::Choose;
    const SAVES: &'static [Saves] = &[Saves::NOTHING, Saves::x(0)];
    #[inline(always)]
    fn value<S: Real>(&self, [mask, x]: [S; 2]) -> S {
        S::select(mask.ne(S::ZERO), x * S::lit(self.0), S::ZERO)
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [mask, _]: [S; 2], _: S) -> [S; 2] {
        [S::ZERO, S::select(mask.ne(S::ZERO), dy * S::lit(self.0), S::ZERO)]
    }
    fn complex(&self, [mask, z]: [Pair; 2]) -> Option<Pair> {
        z.scale(self.0)
            .where_(&mask.re, &Pair::of_real(z.re.zeros_like()))
    }
    fn samples() -> Vec<Sample<Map<Self, 2>>> {
        let mask = Array::from_slice(&[true, false, true, true], [2, 2]);
        vec![
            Sample::new(
                Map(Dropout(2.0)),
                [mask, Array::from_slice(&[1.0, 2.0, -3.0, 0.5], [2, 2])],
            )
            .gives([2.0, 0.0, -6.0, 1.0]),
        ]
    }
}

fn probability(op: &str, p: f64) -> Result<()> {
    match (0.0..=1.0).contains(&p) {
        true => Ok(()),
        false => Err(Error::new(
            ErrorKind::Value,
            op,
            format!("the probability of dropping must be in [0, 1], and is {p}"),
        )),
    }
}

/// Bools, each true with probability 1 − p.
fn kept(shape: &Shape, p: f64) -> Tensor {
    Tensor::constant(with_generator(|g| g.bernoulli(shape, 1.0 - p)))
}

#[track_caller]
fn drop_at(x: &Tensor, shape: &Shape, p: f64) -> Tensor {
    let c = if p < 1.0 { 1.0 / (1.0 - p) } else { 0.0 };
    Map(Dropout(c)).apply([&kept(shape, p), x])
}

/// When `training`, x with each element zero with probability p and else divided by 1 − p (Srivastava et al., 2014); else x.
///
/// # Panics
/// If p is not in [0, 1].
#[track_caller]
pub fn dropout(x: &Tensor, p: f64, training: bool) -> Tensor {
    ok(probability("dropout", p));
    if !training || p == 0.0 {
        return x.clone();
    }
    drop_at(x, &x.shape(), p)
}

/// x's shape with all dimensions after the channels' of size 1.
fn channels(op: &str, x: &Tensor, ranks: [usize; 2]) -> Result<Shape> {
    let (shape, rank) = (x.shape(), x.dim());
    if !ranks.contains(&rank) {
        let message = format!(
            "an input of shape {shape} has neither {} nor {} dimensions",
            ranks[0], ranks[1]
        );
        return Err(Error::new(ErrorKind::Shape, op, message));
    }
    let kept = if rank == ranks[0] { 1 } else { 2 };
    Ok((0..rank).map(|d| if d < kept { shape[d] } else { 1 }).collect())
}

macro_rules! channel_dropout {
    ($($name:ident $low:literal $high:literal $sizes:literal;)*) => {$(
        #[doc = concat!("As [`dropout`], with whole channels of x `[n, channels, ", $sizes, "]`, which may lack n, dropped together (Tompson et al., 2015).")]
        ///
        /// # Panics
        /// If p is not in [0, 1], or x has another number of dimensions.
        #[track_caller]
        pub fn $name(x: &Tensor, p: f64, training: bool) -> Tensor {
            const NAME: &str = stringify!($name);
            ok(probability(NAME, p));
            let shape = ok(channels(NAME, x, [$low, $high]));
            if !training || p == 0.0 {
                return x.clone();
            }
            drop_at(x, &shape, p)
        }
    )*};
}
channel_dropout! {
    dropout1d 2 3 "length";
    dropout2d 3 4 "height, width";
    dropout3d 4 5 "depth, height, width";
}

/// What selu tends to for large negative numbers.
const ALPHA: f64 = -1.758_099_340_847_376_6;

#[track_caller]
fn alpha(x: &Tensor, shape: &Shape, p: f64) -> Tensor {
    if p == 1.0 {
        return x * 0.0;
    }
    // a and b bring mean and variance back to 0 and 1.
    let a = 1.0 / ((1.0 - p) * (1.0 + p * ALPHA * ALPHA)).sqrt();
    let keep = kept(shape, p);
    let lost = keep.logical_not().to(x.dtype()) * (ALPHA * a);
    Map(Dropout(a)).apply([&keep, x]) + (lost - ALPHA * a * p)
}

/// Dropout that keeps mean 0 and variance 1, to be used with selu (Klambauer et al., 2017): what is dropped becomes selu's
/// lowest value.
///
/// # Panics
/// If p is not in [0, 1].
#[track_caller]
pub fn alpha_dropout(x: &Tensor, p: f64, training: bool) -> Tensor {
    ok(probability("alpha_dropout", p));
    if !training || p == 0.0 {
        return x.clone();
    }
    alpha(x, &x.shape(), p)
}

/// [`alpha_dropout`] of whole channels of x `[n, channels, ..]`.
///
/// # Panics
/// If p is not in [0, 1], or x has fewer than two dimensions.
#[track_caller]
pub fn feature_alpha_dropout(x: &Tensor, p: f64, training: bool) -> Tensor {
    const NAME: &str = "feature_alpha_dropout";
    ok(probability(NAME, p));
    if !training || p == 0.0 {
        return x.clone();
    }
    let shape = ok(match x.dim() {
        0 | 1 => Err(Error::new(
            ErrorKind::Shape,
            NAME,
            format!("an input of shape {} has no channels", x.shape()),
        )),
        rank => Ok((0..rank)
            .map(|d| if d < 2 { x.shape()[d] } else { 1 })
            .collect::<Shape>()),
    });
    alpha(x, &shape, p)
}

contract! { dropout: Map<Dropout, 2> }

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fork_rng;

    #[test]
    fn drops_the_share_asked_for_and_passes_gradients_where_it_did_not() {
        fork_rng(3, share_and_gradients);
    }

    fn share_and_gradients() {
        let x = Tensor::ones([100, 200]).requires_grad_(true);
        let y = dropout(&x, 0.25, true);
        let share = y.eq(0.0).to(x.dtype()).mean().item();
        assert!((share - 0.25).abs() < 0.01, "{share}");
        assert!((y.mean().item() - 1.0).abs() < 0.02);
        y.sum().backward();
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), y.to_vec::<f32>());
        let planes = dropout2d(&Tensor::ones([20, 30, 3, 3]), 0.5, true);
        let sums = planes.sum_dim([2, 3], false);
        assert!(sums.to_vec::<f32>().iter().all(|v| *v == 0.0 || *v == 18.0));
        assert!(dropout(&x, 0.5, false).is(&x));
    }

    #[test]
    fn alpha_dropout_keeps_mean_and_variance() {
        for p in [0.1, 0.5] {
            let y = fork_rng(4, || alpha_dropout(&Tensor::randn([400, 300]), p, true));
            let var = (&y - y.mean()).square().mean().item();
            assert!(y.mean().item().abs() < 0.02 && (var - 1.0).abs() < 0.03, "{var}");
        }
    }
}
