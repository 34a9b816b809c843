//! Searching sorted tensors, and counting.

use super::ok;
use super::rows::added_rows;
use crate::tensor::Tensor;
use wengert_array::kernels::{self, Reduce};
use wengert_array::{Array, DType, Error, ErrorKind, Result, Shape, raise};

/// For each of `values`, where it would be put in the row of `sorted` beside it so that the row stays sorted:
/// before equal elements, or (`right`) after them. `sorted` may be one row for all.
///
/// ```
/// # use wengert::{Tensor, ops::searchsorted};
/// let edges = Tensor::new([1.0, 3.0, 5.0]);
/// let at = searchsorted(&edges, &Tensor::new([0.0, 3.0, 9.0]), false);
/// assert_eq!(at.to_vec::<i64>(), [0, 1, 3]);
/// ```
#[track_caller]
pub fn searchsorted(sorted: &Tensor, values: &Tensor, right: bool) -> Tensor {
    ok(search("searchsorted", sorted, values, right))
}

fn search(op: &str, sorted: &Tensor, values: &Tensor, right: bool) -> Result<Tensor> {
    super::ordered(op, sorted)?;
    super::ordered(op, values)?;
    let (edges, shape) = (sorted.shape(), values.shape());
    let rank = edges.rank();
    let fits = match rank {
        0 => false,
        1 => true,
        _ => shape.rank() == rank && edges[..rank - 1] == shape[..rank - 1],
    };
    if !fits {
        let message = format!("cannot look for values of shape {shape} in rows of shape {edges}");
        return Err(Error::new(ErrorKind::Shape, op, message)
            .note("there must be one row for all, or all sizes but the last must be equal"));
    }
    let dtype = sorted.dtype().promote(values.dtype());
    let (edges, values) = (sorted.array().cast(dtype), values.array().cast(dtype));
    Ok(Tensor::constant(kernels::search_sorted(&edges, &values, right)))
}

impl Tensor {
    /// For each element, the number of the bucket between `boundaries`, a sorted vector, that it lies in; one on a
    /// boundary lies before it, or (`right`) after it.
    #[track_caller]
    pub fn bucketize(&self, boundaries: &Tensor, right: bool) -> Tensor {
        if boundaries.dim() != 1 {
            let message = format!(
                "the boundaries must be a vector, and have shape {}",
                boundaries.shape()
            );
            raise(Error::new(ErrorKind::Shape, "bucketize", message));
        }
        ok(search("bucketize", boundaries, self, right))
    }

    /// How often each of the numbers 0, 1, … occurs in a vector of non-negative integers; or, given weights, their
    /// sums, which have a gradient. At least `minlength` results.
    #[track_caller]
    pub fn bincount(&self, weights: Option<&Tensor>, minlength: usize) -> Tensor {
        let (array, shape) = (self.array(), self.shape());
        if shape.rank() != 1 || !(array.dtype().is_integer() || array.dtype() == DType::Bool) {
            let message = format!(
                "needs a vector of integers, and got {} of shape {shape}",
                array.dtype()
            );
            raise(Error::new(ErrorKind::DType, "bincount", message));
        }
        let numbers = array.cast(DType::I64).contiguous();
        let extreme = |how| match numbers.numel() {
            0 => 0,
            _ => kernels::reduce(&numbers, &[0], how, DType::I64).as_slice::<i64>()[0],
        };
        let bad = extreme(Reduce::Min);
        if bad < 0 {
            let bad = numbers.as_slice::<i64>().iter().find(|i| **i < 0).unwrap_or(&bad);
            let message = format!("{bad} is negative");
            raise(Error::new(ErrorKind::Value, "bincount", message));
        }
        if let Some(w) = weights {
            ok(super::ordered("bincount", w));
        }
        if let Some(w) = weights
            && w.shape() != shape
        {
            let message = format!(
                "weights of shape {} do not fit numbers of shape {shape}",
                w.shape()
            );
            raise(Error::new(ErrorKind::Shape, "bincount", message));
        }
        let most = extreme(Reduce::Max) as usize + usize::from(numbers.numel() > 0);
        let size = minlength.max(most);
        let terms = match weights {
            // As in PyTorch, f32 stays, and all else is summed in f64.
            Some(w) if w.dtype() == DType::F32 => w.clone(),
            Some(w) => w.to(DType::F64),
            None => return Tensor::constant(kernels::bincount(&numbers, size)),
        };
        added_rows(&[size].into(), 0, &Tensor::constant(numbers), &terms)
    }

    /// How many elements lie in each of `bins` equal parts of `low ..= high`; where both are equal, of the range of
    /// the elements. Elements outside, and NaN, are left out.
    #[track_caller]
    pub fn histc(&self, bins: usize, low: f64, high: f64) -> Tensor {
        if !self.dtype().is_float() {
            let message = format!("needs floats, and got {}", self.dtype());
            raise(Error::new(ErrorKind::DType, "histc", message));
        }
        let (low, high) = self.bounds("histc", bins, low, high);
        Tensor::constant(kernels::histogram(
            &self.array(),
            None,
            low,
            high,
            bins,
            self.dtype(),
        ))
    }

    /// The range of a histogram: as given, or that of the elements.
    #[track_caller]
    fn bounds(&self, op: &str, bins: usize, mut low: f64, mut high: f64) -> (f64, f64) {
        if bins == 0 {
            raise(Error::new(ErrorKind::Value, op, "needs at least one bin"));
        }
        if low == high && self.numel() > 0 {
            let all = self.detach();
            (low, high) = (all.min().item(), all.max().item());
        }
        if low == high {
            (low, high) = if op == "histc" {
                (low - 1.0, high + 1.0)
            } else {
                (low - 0.5, high + 0.5)
            };
        }
        if !low.is_finite() || !high.is_finite() || low > high {
            let message = format!("{low} to {high} is not a range");
            raise(Error::new(ErrorKind::Value, op, message));
        }
        (low, high)
    }

    /// A histogram with `bins` equal parts of `range`, or of the range of the elements, and its `bins + 1` edges.
    /// Counts each element as its weight; `density` divides by the sum and by the widths.
    #[track_caller]
    pub fn histogram(
        &self,
        bins: usize,
        range: Option<(f64, f64)>,
        weight: Option<&Tensor>,
        density: bool,
    ) -> (Tensor, Tensor) {
        let (dtype, shape) = (self.dtype(), self.shape());
        if !dtype.is_float() {
            raise(Error::new(
                ErrorKind::DType,
                "histogram",
                format!("needs floats, and got {dtype}"),
            ));
        }
        if let Some(w) = weight
            && w.shape() != shape
        {
            let message = format!(
                "weights of shape {} do not fit elements of shape {shape}",
                w.shape()
            );
            raise(Error::new(ErrorKind::Shape, "histogram", message));
        }
        let (low, high) = range.unwrap_or((0.0, 0.0));
        let (low, high) = self.bounds("histogram", bins, low, high);
        let edges = Tensor::linspace_as(low, high, bins + 1, dtype);
        let weights = weight.map(|w| w.array());
        let mut counts = kernels::histogram(&self.array(), weights.as_ref(), low, high, bins, DType::F64);
        if density {
            let total: f64 = counts.as_slice::<f64>().iter().sum();
            let width = (high - low) / bins as f64;
            counts
                .make_mut::<f64>()
                .iter_mut()
                .for_each(|c| *c /= total * width);
        }
        (Tensor::constant(counts.cast(dtype)), edges)
    }

    /// As [`histogram`](Tensor::histogram), between `edges` in ascending order, which need not be evenly spaced.
    #[track_caller]
    pub fn histogram_between(&self, edges: &Tensor, weight: Option<&Tensor>, density: bool) -> Tensor {
        let (dtype, rank) = (self.dtype(), edges.dim());
        if !dtype.is_float() || edges.dtype() != dtype || rank != 1 || edges.numel() == 0 {
            let message = format!(
                "needs floats and a vector of edges of the same dtype, and got {dtype} and {} of shape {}",
                edges.dtype(),
                edges.shape()
            );
            raise(Error::new(ErrorKind::DType, "histogram", message));
        }
        let (x, list) = (self.ravel().detach(), edges.to_vec::<f64>());
        let (first, last) = (list[0], list[list.len() - 1]);
        let bins = list.len() - 1;
        let weights = match weight {
            Some(w) if w.shape() == self.shape() => w.to_vec::<f64>(),
            Some(w) => {
                let message = format!(
                    "weights of shape {} do not fit elements of shape {}",
                    w.shape(),
                    self.shape()
                );
                raise(Error::new(ErrorKind::Shape, "histogram", message))
            }
            None => vec![1.0; self.numel()],
        };
        let places = ok(search("histogram", edges, &x, true)).to_vec::<i64>();
        let mut sums = vec![0.0; bins];
        for ((v, place), w) in x.to_vec::<f64>().iter().zip(places).zip(weights) {
            if bins > 0 && *v >= first && *v <= last {
                // What lies on the last edge counts in the last bin.
                sums[(place as usize - 1).min(bins - 1)] += w;
            }
        }
        if density {
            let total: f64 = sums.iter().sum();
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum /= total * (list[i + 1] - list[i]);
            }
        }
        Tensor::constant(Array::from_slice(&sums, [bins]).cast(dtype))
    }

    /// A histogram of points [.., D], with `bins` equal parts of `range` for each coordinate, or of the range that it has: the
    /// counts [bins₀, bins₁, …] and the edges of each coordinate. Counts each point as its weight; `density` divides by the sum and
    /// by the volumes.
    ///
    /// # Panics
    /// If there are not as many `bins` and ranges as coordinates, or the weights do not fit the points.
    #[track_caller]
    pub fn histogramdd(
        &self,
        bins: &[usize],
        range: Option<&[(f64, f64)]>,
        weight: Option<&Tensor>,
        density: bool,
    ) -> (Tensor, Vec<Tensor>) {
        let points = self.points(bins.len());
        if let Some(range) = range
            && range.len() != bins.len()
        {
            let message = format!("{} ranges do not fit {} coordinates", range.len(), bins.len());
            raise(Error::new(ErrorKind::Value, "histogramdd", message));
        }
        let edges: Vec<Tensor> = (0..bins.len())
            .map(|i| {
                let (low, high) = range.map_or((0.0, 0.0), |r| r[i]);
                let (low, high) = points
                    .select(1, i as isize)
                    .bounds("histogramdd", bins[i], low, high);
                Tensor::linspace_as(low, high, bins[i] + 1, self.dtype())
            })
            .collect();
        let counts = self.histogramdd_between(&edges.iter().collect::<Vec<_>>(), weight, density);
        (counts, edges)
    }

    /// The points that the last dimension holds, one in each row.
    #[track_caller]
    fn points(&self, coordinates: usize) -> Tensor {
        if !self.dtype().is_float() || self.dim() < 2 || self.size(-1) != coordinates {
            let message = format!(
                "bins for {coordinates} coordinates do not fit points of shape {} and dtype {}",
                self.shape(),
                self.dtype()
            );
            raise(
                Error::new(ErrorKind::Shape, "histogramdd", message)
                    .note("points are floats, and their last dimension holds the coordinates"),
            );
        }
        let count = self.numel().checked_div(coordinates).unwrap_or(0);
        self.detach().reshape([count, coordinates])
    }

    /// As [`histogramdd`](Tensor::histogramdd), between `edges` in ascending order for each coordinate.
    #[track_caller]
    pub fn histogramdd_between(&self, edges: &[&Tensor], weight: Option<&Tensor>, density: bool) -> Tensor {
        let points = self.points(edges.len());
        let count = points.size(0);
        let mut weights = match weight {
            Some(w) if w.numel() == count => w.to_vec::<f64>(),
            Some(w) => {
                let message = format!(
                    "weights of shape {} do not fit points of shape {}",
                    w.shape(),
                    self.shape()
                );
                raise(Error::new(ErrorKind::Shape, "histogramdd", message))
            }
            None => vec![1.0; count],
        };
        let mut cells = vec![0; count];
        let mut shape = Vec::with_capacity(edges.len());
        // One part of the volume for each coordinate.
        let mut volumes = vec![1.0];
        for (i, edges) in edges.iter().enumerate() {
            let list = edges.to_vec::<f64>();
            let Some(bins) = list.len().checked_sub(1).filter(|b| *b > 0 && edges.dim() == 1) else {
                let message = format!("edges of shape {} are no bins", edges.shape());
                raise(Error::new(ErrorKind::Shape, "histogramdd", message))
            };
            let x = points.select(1, i as isize).contiguous();
            let places = ok(search("histogramdd", &edges.to(self.dtype()), &x, true)).to_vec::<i64>();
            for (k, v) in x.to_vec::<f64>().into_iter().enumerate() {
                // What lies on the last edge counts in the last bin, and what lies outside nowhere.
                let inside = v >= list[0] && v <= list[bins];
                let place = if inside {
                    (places[k] as usize - 1).min(bins - 1)
                } else {
                    0
                };
                cells[k] = cells[k] * bins + place;
                weights[k] = if inside { weights[k] } else { 0.0 };
            }
            let widths = (0..bins).map(|b| list[b + 1] - list[b]);
            volumes = volumes
                .iter()
                .flat_map(|v| widths.clone().map(move |w| v * w))
                .collect();
            shape.push(bins);
        }
        let mut sums = vec![0.0; volumes.len()];
        cells
            .into_iter()
            .zip(&weights)
            .for_each(|(cell, w)| sums[cell] += w);
        if density {
            let total: f64 = sums.iter().sum();
            sums.iter_mut()
                .zip(&volumes)
                .for_each(|(sum, v)| *sum /= total * v);
        }
        Tensor::constant(Array::from_slice(&sums, shape).cast(self.dtype()))
    }

    /// The indices in a tensor of this shape of elements counted in row-major order: one list for each dimension.
    #[track_caller]
    pub fn unravel_index(&self, shape: impl Into<Shape>) -> Vec<Tensor> {
        let shape = shape.into();
        let places = ok(super::index::positions("unravel_index", self, shape.numel())).to_vec::<i64>();
        let mut lists = Vec::with_capacity(shape.rank());
        for (&size, &stride) in shape.iter().zip(&shape.strides()) {
            let list: Vec<i64> = places.iter().map(|p| p / stride as i64 % size as i64).collect();
            lists.push(Tensor::from_vec(list, self.shape()));
        }
        lists
    }

    /// For each element, whether it is one of `test`, or (`invert`) is not. NaN equals nothing.
    #[track_caller]
    pub fn isin(&self, test: &Tensor, invert: bool) -> Tensor {
        let dtype = self.dtype().promote(test.dtype());
        let (x, test) = (self.array().cast(dtype), test.ravel().array().cast(dtype));
        let n = test.numel();
        let order = kernels::order(&test, 0, false, 0, n);
        let sorted = kernels::gather(&test, 0, &order).expect("an order leads to elements");
        let (left, right) = (
            kernels::search_sorted(&sorted, &x, false),
            kernels::search_sorted(&sorted, &x, true),
        );
        // A value that is there has room between its two places.
        let pairs = left.as_slice::<i64>().iter().zip(right.as_slice::<i64>());
        let found: Vec<bool> = pairs.map(|(l, r)| (l < r) != invert).collect();
        Tensor::from_vec(found, self.shape())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        let x = Tensor::new([1, 3, 1]);
        assert_eq!(x.bincount(None, 0).to_vec::<i64>(), [0, 2, 0, 1]);
        let w = Tensor::new([0.5, 1.0, 2.0]).requires_grad_(true);
        let y = x.bincount(Some(&w), 6);
        assert_eq!(y.to_vec::<f32>(), [0., 2.5, 0., 1., 0., 0.]);
        (&y * &y).sum().backward();
        assert_eq!(w.grad().unwrap().to_vec::<f32>(), [5., 2., 5.]);
        let v = Tensor::new([1.0, 2.0, 1.0, f64::NAN]);
        assert_eq!(v.histc(4, 0.0, 3.0).to_vec::<f32>(), [0., 2., 1., 0.]);
        let (h, edges) = Tensor::new([1.0, 2.0, 1.0]).histogram(4, Some((0.0, 3.0)), None, true);
        assert_eq!(edges.to_vec::<f32>(), [0., 0.75, 1.5, 2.25, 3.]);
        assert!((h.to_vec::<f64>()[1] - 2.0 / 3.0 / 0.75).abs() < 1e-6);
        let uneven = Tensor::new([1.0, 2.0, 5.0]);
        let between = Tensor::new([0.0, 1.0, 2.0, 5.0]).histogram_between(&uneven, None, false);
        assert_eq!(between.to_vec::<f32>(), [1., 2.]);
        let [rows, cols] = &Tensor::new([5, 1]).unravel_index([2, 3])[..] else {
            panic!("two dimensions")
        };
        assert_eq!(
            (rows.to_vec::<i64>(), cols.to_vec::<i64>()),
            (vec![1, 0], vec![2, 1])
        );
        let far = Tensor::from_vec(vec![1i64 << 62, 5], [2]).unravel_index([1 << 31, (1 << 32) - 1]);
        assert_eq!(far[0].to_vec::<i64>(), [1 << 30, 0]);
        assert_eq!(far[1].to_vec::<i64>(), [1 << 30, 5]);
        assert_eq!(
            Tensor::new([1.0, f64::NAN, 4.0])
                .isin(&Tensor::new([4, 1]), false)
                .to_vec::<bool>(),
            [true, false, true]
        );
        assert_eq!(
            Tensor::new([1, 2]).isin(&Tensor::new([2]), true).to_vec::<bool>(),
            [true, false]
        );
        assert_eq!(
            Tensor::new([3.0, 1.0])
                .bucketize(&Tensor::new([1, 3]), true)
                .to_vec::<i64>(),
            [2, 1]
        );
    }

    #[test]
    fn points_in_cells() {
        let x = Tensor::new([[0.0, 0.0], [1.0, 1.0], [0.9, 0.1], [2.0, 0.0]]);
        let (h, edges) = x.histogramdd(&[2, 1], Some(&[(0.0, 1.0), (0.0, 1.0)]), None, false);
        assert_eq!(h.shape(), [2, 1]);
        assert_eq!(h.to_vec::<f32>(), [1.0, 2.0]);
        assert_eq!(edges[0].to_vec::<f32>(), [0.0, 0.5, 1.0]);
        let h = x.histogramdd_between(&[&edges[0], &edges[1]], None, true);
        assert_eq!(h.to_vec::<f32>(), [1.0 / 1.5, 2.0 / 1.5]);
        assert!(crate::catch(|| x.histogramdd(&[2], None, None, false)).is_err());
    }
}
