//! Sums of products, written as an equation of dimensions.

use super::*;
use crate::ops::ok;
use crate::ops::shape::Permute;

/// A tensor and the letter of each of its dimensions. Those that `...` stands for have letters from a private range.
#[derive(Clone)]
struct Term {
    tensor: Tensor,
    labels: Vec<char>,
}

/// What the equation says: the letters of each operand and of the result.
struct Equation {
    inputs: Vec<Vec<char>>,
    output: Vec<char>,
}

/// The letter of dimension −1 − `k` of those that `...` stands for.
fn hidden(k: usize) -> char {
    char::from_u32(0xE000 + k as u32).expect("a private character")
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Value, "einsum", message)
}

/// Letters, with `dims` hidden ones in place of an ellipsis.
fn letters(text: &str, ellipsis: Option<usize>) -> Result<Vec<char>> {
    let mut labels = Vec::new();
    let mut rest = text.chars().peekable();
    let mut seen = false;
    while let Some(c) = rest.next() {
        match c {
            ' ' => {}
            '.' => {
                let whole = rest.next() == Some('.') && rest.next() == Some('.');
                if !whole || seen {
                    return Err(wrong(format!("in `{text}`, `...` must be whole and stand once")));
                }
                seen = true;
                labels.extend((0..ellipsis.unwrap_or(0)).rev().map(hidden));
            }
            c if c.is_ascii_alphabetic() => labels.push(c),
            c => {
                return Err(wrong(format!("`{c}` in `{text}` is no letter"))
                    .note("an equation is made of letters, `,`, `...` and `->`"));
            }
        }
    }
    Ok(labels)
}

fn parse(equation: &str, operands: &[&Tensor]) -> Result<Equation> {
    let (left, right) = match equation.split_once("->") {
        Some((left, right)) => (left, Some(right)),
        None => (equation, None),
    };
    let parts: Vec<&str> = left.split(',').collect();
    if parts.len() != operands.len() {
        let message = format!(
            "`{equation}` is for {} tensors, and got {}",
            parts.len(),
            operands.len()
        );
        return Err(wrong(message));
    }
    let mut inputs = Vec::with_capacity(parts.len());
    let mut widest = 0;
    for (i, (part, t)) in parts.iter().zip(operands).enumerate() {
        let named = letters(part, None)?.len();
        let dots = part.contains("...");
        let fits = if dots { named <= t.dim() } else { named == t.dim() };
        if !fits {
            let message = format!(
                "`{}` names {named} dimensions, and operand {i} has shape {}",
                part.trim(),
                t.shape()
            );
            return Err(Error::new(ErrorKind::Shape, "einsum", message));
        }
        let free = if dots { t.dim() - named } else { 0 };
        widest = widest.max(free);
        inputs.push(letters(part, Some(free))?);
    }
    let all = || inputs.iter().flatten().copied();
    let output = match right {
        Some(right) => {
            let output = letters(right, Some(widest))?;
            for (i, c) in output.iter().enumerate() {
                if output[..i].contains(c) {
                    return Err(wrong(format!("the result names `{c}` twice, in `{equation}`")));
                }
                if !all().any(|d| d == *c) {
                    return Err(wrong(format!(
                        "the result names `{c}`, which no operand has, in `{equation}`"
                    )));
                }
            }
            output
        }
        None => {
            // What stands for one dimension stays, in the order of letters, capitals first.
            let mut once: Vec<char> = all()
                .filter(|c| c.is_ascii() && all().filter(|d| d == c).count() == 1)
                .collect();
            once.sort_unstable();
            (0..widest).rev().map(hidden).chain(once).collect()
        }
    };
    Ok(Equation { inputs, output })
}

/// The size of each letter; sizes of one broadcast.
fn measure(inputs: &[Vec<char>], operands: &[&Tensor]) -> Result<Vec<(char, usize)>> {
    let mut sizes: Vec<(char, usize)> = Vec::new();
    for (i, (labels, t)) in inputs.iter().zip(operands).enumerate() {
        for (&c, &n) in labels.iter().zip(t.shape().iter()) {
            match sizes.iter_mut().find(|(d, _)| *d == c) {
                None => sizes.push((c, n)),
                Some((_, m)) if *m == n || n == 1 => {}
                Some((_, m)) if *m == 1 => *m = n,
                Some((_, m)) => {
                    let name = if c.is_ascii() {
                        format!("`{c}`")
                    } else {
                        "a dimension of `...`".to_string()
                    };
                    let message = format!("{name} has size {m} in one operand and {n} in operand {i}");
                    let shapes: Vec<String> = operands.iter().map(|t| t.shape().to_string()).collect();
                    return Err(Error::new(ErrorKind::Shape, "einsum", message)
                        .note(format!("the operands have shapes {}", shapes.join(", "))));
                }
            }
        }
    }
    Ok(sizes)
}

fn size_of(sizes: &[(char, usize)], labels: impl IntoIterator<Item = char>) -> usize {
    let size = |c: char| sizes.iter().find(|(d, _)| *d == c).map_or(1, |(_, n)| *n);
    labels.into_iter().map(size).product()
}

impl Term {
    /// A dimension named twice becomes its diagonal; one of size one that is larger elsewhere goes, and broadcasts.
    fn simplified(mut self, sizes: &[(char, usize)]) -> Term {
        while let Some((i, j)) = self.twice() {
            let rank = self.labels.len();
            let mut order: Vec<usize> = (0..rank).filter(|d| *d != i && *d != j).collect();
            order.extend([i, j]);
            let mut t = self.permuted(&order);
            let shape = t.shape();
            // Of a pair of sizes 1 and n, the one is as if it were repeated.
            let n = shape[rank - 1].max(shape[rank - 2]);
            t = t.expand(with_last(&shape, &[n, n]));
            self = Term {
                tensor: diagonal(&t),
                labels: order[..rank - 1].iter().map(|&d| self.labels[d]).collect(),
            };
        }
        for d in (0..self.labels.len()).rev() {
            if self.tensor.size(d as isize) == 1 && size_of(sizes, [self.labels[d]]) != 1 {
                self.tensor = self.tensor.squeeze(d as isize);
                self.labels.remove(d);
            }
        }
        self
    }

    fn twice(&self) -> Option<(usize, usize)> {
        let pairs = (0..self.labels.len()).flat_map(|j| (0..j).map(move |i| (i, j)));
        pairs
            .into_iter()
            .find(|(i, j)| self.labels[*i] == self.labels[*j])
    }

    fn permuted(&self, order: &[usize]) -> Tensor {
        if order.iter().copied().eq(0..order.len()) {
            return self.tensor.clone();
        }
        Permute(order.iter().map(|d| *d as isize).collect()).apply([&self.tensor])
    }

    /// With the dimensions in the order of `labels`, all of which it has.
    fn ordered(&self, labels: &[char]) -> Tensor {
        let at = |c: &char| {
            self.labels
                .iter()
                .position(|d| d == c)
                .expect("a dimension it has")
        };
        self.permuted(&labels.iter().map(at).collect::<Vec<_>>())
    }

    /// Sums up what is not needed.
    fn reduced(self, needed: &[char]) -> Term {
        let gone: Vec<isize> = (0..self.labels.len())
            .filter(|d| !needed.contains(&self.labels[*d]))
            .map(|d| d as isize)
            .collect();
        if gone.is_empty() {
            return self;
        }
        let labels = self.labels.into_iter().filter(|c| needed.contains(c)).collect();
        Term {
            tensor: self.tensor.sum_dim(gone, false),
            labels,
        }
    }

    /// The product of both, summed over the letters that are not needed.
    fn times(&self, other: &Term, needed: &[char], sizes: &[(char, usize)]) -> Term {
        let both = |c: &char| self.labels.contains(c) && other.labels.contains(c);
        let pick = |t: &Term, f: &dyn Fn(&char) -> bool| -> Vec<char> {
            t.labels.iter().copied().filter(|c| f(c)).collect()
        };
        let shared = pick(self, &|c| both(c) && needed.contains(c));
        let summed = pick(self, &|c| both(c) && !needed.contains(c));
        let left = pick(self, &|c| !both(c));
        let right = pick(other, &|c| !both(c));
        let labels: Vec<char> = shared.iter().chain(&left).chain(&right).copied().collect();
        let n = |labels: &[char]| size_of(sizes, labels.iter().copied());
        let whole: Shape = labels.iter().map(|c| size_of(sizes, [*c])).collect();
        let join = |parts: [&[char]; 3]| parts.concat();
        let a = self.ordered(&join([&shared, &left, &summed]));
        let tensor = if summed.is_empty() {
            let b = other.ordered(&join([&shared, &right, &[]]));
            let (a, b) = (
                a.reshape([n(&shared), n(&left), 1]),
                b.reshape([n(&shared), 1, n(&right)]),
            );
            a * b
        } else {
            let b = other.ordered(&join([&shared, &summed, &right]));
            let a = a.reshape([n(&shared), n(&left), n(&summed)]);
            a.matmul(&b.reshape([n(&shared), n(&summed), n(&right)]))
        };
        Term {
            tensor: tensor.reshape(whole),
            labels,
        }
    }
}

/// Sums of products of the operands, as an equation says: letters name the dimensions of each operand, `...` those that are
/// left and broadcast, and what the result does not name is summed over. Without `->`, the result has what is named
/// once, in alphabetic order. A letter that an operand has twice takes its diagonal.
///
/// Operands are multiplied two at a time as matrices, the pair that costs the fewest multiplications first.
///
/// ```
/// use wengert::{Tensor, linalg::einsum};
///
/// let (a, b) = (Tensor::new([[1.0, 2.0], [3.0, 4.0]]), Tensor::new([[1.0, 0.0], [1.0, 1.0]]));
/// assert_eq!(einsum("ij,jk->ik", &[&a, &b]).to_vec::<f32>(), [3.0, 2.0, 7.0, 4.0]);
/// assert_eq!(einsum("ii", &[&a]).item(), 5.0);
/// assert_eq!(einsum("...i,...i->...", &[&a, &b]).to_vec::<f32>(), [1.0, 7.0]);
/// ```
///
/// # Panics
/// If the equation cannot be read, does not fit the operands, or their sizes differ.
#[track_caller]
pub fn einsum(equation: &str, operands: &[&Tensor]) -> Tensor {
    let read = parse(equation, operands).and_then(|e| Ok((measure(&e.inputs, operands)?, e)));
    let (sizes, equation) = ok(read);
    let each = equation.inputs.into_iter().zip(operands);
    let mut terms: Vec<Term> = each
        .map(|(labels, t)| {
            let tensor = (*t).clone();
            Term { tensor, labels }.simplified(&sizes)
        })
        .collect();
    let output = equation.output;
    // What the result and terms other than these still need.
    let needed = |terms: &[Term], without: &[usize]| -> Vec<char> {
        let others = terms.iter().enumerate().filter(|(k, _)| !without.contains(k));
        output
            .iter()
            .copied()
            .chain(others.flat_map(|(_, t)| t.labels.iter().copied()))
            .collect()
    };
    for k in 0..terms.len() {
        let wanted = needed(&terms, &[k]);
        terms[k] = terms[k].clone().reduced(&wanted);
    }
    while terms.len() > 1 {
        let pairs = (0..terms.len()).flat_map(|j| (0..j).map(move |i| (i, j)));
        let cost = |(i, j): &(usize, usize)| {
            let more = terms[*j].labels.iter().filter(|c| !terms[*i].labels.contains(c));
            size_of(&sizes, terms[*i].labels.iter().chain(more).copied())
        };
        let (i, j) = pairs.min_by_key(cost).expect("at least two terms");
        let wanted = needed(&terms, &[i, j]);
        let right = terms.remove(j);
        let left = terms.remove(i);
        terms.insert(i, left.times(&right, &wanted, &sizes));
    }
    let Some(term) = terms.pop() else {
        raise(wrong("needs at least one tensor"));
    };
    term.ordered(&output)
}
