//! Rows in which many neighbours share a weight: group norm and instance norm.

use super::layer::moments;
use super::steps::{Gradient, Products, Scale, run_ahead};
use super::{Backward, Forward};
use crate::cpu::isa::dispatch;
use crate::cpu::vector::{Float, Vector, totals};

dispatch!(vectors pub(super) unsafe fn forward<C: Float>(task: &Forward<'_, C>, r: usize) => forward_body);

/// # Safety
/// The arrays have row r, and nobody else uses it in the results.
#[inline(always)]
unsafe fn forward_body<V: Vector<C = C>, C: Float>(task: &Forward<'_, C>, r: usize) {
    let (n, inner, at) = (
        task.rows.n,
        task.rows.inner,
        r % task.rows.groups * task.rows.per(),
    );
    // SAFETY: the caller's promise.
    unsafe {
        let [[m], [scale]] = moments::<V, C, 1>(task, r);
        for c in 0..task.rows.per() {
            let from = r * n + c * inner;
            let step = Scale {
                x: task.x.add(from),
                y: task.y.add(from),
                m,
                by: scale * *task.w.add(at + c),
                plus: *task.b.add(at + c),
            };
            run_ahead::<V, 1>(inner, task.past, &step, [step.x], task.ahead);
        }
    }
}

dispatch!(vectors pub(super) unsafe fn backward<C: Float>(task: &Backward<'_, C>, r: usize, dw: *mut C, db: *mut C) => backward_body);

/// Row r, whose sums go to `dw` and `db`.
///
/// # Safety
/// The arrays have this row, and nobody else uses it in the results.
#[inline(always)]
unsafe fn backward_body<V: Vector<C = C>, C: Float>(
    task: &Backward<'_, C>,
    r: usize,
    dw: *mut C,
    db: *mut C,
) {
    let (n, inner) = (task.rows.n, task.rows.inner);
    // SAFETY: the caller's promise.
    unsafe {
        let (m, scale) = (*task.mean.add(r), *task.scale.add(r));
        let (s, w) = (scale.to_f64(), task.w.add(r % task.rows.groups * task.rows.per()));
        let mut all = [0.0; 2];
        for c in 0..task.rows.per() {
            let [x, dy] = [task.x, task.dy].map(|a| [a.add(r * n + c * inner)]);
            let [sums] = totals::<V, 1, 2>(inner, &Products { x, dy, m });
            db.add(c).write(C::from_f64(sums[0]));
            dw.add(c).write(C::from_f64(sums[1] * s));
            let w = (*w.add(c)).to_f64();
            all = [all[0] + sums[0] * w, all[1] + sums[1] * w];
        }
        let by = -s / n as f64;
        let shift = C::from_f64(if task.rows.center { all[0] * by } else { 0.0 });
        let slope = C::from_f64(all[1] * by * s);
        for c in 0..task.rows.per() {
            let from = r * n + c * inner;
            let step = Gradient {
                x: task.x.add(from),
                dy: task.dy.add(from),
                dx: task.dx.add(from),
                m,
                scale,
                out: scale * *w.add(c),
                slope,
                shift,
            };
            run_ahead::<V, 2>(inner, task.past, &step, [step.x, step.dy], task.ahead);
        }
    }
}
