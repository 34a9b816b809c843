//! What decompositions promise, on matrices of all kinds: products of the factors give the matrix back, bases are
//! orthonormal, values come in order.

use super::*;
use crate::kernels::Generator;

fn random(seed: u64, shape: &[usize]) -> Array {
    Generator::new(seed).normal(&Shape::new(shape), 0.0, 1.0, DType::F64)
}

impl Matrix {
    /// The first `rows` rows.
    fn top(mut self, rows: usize) -> Matrix {
        self.data.truncate(rows * self.cols);
        self.rows = rows;
        self
    }
}

fn matrix(a: &Array) -> Matrix {
    matrices(a).swap_remove(0)
}

#[track_caller]
fn near(a: &Matrix, b: &Matrix, scale: f64) {
    assert_eq!((a.rows, a.cols), (b.rows, b.cols));
    let bound = 1e-14 * scale * (1 + a.rows + a.cols) as f64;
    for (x, y) in a.data.iter().zip(&b.data) {
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
fn hard(m: usize, n: usize) -> Vec<(&'static str, Matrix)> {
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
            let (w, v) = eigen::eigh(a.clone());
            assert!(w.windows(2).all(|w| w[0] <= w[1]), "{w:?}");
            orthonormal_columns(&v);
            let mut scaled = v.clone();
            (0..m).for_each(|i| scaled.row_mut(i).iter_mut().for_each(|x| *x *= w[i]));
            near(&v.transposed().times(&scaled), &a, a.largest());
        }
    }
}

#[test]
fn larger_ones_converge() {
    let a = matrix(&random(3, &[120, 90]));
    let (u, s, v) = singular::svd(a.clone(), false);
    let mut scaled = v;
    (0..90).for_each(|i| scaled.row_mut(i).iter_mut().for_each(|x| *x *= s[i]));
    near(&u.transposed().times(&scaled), &a, a.largest());
    let gram = a.transposed().times(&a);
    let (w, q) = eigen::eigh(gram.clone());
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
    let (w, v) = eigen::eigh(gram.clone());
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

#[test]
fn factors_give_the_matrix_back() {
    for (m, n) in SIZES {
        for (name, a) in hard(m, n) {
            println!("{name} {m} × {n}");
            let (lu, order) = factor::lu(a.clone());
            let k = m.min(n);
            let (mut l, mut u, mut pa) = (Matrix::zeros(m, k), Matrix::zeros(k, n), Matrix::zeros(m, n));
            for i in 0..m {
                pa.row_mut(i).copy_from_slice(a.row(order[i]));
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
        assert!(eigh(&a).0.to_vec::<f64>().iter().all(|x| x.is_nan()));
        assert!(svd(&a, true).1.to_vec::<f64>().iter().all(|x| x.is_nan()));
        assert!(matrix_exp(&a).to_vec::<f64>().iter().all(|x| x.is_nan()));
    }
    let indefinite = Array::from_slice(&[1.0, 2.0, 2.0, 1.0], [2, 2]);
    let l = cholesky(&indefinite).to_vec::<f64>();
    assert!(l[0] == 1.0 && l[3].is_nan());
    let (factors, order) = lu(&Array::from_slice(&[1.0, 2.0, 2.0, 4.0], [2, 2]));
    let x = lu_solve(
        &factors,
        &order,
        &Array::from_slice(&[1.0, 1.0], [2, 1]),
        &Shape::new(&[]),
        false,
    );
    assert!(x.to_vec::<f64>().iter().all(|x| x.is_nan()));
    assert_eq!(lu_determinant(&factors, &order, true).to_vec::<f64>(), [0.0]);
    assert_eq!(
        lu_determinant(&factors, &order, false).to_vec::<f64>(),
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
            let p = singular::pinv(a.clone(), 0.0, 1e-12);
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
    let (w, _) = eigh(&turned);
    assert_eq!(w.shape().dims(), [3, 2, 4]);
    let one = turned.slice(0, 2, 1, 1).slice(1, 1, 1, 1).reshape([4, 4]);
    let (alone, _) = eigh(&one);
    assert_eq!(w.to_vec::<f64>()[20..24], alone.to_vec::<f64>()[..]);
    let single = a.cast(DType::F32);
    assert_eq!(qr(&single, false).0.dtype(), DType::F32);
    let empty = Array::full([2, 0, 0], 0.0, DType::F64);
    assert_eq!(
        lu_determinant(&lu(&empty).0, &lu(&empty).1, true).to_vec::<f64>(),
        [1.0, 1.0]
    );
    assert_eq!(
        svd(&Array::full([0, 3], 0.0, DType::F64), true)
            .2
            .to_vec::<f64>()
            .len(),
        9
    );
}
