//! The values of a model by name, and putting them back.

use super::module::Part;
use crate::tensor::Tensor;
use std::fmt;
use wengert_array::{Error, ErrorKind, Result, Shape};

/// Tensors by name, in order: what [`Module::state_dict`](super::Module::state_dict) gives.
#[derive(Clone, Debug, Default)]
pub struct StateDict(Vec<(String, Tensor)>);

impl StateDict {
    /// The tensor called `name`.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, t)| t)
    }

    /// Puts a tensor under `name`, and gives back the one that was there.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) -> Option<Tensor> {
        let name = name.into();
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => Some(std::mem::replace(old, tensor)),
            None => {
                self.0.push((name, tensor));
                None
            }
        }
    }

    /// Takes out the tensor called `name`.
    pub fn remove(&mut self, name: &str) -> Option<Tensor> {
        let at = self.0.iter().position(|(n, _)| n == name)?;
        Some(self.0.remove(at).1)
    }

    /// Names and tensors, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, t)| (name.as_str(), t))
    }

    /// How many tensors.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, Tensor)> for StateDict {
    fn from_iter<I: IntoIterator<Item = (String, Tensor)>>(all: I) -> StateDict {
        StateDict(all.into_iter().collect())
    }
}

impl IntoIterator for StateDict {
    type Item = (String, Tensor);
    type IntoIter = std::vec::IntoIter<(String, Tensor)>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// What does not match between a model and the values that were to be loaded into it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct LoadReport {
    /// What the model has and the values lack.
    pub missing: Vec<String>,
    /// What the values have and the model lacks.
    pub unexpected: Vec<String>,
    /// Name, the model's shape, and the shape of the value.
    pub misshaped: Vec<(String, Shape, Shape)>,
}

/// A part's tensor, and its shape in a state dict.
fn place<'a>(part: Part<'a>) -> Option<(&'a Tensor, Shape)> {
    match part {
        Part::Parameter(t) | Part::Buffer(t) => Some((t, t.shape())),
        Part::Transposed(t) => Some((t, t.detach().t().shape())),
        Part::Module(_) | Part::Mode(_) => None,
    }
}

impl LoadReport {
    pub(super) fn compare(parts: Vec<(String, Part<'_>)>, state: &StateDict) -> LoadReport {
        let mut report = LoadReport::default();
        let is_known = |name: &str| parts.iter().any(|(n, _)| n == name);
        let unknown = state.iter().filter(|(name, _)| !is_known(name));
        report.unexpected = unknown.map(|(name, _)| name.to_string()).collect();
        for (name, part) in parts {
            let Some((_, shape)) = place(part) else { continue };
            match state.get(&name).map(Tensor::shape) {
                None => report.missing.push(name),
                Some(theirs) if theirs != shape => report.misshaped.push((name, shape, theirs)),
                Some(_) => {}
            }
        }
        report
    }

    /// Whether everything matches.
    pub fn is_clean(&self) -> bool {
        *self == LoadReport::default()
    }

    pub(super) fn into_result(self) -> Result<()> {
        if self.is_clean() {
            return Ok(());
        }
        let message = "the values do not match the model; nothing was changed";
        let error = Error::new(ErrorKind::Value, "load_state_dict", message);
        Err(self
            .to_string()
            .lines()
            .fold(error, |error, line| error.note(line)))
    }

    /// The unexpected name that is most like `name`, if one is.
    fn nearest(&self, name: &str) -> Option<&String> {
        let likeness = |other: &&String| (strsim::jaro_winkler(name, other) * 1e6) as u32;
        let best = self.unexpected.iter().max_by_key(likeness)?;
        (likeness(&best) > 800_000).then_some(best)
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separate = "";
        for name in &self.missing {
            write!(f, "{separate}missing: `{name}`")?;
            if let Some(nearest) = self.nearest(name) {
                write!(f, " (is `{nearest}` meant?)")?;
            }
            separate = "\n";
        }
        for name in &self.unexpected {
            write!(f, "{separate}unexpected: `{name}`")?;
            separate = "\n";
        }
        for (name, ours, theirs) in &self.misshaped {
            write!(
                f,
                "{separate}of another shape: `{name}` is {ours} in the model and {theirs} in the values"
            )?;
            separate = "\n";
        }
        Ok(())
    }
}

/// Copies what has a place and fits it.
pub(super) fn copy(parts: Vec<(String, Part<'_>)>, state: &StateDict) {
    for (name, part) in parts {
        let (Some((target, shape)), Some(value)) = (place(part), state.get(&name)) else {
            continue;
        };
        if value.shape() == shape {
            let value = value.detach();
            target.copy_(&if matches!(part, Part::Transposed(_)) {
                value.t()
            } else {
                value
            });
        }
    }
}
