//! The gradient for the weights: dot products, over all images and positions, of the result's gradient with
//! rows of slabs, or with patches.

use super::lanes::{self, Rows};
use super::patches::{append, line};
use super::slab::{Seen, Slab};
use super::{FEW, In, Out, Taps, product};
use crate::array::Array;
use crate::cpu::copy;
#[cfg(target_arch = "x86_64")]
use crate::cpu::isa::Isa;
use crate::cpu::isa::{Lane, dispatch, isa};
use crate::cpu::threads;
use crate::cpu::turn::turn;
use crate::cpu::vector::{Float, Sum, Vector};
use std::array::from_fn;

/// Positions whose products are added up in one go: of patches, and of slabs.
const RUN: usize = 512;
const FLAT: usize = 1024;
/// Numbers that vectors are whole lines of caches with.
const LINE: usize = 16;
/// Rows on the right that are multiplied together.
const ROWS: usize = 64;
/// Over how many pieces work is spread where there are few such rows.
const PIECES: usize = 8;

impl Taps {
    /// dw [groups × outputs, depth].
    pub(super) fn weight_gradient<C: Float>(&self, x: &Array, dy: &Array) -> Array {
        let (depth, outputs, total) = (
            self.depth(),
            self.groups * self.outputs,
            self.images * self.positions(),
        );
        let panel = lanes::panel::<C>().filter(|panel| self.outputs > panel / 2);
        let slab = self.weight_slab(panel.is_some()).filter(|_| total * depth > 0);
        let chunk = slab.as_ref().map_or(ROWS, |slab| slab.channels * self.taps.len());
        let chunks = depth.div_ceil(chunk).max(1);
        let work = depth * self.outputs * total / 24 / threads::GRAIN;
        let splits = (PIECES / (chunks * self.groups))
            .clamp(1, self.images.max(1))
            .min(work.max(1));
        let mut parts = Array::full([splits, outputs, depth], 0.0, C::DTYPE);
        if total == 0 || depth == 0 || outputs == 0 {
            return parts.slice(0, 0, 1, 1).squeeze(0);
        }
        let (x, all, dy) = (
            In(x.as_slice::<C>().as_ptr()),
            dy,
            In(dy.as_slice::<C>().as_ptr()),
        );
        if self.is_whole() {
            return self.weight_whole(x, all);
        }
        if let (Some(slab), Some(panel)) = (&slab, panel) {
            return self.weight_in_lanes(slab, panel, splits, x, dy);
        }
        // Few outputs are multiplied where they are, as are rows without zeros between them.
        let gaps = |slab: &&Slab| {
            let run = slab.rows * slab.size[2];
            let dense = slab.size[2] == self.grid[2] && self.grid[1].is_multiple_of(slab.rows);
            self.outputs > FEW && !(dense && run.is_multiple_of(LINE))
        };
        let widened = slab.as_ref().filter(gaps).map(|slab| self.widened::<C>(slab, dy));
        let wide = widened.as_ref().map_or(dy, |w| In(w.as_slice::<C>().as_ptr()));
        let out = Out(parts.make_mut::<C>().as_mut_ptr());
        let images = self.images.div_ceil(splits);
        let cost = chunk.min(depth) * self.outputs * images * self.positions() / 24;
        threads::split(splits * self.groups * chunks, 1, cost.max(1), |start, len| {
            // From the last tap on, a run ends as much behind the slab as this tap is behind the first, and a line.
            let mut seen = slab.as_ref().map(|slab| Seen::new(slab, slab.size[2] + LINE));
            let room = if slab.is_some() { 0 } else { RUN };
            let mut left = vec![C::default(); self.outputs * room];
            let mut right = vec![C::default(); chunk.min(depth) * room];
            for task in start..start + len {
                let (part, g, from) = (
                    task / chunks / self.groups,
                    task / chunks % self.groups,
                    task % chunks * chunk,
                );
                let range = (part * images).min(self.images)..((part + 1) * images).min(self.images);
                let out = out.at((part * outputs + g * self.outputs) * depth + from);
                let rows = chunk.min(depth - from);
                // SAFETY: arrays of the sum's sizes; these rows of this part are this task's.
                unsafe {
                    match (&slab, &mut seen) {
                        (Some(slab), Some(seen)) if self.outputs <= FEW => {
                            self.few_of_slabs::<C>(slab, seen, x, dy, g, range, from, rows, out)
                        }
                        (Some(slab), Some(seen)) => {
                            self.part_of_slabs::<C>(slab, seen, x, wide, g, range, from, rows, out)
                        }
                        _ => self.part::<C>(x, dy, g, range, from, rows, &mut left, &mut right, out),
                    }
                }
            }
        });
        match splits {
            1 => parts.squeeze(0),
            _ => super::super::reduce::reduce(&parts, &[0], super::super::reduce::Reduce::Sum, C::DTYPE)
                .squeeze(0),
        }
    }

    /// By way of slabs, with outputs in lanes.
    fn weight_in_lanes<C: Float>(
        &self,
        slab: &Slab,
        panel: usize,
        splits: usize,
        x: In<C>,
        dy: In<C>,
    ) -> Array {
        let (depth, panels, p) = (self.depth(), self.outputs.div_ceil(panel), self.positions());
        let turned = self.turned::<C>(dy, panel);
        let dy = In(turned.as_slice::<C>().as_ptr());
        let mut parts = Array::full([splits, self.groups, panels, depth, panel], 0.0, C::DTYPE);
        let out = Out(parts.make_mut::<C>().as_mut_ptr());
        let (images, chunks) = (
            self.images.div_ceil(splits),
            self.channels.div_ceil(slab.channels),
        );
        let cost = slab.channels * self.taps.len() * self.outputs * images * p / 24;
        threads::split(splits * self.groups * chunks, 1, cost.max(1), |start, len| {
            let mut seen = Seen::new(slab, 0);
            for task in start..start + len {
                let (part, g) = (task / chunks / self.groups, task / chunks % self.groups);
                let first = task % chunks * slab.channels;
                let channels = slab.channels.min(self.channels - first);
                let offsets = slab.offsets(&self.taps);
                let offsets = &offsets[..channels * self.taps.len()];
                for image in (part * images).min(self.images)..((part + 1) * images).min(self.images) {
                    let group = image * self.groups + g;
                    let source = x.at((group * self.channels + first) * product(self.source));
                    for q0 in 0..self.grid[0] {
                        for q1 in (0..self.grid[1]).step_by(slab.rows) {
                            let (rows, columns) = (self.rows(slab, q0, q1), self.grid[2]);
                            let at = Rows {
                                rows,
                                columns,
                                pitch: slab.size[2],
                                row: columns,
                            };
                            // SAFETY: arrays of the sum's sizes; these taps of this part are this task's.
                            unsafe {
                                seen.fill(slab, source, channels, q0, q1);
                                for m in 0..panels {
                                    let dy =
                                        dy.at(((group * panels + m) * p + self.place([q0, q1, 0])) * panel);
                                    let to = ((part * self.groups + g) * panels + m) * depth
                                        + first * self.taps.len();
                                    let outputs = self.outputs - m * panel;
                                    self.add_slopes(
                                        offsets,
                                        outputs,
                                        dy,
                                        seen.data.as_ptr(),
                                        at,
                                        out.at(to * panel),
                                    );
                                }
                            }
                        }
                    }
                }
            }
        });
        let sums = match splits {
            1 => parts,
            _ => super::super::reduce::reduce(&parts, &[0], super::super::reduce::Reduce::Sum, C::DTYPE),
        };
        let (sums, mut dw) = (
            In(sums.as_slice::<C>().as_ptr()),
            Array::uninit([self.groups * self.outputs, depth], C::DTYPE),
        );
        let out = Out(dw.uninit_slice::<C>());
        threads::split(self.groups * panels, 1, depth * panel / 4, |start, len| {
            for task in start..start + len {
                let (g, first) = (task / panels, task % panels * panel);
                let to = out.at((g * self.outputs + first) * depth);
                // SAFETY: a panel's outputs, which are this task's.
                unsafe {
                    turn(
                        sums.at(task * depth * panel),
                        panel as isize,
                        to,
                        depth,
                        [panel.min(self.outputs - first), depth],
                    )
                };
            }
        });
        dw
    }

    /// The slabs to use, which have whole channels, where they cost less than patches.
    fn weight_slab(&self, in_lanes: bool) -> Option<Slab> {
        let channels = (ROWS / self.taps.len().max(1)).clamp(1, self.channels.max(1));
        // Even shares rather than full ones and a rest.
        let channels = self.channels.div_ceil(self.channels.div_ceil(channels).max(1));
        let few = self.outputs <= FEW;
        let slab = Slab::new(
            std::slice::from_ref(self),
            channels,
            if few { usize::MAX } else { FLAT },
        );
        // Multiplying by the zeros between rows, against gathering: some twenty products in the time of an element.
        let between = slab.size[2] - self.grid[2];
        (few || in_lanes || between * self.outputs <= 20 * self.grid[2]).then_some(slab)
    }

    /// Rows `from .. from + rows` of the gradient, over some images of one group, by way of patches.
    ///
    /// # Safety
    /// The arrays have the sums' sizes; nobody else writes these rows.
    unsafe fn part<C: Float>(
        &self,
        x: In<C>,
        dy: In<C>,
        g: usize,
        images: std::ops::Range<usize>,
        from: usize,
        rows: usize,
        left: &mut [C],
        right: &mut [C],
        out: *mut C,
    ) {
        let (p, plane) = (self.positions(), product(self.source));
        let offsets: Vec<usize> = (0..rows).map(|k| k * RUN).collect();
        let mut sums = Sums::new(self.outputs, rows);
        let mut list = Vec::new();
        let (mut at, end) = (images.start * p, images.end * p);
        while at < end {
            let n = RUN.min(end - at);
            let wide = n.next_multiple_of(LINE);
            let first = at / p;
            list.clear();
            let mut done = 0;
            while done < n {
                let (image, here) = ((at + done) / p, (at + done) % p);
                let len = (p - here).min(n - done);
                append(self.grid, image - first, here, len, done, &mut list);
                for o in 0..self.outputs {
                    let channel = (image * self.groups + g) * self.outputs + o;
                    // SAFETY: `len` positions of a plane, and of a row of `left`.
                    unsafe {
                        let to = left.as_mut_ptr().add(o * RUN + done);
                        to.copy_from_nonoverlapping(dy.at(channel * p + here), len);
                    }
                }
                done += len;
            }
            for row in left.chunks_exact_mut(RUN).take(self.outputs) {
                row[n..wide].fill(C::default());
            }
            // SAFETY: the caller's promise; both sides have rows of `wide` numbers, `rows` and `outputs` of them.
            unsafe {
                for k in 0..rows {
                    let (c, t) = ((from + k) / self.taps.len(), (from + k) % self.taps.len());
                    let channel = x.at(((first * self.groups + g) * self.channels + c) * plane);
                    let image = self.groups * self.channels * plane;
                    let to = right.as_mut_ptr().add(k * RUN);
                    line(self, channel, image, self.taps[t], &list, to);
                    (n..wide).for_each(|i| to.add(i).write(C::default()));
                }
                sums.add(wide, left.as_ptr(), RUN, right.as_ptr(), &offsets);
            }
            at += n;
        }
        // SAFETY: these rows are ours.
        unsafe { sums.store(out, self.depth()) };
    }

    /// dy with zeros between its rows where a slab's are wider, each slab's share in whole lines of a cache.
    fn widened<C: Lane>(&self, slab: &Slab, dy: In<C>) -> Array {
        let (run, down) = self.runs(slab);
        let planes = self.images * self.groups * self.outputs * self.grid[0];
        let mut wide = Array::uninit([planes, down, run], C::DTYPE);
        let out = Out(wide.uninit_slice::<C>());
        threads::split(planes * down, 1, run / 4, |start, len| {
            for task in start..start + len {
                let (plane, q1) = (task / down, task % down * slab.rows);
                let rows = slab.rows.min(self.grid[1] - q1);
                let from = dy.at((plane * self.grid[1] + q1) * self.grid[2]);
                // SAFETY: so many rows are in the plane, and a run has room for them.
                unsafe { widen::<C>(from, [rows, self.grid[2]], slab.size[2], out.at(task * run), run) };
            }
        });
        wide
    }

    /// Numbers in a slab's share of a widened plane, and how many shares there are.
    fn runs(&self, slab: &Slab) -> (usize, usize) {
        let run = (slab.rows * slab.size[2]).next_multiple_of(LINE);
        (run, self.grid[1].div_ceil(slab.rows))
    }

    /// As [`part`](Taps::part), of whole channels, by way of slabs and with dy widened.
    ///
    /// # Safety
    /// As there; the slabs are this sum's.
    unsafe fn part_of_slabs<C: Float>(
        &self,
        slab: &Slab,
        seen: &mut Seen<C>,
        x: In<C>,
        wide: In<C>,
        g: usize,
        images: std::ops::Range<usize>,
        from: usize,
        rows: usize,
        out: *mut C,
    ) {
        let (first, channels) = (from / self.taps.len(), rows / self.taps.len());
        let offsets = &slab.offsets(&self.taps)[..rows];
        let (run, down) = self.runs(slab);
        let mut sums = Sums::new(self.outputs, rows);
        for image in images {
            let group = image * self.groups + g;
            for (q0, q) in (0..self.grid[0]).flat_map(|q0| (0..down).map(move |q| (q0, q))) {
                // SAFETY: the caller's promise; both sides have a run of numbers in each row.
                unsafe {
                    let source = x.at((group * self.channels + first) * product(self.source));
                    seen.fill(slab, source, channels, q0, q * slab.rows);
                    let left = wide.at(((group * self.outputs * self.grid[0] + q0) * down + q) * run);
                    sums.add(run, left, self.grid[0] * down * run, seen.data.as_ptr(), offsets);
                }
            }
        }
        // SAFETY: these rows are ours.
        unsafe { sums.store(out, self.depth()) };
    }
}

dispatch!(unsafe fn widen<C: Lane>(from: *const C, size: [usize; 2], pitch: usize, out: *mut C, run: usize) => widen_body);

/// Rows of numbers with zeros between them, and up to the end of the run.
///
/// # Safety
/// There are so many, and room for the run.
#[inline(always)]
#[allow(clippy::extra_unused_type_parameters)] // only elements move, of whatever reading
unsafe fn widen_body<S, C: Lane>(
    from: *const C,
    [rows, width]: [usize; 2],
    pitch: usize,
    out: *mut C,
    run: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        for r in 0..rows {
            copy::short(from.add(r * width), out.add(r * pitch), width);
            (width..pitch).for_each(|i| out.add(r * pitch + i).write(C::default()));
        }
        (rows * pitch..run).for_each(|i| out.add(i).write(C::default()));
    }
}

/// Dot products of each of some rows on the left with each on the right, in lanes, tile by tile.
struct Sums<C> {
    left: usize,
    right: usize,
    lanes: Array,
    _of: std::marker::PhantomData<C>,
}

impl<C: Float> Sums<C> {
    fn new(left: usize, right: usize) -> Sums<C> {
        let [r, t, l] = tile::<C>();
        let lanes = Array::full([left.div_ceil(r) * right.div_ceil(t) * r * t * l], 0.0, C::DTYPE);
        Sums {
            left,
            right,
            lanes,
            _of: std::marker::PhantomData,
        }
    }

    /// Adds those of rows of `n` numbers, a multiple of [`LINE`].
    ///
    /// # Safety
    /// There are so many rows of so many numbers: `step` apart on the left, at the offsets on the right.
    unsafe fn add(&mut self, n: usize, left: *const C, step: usize, right: *const C, offsets: &[usize]) {
        let (m, sums) = (self.left, self.lanes.make_mut::<C>().as_mut_ptr());
        // SAFETY: the caller's promise.
        unsafe {
            match tile::<C>() {
                [6, ..] => blocks::<C, 6, 4>(n, left, step, m, right, offsets, sums),
                _ => blocks::<C, 4, 3>(n, left, step, m, right, offsets, sums),
            }
        }
    }

    /// Adds up the lanes, and writes a row for each on the left, `step` apart.
    ///
    /// # Safety
    /// There is room for them.
    unsafe fn store(&self, out: *mut C, step: usize) {
        let lanes = self.lanes.as_slice::<C>().as_ptr();
        // SAFETY: the caller's promise, and the lanes of all tiles.
        unsafe { add_lanes::<C>(lanes, [self.left, self.right], out, step) };
    }
}

dispatch!(vectors unsafe fn add_lanes<C: Float>(lanes: *const C, size: [usize; 2], out: *mut C, step: usize) => add_lanes_body);

/// # Safety
/// As [`Sums::store`].
#[inline(always)]
unsafe fn add_lanes_body<V: Vector<C = C>, C: Float>(
    lanes: *const C,
    [left, right]: [usize; 2],
    out: *mut C,
    step: usize,
) {
    let [r, t, _] = tile::<C>();
    let mut at = lanes;
    for (first_row, first_tap) in (0..left)
        .step_by(r)
        .flat_map(|o| (0..right).step_by(t).map(move |k| (o, k)))
    {
        for (o, k) in (first_row..first_row + r).flat_map(|o| (first_tap..first_tap + t).map(move |k| (o, k)))
        {
            if o < left && k < right {
                // SAFETY: the caller's promise.
                unsafe { out.add(o * step + k).write(V::load(at).across::<Sum>()) };
            }
            at = at.wrapping_add(V::LANES);
        }
    }
}

/// Rows of the left operand, of the right one, and lanes in each sum of the tile.
fn tile<C: Float>() -> [usize; 3] {
    match isa() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => [6, 4, C::Avx512::LANES],
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => [4, 3, C::Avx2::LANES],
        _ => [4, 3, C::Baseline::LANES],
    }
}

dispatch!(vectors unsafe fn blocks<C: Float; const R: usize, const T: usize>(
    n: usize, left: *const C, step: usize, m: usize, right: *const C, offsets: &[usize], out: *mut C
) => blocks_body);

#[inline(always)]
unsafe fn blocks_body<V: Vector<C = C>, C: Float, const R: usize, const T: usize>(
    n: usize,
    left: *const C,
    step: usize,
    m: usize,
    right: *const C,
    offsets: &[usize],
    out: *mut C,
) {
    let rows = offsets.len();
    for r in (0..m).step_by(R) {
        for t in (0..rows).step_by(T) {
            // Rows past the last one are the last one again, and nobody asks for their sums.
            let a: [_; R] = from_fn(|i| left.wrapping_add((r + i).min(m - 1) * step));
            let b: [_; T] = from_fn(|i| right.wrapping_add(offsets[(t + i).min(rows - 1)]));
            let tile = out.wrapping_add((r / R * rows.div_ceil(T) + t / T) * R * T * V::LANES);
            let at = |i: usize, j: usize| tile.wrapping_add((i * T + j) * V::LANES);
            // SAFETY: the caller's promise.
            unsafe {
                let mut sums: [[V; T]; R] = from_fn(|i| from_fn(|j| V::load(at(i, j))));
                for k in (0..n).step_by(V::LANES) {
                    let y = b.map(|b| V::load(b.add(k)));
                    for i in 0..R {
                        let x = V::load(a[i].add(k));
                        for j in 0..T {
                            sums[i][j] = x.mul_add(y[j], sums[i][j]);
                        }
                    }
                }
                for i in 0..R {
                    for j in 0..T {
                        sums[i][j].store(at(i, j), false);
                    }
                }
            }
        }
    }
}
