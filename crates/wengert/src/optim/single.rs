//! Steps for those who keep the state themselves, as the Python package does.

use super::core::{Method, State, gradient};
use super::{
    AdadeltaOptions, AdagradOptions, AdamOptions, AdamWOptions, AdamaxOptions, LionOptions, MuonOptions,
    NAdamOptions, RAdamOptions, RMSpropOptions, SGDOptions,
};
use crate::io::Value;
use crate::tensor::Tensor;
use wengert_array::{Array, DType, Error, ErrorKind, Result};

/// An optimizer's rule and options, without parameters and state: others keep those.
///
/// ```
/// use wengert::Tensor;
/// use wengert::optim::{Kept, SingleStep};
///
/// let p = Tensor::new([1.0, 2.0]).requires_grad_(true);
/// p.square().sum().backward();
/// let mut rule = SingleStep::new("SGD").unwrap();
/// assert!(rule.set("momentum", &0.9.into()).unwrap());
/// let mut kept = [Kept::of(p.clone())];
/// rule.run(0.1, &mut kept).unwrap();
/// assert!(p.allclose(&Tensor::new([0.8, 1.6]), 1e-6, 0.0));
/// assert_eq!((rule.arrays(), kept[0].steps), (&["momentum_buffer"][..], 1));
/// assert!(kept[0].arrays[0].is_some());
/// ```
pub struct SingleStep(Box<dyn Rule>);

/// A parameter and its state.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The parameter, which has its gradient.
    pub p: Tensor,
    /// How many steps were taken.
    pub steps: i32,
    /// What NAdam calls `mu_product`.
    pub product: f64,
    /// The arrays, in the order of [`SingleStep::arrays`].
    pub arrays: [Option<Tensor>; 3],
    /// Whether the arrays lie turned against the parameter: `[outputs, inputs]` where it is `[inputs, outputs]`.
    pub turned: bool,
}

impl Kept {
    /// A parameter before its first step.
    pub fn of(p: Tensor) -> Kept {
        Kept {
            p,
            steps: 0,
            product: 1.0,
            arrays: [const { None }; 3],
            turned: false,
        }
    }

    fn turn(&self, a: Array) -> Array {
        if self.turned && a.rank() == 2 {
            a.transpose(0, 1)
        } else {
            a
        }
    }
}

/// What [`Method`] says, of any optimizer.
trait Rule: Send + Sync {
    fn arrays(&self) -> &'static [&'static str];
    fn counts(&self) -> bool;
    fn set_option(&mut self, name: &str, value: &Value) -> Result<bool>;
    fn ready(&self, p: &Tensor) -> Result<()>;
    fn step_one(&self, learning_rate: f64, p: &Tensor, gradient: Array, state: &mut State);
}

impl<M: Method> Rule for M {
    fn arrays(&self) -> &'static [&'static str] {
        M::ARRAYS
    }
    fn counts(&self) -> bool {
        M::COUNTS
    }
    fn set_option(&mut self, name: &str, value: &Value) -> Result<bool> {
        self.set(name, value)
    }
    fn ready(&self, p: &Tensor) -> Result<()> {
        self.check()?;
        self.takes(p)
    }
    fn step_one(&self, learning_rate: f64, p: &Tensor, gradient: Array, state: &mut State) {
        self.step(learning_rate, p, gradient, state);
    }
}

impl SingleStep {
    /// The rule of the optimizer of this name, such as `Adam`, with the defaults of its options.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn new(method: &str) -> Result<SingleStep> {
        Ok(SingleStep(match method {
            "SGD" => Box::new(SGDOptions::default()),
            "Adam" => Box::new(AdamOptions::default()),
            "AdamW" => Box::new(AdamWOptions::default()),
            "NAdam" => Box::new(NAdamOptions::default()),
            "RAdam" => Box::new(RAdamOptions::default()),
            "Adamax" => Box::new(AdamaxOptions::default()),
            "RMSprop" => Box::new(RMSpropOptions::default()),
            "Adagrad" => Box::new(AdagradOptions::default()),
            "Adadelta" => Box::new(AdadeltaOptions::default()),
            "Lion" => Box::new(LionOptions::default()),
            "Muon" => Box::new(MuonOptions::default()),
            other => {
                let message = format!("there is no optimizer `{other}`");
                return Err(Error::new(ErrorKind::Value, "step", message));
            }
        }))
    }

    /// Sets an option by PyTorch's name for it; false where there is none of that name.
    ///
    /// # Errors
    /// If the value is of another type.
    pub fn set(&mut self, name: &str, value: &Value) -> Result<bool> {
        self.0.set_option(name, value)
    }

    /// What PyTorch calls the arrays of state.
    pub fn arrays(&self) -> &'static [&'static str] {
        self.0.arrays()
    }

    /// Whether the state counts steps.
    pub fn counts(&self) -> bool {
        self.0.counts()
    }

    /// Changes each parameter by one step, in one pass over it, and its state, in place where nobody else holds the
    /// arrays. Parameters without a gradient stay as they are.
    ///
    /// # Errors
    /// If options make no sense, or a parameter does not suit the optimizer, or its state does not fit it. Then nothing
    /// was changed.
    pub fn run(&mut self, learning_rate: f64, all: &mut [Kept]) -> Result<()> {
        let mut gradients = Vec::with_capacity(all.len());
        for kept in all.iter() {
            self.0.ready(&kept.p)?;
            gradients.push(gradient(&kept.p)?);
            for (t, name) in kept.arrays.iter().zip(self.arrays()) {
                let Some(t) = t else { continue };
                let (ours, meta) = (kept.p.array().meta(), kept.turn(t.array()).meta());
                if meta != ours || !t.is_leaf() {
                    let message = format!(
                        "a parameter is {} {}, and its `{name}` {} {}",
                        ours.dtype, ours.shape, meta.dtype, meta.shape
                    );
                    return Err(Error::new(ErrorKind::Shape, "step", message));
                }
            }
        }
        let nothing = Tensor::constant(Array::full([], 0.0, DType::F32));
        for (kept, gradient) in all.iter_mut().zip(gradients) {
            let Some(gradient) = gradient else { continue };
            // Only Muon knows this option.
            self.set("outputs_first", &(!kept.turned).into())?;
            let mut state = State {
                steps: kept.steps + 1,
                product: kept.product,
                ..State::default()
            };
            // Taken out of their tensors, so that the kernel is their only holder and works in place.
            for (to, t) in state.arrays.iter_mut().zip(&kept.arrays) {
                *to = t.as_ref().map(|t| {
                    let array = t.array();
                    t.set_data(&nothing);
                    kept.turn(array)
                });
            }
            self.0.step_one(learning_rate, &kept.p, gradient, &mut state);
            (kept.steps, kept.product) = (state.steps, state.product);
            for (i, array) in state.arrays.into_iter().enumerate() {
                let Some(array) = array else { continue };
                let array = Tensor::constant(kept.turn(array));
                match &kept.arrays[i] {
                    Some(t) => t.set_data(&array),
                    None => kept.arrays[i] = Some(array),
                }
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for SingleStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SingleStep").field(&self.arrays()).finish()
    }
}
