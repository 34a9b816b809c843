//! Convolution over one to three dimensions, and both of its gradients.
//!
//! Convolving, and convolving back (the gradient for the input, which is also transposed convolution), are
//! one computation here: a sum over channels and *taps*, places of the source that lie at fixed distances from
//! each position of the result. A convolution with stride, backwards, is one such sum for each remainder of a
//! place by the stride, each with the taps that meet it. So every element of the result is written once, in an
//! order that sizes alone decide: the bits are the same for any number of threads.
//!
//! A sum is a product of the weights with a matrix of patches (Chellapilla et al., 2006). That matrix is never
//! made as a whole but where it is small beside the weights (`whole.rs`). Most sums read the source itself, from slabs of it in
//! which each tap is a fixed distance away (`slab.rs`), with output channels in lanes (`lanes.rs`) or, of few, with positions in
//! lanes (`tile.rs`); the others gather a tile of positions at a time into the layout which that tile reads. One or two
//! channels in a group have loops of their own (`direct.rs`, `dots.rs`).

mod direct;
mod dots;
mod flat;
mod lanes;
mod patches;
mod slab;
mod tile;
mod weight;
mod whole;

use super::isa::Lane;
use super::matmul::matmul;
use super::shared::{In, Out};
use super::threads;
use super::turn::{SIDE, turn};
use crate::array::Array;
use crate::dtype::{Compute, DType};
use crate::layout::Shape;
use crate::with_compute;
use patches::{Segment, segments};
use tile::Tile;

/// How the taps of a kernel lie over its input. There are always three dimensions, outermost first; those that
/// are not used have size 1, stride 1, and no padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvSpec {
    /// How far apart neighbouring positions are in the input.
    pub stride: [usize; 3],
    /// How many zeros lie before the input's first element. Those after it follow from the result's size.
    pub before: [usize; 3],
    /// How far apart neighbouring taps are.
    pub dilation: [usize; 3],
    /// Into how many groups channels are divided; each sees only its own.
    pub groups: usize,
}

impl ConvSpec {
    /// How far each tap is from `position × stride`.
    fn taps(&self, kernel: [usize; 3]) -> Vec<[isize; 3]> {
        let far = |d: usize, k: usize| (k * self.dilation[d]) as isize - self.before[d] as isize;
        each(kernel)
            .map(|k| std::array::from_fn(|d| far(d, k[d])))
            .collect()
    }

    /// Whether a kernel as large as its input meets it at one position: then a convolution is a linear layer.
    fn is_linear(&self, source: [usize; 3], kernel: [usize; 3], positions: [usize; 3]) -> bool {
        let whole = source == kernel && positions == [1; 3];
        whole && self.groups == 1 && self.before == [0; 3] && self.dilation == [1; 3]
    }
}

/// Depth of a panel: one of the right operand stays in the first-level cache.
const DEPTH: usize = 256;
/// Elements of a tile of patches: they stay in the second-level cache.
const PATCHES: usize = 32 << 10;
/// Positions in a tile.
const POSITIONS: usize = 1024;
/// Up to so many output channels of a group are computed without the register tile.
const FEW: usize = 2;

/// A sum over channels and taps, for each group, output channel and position of a grid.
struct Taps {
    images: usize,
    groups: usize,
    /// Channels of the source, and of the result, in a group.
    channels: usize,
    outputs: usize,
    source: [usize; 3],
    grid: [usize; 3],
    stride: [usize; 3],
    /// How far each tap is from `position × stride`.
    taps: Vec<[isize; 3]>,
    /// Which of the kernel's each tap is.
    from: Vec<usize>,
    /// Where positions of the grid are in the result.
    target: [usize; 3],
    first: [usize; 3],
    step: [usize; 3],
}

/// How sums are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// By rows, of one or two outputs (`direct.rs`).
    Few,
    /// With so many outputs beside each other in lanes (`lanes.rs`).
    Lanes(usize),
    /// With positions in lanes, and so many outputs (`tile.rs`).
    Tile(usize),
}

fn product(x: [usize; 3]) -> usize {
    x.iter().product()
}

fn spatial(x: &Array) -> [usize; 3] {
    [x.shape()[2], x.shape()[3], x.shape()[4]]
}

/// With all dimensions but the first as one.
fn flattened(x: &Array) -> Array {
    x.reshape([x.shape()[0], x.shape()[1..].iter().product()])
}

/// All combinations of numbers below `sizes`, the last one fastest.
fn each(sizes: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    (0..product(sizes)).map(move |i| [i / (sizes[1] * sizes[2]), i / sizes[2] % sizes[1], i % sizes[2]])
}

/// `y[n, o] = bias[o] + Σ w[o, c, k] x[n, c, · stride + k dilation − before]` for x [N, C, d, h, w], w [O, C/groups, kernel],
/// with positions `size`: [N, O, size].
pub fn conv(x: &Array, w: &Array, bias: Option<&Array>, spec: &ConvSpec, size: [usize; 3]) -> Array {
    let (dtype, compute) = (x.dtype(), x.dtype().compute());
    let [x, w] = [x, w].map(|a| a.cast(compute).contiguous());
    let bias = bias.map(|b| b.cast(compute).contiguous());
    let (outputs, kernel) = (w.shape()[0], spatial(&w));
    if spec.is_linear(spatial(&x), kernel, size) {
        let [x, w] = [x, w].map(|a| flattened(&a));
        let y = matmul(&x, &w.transpose(0, 1), &Shape::new(&[]), bias.as_ref());
        return y.reshape([x.shape()[0], outputs, 1, 1, 1]).cast(dtype);
    }
    let sum = Taps {
        images: x.shape()[0],
        groups: spec.groups,
        channels: w.shape()[1],
        outputs: outputs / spec.groups,
        source: spatial(&x),
        grid: size,
        stride: spec.stride,
        taps: spec.taps(kernel),
        from: (0..product(kernel)).collect(),
        target: size,
        first: [0; 3],
        step: [1; 3],
    };
    let mut y = Array::uninit([x.shape()[0], outputs, size[0], size[1], size[2]], compute);
    with_compute!(compute, C => {
        let weights = w.reshape([spec.groups, sum.outputs, sum.channels, product(kernel)]);
        run::<C>(std::slice::from_ref(&sum), &x, &weights, bias.as_ref(), Out(y.uninit_slice::<C>()));
    });
    y.cast(dtype)
}

/// The transpose of [`conv`] in x: dx of size `size` from dy [N, O, d, h, w] and w [O, C/groups, kernel], plus a bias for
/// each channel.
pub fn conv_input(dy: &Array, w: &Array, bias: Option<&Array>, spec: &ConvSpec, size: [usize; 3]) -> Array {
    let (dtype, compute) = (dy.dtype(), dy.dtype().compute());
    let [dy, w] = [dy, w].map(|a| a.cast(compute).contiguous());
    let bias = bias.map(|b| b.cast(compute).contiguous());
    let (per, kernel) = (w.shape()[1], spatial(&w));
    let outputs = w.shape()[0] / spec.groups;
    if spec.is_linear(size, kernel, spatial(&dy)) {
        let places = [per, product(kernel)];
        let bias = bias.map(|b| {
            b.reshape([per, 1])
                .broadcast_to(&places.into())
                .reshape([places[0] * places[1]])
        });
        let dx = matmul(&flattened(&dy), &flattened(&w), &Shape::new(&[]), bias.as_ref());
        return dx
            .reshape([dy.shape()[0], per, size[0], size[1], size[2]])
            .cast(dtype);
    }
    let mut dx = Array::uninit(
        [dy.shape()[0], per * spec.groups, size[0], size[1], size[2]],
        compute,
    );
    if whole::folds(&dy, &w, spec, size) {
        whole::fold(&dy, &w, bias.as_ref(), spec, &mut dx);
        return dx.cast(dtype);
    }
    with_compute!(compute, C => {
        let out = Out(dx.uninit_slice::<C>());
        // Places i with i mod stride = rest see the taps k with i + before − k·dilation divisible by the stride.
        let rests = each(std::array::from_fn(|d| spec.stride[d].min(size[d])));
        let parts = rests.map(|rest| {
            let meets = |d: usize, k: usize| {
                let far = (rest[d] + spec.before[d]) as isize - (k * spec.dilation[d]) as isize;
                let stride = spec.stride[d] as isize;
                (far.rem_euclid(stride) == 0).then_some(far.div_euclid(stride))
            };
            let (mut taps, mut from) = (Vec::new(), Vec::new());
            for (t, k) in each(kernel).enumerate() {
                if let (Some(a), Some(b), Some(c)) = (meets(0, k[0]), meets(1, k[1]), meets(2, k[2])) {
                    taps.push([a, b, c]);
                    from.push(t);
                }
            }
            Taps {
                images: dy.shape()[0],
                groups: spec.groups,
                channels: outputs,
                outputs: per,
                source: spatial(&dy),
                grid: std::array::from_fn(|d| (size[d] - rest[d]).div_ceil(spec.stride[d])),
                stride: [1; 3],
                taps,
                from,
                target: size,
                first: rest,
                step: spec.stride,
            }
        });
        let count = product(kernel);
        let weights = w.reshape([spec.groups, outputs, per, count]).transpose(1, 2);
        run::<C>(&parts.collect::<Vec<_>>(), &dy, &weights, bias.as_ref(), out);
    });
    dx.cast(dtype)
}

/// The transpose of [`conv`] in w: dw [O, C/groups, kernel] from x [N, C, d, h, w] and dy [N, O, d, h, w].
pub fn conv_weight(x: &Array, dy: &Array, spec: &ConvSpec, kernel: [usize; 3]) -> Array {
    let (dtype, compute) = (
        x.dtype(),
        if x.dtype() == DType::F64 {
            DType::F64
        } else {
            DType::F32
        },
    );
    let [x, dy] = [x, dy].map(|a| a.cast(compute).contiguous());
    if spec.is_linear(spatial(&x), kernel, spatial(&dy)) {
        let dw = matmul(
            &flattened(&dy).transpose(0, 1),
            &flattened(&x),
            &Shape::new(&[]),
            None,
        );
        let shape = [dy.shape()[1], x.shape()[1], kernel[0], kernel[1], kernel[2]];
        return dw.reshape(shape).cast(dtype);
    }
    let sum = Taps {
        images: x.shape()[0],
        groups: spec.groups,
        channels: x.shape()[1] / spec.groups,
        outputs: dy.shape()[1] / spec.groups,
        source: spatial(&x),
        grid: spatial(&dy),
        stride: spec.stride,
        taps: spec.taps(kernel),
        from: (0..product(kernel)).collect(),
        target: spatial(&dy),
        first: [0; 3],
        step: [1; 3],
    };
    let shape = [dy.shape()[1], sum.channels, kernel[0], kernel[1], kernel[2]];
    with_float!(compute, C => sum.weight_gradient::<C>(&x, &dy).reshape(shape)).cast(dtype)
}

/// Computes sums over one source, given the weights for each group, output, channel and tap of the kernel.
fn run<C: Lane>(parts: &[Taps], source: &Array, weights: &Array, bias: Option<&Array>, out: Out<C>) {
    match parts.first() {
        Some(all) if all.images * all.groups * all.outputs * all.positions() > 0 => {}
        _ => return,
    }
    let source = In(source.as_slice::<C>().as_ptr());
    let bias = In(bias.map_or(std::ptr::null(), |b| b.as_slice::<C>().as_ptr()));
    if let [one] = parts
        && one.is_whole()
    {
        return one.run_whole(source, weights, bias, out);
    }
    let mut kind = parts[0].kind::<C>();
    let slab = flat::slab(parts, kind);
    if slab.is_none() {
        kind = Kind::Tile(Tile::best::<C>().rows);
    }
    let packed = |sum: &Taps| match kind {
        Kind::Few => sum.pack::<C>(1, usize::MAX, weights),
        Kind::Lanes(rows) | Kind::Tile(rows) => sum.pack::<C>(rows, DEPTH, weights),
    };
    let packed: Vec<Array> = parts.iter().map(packed).collect();
    let packed: Vec<In<C>> = packed.iter().map(|p| In(p.as_slice::<C>().as_ptr())).collect();
    match slab {
        Some(slab) => flat::run(parts, &slab, kind, source, &packed, bias, out),
        None => parts
            .iter()
            .zip(packed)
            .filter(|(sum, _)| sum.positions() > 0)
            .for_each(|(sum, packed)| sum.run_patches(source, packed, bias, out)),
    }
}

impl Taps {
    fn positions(&self) -> usize {
        product(self.grid)
    }

    /// The best way where the source is read from slabs.
    fn kind<C: Lane>(&self) -> Kind {
        match lanes::panel::<C>() {
            _ if self.outputs <= FEW => Kind::Few,
            // Vectors that are half full at least; long rows fill the other tile as well, and their results need not be turned.
            Some(panel)
                if self.outputs >= panel / 4 && (self.outputs > panel / 2 || self.grid[2] < panel) =>
            {
                Kind::Lanes(panel)
            }
            _ => Kind::Tile(Tile::best::<C>().rows),
        }
    }

    fn depth(&self) -> usize {
        self.channels * self.taps.len()
    }

    /// Where a position is in the result's plane.
    fn place(&self, q: [usize; 3]) -> usize {
        let at = |d: usize| self.first[d] + q[d] * self.step[d];
        (at(0) * self.target[1] + at(1)) * self.target[2] + at(2)
    }

    fn is_dense(&self) -> bool {
        self.step == [1; 3] && self.grid == self.target
    }

    /// The weights of each group, in slices of `slice` channels and taps, of panels of `rows` output channels.
    fn pack<C: Lane>(&self, rows: usize, slice: usize, weights: &Array) -> Array {
        let [group, output, channel] = [0, 1, 2].map(|d| weights.layout().strides()[d] as usize);
        let weights = In(weights.as_ptr::<C>());
        let (depth, count, panels) = (self.depth(), self.taps.len(), self.outputs.div_ceil(rows));
        let mut packed = Array::full([self.groups, depth, panels * rows], 0.0, C::DTYPE);
        let out = Out(packed.make_mut::<C>().as_mut_ptr());
        let all = self.from.iter().enumerate().all(|(t, from)| t == *from);
        // How many numbers of one output channel lie side by side: all of them, those of a channel, or each by itself.
        let run = match () {
            _ if all && channel == count => depth,
            _ if all => count,
            _ => 1,
        };
        threads::split(self.groups * panels, 1, depth * rows, |start, len| {
            for task in start..start + len {
                let (g, first) = (task / panels, task % panels * rows);
                let height = rows.min(self.outputs - first);
                for from in (0..depth).step_by(slice) {
                    let deep = slice.min(depth - from);
                    let panel = out.at((g * depth + from) * panels * rows + first * deep);
                    let mut k = from;
                    while k < from + deep {
                        let n = (run - k % run).min(from + deep - k);
                        let (c, t) = (k / count, self.from[k % count]);
                        let at = weights.at(g * group + first * output + c * channel + t);
                        let to = panel.wrapping_add((k - from) * rows);
                        // SAFETY: so many weights of so many output channels, and a part of this task's panel.
                        unsafe {
                            match n < SIDE {
                                // Few taps are sooner brought there one by one.
                                true => (0..n).for_each(|t| {
                                    (0..height).for_each(|m| {
                                        to.add(t * rows + m).write(at.add(m * output + t).read())
                                    });
                                }),
                                false => turn(at, output as isize, to, rows, [n, height]),
                            }
                        }
                        k += n;
                    }
                }
            }
        });
        packed
    }

    /// By way of a matrix of patches.
    fn run_patches<C: Lane>(&self, source: In<C>, packed: In<C>, bias: In<C>, out: Out<C>) {
        let (tile, depth) = (Tile::best::<C>(), self.depth());
        let p = self.positions();
        let fits = (PATCHES / depth.clamp(1, DEPTH))
            .clamp(2 * tile.columns, POSITIONS)
            .next_multiple_of(tile.columns);
        // Tiles of even sizes rather than full ones and a rest.
        let across = p.div_ceil(p.div_ceil(fits)).next_multiple_of(tile.columns);
        let tiles = p.div_ceil(across);
        let cost = self.outputs * depth * across / 24 + (depth + self.outputs) * across / 4;
        threads::split(self.images * self.groups * tiles, 1, cost.max(1), |start, len| {
            let mut scratch = self.scratch::<C>(across, tile);
            for task in start..start + len {
                let (image, g, at) = (
                    task / tiles / self.groups,
                    task / tiles % self.groups,
                    task % tiles * across,
                );
                let n = across.min(p - at);
                // SAFETY: the arrays have the sizes of the sum, and no other task writes these positions.
                unsafe { self.tile::<C>(tile, source, packed, bias, out, image, g, at, n, &mut scratch) };
            }
        });
    }

    fn scratch<C: Compute>(&self, across: usize, tile: Tile) -> Scratch<C> {
        let deep = self.depth().min(DEPTH);
        Scratch {
            patches: vec![C::default(); deep * across],
            line: vec![C::default(); across + tile.columns],
            result: vec![C::default(); if self.is_dense() { 0 } else { self.outputs * across }],
            segments: Vec::new(),
        }
    }

    /// Positions `at .. at + n` of one image and group.
    ///
    /// # Safety
    /// The arrays have the sizes of the sum, and nobody else writes these positions.
    unsafe fn tile<C: Lane>(
        &self,
        tile: Tile,
        source: In<C>,
        packed: In<C>,
        bias: In<C>,
        out: Out<C>,
        image: usize,
        g: usize,
        at: usize,
        n: usize,
        scratch: &mut Scratch<C>,
    ) {
        let (depth, plane, target) = (self.depth(), product(self.source), product(self.target));
        let rows = self.outputs.next_multiple_of(tile.rows);
        let source = source.at((image * self.groups + g) * self.channels * plane);
        let result = (image * self.groups + g) * self.outputs;
        segments(self.grid, 0, at, n, &mut scratch.segments);
        // Straight into the result where its positions follow each other, else by way of a tile.
        let (to, step) = match self.is_dense() {
            true => (out.at(result * target + at), target),
            false => (scratch.result.as_mut_ptr(), n),
        };
        // Without a tap the result is what it begins with.
        for from in (0..depth.max(1)).step_by(DEPTH) {
            let deep = DEPTH.min(depth - from);
            // SAFETY: the patches hold `deep` rows for n positions, rounded up to whole panels.
            unsafe {
                let (line, patches) = (scratch.line.as_mut_ptr(), scratch.patches.as_mut_ptr());
                tile.pack(self, source, &scratch.segments, from, deep, n, line, patches);
            }
            let weights = packed.at((g * depth + from) * rows);
            for j in (0..n).step_by(tile.columns) {
                let right = scratch.patches.as_ptr().wrapping_add(j * deep);
                for i in (0..self.outputs).step_by(tile.rows) {
                    let size = [tile.rows.min(self.outputs - i), tile.columns.min(n - j)];
                    let start = match bias.0.is_null() {
                        true => bias.0,
                        false => bias.at(g * self.outputs + i),
                    };
                    // SAFETY: panels of `deep` rows each, and a part of this task's positions.
                    unsafe {
                        let left = weights.wrapping_add(i * deep);
                        tile.multiply(
                            deep,
                            left,
                            right,
                            to.wrapping_add(i * step + j),
                            step,
                            size,
                            start,
                            from > 0,
                        );
                    }
                }
            }
        }
        if !self.is_dense() {
            for m in 0..self.outputs {
                let plane = out.at((result + m) * target);
                for s in &scratch.segments {
                    let to = self.place(s.from);
                    for i in 0..s.len {
                        // SAFETY: a position of this task's.
                        unsafe {
                            plane
                                .add(to + i * self.step[2])
                                .write(scratch.result[m * n + s.at + i])
                        };
                    }
                }
            }
        }
    }
}

/// What a thread needs for its tiles.
struct Scratch<C> {
    patches: Vec<C>,
    line: Vec<C>,
    result: Vec<C>,
    segments: Vec<Segment>,
}

#[cfg(test)]
mod tests;
