//! What PyTorch has no numbers for: errors, traps of gradients, edges. The rest is in `tests/parity/linalg.rs`.

use super::*;
use crate::{Backward, Tensor, catch, func, gradcheck};

fn f64s(data: &[f64], shape: &[usize]) -> Tensor {
    Tensor::from_slice(data, shape)
}

#[track_caller]
fn close(a: &Tensor, b: &Tensor) {
    assert_eq!((a.shape(), a.dtype()), (b.shape(), b.dtype()));
    assert!(a.allclose(b, 1e-11, 1e-11), "{a}\n{b}");
}

fn says(f: impl Fn() -> Tensor) -> String {
    catch(|| drop(f())).unwrap_err().to_string()
}

fn starts(f: impl Fn() -> Tensor, with: &str) {
    let text = says(f);
    assert!(text.starts_with(with), "{text}");
    assert!(text.contains("linalg/tests.rs"), "the line that asked: {text}");
}

#[test]
fn what_has_no_answer_is_named() {
    let singular = f64s(&[1.0, 2.0, 2.0, 4.0], &[2, 2]);
    let stack = crate::stack(&[&f64s(&[1.0, 0.0, 0.0, 1.0], &[2, 2]), &singular], 0);
    starts(
        || inv(&singular),
        "inv: the matrix is singular\n  pivot 1 of its LU decomposition is exactly 0",
    );
    starts(|| inv(&stack), "inv: matrix [1] of the stack is singular");
    starts(
        || solve(&singular, &f64s(&[1.0, 1.0], &[2])),
        "solve: the matrix is singular",
    );
    starts(
        || solve_left(&singular, &singular),
        "solve: the matrix is singular",
    );
    starts(|| matrix_power(&singular, -1), "inv: the matrix is singular");
    let indefinite = f64s(&[1.0, 2.0, 2.0, 1.0], &[2, 2]);
    starts(
        || cholesky(&indefinite),
        "cholesky: the matrix is not positive-definite\n  its leading minor of order 2 is not positive",
    );
    let nan = f64s(&[1.0, f64::NAN, 0.0, 1.0], &[2, 2]);
    starts(
        || svdvals(&nan),
        "svdvals: the input has elements that are infinite or NaN",
    );
    starts(|| eigvalsh(&nan, false), "eigvalsh: the input has elements");
    starts(|| pinv(&nan), "pinv: the input has elements");
    // As in PyTorch, these let NaN through.
    assert!(inv(&nan).to_vec::<f64>().iter().any(|x| x.is_nan()));
    assert!(det(&nan).item().is_nan() && matrix_exp(&nan).to_vec::<f64>().iter().all(|x| x.is_nan()));
}

#[test]
fn shapes_that_do_not_fit_are_named() {
    let (v, m, wide) = (Tensor::zeros([3]), Tensor::zeros([3, 3]), Tensor::zeros([2, 3]));
    starts(|| det(&wide), "det: needs square matrices, and got shape [2, 3]");
    starts(
        || inv(&v),
        "inv: needs a matrix or a stack of matrices, and got shape [3]",
    );
    starts(|| cholesky(&wide), "cholesky: needs square");
    starts(|| eigvalsh(&wide, false), "eigh: needs square");
    starts(|| svdvals(&v), "svd: needs a matrix");
    starts(|| matrix_exp(&wide), "matrix_exp: needs square");
    starts(|| matrix_power(&wide, 2), "matrix_power: needs square");
    starts(
        || det(&Tensor::new([[1, 2], [3, 4]])),
        "det: needs float32 or float64, and got int64",
    );
    starts(
        || solve(&m, &wide),
        "solve: cannot solve [3, 3] X = [2, 3]\n  the right side must have as many rows",
    );
    starts(
        || solve(&m, &m.to(DType::F64)),
        "solve: cannot combine float32 and float64",
    );
    starts(
        || solve_triangular(&m, &v, true, true, false),
        "solve_triangular: needs a matrix",
    );
    starts(
        || lstsq(&wide, &m, None).solution,
        "lstsq: cannot fit [2, 3] X to [3, 3]",
    );
    starts(
        || m.mm(&v),
        "mm: needs a matrix and a matrix, and got [3, 3] and [3]",
    );
    starts(|| wide.mm(&wide), "matmul: cannot multiply [2, 3] by [2, 3]");
    starts(
        || v.dot(&Tensor::zeros([2])),
        "dot: cannot combine [3] and [2]\n  the lengths must be equal, and are 3 and 2",
    );
    starts(|| m.bmm(&m), "bmm: needs a stack of matrices and a stack");
    starts(
        || Tensor::zeros([2, 2]).addmm(&m, &m, 1.0, 1.0),
        "addmm: cannot add [2, 2] to a product of shape [3, 3]",
    );
    starts(|| multi_dot(&[&m]), "multi_dot: needs at least two tensors");
    starts(|| multi_dot(&[&m, &v, &m]), "multi_dot: tensor 1 has shape [3]");
    starts(|| tensordot(&m, &v, 2), "tensordot: cannot contract 2 dimensions");
    starts(
        || tensordot_dims(&m, &m, &[0, 0], &[0, 1]),
        "tensordot: dimension 0 is named twice",
    );
    starts(
        || tensordot_dims(&wide, &m, &[0], &[0]),
        "tensordot: cannot combine [2, 3] and [3, 3]",
    );
    starts(
        || cross(&wide, &wide, 0),
        "cross: needs three elements along dimension 0, and got [2, 3]",
    );
    starts(|| cdist(&m, &Tensor::zeros([3, 2]), 2.0), "cdist: cannot measure");
    starts(
        || matrix_norm(&m, 3.0, [-2, -1], false),
        "matrix_norm: there is no norm of matrices of order 3",
    );
    starts(
        || matrix_norm(&m, 1.0, [0, -2], false),
        "matrix_norm: dimension 0 is named twice",
    );
    starts(
        || cov(&Tensor::zeros([1, 2, 3]), 1.0, None, None),
        "cov: needs at most two dimensions",
    );
    starts(
        || m.t().trace() + Tensor::zeros([1, 1, 1]).trace(),
        "trace: needs a matrix, and got [1, 1, 1]",
    );
    let tall = Tensor::zeros([3, 2]).requires_grad_(true);
    starts(
        || qr(&tall, Mode::Complete).0,
        "qr: the complete decomposition of tall matrices, [3, 2], has no gradient",
    );
}

#[test]
fn equations_that_cannot_be_read_are_named() {
    let (a, b) = (Tensor::zeros([2, 3]), Tensor::zeros([4, 5]));
    for (equation, operands, says) in [
        ("ij", vec![&a, &b], "einsum: `ij` is for 1 tensors, and got 2"),
        (
            "ij,jk",
            vec![&a, &b],
            "einsum: `j` has size 3 in one operand and 4 in operand 1\n  the operands have shapes [2, 3], [4, 5]",
        ),
        (
            "ijk",
            vec![&a],
            "einsum: `ijk` names 3 dimensions, and operand 0 has shape [2, 3]",
        ),
        (
            "i",
            vec![&a],
            "einsum: `i` names 1 dimensions, and operand 0 has shape [2, 3]",
        ),
        ("i1", vec![&a], "einsum: `1` in `i1` is no letter"),
        ("i..", vec![&a], "einsum: in `i..`, `...` must be whole"),
        ("ij->iji", vec![&a], "einsum: the result names `i` twice"),
        (
            "ij->ik",
            vec![&a],
            "einsum: the result names `k`, which no operand has",
        ),
        (
            "...,...",
            vec![&a, &b],
            "einsum: a dimension of `...` has size 2 in one operand and 4 in operand 1",
        ),
        (
            "ii",
            vec![&a],
            "einsum: `i` has size 2 in one operand and 3 in operand 0",
        ),
    ] {
        starts(|| einsum(equation, &operands), says);
    }
}

#[test]
fn einsum_of_many_and_of_none() {
    // Contracted in a good order this takes 3 · 2⁹ multiplications; in the order given, or all at once, 2⁴⁰.
    let a = Tensor::ones([2, 2]);
    let chain: Vec<&Tensor> = vec![&a; 26];
    let letters = "abcdefghijklmnopqrstuvwxyzA";
    let pairs: Vec<String> = letters
        .as_bytes()
        .windows(2)
        .map(|w| String::from_utf8(w.to_vec()).unwrap())
        .collect();
    let y = einsum(&format!("{}->aA", pairs.join(",")), &chain);
    assert_eq!(y.to_vec::<f64>(), [2f64.powi(25); 4]);
    let integers = Tensor::new([[1, 2], [3, 4]]);
    assert_eq!(
        einsum("ij,jk", &[&integers, &integers]).to_vec::<i64>(),
        [7, 10, 15, 22]
    );
    assert_eq!(
        einsum("ij,jk", &[&Tensor::zeros([0, 3]), &Tensor::zeros([3, 2])])
            .shape()
            .dims(),
        [0, 2]
    );
    assert_eq!(
        einsum("ij,jk", &[&Tensor::zeros([1, 0]), &Tensor::zeros([0, 2])]).to_vec::<f64>(),
        [0.0, 0.0]
    );
    // A product that is not added up: NaN elsewhere stays where it is.
    let (x, y) = (f64s(&[1.0, f64::NAN], &[2]), f64s(&[2.0, 3.0], &[2]));
    assert_eq!(einsum("i,i->i", &[&x, &y]).to_vec::<f64>()[0], 2.0);
}

#[test]
fn gradients_at_equal_values_are_those_of_what_does_not_depend_on_the_choice() {
    let eye = Tensor::constant(identity(3, DType::F64)).requires_grad_(true);
    // Σ w² = Σ a², whichever eigenvectors are taken.
    let (w, v) = eigh(&eye, false);
    let sum = w.square().sum() + v.matmul(&mt(&v)).sum();
    let g = crate::grad(&sum, &[&eye]).remove(0);
    close(&g, &(eye.detach() * 2.0));
    let g = crate::grad(&svdvals(&eye).sum(), &[&eye]).remove(0);
    close(&g, &eye.detach());
    let g = crate::grad(&matrix_norm(&eye, Ord::Nuclear, [-2, -1], false), &[&eye]).remove(0);
    close(&g, &eye.detach());
    let zero = Tensor::full_as([2, 2], 0.0, DType::F64).requires_grad_(true);
    let s = svd(&zero, false);
    let g = crate::grad(&(s.1.sum() + s.0.sum() * 0.0), &[&zero]).remove(0);
    assert!(g.to_vec::<f64>().iter().all(|g| g.is_finite()), "{g}");
}

#[test]
fn norms_have_slope_zero_at_zero() {
    for p in [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, f64::INFINITY, f64::NEG_INFINITY] {
        let x = Tensor::full_as([3], 0.0, DType::F64).requires_grad_(true);
        let y = vector_norm(&x, p, (), false);
        assert_eq!(y.item(), 0.0, "{p}");
        if y.requires_grad() {
            let how = Backward::new().create_graph(true);
            let g = how.try_grad(&y, &[&x], None).unwrap()[0].clone().unwrap();
            assert_eq!(g.to_vec::<f64>(), [0.0; 3], "{p}");
        }
    }
    let x = f64s(&[0.0, 3.0, -4.0], &[3]).requires_grad_(true);
    norm(&x).backward();
    close(&x.grad().unwrap(), &f64s(&[0.0, 0.6, -0.8], &[3]));
    let rows = f64s(&[1.0, 2.0, 1.0, 2.0], &[2, 2]).requires_grad_(true);
    cdist(&rows, &rows, 2.0).sum().backward();
    assert_eq!(rows.grad().unwrap().to_vec::<f64>(), [0.0; 4]);
    // Stacks broadcast, dtypes are promoted, and what lies far away and near each other keeps its gradient in f32.
    let far = Tensor::new([[1e4, 1e4], [1e4 + 0.5, 1e4], [1e4, 1e4 - 0.25]]);
    let far = far.to(DType::F32).requires_grad_(true);
    let stack = f64s(&[0.0, 3.0, 4.0, 0.0, 1.0, 1.0, 2.0, 2.0], &[2, 2, 2]);
    let y = cdist(&stack, &far, 2.0);
    assert_eq!((&y.shape()[..], y.dtype()), (&[2, 2, 3][..], DType::F64));
    close(&y, &cdist(&stack, &far.to(DType::F64), 2.0 + 1e-12));
    cdist(&far, &far.detach(), 2.0).sum().backward();
    let (dx, s) = (far.grad().unwrap(), 0.2f64.sqrt());
    let want = [-1.0, 1.0, 1.0 + 2.0 * s, s, -2.0 * s, -1.0 - s];
    assert!(
        dx.allclose(&f64s(&want, &[3, 2]).to(DType::F32), 1e-3, 1e-3),
        "{dx}"
    );
    assert!(norm(&f64s(&[f64::NAN, 1.0], &[2])).item().is_nan());
    assert_eq!(vector_norm(&f64s(&[0.0, 2.0], &[2]), -1.0, (), false).item(), 0.0);
}

#[test]
fn determinants_of_singular_matrices_have_their_gradient() {
    // d det = b c − … by hand: of [[a, b], [c, d]] it is [[d, −c], [−b, a]].
    for a in [[1.0, 2.0, 2.0, 4.0], [0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]] {
        let x = f64s(&a, &[2, 2]);
        close(&func::grad(det)(&x), &f64s(&[a[3], -a[2], -a[1], a[0]], &[2, 2]));
    }
    let rank_one = f64s(&[1.0, 2.0, 3.0, 2.0, 4.0, 6.0, -1.0, -2.0, -3.0], &[3, 3]);
    close(&func::grad(det)(&rank_one), &rank_one.zeros_like());
    gradcheck(
        |x| det(&x[0]),
        &[&f64s(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], &[3, 3])],
    )
    .unwrap();
}

#[test]
fn only_the_lower_triangle_is_read() {
    let (full, lower) = (
        f64s(&[4.0, 2.0, 2.0, 3.0], &[2, 2]),
        f64s(&[4.0, 99.0, 2.0, 3.0], &[2, 2]),
    );
    close(&cholesky(&lower), &cholesky(&full));
    close(&eigvalsh(&lower, false), &eigvalsh(&full, false));
    let upper = f64s(&[4.0, 2.0, f64::NAN, 3.0], &[2, 2]);
    assert!(says(|| eigvalsh(&upper, true)).starts_with("eigvalsh: the input"));
    let upper = f64s(&[4.0, 2.0, -7.0, 3.0], &[2, 2]);
    close(&eigvalsh(&upper, true), &eigvalsh(&full, false));
    // The gradient is the one of symmetric matrices, whatever is read.
    let whole = |x: &Tensor| (x + mt(x)) * 0.5;
    gradcheck(|x| cholesky(&whole(&x[0])), &[&full]).unwrap();
    gradcheck(|x| eigvalsh(&whole(&x[0]), true), &[&upper]).unwrap();
    let gradient = |x: &Tensor| {
        let x = x.detach().requires_grad_(true);
        cholesky(&x).sum().backward();
        x.grad().unwrap()
    };
    close(&gradient(&lower), &gradient(&full));
}

#[test]
fn the_other_forms_agree() {
    let a = Tensor::constant(sample(4, 4));
    let (p, l, u) = lu(&a);
    close(&p.matmul(&l).matmul(&u), &a);
    let (factors, pivots) = lu_factor(&a);
    close(&factors, &(l - eye(4, &a) + &u));
    assert!(
        pivots
            .to_vec::<i64>()
            .iter()
            .enumerate()
            .all(|(i, p)| (i as i64 + 1..=4).contains(p))
    );
    let tall = Tensor::constant(sample(5, 3));
    let (q, r) = qr(&tall, Mode::Complete);
    close(&q.matmul(&r), &tall);
    close(&mt(&q).matmul(&q), &eye(5, &q));
    assert_eq!(qr(&tall, Mode::R).0.shape().dims(), [0]);
    for x in [&tall, &mt(&tall)] {
        let (u, s, vt) = svd(x, true);
        assert_eq!(
            (u.size(0), u.size(1), vt.size(0)),
            (x.size(0), x.size(0), x.size(1))
        );
        close(&mt(&u).matmul(&u), &eye(x.size(0), &u));
        close(&vt.matmul(&mt(&vt)), &eye(x.size(1), &u));
        let k = s.numel();
        close(
            &(u.narrow(1, 0, k) * s.unsqueeze(0)).matmul(&vt.narrow(0, 0, k)),
            x,
        );
    }
    let fit = lstsq(&tall, &Tensor::constant(sample(5, 1)).squeeze(1), None);
    assert_eq!(
        (fit.rank.to_vec::<i64>(), fit.solution.shape().dims()),
        (vec![3], &[3][..])
    );
    let left = tall.mv(&fit.solution) - Tensor::constant(sample(5, 1)).squeeze(1);
    close(&fit.residuals, &left.square().sum());
    close(&mt(&tall).mv(&left), &Tensor::full_as([3], 0.0, DType::F64));
    assert_eq!(matrix_rank(&a, None, None).item(), 4.0);
    let ones = Tensor::ones([3, 4]);
    assert_eq!(matrix_rank(&ones, None, None).item(), 1.0);
    assert_eq!(matrix_rank(&ones, Some(10.0), None).item(), 0.0);
    assert_eq!(cond_ord(&Tensor::ones([2, 2]), 1.0).item(), f64::INFINITY);
    assert_eq!(matrix_power(&a, 0).to_vec::<f64>(), eye(4, &a).to_vec::<f64>());
    assert!(logdet(&f64s(&[0.0, 1.0, 1.0, 0.0], &[2, 2])).item().is_nan());
    assert_eq!(
        logdet(&Tensor::full_as([2, 2], 0.0, DType::F64)).item(),
        f64::NEG_INFINITY
    );
    let nan = f64s(&[f64::NAN], &[1]);
    assert_eq!(nan.addmm(&eye(1, &nan), &eye(1, &nan), 0.0, 2.0).item(), 2.0);
    close(
        &corrcoef(&f64s(&[1.0, 2.0, 2.0, 4.0], &[2, 2])),
        &Tensor::full_as([2, 2], 1.0, DType::F64),
    );
}

#[test]
fn single_precision_stays_so() {
    let a = Tensor::constant(sample(3, 3)).to(DType::F32);
    for y in [
        inv(&a),
        svdvals(&a),
        eigvalsh(&a, false),
        matrix_exp(&a),
        pinv(&a),
        det(&a),
        cov(&a, 1.0, None, None),
    ] {
        assert_eq!(y.dtype(), DType::F32);
    }
}

#[test]
fn factors_solve_either_way() {
    let a = f64s(
        &[
            2.0, 1.0, 0.5, 4.0, -3.0, 1.0, 1.0, 2.0, 5.0, 0.0, 2.0, 1.0, 1.0, 1.0, 0.0, 3.0, 0.0, 1.0,
        ],
        &[2, 3, 3],
    );
    let b = Tensor::constant(sample(3, 2));
    let (factors, pivots) = lu_factor(&a);
    close(&lu_solve(&factors, &pivots, &b, true, false), &solve(&a, &b));
    close(&lu_solve(&factors, &pivots, &b, true, true), &solve(&mt(&a), &b));
    close(
        &lu_solve(&factors, &pivots, &mt(&b), false, false),
        &solve_left(&a, &mt(&b)),
    );
    close(
        &lu_solve(&factors, &pivots, &mt(&b), false, true),
        &solve_left(&mt(&a), &mt(&b)),
    );
    for shape in [[3, 3], [2, 4], [4, 2], [0, 3], [3, 0]] {
        let x = Tensor::constant(sample(shape[0], shape[1]));
        let (factors, pivots) = lu_factor(&x);
        let (p, l, u) = lu_unpack(&factors, &pivots);
        close(&p.matmul(&l).matmul(&u), &x);
    }
    starts(
        || lu_solve(&factors, &pivots, &Tensor::constant(sample(2, 2)), true, false),
        "lu_solve: cannot solve [2, 3, 3] X = [2, 2] with pivots of shape [2, 3]",
    );
    let wrong = Tensor::new([[9, 2, 3], [1, 2, 3]]);
    starts(
        || lu_unpack(&factors, &wrong).0,
        "lu_unpack: pivot 0 is 9, and there are 3 rows",
    );
}

#[test]
fn failures_are_counted_where_errors_are_not_wanted() {
    let stack = f64s(
        &[4.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 4.0, 1.0, 2.0, 2.0, 1.0],
        &[3, 2, 2],
    );
    assert_eq!(cholesky_ex(&stack).1.to_vec::<i32>(), [0, 2, 2]);
    let (y, info) = inv_ex(&stack);
    assert_eq!(info.to_vec::<i32>(), [0, 2, 0]);
    close(&y.select(0, 0), &f64s(&[0.25, 0.0, 0.0, 1.0], &[2, 2]));
    assert_eq!(solve_ex(&stack, &stack, true).1.to_vec::<i32>(), [0, 2, 0]);
}

#[test]
fn tensors_are_matrices_too() {
    let a = Tensor::constant(sample(4, 4).reshape([2, 2, 4]));
    let b = f64s(&[1.0, -2.0, 3.0, 0.5], &[2, 2]);
    let x = tensorsolve(&a, &b, None);
    close(&tensordot(&a, &x, 1), &b);
    close(&tensordot(&tensorinv(&a, 2), &b, 2), &x);
    close(
        &vander(&f64s(&[2.0, 3.0], &[2]), 3),
        &f64s(&[1.0, 2.0, 4.0, 1.0, 3.0, 9.0], &[2, 3]),
    );
    // One reflection by v = (1, 1), τ = 1 exchanges the two with the sign changed.
    let q = householder_product(&f64s(&[0.0, 0.0, 1.0, 0.0], &[2, 2]), &f64s(&[1.0], &[1]));
    close(&q, &f64s(&[0.0, -1.0, -1.0, 0.0], &[2, 2]));
    starts(
        || tensorinv(&a, 1),
        "tensorinv: a tensor of shape [2, 2, 4] is no square matrix: 2 by 8",
    );
    starts(
        || tensorsolve(&b, &b, None),
        "tensorsolve: a tensor of shape [2, 2] is no square matrix: 4 by 1",
    );
}

#[test]
fn triangles_that_are_read_give_the_gradient_to_both() {
    let nearly = f64s(&[4.0, 1.0, 1.0 + 1e-9, 3.0], &[2, 2]).requires_grad_(true);
    cholesky(&nearly).sum().backward();
    let g = nearly.grad().unwrap().to_vec::<f64>();
    assert!(g[1] == g[2] && g[1] != 0.0, "{g:?}");
}

#[test]
fn results_without_slopes_can_be_differentiated() {
    let x = f64s(&[1.0, 2.0, 3.0, 4.0], &[2, 2]).requires_grad_(true);
    let y = matrix_power(&x, 0).sum() + vector_norm(&x, 0.0, (), false) + slogdet(&x).0;
    assert_eq!(y.item(), 5.0);
    y.backward();
    assert_eq!(x.grad().unwrap().to_vec::<f64>(), [0.0; 4]);
}

#[test]
fn reflections_are_applied_and_differentiated() {
    let x = f64s(&[3.0, 1.0, 4.0, 2.0, 1.0, -1.0, 0.5, 2.0], &[4, 2]);
    let (a, tau) = geqrf(&x);
    let (q, _) = qr(&x, Mode::Complete);
    close(&householder_product(&a, &tau), &q.narrow(-1, 0, 2));
    let c = f64s(&[1.0, -2.0, 0.5, 3.0, 0.25, 1.0, 4.0, -1.0], &[4, 2]);
    close(&ormqr(&a, &tau, &c, true, false), &q.matmul(&c));
    close(&ormqr(&a, &tau, &c, true, true), &q.t().matmul(&c));
    close(&ormqr(&a, &tau, &c.t(), false, false), &c.t().matmul(&q));
    close(&ormqr(&a, &tau, &c.t(), false, true), &c.t().matmul(&q.t()));
    for transpose in [false, true] {
        gradcheck(|x| ormqr(&x[0], &x[1], &x[2], true, transpose), &[&a, &tau, &c]).unwrap();
    }
    gradcheck(|x| householder_product(&x[0], &x[1]), &[&a, &tau]).unwrap();
    // No reflection at all.
    let none = f64s(&[], &[0]);
    close(&ormqr(&a, &none, &c, true, false), &c);
    starts(
        || ormqr(&a, &tau, &c.t(), true, false),
        "ormqr: reflections float64 of shape [4, 2] cannot be applied to float64 of shape [2, 4]",
    );
    starts(
        || householder_product(&a.t(), &tau),
        "householder_product: there are more columns than rows in [2, 4]",
    );
    starts(
        || geqrf(&x.clone().requires_grad_(true)).0,
        "geqrf: has no gradient",
    );
}

#[test]
fn indefinite_systems_are_solved() {
    // The second has no pivot on its diagonal.
    let a = f64s(&[4.0, 1.0, 1.0, -3.0, 0.0, 2.0, 2.0, 0.0], &[2, 2, 2]);
    let b = f64s(&[1.0, 2.0, 3.0, 4.0], &[2, 2]);
    let (ld, pivots) = ldl_factor(&a);
    assert_eq!(pivots.to_vec::<i32>(), [1, 2, -2, -2]);
    close(&a.matmul(&ldl_solve(&ld, &pivots, &b)), &b.expand([2, 2, 2]));
    gradcheck(|x| ldl_solve(&ld, &pivots, &x[0]), &[&b]).unwrap();
    starts(
        || ldl_factor(&f64s(&[0.0; 4], &[2, 2])).0,
        "ldl_factor: the matrix is singular: element 1 of D is zero",
    );
    starts(
        || ldl_solve(&ld, &pivots.abs(), &b.narrow(0, 0, 1)),
        "ldl_solve: cannot solve [2, 2, 2] X = [1, 2]",
    );
    starts(
        || ldl_solve(&ld, &(&pivots * 5.0), &b),
        "ldl_solve: pivots of shape [2, 2]",
    );
}
