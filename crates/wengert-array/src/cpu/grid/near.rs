//! The neighbours of places, and their weights.

use super::beside::Room;
use super::{Images, Interpolation, Outside, Sampling, TILE};
use crate::cpu::isa::Lane;
use crate::real::Real;

/// The neighbours of a tile of places: where in a plane each is, or behind its end, and its weight in each sum.
pub(super) struct Near<C> {
    pub at: Vec<i32>,
    pub weight: Vec<C>,
    /// Of one dimension: the neighbours' places there, and their weights.
    line: [Vec<C>; 2],
    /// Room for tiles of numbers of all channels side by side.
    pub tiles: [Vec<C>; 3],
    pub room: Room<C>,
}

impl<C: Lane> Near<C> {
    pub(super) fn new(images: &Images<'_, C>) -> Near<C> {
        let (all, line) = (images.neighbours(), images.sampling.interpolation.weights().len());
        let room = |n: usize| vec![C::default(); n * TILE];
        Near {
            at: vec![0; all * TILE],
            weight: room(images.orders.len() * all),
            line: [room(line), room(line)],
            tiles: std::array::from_fn(|_| room(images.lanes())),
            room: Room::new(images.lanes()),
        }
    }
}

/// Finds the neighbours of places `from .. from + len`, and their weights.
///
/// # Safety
/// There are so many places.
#[inline(always)]
pub(super) unsafe fn find_body<S: Real, C: Lane>(
    images: &Images<'_, C>,
    from: usize,
    len: usize,
    near: &mut Near<C>,
) {
    const { assert!(size_of::<S>() == size_of::<C>()) };
    let Sampling {
        interpolation,
        outside,
        align,
        ..
    } = *images.sampling;
    let (weights, all) = (interpolation.weights(), images.neighbours());
    let back = S::lit((weights.len().max(2) / 2 - 1) as f64);
    let mut inner = all;
    for (d, &size) in images.sizes.iter().enumerate() {
        let top = S::lit(size as f64 - 1.0);
        // SAFETY: the caller's promise; S has the bits of C, and rooms are as large as tiles of all neighbours.
        unsafe {
            let places = images.places[d].as_ptr().add(from).cast::<S>();
            let [at, t] = near.line.each_mut().map(|line| line.as_mut_ptr().cast::<S>());
            for k in 0..weights.len() {
                let (at, k) = (at.add(k * TILE), S::lit(k as f64));
                for p in 0..len {
                    let place = places.add(p).read();
                    let low = match interpolation {
                        Interpolation::Nearest => half_even(place),
                        _ => place.floor(),
                    };
                    let mut here = low - back + k;
                    if interpolation == Interpolation::Cubic && outside != Outside::Zeros {
                        // Whole but for rounding.
                        here = (outside.bring(here, size, align) + S::lit(0.5)).floor();
                    }
                    let inside = S::and(here.ge(S::ZERO), here.le(top));
                    at.add(p).write(S::select(inside, here, S::lit(-1.0)));
                    t.add(p).write(place - low);
                }
            }
            // All combinations of neighbours, those of the first dimension slowest.
            inner /= weights.len();
            let last = d + 1 == images.sizes.len();
            let none = if last { images.plane() as i32 } else { -1 };
            for code in 0..all {
                let k = code / inner % weights.len();
                let line = near.line[0].as_ptr().add(k * TILE);
                let at = near.at.as_mut_ptr().add(code * TILE);
                for p in 0..len {
                    // −1 or a place in the line.
                    let here = line.add(p).read().to_f64().to_int_unchecked::<i32>();
                    let before = if d == 0 { 0 } else { at.add(p).read() };
                    let both = before.wrapping_mul(size as i32).wrapping_add(here);
                    at.add(p).write(if before | here < 0 { none } else { both });
                }
                for (o, order) in images.orders.iter().enumerate() {
                    let [a, b, c, e] = derivative(weights[k], order[d]).map(S::lit);
                    let weight = near.weight.as_mut_ptr().add((o * all + code) * TILE).cast::<S>();
                    let t = near.line[1].as_ptr().cast::<S>();
                    for p in 0..len {
                        let t = t.add(p).read();
                        let factor = e.mul_add(t, c).mul_add(t, b).mul_add(t, a);
                        let before = if d == 0 { S::ONE } else { weight.add(p).read() };
                        weight.add(p).write(before * factor);
                    }
                }
            }
        }
    }
}

/// The coefficients of a polynomial's derivative of that order.
fn derivative(mut polynomial: [f64; 4], order: u8) -> [f64; 4] {
    for _ in 0..order.min(4) {
        let [_, b, c, d] = polynomial;
        polynomial = [b, 2.0 * c, 3.0 * d, 0.0];
    }
    polynomial
}

/// The nearest whole number, of two the even one.
#[inline(always)]
fn half_even<S: Real>(x: S) -> S {
    let half = S::lit(0.5);
    let up = (x + half).floor();
    let odd = ((up * half).floor() * S::lit(2.0)).ne(up);
    S::select(S::and((up - x).eq(half), odd), up - S::ONE, up)
}
