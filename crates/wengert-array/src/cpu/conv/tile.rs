//! The register tile: some rows of the left operand times some columns of the right one, held in registers.

use super::Taps;
use super::patches::{Segment, line};
use crate::cpu::copy;
use crate::cpu::isa::{Isa, Lane, dispatch, isa};
#[cfg(target_arch = "x86_64")]
use crate::dtype::DType;
use crate::real::Real;

/// The sizes of the register tile on this processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    pub rows: usize,
    pub columns: usize,
}

/// Rows of a tile. Of f32 with AVX-512 they are eight: as many as most numbers of channels can be divided by, and enough that
/// loads, of which those of columns cross cache lines, take less time than the sums.
const ROWS: usize = 6;
#[cfg(target_arch = "x86_64")]
const WIDE_ROWS: usize = 8;

/// Calls a kernel with the columns of the tile, two vectors of them, as a constant.
macro_rules! with_tile {
    ($C:ty, $W:ident => $body:expr) => {
        match (isa(), const { size_of::<$C>() == 4 }) {
            (Isa::Avx512, true) => with_tile!(32, $W, $body),
            (Isa::Avx512, false) | (Isa::Avx2, true) => with_tile!(16, $W, $body),
            (Isa::Avx2, false) | (Isa::Baseline, true) => with_tile!(8, $W, $body),
            (Isa::Baseline, false) => with_tile!(4, $W, $body),
        }
    };
    ($columns:literal, $W:ident, $body:expr) => {{
        const $W: usize = $columns;
        $body
    }};
}

impl Tile {
    pub(super) fn best<C: Lane>() -> Tile {
        #[cfg(target_arch = "x86_64")]
        if is_wide::<C>() {
            return Tile {
                rows: WIDE_ROWS,
                columns: 32,
            };
        }
        with_tile!(C, W => Tile { rows: ROWS, columns: W })
    }

    /// Columns that are computed together: where there are fewer, no time is saved.
    pub(super) fn unit(self) -> usize {
        self.columns / 2
    }

    /// Gathers rows `from .. from + deep` of the patches at the segments' positions, n in all, into panels.
    ///
    /// # Safety
    /// `source` has the planes of one image and group; `line` has room for n numbers and one panel's width,
    /// `out` for `deep` rows of n, rounded up to whole panels.
    pub(super) unsafe fn pack<C: Lane>(
        self,
        sum: &Taps,
        source: *const C,
        segments: &[Segment],
        from: usize,
        deep: usize,
        n: usize,
        line: *mut C,
        out: *mut C,
    ) {
        // SAFETY: the caller's promise.
        with_tile!(C, W => unsafe { pack::<C, W>(sum, source, segments, from, deep, n, line, out) })
    }

    /// `out` (+)= left · right, of which `size` rows and columns are written.
    ///
    /// # Safety
    /// The operands are whole panels of `deep` rows; the part of `out` is ours, with rows `step` apart; `start`
    /// has a number for each row, or is null.
    pub(super) unsafe fn multiply<C: Lane>(
        self,
        deep: usize,
        left: *const C,
        right: *const C,
        out: *mut C,
        step: usize,
        size: [usize; 2],
        start: *const C,
        add: bool,
    ) {
        let none = std::ptr::null();
        #[cfg(target_arch = "x86_64")]
        if is_wide::<C>() {
            let (left, right, out, start) = (left.cast(), right.cast(), out.cast(), start.cast());
            // SAFETY: the caller's promise; the processor has AVX-512, and C is f32.
            return unsafe { wide::<2, false>(deep, none, left, right, out, step, size, start, add) };
        }
        // SAFETY: the caller's promise.
        with_tile!(C, W => unsafe { multiply::<C, W, false>(deep, none, left, right, out, step, size, start, add) })
    }

    /// As [`multiply`](Tile::multiply), where row k of the right operand is `offsets[k]` from `right`.
    ///
    /// # Safety
    /// As there; each row of the right operand can be read for the tile's columns.
    pub(super) unsafe fn multiply_at<C: Lane>(
        self,
        offsets: &[usize],
        left: *const C,
        right: *const C,
        out: *mut C,
        step: usize,
        size: [usize; 2],
        start: *const C,
        add: bool,
    ) {
        let (deep, at) = (offsets.len(), offsets.as_ptr());
        #[cfg(target_arch = "x86_64")]
        if is_wide::<C>() {
            let (left, right, out, start) = (left.cast(), right.cast(), out.cast(), start.cast());
            // SAFETY: the caller's promise; the processor has AVX-512, and C is f32.
            return unsafe {
                match size[1] <= 16 {
                    true => wide::<1, true>(deep, at, left, right, out, step, size, start, add),
                    false => wide::<2, true>(deep, at, left, right, out, step, size, start, add),
                }
            };
        }
        // SAFETY: the caller's promise.
        with_tile!(C, W => unsafe {
            if size[1] <= W / 2 {
                multiply::<C, { W / 2 }, true>(deep, at, left, right, out, step, size, start, add)
            } else {
                multiply::<C, W, true>(deep, at, left, right, out, step, size, start, add)
            }
        })
    }
}

/// Whether [`wide`] computes this type here.
#[cfg(target_arch = "x86_64")]
fn is_wide<C: Lane>() -> bool {
    C::DTYPE == DType::F32 && isa() == Isa::Avx512
}

/// [`multiply`] for f32 with AVX-512, of tiles with eight rows and V vectors. By hand, since of so many sums the compiler keeps
/// some in memory.
///
/// # Safety
/// As [`Tile::multiply_at`] where AT says so, else as [`Tile::multiply`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn wide<const V: usize, const AT: bool>(
    deep: usize,
    offsets: *const usize,
    left: *const f32,
    right: *const f32,
    out: *mut f32,
    step: usize,
    size: [usize; 2],
    start: *const f32,
    add: bool,
) {
    use std::arch::x86_64::*;
    let mut sums = [[_mm512_setzero_ps(); V]; WIDE_ROWS];
    let mut y = [_mm512_setzero_ps(); V];
    // SAFETY: the caller's promise.
    unsafe {
        for k in 0..deep {
            let right = right.add(if AT { offsets.add(k).read() } else { k * 16 * V });
            for v in 0..V {
                y[v] = _mm512_loadu_ps(right.add(16 * v));
            }
            for r in 0..WIDE_ROWS {
                let x = _mm512_set1_ps(left.add(k * WIDE_ROWS + r).read());
                for v in 0..V {
                    sums[r][v] = _mm512_fmadd_ps(x, y[v], sums[r][v]);
                }
            }
        }
        for r in 0..WIDE_ROWS {
            if r == size[0] {
                return;
            }
            let first = match start.is_null() {
                true => _mm512_setzero_ps(),
                false => _mm512_set1_ps(start.add(r).read()),
            };
            for v in 0..V {
                let here: __mmask16 = match size[1].saturating_sub(16 * v) {
                    n @ 0..16 => (1 << n) - 1,
                    _ => !0,
                };
                let out = out.wrapping_add(r * step + 16 * v);
                let old = if add {
                    _mm512_maskz_loadu_ps(here, out)
                } else {
                    first
                };
                _mm512_mask_storeu_ps(out, here, _mm512_add_ps(sums[r][v], old));
            }
        }
    }
}

dispatch!(unsafe fn pack<C: Lane; const W: usize>(
    sum: &Taps, source: *const C, segments: &[Segment], from: usize, deep: usize, n: usize, to: *mut C, out: *mut C
) => pack_body);

#[inline(always)]
#[allow(clippy::extra_unused_type_parameters)] // only elements move, of whatever reading
unsafe fn pack_body<S: Real, C: Lane, const W: usize>(
    sum: &Taps,
    source: *const C,
    segments: &[Segment],
    from: usize,
    deep: usize,
    n: usize,
    to: *mut C,
    out: *mut C,
) {
    let plane = sum.source.iter().product::<usize>();
    // Where a tap meets the elements in their order there is nothing to gather.
    let plain = sum.taps == [[0; 3]] && sum.stride == [1; 3] && sum.grid == sum.source;
    let [d, h, w] = segments[0].from;
    let first = (d * sum.source[1] + h) * sum.source[2] + w;
    // SAFETY: the caller's promise.
    unsafe {
        for i in n..n.next_multiple_of(W) {
            to.add(i).write(C::default());
        }
        for k in 0..deep {
            let (c, t) = ((from + k) / sum.taps.len(), (from + k) % sum.taps.len());
            if plain {
                let from = source.add(c * plane + first);
                for j in (0..n - n % W).step_by(W) {
                    let panel = out.add(j * deep + k * W).cast::<[C; W]>();
                    panel.write(from.add(j).cast::<[C; W]>().read());
                }
                if !n.is_multiple_of(W) {
                    let j = n - n % W;
                    copy::short(from.add(j), to, n % W);
                    let panel = out.add(j * deep + k * W).cast::<[C; W]>();
                    panel.write(to.cast::<[C; W]>().read());
                }
                continue;
            }
            line(sum, source.add(c * plane), 0, sum.taps[t], segments, to);
            for j in (0..n).step_by(W) {
                let panel = out.add(j * deep + k * W).cast::<[C; W]>();
                panel.write(to.add(j).cast::<[C; W]>().read());
            }
        }
    }
}

dispatch!(unsafe fn multiply<C: Lane; const W: usize, const AT: bool>(
    deep: usize, offsets: *const usize, left: *const C, right: *const C, out: *mut C, step: usize, size: [usize; 2], start: *const C, add: bool
) => multiply_body);

#[inline(always)]
unsafe fn multiply_body<S: Real, C: Lane, const W: usize, const AT: bool>(
    deep: usize,
    offsets: *const usize,
    left: *const C,
    right: *const C,
    out: *mut C,
    step: usize,
    size: [usize; 2],
    start: *const C,
    add: bool,
) {
    const { assert!(size_of::<S>() == size_of::<C>()) };
    let mut sums = [[S::ZERO; W]; ROWS];
    let (left, right, out, start) = (
        left.cast::<S>(),
        right.cast::<S>(),
        out.cast::<S>(),
        start.cast::<S>(),
    );
    // SAFETY: the caller's promise; S has the bits of C.
    unsafe {
        for k in 0..deep {
            let at = if AT { offsets.add(k).read() } else { k * W };
            let y = right.add(at).cast::<[S; W]>().read();
            for r in 0..ROWS {
                let x = left.add(k * ROWS + r).read();
                for w in 0..W {
                    sums[r][w] = x.mul_add(y[w], sums[r][w]);
                }
            }
        }
        if size == [ROWS, W] {
            for r in 0..ROWS {
                let out = out.add(r * step).cast::<[S; W]>();
                if add {
                    let old = out.read();
                    for w in 0..W {
                        sums[r][w] = sums[r][w] + old[w];
                    }
                } else if !start.is_null() {
                    let start = start.add(r).read();
                    for w in 0..W {
                        sums[r][w] = sums[r][w] + start;
                    }
                }
                out.write(sums[r]);
            }
            return;
        }
        // An edge: by way of memory, so that the sums above stay in registers.
        let mut all = std::mem::MaybeUninit::<[[S; W]; ROWS]>::uninit();
        let all = all.as_mut_ptr().cast::<[S; W]>();
        for r in 0..ROWS {
            all.add(r).write(sums[r]);
        }
        for r in 0..size[0] {
            for w in 0..size[1] {
                let (sum, out) = (all.add(r).cast::<S>().add(w).read(), out.add(r * step + w));
                out.write(match (add, start.is_null()) {
                    (true, _) => sum + out.read(),
                    (false, false) => sum + start.add(r).read(),
                    (false, true) => sum,
                });
            }
        }
    }
}
