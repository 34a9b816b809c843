//! Rows whose elements have a weight each: layer norm and RMS norm.

use super::Rows;
use crate::array::Array;
use crate::cpu::isa::dispatch;
use crate::cpu::shared::{In, Out};
use crate::cpu::threads;
use crate::cpu::vector::{Float, Numbers, Step, Terms, Vector, goes_past, totals, walk};
use crate::cpu::walk::{end_of_stream, prefetch};
use std::array::from_fn;

/// Rows of x normalized, times the weight and plus the bias where there are any: y, the means, and 1/√(variance + ε).
pub(super) fn norm(x: &Array, rows: &Rows, weight: Option<Array>, bias: Option<Array>) -> [Array; 3] {
    let (compute, count) = (x.dtype(), x.numel().checked_div(rows.n).unwrap_or(0));
    let mut y = Array::uninit(x.shape(), compute);
    let [mut mean, mut scale] = [0, 1].map(|_| Array::full([count], 0.0, compute));
    let [w, b] = [(weight, 1.0), (bias, 0.0)]
        .map(|(a, v)| a.unwrap_or_else(|| Array::full([rows.groups * rows.n], v, compute)));
    with_float!(compute, C => {
        let [x, w, b] = [x, &w, &b].map(|a| In(a.as_slice::<C>().as_ptr()));
        let past = goes_past::<C>(&y, rows.n);
        let y = Out(y.uninit_slice::<C>());
        let [mean, scale] = [&mut mean, &mut scale].map(|a| Out(a.make_mut::<C>().as_mut_ptr()));
        let pair = rows.pair::<C>(past);
        threads::split(count, pair, rows.n * 3, |start, len| {
            let task = Forward { rows, x: x.at(0), w: w.at(0), b: b.at(0), y: y.at(0), mean: mean.at(0), scale: scale.at(0), past };
            for r in (start..start + len).step_by(pair) {
                // SAFETY: each row belongs to one thread.
                unsafe {
                    match pair.min(start + len - r) {
                        2 => forward::<C, 2>(&task, r),
                        _ => forward::<C, 1>(&task, r),
                    }
                }
            }
            end_of_stream();
        });
    });
    [y, mean, scale]
}

/// The gradients of [`norm`] for x, and for the weights and biases in sums of `together` rows each, which are added to.
pub(super) fn norm_backward(
    x: &Array,
    dy: &Array,
    rows: &Rows,
    weight: Option<Array>,
    [mean, scale]: [&Array; 2],
    together: usize,
    [dx, dw, db]: [&mut Array; 3],
) {
    let (compute, count) = (x.dtype(), x.numel().checked_div(rows.n).unwrap_or(0));
    let (parts, per) = (count.div_ceil(together), rows.n);
    let w = weight.unwrap_or_else(|| Array::full([rows.groups * rows.n], 1.0, compute));
    with_float!(compute, C => {
        let [x, dy, w, mean, scale] = [x, dy, &w, mean, scale].map(|a| In(a.as_slice::<C>().as_ptr()));
        let past = goes_past::<C>(dx, rows.n);
        let dx = Out(dx.uninit_slice::<C>());
        let [dw, db] = [dw, db].map(|a| Out(a.make_mut::<C>().as_mut_ptr()));
        let pair = rows.pair::<C>(past).min(together);
        threads::split(parts, 1, rows.n * together * 4, |start, len| {
            let task = Backward { rows, x: x.at(0), dy: dy.at(0), w: w.at(0), mean: mean.at(0), scale: scale.at(0), dx: dx.at(0), past };
            for part in start..start + len {
                let (dw, db) = (dw.at(part * per), db.at(part * per));
                let end = count.min((part + 1) * together);
                for r in (part * together..end).step_by(pair) {
                    // SAFETY: each part's rows and sums belong to one thread.
                    unsafe {
                        match pair.min(end - r) {
                            2 => backward::<C, 2>(&task, r, dw, db),
                            _ => backward::<C, 1>(&task, r, dw, db),
                        }
                    }
                }
            }
            end_of_stream();
        });
    });
}

/// What is normalized: arrays of rows, and of a weight and a bias for each element of the first `groups` of them.
pub(super) struct Forward<'a, C> {
    pub rows: &'a Rows,
    pub x: *const C,
    pub w: *const C,
    pub b: *const C,
    pub y: *mut C,
    pub mean: *mut C,
    pub scale: *mut C,
    /// Whether y is written past the caches, with rows that begin where cache lines do.
    pub past: bool,
}

/// What a gradient is computed from, and where the rows' own goes.
pub(super) struct Backward<'a, C> {
    pub rows: &'a Rows,
    pub x: *const C,
    pub dy: *const C,
    pub w: *const C,
    pub mean: *const C,
    pub scale: *const C,
    pub dx: *mut C,
    pub past: bool,
}

/// (x − m)²
struct Squares<C, const N: usize> {
    x: [*const C; N],
    m: [C; N],
}

impl<C: Float, const N: usize> Terms<C, N, 1> for Squares<C, N> {
    #[inline(always)]
    unsafe fn at<V: Vector<C = C>>(&self, i: usize) -> [[V; 1]; N] {
        from_fn(|r| {
            // SAFETY: the caller's promise.
            let d = unsafe { V::load(self.x[r].add(i)) }.sub(V::splat(self.m[r]));
            [d.mul(d)]
        })
    }
}

/// dy w and dy w (x − m)
struct Slopes<C, const N: usize> {
    x: [*const C; N],
    dy: [*const C; N],
    w: *const C,
    m: [C; N],
}

impl<C: Float, const N: usize> Terms<C, N, 2> for Slopes<C, N> {
    #[inline(always)]
    unsafe fn at<V: Vector<C = C>>(&self, i: usize) -> [[V; 2]; N] {
        // SAFETY: the caller's promise.
        unsafe {
            let w = V::load(self.w.add(i));
            from_fn(|r| {
                let (x, dy) = (self.x[r].add(i), self.dy[r].add(i));
                let g = V::load(dy).mul(w);
                [g, g.mul(V::load(x).sub(V::splat(self.m[r])))]
            })
        }
    }
}

/// y = (x − m) s w + b
struct Normalize<C, const N: usize> {
    x: [*const C; N],
    w: *const C,
    b: *const C,
    y: [*mut C; N],
    m: [C; N],
    scale: [C; N],
    ahead: usize,
}

impl<C: Float, const N: usize> Step<C> for Normalize<C, N> {
    #[inline(always)]
    unsafe fn at<V: Vector<C = C>>(&self, i: usize, past: bool) {
        // SAFETY: the caller's promise.
        unsafe {
            let (w, b) = (V::load(self.w.add(i)), V::load(self.b.add(i)));
            for r in 0..N {
                let x = self.x[r].add(i);
                prefetch(x.wrapping_add(self.ahead), 1);
                let hat = V::load(x).sub(V::splat(self.m[r])).mul(V::splat(self.scale[r]));
                hat.mul_add(w, b).store(self.y[r].add(i), past);
            }
        }
    }
}

/// dx = s (dy w − shift − x̂ slope), and x̂ dy and dy added to the sums for the weights and biases, where x̂ = (x − m) s.
struct Slope<C, const N: usize> {
    from: Slopes<C, N>,
    dx: [*mut C; N],
    dw: *mut C,
    db: *mut C,
    scale: [C; N],
    shift: [C; N],
    /// Of the opposite sign.
    slope: [C; N],
    ahead: usize,
}

impl<C: Float, const N: usize> Step<C> for Slope<C, N> {
    #[inline(always)]
    unsafe fn at<V: Vector<C = C>>(&self, i: usize, past: bool) {
        // SAFETY: the caller's promise.
        unsafe {
            let w = V::load(self.from.w.add(i));
            let [mut dw, mut db] = [self.dw, self.db].map(|sum| V::load(sum.add(i)));
            for r in 0..N {
                let [x, dy] = [self.from.x[r], self.from.dy[r]].map(|row| {
                    prefetch(row.wrapping_add(i + self.ahead), 1);
                    V::load(row.add(i))
                });
                let scale = V::splat(self.scale[r]);
                let hat = x.sub(V::splat(self.from.m[r])).mul(scale);
                dw = dy.mul_add(hat, dw);
                db = db.add(dy);
                let plain = dy.mul(w).sub(V::splat(self.shift[r]));
                let dx = hat.mul_add(V::splat(self.slope[r]), plain).mul(scale);
                dx.store(self.dx[r].add(i), past);
            }
            dw.store(self.dw.add(i), false);
            db.store(self.db.add(i), false);
        }
    }
}

impl Rows {
    /// How many rows are normalized at a time: two where they are short, so that the sums of one are on their way while
    /// those of the other are waited for.
    fn pair<C>(&self, past: bool) -> usize {
        match !past && self.groups == 1 && self.n * size_of::<C>() <= 8 << 10 {
            true => 2,
            false => 1,
        }
    }

    /// The number of the weight of row r's first element.
    fn weight(&self, r: usize) -> usize {
        r % self.groups * self.n
    }
}

dispatch!(vectors unsafe fn forward<C: Float; const N: usize>(task: &Forward<'_, C>, r: usize) => forward_body);

/// Rows r .. r + N, which share their weights.
///
/// # Safety
/// The arrays have these rows, and nobody else uses those of the results.
#[inline(always)]
unsafe fn forward_body<V: Vector<C = C>, C: Float, const N: usize>(task: &Forward<'_, C>, r: usize) {
    let &Forward {
        rows,
        x,
        w,
        b,
        y,
        mean,
        scale,
        past,
    } = task;
    let (n, at) = (rows.n, rows.weight(r));
    let x: [_; N] = from_fn(|i| x.wrapping_add((r + i) * n));
    // SAFETY: the caller's promise.
    unsafe {
        let middle = match rows.center {
            true => totals::<V, N, 1>(n, &Numbers(x)).map(|[sum]| sum / n as f64),
            false => [0.0; N],
        };
        let m = middle.map(C::from_f64);
        let squares = totals::<V, N, 1>(n, &Squares { x, m });
        let by = squares.map(|[square]| C::from_f64(1.0 / (square / n as f64 + rows.eps).sqrt()));
        for i in 0..N {
            mean.add(r + i).write(m[i]);
            scale.add(r + i).write(by[i]);
        }
        let step = Normalize {
            x,
            w: w.add(at),
            b: b.add(at),
            y: from_fn(|i| y.wrapping_add((r + i) * n)),
            m,
            scale: by,
            ahead: 2 * n,
        };
        walk::<V>(n, past, &step);
    }
}

dispatch!(vectors unsafe fn backward<C: Float; const N: usize>(
    task: &Backward<'_, C>, r: usize, dw: *mut C, db: *mut C
) => backward_body);

/// Rows r .. r + N, which share their weights, whose sums are added to `dw` and `db`.
///
/// # Safety
/// The arrays have these rows, and nobody else uses those of the results.
#[inline(always)]
unsafe fn backward_body<V: Vector<C = C>, C: Float, const N: usize>(
    task: &Backward<'_, C>,
    r: usize,
    dw: *mut C,
    db: *mut C,
) {
    let &Backward {
        rows,
        x,
        dy,
        w,
        mean,
        scale,
        dx,
        past,
    } = task;
    let n = rows.n;
    let [x, dy]: [[_; N]; 2] = [x, dy].map(|a| from_fn(|i| a.wrapping_add((r + i) * n)));
    // SAFETY: the caller's promise.
    unsafe {
        let [m, scale]: [[C; N]; 2] = [mean, scale].map(|a| from_fn(|i| a.add(r + i).read()));
        let w = w.add(rows.weight(r));
        let from = Slopes { x, dy, w, m };
        let total = totals::<V, N, 2>(n, &from);
        let step = Slope {
            from,
            dx: from_fn(|i| dx.wrapping_add((r + i) * n)),
            dw,
            db,
            scale,
            shift: total.map(|[plain, _]| C::from_f64(if rows.center { plain / n as f64 } else { 0.0 })),
            slope: from_fn(|i| C::from_f64(-total[i][1] * scale[i].to_f64() / n as f64)),
            ahead: 2 * n,
        };
        walk::<V>(n, past, &step);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{norm_rows, norm_rows_backward};
    use super::*;
    use crate::dtype::DType;

    fn wave(shape: &[usize], step: f64) -> Array {
        let n: usize = shape.iter().product();
        let data: Vec<f64> = (0..n).map(|i| (i as f64 * step).sin() * 2.0 + 0.5).collect();
        Array::from_slice(&data, shape)
    }

    fn near(got: &Array, want: &[f64], tolerance: f64, what: &str) {
        let got = got.to_vec::<f64>();
        assert_eq!(got.len(), want.len(), "{what}");
        for (i, (got, want)) in got.iter().zip(want).enumerate() {
            assert!(
                (got - want).abs() <= tolerance * (1.0 + want.abs()),
                "{what} at {i}: {got} and not {want}"
            );
        }
    }

    #[test]
    fn rows_and_their_gradients_are_those_of_the_formulas() {
        for (count, n, groups) in [
            (5, 1, 1),
            (4, 3, 1),
            (3, 64, 1),
            (37, 70, 1),
            (6, 130, 2),
            (3, 2500, 1),
        ] {
            for (center, weighted, dtype) in [
                (true, true, DType::F64),
                (false, true, DType::F32),
                (true, false, DType::F32),
            ] {
                let (rows, what) = (
                    Rows {
                        n,
                        groups,
                        inner: 1,
                        center,
                        eps: 1e-3,
                    },
                    format!("{count} rows of {n}, {dtype:?}, {center}, {weighted}"),
                );
                let tolerance = if dtype == DType::F64 { 1e-12 } else { 1e-4 };
                let [x, dy] = [0.37, 0.71].map(|step| wave(&[count, n], step).cast(dtype));
                let [w, b] = [0.13, 0.19].map(|step| weighted.then(|| wave(&[groups * n], step).cast(dtype)));
                let [y, mean, scale] = norm_rows(&x, &rows, w.as_ref(), b.as_ref());
                let got = norm_rows_backward(&x, &dy, &rows, w.as_ref(), &mean, &scale);
                let [x, dy] = [x, dy].map(|a| a.to_vec::<f64>());
                let [w, b] =
                    [(w, 1.0), (b, 0.0)].map(|(a, v)| a.map_or(vec![v; groups * n], |a| a.to_vec::<f64>()));
                let [mut y_want, mut dx] = [0, 1].map(|_| vec![0.0; count * n]);
                let [mut dw, mut db] = [0, 1].map(|_| vec![0.0; groups * n]);
                for r in 0..count {
                    let (row, at) = (r * n..(r + 1) * n, r % groups * n);
                    let m = if center {
                        x[row.clone()].iter().sum::<f64>() / n as f64
                    } else {
                        0.0
                    };
                    let square = x[row.clone()].iter().map(|x| (x - m).powi(2)).sum::<f64>() / n as f64;
                    let by = 1.0 / (square + rows.eps).sqrt();
                    let hat = |i: usize| (x[r * n + i] - m) * by;
                    let g = |i: usize| dy[r * n + i] * w[at + i];
                    let shift = if center {
                        (0..n).map(g).sum::<f64>() / n as f64
                    } else {
                        0.0
                    };
                    let slope = (0..n).map(|i| g(i) * hat(i)).sum::<f64>() / n as f64;
                    for i in 0..n {
                        y_want[r * n + i] = hat(i) * w[at + i] + b[at + i];
                        dx[r * n + i] = by * (g(i) - shift - hat(i) * slope);
                        dw[at + i] += dy[r * n + i] * hat(i);
                        db[at + i] += dy[r * n + i];
                    }
                }
                near(&y, &y_want, tolerance, &what);
                near(&got[0], &dx, tolerance, &what);
                near(&got[2], &db, tolerance, &what);
                near(&got[1], &dw, tolerance, &what);
            }
        }
    }

    #[test]
    fn rows_past_the_caches_are_the_same_bits() {
        let (count, n) = (8300, 1024);
        let rows = Rows {
            n,
            groups: 1,
            inner: 1,
            center: true,
            eps: 1e-5,
        };
        let [x, dy] = [0.37, 0.71].map(|step| {
            let part = wave(&[1, 4 * n], step).cast(DType::F32);
            part.broadcast_to(&[count / 4, 4 * n].into())
                .contiguous()
                .reshape([count, n])
        });
        let w = wave(&[n], 0.13).cast(DType::F32);
        let all = |x: &Array, dy: &Array| {
            let [y, mean, scale] = norm_rows(x, &rows, Some(&w), Some(&w));
            let [dx, ..] = norm_rows_backward(x, dy, &rows, Some(&w), &mean, &scale);
            [y, dx].map(|a| a.slice(0, 0, 7, 1).to_vec::<f32>())
        };
        let few = |a: &Array| a.slice(0, 0, 7, 1).contiguous();
        assert_eq!(all(&x, &dy), all(&few(&x), &few(&dy)));
    }
}
