//! `wengert.Tensor`.

use crate::args::{Number, Operand, as_tensor};
use crate::dtype::{self, DTypeArg, PyDType, PyDevice};
use crate::errors::value_error;
use crate::give::Give;
use crate::guard::guard;
use crate::held::Held;
use crate::methods::{alone, calm, finish, method};
use crate::state::{self, Stands, object};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::ffi::PyObject;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyComplex, PyDict, PyList, PyTuple, PyType};
use wengert::num_complex::Complex64;
use wengert::{Array, DType, Shape, Tensor};

pub(crate) use crate::state::PyTensor;

static SIZE: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// Shapes met lately, each at a place that its sizes choose: an object of a class that cannot change may be given to
/// everyone who asks for an equal one.
struct Sizes(Vec<Option<(Shape, Py<PyAny>)>>);

static SIZES: Held<Sizes> = Held::new(Sizes(Vec::new()));
const PLACES: usize = 256;

/// A shape as `wengert.Size`.
pub(crate) fn size<'py>(py: Python<'py>, dims: &[usize]) -> PyResult<Bound<'py, PyAny>> {
    match known_size(py, dims) {
        Some(known) => Ok(known.into_bound(py)),
        None => new_size(py, dims),
    }
}

#[inline]
fn place_of(dims: &[usize]) -> usize {
    let mix = |hash: usize, d: &usize| (hash.rotate_left(5) ^ d).wrapping_mul(0x9E37_79B9);
    dims.iter().fold(dims.len(), mix) / 64 % PLACES
}

#[inline]
fn known_size(py: Python<'_>, dims: &[usize]) -> Option<Py<PyAny>> {
    SIZES.with(|sizes| match sizes.0.get(place_of(dims)) {
        Some(Some((shape, object))) if **shape == *dims => Some(object.clone_ref(py)),
        _ => None,
    })
}

#[cold]
fn new_size<'py>(py: Python<'py>, dims: &[usize]) -> PyResult<Bound<'py, PyAny>> {
    let numbers = PyTuple::new(py, dims)?;
    let Some(class) = SIZE.get(py) else {
        return Ok(numbers.into_any());
    };
    let size = class.bind(py).call1((numbers,))?;
    let new = Some((Shape::new(dims), size.clone().unbind()));
    let place = place_of(dims);
    let old = SIZES.with(|sizes| {
        sizes.0.resize_with(PLACES, || None);
        std::mem::replace(&mut sizes.0[place], new)
    });
    drop(old);
    Ok(size)
}

/// Tells the native part the class of shapes, which is written in Python.
#[pyfunction]
fn _set_size_class(py: Python<'_>, class: Py<PyType>) {
    let _ = SIZE.set(py, class);
}

#[pymethods]
impl PyTensor {
    /// A tensor of this data: a number, nested lists, an array or another tensor.
    #[new]
    #[pyo3(signature = (data = None, *, dtype = None, device = None, requires_grad = None))]
    fn py_new(
        py: Python<'_>,
        data: Option<&Bound<'_, PyAny>>,
        dtype: Option<DTypeArg>,
        device: Option<dtype::DeviceArg>,
        requires_grad: Option<bool>,
    ) -> PyResult<PyTensor> {
        let _ = device;
        let t = match data {
            None => Tensor::constant(Array::full([0], 0.0, wengert::get_default_dtype())),
            // As `torch.Tensor(...)`: floats, whatever the numbers look like.
            Some(data) => match (as_tensor(data), dtype) {
                (Some(t), dtype) => crate::args::cast(&t.detach(), dtype),
                (None, dtype) => crate::create::from_python(
                    data,
                    Some(dtype.map_or_else(wengert::get_default_dtype, |d| d.0)),
                )?,
            },
        };
        if let Some(on) = requires_grad {
            guard(py, 0, || t.requires_grad_(on))?;
        }
        Ok(PyTensor::new(t))
    }

    // ---- what it is ----

    /// The sizes of the dimensions.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.size_object(py)
    }
    /// The sizes of the dimensions, or of dimension `dim`.
    #[pyo3(signature = (dim = None))]
    fn size<'py>(&self, py: Python<'py>, dim: Option<isize>) -> PyResult<Bound<'py, PyAny>> {
        let t = self.get();
        match dim {
            None => self.size_object(py),
            Some(d) => guard(py, 0, || t.size(d))?.into_bound_py_any(py),
        }
    }
    /// The type of the elements.
    #[getter]
    fn dtype(&self, py: Python<'_>) -> PyResult<Py<PyDType>> {
        Ok(dtype::object(py, self.look(py, Tensor::dtype)?)?.clone_ref(py))
    }
    /// Where the elements are.
    #[getter]
    fn device(&self) -> PyDevice {
        PyDevice
    }
    /// How many dimensions.
    #[getter]
    fn ndim(&self, py: Python<'_>) -> PyResult<usize> {
        self.look(py, Tensor::dim)
    }
    /// How many dimensions.
    fn dim(&self, py: Python<'_>) -> PyResult<usize> {
        self.look(py, Tensor::dim)
    }
    /// How many dimensions.
    fn ndimension(&self, py: Python<'_>) -> PyResult<usize> {
        self.look(py, Tensor::dim)
    }
    /// How many elements.
    fn numel(&self, py: Python<'_>) -> PyResult<usize> {
        self.look(py, Tensor::numel)
    }
    /// How many elements.
    fn nelement(&self, py: Python<'_>) -> PyResult<usize> {
        self.look(py, Tensor::numel)
    }
    /// Bytes per element.
    fn element_size(&self) -> usize {
        self.get().dtype().size()
    }
    /// Bytes per element.
    #[getter]
    fn itemsize(&self) -> usize {
        self.get().dtype().size()
    }
    /// The address of the first element, where it may be read as long as the tensor lives and nobody writes to it.
    fn data_ptr(&self) -> usize {
        self.get().array().as_bytes_ptr() as usize
    }
    /// Bytes of all elements.
    #[getter]
    fn nbytes(&self) -> usize {
        let t = self.get();
        t.numel() * t.dtype().size()
    }
    /// The strides, in elements, or that of dimension `dim`.
    #[pyo3(signature = (dim = None))]
    fn stride<'py>(&self, py: Python<'py>, dim: Option<isize>) -> PyResult<Bound<'py, PyAny>> {
        let strides = self.look(py, Tensor::stride)?;
        match dim {
            None => Ok(PyTuple::new(py, strides)?.into_any()),
            Some(d) => {
                self.look(py, |t| t.size(d))?;
                let d = if d < 0 { d + strides.len() as isize } else { d };
                strides[d as usize].into_bound_py_any(py)
            }
        }
    }
    /// Whether the elements lie row-major without gaps.
    fn is_contiguous(&self, py: Python<'_>) -> PyResult<bool> {
        self.look(py, Tensor::is_contiguous)
    }
    /// Whether elements are floating-point numbers.
    fn is_floating_point(&self) -> bool {
        self.get().dtype().is_float()
    }
    /// Whether elements are complex numbers.
    fn is_complex(&self) -> bool {
        self.get().dtype().is_complex()
    }
    /// Whether elements may be negative.
    fn is_signed(&self) -> bool {
        !matches!(self.get().dtype(), DType::U8 | DType::Bool)
    }
    /// Whether the elements are on a CUDA device.
    #[getter]
    fn is_cuda(&self) -> bool {
        false
    }
    /// Whether it is stored sparsely; never.
    #[getter]
    fn is_sparse(&self) -> bool {
        false
    }
    /// Dimensions in reverse order.
    #[getter(T)]
    fn py_t(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let t = self.lend(py)?;
        guard(py, 0, || reversed(&t))?.give(py)
    }
    /// The last two dimensions exchanged.
    #[getter(mT)]
    fn py_mt(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let t = self.get();
        guard(py, 0, || t.transpose(-2, -1))?.give(py)
    }

    // ---- gradients ----

    /// The same variable without history: changes of it go through to this tensor, as in PyTorch.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTensor>> {
        let (t, turned) = self.variable();
        if t.is_leaf() {
            Bound::new(py, PyTensor::side(t, turned, true))
        } else {
            object(py, t.detach())
        }
    }
    #[setter(data)]
    fn set_data(&self, py: Python<'_>, value: &Bound<'_, PyTensor>) -> PyResult<()> {
        let new = value.get().get().detach();
        match self.stands() {
            Stands::For(t) => guard(py, 0, || t.set_data(&new)),
            Stands::Side { of, turned, .. } => {
                guard(py, 0, || of.set_data(&if turned { new.t() } else { new }))
            }
        }
    }
    /// The gradient that backward passes have added up here, or `None`.
    #[getter]
    fn grad<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyTensor>>> {
        state::grad_object(slf)
    }
    #[setter(grad)]
    fn set_grad(slf: &Bound<'_, Self>, grad: Option<&Bound<'_, PyTensor>>) -> PyResult<()> {
        state::set_grad_object(slf, grad)
    }
    #[deleter(grad)]
    fn del_grad(&self) {
        self.variable().0.zero_grad();
    }
    /// Whether `backward` reaches it.
    #[getter]
    fn requires_grad(&self) -> bool {
        self.variable().0.requires_grad()
    }
    #[setter(requires_grad)]
    fn set_requires_grad(&self, py: Python<'_>, on: bool) -> PyResult<()> {
        let (t, _) = self.variable();
        guard(py, 0, || t.requires_grad_(on)).map(|_| ())
    }
    /// Says whether gradients are to be kept for this leaf.
    #[pyo3(signature = (requires_grad = true))]
    fn requires_grad_<'py>(slf: &Bound<'py, Self>, requires_grad: bool) -> PyResult<Bound<'py, Self>> {
        slf.get().set_requires_grad(slf.py(), requires_grad)?;
        Ok(slf.clone())
    }
    /// Whether it has no history.
    #[getter]
    fn is_leaf(&self) -> bool {
        self.variable().0.is_leaf()
    }
    /// The recorded operation that made it, or `None`.
    #[getter]
    fn grad_fn(&self) -> Option<crate::autograd::PyNode> {
        self.variable().0.grad_fn().map(crate::autograd::PyNode)
    }
    /// Keeps the gradient of this result too.
    fn retain_grad(&self, py: Python<'_>) -> PyResult<()> {
        let t = self.get();
        guard(py, 0, || t.retain_grad())
    }
    /// Forgets the history.
    fn detach_<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Self> {
        if let Stands::For(t) = slf.get().stands() {
            if t.is_leaf() {
                // A leaf has no history to forget; it stops requiring a gradient.
                let _ = t.try_requires_grad_(false);
            } else {
                slf.get().stand(Stands::For(t.detach()));
            }
        }
        slf.clone()
    }
    /// This tensor as another side of one parameter: rows and columns exchanged. Values, gradients and in-place
    /// changes agree. With `cls`, an object of that class.
    #[pyo3(signature = (cls = None))]
    fn _other_side<'py>(
        &self,
        py: Python<'py>,
        cls: Option<&Bound<'py, PyType>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (t, turned) = self.variable();
        let side = PyTensor::side(t, !turned, false);
        match cls {
            Some(cls) => of_class(cls, side),
            None => Ok(Bound::new(py, side)?.into_any()),
        }
    }
    /// `data` as an object of the class `cls`, a leaf of its own.
    #[staticmethod]
    #[pyo3(signature = (cls, data, requires_grad = false))]
    fn _make_subclass<'py>(
        cls: &Bound<'py, PyType>,
        data: &Bound<'py, PyTensor>,
        requires_grad: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let t = data.get().get().detach();
        if requires_grad {
            guard(cls.py(), 0, || t.requires_grad_(true))?;
        }
        of_class(cls, PyTensor::new(t))
    }
    /// The tensor of which this is the other side, or itself.
    fn _base(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        match slf.get().turned_side_of() {
            Some(t) => t.give(slf.py()),
            None => Ok(slf.clone().into_any().unbind()),
        }
    }
    /// Whether both are handles on one variable.
    fn _same_variable(&self, other: &Bound<'_, PyTensor>) -> bool {
        self.variable().0.is(&other.get().variable().0)
    }
    /// Requires a gradient from now on, unless someone has said whether it does.
    fn _as_parameter<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Self> {
        slf.get().variable().0.as_parameter();
        slf.clone()
    }

    // ---- numbers out ----

    /// The elements as nested lists.
    fn tolist(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let array = self.look(py, Tensor::array)?;
        let dims = array.shape();
        match array.dtype() {
            DType::Bool => nested(py, &array.to_vec::<bool>(), dims),
            d if d.is_integer() => nested(py, &array.to_vec::<i64>(), dims),
            d if d.is_complex() => nested(py, &array.to_vec::<Complex64>(), dims),
            _ => nested(py, &array.to_vec::<f64>(), dims),
        }
    }
    fn __complex__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyComplex>> {
        let array = self.look(py, Tensor::array)?;
        match array.to_vec::<Complex64>()[..] {
            [z] => Ok(PyComplex::from_doubles(py, z.re, z.im)),
            _ => Err(not_one(py, &array)),
        }
    }
    fn __int__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(self.number(py)?.bind(py).call_method0("__int__")?.unbind())
    }
    fn __index__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        if self.get().dtype().is_differentiable() {
            return Err(PyTypeError::new_err("only integer tensors can be an index"));
        }
        self.__int__(py)
    }
    fn __bool__(&self, py: Python<'_>) -> PyResult<bool> {
        let t = self.get();
        if t.numel() != 1 {
            return Err(value_error(
                py,
                "bool",
                format!(
                    "the truth of a tensor with {} elements is ambiguous\n  help: `.any()` or `.all()` says which is meant",
                    t.numel()
                ),
            ));
        }
        Ok(t.ne(0.0).item() != 0.0)
    }
    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        match self.look(py, |t| t.with_shape(|shape| shape.first().copied()))? {
            Some(n) => Ok(n),
            None => Err(PyTypeError::new_err("len() of a 0-d tensor")),
        }
    }
    fn __iter__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let t = self.get();
        if t.dim() == 0 {
            return Err(PyTypeError::new_err("iteration over a 0-d tensor"));
        }
        let rows = guard(py, 0, || {
            (0..t.size(0))
                .map(|i| t.select(0, i as isize))
                .collect::<Vec<_>>()
        })?;
        Ok(rows.give(py)?.bind(py).try_iter()?.into_any().unbind())
    }
    fn __contains__(&self, py: Python<'_>, value: Operand) -> PyResult<bool> {
        let t = self.get();
        guard(py, t.numel(), || t.eq(&value.tensor(&t)).any())
    }
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (t, turned) = self.variable();
        let t = if turned { guard(py, 0, || t.t())? } else { t };
        guard(py, 0, || t.to_string())
    }
    fn __format__(&self, py: Python<'_>, spec: &str) -> PyResult<Py<PyAny>> {
        if self.get().dim() == 0 && !spec.is_empty() {
            let value = self.number(py)?;
            return Ok(value.bind(py).call_method1("__format__", (spec,))?.unbind());
        }
        if !spec.is_empty() {
            return Err(PyTypeError::new_err(
                "only a 0-d tensor can be formatted as a number",
            ));
        }
        self.__repr__(py)?.into_py_any(py)
    }
    fn __hash__(slf: &Bound<'_, Self>) -> isize {
        // Objects are aligned: their addresses' low bits say nothing.
        (slf.as_ptr() as isize >> 4).max(0)
    }

    // ---- copies ----

    fn __deepcopy__<'py>(slf: &Bound<'py, Self>, memo: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
        let (t, turned) = slf.get().variable();
        if !t.is_leaf() {
            return Err(PyRuntimeError::new_err(
                "only leaves can be deep-copied: a copy of a result would have no history\n  help: copy `x.detach()`, or `x.clone()` to keep the history",
            ));
        }
        let new = t.detach();
        if t.requires_grad() {
            guard(slf.py(), 0, || new.requires_grad_(true))?;
        }
        new.set_grad(t.grad().map(|g| g.detach()));
        let new = if turned {
            PyTensor::side(new, true, false)
        } else {
            PyTensor::new(new)
        };
        let copy = like(slf, new)?;
        memo.set_item(slf.as_ptr() as usize, &copy)?;
        Ok(copy)
    }
    fn __copy__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        like(slf, PyTensor::standing(slf.get().stands()))
    }
}

const _: () = {
    unsafe extern "C" fn item(slf: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
        // SAFETY: the interpreter calls methods with its lock held and a tensor to be called on.
        let (py, x) = unsafe { (Python::assume_attached(), state::at(slf)) };
        finish(py, x.number(py))
    }
    method! { item ["($self)"] [" The only element, as a Python number."] noargs item }

    unsafe extern "C" fn detach(slf: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
        // SAFETY: as above.
        unsafe { alone(slf, Tensor::detach) }
    }
    method! { detach ["($self)"] [" The same value without history."] noargs detach }
};

impl PyTensor {
    /// The only element, as a Python number.
    fn number(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.look(py, |t| t.with_array(number_in))? {
            Some(Number::Float(v)) => v.into_py_any(py),
            Some(Number::Int(v)) => v.into_py_any(py),
            Some(Number::Bool(v)) => v.into_py_any(py),
            None => calm(py, || {
                let array = self.look(py, Tensor::array)?;
                match array.numel() {
                    1 => array.to_vec::<Complex64>()[0].into_py_any(py),
                    _ => Err(not_one(py, &array)),
                }
            }),
        }
    }
    /// The only element, as a float.
    pub(crate) fn real_number(&self, py: Python<'_>) -> PyResult<f64> {
        if let Some(number) = self.look(py, |t| t.with_array(number_in))? {
            return Ok(number.f64());
        }
        let array = self.look(py, Tensor::array)?;
        if array.dtype().is_complex() && array.numel() == 1 && array.imag().item() != Some(0.0) {
            let text = array.to_vec::<Complex64>()[0];
            return Err(value_error(py, "float", format!("{text} is no real number")));
        }
        array.item().ok_or_else(|| not_one(py, &array))
    }
    #[inline]
    fn size_object<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let known = self.look(py, |t| t.with_shape(|dims| known_size(py, dims)))?;
        match known {
            Some(known) => Ok(known.into_bound(py)),
            None => size(py, &self.get().shape()),
        }
    }
}

/// `new` as an object of `class`.
fn of_class<'py>(class: &Bound<'py, PyType>, new: PyTensor) -> PyResult<Bound<'py, PyAny>> {
    let py = class.py();
    if class.is(py.get_type::<PyTensor>()) {
        return Ok(Bound::new(py, new)?.into_any());
    }
    let object = py
        .get_type::<PyTensor>()
        .call_method1("__new__", (class,))?
        .cast_into::<PyTensor>()?;
    object.get().stand(new.into_stands());
    Ok(object.into_any())
}

/// `new` as an object of the same class and with the same attributes as `slf`.
fn like<'py>(slf: &Bound<'py, PyTensor>, new: PyTensor) -> PyResult<Bound<'py, PyAny>> {
    let class = slf.get_type();
    let object = of_class(&class, new)?;
    let dict = slf.getattr("__dict__")?.cast_into::<PyDict>()?;
    if !dict.is_empty() {
        object.getattr("__dict__")?.call_method1("update", (dict,))?;
    }
    Ok(object)
}

fn reversed(t: &Tensor) -> Tensor {
    use wengert::Op;
    wengert::ops::shape::Permute((0..t.dim() as isize).rev().collect()).apply([t])
}

/// The one element of `array`, if there is one and it is real.
#[inline]
fn number_in(array: &Array) -> Option<Number> {
    match array.dtype() {
        // Mostly: with the dtype known there is no table to look it up in.
        DType::F32 => array.element().map(Number::Float),
        d if d.is_complex() => None,
        d if d.is_float() => array.element().map(Number::Float),
        DType::Bool => array.element::<i64>().map(|v| Number::Bool(v != 0)),
        _ => array.element().map(Number::Int),
    }
}

#[cold]
fn not_one(py: Python<'_>, array: &Array) -> PyErr {
    let message = format!("needs a tensor with one element, and got shape {}", array.shape());
    value_error(py, "item", message)
}

fn nested<'py, T: IntoPyObject<'py> + Copy>(
    py: Python<'py>,
    data: &[T],
    dims: &[usize],
) -> PyResult<Py<PyAny>> {
    let Some((&n, inner)) = dims.split_first() else {
        return data[0].into_py_any(py);
    };
    let step: usize = inner.iter().product();
    let items: Vec<Py<PyAny>> = (0..n)
        .map(|i| nested(py, &data[i * step..(i + 1) * step], inner))
        .collect::<PyResult<_>>()?;
    Ok(PyList::new(py, items)?.into_any().unbind())
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    state::register(m)?;
    crate::macros::functions!(m, _set_size_class);
    Ok(())
}
