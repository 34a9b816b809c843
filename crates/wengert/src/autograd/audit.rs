//! Finding the operation whose gradient rule is wrong.
//!
//! While an audit is on, every operation that is recorded on this thread has its own rule compared with
//! finite differences of its own forward pass, on the very values it was applied to.

use super::check::element;
use crate::autograd::Node;
use crate::tensor::Tensor;
use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use wengert_array::kernels::Generator;
use wengert_array::{Array, DType, Error};

thread_local! {
    static AUDIT: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// How many audits are under way on all threads: mostly none, which is quickly seen.
static AUDITS: AtomicUsize = AtomicUsize::new(0);

/// Whether operations on this thread are audited.
#[inline]
pub(crate) fn is_on() -> bool {
    AUDITS.load(Ordering::Relaxed) > 0 && AUDIT.with_borrow(Option::is_some)
}

/// Runs `f` again and adds to `error` which operations are at fault.
pub(crate) fn blame<T>(error: Error, f: impl FnOnce() -> T) -> Error {
    struct Count;
    impl Drop for Count {
        fn drop(&mut self) {
            AUDITS.fetch_sub(1, Ordering::Relaxed);
        }
    }
    AUDITS.fetch_add(1, Ordering::Relaxed);
    let count = Count;
    AUDIT.set(Some(Vec::new()));
    f();
    let faults = AUDIT.take().unwrap_or_default();
    drop(count);
    if faults.is_empty() {
        return error
            .note("every operation agrees with its own finite differences on these values")
            .note(
                "so look for a kink there, for a value that changes between calls, or for a detached part",
            );
    }
    faults.into_iter().take(3).fold(error, |e, fault| e.note(fault))
}

/// What an audit needs of a recorded operation: its forward pass, and its rule on given inputs.
pub(crate) trait Audited {
    fn node(&self) -> &dyn Node;
    fn forward_on(&self, x: &[Array]) -> Option<Array>;
    fn backward_on(&self, x: &[Array], dy: Tensor) -> Vec<Option<Tensor>>;
}

/// Compares the rule of `node` with finite differences at its inputs `x`.
pub(crate) fn inspect(node: &dyn Audited, x: &[Array]) {
    // What the audit itself computes is not audited.
    let Some(mut faults) = AUDIT.take() else { return };
    faults.extend(fault(node, x));
    AUDIT.set(Some(faults));
}

fn fault(audited: &dyn Audited, x: &[Array]) -> Option<String> {
    let node = audited.node();
    let y = audited.forward_on(x)?;
    if x.iter()
        .chain([&y])
        .any(|a| a.dtype().is_differentiable() && a.dtype() != DType::F64)
    {
        return None; // differences in f32 would prove nothing, and complex numbers are only put together and taken apart
    }
    let weights = Generator::new(7).uniform(y.shape(), 0.5, 1.5, DType::F64);
    let value = |x: &[Array]| -> Option<f64> {
        let y: Vec<f64> = audited.forward_on(x)?.to_vec();
        Some(y.iter().zip(&weights.to_vec::<f64>()).map(|(y, w)| y * w).sum())
    };
    let grads = super::no_grad(|| audited.backward_on(x, Tensor::constant(weights.clone())));
    for (i, (grad, input)) in grads.iter().zip(x).enumerate() {
        if node.edges()[i].source.is_none() || input.dtype() != DType::F64 {
            continue;
        }
        let ours: Vec<f64> = match grad {
            Some(g) => super::no_grad(|| g.clone().fit(&node.edges()[i].meta)).to_vec(),
            None => vec![0.0; input.numel()],
        };
        // All elements of small inputs, a spread of large ones.
        let skip = (input.numel() / 256).max(1);
        for k in (0..input.numel()).step_by(skip) {
            let mut flat: Vec<f64> = input.to_vec();
            let (at, h) = (flat[k], 1e-6 * flat[k].abs().max(1.0));
            let mut moved = |to: f64| {
                flat[k] = to;
                let mut x = x.to_vec();
                x[i] = Array::from_slice(&flat, input.shape());
                value(&x)
            };
            let theirs = (moved(at + h)? - moved(at - h)?) / (2.0 * h);
            if (ours[k] - theirs).abs() > 1e-6 + 1e-4 * theirs.abs() {
                return Some(format!(
                    "the rule of `{}`, applied at {}:{}, gives {} for element {} of its input {i}, and should give {theirs:.6}",
                    node.name(),
                    node.location().file(),
                    node.location().line(),
                    ours[k],
                    element(input.shape(), k),
                ));
            }
        }
    }
    None
}
