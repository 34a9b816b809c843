//! Gathering patches: for each channel and tap, the source's elements at a run of positions.

use super::Taps;
use crate::cpu::copy;
use crate::dtype::Compute;

/// Positions that follow each other in one row of the grid.
pub(super) struct Segment {
    /// The image it is of, counted from the first that `source` points to.
    pub image: usize,
    /// Coordinates of the first position.
    pub from: [usize; 3],
    pub len: usize,
    /// Where it begins in the run of positions.
    pub at: usize,
}

/// Positions `at .. at + n` of an image, cut at the ends of rows and appended to `list` (after it is cleared).
pub(super) fn segments(grid: [usize; 3], image: usize, at: usize, n: usize, list: &mut Vec<Segment>) {
    list.clear();
    append(grid, image, at, n, 0, list);
}

/// As [`segments`], appended; the first begins at `start` of the run.
pub(super) fn append(
    grid: [usize; 3],
    image: usize,
    at: usize,
    n: usize,
    start: usize,
    list: &mut Vec<Segment>,
) {
    let [_, h, w] = grid;
    let mut p = at;
    while p < at + n {
        let len = (w - p % w).min(at + n - p);
        list.push(Segment {
            image,
            from: [p / (h * w), p / w % h, p % w],
            len,
            at: start + p - at,
        });
        p += len;
    }
}

/// Writes the source's elements that one tap meets at the segments' positions; zero where it is outside.
///
/// # Safety
/// `channel` is the start of a plane of the source, further images' lie `image` apart; `line` has room for
/// all segments.
#[inline(always)]
pub(super) unsafe fn line<C: Compute>(
    sum: &Taps,
    channel: *const C,
    image: usize,
    tap: [isize; 3],
    segments: &[Segment],
    line: *mut C,
) {
    let zero = C::default();
    let [depth, height, width] = sum.source.map(|s| s as isize);
    let stride = sum.stride[2] as isize;
    for s in segments {
        // SAFETY: places are checked against the source's sizes, and the line has room for the segment.
        unsafe {
            let out = line.add(s.at);
            let d = (s.from[0] * sum.stride[0]) as isize + tap[0];
            let h = (s.from[1] * sum.stride[1]) as isize + tap[1];
            if d < 0 || d >= depth || h < 0 || h >= height {
                (0..s.len).for_each(|i| out.add(i).write(zero));
                continue;
            }
            let row = channel.add(s.image * image).offset((d * height + h) * width);
            // The first place of the segment, and the positions whose places are inside.
            let first = s.from[2] as isize * stride + tap[2];
            let before = if first < 0 {
                (-first + stride - 1) / stride
            } else {
                0
            };
            let inside = if first < width {
                (width - first + stride - 1) / stride
            } else {
                0
            };
            let before = (before as usize).min(s.len);
            let inside = (inside as usize).clamp(before, s.len);
            (0..before).for_each(|i| out.add(i).write(zero));
            let row = row.wrapping_offset(first);
            if stride == 1 {
                copy::short(row.wrapping_add(before), out.add(before), inside - before);
            } else {
                (before..inside)
                    .for_each(|i| out.add(i).write(row.wrapping_offset(i as isize * stride).read()));
            }
            (inside..s.len).for_each(|i| out.add(i).write(zero));
        }
    }
}
