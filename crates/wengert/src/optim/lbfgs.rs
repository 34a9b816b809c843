//! L-BFGS.

use super::core::trainable;
use super::options::{Setting, at_least_zero, number};
use crate::io::Value;
use crate::ops::ok;
use crate::tensor::Tensor;
use std::collections::VecDeque;
use wengert_array::{Error, ErrorKind, Result, raise};

mod search;

/// L-BFGS: steps by an approximate inverse Hessian made of the last few steps, as `torch.optim.LBFGS`.
///
/// It evaluates the loss several times a step, so [`step`](LBFGS::step) takes a function that computes it.
/// Vectors are kept and combined in f64, whatever the parameters' dtype.
///
/// Sources: Nocedal and Wright, Numerical Optimization, 2006, algorithms 7.4 and 7.5; the line search follows their
/// algorithms 3.5 and 3.6, with cubic interpolation.
///
/// ```
/// use wengert::Tensor;
/// use wengert::optim::LBFGS;
///
/// // Rosenbrock's valley, whose lowest point is (1, 1).
/// let x = Tensor::new([-1.5, 2.0]).requires_grad_(true);
/// let mut optimizer = LBFGS::new([x.clone()], 1.0).max_iter(60).line_search(true);
/// let loss = optimizer.step(|| {
///     let (a, b) = (x.select(0, 0), x.select(0, 1));
///     (1.0 - &a).square() + 100.0 * (b - a.square()).square()
/// });
/// assert!(loss > 1.0 && x.allclose(&Tensor::new([1.0, 1.0]), 1e-3, 0.0));
/// ```
#[derive(Debug)]
pub struct LBFGS {
    parameters: Vec<Tensor>,
    learning_rate: f64,
    max_iter: usize,
    max_eval: Option<usize>,
    tolerance_grad: f64,
    tolerance_change: f64,
    history_size: usize,
    line_search: bool,
    state: State,
}

/// A past step: the change of the gradient, that of the parameters, and 1 over their product.
#[derive(Clone, Debug)]
struct Pair {
    y: Vec<f64>,
    s: Vec<f64>,
    rho: f64,
}

#[derive(Clone, Debug, Default)]
struct State {
    evaluations: usize,
    iterations: usize,
    history: VecDeque<Pair>,
    /// How the first guess of the inverse Hessian is scaled.
    scale: f64,
    direction: Vec<f64>,
    size: f64,
    gradient: Vec<f64>,
}

impl LBFGS {
    /// With PyTorch's defaults: 20 iterations a step, 25 evaluations, 100 pairs of history, no line search.
    ///
    /// # Panics
    /// If there are no parameters, one is there twice or is not a leaf, or the learning rate is negative.
    #[track_caller]
    pub fn new(parameters: impl IntoIterator<Item = Tensor>, learning_rate: f64) -> LBFGS {
        let mut list = Vec::new();
        trainable("LBFGS", &mut list, parameters);
        if list.iter().any(|p| p.dtype().is_complex()) {
            let message = "trains real parameters only, and got a complex one";
            raise(
                Error::new(ErrorKind::DType, "LBFGS", message)
                    .help("train the parts: `view_as_real` of a complex tensor"),
            );
        }
        LBFGS {
            parameters: list,
            learning_rate: ok(at_least_zero("LBFGS", "learning rate", learning_rate)),
            max_iter: 20,
            max_eval: None,
            tolerance_grad: 1e-7,
            tolerance_change: 1e-9,
            history_size: 100,
            line_search: false,
            state: State::default(),
        }
    }

    /// With at most this many iterations a step.
    #[must_use]
    pub fn max_iter(self, max_iter: usize) -> LBFGS {
        LBFGS { max_iter, ..self }
    }

    /// With at most this many evaluations a step; by default 5/4 of the iterations.
    #[must_use]
    pub fn max_eval(self, max_eval: usize) -> LBFGS {
        let max_eval = Some(max_eval);
        LBFGS { max_eval, ..self }
    }

    /// Ends a step where no gradient is larger than this; 1e-7 by default.
    #[must_use]
    pub fn tolerance_grad(self, tolerance_grad: f64) -> LBFGS {
        LBFGS {
            tolerance_grad,
            ..self
        }
    }

    /// Ends a step where loss or parameters change by no more than this; 1e-9 by default.
    #[must_use]
    pub fn tolerance_change(self, tolerance_change: f64) -> LBFGS {
        LBFGS {
            tolerance_change,
            ..self
        }
    }

    /// Remembers this many past steps.
    #[must_use]
    pub fn history_size(self, history_size: usize) -> LBFGS {
        LBFGS { history_size, ..self }
    }

    /// With a line search to the strong Wolfe conditions, or with steps of fixed size.
    #[must_use]
    pub fn line_search(self, line_search: bool) -> LBFGS {
        LBFGS { line_search, ..self }
    }

    /// The parameters.
    pub fn parameters(&self) -> &[Tensor] {
        &self.parameters
    }

    /// The learning rate.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// Changes the learning rate, from the next step on.
    #[track_caller]
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = ok(at_least_zero("LBFGS", "learning rate", learning_rate));
    }

    /// Loss and gradient as they are now.
    fn evaluate(&self, loss: &mut dyn FnMut() -> Tensor) -> (f64, Vec<f64>) {
        self.parameters.iter().for_each(Tensor::zero_grad);
        let loss = loss();
        loss.backward();
        let gradients = self.parameters.iter().map(|p| match p.grad() {
            Some(g) => g.to_vec::<f64>(),
            None => vec![0.0; p.numel()],
        });
        (loss.item(), gradients.flatten().collect())
    }

    fn values(&self) -> Vec<f64> {
        self.parameters.iter().flat_map(|p| p.to_vec::<f64>()).collect()
    }

    /// Goes to x + t d.
    fn go(&self, x: &[f64], t: f64, d: &[f64]) {
        let mut at = 0;
        for p in &self.parameters {
            let range = at..at + p.numel();
            let moved: Vec<f64> = x[range.clone()]
                .iter()
                .zip(&d[range])
                .map(|(x, d)| x + t * d)
                .collect();
            at += moved.len();
            p.copy_(&Tensor::from_vec(moved, p.shape()));
        }
    }

    /// Changes the parameters by one step, and returns the loss before it. `loss` computes the loss; the gradients
    /// are computed here.
    pub fn step(&mut self, mut loss: impl FnMut() -> Tensor) -> f64 {
        let max_eval = self.max_eval.unwrap_or(self.max_iter * 5 / 4);
        let (first, mut gradient) = self.evaluate(&mut loss);
        let mut now = first;
        let mut evaluations = 1;
        let mut state = std::mem::take(&mut self.state);
        let optimal = |g: &[f64]| largest(g) <= self.tolerance_grad;
        let mut iteration = 0;
        let mut done = optimal(&gradient);
        while !done && iteration < self.max_iter {
            iteration += 1;
            state.iterations += 1;
            state.aim(&gradient, self.history_size);
            let before = now;
            state.size = match state.iterations {
                1 => (1.0 / gradient.iter().map(|g| g.abs()).sum::<f64>()).min(1.0) * self.learning_rate,
                _ => self.learning_rate,
            };
            state.gradient.clone_from(&gradient);
            let slope = dot(&gradient, &state.direction);
            if slope > -self.tolerance_change {
                break;
            }
            let x = self.values();
            let d = &state.direction;
            if self.line_search {
                let mut at = |t: f64| {
                    self.go(&x, t, d);
                    let (f, g) = self.evaluate(&mut loss);
                    let slope = dot(&g, d);
                    search::Point { t, f, g, slope }
                };
                let start = search::Point {
                    t: 0.0,
                    f: now,
                    g: gradient,
                    slope,
                };
                let most = max_eval.saturating_sub(evaluations);
                let (found, used) = search::strong_wolfe(
                    &mut at,
                    start,
                    state.size,
                    largest(d),
                    self.tolerance_change,
                    most,
                );
                (now, gradient, state.size) = (found.f, found.g, found.t);
                evaluations += used;
                self.go(&x, state.size, d);
            } else {
                self.go(&x, state.size, d);
                if iteration < self.max_iter {
                    (now, gradient) = self.evaluate(&mut loss);
                    evaluations += 1;
                }
            }
            done = iteration == self.max_iter
                || evaluations >= max_eval
                || optimal(&gradient)
                || largest(d) * state.size.abs() <= self.tolerance_change
                || (now - before).abs() < self.tolerance_change;
        }
        state.evaluations += evaluations;
        self.state = state;
        first
    }

    /// Options and state in PyTorch's layout.
    pub fn state_dict(&self) -> Value {
        let s = &self.state;
        let vector = |v: &[f64]| Value::Tensor(Tensor::from_slice(v, [v.len()]));
        let pairs = |f: fn(&Pair) -> &Vec<f64>| Value::List(s.history.iter().map(|p| vector(f(p))).collect());
        let mut state = vec![
            ("func_evals", s.evaluations.into()),
            ("n_iter", s.iterations.into()),
        ];
        if s.iterations > 0 {
            state.extend([
                ("d", vector(&s.direction)),
                ("t", s.size.into()),
                ("old_dirs", pairs(|p| &p.y)),
                ("old_stps", pairs(|p| &p.s)),
                (
                    "ro",
                    Value::List(s.history.iter().map(|p| p.rho.into()).collect()),
                ),
                ("H_diag", s.scale.into()),
                ("prev_flat_grad", vector(&s.gradient)),
            ]);
        }
        let places = (0..self.parameters.len()).map(Value::from).collect::<Vec<_>>();
        let group = Value::dict([
            ("lr", self.learning_rate.into()),
            ("max_iter", self.max_iter.into()),
            ("max_eval", self.max_eval.unwrap_or(self.max_iter * 5 / 4).into()),
            ("tolerance_grad", self.tolerance_grad.into()),
            ("tolerance_change", self.tolerance_change.into()),
            ("history_size", self.history_size.into()),
            (
                "line_search_fn",
                self.line_search.then_some("strong_wolfe").into(),
            ),
            ("params", places.into()),
        ]);
        Value::dict([
            ("state", Value::Dict(vec![(Value::Int(0), Value::dict(state))])),
            ("param_groups", Value::List(vec![group])),
        ])
    }

    /// Takes over options and state from a [`state_dict`](LBFGS::state_dict), also from PyTorch's.
    ///
    /// # Errors
    /// If something is missing or does not fit; then nothing was changed.
    pub fn load_state_dict(&mut self, saved: &Value) -> Result<()> {
        let wrong = |message: String| Error::new(ErrorKind::Value, "load_state_dict", message);
        let groups = saved.entry("param_groups")?.items().unwrap_or_default();
        let [group] = groups else {
            return Err(wrong(format!(
                "needs one group of parameters, and got {}",
                groups.len()
            )));
        };
        let theirs = group
            .get("params")
            .and_then(Value::items)
            .map_or(0, <[Value]>::len);
        if theirs != self.parameters.len() {
            let ours = self.parameters.len();
            return Err(wrong(format!(
                "there are {ours} parameters here and {theirs} in the saved state"
            )));
        }
        let learning_rate = number("lr", group.entry("lr")?)?;
        let max_iter = usize::load("max_iter", group.entry("max_iter")?)?;
        let max_eval = Some(usize::load("max_eval", group.entry("max_eval")?)?);
        let tolerance_grad = number("tolerance_grad", group.entry("tolerance_grad")?)?;
        let tolerance_change = number("tolerance_change", group.entry("tolerance_change")?)?;
        let history_size = usize::load("history_size", group.entry("history_size")?)?;
        let line_search = group.get("line_search_fn").and_then(Value::as_str).is_some();
        let n: usize = self.parameters.iter().map(Tensor::numel).sum();
        let vector = |name: &str, value: &Value| {
            let v = value
                .as_tensor()
                .map(Tensor::to_vec::<f64>)
                .filter(|v| v.len() == n);
            v.ok_or_else(|| wrong(format!("`{name}` must hold {n} numbers, and is {value}")))
        };
        let mut state = State::default();
        if let Some(saved) = saved.entry("state")?.get_number(0)
            && let Some(iterations) = saved.get("n_iter").and_then(Value::as_i64).filter(|i| *i > 0)
        {
            let list = |name: &str| Ok::<_, Error>(saved.entry(name)?.items().unwrap_or_default());
            let (y, s, rho) = (list("old_dirs")?, list("old_stps")?, list("ro")?);
            if y.len() != s.len() || s.len() != rho.len() {
                return Err(wrong("the lists of past steps differ in length".to_string()));
            }
            for ((y, s), rho) in y.iter().zip(s).zip(rho) {
                let (y, s) = (vector("old_dirs", y)?, vector("old_stps", s)?);
                let rho = number("ro", rho)?;
                state.history.push_back(Pair { y, s, rho });
            }
            state.iterations = iterations as usize;
            state.evaluations = saved
                .get("func_evals")
                .and_then(Value::as_i64)
                .unwrap_or(0)
                .max(0) as usize;
            state.scale = number("H_diag", saved.entry("H_diag")?)?;
            state.direction = vector("d", saved.entry("d")?)?;
            state.size = number("t", saved.entry("t")?)?;
            state.gradient = vector("prev_flat_grad", saved.entry("prev_flat_grad")?)?;
        }
        let parameters = std::mem::take(&mut self.parameters);
        *self = LBFGS {
            parameters,
            learning_rate,
            max_iter,
            max_eval,
            tolerance_grad,
            tolerance_change,
            history_size,
            line_search,
            state,
        };
        Ok(())
    }
}

impl State {
    /// Takes in what the last step showed, and sets the direction of the next.
    fn aim(&mut self, gradient: &[f64], most: usize) {
        if self.iterations == 1 {
            self.history.clear();
            self.scale = 1.0;
            self.direction = gradient.iter().map(|g| -g).collect();
            return;
        }
        let y: Vec<f64> = gradient.iter().zip(&self.gradient).map(|(a, b)| a - b).collect();
        let s: Vec<f64> = self.direction.iter().map(|d| d * self.size).collect();
        let ys = dot(&y, &s);
        // Without this curvature the approximation would not stay positive definite.
        if ys > 1e-10 {
            if self.history.len() >= most {
                self.history.pop_front();
            }
            self.scale = ys / dot(&y, &y);
            self.history.push_back(Pair { y, s, rho: 1.0 / ys });
        }
        let mut d: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let mut alphas = Vec::with_capacity(self.history.len());
        for pair in self.history.iter().rev() {
            let alpha = dot(&pair.s, &d) * pair.rho;
            add(&mut d, -alpha, &pair.y);
            alphas.push(alpha);
        }
        d.iter_mut().for_each(|d| *d *= self.scale);
        for (pair, alpha) in self.history.iter().zip(alphas.into_iter().rev()) {
            let beta = dot(&pair.y, &d) * pair.rho;
            add(&mut d, alpha - beta, &pair.s);
        }
        self.direction = d;
    }
}

/// Σ aᵢ bᵢ, in eight sums side by side, which registers hold.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a8
        .remainder()
        .iter()
        .zip(b8.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in a8.zip(b8) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum::<f64>() + rest
}

fn add(to: &mut [f64], factor: f64, what: &[f64]) {
    to.iter_mut().zip(what).for_each(|(t, w)| *t += factor * w);
}

fn largest(v: &[f64]) -> f64 {
    v.iter().fold(0.0, |most, v| most.max(v.abs()))
}
