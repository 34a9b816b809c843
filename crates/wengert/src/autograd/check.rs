//! Trust: gradients compared with finite differences.
//!
//! A gradient says how a number changes when its inputs move a little. So move them a little and look. All
//! of this computes in f64, where a central difference is good to about ten digits.

use super::audit;
use crate::autograd::{Backward, no_grad};
use crate::tensor::Tensor;
use wengert_array::kernels::Generator;
use wengert_array::{Array, DType, Error, ErrorKind, Result, Shape};

/// How gradients are to be checked, and how exactly they must agree.
///
/// ```
/// # use wengert::{Tensor, autograd::check::GradCheck};
/// let x = Tensor::new([0.5, -1.0, 2.0]);
/// let report = GradCheck::new().full().run(|x| x[0].tanh().sum(), &[&x]).unwrap();
/// assert!(report.worst < 1e-6);
/// ```
#[derive(Clone, Debug)]
pub struct GradCheck {
    directions: usize,
    full: bool,
    step: f64,
    rtol: f64,
    atol: f64,
    seed: u64,
}

/// What a check that passed has seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// How many derivatives were compared.
    pub compared: usize,
    /// The largest difference, relative to the larger of 1 and the derivative.
    pub worst: f64,
}

impl Default for GradCheck {
    fn default() -> Self {
        GradCheck {
            directions: 3,
            full: false,
            step: 1e-6,
            rtol: 1e-5,
            atol: 1e-7,
            seed: 0,
        }
    }
}

impl GradCheck {
    /// Three random directions, to a relative 1e-5.
    pub fn new() -> GradCheck {
        GradCheck::default()
    }

    /// Checks along `n` random directions: the cost does not grow with the number of elements, and a wrong
    /// element goes unnoticed only if its error is at a right angle to all of them.
    #[must_use]
    pub fn directions(mut self, n: usize) -> GradCheck {
        (self.directions, self.full) = (n, false);
        self
    }

    /// Checks every element of every input by itself.
    #[must_use]
    pub fn full(mut self) -> GradCheck {
        self.full = true;
        self
    }

    /// How far inputs are moved, relative to their size; 1e-6 by default.
    #[must_use]
    pub fn step(mut self, step: f64) -> GradCheck {
        self.step = step;
        self
    }

    /// How much may differ: |backward − difference| ≤ `atol` + `rtol` |difference|.
    #[must_use]
    pub fn tolerance(mut self, rtol: f64, atol: f64) -> GradCheck {
        (self.rtol, self.atol) = (rtol, atol);
        self
    }

    /// Compares the gradients of `f` at `inputs` with finite differences. Floating-point inputs are
    /// converted to f64 and differentiated; others are passed on as they are.
    ///
    /// A result with several elements is weighted by random numbers to make one. The error of a check that
    /// fails names the input and the element, and the operation whose rule is wrong.
    pub fn run(&self, f: impl Fn(&[Tensor]) -> Tensor, inputs: &[&Tensor]) -> Result<Report> {
        let leaves = leaves(inputs);
        let weigh = self.weigher(&f, &leaves);
        self.compare("gradcheck", &|x| weigh(&f(x)), &leaves)
            .map_err(|e| audit::blame(e, || weigh(&f(&leaves))))
    }

    /// As [`run`](GradCheck::run) for second derivatives: checks the gradient of the gradient.
    pub fn run_second_order(&self, f: impl Fn(&[Tensor]) -> Tensor, inputs: &[&Tensor]) -> Result<Report> {
        let leaves = leaves(inputs);
        let weigh = self.weigher(&f, &leaves);
        let mut random = Generator::new(self.seed + 1);
        let along: Vec<Array> = leaves
            .iter()
            .map(|x| random.normal(&x.shape(), 0.0, 1.0, DType::F64))
            .collect();
        // The slope of f along a fixed direction, recorded, is a function like any other.
        let slope = |x: &[Tensor]| {
            let y = weigh(&f(x));
            let wrt: Vec<&Tensor> = x.iter().filter(|x| x.dtype().is_float()).collect();
            let grads = if y.requires_grad() {
                Backward::new()
                    .create_graph(true)
                    .try_grad(&y, &wrt, None)
                    .unwrap_or_else(|e| panic!("{e}"))
            } else {
                vec![None; wrt.len()]
            };
            let along = along
                .iter()
                .zip(x)
                .filter(|(_, x)| x.dtype().is_float())
                .map(|(v, _)| v);
            let terms = grads.into_iter().zip(along);
            let terms = terms.filter_map(|(g, v)| Some((g? * Tensor::constant(v.clone())).sum()));
            terms
                .reduce(|a, b| a + b)
                .unwrap_or_else(|| Tensor::full_as([], 0.0, DType::F64))
        };
        self.compare("gradgradcheck", &slope, &leaves)
            .map_err(|e| audit::blame(e, || slope(&leaves)))
    }

    /// A function that makes one number of the result of `f`.
    fn weigher(&self, f: &dyn Fn(&[Tensor]) -> Tensor, x: &[Tensor]) -> impl Fn(&Tensor) -> Tensor + use<> {
        let shape = no_grad(|| f(x)).shape();
        let weights = Generator::new(self.seed + 2).uniform(&shape, 0.5, 1.5, DType::F64);
        move |y| (y * Tensor::constant(weights.clone())).sum()
    }

    fn compare(&self, name: &str, f: &dyn Fn(&[Tensor]) -> Tensor, x: &[Tensor]) -> Result<Report> {
        let y = f(x);
        let wrt: Vec<&Tensor> = x.iter().filter(|x| x.dtype().is_float()).collect();
        let grads = match y.requires_grad() {
            true => Backward::new().try_grad(&y, &wrt, None)?,
            // A constant: its derivatives are zero, and the differences must be too.
            false => vec![None; wrt.len()],
        };
        let mut grads = grads.into_iter();
        let grads: Vec<Option<Vec<f64>>> = x
            .iter()
            .map(|x| {
                x.dtype().is_float().then(|| match grads.next().flatten() {
                    Some(g) => g.to_vec(),
                    None => vec![0.0; x.numel()],
                })
            })
            .collect();
        // Recorded as well: what is checked may itself be a gradient.
        let value = |moved: &[Tensor]| f(moved).item();
        let mut report = Report {
            compared: 0,
            worst: 0.0,
        };
        if self.full {
            self.each_element(name, &value, x, &grads, &mut report)?;
        } else {
            self.along_directions(name, &value, x, &grads, &mut report)?;
        }
        Ok(report)
    }

    fn each_element(
        &self,
        name: &str,
        value: &dyn Fn(&[Tensor]) -> f64,
        x: &[Tensor],
        grads: &[Option<Vec<f64>>],
        report: &mut Report,
    ) -> Result<()> {
        for (i, grad) in grads.iter().enumerate() {
            for (k, &ours) in grad.iter().flatten().enumerate() {
                let mut along = vec![0.0; x[i].numel()];
                along[k] = 1.0;
                let theirs = self.difference(value, x, &[(i, along)]);
                if !self.agree(ours, theirs, report) {
                    return Err(disagreement(name, i, &x[i].shape(), k, ours, theirs));
                }
            }
        }
        Ok(())
    }

    fn along_directions(
        &self,
        name: &str,
        value: &dyn Fn(&[Tensor]) -> f64,
        x: &[Tensor],
        grads: &[Option<Vec<f64>>],
        report: &mut Report,
    ) -> Result<()> {
        let mut random = Generator::new(self.seed + 3);
        for _ in 0..self.directions {
            let along: Vec<(usize, Vec<f64>)> = (0..x.len())
                .filter(|i| grads[*i].is_some())
                .map(|i| (i, random.normal(&x[i].shape(), 0.0, 1.0, DType::F64).to_vec()))
                .collect();
            let term = |(i, v): &(usize, Vec<f64>)| -> f64 {
                grads[*i].iter().flatten().zip(v).map(|(g, v)| g * v).sum()
            };
            let ours: f64 = along.iter().map(term).sum();
            let theirs = self.difference(value, x, &along);
            if !self.agree(ours, theirs, report) {
                // Something is wrong: now it is worth finding out where.
                self.each_element(name, value, x, grads, report)?;
                let message = "backward and finite differences disagree along a random direction";
                return Err(Error::new(ErrorKind::Check, name, message)
                    .note(format!("backward gives {ours}, finite differences {theirs}"))
                    .note(
                        "each element by itself agrees, so the tolerance may be too tight for their number",
                    ));
            }
        }
        Ok(())
    }

    /// (f(x + h v) − f(x − h v)) / 2h, with h relative to the size of what is moved.
    fn difference(&self, f: &dyn Fn(&[Tensor]) -> f64, x: &[Tensor], along: &[(usize, Vec<f64>)]) -> f64 {
        let largest = along.iter().flat_map(|(i, v)| {
            let x: Vec<f64> = x[*i].to_vec();
            x.into_iter()
                .zip(v)
                .filter(|(_, v)| **v != 0.0)
                .map(|(x, _)| x.abs())
                .collect::<Vec<_>>()
        });
        let h = self.step * largest.filter(|x| x.is_finite()).fold(1.0, f64::max);
        let moved = |h: f64| {
            let mut moved = x.to_vec();
            for (i, v) in along {
                let to: Vec<f64> = x[*i]
                    .to_vec::<f64>()
                    .iter()
                    .zip(v)
                    .map(|(x, v)| x + h * v)
                    .collect();
                moved[*i] = Tensor::from_slice(&to, x[*i].shape()).requires_grad_(true);
            }
            f(&moved)
        };
        (moved(h) - moved(-h)) / (2.0 * h)
    }

    fn agree(&self, ours: f64, theirs: f64, report: &mut Report) -> bool {
        report.compared += 1;
        if ours.is_nan() && theirs.is_nan() {
            return true;
        }
        let error = (ours - theirs).abs();
        report.worst = report.worst.max(error / theirs.abs().max(1.0));
        error <= self.atol + self.rtol * theirs.abs()
    }
}

/// Leaves in f64 with the inputs' values.
fn leaves(inputs: &[&Tensor]) -> Vec<Tensor> {
    let leaf = |x: &&Tensor| match x.dtype().is_float() {
        true => Tensor::constant(x.array().cast(DType::F64).contiguous()).requires_grad_(true),
        false => x.detach(),
    };
    inputs.iter().map(leaf).collect()
}

/// Element number `k` of an array of this shape, as its indices.
pub(crate) fn element(shape: &Shape, k: usize) -> Shape {
    let mut left = k;
    let mut at: Vec<usize> = shape.iter().rev().map(|&n| (left % n, left /= n).0).collect();
    at.reverse();
    at.into()
}

fn disagreement(name: &str, i: usize, shape: &Shape, k: usize, ours: f64, theirs: f64) -> Error {
    let at = element(shape, k);
    let message = format!("backward and finite differences disagree at element {at} of input {i}");
    Error::new(ErrorKind::Check, name, message)
        .note(format!("backward gives {ours}, finite differences {theirs}"))
}

/// Compares the gradients of `f` at `inputs` with finite differences along random directions; see
/// [`GradCheck`] for more.
///
/// ```
/// # use wengert::{Tensor, gradcheck};
/// let (x, w) = (Tensor::randn([5, 3]), Tensor::randn([3, 2]));
/// gradcheck(|v| v[0].matmul(&v[1]).sigmoid(), &[&x, &w]).unwrap();
/// ```
pub fn gradcheck(f: impl Fn(&[Tensor]) -> Tensor, inputs: &[&Tensor]) -> Result<Report> {
    GradCheck::new().run(f, inputs)
}

/// As [`gradcheck`], for second derivatives.
pub fn gradgradcheck(f: impl Fn(&[Tensor]) -> Tensor, inputs: &[&Tensor]) -> Result<Report> {
    GradCheck::new().tolerance(1e-4, 1e-6).run_second_order(f, inputs)
}
