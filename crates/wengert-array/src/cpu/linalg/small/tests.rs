//! That stacks of small matrices give what their matrices give one by one.

use super::super::matrix::Matrix;
use super::super::stack::{Stack, small};
use super::super::tests::{are_factors, hard, near, random};
use super::super::{
    cholesky, cofactor, determinant, factor, inverse, is_symmetric, lu, lu_solve, singular, solve_triangular,
};
use crate::array::Array;
use crate::cpu::threads;
use crate::dtype::DType;
use crate::layout::Shape;

/// The matrices one after the other.
fn stacked(all: &[Matrix]) -> Array {
    let data: Vec<f64> = all.iter().flat_map(|a| a.data.iter().copied()).collect();
    Array::from_slice(&data, [all.len(), all[0].rows, all[0].cols])
}

fn each(a: &Array) -> Vec<Matrix> {
    let stack = Stack::of(a);
    (0..stack.len()).map(|k| stack.matrix(k)).collect()
}

/// Well away from singular, but for one whose second row is twice its first and one with a NaN.
fn systems(n: usize, count: usize) -> Vec<Matrix> {
    let numbers = random(n as u64, &[count, n, n]);
    let mut all = each(&numbers);
    for (k, a) in all.iter_mut().enumerate() {
        // Pivots in all places.
        (0..n).for_each(|i| a.data[i * n + (i * 3 + k) % n] += 4.0);
    }
    if n > 1 {
        for j in 0..n {
            all[2].data[n + j] = 2.0 * all[2].data[j];
        }
        all[5].data[1] = f64::NAN;
    }
    all
}

/// Those of a stack in f32, or in f64 in another layout, too.
fn forms(a: &Array) -> [(Array, f64); 3] {
    let turned = a.transpose(1, 2).contiguous().transpose(1, 2);
    [(a.clone(), 1.0), (turned, 1.0), (a.cast(DType::F32), 1e9)]
}

/// Near, with NaN in the same places.
#[track_caller]
fn same(got: &Matrix, want: &Matrix, scale: f64) {
    assert!(
        got.data
            .iter()
            .zip(&want.data[..])
            .all(|(x, y)| x.is_nan() == y.is_nan()),
        "{got:?} {want:?}"
    );
    let known = |a: &Matrix| {
        let mut a = a.clone();
        a.data.iter_mut().filter(|x| x.is_nan()).for_each(|x| *x = 0.0);
        a
    };
    near(&known(got), &known(want), scale * (1.0 + known(want).largest()));
}

#[test]
fn factors_of_stacks_give_the_matrices_back() {
    for (m, n) in [
        (1, 1),
        (2, 2),
        (3, 3),
        (5, 5),
        (7, 3),
        (3, 7),
        (16, 16),
        (1, 4),
        (4, 1),
        (16, 2),
    ] {
        let all: Vec<Matrix> = hard(m, n).into_iter().map(|(_, a)| a).collect();
        assert!(small(all.len(), m, n));
        let (factors, order) = lu(&stacked(&all));
        let orders = order.to_vec::<i64>();
        for (k, (lu, a)) in each(&factors).iter().zip(&all).enumerate() {
            println!("{} {m} × {n}", hard(m, n)[k].0);
            are_factors(lu, &orders[k * m..(k + 1) * m], a);
        }
    }
    for shape in [[5, 0, 3], [5, 3, 0], [5, 0, 0], [0, 3, 3]] {
        let (factors, order) = lu(&Array::full(shape, 1.0, DType::F64));
        assert_eq!(
            (factors.shape().dims(), order.shape().dims()),
            (&shape[..], &shape[..2])
        );
        assert_eq!(
            order.to_vec::<i64>(),
            (0..shape[0]).flat_map(|_| 0..shape[1] as i64).collect::<Vec<_>>()
        );
    }
}

#[test]
fn stacks_of_systems_are_solved_as_single_ones() {
    for n in [1, 2, 3, 4, 9, 16] {
        // Not a multiple of the lanes.
        let all = systems(n, 21);
        for (a, scale) in forms(&stacked(&all)) {
            let all = each(&a);
            let (factors, order) = lu(&a);
            for r in [0, 1, 3, 17] {
                // One right side for three matrices each.
                let b = random(3, &[7, 1, n, r]).cast(a.dtype());
                let lead = Shape::new(&[7, 3]);
                let [factors, order] = [factors.reshape([7, 3, n, n]), order.reshape([7, 3, n])];
                for adjoint in [false, true] {
                    let x = each(&lu_solve(&factors, &order, &b, &lead, adjoint));
                    for (k, a) in all.iter().enumerate() {
                        let (lu, order) = factor::lu(a.clone());
                        let b = Stack::of(&b).matrix(k / 3);
                        same(&x[k], &factor::lu_solve(&lu, &order, b, adjoint), 1e3 * scale);
                    }
                }
            }
            let y = each(&inverse(&a));
            let [products, logs] = [true, false].map(|product| determinant(&a, product).to_vec::<f64>());
            let cofactors = each(&cofactor(&a));
            for (k, a) in all.iter().enumerate() {
                let (lu, order) = factor::lu(a.clone());
                let want = factor::lu_solve(&lu, &order, Matrix::identity(n), false);
                same(&y[k], &want, 1e3 * scale);
                same(&cofactors[k], &singular::cofactor(a.clone()), 1e3 * scale);
                let pivots: Vec<f64> = (0..n).map(|i| lu.at(i, i)).collect();
                let sign = if factor::is_odd(&order) { -1.0 } else { 1.0 };
                let product = pivots.iter().fold(sign, |d, p| d * p);
                let one = |x: f64| Matrix::filled(1, 1, x);
                same(&one(products[k]), &one(product), scale);
                if product == 0.0 {
                    assert_eq!(logs[2 * k..2 * k + 2], [0.0, f64::NEG_INFINITY]);
                } else {
                    let log = pivots.iter().map(|p| p.abs().ln()).sum();
                    same(&one(logs[2 * k]), &one(product.signum()), 1.0);
                    same(&one(logs[2 * k + 1]), &one(log), scale);
                }
            }
            let some = [products[2] == 0.0, products[5].is_nan(), products[7] != 0.0];
            assert!(n == 1 || some == [true; 3], "{products:?}");
        }
    }
}

#[test]
fn stacks_of_triangles_are_solved_as_single_ones() {
    for n in [1, 2, 5, 16] {
        for (a, scale) in forms(&stacked(&systems(n, 9))) {
            for (upper, unit) in [(false, false), (false, true), (true, false), (true, true)] {
                for r in [1, 4, 20] {
                    let b = random(4, &[9, r, n]).transpose(1, 2).cast(a.dtype());
                    let x = each(&solve_triangular(&a, &b, &Shape::new(&[9]), upper, unit));
                    for (k, (a, mut b)) in each(&a).into_iter().zip(each(&b)).enumerate() {
                        factor::solve_triangular(&a, &mut b, upper, unit);
                        let size = b.data.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
                        same(&x[k], &b, 1e3 * scale * (1.0 + size));
                    }
                }
            }
        }
    }
}

#[test]
fn stacks_of_positive_matrices_have_roots() {
    for n in [1, 2, 3, 8, 16] {
        let positive = |a: &Matrix| a.times(&a.transposed()).plus(1.0, &Matrix::identity(n));
        let mut all: Vec<Matrix> = systems(n, 11).iter().map(positive).collect();
        // Not positive-definite from a column in the middle on.
        all[4].data[n / 2 * (n + 1)] = -1.0;
        for (a, scale) in forms(&stacked(&all)) {
            for (l, a) in each(&cholesky(&a)).iter().zip(each(&a)) {
                same(l, &factor::cholesky(a.symmetric()), 1e3 * scale);
            }
        }
    }
}

#[test]
fn logarithms_of_determinants_stand_large_and_small_pivots() {
    let diagonal = [
        1e300,
        -1e250,
        5e-324,
        1e-310,
        1e200,
        3.0,
        1e-300,
        2f64.powi(-1022),
    ];
    let mut a = Matrix::zeros(8, 8);
    (0..8).for_each(|i| a.data[i * 9] = diagonal[i]);
    let want: f64 = diagonal.iter().map(|x| x.abs().ln()).sum();
    for count in [1, 9] {
        let got = determinant(&stacked(&vec![a.clone(); count]), false).to_vec::<f64>();
        assert!(
            got.chunks(2)
                .all(|x| x[0] == -1.0 && (x[1] - want).abs() < 1e-12 * want.abs()),
            "{got:?} {want}"
        );
    }
    let many = Matrix::identity(1030).scaled(1.9);
    let log = determinant(&stacked(&[many]), false).to_vec::<f64>()[1];
    assert!((log - 1030.0 * 1.9f64.ln()).abs() < 1e-10, "{log}");
}

#[test]
fn symmetry_is_seen() {
    for n in [1, 2, 17, 40] {
        let a = random(1, &[5, n, n]);
        let mut sum: Vec<f64> = each(&a)
            .iter()
            .flat_map(|a| a.symmetric().data.to_vec())
            .collect();
        let symmetric = |data: &[f64]| {
            let a = Array::from_slice(data, [5, n, n]);
            let all = [a.clone(), a.cast(DType::F32), a.transpose(1, 2)].map(|a| is_symmetric(&a));
            assert!(all.windows(2).all(|two| two[0] == two[1]));
            all[0]
        };
        assert!(symmetric(&sum));
        if n > 1 {
            let last = sum.len() - 2;
            sum[last] += 0.5;
            assert!(!symmetric(&sum));
            sum[last] = f64::NAN;
            assert!(!symmetric(&sum));
        }
    }
    let both = [1.0, f64::NAN, f64::NAN, 2.0];
    assert!(is_symmetric(&Array::from_slice(&both, [2, 2])));
}

#[test]
fn threads_change_no_bit_of_stacks() {
    let a = random(2, &[4000, 5, 5]);
    let all = threads::with_each(&[1, 2, 5], || {
        [inverse(&a), lu(&a).0, determinant(&a, false)].map(|x| x.to_vec::<f64>())
    });
    assert!(all.windows(2).all(|two| two[0] == two[1]));
}
