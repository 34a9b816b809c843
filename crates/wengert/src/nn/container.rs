//! Layers one after the other.

use super::{Layer, Module, Part};
use crate::tensor::Tensor;
use std::fmt;

/// Layers that are applied one after the other. Their parameters are named by their numbers, `0.weight`.
///
/// ```
/// use wengert::nn::{Layer, Linear, Module, ReLU, Sequential};
/// use wengert::Tensor;
///
/// let net = Sequential::new().add(Linear::new(64, 32)).add(ReLU).add(Linear::new(32, 10));
/// assert_eq!(net.forward(&Tensor::rand([5, 64])).shape(), [5, 10]);
/// assert_eq!(net.state_dict().get("2.weight").unwrap().shape(), [10, 32]);
/// ```
#[derive(Default)]
pub struct Sequential(Vec<Box<dyn Layer>>);

impl Sequential {
    /// No layers yet: what goes in comes out.
    pub fn new() -> Sequential {
        Sequential::default()
    }

    /// With one more layer at the end.
    #[must_use]
    #[allow(clippy::should_implement_trait)] // nothing is summed
    pub fn add(mut self, layer: impl Layer + 'static) -> Sequential {
        self.0.push(Box::new(layer));
        self
    }

    /// The layers.
    pub fn layers(&self) -> &[Box<dyn Layer>] {
        &self.0
    }
}

impl Module for Sequential {
    fn parts<'a>(&'a self, show: &mut dyn FnMut(&str, Part<'a>)) {
        for (i, layer) in self.0.iter().enumerate() {
            show(&i.to_string(), Part::Module(layer));
        }
    }
}

impl Layer for Sequential {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        match self.0.split_first() {
            None => x.clone(),
            Some((first, rest)) => {
                let mut x = first.forward(x);
                for layer in rest {
                    x = layer.forward(&x);
                }
                x
            }
        }
    }
}

impl fmt::Debug for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sequential")
            .field("layers", &self.0.len())
            .field("parameters", &self.num_parameters())
            .finish()
    }
}

/// Modules in a list, for a model that calls them itself. Their parameters are named by their numbers.
pub struct ModuleList<M = Box<dyn Layer>>(Vec<M>);

impl<M: Module> ModuleList<M> {
    /// Of these modules.
    pub fn new(modules: impl IntoIterator<Item = M>) -> ModuleList<M> {
        ModuleList(modules.into_iter().collect())
    }

    /// Adds one at the end.
    pub fn push(&mut self, module: M) {
        self.0.push(module);
    }
}

impl<M> std::ops::Deref for ModuleList<M> {
    type Target = [M];
    fn deref(&self) -> &[M] {
        &self.0
    }
}

impl<M: Module> Module for ModuleList<M> {
    fn parts<'a>(&'a self, show: &mut dyn FnMut(&str, Part<'a>)) {
        for (i, module) in self.0.iter().enumerate() {
            show(&i.to_string(), Part::Module(module));
        }
    }
}

/// Modules by name, in the order in which they were put in.
pub struct ModuleDict<M = Box<dyn Layer>>(Vec<(String, M)>);

impl<M: Module> ModuleDict<M> {
    /// Of these modules.
    pub fn new<S: Into<String>>(modules: impl IntoIterator<Item = (S, M)>) -> ModuleDict<M> {
        ModuleDict(modules.into_iter().map(|(name, m)| (name.into(), m)).collect())
    }

    /// The module of this name.
    pub fn get(&self, name: &str) -> Option<&M> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, m)| m)
    }

    /// Puts a module under a name, and gives back the one that was there.
    pub fn insert(&mut self, name: impl Into<String>, module: M) -> Option<M> {
        let name = name.into();
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => Some(std::mem::replace(old, module)),
            None => {
                self.0.push((name, module));
                None
            }
        }
    }

    /// Names and modules, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &M)> {
        self.0.iter().map(|(name, m)| (name.as_str(), m))
    }
}

impl<M: Module> Module for ModuleDict<M> {
    fn parts<'a>(&'a self, show: &mut dyn FnMut(&str, Part<'a>)) {
        for (name, module) in &self.0 {
            show(name, Part::Module(module));
        }
    }
}
