//! Padding, and its reverse.

use super::rows::table;
use super::slice::{Part, Place, See, Step};
use super::{axis, contract, ok};
use crate::autograd::Ctx;
use crate::op::{Complex, Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use std::sync::Arc;
use wengert_array::{Array, Error, ErrorKind, Meta, Result, Shape, kernels, raise};

/// What [`Tensor::pad`] puts around a tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PadMode {
    /// This number.
    Constant(f64),
    /// The tensor mirrored at its border elements.
    Reflect,
    /// The border elements again and again.
    Replicate,
    /// The tensor from its other end.
    Circular,
}

impl Tensor {
    /// With elements put before and after along the last dimensions: `pad` is `[before, after]` of the last
    /// dimension, then of the one before it, and so on. Negative numbers cut elements away.
    ///
    /// ```
    /// # use wengert::{Tensor, ops::PadMode};
    /// let x = Tensor::new([1, 2, 3]);
    /// assert_eq!(x.pad([1, 2], PadMode::Constant(0.0)).to_vec::<i64>(), [0, 1, 2, 3, 0, 0]);
    /// assert_eq!(x.pad([2, 1], PadMode::Reflect).to_vec::<i64>(), [3, 2, 1, 2, 3, 2]);
    /// assert_eq!(x.pad([1, -1], PadMode::Replicate).to_vec::<i64>(), [1, 1, 2]);
    /// assert_eq!(x.pad([1, 1], PadMode::Circular).to_vec::<i64>(), [3, 1, 2, 3, 1]);
    /// ```
    #[track_caller]
    pub fn pad(&self, pad: impl AsRef<[isize]>, mode: PadMode) -> Tensor {
        let (pad, shape) = (pad.as_ref(), self.shape());
        if !pad.len().is_multiple_of(2) || pad.len() / 2 > shape.rank() {
            let message = format!("{} numbers of elements do not fit shape {shape}", pad.len());
            raise(
                Error::new(ErrorKind::Value, "pad", message)
                    .note("they come in pairs, at most one pair for each dimension, that of the last first"),
            );
        }
        let pairs = pad
            .chunks(2)
            .enumerate()
            .map(|(i, p)| (shape.rank() - 1 - i, p[0], p[1]));
        let pairs: Vec<(usize, isize, isize)> = pairs.filter(|(_, a, b)| (*a, *b) != (0, 0)).collect();
        for &(d, before, after) in &pairs {
            if shape[d] as isize + before + after < 0 {
                let message = format!(
                    "cannot cut {} elements from dimension {d} of {shape}",
                    -before - after
                );
                raise(Error::new(ErrorKind::Shape, "pad", message));
            }
        }
        if let PadMode::Constant(value) = mode {
            return self.surrounded(&pairs, value);
        }
        let (mut x, mut lists) = (self.clone(), Vec::new());
        for (d, mut before, mut after) in pairs {
            if mode == PadMode::Circular && before.min(after) < 0 {
                // What is cut away does not come in at the other end either.
                let n = x.shape()[d] as isize;
                let (cut, len) = ((-before).max(0), n + before.min(0) + after.min(0));
                x = x.narrow(d as isize, cut.min(n) as usize, len.max(0) as usize);
                (before, after) = (before.max(0), after.max(0));
            }
            lists.push((d, ok(border(mode, &x.shape(), d, before, after))));
        }
        if lists.is_empty() {
            return x;
        }
        lists.sort_by_key(|(d, _)| *d);
        Border(Arc::new(lists)).apply([&x])
    }

    #[track_caller]
    fn surrounded(&self, pairs: &[(usize, isize, isize)], value: f64) -> Tensor {
        let slice = |dim, start: isize, len: usize| Step::slice(dim, start as usize, len, 1);
        let (mut inner, mut outer) = (self.shape(), self.shape());
        let (mut cuts, mut places) = (Vec::new(), Vec::new());
        for &(d, before, after) in pairs {
            let n = inner[d] as isize;
            let kept = (n + before.min(0) + after.min(0)).max(0) as usize;
            if kept < inner[d] {
                cuts.push(slice(d, (-before).clamp(0, n), kept));
            }
            inner = inner.with(d, kept);
            outer = outer.with(d, (n + before + after) as usize);
            places.push(slice(d, before.max(0).min(n + before + after), kept));
        }
        let mut x = self.clone();
        if !cuts.is_empty() {
            x = See(Part {
                name: "pad",
                steps: cuts.into(),
            })
            .apply([&x]);
        }
        if inner == outer {
            return x;
        }
        let part = Part {
            name: "pad",
            steps: places.into(),
        };
        Place {
            part,
            shape: outer,
            value,
        }
        .apply([&x])
    }
}

/// For each element of a padded dimension, which element of the dimension it is.
fn border(mode: PadMode, shape: &Shape, d: usize, before: isize, after: isize) -> Result<Vec<i64>> {
    let n = shape[d] as isize;
    let most = match mode {
        PadMode::Reflect => n - 1,
        PadMode::Circular => n,
        _ if n == 0 => 0,
        _ => isize::MAX,
    };
    if before.max(after) > most {
        let message = format!(
            "cannot put {} elements beside dimension {d} of {shape}",
            before.max(after)
        );
        return Err(Error::new(ErrorKind::Shape, "pad", message).note(format!(
            "in mode {mode:?} there are at most {} to take",
            most.max(0)
        )));
    }
    let from = |i: isize| match mode {
        PadMode::Reflect if i < 0 => -i,
        PadMode::Reflect if i >= n => 2 * (n - 1) - i,
        PadMode::Circular => i.rem_euclid(n.max(1)),
        _ => i.clamp(0, n.max(1) - 1),
    };
    Ok((-before..n + after).map(|i| from(i) as i64).collect())
}

/// y = x at lists of places along some dimensions; dx = dy added up at the places.
#[derive(Clone, Debug)]
pub struct Border(pub Arc<Vec<(usize, Vec<i64>)>>);

impl Op for Border {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "pad";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        let mut shape = x.shape.clone();
        for (d, list) in self.0.iter() {
            let d = axis("pad", *d as isize, shape.rank())?;
            shape = shape.with(d, list.len());
        }
        Ok(x.with_shape(shape))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        kernels::surround(&x, &self.0, 0.0)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let (border, shape) = (self.clone(), cx.meta(0).shape.clone());
        [Some(BorderBack { border, shape }.apply([&dy]))]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Parts(1)
    }
    fn samples() -> Vec<Sample<Self>> {
        let lists = |lists: &[(usize, &[i64])]| {
            Border(Arc::new(lists.iter().map(|(d, l)| (*d, l.to_vec())).collect()))
        };
        vec![
            Sample::new(lists(&[(1, &[1, 0, 1])]), [table()])
                .gives([-1.0, 0.5, -1.0, 3.0, 2.0, 3.0, 1.5, -0.25, 1.5]),
            Sample::new(lists(&[(0, &[2, 0]), (1, &[0, 0, 1])]), [table()]),
            Sample::new(lists(&[(1, &[0, 1, 0])]), [super::shape::block()]),
        ]
    }
}

/// The reverse of [`Border`]: zeros with x added up at the places; dx = dy there.
#[derive(Clone, Debug)]
pub struct BorderBack {
    /// The lists.
    pub border: Border,
    /// The result's shape.
    pub shape: Shape,
}

impl Op for BorderBack {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "pad_backward";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        let mut shape = self.shape.clone();
        for (d, list) in self.border.0.iter() {
            shape = shape.with(*d, list.len());
        }
        if *x.shape != shape {
            let message = format!("{} is not {} with elements around it", x.shape, self.shape);
            return Err(Error::new(ErrorKind::Shape, Self::NAME, message));
        }
        Ok(x.with_shape(&self.shape))
    }
    fn forward(&self, [x]: [Array; 1], y: &Meta, _: &mut Extra) -> Array {
        kernels::gather_back(&x, &self.border.0, &y.shape)
    }
    fn backward(&self, _: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        [Some(self.border.clone().apply([&dy]))]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Parts(1)
    }
    fn samples() -> Vec<Sample<Self>> {
        let border = Border(Arc::new(vec![(1, vec![1, 0, 1])]));
        let shape = [2, 2].into();
        let x = Array::from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3]);
        vec![Sample::new(BorderBack { border, shape }, [x]).gives([2.0, 4.0, 5.0, 10.0])]
    }
}

contract! {
    border: Border,
    border_back: BorderBack,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_has_the_gradient_of_its_copies() {
        let x = Tensor::new([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).requires_grad_(true);
        let grad = |pad: &[isize], mode| {
            x.zero_grad();
            x.pad(pad, mode).sum().backward();
            x.grad().unwrap().to_vec::<f32>()
        };
        assert_eq!(
            grad(&[1, 1, 2, -1], PadMode::Constant(9.0)),
            [1., 1., 1., 0., 0., 0.]
        );
        assert_eq!(grad(&[2, 0], PadMode::Reflect), [1., 2., 2., 1., 2., 2.]);
        assert_eq!(grad(&[2, 0], PadMode::Replicate), [3., 1., 1., 3., 1., 1.]);
        assert_eq!(grad(&[1, -1, 1, 0], PadMode::Circular), [1., 2., 0., 2., 4., 0.]);
    }
}
