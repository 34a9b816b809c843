//! Linear maps along one dimension, each result made of few elements: resizing, and averages over windows.

use super::isa::{Lane, dispatch};
use super::shared::Out;
use super::threads;
use crate::array::Array;
use crate::real::Real;
use crate::with_compute;
use std::fmt;

/// A sparse matrix that is applied along one dimension: `y[o] = Σ weight · x[index]`.
#[derive(Clone, PartialEq)]
pub struct LinearMap {
    inputs: usize,
    /// Where the terms of each output begin; one number more than there are outputs.
    starts: Vec<usize>,
    index: Vec<usize>,
    weight: Vec<f64>,
    /// How many terms each output has, where that is one number.
    even: Option<usize>,
}

impl LinearMap {
    /// From the terms, an index below `inputs` and a weight, of each output.
    ///
    /// # Panics
    /// If an index is not below `inputs`.
    pub fn new(inputs: usize, outputs: impl IntoIterator<Item = Vec<(usize, f64)>>) -> LinearMap {
        let mut map = LinearMap {
            inputs,
            starts: vec![0],
            index: Vec::new(),
            weight: Vec::new(),
            even: None,
        };
        for terms in outputs {
            for (index, weight) in terms {
                assert!(index < inputs, "index {index} of {inputs}");
                map.index.push(index);
                map.weight.push(weight);
            }
            map.starts.push(map.index.len());
        }
        let each = map.starts.get(1).copied();
        map.even = each.filter(|n| map.starts.windows(2).all(|w| w[1] - w[0] == *n));
        map
    }

    /// The size it takes.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The size it gives.
    pub fn outputs(&self) -> usize {
        self.starts.len() - 1
    }

    /// The matrix with rows and columns exchanged.
    pub fn transposed(&self) -> LinearMap {
        let mut terms: Vec<Vec<(usize, f64)>> = vec![Vec::new(); self.inputs];
        for o in 0..self.outputs() {
            for t in self.starts[o]..self.starts[o + 1] {
                terms[self.index[t]].push((o, self.weight[t]));
            }
        }
        LinearMap::new(self.outputs(), terms)
    }
}

impl fmt::Debug for LinearMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}", self.inputs, self.outputs())
    }
}

/// Applies `map` along `axis`. Half precision is computed in f32.
///
/// # Panics
/// If the size there is not the one that the map takes.
pub fn linear_map(x: &Array, axis: usize, map: &LinearMap) -> Array {
    assert_eq!(x.shape()[axis], map.inputs);
    let (dtype, compute) = (x.dtype(), x.dtype().compute());
    let x = x.cast(compute).contiguous();
    let inner: usize = x.shape()[axis + 1..].iter().product();
    let mut y = Array::uninit(x.shape().with(axis, map.outputs()), compute);
    if y.numel() == 0 {
        return y.cast(dtype);
    }
    let rows = y.numel() / inner;
    with_compute!(compute, C => {
        let weight: Vec<C> = map.weight.iter().map(|w| <C as crate::dtype::Element>::store(*w)).collect();
        let (src, out) = (x.as_slice::<C>(), Out(y.uninit_slice::<C>()));
        let cost = inner * (map.index.len().div_ceil(map.outputs()) + 1);
        let unit = if inner == 1 { map.outputs() } else { 1 };
        threads::split(rows, unit, cost, |start, len| {
            // SAFETY: indices are below the size they index, and these rows are this thread's.
            unsafe { rows_of::<C>(map, &weight, src, inner, start, len, out.at(start * inner)) };
        });
    });
    y.cast(dtype)
}

dispatch!(unsafe fn rows_of<C: Lane>(
    map: &LinearMap, weight: &[C], x: &[C], inner: usize, start: usize, len: usize, out: *mut C
) => rows_body);

/// Rows `start .. start + len` of the result, each of `inner` elements.
#[inline(always)]
unsafe fn rows_body<S: Real, C: Lane>(
    map: &LinearMap,
    weight: &[C],
    x: &[C],
    inner: usize,
    start: usize,
    len: usize,
    out: *mut C,
) {
    const { assert!(size_of::<S>() == size_of::<C>()) };
    let (x, weight, out, outputs) = (
        x.as_ptr().cast::<S>(),
        weight.as_ptr().cast::<S>(),
        out.cast::<S>(),
        map.outputs(),
    );
    // Whole lines, each output of which has one term, or two.
    if inner == 1
        && start.is_multiple_of(outputs)
        && len.is_multiple_of(outputs)
        && map.even.is_some_and(|n| n <= 2)
    {
        let two = map.even == Some(2);
        for line in 0..len / outputs {
            // SAFETY: the caller's promise; S has the bits of C.
            unsafe {
                let x = x.add((start / outputs + line) * map.inputs);
                let out = out.add(line * outputs);
                let term = |t: usize| weight.add(t).read() * x.add(*map.index.get_unchecked(t)).read();
                if two {
                    (0..outputs).for_each(|o| out.add(o).write(term(2 * o) + term(2 * o + 1)));
                } else {
                    (0..outputs).for_each(|o| out.add(o).write(term(o)));
                }
            }
        }
        return;
    }
    for row in 0..len {
        let (outer, o) = ((start + row) / outputs, (start + row) % outputs);
        // SAFETY: the caller's promise; S has the bits of C.
        unsafe {
            let x = x.add(outer * map.inputs * inner);
            let terms = map.starts[o]..map.starts[o + 1];
            if inner == 1 {
                let mut sum = S::ZERO;
                for t in terms {
                    sum = weight
                        .add(t)
                        .read()
                        .mul_add(x.add(*map.index.get_unchecked(t)).read(), sum);
                }
                out.add(row).write(sum);
                continue;
            }
            let out = std::slice::from_raw_parts_mut(out.add(row * inner), inner);
            for (i, t) in terms.clone().enumerate() {
                let (w, x) = (weight.add(t).read(), x.add(*map.index.get_unchecked(t) * inner));
                let x = std::slice::from_raw_parts(x, inner);
                if i == 0 {
                    out.iter_mut().zip(x).for_each(|(y, x)| *y = w * *x);
                } else {
                    out.iter_mut().zip(x).for_each(|(y, x)| *y = w.mul_add(*x, *y));
                }
            }
            if terms.is_empty() {
                out.fill(S::ZERO);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;

    #[test]
    fn along_any_dimension_and_back() {
        let map = LinearMap::new(
            3,
            [
                vec![(0, 1.0)],
                vec![(0, 0.5), (2, 2.0)],
                vec![],
                vec![(1, -1.0), (2, 1.0)],
            ],
        );
        assert_eq!(map.transposed().transposed(), map);
        let x = Array::from_slice(&[1.0f64, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3]);
        let y = linear_map(&x, 1, &map);
        assert_eq!(y.to_vec::<f64>(), [1.0, 6.5, 0.0, 1.0, 4.0, 14.0, 0.0, 1.0]);
        let across = linear_map(&x.transpose(0, 1).cast(DType::F32), 0, &map);
        assert_eq!(across.transpose(0, 1).to_vec::<f64>(), y.to_vec::<f64>());
        assert_eq!(
            linear_map(&y, 1, &map.transposed()).to_vec::<f64>()[..3],
            [4.25, -1.0, 14.0]
        );
    }
}
