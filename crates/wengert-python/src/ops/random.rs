//! Random numbers.

use crate::args::{Dtype, NoOut, SizeArg, TensorLike};
use crate::create::size_of;
use crate::dtype::DeviceArg;
use crate::give::Give;
use crate::guard::guard;
use crate::macros::{functions, ops};
use crate::tensor::PyTensor;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::sync::{Arc, Mutex, PoisonError};
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
            let $dtype = dtype.map_or(DType::F32, |d| d.0);
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
        initial_seed,
    );
    Ok(())
}
