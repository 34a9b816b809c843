//! Sums by index: in the compute type, in the order of the index.

use super::{Rows, Run, around, own, places, runs, writer};
use crate::array::Array;
use crate::cpu::isa::{Lane, dispatch};
use crate::cpu::shared::In;
use crate::cpu::threads;
use crate::dtype::DType;
use crate::real::Real;
use crate::with_compute;

/// The array in this dtype: itself where it has it already.
fn cast_owned(x: Array, dtype: DType) -> Array {
    match x.dtype() == dtype {
        true => x,
        false => x.cast(dtype),
    }
}

/// The reverse of [`index_select`](super::index_select): `base` with slices of `src` added at `index` along `axis`, in order.
///
/// # Panics
/// If an index is out of range.
pub fn index_add(base: Array, axis: usize, index: &Array, src: &Array) -> Array {
    /// Threads share rows of more than this many elements.
    const BAND: usize = 256;
    let (outer, size, inner) = around(base.shape(), axis);
    let index = places(index, size);
    let index = index.as_slice::<i64>();
    assert!(src.dtype() == base.dtype() && *src.shape() == base.shape().with(axis, index.len()));
    let (dtype, compute) = (base.dtype(), base.dtype().compute());
    let terms = src.cast(compute).contiguous();
    let mut y = own(cast_owned(base, compute));
    let lists = match inner <= BAND {
        true => runs(index, usize::MAX).map(|runs| vec![runs]),
        false if index.len() * inner > threads::GRAIN => shared_out(index, size),
        false => None,
    };
    with_compute!(compute, C => {
        let (from, out) = (In(terms.as_ptr::<C>()), writer::<C>(&mut y));
        let at = |o: usize| (out.at(o * size * inner), from.at(o * index.len() * inner));
        match &lists {
            Some(lists) => threads::split(outer * lists.len(), 1, index.len() * inner / lists.len(), |start, len| {
                for task in start..start + len {
                    let (out, from) = at(task / lists.len());
                    // SAFETY: indices are below size, so all rows lie within their arrays; those of y's are in this list alone.
                    unsafe { add_runs(out, from, &lists[task % lists.len()], inner) };
                }
            }),
            None => {
                let bands = inner.div_ceil(BAND);
                threads::split(outer * bands, 1, index.len() * inner.min(BAND), |start, len| {
                    for task in start..start + len {
                        let ((out, from), band) = (at(task / bands), task % bands * BAND);
                        // SAFETY: as above; this band of y's rows is ours alone.
                        unsafe { add_rows(out.add(band), from.add(band), index, inner, BAND.min(inner - band)) };
                    }
                });
            }
        }
    });
    cast_owned(y, dtype)
}

/// The index in lists for parts of the rows that it leads to, which threads then find where they left them; nothing if one list would
/// be much longer than others.
fn shared_out(index: &[i64], size: usize) -> Option<Vec<Vec<Run>>> {
    const PARTS: usize = 16;
    let rows = size.div_ceil(PARTS).max(1);
    let mut lists: Vec<Vec<Run>> = (0..PARTS).map(|_| Vec::new()).collect();
    for (at, &i) in index.iter().enumerate() {
        let first = i as usize;
        lists[first / rows].push(Run { at, first, count: 1 });
    }
    let most = lists.iter().map(Vec::len).max().unwrap_or(0);
    (most * PARTS <= 2 * index.len()).then_some(lists)
}

dispatch!(unsafe fn add_runs<C: Lane>(out: *mut C, src: *const C, runs: &[Run], inner: usize) => add_runs_body);

/// Adds rows of `inner` numbers from `src` to the rows of `out` that the runs lead to.
///
/// # Safety
/// All lie within their arrays, and these do not overlap.
#[inline(always)]
unsafe fn add_runs_body<S: Real, C: Lane>(out: *mut C, src: *const C, runs: &[Run], inner: usize) {
    for run in runs {
        // SAFETY: the caller's promise.
        unsafe {
            add_row::<S, C>(
                out.add(run.first * inner),
                src.add(run.at * inner),
                run.count * inner,
            )
        };
    }
}

dispatch!(unsafe fn add_rows<C: Lane>(out: *mut C, src: *const C, index: &[i64], step: usize, n: usize) => add_rows_body);

/// Adds rows of n numbers from `src`, `step` apart, to the rows of `out` that the index leads to.
///
/// # Safety
/// All lie within their arrays, and these do not overlap.
#[inline(always)]
unsafe fn add_rows_body<S: Real, C: Lane>(out: *mut C, src: *const C, index: &[i64], step: usize, n: usize) {
    for (k, &i) in index.iter().enumerate() {
        // SAFETY: the caller's promise; a single number is not worth a loop.
        unsafe {
            let (out, src) = (out.add(i as usize * step), src.add(k * step));
            match n {
                1 => add_place::<S, C>(out, src),
                _ => add_row::<S, C>(out, src, n),
            }
        }
    }
}

/// # Safety
/// There is a number at each; S has the bits of C.
#[inline(always)]
unsafe fn add_place<S: Real, C: Lane>(out: *mut C, src: *const C) {
    const { assert!(size_of::<S>() == size_of::<C>()) };
    let (out, src) = (out.cast::<S>(), src.cast::<S>());
    // SAFETY: the caller's promise.
    unsafe { out.write(out.read() + src.read()) };
}

/// # Safety
/// `n` numbers lie at each, and they do not overlap; S has the bits of C.
#[inline(always)]
unsafe fn add_row<S: Real, C: Lane>(out: *mut C, src: *const C, n: usize) {
    // SAFETY: the caller's promise.
    let out = unsafe { std::slice::from_raw_parts_mut(out.cast::<S>(), n) };
    for (k, sum) in out.iter_mut().enumerate() {
        // SAFETY: k < n.
        *sum = *sum + unsafe { src.add(k).cast::<S>().read() };
    }
}

/// The reverse of [`gather`](super::gather): `base` with `src` added at `index` along `axis`, in order.
///
/// # Panics
/// If an index is out of range.
pub fn scatter_add(base: Array, axis: usize, index: &Array, src: &Array) -> Array {
    assert!(src.shape() == index.shape() && src.dtype() == base.dtype());
    let rows = Rows::new(base.shape(), &base.shape().strides(), axis, index);
    let (dtype, compute) = (base.dtype(), base.dtype().compute());
    let terms = src.cast(compute).contiguous();
    let alone = axis + 1 == base.rank();
    let mut y = own(cast_owned(base, compute));
    with_compute!(compute, C => {
        let (terms, out) = (In(terms.as_ptr::<C>()), writer::<C>(&mut y));
        // SAFETY: indices are in range, other sizes are at most those of y, and `src` has the index's.
        let add = |start, n| unsafe { add_places::<C>(&rows, start, n, terms.at(0), out.at(0)) };
        // Along the last dimension, rows of the index lead to rows of y; along others, several to the same.
        match alone {
            true => threads::split(rows.count(), 1, rows.len.max(1) * 4, add),
            false => add(0, rows.count()),
        }
    });
    cast_owned(y, dtype)
}

dispatch!(unsafe fn add_places<C: Lane>(rows: &Rows, start: usize, n: usize, terms: *const C, out: *mut C) => add_places_body);

/// Adds the terms of rows `start .. start + n` where these lead.
///
/// # Safety
/// There are so many terms, and they lead into `out`; nobody else looks there.
#[inline(always)]
unsafe fn add_places_body<S: Real, C: Lane>(
    rows: &Rows,
    start: usize,
    n: usize,
    terms: *const C,
    out: *mut C,
) {
    let (terms, out) = (terms.cast::<S>(), out.cast::<S>());
    rows.each(start, n, move |at, place| {
        // SAFETY: the caller's promise; S has the bits of C.
        unsafe {
            let sum = out.offset(place);
            sum.write(sum.read() + terms.add(at).read());
        }
    });
}
