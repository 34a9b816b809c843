//! A network that solves a differential equation: Burgers' equation, u_t + u u_x = ν u_xx for −1 ≤ x ≤ 1 and 0 ≤ t ≤ 1,
//! with u(0, x) = −sin πx and u(t, ±1) = 0. The wave steepens until it is nearly a step.
//!
//! Raissi, Perdikaris and Karniadakis, Physics-informed neural networks, Journal of Computational Physics 378, 2019.

use std::f64::consts::PI;
use wengert::nn::{Layer, Linear, Module, Sequential, Tanh, init};
use wengert::optim::LBFGS;
use wengert::{Backward, DType, Tensor, cat, manual_seed, no_grad};

/// The network and the equation's ν.
pub struct Burgers {
    net: Sequential,
    viscosity: f64,
    points: [Tensor; 2],
}

/// How a training went: after each step of L-BFGS, the mean square of what is left of the equation.
pub type Losses = Vec<f64>;

impl Burgers {
    /// A network of some layers, in f64, and points at which the equation is to hold.
    pub fn new(viscosity: f64, layers: usize, width: usize, points: usize, seed: u64) -> Burgers {
        manual_seed(seed);
        let mut net = Sequential::new();
        for i in 0..layers {
            net = net
                .add(Linear::new(if i == 0 { 2 } else { width }, width))
                .add(Tanh);
        }
        let net = net.add(Linear::new(width, 1));
        net.to(DType::F64);
        net.apply(&mut |name, part| match init::Weight::try_from(part) {
            Ok(weight) if name.ends_with("weight") => init::xavier_normal_(weight, 1.0),
            Ok(bias) => init::zeros_(bias),
            Err(_) => {}
        });
        let draw = |low| Tensor::uniform_as([points, 1], low, 1.0, DType::F64);
        let (t, x) = (draw(0.0), draw(-1.0));
        // Half of the points close to the middle, where the step will be.
        let (near, far) = (
            x.narrow(0, 0, points / 2),
            x.narrow(0, points / 2, points - points / 2),
        );
        let x = cat(&[&(&near * &near * &near), &far], 0);
        Burgers {
            net,
            viscosity,
            points: [t, x],
        }
    }

    /// The solution. What is known of it is built in: the network only has to find the rest.
    pub fn solution(&self, t: &Tensor, x: &Tensor) -> Tensor {
        let start = -(x * PI).sin();
        start + t * (1.0 - x * x) * self.net.forward(&cat(&[t, x], 1))
    }

    /// The mean square of u_t + u u_x − ν u_xx.
    pub fn loss(&self) -> Tensor {
        let [t, x] = self.points.each_ref().map(|p| p.detach().requires_grad_(true));
        let u = self.solution(&t, &x);
        let [u_t, u_x] = derivatives(&u, [&t, &x]);
        let [u_xx] = derivatives(&u_x, [&x]);
        (u_t + u * u_x - u_xx * self.viscosity).square().mean()
    }

    /// Trains by so many steps of L-BFGS, each of 50 iterations.
    pub fn train(&self, steps: usize, mut each: impl FnMut(usize, f64)) -> Losses {
        let mut optimizer = LBFGS::new(self.net.parameters(), 1.0)
            .max_iter(50)
            .max_eval(70)
            .history_size(50)
            .tolerance_grad(0.0)
            .tolerance_change(0.0)
            .line_search(true);
        let step = |i| {
            optimizer.step(|| self.loss());
            let loss = self.loss().item();
            each(i, loss);
            loss
        };
        (0..steps).map(step).collect()
    }

    /// u at one time and many places.
    pub fn at(&self, t: f64, x: &[f64]) -> Vec<f64> {
        let x = Tensor::from_slice(x, [x.len(), 1]);
        no_grad(|| self.solution(&x.full_like(t), &x)).to_vec()
    }

    /// How far the solution is from the exact one on a grid: the norm of the difference divided by that of the solution,
    /// and the largest difference.
    pub fn error(&self) -> (f64, f64) {
        let x: Vec<f64> = (0..=128).map(|i| -1.0 + i as f64 / 64.0).collect();
        let (mut square, mut whole, mut most) = (0.0, 0.0, 0.0f64);
        for k in 0..=50 {
            let t = f64::from(k) / 50.0;
            for (x, u) in x.iter().zip(self.at(t, &x)) {
                let exact = exact(self.viscosity, t, *x);
                square += (u - exact) * (u - exact);
                whole += exact * exact;
                most = most.max((u - exact).abs());
            }
        }
        ((square / whole).sqrt(), most)
    }
}

/// The derivatives of each element of `y` with respect to the same element of each x, which can be differentiated again.
fn derivatives<const N: usize>(y: &Tensor, xs: [&Tensor; N]) -> [Tensor; N] {
    let grads = Backward::new().create_graph(true).try_grad(&y.sum(), &xs, None);
    let mut grads = grads.expect("the graph is there").into_iter();
    xs.map(|x| grads.next().flatten().unwrap_or_else(|| x.zeros_like()))
}

/// The exact solution, by the formula of Cole and Hopf:
/// u = −∫ sin π(x−η) f(x−η) e^(−η²/4νt) dη / ∫ f(x−η) e^(−η²/4νt) dη with f(y) = e^(−cos πy / 2πν).
pub fn exact(viscosity: f64, t: f64, x: f64) -> f64 {
    if t == 0.0 {
        return -(PI * x).sin();
    }
    // With η = √(4νt) z; for integrands that vanish so fast at the ends, equal steps are exact to rounding.
    let (mut above, mut below) = (0.0, 0.0);
    for k in -600..=600 {
        let z = f64::from(k) * 0.015;
        let y = x - (4.0 * viscosity * t).sqrt() * z;
        // Scaled such that it cannot overflow.
        let weight = (-(1.0 + (PI * y).cos()) / (2.0 * PI * viscosity) - z * z).exp();
        above -= (PI * y).sin() * weight;
        below += weight;
    }
    above / below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_solution_solves_the_equation() {
        let (v, h) = (0.02, 1e-4);
        for (t, x) in [(0.2, 0.3), (0.5, -0.1), (0.9, 0.05)] {
            let u = |dt: f64, dx: f64| exact(v, t + dt, x + dx);
            let u_t = (u(h, 0.0) - u(-h, 0.0)) / (2.0 * h);
            let u_x = (u(0.0, h) - u(0.0, -h)) / (2.0 * h);
            let u_xx = (u(0.0, h) - 2.0 * u(0.0, 0.0) + u(0.0, -h)) / (h * h);
            let left = u_t + u(0.0, 0.0) * u_x - v * u_xx;
            assert!(left.abs() < 1e-4, "{left} at {t}, {x}");
        }
        assert!((exact(v, 1e-9, 0.4) + (0.4 * PI).sin()).abs() < 1e-6);
    }
}
