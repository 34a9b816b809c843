//! Products of vectors, matrices and tensors, under the names that PyTorch has for them. All are made of `matmul`.

use super::*;
use crate::ops::shape::Permute;
use crate::ops::{axis, ok};

/// Refuses tensors of other ranks than an operation takes.
#[track_caller]
fn ranks(op: &str, tensors: &[(&Tensor, usize)]) {
    if tensors.iter().all(|(t, rank)| t.dim() == *rank) {
        return;
    }
    let name = |rank| match rank {
        1 => "a vector",
        2 => "a matrix",
        _ => "a stack of matrices",
    };
    let wanted: Vec<&str> = tensors.iter().map(|(_, rank)| name(*rank)).collect();
    let got: Vec<String> = tensors.iter().map(|(t, _)| t.shape().to_string()).collect();
    let message = format!("needs {}, and got {}", wanted.join(" and "), got.join(" and "));
    raise(Error::new(ErrorKind::Shape, op, message));
}

/// Refuses operands whose sizes `a` and `b` differ.
#[track_caller]
fn equal(op: &str, x: &Tensor, y: &Tensor, [a, b]: [usize; 2], what: &str) {
    if a != b {
        let message = format!("cannot combine {} and {}", x.shape(), y.shape());
        let note = format!("{what} must be equal, and are {a} and {b}");
        raise(Error::new(ErrorKind::Shape, op, message).note(note));
    }
}

/// Products of PyTorch's names.
impl Tensor {
    /// The product of two matrices.
    ///
    /// # Panics
    /// If they are not matrices, or do not fit.
    #[track_caller]
    pub fn mm(&self, other: &Tensor) -> Tensor {
        ranks("mm", &[(self, 2), (other, 2)]);
        self.matmul(other)
    }

    /// The product of a matrix and a vector.
    ///
    /// # Panics
    /// If they are not those, or do not fit.
    #[track_caller]
    pub fn mv(&self, vector: &Tensor) -> Tensor {
        ranks("mv", &[(self, 2), (vector, 1)]);
        self.matmul(vector)
    }

    /// The dot product of two vectors.
    ///
    /// # Panics
    /// If they are not vectors, or differ in length.
    #[track_caller]
    pub fn dot(&self, other: &Tensor) -> Tensor {
        ranks("dot", &[(self, 1), (other, 1)]);
        equal("dot", self, other, [self.numel(), other.numel()], "the lengths");
        self.matmul(other)
    }

    /// The dot product of two vectors, of which complex ones are conjugated in the first.
    #[track_caller]
    pub fn vdot(&self, other: &Tensor) -> Tensor {
        self.conj().dot(other)
    }

    /// The dot products along the last dimensions: of shape `self.shape[..-1]` followed by `other.shape[..-1]`. With a
    /// 0-d tensor, the product.
    ///
    /// # Panics
    /// If the last dimensions differ.
    #[track_caller]
    pub fn inner(&self, other: &Tensor) -> Tensor {
        if self.dim() == 0 || other.dim() == 0 {
            return self * other;
        }
        equal(
            "inner",
            self,
            other,
            [self.size(-1), other.size(-1)],
            "the last dimensions",
        );
        tensordot_dims(self, other, &[-1], &[-1])
    }

    /// The products of matrices of two stacks, pair by pair.
    ///
    /// # Panics
    /// If they have not three dimensions each, or do not fit.
    #[track_caller]
    pub fn bmm(&self, other: &Tensor) -> Tensor {
        ranks("bmm", &[(self, 3), (other, 3)]);
        equal(
            "bmm",
            self,
            other,
            [self.size(0), other.size(0)],
            "the sizes of the stacks",
        );
        self.matmul(other)
    }

    /// The products of all pairs of elements of two vectors.
    ///
    /// # Panics
    /// If they are not vectors.
    #[track_caller]
    pub fn outer(&self, other: &Tensor) -> Tensor {
        ranks("outer", &[(self, 1), (other, 1)]);
        self.unsqueeze(1) * other.unsqueeze(0)
    }

    /// Another name of [`outer`](Tensor::outer).
    #[track_caller]
    pub fn ger(&self, other: &Tensor) -> Tensor {
        ranks("ger", &[(self, 1), (other, 1)]);
        self.outer(other)
    }

    /// `beta · self + alpha · a b` for matrices a and b. Where `beta` is 0 this tensor is not read: NaN in it does not
    /// count.
    ///
    /// # Panics
    /// If a and b are not matrices or do not fit, or this does not broadcast to their product's shape.
    #[track_caller]
    pub fn addmm(&self, a: &Tensor, b: &Tensor, beta: f64, alpha: f64) -> Tensor {
        ranks("addmm", &[(a, 2), (b, 2)]);
        self.plus("addmm", a.matmul(b), beta, alpha)
    }

    /// `beta · self + alpha · a v` for a matrix a and a vector v, as [`addmm`](Tensor::addmm).
    #[track_caller]
    pub fn addmv(&self, a: &Tensor, v: &Tensor, beta: f64, alpha: f64) -> Tensor {
        ranks("addmv", &[(a, 2), (v, 1)]);
        self.plus("addmv", a.matmul(v), beta, alpha)
    }

    /// `beta · self + alpha · u vᵀ` for vectors u and v, as [`addmm`](Tensor::addmm).
    #[track_caller]
    pub fn addr(&self, u: &Tensor, v: &Tensor, beta: f64, alpha: f64) -> Tensor {
        ranks("addr", &[(u, 1), (v, 1)]);
        self.plus("addr", u.outer(v), beta, alpha)
    }

    /// `beta · self + alpha · aₖ bₖ` for each pair of two stacks of matrices, as [`addmm`](Tensor::addmm).
    #[track_caller]
    pub fn baddbmm(&self, a: &Tensor, b: &Tensor, beta: f64, alpha: f64) -> Tensor {
        ranks("baddbmm", &[(a, 3), (b, 3)]);
        self.plus("baddbmm", a.bmm(b), beta, alpha)
    }

    /// `beta · self + alpha · Σₖ aₖ bₖ` over the pairs of two stacks of matrices, as [`addmm`](Tensor::addmm).
    #[track_caller]
    pub fn addbmm(&self, a: &Tensor, b: &Tensor, beta: f64, alpha: f64) -> Tensor {
        ranks("addbmm", &[(a, 3), (b, 3)]);
        equal("addbmm", a, b, [a.size(0), b.size(0)], "the sizes of the stacks");
        // The sum over the stack is one product of longer rows and columns.
        self.plus("addbmm", tensordot_dims(a, b, &[0, 2], &[0, 1]), beta, alpha)
    }

    #[track_caller]
    fn plus(&self, op: &str, product: Tensor, beta: f64, alpha: f64) -> Tensor {
        let shape = product.shape();
        if self.shape().broadcast(&shape).as_ref() != Some(&shape) {
            let message = format!("cannot add {} to a product of shape {shape}", self.shape());
            raise(
                Error::new(ErrorKind::Shape, op, message)
                    .note("it must broadcast to the shape of the product"),
            );
        }
        let this = &bring(self, Precision::Half);
        let scaled = |t: Tensor, c: f64| if c == 1.0 { t } else { t * c };
        match beta == 0.0 {
            true => scaled(product, alpha),
            false => scaled(this.clone(), beta) + scaled(product, alpha),
        }
    }

    /// The sum of the diagonal of a matrix.
    ///
    /// # Panics
    /// If it is no matrix.
    #[track_caller]
    pub fn trace(&self) -> Tensor {
        ranks("trace", &[(self, 2)]);
        diagonal(&bring(self, Precision::Full)).sum()
    }

    /// The cross product of vectors of three elements along `dim`; see [`linalg::cross`](cross).
    #[track_caller]
    pub fn cross(&self, other: &Tensor, dim: isize) -> Tensor {
        cross(self, other, dim)
    }

    /// The Kronecker product; see [`linalg::kron`](kron).
    #[track_caller]
    pub fn kron(&self, other: &Tensor) -> Tensor {
        kron(self, other)
    }
}

/// The product over the last `n` dimensions of a and the first `n` of b.
///
/// # Panics
/// If there are not as many dimensions, or they differ in size.
#[track_caller]
pub fn tensordot(a: &Tensor, b: &Tensor, n: usize) -> Tensor {
    if n > a.dim() || n > b.dim() {
        let message = format!(
            "cannot contract {n} dimensions of {} and {}",
            a.shape(),
            b.shape()
        );
        raise(Error::new(ErrorKind::Index, "tensordot", message));
    }
    let last: Vec<isize> = (a.dim() - n..a.dim()).map(|d| d as isize).collect();
    let first: Vec<isize> = (0..n).map(|d| d as isize).collect();
    tensordot_dims(a, b, &last, &first)
}

/// The product over the dimensions `of_a` of a and, in the same order, `of_b` of b; the others of a come first in the result.
///
/// ```
/// use wengert::{Tensor, linalg::tensordot_dims};
///
/// let (a, b) = (Tensor::ones([2, 3, 4]), Tensor::ones([4, 5, 2]));
/// assert_eq!(tensordot_dims(&a, &b, &[2, 0], &[0, 2]).shape().dims(), [3, 5]);
/// ```
///
/// # Panics
/// If the dimensions do not exist, are named twice, or differ in number or, where neither is one, in size.
#[track_caller]
pub fn tensordot_dims(a: &Tensor, b: &Tensor, of_a: &[isize], of_b: &[isize]) -> Tensor {
    if of_a.len() != of_b.len() {
        let message = format!(
            "got {} dimensions of the left and {} of the right side",
            of_a.len(),
            of_b.len()
        );
        raise(Error::new(ErrorKind::Value, "tensordot", message).note("they are taken in pairs"));
    }
    let (da, db) = (contracted(a, of_a), contracted(b, of_b));
    // A dimension of size one meets the sum over the other's.
    let alone = |t: &Tensor, dims: &[usize], other: &Tensor, others: &[usize]| {
        let pairs = dims.iter().zip(others);
        let longer = pairs.filter(|(i, j)| t.shape()[**i] != 1 && other.shape()[**j] == 1);
        let over: Vec<isize> = longer.map(|(i, _)| *i as isize).collect();
        if over.is_empty() {
            t.clone()
        } else {
            t.sum_dim(over, true)
        }
    };
    let (a, b) = (&alone(a, &da, b, &db), &alone(b, &db, a, &da));
    let (sa, sb) = (a.shape(), b.shape());
    for (i, j) in da.iter().zip(&db) {
        equal(
            "tensordot",
            a,
            b,
            [sa[*i], sb[*j]],
            "the sizes of contracted dimensions",
        );
    }
    let free_a: Vec<usize> = (0..sa.rank()).filter(|d| !da.contains(d)).collect();
    let free_b: Vec<usize> = (0..sb.rank()).filter(|d| !db.contains(d)).collect();
    let size = |s: &Shape, dims: &[usize]| dims.iter().map(|&d| s[d]).product::<usize>();
    let ordered = |t: &Tensor, first: &[usize], second: &[usize]| {
        Permute(first.iter().chain(second).map(|d| *d as isize).collect()).apply([t])
    };
    let depth = size(&sa, &da);
    let left = ordered(a, &free_a, &da).reshape([size(&sa, &free_a), depth]);
    let right = ordered(b, &db, &free_b).reshape([depth, size(&sb, &free_b)]);
    let shape: Shape = free_a
        .iter()
        .map(|&d| sa[d])
        .chain(free_b.iter().map(|&d| sb[d]))
        .collect();
    left.matmul(&right).reshape(shape)
}

#[track_caller]
fn contracted(t: &Tensor, dims: &[isize]) -> Vec<usize> {
    let mut axes = Vec::with_capacity(dims.len());
    for d in dims {
        let d = ok(axis("tensordot", *d, t.dim()));
        if axes.contains(&d) {
            let message = format!("dimension {d} is named twice");
            raise(Error::new(ErrorKind::Value, "tensordot", message));
        }
        axes.push(d);
    }
    axes
}

/// The Kronecker product: each element of a times all of b, as blocks. The one of lower rank gets leading dimensions of
/// size one.
#[track_caller]
pub fn kron(a: &Tensor, b: &Tensor) -> Tensor {
    let rank = a.dim().max(b.dim());
    let padded = |t: &Tensor| -> Vec<usize> {
        std::iter::repeat_n(1, rank - t.dim())
            .chain(t.shape().iter().copied())
            .collect()
    };
    let (sa, sb) = (padded(a), padded(b));
    let spread = |s: &[usize], first: bool| -> Shape {
        s.iter()
            .flat_map(|&n| if first { [n, 1] } else { [1, n] })
            .collect()
    };
    let blocks = a.reshape(spread(&sa, true)) * b.reshape(spread(&sb, false));
    blocks.reshape(sa.iter().zip(&sb).map(|(m, n)| m * n).collect::<Shape>())
}

/// The cross product of vectors of three elements along `dim`; other dimensions broadcast.
///
/// # Panics
/// If there are not three elements along `dim`, or the shapes do not broadcast.
#[track_caller]
pub fn cross(a: &Tensor, b: &Tensor, dim: isize) -> Tensor {
    for t in [a, b] {
        if let Err(error) = axis("cross", dim, t.dim()) {
            raise(error);
        }
        if t.size(dim) != 3 {
            let message = format!(
                "needs three elements along dimension {dim}, and got {}",
                t.shape()
            );
            raise(Error::new(ErrorKind::Shape, "cross", message));
        }
    }
    let turned = |t: &Tensor, by: [i64; 3]| t.index_select(dim, &Tensor::new(by));
    let (next, last) = ([1, 2, 0], [2, 0, 1]);
    turned(a, next) * turned(b, last) - turned(a, last) * turned(b, next)
}

/// The dot products of vectors along `dim`; other dimensions broadcast.
///
/// # Panics
/// If the shapes do not broadcast.
#[track_caller]
pub fn vecdot(a: &Tensor, b: &Tensor, dim: isize) -> Tensor {
    (a.conj() * b).sum_dim(dim, false)
}
