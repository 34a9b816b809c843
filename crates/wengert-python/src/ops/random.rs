//! Random numbers.

use crate::args::{Dtype, NoOut, Operand, SizeArg, TensorLike};
use crate::create::size_of;
use crate::dtype::DeviceArg;
use crate::give::Give;
use crate::guard::guard;
use crate::macros::{functions, ops};
use crate::tensor::PyTensor;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wengert::kernels::Generator;
use wengert::{Array, DType, Shape, Tensor};

/// A source of random numbers with a seed of its own.
#[pyclass(frozen, name = "Generator", module = "wengert")]
pub(crate) struct PyGenerator(Arc<Mutex<Generator>>);

#[pymethods]
impl PyGenerator {
    #[new]
    #[pyo3(signature = (device = None))]
    fn new(device: Option<DeviceArg>) -> PyGenerator {
        let _ = device;
        PyGenerator(Arc::new(Mutex::new(Generator::new(0))))
    }
    /// Starts anew from `seed`.
    fn manual_seed<'py>(slf: &Bound<'py, Self>, seed: i64) -> Bound<'py, Self> {
        *slf.get().0.lock().unwrap_or_else(PoisonError::into_inner) = Generator::new(seed as u64);
        slf.clone()
    }
    /// The seed that it started from.
    fn initial_seed(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).seed()
    }
    /// The seed, and how much was drawn.
    fn get_state(&self) -> [u64; 2] {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).state()
    }
    /// Goes on from a state that `get_state` gave.
    fn set_state(&self, state: [u64; 2]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Generator::from_state(state);
    }
}

/// `generator=`, where `None` means the one that `manual_seed` seeds.
pub(crate) struct GeneratorArg(Arc<Mutex<Generator>>);

impl<'py> FromPyObject<'_, 'py> for GeneratorArg {
    type Error = PyErr;
    fn extract(obj: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Ok(GeneratorArg(obj.cast::<PyGenerator>()?.get().0.clone()))
    }
}

/// Draws from the generator that was given, or from the common one.
pub(crate) fn draw<T>(generator: &Option<GeneratorArg>, f: impl FnOnce(&mut Generator) -> T) -> T {
    match generator {
        Some(g) => f(&mut g.0.lock().unwrap_or_else(PoisonError::into_inner)),
        None => wengert::with_generator(f),
    }
}

fn made(
    py: Python<'_>,
    shape: Shape,
    requires_grad: bool,
    f: impl FnOnce(&Shape) -> Array + Send,
) -> PyResult<Py<PyAny>> {
    let work = shape.checked_numel().unwrap_or(usize::MAX);
    guard(py, work, move || {
        let t = Tensor::constant(f(&shape));
        if requires_grad { t.requires_grad_(true) } else { t }
    })?
    .give(py)
}

macro_rules! random {
    ($($(#[doc = $doc:literal])* $name:ident $like:ident |$g:ident, $shape:ident, $dtype:ident| $draw:expr;)*) => {$(
        $(#[doc = $doc])*
        #[pyfunction]
        #[pyo3(signature = (*args, size = None, generator = None, dtype = None, layout = None, device = None, requires_grad = false, pin_memory = false, out = None))]
        fn $name(
            args: &Bound<'_, PyTuple>, size: Option<SizeArg>, generator: Option<GeneratorArg>, dtype: Dtype,
            layout: Option<Py<PyAny>>, device: Option<DeviceArg>, requires_grad: bool, pin_memory: bool, out: Option<NoOut>,
        ) -> PyResult<Py<PyAny>> {
            let (_, _, _, _) = (layout, device, pin_memory, out);
            let shape = size_of(args, size, stringify!($name))?;
            let $dtype = dtype.map_or_else(wengert::get_default_dtype, |d| d.0);
            made(args.py(), shape, requires_grad, move |$shape| draw(&generator, |$g| $draw))
        }
        $(#[doc = $doc])*
        #[pyfunction]
        #[pyo3(signature = (input, *, dtype = None, layout = None, device = None, requires_grad = false, memory_format = None))]
        fn $like(
            py: Python<'_>, input: TensorLike, dtype: Dtype, layout: Option<Py<PyAny>>, device: Option<DeviceArg>,
            requires_grad: bool, memory_format: Option<Py<PyAny>>,
        ) -> PyResult<Py<PyAny>> {
            let (_, _, _) = (layout, device, memory_format);
            let $dtype = dtype.map_or(input.0.dtype(), |d| d.0);
            made(py, input.0.shape(), requires_grad, move |$shape| draw(&None, |$g| $draw))
        }
    )*};
}
random! {
    /// Random numbers, uniform in [0, 1).
    rand rand_like |g, shape, dtype| g.uniform(shape, 0.0, 1.0, dtype);
    /// Random numbers from the standard normal distribution.
    randn randn_like |g, shape, dtype| g.normal(shape, 0.0, 1.0, dtype);
}

/// Random integers in `low .. high`: `randint(high, size)` or `randint(low, high, size)`.
#[pyfunction]
#[pyo3(signature = (low, high, size = None, *, generator = None, dtype = None, device = None, requires_grad = false, out = None))]
fn randint(
    py: Python<'_>,
    low: i64,
    high: &Bound<'_, PyAny>,
    size: Option<SizeArg>,
    generator: Option<GeneratorArg>,
    dtype: Dtype,
    device: Option<DeviceArg>,
    requires_grad: bool,
    out: Option<NoOut>,
) -> PyResult<Py<PyAny>> {
    let (_, _) = (device, out);
    let (low, high, shape) = match size {
        Some(size) => (low, high.extract::<i64>()?, size.0),
        None => (0, low, high.extract::<SizeArg>()?.0),
    };
    if low >= high {
        return Err(crate::errors::value_error(
            py,
            "randint",
            format!("the range {low}..{high} is empty"),
        ));
    }
    let dtype = dtype.map_or(DType::I64, |d| d.0);
    made(py, shape, requires_grad, move |shape| {
        draw(&generator, |g| g.integers(shape, low, high).cast(dtype))
    })
}

/// The numbers 0 … n−1 in random order.
#[pyfunction]
#[pyo3(signature = (n, *, generator = None, dtype = None, device = None, out = None))]
fn randperm(
    py: Python<'_>,
    n: usize,
    generator: Option<GeneratorArg>,
    dtype: Dtype,
    device: Option<DeviceArg>,
    out: Option<NoOut>,
) -> PyResult<Py<PyAny>> {
    let (_, _) = (device, out);
    let dtype = dtype.map_or(DType::I64, |d| d.0);
    made(py, Shape::new(&[n]), false, move |_| {
        draw(&generator, |g| g.permutation(n).cast(dtype))
    })
}

/// Sets the seed of the random numbers.
#[pyfunction]
fn manual_seed(seed: i64) {
    wengert::manual_seed(seed as u64);
}

/// Seed of the common generator, and how much was drawn.
#[pyfunction]
fn get_rng_state() -> [u64; 2] {
    wengert::with_generator(|g| g.state())
}

/// Sets the common generator to a state that `get_rng_state` gave.
#[pyfunction]
fn set_rng_state(new_state: [u64; 2]) {
    wengert::with_generator(|g| *g = Generator::from_state(new_state));
}

/// What `f` gives, which draws from a generator of its own instead of the common one: that of this number for the seed.
#[pyfunction]
fn _with_generator(seed: u64, number: u64, f: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    let seed = wengert::data::generator_for(seed, 0, number).seed();
    wengert::fork_rng(seed, || f.call0()).map(Bound::unbind)
}

/// The seed of the common generator.
#[pyfunction]
fn initial_seed() -> u64 {
    wengert::with_generator(|g| g.seed())
}

fn redrawn<'py>(
    slf: &Bound<'py, PyTensor>,
    op: &str,
    generator: Option<GeneratorArg>,
    f: impl FnOnce(&mut Generator, &Shape, DType) -> Array + Send,
) -> PyResult<Bound<'py, PyTensor>> {
    slf.get().assign(slf.py(), op, move |x| {
        Tensor::constant(draw(&generator, |g| f(g, &x.shape(), x.dtype())))
    })?;
    Ok(slf.clone())
}

#[pymethods]
impl PyTensor {
    /// Fills with random numbers from a normal distribution.
    #[pyo3(signature = (mean = 0.0, std = 1.0, *, generator = None))]
    fn normal_<'py>(
        slf: &Bound<'py, Self>,
        mean: f64,
        std: f64,
        generator: Option<GeneratorArg>,
    ) -> PyResult<Bound<'py, Self>> {
        redrawn(slf, "normal_", generator, move |g, shape, d| {
            g.normal(shape, mean, std, d)
        })
    }
    /// Fills with random numbers, uniform in [`from`, `to`).
    #[pyo3(signature = (from_ = 0.0, to = 1.0, *, generator = None))]
    fn uniform_<'py>(
        slf: &Bound<'py, Self>,
        from_: f64,
        to: f64,
        generator: Option<GeneratorArg>,
    ) -> PyResult<Bound<'py, Self>> {
        redrawn(slf, "uniform_", generator, move |g, shape, d| {
            g.uniform(shape, from_, to, d)
        })
    }
    /// Fills with ones, each with probability `p`, and zeros.
    #[pyo3(signature = (p = 0.5, *, generator = None))]
    fn bernoulli_<'py>(
        slf: &Bound<'py, Self>,
        p: f64,
        generator: Option<GeneratorArg>,
    ) -> PyResult<Bound<'py, Self>> {
        redrawn(slf, "bernoulli_", generator, move |g, shape, d| {
            g.bernoulli(shape, p).cast(d)
        })
    }
}

fn drawn(
    py: Python<'_>,
    work: usize,
    generator: Option<GeneratorArg>,
    f: impl FnOnce(&mut Generator) -> wengert::Result<Tensor> + Send,
) -> PyResult<Py<PyAny>> {
    guard(py, work, move || draw(&generator, f))?.give(py)
}

/// For each element 1 with that probability (or with `p`), else 0.
#[pyfunction]
#[pyo3(signature = (input, p = None, *, generator = None, out = None))]
fn bernoulli(
    py: Python<'_>,
    input: TensorLike,
    p: Option<f64>,
    generator: Option<GeneratorArg>,
    out: Option<NoOut>,
) -> PyResult<Py<PyAny>> {
    let _ = out;
    drawn(py, input.0.numel(), generator, move |g| match p {
        Some(p) => input.0.full_like(p).bernoulli_from(g),
        None => input.0.bernoulli_from(g),
    })
}

/// For each row of weights, `num_samples` indices drawn with those chances.
#[pyfunction]
#[pyo3(signature = (input, num_samples, replacement = false, *, generator = None, out = None))]
fn multinomial(
    py: Python<'_>,
    input: TensorLike,
    num_samples: usize,
    replacement: bool,
    generator: Option<GeneratorArg>,
    out: Option<NoOut>,
) -> PyResult<Py<PyAny>> {
    let _ = out;
    drawn(py, input.0.numel(), generator, move |g| {
        input.0.multinomial_from(num_samples, replacement, g)
    })
}

/// For each element a number from the Poisson distribution with that rate.
#[pyfunction]
#[pyo3(signature = (input, generator = None))]
fn poisson(py: Python<'_>, input: TensorLike, generator: Option<GeneratorArg>) -> PyResult<Py<PyAny>> {
    drawn(py, input.0.numel(), generator, move |g| {
        Ok(Tensor::constant(g.poisson(&input.0.array())))
    })
}

/// Random numbers from normal distributions: with means and standard deviations for each element, or with the same
/// ones in a shape.
#[pyfunction]
#[pyo3(signature = (mean, std = None, size = None, *, generator = None, dtype = None, device = None, requires_grad = false, out = None))]
fn normal(
    py: Python<'_>,
    mean: Operand,
    std: Option<Operand>,
    size: Option<SizeArg>,
    generator: Option<GeneratorArg>,
    dtype: Dtype,
    device: Option<DeviceArg>,
    requires_grad: bool,
    out: Option<NoOut>,
) -> PyResult<Py<PyAny>> {
    let (_, _) = (device, out);
    // A number has the dtype of the tensor beside it.
    let (mean, std) = match (mean, std) {
        (Operand::Tensor(m), std) => {
            let std = std.map_or_else(|| m.ones_like(), |s| s.tensor(&m));
            (m, std)
        }
        (mean, Some(Operand::Tensor(s))) => (mean.tensor(&s), s),
        (mean, std) => {
            let one = Tensor::ones([]);
            (
                mean.tensor(&one),
                std.map_or_else(|| one.clone(), |s| s.tensor(&one)),
            )
        }
    };
    guard(py, mean.numel(), move || {
        let (mean, std) = (mean.detach(), std.detach());
        let shape = match size {
            Some(s) => s.0,
            None => (&mean + &std).shape(),
        };
        let float = mean.dtype().or_default().promote(std.dtype().or_default());
        let dtype = dtype.map_or(float, |d| d.0);
        let noise = Tensor::constant(draw(&generator, |g| g.normal(&shape, 0.0, 1.0, dtype)));
        let t = (mean.to(dtype) + std.to(dtype) * noise).detach();
        if requires_grad { t.requires_grad_(true) } else { t }
    })?
    .give(py)
}

/// Random integers in the shape of `input`.
#[pyfunction]
#[pyo3(signature = (input, low, high = None, *, dtype = None, device = None, requires_grad = false))]
fn randint_like(
    py: Python<'_>,
    input: TensorLike,
    low: i64,
    high: Option<i64>,
    dtype: Dtype,
    device: Option<DeviceArg>,
    requires_grad: bool,
) -> PyResult<Py<PyAny>> {
    let _ = device;
    let (low, high) = high.map_or((0, low), |high| (low, high));
    let dtype = dtype.map_or(input.0.dtype(), |d| d.0);
    guard(py, input.0.numel(), move || {
        let t = Tensor::randint(low, high, input.0.shape()).to(dtype);
        if requires_grad { t.requires_grad_(true) } else { t }
    })?
    .give(py)
}

/// A generator in the place of the common one, from which the engine draws; dropping it puts that one back.
struct StandIn<'a>(MutexGuard<'a, Generator>);

impl Drop for StandIn<'_> {
    fn drop(&mut self) {
        wengert::with_generator(|common| std::mem::swap(common, &mut *self.0));
    }
}

/// Runs `f` with the generator that was given in the place of the common one.
fn standing_in<T>(generator: &Option<GeneratorArg>, f: impl FnOnce() -> T) -> T {
    let _until_the_end = generator.as_ref().map(|GeneratorArg(g)| {
        let mut own = g.lock().unwrap_or_else(PoisonError::into_inner);
        wengert::with_generator(|common| std::mem::swap(common, &mut *own));
        StandIn(own)
    });
    f()
}

macro_rules! redraw {
    ($($(#[doc = $doc:literal])* $name:ident ($($arg:ident = $default:literal),*);)*) => {
        #[pymethods]
        impl PyTensor {$(
            $(#[doc = $doc])*
            #[pyo3(signature = ($($arg = $default,)* *, generator = None))]
            fn $name<'py>(
                slf: &Bound<'py, Self>, $($arg: f64,)* generator: Option<GeneratorArg>,
            ) -> PyResult<Bound<'py, Self>> {
                slf.get().assign(slf.py(), stringify!($name), move |x| {
                    standing_in(&generator, || x.detach().zeros_like().$name($($arg),*))
                })?;
                Ok(slf.clone())
            }
        )*}
    };
}
redraw! {
    /// Fills with random numbers from the exponential distribution.
    exponential_(lambd = 1.0);
    /// Fills with random numbers whose logarithm has the normal distribution.
    log_normal_(mean = 1.0, std = 2.0);
    /// Fills with random numbers from the Cauchy distribution.
    cauchy_(median = 0.0, sigma = 1.0);
}

#[pymethods]
impl PyTensor {
    /// For each element 1 with that probability, else 0.
    #[pyo3(signature = (p = None, *, generator = None))]
    fn bernoulli(
        &self,
        py: Python<'_>,
        p: Option<f64>,
        generator: Option<GeneratorArg>,
    ) -> PyResult<Py<PyAny>> {
        bernoulli(py, TensorLike(self.get()), p, generator, None)
    }
    /// For each row of weights, `num_samples` indices drawn with those chances.
    #[pyo3(signature = (num_samples, replacement = false, *, generator = None))]
    fn multinomial(
        &self,
        py: Python<'_>,
        num_samples: usize,
        replacement: bool,
        generator: Option<GeneratorArg>,
    ) -> PyResult<Py<PyAny>> {
        multinomial(
            py,
            TensorLike(self.get()),
            num_samples,
            replacement,
            generator,
            None,
        )
    }
    /// Fills with numbers of trials until one succeeds, each with probability `p`.
    #[pyo3(signature = (p, *, generator = None))]
    fn geometric_<'py>(
        slf: &Bound<'py, Self>,
        p: f64,
        generator: Option<GeneratorArg>,
    ) -> PyResult<Bound<'py, Self>> {
        slf.get().assign(slf.py(), "geometric_", move |x| {
            standing_in(&generator, || x.detach().zeros_like().geometric_(p))
        })?;
        Ok(slf.clone())
    }
    /// Fills with random integers, from `from` up to and without `to`.
    #[pyo3(signature = (from_ = 0, to = None, *, generator = None))]
    fn random_<'py>(
        slf: &Bound<'py, Self>,
        from_: i64,
        to: Option<i64>,
        generator: Option<GeneratorArg>,
    ) -> PyResult<Bound<'py, Self>> {
        redrawn(slf, "random_", generator, move |g, shape, d| {
            // As far as the dtype counts exactly, where no end is given.
            let end = to.unwrap_or(match d {
                DType::Bool => 2,
                DType::U8 => 256,
                DType::I8 => 128,
                DType::I16 => 1 << 15,
                DType::I32 => 1 << 31,
                DType::I64 => i64::MAX,
                DType::F16 => 1 << 11,
                DType::BF16 => 1 << 8,
                DType::F32 => 1 << 24,
                _ => 1 << 53,
            });
            let (low, high) = if to.is_none() && from_ > 0 {
                (0, from_)
            } else {
                (from_, end)
            };
            g.integers(shape, low, high).cast(d)
        })
    }
}

ops! {}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    register_ops(m)?;
    m.add_class::<PyGenerator>()?;
    functions!(
        m,
        rand,
        rand_like,
        randn,
        randn_like,
        randint,
        randperm,
        manual_seed,
        get_rng_state,
        set_rng_state,
        _with_generator,
        initial_seed,
        bernoulli,
        multinomial,
        poisson,
        normal,
        randint_like,
    );
    Ok(())
}
