//! Images sampled at any places: each result is a sum over the neighbours of its place, with weights that are
//! polynomials in how far it is from them.

mod beside;
mod near;

use super::isa::{Lane, dispatch};
use super::shared::Out;
use super::threads;
use crate::array::Array;
use crate::layout::Shape;
use crate::real::Real;
use beside::{Room, gather_body, spread_body};
use near::{Near, find_body};

/// From which neighbours, along each dimension, a value is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// The nearest one; of two the even one.
    Nearest,
    /// The two around the place.
    Linear,
    /// Four (Keys, 1981, with a = −0.75).
    Cubic,
}

/// What there is outside of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// Zeros.
    Zeros,
    /// The nearest element inside.
    Border,
    /// The image mirrored.
    Reflection,
}

/// How an image is sampled.
#[derive(Clone, Debug)]
pub struct Sampling {
    /// Which neighbours, and how.
    pub interpolation: Interpolation,
    /// What neighbours are outside.
    pub outside: Outside,
    /// Whether images are mirrored at their outermost elements' centers, and not at their edges.
    pub align: bool,
    /// For each dimension, how often the weights are differentiated by the place.
    pub order: Vec<u8>,
}

impl Sampling {
    /// With the weights of dimension d differentiated once more.
    pub fn steeper(&self, d: usize) -> Sampling {
        let mut more = self.clone();
        more.order[d] = more.order[d].saturating_add(1);
        more
    }
}

impl Outside {
    /// A place in a line of n elements, brought inside. The slope of what is cut off is zero.
    #[inline(always)]
    pub fn bring<S: Real>(self, x: S, n: usize, align: bool) -> S {
        let top = n as f64 - 1.0;
        let mirrored = |low: f64, span: f64| {
            if span <= 0.0 {
                return x * S::ZERO;
            }
            let (low, span) = (S::lit(low), S::lit(span));
            let x = (x - low).abs();
            let turns = (x / span).floor();
            let extra = x - turns * span;
            // On the way back after an odd number of turns.
            let odd = ((turns * S::lit(0.5)).floor() * S::lit(2.0)).ne(turns);
            S::select(odd, span - extra, extra) + low
        };
        let x = match self {
            Outside::Zeros => return x,
            Outside::Border => x,
            Outside::Reflection if align => mirrored(0.0, top),
            Outside::Reflection => mirrored(-0.5, n as f64),
        };
        let x = S::select(x.le(S::ZERO), S::ZERO, x);
        S::select(x.ge(S::lit(top)), S::lit(top), x)
    }
}

impl Interpolation {
    /// The neighbours' weights at t after the first of them that is not beyond the place: coefficients of 1, t, t², t³.
    fn weights(self) -> &'static [[f64; 4]] {
        match self {
            Interpolation::Nearest => &[[1.0, 0.0, 0.0, 0.0]],
            Interpolation::Linear => &[[1.0, -1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]],
            Interpolation::Cubic => &[
                [0.0, -0.75, 1.5, -0.75],
                [1.0, 0.0, -2.25, 1.25],
                [0.0, 0.75, 1.5, -1.25],
                [0.0, 0.0, -0.75, 0.75],
            ],
        }
    }
}

/// Places whose neighbours are found together.
const TILE: usize = 128;

/// Images and the places at which they are sampled: sizes, and where the numbers are.
struct Images<'a, C> {
    sampling: &'a Sampling,
    /// How often the weights of each dimension are differentiated, for each sum that is asked for.
    orders: Vec<Vec<u8>>,
    count: usize,
    channels: usize,
    sizes: &'a [usize],
    places: Vec<&'a [C]>,
    /// Places for each image.
    each: usize,
}

impl<'a, C: Lane> Images<'a, C> {
    fn new(sampling: &'a Sampling, channels: usize, sizes: &'a [usize], places: &'a [Array]) -> Self {
        Images {
            sampling,
            orders: vec![sampling.order.clone()],
            count: places[0].shape()[0],
            channels,
            sizes,
            places: places.iter().map(|p| p.as_slice::<C>()).collect(),
            each: places[0].shape()[1],
        }
    }

    fn plane(&self) -> usize {
        self.sizes.iter().product()
    }

    /// Neighbours of each place.
    fn neighbours(&self) -> usize {
        self.sampling
            .interpolation
            .weights()
            .len()
            .pow(self.sizes.len() as u32)
    }

    /// How many channels are computed side by side: more than one only where bringing them beside each other pays.
    fn lanes(&self) -> usize {
        match self.channels {
            0..=1 => 1,
            _ if self.each * self.neighbours() < self.plane() => 1,
            2..=4 => 4,
            5..=8 => 8,
            _ => 16,
        }
    }

    /// Calls `f(near, block)` for each block of W channels of x, as [`beside`] arranges them, at each tile of places, of
    /// which the neighbours were found.
    fn blocks<const W: usize>(&self, x: &[C], f: impl Fn(&mut Near<C>, Block<C>) + Sync) {
        let (tiles, blocks) = (self.each.div_ceil(TILE), self.channels.div_ceil(W));
        let size = match W {
            1 => self.plane(),
            _ => (self.plane() + 1) * W,
        };
        let cost = (self.neighbours() + 1) * self.channels * TILE;
        threads::split(self.count * tiles, 1, cost, |start, len| {
            let mut near = Near::new(self);
            for task in start..start + len {
                let (image, from) = (task / tiles, task % tiles * TILE);
                let len = TILE.min(self.each - from);
                // SAFETY: there are so many places, and room for a tile's neighbours.
                unsafe { find::<C>(self, image * self.each + from, len, &mut near) };
                for block in 0..blocks {
                    let plane = x[(image * blocks + block) * size..][..size].as_ptr();
                    let channel = block * W;
                    let channels = W.min(self.channels - channel);
                    let row = (image * self.channels + channel) * self.each + from;
                    f(
                        &mut near,
                        Block {
                            plane,
                            image,
                            channels,
                            row,
                            from,
                            len,
                        },
                    );
                }
            }
        });
    }
}

/// Some channels of an image at a tile of places.
struct Block<C> {
    /// Their planes.
    plane: *const C,
    image: usize,
    channels: usize,
    /// Where the tile begins among the places of all images' channels, and among those of the image; its length.
    row: usize,
    from: usize,
    len: usize,
}

/// Calls a kernel with the number of lanes as a constant.
macro_rules! with_lanes {
    ($lanes:expr, $W:ident => $body:expr) => {
        match $lanes {
            16 => with_lanes!(16, $W, $body),
            8 => with_lanes!(8, $W, $body),
            4 => with_lanes!(4, $W, $body),
            _ => with_lanes!(1, $W, $body),
        }
    };
    ($lanes:literal, $W:ident, $body:expr) => {{
        const $W: usize = $lanes;
        $body
    }};
}

/// Arrays as kernels read them.
fn plain<'a>(all: impl IntoIterator<Item = &'a Array>) -> Vec<Array> {
    all.into_iter()
        .map(|a| a.cast(a.dtype().compute()).contiguous())
        .collect()
}

/// x `[n, c, plane]` with W channels beside each other, `[n, ⌈c / W⌉, plane + 1, W]`; behind the plane there are zeros.
fn beside<C: Lane, const W: usize>(x: &Array, [n, c, plane]: [usize; 3]) -> Array {
    if W == 1 {
        return x.clone();
    }
    let blocks = c.div_ceil(W);
    let mut y = Array::full([n, blocks, plane + 1, W], 0.0, x.dtype());
    let (src, out) = (x.as_slice::<C>(), Out(y.make_mut::<C>().as_mut_ptr()));
    threads::split(n * blocks, 1, plane * W, |start, len| {
        let mut room = Room::new(W);
        for task in start..start + len {
            let (image, block) = (task / blocks, task % blocks * W);
            let channels = W.min(c - block);
            let src = &src[(image * c + block) * plane..][..channels * plane];
            // SAFETY: there are so many numbers, and this block is this thread's.
            unsafe {
                gather::<C, W>(
                    src.as_ptr(),
                    plane,
                    channels,
                    plane,
                    &mut room,
                    out.at(task * (plane + 1) * W),
                )
            };
        }
    });
    y
}

/// x `[n, c, sizes]` at `places` `[n, m]`, one array of them for each dimension: `[n, c, m]`.
pub fn grid_sample(x: &Array, places: &[Array], sampling: &Sampling) -> Array {
    let all = plain([x].into_iter().chain(places));
    let (n, c, m) = (x.shape()[0], x.shape()[1], places[0].shape()[1]);
    let mut y = Array::uninit([n, c, m], x.dtype().compute());
    with_float!(x.dtype(), C => {
        let images = Images::<C>::new(sampling, c, &x.shape()[2..], &all[1..]);
        let out = Out(y.uninit_slice::<C>());
        with_lanes!(images.lanes(), W => {
            let src = beside::<C, W>(&all[0], [n, c, images.plane()]);
            images.blocks::<W>(src.as_slice(), |near, block| {
                let Block { plane, channels, row, len, .. } = block;
                let tile = near.tiles[0].as_mut_ptr();
                // SAFETY: neighbours are in the plane; these places are this thread's.
                unsafe {
                    sum::<C, W>(&near.at, near.weight.as_ptr(), plane, images.plane(), len, tile);
                    spread::<C, W>(tile, len, &mut near.room, channels, m, out.at(row));
                }
            });
        });
    });
    y.cast(x.dtype())
}

/// How the sum of dy `[n, c, m]` times [`grid_sample`] changes with each coordinate of the places: `[dimensions, n, m]`.
pub fn grid_sample_slope(dy: &Array, x: &Array, places: &[Array], sampling: &Sampling) -> Array {
    let all = plain([dy, x].into_iter().chain(places));
    let (n, c, m) = (x.shape()[0], x.shape()[1], places[0].shape()[1]);
    let mut y = Array::full([places.len(), n, m], 0.0, x.dtype().compute());
    with_float!(x.dtype(), C => {
        let mut images = Images::<C>::new(sampling, c, &x.shape()[2..], &all[2..]);
        images.orders = (0..places.len()).map(|d| sampling.steeper(d).order).collect();
        let (dy, out) = (all[0].as_slice::<C>(), Out(y.make_mut::<C>().as_mut_ptr()));
        with_lanes!(images.lanes(), W => {
            let src = beside::<C, W>(&all[1], [n, c, images.plane()]);
            images.blocks::<W>(src.as_slice(), |near, block| {
                let Block { plane, image, channels, row, from, len } = block;
                let [tile, products, lanes] = near.tiles.each_mut().map(|tile| tile.as_mut_ptr());
                // SAFETY: neighbours are in the plane; these places are this thread's.
                unsafe {
                    gather::<C, W>(dy[row..].as_ptr(), m, channels, len, &mut near.room, tile);
                    for (d, weight) in near.weight.chunks_exact(near.at.len()).enumerate() {
                        sum::<C, W>(&near.at, weight.as_ptr(), plane, images.plane(), len, products);
                        multiply::<C>(len * W, tile, products);
                        spread::<C, W>(products, len, &mut near.room, W, TILE, lanes);
                        add::<C>(W, lanes, len, out.at((d * n + image) * m + from));
                    }
                }
            });
        });
    });
    y.cast(x.dtype())
}

/// The transpose of [`grid_sample`] in x: what arrives at each element of images of these sizes from dy `[n, c, m]`.
pub fn grid_sample_back(dy: &Array, places: &[Array], sampling: &Sampling, sizes: &[usize]) -> Array {
    let all = plain([dy].into_iter().chain(places));
    let (n, c, m) = (dy.shape()[0], dy.shape()[1], places[0].shape()[1]);
    let shape: Shape = [n, c].iter().chain(sizes).copied().collect();
    let mut x = Array::uninit(shape, dy.dtype().compute());
    with_float!(dy.dtype(), C => {
        let images = Images::<C>::new(sampling, c, sizes, &all[1..]);
        let (dy, out) = (all[0].as_slice::<C>(), Out(x.uninit_slice::<C>()));
        with_lanes!(images.lanes(), W => {
            let (plane, blocks) = (images.plane(), c.div_ceil(W));
            let cost = (images.neighbours() + 1) * m * W;
            threads::split(n * blocks, 1, cost, |start, len| {
                let mut near = Near::new(&images);
                let mut sums = vec![C::default(); (plane + 1) * W];
                for task in start..start + len {
                    let (image, block) = (task / blocks, task % blocks * W);
                    let (channel, channels) = (image * c + block, W.min(c - block));
                    sums.fill(C::default());
                    // SAFETY: neighbours are in the plane; the channels are this thread's.
                    unsafe {
                        for from in (0..m).step_by(TILE) {
                            let len = TILE.min(m - from);
                            find::<C>(&images, image * m + from, len, &mut near);
                            let dy = dy[channel * m + from..].as_ptr();
                            gather::<C, W>(dy, m, channels, len, &mut near.room, near.tiles[0].as_mut_ptr());
                            scatter::<C, W>(&near.at, near.weight.as_ptr(), near.tiles[0].as_ptr(), len, sums.as_mut_ptr());
                        }
                        spread::<C, W>(sums.as_ptr(), plane, &mut near.room, channels, plane, out.at(channel * plane));
                    }
                }
            });
        });
    });
    x.cast(dy.dtype())
}

dispatch!(unsafe fn find<C: Lane>(images: &Images<'_, C>, from: usize, len: usize, near: &mut Near<C>) => find_body);

dispatch!(unsafe fn gather<C: Lane; const W: usize>(
    from: *const C, step: usize, channels: usize, len: usize, room: &mut Room<C>, to: *mut C
) => gather_body);

dispatch!(unsafe fn spread<C: Lane; const W: usize>(
    from: *const C, len: usize, room: &mut Room<C>, channels: usize, step: usize, to: *mut C
) => spread_body);

dispatch!(unsafe fn sum<C: Lane; const W: usize>(at: &[i32], weight: *const C, plane: *const C, end: usize, len: usize, out: *mut C) => sum_body);

/// The sums, at the first `len` places, of neighbours times their weights.
///
/// # Safety
/// There are so many places and room for the result; neighbours are in the plane or, but for a single channel, behind its end.
#[inline(always)]
unsafe fn sum_body<S: Real, C: Lane, const W: usize>(
    at: &[i32],
    weight: *const C,
    plane: *const C,
    end: usize,
    len: usize,
    out: *mut C,
) {
    const { assert!(size_of::<S>() == size_of::<C>()) };
    let (weight, plane, out) = (weight.cast::<S>(), plane.cast::<S>(), out.cast::<[S; W]>());
    for p in 0..len {
        let mut sum = [S::ZERO; W];
        // SAFETY: the caller's promise; S has the bits of C.
        unsafe {
            for k in 0..at.len() / TILE {
                let (at, w) = (
                    at.as_ptr().add(k * TILE + p).read() as usize,
                    weight.add(k * TILE + p).read(),
                );
                let x = match W {
                    1 if at == end => [S::ZERO; W],
                    _ => plane.add(at * W).cast::<[S; W]>().read(),
                };
                for l in 0..W {
                    sum[l] = w.mul_add(x[l], sum[l]);
                }
            }
            out.add(p).write(sum);
        }
    }
}

dispatch!(unsafe fn multiply<C: Lane>(n: usize, by: *const C, x: *mut C) => multiply_body);

/// Multiplies n numbers by others.
///
/// # Safety
/// There are so many.
#[inline(always)]
unsafe fn multiply_body<S: Real, C: Lane>(n: usize, by: *const C, x: *mut C) {
    let (by, x) = (by.cast::<S>(), x.cast::<S>());
    for i in 0..n {
        // SAFETY: the caller's promise; S has the bits of C.
        unsafe { x.add(i).write(x.add(i).read() * by.add(i).read()) };
    }
}

dispatch!(unsafe fn add<C: Lane>(rows: usize, x: *const C, len: usize, out: *mut C) => add_body);

/// Adds rows of a tile to `len` numbers.
///
/// # Safety
/// There are so many.
#[inline(always)]
unsafe fn add_body<S: Real, C: Lane>(rows: usize, x: *const C, len: usize, out: *mut C) {
    let (x, out) = (x.cast::<S>(), out.cast::<S>());
    for r in 0..rows {
        for p in 0..len {
            // SAFETY: the caller's promise; S has the bits of C.
            unsafe { out.add(p).write(out.add(p).read() + x.add(r * TILE + p).read()) };
        }
    }
}

dispatch!(unsafe fn scatter<C: Lane; const W: usize>(at: &[i32], weight: *const C, dy: *const C, len: usize, plane: *mut C) => scatter_body);

/// Adds dy times the weights to the neighbours.
///
/// # Safety
/// There are so many places, and neighbours are in the plane or behind its end, where there is room, too.
#[inline(always)]
unsafe fn scatter_body<S: Real, C: Lane, const W: usize>(
    at: &[i32],
    weight: *const C,
    dy: *const C,
    len: usize,
    plane: *mut C,
) {
    const { assert!(size_of::<S>() == size_of::<C>()) };
    let (weight, dy, plane) = (weight.cast::<S>(), dy.cast::<S>(), plane.cast::<S>());
    for p in 0..len {
        // SAFETY: the caller's promise; S has the bits of C.
        unsafe {
            let dy = dy.add(p * W).cast::<[S; W]>().read();
            for k in 0..at.len() / TILE {
                let (at, w) = (
                    at.as_ptr().add(k * TILE + p).read(),
                    weight.add(k * TILE + p).read(),
                );
                let to = plane.add(at as usize * W).cast::<[S; W]>();
                let mut sum = to.read();
                for l in 0..W {
                    sum[l] = w.mul_add(dy[l], sum[l]);
                }
                to.write(sum);
            }
        }
    }
}

#[cfg(test)]
mod tests;
