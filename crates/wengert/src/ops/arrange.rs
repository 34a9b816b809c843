//! Repeating and rearranging, composed of views and one copy.

use super::shape::{Sizes, axes};
use super::{Dims, axis, cat, ok};
use crate::tensor::Tensor;
use wengert_array::{Error, ErrorKind, Shape, raise};

impl Tensor {
    /// The whole tensor repeated so many times along each dimension; missing leading dimensions are put in.
    #[track_caller]
    pub fn repeat(&self, times: impl Sizes) -> Tensor {
        let (shape, times) = (self.shape(), times.sizes());
        if times.len() < shape.rank() || times.iter().any(|n| *n < 0) {
            let message = format!("cannot repeat {shape} {times:?} times");
            raise(
                Error::new(ErrorKind::Shape, "repeat", message)
                    .note("each dimension needs a number of times, which is not negative"),
            );
        }
        self.tiled(&times)
    }

    /// As [`repeat`](Tensor::repeat), where missing numbers of times are 1, in front.
    #[track_caller]
    pub fn tile(&self, times: impl Sizes) -> Tensor {
        let (rank, mut times) = (self.dim(), times.sizes());
        if times.iter().any(|n| *n < 0) {
            let message = format!("cannot repeat {} {times:?} times", self.shape());
            raise(Error::new(ErrorKind::Value, "tile", message));
        }
        while times.len() < rank {
            times.insert(0, 1);
        }
        self.tiled(&times)
    }

    #[track_caller]
    fn tiled(&self, times: &[isize]) -> Tensor {
        let mut shape = self.shape();
        while shape.rank() < times.len() {
            shape = shape.insert(0, 1);
        }
        // Each dimension behind one that counts the times: [1, 2, 1, 3] → [t, 2, t, 3].
        let pairs = || times.iter().zip(shape.iter());
        let apart: Shape = pairs().flat_map(|(_, n)| [1, *n]).collect();
        let wide: Shape = pairs().flat_map(|(t, n)| [*t as usize, *n]).collect();
        let whole: Shape = pairs().map(|(t, n)| *t as usize * n).collect();
        self.reshape(apart).expand(wide).reshape(whole)
    }

    /// Each element repeated `times` times along `dim`; without `dim`, of the elements in row-major order.
    #[track_caller]
    pub fn repeat_interleave(&self, times: usize, dim: Option<isize>) -> Tensor {
        let Some(dim) = dim else {
            return self.ravel().repeat_interleave(times, Some(0));
        };
        let shape = self.shape();
        let d = ok(axis("repeat_interleave", dim, shape.rank()));
        let wide = shape.insert(d + 1, times);
        self.unsqueeze(d as isize + 1)
            .expand(wide)
            .reshape(shape.with(d, shape[d] * times))
    }

    /// Element number i along `dim` repeated `times[i]` times; without `dim`, of the elements in row-major order.
    #[track_caller]
    pub fn repeat_interleave_each(&self, times: &Tensor, dim: Option<isize>) -> Tensor {
        let Some(dim) = dim else {
            return self.ravel().repeat_interleave_each(times, Some(0));
        };
        let shape = self.shape();
        let d = ok(axis("repeat_interleave", dim, shape.rank()));
        let counts = times.to_vec::<i64>();
        let fits = times.dim() <= 1 && (counts.len() == 1 || counts.len() == shape[d]);
        if !times.dtype().is_integer() || !fits || counts.iter().any(|n| *n < 0) {
            let message = format!(
                "{times} is not a number of times for each of {} elements",
                shape[d]
            );
            raise(
                Error::new(ErrorKind::Value, "repeat_interleave", message)
                    .note("it must be integers that are not negative, one for all or one for each"),
            );
        }
        if let [all] = counts[..] {
            return self.repeat_interleave(all as usize, Some(dim));
        }
        let index = counts
            .iter()
            .enumerate()
            .flat_map(|(i, n)| std::iter::repeat_n(i as i64, *n as usize));
        let index: Vec<i64> = index.collect();
        let n = index.len();
        self.index_select(d as isize, &Tensor::from_vec(index, [n]))
    }

    /// Moved by `shifts` along `dims`; what leaves at the end comes in at the front. `()` for `dims` moves the elements in
    /// row-major order.
    ///
    /// ```
    /// # use wengert::Tensor;
    /// let x = Tensor::arange(0, 4);
    /// assert_eq!(x.roll(1, 0).to_vec::<i64>(), [3, 0, 1, 2]);
    /// ```
    #[track_caller]
    pub fn roll(&self, shifts: impl Into<Dims>, dims: impl Into<Dims>) -> Tensor {
        let shifts = shifts.into().list().unwrap_or_default();
        let Some(dims) = dims.into().list() else {
            let [shift] = shifts[..] else {
                let message = format!("{} shifts need as many dimensions", shifts.len());
                raise(Error::new(ErrorKind::Value, "roll", message))
            };
            return self.ravel().roll(shift, 0).reshape(self.shape());
        };
        if shifts.len() != dims.len() {
            let message = format!("{} shifts do not fit {} dimensions", shifts.len(), dims.len());
            raise(Error::new(ErrorKind::Value, "roll", message));
        }
        let mut x = self.clone();
        for (shift, dim) in shifts.iter().zip(dims) {
            let d = ok(axis("roll", dim, x.dim().max(1)));
            let n = x.shape().get(d).copied().unwrap_or(1);
            let by = shift.rem_euclid(n.max(1) as isize) as usize;
            if by > 0 {
                let d = d as isize;
                x = cat(&[&x.narrow(d, n - by, by), &x.narrow(d, 0, n - by)], d);
            }
        }
        x
    }

    /// Turned `k` times by 90° in the plane of two dimensions, from the first towards the second.
    #[track_caller]
    pub fn rot90(&self, k: isize, dims: [isize; 2]) -> Tensor {
        let rank = self.dim();
        let both = ok(axes("rot90", dims.into(), rank.max(2)));
        if rank < 2 {
            let message = format!("needs two or more dimensions, and got shape {}", self.shape());
            raise(Error::new(ErrorKind::Shape, "rot90", message));
        }
        let (a, b) = (both[0] as isize, both[1] as isize);
        match k.rem_euclid(4) {
            1 => self.flip(b).transpose(a, b),
            2 => self.flip([a, b]),
            3 => self.flip(a).transpose(a, b),
            _ => self.clone(),
        }
    }

    /// Channels as blocks of pixels: [.., c·r², h, w] becomes [.., c, h·r, w·r].
    #[track_caller]
    pub fn pixel_shuffle(&self, r: usize) -> Tensor {
        let (batch, [c, h, w]) = self.image("pixel_shuffle");
        if r == 0 || !c.is_multiple_of(r * r) {
            let message = format!("{c} channels do not make blocks of {r} by {r}");
            raise(Error::new(ErrorKind::Shape, "pixel_shuffle", message));
        }
        let c = c / (r * r);
        let x = self
            .reshape([batch.numel(), c, r, r, h, w])
            .permute([0, 1, 4, 2, 5, 3]);
        x.reshape(join(&batch, [c, h * r, w * r]))
    }

    /// Blocks of pixels as channels: [.., c, h·r, w·r] becomes [.., c·r², h, w].
    #[track_caller]
    pub fn pixel_unshuffle(&self, r: usize) -> Tensor {
        let (batch, [c, h, w]) = self.image("pixel_unshuffle");
        if r == 0 || !h.is_multiple_of(r) || !w.is_multiple_of(r) {
            let message = format!("an image of {h} by {w} does not divide into blocks of {r} by {r}");
            raise(Error::new(ErrorKind::Shape, "pixel_unshuffle", message));
        }
        let (h, w) = (h / r, w / r);
        let x = self
            .reshape([batch.numel(), c, h, r, w, r])
            .permute([0, 1, 3, 5, 2, 4]);
        x.reshape(join(&batch, [c * r * r, h, w]))
    }

    /// Sizes of the leading dimensions, and of the last three.
    #[track_caller]
    fn image(&self, op: &str) -> (Shape, [usize; 3]) {
        let shape = self.shape();
        let Some(lead) = shape.rank().checked_sub(3) else {
            let message = format!("needs three or more dimensions, and got shape {shape}");
            raise(Error::new(ErrorKind::Shape, op, message))
        };
        (
            shape[..lead].into(),
            [shape[lead], shape[lead + 1], shape[lead + 2]],
        )
    }

    /// Channels, in dimension 1, taken from each of `groups` in turn.
    #[track_caller]
    pub fn channel_shuffle(&self, groups: usize) -> Tensor {
        let shape = self.shape();
        if shape.rank() < 3 || groups == 0 || !shape[1].is_multiple_of(groups) {
            let message = format!("cannot shuffle shape {shape} in {groups} groups");
            raise(
                Error::new(ErrorKind::Shape, "channel_shuffle", message)
                    .note("it needs three or more dimensions, and channels that divide into the groups"),
            );
        }
        self.unflatten(1, [groups, shape[1] / groups])
            .transpose(1, 2)
            .reshape(shape)
    }
}

fn join(batch: &Shape, rest: [usize; 3]) -> Shape {
    batch.iter().copied().chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated() {
        let x = Tensor::new([[1, 2], [3, 4]]);
        assert_eq!(x.repeat([1, 2]).to_vec::<i64>(), [1, 2, 1, 2, 3, 4, 3, 4]);
        assert_eq!(x.tile([2]).to_vec::<i64>(), [1, 2, 1, 2, 3, 4, 3, 4]);
        assert_eq!(x.repeat([2, 0, 1]).shape(), [2, 0, 2]);
        assert_eq!(
            x.repeat_interleave(2, Some(0)).to_vec::<i64>(),
            [1, 2, 1, 2, 3, 4, 3, 4]
        );
        assert_eq!(
            x.repeat_interleave(2, None).to_vec::<i64>(),
            [1, 1, 2, 2, 3, 3, 4, 4]
        );
        let each = x.repeat_interleave_each(&Tensor::new([0, 2]), Some(-1));
        assert_eq!(each.to_vec::<i64>(), [2, 2, 4, 4]);
        let y = Tensor::new([1.0, 2.0]).requires_grad_(true);
        (y.repeat([3, 1]) * Tensor::new([[1.0], [2.0], [4.0]]))
            .sum()
            .backward();
        assert_eq!(y.grad().unwrap().to_vec::<f32>(), [7.0, 7.0]);
    }

    #[test]
    fn moved_and_turned() {
        let x = Tensor::new([[1, 2, 3], [4, 5, 6]]);
        assert_eq!(x.roll(2, ()).to_vec::<i64>(), [5, 6, 1, 2, 3, 4]);
        assert_eq!(x.roll([1, -1], [0, 1]).to_vec::<i64>(), [5, 6, 4, 2, 3, 1]);
        assert_eq!(x.rot90(1, [0, 1]).to_vec::<i64>(), [3, 6, 2, 5, 1, 4]);
        assert_eq!(x.rot90(-1, [0, 1]).to_vec::<i64>(), [4, 1, 5, 2, 6, 3]);
        let image = Tensor::arange(0, 16).reshape([4, 2, 2]);
        let up = image.pixel_shuffle(2);
        assert_eq!(
            up.to_vec::<i64>(),
            [0, 4, 1, 5, 8, 12, 9, 13, 2, 6, 3, 7, 10, 14, 11, 15]
        );
        assert_eq!(up.pixel_unshuffle(2).to_vec::<i64>(), image.to_vec::<i64>());
        let c = Tensor::arange(0, 4).reshape([1, 4, 1]).channel_shuffle(2);
        assert_eq!(c.to_vec::<i64>(), [0, 2, 1, 3]);
    }
}
