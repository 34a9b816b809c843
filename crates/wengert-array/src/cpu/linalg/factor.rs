//! Triangular factors, and what they solve.

use super::loops::{add, dot, levels};
use super::matrix::{BLOCK, Matrix, Numbers, add_product, part};

/// L in the lower triangle, zeros above. (Golub & Van Loan, *Matrix Computations*, 4.2, by blocks of columns.)
pub(super) fn cholesky(mut a: Matrix) -> Matrix {
    let n = a.rows;
    for start in (0..n).step_by(BLOCK) {
        let end = n.min(start + BLOCK);
        if start > 0 {
            let known = a.part(start..n, 0..start).copied();
            let own = known.part(0..end - start, 0..start);
            a.add_product([start, start], -1.0, known.whole(), own.t());
        }
        cholesky_columns(&mut a, start, end);
    }
    for i in 0..n {
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

levels! {
    /// Columns `start..end` of L, from which what those before take off was taken.
    fn cholesky_columns<V>(a: &mut Matrix, start: usize, end: usize) {
        let n = a.rows;
        for i in start..n {
            for j in start..end.min(i + 1) {
                let s = a.at(i, j) - dot::<V>(&a.row(i)[start..j], &a.row(j)[start..j]);
                a.data[i * n + j] = match i == j {
                    true if s > 0.0 => s.sqrt(),
                    true => f64::NAN,
                    false => s / a.at(j, j),
                };
            }
        }
    }

    /// Eliminates in columns `start..end`, from row `start` on; whole rows change places.
    fn lu_columns<V>(a: &mut Matrix, start: usize, end: usize, order: &mut [i64]) {
        let m = a.rows;
        for k in start..end {
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
                add::<V>(&mut row[k + 1..end], -factor, &top[k + 1..end]);
            }
        }
    }

    /// Substitutes in rows `range` of b, from the first on or with `upper` from the last, what these rows of `a` say of each other.
    fn substitute<V>(a: &Matrix, b: &mut Matrix, range: [usize; 2], upper: bool, unit: bool) {
        for step in 0..range[1] - range[0] {
            let i = if upper { range[1] - 1 - step } else { range[0] + step };
            let known = if upper { i + 1..range[1] } else { range[0]..i };
            if b.cols == 1 {
                b.data[i] -= dot::<V>(&a.row(i)[known.clone()], &b.data[known]);
            } else {
                for j in known {
                    let factor = a.at(i, j);
                    let [y, x] = b.two_rows(i, j);
                    add::<V>(y, -factor, x);
                }
            }
            if !unit {
                let pivot = a.at(i, i);
                b.row_mut(i).iter_mut().for_each(|x| *x /= pivot);
            }
        }
    }
}

/// Gaussian elimination with the largest element of each column as its pivot.
pub(super) fn lu(mut a: Matrix) -> (Matrix, Vec<i64>) {
    let (m, n) = (a.rows, a.cols);
    let mut order: Vec<i64> = (0..m as i64).collect();
    let steps = m.min(n);
    for start in (0..steps).step_by(BLOCK) {
        let end = steps.min(start + BLOCK);
        lu_columns(&mut a, start, end, &mut order);
        if end < n {
            let corner = a.part(start..end, start..end).copied();
            let mut right = a.part(start..end, end..n).copied();
            substitute(&corner, &mut right, [0, end - start], false, true);
            (start..end).for_each(|i| a.row_mut(i)[end..].copy_from_slice(right.row(i - start)));
            let left = a.part(end..m, start..end).copied();
            a.add_product([end, end], -1.0, left.whole(), right.whole());
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

/// The determinant as the product of pivots and a sign, or, without `product`, its sign and the logarithm of its absolute value.
pub(super) fn determinant(
    sign: f64,
    pivots: impl Iterator<Item = f64> + Clone,
    product: bool,
    to: &mut [f64],
) {
    if product {
        to[0] = pivots.fold(sign, |d, p| d * p);
        return;
    }
    let log = log_of_product(pivots.clone());
    let sign = pivots.fold(sign, |s, p| s * if p == 0.0 { 0.0 } else { p.signum() });
    to.copy_from_slice(&[sign, log]);
}

/// ln |Π xᵢ|, with one logarithm for many factors: their powers of two are counted.
fn log_of_product(factors: impl Iterator<Item = f64>) -> f64 {
    /// So many numbers below 2 have a product below 2¹⁰²⁴.
    const MANY: usize = 1000;
    let (mut log, mut product, mut twos, mut many) = (0.0, 1.0, 0, 0);
    for x in factors {
        if !x.is_normal() {
            log += x.abs().ln();
            continue;
        }
        let bits = x.to_bits();
        twos += ((bits >> 52) & 0x7ff) as i64 - 1023;
        product *= f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
        many += 1;
        if many == MANY {
            log += product.ln();
            (product, many) = (1.0, 0);
        }
    }
    log + (product.ln() + twos as f64 * std::f64::consts::LN_2)
}

pub(super) fn lu_solve(lu: &Matrix, order: &[i64], mut b: Matrix, adjoint: bool) -> Matrix {
    let n = lu.rows;
    if (0..n).any(|i| lu.at(i, i) == 0.0) {
        b.data.fill(f64::NAN);
        return b;
    }
    if !adjoint {
        let mut x = Matrix {
            rows: n,
            cols: b.cols,
            data: Numbers::joined(n, b.cols, |i| b.row(order[i] as usize)),
        };
        solve_triangular(lu, &mut x, false, true);
        solve_triangular(lu, &mut x, true, false);
        return x;
    }
    // Aᵀ = Uᵀ Lᵀ P
    let t = lu.transposed();
    solve_triangular(&t, &mut b, false, false);
    solve_triangular(&t, &mut b, true, true);
    let mut x = Matrix::zeros(n, b.cols);
    (0..n).for_each(|i| x.row_mut(order[i] as usize).copy_from_slice(b.row(i)));
    x
}

/// Substitutes from the first rows on, or from the last.
pub(super) fn solve_triangular(a: &Matrix, b: &mut Matrix, upper: bool, unit: bool) {
    let (n, r) = (a.rows, b.cols);
    let blocks = n.div_ceil(BLOCK);
    for k in 0..blocks {
        let k = if upper { blocks - 1 - k } else { k };
        let (start, end) = (k * BLOCK, n.min((k + 1) * BLOCK));
        let (above, own) = b.data.split_at_mut(start * r);
        let (own, below) = own.split_at_mut((end - start) * r);
        let (known, x) = if upper {
            (end..n, &*below)
        } else {
            (0..start, &*above)
        };
        let x = part(x, r, 0..known.len(), 0..r);
        add_product(own, r, -1.0, a.part(start..end, known), x);
        substitute(a, b, [start, end], upper, unit);
    }
}
