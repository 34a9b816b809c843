//! The backward pass: from a result to the gradients of what it was made from.

use super::anomaly;
use super::autocast::Autocast;
use super::host;
use super::mode::Recording;
use super::node::{Edge, Node, Source};
use crate::ops::ok;
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::collections::btree_map::{BTreeMap, Entry};
use std::panic::Location;
use wengert_array::{Array, Error, ErrorKind, Result, raise};

/// How a backward pass is to be run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backward {
    retain: Option<bool>,
    create: bool,
    materialize: bool,
    /// Treats targets as independent of each other: what a target was made from gets nothing through it.
    cut: bool,
}

/// A result to start from, and the gradient that comes from above; a result with one element needs none.
pub type Root<'a> = (&'a Tensor, Option<&'a Tensor>);

impl Backward {
    /// The usual way: the graph is freed as it is walked, and gradients have no history.
    pub fn new() -> Backward {
        Backward::default()
    }

    /// Keeps what the graph saved, so that it can be walked again. By default the value of `create_graph`.
    #[must_use]
    pub fn retain_graph(mut self, on: bool) -> Backward {
        self.retain = Some(on);
        self
    }

    /// Records the backward pass itself, so that gradients can be differentiated in turn.
    #[must_use]
    pub fn create_graph(mut self, on: bool) -> Backward {
        self.create = on;
        self
    }

    /// Gives zeros as the gradient of an input that the result does not depend on.
    #[must_use]
    pub fn materialize_grads(mut self, on: bool) -> Backward {
        self.materialize = on;
        self
    }

    pub(crate) fn cut_at_targets(mut self) -> Backward {
        self.cut = true;
        self
    }

    /// Adds the gradients of `y` to the leaves it was made from.
    ///
    /// # Panics
    /// As [`Tensor::backward`].
    #[track_caller]
    pub fn run(self, y: &Tensor) {
        match self.try_run(y) {
            Ok(()) => {}
            Err(error) => raise(error),
        }
    }

    /// As [`run`](Backward::run), with an error for a panic.
    #[track_caller]
    pub fn try_run(self, y: &Tensor) -> Result<()> {
        // Asked here: inside a closure the caller's line would be this file's.
        let at = Location::caller();
        let dy = seed(y, "backward").map_err(|e| e.at(at))?;
        walk(vec![(source_of(y), dy)], self, None).map(|_| ())
    }

    /// As [`run`](Backward::run) for a result of any shape, given the gradient `dy` that comes from above.
    #[track_caller]
    pub fn run_with(self, y: &Tensor, dy: &Tensor) {
        match self.try_run_with(y, dy) {
            Ok(()) => {}
            Err(error) => raise(error),
        }
    }

    /// As [`run_with`](Backward::run_with), with an error for a panic.
    #[track_caller]
    pub fn try_run_with(self, y: &Tensor, dy: &Tensor) -> Result<()> {
        let at = Location::caller();
        let roots = checked(&[(y, Some(dy))], "backward").map_err(|e| e.at(at))?;
        walk(roots, self, None).map(|_| ())
    }

    /// As [`run`](Backward::run) for several results at once, in one walk: what they share is differentiated once.
    ///
    /// ```
    /// # use wengert::{Backward, Tensor};
    /// let x = Tensor::new([1.0, 2.0]).requires_grad_(true);
    /// let shared = &x * &x;
    /// let (y, z) = (shared.sum(), &shared * 3.0);
    /// Backward::new().run_many(&[(&y, None), (&z, Some(&Tensor::new([1.0, 0.0])))]);
    /// assert_eq!(x.grad().unwrap().to_vec::<f32>(), [8.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If a result has no history, or more than one element and no gradient from above.
    #[track_caller]
    pub fn run_many(self, roots: &[Root<'_>]) {
        match self.try_run_many(roots) {
            Ok(()) => {}
            Err(error) => raise(error),
        }
    }

    /// As [`run_many`](Backward::run_many), with an error for a panic.
    #[track_caller]
    pub fn try_run_many(self, roots: &[Root<'_>]) -> Result<()> {
        let at = Location::caller();
        let roots = checked(roots, "backward").map_err(|e| e.at(at))?;
        walk(roots, self, None).map(|_| ())
    }

    /// As [`try_run_many`](Backward::try_run_many), but adds to the gradients of `xs` only, which may be results
    /// on the way, and computes nothing else.
    #[track_caller]
    pub fn try_run_into(self, roots: &[Root<'_>], xs: &[&Tensor]) -> Result<()> {
        let at = Location::caller();
        let roots = checked(roots, "backward").map_err(|e| e.at(at))?;
        let ids = ids(xs, "backward").map_err(|e| e.at(at))?;
        for (x, grad) in xs.iter().zip(walk(roots, self, Some(&ids))?) {
            grad.into_iter().for_each(|grad| x.accumulate(grad));
        }
        Ok(())
    }

    /// The gradients of `y` with respect to `xs`, which may be leaves or results on the way. Leaves keep
    /// the gradients they have.
    ///
    /// An `x` that `y` does not depend on has the gradient `None`.
    #[track_caller]
    pub fn try_grad(self, y: &Tensor, xs: &[&Tensor], dy: Option<&Tensor>) -> Result<Vec<Option<Tensor>>> {
        self.try_grad_many(&[(y, dy)], xs)
    }

    /// As [`try_grad`](Backward::try_grad) for the sum of several results, each weighted by the gradient that
    /// comes from above.
    #[track_caller]
    pub fn try_grad_many(self, roots: &[Root<'_>], xs: &[&Tensor]) -> Result<Vec<Option<Tensor>>> {
        let at = Location::caller();
        let roots = checked(roots, "grad").map_err(|e| e.at(at))?;
        let ids = ids(xs, "grad").map_err(|e| e.at(at))?;
        let grads = walk(roots, self, Some(&ids))?;
        let each = grads.into_iter().zip(xs);
        Ok(each
            .map(|(grad, x)| grad.or_else(|| self.materialize.then(|| x.zeros_like())))
            .collect())
    }

    /// The gradients that reach the sources with these ids.
    pub(crate) fn reach(self, roots: Vec<(Source, Tensor)>, ids: &[u64]) -> Result<Vec<Option<Tensor>>> {
        walk(roots, self, Some(ids))
    }
}

/// The gradients of the scalar `y` with respect to `xs`, as PyTorch's `torch.autograd.grad`.
///
/// ```
/// # use wengert::{Tensor, grad};
/// let x = Tensor::new([2.0, 3.0]).requires_grad_(true);
/// let y = (&x * &x * &x).sum();
/// assert_eq!(grad(&y, &[&x])[0].to_vec::<f32>(), [12.0, 27.0]);
/// ```
///
/// # Panics
/// If `y` has more than one element or no history, or does not depend on one of `xs`.
/// [`Backward::try_grad`] gives an error instead, and has the options of a backward pass.
#[track_caller]
pub fn grad(y: &Tensor, xs: &[&Tensor]) -> Vec<Tensor> {
    let unused = |i: usize| {
        let message = format!(
            "the result does not depend on input {i}, of shape {}",
            xs[i].shape()
        );
        Error::new(ErrorKind::Graph, "grad", message).note("so it has no gradient there")
    };
    let grads = ok(Backward::new().try_grad(y, xs, None));
    let mut all = Vec::with_capacity(grads.len());
    for (i, g) in grads.into_iter().enumerate() {
        match g {
            Some(g) => all.push(g),
            None => raise(unused(i)),
        }
    }
    all
}

/// The upstream gradient of a backward pass that starts at a scalar: one.
fn seed(y: &Tensor, op: &str) -> Result<Tensor> {
    check_root(y, op)?;
    if y.numel() != 1 {
        let message = format!(
            "needs a result with one element to start from, and got shape {}",
            y.shape()
        );
        return Err(Error::new(ErrorKind::Graph, op, message)
            .note("a gradient is that of one number; of several numbers, say which by weights")
            .help("reduce it with `.sum()` or `.mean()`, or call `backward_with(&dy)`"));
    }
    if y.dtype().is_complex() {
        let message = format!("needs a real result to start from, and got {}", y.dtype());
        return Err(Error::new(ErrorKind::Graph, op, message)
            .note("a complex number has no slope in the sense of steepest ascent")
            .help("take `.real()` or `.abs()` of it, or call `backward_with(&dy)`"));
    }
    Ok(Tensor::constant(Array::full(y.shape(), 1.0, y.dtype())))
}

/// Where a walk starts, if all of it can be.
fn checked(roots: &[Root<'_>], op: &str) -> Result<Vec<(Source, Tensor)>> {
    let start = |&(y, dy): &Root<'_>| {
        let dy = match dy {
            Some(dy) => check_root(y, op)
                .and_then(|()| check_upstream(y, dy, op))
                .map(|()| dy.clone())?,
            None => seed(y, op)?,
        };
        Ok((source_of(y), dy))
    };
    roots.iter().map(start).collect()
}

/// The ids of what gradients are asked for.
fn ids(xs: &[&Tensor], op: &str) -> Result<Vec<u64>> {
    let id = |(i, x): (usize, &&Tensor)| match x.source() {
        Some(source) => Ok(source.id()),
        None => {
            let message = format!("input {i}, of shape {}, does not require a gradient", x.shape());
            Err(Error::new(ErrorKind::Graph, op, message)
                .help("call `requires_grad_(true)` on it before it is used"))
        }
    };
    xs.iter().enumerate().map(id).collect()
}

fn check_root(y: &Tensor, op: &str) -> Result<()> {
    if y.requires_grad() {
        return Ok(());
    }
    let message = format!(
        "the result, of shape {} and dtype {}, has no history",
        y.shape(),
        y.dtype()
    );
    let error = Error::new(ErrorKind::Graph, op, message);
    Err(if y.dtype().is_differentiable() {
        error.note("none of the tensors it was computed from requires a gradient, or recording was off")
    } else {
        error.note("only floating-point numbers have gradients")
    })
}

fn check_upstream(y: &Tensor, dy: &Tensor, op: &str) -> Result<()> {
    if dy.shape() == y.shape() && dy.dtype() == y.dtype() {
        return Ok(());
    }
    let message = format!(
        "the upstream gradient is {} {}, and the result {} {}",
        dy.dtype(),
        dy.shape(),
        y.dtype(),
        y.shape()
    );
    Err(Error::new(ErrorKind::Shape, op, message).note("they must have the same shape and dtype"))
}

/// Walks the graph from `roots` towards the leaves, each operation after all that used its result.
///
/// With the ids of `targets` given, computes only what leads to them and returns their gradients; otherwise
/// adds to the gradients that leaves keep.
fn walk(roots: Vec<(Source, Tensor)>, how: Backward, targets: Option<&[u64]>) -> Result<Vec<Option<Tensor>>> {
    let retain = how.retain.unwrap_or(how.create);
    let _recording = Recording::set(how.create);
    // Values have the dtypes they have: rules compute in these.
    let _given = Autocast::set(None);
    let ids = targets.unwrap_or_default();
    let mut found: Vec<Option<Tensor>> = vec![None; ids.len()];
    let useful = targets.map(|ids| Useful::find(&roots, ids, how.cut));

    // Gradients under way, by the id of where they go. The largest id is complete: nothing pending can
    // still add to it, since operations come after their inputs.
    let mut pending = Pending::default();
    for (source, dy) in roots {
        pending.arrive(source, dy);
    }
    host::running(0);
    let checks = anomaly::is_detecting_anomaly();
    let mut walked = 0u32;
    while let Some((id, source, grad)) = pending.pop() {
        walked += 1;
        if walked.is_multiple_of(64) {
            host::tick();
        }
        let grad = match &source {
            Source::Node(node) => node.hooks().run(grad),
            Source::Leaf(leaf) => leaf.run_hooks(grad),
        };
        for (slot, _) in found.iter_mut().zip(ids).filter(|(_, target)| **target == id) {
            *slot = Some(grad.clone());
        }
        if how.cut && ids.contains(&id) {
            continue;
        }
        match source {
            Source::Leaf(leaf) => {
                if targets.is_none() {
                    leaf.accumulate(grad);
                    leaf.run_hooks_after();
                }
            }
            Source::Node(this) => {
                let node = &*this;
                let wants = match &useful {
                    Some(useful) => useful.wants(node),
                    None => mask(node, |_| true),
                };
                if wants == 0 {
                    continue;
                }
                host::running(node.place());
                if !how.create
                    && !checks
                    && !grad.dtype().is_complex()
                    && let Some(part) = node.part()
                    && let [Edge { source: Some(to), .. }] = node.edges()
                    && let Some(sum) = pending.take(to.id())
                {
                    pending.arrive(to.clone(), Tensor::constant(part.add_to(sum.into_array(), grad)));
                    continue;
                }
                let edges = node.edges();
                let mut anomaly = None;
                node.backward(&this, grad, wants, retain, &mut |i, grad| {
                    if checks && anomaly.is_none() {
                        anomaly = anomaly::found(node, i, &grad);
                    }
                    let Edge { source, meta } = &edges[i];
                    if let Some(source) = source {
                        pending.arrive(source.clone(), grad.fit(meta));
                    }
                })?;
                if let Some(error) = anomaly {
                    return Err(error);
                }
            }
        }
    }
    host::running(0);
    Ok(found)
}

/// Gradients under way, by the id of where they go.
///
/// A walk along a chain has one or two at a time, one through a model as many as it has parameters: the largest ids,
/// which are next, stand in a short sorted list, and what does not fit there in a tree. All ids in the tree are smaller
/// than those in the list.
#[derive(Default)]
struct Pending {
    near: SmallVec<[(u64, Source, Tensor); Pending::NEAR]>,
    far: BTreeMap<u64, (Source, Tensor)>,
}

impl Pending {
    const NEAR: usize = 8;

    /// The first gradient to arrive is kept as it is, later ones are added to it.
    fn arrive(&mut self, source: Source, grad: Tensor) {
        let id = source.id();
        // Whatever arrives comes from an operation with a larger id, and mostly from one close by.
        let at = self.near.iter().rposition(|(i, ..)| *i <= id);
        if let Some(at) = at
            && self.near[at].0 == id
        {
            return add(&mut self.near[at].2, grad);
        }
        let at = at.map_or(0, |at| at + 1);
        if at == 0 && !self.far.is_empty() {
            match self.far.entry(id) {
                Entry::Vacant(slot) => {
                    slot.insert((source, grad));
                }
                Entry::Occupied(mut slot) => add(&mut slot.get_mut().1, grad),
            }
            return;
        }
        self.near.insert(at, (id, source, grad));
        if self.near.len() > Pending::NEAR {
            let (id, source, grad) = self.near.remove(0);
            self.far.insert(id, (source, grad));
        }
    }

    /// What has arrived for this id.
    fn take(&mut self, id: u64) -> Option<Tensor> {
        match self.near.iter().rposition(|(i, ..)| *i == id) {
            Some(at) => Some(self.near.remove(at).2),
            None => self.far.remove(&id).map(|(_, grad)| grad),
        }
    }

    /// Takes the one with the largest id.
    fn pop(&mut self) -> Option<(u64, Source, Tensor)> {
        self.near
            .pop()
            .or_else(|| self.far.pop_last().map(|(id, (source, grad))| (id, source, grad)))
    }
}

fn add(sum: &mut Tensor, grad: Tensor) {
    let before = std::mem::replace(sum, grad.clone());
    *sum = before + grad;
}

fn source_of(t: &Tensor) -> Source {
    t.source().expect("checked to require a gradient")
}

fn mask(node: &dyn Node, leads: impl Fn(&Source) -> bool) -> u64 {
    let mut mask = 0;
    for (i, edge) in node.edges().iter().enumerate() {
        if edge.source.as_ref().is_some_and(&leads) {
            // Inputs past the mask's width count as always wanted; the last bit stands for them.
            mask |= 1 << i.min(63);
        }
    }
    mask
}

/// Which parts of the graph lead to the targets of a `grad` call.
struct Useful(HashMap<u64, bool>);

impl Useful {
    fn find(roots: &[(Source, Tensor)], targets: &[u64], cut: bool) -> Useful {
        let oldest = targets.iter().min().copied().unwrap_or(u64::MAX);
        let mut leads: HashMap<u64, bool> = targets.iter().map(|id| (*id, true)).collect();
        // A node twice on the list: the first visit puts its inputs above it, the second sums them up.
        // Unless walks end at targets, one is looked behind like any other: a target further on may lie there.
        let mut seen: HashMap<u64, ()> = HashMap::new();
        let mut stack: Vec<(Source, bool)> = roots.iter().map(|(y, _)| (y.clone(), false)).collect();
        while let Some((source, inputs_done)) = stack.pop() {
            let Source::Node(node) = &source else { continue };
            let node = node.clone();
            if cut && targets.contains(&node.id()) {
                continue;
            }
            if inputs_done {
                let any = node.edges().iter().filter_map(|e| e.source.as_ref());
                let any = any
                    .map(Source::id)
                    .any(|id| leads.get(&id).copied().unwrap_or(false));
                *leads.entry(node.id()).or_default() |= any;
            } else if node.id() > oldest && seen.insert(node.id(), ()).is_none() {
                stack.push((source, true));
                stack.extend(
                    node.edges()
                        .iter()
                        .filter_map(|e| e.source.clone())
                        .map(|s| (s, false)),
                );
            }
        }
        Useful(leads)
    }

    fn wants(&self, node: &dyn Node) -> u64 {
        mask(node, |source| self.0.get(&source.id()).copied().unwrap_or(false))
    }
}
