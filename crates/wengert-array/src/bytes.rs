//! Elements as bytes, for files and for those who hand memory on.

use crate::array::Array;
use crate::dtype::DType;
use crate::layout::{Layout, Shape};
use std::borrow::Cow;
use std::io::{Read, Result};

impl Array {
    /// The elements in row-major order as little-endian bytes.
    pub fn to_le_bytes(&self) -> Cow<'_, [u8]> {
        if !self.is_contiguous() || (cfg!(target_endian = "big") && self.dtype().size() > 1) {
            let mut copy = crate::kernels::copy(self);
            let bytes = copy.bytes_mut();
            to_or_from_native(bytes, self.dtype(), false);
            return Cow::Owned(bytes.to_vec());
        }
        let n = self.numel() * self.dtype().size();
        // SAFETY: the elements lie without gaps, are initialised, and have no padding; nobody writes while `self` is
        // borrowed.
        Cow::Borrowed(unsafe { std::slice::from_raw_parts(self.as_bytes_ptr(), n) })
    }

    /// The bytes of an array that nobody else holds and that lies without gaps. Those of a bool must be 0 or 1 when
    /// the borrow ends.
    fn bytes_mut(&mut self) -> &mut [u8] {
        assert!(
            self.is_unique() && self.is_contiguous(),
            "only a sole holder writes"
        );
        let n = self.numel() * self.dtype().size();
        // SAFETY: we alone hold the buffer; the elements lie without gaps, are initialised, and have no padding.
        unsafe { std::slice::from_raw_parts_mut(self.as_bytes_ptr().cast_mut(), n) }
    }

    /// Reads as many elements as the shape holds, in row-major order. Bytes of a bool that are not zero mean true.
    ///
    /// The caller vouches that the source is about as large as the shape says: memory for all is taken at once.
    ///
    /// # Errors
    /// If the source ends before.
    pub fn read_bytes(
        source: &mut (impl Read + ?Sized),
        shape: impl Into<Shape>,
        dtype: DType,
        big_endian: bool,
    ) -> Result<Array> {
        let held = if dtype == DType::Bool { DType::U8 } else { dtype };
        // Zeros, so that a source that fails half way leaves no uninitialised memory behind.
        let mut array = Array::full(shape, 0.0, held);
        let bytes = array.bytes_mut();
        source.read_exact(bytes)?;
        if dtype == DType::Bool {
            let bools: Vec<bool> = bytes.iter().map(|b| *b != 0).collect();
            return Ok(Array::from_slice(&bools, array.shape().clone()));
        }
        to_or_from_native(bytes, dtype, big_endian);
        Ok(array)
    }

    /// The elements of the whole buffer behind a contiguous array, seen in another shape with any strides, or `None`
    /// where some element would lie outside.
    pub fn strided(&self, shape: &Shape, strides: &[usize], offset: usize) -> Option<Array> {
        if !self.is_contiguous() || strides.len() != shape.rank() {
            return None;
        }
        shape.checked_numel()?;
        if shape.contains(&0) {
            return Some(self.reshape([self.numel()]).slice(0, 0, 0, 1).reshape(shape));
        }
        let mut last = offset;
        for (size, stride) in shape.iter().zip(strides) {
            last = last.checked_add((size - 1).checked_mul(*stride)?)?;
        }
        if last >= self.numel() {
            return None;
        }
        let strides = strides.iter().map(|s| isize::try_from(*s).ok());
        let strides = strides.collect::<Option<Vec<isize>>>()?;
        let offset = self.layout().offset() + offset;
        Some(self.view(Layout::strided(shape.clone(), &strides, offset)))
    }
}

/// Reverses the bytes of each element where the order is not this machine's.
fn to_or_from_native(bytes: &mut [u8], dtype: DType, big_endian: bool) {
    if big_endian != cfg!(target_endian = "big") && dtype.size() > 1 {
        let number = dtype.real().size(); // of a complex element each part by itself
        bytes.chunks_exact_mut(number).for_each(<[u8]>::reverse);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        let x = Array::from_slice(&[1.5f32, -2.0, 3.25, 0.0, 7.0, -0.5], [2, 3]);
        let turned = x.transpose(0, 1);
        for a in [
            x.clone(),
            turned.clone(),
            x.slice(1, 1, 2, 1),
            x.slice(0, 0, 0, 1),
        ] {
            let bytes = a.to_le_bytes();
            let back = Array::read_bytes(&mut &bytes[..], a.shape().clone(), DType::F32, false).unwrap();
            assert_eq!(back.to_vec::<f32>(), a.to_vec::<f32>());
        }
        assert_eq!(x.to_le_bytes()[..4], 1.5f32.to_le_bytes());
        let big: Vec<u8> = [258i16, -2].iter().flat_map(|v| v.to_be_bytes()).collect();
        let back = Array::read_bytes(&mut &big[..], [2], DType::I16, true).unwrap();
        assert_eq!(back.to_vec::<i16>(), [258, -2]);
        let bools = Array::read_bytes(&mut &[0u8, 1, 255][..], [3], DType::Bool, false).unwrap();
        assert_eq!(
            (bools.dtype(), bools.to_vec::<bool>()),
            (DType::Bool, vec![false, true, true])
        );
        assert_eq!(*bools.to_le_bytes(), [0, 1, 1]);
        assert!(Array::read_bytes(&mut &[1u8, 2][..], [3], DType::U8, false).is_err());
        assert!(Array::read_bytes(&mut &[1u8][..], [1], DType::I8, false).is_ok());
    }

    #[test]
    fn strided_views_stay_inside() {
        let x = Array::from_slice(&[0i64, 1, 2, 3, 4, 5], [6]);
        let view =
            |shape: &[usize], strides: &[usize], offset| x.strided(&Shape::new(shape), strides, offset);
        assert_eq!(view(&[2, 2], &[1, 3], 1).unwrap().to_vec::<i64>(), [1, 4, 2, 5]);
        assert_eq!(view(&[3], &[0], 5).unwrap().to_vec::<i64>(), [5, 5, 5]);
        assert_eq!(view(&[], &[], 4).unwrap().to_vec::<i64>(), [4]);
        assert_eq!(
            view(&[0, 9], &[1 << 60, 1], 99).unwrap().shape(),
            &Shape::new(&[0, 9])
        );
        assert!(view(&[2, 2], &[1, 3], 2).is_none());
        assert!(view(&[2], &[usize::MAX], 1).is_none());
        assert!(view(&[1], &[1], 6).is_none());
        assert!(view(&[2], &[1, 1], 0).is_none());
        assert!(view(&[usize::MAX, 2], &[0, 0], 0).is_none());
    }
}
