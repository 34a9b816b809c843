//! Rows whose elements have a weight each: layer norm and RMS norm.

use super::steps::Squares;
use super::{Backward, Forward};
use crate::cpu::isa::dispatch;
use crate::cpu::vector::{Float, Numbers, Step, Terms, Vector, totals, walk};
use crate::cpu::walk::prefetch;
use std::array::from_fn;

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

/// The means of rows r .. r + N and 1/√(variance + ε), which are written, too.
///
/// # Safety
/// The arrays have these rows, and nobody else uses those of the results.
#[inline(always)]
pub(super) unsafe fn moments<V: Vector<C = C>, C: Float, const N: usize>(
    task: &Forward<'_, C>,
    r: usize,
) -> [[C; N]; 2] {
    let (rows, n) = (task.rows, task.rows.n);
    let x: [_; N] = from_fn(|i| task.x.wrapping_add((r + i) * n));
    // SAFETY: the caller's promise.
    unsafe {
        let middle = match rows.center {
            true => totals::<V, N, 1>(n, &Numbers(x)).map(|[sum]| sum / n as f64),
            false => [0.0; N],
        };
        let m = middle.map(C::from_f64);
        let squares = totals::<V, N, 1>(n, &Squares { x, m });
        let scale = squares.map(|[square]| C::from_f64(1.0 / (square / n as f64 + rows.eps).sqrt()));
        for i in 0..N {
            task.mean.add(r + i).write(m[i]);
            task.scale.add(r + i).write(scale[i]);
        }
        [m, scale]
    }
}

dispatch!(vectors pub(super) unsafe fn forward<C: Float; const N: usize>(task: &Forward<'_, C>, r: usize) => forward_body);

/// Rows r .. r + N, which share their weights.
///
/// # Safety
/// The arrays have these rows, and nobody else uses those of the results.
#[inline(always)]
unsafe fn forward_body<V: Vector<C = C>, C: Float, const N: usize>(task: &Forward<'_, C>, r: usize) {
    let (n, at) = (task.rows.n, r % task.rows.groups * task.rows.n);
    // SAFETY: the caller's promise.
    unsafe {
        let [m, scale] = moments::<V, C, N>(task, r);
        let step = Normalize {
            x: from_fn(|i| task.x.add((r + i) * n)),
            w: task.w.add(at),
            b: task.b.add(at),
            y: from_fn(|i| task.y.add((r + i) * n)),
            m,
            scale,
            ahead: 2 * n,
        };
        walk::<V>(n, task.past, &step);
    }
}

dispatch!(vectors pub(super) unsafe fn backward<C: Float; const N: usize>(
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
        ..
    } = task;
    let n = rows.n;
    let [x, dy]: [[_; N]; 2] = [x, dy].map(|a| from_fn(|i| a.wrapping_add((r + i) * n)));
    // SAFETY: the caller's promise.
    unsafe {
        let [m, scale]: [[C; N]; 2] = [mean, scale].map(|a| from_fn(|i| a.add(r + i).read()));
        let w = w.add(r % rows.groups * n);
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
            ahead: 2 * n * rows.groups,
        };
        walk::<V>(n, past, &step);
    }
}
