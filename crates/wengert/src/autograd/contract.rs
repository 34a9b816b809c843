//! The contract that every operation keeps, tested on its samples.

use super::check::{GradCheck, Report};
use super::node::reads_of;
use super::{Backward, no_grad};
use crate::op::{Arity, Each, In, Op, Sample};
use crate::tensor::Tensor;
use wengert_array::{Array, DType, Error, ErrorKind, Result, kernels};

/// Checks everything that an operation promises, on the inputs that [`Op::samples`] gives: that the inferred
/// shape and dtype are those computed; that the result is the expected one; first and second derivatives against
/// finite differences; that any subset of gradients can be asked for; that strided, reversed and broadcast inputs
/// give the same; that given-up inputs do, too; and that [`Op::SAVES`] lists exactly what the rule reads.
///
/// ```
/// # use wengert::{autograd::check_op, Map, Pointwise, Real, Sample, Array};
/// # #[derive(Debug, Clone)]
/// # struct Cube;
/// # impl Pointwise<1> for Cube {
/// #     const NAME: &'static str = "cube";
/// #     fn value<S: Real>(&self, [x]: [S; 1]) -> S { x * x * x }
/// #     fn samples() -> Vec<Sample<Map<Self, 1>>> {
/// #         vec![Sample::new(Map(Cube), [Array::from_slice(&[0.5, -1.0], [2])])]
/// #     }
/// # }
/// check_op::<Map<Cube, 1>>().unwrap();
/// ```
pub fn check_op<O: Op>() -> Result<()> {
    has_samples::<O>(&O::samples)?;
    infer::<O>(&O::samples)?;
    value::<O>(&O::samples)?;
    first_order::<O>(&O::samples)?;
    second_order::<O>(&O::samples)?;
    wanted::<O>(&O::samples)?;
    strided::<O>(&O::samples)?;
    moved::<O>(&O::samples)?;
    saves::<O>(&O::samples)
}

/// One test for each clause, so that a failure reads `ops::trigonometric::contract::tanh::second_order`.
#[cfg(test)]
macro_rules! contract_tests {
    ($op:ty) => {
        crate::autograd::contract::contract_tests!($op, &<$op as crate::op::Op>::samples, has_samples infer value first_order second_order wanted strided moved saves);
    };
    ($op:ty, $samples:expr) => {
        crate::autograd::contract::contract_tests!($op, $samples, has_samples infer value first_order second_order wanted strided moved saves);
    };
    ($op:ty, $samples:expr, $($clause:ident)*) => {
        $(#[test]
        fn $clause() {
            if let Err(error) = crate::autograd::contract::$clause::<$op>($samples) {
                panic!("{error}");
            }
        })*
    };
}
#[cfg(test)]
pub(crate) use contract_tests;

/// Where the samples come from: [`Op::samples`], or those of one rule where the type serves several.
type Samples<'a, O> = &'a dyn Fn() -> Vec<Sample<O>>;

fn broken<O: Op>(samples: Samples<O>, clause: &str, sample: usize, what: impl std::fmt::Display) -> Error {
    let op = op(samples, sample);
    let message = format!("sample {sample}, {op:?}, breaks the clause `{clause}`: {what}");
    Error::new(ErrorKind::Check, op.name(), message)
}

/// The samples, with the number of each.
fn each<O: Op>(samples: Samples<O>) -> impl Iterator<Item = (usize, Sample<O>)> {
    samples().into_iter().enumerate()
}

fn op<O: Op>(samples: Samples<O>, sample: usize) -> O {
    samples().swap_remove(sample).op
}

fn apply<O: Op>(samples: Samples<O>, sample: usize, x: &Each<O, Tensor>) -> Tensor {
    run(op(samples, sample), x)
}

fn run<O: Op>(op: O, x: &Each<O, Tensor>) -> Tensor {
    // `apply` wants references that live as long as the inputs; owned handles are as good.
    op.apply_owned(O::Inputs::map_ref(x, Clone::clone))
}

fn tensors<O: Op>(x: &Each<O, Array>, wants: u64) -> Each<O, Tensor> {
    let mut i = 0;
    O::Inputs::map_ref(x, |x| {
        i += 1;
        let t = Tensor::constant(x.clone());
        if x.dtype().is_differentiable() && wants >> (i - 1) & 1 == 1 {
            t.requires_grad_(true)
        } else {
            t
        }
    })
}

/// An operation without samples is not tested at all.
pub(crate) fn has_samples<O: Op>(samples: Samples<O>) -> Result<()> {
    match samples().is_empty() {
        true => Err(Error::new(
            ErrorKind::Check,
            O::NAME,
            "has no samples, so nothing was tested",
        )),
        false => Ok(()),
    }
}

pub(crate) fn infer<O: Op>(samples: Samples<O>) -> Result<()> {
    for (i, s) in each(samples) {
        let want = s.op.infer(O::Inputs::map_ref(&s.inputs, In::from))?;
        let y = s.op.forward(s.inputs, &want, &mut Default::default());
        if y.meta() != want {
            return Err(broken(
                samples,
                "infer",
                i,
                format!("inferred {want:?}, computed {:?}", y.meta()),
            ));
        }
    }
    Ok(())
}

/// The elements, of complex ones both parts.
fn numbers(x: &Tensor) -> Vec<f64> {
    match x.dtype().is_complex() {
        true => x.detach().view_as_real().to_vec(),
        false => x.to_vec(),
    }
}

fn close(a: &[f64], b: &[f64], tolerance: f64) -> bool {
    let near =
        |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * (1.0 + b.abs());
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(*a, *b))
}

pub(crate) fn value<O: Op>(samples: Samples<O>) -> Result<()> {
    for (i, s) in each(samples) {
        let y = numbers(&apply(samples, i, &tensors::<O>(&s.inputs, 0)));
        if let Some(expected) = &s.expected
            && !close(&y, expected, 1e-12)
        {
            return Err(broken(
                samples,
                "value",
                i,
                format!("got {y:?}, expected {expected:?}"),
            ));
        }
        let single = |x: &Array| match x.dtype() {
            DType::F64 => x.cast(DType::F32),
            DType::C128 => x.cast(DType::C64),
            _ => x.clone(),
        };
        let inputs = O::Inputs::map_ref(&s.inputs, single);
        let y32 = numbers(&apply(samples, i, &tensors::<O>(&inputs, 0)));
        if !close(&y32, &y, 2e-6) {
            return Err(broken(
                samples,
                "value",
                i,
                format!("f32 gives {y32:?}, f64 {y:?}"),
            ));
        }
    }
    Ok(())
}

/// The function that sample `i` is, over its inputs in a list.
fn function<'a, O: Op>(
    samples: Samples<'a, O>,
    i: usize,
    inputs: &Each<O, Array>,
) -> (impl Fn(&[Tensor]) -> Tensor + use<'a, O>, Vec<Tensor>) {
    let x: Vec<Tensor> = inputs
        .as_ref()
        .iter()
        .map(|x| Tensor::constant(x.clone()))
        .collect();
    let f = move |x: &[Tensor]| {
        let mut x = x.iter();
        let sample = samples().swap_remove(i);
        let each = O::Inputs::map(sample.inputs, |_| x.next().expect("one for each input").clone());
        run(sample.op, &each)
    };
    (f, x)
}

/// Has `check` compare the derivatives of each sample whose result has any.
fn derivatives<O: Op>(
    samples: Samples<O>,
    clause: &str,
    check: impl Fn(&dyn Fn(&[Tensor]) -> Tensor, &[&Tensor]) -> Result<Report>,
) -> Result<()> {
    for (i, s) in each(samples) {
        let (f, x) = function(samples, i, &s.inputs);
        let plain: Vec<Tensor> = x.iter().map(Tensor::detach).collect();
        if f(&plain).dtype().is_differentiable() {
            let x: Vec<&Tensor> = x.iter().collect();
            check(&f, &x).map_err(|e| broken(samples, clause, i, e))?;
        }
    }
    Ok(())
}

pub(crate) fn first_order<O: Op>(samples: Samples<O>) -> Result<()> {
    let check = GradCheck::new().full();
    derivatives(samples, "first_order", |f, x| check.run(f, x))
}

pub(crate) fn second_order<O: Op>(samples: Samples<O>) -> Result<()> {
    let check = GradCheck::new().tolerance(1e-4, 1e-6);
    derivatives(samples, "second_order", |f, x| check.run_second_order(f, x))
}

/// The gradients of sample `i` at `x` for the inputs in the mask.
fn gradients<O: Op>(
    samples: Samples<O>,
    i: usize,
    x: &Each<O, Array>,
    wants: u64,
) -> Result<Vec<Option<Vec<f64>>>> {
    let x = tensors::<O>(x, wants);
    let y = apply(samples, i, &x);
    if y.requires_grad() {
        let ramp = kernels::arange(1.0, 0.5, y.numel(), y.dtype().real()).reshape(y.shape());
        let ramp = ramp.cast(y.dtype());
        Backward::new().try_run_with(&y, &Tensor::constant(ramp))?;
    }
    Ok(x.as_ref().iter().map(|x| x.grad().map(|g| numbers(&g))).collect())
}

pub(crate) fn wanted<O: Op>(samples: Samples<O>) -> Result<()> {
    for (i, s) in each(samples) {
        let all = gradients(samples, i, &s.inputs, u64::MAX)?;
        for mask in 1..1u64 << all.len().min(4) {
            for (k, grad) in gradients(samples, i, &s.inputs, mask)?.iter().enumerate() {
                let asked = mask >> k & 1 == 1;
                let fits = match (grad, &all[k]) {
                    (Some(a), Some(b)) => asked && close(a, b, 1e-12),
                    (None, full) => !asked || full.is_none(),
                    (Some(_), None) => false,
                };
                if !fits {
                    let what = format!(
                        "asked for {mask:b}, gradient {k} is {grad:?}, and with all {:?}",
                        all[k]
                    );
                    return Err(broken(samples, "wanted", i, what));
                }
            }
        }
    }
    Ok(())
}

pub(crate) fn strided<O: Op>(samples: Samples<O>) -> Result<()> {
    type View = fn(&Array) -> Array;
    let column_major: View = |x| {
        let order: Vec<usize> = (0..x.rank()).rev().collect();
        x.permute(&order).contiguous().permute(&order)
    };
    let reversed: View = |x| {
        let back = |x: &Array| match x.rank() {
            0 => x.clone(),
            r if x.shape()[r - 1] == 0 => x.clone(),
            r => x.slice(r - 1, x.shape()[r - 1] - 1, x.shape()[r - 1], -1),
        };
        back(&kernels::copy(&back(x)))
    };
    let offset: View = |x| {
        let twice = x.unsqueeze(0).broadcast_to(&x.shape().insert(0, 2)).contiguous();
        twice.slice(0, 1, 1, 1).squeeze(0)
    };
    let repeated: View = |x| match x.rank() {
        0 => x.clone(),
        _ if x.shape()[0] == 0 => x.clone(),
        _ => x.slice(0, 0, 1, 1).broadcast_to(x.shape()),
    };
    for (i, s) in each(samples) {
        for (name, view) in [
            ("column-major", column_major),
            ("reversed", reversed),
            ("offset", offset),
            ("repeated", repeated),
        ] {
            let seen = O::Inputs::map_ref(&s.inputs, view);
            let plain = O::Inputs::map_ref(&seen, kernels::copy);
            let values =
                [&seen, &plain].map(|x| numbers(&no_grad(|| apply(samples, i, &tensors::<O>(x, 0)))));
            if !close(&values[0], &values[1], 1e-12) {
                return Err(broken(
                    samples,
                    "strided",
                    i,
                    format!("{name} inputs give {:?}, copies {:?}", values[0], values[1]),
                ));
            }
            if gradients(samples, i, &seen, u64::MAX)?
                .iter()
                .zip(&gradients(samples, i, &plain, u64::MAX)?)
                .any(|(a, b)| match (a, b) {
                    (Some(a), Some(b)) => !close(a, b, 1e-12),
                    (a, b) => a.is_some() != b.is_some(),
                })
            {
                return Err(broken(
                    samples,
                    "strided",
                    i,
                    format!("{name} inputs give other gradients than copies"),
                ));
            }
        }
    }
    Ok(())
}

pub(crate) fn moved<O: Op>(samples: Samples<O>) -> Result<()> {
    for (i, s) in each(samples) {
        // Copies that lie alike: strides may decide in which order sums are added up.
        let copies = || O::Inputs::map_ref(&s.inputs, |x| Tensor::constant(kernels::copy(x)));
        let kept = copies();
        let borrowed = numbers(&apply(samples, i, &kept));
        // Nobody else holds these: their buffers may be taken over.
        let moved = numbers(&op(samples, i).apply_owned(copies()));
        if !close(&moved, &borrowed, 0.0) {
            return Err(broken(
                samples,
                "moved",
                i,
                format!("given-up inputs give {moved:?}, kept ones {borrowed:?}"),
            ));
        }
    }
    Ok(())
}

pub(crate) fn saves<O: Op>(samples: Samples<O>) -> Result<()> {
    for (i, s) in each(samples) {
        for k in 0..s.inputs.as_ref().len().min(31) {
            if !s.inputs.as_ref()[k].dtype().is_differentiable() {
                continue;
            }
            let declared = s.op.saves(k);
            let read = match s.op.reads(k) {
                Some(read) => read,
                None => reads_of::<O>(
                    op(samples, i),
                    O::Inputs::map_ref(&s.inputs, Clone::clone),
                    1 << k,
                )?,
            };
            let all = (1u32 << s.inputs.as_ref().len().min(31)) - 1;
            if read.within(all) != declared.within(all) {
                let what = format!("gradient {k} reads {read:?}, and SAVES says {declared:?}");
                return Err(broken(samples, "saves", i, what));
            }
        }
    }
    Ok(())
}
