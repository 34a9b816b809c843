//! Matrix products, and the linear layer's operation.

use super::common::numbers;
use super::contract;
use super::pair;
use super::pointwise::Kind;
use crate::autograd::{Ctx, Precision};
use crate::op::{Complex, Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::{Array, Error, ErrorKind, Meta, Result, Shape, kernels, raise};

/// The leading dimensions, those of a stack of matrices.
fn batch(shape: &Shape) -> Shape {
    match shape.rank() {
        2 => Shape::default(),
        rank => Shape::new(&shape[..rank - 2]),
    }
}

fn dtypes(op: &str, x: &[In<'_>]) -> Result<()> {
    if let Some(other) = x.iter().find(|y| y.dtype != x[0].dtype) {
        let message = format!("cannot combine {} and {}", x[0].dtype, other.dtype);
        return Err(Error::new(ErrorKind::DType, op, message)
            .note("both sides must have the same dtype")
            .help(format!("convert one: `.to(DType::{:?})`", x[0].dtype)));
    }
    Ok(())
}

/// y = a b, for matrices [.., m, k] and [.., k, n] whose leading dimensions broadcast; da = dy bᵀ, db = aᵀ dy.
#[derive(Clone, Debug)]
pub struct MatMul;

impl Op for MatMul {
    type Inputs = Fixed<2>;
    const NAME: &'static str = "matmul";
    const SAVES: &'static [Saves] = &[Saves::x(1), Saves::x(0)];
    const PRECISION: Precision = Precision::Half;
    fn infer(&self, x: [In<'_>; 2]) -> Result<Meta> {
        let [a, b] = x.map(|x| x.shape);
        let fits = a.rank() >= 2 && b.rank() >= 2 && a[a.rank() - 1] == b[b.rank() - 2];
        if !fits {
            return Err(cannot_multiply(a, b));
        }
        dtypes("matmul", &x)?;
        if let ([m, _], [_, n]) = (&a[..], &b[..]) {
            return Ok(x[0].with_shape([*m, *n]));
        }
        let Some(lead) = batch(a).broadcast(&batch(b)) else {
            let message = format!("cannot multiply {a} by {b}");
            let note = format!(
                "their leading dimensions {} and {} do not broadcast together",
                batch(a),
                batch(b)
            );
            return Err(Error::new(ErrorKind::Shape, "matmul", message).note(note));
        };
        Ok(x[0].with_shape(
            lead.iter()
                .copied()
                .chain([a[a.rank() - 2], b[b.rank() - 1]])
                .collect::<Shape>(),
        ))
    }
    fn forward(&self, [a, b]: [Array; 2], y: &Meta, _: &mut Extra) -> Array {
        kernels::matmul(&a, &b, &batch(&y.shape), None)
    }
    fn flops(&self, x: &[&Shape], y: &Meta) -> u64 {
        2 * (y.shape.numel() * x[0].last().copied().unwrap_or(0)) as u64
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 2] {
        let (a, b) = (&cx.meta(0).shape, &cx.meta(1).shape);
        let da = cx.grad(0, || MatMul.apply([&dy, &cx.x(1).transpose(-2, -1)]));
        let db = cx.grad(1, || {
            let x = cx.x(0);
            if b.rank() == 2 && a.rank() > 2 {
                // A stack times one matrix: the stack is one tall matrix, and so one product does for all
                // instead of a product for each and their sum.
                let (x, dy) = (x.flatten(0, -2), dy.flatten(0, -2));
                return MatMul.apply([&x.t(), &dy]);
            }
            MatMul.apply([&x.transpose(-2, -1), &dy])
        });
        [da, db]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Made(|_, x| pair::apply(Kind::Arithmetic, x, |[a, b]| Some(a.matmul(&b))))
    }
    fn samples() -> Vec<Sample<Self>> {
        let a = Array::from_slice(&[1.0, 2.0, 3.0, 4.0], [2, 2]);
        vec![
            Sample::new(MatMul, [a.clone(), a]).gives([7.0, 10.0, 15.0, 22.0]),
            Sample::new(MatMul, [numbers(&[2, 3, 4]), numbers(&[4, 2])]),
            Sample::new(MatMul, [numbers(&[2, 1, 3, 4]), numbers(&[3, 4, 2])]),
            Sample::new(
                MatMul,
                [numbers(&[3, 2]).transpose(0, 1), numbers(&[4, 3]).transpose(0, 1)],
            ),
            Sample::new(MatMul, [numbers(&[2, 0]), numbers(&[0, 3])]).gives([0.0; 6]),
        ]
    }
}

#[cold]
fn cannot_multiply(a: &Shape, b: &Shape) -> Error {
    let error = Error::new(ErrorKind::Shape, "matmul", format!("cannot multiply {a} by {b}"));
    let (m, n) = (a.rank(), b.rank());
    if m == 0 || n == 0 {
        return error
            .note("a 0-d tensor is no matrix")
            .help("`*` multiplies by a number");
    }
    let (left, right) = (a[m - 1], if n == 1 { b[0] } else { b[n - 2] });
    let which = if n == 1 { "the size" } else { "the second-last" };
    let error = error.note(format!(
        "the last dimension of the left side ({left}) must equal {which} of the right side ({right})"
    ));
    // Each hint is one that would have fitted.
    if n == 2 && b[1] == left {
        return error.help("did you mean `x.matmul(&w.t())`?");
    }
    if m == 2 && a[0] == right {
        return error.help("did you mean `x.t().matmul(&w)`?");
    }
    error
}

/// y = x W + b, for x `[.., in]`, W `[in, out]` and b `[out]`, as one operation;
/// dx = dy Wᵀ, dW = xᵀ dy, db = dy summed over the batch.
#[derive(Clone, Debug)]
pub struct LinearOp {
    /// Whether the weight is given as Wᵀ, `[out, in]`.
    pub turned: bool,
}

impl LinearOp {
    /// How many inputs and outputs a weight of this shape has.
    fn sides(&self, w: &Shape) -> (usize, usize) {
        match self.turned {
            true => (w[1], w[0]),
            false => (w[0], w[1]),
        }
    }
}

impl Op for LinearOp {
    type Inputs = Fixed<3>;
    const NAME: &'static str = "linear";
    const SAVES: &'static [Saves] = &[Saves::x(1), Saves::x(0), Saves::NOTHING];
    const PRECISION: Precision = Precision::Half;
    fn infer(&self, all: [In<'_>; 3]) -> Result<Meta> {
        let [x, w, b] = all.map(|x| x.shape);
        if w.rank() != 2 || b.rank() != 1 || self.sides(w).1 != b[0] {
            let message = format!("a weight of shape {w} and a bias of shape {b} make no layer");
            let note = match self.turned {
                true => "they must be [out, in] and [out]",
                false => "they must be [in, out] and [out]",
            };
            return Err(Error::new(ErrorKind::Shape, "linear", message).note(note));
        }
        let (inputs, outputs) = self.sides(w);
        if x.rank() == 0 || x[x.rank() - 1] != inputs {
            let message = format!("cannot feed {x} to a layer of {inputs} inputs and {outputs} outputs");
            let last = x
                .last()
                .map_or("a 0-d tensor has none".into(), |n: &usize| n.to_string());
            let note = format!(
                "the last dimension of the input ({last}) must equal the number of inputs ({inputs})"
            );
            return Err(Error::new(ErrorKind::Shape, "linear", message).note(note));
        }
        dtypes("linear", &all)?;
        Ok(all[0].with_shape(x.with(x.rank() - 1, outputs)))
    }
    fn forward(&self, [x, w, b]: [Array; 3], y: &Meta, _: &mut Extra) -> Array {
        let x = if x.rank() == 1 { x.unsqueeze(0) } else { x };
        let w = if self.turned { w.transpose(0, 1) } else { w };
        kernels::matmul(&x, &w, &batch(x.shape()), Some(&b)).reshape(&y.shape)
    }
    fn flops(&self, x: &[&Shape], y: &Meta) -> u64 {
        MatMul.flops(x, y)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 3] {
        let shape = &cx.meta(0).shape;
        let rows: usize = shape[..shape.rank() - 1].iter().product();
        let dy = if shape.rank() == 2 {
            dy
        } else {
            dy.reshape([rows, cx.meta(2).shape[0]])
        };
        let dx = cx.grad(0, || {
            let w = cx.x(1);
            let back = if self.turned { w } else { w.t() };
            MatMul.apply([&dy, &back]).reshape(shape)
        });
        let dw = cx.grad(1, || {
            let x = cx.x(0).reshape([rows, self.sides(&cx.meta(1).shape).0]);
            match self.turned {
                true => MatMul.apply([&dy.t(), &x]),
                false => MatMul.apply([&x.t(), &dy]),
            }
        });
        let db = cx.grad(2, || dy.sum_dim(0, false));
        [dx, dw, db]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Made(|op: &Self, [x, w, b]: [Tensor; 3]| {
            let w = if op.turned { w.t() } else { w };
            Some(x.matmul(&w) + b)
        })
    }
    fn samples() -> Vec<Sample<Self>> {
        let f = |d: &[f64], s: &[usize]| Array::from_slice(d, s);
        let (plain, turned) = (LinearOp { turned: false }, LinearOp { turned: true });
        vec![
            Sample::new(
                plain.clone(),
                [
                    f(&[1.0, 2.0, 3.0, 4.0], &[2, 2]),
                    f(&[0.1, 0.2, 0.3, 0.4], &[2, 2]),
                    f(&[0.5, 0.6], &[2]),
                ],
            )
            .gives([1.2, 1.6, 2.0, 2.8]),
            Sample::new(
                plain.clone(),
                [numbers(&[2, 3, 4]), numbers(&[4, 2]), numbers(&[2])],
            ),
            Sample::new(plain.clone(), [numbers(&[4]), numbers(&[4, 3]), numbers(&[3])]),
            Sample::new(plain, [numbers(&[0, 2]), numbers(&[2, 3]), numbers(&[3])]).gives([]),
            Sample::new(turned, [numbers(&[2, 3, 4]), numbers(&[2, 4]), numbers(&[2])]),
        ]
    }
}

impl Tensor {
    /// The matrix product. Vectors are taken as a row on the left and as a column on the right; leading
    /// dimensions are those of stacks of matrices, and broadcast. Transposed operands are read as they lie.
    ///
    /// ```
    /// # use wengert::Tensor;
    /// let a = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(a.matmul(&Tensor::new([1.0, 1.0])).to_vec::<f32>(), [3.0, 7.0]);
    /// ```
    ///
    /// # Panics
    /// If the inner sizes differ, the leading dimensions do not broadcast, or the dtypes differ.
    #[track_caller]
    pub fn matmul(&self, other: &Tensor) -> Tensor {
        match (self.dim(), other.dim()) {
            (2.., 2..) => MatMul.apply([self, other]),
            (1, 1) if self.numel() == other.numel() => MatMul
                .apply([&self.unsqueeze(0), &other.unsqueeze(1)])
                .reshape(Shape::default()),
            (1, n) if n >= 2 && other.size(-2) == self.numel() => {
                MatMul.apply([&self.unsqueeze(0), other]).squeeze(-2)
            }
            (m, 1) if m >= 2 && self.size(-1) == other.numel() => {
                MatMul.apply([self, &other.unsqueeze(1)]).squeeze(-1)
            }
            (1, _) | (_, 1) => raise(cannot_multiply(&self.shape(), &other.shape())),
            _ => MatMul.apply([self, other]),
        }
    }
}

/// `x w + b` as one operation, for x `[.., in]`, w `[in, out]` and b `[out]`. Mind that PyTorch's `F.linear` takes the
/// weight as `[out, in]`: give it as `weight.t()`, which costs nothing.
#[track_caller]
pub fn linear(x: &Tensor, w: &Tensor, b: Option<&Tensor>) -> Tensor {
    match b {
        Some(b) => {
            // A weight that lies `[out, in]` in memory gets a gradient that does too, so that an optimizer reads both in one
            // order.
            match w.with_array(|w| matches!(w.layout().strides(), [a, b] if a < b)) {
                true => LinearOp { turned: true }.apply([x, &w.t(), b]),
                false => LinearOp { turned: false }.apply([x, w, b]),
            }
        }
        None => x.matmul(w),
    }
}

/// For each output o, x₁ᵀ `W[o]` x₂ + `b[o]`, for x₁ `[.., in1]`, x₂ `[.., in2]`, W `[out, in1, in2]` and b `[out]`.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn bilinear(x1: &Tensor, x2: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    let (a, b, w) = (x1.shape(), x2.shape(), weight.shape());
    let fits = a.rank() > 0
        && a.rank() == b.rank()
        && a[..a.rank() - 1] == b[..b.rank() - 1]
        && w.rank() == 3
        && (w[1], w[2]) == (a[a.rank() - 1], b[b.rank() - 1])
        && bias.is_none_or(|bias| bias.shape() == [w[0]]);
    if !fits {
        let message = format!("inputs of shape {a} and {b} do not fit a weight of shape {w}");
        raise(
            Error::new(ErrorKind::Shape, "bilinear", message)
                .note("they must be [.., in1], [.., in2] and [out, in1, in2], and a bias [out]"),
        );
    }
    let rows: usize = a[..a.rank() - 1].iter().product();
    let (x1, x2) = (x1.reshape([rows, w[1]]), x2.reshape([rows, w[2]]));
    // [rows, out, in2]: x₁ with all matrices at once, in one product.
    let flat = weight.permute([1, 0, 2]).reshape([w[1], w[0] * w[2]]);
    let half = x1.matmul(&flat).reshape([rows, w[0], w[2]]);
    let y = (half * x2.unsqueeze(1)).sum_dim(-1, false);
    let y = y.reshape(a.with(a.rank() - 1, w[0]));
    match bias {
        Some(bias) => y + bias,
        None => y,
    }
}

contract! {
    matmul: MatMul,
    linear: LinearOp,
}
