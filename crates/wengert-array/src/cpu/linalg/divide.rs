//! Eigenvalues of tridiagonal matrices by division: those of two halves, and of what joins them.
//!
//! (Cuppen 1981, *A divide and conquer method for the symmetric tridiagonal eigenproblem*; Gu & Eisenstat 1995, *A
//! divide-and-conquer algorithm for the symmetric tridiagonal eigenproblem*, from whom it is that vectors are orthogonal.)

use super::eigen::diagonalise;
use super::loops::{length, levels};
use super::matrix::Matrix;
use super::rotations::Rotations;
use super::secular::{Root, measure, root};
use crate::cpu::shared::Out;
use crate::cpu::threads;
use crate::cpu::vector::{Sum, Vector};

/// Up to this size a matrix is not divided.
const LEAF: usize = 32;

/// What is wanted of eigenvectors.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Want {
    All,
    /// Their first and last elements.
    Ends,
    Nothing,
}

/// Eigenvalues in ascending order, and as rows what is wanted of eigenvectors, of the tridiagonal matrix with the diagonal `d` and
/// e beside it (of which the last element counts for nothing); nothing where an iteration does not end.
pub(super) fn eigen(d: &[f64], e: &[f64], want: Want) -> Option<(Vec<f64>, Matrix)> {
    let n = d.len();
    if n <= LEAF {
        return by_steps(d, e, want);
    }
    // T is that of two halves, whose diagonals are less by |b| where they meet, and |b| v vᵀ with v = (…, 0, 1, ±1, 0, …).
    let (half, b) = (n / 2, e[n / 2 - 1]);
    let mut less = d.to_vec();
    less[half - 1] -= b.abs();
    less[half] -= b.abs();
    let want_halves = if want == Want::All { Want::All } else { Want::Ends };
    let (d1, q1) = eigen(&less[..half], &e[..half], want_halves)?;
    let (d2, q2) = eigen(&less[half..], &e[half..], want_halves)?;
    // In the basis of their eigenvectors: a diagonal matrix and ρ z zᵀ with |z| = 1.
    let sign = 0.5f64.sqrt().copysign(b);
    let last = (0..half).map(|i| q1.at(i, q1.cols - 1) * 0.5f64.sqrt());
    let z: Vec<f64> = last.chain((0..n - half).map(|i| q2.at(i, 0) * sign)).collect();
    let values = [d1, d2].concat();
    let rows = beside(&q1, &q2, want);
    join(values, z, 2.0 * b.abs(), rows, half, want).or_else(|| by_steps(d, e, want))
}

/// What [`eigen`] gives, without a division.
fn by_steps(d: &[f64], e: &[f64], want: Want) -> Option<(Vec<f64>, Matrix)> {
    let n = d.len();
    let mut values = d.to_vec();
    let mut rows = match want {
        Want::All => Matrix::identity(n),
        Want::Ends => Matrix::zeros(n, 2),
        Want::Nothing => Matrix::zeros(n, 0),
    };
    if want == Want::Ends {
        (rows.data[0], rows.data[2 * n - 1]) = (1.0, 1.0);
    }
    diagonalise(&mut values, e.to_vec(), &mut rows).then(|| ordered(values, &rows))
}

/// The rows of both, as rows of a matrix that has both on its diagonal.
fn beside(a: &Matrix, b: &Matrix, want: Want) -> Matrix {
    let (m, cols) = (a.rows, if want == Want::All { a.cols + b.cols } else { 2 });
    let mut rows = Matrix::zeros(m + b.rows, cols);
    for i in 0..m {
        let part = if want == Want::All { a.cols } else { 1 };
        rows.row_mut(i)[..part].copy_from_slice(&a.row(i)[..part]);
    }
    for i in 0..b.rows {
        let part = if want == Want::All { b.cols } else { 1 };
        rows.row_mut(m + i)[cols - part..].copy_from_slice(&b.row(i)[b.cols - part..]);
    }
    rows
}

/// Both in ascending order of the values.
fn ordered(values: Vec<f64>, rows: &Matrix) -> (Vec<f64>, Matrix) {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    (order.iter().map(|&i| values[i]).collect(), rows.ordered(&order))
}

/// What [`eigen`] gives, of diag(d) + ρ z zᵀ in the basis of `rows`, of which the first `half` have elements in the first `half`
/// columns alone, and the others in the others.
fn join(
    mut d: Vec<f64>,
    mut z: Vec<f64>,
    rho: f64,
    mut rows: Matrix,
    half: usize,
    want: Want,
) -> Option<(Vec<f64>, Matrix)> {
    let n = d.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| d[i].total_cmp(&d[j]));
    // Where an element of z is as good as zero, d is an eigenvalue. So it is where two are as good as equal, for a rotation makes one
    // of the two elements zero.
    let large = |x: &[f64]| x.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    let tolerance = 8.0 * f64::EPSILON * large(&d).max(large(&z));
    let (mut kept, mut done): (Vec<usize>, Vec<usize>) = (Vec::with_capacity(n), Vec::new());
    let mut mixed = vec![false; n];
    let mut turns = Rotations::default();
    for i in order {
        if rho * z[i].abs() <= tolerance {
            done.push(i);
            continue;
        }
        if let Some(&j) = kept.last() {
            let r = length(z[i], z[j]);
            let (c, s) = (z[i] / r, -z[j] / r);
            if ((d[i] - d[j]) * c * s).abs() <= tolerance {
                (z[i], z[j]) = (r, 0.0);
                turns.turn(&mut rows, [j, i], c, s);
                (d[j], d[i]) = (d[j] * c * c + d[i] * s * s, d[j] * s * s + d[i] * c * c);
                let both = (i < half) != (j < half) || mixed[i] || mixed[j];
                (mixed[i], mixed[j]) = (both, both);
                kept.pop();
                done.push(j);
            }
        }
        kept.push(i);
    }
    turns.finish(&mut rows);
    let size = kept.len();
    let known: Vec<f64> = kept.iter().map(|&i| d[i]).collect();
    let weights: Vec<f64> = kept.iter().map(|&i| z[i]).collect();
    let roots = roots(&known, &weights, rho)?;
    let mut values: Vec<f64> = roots.iter().map(|root| known[root.origin] + root.shift).collect();
    values.extend(done.iter().map(|&i| d[i]));
    if want == Want::Nothing {
        values.sort_by(f64::total_cmp);
        return Some((values, Matrix::zeros(n, 0)));
    }
    // Rows of the first half first, then those that a rotation has mixed, then those of the second.
    let kind = |i: usize| if mixed[i] { 1 } else { 2 * usize::from(i >= half) };
    let mut groups: Vec<usize> = (0..size).collect();
    groups.sort_by_key(|&k| kind(kept[k]));
    let count = |most: usize| kept.iter().filter(|&&i| kind(i) <= most).count();
    let (first, second) = (count(1), count(0));
    let inner = vectors(&known, &weights, &roots, &groups);
    let old = rows.ordered(&groups.iter().map(|&k| kept[k]).collect::<Vec<_>>());
    let cols = rows.cols;
    let mut new = Matrix::zeros(n, cols);
    if want == Want::All {
        new.add_product(
            [0, 0],
            1.0,
            inner.part(0..size, 0..first),
            old.part(0..first, 0..half),
        );
        new.add_product(
            [0, half],
            1.0,
            inner.part(0..size, second..size),
            old.part(second..size, half..cols),
        );
    } else {
        new.add_product([0, 0], 1.0, inner.whole(), old.whole());
    }
    (size..n)
        .zip(&done)
        .for_each(|(k, &i)| new.row_mut(k).copy_from_slice(rows.row(i)));
    Some(ordered(values, &new))
}

/// All roots of 1/ρ + Σ zᵢ² / (dᵢ − λ), in ascending order.
fn roots(d: &[f64], z: &[f64], rho: f64) -> Option<Vec<Root>> {
    let n = d.len();
    let squares: Vec<f64> = z.iter().map(|z| z * z).collect();
    let mut found = vec![None; n];
    let out = Out(found.as_mut_ptr());
    threads::split(n, 1, 16 * n, |start, len| {
        // SAFETY: these roots are this task's alone.
        let found = unsafe { out.slice(start, len) };
        find(d, &squares, rho, start, found);
    });
    found.into_iter().collect()
}

levels! {
    /// Those from `start` on.
    fn find<V>(d: &[f64], squares: &[f64], rho: f64, start: usize, found: &mut [Option<Root>]) {
        let mut apart = vec![0.0; d.len()];
        for (k, found) in found.iter_mut().enumerate() {
            *found = root::<V>(d, squares, rho, start + k, &mut apart);
        }
    }

    /// As rows, eigenvectors of diag(d) + z zᵀ for the z with which the `roots` are exact, and the signs of `z`: so they are orthogonal,
    /// however near they are. Elements in the order of `groups`.
    fn vectors<V>(d: &[f64], z: &[f64], roots: &[Root], groups: &[usize]) -> Matrix {
        let n = d.len();
        // First the dᵢ − λⱼ.
        let mut rows = Matrix::zeros(n, n);
        let mut product = vec![1.0; n];
        for (j, root) in roots.iter().enumerate() {
            let row = rows.row_mut(j);
            measure(d, d[root.origin], row);
            row.iter_mut().for_each(|x| *x -= root.shift);
            let own = -product[j] * row[j];
            multiply_quotients::<V>(&mut product, row, d, d[j]);
            product[j] = own;
        }
        let exact = |i: usize| product[i].abs().sqrt().copysign(z[i]);
        let exact: Vec<f64> = (0..n).map(exact).collect();
        let mut whole = vec![0.0; n];
        for row in rows.data.chunks_exact_mut(n.max(1)) {
            let over = 1.0 / divide::<V>(&exact, row, &mut whole).sqrt();
            row.iter_mut().zip(groups).for_each(|(y, &k)| *y = whole[k] * over);
        }
        rows
    }
}

/// yᵢ *= aᵢ / (dᵢ − c), whatever that is where it is 0/0.
#[inline(always)]
fn multiply_quotients<V: Vector<C = f64>>(y: &mut [f64], a: &[f64], d: &[f64], c: f64) {
    let n = y.len();
    assert!(a.len() == n && d.len() == n);
    let (from, mut i) = (V::splat(c), 0);
    // SAFETY: all have n elements.
    unsafe {
        while i + V::LANES <= n {
            let to = y.as_mut_ptr().add(i);
            let below = V::load(d.as_ptr().add(i)).sub(from);
            V::load(to)
                .mul(V::load(a.as_ptr().add(i)).div(below))
                .store(to, false);
            i += V::LANES;
        }
    }
    (i..n).for_each(|i| y[i] *= a[i] / (d[i] - c));
}

/// y ← a / b, and the sum of its squares.
#[inline(always)]
fn divide<V: Vector<C = f64>>(a: &[f64], b: &[f64], y: &mut [f64]) -> f64 {
    let n = y.len();
    assert!(a.len() == n && b.len() == n);
    let (mut sum, mut i) = (V::splat(0.0), 0);
    // SAFETY: all have n elements.
    unsafe {
        while i + V::LANES <= n {
            let q = V::load(a.as_ptr().add(i)).div(V::load(b.as_ptr().add(i)));
            sum = q.mul_add(q, sum);
            q.store(y.as_mut_ptr().add(i), false);
            i += V::LANES;
        }
    }
    let mut sum = sum.across::<Sum>();
    for i in i..n {
        y[i] = a[i] / b[i];
        sum += y[i] * y[i];
    }
    sum
}
