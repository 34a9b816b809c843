//! Rotations of rows, many at once.

use super::loops::levels;
use super::matrix::Matrix;
use crate::cpu::shared::Out;
use crate::cpu::threads;
use crate::cpu::vector::Vector;

/// Columns that are turned together: vectors of four registers at the highest level.
const STRIP: usize = 32;

/// (x, y) ← (c x + s y, c y − s x) of rows x and y.
#[derive(Clone, Copy)]
pub(super) struct Turn {
    x: usize,
    y: usize,
    c: f64,
    s: f64,
}

/// Rotations of pairs of rows that wait until there are many.
///
/// They run over some columns at a time, which then stay in the cache. (Van Zee, van de Geijn & Quintana-Ortí 2014,
/// *Restructuring the tridiagonal and bidiagonal QR algorithms for performance*.)
#[derive(Default)]
pub(super) struct Rotations(Vec<Turn>);

impl Rotations {
    /// (x, y) ← (c x + s y, c y − s x) of rows `x` and `y` of `rows`, by and by. It is best for the `y` to be the `x` of the
    /// one before.
    #[inline]
    pub(super) fn turn(&mut self, rows: &mut Matrix, [x, y]: [usize; 2], c: f64, s: f64) {
        if rows.cols == 0 {
            return;
        }
        self.0.push(Turn { x, y, c, s });
        if self.0.len() >= 32 * rows.rows.max(STRIP) {
            self.finish(rows);
        }
    }

    /// Does those that wait.
    pub(super) fn finish(&mut self, rows: &mut Matrix) {
        let (m, n) = (rows.rows, rows.cols);
        assert!(self.0.iter().all(|turn| turn.x.max(turn.y) < m));
        let out = Out(rows.data.as_mut_ptr());
        threads::split(n.div_ceil(STRIP), 1, STRIP * self.0.len() / 4, |start, len| {
            let mut panel = vec![[0.0; STRIP]; m];
            for strip in start..start + len {
                let from = strip * STRIP;
                let cols = STRIP.min(n - from);
                // SAFETY: the strip's columns of each row, which are this task's alone.
                let part = |i: usize| unsafe { out.slice(i * n + from, cols) };
                panel
                    .iter_mut()
                    .enumerate()
                    .for_each(|(i, row)| row[..cols].copy_from_slice(part(i)));
                turn_all(&mut panel, &self.0, cols);
                panel
                    .iter()
                    .enumerate()
                    .for_each(|(i, row)| part(i).copy_from_slice(&row[..cols]));
            }
        });
        self.0.clear();
    }
}

/// Vectors that are turned at once, so that one need not wait for another.
const WIDE: usize = 4;

levels! {
    fn turn_all<V>(panel: &mut [[f64; STRIP]], turns: &[Turn], cols: usize) {
        let Some(first) = turns.first() else { return };
        for from in (0..cols).step_by(WIDE * V::LANES) {
            let at = panel.as_mut_ptr().cast::<f64>();
            let place = |i: usize| at.wrapping_add(i * STRIP + from);
            // SAFETY: rows of the panel are a multiple of so many vectors long, and turns are of its rows, as was asserted.
            unsafe {
                // A row that the next turn needs, too, stays in registers.
                let (mut row, mut y) = (first.y, get::<V>(place(first.y)));
                for turn in turns {
                    if turn.y != row {
                        put(place(row), y);
                        (row, y) = (turn.y, get::<V>(place(turn.y)));
                    }
                    let mut x = get::<V>(place(turn.x));
                    let (c, s, minus) = (V::splat(turn.c), V::splat(turn.s), V::splat(-turn.s));
                    for w in 0..WIDE {
                        (x[w], y[w]) = (y[w].mul_add(s, x[w].mul(c)), y[w].mul_add(c, x[w].mul(minus)));
                    }
                    put(place(row), y);
                    (row, y) = (turn.x, x);
                }
                put(place(row), y);
            }
        }
    }
}

/// # Safety
/// There are as many numbers at `at`.
#[inline(always)]
unsafe fn get<V: Vector<C = f64>>(at: *const f64) -> [V; WIDE] {
    let mut v = [V::splat(0.0); WIDE];
    for (w, v) in v.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *v = unsafe { V::load(at.add(w * V::LANES)) };
    }
    v
}

/// # Safety
/// There is room for them at `at`.
#[inline(always)]
unsafe fn put<V: Vector<C = f64>>(at: *mut f64, v: [V; WIDE]) {
    for (w, v) in v.iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { v.store(at.add(w * V::LANES), false) };
    }
}
