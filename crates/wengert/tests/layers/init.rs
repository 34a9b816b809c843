//! Initialisers: the numbers that they draw are spread as they say.

use wengert::nn::{Linear, functional, init};
use wengert::{Tensor, catch};

#[test]
fn initialisers() {
    wengert::fork_rng(1, draw_as_they_say);
}

fn draw_as_they_say() {
    let w = Tensor::zeros([200, 300]).requires_grad_(true);
    let spread = |w: &Tensor| {
        let v = w.to_vec::<f64>();
        let mean = v.iter().sum::<f64>() / v.len() as f64;
        let var = v.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / v.len() as f64;
        (mean, var.sqrt(), v.iter().fold(0.0f64, |a, v| a.max(v.abs())))
    };
    let near = |a: f64, b: f64| (a - b).abs() < 0.02 * b;
    init::xavier_uniform_(&w, 2.0);
    let (_, std, most) = spread(&w);
    let bound = 2.0 * (6.0f64 / 500.0).sqrt();
    assert!(near(most, bound) && most <= bound && near(std, bound / 3f64.sqrt()));
    init::xavier_normal_(&w, 1.0);
    assert!(near(spread(&w).1, (2.0f64 / 500.0).sqrt()));
    init::kaiming_uniform_(&w, init::Fan::In, "relu", 0.0);
    assert!(near(spread(&w).2, (6.0f64 / 300.0).sqrt()));
    init::kaiming_normal_(&w, init::Fan::Out, "relu", 0.0);
    assert!(near(spread(&w).1, (2.0f64 / 200.0).sqrt()));
    // A Linear lies the other way round, and is told apart.
    let linear = Linear::new(300, 200);
    init::kaiming_normal_(&linear, init::Fan::Out, "relu", 0.0);
    assert!(near(spread(&linear.W).1, (2.0f64 / 200.0).sqrt()));
    init::trunc_normal_(&w, 0.5, 1.0, -0.5, 1.0);
    let v = w.to_vec::<f32>();
    assert!(v.iter().all(|v| (-0.5..=1.0).contains(v)) && v.iter().any(|v| *v > 0.9));
    init::orthogonal_(&w, 3.0);
    let gram = w.detach().matmul(&w.detach().t());
    assert!(gram.allclose(&(Tensor::eye(200) * 9.0), 1e-4, 1e-4));
    init::orthogonal_(&linear, 1.0);
    assert!(
        linear
            .weight()
            .detach()
            .matmul(&linear.W.detach())
            .allclose(&Tensor::eye(200), 1e-4, 1e-4)
    );
    init::sparse_(&w, 0.25, 1.0);
    let columns = w.detach().t().contiguous().to_vec::<f32>();
    assert!(
        columns
            .chunks(200)
            .all(|c| c.iter().filter(|v| **v == 0.0).count() == 50)
    );
    init::eye_(&w);
    assert_eq!(w.to_vec::<f32>().iter().sum::<f32>(), 200.0);
    init::constant_(&w, 3.0);
    assert_eq!(spread(&w), (3.0, 0.0, 3.0));
    let k = Tensor::zeros([4, 2, 3, 3]);
    init::dirac_(&k, 2);
    let x = Tensor::randn([1, 4, 5, 5]);
    assert!(functional::conv2d(&x, &k, None, 1, 1, 1, 2).allclose(&x, 0.0, 0.0));
    assert!(w.requires_grad() && w.is_leaf());
    let gains = ["linear", "tanh", "relu", "selu"].map(|n| init::calculate_gain(n, 0.0));
    assert_eq!(gains, [1.0, 5.0 / 3.0, 2f64.sqrt(), 0.75]);
    let error = catch(|| init::xavier_uniform_(&Tensor::zeros([3]), 1.0)).unwrap_err();
    assert_eq!(error.message(), "a tensor of shape [3] has no inputs and outputs");
    assert!(catch(|| init::calculate_gain("swish", 0.0)).is_err());
}
