//! What a model is: a tree of parameters with names.

use super::mode::Mode;
use super::state::{LoadReport, StateDict};
use crate::tensor::Tensor;
use wengert_array::{DType, Result};

/// A part of a model, as [`Module::parts`] shows it.
#[derive(Clone, Copy)]
pub enum Part<'a> {
    /// A tensor that training changes.
    Parameter(&'a Tensor),
    /// A matrix that training changes, and that [`Module::state_dict`] holds transposed: PyTorch keeps weights as
    /// `[out, in]`.
    Transposed(&'a Tensor),
    /// A tensor that belongs to the model's state, and that training does not change.
    Buffer(&'a Tensor),
    /// A module within this one.
    Module(&'a dyn Module),
    /// Whether the layer is training.
    Mode(&'a Mode),
}

/// A layer, a model, or a part of one: something with parameters that have names.
///
/// `#[derive(Module)]` implements it for a struct. Each field is a tensor (a parameter, or with
/// `#[module(buffer)]` a buffer), a module, or an `Option`, `Vec`, array or `Box` of those; numbers, bools and
/// strings have no parameters. `#[module(skip)]` leaves any other field out.
///
/// ```
/// use wengert::nn::{Layer, Linear, Module};
/// use wengert::Tensor;
///
/// #[derive(Module)]
/// struct Net {
///     hidden: Linear,
///     head: Linear,
/// }
///
/// impl Layer for Net {
///     fn forward(&self, x: &Tensor) -> Tensor {
///         self.head.forward(&self.hidden.forward(x).relu())
///     }
/// }
///
/// let net = Net { hidden: Linear::new(2, 16), head: Linear::new(16, 1) };
/// let names: Vec<String> = net.named_parameters().into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["hidden.weight", "hidden.bias", "head.weight", "head.bias"]);
/// assert_eq!(net.num_parameters(), 65);
/// ```
pub trait Module: Send + Sync {
    /// Shows each part of this module, and its name, in order. Usually derived.
    fn parts<'a>(&'a self, show: &mut dyn FnMut(&str, Part<'a>));

    /// All tensors of this module and of those within it, with their full names such as `0.weight`.
    fn tensors(&self) -> Vec<(String, Part<'_>)> {
        let mut all = Vec::new();
        collect(&mut |show| self.parts(show), "", &mut all);
        all
    }

    /// The parameters and their names, in order. A parameter that is used in two places is listed once.
    fn named_parameters(&self) -> Vec<(String, Tensor)> {
        let mut list: Vec<(String, Tensor)> = Vec::new();
        for (name, part) in self.tensors() {
            if let Part::Parameter(t) | Part::Transposed(t) = part
                && !list.iter().any(|(_, other)| other.is(t))
            {
                list.push((name, t.as_parameter().clone()));
            }
        }
        list
    }

    /// The parameters, in order.
    fn parameters(&self) -> Vec<Tensor> {
        self.named_parameters().into_iter().map(|(_, t)| t).collect()
    }

    /// How many numbers the parameters hold.
    fn num_parameters(&self) -> usize {
        self.parameters().iter().map(Tensor::numel).sum()
    }

    /// Forgets the gradients of all parameters.
    fn zero_grad(&self) {
        self.parameters().iter().for_each(Tensor::zero_grad);
    }

    /// Says whether the parameters are trained; `false` freezes them.
    fn requires_grad_(&self, on: bool) {
        for p in self.parameters() {
            p.requires_grad_(on);
        }
    }

    /// Tells all layers within that we are training, as they are told from the start.
    fn train(&self) {
        set_mode(&mut |show| self.parts(show), true);
    }

    /// Tells all layers within that we are not training: dropout passes its input on, batch normalisation goes by
    /// its running statistics.
    fn eval(&self) {
        set_mode(&mut |show| self.parts(show), false);
    }

    /// Calls `f` with each parameter and buffer and its full name, for instance to initialise them:
    ///
    /// ```
    /// use wengert::nn::{Linear, Module, ReLU, Sequential, init};
    ///
    /// let net = Sequential::new().add(Linear::new(8, 8)).add(ReLU).add(Linear::new(8, 2));
    /// net.apply(&mut |name, part| match init::Weight::try_from(part) {
    ///     Ok(weight) if name.ends_with("weight") => init::orthogonal_(weight, 1.0),
    ///     Ok(bias) => init::zeros_(bias),
    ///     Err(_) => {}
    /// });
    /// ```
    fn apply(&self, f: &mut dyn FnMut(&str, Part<'_>)) {
        for (name, part) in self.tensors() {
            f(&name, part);
        }
    }

    /// Converts the floating-point parameters and buffers to `dtype`, in place; gradients are forgotten.
    fn to(&self, dtype: DType) {
        for (_, part) in self.tensors() {
            if let Part::Parameter(t) | Part::Transposed(t) | Part::Buffer(t) = part
                && t.dtype().is_float()
            {
                t.set_data(&t.detach().to(dtype));
                t.zero_grad();
            }
        }
    }

    /// The values of parameters and buffers, by name, in PyTorch's layout: they are what a checkpoint holds.
    fn state_dict(&self) -> StateDict {
        let value = |part| match part {
            Part::Parameter(t) | Part::Buffer(t) => Some(t.detach()),
            Part::Transposed(t) => Some(t.detach().t()),
            Part::Module(_) | Part::Mode(_) => None,
        };
        let tensors = self.tensors().into_iter();
        tensors
            .filter_map(|(name, part)| Some((name, value(part)?)))
            .collect()
    }

    /// Copies these values into parameters and buffers. All must be there and fit, and nothing else.
    ///
    /// # Errors
    /// If names are missing or unexpected, or shapes differ: the error lists them all, and nothing was changed.
    fn load_state_dict(&self, state: &StateDict) -> Result<()> {
        let report = LoadReport::compare(self.tensors(), state);
        report.into_result()?;
        super::state::copy(self.tensors(), state);
        Ok(())
    }

    /// Copies those of these values that have a place here and fit it, and reports on the others.
    fn load_partial_state_dict(&self, state: &StateDict) -> LoadReport {
        super::state::copy(self.tensors(), state);
        LoadReport::compare(self.tensors(), state)
    }
}

/// A module that makes one tensor of one tensor.
pub trait Layer: Module {
    /// The output for this input.
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor;
}

type Parts<'f, 'a> = &'f mut dyn FnMut(&mut dyn FnMut(&str, Part<'a>));

fn collect<'a>(parts: Parts<'_, 'a>, prefix: &str, all: &mut Vec<(String, Part<'a>)>) {
    parts(&mut |name, part| {
        let name = match (prefix, name) {
            ("", name) | (name, "") => name.to_string(),
            (prefix, name) => format!("{prefix}.{name}"),
        };
        match part {
            Part::Module(module) => collect(&mut |show| module.parts(show), &name, all),
            Part::Mode(_) => {}
            tensor => all.push((name, tensor)),
        }
    });
}

fn set_mode<'a>(parts: Parts<'_, 'a>, training: bool) {
    parts(&mut |_, part| match part {
        Part::Module(module) => set_mode(&mut |show| module.parts(show), training),
        Part::Mode(mode) => mode.set(training),
        _ => {}
    });
}

/// What a field of a struct with `#[derive(Module)]` may be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can be no part of a module",
    label = "neither a tensor nor a module",
    note = "write `#[module(skip)]` above the field if it holds no parameters"
)]
pub trait Field {
    /// Shows the parts of the field called `name`.
    fn parts_of<'a>(&'a self, name: &str, show: &mut dyn FnMut(&str, Part<'a>));
}

impl Field for Tensor {
    fn parts_of<'a>(&'a self, name: &str, show: &mut dyn FnMut(&str, Part<'a>)) {
        show(name, Part::Parameter(self));
    }
}

impl<M: Module> Field for M {
    fn parts_of<'a>(&'a self, name: &str, show: &mut dyn FnMut(&str, Part<'a>)) {
        show(name, Part::Module(self));
    }
}

impl Field for Mode {
    fn parts_of<'a>(&'a self, name: &str, show: &mut dyn FnMut(&str, Part<'a>)) {
        show(name, Part::Mode(self));
    }
}

impl<F: Field> Field for Option<F> {
    fn parts_of<'a>(&'a self, name: &str, show: &mut dyn FnMut(&str, Part<'a>)) {
        if let Some(field) = self {
            field.parts_of(name, show);
        }
    }
}

impl<F: Field> Field for [F] {
    fn parts_of<'a>(&'a self, name: &str, show: &mut dyn FnMut(&str, Part<'a>)) {
        for (i, field) in self.iter().enumerate() {
            field.parts_of(&format!("{name}.{i}"), show);
        }
    }
}

impl<F: Field> Field for Vec<F> {
    fn parts_of<'a>(&'a self, name: &str, show: &mut dyn FnMut(&str, Part<'a>)) {
        self.as_slice().parts_of(name, show);
    }
}

impl<F: Field, const N: usize> Field for [F; N] {
    fn parts_of<'a>(&'a self, name: &str, show: &mut dyn FnMut(&str, Part<'a>)) {
        self.as_slice().parts_of(name, show);
    }
}

macro_rules! without_parts {
    ($($t:ty),*) => {$(
        impl Field for $t {
            fn parts_of<'a>(&'a self, _: &str, _: &mut dyn FnMut(&str, Part<'a>)) {}
        }
    )*};
}
without_parts!(
    bool,
    i32,
    i64,
    u32,
    u64,
    isize,
    usize,
    f32,
    f64,
    String,
    &'static str,
    DType
);

impl<M: Module + ?Sized> Module for Box<M> {
    fn parts<'a>(&'a self, show: &mut dyn FnMut(&str, Part<'a>)) {
        (**self).parts(show);
    }
}

impl<M: Module + ?Sized> Module for std::sync::Arc<M> {
    fn parts<'a>(&'a self, show: &mut dyn FnMut(&str, Part<'a>)) {
        (**self).parts(show);
    }
}

impl<L: Layer + ?Sized> Layer for Box<L> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        (**self).forward(x)
    }
}

impl<L: Layer + ?Sized> Layer for std::sync::Arc<L> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        (**self).forward(x)
    }
}
