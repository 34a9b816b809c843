//! One loop over elements, for any rule.
//!
//! Inputs are read a tile at a time: in place where they are contiguous and of the computing type, else
//! gathered (and converted) into a tile on the stack. So each rule is compiled to one simple loop per
//! type and instruction level, whatever the strides and dtypes. Results go to a tile of their own before
//! they are written out, which lets outputs take over the buffers of inputs that nobody else holds.

use super::isa::{Lane, dispatch};
use super::threads;
use super::walk::{self, Walk};
use crate::array::Array;
use crate::dtype::DType;
use crate::layout::Shape;
use crate::real::Real;
use crate::with_compute;
use std::mem::MaybeUninit;

/// Elements in a tile: a few of them fit the first-level cache beside each other.
const TILE: usize = 512;

type Tiles<C, const O: usize> = [[MaybeUninit<C>; TILE]; O];

/// A rule from `I` numbers to `O` numbers, the same at every element.
pub trait Body<const I: usize, const O: usize>: Sync {
    /// The rule. Mark it `#[inline(always)]`: it is the body of the loop.
    fn eval<S: Real>(&self, x: [S; I]) -> [S; O];

    /// Which inputs `eval` reads, bit `i` for input `i`. Others may be any array of the right shape or none.
    fn reads(&self) -> u32 {
        u32::MAX
    }

    /// Roughly how many simple instructions an element takes, to decide when to use several threads.
    fn cost(&self) -> usize {
        1
    }
}

/// `body` at every element of inputs that broadcast to `shape`, computed in `compute`'s type.
///
/// An output takes over the buffer of an input that nobody else holds, where it fits.
pub(crate) fn map<B: Body<I, O>, const I: usize, const O: usize>(
    body: &B,
    compute: DType,
    x: [Array; I],
    shape: &Shape,
    out: [DType; O],
) -> [Array; O] {
    with_compute!(compute, C => run::<C, B, I, O>(body, x, shape, out))
}

/// Where a tile of an input comes from.
enum Source<C> {
    /// Directly from memory, at the tile's start.
    Direct(*const C),
    /// Gathered from a strided, broadcast or differently typed array.
    Gather(Array, Walk),
    /// The rule does not read it.
    Unread,
}

struct Plan<'a, C, B, const I: usize, const O: usize> {
    body: &'a B,
    sources: [Source<C>; I],
    outputs: [(*mut u8, DType); O],
}

// SAFETY: threads write disjoint ranges of the outputs and only read the inputs, at the range they write.
unsafe impl<C, B: Sync, const I: usize, const O: usize> Sync for Plan<'_, C, B, I, O> {}

fn run<C: Lane, B: Body<I, O>, const I: usize, const O: usize>(
    body: &B,
    x: [Array; I],
    shape: &Shape,
    out: [DType; O],
) -> [Array; O] {
    let n = shape.numel();
    let reads = body.reads();
    let mut index = 0;
    let x = x.map(|a| {
        let read = reads >> index & 1 == 1;
        index += 1;
        read.then(|| a.broadcast_to(shape))
    });
    let direct = |a: &Array| a.is_contiguous() && a.dtype() == C::DTYPE;
    let sources = std::array::from_fn(|i| match &x[i] {
        None => Source::Unread,
        Some(a) if direct(a) => Source::Direct(a.as_ptr::<C>()),
        Some(a) => Source::Gather(a.clone(), Walk::new(a)),
    });
    // A direct input has no other handle than the one in `x`, unless someone outside holds it.
    let mut x = x;
    let arrays: [Array; O] = std::array::from_fn(|o| {
        let free = |a: &&mut Option<Array>| {
            a.as_ref()
                .is_some_and(|a| a.dtype() == out[o] && direct(a) && a.is_unique())
        };
        match x.iter_mut().find(free) {
            Some(a) => a.take().expect("found above"),
            None => Array::uninit(shape, out[o]),
        }
    });
    let outputs = std::array::from_fn(|o| {
        assert!(arrays[o].is_unique() && arrays[o].is_contiguous());
        (arrays[o].as_bytes_ptr().cast_mut(), arrays[o].dtype())
    });
    let plan = Plan {
        body,
        sources,
        outputs,
    };
    threads::split(n, TILE, body.cost().max(1), |start, len| plan.range(start, len));
    arrays
}

impl<C: Lane, B: Body<I, O>, const I: usize, const O: usize> Plan<'_, C, B, I, O> {
    fn range(&self, start: usize, len: usize) {
        let mut gathered = [const { MaybeUninit::<[C; TILE]>::uninit() }; I];
        let mut results: Tiles<C, O> = [[const { MaybeUninit::uninit() }; TILE]; O];
        let mut at = start;
        while at < start + len {
            let n = TILE.min(start + len - at);
            let mut gather = gathered.iter_mut();
            let inputs: [*const C; I] = std::array::from_fn(|i| {
                let tile = gather
                    .next()
                    .expect("one for each input")
                    .as_mut_ptr()
                    .cast::<C>();
                match &self.sources[i] {
                    // SAFETY: `at` is within the array, which is contiguous.
                    Source::Direct(p) => unsafe { p.add(at) },
                    Source::Gather(array, walk) => {
                        // SAFETY: a tile holds n ≤ TILE elements; the array was broadcast to the output's
                        // shape, so it has at least `at + n` elements.
                        unsafe { walk::load(array, walk, at, n, tile) };
                        tile
                    }
                    // Never loaded from: `reads` says so.
                    Source::Unread => tile,
                }
            });
            // SAFETY: each input that is read has n ≤ TILE elements there.
            unsafe { tile::<C, B, I, O>(self.body, &inputs, &mut results, n) };
            for o in 0..O {
                let (base, dtype) = self.outputs[o];
                // SAFETY: elements at..at+n of output o are ours to write; the tile holds n results.
                unsafe {
                    walk::store(
                        results[o].as_ptr().cast::<C>(),
                        dtype,
                        base.add(at * dtype.size()),
                        n,
                    )
                };
            }
            at += n;
        }
    }
}

dispatch!(unsafe fn tile<C: Lane, B: Body<I, O>; const I: usize, const O: usize>(
    body: &B, x: &[*const C; I], out: &mut Tiles<C, O>, n: usize
) => tile_body);

/// The loop itself. `out` is a `&mut` so that the compiler knows that it overlaps no input.
///
/// # Safety
/// Each input that the rule reads has `n ≤ TILE` elements; `S` has the bits of `C`.
#[inline(always)]
unsafe fn tile_body<S: Real, C: Lane, B: Body<I, O>, const I: usize, const O: usize>(
    body: &B,
    x: &[*const C; I],
    out: &mut Tiles<C, O>,
    n: usize,
) {
    const { assert!(size_of::<S>() == size_of::<C>()) };
    assert!(n <= TILE);
    let x = x.map(|p| p.cast::<S>());
    for k in 0..n {
        // SAFETY: k < n. An input that the rule does not read may hold anything: the load is dropped.
        let y = body.eval(x.map(|p| unsafe { p.add(k).read() }));
        for o in 0..O {
            // SAFETY: S and C are the same bits, and k < TILE.
            unsafe { out[o].as_mut_ptr().add(k).cast::<S>().write(y[o]) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct MulAdd;
    impl Body<3, 2> for MulAdd {
        #[inline(always)]
        fn eval<S: Real>(&self, [a, b, c]: [S; 3]) -> [S; 2] {
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
            let [y, z] = map(&MulAdd, DType::F32, [a, b, k], &shape, [DType::F32, DType::I32]);
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
        let [y, z] = map(&MulAdd, DType::F32, [a, b, c], &shape, [DType::F32; 2]);
        assert_eq!(y.as_bytes_ptr(), at);
        assert!(!z.shares_buffer(&kept) && !z.shares_buffer(&y));
        assert_eq!(kept.as_slice::<f32>()[999], 999.0);
        assert_eq!(y.as_slice::<f32>()[10], 110.0);
        assert_eq!(z.as_slice::<f32>()[10], 0.0);
    }
}
