//! Random tensors. What is drawn depends on the seed and on the draws before, not on the number of threads.

use crate::create::fits;
use crate::ops::ok;
use crate::tensor::Tensor;
use std::cell::RefCell;
use std::sync::Mutex;
use wengert_array::kernels::Generator;
use wengert_array::{Array, DType, Error, ErrorKind, Result, Shape, get_default_dtype, raise};

static GENERATOR: Mutex<Option<Generator>> = Mutex::new(None);

/// Sets the seed of the random numbers that this module makes. Without a seed it is 0: a program gives the
/// same numbers every time it runs.
pub fn manual_seed(seed: u64) {
    *crate::autograd::lock(&GENERATOR) = Some(Generator::new(seed));
}

thread_local! {
    /// The generator that [`fork_rng`] gives this thread.
    static FORK: RefCell<Option<Generator>> = const { RefCell::new(None) };
}

/// Runs `f` with a generator of its own, so seeded: what `f` draws on this thread neither depends on what is drawn
/// elsewhere nor changes it.
///
/// ```
/// use wengert::{Tensor, fork_rng};
///
/// let [a, b] = [0; 2].map(|_| fork_rng(7, || Tensor::randn([3])));
/// assert_eq!(a.to_vec::<f32>(), b.to_vec::<f32>());
/// ```
pub fn fork_rng<T>(seed: u64, f: impl FnOnce() -> T) -> T {
    /// Gives the thread its former generator back, also when `f` panics.
    struct Former(Option<Generator>);
    impl Drop for Former {
        fn drop(&mut self) {
            FORK.set(self.0.take());
        }
    }
    let _former = Former(FORK.replace(Some(Generator::new(seed))));
    f()
}

/// Runs `f` on the generator that random tensors come from: that of [`manual_seed`], or of [`fork_rng`] inside it.
pub fn with_generator<T>(f: impl FnOnce(&mut Generator) -> T) -> T {
    FORK.with_borrow_mut(|fork| match fork {
        Some(own) => f(own),
        None => f(crate::autograd::lock(&GENERATOR).get_or_insert_with(|| Generator::new(0))),
    })
}

#[cold]
fn value_error(op: &str, message: String) -> Error {
    Error::new(ErrorKind::Value, op, message)
}

/// The probabilities, if they are such.
fn probabilities(op: &str, p: &Tensor) -> Result<Array> {
    if !p.dtype().is_float() {
        let message = format!("probabilities are floats, and these are {}", p.dtype());
        return Err(Error::new(ErrorKind::DType, op, message));
    }
    let p = p.array();
    match p.to_vec::<f64>().iter().find(|v| !(0.0..=1.0).contains(*v)) {
        Some(bad) => Err(value_error(op, format!("{bad} is not a probability"))),
        None => Ok(p),
    }
}

/// New random tensors.
impl Tensor {
    /// Random numbers of the default dtype, uniform in [0, 1).
    #[track_caller]
    pub fn rand(shape: impl Into<Shape>) -> Tensor {
        Tensor::uniform(shape, 0.0, 1.0)
    }

    /// Random numbers, uniform in [`low`, `high`).
    #[track_caller]
    pub fn uniform(shape: impl Into<Shape>, low: f64, high: f64) -> Tensor {
        Tensor::uniform_as(shape, low, high, get_default_dtype())
    }

    /// As [`uniform`](Tensor::uniform), in this dtype.
    #[track_caller]
    pub fn uniform_as(shape: impl Into<Shape>, low: f64, high: f64, dtype: DType) -> Tensor {
        let shape = fits(shape.into(), "uniform");
        Tensor::constant(with_generator(|g| g.uniform(&shape, low, high, dtype)))
    }

    /// Random numbers from the standard normal distribution.
    #[track_caller]
    pub fn randn(shape: impl Into<Shape>) -> Tensor {
        Tensor::normal_as(shape, 0.0, 1.0, get_default_dtype())
    }

    /// Random numbers from the normal distribution with this mean and standard deviation.
    #[track_caller]
    pub fn normal(shape: impl Into<Shape>, mean: f64, std: f64) -> Tensor {
        Tensor::normal_as(shape, mean, std, get_default_dtype())
    }

    /// As [`normal`](Tensor::normal), in this dtype.
    #[track_caller]
    pub fn normal_as(shape: impl Into<Shape>, mean: f64, std: f64, dtype: DType) -> Tensor {
        let shape = fits(shape.into(), "normal");
        Tensor::constant(with_generator(|g| g.normal(&shape, mean, std, dtype)))
    }

    /// i64 random numbers in `low .. high`.
    ///
    /// # Panics
    /// If the range is empty.
    #[track_caller]
    pub fn randint(low: i64, high: i64, shape: impl Into<Shape>) -> Tensor {
        if low >= high {
            raise(value_error(
                "randint",
                format!("the range {low}..{high} is empty"),
            ));
        }
        let shape = fits(shape.into(), "randint");
        Tensor::constant(with_generator(|g| g.integers(&shape, low, high)))
    }

    /// The i64 numbers 0 … n−1 in random order.
    #[track_caller]
    pub fn randperm(n: usize) -> Tensor {
        fits([n].into(), "randperm");
        Tensor::constant(with_generator(|g| g.permutation(n)))
    }

    /// Uniform random numbers in [0, 1), in the shape and dtype of this tensor.
    #[track_caller]
    pub fn rand_like(&self) -> Tensor {
        Tensor::uniform_as(self.shape(), 0.0, 1.0, self.dtype())
    }

    /// Random numbers from the standard normal distribution, in the shape and dtype of this tensor.
    #[track_caller]
    pub fn randn_like(&self) -> Tensor {
        Tensor::normal_as(self.shape(), 0.0, 1.0, self.dtype())
    }

    /// Random integers in `low .. high`, in the shape and dtype of this tensor.
    #[track_caller]
    pub fn randint_like(&self, low: i64, high: i64) -> Tensor {
        Tensor::randint(low, high, self.shape()).to(self.dtype())
    }

    /// For each element 1 with that probability, else 0, in its dtype. Without history, as chance has no gradient.
    #[track_caller]
    pub fn bernoulli(&self) -> Tensor {
        ok(with_generator(|g| self.bernoulli_from(g)))
    }

    /// As [`bernoulli`](Tensor::bernoulli), from this generator.
    pub fn bernoulli_from(&self, generator: &mut Generator) -> Result<Tensor> {
        let p = probabilities("bernoulli", self)?;
        // As many steps as the dtype can tell apart; 0 never happens for p = 0, and always does for 1.
        let dtype = if p.dtype() == DType::F64 {
            DType::F64
        } else {
            DType::F32
        };
        let draws = Tensor::constant(generator.uniform(p.shape(), 0.0, 1.0, dtype));
        Ok(draws.lt(&Tensor::constant(p)).to(self.dtype()))
    }

    /// For each row of weights, `n` indices drawn with those chances; without `replacement`, each at most once.
    #[track_caller]
    pub fn multinomial(&self, n: usize, replacement: bool) -> Tensor {
        ok(with_generator(|g| self.multinomial_from(n, replacement, g)))
    }

    /// As [`multinomial`](Tensor::multinomial), from this generator.
    pub fn multinomial_from(&self, n: usize, replacement: bool, generator: &mut Generator) -> Result<Tensor> {
        let (shape, op) = (self.shape(), "multinomial");
        if !(1..=2).contains(&shape.rank()) || n == 0 {
            let message = format!("cannot draw {n} indices by weights of shape {shape}");
            return Err(value_error(op, message).note("it needs a vector or a matrix, and a number of draws"));
        }
        if !self.dtype().is_float() {
            let message = format!("weights are floats, and these are {}", self.dtype());
            return Err(Error::new(ErrorKind::DType, op, message));
        }
        let cols = shape[shape.rank() - 1];
        let rows = self.array().reshape([shape.numel() / cols.max(1), cols]);
        let rows = rows.cast(DType::F64).contiguous();
        let weights = rows.as_slice::<f64>();
        let fits = |w: &f64| (0.0..f64::INFINITY).contains(w);
        // One pass without branches; what is wrong is asked only afterwards.
        if !weights.iter().fold(true, |all, w| all & fits(w))
            && let Some(bad) = weights.iter().find(|w| !fits(w))
        {
            return Err(value_error(op, format!("a weight of {bad} makes no sense")));
        }
        for row in weights.chunks(cols.max(1)) {
            let some = row.iter().filter(|w| **w > 0.0).count();
            if some < if replacement { 1 } else { n } {
                let message = format!("cannot draw {n} indices from {some} weights above zero");
                return Err(value_error(op, message));
            }
        }
        let picks = Tensor::constant(generator.multinomial(&rows, n, replacement));
        Ok(if shape.rank() == 1 {
            picks.squeeze(0)
        } else {
            picks
        })
    }

    /// For each element a number from the Poisson distribution with that rate, in its dtype. Without history.
    #[track_caller]
    pub fn poisson(&self) -> Tensor {
        Tensor::constant(with_generator(|g| g.poisson(&self.array())))
    }
}

/// Random values for leaves.
impl Tensor {
    /// Gives this leaf the value that `f` makes of its shape and dtype.
    #[track_caller]
    fn redraw(&self, op: &str, f: impl FnOnce(&mut Generator, &Shape, DType) -> Array) -> Tensor {
        let dtype = self.dtype();
        if !dtype.is_float() {
            raise(Error::new(
                ErrorKind::DType,
                op,
                format!("needs floats, and got {dtype}"),
            ));
        }
        let new = with_generator(|g| f(g, &self.shape(), dtype));
        self.change(op, |_| new);
        self.clone()
    }

    /// [`update`](Tensor::update) for an operation of this name.
    #[track_caller]
    pub(crate) fn change(&self, op: &str, f: impl FnOnce(Array) -> Array) {
        if !self.is_leaf() {
            raise(
                Error::new(ErrorKind::Graph, op, "a result with a history cannot be changed")
                    .help("`.detach()` gives a variable with the same value"),
            );
        }
        self.update(f);
    }

    /// Fills this leaf with a number.
    #[track_caller]
    pub fn fill_(&self, value: f64) -> Tensor {
        self.change("fill_", |x| Array::full(x.shape(), value, x.dtype()));
        self.clone()
    }

    /// Fills this leaf with zeros.
    #[track_caller]
    pub fn zero_(&self) -> Tensor {
        self.change("zero_", |x| Array::full(x.shape(), 0.0, x.dtype()));
        self.clone()
    }

    /// Fills this leaf with random numbers uniform in [`low`, `high`).
    #[track_caller]
    pub fn uniform_(&self, low: f64, high: f64) -> Tensor {
        self.redraw("uniform_", |g, shape, dtype| g.uniform(shape, low, high, dtype))
    }

    /// Fills this leaf with random numbers from the normal distribution.
    #[track_caller]
    pub fn normal_(&self, mean: f64, std: f64) -> Tensor {
        self.redraw("normal_", |g, shape, dtype| g.normal(shape, mean, std, dtype))
    }

    /// Fills this leaf with random numbers from the exponential distribution: density rate · exp(−rate · x).
    #[track_caller]
    pub fn exponential_(&self, rate: f64) -> Tensor {
        self.redraw("exponential_", |g, shape, dtype| {
            g.exponential(shape, rate, dtype)
        })
    }

    /// Fills this leaf with random numbers whose logarithm has the normal distribution.
    #[track_caller]
    pub fn log_normal_(&self, mean: f64, std: f64) -> Tensor {
        self.redraw("log_normal_", |g, shape, dtype| {
            let z = Tensor::constant(g.normal(shape, mean, std, DType::F64));
            z.exp().array().cast(dtype)
        })
    }

    /// Fills this leaf with random numbers from the Cauchy distribution.
    #[track_caller]
    pub fn cauchy_(&self, median: f64, sigma: f64) -> Tensor {
        if sigma.is_nan() || sigma <= 0.0 {
            raise(value_error(
                "cauchy_",
                format!("the scale must be positive, and is {sigma}"),
            ));
        }
        self.redraw("cauchy_", |g, shape, dtype| {
            // The ratio of two independent normal numbers.
            let [a, b] = [0; 2].map(|_| Tensor::constant(g.normal(shape, 0.0, 1.0, DType::F64)));
            (a / b * sigma + median).array().cast(dtype)
        })
    }

    /// Fills this leaf with numbers of trials until one succeeds, each with probability `p`: 1, 2, …
    #[track_caller]
    pub fn geometric_(&self, p: f64) -> Tensor {
        if !(p > 0.0 && p < 1.0) {
            raise(value_error(
                "geometric_",
                format!("{p} is not a probability between 0 and 1"),
            ));
        }
        self.redraw("geometric_", |g, shape, dtype| {
            let waits = Tensor::constant(g.exponential(shape, -(-p).ln_1p(), DType::F64));
            let trials: Vec<f64> = waits.to_vec::<f64>().iter().map(|w| w.ceil().max(1.0)).collect();
            Array::from_slice(&trials, shape).cast(dtype)
        })
    }

    /// Fills this leaf, of any dtype, with 1 with probability `p`, else 0.
    #[track_caller]
    pub fn bernoulli_(&self, p: f64) -> Tensor {
        if !(0.0..=1.0).contains(&p) {
            raise(value_error("bernoulli_", format!("{p} is not a probability")));
        }
        let new = with_generator(|g| g.bernoulli(&self.shape(), p)).cast(self.dtype());
        self.change("bernoulli_", |_| new);
        self.clone()
    }

    /// Fills this leaf, of any dtype, with random integers in `low .. high`.
    #[track_caller]
    pub fn random_(&self, low: i64, high: i64) -> Tensor {
        if low >= high {
            raise(value_error(
                "random_",
                format!("the range {low}..{high} is empty"),
            ));
        }
        let new = with_generator(|g| g.integers(&self.shape(), low, high)).cast(self.dtype());
        self.change("random_", |_| new);
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_draws_its_own_numbers() {
        let draw = || Tensor::rand([4]).to_vec::<f32>();
        fork_rng(5, || {
            let (first, second) = (draw(), draw());
            fork_rng(5, || assert_eq!(draw(), first));
            // A panic inside leaves the outer generator where it was.
            assert!(std::panic::catch_unwind(|| fork_rng(5, || panic!("{:?}", draw()))).is_err());
            let third = draw();
            assert_eq!(fork_rng(5, || [draw(), draw(), draw()]), [first, second, third]);
        });
    }

    #[test]
    fn draws_stay_in_their_range() {
        fork_rng(1, in_their_range);
    }

    fn in_their_range() {
        let p = Tensor::new([0.0, 1.0, 0.5]).expand([1000, 3]);
        let b = p.bernoulli().sum_dim(0, false).to_vec::<f32>();
        assert_eq!((b[0], b[1]), (0.0, 1000.0));
        assert!((b[2] - 500.0).abs() < 90.0);
        let w = Tensor::new([[0.0, 2.0, 1.0], [1.0, 0.0, 0.0]]);
        assert_eq!(w.multinomial(1, false).index((1, 0)).item(), 0.0);
        assert_eq!(
            w.multinomial(50, true)
                .eq(0.0)
                .to(DType::I64)
                .sum_dim(1, false)
                .to_vec::<i64>(),
            [0, 50]
        );
        let x = Tensor::zeros([2000]);
        assert!(x.exponential_(0.5).to_vec::<f32>().iter().all(|v| *v > 0.0));
        assert!((x.mean().item() - 2.0).abs() < 0.2);
        assert!((x.geometric_(0.25).mean().item() - 4.0).abs() < 0.4);
        assert!((x.log_normal_(0.0, 0.5).log().mean().item()).abs() < 0.06);
        assert!((x.cauchy_(3.0, 1.0).gt(3.0).to(DType::F32).mean().item() - 0.5).abs() < 0.06);
        assert_eq!(x.fill_(2.0).sum().item(), 4000.0);
        assert_eq!(x.rand_like().dtype(), DType::F32);
    }
}
