//! What composes, beside closed forms. Numbers from PyTorch are in `tests/func.rs`.

use super::*;
use crate::nn::{Layer, Linear, Module};
use crate::{catch, fork_rng, no_grad, s, with_generator};
use wengert_array::DType;

fn vector() -> Tensor {
    Tensor::from_slice(&[0.5, -1.25, 2.0], [3])
}

fn close(a: &Tensor, b: &Tensor) {
    assert_eq!((a.shape(), a.dtype()), (b.shape(), b.dtype()));
    assert!(a.allclose(b, 1e-12, 1e-12), "{a}\n{b}");
}

/// f(x) = Σ xᵢ³ + x₀x₁x₂
fn cubic(x: &Tensor) -> Tensor {
    (x * x * x).sum() + x.index(0) * x.index(1) * x.index(2)
}

fn cubic_gradient(x: &[f64]) -> Tensor {
    let g = [
        3.0 * x[0] * x[0] + x[1] * x[2],
        3.0 * x[1] * x[1] + x[0] * x[2],
        3.0 * x[2] * x[2] + x[0] * x[1],
    ];
    Tensor::from_slice(&g, [3])
}

fn cubic_hessian(x: &[f64]) -> Tensor {
    let h = [
        6.0 * x[0],
        x[2],
        x[1],
        x[2],
        6.0 * x[1],
        x[0],
        x[1],
        x[0],
        6.0 * x[2],
    ];
    Tensor::from_slice(&h, [3, 3])
}

#[test]
fn gradients_and_hessians_are_the_closed_forms() {
    let (x, at) = (vector(), vector().to_vec::<f64>());
    let (value, g) = value_and_grad(cubic)(&x);
    close(&g, &cubic_gradient(&at));
    close(&value, &cubic(&x));
    assert!(!value.requires_grad() && !g.requires_grad());
    close(&hessian(cubic)(&x), &cubic_hessian(&at));
    close(&jacfwd(grad(cubic))(&x), &cubic_hessian(&at));
    close(&jacfwd(jacfwd(cubic))(&x), &cubic_hessian(&at));
    close(&jacrev(jacfwd(cubic))(&x), &cubic_hessian(&at));
    let v = Tensor::from_slice(&[1.0, -2.0, 0.5], [3]);
    for product in [hvp(cubic, &x, &v).1, vhp(cubic, &x, &v).1] {
        close(&product, &cubic_hessian(&at).matmul(&v));
    }
    // Hessian-vector products in their other forms: forward over reverse, reverse over forward.
    close(&jvp(grad(cubic), &x, &v).1, &cubic_hessian(&at).matmul(&v));
    let along = |x: &Tensor| jvp(cubic, x, &v).1;
    close(&grad(along)(&x), &cubic_hessian(&at).matmul(&v));
}

#[test]
fn levels_do_not_mix() {
    // d/dx (x · d/dy (x + y)) = 1: a mix-up of the two variables gives 2.
    let f = |x: &Tensor| x * grad(|y: &Tensor| x + y)(&Tensor::new(1.0));
    assert_eq!(grad(f)(&Tensor::new(2.0)).item(), 1.0);
    let f = |x: &Tensor| x * jvp(|y: &Tensor| x + y, &Tensor::new(1.0), &Tensor::new(1.0)).1;
    assert_eq!(grad(f)(&Tensor::new(2.0)).item(), 1.0);
    let f = |x: &Tensor| x * grad(|y: &Tensor| x * y * y)(&Tensor::new(3.0));
    // x · 2xy = 6x²
    assert_eq!(grad(f)(&Tensor::new(2.0)).item(), 24.0);
}

#[test]
fn transforms_take_part_in_ordinary_graphs() {
    let w = Tensor::new([2.0, 3.0]).requires_grad_(true);
    let x = Tensor::new([1.0, -1.0]).requires_grad_(true);
    // ∇ₓ Σ w x³ = 3 w x², whose sum has the gradients 3x² and 6wx.
    let slope = grad(|x: &Tensor| (&w * x * x * x).sum())(&x);
    slope.sum().backward();
    assert_eq!(w.grad().unwrap().to_vec::<f32>(), [3.0, 3.0]);
    assert_eq!(x.grad().unwrap().to_vec::<f32>(), [12.0, -18.0]);
    // And leave no trace where nobody records.
    assert!(!no_grad(|| grad(|x: &Tensor| (&w * x).sum())(&x)).requires_grad());
    assert_eq!(w.grad().unwrap().to_vec::<f32>(), [3.0, 3.0]);
}

#[test]
fn unused_inputs_and_constants_have_zeros() {
    let x = (vector(), Tensor::from_slice(&[1.0], [1]));
    let (a, b) = grad(|x: &(Tensor, Tensor)| x.0.sum())(&x);
    assert_eq!((a.to_vec::<f64>(), b.to_vec::<f64>()), (vec![1.0; 3], vec![0.0]));
    let constant = |_: &Tensor| Tensor::from_slice(&[7.0, 8.0], [2]);
    assert_eq!(jvp(constant, &vector(), &vector()).1.to_vec::<f64>(), [0.0; 2]);
    assert_eq!(
        vjp(constant, &vector()).1(&Tensor::from_slice(&[1.0, 1.0], [2])).to_vec::<f64>(),
        [0.0; 3]
    );
    assert_eq!(jacrev(constant)(&vector()).to_vec::<f64>(), [0.0; 6]);
    assert_eq!(jacfwd(constant)(&vector()).to_vec::<f64>(), [0.0; 6]);
    let empty = Tensor::zeros([0]);
    assert_eq!(jacrev(|x: &Tensor| x * 2.0)(&empty).shape().dims(), [0, 0]);
    assert_eq!(jacfwd(|x: &Tensor| x * 2.0)(&empty).shape().dims(), [0, 0]);
}

#[test]
fn jacobians_keep_the_structures() {
    let f = |(a, b): &(Tensor, Tensor)| (a.matmul(b), [a.sum()]);
    let (a, b) = (
        Tensor::from_slice(&[1.0, 2.0, 3.0, 4.0], [2, 2]),
        Tensor::from_slice(&[5.0, 6.0], [2]),
    );
    let x = (a.clone(), b.clone());
    let ((ya, yb), [(sa, sb)]) = jacrev(f)(&x);
    assert_eq!(ya.shape().dims(), [2, 2, 2]);
    assert_eq!(ya.to_vec::<f64>(), [5.0, 6.0, 0.0, 0.0, 0.0, 0.0, 5.0, 6.0]);
    close(&yb, &a);
    assert_eq!(
        (sa.to_vec::<f64>(), sb.to_vec::<f64>()),
        (vec![1.0; 4], vec![0.0; 2])
    );
    let ((fa, fb), [(ta, tb)]) = jacfwd(f)(&x);
    for (forward, reverse) in [(fa, ya), (fb, yb), (ta, sa), (tb, sb)] {
        close(&forward, &reverse);
    }
}

#[test]
fn vmap_of_grad_is_the_gradient_of_each() {
    let x = Tensor::from_slice(&[0.5, -1.25, 2.0, 1.0, 0.0, -1.0], [2, 3]);
    let each = vmap(grad(cubic))(&x);
    close(&each.index(0), &cubic_gradient(&[0.5, -1.25, 2.0]));
    close(&each.index(1), &cubic_gradient(&[1.0, 0.0, -1.0]));
    let hessians = vmap_dims(hessian(cubic), &[Some(0)], &[-1])(&x);
    close(
        &hessians.index((s(.., 1), s(.., 1), 1)),
        &cubic_hessian(&[1.0, 0.0, -1.0]),
    );
    // And the gradient of a mapped function.
    let norms = vmap(|x: &Tensor| (x * x).sum());
    close(&grad(|x: &Tensor| norms(x).sum())(&x), &(&x * 2.0));
    // Nested, over the second dimension and then the first.
    let products = vmap_dims(vmap(|x: &Tensor| x * x), &[Some(1)], &[1]);
    close(&products(&x), &(&x * &x));
    let none = vmap(|x: &Tensor| (x.sum(), x * 2.0))(&Tensor::zeros([0, 3]));
    assert_eq!(
        (none.0.shape().dims(), none.1.shape().dims()),
        (&[0][..], &[0, 3][..])
    );
}

/// A layer, and what it gives with and without being checkpointed.
fn layer() -> (std::sync::Arc<Linear>, Tensor) {
    fork_rng(3, || {
        let layer = std::sync::Arc::new(Linear::new(4, 4));
        (layer, Tensor::randn([2, 4]).requires_grad_(true))
    })
}

#[test]
fn checkpoint_gives_parameters_and_inputs_their_gradients() {
    let (net, x) = layer();
    let run = |x: &Tensor| net.forward(&net.forward(x).tanh());
    run(&x).sum().backward();
    let plain: Vec<Tensor> = net
        .parameters()
        .iter()
        .chain([&x])
        .map(|t| t.grad().unwrap())
        .collect();
    net.zero_grad();
    x.zero_grad();
    let inner = net.clone();
    let y = checkpoint(move |x: &Tensor| inner.forward(&inner.forward(x).tanh()), &x);
    close(&y.detach(), &run(&x).detach());
    assert_eq!(y.grad_fn().unwrap().name(), "checkpoint");
    assert_eq!(y.grad_fn().unwrap().saved_bytes(), 2 * 4 * 4);
    y.sum().backward();
    for (t, plain) in net.parameters().iter().chain([&x]).zip(plain) {
        close(&t.grad().unwrap(), &plain);
    }
}

#[test]
fn checkpoint_composes() {
    let x = vector();
    let at = x.to_vec::<f64>();
    let kept = |x: &Tensor| checkpoint(cubic, x);
    close(&grad(kept)(&x), &cubic_gradient(&at));
    close(&hessian(kept)(&x), &cubic_hessian(&at));
    close(&jacfwd(grad(kept))(&x), &cubic_hessian(&at));
    let twice = |x: &Tensor| checkpoint(|x: &Tensor| checkpoint(cubic, &(x * 2.0)), x);
    close(
        &grad(twice)(&x),
        &(cubic_gradient(&at.iter().map(|x| x * 2.0).collect::<Vec<_>>()) * 2.0),
    );
    // Inside, a gradient; outside, a gradient of that.
    let inner = |x: &Tensor| checkpoint(grad(cubic), x);
    close(&jacrev(inner)(&x), &cubic_hessian(&at));
    close(&vmap(grad(kept))(&x.unsqueeze(0)).index(0), &cubic_gradient(&at));
}

#[test]
fn checkpoint_counts_what_it_captures_once() {
    // y = a·b with b = 2a, where a comes both as the input and captured, and b captured: dy/da = 4a.
    let leaf = Tensor::from_slice(&[3.0], [1]).requires_grad_(true);
    let a = &leaf * 1.0;
    let b = &a * 2.0;
    let (seen_a, seen_b) = (a.clone(), b.clone());
    let y = checkpoint(move |a: &Tensor| a * &seen_b + &seen_a * 0.0, &a);
    let second = Backward::new().create_graph(true);
    let slope = second.try_grad(&y.sum(), &[&leaf], None).unwrap()[0]
        .clone()
        .unwrap();
    assert_eq!(slope.item(), 12.0);
    let curvature = Backward::new().try_grad(&slope.sum(), &[&leaf], None).unwrap()[0]
        .clone()
        .unwrap();
    assert_eq!(curvature.item(), 4.0);
}

#[test]
fn checkpoint_draws_the_same_random_numbers_again() {
    fork_rng(11, same_random_numbers);
}

fn same_random_numbers() {
    let x = vector().requires_grad_(true);
    let noisy = |x: &Tensor| {
        let noise = with_generator(|g| g.normal(&x.shape(), 0.0, 1.0, DType::F64));
        x * Tensor::constant(noise)
    };
    let y = checkpoint(noisy, &x);
    let drawn = with_generator(|g| g.state());
    y.sum().backward();
    // The slope is the noise: that of the run whose value was given.
    close(&(x.grad().unwrap() * &x.detach()), &y.detach());
    assert_eq!(
        with_generator(|g| g.state()),
        drawn,
        "what is drawn next does not depend on it"
    );
}

#[test]
fn checkpoint_gives_structures_of_any_dtype() {
    let x = (vector().requires_grad_(true), Tensor::new([1, 2]));
    let f = |(x, n): &(Tensor, Tensor)| (x.exp(), (n + 1.0, [x.to(DType::F32) * 2.0, x.detach() * 3.0]));
    let (a, (n, [b, c])) = checkpoint(f, &x);
    assert_eq!(
        (n.to_vec::<i64>(), b.dtype(), c.requires_grad()),
        (vec![2, 3], DType::F32, false)
    );
    (a.sum() + b.to(DType::F64).sum()).backward();
    close(&x.0.grad().unwrap(), &(x.0.detach().exp() + 2.0));
    // Nothing to differentiate: nothing to keep.
    assert!(!checkpoint(|x: &Tensor| x * 2.0, &vector()).requires_grad());
}

#[test]
fn a_long_chain_of_checkpoints_is_dropped_without_deep_recursion() {
    let mut x = Tensor::from_slice(&[1.0], [1]).requires_grad_(true);
    for _ in 0..20_000 {
        x = checkpoint(|x: &Tensor| x * 1.0, &x);
    }
    x.sum().backward();
}

#[test]
fn mistakes_are_named() {
    let says = |f: &dyn Fn()| catch(f).unwrap_err().to_string();
    let x = vector();
    let text = says(&|| drop(grad(|x: &Tensor| x * 2.0)(&x)));
    assert!(text.starts_with("grad: needs a function whose result is one floating-point number, and got float64 [3]\n  help: reduce it"), "{text}");
    assert!(text.contains("tests.rs"), "{text}");
    let text = says(&|| drop(grad(|x: &Tensor| x.sum())(&Tensor::new([1, 2]))));
    assert!(
        text.starts_with("grad: cannot differentiate with respect to a tensor of dtype int64"),
        "{text}"
    );
    let text = says(&|| drop(jvp(cubic, &x, &Tensor::new([1.0]))));
    assert!(
        text.starts_with("jvp: tangent 0 is float32 [1], and its input float64 [3]"),
        "{text}"
    );
    let text = says(&|| drop(vjp(cubic, &x).1(&x)));
    assert!(
        text.starts_with("vjp: cotangent 0 is float64 [3], and its result float64 []"),
        "{text}"
    );
    let pair = (Tensor::zeros([2, 3]), Tensor::zeros([4]));
    let text = says(&|| drop(vmap(|x: &(Tensor, Tensor)| &x.0 + &x.1)(&pair)));
    assert!(
        text.starts_with("vmap: cannot map over inputs 0 and 1 together: 2 entries and 4"),
        "{text}"
    );
    let text = says(&|| drop(vmap(|x: &Tensor| x * 1.0)(&Tensor::new(1.0))));
    assert!(text.starts_with("vmap: there is no dimension 0"), "{text}");
    let text = says(&|| drop(vmap_dims(|x: &Tensor| x * 1.0, &[None], &[0])(&x)));
    assert!(
        text.starts_with("vmap: no input has a dimension to map over"),
        "{text}"
    );
    let text = says(&|| drop(vmap_dims(|x: &Tensor| x * 1.0, &[Some(0), None], &[0])(&x)));
    assert!(
        text.starts_with("vmap: `in_dims` has 2 entries for 1 tensors"),
        "{text}"
    );
}

#[test]
fn several_results_are_walked_at_once() {
    let x = vector().requires_grad_(true);
    let shared = &x * &x;
    let (y, z) = (shared.sum(), &shared * 3.0);
    let w = Tensor::from_slice(&[1.0, 0.0, 0.0], [3]);
    let unused = Tensor::zeros([2]).requires_grad_(true);
    let how = Backward::new().retain_graph(true);
    let roots = [(&y, None), (&z, Some(&w))];
    let grads = how.try_grad_many(&roots, &[&x, &unused]).unwrap();
    close(
        grads[0].as_ref().unwrap(),
        &Tensor::from_slice(&[4.0, -2.5, 4.0], [3]),
    );
    assert!(grads[1].is_none() && x.grad().is_none());
    let zeros = how
        .materialize_grads(true)
        .try_grad_many(&roots, &[&unused])
        .unwrap();
    assert_eq!(zeros[0].as_ref().unwrap().to_vec::<f32>(), [0.0; 2]);
    how.try_run_into(&roots, &[&shared]).unwrap();
    assert!(x.grad().is_none());
    close(
        &shared.grad().unwrap(),
        &Tensor::from_slice(&[4.0, 1.0, 1.0], [3]),
    );
    Backward::new().run_many(&roots);
    close(&x.grad().unwrap(), &Tensor::from_slice(&[4.0, -2.5, 4.0], [3]));
    let error = Backward::new()
        .try_run_many(&[(&y, None), (&z, None)])
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("backward: needs a result with one element"),
        "{error}"
    );
}
