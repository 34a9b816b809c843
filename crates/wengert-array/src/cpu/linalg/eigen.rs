//! Symmetric matrices: first tridiagonal, then diagonal.

use super::divide::{Want, eigen};
use super::householder::{Reflections, reflection};
use super::loops::{add, dot, four, largest, length, levels};
use super::matrix::{BLOCK, Matrix};
use super::rotations::Rotations;
use crate::cpu::vector::Vector;

/// Of the symmetric matrix whose upper triangle is given: eigenvalues in ascending order, and with `vectors` eigenvectors as rows. NaN
/// where an element is not finite or no iteration ends.
pub(super) fn eigh(mut a: Matrix, vectors: bool) -> (Vec<f64>, Matrix) {
    let n = a.rows;
    let nothing = || (vec![f64::NAN; n], Matrix::filled(n, n, f64::NAN));
    let rows = (0..n).map(|i| largest(&a.row(i)[i..]));
    let scale = rows.fold(0.0, |m: f64, x| if m.is_nan() || x <= m { m } else { x });
    if !scale.is_finite() {
        return nothing();
    }
    if scale == 0.0 {
        return (vec![0.0; n], Matrix::identity(n));
    }
    (0..n).for_each(|i| a.row_mut(i)[i..].iter_mut().for_each(|x| *x /= scale));
    let (d, mut e, q) = tridiagonal(a);
    // Parts that are small beside the whole shall not be looked at more closely than it.
    let size = largest(&d).max(largest(&e));
    e.iter_mut()
        .filter(|e| e.abs() <= f64::EPSILON * size)
        .for_each(|e| *e = 0.0);
    let want = if vectors { Want::All } else { Want::Nothing };
    let Some((mut values, mut rows)) = eigen(&d, &e, want) else {
        return nothing();
    };
    values.iter_mut().for_each(|x| *x *= scale);
    if vectors {
        q.apply(&mut rows, true);
    }
    (values, rows)
}

/// Diagonal and off-diagonal of T, and Q, of A = Q T Qᵀ. The upper triangle of A is read.
///
/// By blocks of columns, which are known at the time when they are needed, while the rest of A waits for the product that a
/// block leaves for it. (Dongarra, Sorensen & Hammarling 1989, *Block reduction of matrices to condensed forms for eigenvalue
/// computations*.)
fn tridiagonal(mut a: Matrix) -> (Vec<f64>, Vec<f64>, Reflections) {
    let n = a.rows;
    let [mut d, mut e, mut taus] = [(); 3].map(|()| vec![0.0; n]);
    for start in (0..n).step_by(BLOCK) {
        let end = n.min(start + BLOCK);
        let width = end - start;
        // A is still to become A − Vᵀ W − Wᵀ V: rows of both, those of V first.
        let mut vw = Matrix::zeros(2 * width, n);
        for k in start..end {
            (d[k], e[k], taus[k]) = reduce(&mut a, &mut vw, k, k - start);
        }
        let wv = vw.ordered(&(width..2 * width).chain(0..width).collect::<Vec<_>>());
        for row in (end..n).step_by(2 * BLOCK) {
            let rows = row..n.min(row + 2 * BLOCK);
            let (left, right) = (vw.part(0..2 * width, rows), wv.part(0..2 * width, row..n));
            a.add_product([row, row], -1.0, left.t(), right);
        }
    }
    let q = Reflections { v: a, taus, shift: 1 };
    (d, e, q)
}

levels! {
    /// Makes row `k` the vector of a reflection that leaves it two elements, and with it row `j` of V and of W. Gives the elements and
    /// the reflection's τ.
    fn reduce<V>(a: &mut Matrix, vw: &mut Matrix, k: usize, j: usize) -> (f64, f64, f64) {
        let (n, width) = (a.rows, vw.rows / 2);
        // What the block's columns so far leave for this one.
        let row = &mut a.row_mut(k)[k..];
        for i in 0..j {
            let (v, w) = (&vw.row(i)[k..], &vw.row(width + i)[k..]);
            add::<V>(row, -v[0], w);
            add::<V>(row, -w[0], v);
        }
        let d = row[0];
        if k + 1 == n {
            return (d, 0.0, 0.0);
        }
        // The row right of the diagonal is the column below it.
        let (tau, e) = reflection::<V>(&mut row[1..]);
        let mut v = vec![0.0; n - k - 1];
        v.copy_from_slice(&row[1..]);
        let mut y = vec![0.0; n - k - 1];
        symmetric_product::<V>(a, k + 1, &v, &mut y);
        for i in 0..j {
            let (p, q) = (&vw.row(i)[k + 1..], &vw.row(width + i)[k + 1..]);
            let (along_p, along_q) = (dot::<V>(p, &v), dot::<V>(q, &v));
            add::<V>(&mut y, -along_q, p);
            add::<V>(&mut y, -along_p, q);
        }
        let half = 0.5 * tau * tau * dot::<V>(&y, &v);
        vw.row_mut(j)[k + 1..].copy_from_slice(&v);
        let w = &mut vw.row_mut(width + j)[k + 1..];
        add::<V>(w, tau, &y);
        add::<V>(w, -half, &v);
        (d, e, tau)
    }
}

/// y += A x of the part of a symmetric A from row and column `from` on, of which each element on or above the diagonal is read
/// once.
#[inline(always)]
fn symmetric_product<V: Vector<C = f64>>(a: &Matrix, from: usize, x: &[f64], y: &mut [f64]) {
    let n = x.len();
    let mut i = 0;
    while i < n {
        let count = if n - i >= 4 { 4 } else { 1 };
        let rows = |r: usize, c: usize| &a.row(from + i + r)[from + i + c..];
        // Between these rows and those below it.
        let (own, below) = y.split_at_mut(i + count);
        let own = &mut own[i..];
        let (xs, rest) = (&x[i..i + count], &x[i + count..]);
        if count == 4 {
            let sums = four::<V>(
                [0, 1, 2, 3].map(|r| rows(r, 4)),
                Some(rest),
                Some((below, [xs[0], xs[1], xs[2], xs[3]])),
            );
            (0..4).for_each(|r| own[r] += sums[r]);
        } else {
            own[0] += dot::<V>(rows(0, 1), rest);
            add::<V>(below, xs[0], rows(0, 1));
        }
        for r in 0..count {
            own[r] += rows(r, r)[0] * xs[r];
            for c in r + 1..count {
                own[r] += rows(r, c)[0] * xs[c];
                own[c] += rows(r, c)[0] * xs[r];
            }
        }
        i += count;
    }
}

/// Makes a tridiagonal matrix diagonal by implicitly shifted QL steps, each of which turns pairs of the rows of `v`.
/// Says whether it came to an end. (Golub & Van Loan, 8.3.3; Dubrulle, Martin & Wilkinson 1968, *The implicit QL
/// algorithm*.)
pub(super) fn diagonalise(d: &mut [f64], mut e: Vec<f64>, v: &mut Matrix) -> bool {
    let n = d.len();
    let size = d.iter().chain(&e).fold(0.0, |m: f64, x| m.max(x.abs()));
    let mut turns = Rotations::default();
    for l in 0..n {
        let mut steps = 0;
        loop {
            // The first element off the diagonal, from l on, that is as good as zero. Measured by the whole, since
            // among eigenvalues that are all rounding errors no neighbour is larger.
            let small = |m: usize| e[m].abs() <= f64::EPSILON * size;
            let m = (l..n - 1).find(|&m| small(m)).unwrap_or(n - 1);
            if m == l {
                break;
            }
            steps += 1;
            if steps > 80 {
                return false;
            }
            // The eigenvalue of the 2 × 2 corner at l that is nearer to d[l].
            let half = (d[l + 1] - d[l]) / (2.0 * e[l]);
            let root = half.hypot(1.0);
            let mut g = d[m] - d[l] + e[l] / (half + root.copysign(half));
            let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
            let mut split = false;
            for i in (l..m).rev() {
                let (f, b) = (s * e[i], c * e[i]);
                let r = length(f, g);
                e[i + 1] = r;
                if r == 0.0 {
                    // The matrix falls apart here.
                    d[i + 1] -= p;
                    e[m] = 0.0;
                    split = true;
                    break;
                }
                (s, c) = (f / r, g / r);
                let before = d[i + 1] - p;
                let t = (d[i] - before) * s + 2.0 * c * b;
                p = s * t;
                d[i + 1] = before + p;
                g = c * t - b;
                turns.turn(v, [i, i + 1], c, -s);
            }
            if !split {
                d[l] -= p;
                e[l] = g;
                e[m] = 0.0;
            }
        }
    }
    turns.finish(v);
    true
}
