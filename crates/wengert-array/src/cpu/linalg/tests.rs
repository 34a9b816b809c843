//! What decompositions promise, on matrices of all kinds: products of the factors give the matrix back, bases are
//! orthonormal, values come in order.

use super::*;
use crate::kernels::Generator;

pub(super) fn random(seed: u64, shape: &[usize]) -> Array {
    Generator::new(seed).normal(&Shape::new(shape), 0.0, 1.0, DType::F64)
}

impl Matrix {
    /// The first `rows` rows.
    fn top(self, rows: usize) -> Matrix {
        self.part(0..rows, 0..self.cols).copied()
    }
}

fn matrix(a: &Array) -> Matrix {
    matrices(a).swap_remove(0)
}

#[track_caller]
pub(super) fn near(a: &Matrix, b: &Matrix, scale: f64) {
    assert_eq!((a.rows, a.cols), (b.rows, b.cols));
    let bound = 1e-14 * scale * (1 + a.rows + a.cols) as f64;
    for (x, y) in a.data.iter().zip(&b.data[..]) {
        assert!(
            (x - y).abs() <= bound,
            "{x} and {y} differ by {:e}, more than {bound:e}",
            (x - y).abs()
        );
    }
}

#[track_caller]
fn orthonormal_columns(q: &Matrix) {
    near(&q.transposed().times(q), &Matrix::identity(q.cols), 1.0);
}

/// Matrices that decompositions stumble over, m × n.
pub(super) fn hard(m: usize, n: usize) -> Vec<(&'static str, Matrix)> {
    let full = matrix(&random(7, &[m, n]));
    let of = |f: &dyn Fn(usize, usize) -> f64| {
        let mut a = Matrix::zeros(m, n);
        (0..m * n).for_each(|k| a.data[k] = f(k / n, k % n));
        a
    };
    vec![
        ("random", full.clone()),
        ("zero", of(&|_, _| 0.0)),
        ("ones", of(&|_, _| 1.0)),
        ("rank two", of(&|i, j| (i + 1) as f64 + (j * j) as f64)),
        ("eye", of(&|i, j| f64::from(u8::from(i == j)))),
        ("tiny", full.clone().scaled(1e-200)),
        ("huge", full.clone().scaled(1e200)),
        ("graded", of(&|i, j| 10f64.powi(-(3 * (i + j) as i32)))),
        (
            "column-graded",
            of(&|i, j| full.at(i, j) * 10f64.powi(-(4 * j as i32))),
        ),
        ("hilbert", of(&|i, j| 1.0 / (i + j + 1) as f64)),
        (
            "antidiagonal",
            of(&|i, j| f64::from(u8::from(i + j + 1 == m.min(n)))),
        ),
        (
            "a zero column",
            of(&|i, j| if j == 0 { 0.0 } else { full.at(i, j) }),
        ),
    ]
}

/// The last are larger than a block.
const SIZES: [(usize, usize); 11] = [
    (1, 1),
    (2, 2),
    (3, 3),
    (5, 5),
    (7, 3),
    (3, 7),
    (20, 20),
    (1, 4),
    (4, 1),
    (70, 35),
    (40, 70),
];

#[test]
fn qr_gives_an_orthonormal_basis_and_the_matrix_back() {
    for (m, n) in SIZES {
        for (name, a) in hard(m, n) {
            for k in [m.min(n), m] {
                let (q, r) = householder::qr(&a, k);
                println!("{name} {m} × {n}, {k}");
                orthonormal_columns(&q);
                near(&q.times(&r), &a, a.largest());
                assert!((0..k).all(|i| (0..n.min(i)).all(|j| r.at(i, j) == 0.0)));
            }
        }
    }
}

#[test]
fn svd_gives_orthonormal_bases_and_the_matrix_back() {
    for (m, n) in SIZES {
        for (name, a) in hard(m, n) {
            for full in [false, true] {
                println!("{name} {m} × {n}, {full}");
                let (u, s, v) = singular::svd(a.clone(), full);
                assert!(
                    s.windows(2).all(|s| s[0] >= s[1]) && s.iter().all(|s| *s >= 0.0),
                    "{s:?}"
                );
                orthonormal_columns(&u.transposed());
                orthonormal_columns(&v.transposed());
                let mut scaled = v.clone().top(m.min(n));
                (0..m.min(n)).for_each(|i| scaled.row_mut(i).iter_mut().for_each(|x| *x *= s[i]));
                near(&u.top(m.min(n)).transposed().times(&scaled), &a, a.largest());
            }
        }
    }
}

#[test]
fn eigh_diagonalises() {
    for (m, _) in SIZES {
        for (name, a) in hard(m, m) {
            println!("{name} {m}");
            let a = a.symmetric();
            let (w, v) = eigen::eigh(a.clone(), true);
            assert!(w.windows(2).all(|w| w[0] <= w[1]), "{w:?}");
            orthonormal_columns(&v);
            let mut scaled = v.clone();
            (0..m).for_each(|i| scaled.row_mut(i).iter_mut().for_each(|x| *x *= w[i]));
            near(&v.transposed().times(&scaled), &a, a.largest());
        }
    }
}

#[test]
fn values_alone_are_those_that_come_with_vectors() {
    for (m, n) in SIZES {
        for (name, a) in hard(m, n) {
            println!("{name} {m} × {n}");
            let (_, s, _) = singular::svd(a.clone(), false);
            let alone = singular::values(a.clone());
            let close = |x: &[f64], y: &[f64], scale: f64| {
                assert_eq!(x.len(), y.len());
                let bound = 1e-14 * (m + n) as f64 * scale;
                assert!(
                    x.iter().zip(y).all(|(x, y)| (x - y).abs() <= bound),
                    "{x:?}, {y:?}"
                );
            };
            close(&s, &alone, a.largest());
            if m == n {
                let a = a.symmetric();
                let (w, _) = eigen::eigh(a.clone(), true);
                close(&w, &eigen::eigh(a.clone(), false).0, a.largest());
            }
        }
    }
}

/// Diagonals of tridiagonal matrices on which methods that divide stumble, and what is beside them.
fn tridiagonals(n: usize) -> Vec<(&'static str, Vec<f64>, Vec<f64>)> {
    let of = |f: &dyn Fn(usize) -> f64| (0..n).map(f).collect::<Vec<_>>();
    let noise = random(11, &[2, n]).to_vec::<f64>();
    vec![
        ("random", noise[..n].to_vec(), noise[n..].to_vec()),
        ("second differences", of(&|_| 2.0), of(&|_| -1.0)),
        ("diagonal", noise[..n].to_vec(), of(&|_| 0.0)),
        // Pairs of eigenvalues that agree to rounding.
        (
            "Wilkinson's",
            of(&|i| (i as f64 - (n / 2) as f64).abs()),
            of(&|_| 1.0),
        ),
        (
            "copies of Wilkinson's, glued",
            of(&|i| ((i % 21) as f64 - 10.0).abs()),
            of(&|i| if i % 21 == 20 { 1e-10 } else { 1.0 }),
        ),
        (
            "graded",
            of(&|i| 10f64.powi(-(i as i32) / 4)),
            of(&|i| 10f64.powi(-(i as i32) / 4 - 1)),
        ),
        (
            "halves apart",
            noise[..n].to_vec(),
            of(&|i| if i + 1 == n / 2 { 0.0 } else { noise[n + i] }),
        ),
        ("tiny beside", noise[..n].to_vec(), of(&|_| 1e-17)),
        ("none on the diagonal", of(&|_| 0.0), noise[n..].to_vec()),
    ]
}

#[test]
fn divided_matrices_have_the_eigenvalues_of_whole_ones() {
    use divide::Want;
    for n in [33, 64, 65, 130, 200] {
        for (name, d, e) in tridiagonals(n) {
            println!("{name} {n}");
            let (values, rows) = divide::eigen(&d, &e, Want::All).unwrap();
            let mut t = Matrix::zeros(n, n);
            for i in 0..n {
                t.data[i * n + i] = d[i];
                if i + 1 < n {
                    (t.data[i * n + i + 1], t.data[(i + 1) * n + i]) = (e[i], e[i]);
                }
            }
            let size = t.largest();
            orthonormal_columns(&rows.transposed());
            let mut scaled = rows.clone();
            (0..n).for_each(|i| scaled.row_mut(i).iter_mut().for_each(|x| *x *= values[i]));
            near(&rows.transposed().times(&scaled), &t, size);
            let (mut steps, mut none) = (d.clone(), Matrix::zeros(n, 0));
            assert!(eigen::diagonalise(&mut steps, e.clone(), &mut none));
            steps.sort_by(f64::total_cmp);
            let alone = divide::eigen(&d, &e, Want::Nothing).unwrap().0;
            for ((x, y), z) in values.iter().zip(&steps).zip(&alone) {
                let bound = 1e-14 * (n as f64) * size;
                assert!((x - y).abs() <= bound && (x - z).abs() <= bound, "{x} {y} {z}");
            }
        }
    }
}

#[test]
fn only_the_triangle_that_is_named_is_read() {
    let (n, a) = (40, matrix(&random(6, &[40, 40])).symmetric());
    let number = |a: &Matrix| Array::from_slice(&a.data, [n, n]);
    let want = eigh(&number(&a), Triangle::Both, false).0.to_vec::<f64>();
    for from in [Triangle::Lower, Triangle::Upper] {
        let mut other = a.clone();
        for i in 0..n * n {
            if (i / n > i % n && from == Triangle::Upper) || (i / n < i % n && from == Triangle::Lower) {
                other.data[i] = 1e280;
            }
        }
        for vectors in [false, true] {
            let got = eigh(&number(&other), from, vectors).0.to_vec::<f64>();
            assert!(
                got.iter().zip(&want).all(|(x, y)| (x - y).abs() < 1e-12),
                "{got:?}"
            );
        }
    }
}

#[test]
fn threads_change_no_bit() {
    let a = random(2, &[150, 150]);
    let all = threads::with_each(&[1, 2, 5], || {
        let (w, v) = eigh(&a, Triangle::Both, true);
        let (u, s, vt) = svd(&a, false);
        [w, v.unwrap(), u, s, vt].map(|x| x.to_vec::<f64>())
    });
    assert!(all.windows(2).all(|two| two[0] == two[1]));
}

#[test]
fn larger_ones_converge() {
    let a = matrix(&random(3, &[120, 90]));
    let (u, s, v) = singular::svd(a.clone(), false);
    let mut scaled = v;
    (0..90).for_each(|i| scaled.row_mut(i).iter_mut().for_each(|x| *x *= s[i]));
    near(&u.transposed().times(&scaled), &a, a.largest());
    let gram = a.transposed().times(&a);
    let (w, q) = eigen::eigh(gram.clone(), true);
    orthonormal_columns(&q);
    // Two ways to the same numbers.
    for (s, w) in s.iter().zip(w.iter().rev()) {
        assert!((s * s - w).abs() < 1e-11 * gram.largest(), "{s} {w}");
    }
}

#[test]
fn many_eigenvalues_that_are_rounding_errors_are_found() {
    let a = matrix(&random(3, &[200, 100]));
    let gram = a.times(&a.transposed());
    let (w, v) = eigen::eigh(gram.clone(), true);
    orthonormal_columns(&v);
    assert!(w[..100].iter().all(|w| w.abs() < 1e-12 * gram.largest()) && w[100] > 1e-3);
    let (u, s, _) = singular::svd(gram.clone(), false);
    orthonormal_columns(&u);
    assert!(s[100..].iter().all(|s| *s < 1e-12 * gram.largest()));
}

#[test]
fn reflections_make_the_same_matrix_kept_or_applied() {
    let a = matrix(&random(9, &[75, 40]));
    let (q, r) = householder::qr(&a, 75);
    let (reflections, _) = householder::factor(a.transposed());
    let mut rows = a.transposed();
    reflections.apply(&mut rows, false);
    near(&rows.transposed(), &r, a.largest());
    reflections.apply(&mut rows, true);
    near(&rows, &a.transposed(), a.largest());
    orthonormal_columns(&q);
}

#[test]
fn indefinite_matrices_are_solved() {
    for n in [1, 2, 3, 8, 45] {
        for (name, a) in hard(n, n) {
            let a = a.symmetric();
            let (ld, pivots, info) = indefinite::ldl(&a);
            if info != 0 || matches!(name, "ones" | "rank two" | "graded" | "column-graded" | "hilbert") {
                continue;
            }
            println!("{name} {n}");
            let b = matrix(&random(4, &[n, 3]));
            let x = indefinite::ldl_solve(&ld, &pivots, b.clone());
            near(&a.times(&x), &b, 100.0 * (1.0 + a.largest() * x.largest()));
        }
    }
    let (_, pivots, info) = indefinite::ldl(&Matrix::zeros(2, 2));
    assert_eq!((pivots, info), (vec![1, 2], 1));
}

/// That P A = L U.
#[track_caller]
pub(super) fn are_factors(lu: &Matrix, order: &[i64], a: &Matrix) {
    let (m, n, k) = (a.rows, a.cols, a.rows.min(a.cols));
    let (mut l, mut u, mut pa) = (Matrix::zeros(m, k), Matrix::zeros(k, n), Matrix::zeros(m, n));
    for i in 0..m {
        pa.row_mut(i).copy_from_slice(a.row(order[i] as usize));
        for j in 0..n {
            if j < i && j < k {
                l.data[i * k + j] = lu.at(i, j);
            } else if i < k {
                u.data[i * n + j] = lu.at(i, j);
            }
        }
        if i < k {
            l.data[i * k + i] = 1.0;
        }
    }
    assert!(l.data.iter().all(|x| x.abs() <= 1.0));
    near(&l.times(&u), &pa, a.largest());
}

#[test]
fn factors_give_the_matrix_back() {
    for (m, n) in SIZES {
        for (name, a) in hard(m, n) {
            println!("{name} {m} × {n}");
            let (lu, order) = factor::lu(a.clone());
            are_factors(&lu, &order, &a);
            let positive = a
                .times(&a.transposed())
                .plus(a.largest() * a.largest(), &Matrix::identity(m));
            if positive.largest().is_normal() {
                let l = factor::cholesky(positive.clone());
                near(&l.times(&l.transposed()), &positive, positive.largest());
            }
        }
    }
}

#[test]
fn what_has_no_answer_is_nan() {
    let nan = Array::from_slice(&[1.0, f64::NAN, 0.0, 2.0], [2, 2]);
    let infinite = Array::from_slice(&[1.0, f64::INFINITY, 0.0, 2.0], [2, 2]);
    for a in [nan, infinite] {
        assert!(
            eigh(&a, Triangle::Both, true)
                .0
                .to_vec::<f64>()
                .iter()
                .all(|x| x.is_nan())
        );
        assert!(svd(&a, true).1.to_vec::<f64>().iter().all(|x| x.is_nan()));
        assert!(matrix_exp(&a).to_vec::<f64>().iter().all(|x| x.is_nan()));
    }
    let indefinite = Array::from_slice(&[1.0, 2.0, 2.0, 1.0], [2, 2]);
    let l = cholesky(&indefinite).to_vec::<f64>();
    assert!(l[0] == 1.0 && l[3].is_nan());
    let singular = Array::from_slice(&[1.0, 2.0, 2.0, 4.0], [2, 2]);
    let (factors, order) = lu(&singular);
    let x = lu_solve(
        &factors,
        &order,
        &Array::from_slice(&[1.0, 1.0], [2, 1]),
        &Shape::new(&[]),
        false,
    );
    assert!(x.to_vec::<f64>().iter().all(|x| x.is_nan()));
    assert_eq!(determinant(&singular, true).to_vec::<f64>(), [0.0]);
    assert_eq!(
        determinant(&singular, false).to_vec::<f64>(),
        [0.0, f64::NEG_INFINITY]
    );
}

#[test]
fn cofactors_of_singular_matrices_are_right() {
    // Of [[a, b], [c, d]]: [[d, −c], [−b, a]].
    for a in [
        [1.0, 2.0, 2.0, 4.0],
        [3.0, 1.0, -1.0, 2.0],
        [0.0, 0.0, 0.0, 0.0],
        [0.0, 1.0, 0.0, 0.0],
    ] {
        let got = cofactor(&Array::from_slice(&a, [2, 2])).to_vec::<f64>();
        for (x, y) in got.iter().zip([a[3], -a[2], -a[1], a[0]]) {
            assert!((x - y).abs() < 1e-14, "{a:?}: {got:?}");
        }
    }
}

#[test]
fn the_pseudo_inverse_keeps_its_four_rules() {
    for (m, n) in SIZES {
        for (name, a) in hard(m, n) {
            if matches!(name, "tiny" | "huge" | "graded" | "hilbert" | "column-graded") {
                continue;
            }
            println!("{name} {m} × {n}");
            let (p, rank) = least::solve(a.clone(), Matrix::identity(m), 0.0, 1e-12);
            let (_, s, _) = singular::svd(a.clone(), false);
            assert_eq!(rank, s.iter().filter(|x| **x > 1e-12 * s[0]).count());
            let (ap, pa) = (a.times(&p), p.times(&a));
            let scale = 1.0 + 100.0 * a.largest() * p.largest();
            near(&ap.times(&a), &a, scale * a.largest());
            near(&pa.times(&p), &p, scale * (1.0 + p.largest()));
            near(&ap, &ap.transposed(), scale);
            near(&pa, &pa.transposed(), scale);
        }
    }
}

#[test]
fn least_squares_leave_what_no_column_reaches() {
    for (m, n) in SIZES {
        for (name, a) in hard(m, n) {
            println!("{name} {m} × {n}");
            if matches!(name, "tiny" | "huge" | "graded" | "hilbert" | "column-graded") {
                continue;
            }
            let b = matrix(&random(8, &[m, 3]));
            let (x, rank) = least::solve(a.clone(), b.clone(), 0.0, 1e-12);
            let scale = 100.0 * (1.0 + a.largest() * x.largest());
            let left = a.times(&x).plus(-1.0, &b);
            near(
                &a.transposed().times(&left),
                &Matrix::zeros(n, 3),
                scale * a.largest(),
            );
            // The smallest lies in what the rows span.
            let (_, _, v) = singular::svd(a.clone(), false);
            let basis = v.top(rank);
            near(
                &basis.transposed().times(&basis.times(&x)),
                &x,
                scale * (1.0 + x.largest()),
            );
        }
    }
}

#[test]
fn ranks_are_those_of_singular_values() {
    // The last singular value beside and far from the size at which it counts.
    for last in [1e-3, 1e-5, 2e-6, 1.01e-6, 0.99e-6, 5e-7, 1e-9, 0.0] {
        for [m, n] in [[30, 30], [50, 30], [30, 50]] {
            let (u, _, v) = singular::svd(matrix(&random(12, &[m, n])), false);
            let mut scaled = v;
            for i in 0..30 {
                let s = if i == 29 { last } else { 1.0 / (1 + i) as f64 };
                scaled.row_mut(i).iter_mut().for_each(|x| *x *= s);
            }
            let a = u.transposed().times(&scaled);
            let b = matrix(&random(13, &[m, 1]));
            let rank = least::solve(a, b, 0.0, 1e-6).1;
            assert_eq!(rank, if last > 1e-6 { 30 } else { 29 }, "{last:e} {m} × {n}");
        }
    }
}

#[test]
fn exponentials_of_small_and_large_matrices() {
    // A rotation by t, whether it takes halvings or not.
    for t in [0.0f64, 1e-9, 0.5, 3.0, 40.0] {
        let e = matrix_exp(&Array::from_slice(&[0.0, -t, t, 0.0], [2, 2])).to_vec::<f64>();
        for (x, y) in e.iter().zip([t.cos(), -t.sin(), t.sin(), t.cos()]) {
            assert!((x - y).abs() < 1e-13, "{t}: {e:?}");
        }
    }
    let shift = matrix_exp(&Array::from_slice(
        &[0.0, 1.0, 2.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0],
        [3, 3],
    ));
    for (x, y) in shift
        .to_vec::<f64>()
        .iter()
        .zip([1.0, 1.0, 3.5, 0.0, 1.0, 3.0, 0.0, 0.0, 1.0])
    {
        assert!((x - y).abs() < 1e-14);
    }
}

#[test]
fn stacks_are_matrices_one_by_one_in_any_layout() {
    let a = random(5, &[2, 3, 4, 4]);
    let turned = a.permute(&[1, 0, 3, 2]);
    let (w, _) = eigh(&turned, Triangle::Both, true);
    assert_eq!(w.shape().dims(), [3, 2, 4]);
    let one = turned.slice(0, 2, 1, 1).slice(1, 1, 1, 1).reshape([4, 4]);
    let (alone, _) = eigh(&one, Triangle::Both, true);
    assert_eq!(w.to_vec::<f64>()[20..24], alone.to_vec::<f64>()[..]);
    let single = a.cast(DType::F32);
    assert_eq!(qr(&single, false).0.dtype(), DType::F32);
    let empty = Array::full([2, 0, 0], 0.0, DType::F64);
    assert_eq!(determinant(&empty, true).to_vec::<f64>(), [1.0, 1.0]);
    assert_eq!(
        svd(&Array::full([0, 3], 0.0, DType::F64), true)
            .2
            .to_vec::<f64>()
            .len(),
        9
    );
}
