//! The graph as its users see it: what is recorded, walked, kept, freed, and shared between threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wengert::nn::{Layer, Linear, Module, ReLU, Sequential};
use wengert::{Backward, DType, ErrorKind, Tensor, enable_grad, fork_rng, grad, is_recording, no_grad};

fn leaf(values: &[f64]) -> Tensor {
    Tensor::from_slice(values, [values.len()]).requires_grad_(true)
}

fn values(t: &Tensor) -> Vec<f64> {
    t.to_vec()
}

fn grad_of(t: &Tensor) -> Vec<f64> {
    values(&t.grad().expect("it has a gradient"))
}

#[test]
fn gradients_add_up_until_they_are_forgotten() {
    let x = leaf(&[1.0, 2.0]);
    (&x * &x).sum().backward();
    (&x * &x).sum().backward();
    assert_eq!(grad_of(&x), [4.0, 8.0]);
    x.zero_grad();
    assert!(x.grad().is_none());
    (&x * 3.0).sum().backward();
    assert_eq!(grad_of(&x), [3.0, 3.0]);
}

#[test]
fn one_tensor_used_in_many_places_gets_the_sum() {
    let x = leaf(&[2.0]);
    let y = &x * &x; // used three times below
    (&y * &x + &y.exp() + y).sum().backward();
    // x³ + e^x² + x²
    let want = 3.0 * 4.0 + (4f64).exp() * 4.0 + 4.0;
    assert!((grad_of(&x)[0] - want).abs() < 1e-12);
}

#[test]
fn a_kept_graph_can_be_walked_again_and_a_freed_one_says_so() {
    let x = leaf(&[0.5, -1.0]);
    let y = x.exp().sum();
    Backward::new().retain_graph(true).run(&y);
    let once = grad_of(&x);
    y.backward();
    assert_eq!(grad_of(&x), once.iter().map(|g| 2.0 * g).collect::<Vec<_>>());
    assert_eq!(y.try_backward().unwrap_err().kind(), ErrorKind::Graph);
    // What saves nothing has nothing to free.
    let z = (&x + 1.0).sum();
    z.backward();
    z.backward();
}

#[test]
fn derivatives_of_any_order() {
    // f = x⁵ has derivatives 5x⁴, 20x³, 60x², 120x, 120, 0.
    let x = leaf(&[1.5]);
    let mut f = (&x * &x * &x * &x * &x).sum();
    for want in [25.3125, 67.5, 135.0, 180.0, 120.0] {
        f = Backward::new()
            .create_graph(true)
            .try_grad(&f, &[&x], None)
            .unwrap()[0]
            .clone()
            .unwrap();
        assert!((f.item() - want).abs() < 1e-9, "{f} is not {want}");
        f = f.sum();
    }
    // sin, whose derivatives go round.
    let x = leaf(&[0.3]);
    let mut f = x.sin().sum();
    for want in [
        0.3f64.cos(),
        -0.3f64.sin(),
        -0.3f64.cos(),
        0.3f64.sin(),
        0.3f64.cos(),
    ] {
        f = Backward::new()
            .create_graph(true)
            .try_grad(&f, &[&x], None)
            .unwrap()[0]
            .clone()
            .unwrap()
            .sum();
        assert!((f.item() - want).abs() < 1e-12, "{f} is not {want}");
    }
}

#[test]
fn grad_leaves_leaves_alone_and_stops_at_results_on_the_way() {
    let (x, w) = (leaf(&[1.0, 2.0]), leaf(&[3.0, 4.0]));
    let h = &x * &w;
    let y = (&h * &h).sum();
    let g = grad(&y, &[&h, &x]);
    assert_eq!(values(&g[0]), [6.0, 16.0]);
    assert_eq!(values(&g[1]), [18.0, 64.0]);
    assert!(x.grad().is_none() && w.grad().is_none());
    let unused = leaf(&[1.0]);
    let y = (&x * 1.0).sum();
    let none = Backward::new().try_grad(&y, &[&unused, &x], None).unwrap();
    assert!(none[0].is_none() && none[1].is_some());
}

#[test]
fn what_is_not_recorded_has_no_history() {
    let x = leaf(&[1.0]);
    let y = no_grad(|| {
        assert!(!is_recording());
        enable_grad(|| assert!((&x * 2.0).requires_grad()));
        &x * 2.0
    });
    assert!(is_recording() && !y.requires_grad() && y.is_leaf());
    let d = (&x * 2.0).detach();
    assert!(!d.requires_grad() && d.grad_fn().is_none());
    (&d * &x).sum().backward();
    assert_eq!(grad_of(&x), [2.0], "nothing comes through the detached factor");
    // A panic in between puts the mode back.
    let caught = std::panic::catch_unwind(|| no_grad(|| panic!("out of here")));
    assert!(caught.is_err() && is_recording());
}

#[test]
fn hooks_see_and_replace_gradients_and_can_be_removed() {
    let x = leaf(&[1.0, 2.0]);
    let h = &x * 3.0;
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = seen.clone();
    let hook = h.register_hook(move |g| {
        counter.fetch_add(1, Ordering::Relaxed);
        Some(g * 10.0)
    });
    h.retain_grad();
    let y = (&h * 2.0).sum();
    Backward::new().retain_graph(true).run(&y);
    assert_eq!(grad_of(&x), [60.0, 60.0]);
    assert_eq!(
        grad_of(&h),
        [20.0, 20.0],
        "hooks run in the order they were added"
    );
    hook.remove();
    x.zero_grad();
    y.backward();
    assert_eq!((grad_of(&x), seen.load(Ordering::Relaxed)), (vec![6.0, 6.0], 1));
    let on_leaf = x.register_hook(|g| Some(-g));
    x.zero_grad();
    x.sum().backward();
    assert_eq!(grad_of(&x), [-1.0, -1.0]);
    on_leaf.remove();
}

#[test]
fn an_update_of_a_leaf_does_not_reach_recorded_graphs() {
    let x = leaf(&[1.0, 2.0]);
    let y = (&x * &x).sum();
    no_grad(|| x.copy_(&Tensor::new([10.0, 20.0])));
    assert_eq!(values(&x), [10.0, 20.0]);
    y.backward();
    assert_eq!(
        grad_of(&x),
        [2.0, 4.0],
        "the rule saw the values it was recorded with"
    );
    let mut w = leaf(&[1.0]);
    let handle = w.clone();
    no_grad(|| w -= 0.5);
    assert_eq!(
        values(&handle),
        [0.5],
        "every handle on the variable sees the update"
    );
}

#[test]
fn a_chain_of_a_million_operations() {
    // A thread with the stack of a small service: depth must not matter.
    let run = || {
        let x = leaf(&[1.0]);
        let mut y = &x + 0.0;
        for _ in 0..1_000_000 {
            y += 1e-6;
        }
        y.sum().backward();
        assert_eq!(grad_of(&x), [1.0]);
        // A second chain is dropped without having been walked.
        let mut z = &x * 1.0;
        for _ in 0..1_000_000 {
            z *= 1.0;
        }
        drop(z);
    };
    std::thread::Builder::new()
        .stack_size(256 << 10)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn wide_and_deep_graphs_visit_each_operation_once() {
    // 2^60 paths, 61 operations.
    let x = leaf(&[1.0]);
    let mut y = x.clone();
    for _ in 0..60 {
        y = &y + &y;
    }
    y.sum().backward();
    assert_eq!(grad_of(&x), [(2f64).powi(60)]);
}

#[test]
fn threads_share_parameters_and_lose_no_gradient() {
    let (model, batches) = fork_rng(3, || {
        let model = Sequential::new()
            .add(Linear::new(4, 8))
            .add(ReLU)
            .add(Linear::new(8, 1));
        let batches: Vec<Tensor> = (0..8).map(|_| Tensor::randn([16, 4]).to(DType::F64)).collect();
        (Arc::new(model), batches)
    });
    model.to(DType::F64);
    for x in &batches {
        model.forward(x).square().sum().backward();
    }
    let alone: Vec<Vec<f64>> = model.parameters().iter().map(grad_of).collect();
    model.zero_grad();
    std::thread::scope(|scope| {
        for x in &batches {
            let model = model.clone();
            scope.spawn(move || model.forward(x).square().sum().backward());
        }
    });
    for (p, alone) in model.parameters().iter().zip(alone) {
        let together = grad_of(p);
        assert!(
            together
                .iter()
                .zip(&alone)
                .all(|(a, b)| (a - b).abs() <= 1e-12 * b.abs().max(1.0))
        );
    }
    // A result made on one thread is differentiated on another, and its graph dropped on a third.
    let x = leaf(&[2.0]);
    let y = x.square().sum();
    let y = std::thread::spawn(move || {
        y.backward();
        y
    })
    .join()
    .unwrap();
    std::thread::spawn(move || drop(y)).join().unwrap();
    assert_eq!(grad_of(&x), [4.0]);
}

#[test]
fn saved_values_are_freed_as_backward_goes() {
    let x = leaf(&[1.0; 1000]);
    let y = x.exp();
    let node = y.grad_fn().unwrap();
    assert_eq!(node.saved_bytes(), 8000);
    y.sum().backward();
    assert_eq!(node.saved_bytes(), 0);
    assert_eq!(
        (&x * 2.0).grad_fn().unwrap().saved_bytes(),
        0,
        "a factor that is a number saves nothing"
    );
}
