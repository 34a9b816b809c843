//! Repeating, cutting, joining, padding: shapes made of shapes.

use crate::args::{DimList, Dims, TensorLike, TensorList, as_tensor, varargs};
use crate::give::Give;
use crate::guard::guard;
use crate::macros::{functions, ops};
use crate::tensor::PyTensor;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use wengert::ops::{Indexing, Sections, Sliding};
use wengert::{Error, ErrorKind, PadMode, Result, Tensor};

/// A number of parts, or a list of places where to cut.
struct SectionsArg(Sections);

impl<'py> FromPyObject<'_, 'py> for SectionsArg {
    type Error = PyErr;
    fn extract(obj: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Some(t) = as_tensor(&obj) {
            let list = t.to_vec::<i64>();
            return Ok(SectionsArg(match t.dim() {
                0 => Sections::Number(list[0].max(0) as usize),
                _ => Sections::List(list.iter().map(|i| *i as isize).collect()),
            }));
        }
        if let Ok(n) = obj.extract::<isize>() {
            return Ok(SectionsArg(Sections::Number(n.max(0) as usize)));
        }
        Ok(SectionsArg(Sections::List(obj.extract::<Vec<isize>>()?)))
    }
}

/// How often something is repeated: a number, or one for each.
enum Times {
    All(usize),
    Each(Tensor),
}

impl<'py> FromPyObject<'_, 'py> for Times {
    type Error = PyErr;
    fn extract(obj: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match as_tensor(&obj) {
            Some(t) => Ok(Times::Each(t)),
            None => match obj.extract::<isize>() {
                Ok(n) => usize::try_from(n)
                    .map(Times::All)
                    .map_err(|_| PyValueError::new_err(format!("nothing can be repeated {n} times"))),
                Err(_) => Ok(Times::Each(obj.extract::<TensorLike>()?.0)),
            },
        }
    }
}

/// The padding of this name.
pub(super) fn pad_mode(op: &str, mode: &str, value: Option<f64>) -> Result<PadMode> {
    Ok(match mode {
        "constant" => PadMode::Constant(value.unwrap_or(0.0)),
        "reflect" => PadMode::Reflect,
        "replicate" => PadMode::Replicate,
        "circular" => PadMode::Circular,
        _ => {
            let message = format!("there is no padding mode {mode:?}");
            return Err(Error::new(ErrorKind::Value, op, message)
                .note("there are 'constant', 'reflect', 'replicate' and 'circular'"));
        }
    })
}

fn rot90_of(x: &Tensor, k: isize, dims: Dims) -> Result<Tensor> {
    match dims.map_or(vec![0, 1], |d| d.0)[..] {
        [a, b] => Ok(x.rot90(k, [a, b])),
        _ => Err(Error::new(
            ErrorKind::Value,
            "rot90",
            "needs the two dimensions of a plane",
        )),
    }
}

ops! {
    /// All elements in row-major order, in one dimension.
    fn ravel(input) => input.ravel();
    /// Dimension `dim` as several of these sizes, of which one may be −1.
    fn unflatten(input, dim: isize, sizes: DimList) => input.unflatten(dim, &sizes.0);
    /// The dimensions `source` moved to places `destination`; the others keep their order.
    fn movedim(input, source: DimList, destination: DimList) => input.movedim(source.0, destination.0);
    /// The dimensions `source` moved to places `destination`; the others keep their order.
    fn moveaxis(input, source: DimList, destination: DimList) => input.movedim(source.0, destination.0);
    /// Repeated along dimensions of size one and new leading ones; −1 keeps a size.
    fn broadcast_to(input, size: DimList) => input.expand(&size.0);
    /// Each element repeated along `dim`, or of all elements in row-major order.
    fn repeat_interleave(input, repeats: Times, dim: Option<isize> = None; output_size: Option<usize> = None) => {
        let _ = output_size;
        match &repeats {
            Times::All(n) => input.repeat_interleave(*n, dim),
            Times::Each(times) => input.repeat_interleave_each(times, dim),
        }
    };
    /// Matrices with rows and columns exchanged, and conjugated where they are complex.
    fn adjoint(input) => input.adjoint();
    /// So many parts along `dim`, or the parts between these places.
    fn tensor_split(input, indices_or_sections: SectionsArg, dim: isize = 0) => input.tensor_split(indices_or_sections.0, dim);
    /// Parts of these sizes along `dim`.
    fn split_with_sizes(input, split_sizes: DimList, dim: isize = 0) => input.split(split_sizes.0, dim);
    /// Parts by columns.
    fn hsplit(input, indices_or_sections: SectionsArg) => input.hsplit(indices_or_sections.0);
    /// Parts by rows.
    fn vsplit(input, indices_or_sections: SectionsArg) => input.vsplit(indices_or_sections.0);
    /// Parts along dimension 2.
    fn dsplit(input, indices_or_sections: SectionsArg) => input.dsplit(indices_or_sections.0);
    /// Columns in reverse order.
    fn fliplr(input) => input.fliplr();
    /// Rows in reverse order.
    fn flipud(input) => input.flipud();
    /// Moved by `shifts` along `dims`; what leaves at the end comes in at the front.
    fn roll(input, shifts: DimList, dims: Dims = None) => input.roll(shifts.0, crate::args::dims(dims));
    /// Turned `k` times by 90° in the plane of two dimensions.
    fn rot90(input, k: isize = 1, dims: Dims = None) => rot90_of(input, k, dims);
    /// The elements of matrices on and below a diagonal; 0 elsewhere.
    fn tril(input, diagonal: isize = 0) / tril_ => input.tril(diagonal);
    /// The elements of matrices on and above a diagonal; 0 elsewhere.
    fn triu(input, diagonal: isize = 0) / triu_ => input.triu(diagonal);
    /// Of a vector, the matrix with it on a diagonal; of a matrix, that diagonal.
    fn diag(input, diagonal: isize = 0) => input.diag(diagonal);
    /// The matrix with all elements on a diagonal.
    fn diagflat(input, offset: isize = 0) => input.diagflat(offset);
    /// A diagonal of two dimensions as a new last dimension.
    fn diagonal(input, offset: isize = 0, dim1: isize = 0, dim2: isize = 1) => input.diagonal(offset, dim1, dim2);
    /// The last dimension on a diagonal of new matrices.
    fn diag_embed(input, offset: isize = 0, dim1: isize = (-2), dim2: isize = (-1)) => input.diag_embed(offset, dim1, dim2);
    /// With a diagonal of two dimensions replaced by `src`.
    fn diagonal_scatter(input, src: TensorLike, offset: isize = 0, dim1: isize = 0, dim2: isize = 1) =>
        input.diagonal_scatter(&src.0, offset, dim1, dim2);
    /// With the part at `index` along `dim` replaced by `src`.
    fn select_scatter(input, src: TensorLike, dim: isize, index: isize) => input.select_scatter(&src.0, dim, index);
    /// With a slice along `dim` replaced by `src`.
    fn slice_scatter(input, src: TensorLike, dim: isize = 0, start: Option<isize> = None, end: Option<isize> = None, step: isize = 1) =>
        input.slice_scatter(&src.0, dim, start, end, step.max(0) as usize);
    /// All choices of `r` elements of a vector, as rows.
    fn combinations(input, r: usize = 2, with_replacement: bool = false) => input.combinations(r, with_replacement);
}

/// The whole tensor repeated so many times along each dimension.
#[pyfunction]
fn tile(py: Python<'_>, input: TensorLike, dims: DimList) -> PyResult<Py<PyAny>> {
    guard(py, input.0.numel(), || input.0.tile(&dims.0))?.give(py)
}

#[pymethods]
impl PyTensor {
    /// The whole tensor repeated so many times along each dimension.
    #[pyo3(signature = (*repeats))]
    fn repeat(&self, py: Python<'_>, repeats: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
        let (x, times) = (self.get(), varargs(repeats)?);
        guard(py, x.numel(), || x.repeat(times))?.give(py)
    }
    /// As `repeat`, where missing numbers of times are 1, in front.
    #[pyo3(signature = (*dims))]
    fn tile(&self, py: Python<'_>, dims: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
        let (x, times) = (self.get(), varargs(dims)?);
        guard(py, x.numel(), || x.tile(times))?.give(py)
    }
    /// Windows of `size` elements along a dimension, as a new last dimension.
    fn unfold(&self, py: Python<'_>, dimension: isize, size: usize, step: usize) -> PyResult<Py<PyAny>> {
        let x = self.get();
        guard(py, 0, || x.unfold(dimension, size, step))?.give(py)
    }
    /// Changes the diagonal to `fill_value`.
    #[pyo3(signature = (fill_value, wrap = false))]
    fn fill_diagonal_<'py>(
        slf: &Bound<'py, Self>,
        fill_value: f64,
        wrap: bool,
    ) -> PyResult<Bound<'py, Self>> {
        if wrap {
            return Err(PyValueError::new_err("fill_diagonal_: wrap is not supported"));
        }
        slf.get().assign(slf.py(), "fill_diagonal_", move |x| {
            let value = x.detach().full_like(fill_value);
            let y = x.detach().zeros_like();
            y.fill_diagonal_(1.0);
            value.where_(&y.ne(0.0), x)
        })?;
        Ok(slf.clone())
    }
    /// Matrices with rows and columns exchanged.
    #[getter]
    fn mT(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let x = self.get();
        guard(py, 0, || x.mt())?.give(py)
    }
    /// Matrices with rows and columns exchanged, and conjugated where they are complex.
    #[getter]
    fn mH(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let x = self.get();
        guard(py, 0, || x.mt().conj())?.give(py)
    }
    /// A matrix with rows and columns exchanged, and conjugated where it is complex.
    #[getter]
    fn H(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let x = self.get();
        guard(py, 0, || x.t().conj())?.give(py)
    }
}

macro_rules! joined {
    ($($(#[doc = $doc:literal])* $name:ident;)*) => {$(
        $(#[doc = $doc])*
        #[pyfunction]
        #[pyo3(signature = (tensors, *, out = None))]
        fn $name(py: Python<'_>, tensors: TensorList, out: Option<crate::args::NoOut>) -> PyResult<Py<PyAny>> {
            let _ = out;
            let work = tensors.0.iter().map(Tensor::numel).sum();
            guard(py, work, || wengert::ops::$name(&tensors.refs()))?.give(py)
        }
    )*};
}
joined! {
    /// Side by side.
    hstack;
    /// One above the other.
    vstack;
    /// One behind the other, along dimension 2.
    dstack;
    /// Side by side, vectors as columns.
    column_stack;
}

/// Tensors given each by itself or in one list.
fn listed(args: &Bound<'_, PyTuple>) -> PyResult<TensorList> {
    if args.len() == 1 && as_tensor(&args.get_item(0)?).is_none() {
        return args.get_item(0)?.extract();
    }
    args.as_any().extract()
}

macro_rules! variadic {
    ($($(#[doc = $doc:literal])* $name:ident |$tensors:ident| $body:expr;)*) => {$(
        $(#[doc = $doc])*
        #[pyfunction]
        #[pyo3(signature = (*tensors))]
        fn $name(tensors: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
            let (py, list) = (tensors.py(), listed(tensors)?);
            let work = list.0.iter().map(Tensor::numel).sum();
            guard(py, work, || {
                let $tensors = list.refs();
                $body
            })?
            .give(py)
        }
    )*};
}
variadic! {
    /// Matrices along the diagonal of one.
    block_diag |tensors| wengert::block_diag(&tensors);
    /// All tensors expanded to the shape that they broadcast to.
    broadcast_tensors |tensors| wengert::broadcast_tensors(&tensors);
    /// All combinations of one element from each vector, as rows.
    cartesian_prod |tensors| wengert::cartesian_prod(&tensors);
}

macro_rules! at_least {
    ($($(#[doc = $doc:literal])* $name:ident;)*) => {$(
        $(#[doc = $doc])*
        #[pyfunction]
        #[pyo3(signature = (*tensors))]
        fn $name(tensors: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
            let py = tensors.py();
            let alone = tensors.len() == 1 && as_tensor(&tensors.get_item(0)?).is_some();
            let mut all = guard(py, 0, {
                let list = listed(tensors)?;
                move || list.0.iter().map(|t| t.$name()).collect::<Vec<_>>()
            })?;
            match alone {
                true => all.remove(0).give(py),
                false => all.give(py),
            }
        }
    )*};
}
at_least! {
    /// With at least one dimension.
    atleast_1d;
    /// With at least two dimensions.
    atleast_2d;
    /// With at least three dimensions.
    atleast_3d;
}

/// Vectors as coordinates of a grid.
#[pyfunction]
#[pyo3(signature = (*tensors, indexing = None))]
fn meshgrid(tensors: &Bound<'_, PyTuple>, indexing: Option<&str>) -> PyResult<Py<PyAny>> {
    let (py, list) = (tensors.py(), listed(tensors)?);
    let indexing = match indexing {
        None | Some("ij") => Indexing::Ij,
        Some("xy") => Indexing::Xy,
        Some(other) => {
            return Err(PyValueError::new_err(format!(
                "meshgrid: indexing is 'ij' or 'xy', and not {other:?}"
            )));
        }
    };
    guard(py, 0, || wengert::meshgrid(&list.refs(), indexing))?.give(py)
}

/// The powers of a vector's elements as columns.
#[pyfunction]
#[pyo3(signature = (x, N = None, increasing = false))]
fn vander(py: Python<'_>, x: TensorLike, N: Option<usize>, increasing: bool) -> PyResult<Py<PyAny>> {
    let n = N.unwrap_or(x.0.numel());
    guard(py, 0, || x.0.vander(n, increasing))?.give(py)
}

/// With elements put before and after along the last dimensions.
#[pyfunction]
#[pyo3(signature = (input, pad, mode = "constant", value = None))]
fn pad(
    py: Python<'_>,
    input: TensorLike,
    pad: DimList,
    mode: &str,
    value: Option<f64>,
) -> PyResult<Py<PyAny>> {
    guard(py, input.0.numel(), || {
        Ok::<_, Error>(input.0.pad(&pad.0, pad_mode("pad", mode, value)?))
    })?
    .give(py)
}

/// One number for both directions, or two.
struct Pair([usize; 2]);

impl<'py> FromPyObject<'_, 'py> for Pair {
    type Error = PyErr;
    fn extract(obj: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match obj.extract::<DimList>()?.0[..] {
            [a] if a >= 0 => Ok(Pair([a as usize; 2])),
            [a, b] if a >= 0 && b >= 0 => Ok(Pair([a as usize, b as usize])),
            _ => Err(PyTypeError::new_err(
                "expected a number that is not negative, or two",
            )),
        }
    }
}

/// The windows of images as columns.
#[pyfunction]
#[pyo3(signature = (input, kernel_size, dilation = Pair([1, 1]), padding = Pair([0, 0]), stride = Pair([1, 1])))]
fn unfold(
    py: Python<'_>,
    input: TensorLike,
    kernel_size: Pair,
    dilation: Pair,
    padding: Pair,
    stride: Pair,
) -> PyResult<Py<PyAny>> {
    let sliding = Sliding {
        kernel: kernel_size.0,
        dilation: dilation.0,
        padding: padding.0,
        stride: stride.0,
    };
    guard(py, input.0.numel(), || input.0.im2col(sliding))?.give(py)
}

/// Columns added up to images.
#[pyfunction]
#[pyo3(signature = (input, output_size, kernel_size, dilation = Pair([1, 1]), padding = Pair([0, 0]), stride = Pair([1, 1])))]
fn fold(
    py: Python<'_>,
    input: TensorLike,
    output_size: Pair,
    kernel_size: Pair,
    dilation: Pair,
    padding: Pair,
    stride: Pair,
) -> PyResult<Py<PyAny>> {
    let sliding = Sliding {
        kernel: kernel_size.0,
        dilation: dilation.0,
        padding: padding.0,
        stride: stride.0,
    };
    guard(py, input.0.numel(), || input.0.col2im(output_size.0, sliding))?.give(py)
}

macro_rules! shuffles {
    ($($(#[doc = $doc:literal])* $name:ident $arg:ident;)*) => {$(
        $(#[doc = $doc])*
        #[pyfunction]
        fn $name(py: Python<'_>, input: TensorLike, $arg: usize) -> PyResult<Py<PyAny>> {
            guard(py, input.0.numel(), || input.0.$name($arg))?.give(py)
        }
    )*};
}
shuffles! {
    /// Channels as blocks of pixels.
    pixel_shuffle upscale_factor;
    /// Blocks of pixels as channels.
    pixel_unshuffle downscale_factor;
    /// Channels taken from each group in turn.
    channel_shuffle groups;
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    register_ops(m)?;
    functions!(
        m,
        tile,
        hstack,
        vstack,
        dstack,
        column_stack,
        block_diag,
        broadcast_tensors,
        cartesian_prod,
        atleast_1d,
        atleast_2d,
        atleast_3d,
        meshgrid,
        vander,
        pixel_shuffle,
        pixel_unshuffle,
        channel_shuffle,
    );
    m.add("row_stack", m.getattr("vstack")?)?;
    // Of `wengert.nn.functional`: the module has other functions of these names, or none.
    m.add("_pad", wrap_pyfunction!(pad, m)?)?;
    m.add("_unfold", wrap_pyfunction!(unfold, m)?)?;
    m.add("_fold", wrap_pyfunction!(fold, m)?)
}
