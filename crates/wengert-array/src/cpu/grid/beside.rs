//! Channels brought beside each other, so that a neighbour in all of them is one vector, and back.

use super::TILE;
use crate::cpu::isa::Lane;

/// Rows that are shuffled into each other, or out of each other.
pub(super) struct Room<C> {
    halves: [Vec<C>; 2],
    /// Zeros, for channels that are not there, and what comes back from these.
    none: [Vec<C>; 2],
}

impl<C: Lane> Room<C> {
    pub(super) fn new(lanes: usize) -> Room<C> {
        let room = |n: usize| vec![C::default(); n * TILE];
        Room {
            halves: [room(lanes), room(lanes)],
            none: [room(1), room(1)],
        }
    }
}

/// Brings `channels` rows of `len` numbers, which are `step` apart, beside each other, W to a place; the others become zero.
///
/// # Safety
/// There are so many numbers, and room for them.
#[inline(always)]
#[allow(clippy::extra_unused_type_parameters)] // only elements move, of whatever reading
pub(super) unsafe fn gather_body<S, C: Lane, const W: usize>(
    from: *const C,
    step: usize,
    channels: usize,
    len: usize,
    room: &mut Room<C>,
    to: *mut C,
) {
    for p in (0..len).step_by(TILE) {
        let (n, to) = (TILE.min(len - p), to.wrapping_add(p * W));
        let [mut here, mut next] = room.halves.each_mut().map(|half| half.as_mut_ptr());
        // Each row and that half of all rows behind it, until there is one.
        let mut rows = W;
        while rows > 1 {
            rows /= 2;
            let width = n * (W / rows) / 2;
            for r in 0..rows {
                let row = |r: usize| match 2 * rows == W {
                    true if r < channels => from.wrapping_add(r * step + p),
                    true => room.none[0].as_ptr(),
                    false => here.wrapping_add(r * width).cast_const(),
                };
                let to = if rows == 1 {
                    to
                } else {
                    next.wrapping_add(2 * r * width)
                };
                // SAFETY: the caller's promise; rooms have W rows of a tile.
                unsafe { zip(row(r), row(r + rows), width, to) };
            }
            (here, next) = (next, here);
        }
        if W == 1 {
            // SAFETY: the caller's promise.
            unsafe { to.copy_from_nonoverlapping(from.add(p), n) };
        }
    }
}

/// The way back from [`gather_body`].
///
/// # Safety
/// There are so many numbers, and room for them.
#[inline(always)]
#[allow(clippy::extra_unused_type_parameters)] // only elements move, of whatever reading
pub(super) unsafe fn spread_body<S, C: Lane, const W: usize>(
    from: *const C,
    len: usize,
    room: &mut Room<C>,
    channels: usize,
    step: usize,
    to: *mut C,
) {
    for p in (0..len).step_by(TILE) {
        let (n, from) = (TILE.min(len - p), from.wrapping_add(p * W));
        let [mut here, mut next] = room.halves.each_mut().map(|half| half.as_mut_ptr());
        let mut rows = 1;
        while rows < W {
            let width = n * (W / rows) / 2;
            for r in 0..rows {
                let none = room.none[1].as_mut_ptr();
                let row = |r: usize| match 2 * rows == W {
                    true if r < channels => to.wrapping_add(r * step + p),
                    true => none,
                    false => next.wrapping_add(r * width),
                };
                let from = if rows == 1 {
                    from
                } else {
                    here.wrapping_add(2 * r * width)
                };
                // SAFETY: the caller's promise; rooms have W rows of a tile.
                unsafe { unzip(from, width, row(r), row(r + rows)) };
            }
            rows *= 2;
            (here, next) = (next, here);
        }
        if W == 1 {
            // SAFETY: the caller's promise.
            unsafe { to.add(p).copy_from_nonoverlapping(from, n) };
        }
    }
}

/// Two rows of n numbers as pairs.
///
/// # Safety
/// There are so many, and room for them elsewhere.
#[inline(always)]
unsafe fn zip<C: Copy>(a: *const C, b: *const C, n: usize, to: *mut C) {
    for i in 0..n {
        // SAFETY: the caller's promise.
        unsafe {
            to.cast::<[C; 2]>()
                .add(i)
                .write([a.add(i).read(), b.add(i).read()])
        };
    }
}

/// n pairs as two rows.
///
/// # Safety
/// As [`zip`].
#[inline(always)]
unsafe fn unzip<C: Copy>(from: *const C, n: usize, a: *mut C, b: *mut C) {
    for i in 0..n {
        // SAFETY: the caller's promise.
        unsafe {
            a.add(i).write(from.add(2 * i).read());
            b.add(i).write(from.add(2 * i + 1).read());
        }
    }
}
