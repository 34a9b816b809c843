//! Triangles and diagonals of matrices.

use super::slice::{Part, Place, diagonal};
use super::{axis, contract, ok};
use crate::autograd::Ctx;
use crate::op::{Complex, Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::{Array, DType, Error, ErrorKind, Layout, Meta, Result, kernels, raise};

/// y = the elements of matrices on and below diagonal `k` (`upper`: on and above), 0 elsewhere; dx = dy there.
#[derive(Clone, Debug)]
pub struct Triangle {
    /// Which diagonal bounds it, counted above the main one.
    pub k: isize,
    /// Whether the part above stays.
    pub upper: bool,
}

impl Op for Triangle {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "tril";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        if x.shape.rank() < 2 {
            let message = format!("needs matrices, and got shape {}", x.shape);
            return Err(Error::new(ErrorKind::Shape, self.name(), message));
        }
        Ok(x.with_shape(x.shape))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        kernels::triangle(&x, self.k, self.upper)
    }
    fn backward(&self, _: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        [Some(self.clone().apply([&dy]))]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Parts(1)
    }
    fn samples() -> Vec<Sample<Self>> {
        let x = Array::from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3]);
        let part = |k, upper| Triangle { k, upper };
        vec![
            Sample::new(part(0, false), [x.clone()]).gives([1.0, 0.0, 0.0, 4.0, 5.0, 0.0]),
            Sample::new(part(-1, true), [x.clone()]).gives([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            Sample::new(part(1, true), [x]).gives([0.0, 2.0, 3.0, 0.0, 0.0, 6.0]),
        ]
    }
    fn name(&self) -> &'static str {
        if self.upper { "triu" } else { "tril" }
    }
}

impl Tensor {
    /// The elements of matrices, in the last two dimensions, on and below diagonal `k`; 0 elsewhere.
    #[track_caller]
    pub fn tril(&self, k: isize) -> Tensor {
        Triangle { k, upper: false }.apply([self])
    }

    /// The elements of matrices, in the last two dimensions, on and above diagonal `k`; 0 elsewhere.
    #[track_caller]
    pub fn triu(&self, k: isize) -> Tensor {
        Triangle { k, upper: true }.apply([self])
    }

    /// The last dimension on diagonal `offset` of new matrices in dimensions `dim1` and `dim2` of the result.
    #[track_caller]
    pub fn diag_embed(&self, offset: isize, dim1: isize, dim2: isize) -> Tensor {
        let shape = self.shape();
        let Some(&len) = shape.last() else {
            raise(Error::new(
                ErrorKind::Shape,
                "diag_embed",
                "needs a dimension, and got a 0-d tensor",
            ))
        };
        let step = ok(diagonal("diag_embed", offset, dim1, dim2, shape.rank() + 1));
        let size = len + offset.unsigned_abs();
        let mut places = [
            ok(axis("diag_embed", dim1, shape.rank() + 1)),
            ok(axis("diag_embed", dim2, shape.rank() + 1)),
        ];
        places.sort_unstable();
        let whole = shape
            .remove(shape.rank() - 1)
            .insert(places[0], size)
            .insert(places[1], size);
        let part = Part {
            name: "diag_embed",
            steps: smallvec::smallvec![step],
        };
        Place {
            part,
            shape: whole,
            value: 0.0,
        }
        .apply([self])
    }

    /// Of a vector, the matrix with it on diagonal `k`; of a matrix, that diagonal.
    #[track_caller]
    pub fn diag(&self, k: isize) -> Tensor {
        match self.dim() {
            1 => self.diag_embed(k, 0, 1),
            2 => self.diagonal(k, 0, 1),
            _ => {
                let message = format!("needs a vector or a matrix, and got shape {}", self.shape());
                raise(Error::new(ErrorKind::Shape, "diag", message))
            }
        }
    }

    /// The matrix with all elements, in row-major order, on diagonal `k`.
    #[track_caller]
    pub fn diagflat(&self, k: isize) -> Tensor {
        self.ravel().diag_embed(k, 0, 1)
    }

    /// Rows and columns of the elements on and below diagonal `k` of a matrix: two rows of i64.
    #[track_caller]
    pub fn tril_indices(rows: usize, cols: usize, k: isize) -> Tensor {
        triangle_indices(rows, cols, |i, j| j - i <= k)
    }

    /// Rows and columns of the elements on and above diagonal `k` of a matrix: two rows of i64.
    #[track_caller]
    pub fn triu_indices(rows: usize, cols: usize, k: isize) -> Tensor {
        triangle_indices(rows, cols, |i, j| j - i >= k)
    }

    /// Changes the diagonal of this leaf's matrix (of more dimensions, the elements whose indices all are equal) to
    /// `value`.
    #[track_caller]
    pub fn fill_diagonal_(&self, value: f64) -> Tensor {
        let shape = self.shape();
        if shape.rank() < 2 || (shape.rank() > 2 && shape.iter().any(|n| *n != shape[0])) {
            let message = format!("needs a matrix, or equal sizes, and got shape {shape}");
            raise(Error::new(ErrorKind::Shape, "fill_diagonal_", message));
        }
        let step: isize = shape.strides().iter().sum();
        let n = shape.iter().copied().min().unwrap_or(0);
        let at = Layout::contiguous([shape.numel()].into()).slice(0, 0, n, step);
        self.change("fill_diagonal_", |x| {
            let (dtype, shape) = (x.dtype(), x.shape().clone());
            let flat = x.reshape([x.numel()]);
            drop(x);
            kernels::write(flat, &at, &Array::fill([n], value, dtype)).reshape(shape)
        });
        self.clone()
    }
}

fn triangle_indices(rows: usize, cols: usize, inside: impl Fn(isize, isize) -> bool) -> Tensor {
    let (mut i, mut j): (Vec<i64>, Vec<i64>) = Default::default();
    for row in 0..rows {
        for col in (0..cols).filter(|col| inside(row as isize, *col as isize)) {
            i.push(row as i64);
            j.push(col as i64);
        }
    }
    let n = i.len();
    i.append(&mut j);
    Tensor::constant(Array::from_slice(&i, [2, n]).cast(DType::I64))
}

contract! { triangle: Triangle }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diagonals_there_and_back() {
        let x = Tensor::new([1.0, 2.0]).requires_grad_(true);
        let m = x.diag(1);
        assert_eq!(m.to_vec::<f32>(), [0., 1., 0., 0., 0., 2., 0., 0., 0.]);
        assert_eq!(m.diag(1).to_vec::<f32>(), [1., 2.]);
        (m * 3.0).sum().backward();
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [3., 3.]);
        let y = Tensor::new([[1, 2], [3, 4]]).diag_embed(-1, 0, 2);
        assert_eq!(y.shape(), [3, 2, 3]);
        assert_eq!(y.index((1, .., 0)).to_vec::<i64>(), [1, 3]);
        assert_eq!(Tensor::tril_indices(2, 2, 0).to_vec::<i64>(), [0, 1, 1, 0, 0, 1]);
        assert_eq!(Tensor::triu_indices(2, 3, 1).to_vec::<i64>(), [0, 0, 1, 1, 2, 2]);
        let z = Tensor::zeros([2, 3]);
        z.fill_diagonal_(5.0);
        assert_eq!(z.to_vec::<f32>(), [5., 0., 0., 0., 5., 0.]);
    }
}
