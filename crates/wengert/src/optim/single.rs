//! Single steps for those who keep the state themselves, as the Python package does.

use super::core::{Method, State};
use super::{
    AdadeltaOptions, AdagradOptions, AdamOptions, AdamWOptions, AdamaxOptions, LionOptions, MuonOptions,
    NAdamOptions, RAdamOptions, RMSpropOptions, SGDOptions,
};
use crate::io::Value;
use crate::tensor::Tensor;
use wengert_array::{Array, Error, ErrorKind, Result};

/// A step of one parameter, whose state others keep.
#[derive(Debug)]
pub struct SingleStep<'a> {
    /// The optimizer's name, such as `Adam`.
    pub method: &'a str,
    /// Its options by PyTorch's names; others are ignored.
    pub options: &'a Value,
    /// The learning rate.
    pub learning_rate: f64,
    /// The number of this step, the first being 1.
    pub steps: i32,
    /// What NAdam calls `mu_product`.
    pub product: f64,
    /// Whether gradient and state lie turned against the parameter: `[out, in]` where it is `[in, out]`.
    pub turned: bool,
}

impl SingleStep<'_> {
    /// Changes the parameter and, in place, the arrays of state, by PyTorch's names. Returns the new `mu_product`, and
    /// arrays that were not there before.
    ///
    /// # Errors
    /// If there is no such optimizer, an option makes no sense, or gradient or state do not fit the parameter.
    pub fn run(
        &self,
        p: &Tensor,
        gradient: &Tensor,
        arrays: &[(String, Tensor)],
    ) -> Result<(f64, Vec<(&'static str, Tensor)>)> {
        match self.method {
            "SGD" => self.by::<SGDOptions>(p, gradient, arrays),
            "Adam" => self.by::<AdamOptions>(p, gradient, arrays),
            "AdamW" => self.by::<AdamWOptions>(p, gradient, arrays),
            "NAdam" => self.by::<NAdamOptions>(p, gradient, arrays),
            "RAdam" => self.by::<RAdamOptions>(p, gradient, arrays),
            "Adamax" => self.by::<AdamaxOptions>(p, gradient, arrays),
            "RMSprop" => self.by::<RMSpropOptions>(p, gradient, arrays),
            "Adagrad" => self.by::<AdagradOptions>(p, gradient, arrays),
            "Adadelta" => self.by::<AdadeltaOptions>(p, gradient, arrays),
            "Lion" => self.by::<LionOptions>(p, gradient, arrays),
            "Muon" => self.by::<MuonOptions>(p, gradient, arrays),
            other => Err(Error::new(
                ErrorKind::Value,
                "step",
                format!("there is no optimizer `{other}`"),
            )),
        }
    }

    fn by<M: Method + Default>(
        &self,
        p: &Tensor,
        gradient: &Tensor,
        arrays: &[(String, Tensor)],
    ) -> Result<(f64, Vec<(&'static str, Tensor)>)> {
        let mut method = M::default();
        for (name, value) in self.options.entries().unwrap_or_default() {
            if let (Some(name), false) = (name.as_str(), matches!(value, Value::None)) {
                method.set(name, value)?;
            }
        }
        method.check()?;
        method.takes(p)?;
        let turn = |a: Array| {
            if self.turned && a.rank() == 2 {
                a.transpose(0, 1)
            } else {
                a
            }
        };
        let fits = |what: &str, t: &Tensor| {
            let meta = turn(t.array()).meta();
            if meta == p.array().meta() {
                return Ok(());
            }
            let message = format!(
                "a parameter is {} {}, and its {what} {} {}",
                p.dtype(),
                p.shape(),
                meta.dtype,
                meta.shape
            );
            Err(Error::new(ErrorKind::Shape, "step", message))
        };
        fits("gradient", gradient)?;
        let slot = |name: &str| M::ARRAYS.iter().position(|n| *n == name);
        let known = || arrays.iter().filter_map(|(name, t)| Some((slot(name)?, t)));
        for (i, t) in known() {
            fits(M::ARRAYS[i], t)?;
        }
        let mut state = State {
            steps: self.steps,
            product: self.product,
            ..State::default()
        };
        // Taken out of their tensors, so that the kernel is their only holder and works in place.
        let nothing = Array::full([], 0.0, p.dtype());
        for (i, t) in known() {
            let array = t.array();
            t.set_data(&Tensor::constant(nothing.clone()));
            state.arrays[i] = Some(turn(array));
        }
        method.step(self.learning_rate, p, turn(gradient.array()), &mut state);
        for (i, t) in known() {
            if let Some(array) = state.arrays[i].take() {
                t.set_data(&Tensor::constant(turn(array)));
            }
        }
        let made = M::ARRAYS.iter().zip(state.arrays);
        let made = made
            .filter_map(|(name, array)| Some((*name, Tensor::constant(turn(array?)))))
            .collect();
        Ok((state.product, made))
    }
}
