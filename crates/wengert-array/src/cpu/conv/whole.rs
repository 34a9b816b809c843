//! Few positions in all, as in the late layers of a network for images: the matrix of patches of all images is small beside
//! the weights, and is made as a whole. Then a sum is one matrix product, and so is the gradient for the weights. The gradient for
//! the input is the product first, of which each position's share is then added to the places of its window.

use super::slab::{MOST, Seen, Slab};
use super::{ConvSpec, In, Out, Taps, product, spatial};
use crate::array::Array;
use crate::cpu::columns::{Sliding, add_windows};
use crate::cpu::copy;
use crate::cpu::isa::{Lane, dispatch};
use crate::cpu::matmul::matmul;
use crate::cpu::threads;
use crate::dtype::{Compute, DType};
use crate::layout::Shape;
use crate::with_compute;

/// Positions of all images together that are few.
const FEW_POSITIONS: usize = 256;
/// Weights that are many for them, and outputs.
const WEIGHTS: usize = 64 << 10;
const OUTPUTS: usize = 32;

impl Taps {
    /// Whether this is the best way.
    pub(super) fn is_whole(&self) -> bool {
        let total = self.images * self.positions();
        let plain =
            self.groups == 1 && self.is_dense() && self.from.iter().enumerate().all(|(t, from)| t == *from);
        plain
            && total > 0
            && total <= FEW_POSITIONS
            && self.outputs >= OUTPUTS
            && self.outputs * self.depth() >= WEIGHTS
            && Slab::new(std::slice::from_ref(self), 1, usize::MAX).len() <= MOST
    }

    /// The sums, given the weights.
    pub(super) fn run_whole<C: Lane>(&self, x: In<C>, weights: &Array, bias: In<C>, out: Out<C>) {
        let (p, w) = (self.positions(), weights.reshape([self.outputs, self.depth()]));
        let y = matmul(&w, &self.patches(x), &Shape::new(&[]), None);
        let y = In(y.as_slice::<C>().as_ptr());
        threads::split(self.images * self.outputs, 1, p, |start, len| {
            for task in start..start + len {
                let (image, m) = (task / self.outputs, task % self.outputs);
                let (from, to) = (y.at((m * self.images + image) * p), out.at(task * p));
                // SAFETY: the positions of one output of one image; the bias has a number for each output.
                unsafe {
                    let first = if bias.0.is_null() { None } else { Some(*bias.at(m)) };
                    for i in 0..p {
                        let sum = from.add(i).read();
                        to.add(i)
                            .write(first.map_or(sum, |first| C::from_f64(first.to_f64() + sum.to_f64())));
                    }
                }
            }
        });
    }

    /// The gradient for the weights [outputs, depth].
    pub(super) fn weight_whole<C: Lane>(&self, x: In<C>, dy: &Array) -> Array {
        let slopes = side_by_side(dy);
        matmul(&slopes, &self.patches(x).transpose(0, 1), &Shape::new(&[]), None)
    }

    /// The source's elements that each channel and tap meets at the positions of all images: [depth, images · positions].
    fn patches<C: Lane>(&self, x: In<C>) -> Array {
        let (p, count, plane) = (self.positions(), self.taps.len(), product(self.source));
        let (total, [_, down, across]) = (self.images * p, self.grid);
        let slab = Slab::new(std::slice::from_ref(self), 1, usize::MAX);
        let offsets = slab.offsets(&self.taps);
        let mut patches = Array::uninit([self.depth(), total], C::DTYPE);
        let to = Out(patches.uninit_slice::<C>());
        threads::split(self.channels, 1, count * total, |start, len| {
            let mut seen = Seen::new(&slab, 0);
            for task in start * self.images..(start + len) * self.images {
                let (c, image) = (task / self.images, task % self.images);
                let source = x.at((image * self.channels + c) * plane);
                for q in (0..self.grid[0] * down).step_by(down) {
                    for q1 in (0..down).step_by(slab.rows) {
                        let rows = self.rows(&slab, q / down, q1);
                        // SAFETY: a channel of an image, and places of its positions in the rows of its taps; a slab's rows hold
                        // each tap's element of each position.
                        unsafe {
                            seen.fill(&slab, source, 1, q / down, q1);
                            let to = to.at(c * count * total + image * p + (q + q1) * across);
                            let from = seen.data.as_ptr();
                            lay::<C>(from, slab.size[2], &offsets, to, total, [rows, across]);
                        }
                    }
                }
            }
        });
        patches
    }
}

/// The positions of all images beside each other: [channels, images · positions].
fn side_by_side(y: &Array) -> Array {
    let [images, channels] = [y.shape()[0], y.shape()[1]];
    y.transpose(0, 1)
        .contiguous()
        .reshape([channels, images * product(spatial(y))])
}

/// Whether the gradient for the input is made of one product: with few positions in all, each of which gives to many places.
pub(super) fn folds(dy: &Array, w: &Array, spec: &ConvSpec, size: [usize; 3]) -> bool {
    let total = dy.shape()[0] * product(spatial(dy));
    let plain = spec.groups == 1
        && dy.dtype() != DType::I64
        && size[0] == 1
        && w.shape()[2] == 1
        && w.shape()[3] * w.shape()[4] > 1;
    plain && total > 0 && total <= FEW_POSITIONS && w.shape()[0] >= OUTPUTS && w.numel() >= WEIGHTS
}

/// dx = bias + what each position gives to each place of its window, w · dy for all images at once, added up.
pub(super) fn fold(dy: &Array, w: &Array, bias: Option<&Array>, spec: &ConvSpec, dx: &mut Array) {
    let (images, per) = (dy.shape()[0], w.shape()[1]);
    let ([_, down, across], kernel, size) = (spatial(dy), spatial(w), spatial(dx));
    let depth = per * product(kernel);
    let sliding = Sliding {
        kernel: [kernel[1], kernel[2]],
        dilation: [spec.dilation[1], spec.dilation[2]],
        padding: [spec.before[1], spec.before[2]],
        stride: [spec.stride[1], spec.stride[2]],
    };
    let weights = w.reshape([w.shape()[0], depth]).transpose(0, 1);
    let given = matmul(&weights, &side_by_side(dy), &Shape::new(&[]), None);
    with_compute!(dx.dtype(), C => {
        let given = In(given.as_slice::<C>().as_ptr());
        let bias = bias.map(|b| b.as_slice::<C>());
        let out = Out(dx.uninit_slice::<C>());
        let (positions, plane) = (down * across, product(size));
        threads::split(images * per, 1, product(kernel) * positions, |start, len| {
            for task in start..start + len {
                let (image, c) = (task / per, task % per);
                // SAFETY: a channel of one image, and what is given to it.
                unsafe {
                    let out = out.slice(task * plane, plane);
                    out.fill(bias.map_or(C::default(), |b| b[c]));
                    let given = given.at((c * product(kernel) * images + image) * positions);
                    add_windows::<C>(given, images * positions, out.as_mut_ptr(), &sliding, [size[1], size[2]], [down, across]);
                }
            }
        });
    });
}

dispatch!(unsafe fn lay<C: Lane>(
    from: *const C, pitch: usize, offsets: &[usize], to: *mut C, step: usize, size: [usize; 2]
) => lay_body);

/// Rows of a slab that lie `pitch` apart, one after the other, from each of the offsets on; `step` apart.
///
/// # Safety
/// There are so many, and room for them.
#[inline(always)]
#[allow(clippy::extra_unused_type_parameters)] // only elements move, of whatever reading
unsafe fn lay_body<S, C: Compute>(
    from: *const C,
    pitch: usize,
    offsets: &[usize],
    to: *mut C,
    step: usize,
    [rows, across]: [usize; 2],
) {
    for (t, offset) in offsets.iter().enumerate() {
        for r in 0..rows {
            // SAFETY: the caller's promise.
            unsafe {
                copy::short(
                    from.add(offset + r * pitch),
                    to.add(t * step + r * across),
                    across,
                )
            };
        }
    }
}
