//! What a gradient rule gets to read.

use super::{NodeRef, Record, Saved, Source, wanted};
use crate::autograd::is_recording;
use crate::op::{Op, Saves};
use crate::tensor::Tensor;
use std::cell::Cell;
use wengert_array::{Array, Meta};

/// What a rule may read: saved values, shapes, and which gradients are asked for.
pub struct Ctx<'a, O: Op> {
    pub(super) record: &'a Record<O>,
    pub(super) this: &'a NodeRef,
    pub(super) saved: Saved<O>,
    pub(super) wants: u64,
    /// What the rule has read: the contract test compares it with `SAVES`.
    pub(super) reads: Cell<Saves>,
}

impl<O: Op> Ctx<'_, O> {
    /// Input number `i`, as it was.
    ///
    /// # Panics
    /// If [`Op::SAVES`] does not list it for any gradient that is wanted.
    pub fn x(&self, i: usize) -> Tensor {
        self.reads.set(self.reads.get().and(Saves::x(i)));
        let Some(value) = &self.saved.x.as_ref()[i] else {
            panic!(
                "the gradient rule of `{}` reads input {i}, which its SAVES does not list",
                O::NAME
            )
        };
        match &self.record.edges.as_ref()[i].source {
            Some(source) if is_recording() => Tensor::made(value.clone(), source.clone()),
            _ => Tensor::constant(value.clone()),
        }
    }

    /// The result.
    ///
    /// # Panics
    /// If [`Op::SAVES`] does not list it for any gradient that is wanted.
    pub fn y(&self) -> Tensor {
        self.reads.set(self.reads.get().and(Saves::Y));
        let Some(value) = &self.saved.y else {
            panic!(
                "the gradient rule of `{}` reads the result, which its SAVES does not list",
                O::NAME
            )
        };
        if is_recording() {
            Tensor::made(value.clone(), Source::Node(self.this.clone()))
        } else {
            Tensor::constant(value.clone())
        }
    }

    /// Input number `i` as an array, for a rule that is not being recorded.
    pub(crate) fn x_array(&self, i: usize) -> Array {
        self.reads.set(self.reads.get().and(Saves::x(i)));
        let value = self.saved.x.as_ref()[i].clone();
        value.expect("SAVES lists what a gradient reads")
    }

    /// The result as an array, for a rule that is not being recorded.
    pub(crate) fn y_array(&self) -> Array {
        self.reads.set(self.reads.get().and(Saves::Y));
        self.saved.y.clone().expect("SAVES lists what a gradient reads")
    }

    /// `value` with the history of input `i`: for operations that keep values themselves.
    pub fn as_x(&self, i: usize, value: Array) -> Tensor {
        match &self.record.edges.as_ref()[i].source {
            Some(source) if is_recording() => Tensor::made(value, source.clone()),
            _ => Tensor::constant(value),
        }
    }

    /// `value` with the history of the result: for operations that keep values themselves.
    pub fn as_y(&self, value: Array) -> Tensor {
        if is_recording() {
            Tensor::made(value, Source::Node(self.this.clone()))
        } else {
            Tensor::constant(value)
        }
    }

    /// Value number `i` that `forward` kept.
    pub fn extra(&self, i: usize) -> Array {
        self.saved.extra[i].clone()
    }

    /// Shape, dtype and device of input `i`.
    pub fn meta(&self, i: usize) -> &Meta {
        &self.record.edges.as_ref()[i].meta
    }

    /// Where input `i` came from, if it requires a gradient.
    pub(crate) fn source(&self, i: usize) -> Option<&Source> {
        self.record.edges.as_ref()[i].source.as_ref()
    }

    /// Shape, dtype and device of the result.
    pub fn output(&self) -> &Meta {
        &self.record.output
    }

    /// How many inputs there are.
    pub fn inputs(&self) -> usize {
        self.record.edges.as_ref().len()
    }

    /// Whether anyone asks for the gradient of input `i`.
    pub fn wants(&self, i: usize) -> bool {
        wanted(self.wants, i)
    }

    /// The gradient of input `i`, computed only if someone asks for it.
    pub fn grad(&self, i: usize, f: impl FnOnce() -> Tensor) -> Option<Tensor> {
        self.wants(i).then(f)
    }
}
