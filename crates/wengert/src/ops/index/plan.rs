//! What an index means for a tensor of some shape: a part of it, and places in that.

use super::{Index, position, positions};
use crate::op::Op;
use crate::ops::mask::places;
use crate::ops::shape::Permute;
use crate::ops::slice::{Part, Step, Steps, span};
use crate::tensor::Tensor;
use wengert_array::{DType, Error, ErrorKind, Result, Shape, kernels};

/// An index, worked out for a tensor: a part of it, seen as it is, and lists of places in some of the part's
/// dimensions.
pub(super) struct Plan {
    pub(super) part: Part,
    pub(super) shape: Shape,
    pub(super) lists: Vec<List>,
}

/// Places in `count` neighbouring dimensions from `dim` on, which count as one.
pub(super) struct List {
    dim: usize,
    count: usize,
    places: Tensor,
}

/// The step that one number or one range in the brackets means, if it fits: `plan` says why where it does not.
pub(super) fn alone(index: &Index, shape: &Shape) -> Option<Step> {
    let n = *shape.first()?;
    match *index {
        Index::At(i) => {
            let at = if i < 0 { i + n as isize } else { i };
            (0..n as isize).contains(&at).then_some(Step::At {
                dim: 0,
                at: at as usize,
            })
        }
        Index::Range(from, to, step) if step != 0 && (from, to, step) != (None, None, 1) => {
            let (start, len) = span(n, from, to, step);
            Some(Step::slice(0, start, len, step))
        }
        _ => None,
    }
}

pub(super) fn plan(op: &'static str, shape: &Shape, index: &[Index]) -> Result<Plan> {
    let takes = |part: &Index| match part {
        Index::At(_) | Index::Range(..) => 1,
        Index::List(t) if is_mask(t) => t.dim(),
        Index::List(_) => 1,
        Index::Whether(_) | Index::New | Index::Ellipsis => 0,
    };
    let taken: usize = index.iter().map(takes).sum();
    if taken > shape.rank() {
        let message = format!("{taken} indices are too many for shape {shape}");
        return Err(Error::new(ErrorKind::Index, op, message));
    }
    let (mut steps, mut lists, mut now, mut d) = (Steps::new(), Vec::new(), shape.clone(), 0);
    let mut ellipsis = false;
    for part in index {
        match part {
            Index::At(i) => {
                let start = position(op, *i, d, &now)?;
                steps.push(Step::At { dim: d, at: start });
                now = now.remove(d);
            }
            Index::Range(_, _, 0) => {
                return Err(Error::new(ErrorKind::Value, op, "a step of zero goes nowhere"));
            }
            Index::Range(None, None, 1) => d += 1,
            Index::Range(a, b, step) => {
                let (start, len) = span(now[d], *a, *b, *step);
                steps.push(Step::slice(d, start, len, *step));
                now = now.with(d, len);
                d += 1;
            }
            Index::New => {
                steps.push(Step::Insert(d));
                now = now.insert(d, 1);
                d += 1;
            }
            Index::Ellipsis if ellipsis => {
                return Err(Error::new(
                    ErrorKind::Index,
                    op,
                    "only one ellipsis can stand in an index",
                ));
            }
            Index::Ellipsis => {
                ellipsis = true;
                d += shape.rank() - taken;
            }
            Index::Whether(yes) => {
                steps.push(Step::Insert(d));
                now = now.insert(d, 1);
                let places = Tensor::from_vec(vec![0i64; usize::from(*yes)], [usize::from(*yes)]);
                lists.push(List {
                    dim: d,
                    count: 1,
                    places,
                });
                d += 1;
            }
            Index::List(t) if is_mask(t) => {
                let (mask, count) = (t.shape(), t.dim());
                if mask[..] != now[d..d + count] {
                    let of: Shape = now[d..d + count].iter().copied().collect();
                    let message = format!("a mask of shape {mask} does not fit dimensions of shape {of}");
                    return Err(Error::new(ErrorKind::Index, op, message)
                        .note(format!("they are dimensions {d} and on of {now}")));
                }
                let places = places(t, &mask);
                if count == 0 {
                    steps.push(Step::Insert(d));
                    now = now.insert(d, 1);
                }
                let count = count.max(1);
                lists.push(List {
                    dim: d,
                    count,
                    places,
                });
                d += count;
            }
            Index::List(t) if t.dim() == 0 && t.dtype().is_integer() => {
                let start = position(op, t.item() as isize, d, &now)?;
                steps.push(Step::At { dim: d, at: start });
                now = now.remove(d);
            }
            Index::List(t) => {
                lists.push(List {
                    dim: d,
                    count: 1,
                    places: positions(op, t, now[d])?,
                });
                d += 1;
            }
        }
    }
    let part = Part { name: op, steps };
    Ok(Plan {
        part,
        shape: now,
        lists,
    })
}

fn is_mask(t: &Tensor) -> bool {
    // Bytes as masks are PyTorch's old custom, which still holds there.
    matches!(t.dtype(), DType::Bool | DType::U8)
}

/// Lists of places made one: where they lie in the part with its dimensions in another order and some merged.
pub(super) struct Merged {
    /// The new order of dimensions, where it is another.
    pub(super) order: Option<Vec<isize>>,
    /// The shape in that order.
    ordered: Shape,
    /// The dimension that the merged ones become, and that shape.
    pub(super) dim: usize,
    pub(super) merged: Shape,
    /// The places there, in one list, and the shape they were given in.
    pub(super) places: Tensor,
    pub(super) listed: Shape,
}

impl Merged {
    pub(super) fn new(op: &str, shape: &Shape, lists: &[List]) -> Result<Merged> {
        let mut listed = Shape::default();
        for list in lists {
            listed = listed.broadcast(&list.places.shape()).ok_or_else(|| {
                let shapes: Vec<String> = lists.iter().map(|l| l.places.shape().to_string()).collect();
                let message = format!(
                    "index lists of shapes {} do not broadcast together",
                    shapes.join(" and ")
                );
                Error::new(ErrorKind::Index, op, message)
            })?;
        }
        // Lists of dimensions that follow each other stay where they are; else what they pick comes first.
        let together = lists.windows(2).all(|w| w[0].dim + w[0].count == w[1].dim);
        let dims: Vec<usize> = lists.iter().flat_map(|l| l.dim..l.dim + l.count).collect();
        let (order, dim) = match together {
            true => (None, lists[0].dim),
            false => {
                let others = (0..shape.rank()).filter(|d| !dims.contains(d));
                let order: Vec<isize> = dims.iter().copied().chain(others).map(|d| d as isize).collect();
                (Some(order), 0)
            }
        };
        let ordered: Shape = match &order {
            Some(order) => order.iter().map(|d| shape[*d as usize]).collect(),
            None => shape.clone(),
        };
        let picked = dims.len();
        let size = ordered[dim..dim + picked].iter().product();
        let merged = chain(&ordered[..dim], &[size], &ordered[dim + picked..]);
        let mut places: Option<Tensor> = None;
        for list in lists {
            let size: usize = shape[list.dim..list.dim + list.count].iter().product();
            places = Some(match places {
                None => list.places.clone(),
                Some(before) => {
                    before * Tensor::constant(kernels::arange(size as f64, 1.0, 1, DType::I64)) + &list.places
                }
            });
        }
        let places = places
            .expect("there is a list")
            .expand(&listed)
            .reshape([listed.numel()]);
        Ok(Merged {
            order,
            ordered,
            dim,
            merged,
            places,
            listed,
        })
    }

    /// The shape of what is picked.
    pub(super) fn result(&self) -> Shape {
        chain(
            &self.merged[..self.dim],
            &self.listed,
            &self.merged[self.dim + 1..],
        )
    }

    #[track_caller]
    pub(super) fn arrange(&self, x: &Tensor) -> Tensor {
        match &self.order {
            Some(order) => Permute(order.as_slice().into()).apply([x]).reshape(&self.merged),
            None => x.reshape(&self.merged),
        }
    }

    #[track_caller]
    pub(super) fn back(&self, x: &Tensor) -> Tensor {
        let x = x.reshape(&self.ordered);
        let Some(order) = &self.order else { return x };
        let mut back = vec![0; order.len()];
        order
            .iter()
            .enumerate()
            .for_each(|(new, old)| back[*old as usize] = new as isize);
        Permute(back.into()).apply([&x])
    }
}

fn chain(a: &[usize], b: &[usize], c: &[usize]) -> Shape {
    a.iter().chain(b).chain(c).copied().collect()
}
