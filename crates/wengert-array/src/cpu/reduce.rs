//! Many numbers to one.
//!
//! An array is seen as rows to be reduced (the reduced dimensions innermost), or, where the kept dimensions
//! lie closer together, as columns (the reduced dimensions outermost, rows added up element by element).
//! Blocks have a fixed size and are combined in a fixed order, in f64 for floating-point numbers: the result
//! does not depend on the number of threads.

use super::isa::{Lane, dispatch};
use super::shared::{In, Out};
use super::threads;
use super::vector::{Ahead, Float, Known, Largest, Product, Smallest, Squared, Sum, Vector, fold};
use super::walk::{self, Walk};
use crate::array::Array;
use crate::dtype::DType;
use crate::layout::Shape;
use crate::real::Real;
use crate::with_compute;
use smallvec::SmallVec;
use std::mem::MaybeUninit;
use std::ops::Range;

/// What a reduction makes of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduce {
    /// Their sum.
    Sum,
    /// Their product.
    Prod,
    /// The larger; NaN if either is.
    Max,
    /// The smaller; NaN if either is.
    Min,
    /// The sum of their squares.
    Squares,
    /// The sum of what is not NaN.
    Known,
}

/// Elements that are gathered in one go.
const TILE: usize = 4096;
/// Columns that are reduced in one go.
const COLUMNS: usize = 1024;
/// Elements of a row that are reduced in one go.
const BLOCK: usize = 64 << 10;
/// The longest rows that are reduced number by number.
const SHORT: usize = 8;
/// Rows that are added up in the computing type before they go into the wider accumulator.
const ROWS: usize = 64;

/// What partial results are combined in.
pub(crate) trait Accumulate: Lane {
    type Wide: Copy + Send + Sync + PartialOrd;
    fn identity(how: Reduce) -> Self;
    fn wide_identity(how: Reduce) -> Self::Wide;
    fn widen(self, into: Self::Wide, how: Reduce) -> Self::Wide;
    fn narrow(wide: Self::Wide) -> Self;
    fn combine_wide(a: Self::Wide, b: Self::Wide, how: Reduce) -> Self::Wide;
    /// What `how` makes of n numbers and of what `into` holds.
    ///
    /// # Safety
    /// There are n at `x`.
    unsafe fn fold(how: Reduce, x: *const Self, n: usize, into: &mut Self::Wide);
}

macro_rules! accumulate {
    ($t:ty, $wide:ty, $low:expr, $high:expr, $sum:expr, $prod:expr, $fold:ident) => {
        impl Accumulate for $t {
            type Wide = $wide;
            fn identity(how: Reduce) -> Self {
                match how {
                    Reduce::Sum | Reduce::Squares | Reduce::Known => 0 as $t,
                    Reduce::Prod => 1 as $t,
                    Reduce::Max => $low,
                    Reduce::Min => $high,
                }
            }
            fn wide_identity(how: Reduce) -> $wide {
                Self::identity(how) as $wide
            }
            #[inline(always)]
            fn widen(self, into: $wide, how: Reduce) -> $wide {
                Self::combine_wide(into, self as $wide, how)
            }
            #[inline(always)]
            fn combine_wide(into: $wide, x: $wide, how: Reduce) -> $wide {
                match how {
                    // Squares and what is known are sums of terms that were made before.
                    Reduce::Sum | Reduce::Squares | Reduce::Known => $sum(into, x),
                    Reduce::Prod => $prod(into, x),
                    #[allow(clippy::eq_op)]
                    Reduce::Max => {
                        if x > into || x != x {
                            x
                        } else {
                            into
                        }
                    }
                    #[allow(clippy::eq_op)]
                    Reduce::Min => {
                        if x < into || x != x {
                            x
                        } else {
                            into
                        }
                    }
                }
            }
            fn narrow(wide: $wide) -> Self {
                wide as $t
            }
            unsafe fn fold(how: Reduce, x: *const $t, n: usize, into: &mut $wide) {
                // SAFETY: the caller's promise.
                unsafe { $fold::<$t>(how, x, n, into) };
            }
        }
    };
}
accumulate!(
    f32,
    f64,
    f32::NEG_INFINITY,
    f32::INFINITY,
    |a, b| a + b,
    |a, b| a * b,
    fold_floats
);
accumulate!(
    f64,
    f64,
    f64::NEG_INFINITY,
    f64::INFINITY,
    |a, b| a + b,
    |a, b| a * b,
    fold_floats
);
accumulate!(
    i64,
    i64,
    i64::MIN,
    i64::MAX,
    i64::wrapping_add,
    i64::wrapping_mul,
    fold_integers
);

/// Reduces over `axes` (sorted, distinct), which stay with size one. The result is of dtype `out`.
pub fn reduce(x: &Array, axes: &[usize], how: Reduce, out: DType) -> Array {
    let shape: Shape = (0..x.rank())
        .map(|d| if axes.contains(&d) { 1 } else { x.shape()[d] })
        .collect();
    reduce_as(x, axes, how, out, &shape)
}

/// As [`reduce`], where the result has a shape given, of as many elements.
pub fn reduce_as(x: &Array, axes: &[usize], how: Reduce, out: DType, shape: &Shape) -> Array {
    let compute = if out.is_float() { out } else { DType::I64 };
    with_compute!(compute, C => run::<C>(x, axes, how, out, shape))
}

fn run<C: Accumulate>(x: &Array, axes: &[usize], how: Reduce, out: DType, shape: &Shape) -> Array {
    let count: usize = axes.iter().map(|&d| x.shape()[d]).product();
    let n = shape.numel();
    let mut result = Array::uninit(shape, C::DTYPE);
    let out_ptr = Out(result.uninit_slice::<C>());
    if axes.len() == x.rank() {
        assert!(n == 1, "everything is one number");
        reduce_rows::<C>(x, n, count, how, out_ptr);
        return result.cast(out);
    }
    let kept: SmallVec<[usize; 6]> = (0..x.rank()).filter(|d| !axes.contains(d)).collect();
    assert!(
        n == kept.iter().map(|&d| x.shape()[d]).product(),
        "a result for each row"
    );
    let nearest = |dims: &[usize]| {
        let strides = x.layout().strides();
        dims.iter()
            .filter(|&&d| x.shape()[d] > 1)
            .map(|&d| strides[d].unsigned_abs())
            .min()
    };
    let columns = n > 1 && count > 0 && nearest(&kept) < nearest(axes).or(Some(0));
    let first = if columns { axes } else { &kept[..] };
    let second = if columns { &kept[..] } else { axes };
    let order: SmallVec<[usize; 6]> = first.iter().chain(second).copied().collect();
    let seen = if order.iter().copied().eq(0..x.rank()) {
        x.clone()
    } else {
        x.permute(&order)
    };
    if columns {
        reduce_columns::<C>(&seen, n, count, how, out_ptr);
    } else {
        reduce_rows::<C>(&seen, n, count, how, out_ptr);
    }
    result.cast(out)
}

/// Where elements come from: straight from memory, or gathered.
struct Reader<'a, C> {
    array: &'a Array,
    from: From<C>,
}

enum From<C> {
    Direct(*const C),
    Gather(Walk),
}
// SAFETY: the array is only read.
unsafe impl<C> Sync for Reader<'_, C> {}

impl<'a, C: Lane> Reader<'a, C> {
    fn new(array: &'a Array) -> Self {
        let from = match array.dtype() == C::DTYPE && array.is_contiguous() {
            true => From::Direct(array.as_ptr::<C>()),
            false => From::Gather(Walk::new(array)),
        };
        Reader { array, from }
    }

    /// Elements `at .. at + n`, with `n ≤ TILE` if they are gathered.
    ///
    /// # Safety
    /// The array has them.
    unsafe fn read(&self, at: usize, n: usize, tile: &mut MaybeUninit<[C; TILE]>) -> *const C {
        match &self.from {
            // SAFETY: the caller's promise.
            From::Direct(p) => unsafe { p.add(at) },
            From::Gather(walk) => {
                let tile = tile.as_mut_ptr().cast::<C>();
                // SAFETY: the caller's promise; the tile holds n elements.
                unsafe { walk::load(self.array, &mut walk.from(at), n, tile) };
                tile
            }
        }
    }
}

fn reduce_rows<C: Accumulate>(x: &Array, n: usize, count: usize, how: Reduce, out: Out<C>) {
    let reader = Reader::<C>::new(x);
    let block = |start: usize, len: usize| -> C::Wide {
        let mut tile = MaybeUninit::uninit();
        let mut wide = C::wide_identity(how);
        let step = match reader.from {
            From::Direct(_) => BLOCK.max(len),
            From::Gather(_) => TILE,
        };
        for at in (start..start + len).step_by(step) {
            let k = step.min(start + len - at);
            // SAFETY: the block lies within the array; `read` gives k elements.
            unsafe { C::fold(how, reader.read(at, k, &mut tile), k, &mut wide) };
        }
        wide
    };
    let blocks = count.div_ceil(BLOCK).max(1);
    if let From::Direct(x) = reader.from
        && (1..=SHORT).contains(&count)
        && !matches!(how, Reduce::Squares | Reduce::Known)
    {
        let x = In(x);
        return threads::split(n, 1, count, |start, len| {
            // SAFETY: these rows lie within the array, and their results are this thread's.
            unsafe { short_rows(x.at(start * count), out.at(start), len, count, how) };
        });
    }
    if blocks == 1 {
        threads::split(n, 1, count.max(1), |start, len| {
            for k in start..start + len {
                // SAFETY: k < n, and only this thread has it.
                unsafe { out.at(k).write(C::narrow(block(k * count, count))) };
            }
        });
        return;
    }
    let mut partial = vec![C::wide_identity(how); n * blocks];
    let slots = Out(partial.as_mut_ptr());
    threads::split(n * blocks, 1, BLOCK, |start, len| {
        for t in start..start + len {
            let (k, b) = (t / blocks, t % blocks);
            let wide = block(k * count + b * BLOCK, BLOCK.min(count - b * BLOCK));
            // SAFETY: t < n·blocks, and only this thread has it.
            unsafe { slots.at(t).write(wide) };
        }
    });
    for (k, parts) in partial.chunks(blocks).enumerate() {
        let combine = |a, b: &C::Wide| C::combine_wide(a, *b, how);
        // SAFETY: k < n.
        unsafe {
            out.at(k)
                .write(C::narrow(parts.iter().fold(C::wide_identity(how), combine)))
        };
    }
}

/// Rows so short that beginning with each costs more than its numbers, which [`Accumulate::fold`] would take one by one.
///
/// # Safety
/// There are `rows` of `count` numbers at `x`, and room for as many results at `out`.
unsafe fn short_rows<C: Accumulate>(x: *const C, out: *mut C, rows: usize, count: usize, how: Reduce) {
    for k in 0..rows {
        // SAFETY: the caller's promise.
        unsafe {
            let row = std::slice::from_raw_parts(x.add(k * count), count);
            let wide = row
                .iter()
                .fold(C::wide_identity(how), |wide, v| v.widen(wide, how));
            out.add(k).write(C::narrow(wide));
        }
    }
}

fn reduce_columns<C: Accumulate>(x: &Array, n: usize, count: usize, how: Reduce, out: Out<C>) {
    /// So many strips of columns are enough for threads to share.
    const MANY: usize = 16;
    let reader = Reader::<C>::new(x);
    let strips = n.div_ceil(COLUMNS);
    // Of few columns the rows are shared out, too: as many as were added up in one go anyway.
    let together = match strips < MANY {
        true => (BLOCK / n).next_multiple_of(ROWS).max(ROWS),
        false => count,
    };
    let blocks = count.div_ceil(together);
    let mut partial = vec![C::wide_identity(how); if blocks > 1 { blocks * n } else { 0 }];
    let slots = Out(partial.as_mut_ptr());
    threads::split(
        strips * blocks,
        1,
        together.min(count) * COLUMNS.min(n),
        |start, len| {
            for t in start..start + len {
                let (b, c) = (t / strips, t % strips * COLUMNS);
                let (rows, k) = (b * together..count.min((b + 1) * together), COLUMNS.min(n - c));
                // SAFETY: the array has these rows and columns, and their results are this thread's.
                unsafe {
                    match blocks {
                        1 => some_columns(&reader, how, rows, n, c, out.slice(c, k)),
                        _ => wide_columns(&reader, how, rows, n, c, slots.slice(b * n + c, k)),
                    }
                };
            }
        },
    );
    if blocks > 1 {
        let (all, others) = partial.split_at_mut(n);
        for part in others.chunks(n) {
            let each = all.iter_mut().zip(part);
            each.for_each(|(all, part)| *all = C::combine_wide(*all, *part, how));
        }
        for (c, all) in all.iter().enumerate() {
            // SAFETY: c < n.
            unsafe { out.at(c).write(C::narrow(*all)) };
        }
    }
}

/// What these rows make in the columns from `c` on that `out` has room for, of an array of rows of n numbers.
///
/// # Safety
/// The array has them.
unsafe fn some_columns<C: Accumulate>(
    reader: &Reader<'_, C>,
    how: Reduce,
    rows: Range<usize>,
    n: usize,
    c: usize,
    out: &mut [C],
) {
    // SAFETY: the caller's promise.
    unsafe {
        if rows.len() <= ROWS {
            return narrow_columns(reader, how, rows.start * n + c, rows.len(), n, out);
        }
        let mut wide = [C::wide_identity(how); COLUMNS];
        wide_columns(reader, how, rows, n, c, &mut wide[..out.len()]);
        out.iter_mut()
            .zip(wide)
            .for_each(|(out, wide)| *out = C::narrow(wide));
    }
}

/// As [`some_columns`], of many rows.
///
/// # Safety
/// As there.
unsafe fn wide_columns<C: Accumulate>(
    reader: &Reader<'_, C>,
    how: Reduce,
    rows: Range<usize>,
    n: usize,
    c: usize,
    out: &mut [C::Wide],
) {
    let (width, mut narrow) = (out.len(), [C::identity(how); COLUMNS]);
    out.fill(C::wide_identity(how));
    let mut add = |at: usize, count: usize, step: usize, width: usize| {
        for r in (0..count).step_by(ROWS) {
            let narrow = &mut narrow[..width];
            // SAFETY: the caller's promise.
            unsafe { narrow_columns(reader, how, at + r * step, ROWS.min(count - r), step, narrow) };
            for narrow in narrow.chunks(out.len()) {
                for (wide, narrow) in out.iter_mut().zip(narrow) {
                    *wide = narrow.widen(*wide, how);
                }
            }
        }
    };
    // Whole rows are side by side: short ones are taken several at a time, as one.
    let (at, count) = (rows.start * n + c, rows.len());
    let together = match (&reader.from, width == n) {
        (From::Direct(_), true) => (COLUMNS / n).min(count / ROWS).max(1),
        _ => 1,
    };
    let whole = count / together;
    add(at, whole, n * together, width * together);
    if whole * together < count {
        add(at + whole * together * n, count - whole * together, n, width);
    }
}

/// What so many rows make, which begin at `at` and are `step` apart, in as many columns as `out` has.
///
/// Never inlined: before it asks for so large a frame, LLVM 22 keeps the end of a loop around it in the register which the
/// asking then takes (seen in the wheel).
///
/// # Safety
/// The array has them.
#[inline(never)]
unsafe fn narrow_columns<C: Accumulate>(
    reader: &Reader<'_, C>,
    how: Reduce,
    at: usize,
    count: usize,
    step: usize,
    out: &mut [C],
) {
    let mut tile = MaybeUninit::uninit();
    out.fill(C::identity(how));
    for r in 0..count {
        // SAFETY: the caller's promise.
        unsafe { combine_tile::<C>(how, reader.read(at + r * step, out.len(), &mut tile), out) };
    }
}

dispatch!(vectors unsafe fn fold_floats<C: Float>(how: Reduce, x: *const C, n: usize, into: &mut f64) => fold_floats_body);
dispatch!(unsafe fn fold_integers<C: Lane>(how: Reduce, x: *const C, n: usize, into: &mut C) => fold_integers_body);
dispatch!(unsafe fn combine_tile<C: Lane>(how: Reduce, x: *const C, acc: &mut [C]) => combine_tile_body);

/// What `how` makes of a result so far and of an element.
#[inline(always)]
fn join<S: Real>(how: Reduce, a: S, x: S) -> S {
    match how {
        Reduce::Sum => a + x,
        Reduce::Prod => a * x,
        Reduce::Max => a.max(x),
        Reduce::Min => a.min(x),
        Reduce::Squares => a + x * x,
        Reduce::Known => a + S::select(x.eq(x), x, S::ZERO),
    }
}

/// # Safety
/// `x` has `n` elements.
#[inline(always)]
unsafe fn fold_floats_body<V: Vector<C = C>, C: Float>(how: Reduce, x: *const C, n: usize, into: &mut f64) {
    // SAFETY: the caller's promise.
    let [[all]] = unsafe {
        match how {
            Reduce::Sum => fold::<V, Sum, 1, 1>(n, &Ahead(x)),
            Reduce::Prod => fold::<V, Product, 1, 1>(n, &Ahead(x)),
            Reduce::Max => fold::<V, Largest, 1, 1>(n, &Ahead(x)),
            Reduce::Min => fold::<V, Smallest, 1, 1>(n, &Ahead(x)),
            Reduce::Squares => fold::<V, Sum, 1, 1>(n, &Squared(Ahead(x))),
            Reduce::Known => fold::<V, Sum, 1, 1>(n, &Known(Ahead(x))),
        }
    };
    *into = f64::combine_wide(*into, all, how);
}

/// # Safety
/// `x` has `n` elements; `S` has the bits of `C`.
#[inline(always)]
unsafe fn fold_integers_body<S: Real, C: Lane>(how: Reduce, x: *const C, n: usize, into: &mut C) {
    // SAFETY: S and C are the same bits, and x has n elements.
    let (x, into) = unsafe {
        (
            std::slice::from_raw_parts(x.cast::<S>(), n),
            &mut *std::ptr::from_mut(into).cast::<S>(),
        )
    };
    // One loop for each, so that the choice is not made inside it.
    *into = match how {
        Reduce::Sum => x.iter().fold(*into, |a, b| a + *b),
        Reduce::Prod => x.iter().fold(*into, |a, b| a * *b),
        Reduce::Max => x.iter().fold(*into, |a, b| a.max(*b)),
        Reduce::Min => x.iter().fold(*into, |a, b| a.min(*b)),
        Reduce::Squares => x.iter().fold(*into, |a, b| join(Reduce::Squares, a, *b)),
        Reduce::Known => x.iter().fold(*into, |a, b| join(Reduce::Known, a, *b)),
    };
}

/// # Safety
/// `x` has as many elements as `acc`; `S` has the bits of `C`.
#[inline(always)]
unsafe fn combine_tile_body<S: Real, C: Lane>(how: Reduce, x: *const C, acc: &mut [C]) {
    let (n, x, acc) = (acc.len(), x.cast::<S>(), acc.as_mut_ptr().cast::<S>());
    macro_rules! each {
        ($how:expr) => {
            for i in 0..n {
                // SAFETY: i < n.
                unsafe {
                    acc.add(i)
                        .write(join($how, acc.add(i).read(), x.add(i).read()))
                };
            }
        };
    }
    match how {
        Reduce::Sum => each!(Reduce::Sum),
        Reduce::Prod => each!(Reduce::Prod),
        Reduce::Max => each!(Reduce::Max),
        Reduce::Min => each!(Reduce::Min),
        Reduce::Squares => each!(Reduce::Squares),
        Reduce::Known => each!(Reduce::Known),
    }
}

/// The index of the first largest (or smallest) element along `axis`, which stays with size one. NaN counts as
/// the extreme.
pub fn arg_reduce(x: &Array, axis: usize, largest: bool) -> Array {
    let last = x.rank() - 1;
    let rows = x.cast(x.dtype().compute()).transpose(axis, last).contiguous();
    let (count, shape) = (rows.shape()[last], rows.shape().with(last, 1));
    let mut index = vec![0i64; shape.numel()];
    let how = if largest { Reduce::Max } else { Reduce::Min };
    with_compute!(rows.dtype(), C => {
        let data = rows.as_slice::<C>();
        threads::each_row(&mut index, 1, count, || (), |(), r, slot| {
            slot[0] = first_extreme(&data[r * count..][..count], how) as i64;
        });
    });
    Array::from_slice(&index, shape)
        .transpose(axis, last)
        .contiguous()
}

/// Where the extreme of a row first stands: its block is found in vectors, and then the place in it.
#[allow(clippy::eq_op)]
fn first_extreme<C: Accumulate>(row: &[C], how: Reduce) -> usize {
    /// Elements that the second look finds in the nearest cache.
    const PIECE: usize = 2048;
    let none = C::wide_identity(how);
    let (mut best, mut at) = (none, 0);
    for (p, piece) in row.chunks(PIECE).enumerate() {
        let mut of = none;
        // SAFETY: the piece has so many elements.
        unsafe { C::fold(how, piece.as_ptr(), piece.len(), &mut of) };
        if p == 0 || C::combine_wide(best, of, how) != best {
            (best, at) = (of, p * PIECE);
        }
        if best != best {
            break;
        }
    }
    let is = |v: &C| {
        let v = v.widen(none, how);
        v == best || v != v
    };
    at + row[at..].iter().position(is).unwrap_or(0)
}

#[cfg(test)]
mod tests;
