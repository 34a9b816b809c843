//! The example that the project began with: a linear layer, a loss, and their gradients.
//!
//! `cargo run --example mission`

use wengert::Tensor;
use wengert::nn::{Layer, Linear, MSELoss};

fn main() {
    let x = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
    let w = Tensor::new([[0.1, 0.2], [0.3, 0.4]]);
    let b = Tensor::new([0.5, 0.6]);

    let mut linear = Linear::new(2, 2);
    linear.W = w;
    linear.b = b;

    let y = linear.forward(&x);
    let loss = MSELoss::new().forward(&y, &Tensor::new([[1.0, 1.0], [1.0, 1.0]]));
    loss.backward();

    println!("loss = {loss}");
    println!("W.grad = {}", linear.W.grad().expect("W is a parameter"));
    println!("b.grad = {}", linear.b.grad().expect("b is a parameter"));
}
