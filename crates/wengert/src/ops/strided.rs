//! Elements picked by strides, and the angles of numbers on a line.

use super::common::tied;
use crate::tensor::Tensor;
use std::f64::consts::PI;
use wengert_array::{Error, ErrorKind, Shape, raise};

impl Tensor {
    /// The places, in row-major order, that sizes, strides and an offset name.
    #[track_caller]
    fn strided(&self, op: &str, size: &[usize], stride: &[usize], offset: usize) -> Tensor {
        if size.len() != stride.len() {
            let message = format!("{} sizes and {} strides do not fit", size.len(), stride.len());
            raise(Error::new(ErrorKind::Shape, op, message).note("there is one stride for each size"));
        }
        let mut places = vec![offset as i64];
        for (n, by) in size.iter().zip(stride) {
            places = places
                .iter()
                .flat_map(|p| (0..*n as i64).map(move |i| p + i * *by as i64))
                .collect();
        }
        if let Some(last) = places.iter().max().filter(|last| **last >= self.numel() as i64) {
            let message = format!(
                "sizes {size:?} and strides {stride:?} from {offset} reach element {last} of a tensor with {}",
                self.numel()
            );
            raise(Error::new(ErrorKind::Index, op, message).note("elements are counted in row-major order"));
        }
        let count = places.len();
        Tensor::from_vec(places, [count])
    }

    /// The elements at `offset + Σ iₖ strideₖ`, counted in row-major order, as a tensor of this size; an element may be taken several
    /// times. A copy, of which the gradient is added up.
    ///
    /// ```
    /// # use wengert::Tensor;
    /// let x = Tensor::new([0.0, 1.0, 2.0, 3.0]);
    /// assert_eq!(x.as_strided(&[2, 3], &[1, 1], 0).to_vec::<f32>(), [0., 1., 2., 1., 2., 3.]);
    /// ```
    ///
    /// PyTorch counts in the memory that x shares with others; here nothing is shared, so that only elements of x can be
    /// taken, whatever its layout.
    ///
    /// # Panics
    /// If an element is beyond the last.
    #[track_caller]
    pub fn as_strided(&self, size: &[usize], stride: &[usize], offset: usize) -> Tensor {
        let places = self.strided("as_strided", size, stride, offset);
        self.ravel().index_select(0, &places).reshape(Shape::new(size))
    }

    /// With the elements that [`as_strided`](Tensor::as_strided) takes replaced by those of `src`.
    ///
    /// # Panics
    /// If an element is beyond the last, or `src` is not of this size.
    #[track_caller]
    pub fn as_strided_scatter(
        &self,
        src: &Tensor,
        size: &[usize],
        stride: &[usize],
        offset: usize,
    ) -> Tensor {
        let places = self.strided("as_strided_scatter", size, stride, offset);
        if src.shape()[..] != *size {
            let message = format!("values of shape {} do not fit the size {size:?}", src.shape());
            raise(Error::new(ErrorKind::Shape, "as_strided_scatter", message));
        }
        self.put(&places, &src.reshape([src.numel()]), false)
    }

    /// The angle to the positive numbers, in radians: of real numbers π for negative ones, 0 for others, NaN for NaN, and no
    /// slope.
    #[track_caller]
    pub fn angle(&self) -> Tensor {
        if self.dtype().is_complex() {
            return self.imag().atan2(&self.real());
        }
        let x = self.to(self.dtype().or_default());
        let number = |c: f64| Tensor::full_as([], c, x.dtype());
        let y = number(PI).where_(&x.lt(0.0), &number(0.0));
        tied(number(f64::NAN).where_(&x.isnan(), &y), &x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strided_elements_share_their_gradients() {
        let x = Tensor::new([0.0, 1.0, 2.0, 3.0]).requires_grad_(true);
        x.as_strided(&[3, 2], &[1, 1], 0).sum().backward();
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [1., 2., 2., 1.]);
        let y = x.as_strided_scatter(&Tensor::new([7.0, 8.0]), &[2], &[2], 1);
        assert_eq!(y.to_vec::<f32>(), [0., 7., 2., 8.]);
        let error = crate::catch(|| x.as_strided(&[3], &[2], 0))
            .unwrap_err()
            .to_string();
        assert!(error.contains("reach element 4 of a tensor with 4"), "{error}");
    }

    #[test]
    fn angles() {
        let x = Tensor::new([-2.0, 0.0, f64::NAN]).requires_grad_(true);
        let y = x.angle();
        let v = y.to_vec::<f32>();
        assert!(v[0] == PI as f32 && v[1] == 0.0 && v[2].is_nan());
        y.sum().backward();
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0.0; 3]);
    }
}
