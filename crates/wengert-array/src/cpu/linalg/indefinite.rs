//! Symmetric matrices that need not be positive-definite.

use super::loops::{along, inner};
use super::matrix::Matrix;

/// What the lower triangle of A is made into, the exchanges as LAPACK lists them, and the number, from 1 on, of the first pivot
/// that is zero, or 0. Pivots are single or 2 × 2. (Bunch & Kaufman 1977, *Some stable methods for calculating inertia and
/// solving symmetric linear systems*; Golub & Van Loan, 4.4.4.)
pub(super) fn ldl(a: &Matrix) -> (Matrix, Vec<i64>, i64) {
    let n = a.rows;
    // Column k of the lower triangle is row k of this, right of the diagonal.
    let mut a = a.transposed();
    let alpha = (1.0 + 17f64.sqrt()) / 8.0;
    let (mut pivots, mut info) = (vec![0; n], 0);
    let mut k = 0;
    while k < n {
        let own = a.at(k, k).abs();
        let far = |r: &[f64]| r.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        let column = far(&a.row(k)[k + 1..]);
        let (mut pivot, mut width) = (k, 1);
        if own.max(column) == 0.0 || own.is_nan() {
            if info == 0 {
                info = k as i64 + 1;
            }
            (pivots[k], k) = (k as i64 + 1, k + 1);
            continue;
        }
        if own < alpha * column {
            let other = (k + 1..n).find(|&i| a.at(k, i).abs() == column).unwrap_or(k);
            let left = (k..other).fold(0.0, |m: f64, j| m.max(a.at(j, other).abs()));
            let row = left.max(far(&a.row(other)[other + 1..]));
            if own < alpha * column * (column / row) {
                pivot = other;
                width = if a.at(other, other).abs() >= alpha * row {
                    1
                } else {
                    2
                };
            }
        }
        let place = k + width - 1;
        if pivot != place {
            exchange(&mut a, place, pivot);
            if width == 2 {
                a.data.swap(k * n + k + 1, k * n + pivot);
            }
        }
        let next = k + width;
        pivots[k..next].fill(if width == 1 {
            pivot as i64 + 1
        } else {
            -(pivot as i64 + 1)
        });
        if width == 1 {
            let x = a.row(k)[next..].to_vec();
            let over = 1.0 / a.at(k, k);
            for j in next..n {
                along(&mut a.row_mut(j)[j..], -over * x[j - next], &x[j - next..]);
            }
            a.row_mut(k)[next..].iter_mut().for_each(|x| *x *= over);
        } else {
            let off = a.at(k, k + 1);
            let (first, second) = (a.at(k, k) / off, a.at(k + 1, k + 1) / off);
            let scale = 1.0 / ((first * second - 1.0) * off);
            let [x, y] = [k, k + 1].map(|i| a.row(i)[next..].to_vec());
            for j in 0..n - next {
                let (u, v) = (scale * (second * x[j] - y[j]), scale * (first * y[j] - x[j]));
                let row = &mut a.row_mut(next + j)[next + j..];
                along(row, -u, &x[j..]);
                along(row, -v, &y[j..]);
                a.data[k * n + next + j] = u;
                a.data[(k + 1) * n + next + j] = v;
            }
        }
        k = next;
    }
    for i in 0..n {
        a.row_mut(i)[..i].fill(0.0);
    }
    (a.transposed(), pivots, info)
}

/// Rows and columns `i` < `j` of a symmetric matrix change places, from row `i` on, where only what is right of the diagonal
/// counts.
fn exchange(a: &mut Matrix, i: usize, j: usize) {
    let n = a.cols;
    let [x, y] = a.two_rows(i, j);
    x[j + 1..].swap_with_slice(&mut y[j + 1..]);
    for k in i + 1..j {
        a.data.swap(i * n + k, k * n + j);
    }
    a.data.swap(i * n + i, j * n + j);
}

/// X of A X = B.
pub(super) fn ldl_solve(ld: &Matrix, pivots: &[i64], mut b: Matrix) -> Matrix {
    let n = ld.rows;
    let l = ld.transposed();
    let width = |k: usize| if pivots[k] > 0 { 1 } else { 2 };
    let swap = |b: &mut Matrix, k: usize| {
        let (place, with) = (k + width(k) - 1, pivots[k].unsigned_abs() as usize - 1);
        if place != with {
            let [x, y] = b.two_rows(place, with);
            x.swap_with_slice(y);
        }
    };
    let mut starts = Vec::new();
    let mut k = 0;
    while k < n {
        starts.push(k);
        swap(&mut b, k);
        let next = k + width(k);
        for from in k..next {
            for i in next..n {
                let [x, y] = b.two_rows(from, i);
                along(y, -l.at(from, i), x);
            }
        }
        if next == k + 1 {
            let d = l.at(k, k);
            b.row_mut(k).iter_mut().for_each(|x| *x /= d);
        } else {
            let off = l.at(k, k + 1);
            let (first, second) = (l.at(k, k) / off, l.at(k + 1, k + 1) / off);
            let over = 1.0 / ((first * second - 1.0) * off);
            let [x, y] = b.two_rows(k, k + 1);
            for (x, y) in x.iter_mut().zip(y) {
                (*x, *y) = (over * (second * *x - *y), over * (first * *y - *x));
            }
        }
        k = next;
    }
    // Columns, so that sums run along rows.
    let mut x = b.transposed();
    for &k in starts.iter().rev() {
        let next = k + width(k);
        for column in x.data.chunks_exact_mut(n.max(1)) {
            for i in k..next {
                column[i] -= inner(&l.row(i)[next..], &column[next..]);
            }
            let (place, with) = (next - 1, pivots[k].unsigned_abs() as usize - 1);
            column.swap(place, with);
        }
    }
    x.transposed()
}
