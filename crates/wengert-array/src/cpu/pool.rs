//! The largest element of each window, and where it is.

use super::isa::{Lane, dispatch};
use super::shared::{In, Out};
use super::threads;
use super::vector::{Float, Step, Vector, walk};
use crate::array::Array;
use crate::dtype::DType;
use crate::real::Real;
use crate::with_compute;

/// The places of a window along one dimension: `first`, `first + step`, …, `count` of them, all inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first place.
    pub first: usize,
    /// How many.
    pub count: usize,
    /// How far apart.
    pub step: usize,
}

trait Ordered: Lane + PartialOrd {}
impl<C: Lane + PartialOrd> Ordered for C {}

/// The last three sizes of x.
///
/// # Panics
/// If a window is empty or leaves the input.
fn check(x: &Array, windows: &[Vec<Window>; 3]) -> [usize; 3] {
    let sizes: [usize; 3] = std::array::from_fn(|d| x.shape()[2 + d]);
    for (list, size) in windows.iter().zip(sizes) {
        let inside = |w: &Window| w.count > 0 && w.first + (w.count - 1) * w.step < size;
        assert!(list.iter().all(inside), "a window leaves the input");
    }
    sizes
}

/// The largest elements of windows of x [N, C, d, h, w], a list of them for each of the last three dimensions,
/// and their places, as numbers in row-major order within the d × h × w of each channel (I64).
///
/// Of equal ones the first counts; NaN is larger than any.
///
/// # Panics
/// If a window is empty or leaves the input.
pub fn max_pool(x: &Array, windows: &[Vec<Window>; 3]) -> [Array; 2] {
    let sizes = check(x, windows);
    let (dtype, compute) = (x.dtype(), x.dtype().compute());
    let x = x.cast(compute).contiguous();
    let count: [usize; 3] = windows.each_ref().map(Vec::len);
    let (planes, per) = (x.shape()[0] * x.shape()[1], count.iter().product::<usize>());
    let shape = [x.shape()[0], x.shape()[1], count[0], count[1], count[2]];
    let (mut y, mut index) = (Array::uninit(shape, compute), Array::uninit(shape, DType::I64));
    if planes * per == 0 {
        return [y.cast(dtype), index];
    }
    let plane: usize = sizes.iter().product();
    let runs = runs(&windows[2], RUN);
    with_compute!(compute, C => {
        let src = x.as_slice::<C>();
        let (values, places) = (Out(y.uninit_slice::<C>()), Out(index.uninit_slice::<i64>()));
        threads::split(planes, 1, plane * 2, |start, len| {
            let mut rows = Rows::new(sizes[2], windows[1].len());
            for p in start..start + len {
                // SAFETY: one plane of each array, and this thread's.
                unsafe {
                    let (values, places) = (values.slice(p * per, per), places.slice(p * per, per));
                    pool::<C>(&src[p * plane..][..plane], sizes, windows, &runs, values, places, &mut rows);
                }
            }
        });
    });
    [y.cast(dtype), index]
}

/// The largest elements alone, as [`max_pool`] finds them.
///
/// # Panics
/// As there.
pub fn max_pool_values(x: &Array, windows: &[Vec<Window>; 3]) -> Array {
    if !x.dtype().is_float() {
        let [y, _] = max_pool(x, windows);
        return y;
    }
    let sizes = check(x, windows);
    let (dtype, compute) = (x.dtype(), x.dtype().compute());
    let x = x.cast(compute).contiguous();
    let [d, h, w] = windows.each_ref().map(Vec::len);
    let mut y = Array::uninit([x.shape()[0], x.shape()[1], d, h, w], compute);
    let (planes, plane): (usize, usize) = (x.shape()[0] * x.shape()[1], sizes.iter().product());
    let runs = runs(&windows[2], usize::MAX);
    with_float!(compute, C => {
        let (src, out) = (In(x.as_ptr::<C>()), Out(y.uninit_slice::<C>()));
        threads::split(planes, 1, plane, |start, len| {
            let mut space = vec![C::default(); sizes[2]];
            let at = (start * d * h * w..).step_by(w.max(1));
            let all = (start..start + len).flat_map(|p| windows[0].iter().map(move |d| (p, d)));
            for ((p, d, h), mut at) in all.flat_map(|(p, d)| windows[1].iter().map(move |h| (p, d, h))).zip(at) {
                let planes = (0..d.count).map(|i| d.first + i * d.step);
                let mut rows = planes.flat_map(|plane| (0..h.count).map(move |j| plane * sizes[1] + h.first + j * h.step));
                let row = |r: usize| src.at(p * plane + r * sizes[2]);
                // SAFETY: `check` saw that all windows lie within the planes; this row of the result is ours.
                unsafe {
                    let mut from = row(rows.next().expect("no window is empty"));
                    for r in rows {
                        larger_row::<C>(from, row(r), space.as_mut_ptr(), sizes[2]);
                        from = space.as_ptr();
                    }
                    for run in &runs {
                        largest_of_run::<C>(from, run, out.at(at));
                        at += run.len;
                    }
                }
            }
        });
    });
    y.cast(dtype)
}

dispatch!(vectors unsafe fn larger_row<C: Float>(a: *const C, b: *const C, out: *mut C, n: usize) => larger_row_body);

/// The larger ones of n numbers; the result may take the place of the first.
///
/// # Safety
/// There are n at each.
#[inline(always)]
unsafe fn larger_row_body<V: Vector<C = C>, C: Float>(a: *const C, b: *const C, out: *mut C, n: usize) {
    struct Larger<C>(*const C, *const C, *mut C);
    impl<C: Float> Step<C> for Larger<C> {
        #[inline(always)]
        unsafe fn at<V: Vector<C = C>>(&self, i: usize, past: bool) {
            // SAFETY: the caller's promise.
            unsafe {
                V::load(self.0.add(i))
                    .larger(V::load(self.1.add(i)))
                    .store(self.2.add(i), past)
            };
        }
    }
    // SAFETY: the caller's promise.
    unsafe { walk::<V>(n, false, &Larger(a, b, out)) };
}

dispatch!(vectors unsafe fn largest_of_run<C: Float>(row: *const C, run: &Run, out: *mut C) => largest_of_run_body);

/// The largest number of each window of a run.
///
/// # Safety
/// The windows lie within the row, and the result has room for as many numbers.
#[inline(always)]
unsafe fn largest_of_run_body<V: Vector<C = C>, C: Float>(row: *const C, run: &Run, out: *mut C) {
    let lanes = match run.stride {
        1 => V::LANES,
        2 if run.first.count > 1 => V::LANES,
        _ => usize::MAX,
    };
    let mut o = 0;
    // SAFETY: the caller's promise; the last vector may lie over the one before.
    unsafe {
        while o < run.len {
            if run.len < lanes {
                largest_at::<C::One, C, 0>(row, run, o, out);
                o += 1;
                continue;
            }
            let here = o.min(run.len - lanes);
            match run.stride {
                1 => largest_at::<V, C, 1>(row, run, here, out),
                _ => largest_at::<V, C, 2>(row, run, here, out),
            }
            o += lanes;
        }
    }
}

/// The largest numbers of windows `o` and on, of as many as V has lanes; for one lane, STRIDE is 0.
///
/// # Safety
/// As for [`largest_of_run_body`]; the run has those windows, and their stride is STRIDE, if it is 2 of more than one element each.
#[inline(always)]
unsafe fn largest_at<V: Vector<C = C>, C: Float, const STRIDE: usize>(
    row: *const C,
    run: &Run,
    o: usize,
    out: *mut C,
) {
    let Window { first, count, step } = run.first;
    let mut at = row.wrapping_add(first + o * run.stride);
    // SAFETY: the caller's promise. Of two vectors the numbers in between belong to the windows, too: they reach to the next element of
    // these, or else from the one before.
    unsafe {
        let mut largest = side_by_side::<V, C, STRIDE>(at, count == 1);
        for k in 1..count {
            at = at.add(step);
            largest = largest.larger(side_by_side::<V, C, STRIDE>(at, k + 1 == count));
        }
        largest.store(out.add(o), false);
    }
}

/// Numbers STRIDE apart; if they are the `last` of their windows, what is between them is read from the one before the first on.
///
/// # Safety
/// They are there, and what is between them.
#[inline(always)]
unsafe fn side_by_side<V: Vector<C = C>, C: Float, const STRIDE: usize>(at: *const C, last: bool) -> V {
    // SAFETY: the caller's promise.
    unsafe {
        match STRIDE {
            2 if last => {
                let at = at.sub(1);
                V::load(at).each_second(V::load(at.add(V::LANES)))[1]
            }
            2 => V::load(at).each_second(V::load(at.add(V::LANES)))[0],
            _ => V::load(at),
        }
    }
}

/// The largest elements of windows one element wide: rows that these windows slide down to, some at a time.
struct Rows<C> {
    width: usize,
    best: Vec<C>,
    /// The row of the input that each comes from, less the row that it is in here.
    from: Vec<i32>,
}

impl<C: Ordered> Rows<C> {
    fn new(width: usize, rows: usize) -> Rows<C> {
        // As many as stay in the first-level cache.
        let n = width * (2048 / width.max(1)).clamp(1, rows.max(1));
        Rows {
            width,
            best: vec![C::default(); n],
            from: vec![0; n],
        }
    }

    /// Fills row `at` with the largest elements of these rows of `x`.
    fn fill(&mut self, at: usize, x: &[C], mut rows: impl Iterator<Item = usize>) {
        let here = at * self.width..(at + 1) * self.width;
        let (best, from) = (&mut self.best[here.clone()], &mut self.from[here]);
        let row = |r: usize| &x[r * self.width..][..self.width];
        let number = |r: usize| r as i32 - at as i32;
        if let Some(first) = rows.next() {
            best.copy_from_slice(row(first));
            from.fill(number(first));
        }
        for r in rows {
            higher::<C>(row(r), number(r), best, from);
        }
    }
}

fn pool<C: Ordered>(
    x: &[C],
    sizes: [usize; 3],
    windows: &[Vec<Window>; 3],
    runs: &[Run],
    values: &mut [C],
    places: &mut [i64],
    rows: &mut Rows<C>,
) {
    let (mut at, width) = (0, sizes[2]);
    let together = rows.best.len() / width;
    // Windows that fill a row without a gap go on in the next.
    let on = runs.first().filter(|run| run.tiles(runs, width));
    for d in &windows[0] {
        for some in windows[1].chunks(together) {
            for (here, h) in some.iter().enumerate() {
                let planes = (0..d.count).map(|i| d.first + i * d.step);
                let of = |plane: usize| (0..h.count).map(move |j| plane * sizes[1] + h.first + j * h.step);
                rows.fill(here, x, planes.flat_map(of));
            }
            let mut columns = |run: &Run| {
                // SAFETY: the run's windows lie within the rows, as `max_pool` saw, and its results within the plane's.
                unsafe {
                    columns::<C>(
                        run,
                        &rows.best,
                        &rows.from,
                        width,
                        &mut values[at..],
                        &mut places[at..],
                    )
                };
                at += run.len;
            };
            match on {
                Some(run) => {
                    let all = some.len() * windows[2].len();
                    for o in (0..all).step_by(RUN) {
                        columns(&run.moved(o * run.stride, RUN.min(all - o)));
                    }
                }
                None => {
                    for here in 0..some.len() {
                        runs.iter()
                            .for_each(|run| columns(&run.moved(here * width, run.len)));
                    }
                }
            }
        }
    }
}

/// Windows of one size, each as far from the one before.
struct Run {
    first: Window,
    stride: usize,
    len: usize,
}

impl Run {
    /// As many windows as `len`, each so much further on.
    fn moved(&self, by: usize, len: usize) -> Run {
        let first = Window {
            first: self.first.first + by,
            ..self.first
        };
        Run { first, len, ..*self }
    }

    /// Whether `runs`, of which this is the first, are one but for their length, and fill so many elements.
    fn tiles(&self, runs: &[Run], width: usize) -> bool {
        let mut at = 0;
        let follows = |run: &Run| {
            let same = run.first == self.moved(at, 0).first && (run.len == 1 || run.stride == self.stride);
            at += run.len * self.stride;
            same
        };
        self.first.first == 0 && runs.iter().all(follows) && at == width
    }
}

/// A list of windows as few runs, each of so many at most.
fn runs(windows: &[Window], most: usize) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for w in windows {
        if let Some(run) = runs.last_mut() {
            let last = run.first.first + (run.len - 1) * run.stride;
            let alike = (w.count, w.step) == (run.first.count, run.first.step);
            if alike && run.len < most && w.first > last && (run.len == 1 || w.first - last == run.stride) {
                run.stride = w.first - last;
                run.len += 1;
                continue;
            }
        }
        runs.push(Run {
            first: *w,
            stride: 0,
            len: 1,
        });
    }
    runs
}

/// Windows in a run, at most: what is found for each lies on the stack.
const RUN: usize = 32;

dispatch!(unsafe fn columns<C: Ordered>(
    run: &Run, best: &[C], from: &[i32], width: usize, values: &mut [C], places: &mut [i64]
) => columns_body);

/// # Safety
/// Each window of the run lies within `best` and `from`.
#[inline(always)]
#[allow(clippy::extra_unused_type_parameters)] // only compares, of whatever reading
unsafe fn columns_body<S: Real, C: Ordered>(
    run: &Run,
    best: &[C],
    from: &[i32],
    width: usize,
    values: &mut [C],
    places: &mut [i64],
) {
    // SAFETY: the caller's promise. The usual strides are constants, so that the loops become vector instructions.
    unsafe {
        match run.stride {
            1 => strided_columns(run, 1, best, from, width, values, places),
            2 => strided_columns(run, 2, best, from, width, values, places),
            stride => strided_columns(run, stride, best, from, width, values, places),
        }
    }
}

/// # Safety
/// As for `columns_body`; `stride` is the run's.
#[inline(always)]
unsafe fn strided_columns<C: Ordered>(
    run: &Run,
    stride: usize,
    best: &[C],
    from: &[i32],
    width: usize,
    values: &mut [C],
    places: &mut [i64],
) {
    assert!(run.len <= RUN);
    let (mut rows, mut tops) = ([0i32; RUN], [0i32; RUN]);
    let (rows, tops) = (&mut rows[..run.len], &mut tops[..run.len]);
    let (values, places) = (&mut values[..run.len], &mut places[..run.len]);
    // SAFETY: place k of window o, by the caller's promise.
    let at = |k: usize, o: usize| unsafe {
        let i = run.first.first + k * run.first.step + o * stride;
        (*best.get_unchecked(i), *from.get_unchecked(i), i as i32)
    };
    for o in 0..run.len {
        (values[o], rows[o], tops[o]) = at(0, o);
    }
    for k in 1..run.first.count {
        for o in 0..run.len {
            let ((a, its, i), (b, row)) = (at(k, o), (values[o], rows[o]));
            // Row-major order decides between equal ones: the first row, then the first column. A NaN
            // later in that order replaces an earlier one, as in PyTorch.
            #[allow(clippy::eq_op)]
            let wins = (a > b) | ((a == b) & (its < row)) | ((a != a) & ((b == b) | (its >= row)));
            values[o] = if wins { a } else { b };
            rows[o] = if wins { its } else { row };
            tops[o] = if wins { i } else { tops[o] };
        }
    }
    for o in 0..run.len {
        places[o] = i64::from(rows[o]) * width as i64 + i64::from(tops[o]);
    }
}

/// Where an element of `row` is larger than the best one of its column, it and its row's number take its place.
fn higher<C: Ordered>(row: &[C], number: i32, best: &mut [C], from: &mut [i32]) {
    #[cfg(target_arch = "x86_64")]
    {
        use super::isa::{Isa, isa};
        #[target_feature(enable = "avx2")]
        unsafe fn avx2<C: Ordered>(row: &[C], number: i32, best: &mut [C], from: &mut [i32]) {
            higher_body(row, number, best, from);
        }
        if isa() >= Isa::Avx2 {
            // SAFETY: the processor was found to have these instructions.
            return unsafe { avx2(row, number, best, from) };
        }
    }
    higher_body(row, number, best, from);
}

#[inline(always)]
#[allow(clippy::eq_op)]
fn higher_body<C: Ordered>(row: &[C], number: i32, best: &mut [C], from: &mut [i32]) {
    for ((x, best), from) in row.iter().zip(best).zip(from) {
        let wins = (*x > *best) | (*x != *x);
        *best = if wins { *x } else { *best };
        *from = if wins { number } else { *from };
    }
}

/// Zeros [.., n] with the elements of `x` [.., m] put where `index` (I64, of x's shape) says; of several at one
/// place the last counts. The reverse of picking the largest.
///
/// # Panics
/// If an index is not in 0..n.
pub fn max_unpool(x: &Array, index: &Array, n: usize) -> Array {
    let (x, index) = (x.contiguous(), index.contiguous());
    let m = x.shape()[x.rank() - 1];
    let mut y = Array::full(x.shape().with(x.rank() - 1, n), 0.0, x.dtype());
    crate::with_element!(x.dtype(), T => {
        let (src, at, out) = (x.as_slice::<T>(), index.as_slice::<i64>(), y.make_mut::<T>());
        for (i, (v, at)) in src.iter().zip(at).enumerate() {
            let place = usize::try_from(*at).expect("an index is not negative");
            assert!(place < n, "index {at} is out of range for size {n}");
            out[i / m * n + place] = *v;
        }
    });
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_ones_and_the_last_nan() {
        let window = |first, count| Window {
            first,
            count,
            step: 1,
        };
        let pooled = |x: &[f32]| {
            let x = Array::from_slice(x, [1, 1, 1, 2, 4]);
            let [y, i] = max_pool(
                &x,
                &[
                    vec![window(0, 1)],
                    vec![window(0, 2)],
                    vec![window(0, 2), window(2, 2)],
                ],
            );
            (y.to_vec::<f32>(), i.to_vec::<i64>())
        };
        let nan = f32::NAN;
        assert_eq!(
            pooled(&[1.0, 2.0, 0.0, 0.0, 2.0, 1.0, 5.0, 5.0]),
            (vec![2.0, 5.0], vec![1, 6])
        );
        assert_eq!(pooled(&[0.0, 3.0, -1.0, 2.0, 3.0, 0.0, 2.0, 2.0]).1, [1, 3]);
        let (y, i) = pooled(&[nan, 2.0, 0.0, 0.0, nan, 1.0, nan, f32::INFINITY]);
        assert!(y.iter().all(|v| v.is_nan()));
        assert_eq!(i, [4, 6]);
    }

    #[test]
    fn agrees_with_plain_loops() {
        let apart = |stride: usize, count: usize, len: usize| -> Vec<Window> {
            let first = |i: usize| i * stride;
            (0..len)
                .map(|i| Window {
                    first: first(i),
                    count,
                    step: 1,
                })
                .collect()
        };
        let mut ragged = apart(3, 2, 5);
        ragged.insert(
            0,
            Window {
                first: 0,
                count: 1,
                step: 1,
            },
        );
        ragged.push(Window {
            first: 15,
            count: 2,
            step: 3,
        });
        for (sizes, windows) in [
            ([5, 6, 19], [apart(2, 2, 2), apart(2, 1, 3), ragged]),
            ([1, 6, 40], [apart(1, 1, 1), apart(2, 2, 3), apart(2, 2, 20)]),
            ([1, 3, 700], [apart(1, 1, 1), apart(1, 3, 1), apart(1, 3, 698)]),
            ([2, 2, 33], [apart(1, 2, 1), apart(2, 2, 1), apart(4, 5, 8)]),
        ] {
            agree(sizes, &windows);
        }
    }

    fn agree(sizes: [usize; 3], windows: &[Vec<Window>; 3]) {
        let n = 2 * sizes.iter().product::<usize>();
        let mut data: Vec<f64> = (0..n).map(|i| ((i * 37 + 5) % 23) as f64).collect();
        for nan in [false, true] {
            if nan {
                (0..n).step_by(29).for_each(|i| data[i] = f64::NAN);
            }
            for dtype in [DType::F32, DType::F64, DType::I64]
                .iter()
                .filter(|t| !nan || t.is_float())
            {
                let x = Array::from_slice(&data, [1, 2, sizes[0], sizes[1], sizes[2]]).cast(*dtype);
                let [y, index] = max_pool(&x, windows);
                let values = max_pool_values(&x, windows);
                let bits = |a: &Array| a.to_vec::<f64>().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert_eq!((values.shape(), bits(&values)), (y.shape(), bits(&y)));
                let (y, index) = (y.to_vec::<f64>(), index.to_vec::<i64>());
                let mut at = 0;
                for c in 0..2 {
                    for d in &windows[0] {
                        for h in &windows[1] {
                            for w in &windows[2] {
                                let (mut best, mut place) = (f64::NEG_INFINITY, 0);
                                for i in 0..d.count {
                                    for j in 0..h.count {
                                        for k in 0..w.count {
                                            let row =
                                                (d.first + i * d.step) * sizes[1] + h.first + j * h.step;
                                            let p = row * sizes[2] + w.first + k * w.step;
                                            let v = data[c * n / 2 + p];
                                            if v > best || v.is_nan() {
                                                (best, place) = (v, p as i64);
                                            }
                                        }
                                    }
                                }
                                assert_eq!(
                                    (y[at].to_bits(), index[at]),
                                    (best.to_bits(), place),
                                    "{dtype:?} {at}"
                                );
                                at += 1;
                            }
                        }
                    }
                }
            }
        }
    }
}
