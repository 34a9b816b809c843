//! Triangular factors, and what they solve.

use super::{Matrix, add, dot};

/// L in the lower triangle, zeros above. (Golub & Van Loan, *Matrix Computations*, 4.2, row by row.)
pub(super) fn cholesky(mut a: Matrix) -> Matrix {
    let n = a.rows;
    for i in 0..n {
        for j in 0..=i {
            let s = a.at(i, j) - dot(&a.row(i)[..j], &a.row(j)[..j]);
            a.data[i * n + j] = match i == j {
                true if s > 0.0 => s.sqrt(),
                true => f64::NAN,
                false => s / a.at(j, j),
            };
        }
        a.row_mut(i)[i + 1..].fill(0.0);
        if a.at(i, i).is_nan() {
            // The first column without a root; nothing is known of the rows below.
            for k in i + 1..n {
                a.row_mut(k)[..=k].fill(f64::NAN);
                a.row_mut(k)[k + 1..].fill(0.0);
            }
            break;
        }
    }
    a
}

/// Gaussian elimination with the largest element of each column as its pivot.
pub(super) fn lu(mut a: Matrix) -> (Matrix, Vec<usize>) {
    let (m, n) = (a.rows, a.cols);
    let mut order: Vec<usize> = (0..m).collect();
    for k in 0..m.min(n) {
        // The first of the largest, as LAPACK takes it.
        let mut pivot = k;
        for i in k + 1..m {
            if a.at(i, k).abs() > a.at(pivot, k).abs() {
                pivot = i;
            }
        }
        if pivot != k {
            order.swap(k, pivot);
            let [x, y] = a.two_rows(k, pivot);
            x.swap_with_slice(y);
        }
        let p = a.at(k, k);
        if p == 0.0 {
            continue;
        }
        for i in k + 1..m {
            let [top, row] = a.two_rows(k, i);
            row[k] /= p;
            let factor = row[k];
            add(&mut row[k + 1..], -factor, &top[k + 1..]);
        }
    }
    (a, order)
}

/// Whether it takes an odd number of exchanges to make this order.
pub(super) fn is_odd(order: &[i64]) -> bool {
    let mut seen = vec![false; order.len()];
    let mut odd = false;
    for start in 0..order.len() {
        // A cycle of length n is n − 1 exchanges.
        let mut at = start;
        while !seen[at] {
            seen[at] = true;
            at = order[at] as usize;
            odd ^= at != start;
        }
    }
    odd
}

pub(super) fn lu_solve(lu: &Matrix, order: &[i64], mut b: Matrix, adjoint: bool) -> Matrix {
    let n = lu.rows;
    if (0..n).any(|i| lu.at(i, i) == 0.0) {
        b.data.fill(f64::NAN);
        return b;
    }
    let mut x = Matrix::zeros(n, b.cols);
    if adjoint {
        // Aᵀ = Uᵀ Lᵀ P
        let t = lu.transposed();
        solve_triangular(&t, &mut b, false, false);
        solve_triangular(&t, &mut b, true, true);
        (0..n).for_each(|i| x.row_mut(order[i] as usize).copy_from_slice(b.row(i)));
    } else {
        (0..n).for_each(|i| x.row_mut(i).copy_from_slice(b.row(order[i] as usize)));
        solve_triangular(lu, &mut x, false, true);
        solve_triangular(lu, &mut x, true, false);
    }
    x
}

/// Substitutes from the first row on, or from the last.
pub(super) fn solve_triangular(a: &Matrix, b: &mut Matrix, upper: bool, unit: bool) {
    let n = a.rows;
    for step in 0..n {
        let i = if upper { n - 1 - step } else { step };
        let known = if upper { i + 1..n } else { 0..i };
        if b.cols == 1 {
            b.data[i] -= dot(&a.row(i)[known.clone()], &b.data[known]);
        } else {
            for j in known {
                let factor = a.at(i, j);
                let [y, x] = b.two_rows(i, j);
                add(y, -factor, x);
            }
        }
        if !unit {
            let pivot = a.at(i, i);
            b.row_mut(i).iter_mut().for_each(|x| *x /= pivot);
        }
    }
}
