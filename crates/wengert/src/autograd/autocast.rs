//! Mixed precision: products of half-precision operands, losses of full ones.

use super::mode::{self, Duties};
use super::node::Inputs;
use crate::op::{Op, run};
use crate::ops::cast::Cast;
use crate::tensor::Tensor;
use std::marker::PhantomData;
use std::panic::Location;
use wengert_array::{DType, Error, ErrorKind, Result, raise};

/// In which precision an operation computes where [`autocast`] is on. Inputs of f64, and integers, stay what they are, and
/// so do all where one is complex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// In that of its inputs.
    Given,
    /// In the dtype of `autocast`, to which its inputs are rounded: products, convolutions, attention.
    Half,
    /// In f32, to which half-precision inputs are brought: losses, decompositions, long products.
    Full,
}

/// Runs `f` in mixed precision, as PyTorch's `torch.autocast("cpu", dtype)`: [`Precision`] says what that means.
///
/// Parameters stay as they are, and so do their gradients' dtypes; with [`DType::F16`] losses should be scaled by a
/// [`GradScaler`](crate::optim::GradScaler). Backward passes need not be inside: each gradient has the dtype of its value.
/// The mode is the thread's. Source: Micikevicius et al., Mixed Precision Training, 2018.
///
/// ```
/// use wengert::{DType, Tensor, autocast};
///
/// let w = Tensor::new([[1.0, 2.0], [3.0, 4.0]]).requires_grad_(true);
/// let loss = autocast(DType::BF16, || {
///     let y = w.matmul(&w);
///     assert_eq!(y.dtype(), DType::BF16);
///     wengert::nn::functional::mse_loss(&y, &Tensor::zeros([2, 2]), Default::default())
/// });
/// assert_eq!(loss.dtype(), DType::F32);
/// loss.backward();
/// assert_eq!(w.grad().unwrap().dtype(), DType::F32);
/// ```
///
/// # Panics
/// If `dtype` is neither [`DType::BF16`] nor [`DType::F16`].
#[track_caller]
pub fn autocast<T>(dtype: DType, f: impl FnOnce() -> T) -> T {
    let _guard = Autocast::set(Some(dtype));
    f()
}

/// The dtype of products on this thread where [`autocast`] is on.
pub fn autocast_dtype() -> Option<DType> {
    Duties::now().half()
}

/// Sets the dtype of this thread's products, or with `None` turns [`autocast`] off, until it is dropped; then what held
/// before holds again.
#[derive(Debug)]
pub struct Autocast {
    before: Option<DType>,
    /// The guard must be dropped by the thread that made it.
    _not_send: PhantomData<*const ()>,
}

impl Autocast {
    /// From now until the guard is dropped.
    ///
    /// # Panics
    /// If the dtype is neither [`DType::BF16`] nor [`DType::F16`].
    #[track_caller]
    #[must_use = "the mode ends when the guard is dropped"]
    pub fn set(dtype: Option<DType>) -> Autocast {
        if let Some(other) = dtype
            && !other.is_half()
        {
            let message = format!("products cannot be computed in {other}");
            raise(Error::new(ErrorKind::DType, "autocast", message).note("it must be bfloat16 or float16"));
        }
        let before = autocast_dtype();
        mode::set_half(dtype);
        Autocast {
            before,
            _not_send: PhantomData,
        }
    }
}

impl Drop for Autocast {
    fn drop(&mut self) {
        mode::set_half(self.before);
    }
}

impl Precision {
    /// To which dtype an input of `dtype` is brought, if to another.
    fn of(self, dtype: DType, half: DType) -> Option<DType> {
        match self {
            Precision::Half if dtype == DType::F32 || dtype.is_half() && dtype != half => Some(half),
            Precision::Full if dtype.is_half() => Some(DType::F32),
            _ => None,
        }
    }

    /// Brings the inputs of an operation that was applied at `at` to the dtype in which it computes.
    #[cold]
    pub(crate) fn bring<O: Op>(
        self,
        inputs: &mut Inputs<O>,
        half: DType,
        at: &'static Location<'static>,
    ) -> Result<()> {
        if inputs.arrays.as_ref().iter().any(|x| x.dtype().is_complex()) {
            return Ok(());
        }
        for (i, array) in inputs.arrays.as_mut().iter_mut().enumerate() {
            let Some(dtype) = self.of(array.dtype(), half) else {
                continue;
            };
            let mut source = inputs.sources.as_mut().map(|sources| &mut sources.as_mut()[i]);
            let given = Inputs {
                arrays: [array.clone()],
                sources: source
                    .as_mut()
                    .and_then(|source| source.take())
                    .map(|source| [Some(source)]),
            };
            let brought = run(Cast(dtype), given, Duties::now(), at)?;
            if let Some(source) = source {
                *source = brought.source();
            }
            *array = brought.into_array();
        }
        Ok(())
    }
}

/// `x` as functions made of several operations take it that compute in `precision`.
#[track_caller]
pub(crate) fn bring(x: &Tensor, precision: Precision) -> Tensor {
    match autocast_dtype().and_then(|half| precision.of(x.dtype(), half)) {
        Some(dtype) => x.to(dtype),
        None => x.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::functional as f;
    use crate::optim::{GradScaler, SGD};
    use crate::{catch, func, no_grad};

    fn square() -> Tensor {
        Tensor::new([[1.0, 0.3], [-0.7, 2.1]]).requires_grad_(true)
    }

    #[test]
    fn products_round_their_operands_and_losses_do_not() {
        let (x, w) = (
            Tensor::new([[1.0 + 2f32.powi(-9), 3.0]]),
            Tensor::new([[1.0], [2f32.powi(-10)]]),
        );
        let plain = x.matmul(&w);
        autocast(DType::BF16, || {
            let y = x.matmul(&w);
            assert_eq!((y.dtype(), y.item()), (DType::BF16, 1.0));
            assert_eq!(
                f::l1_loss(&y, &w.t().narrow(1, 0, 1), Default::default()).dtype(),
                DType::F32
            );
            let double = x.to(DType::F64);
            assert_eq!(double.matmul(&double.t()).dtype(), DType::F64);
            // Complex numbers, and what they are multiplied by, are not rounded.
            let complex = x.to(DType::C64).matmul(&w.to(DType::C64));
            assert_eq!(complex.real().item(), plain.item());
            autocast(DType::F16, || assert_eq!(x.matmul(&w).dtype(), DType::F16));
            let off = Autocast::set(None);
            assert_eq!(x.matmul(&w).item(), plain.item());
            drop(off);
            assert_eq!(autocast_dtype(), Some(DType::BF16));
            // The norm of a product, by parameters in f32, keeps the product's dtype and is computed in f32.
            let (y, scale) = (square().matmul(&square()), Tensor::new([1.5, 0.5]));
            let norm = f::layer_norm(&y, &[2], Some(&scale), None, 1e-5);
            let full = f::layer_norm(&y.to(DType::F32), &[2], Some(&scale), None, 1e-5);
            assert_eq!(norm.dtype(), DType::BF16);
            assert_eq!(norm.to_vec::<f32>(), full.to(DType::BF16).to_vec::<f32>());
        });
        assert_eq!((autocast_dtype(), x.matmul(&w).item()), (None, plain.item()));
    }

    #[test]
    fn a_backward_pass_does_not_depend_on_where_it_runs() {
        let grad = |inside: bool, checkpointed: bool| {
            let w = square();
            let captured = w.clone();
            let f = move |x: &Tensor| x.matmul(&captured).tanh().matmul(&captured);
            let x = Tensor::new([[0.5, -1.0]]);
            autocast(DType::BF16, || {
                let y = if checkpointed {
                    func::checkpoint(f, &x)
                } else {
                    f(&x)
                };
                let loss = y.to(DType::F32).square().sum();
                if inside {
                    loss.backward();
                }
                Some(loss).filter(|_| !inside)
            })
            .iter()
            .for_each(Tensor::backward);
            let grad = w.grad().unwrap();
            assert_eq!(grad.dtype(), DType::F32);
            grad.to_vec::<f32>()
        };
        assert_eq!(grad(false, false), grad(true, false));
        assert_eq!(grad(false, false), grad(false, true));
    }

    #[test]
    fn training_in_float16_with_a_scaled_loss_follows_training_in_full() {
        let run = |half: bool| {
            let w = square();
            let x = Tensor::new([[1.0, 2.0], [-1.0, 0.5], [0.25, -2.0]]);
            let target = Tensor::new([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]);
            let mut optimizer = SGD::new([w.clone()], 0.1);
            let mut scaler = GradScaler::new().init_scale(1024.0);
            let step = || f::mse_loss(&x.matmul(&w), &target, Default::default());
            (0..30)
                .map(|_| {
                    let loss = if half { autocast(DType::F16, step) } else { step() };
                    scaler.scale(&loss).backward();
                    assert!(scaler.step(&mut optimizer));
                    optimizer.zero_grad();
                    loss.item()
                })
                .collect::<Vec<f64>>()
        };
        use crate::optim::Optimizer;
        let (half, full) = (run(true), run(false));
        assert!(full[29] < 0.3 * full[0]);
        for (a, b) in half.iter().zip(&full) {
            assert!((a - b).abs() < 2e-3, "{a} and {b}");
        }
    }

    #[test]
    fn the_mode_is_the_threads_and_of_half_precision() {
        autocast(DType::BF16, || {
            std::thread::scope(|s| s.spawn(|| assert_eq!(autocast_dtype(), None)).join().unwrap());
        });
        let error = catch(|| autocast(DType::F32, || ())).unwrap_err().to_string();
        assert!(error.contains("must be bfloat16 or float16"), "{error}");
        assert_eq!(autocast_dtype(), None);
        let unrecorded = no_grad(|| autocast(DType::F16, || square().matmul(&square())));
        assert!(!unrecorded.requires_grad());
    }
}
