//! Which indices are in range.

use crate::array::Array;
use crate::cpu::isa::{Lane, dispatch};
use crate::cpu::threads;
use crate::error::{Error, ErrorKind, Result};
use std::sync::{Mutex, PoisonError};

/// What a list of indices is.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub(super) enum Kind {
    /// All are from 0 to below the size.
    Plain,
    /// All are from −size to below it.
    FromEnd,
    /// Some are not.
    Outside,
}

/// What these indices are, in one pass without branches: what is outside makes a sign, and so does what counts from the end.
#[inline]
pub(super) fn kind(index: &[i64], size: usize) -> Kind {
    let mut signs = [0; 2];
    match index.len() < 16 {
        true => signs_body(index, size as i64, &mut signs),
        // SAFETY: see there.
        false => unsafe { signs_of::<i64>(index, size as i64, &mut signs) },
    }
    match signs[0] < 0 {
        // Where the size is almost the largest number, what is in range may make a sign, too.
        true if first_outside(index, size).is_some() => Kind::Outside,
        _ if signs[1] < 0 => Kind::FromEnd,
        _ => Kind::Plain,
    }
}

/// The first index that is not from −size to below it.
#[cold]
fn first_outside(index: &[i64], size: usize) -> Option<usize> {
    let size = size as i64;
    index.iter().position(|i| !(-size..size).contains(i))
}

#[inline(always)]
fn signs_body(index: &[i64], size: i64, signs: &mut [i64; 2]) {
    let (mut outside, mut from_end) = (0, 0);
    for i in index {
        outside |= i.wrapping_add(size) | (size - 1).wrapping_sub(*i);
        from_end |= i;
    }
    *signs = [outside, from_end];
}

dispatch!(unsafe fn signs_of<C: Lane>(index: &[i64], size: i64, signs: &mut [i64; 2]) => signs_any);

/// # Safety
/// None is asked for: it is unsafe only because it is compiled for instructions, which the dispatch finds.
#[allow(clippy::extra_unused_type_parameters)]
#[inline(always)]
unsafe fn signs_any<S, C: Lane>(index: &[i64], size: i64, signs: &mut [i64; 2]) {
    signs_body(index, size, signs);
}

/// The indices (I64) as places from 0 on: those below 0 count from the end.
///
/// # Errors
/// If one is not from −size to below it.
pub fn positions(index: &Array, size: usize) -> Result<Array> {
    let mut index = index.contiguous();
    let (all, worst) = (index.as_slice::<i64>(), Mutex::new(Kind::Plain));
    threads::split(all.len(), 1, 1, |start, n| {
        let kind = kind(&all[start..start + n], size);
        let mut worst = worst.lock().unwrap_or_else(PoisonError::into_inner);
        if kind > *worst {
            *worst = kind;
        }
    });
    match worst.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Kind::Plain => Ok(index),
        Kind::FromEnd => {
            let all = index.make_mut::<i64>();
            all.iter_mut().filter(|i| **i < 0).for_each(|i| *i += size as i64);
            Ok(index)
        }
        Kind::Outside => Err(Error::new(ErrorKind::Index, "", outside(&index, size))),
    }
}

/// Which index is out of range.
#[cold]
pub(super) fn outside(index: &Array, size: usize) -> String {
    let index = index.as_slice::<i64>();
    let at = first_outside(index, size).expect("one is outside");
    format!(
        "index {}, at position {at} of the indices, is out of range for size {size}",
        index[at]
    )
}

/// The index as numbers below `size`.
///
/// # Panics
/// If one is not.
pub(in crate::cpu) fn places(index: &Array, size: usize) -> Array {
    positions(index, size).unwrap_or_else(|error| panic!("{}", error.message()))
}
