//! Losses of orders and distances.

use super::{Reduction, ln_1p, require_same, same_shapes};
use crate::autograd::Precision;
use crate::autograd::autocast::bring;
use crate::op::{Op, Sample};
use crate::ops::common::scalar;
use crate::ops::distance::pairwise_distance;
use crate::ops::pointwise::{Map, Pointwise};
use crate::ops::{contract, ok};
use crate::tensor::Tensor;
use wengert_array::real::Real;
use wengert_array::{Array, Error, ErrorKind, raise};

fn signs() -> Array {
    Array::from_slice(&[1.0, -1.0, -1.0, 1.0, 1.0, -1.0], [2, 3])
}

fn block() -> Array {
    Array::from_slice(&[0.5, -3.0, 0.25, -0.75, 1.5, 2.75], [2, 3])
}

/// The larger of x and 0, with slope 1 at 0.
#[inline(always)]
fn at_least_zero<S: Real>(x: S) -> S {
    S::select(x.lt(S::ZERO), S::ZERO, x)
}

/// L = x where t is 1, max(0, margin − x) where it is −1, and both together elsewhere.
#[derive(Debug, Clone)]
pub struct HingeEmbedding(pub f64);

impl Pointwise<2> for HingeEmbedding {
    const NAME: &'static str = "hinge_embedding_loss";
    const SAVES: &'static [crate::op::Saves] = &[crate::op::Saves::ALL_X, crate::op::Saves::NOTHING];
    const PRECISION: Precision = Precision::Full;
    #[inline(always)]
    fn value<S: Real>(&self, [x, t]: [S; 2]) -> S {
        let hinge = at_least_zero(S::lit(self.0) - x);
        S::select(t.ne(S::ONE), hinge, S::ZERO) + S::select(t.ne(-S::ONE), x, S::ZERO)
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x, t]: [S; 2], _: S) -> [S; 2] {
        let hinge = S::select((S::lit(self.0) - x).lt(S::ZERO), S::ZERO, -dy);
        [
            S::select(t.ne(S::ONE), hinge, S::ZERO) + S::select(t.ne(-S::ONE), dy, S::ZERO),
            S::ZERO,
        ]
    }
    fn samples() -> Vec<Sample<Map<Self, 2>>> {
        let whole = Array::from_slice(&[1i64, -1, -1, 1, 1, -1], [2, 3]);
        vec![Sample::new(Map(HingeEmbedding(1.0)), [block(), whole])]
    }
}

/// L = ln(1 + e^(−t x)).
#[derive(Debug, Clone)]
pub struct SoftMargin;

impl Pointwise<2> for SoftMargin {
    const NAME: &'static str = "soft_margin_loss";
    const PRECISION: Precision = Precision::Full;
    const COST: usize = 12;
    #[inline(always)]
    fn value<S: Real>(&self, [x, t]: [S; 2]) -> S {
        let z = -(t * x);
        z.max(S::ZERO) + ln_1p((-z.abs()).exp())
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x, t]: [S; 2], _: S) -> [S; 2] {
        let slope = -(dy / (S::ONE + (t * x).exp()));
        [slope * t, slope * x]
    }
    fn samples() -> Vec<Sample<Map<Self, 2>>> {
        vec![Sample::new(Map(SoftMargin), [block(), signs()])]
    }
}

/// L = max(0, margin − t (x₁ − x₂)).
#[derive(Debug, Clone)]
pub struct MarginRanking(pub f64);

impl Pointwise<3> for MarginRanking {
    const NAME: &'static str = "margin_ranking_loss";
    const PRECISION: Precision = Precision::Full;
    #[inline(always)]
    fn value<S: Real>(&self, [a, b, t]: [S; 3]) -> S {
        at_least_zero(S::lit(self.0) - t * (a - b))
    }
    fn samples() -> Vec<Sample<Map<Self, 3>>> {
        vec![Sample::new(
            Map(MarginRanking(0.5)),
            [block(), block().slice(0, 1, 2, -1), signs()],
        )]
    }
}

/// The mean of x where the target is 1 and of max(0, margin − x) where it is −1.
///
/// # Panics
/// If the shapes differ.
#[track_caller]
pub fn hinge_embedding_loss(x: &Tensor, target: &Tensor, margin: f64, reduction: Reduction) -> Tensor {
    require_same("hinge_embedding_loss", x, target);
    reduction.of(Map(HingeEmbedding(margin)).apply([x, &target.detach()]))
}

/// The mean of ln(1 + e^(−t x)), for targets 1 and −1.
///
/// # Panics
/// If the shapes differ.
#[track_caller]
pub fn soft_margin_loss(x: &Tensor, target: &Tensor, reduction: Reduction) -> Tensor {
    require_same("soft_margin_loss", x, target);
    reduction.of(Map(SoftMargin).apply([x, target]))
}

/// The mean of max(0, margin − t (x₁ − x₂)): where the target is 1 the first should be larger, where it is −1 the second.
///
/// # Panics
/// If the shapes differ.
#[track_caller]
pub fn margin_ranking_loss(
    x1: &Tensor,
    x2: &Tensor,
    target: &Tensor,
    margin: f64,
    reduction: Reduction,
) -> Tensor {
    const NAME: &str = "margin_ranking_loss";
    ok(same_shapes(NAME, &x1.shape(), &x2.shape()));
    require_same(NAME, x1, target);
    reduction.of(Map(MarginRanking(margin)).apply([x1, x2, target]))
}

/// The mean of 1 − cos(x₁, x₂) where the target is 1 and of max(0, cos(x₁, x₂) − margin) where it is −1, for x `[n, d]` and
/// targets `[n]`, or `[d]` and one.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn cosine_embedding_loss(
    x1: &Tensor,
    x2: &Tensor,
    target: &Tensor,
    margin: f64,
    reduction: Reduction,
) -> Tensor {
    const NAME: &str = "cosine_embedding_loss";
    let (x1, x2) = (&bring(x1, Precision::Full), &bring(x2, Precision::Full));
    let (a, b, t) = (x1.shape(), x2.shape(), target.shape());
    let fits = a == b && (1..=2).contains(&a.rank()) && t.dims() == &a[..a.rank() - 1];
    if !fits {
        let message = format!("inputs of shape {a} and {b} and targets of shape {t} do not fit");
        raise(
            Error::new(ErrorKind::Shape, NAME, message)
                .note("they must be [n, d], [n, d] and [n], or [d], [d] and []"),
        );
    }
    const EPS: f64 = 1e-12;
    let dot = |x: &Tensor, y: &Tensor| (x * y).sum_dim(-1, false);
    let cos = dot(x1, x2) / ((dot(x1, x1) + EPS) * (dot(x2, x2) + EPS)).sqrt();
    let zero = scalar(0.0, cos.dtype());
    let target = target.detach();
    let near = (1.0 - &cos).where_(&target.eq(1.0), &zero);
    let far = (cos - margin).relu().where_(&target.eq(-1.0), &zero);
    reduction.of(near + far)
}

/// The mean of max(0, d(anchor, positive) − d(anchor, negative) + margin), d the p-norm of a difference (see
/// [`pairwise_distance`]); with `swap` the negative may be compared with the positive instead, whichever is nearer (Balntas
/// et al., 2016).
///
/// # Panics
/// If the shapes do not fit, or the margin is not positive.
#[track_caller]
pub fn triplet_margin_loss(
    anchor: &Tensor,
    positive: &Tensor,
    negative: &Tensor,
    margin: f64,
    p: f64,
    eps: f64,
    swap: bool,
    reduction: Reduction,
) -> Tensor {
    let distance = |a: &Tensor, b: &Tensor| pairwise_distance(a, b, p, eps, false);
    triplets(
        "triplet_margin_loss",
        [anchor, positive, negative],
        distance,
        margin,
        swap,
        reduction,
    )
}

/// [`triplet_margin_loss`] with a distance of one's own.
///
/// # Panics
/// If the shapes do not fit, or the margin is not positive.
#[track_caller]
pub fn triplet_margin_with_distance_loss(
    anchor: &Tensor,
    positive: &Tensor,
    negative: &Tensor,
    distance: impl Fn(&Tensor, &Tensor) -> Tensor,
    margin: f64,
    swap: bool,
    reduction: Reduction,
) -> Tensor {
    let name = "triplet_margin_with_distance_loss";
    triplets(
        name,
        [anchor, positive, negative],
        distance,
        margin,
        swap,
        reduction,
    )
}

#[track_caller]
fn triplets(
    name: &str,
    points: [&Tensor; 3],
    distance: impl Fn(&Tensor, &Tensor) -> Tensor,
    margin: f64,
    swap: bool,
    reduction: Reduction,
) -> Tensor {
    let [anchor, positive, negative] = &points.map(|x| bring(x, Precision::Full));
    if margin.is_nan() || margin <= 0.0 {
        raise(Error::new(
            ErrorKind::Value,
            name,
            format!("the margin must be positive, and is {margin}"),
        ));
    }
    if anchor.dim() != positive.dim() || anchor.dim() != negative.dim() {
        let message = format!(
            "anchor, positive and negative have shapes {}, {} and {}",
            anchor.shape(),
            positive.shape(),
            negative.shape()
        );
        raise(Error::new(ErrorKind::Shape, name, message).note("they must have as many dimensions each"));
    }
    let near = distance(anchor, positive);
    let mut far = distance(anchor, negative);
    if swap {
        far = far.minimum(&distance(positive, negative));
    }
    reduction.of((near - far + margin).relu())
}

contract! {
    hinge_embedding_loss: Map<HingeEmbedding, 2>,
    soft_margin_loss: Map<SoftMargin, 2>,
    margin_ranking_loss: Map<MarginRanking, 3>,
}
