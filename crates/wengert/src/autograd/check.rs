//! Trust: gradients compared with finite differences.
//!
//! A gradient says how a number changes when its inputs move a little. So move them a little and look. All
//! of this computes in f64, where a central difference is good to about ten digits.

use super::audit;
use crate::autograd::{Backward, no_grad};
use crate::nn::{Layer, Module, Part};
use crate::tensor::Tensor;
use wengert_array::kernels::Generator;
use wengert_array::{Array, DType, Error, ErrorKind, Result, Shape, raise};

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
    /// converted to f64 (complex ones to C128) and differentiated; others are passed on as they are.
    ///
    /// A result with several elements is weighted by random numbers to make one. The error of a check that
    /// fails names the input and the element, and the operation whose rule is wrong.
    pub fn run(&self, f: impl Fn(&[Tensor]) -> Tensor, inputs: &[&Tensor]) -> Result<Report> {
        let leaves = leaves(inputs);
        let weigh = self.weigher(&f, &leaves);
        self.compare("gradcheck", &|x| weigh(&f(x)), &leaves, &[])
            .map_err(|e| audit::blame(e, || weigh(&f(&leaves))))
    }

    /// As [`run`](GradCheck::run) for second derivatives: checks the gradient of the gradient.
    pub fn run_second_order(&self, f: impl Fn(&[Tensor]) -> Tensor, inputs: &[&Tensor]) -> Result<Report> {
        let leaves = leaves(inputs);
        let slope = self.slope(&f, &leaves);
        self.compare("gradgradcheck", &slope, &leaves, &[])
            .map_err(|e| audit::blame(e, || slope(&leaves)))
    }

    /// Compares the gradients that `f`, given the model, has with respect to the model's parameters with finite
    /// differences. For as long as that takes the model computes in f64.
    ///
    /// ```
    /// # use wengert::{Tensor, autograd::check::GradCheck, nn::{Layer, Linear}};
    /// let (model, x) = (Linear::new(3, 2), Tensor::randn([4, 3]));
    /// let report = GradCheck::new().full().run_model(&model, |m| m.forward(&x.to(wengert::DType::F64)).tanh());
    /// assert!(report.unwrap().worst < 1e-6);
    /// ```
    pub fn run_model<M: Module>(&self, model: &M, f: impl Fn(&M) -> Tensor) -> Result<Report> {
        let (_restore, names, leaves) = in_f64(model);
        let f = |_: &[Tensor]| f(model);
        let weigh = self.weigher(&f, &leaves);
        self.compare("gradcheck_model", &|x| weigh(&f(x)), &leaves, &names)
            .map_err(|e| audit::blame(e, || weigh(&f(&leaves))))
    }

    /// As [`run_model`](GradCheck::run_model) for second derivatives.
    pub fn run_model_second_order<M: Module>(&self, model: &M, f: impl Fn(&M) -> Tensor) -> Result<Report> {
        let (_restore, names, leaves) = in_f64(model);
        let f = |_: &[Tensor]| f(model);
        let slope = self.slope(&f, &leaves);
        self.compare("gradgradcheck_model", &slope, &leaves, &names)
            .map_err(|e| audit::blame(e, || slope(&leaves)))
    }

    /// The slope of `f` along a fixed random direction. Recorded, it is a function like any other.
    fn slope<'f>(
        &self,
        f: &'f dyn Fn(&[Tensor]) -> Tensor,
        x: &[Tensor],
    ) -> impl Fn(&[Tensor]) -> Tensor + use<'f> {
        let weigh = self.weigher(f, x);
        let mut random = Generator::new(self.seed + 1);
        let directions: Vec<Tensor> = x
            .iter()
            .filter(|x| x.dtype().is_differentiable())
            .map(|x| Tensor::constant(like(x, &random.normal(&numbers(x), 0.0, 1.0, DType::F64))))
            .collect();
        move |x| {
            let y = weigh(&f(x));
            let wrt: Vec<&Tensor> = x.iter().filter(|x| x.dtype().is_differentiable()).collect();
            let recorded = Backward::new().create_graph(true);
            let grads = match y.requires_grad() {
                true => recorded.try_grad(&y, &wrt, None).unwrap_or_else(|e| raise(e)),
                false => Vec::new(),
            };
            let terms = grads.into_iter().zip(&directions);
            let terms = terms.filter_map(|(g, v)| Some((real(&g?) * real(v)).sum()));
            let zero = || Tensor::full_as([], 0.0, DType::F64);
            terms.reduce(|a, b| a + b).unwrap_or_else(zero)
        }
    }

    /// A function that makes one number of the result of `f`.
    fn weigher(&self, f: &dyn Fn(&[Tensor]) -> Tensor, x: &[Tensor]) -> impl Fn(&Tensor) -> Tensor + use<> {
        let shape = real(&no_grad(|| f(x))).shape();
        let weights = Generator::new(self.seed + 2).uniform(&shape, 0.5, 1.5, DType::F64);
        move |y| (real(y) * Tensor::constant(weights.clone())).sum()
    }

    /// Compares backward with differences of `f`, a number made of the leaves `x`. Parameters of models have
    /// `names`; without them, leaves are inputs by number.
    fn compare(
        &self,
        name: &str,
        f: &dyn Fn(&[Tensor]) -> Tensor,
        x: &[Tensor],
        names: &[String],
    ) -> Result<Report> {
        let y = f(x);
        let wrt: Vec<&Tensor> = x.iter().filter(|x| x.dtype().is_differentiable()).collect();
        let grads = match y.requires_grad() {
            true => Backward::new().try_grad(&y, &wrt, None)?,
            // A constant: its derivatives are zero, and the differences must be too.
            false => vec![None; wrt.len()],
        };
        let mut grads = grads.into_iter();
        let grads = x.iter().map(|x| match x.dtype().is_differentiable() {
            false => Vec::new(),
            true => match grads.next().flatten() {
                Some(g) => real(&g).to_vec(),
                None => vec![0.0; real(x).numel()],
            },
        });
        let mut comparison = Comparison {
            how: self,
            name,
            names,
            f,
            x,
            grads: grads.collect(),
            report: Report {
                compared: 0,
                worst: 0.0,
            },
        };
        match self.full {
            true => comparison.each_element()?,
            false => comparison.along_directions()?,
        }
        Ok(comparison.report)
    }
}

/// A check under way.
struct Comparison<'a> {
    how: &'a GradCheck,
    name: &'a str,
    names: &'a [String],
    f: &'a dyn Fn(&[Tensor]) -> Tensor,
    x: &'a [Tensor],
    /// What backward gives; nothing for what is not differentiated.
    grads: Vec<Vec<f64>>,
    report: Report,
}

impl Comparison<'_> {
    fn each_element(&mut self) -> Result<()> {
        for i in 0..self.x.len() {
            for k in 0..self.grads[i].len() {
                let mut along = vec![0.0; self.grads[i].len()];
                along[k] = 1.0;
                let (ours, theirs) = (self.grads[i][k], self.difference(&[(i, along)]));
                if !self.agree(ours, theirs) {
                    return Err(self.disagreement(i, k, ours, theirs));
                }
            }
        }
        Ok(())
    }

    fn along_directions(&mut self) -> Result<()> {
        let mut random = Generator::new(self.how.seed + 3);
        for _ in 0..self.how.directions {
            let differentiated = (0..self.x.len()).filter(|i| !self.grads[*i].is_empty());
            let along: Vec<(usize, Vec<f64>)> = differentiated
                .map(|i| {
                    let shape = numbers(&self.x[i]);
                    (i, random.normal(&shape, 0.0, 1.0, DType::F64).to_vec())
                })
                .collect();
            let term = |(i, v): &(usize, Vec<f64>)| -> f64 {
                self.grads[*i].iter().zip(v).map(|(g, v)| g * v).sum()
            };
            let ours: f64 = along.iter().map(term).sum();
            let theirs = self.difference(&along);
            if !self.agree(ours, theirs) {
                // Something is wrong: now it is worth finding out where.
                self.each_element()?;
                let message = "backward and finite differences disagree along a random direction";
                return Err(Error::new(ErrorKind::Check, self.name, message)
                    .note(format!("backward gives {ours}, finite differences {theirs}"))
                    .note(
                        "each element by itself agrees, so the tolerance may be too tight for their number",
                    ));
            }
        }
        Ok(())
    }

    /// (f(x + h v) − f(x − h v)) / 2h, with h relative to the size of what is moved.
    fn difference(&self, along: &[(usize, Vec<f64>)]) -> f64 {
        let before: Vec<Vec<f64>> = along.iter().map(|(i, _)| real(&self.x[*i]).to_vec()).collect();
        let moves = || along.iter().zip(&before).map(|((i, v), x)| (&self.x[*i], x, v));
        let sizes = moves().flat_map(|(_, x, v)| x.iter().zip(v));
        let sizes = sizes.filter(|(x, v)| **v != 0.0 && x.is_finite());
        let h = self.how.step * sizes.map(|(x, _)| x.abs()).fold(1.0, f64::max);
        // The leaves themselves are moved, and put back: a model reads its parameters where they are.
        let moved = |h: f64| {
            for (leaf, x, v) in moves() {
                let to: Vec<f64> = x.iter().zip(v).map(|(x, v)| x + h * v).collect();
                leaf.set_data(&like(leaf, &Array::from_slice(&to, numbers(leaf))).into());
            }
            // Recorded as well: what is checked may itself be a gradient.
            (self.f)(self.x).item()
        };
        let difference = (moved(h) - moved(-h)) / (2.0 * h);
        for (leaf, x, _) in moves() {
            leaf.set_data(&like(leaf, &Array::from_slice(x, numbers(leaf))).into());
        }
        difference
    }

    fn agree(&mut self, ours: f64, theirs: f64) -> bool {
        self.report.compared += 1;
        if ours.is_nan() && theirs.is_nan() {
            return true;
        }
        let error = (ours - theirs).abs();
        self.report.worst = self.report.worst.max(error / theirs.abs().max(1.0));
        error <= self.how.atol + self.how.rtol * theirs.abs()
    }

    fn disagreement(&self, i: usize, k: usize, ours: f64, theirs: f64) -> Error {
        let shape = self.x[i].shape();
        let of = numbers(&self.x[i]);
        let which = match self.names.get(i) {
            Some(name) => format!("parameter `{name}`, which is {shape} here"),
            None => format!("input {i}"),
        };
        // Of a complex input the last index says which part.
        let at = element(&of, k);
        let message = format!("backward and finite differences disagree at element {at} of {which}");
        Error::new(ErrorKind::Check, self.name, message)
            .note(format!("backward gives {ours}, finite differences {theirs}"))
    }
}

/// Puts back what a model's tensors were, also when a check ends by a panic.
struct Restore(Vec<(Tensor, Tensor, Option<Tensor>)>);

impl Drop for Restore {
    fn drop(&mut self) {
        for (tensor, value, grad) in self.0.drain(..) {
            tensor.set_data(&value);
            tensor.set_grad(grad);
        }
    }
}

/// Converts a model to f64 for a while; the names of its parameters, and the parameters.
fn in_f64<M: Module>(model: &M) -> (Restore, Vec<String>, Vec<Tensor>) {
    let tensors = model.tensors().into_iter();
    let tensors = tensors.filter_map(|(_, part)| match part {
        Part::Parameter(t) | Part::Transposed(t) | Part::Buffer(t) => Some(t),
        Part::Module(_) | Part::Mode(_) => None,
    });
    let restore = Restore(tensors.map(|t| (t.clone(), t.detach(), t.grad())).collect());
    model.to(DType::F64);
    let trained = model.named_parameters().into_iter();
    let (names, leaves) = trained.filter(|(_, p)| p.requires_grad()).unzip();
    (restore, names, leaves)
}

/// A tensor's real numbers: of complex ones, both parts.
fn real(x: &Tensor) -> Tensor {
    match x.dtype().is_complex() {
        true => x.view_as_real(),
        false => x.clone(),
    }
}

/// The shape of those.
fn numbers(x: &Tensor) -> Shape {
    real(&x.detach()).shape()
}

/// Real numbers as elements of the kind of `x`.
fn like(x: &Tensor, numbers: &Array) -> Array {
    match x.dtype().is_complex() {
        true => numbers.view_as_complex(),
        false => numbers.clone(),
    }
}

/// The dtype in which numbers of another are checked.
fn wide(dtype: DType) -> DType {
    match dtype.is_complex() {
        true => DType::C128,
        false => DType::F64,
    }
}

/// Leaves in f64 with the inputs' values.
fn leaves(inputs: &[&Tensor]) -> Vec<Tensor> {
    let leaf = |x: &&Tensor| match x.dtype().is_differentiable() {
        true => Tensor::constant(x.array().cast(wide(x.dtype())).contiguous()).requires_grad_(true),
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

/// Compares the gradients of a model's output for `batch`, with respect to all its parameters, with finite
/// differences along random directions, in first and second order. The model is as it was afterwards.
///
/// The error of a check that fails names the parameter, the element, and the operation whose rule is wrong.
/// [`GradCheck::run_model`] takes a loss or any other function of the model, and checks each element.
///
/// ```
/// # use wengert::{Tensor, gradcheck_model, nn::{Linear, Sequential, Tanh}};
/// let model = Sequential::new().add(Linear::new(4, 8)).add(Tanh).add(Linear::new(8, 3));
/// gradcheck_model(&model, &Tensor::randn([5, 4])).unwrap();
/// ```
pub fn gradcheck_model<M: Layer>(model: &M, batch: &Tensor) -> Result<Report> {
    let batch = match batch.dtype().is_float() {
        true => batch.detach().to(DType::F64),
        false => batch.detach(),
    };
    let report = GradCheck::new().run_model(model, |m| m.forward(&batch))?;
    GradCheck::new()
        .tolerance(1e-4, 1e-6)
        .run_model_second_order(model, |m| m.forward(&batch))?;
    Ok(report)
}
