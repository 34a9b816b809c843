//! Finding the operation whose gradient is the first to be NaN.

use super::mode::no_grad;
use super::node::Node;
use crate::tensor::Tensor;
use std::cell::Cell;
use std::marker::PhantomData;
use wengert_array::{Error, ErrorKind};

thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
}

/// Whether backward passes of this thread look for NaN.
pub fn is_detecting_anomaly() -> bool {
    ON.get()
}

/// Lets backward passes of this thread end with an error at the first gradient that has a NaN, until it is dropped; then
/// what held before holds again. As PyTorch's `torch.autograd.detect_anomaly`.
///
/// ```
/// # use wengert::{Backward, DetectAnomaly, Tensor};
/// let x = Tensor::new([0.0, 4.0]).requires_grad_(true);
/// let y = (x.sqrt() * 0.0).sum(); // 0 · ∞ at 0
/// let _guard = DetectAnomaly::set(true);
/// let error = Backward::new().try_run(&y).unwrap_err();
/// assert!(error.to_string().starts_with("sqrt: the gradient of its input has a NaN"));
/// ```
#[derive(Debug)]
pub struct DetectAnomaly {
    before: bool,
    /// The guard must be dropped by the thread that made it.
    _not_send: PhantomData<*const ()>,
}

impl DetectAnomaly {
    /// From now until the guard is dropped.
    #[must_use = "the mode ends when the guard is dropped"]
    pub fn set(on: bool) -> DetectAnomaly {
        DetectAnomaly {
            before: ON.replace(on),
            _not_send: PhantomData,
        }
    }
}

impl Drop for DetectAnomaly {
    fn drop(&mut self) {
        ON.set(self.before);
    }
}

/// The error that the gradient of input `i` of `node` is, if it has a NaN.
#[cold]
pub(crate) fn found(node: &dyn Node, i: usize, grad: &Tensor) -> Option<Error> {
    let nans = no_grad(|| grad.detach().isnan().to_vec::<bool>());
    let first = nans.iter().position(|nan| *nan)?;
    let which = match node.edges().len() {
        1 => "its input".to_string(),
        _ => format!("its input {i}"),
    };
    let message = format!("the gradient of {which} has a NaN, the first at element {first}");
    let count = nans.iter().filter(|nan| **nan).count();
    Some(
        Error::new(ErrorKind::Check, node.name(), message)
            .note(format!(
                "{count} of the {} elements of that gradient, of shape {}, are NaN",
                nans.len(),
                grad.shape()
            ))
            .at(node.location()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Backward, Tensor};

    #[test]
    fn the_first_operation_is_named() {
        let x = Tensor::new([1.0, 0.0]).requires_grad_(true);
        let y = ((&x * 2.0).sqrt() * Tensor::new([1.0, 0.0])).sum();
        let how = Backward::new().retain_graph(true);
        // Without the mode the NaN goes through to the leaf.
        assert!(how.try_run(&y).is_ok());
        let _guard = DetectAnomaly::set(true);
        let error = how.try_run(&y).unwrap_err().to_string();
        assert!(
            error.starts_with("sqrt: the gradient of its input has a NaN, the first at element 1"),
            "{error}"
        );
        assert!(error.contains("anomaly.rs"), "{error}");
    }

    #[test]
    fn the_mode_ends_with_its_guard() {
        assert!(!is_detecting_anomaly());
        {
            let _on = DetectAnomaly::set(true);
            let _off = DetectAnomaly::set(false);
            assert!(!is_detecting_anomaly());
        }
        assert!(!is_detecting_anomaly());
    }
}
