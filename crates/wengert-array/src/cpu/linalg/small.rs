//! Factors of small matrices, and what they solve, side by side.

use super::factor::determinant as values_of;
use super::singular::{self, SINGULAR};
use super::stack::{Results, Stack, Task, lane_list, lanes, side_by_side};
use crate::array::Array;
use crate::cpu::vector::Vector;
use crate::dtype::DType;
use crate::layout::Shape;

/// Right sides of which so many columns are worked on together.
const STRIP: usize = 16;

/// As [`lu`](super::lu).
pub(super) fn lu(a: &Array, lead: &Shape) -> (Array, Array) {
    let a = Stack::of(a);
    let (m, n) = (a.rows, a.cols);
    let task = Lu {
        factors: Results::new(lead, [m, n], a.dtype()),
        order: Results::new(lead, [1, m], DType::I64),
        a,
    };
    side_by_side(task.a.len(), m * (n + 1) * (m.min(n) + 8), &task);
    let order: Shape = lead.iter().copied().chain([m]).collect();
    (task.factors.array(), task.order.array().reshape(order))
}

struct Lu {
    a: Stack,
    factors: Results,
    order: Results,
}

impl Task<f64> for Lu {
    fn room(&self) -> usize {
        self.a.rows * (self.a.cols + 1)
    }

    #[inline(always)]
    fn group<V: Vector<C = f64>>(&self, from: usize, count: usize, room: &mut [V]) {
        let (m, n) = (self.a.rows, self.a.cols);
        let (a, order) = room.split_at_mut(m * n);
        self.a.gather(from, 0..n, None, a, n);
        eliminate(a, order, n);
        self.factors.scatter([from, count], 0..n, None, a, [n, 1]);
        self.order.scatter([from, count], 0..m, None, order, [m, 1]);
    }
}

/// Gaussian elimination in rows of n, with the largest element of each column as its pivot. Gives the sign of the order of rows, and in
/// `order` which row came to be where.
#[inline(always)]
fn eliminate<V: Vector<C = f64>>(a: &mut [V], order: &mut [V], n: usize) -> V {
    let m = order.len();
    let [zero, one, none] = [0.0, 1.0, -1.0].map(V::splat);
    (0..m).for_each(|i| order[i] = V::splat(i as f64));
    let mut sign = one;
    for k in 0..m.min(n) {
        let (top, rest) = a[k * n..m * n].split_at_mut(n);
        // The first of the largest, as LAPACK takes it.
        let (mut largest, mut pivot) = (top[k].abs(), none);
        for (i, row) in rest.chunks_exact(n).enumerate() {
            let x = row[k].abs();
            pivot = x.if_larger(largest, V::splat(i as f64), pivot);
            largest = x.if_larger(largest, x, largest);
        }
        sign = pivot.if_larger(none, zero.sub(sign), sign);
        let mut number = order[k];
        for (i, (row, other)) in rest.chunks_exact_mut(n).zip(&mut order[k + 1..]).enumerate() {
            let here = V::splat(i as f64);
            for (x, y) in top.iter_mut().zip(row) {
                (*x, *y) = (pivot.if_equal(here, *y, *x), pivot.if_equal(here, *x, *y));
            }
            (number, *other) = (
                pivot.if_equal(here, *other, number),
                pivot.if_equal(here, number, *other),
            );
        }
        order[k] = number;
        // Where the pivot is zero, so is what is below it, and stays so.
        let p = top[k].if_equal(zero, one, top[k]);
        for row in rest.chunks_exact_mut(n) {
            row[k] = row[k].div(p);
            let less = zero.sub(row[k]);
            for (y, x) in row[k + 1..].iter_mut().zip(&top[k + 1..]) {
                *y = x.mul_add(less, *y);
            }
        }
    }
    sign
}

/// As [`determinant`](super::determinant).
pub(super) fn determinant(a: &Array, lead: &Shape, product: bool) -> Array {
    let (a, width) = (Stack::of(a), if product { 1 } else { 2 });
    let n = a.rows;
    let values = Results::new(lead, [1, width], a.dtype());
    let task = Determinant { a, values, product };
    side_by_side(task.a.len(), n * n * (n + 8) + 50, &task);
    let shape: Shape = lead.iter().copied().chain([width]).collect();
    task.values.array().reshape(shape)
}

struct Determinant {
    a: Stack,
    values: Results,
    product: bool,
}

impl Task<f64> for Determinant {
    fn room(&self) -> usize {
        self.a.rows * (self.a.rows + 1)
    }

    #[inline(always)]
    fn group<V: Vector<C = f64>>(&self, from: usize, count: usize, room: &mut [V]) {
        let n = self.a.rows;
        let (a, order) = room.split_at_mut(n * n);
        self.a.gather(from, 0..n, None, a, n);
        let sign = eliminate(a, order, n);
        let (sign, a) = (lane_list(sign), lanes(a));
        let mut values = [0.0; 2];
        let values = &mut values[..if self.product { 1 } else { 2 }];
        for l in 0..count {
            let pivots = (0..n).map(|i| a[i * (n + 1) * V::LANES + l]);
            values_of(sign[l], pivots, self.product, values);
            self.values.write(from + l, values);
        }
    }
}

/// The inverses, NaN of singular matrices, or with `cofactors` their transposes times the determinants, as
/// [`cofactor`](super::cofactor) gives them.
pub(super) fn inverse(a: &Array, lead: &Shape, cofactors: bool) -> Array {
    let a = Stack::of(a);
    let n = a.rows;
    let y = Results::new(lead, [n, n], a.dtype());
    let task = Inverse { a, y, cofactors };
    if n > 0 {
        side_by_side(task.a.len(), n * n * (2 * n + 16), &task);
    }
    task.y.array()
}

struct Inverse {
    a: Stack,
    y: Results,
    cofactors: bool,
}

impl Task<f64> for Inverse {
    fn room(&self) -> usize {
        self.a.rows * (2 * self.a.rows + 1)
    }

    #[inline(always)]
    fn group<V: Vector<C = f64>>(&self, from: usize, count: usize, room: &mut [V]) {
        let n = self.a.rows;
        let (a, rest) = room.split_at_mut(n * n);
        let (order, x) = rest.split_at_mut(n);
        self.a.gather(from, 0..n, None, a, n);
        let sign = eliminate(a, order, n);
        let [zero, one, nan] = [0.0, 1.0, f64::NAN].map(V::splat);
        for (place, row) in order.iter().zip(x.chunks_exact_mut(n)) {
            for (j, x) in row.iter_mut().enumerate() {
                *x = place.if_equal(V::splat(j as f64), one, zero);
            }
        }
        substitute(a, x, n, false, true);
        substitute(a, x, n, true, false);
        let (mut least, mut most, mut product) = (V::splat(f64::INFINITY), zero, sign);
        for i in 0..n {
            let p = a[i * (n + 1)];
            product = product.mul(p);
            (least, most) = (least.smaller(p.abs()), most.larger(p.abs()));
        }
        if !self.cofactors {
            x.iter_mut().for_each(|x| *x = least.if_equal(zero, nan, *x));
            self.y.scatter([from, count], 0..n, None, x, [n, 1]);
            return;
        }
        x.iter_mut().for_each(|x| *x = x.mul(product));
        self.y.scatter([from, count], 0..n, None, x, [1, n]);
        // Those that are near to singular have a way of their own.
        let near = lane_list(V::splat(SINGULAR).mul(most).if_larger(
            least,
            one,
            least.if_equal(zero, one, zero),
        ));
        for (l, near) in near.into_iter().enumerate().take(count) {
            if near == 1.0 {
                self.y
                    .write(from + l, &singular::cofactor(self.a.matrix(from + l)).data);
            }
        }
    }
}

/// As [`lu_solve`](super::lu_solve).
pub(super) fn lu_solve(lu: &Array, order: &Array, b: &Array, lead: &Shape, adjoint: bool) -> Array {
    let n = lu.shape()[lu.rank() - 1];
    let order = order.broadcast_to(&lead.iter().copied().chain([n]).collect::<Shape>());
    let order = order.to_vec::<i64>();
    let lu = Stack::spread(lu, lead);
    let steps = match adjoint {
        false => [(false, true), (true, false)],
        // Aᵀ = Uᵀ Lᵀ P
        true => [(false, false), (true, true)],
    };
    solve(Solve {
        a: if adjoint { lu.t() } else { lu },
        from: (!adjoint).then_some(&order),
        to: adjoint.then_some(&order),
        steps: &steps,
        regular: true,
        x: solution(b, lead),
        b: Stack::spread(b, lead),
    })
}

/// As [`solve_triangular`](super::solve_triangular).
pub(super) fn solve_triangular(a: &Array, b: &Array, lead: &Shape, upper: bool, unit: bool) -> Array {
    solve(Solve {
        a: Stack::spread(a, lead),
        from: None,
        to: None,
        steps: &[(upper, unit)],
        regular: false,
        x: solution(b, lead),
        b: Stack::spread(b, lead),
    })
}

fn solution(b: &Array, lead: &Shape) -> Results {
    let (n, r) = (b.shape()[b.rank() - 2], b.shape()[b.rank() - 1]);
    Results::new(lead, [n, r], b.dtype())
}

fn solve(task: Solve) -> Array {
    let (n, r) = (task.b.rows, task.b.cols);
    if n * r > 0 {
        side_by_side(task.b.len(), n * (n + r) * 8 + n * n * r, &task);
    }
    task.x.array()
}

/// What triangular matrices say of right sides, one after the other.
struct Solve<'a> {
    a: Stack,
    b: Stack,
    x: Results,
    /// In which order the rows of b are read, and those of x written.
    from: Option<&'a Vec<i64>>,
    to: Option<&'a Vec<i64>>,
    /// Which triangles: `upper` and `unit` of each.
    steps: &'a [(bool, bool)],
    /// Whether there is no answer where an element of the diagonal is zero.
    regular: bool,
}

impl Task<f64> for Solve<'_> {
    fn room(&self) -> usize {
        self.a.rows * (self.a.rows + STRIP.min(self.b.cols))
    }

    #[inline(always)]
    fn group<V: Vector<C = f64>>(&self, from: usize, count: usize, room: &mut [V]) {
        let (n, r) = (self.a.rows, self.b.cols);
        let (a, x) = room.split_at_mut(n * n);
        self.a.gather(from, 0..n, None, a, n);
        let [zero, nan] = [0.0, f64::NAN].map(V::splat);
        let mut nothing = zero;
        if self.regular {
            (0..n).for_each(|i| nothing = a[i * (n + 1)].if_equal(zero, nan, nothing));
        }
        for start in (0..r).step_by(STRIP) {
            let end = r.min(start + STRIP);
            let width = end - start;
            let x = &mut x[..n * width];
            self.b
                .gather(from, start..end, self.from.map(|o| &o[..]), x, width);
            for &(upper, unit) in self.steps {
                substitute(a, x, n, upper, unit);
            }
            if self.regular {
                x.iter_mut().for_each(|x| *x = nothing.if_equal(zero, *x, nan));
            }
            self.x
                .scatter([from, count], start..end, self.to.map(|o| &o[..]), x, [width, 1]);
        }
    }
}

/// Substitutes in x, from the first row on or with `upper` from the last, what a triangle of n × n says.
#[inline(always)]
fn substitute<V: Vector<C = f64>>(a: &[V], x: &mut [V], n: usize, upper: bool, unit: bool) {
    let width = x.len() / n;
    for step in 0..n {
        let i = if upper { n - 1 - step } else { step };
        let row = &a[i * n..(i + 1) * n];
        let (before, rest) = x.split_at_mut(i * width);
        let (own, after) = rest.split_at_mut(width);
        let (factors, known) = match upper {
            true => (&row[i + 1..], &*after),
            false => (&row[..i], &*before),
        };
        for (factor, known) in factors.iter().zip(known.chunks_exact(width)) {
            let less = V::splat(0.0).sub(*factor);
            for (y, x) in own.iter_mut().zip(known) {
                *y = x.mul_add(less, *y);
            }
        }
        if !unit {
            own.iter_mut().for_each(|x| *x = x.div(row[i]));
        }
    }
}

/// As [`cholesky`](super::cholesky).
pub(super) fn cholesky(a: &Array, lead: &Shape) -> Array {
    let a = Stack::of(a);
    let n = a.rows;
    let task = Cholesky {
        l: Results::new(lead, [n, n], a.dtype()),
        a,
    };
    side_by_side(task.a.len(), n * n * (n + 16) / 2, &task);
    task.l.array()
}

struct Cholesky {
    a: Stack,
    l: Results,
}

impl Task<f64> for Cholesky {
    fn room(&self) -> usize {
        self.a.rows * self.a.rows
    }

    #[inline(always)]
    fn group<V: Vector<C = f64>>(&self, from: usize, count: usize, room: &mut [V]) {
        let n = self.a.rows;
        self.a.gather(from, 0..n, None, room, n);
        factor(room, n);
        // Its transpose was found.
        self.l.scatter([from, count], 0..n, None, room, [1, n]);
    }
}

/// Makes of A the U of A = Uᵀ U, row by row, with zeros below the diagonal. From the first pivot on that has no root, all is NaN but what
/// was known before.
#[inline(always)]
fn factor<V: Vector<C = f64>>(a: &mut [V], n: usize) {
    let [zero, half, nan] = [0.0, 0.5, f64::NAN].map(V::splat);
    for i in 0..n {
        for j in i + 1..n {
            a[i * n + j] = half.mul(a[i * n + j]).add(half.mul(a[j * n + i]));
        }
    }
    for k in 0..n {
        let (top, rest) = a[k * n..].split_at_mut(n);
        let root = top[k].if_larger(zero, top[k].sqrt(), nan);
        top[k] = root;
        top[..k].fill(zero);
        top[k + 1..].iter_mut().for_each(|x| *x = x.div(root));
        for (i, row) in rest.chunks_exact_mut(n).enumerate() {
            let i = k + 1 + i;
            let less = zero.sub(top[i]);
            for (y, x) in row[i..].iter_mut().zip(&top[i..]) {
                *y = x.mul_add(less, *y);
            }
        }
    }
    // Nothing is known of the columns behind, those of L's rows below.
    let mut known = zero;
    for j in 0..n {
        (0..j).for_each(|i| a[i * n + j] = known.if_equal(zero, a[i * n + j], nan));
        let root = a[j * n + j];
        known = root.if_equal(root, known, nan);
    }
}

#[cfg(test)]
mod tests;
