//! Discrete Fourier transforms along one dimension. Those of lengths with small prime factors are computed by vectors
//! ([`lanes`]), others by `rustfft`.

mod butterfly;
mod lanes;
mod real;
#[cfg(test)]
mod tests;

use super::isa::{Isa, isa};
use super::shared::{In, Out};
use super::threads;
use super::vector::Float;
use crate::array::Array;
use crate::dtype::{DType, Element};
use lanes::{Beside, Row};
use num_complex::Complex;
use real::Turns;
use rustfft::{Fft, FftDirection, FftNum, FftPlanner};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

thread_local! {
    /// Plans are made once for each length, and kept.
    static PLANS: RefCell<(Plans<f32>, Plans<f64>)> = RefCell::new((Plans::new(), Plans::new()));
}

/// Plans by length and direction, where there are such.
type Known<P> = HashMap<(usize, bool), Option<Arc<P>>>;

#[doc(hidden)]
pub struct Plans<T: FftNum> {
    library: FftPlanner<T>,
    row: Known<Row<T>>,
    beside: Known<Beside<T>>,
    turns: HashMap<usize, Arc<Turns<T>>>,
}

impl<T: FftNum> Plans<T> {
    fn new() -> Plans<T> {
        Plans {
            library: FftPlanner::new(),
            row: HashMap::new(),
            beside: HashMap::new(),
            turns: HashMap::new(),
        }
    }
}

/// A type that transforms are computed in.
trait Number: FftNum + Element + Float {
    fn plans<R>(f: impl FnOnce(&mut Plans<Self>) -> R) -> R;
    fn number(x: f64) -> Self;
}

impl Number for f32 {
    fn plans<R>(f: impl FnOnce(&mut Plans<f32>) -> R) -> R {
        PLANS.with_borrow_mut(|plans| f(&mut plans.0))
    }
    fn number(x: f64) -> f32 {
        x as f32
    }
}

impl Number for f64 {
    fn plans<R>(f: impl FnOnce(&mut Plans<f64>) -> R) -> R {
        PLANS.with_borrow_mut(|plans| f(&mut plans.1))
    }
    fn number(x: f64) -> f64 {
        x
    }
}

fn library<T: Number>(n: usize, inverse: bool) -> Arc<dyn Fft<T>> {
    let direction = match inverse {
        true => FftDirection::Inverse,
        false => FftDirection::Forward,
    };
    T::plans(|plans| plans.library.plan_fft(n, direction))
}

fn beside<T: Number>(n: usize, inverse: bool) -> Option<Arc<Beside<T>>> {
    lanes::lanes::<T>()?;
    let make = || Beside::new(n, inverse).map(Arc::new);
    T::plans(|plans| plans.beside.entry((n, inverse)).or_insert_with(make).clone())
}

fn turns<T: Number>(n: usize) -> Arc<Turns<T>> {
    T::plans(|plans| {
        plans
            .turns
            .entry(n)
            .or_insert_with(|| Arc::new(Turns::new(n)))
            .clone()
    })
}

/// How rows of a length are transformed.
enum Way<T: Number> {
    /// Each by itself, by vectors.
    Row(Arc<Row<T>>),
    /// As many at once as a vector has lanes.
    Rows(Arc<Beside<T>>),
    Library(Arc<dyn Fft<T>>),
}

impl<T: Number> Way<T> {
    /// That of so many rows of n numbers.
    fn of(n: usize, count: usize, inverse: bool) -> Way<T> {
        /// Longer rows, turned, do not fit a second-level cache.
        const TURNED: usize = 4096;
        /// Up to here the library is as good with vectors of AVX2.
        const SHORT: usize = 512;
        if isa() == Isa::Avx2 && n <= SHORT {
            return Way::Library(library(n, inverse));
        }
        let make = || Row::new(n, inverse).map(Arc::new);
        if let Some(row) = T::plans(|plans| plans.row.entry((n, inverse)).or_insert_with(make).clone()) {
            return Way::Row(row);
        }
        match lanes::lanes::<T>() {
            Some(lanes) if (lanes..=TURNED).contains(&n) && 2 * count >= lanes => {
                beside(n, inverse).map(Way::Rows)
            }
            _ => None,
        }
        .unwrap_or_else(|| Way::Library(library(n, inverse)))
    }

    /// How many rows are transformed at once.
    fn together(&self) -> usize {
        match self {
            Way::Rows(_) => lanes::lanes::<T>().unwrap_or(1),
            _ => 1,
        }
    }

    /// How many numbers [`rows`](Way::rows) needs room for.
    fn room(&self) -> usize {
        match self {
            Way::Row(plan) => plan.room(),
            Way::Rows(plan) => plan.room(),
            Way::Library(plan) => 2 * plan.get_immutable_scratch_len(),
        }
    }

    /// Transforms `count` rows, no more than go [`together`](Way::together), of numbers that lie so far apart.
    ///
    /// # Safety
    /// The rows are there and do not overlap; `work` has as much [room](Way::room).
    unsafe fn rows(
        &self,
        from: (*const Complex<T>, usize),
        to: (*mut Complex<T>, usize),
        count: usize,
        work: *mut T,
        scale: f64,
    ) {
        let by = T::number(scale);
        // SAFETY: the caller's promise; complex numbers are pairs of numbers.
        unsafe {
            match self {
                Way::Row(plan) => plan.row(from.0.cast(), to.0.cast(), work, by),
                Way::Rows(plan) => {
                    let (from, to) = ((from.0.cast(), 2 * from.1), (to.0.cast(), 2 * to.1));
                    plan.rows(from, to, count, work, by)
                }
                Way::Library(plan) => {
                    let row = std::slice::from_raw_parts_mut(to.0, plan.len());
                    let scratch =
                        std::slice::from_raw_parts_mut(work.cast(), plan.get_immutable_scratch_len());
                    plan.process_immutable_with_scratch(
                        std::slice::from_raw_parts(from.0, plan.len()),
                        row,
                        scratch,
                    );
                    rescale(row, scale);
                }
            }
        }
    }

    /// Runs `f(work, r, k)` for all of `count` rows, k from r on at a time, where one row costs so many instructions; `work` has
    /// room for so many numbers.
    fn each(&self, count: usize, cost: usize, room: usize, f: impl Fn(*mut T, usize, usize) + Sync) {
        let together = self.together();
        threads::split(count.div_ceil(together), 1, cost * together, |start, groups| {
            let mut work = Array::uninit([room], T::DTYPE);
            let work = work.uninit_slice::<T>();
            for r in (start..start + groups).map(|group| group * together) {
                f(work, r, together.min(count - r));
            }
        });
    }
}

/// Roughly how many instructions a transform of `n` numbers takes.
fn cost(n: usize) -> usize {
    2 * n * (1 + n.max(1).ilog2() as usize)
}

/// The array with `axis` innermost, contiguous.
fn rows(x: &Array, axis: usize) -> Array {
    x.transpose(axis, x.rank() - 1).contiguous()
}

/// `y_k = scale Σ x_j e^(∓2πi jk/n)` along a dimension of complex numbers, with + if `inverse`.
pub fn fft(x: &Array, axis: usize, inverse: bool, scale: f64) -> Array {
    match x.dtype() {
        DType::C64 => complex::<f32>(x, axis, inverse, scale),
        _ => complex::<f64>(x, axis, inverse, scale),
    }
}

fn complex<T: Number>(x: &Array, axis: usize, inverse: bool, scale: f64) -> Array
where
    Complex<T>: Element,
{
    let (n, inner) = (x.shape()[axis], x.shape()[axis + 1..].iter().product::<usize>());
    if let Some(lanes) = lanes::lanes::<T>()
        && 2 * inner >= lanes
        && !x.transpose(axis, x.rank() - 1).is_contiguous()
        && let Some(plan) = beside::<T>(n, inverse)
    {
        return columns(&x.contiguous(), &plan, [n, inner, lanes], scale);
    }
    let x_rows = rows(x, axis);
    let (count, way) = (x.numel() / n, Way::<T>::of(n, x.numel() / n, inverse));
    let mut y = Array::uninit(x_rows.shape(), x.dtype());
    let from = In(x_rows.as_slice::<Complex<T>>().as_ptr());
    let out = Out(y.uninit_slice::<Complex<T>>());
    way.each(count, cost(n), way.room(), |work, r, k| {
        // SAFETY: there are so many rows, and each is written by one thread.
        unsafe { way.rows((from.at(r * n), n), (out.at(r * n), n), k, work, scale) };
    });
    y.transpose(axis, x.rank() - 1)
}

/// Transforms of columns where they lie: matrices of n rows of `inner` numbers.
fn columns<T: Number>(x: &Array, plan: &Beside<T>, [n, inner, lanes]: [usize; 3], scale: f64) -> Array
where
    Complex<T>: Element,
{
    let mut y = Array::uninit(x.shape(), x.dtype());
    let from = In(x.as_slice::<Complex<T>>().as_ptr());
    let out = Out(y.uninit_slice::<Complex<T>>());
    let (strips, matrices) = (inner.div_ceil(lanes), x.numel() / (n * inner).max(1));
    threads::split(matrices * strips, 1, cost(n) * lanes, |start, count| {
        let mut work = Array::uninit([plan.room()], T::DTYPE);
        let work = work.uninit_slice::<T>();
        for task in start..start + count {
            let column = task % strips * lanes;
            let at = task / strips * n * inner + column;
            let (width, scale) = (lanes.min(inner - column), T::number(scale));
            // SAFETY: these columns are there, and this thread alone writes them.
            unsafe {
                plan.columns(
                    from.at(at).cast(),
                    out.at(at).cast(),
                    2 * inner,
                    width,
                    work,
                    scale,
                )
            };
        }
    });
    y
}

/// Row by row, while it is in the cache.
fn rescale<T: Number>(row: &mut [Complex<T>], scale: f64) {
    if scale != 1.0 {
        let scale = T::number(scale);
        for z in row {
            *z = Complex::new(z.re * scale, z.im * scale);
        }
    }
}

/// As [`fft`] of real numbers, of which the first `n/2 + 1` results say all.
pub fn rfft(x: &Array, axis: usize, scale: f64) -> Array {
    match x.dtype() {
        DType::F32 => forward::<f32>(x, axis, scale),
        _ => forward::<f64>(x, axis, scale),
    }
}

fn forward<T: Number>(x: &Array, axis: usize, scale: f64) -> Array
where
    Complex<T>: Element,
{
    let (x_rows, n) = (rows(x, axis), x.shape()[axis]);
    let half = n / 2 + 1;
    let shape = x_rows.shape().with(x.rank() - 1, half);
    let mut y = Array::uninit(shape, T::DTYPE.complex());
    let from = x_rows.as_slice::<T>();
    let (out, cost) = (y.uninit_slice::<Complex<T>>(), cost(n) / 2);
    let (count, m) = (x.numel() / n, n / 2);
    if n.is_multiple_of(2) {
        let (way, turns) = (Way::<T>::of(m, count, false), turns::<T>(n));
        let (from, out) = (In(from.as_ptr()), Out(out));
        way.each(count, cost, way.room(), |work, r, k| {
            let (rows, to) = ((from.at(r * n).cast(), m), out.at(r * half));
            // SAFETY: there are so many rows, and each is written by one thread.
            unsafe {
                way.rows(rows, (to, half), k, work, 1.0);
                for row in (r..r + k).map(|r| out.at(r * half)) {
                    *row.add(m) = *row;
                    turns.apart(row, row, m, 0.5 * scale, false);
                }
            }
        });
    } else {
        let plan = library::<T>(n, false);
        // SAFETY: all elements are written before they are read.
        let out = unsafe { std::slice::from_raw_parts_mut(out, count * half) };
        let own = || {
            (
                vec![Complex::default(); n],
                vec![Complex::default(); plan.get_inplace_scratch_len()],
            )
        };
        threads::each_row(out, half, 2 * cost, own, |(whole, scratch), r, row| {
            for (z, x) in whole.iter_mut().zip(&from[r * n..][..n]) {
                *z = Complex::new(*x, T::default());
            }
            plan.process_with_scratch(whole, scratch);
            row.copy_from_slice(&whole[..half]);
            rescale(row, scale);
        });
    }
    y.transpose(axis, x.rank() - 1)
}

/// The inverse of [`rfft`] but for the scale: `n` real numbers from the `n/2 + 1` that say all. The imaginary parts of the
/// first of them and, if `n` is even, of the last are taken for zero. If not `mirrored`, the rest of the spectrum counts as zeros,
/// and the result is the real part.
pub fn irfft(z: &Array, axis: usize, n: usize, scale: f64, mirrored: bool) -> Array {
    match z.dtype() {
        DType::C64 => backward::<f32>(z, axis, n, scale, mirrored),
        _ => backward::<f64>(z, axis, n, scale, mirrored),
    }
}

fn backward<T: Number>(z: &Array, axis: usize, n: usize, scale: f64, mirrored: bool) -> Array
where
    Complex<T>: Element,
{
    let (z_rows, half) = (rows(z, axis), n / 2 + 1);
    let shape = z_rows.shape().with(z.rank() - 1, n);
    let mut y = Array::uninit(shape, T::DTYPE);
    let from = z_rows.as_slice::<Complex<T>>();
    let (out, cost, count) = (y.uninit_slice::<T>(), cost(n) / 2, z.numel() / half);
    // Half of what is mirrored, with twice what is its own mirror image, is what stands there alone.
    let (scale, own_image) = if mirrored {
        (scale, 1.0)
    } else {
        (0.5 * scale, 2.0)
    };
    let alone = |z: Complex<T>| Complex::new(z.re * T::number(own_image), T::default());
    if n.is_multiple_of(2) {
        let (m, turns) = (n / 2, turns::<T>(n));
        let way = Way::<T>::of(m, count, true);
        let (from, out, room) = (In(from.as_ptr()), Out(out), way.room());
        let together = 2 * half * way.together();
        way.each(count, cost, room + together, |work, r, k| {
            // SAFETY: there are so many rows, and each is written by one thread; the spectra have the end of the room.
            unsafe {
                let input = work.add(room).cast::<Complex<T>>();
                for i in 0..k {
                    let (from, to) = (from.at((r + i) * half), input.add(i * half));
                    turns.apart(from, to, m, scale, true);
                    let [first, last] = [*from, *from.add(m)].map(alone);
                    let by = T::number(scale);
                    *to = Complex::new((first.re + last.re) * by, (first.re - last.re) * by);
                }
                way.rows((input, half), (out.at(r * n).cast(), m), k, work, 1.0);
            }
        });
    } else {
        let plan = library::<T>(n, true);
        // SAFETY: all elements are written before they are read.
        let out = unsafe { std::slice::from_raw_parts_mut(out, count * n) };
        let own = || {
            (
                vec![Complex::default(); n],
                vec![Complex::default(); plan.get_inplace_scratch_len()],
            )
        };
        let scale = T::number(scale);
        threads::each_row(out, n, 2 * cost, own, |(whole, scratch), r, row| {
            let from = &from[r * half..][..half];
            whole[0] = alone(from[0]);
            for k in 1..half {
                (whole[k], whole[n - k]) = (from[k], from[k].conj());
            }
            plan.process_with_scratch(whole, scratch);
            row.iter_mut().zip(whole).for_each(|(x, z)| *x = z.re * scale);
        });
    }
    y.transpose(axis, z.rank() - 1)
}
