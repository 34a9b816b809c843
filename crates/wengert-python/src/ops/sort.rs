//! Sorting, searching and counting.

use crate::args::{SizeArg, TensorLike, TensorList, as_tensor};
use crate::give::{Give, Named};
use crate::guard::guard;
use crate::macros::{functions, ops};
use crate::tensor::PyTensor;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use wengert::ops::Unique;
use wengert::{DType, Tensor};

/// Values alone, or with what else was asked for.
enum Parts {
    One(Tensor),
    More(Vec<Tensor>),
}

impl Give for Parts {
    fn give(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self {
            Parts::One(t) => t.give(py),
            Parts::More(list) => list.give(py),
        }
    }
}

fn asked(u: Unique, inverse: bool, counts: bool) -> Parts {
    let mut all = vec![u.values];
    all.extend(inverse.then_some(u.inverse));
    all.extend(counts.then_some(u.counts));
    match all.len() {
        1 => Parts::One(all.remove(0)),
        _ => Parts::More(all),
    }
}

fn pair(name: &'static str, (values, indices): (Tensor, Tensor)) -> Named<2> {
    Named(name, ["values", "indices"], [values, indices])
}

fn places(t: Tensor, out_int32: bool) -> Tensor {
    if out_int32 { t.to(DType::I32) } else { t }
}

ops! {
    /// The elements along `dim` in ascending (or descending) order, and their indices.
    fn sort(input, dim: isize = (-1), descending: bool = false, stable: Option<bool> = None) => {
        let _ = stable;
        pair("sort", input.sort(dim, descending))
    };
    /// The indices that `sort` gives.
    fn argsort(input, dim: isize = (-1), descending: bool = false, stable: bool = false) => {
        let _ = stable;
        input.argsort(dim, descending)
    };
    /// Sorted along the first dimension.
    fn msort(input) => input.msort();
    /// The `k` largest (or smallest) elements along `dim`, and their indices.
    fn topk(input, k: usize, dim: isize = (-1), largest: bool = true, sorted: bool = true) => {
        let _ = sorted;
        pair("topk", input.topk(k, dim, largest))
    };
    /// The `k`-th smallest element along `dim`, and its index.
    fn kthvalue(input, k: usize, dim: isize = (-1), keepdim: bool = false) => pair("kthvalue", input.kthvalue(k, dim, keepdim));
    /// The most frequent elements along `dim`, and where they last occur.
    fn mode(input, dim: isize = (-1), keepdim: bool = false) => pair("mode", input.mode(dim, keepdim));
    /// The distinct elements, or slices along `dim`, in ascending order.
    fn unique(input, sorted: bool = true, return_inverse: bool = false, return_counts: bool = false, dim: Option<isize> = None) => {
        let _ = sorted;
        let found = match dim {
            Some(d) => input.unique_dim(d),
            None => input.unique(),
        };
        asked(found, return_inverse, return_counts)
    };
    /// The elements, or slices along `dim`, without those equal to the one before.
    fn unique_consecutive(input, return_inverse: bool = false, return_counts: bool = false, dim: Option<isize> = None) =>
        asked(input.unique_consecutive(dim), return_inverse, return_counts);
    /// For each element, the number of the bucket between `boundaries` that it lies in.
    fn bucketize(input, boundaries: TensorLike; out_int32: bool = false, right: bool = false) =>
        places(input.bucketize(&boundaries.0, right), out_int32);
    /// How often each of the numbers 0, 1, … occurs, or the sums of their weights.
    fn bincount(input, weights: Option<TensorLike> = None, minlength: usize = 0) =>
        input.bincount(weights.as_ref().map(|w| &w.0), minlength);
    /// How many elements lie in each of `bins` equal parts of a range.
    fn histc(input, bins: usize = 100, min: f64 = 0.0, max: f64 = 0.0) => input.histc(bins, min, max);
}

/// Where each of the values would be put in a sorted row so that it stays sorted.
#[pyfunction]
#[pyo3(signature = (sorted_sequence, input, *, out_int32 = false, right = false, side = None, sorter = None, out = None))]
fn searchsorted(
    py: Python<'_>,
    sorted_sequence: TensorLike,
    input: TensorLike,
    out_int32: bool,
    right: bool,
    side: Option<&str>,
    sorter: Option<TensorLike>,
    out: Option<crate::args::NoOut>,
) -> PyResult<Py<PyAny>> {
    let _ = out;
    let right = match side {
        None => right,
        Some("right") => true,
        Some("left") if !right => false,
        Some(other) => {
            return Err(PyValueError::new_err(format!(
                "searchsorted: side is 'left' or 'right' and agrees with right=, and is {other:?}"
            )));
        }
    };
    guard(py, input.0.numel(), || {
        let row = match &sorter {
            Some(order) => sorted_sequence.0.take_along_dim(&order.0, Some(-1)),
            None => sorted_sequence.0,
        };
        places(wengert::searchsorted(&row, &input.0, right), out_int32)
    })?
    .give(py)
}

/// For each element, whether it is one of `test_elements`.
#[pyfunction]
#[pyo3(signature = (elements, test_elements, *, assume_unique = false, invert = false))]
fn isin(
    py: Python<'_>,
    elements: TensorLike,
    test_elements: TensorLike,
    assume_unique: bool,
    invert: bool,
) -> PyResult<Py<PyAny>> {
    let _ = assume_unique;
    guard(py, elements.0.numel(), || {
        elements.0.isin(&test_elements.0, invert)
    })?
    .give(py)
}

/// A histogram and its edges.
#[pyfunction]
#[pyo3(signature = (input, bins, *, range = None, weight = None, density = false))]
fn histogram(
    py: Python<'_>,
    input: TensorLike,
    bins: &Bound<'_, PyAny>,
    range: Option<(f64, f64)>,
    weight: Option<TensorLike>,
    density: bool,
) -> PyResult<Py<PyAny>> {
    if let Some(edges) = as_tensor(bins) {
        let hist = guard(py, input.0.numel(), || {
            input
                .0
                .histogram_between(&edges, weight.as_ref().map(|w| &w.0), density)
        })?;
        return Named("histogram", ["hist", "bin_edges"], [hist, edges.detach()]).give(py);
    }
    let bins: usize = bins.extract()?;
    let (hist, edges) = guard(py, input.0.numel(), || {
        input
            .0
            .histogram(bins, range, weight.as_ref().map(|w| &w.0), density)
    })?;
    Named("histogram", ["hist", "bin_edges"], [hist, edges]).give(py)
}

/// A histogram of points, the rows of `input`, and the edges of each coordinate.
#[pyfunction]
#[pyo3(signature = (input, bins, range = None, weight = None, density = false))]
fn histogramdd(
    py: Python<'_>,
    input: TensorLike,
    bins: &Bound<'_, PyAny>,
    range: Option<Vec<f64>>,
    weight: Option<TensorLike>,
    density: bool,
) -> PyResult<Py<PyAny>> {
    let x = input.0;
    let weight = weight.as_ref().map(|w| &w.0);
    let give = |hist: Tensor, edges: Vec<Tensor>| {
        let namedtuple = py.import("collections")?.getattr("namedtuple")?;
        let class = namedtuple.call1(("histogramdd", ("hist", "bin_edges")))?;
        Ok(class.call1((hist.give(py)?, edges.give(py)?))?.unbind())
    };
    if let Ok(edges) = bins.extract::<TensorList>()
        && bins.get_item(0).is_ok_and(|first| as_tensor(&first).is_some())
    {
        let hist = guard(py, x.numel(), || {
            x.histogramdd_between(&edges.refs(), weight, density)
        })?;
        return give(hist, edges.0.iter().map(Tensor::detach).collect());
    }
    let bins = match bins.extract::<usize>() {
        Ok(n) => vec![n; x.shape().last().copied().unwrap_or(0)],
        Err(_) => bins.extract::<Vec<usize>>()?,
    };
    let range: Option<Vec<(f64, f64)>> =
        range.map(|r| r.chunks(2).map(|r| (r[0], *r.last().unwrap_or(&r[0]))).collect());
    let (hist, edges) = guard(py, x.numel(), || {
        x.histogramdd(&bins, range.as_deref(), weight, density)
    })?;
    give(hist, edges)
}

/// The indices in a tensor of this shape of elements counted in row-major order.
#[pyfunction]
fn unravel_index(py: Python<'_>, indices: TensorLike, shape: SizeArg) -> PyResult<Py<PyAny>> {
    guard(py, indices.0.numel(), || indices.0.unravel_index(shape.0))?.give(py)
}

#[pymethods]
impl PyTensor {
    /// A histogram and its edges.
    #[pyo3(signature = (bins, *, range = None, weight = None, density = false))]
    fn histogram(
        &self,
        py: Python<'_>,
        bins: &Bound<'_, PyAny>,
        range: Option<(f64, f64)>,
        weight: Option<TensorLike>,
        density: bool,
    ) -> PyResult<Py<PyAny>> {
        histogram(py, TensorLike(self.get()), bins, range, weight, density)
    }
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    register_ops(m)?;
    functions!(m, searchsorted, isin, histogram, histogramdd, unravel_index);
    Ok(())
}
