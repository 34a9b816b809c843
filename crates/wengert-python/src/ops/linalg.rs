//! Matrices.

use crate::args::{Operand, TensorLike};
use crate::guard::guard;
use crate::macros::ops;
use crate::tensor::PyTensor;
use pyo3::prelude::*;

ops! {
    /// The matrix product.
    fn matmul(input, other: TensorLike) => input.matmul(&other.0);
    /// The matrix product of two matrices.
    fn mm(input, mat2: TensorLike) => input.matmul(&mat2.0);
    /// The matrix products of two stacks of matrices.
    fn bmm(input, mat2: TensorLike) => input.matmul(&mat2.0);
    /// The product of a matrix and a vector.
    fn mv(input, vec: TensorLike) => input.matmul(&vec.0);
    /// The inner product of two vectors.
    fn dot(input, other: TensorLike) => input.matmul(&other.0);
}

#[pymethods]
impl PyTensor {
    fn __matmul__(&self, py: Python<'_>, other: Operand) -> PyResult<PyTensor> {
        let x = self.get();
        Ok(PyTensor::new(guard(py, x.numel(), move || {
            x.matmul(&other.tensor(&x))
        })?))
    }
    fn __rmatmul__(&self, py: Python<'_>, other: Operand) -> PyResult<PyTensor> {
        let x = self.get();
        Ok(PyTensor::new(guard(py, x.numel(), move || {
            other.tensor(&x).matmul(&x)
        })?))
    }
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    register_ops(m)
}
