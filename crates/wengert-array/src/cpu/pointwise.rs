//! One loop over elements, for any rule.
//!
//! Inputs are read a tile at a time: in place where they are of the computing type and lie side by side, at least in rows, else
//! gathered (and converted) into a tile on the stack. So each rule is compiled to one simple loop per
//! type and instruction level, whatever the strides and dtypes. A result is written in place where its buffer is new and
//! of the computing type. Else it goes to a tile of its own before it is written out, which lets outputs take over the
//! buffers of inputs that nobody else holds.

use super::copy::{copy, is_turned};
use super::interpret::narrow;
use super::isa::{Lane, dispatch};
use super::source::{Cut, Reader, Source, is_direct, walk_of, zeros};
use super::threads;
use super::walk::{self, Walk};
use crate::array::Array;
use crate::dtype::DType;
use crate::layout::Shape;
use crate::real::{Expr, Real, trace};
use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// Elements in a tile: a few of them fit the first-level cache beside each other.
pub(super) const TILE: usize = 512;

/// Elements in a tile of what does not fit the caches, twice as many where computing one input takes longer than writing, fewer where
/// several are read and little is computed: with longer ones reading and writing wait for each other (measured: with 512, AVX-512 gets half
/// of the memory's bandwidth).
const STREAMED: usize = 128;

/// How many bytes before it is read such an input is asked for, if it is the only one; several are when their tile begins.
const AHEAD: usize = 16 << 10;

type Tiles<C, const O: usize> = [[MaybeUninit<C>; TILE]; O];

/// Where a cache line begins: wide stores across two lines take twice as long.
#[repr(align(64))]
pub(super) struct Line<T>(pub(super) T);

/// Tiles that a body keeps for itself.
pub(super) type Registers<C> = Vec<Line<[MaybeUninit<C>; TILE]>>;

/// A rule from `I` numbers, and `M` more, to `O` numbers, the same at every element.
///
/// The inputs come in two groups so that a gradient's rule can be generic over the operation's inputs `x`
/// while it takes two more numbers, the upstream gradient and the result.
pub trait Body<const I: usize, const M: usize, const O: usize>: Sync {
    /// Whether it is computed on integers too. One that never is compiles to less.
    const INTEGERS: bool = true;

    /// The rule. Mark it `#[inline(always)]`: it is the body of the loop.
    fn eval<S: Real>(&self, x: [S; I], more: [S; M]) -> [S; O];

    /// Roughly how many simple instructions an element takes, to decide when to use several threads.
    fn cost(&self) -> usize {
        1
    }
}

/// `body` at every element of inputs that broadcast to `shape`, computed in `compute`'s type.
///
/// An output takes over the buffer of an input that nobody else holds, where it fits.
pub(crate) fn map<B: Body<I, M, O>, const I: usize, const M: usize, const O: usize>(
    body: &B,
    compute: DType,
    x: [Option<Array>; I],
    more: [Option<Array>; M],
    shape: &Shape,
    out: [DType; O],
) -> [Array; O] {
    let mut x = x;
    // Tracing a rule costs as much as computing a few thousand integers.
    if B::INTEGERS && M == 0 && O == 1 && compute.compute() == DType::I64 && shape.numel() > 8 * TILE {
        let rule = trace(|x: [Expr; I]| body.eval(x, [Expr::ZERO; M]));
        x = match narrow(&rule, 0, compute, x, shape, out[0]) {
            Ok(y) => return std::array::from_fn(|_| y.clone()),
            Err(x) => x,
        };
    }
    match compute.compute() {
        DType::F32 => run(Rule::<f32, I, M, O>::of(body), x, more, shape, out),
        DType::F64 => run(Rule::<f64, I, M, O>::of(body), x, more, shape, out),
        _ if B::INTEGERS => run(Rule::<i64, I, M, O>::of(body), x, more, shape, out),
        _ => unreachable!("this rule is computed on floats only"),
    }
}

/// A body without its type, so that all that surrounds the loop is compiled once and not for every rule.
pub(super) struct Rule<'a, C, const I: usize, const M: usize, const O: usize> {
    pub(super) body: *const (),
    pub(super) tile: Tile<C, I, M, O>,
    pub(super) cost: usize,
    /// How many elements a tile with one result may have where nothing is gathered or converted.
    pub(super) longest: usize,
    pub(super) lifetime: PhantomData<&'a ()>,
}

/// Runs a body on a tile: results `o` of its elements go to `out[o · TILE ..]`, which overlaps no input. The last argument is
/// the body's to use; it starts empty and lives as long as the thread's share of the work.
pub(super) type Tile<C, const I: usize, const M: usize, const O: usize> =
    unsafe fn(*const (), &[*const C; I], &[*const C; M], &mut [MaybeUninit<C>], usize, &mut Registers<C>);

impl<'a, C: Lane, const I: usize, const M: usize, const O: usize> Rule<'a, C, I, M, O> {
    fn of<B: Body<I, M, O>>(body: &'a B) -> Self {
        Rule {
            body: (&raw const *body).cast(),
            tile: |body, x, more, out, n, _| {
                // SAFETY: `body` is the one above, still borrowed; the caller vouches for the rest.
                unsafe { tile::<C, B, I, M, O>(&*body.cast::<B>(), x, more, out, n) }
            },
            cost: body.cost().max(1),
            longest: usize::MAX,
            lifetime: PhantomData,
        }
    }
}

struct Plan<'a, C, const I: usize, const M: usize, const O: usize> {
    rule: Rule<'a, C, I, M, O>,
    x: [Source<C>; I],
    more: [Source<C>; M],
    outputs: [(*mut u8, DType); O],
    sinks: [Sink; O],
    /// Whether there are more bytes than the caches hold.
    large: bool,
    /// Whether all is read and written in place, in tiles of any size.
    once: bool,
    /// Elements in a tile, and the row that none of them goes beyond.
    step: usize,
    row: usize,
}

/// How results come to an output.
#[derive(Clone, Copy, PartialEq)]
enum Sink {
    /// Written in place: one result alone, of the computing type, in no input's buffer.
    Direct,
    /// From a tile.
    Store,
    /// From a tile, past the caches: a large one that is no input's buffer.
    Stream,
}

// SAFETY: threads write disjoint ranges of the outputs and only read the inputs, at the range they write.
// The rule's body is `Sync`, as `Body` demands.
unsafe impl<C, const I: usize, const M: usize, const O: usize> Sync for Plan<'_, C, I, M, O> {}

pub(super) fn run<C: Lane, const I: usize, const M: usize, const O: usize>(
    rule: Rule<'_, C, I, M, O>,
    mut x: [Option<Array>; I],
    mut more: [Option<Array>; M],
    shape: &Shape,
    out: [DType; O],
) -> [Array; O] {
    let n = shape.numel();
    let fits = |a: &Option<Array>| a.as_ref().is_none_or(|a| is_direct::<C>(a) && a.shape() == shape);
    if n <= TILE && x.iter().all(fits) && more.iter().all(fits) {
        let at = |a: &Option<Array>| a.as_ref().map_or(zeros::<C>(), |a| a.as_ptr::<C>());
        let (from, and) = (x.each_ref().map(at), more.each_ref().map(at));
        // SAFETY: each has n elements of type C there, or is one of as many zeros.
        return unsafe { in_one_tile(&rule, x, more, from, and, shape, out) };
    }
    if n <= TILE {
        return gathered(&rule, x, more, shape, out);
    }
    for a in x.iter_mut().chain(&mut more).flatten() {
        // What repeats one number is converted once.
        if a.numel() == 1 && a.dtype() != C::DTYPE {
            *a = a.cast(C::DTYPE);
        }
        // Turned as a whole: an element here and there would bring a cache line each.
        if a.numel() > TILE && is_turned(a) {
            *a = copy(a);
        }
        *a = a.broadcast_to(shape);
    }
    let large = n * size_of::<C>() >= walk::STREAM;
    let mut walks = (x.each_ref().map(walk_of::<C>), more.each_ref().map(walk_of::<C>));
    let all = x.iter().zip(&walks.0).chain(more.iter().zip(&walks.1));
    let cut = Cut::new::<C>(
        all.filter_map(|(a, walk)| a.as_ref().zip(walk.as_ref())),
        n,
        large,
    );
    let mut sources: ([Source<C>; I], [Source<C>; M]) = (
        std::array::from_fn(|i| Source::new(&x[i], walks.0[i].take(), cut)),
        std::array::from_fn(|i| Source::new(&more[i], walks.1[i].take(), cut)),
    );
    let arrays = results::<C, I, M, O>(&mut x, &mut more, shape, out);
    let sinks = arrays.each_ref().map(|a| {
        let at = a.as_bytes_ptr();
        let reads = |source: &Source<C>| matches!(source, Source::Direct(p) if p.cast::<u8>() == at);
        let taken = sources.0.iter().any(reads) || sources.1.iter().any(reads);
        match taken || a.dtype() != C::DTYPE {
            true => Sink::Store,
            false if large => Sink::Stream,
            false if O == 1 => Sink::Direct,
            false => Sink::Store,
        }
    });
    // Nothing is gathered or brought anywhere: beginning the loop again would cost a tenth of the time.
    let inputs = || sources.0.iter().chain(&sources.1);
    let once = !large && sinks[0] == Sink::Direct && inputs().all(Source::is_in_place);
    let gathers = inputs().any(Source::is_gathered);
    let first = sources
        .0
        .iter()
        .chain(&sources.1)
        .find_map(|source| match source {
            Source::Direct(p) => Some(*p),
            _ => None,
        });
    if let (true, Some(first)) = (once, first) {
        // What is not read has to be as long as the rest.
        for source in sources.0.iter_mut().chain(&mut sources.1) {
            if matches!(source, Source::Unread) {
                *source = Source::Direct(first);
            }
        }
    }
    let step = match () {
        _ if large && (cut.row < TILE || gathers) => TILE,
        _ if large => match (rule.cost, I + M) {
            (1, 2..) => STREAMED / 4 * 3,
            (1, _) | (_, 2..) => STREAMED,
            _ => 2 * STREAMED,
        },
        _ if once && first.is_some() => rule.longest,
        _ => TILE,
    };
    let plan = Plan {
        once: step == usize::MAX && cut.row == n,
        step: (step / cut.period).max(1) * cut.period,
        row: cut.row,
        rule,
        sinks,
        large,
        x: sources.0,
        more: sources.1,
        outputs: arrays
            .each_ref()
            .map(|a| (a.as_bytes_ptr().cast_mut(), a.dtype())),
    };
    threads::split(n, TILE, plan.rule.cost, |start, len| plan.range(start, len));
    arrays
}

/// Small arrays of any strides and types, put together in tiles.
fn gathered<C: Lane, const I: usize, const M: usize, const O: usize>(
    rule: &Rule<'_, C, I, M, O>,
    mut x: [Option<Array>; I],
    mut more: [Option<Array>; M],
    shape: &Shape,
    out: [DType; O],
) -> [Array; O] {
    let mut x_tiles = [const { MaybeUninit::<[C; TILE]>::uninit() }; I];
    let mut more_tiles = [const { MaybeUninit::<[C; TILE]>::uninit() }; M];
    let at = |a: &mut Option<Array>, tile: &mut MaybeUninit<[C; TILE]>| {
        let Some(a) = a else {
            return zeros();
        };
        if a.shape() != shape {
            *a = a.broadcast_to(shape);
        }
        if is_direct::<C>(a) {
            return a.as_ptr::<C>();
        }
        let tile = tile.as_mut_ptr().cast::<C>();
        // SAFETY: all of its elements, of which there are at most as many as the tile has room for.
        unsafe { walk::load(a, &mut Walk::new(a).from(0), a.numel(), tile) };
        tile
    };
    let from = std::array::from_fn(|i| at(&mut x[i], &mut x_tiles[i]));
    let and = std::array::from_fn(|i| at(&mut more[i], &mut more_tiles[i]));
    // SAFETY: each was broadcast to the shape, which has so many elements, and is in place or in its tile; or is one of as many zeros.
    unsafe { in_one_tile(rule, x, more, from, and, shape, out) }
}

/// Small arrays, given where to read them, which is what most of a small model's work is: none of the machinery
/// that strides and threads need.
///
/// # Safety
/// There are as many elements at each as the shape has, at most TILE.
unsafe fn in_one_tile<C: Lane, const I: usize, const M: usize, const O: usize>(
    rule: &Rule<'_, C, I, M, O>,
    mut x: [Option<Array>; I],
    mut more: [Option<Array>; M],
    from: [*const C; I],
    and: [*const C; M],
    shape: &Shape,
    out: [DType; O],
) -> [Array; O] {
    let n = shape.numel();
    let arrays = results::<C, I, M, O>(&mut x, &mut more, shape, out);
    if O == 1 && out[0] == C::DTYPE {
        let to = arrays[0].as_bytes_ptr().cast::<C>().cast_mut();
        if !from.iter().chain(&and).any(|p| *p == to) {
            // SAFETY: `results` gives an array of n elements that is ours to write, and no input's buffer; each input has n ≤ TILE
            // elements there, or is one of as many zeros.
            unsafe {
                let to = std::slice::from_raw_parts_mut(to.cast::<MaybeUninit<C>>(), n);
                (rule.tile)(rule.body, &from, &and, to, n, &mut Vec::new());
            }
            return arrays;
        }
    }
    let mut tiles: Tiles<C, O> = [[const { MaybeUninit::uninit() }; TILE]; O];
    // SAFETY: as above; inputs whose buffers were taken over live on in `arrays`, and are written only below.
    unsafe {
        (rule.tile)(
            rule.body,
            &from,
            &and,
            tiles.as_flattened_mut(),
            n,
            &mut Vec::new(),
        )
    };
    for (a, tile) in arrays.iter().zip(&tiles) {
        // SAFETY: `results` gives arrays of n elements that are ours to write; the tile holds n results.
        unsafe {
            walk::store(
                tile.as_ptr().cast::<C>(),
                a.dtype(),
                a.as_bytes_ptr().cast_mut(),
                n,
            )
        };
    }
    arrays
}

/// Arrays for the results, which nobody else holds: those of inputs that are given up, where they fit, or new ones.
fn results<C: Lane, const I: usize, const M: usize, const O: usize>(
    x: &mut [Option<Array>; I],
    more: &mut [Option<Array>; M],
    shape: &Shape,
    out: [DType; O],
) -> [Array; O] {
    std::array::from_fn(|o| {
        // A direct input has no other handle than this one, unless someone outside holds it.
        let free = |a: &&mut Option<Array>| {
            a.as_ref()
                .is_some_and(|a| a.dtype() == out[o] && is_direct::<C>(a) && a.is_unique())
        };
        match x.iter_mut().find(free).or_else(|| more.iter_mut().find(free)) {
            Some(a) => {
                let array = a.take().expect("found above");
                assert!(array.shape() == shape, "inputs were broadcast");
                array
            }
            None => match x.iter().chain(&*more).flatten().find(|a| a.is_contiguous()) {
                // Where a size is 0 or 1, contiguous arrays may have any strides, which need not be handed on.
                Some(like) if like.shape() == shape && shape.iter().all(|n| *n > 1) => {
                    like.uninit_like(out[o])
                }
                _ => Array::uninit(shape, out[o]),
            },
        }
    })
}

impl<C: Lane, const I: usize, const M: usize, const O: usize> Plan<'_, C, I, M, O> {
    fn in_place(&self, start: usize, len: usize) {
        let at = |source: &Source<C>| match source {
            // SAFETY: the array has so many elements.
            Source::Direct(first) => unsafe { first.add(start) },
            _ => unreachable!("all are in place"),
        };
        let (from, and) = (self.x.each_ref().map(at), self.more.each_ref().map(at));
        let out = self.outputs[0].0.cast::<MaybeUninit<C>>();
        // SAFETY: these elements of the only output are ours to write, and each input has as many there.
        unsafe {
            let out = std::slice::from_raw_parts_mut(out.add(start), len);
            (self.rule.tile)(self.rule.body, &from, &and, out, len, &mut Vec::new());
        }
    }

    fn range(&self, start: usize, len: usize) {
        match self.once {
            true => self.in_place(start, len),
            false => self.in_tiles(start, len),
        }
    }

    #[inline(never)]
    fn in_tiles(&self, start: usize, len: usize) {
        let mut x = self.x.each_ref().map(|source| source.reader(start, self.row));
        let mut more = self.more.each_ref().map(|source| source.reader(start, self.row));
        let mut x_tiles = [const { MaybeUninit::uninit() }; I];
        let mut more_tiles = [const { MaybeUninit::uninit() }; M];
        let Line(results) = &mut Line::<Tiles<C, O>>([[const { MaybeUninit::uninit() }; TILE]; O]);
        let mut own = Vec::new();
        let ahead = if I + M == 1 { AHEAD } else { 0 };
        let (mut at, mut column) = (start, start % self.row);
        while at < start + len {
            let n = self.step.min(start + len - at);
            if self.large {
                // Not one chain of both, which became a call.
                for x in &x {
                    x.prefetch(at, ahead, n);
                }
                for more in &more {
                    more.prefetch(at, ahead, n);
                }
            }
            let out = match self.sinks[0] {
                // SAFETY: elements at..at+n of the only output are ours to write.
                Sink::Direct => unsafe {
                    std::slice::from_raw_parts_mut(self.outputs[0].0.cast::<MaybeUninit<C>>().add(at), n)
                },
                _ => results.as_flattened_mut(),
            };
            let mut done = 0;
            while done < n {
                let piece = (n - done).min(self.row - column);
                let (mut from, mut and) = ([std::ptr::null(); I], [std::ptr::null(); M]);
                for i in 0..I {
                    // SAFETY: inputs were broadcast to the shape that `at + n` stays within, and the row has `column + piece`
                    // elements; those are at most TILE, or all inputs are in place. Only the last tile is shorter than the others
                    // where some are alike.
                    from[i] = unsafe { x[i].tile(at + done, piece, [column, self.row], &mut x_tiles[i]) };
                }
                for i in 0..M {
                    // SAFETY: likewise.
                    and[i] =
                        unsafe { more[i].tile(at + done, piece, [column, self.row], &mut more_tiles[i]) };
                }
                // SAFETY: each input has so many elements there, and they are at most TILE where the rule has any need of it.
                unsafe { (self.rule.tile)(self.rule.body, &from, &and, &mut out[done..], piece, &mut own) };
                done += piece;
                column += piece;
                if column == self.row {
                    column = 0;
                    x.iter_mut().for_each(Reader::next_row);
                    more.iter_mut().for_each(Reader::next_row);
                }
            }
            for o in 0..O {
                let (base, dtype) = self.outputs[o];
                let results = results[o].as_ptr().cast::<C>();
                // SAFETY: elements at..at+n of output o are ours to write; the tile holds n results where it is read.
                unsafe {
                    let out = base.add(at * dtype.size());
                    match self.sinks[o] {
                        Sink::Direct => {}
                        Sink::Stream => walk::stream(results, out, n, []),
                        Sink::Store => walk::store(results, dtype, out, n),
                    }
                }
            }
            at += n;
        }
        if self.large {
            walk::end_of_stream();
        }
    }
}

dispatch!(unsafe fn tile<C: Lane, B: Body<I, M, O>; const I: usize, const M: usize, const O: usize>(
    body: &B, x: &[*const C; I], more: &[*const C; M], out: &mut [MaybeUninit<C>], n: usize
) => tile_body);

/// The loop itself. `out` is a `&mut` so that the compiler knows that it overlaps no input.
///
/// # Safety
/// Each input has `n` elements; `S` has the bits of `C`.
#[inline(always)]
unsafe fn tile_body<S: Real, C: Lane, B: Body<I, M, O>, const I: usize, const M: usize, const O: usize>(
    body: &B,
    x: &[*const C; I],
    more: &[*const C; M],
    out: &mut [MaybeUninit<C>],
    n: usize,
) {
    const { assert!(size_of::<S>() == size_of::<C>()) };
    assert!((n <= TILE || O == 1) && out.len() >= (O - 1) * TILE + n);
    for k in 0..n {
        // SAFETY: k < n, and S has the bits of C.
        let x = x.map(|p| unsafe { p.add(k).cast::<S>().read() });
        // SAFETY: likewise.
        let more = more.map(|p| unsafe { p.add(k).cast::<S>().read() });
        let y = body.eval(x, more);
        for o in 0..O {
            // SAFETY: S and C are the same bits, and there is room, as was looked at above.
            unsafe { out.as_mut_ptr().add(o * TILE + k).cast::<S>().write(y[o]) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct MulAdd;
    impl Body<3, 0, 2> for MulAdd {
        #[inline(always)]
        fn eval<S: Real>(&self, [a, b, c]: [S; 3], []: [S; 0]) -> [S; 2] {
            [a * b + c, a - c]
        }
    }

    fn ramp(shape: &[usize]) -> Array {
        let n: usize = shape.iter().product();
        Array::from_slice(&(0..n).map(|i| i as f32).collect::<Vec<_>>(), shape)
    }

    #[test]
    fn strided_broadcast_and_converted_inputs_agree_with_plain_loops() {
        for (r, c) in [(1, 1), (3, 5), (40, 700), (0, 4)] {
            let a = ramp(&[c, r]).transpose(0, 1);
            let b = Array::from_slice(&(0..c as i64).collect::<Vec<_>>(), [c]);
            let k = Array::full([], 2.0, DType::F16);
            let shape = Shape::new(&[r, c]);
            let [y, z] = map(
                &MulAdd,
                DType::F32,
                [a, b, k].map(Some),
                [],
                &shape,
                [DType::F32, DType::I32],
            );
            for i in 0..r {
                for j in 0..c {
                    let a = (j * r + i) as f32;
                    assert_eq!(y.as_slice::<f32>()[i * c + j], a * j as f32 + 2.0);
                    assert_eq!(z.as_slice::<i32>()[i * c + j], a as i32 - 2);
                }
            }
        }
    }

    #[test]
    fn a_moved_input_gives_its_buffer_and_a_shared_one_is_kept() {
        let shape = Shape::new(&[1000]);
        let (a, b, c) = (ramp(&[1000]), ramp(&[1000]), ramp(&[1000]));
        let (at, kept) = (a.as_bytes_ptr(), b.clone());
        let [y, z] = map(
            &MulAdd,
            DType::F32,
            [a, b, c].map(Some),
            [],
            &shape,
            [DType::F32; 2],
        );
        assert_eq!(y.as_bytes_ptr(), at);
        assert!(!z.shares_buffer(&kept) && !z.shares_buffer(&y));
        assert_eq!(kept.as_slice::<f32>()[999], 999.0);
        assert_eq!(y.as_slice::<f32>()[10], 110.0);
        assert_eq!(z.as_slice::<f32>()[10], 0.0);
    }
}
