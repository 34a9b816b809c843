//! Files seen as memory.

use crate::array::Array;
use crate::dtype::DType;
use crate::layout::{Layout, Shape};
use memmap2::{MmapMut, MmapOptions};
use std::fs::File;
use std::io::Result;
use std::sync::Arc;

/// A file seen as memory: what nobody reads is not read from the disk, and several processes share what they read.
///
/// The file must not become shorter while this or an array of it lives: reading beyond its end ends the program
/// (SIGBUS on Unix). Replacing it by renaming another to its name does no harm, since what is mapped is the old
/// file, which lives on without a name.
#[derive(Clone)]
pub struct Mapping(Arc<MmapMut>);

impl Mapping {
    /// Maps a file, which must not be empty. Nothing is ever written back to it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn new(file: &File) -> Result<Mapping> {
        // SAFETY: the mapping is private, so no write reaches the file, and memory that another library writes to
        // through a view is a copy of ours from then on. What another process writes to the file meanwhile may show:
        // `array` therefore gives out floating-point elements alone, which have a meaning whatever their bits and
        // which nothing in this crate uses as a place in memory. That the file
        // does not become shorter the documentation asks of the caller; what happens else is a signal, and no access to other
        // memory.
        Ok(Mapping(Arc::new(unsafe { MmapOptions::new().map_copy(file)? })))
    }

    /// The elements from byte `at` on, without a copy, or `None` where they cannot be used as they lie: if they reach
    /// beyond the end, are not aligned, are no floating-point numbers, or have the other byte order. A write through
    /// the array copies it first.
    pub fn array(&self, at: u64, shape: impl Into<Shape>, dtype: DType) -> Option<Array> {
        let shape = shape.into();
        let bytes = shape.checked_numel()?.checked_mul(dtype.size())?;
        let at = usize::try_from(at).ok()?;
        let fits = at.checked_add(bytes)? <= self.0.len();
        let aligned = (self.0.as_ptr() as usize + at).is_multiple_of(dtype.size());
        if !fits || !aligned || !dtype.is_float() || cfg!(target_endian = "big") {
            return None;
        }
        let strides = Layout::contiguous(shape.clone()).strides().to_vec();
        // SAFETY: the elements lie within the mapping, as just checked, which the array's owner keeps; they are aligned,
        // and floating-point. Nothing here writes to the mapping, and for other processes see `new`.
        Some(unsafe {
            let first = self.0.as_ptr().add(at);
            Array::from_foreign(first, shape, &strides, dtype, Box::new(self.0.clone()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn elements_are_used_where_they_lie_and_copied_when_written() {
        let path = std::env::temp_dir().join(format!("wengert-mapping-{}", std::process::id()));
        let numbers: Vec<u8> = [1.5f32, -2.0, 3.25, 4.0]
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        File::create(&path).unwrap().write_all(&numbers).unwrap();
        let mapping = Mapping::new(&File::open(&path).unwrap()).unwrap();
        let whole = mapping.array(0, [2, 2], DType::F32).unwrap();
        let mut part = mapping.array(8, [2], DType::F32).unwrap();
        assert!(whole.is_foreign() && !whole.is_unique());
        assert_eq!(whole.as_bytes_ptr().wrapping_add(8), part.as_bytes_ptr());
        // Bits seen as integers, which may be places in memory, are a copy.
        assert!(!part.bitcast(DType::I32).is_foreign() && part.bitcast(DType::F32).is_foreign());
        part.make_mut::<f32>()[0] = 7.0;
        assert_eq!(part.to_vec::<f32>(), [7.0, 4.0]);
        // What is beyond the end, lies askew, or may be a place in memory is not given out.
        for (at, n, dtype) in [
            (8, 3, DType::F32),
            (16, 1, DType::F32),
            (u64::MAX, 1, DType::F32),
            (0, usize::MAX / 2, DType::F32),
            (2, 1, DType::F32),
            (4, 1, DType::F64),
            (0, 2, DType::I64),
            (0, 2, DType::Bool),
        ] {
            assert!(mapping.array(at, [n], dtype).is_none(), "{n} of {dtype} at {at}");
        }
        assert_eq!(mapping.array(16, [0], DType::F32).unwrap().numel(), 0);
        // An array outlives the mapping and the file's name.
        drop(mapping);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(whole.to_vec::<f32>(), [1.5, -2.0, 3.25, 4.0]);
    }
}
