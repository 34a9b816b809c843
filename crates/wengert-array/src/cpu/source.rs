//! Where the tiles of an input come from: from where it lies, in one piece or by the rows of a view; from one element,
//! repeated along a row; else gathered.

use super::isa::{Lane, dispatch};
use super::pointwise::TILE;
use super::walk::{self, Cursor, Runs, Walk};
use crate::array::Array;
use std::mem::MaybeUninit;

/// Rows shorter than this are gathered, many into one tile.
const ROW: usize = 128;

/// An input that a loop computed in `C` reads.
pub(super) enum Source<C> {
    /// Contiguous, of type `C`.
    Direct(*const C),
    /// From the first element on, rows that begin where the walk leads: of elements side by side, or of one element.
    Rows { first: *const C, rows: Walk, one: bool },
    /// Any strides and any type; and whether all tiles are alike.
    Gather(Array, Walk, bool),
    /// The rule does not look at it.
    Unread,
}

/// How a loop over `n` elements is cut, so that its inputs can be read.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    /// What is read at a time does not go beyond a row of so many elements.
    pub row: usize,
    /// The sizes of tiles are multiples of this, so those of what repeats as often are alike.
    pub period: usize,
}

impl Cut {
    /// For inputs that were broadcast to a shape of `n` elements, those that are not direct; `large` where results go past the
    /// caches, by whole lines.
    pub(super) fn new<'a, C: Lane>(
        inputs: impl Iterator<Item = (&'a Array, &'a Walk)> + Clone,
        n: usize,
        large: bool,
    ) -> Cut {
        let mut cut = Cut {
            row: n.max(1),
            period: 1,
        };
        // What is read in rows has those of its last sizes multiplied, so the shortest divide the others; periods likewise.
        let row = inputs.clone().filter_map(|(a, walk)| row::<C>(a, walk)).min();
        if let Some(row @ ROW..) = row
            && row < n
        {
            cut.row = row;
            return cut;
        }
        let lines = |elements: &usize| !large || (elements * size_of::<C>()).is_multiple_of(64);
        let periods = inputs.filter_map(|(_, walk)| walk.period()).filter(lines);
        cut.period = periods.max().filter(|p| *p <= TILE / 2).unwrap_or(1);
        cut
    }
}

/// How many elements from the last dimensions lie side by side, or are one and the same, in a view of type `C`.
fn row<C: Lane>(a: &Array, walk: &Walk) -> Option<usize> {
    match walk.inner() {
        (size, 0 | 1) if a.dtype() == C::DTYPE => Some(size),
        _ => None,
    }
}

pub(super) fn is_direct<C: Lane>(a: &Array) -> bool {
    a.is_contiguous() && a.dtype() == C::DTYPE
}

/// The walk of an input that is not direct.
pub(super) fn walk_of<C: Lane>(a: &Option<Array>) -> Option<Walk> {
    a.as_ref().filter(|a| !is_direct::<C>(a)).map(Walk::new)
}

impl<C: Lane> Source<C> {
    /// Of an input with its walk, if it has one.
    pub(super) fn new(a: &Option<Array>, walk: Option<Walk>, cut: Cut) -> Source<C> {
        let Some(a) = a else {
            return Source::Unread;
        };
        let Some(walk) = walk else {
            return Source::Direct(a.as_ptr::<C>());
        };
        match row::<C>(a, &walk) {
            Some(size) if size.is_multiple_of(cut.row) => Source::Rows {
                first: a.as_ptr::<C>(),
                one: walk.inner().1 == 0,
                rows: walk.by_rows(cut.row),
            },
            _ => {
                let alike = cut.period > 1 && walk.period().is_some_and(|p| cut.period.is_multiple_of(p));
                Source::Gather(a.clone(), walk, alike)
            }
        }
    }

    /// Whether a tile may have any number of elements.
    pub(super) fn is_in_place(&self) -> bool {
        !matches!(self, Source::Gather(..) | Source::Rows { one: true, .. })
    }

    /// Whether each tile is put together.
    pub(super) fn is_gathered(&self) -> bool {
        matches!(self, Source::Gather(.., false))
    }

    /// To read from element `start` on, with rows of `row`.
    pub(super) fn reader(&self, start: usize, row: usize) -> Reader<'_, C> {
        let way = match self {
            Source::Direct(first) => Way::Direct(*first),
            Source::Rows { first, rows, one } => Way::Rows {
                first: *first,
                rows: rows.cursor(start / row),
                one: *one,
            },
            Source::Gather(array, walk, alike) => Way::Gather {
                array,
                runs: walk.from(start),
                alike: *alike,
            },
            Source::Unread => Way::Unread,
        };
        Reader { way, filled: false }
    }
}

/// A source, with the place that its reader is at.
enum Way<'a, C> {
    Direct(*const C),
    Rows {
        first: *const C,
        rows: Cursor<'a>,
        one: bool,
    },
    Gather {
        array: &'a Array,
        runs: Runs<'a>,
        alike: bool,
    },
    Unread,
}

/// What a thread reads of an input, from one tile to the next.
pub(super) struct Reader<'a, C> {
    way: Way<'a, C>,
    /// Whether the tile holds what the next one would.
    filled: bool,
}

impl<C: Lane> Reader<'_, C> {
    /// Asks for what elements `at .. at + n` will be followed by. A rule that reads one input where another one says so would else
    /// begin to fetch it only then.
    #[inline]
    pub(super) fn prefetch(&self, at: usize, ahead: usize, n: usize) {
        if let Way::Direct(first) = self.way {
            walk::prefetch(first.wrapping_add(at).wrapping_byte_add(ahead), n);
        }
    }

    /// Where elements `at .. at + n` can be read, the next ones, of which the first is number `column` of a row of `row`. `tile` is
    /// always the same.
    ///
    /// # Safety
    /// The input has at least `at + n` elements, its row at least `column + n`, and `n ≤ TILE` where it is not in place. Tiles
    /// that follow one of those that are alike are no longer than the first.
    #[inline]
    pub(super) unsafe fn tile(
        &mut self,
        at: usize,
        n: usize,
        [column, row]: [usize; 2],
        tile: &mut MaybeUninit<[C; TILE]>,
    ) -> *const C {
        let tile = tile.as_mut_ptr().cast::<C>();
        match &mut self.way {
            // SAFETY: the caller's promise; the array is contiguous.
            Way::Direct(first) => return unsafe { first.add(at) },
            Way::Unread => return zeros(),
            Way::Rows {
                first,
                rows,
                one: false,
            } => {
                // SAFETY: the walk leads to rows of the array only, and the caller's promise.
                return unsafe { first.offset(rows.offset).add(column) };
            }
            _ if self.filled => {}
            Way::Rows { first, rows, .. } => {
                // SAFETY: likewise; the tile has room for TILE elements.
                unsafe {
                    let to = std::slice::from_raw_parts_mut(tile.cast::<MaybeUninit<C>>(), row.min(TILE));
                    repeat(*first.offset(rows.offset), to);
                }
                self.filled = true;
            }
            Way::Gather { array, runs, alike } => {
                // SAFETY: the caller's promise; the tile holds n elements.
                unsafe { walk::load(array, runs, n, tile) };
                self.filled = *alike;
            }
        }
        tile
    }

    /// Goes to the next row.
    #[inline]
    pub(super) fn next_row(&mut self) {
        if let Way::Rows { rows, .. } = &mut self.way {
            let before = rows.offset;
            rows.next();
            self.filled &= rows.offset == before;
        }
    }
}

// By the widest stores: vectors are read again at once, and of narrower ones they would have to be put together.
dispatch!(unsafe fn repeat<C: Lane>(element: C, to: &mut [MaybeUninit<C>]) => repeat_body);

#[allow(clippy::extra_unused_type_parameters)]
#[inline(always)]
unsafe fn repeat_body<S, C: Lane>(element: C, to: &mut [MaybeUninit<C>]) {
    to.fill(MaybeUninit::new(element));
}

/// Zeros to read where a rule does not look at an input: even a load that is thrown away may only be of something
/// initialised.
static ZEROS: [u64; TILE] = [0; TILE];

pub(super) fn zeros<C: Lane>() -> *const C {
    const { assert!(size_of::<C>() <= size_of::<u64>() && align_of::<C>() <= align_of::<u64>()) };
    ZEROS.as_ptr().cast()
}

#[cfg(test)]
mod tests {
    use crate::array::Array;
    use crate::cpu::pointwise::{Body, map};
    use crate::dtype::DType;
    use crate::layout::Shape;
    use crate::real::Real;

    struct Both;
    impl Body<3, 0, 2> for Both {
        #[inline(always)]
        fn eval<S: Real>(&self, [a, b, c]: [S; 3], []: [S; 0]) -> [S; 2] {
            [a * b + c, a - c]
        }
    }

    struct First;
    impl Body<3, 0, 1> for First {
        #[inline(always)]
        fn eval<S: Real>(&self, [a, b, c]: [S; 3], []: [S; 0]) -> [S; 1] {
            [a * b + c]
        }
    }

    /// Small whole numbers, which f16 holds too, in some view of `shape` by its three sizes.
    fn view(kind: usize, [p, r, c]: [usize; 3], dtype: DType) -> Array {
        let of = |shape: &[usize]| {
            let n: usize = shape.iter().product();
            let values: Vec<f32> = (0..n).map(|i| (i * 7 % 61) as f32).collect();
            Array::from_slice(&values, shape).cast(dtype)
        };
        match kind {
            0 => of(&[p, r, c]),
            1 => of(&[c]),
            2 => of(&[p, r, 1]),
            3 => of(&[r, 1]),
            4 => of(&[p, 1, c]),
            5 => of(&[r, c]),
            6 => of(&[]),
            7 => of(&[p, r, c + 3]).slice(2, 1, c, 1),
            8 => of(&[p, 2 * r, c]).slice(1, 0, r, 2),
            9 => of(&[r, p, c]).permute(&[1, 0, 2]),
            10 => of(&[p, r, c + 1]).slice(2, c, c, -1),
            _ => of(&[p, c, r]).permute(&[0, 2, 1]),
        }
    }

    fn check(sizes: [usize; 3], kinds: [usize; 3], dtypes: [DType; 3]) {
        let inputs: [Array; 3] = std::array::from_fn(|i| view(kinds[i], sizes, dtypes[i]));
        let shape = Shape::new(&sizes);
        let plain = inputs
            .each_ref()
            .map(|a| a.broadcast_to(&shape).cast(DType::F64).contiguous());
        let [a, b, c] = plain.each_ref().map(|a| a.as_slice::<f64>());
        let some = || inputs.clone().map(Some);
        let [y] = map(&First, DType::F32, some(), [], &shape, [DType::F32]);
        let [z, w] = map(&Both, DType::F32, some(), [], &shape, [DType::F32, DType::F64]);
        for i in 0..shape.numel() {
            let (first, second) = (a[i] * b[i] + c[i], a[i] - c[i]);
            let here = || format!("{sizes:?}, views {kinds:?} of {dtypes:?}, element {i}");
            assert_eq!(f64::from(y.as_slice::<f32>()[i]), first, "{}", here());
            assert_eq!(f64::from(z.as_slice::<f32>()[i]), first, "{}", here());
            assert_eq!(w.as_slice::<f64>()[i], second, "{}", here());
        }
    }

    #[test]
    fn every_view_is_read_as_its_copy_would_be() {
        let f = [DType::F32; 3];
        // Rows in place, rows gathered, and what fits one tile; all pairs of views in each.
        for sizes in [
            [2, 5, 200],
            [3, 40, 9],
            [2, 3, 129],
            [1, 1, 700],
            [7, 300, 1],
            [2, 0, 5],
        ] {
            for one in 0..12 {
                for two in 0..12 {
                    check(sizes, [one, two, (one + two) % 12], f);
                }
            }
            for kind in 0..12 {
                check(sizes, [0, kind, 1], [DType::F32, DType::F16, DType::I32]);
                check(sizes, [kind, 2, 1], [DType::BF16, DType::F32, DType::F16]);
            }
        }
    }

    #[test]
    fn what_goes_past_the_caches_is_cut_where_rows_end() {
        let f = [DType::F32; 3];
        for (sizes, kinds) in [
            ([2, 20_987, 203], [0, 1, 3]),
            ([1, 900_001, 10], [0, 1, 2]),
            ([3, 1400, 2048], [7, 5, 6]),
        ] {
            check(sizes, kinds, f);
        }
        check([1, 140_001, 64], [1, 1, 2], [DType::F32, DType::F16, DType::F32]);
    }
}
