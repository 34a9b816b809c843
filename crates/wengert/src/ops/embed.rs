//! Rows of a table by their numbers.

use super::common::{numbers, scalar};
use super::rows::added_rows;
use super::{contract, ok};
use crate::autograd::{Ctx, no_grad};
use crate::op::{Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::{Array, DType, Error, ErrorKind, Meta, Result, Shape, kernels, raise};

/// y = the rows of a weight `[n, d]` that numbers `[k]` name; dw = dy added up at the rows, but none at `padding`.
#[derive(Clone, Debug)]
pub struct Embedding {
    /// The row that gets no gradient.
    pub padding: Option<usize>,
}

impl Op for Embedding {
    type Inputs = Fixed<2>;
    const NAME: &'static str = "embedding";
    const SAVES: &'static [Saves] = &[Saves::x(1)];
    fn infer(&self, [w, index]: [In<'_>; 2]) -> Result<Meta> {
        if w.shape.rank() != 2 || index.shape.rank() != 1 {
            let message = format!(
                "a weight of shape {} and numbers of shape {} do not fit",
                w.shape, index.shape
            );
            return Err(
                Error::new(ErrorKind::Shape, Self::NAME, message).note("the weight must be [rows, width]")
            );
        }
        Ok(w.with_shape([index.shape[0], w.shape[1]]))
    }
    fn forward(&self, [w, index]: [Array; 2], _: &Meta, _: &mut Extra) -> Array {
        kernels::index_select(&w, 0, &index)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 2] {
        let dw = cx.grad(0, || {
            let index = cx.x(1).detach();
            let dy = match self.padding {
                Some(row) => dy.where_(&index.ne(row as f64).unsqueeze(1), &scalar(0.0, dy.dtype())),
                None => dy,
            };
            added_rows(&cx.meta(0).shape, 0, &index, &dy)
        });
        [dw, None]
    }
    fn samples() -> Vec<Sample<Self>> {
        let index = Array::from_slice(&[2i64, 0, 2], [3]);
        vec![Sample::new(
            Embedding { padding: None },
            [numbers(&[3, 2]), index],
        )]
    }
}

/// The numbers as checked, flat I64.
fn rows(op: &str, index: &Tensor, weight: &Tensor) -> Result<Tensor> {
    if !index.dtype().is_integer() {
        let message = format!("row numbers must be integers, and are {}", index.dtype());
        return Err(Error::new(ErrorKind::DType, op, message)
            .note("the input is the numbers, and the weight the table"));
    }
    if weight.dim() != 2 {
        let message = format!(
            "the weight must be [rows, width], and has shape {}",
            weight.shape()
        );
        return Err(Error::new(ErrorKind::Shape, op, message));
    }
    let (flat, n) = (index.array().cast(DType::I64).contiguous(), weight.size(0) as i64);
    if let Some(at) = flat.as_slice::<i64>().iter().position(|i| !(0..n).contains(i)) {
        let message = format!(
            "row {}, at position {at} of the input, is out of range",
            flat.as_slice::<i64>()[at]
        );
        return Err(Error::new(ErrorKind::Index, op, message).note(format!(
            "a weight of shape {} has rows 0 to {}",
            weight.shape(),
            n - 1
        )));
    }
    Ok(Tensor::constant(flat.reshape([flat.numel()])))
}

fn padding(op: &str, padding_idx: Option<i64>, weight: &Tensor) -> Result<Option<usize>> {
    let n = weight.size(0) as i64;
    match padding_idx {
        Some(i) if !(-n..n).contains(&i) => {
            let message = format!(
                "padding_idx {i} is out of range for a weight of shape {}",
                weight.shape()
            );
            Err(Error::new(ErrorKind::Index, op, message))
        }
        Some(i) => Ok(Some(if i < 0 { i + n } else { i } as usize)),
        None => Ok(None),
    }
}

/// Brings the rows of the weight that are used to a p-norm of at most `max_norm`, in place.
fn renormalize(weight: &Tensor, used: &Tensor, max_norm: f64, norm_type: f64) {
    no_grad(|| {
        let table = weight.detach();
        let norms = super::distance::vector_norm(&table, norm_type, 1);
        let mut hit = vec![false; table.size(0)];
        used.array()
            .as_slice::<i64>()
            .iter()
            .for_each(|i| hit[*i as usize] = true);
        let hit = Tensor::from_slice(&hit, [hit.len(), 1]);
        let large = norms.gt(max_norm).logical_and(&hit);
        let scaled = &table * (max_norm / (norms + 1e-7));
        weight.copy_(&scaled.where_(&large, &table));
    });
}

/// The rows of `weight` `[rows, width]` that the integers of `input` name: `[input's shape.., width]`.
///
/// The row `padding_idx` gets no gradient. With `max_norm`, rows used that are longer (by the norm `norm_type`) are first
/// shortened to it, in place; PyTorch's `scale_grad_by_freq` and `sparse` are not offered.
///
/// # Panics
/// If a number is out of range, or the weight is no matrix.
#[track_caller]
pub fn embedding(
    input: &Tensor,
    weight: &Tensor,
    padding_idx: Option<i64>,
    max_norm: Option<f64>,
    norm_type: f64,
) -> Tensor {
    const NAME: &str = "embedding";
    let index = ok(rows(NAME, input, weight));
    let padding = ok(padding(NAME, padding_idx, weight));
    if let Some(max_norm) = max_norm {
        renormalize(weight, &index, max_norm, norm_type);
    }
    let shape: Shape = input.shape().iter().copied().chain([weight.size(1)]).collect();
    Embedding { padding }.apply([weight, &index]).reshape(shape)
}

/// What [`embedding_bag`] makes of the rows of a bag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Bag {
    /// Their sum.
    Sum,
    /// Their mean.
    #[default]
    Mean,
    /// The largest of each column.
    Max,
}

/// The rows of `weight` `[rows, width]` named in each bag as one: their sum, mean or maximum; zeros for an empty bag.
///
/// Bags are the rows of `input` `[bags, n]`, or parts of `input` `[n]` that begin at `offsets` `[bags]` (with
/// `include_last_offset`, where the last offset ends the last bag). Sums may be weighted, by numbers in the shape of
/// `input`. Rows `padding_idx` do not count and get no gradient.
///
/// # Panics
/// If shapes do not fit, a number is out of range, or weights are given for another mode than the sum.
#[track_caller]
pub fn embedding_bag(
    input: &Tensor,
    weight: &Tensor,
    offsets: Option<&Tensor>,
    max_norm: Option<f64>,
    norm_type: f64,
    mode: Bag,
    per_sample_weights: Option<&Tensor>,
    include_last_offset: bool,
    padding_idx: Option<i64>,
) -> Tensor {
    const NAME: &str = "embedding_bag";
    let wrong = |message: String| -> ! { raise(Error::new(ErrorKind::Value, NAME, message)) };
    let index = ok(rows(NAME, input, weight));
    let padding = ok(padding(NAME, padding_idx, weight));
    let n = index.numel();
    let starts: Vec<usize> = match (input.dim(), offsets) {
        (2, None) => (0..=input.size(0)).map(|b| b * input.size(1)).collect(),
        (1, Some(offsets)) => {
            let given = offsets.to_vec::<i64>();
            let mut starts: Vec<usize> = given
                .iter()
                .map(|o| usize::try_from(*o).unwrap_or(usize::MAX))
                .collect();
            if starts.first() != Some(&0)
                || starts.windows(2).any(|w| w[0] > w[1])
                || starts.last() > Some(&n)
            {
                wrong(format!(
                    "offsets {given:?} must begin with 0, not fall, and not exceed the {n} numbers"
                ));
            }
            if !include_last_offset {
                starts.push(n);
            }
            starts
        }
        (2, Some(_)) => {
            wrong("an input with two dimensions has its bags as rows, and takes no offsets".into())
        }
        (1, None) => wrong("an input with one dimension needs offsets".into()),
        _ => wrong(format!(
            "an input of shape {} has neither one nor two dimensions",
            input.shape()
        )),
    };
    if let Some(w) = per_sample_weights {
        if mode != Bag::Sum {
            wrong("weights are for sums only".into());
        }
        if w.shape() != input.shape() {
            wrong(format!(
                "weights of shape {} do not have the input's shape {}",
                w.shape(),
                input.shape()
            ));
        }
    }
    if let Some(max_norm) = max_norm {
        renormalize(weight, &index, max_norm, norm_type);
    }
    let bags = starts.len() - 1;
    let numbers = index.array();
    let numbers = numbers.as_slice::<i64>();
    // What counts: the places in the input, and the bag of each.
    let (mut places, mut bag) = (Vec::new(), Vec::new());
    for b in 0..bags {
        for i in starts[b]..starts[b + 1] {
            if padding.map(|p| p as i64) != Some(numbers[i]) {
                places.push(i as i64);
                bag.push(b as i64);
            }
        }
    }
    let width = weight.size(1);
    let used = index.index_select(0, &Tensor::from_slice(&places, [places.len()]));
    let picked = Embedding { padding: None }.apply([weight, &used]);
    let mut counts = vec![0usize; bags];
    bag.iter().for_each(|b| counts[*b as usize] += 1);
    if mode == Bag::Max {
        // Each bag's rows in a line as long as the longest bag's, then the largest of each column.
        let longest = counts.iter().copied().max().unwrap_or(0).max(1);
        let (mut from, mut valid) = (vec![0i64; bags * longest], vec![false; bags * longest]);
        let mut at = 0;
        for (b, count) in counts.iter().enumerate() {
            for k in 0..*count {
                (from[b * longest + k], valid[b * longest + k]) = ((at + k) as i64, true);
            }
            at += count;
        }
        if places.is_empty() {
            return Tensor::full_as([bags, width], 0.0, weight.dtype());
        }
        let lines = picked
            .index_select(0, &Tensor::from_slice(&from, [from.len()]))
            .reshape([bags, longest, width]);
        let valid = Tensor::from_slice(&valid, [bags, longest, 1]);
        let never = scalar(f64::NEG_INFINITY, weight.dtype());
        let (top, _) = lines.where_(&valid, &never).max_dim(1, false);
        let full: Vec<bool> = counts.iter().map(|c| *c > 0).collect();
        return top.where_(
            &Tensor::from_slice(&full, [bags, 1]),
            &scalar(0.0, weight.dtype()),
        );
    }
    let picked = match per_sample_weights {
        Some(w) => {
            let w = w
                .reshape([n])
                .index_select(0, &Tensor::from_slice(&places, [places.len()]));
            picked * w.to(weight.dtype()).unsqueeze(1)
        }
        None => picked,
    };
    let bag = Tensor::from_slice(&bag, [bag.len()]);
    let sums = added_rows(&[bags, width].into(), 0, &bag, &picked);
    match mode {
        Bag::Mean => {
            let counts: Vec<f64> = counts.iter().map(|c| 1.0 / (*c).max(1) as f64).collect();
            sums * Tensor::from_slice(&counts, [bags, 1]).to(weight.dtype())
        }
        _ => sums,
    }
}

/// Each class number of `x` as a row that is 1 there and else 0: `[x's shape.., classes]`, I64. There are as many classes as
/// `num_classes` says, or as the largest number needs.
///
/// # Panics
/// If x is not of integers, a number is negative or too large, or nothing says how many classes there are.
#[track_caller]
pub fn one_hot(x: &Tensor, num_classes: Option<usize>) -> Tensor {
    const NAME: &str = "one_hot";
    if !x.dtype().is_integer() {
        let message = format!("class numbers must be integers, and are {}", x.dtype());
        raise(Error::new(ErrorKind::DType, NAME, message));
    }
    let numbers = x.to_vec::<i64>();
    let top = numbers.iter().copied().max();
    let classes = match (num_classes, top) {
        (Some(n), _) => n,
        (None, Some(top)) => (top + 1).max(0) as usize,
        (None, None) => raise(
            Error::new(
                ErrorKind::Value,
                NAME,
                "no numbers say how many classes there are",
            )
            .help("give `num_classes`"),
        ),
    };
    if let Some(wrong) = numbers.iter().find(|c| !(0..classes as i64).contains(c)) {
        let message = format!("class {wrong} is out of range for {classes} classes");
        raise(Error::new(ErrorKind::Index, NAME, message));
    }
    let mut hot = vec![0i64; numbers.len() * classes];
    numbers
        .iter()
        .enumerate()
        .for_each(|(i, c)| hot[i * classes + *c as usize] = 1);
    let shape: Shape = x.shape().iter().copied().chain([classes]).collect();
    Tensor::from_vec(hot, shape)
}

contract! { embedding: Embedding }
