//! Several tensors made one, and one made several that fit each other.

use super::pointwise::promote;
use super::{axis, checked_axis, contract, ok};
use crate::autograd::Ctx;
use crate::autograd::mode::Duties;
use crate::op::{Complex, Each, Extra, In, Many, Op, Sample, Saves, Variadic};
use crate::tensor::Tensor;
use wengert_array::{Array, DType, Error, ErrorKind, Meta, Result, Shape, get_default_dtype, kernels, raise};

/// y = the inputs end to end along a dimension; each input's gradient is its part of dy.
#[derive(Clone, Debug)]
pub struct Cat(pub isize);

impl Op for Cat {
    type Inputs = Variadic;
    const NAME: &'static str = "cat";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, x: Each<Self, In<'_>>) -> Result<Meta> {
        let Some(first) = x.first() else {
            return Err(Error::new(ErrorKind::Value, "cat", "needs at least one tensor"));
        };
        let d = axis("cat", self.0, first.shape.rank())?;
        let mut size = 0;
        for (i, x) in x.iter().enumerate() {
            let mut sizes = x.shape.iter().zip(first.shape.iter()).enumerate();
            let fits = x.shape.rank() == first.shape.rank() && sizes.all(|(i, (a, b))| a == b || i == d);
            if !fits {
                let message = format!(
                    "cannot join {} and {} (tensors 0 and {i}) along dimension {d}",
                    first.shape, x.shape
                );
                return Err(Error::new(ErrorKind::Shape, "cat", message)
                    .note(format!("all sizes but that of dimension {d} must be equal")));
            }
            size += x.shape[d];
        }
        let dtype = x
            .iter()
            .map(|x| x.dtype)
            .reduce(|a, b| a.promote(b))
            .expect("there is a first");
        Ok(Meta {
            shape: first.shape.with(d, size),
            dtype,
            device: first.device,
        })
    }
    fn forward(&self, x: Each<Self, Array>, y: &Meta, _: &mut Extra) -> Array {
        let axis = checked_axis(self.0, y.shape.rank());
        if x.iter().all(|x| x.dtype() == y.dtype) {
            return kernels::concat(&x, axis);
        }
        let x: Vec<Array> = x.iter().map(|x| x.cast(y.dtype)).collect();
        kernels::concat(&x, axis)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> Each<Self, Option<Tensor>> {
        let d = checked_axis(self.0, dy.dim());
        let mut start = 0;
        let part = |i| {
            let len = cx.meta(i).shape[d];
            start += len;
            cx.grad(i, || dy.narrow(d as isize, start - len, len))
        };
        (0..cx.inputs()).map(part).collect()
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Parts(u32::MAX)
    }
    fn samples() -> Vec<Sample<Self>> {
        let (a, b) = (
            Array::from_slice(&[1.0, 2.0], [2, 1]),
            Array::from_slice(&[3.0, 4.0, 5.0, 6.0], [2, 2]),
        );
        vec![
            Sample::new(Cat(1), vec![a.clone(), b.clone()]).gives([1.0, 3.0, 4.0, 2.0, 5.0, 6.0]),
            Sample::new(Cat(-2), vec![b.clone(), b]),
            Sample::new(Cat(0), vec![a]).gives([1.0, 2.0]),
        ]
    }
}

/// The tensors end to end along `dim`. Empty tensors of one dimension are passed over.
#[track_caller]
pub fn cat(tensors: &[&Tensor], dim: isize) -> Tensor {
    cat_many(tensors.into(), dim)
}

/// As [`cat`].
#[doc(hidden)]
#[track_caller]
pub fn cat_many(mut tensors: Many<&Tensor>, dim: isize) -> Tensor {
    // PyTorch's legacy: a tensor of shape [0] fits anything.
    let nothing = |t: &Tensor| t.numel() == 0 && t.dim() == 1;
    if tensors.iter().any(|t| nothing(t)) && tensors.iter().any(|t| t.dim() > 1) {
        tensors.retain(|t| !nothing(t));
    }
    Cat(dim).apply(tensors)
}

/// What [`cat`] gives of short tensors along the first dimension where nothing is to be recorded: it looks at each once.
#[doc(hidden)]
pub struct Quick {
    duties: Duties,
    parts: kernels::Short,
}

impl Quick {
    /// Nothing where someone is to be told of operations.
    #[inline]
    pub fn new() -> Option<Quick> {
        let duties = Duties::now();
        let parts = kernels::Short::default();
        (!duties.tell()).then_some(Quick { duties, parts })
    }

    /// Whether the tensor could be added; if not, [`cat`] is to be asked.
    #[inline]
    pub fn add(&mut self, t: &Tensor) -> bool {
        !(self.duties.record() && t.requires_grad()) && t.with_array(|a| self.parts.push(a))
    }

    /// All of them, which it forgets.
    #[inline]
    pub fn tensor(&mut self) -> Option<Tensor> {
        self.parts.array().map(Tensor::constant)
    }
}

/// Tensors of one shape, side by side along a new dimension `dim`.
#[track_caller]
pub fn stack(tensors: &[&Tensor], dim: isize) -> Tensor {
    if let Some(other) = tensors.iter().find(|t| t.shape() != tensors[0].shape()) {
        let message = format!(
            "the tensors have shapes {} and {}",
            tensors[0].shape(),
            other.shape()
        );
        raise(Error::new(ErrorKind::Shape, "stack", message).note("all must have the same shape"));
    }
    let Some(first) = tensors.first() else {
        raise(Error::new(ErrorKind::Value, "stack", "needs at least one tensor"))
    };
    let d = ok(axis("stack", dim, first.dim() + 1)) as isize;
    let mut parts = Vec::with_capacity(tensors.len());
    for t in tensors {
        parts.push(t.unsqueeze(d));
    }
    Cat(d).apply(parts.iter().collect())
}

/// The tensors after `f` has seen each.
#[track_caller]
fn each(tensors: &[&Tensor], f: fn(&Tensor) -> Tensor) -> Vec<Tensor> {
    tensors.iter().map(|t| f(t)).collect()
}

/// Side by side: along dimension 1, or 0 where they have no other.
#[track_caller]
pub fn hstack(tensors: &[&Tensor]) -> Tensor {
    let parts = each(tensors, Tensor::atleast_1d);
    let dim = isize::from(parts.first().is_none_or(|t| t.dim() > 1));
    cat(&parts.iter().collect::<Vec<_>>(), dim)
}

/// One above the other: along dimension 0, vectors as rows.
#[track_caller]
pub fn vstack(tensors: &[&Tensor]) -> Tensor {
    let parts = each(tensors, Tensor::atleast_2d);
    cat(&parts.iter().collect::<Vec<_>>(), 0)
}

/// One behind the other: along dimension 2.
#[track_caller]
pub fn dstack(tensors: &[&Tensor]) -> Tensor {
    let parts = each(tensors, Tensor::atleast_3d);
    cat(&parts.iter().collect::<Vec<_>>(), 2)
}

/// Side by side, vectors as columns.
#[track_caller]
pub fn column_stack(tensors: &[&Tensor]) -> Tensor {
    let mut parts = Vec::with_capacity(tensors.len());
    for t in tensors {
        parts.push(if t.dim() < 2 {
            t.reshape([t.numel(), 1])
        } else {
            (*t).clone()
        });
    }
    cat(&parts.iter().collect::<Vec<_>>(), 1)
}

/// Matrices along the diagonal of one, zeros elsewhere. Vectors count as one row, numbers as one element.
#[track_caller]
pub fn block_diag(tensors: &[&Tensor]) -> Tensor {
    let mut blocks = Vec::with_capacity(tensors.len());
    for t in tensors {
        if t.dim() > 2 {
            let message = format!("needs matrices, and got shape {}", t.shape());
            raise(Error::new(ErrorKind::Shape, "block_diag", message));
        }
        blocks.push(t.atleast_2d());
    }
    let dtype = blocks
        .iter()
        .map(Tensor::dtype)
        .reduce(DType::promote)
        .unwrap_or_else(get_default_dtype);
    let (rows, cols) = blocks
        .iter()
        .fold((0, 0), |(r, c), b| (r + b.shape()[0], c + b.shape()[1]));
    let (mut row, mut col) = (0, 0);
    let mut bands = Vec::with_capacity(blocks.len());
    for b in &blocks {
        let [m, n] = [b.shape()[0], b.shape()[1]];
        let right = (cols - col - n) as isize;
        bands.push(
            b.to(dtype)
                .pad([col as isize, right], super::PadMode::Constant(0.0)),
        );
        (row, col) = (row + m, col + n);
    }
    debug_assert_eq!(row, rows);
    if bands.is_empty() {
        return Tensor::full_as([1, 0], 0.0, dtype);
    }
    Cat(0).apply(bands.iter().collect())
}

/// All tensors expanded to the shape that they broadcast to.
#[track_caller]
pub fn broadcast_tensors(tensors: &[&Tensor]) -> Vec<Tensor> {
    let shape = ok(common("broadcast_tensors", tensors));
    let mut all = Vec::with_capacity(tensors.len());
    for t in tensors {
        all.push(t.expand(&shape));
    }
    all
}

/// The shape that all broadcast to.
pub(crate) fn common(op: &str, tensors: &[&Tensor]) -> Result<Shape> {
    let mut shape = Shape::default();
    for t in tensors {
        shape = shape.broadcast(&t.shape()).ok_or_else(|| {
            let shapes: Vec<String> = tensors.iter().map(|t| t.shape().to_string()).collect();
            let message = format!("cannot broadcast {} together", shapes.join(" and "));
            Error::new(ErrorKind::Shape, op, message)
        })?;
    }
    Ok(shape)
}

/// The order of dimensions in a grid: see [`meshgrid`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Indexing {
    /// As matrices are indexed: the first tensor runs along dimension 0.
    #[default]
    Ij,
    /// As points are plotted: the first tensor runs along dimension 1, the second along 0.
    Xy,
}

/// Vectors as coordinates of a grid: each repeated along the dimensions of all others.
#[track_caller]
pub fn meshgrid(tensors: &[&Tensor], indexing: Indexing) -> Vec<Tensor> {
    let mut sizes = Vec::with_capacity(tensors.len());
    for t in tensors {
        if t.dim() > 1 {
            let message = format!("needs vectors, and got shape {}", t.shape());
            raise(Error::new(ErrorKind::Shape, "meshgrid", message));
        }
        sizes.push(t.numel());
    }
    let swap = indexing == Indexing::Xy && tensors.len() > 1;
    if swap {
        sizes.swap(0, 1);
    }
    let mut grid = Vec::with_capacity(tensors.len());
    for (i, t) in tensors.iter().enumerate() {
        let d = if swap && i < 2 { 1 - i } else { i };
        let mut shape = vec![1; sizes.len()];
        shape[d] = t.numel();
        grid.push(t.reshape(shape).expand(&sizes));
    }
    grid
}

/// All combinations of one element from each vector, as rows, the last vector running fastest.
#[track_caller]
pub fn cartesian_prod(tensors: &[&Tensor]) -> Tensor {
    if let [one] = tensors {
        return (*one).clone();
    }
    let grid = meshgrid(tensors, Indexing::Ij);
    let mut columns = Vec::with_capacity(grid.len());
    for g in &grid {
        columns.push(g.ravel());
    }
    stack(&columns.iter().collect::<Vec<_>>(), 1)
}

/// The result dtype of several tensors by PyTorch's rule, in which 0-d ones count only by their kind.
pub fn result_type(tensors: &[&Tensor]) -> DType {
    promote(tensors.iter().map(|t| (t.dtype(), t.dim())))
}

impl Tensor {
    /// All choices of `r` elements of a vector, as rows in the order of their places; with replacement, an element
    /// may be chosen again.
    ///
    /// ```
    /// # use wengert::Tensor;
    /// let x = Tensor::new([1, 2, 3]);
    /// assert_eq!(x.combinations(2, false).to_vec::<i64>(), [1, 2, 1, 3, 2, 3]);
    /// ```
    #[track_caller]
    pub fn combinations(&self, r: usize, with_replacement: bool) -> Tensor {
        if self.dim() != 1 {
            let message = format!("needs a vector, and got shape {}", self.shape());
            raise(Error::new(ErrorKind::Shape, "combinations", message));
        }
        let n = self.numel() as i64;
        let mut rows: Vec<i64> = Vec::new();
        let mut choice: Vec<i64> = (0..r as i64)
            .map(|i| if with_replacement { 0 } else { i })
            .collect();
        // The largest place that choice number k may have.
        let most = |k: usize| {
            if with_replacement {
                n - 1
            } else {
                n - (r - k) as i64
            }
        };
        let mut count = 0;
        let mut more = r > 0 && most(r - 1) >= *choice.last().unwrap_or(&0) && n > 0;
        while more {
            rows.extend(&choice);
            count += 1;
            more = match (0..r).rev().find(|k| choice[*k] < most(*k)) {
                Some(k) => {
                    choice[k] += 1;
                    for j in k + 1..r {
                        choice[j] = choice[j - 1] + i64::from(!with_replacement);
                    }
                    true
                }
                None => false,
            };
        }
        if r == 0 {
            return self.narrow(0, 0, 0);
        }
        let index = Tensor::from_vec(rows, [count * r]);
        self.index_select(0, &index).reshape([count, r])
    }

    /// With at least one dimension.
    #[track_caller]
    pub fn atleast_1d(&self) -> Tensor {
        if self.dim() == 0 {
            self.reshape([1])
        } else {
            self.clone()
        }
    }

    /// With at least two dimensions: a vector becomes one row.
    #[track_caller]
    pub fn atleast_2d(&self) -> Tensor {
        match self.dim() {
            0 => self.reshape([1, 1]),
            1 => self.unsqueeze(0),
            _ => self.clone(),
        }
    }

    /// With at least three dimensions: a vector becomes [1, n, 1], a matrix [m, n, 1].
    #[track_caller]
    pub fn atleast_3d(&self) -> Tensor {
        match self.dim() {
            0 => self.reshape([1, 1, 1]),
            1 => self.unsqueeze(0).unsqueeze(-1),
            2 => self.unsqueeze(-1),
            _ => self.clone(),
        }
    }
}

contract! { cat: Cat }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_come_in_order() {
        let x = Tensor::arange(0, 4);
        assert_eq!(
            x.combinations(3, false).to_vec::<i64>(),
            [0, 1, 2, 0, 1, 3, 0, 2, 3, 1, 2, 3]
        );
        let y = Tensor::arange(0, 2).combinations(2, true);
        assert_eq!(y.to_vec::<i64>(), [0, 0, 0, 1, 1, 1]);
        assert_eq!(x.combinations(5, false).shape(), [0, 5]);
        let (a, b) = (Tensor::new([1, 2]), Tensor::new([3, 4, 5]));
        assert_eq!(
            cartesian_prod(&[&a, &b]).to_vec::<i64>(),
            [1, 3, 1, 4, 1, 5, 2, 3, 2, 4, 2, 5]
        );
        let grid = meshgrid(&[&a, &b], Indexing::Xy);
        assert_eq!(grid[0].to_vec::<i64>(), [1, 2, 1, 2, 1, 2]);
        assert_eq!(grid[1].shape(), [3, 2]);
    }

    #[test]
    fn blocks_lie_on_the_diagonal() {
        let (a, b) = (Tensor::new([[1.0, 2.0]]), Tensor::new(3.0).requires_grad_(true));
        let y = block_diag(&[&a, &b]);
        assert_eq!(
            (y.shape(), y.to_vec::<f32>()),
            ([2, 3].into(), vec![1., 2., 0., 0., 0., 3.])
        );
        (&y * 2.0).sum().backward();
        assert_eq!(b.grad().unwrap().item(), 2.0);
        assert_eq!(vstack(&[&a, &a.ravel()]).shape(), [2, 2]);
        assert_eq!(hstack(&[&b, &b]).shape(), [2]);
        assert_eq!(dstack(&[&a, &a]).shape(), [1, 2, 2]);
        assert_eq!(column_stack(&[&a.ravel(), &a.t()]).shape(), [2, 2]);
        assert_eq!(cat(&[&Tensor::zeros([0]), &a], 1).shape(), [1, 2]);
    }
}
