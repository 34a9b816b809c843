//! The places where a gradient is easily infinite or NaN: what comes out there, and that it stays so.
//! Beside PyTorch's answers at the same places: `elementwise.rs`.

use wengert::{Backward, DType, Tensor, where_};

fn leaf(data: &[f64]) -> Tensor {
    Tensor::from_slice(data, [data.len()]).requires_grad_(true)
}

/// The gradient of the sum of `f` at `data`.
fn gradient(data: &[f64], f: impl Fn(&Tensor) -> Tensor) -> Vec<f64> {
    let x = leaf(data);
    f(&x).sum().backward();
    x.grad().unwrap().to_vec()
}

#[test]
fn lengths_are_flat_at_the_origin() {
    assert_eq!(gradient(&[0.0, 0.0], |x| x.norm(2.0)), [0.0, 0.0]);
    assert_eq!(gradient(&[0.0, 0.0], |x| x.norm(3.0)), [0.0, 0.0]);
    assert_eq!(gradient(&[0.0, 0.0], |x| x.norm(1.0)), [0.0, 0.0]);
    let zero = Tensor::from_slice(&[0.0f64], [1]);
    assert_eq!(gradient(&[0.0], |x| x.hypot(&zero)), [0.0]);
    assert_eq!(gradient(&[0.0], |x| x.atan2(&zero)), [0.0]);
    assert_eq!(gradient(&[0.0], |x| zero.atan2(x)), [0.0]);
}

#[test]
fn what_does_not_vary_has_no_direction_to() {
    assert_eq!(gradient(&[2.0, 2.0, 2.0], Tensor::std), [0.0; 3]);
    assert_eq!(gradient(&[2.0, 2.0, 2.0], Tensor::var), [0.0; 3]);
    // The estimate from one sample is 0/0, and so is its gradient, as in PyTorch.
    assert!(gradient(&[2.0], Tensor::var)[0].is_nan());
    assert_eq!(gradient(&[2.0], |x| x.var_dim((), 0.0, false)), [0.0]);
}

#[test]
fn powers_at_zero_are_pytorchs() {
    assert_eq!(gradient(&[0.0], |x| x.powf(0.0)), [0.0]);
    assert_eq!(gradient(&[0.0], |x| x.powf(1.0)), [1.0]);
    assert_eq!(gradient(&[0.0], |x| x.powf(2.0)), [0.0]);
    assert_eq!(gradient(&[0.0], Tensor::sqrt), [f64::INFINITY]);
    // The exponent of a zero base, and a zero exponent of any base.
    let zero = Tensor::from_slice(&[0.0f64], [1]);
    assert_eq!(gradient(&[2.0], |p| zero.pow(p)), [0.0]);
    assert_eq!(gradient(&[0.0], |x| x.pow(&zero)), [0.0]);
    assert_eq!(gradient(&[0.0], |p| zero.pow(p)), [0.0]);
}

#[test]
fn zero_times_the_logarithm_of_zero_is_zero() {
    let zero = Tensor::from_slice(&[0.0f64], [1]);
    assert_eq!(zero.xlogy(&zero).to_vec::<f64>(), [0.0]);
    assert_eq!(gradient(&[0.0], |x| x.xlogy(&zero)), [0.0]);
    assert_eq!(gradient(&[0.0], |y| zero.xlogy(y)), [0.0]);
    assert_eq!(zero.entr().to_vec::<f64>(), [0.0]);
}

#[test]
fn sums_of_exponentials_survive_infinities() {
    let inf = f64::INFINITY;
    assert_eq!(gradient(&[-inf, -inf], |x| x.logsumexp((), false)), [0.0, 0.0]);
    assert_eq!(gradient(&[-inf, 0.0], |x| x.logsumexp((), false)), [0.0, 1.0]);
    assert_eq!(
        gradient(&[-inf, -inf, 0.0], |x| x.logcumsumexp(0)),
        [0.0, 0.0, 1.0]
    );
    assert_eq!(gradient(&[1000.0, 0.0], |x| x.logsumexp((), false)), [1.0, 0.0]);
    let low = Tensor::from_slice(&[-inf], [1]);
    assert_eq!(gradient(&[-inf], |x| x.logaddexp(&low)), [0.5]);
    // A row of nothing but −∞ has no softmax.
    assert!(gradient(&[-inf, -inf], |x| x.softmax(0))[0].is_nan());
    assert_eq!(gradient(&[-inf, 0.0], |x| x.softmax(0)), [0.0, 0.0]);
}

#[test]
fn products_are_right_with_zeros() {
    assert_eq!(gradient(&[2.0, 0.0, 3.0], Tensor::prod), [0.0, 6.0, 0.0]);
    assert_eq!(gradient(&[0.0, 0.0, 3.0], Tensor::prod), [0.0; 3]);
    assert_eq!(gradient(&[2.0, 0.0, 3.0], |x| x.cumprod(0)), [1.0, 8.0, 0.0]);
}

#[test]
fn a_mask_stops_what_is_not_chosen() {
    // The branch not chosen gets zeros; where its own slope is infinite, 0 · ∞ is NaN, here as in PyTorch.
    let zero = Tensor::full_as([], 0.0, DType::F64);
    let naive = |x: &Tensor| where_(&x.gt(0.0), &x.log(), &zero);
    assert!(gradient(&[0.0], naive)[0].is_nan());
    // So the input is made harmless first.
    let one = Tensor::full_as([], 1.0, DType::F64);
    let safe = |x: &Tensor| where_(&x.gt(0.0), &where_(&x.gt(0.0), x, &one).log(), &zero);
    assert_eq!(gradient(&[0.0, 2.0], safe), [0.0, 0.5]);
    assert_eq!(gradient(&[f64::NAN, 2.0], |x| x.nansum((), false)), [0.0, 1.0]);
}

#[test]
fn gradients_of_gradients_stay_finite_there_too() {
    let second = |data: &[f64], f: &dyn Fn(&Tensor) -> Tensor| -> Vec<f64> {
        let x = leaf(data);
        let g = Backward::new()
            .create_graph(true)
            .try_grad(&f(&x).sum(), &[&x], None)
            .unwrap();
        g[0].as_ref().unwrap().sum().backward();
        x.grad().unwrap().to_vec()
    };
    assert_eq!(second(&[2.0, 0.0, 3.0], &Tensor::prod), [3.0, 5.0, 2.0]);
    assert_eq!(second(&[0.0, 0.0], &|x| x.powf(2.0)), [2.0, 2.0]);
    let finite = |v: Vec<f64>| v.iter().all(|v| v.is_finite());
    assert!(finite(second(&[2.0, 0.0, 3.0], &|x| x.cumprod(0))));
    assert!(finite(second(&[0.0, 0.0], &|x| x.norm(2.0))));
    assert!(finite(second(&[1.0, 2.0, 0.5], &|x| x.logcumsumexp(0))));
}
