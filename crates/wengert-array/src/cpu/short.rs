//! A few short arrays end to end, without what strides, threads and many dimensions ask for.

use crate::array::Array;
use crate::dtype::DType;
use crate::layout::Shape;
use std::mem::MaybeUninit;

/// Bytes that are joined this way, at most.
const ROOM: usize = 256;

/// Arrays of one dtype, and of one shape but for its first size, one behind the other along the first dimension.
pub struct Short {
    bytes: [MaybeUninit<u8>; ROOM],
    len: usize,
    /// The shape of them all, and their dtype.
    like: Option<(Shape, DType)>,
}

impl Default for Short {
    fn default() -> Short {
        Short {
            bytes: [const { MaybeUninit::uninit() }; ROOM],
            len: 0,
            like: None,
        }
    }
}

impl Short {
    /// Adds an array behind those before. Whether that was possible: if it is contiguous, fits them, and there is room.
    #[inline]
    pub fn push(&mut self, x: &Array) -> bool {
        let bytes = x.numel() * x.dtype().size();
        if x.rank() == 0 || !x.is_contiguous() || bytes > ROOM - self.len {
            return false;
        }
        match &mut self.like {
            None => self.like = Some((x.shape().clone(), x.dtype())),
            Some((shape, dtype)) if *dtype == x.dtype() && shape[1..] == x.shape()[1..] => {
                shape.grow(0, x.shape()[0]);
            }
            Some(_) => return false,
        }
        // SAFETY: a contiguous array has so many bytes, all of them initialised; there is room for them behind `len`.
        unsafe {
            let to = self.bytes.as_mut_ptr().add(self.len).cast::<u8>();
            to.copy_from_nonoverlapping(x.as_bytes_ptr(), bytes);
        }
        self.len += bytes;
        true
    }

    /// All of them, which it forgets; nothing if there were none.
    #[inline]
    pub fn array(&mut self) -> Option<Array> {
        let (shape, dtype) = self.like.take()?;
        let y = Array::uninit(shape, dtype);
        assert_eq!(y.numel() * dtype.size(), self.len);
        // SAFETY: so many bytes were written here, and belong to the new array, which nobody else holds.
        unsafe {
            let to = y.as_bytes_ptr().cast_mut();
            to.copy_from_nonoverlapping(self.bytes.as_ptr().cast(), self.len);
        }
        self.len = 0;
        Some(y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_joined_as_concat_does() {
        let a = Array::from_slice(&[1.0f32, 2.0, 3.0, 4.0], [2, 2]);
        let b = Array::from_slice(&[5.0f32, 6.0], [1, 2]);
        let mut short = Short::default();
        assert!(short.push(&a) && short.push(&b) && short.push(&a.slice(0, 1, 1, 1)));
        for other in [
            a.transpose(0, 1),
            b.reshape([2]),
            b.cast(DType::F64),
            b.reshape([2, 1]),
            Array::full([], 1.0, DType::F32),
            Array::full([30, 2], 0.0, DType::F32),
        ] {
            assert!(!short.push(&other), "{:?}", other.shape());
        }
        let y = short.array().unwrap();
        assert_eq!(y.shape()[..], [4, 2]);
        assert_eq!(y.to_vec::<f32>(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 3.0, 4.0]);
        assert!(Short::default().array().is_none());
        let mut none = Short::default();
        assert!(
            none.push(&Array::full([0, 3], 0.0, DType::I64))
                && none.push(&Array::full([0, 3], 0.0, DType::I64))
        );
        assert_eq!(none.array().unwrap().shape()[..], [0, 3]);
    }
}
