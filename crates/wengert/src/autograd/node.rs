//! The graph: each recorded operation is a node that knows its inputs' makers.

mod ctx;

pub use ctx::Ctx;

use super::audit::{self, Audited};
use super::host;
use super::mode::{self, Duties};
use crate::op::{Arity, Each, Extra, In, Op, PartOfInput, Saves, forward};
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use wengert_array::{Array, Erased, Error, ErrorKind, Handle, Meta, Result, Seen};

/// Ids count up as tensors are made, so an operation's id is larger than those of all it depends on: going
/// by falling id visits each operation after everything that used its result.
pub(crate) fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Where a tensor that requires a gradient came from.
#[derive(Clone)]
pub enum Source {
    /// The operation that made it.
    Node(NodeRef),
    /// Nothing made it: it is a leaf, and keeps its gradient itself.
    Leaf(Tensor),
}

impl Source {
    /// The number that orders sources by when they were made.
    pub fn id(&self) -> u64 {
        match self {
            Source::Node(node) => node.id(),
            Source::Leaf(leaf) => leaf.leaf_id(),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Node(node) => write!(f, "{} #{}", node.name(), node.id()),
            Source::Leaf(leaf) => write!(f, "leaf #{}", leaf.leaf_id()),
        }
    }
}

/// The line between an operation and one of its inputs.
#[derive(Debug)]
pub struct Edge {
    /// Where the input came from; `None` where it requires no gradient.
    pub source: Option<Source>,
    /// The input's shape and dtype, which its gradient is brought to.
    pub meta: Meta,
}

/// A function that sees a gradient on its way and may replace it.
pub(crate) type Hook = Arc<dyn Fn(&Tensor) -> Option<Tensor> + Send + Sync>;

type NumberedHooks = Mutex<Vec<(u64, Hook)>>;

/// The hooks of one tensor, by the number that removes them; nothing is allocated before the first.
#[derive(Default)]
pub struct Hooks(OnceLock<Box<NumberedHooks>>);

impl Hooks {
    pub(crate) fn add(&self, hook: Hook) -> u64 {
        let id = next_id();
        lock(self.0.get_or_init(Box::default)).push((id, hook));
        id
    }

    pub(crate) fn remove(&self, id: u64) {
        if let Some(hooks) = self.0.get() {
            lock(hooks).retain(|(i, _)| *i != id);
        }
    }

    /// `grad` after every hook has seen it.
    pub(crate) fn run(&self, mut grad: Tensor) -> Tensor {
        let Some(hooks) = self.0.get() else { return grad };
        // The list is copied: a hook may add or remove hooks, and no lock is held while one runs.
        let hooks: Vec<Hook> = lock(hooks).iter().map(|(_, hook)| hook.clone()).collect();
        for hook in hooks {
            grad = hook(&grad).unwrap_or(grad);
        }
        grad
    }
}

/// Locks; a panic elsewhere while it was locked left nothing half-done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A recorded operation, whatever its type.
pub trait Node: Send + Sync {
    /// Its place in the order of making.
    fn id(&self) -> u64;
    /// The operation's name.
    fn name(&self) -> &'static str;
    /// The operation with its parameters, as `Debug` prints it.
    fn describe(&self) -> String;
    /// The line of the program that applied it.
    fn location(&self) -> &'static Location<'static>;
    /// Where the host language's program applied it; 0 where unknown. See [`host`](super::host).
    fn place(&self) -> u64;
    /// Its inputs.
    fn edges(&self) -> &[Edge];
    /// Shape and dtype of its result.
    fn output(&self) -> &Meta;
    /// How many bytes it keeps for its backward pass.
    fn saved_bytes(&self) -> usize;
    /// What watches the gradient of its result.
    fn hooks(&self) -> &Hooks;
    /// The operation, where its gradient is zero but for a part.
    #[doc(hidden)]
    fn part(&self) -> Option<&dyn PartOfInput>;
    /// Gives the gradients of the inputs that `wants` names with their inputs' numbers, from that of the result. `this`
    /// is a handle on this very node.
    fn backward(
        &self,
        this: &NodeRef,
        dy: Tensor,
        wants: u64,
        retain: bool,
        give: &mut dyn FnMut(usize, Tensor),
    ) -> Result<()>;
}

/// A handle on a recorded operation.
pub type NodeRef = Erased<dyn Node>;

impl<O: Op> Seen<dyn Node> for Record<O> {
    #[inline]
    fn seen(&self) -> &(dyn Node + 'static) {
        self
    }
}

/// Whether input `i` is in a mask. Inputs past the mask's width are always wanted.
pub(crate) fn wanted(mask: u64, i: usize) -> bool {
    i >= 63 || mask >> i & 1 == 1
}

/// The inputs of an operation on their way into it.
pub(crate) struct Inputs<O: Op> {
    pub(crate) arrays: Each<O, Array>,
    /// Where each came from, if this thread records and any of them requires a gradient.
    pub(crate) sources: Option<Each<O, Option<Source>>>,
}

impl<O: Op> Inputs<O> {
    #[inline]
    pub(crate) fn seen(x: &Each<O, &Tensor>, duties: Duties) -> Inputs<O> {
        let wanted = duties.record() && x.as_ref().iter().any(|x| x.requires_grad());
        Inputs {
            arrays: O::Inputs::map_ref(x, |x| x.array()),
            sources: wanted.then(|| O::Inputs::map_ref(x, |x| x.source())),
        }
    }

    #[inline]
    pub(crate) fn given(x: Each<O, Tensor>, duties: Duties) -> Inputs<O> {
        let wanted = duties.record() && x.as_ref().iter().any(Tensor::requires_grad);
        Inputs {
            sources: wanted.then(|| O::Inputs::map_ref(&x, Tensor::source)),
            arrays: O::Inputs::map(x, Tensor::into_array),
        }
    }

    /// As tensors again.
    pub(crate) fn tensors(self) -> Each<O, Tensor> {
        let mut sources = self.sources;
        let mut i = 0;
        O::Inputs::map(self.arrays, |array| {
            i += 1;
            match sources.as_mut().and_then(|s| s.as_mut()[i - 1].take()) {
                // A leaf stands for itself, so that its gradient finds it.
                Some(Source::Leaf(leaf)) => leaf,
                Some(source) => Tensor::made(array, source),
                None => Tensor::constant(array),
            }
        })
    }
}

/// An operation in the graph: itself, where its inputs came from, and what its backward pass reads.
pub(crate) struct Record<O: Op> {
    id: u64,
    at: &'static Location<'static>,
    place: u64,
    op: O,
    edges: Each<O, Edge>,
    output: Meta,
    /// `None` once a backward pass has used it up.
    saved: Mutex<Option<Saved<O>>>,
    hooks: Hooks,
}

struct Saved<O: Op> {
    x: Each<O, Option<Array>>,
    y: Option<Array>,
    extra: SmallVec<[Array; 1]>,
}

impl<O: Op> Clone for Saved<O> {
    fn clone(&self) -> Self {
        let x = O::Inputs::map_ref(&self.x, Clone::clone);
        Saved {
            x,
            y: self.y.clone(),
            extra: self.extra.clone(),
        }
    }
}

impl<O: Op> Saved<O> {
    fn is_empty(&self) -> bool {
        self.y.is_none() && self.extra.is_empty() && self.x.as_ref().iter().all(Option::is_none)
    }
}

/// Applies `op` to inputs some of which require a gradient, and leaves a record in the result's history.
pub(crate) fn record<O: Op>(
    op: O,
    x: Each<O, Array>,
    mut sources: Each<O, Option<Source>>,
    output: Meta,
    at: &'static Location<'static>,
) -> Result<Tensor> {
    let mut saves = Saves::NOTHING;
    for (i, source) in sources.as_ref().iter().enumerate() {
        if source.is_some() {
            saves = saves.and(op.saves(i));
        }
    }
    let mut i = 0;
    let saved_x = O::Inputs::map_ref(&x, |x| {
        i += 1;
        saves.has_x(i - 1).then(|| x.clone())
    });
    let audited: Option<Vec<Array>> = audit::is_on().then(|| x.as_ref().to_vec());
    i = 0;
    let edges = O::Inputs::map_mut(&mut sources, |source| {
        i += 1;
        Edge {
            source: source.take(),
            meta: x.as_ref()[i - 1].meta(),
        }
    });
    let mut extra = Extra::default();
    let value = forward(&op, x, &output, &mut extra);
    let extra = extra.checked(op.name(), at)?;
    debug_assert_eq!(
        value.meta(),
        output,
        "{} inferred another result than it computed",
        op.name()
    );
    let saved = Saved {
        x: saved_x,
        y: saves.has_y().then(|| value.clone()),
        extra,
    };
    let node = Record::<O> {
        id: next_id(),
        at,
        place: host::place(),
        op,
        edges,
        output,
        saved: Mutex::new(Some(saved)),
        hooks: Hooks::default(),
    };
    let node = Handle::new(node);
    if let Some(x) = audited {
        audit::inspect(&node, &x);
    }
    Ok(Tensor::made(value, Source::Node(node.erase())))
}

impl<O: Op> Audited for Handle<Record<O>> {
    fn node(&self) -> &dyn Node {
        &**self
    }
    fn forward_on(&self, x: &[Array]) -> Option<Array> {
        Some(self.run_on(x)?.0)
    }
    fn backward_on(&self, x: &[Array], dy: Tensor) -> Vec<Option<Tensor>> {
        let Some((y, extra)) = self.run_on(x) else {
            return Vec::new();
        };
        let mut x = x.iter().cloned();
        let x = O::Inputs::map_ref(&self.edges, |_| x.next());
        let saved = Saved {
            x,
            y: Some(y),
            extra: extra.0,
        };
        let cx = Ctx {
            record: self,
            this: &self.clone().erase(),
            saved,
            wants: u64::MAX,
            reads: Cell::new(Saves::NOTHING),
        };
        self.op.backward(&cx, dy).into_iter().collect()
    }
}

impl<O: Op> Record<O> {
    /// The forward pass on other inputs, if they fit.
    fn run_on(&self, x: &[Array]) -> Option<(Array, Extra)> {
        let mut extra = Extra::default();
        let mut ins = x.iter();
        let y = self
            .op
            .infer(O::Inputs::map_ref(&self.edges, |_| {
                In::from(ins.next().expect("one each"))
            }))
            .ok()?;
        let mut x = x.iter().cloned();
        let x = O::Inputs::map_ref(&self.edges, |_| x.next().expect("one each"));
        Some((forward(&self.op, x, &y, &mut extra), extra))
    }
}

impl<O: Op> Node for Record<O> {
    fn id(&self) -> u64 {
        self.id
    }
    fn name(&self) -> &'static str {
        self.op.name()
    }
    fn describe(&self) -> String {
        format!("{:?}", self.op)
    }
    fn location(&self) -> &'static Location<'static> {
        self.at
    }
    fn place(&self) -> u64 {
        self.place
    }
    fn edges(&self) -> &[Edge] {
        self.edges.as_ref()
    }
    fn output(&self) -> &Meta {
        &self.output
    }
    fn saved_bytes(&self) -> usize {
        let saved = lock(&self.saved);
        let Some(saved) = &*saved else { return 0 };
        let all = saved
            .x
            .as_ref()
            .iter()
            .flatten()
            .chain(&saved.y)
            .chain(&saved.extra);
        all.map(|a| a.numel() * a.dtype().size()).sum()
    }
    fn hooks(&self) -> &Hooks {
        &self.hooks
    }
    fn part(&self) -> Option<&dyn PartOfInput> {
        self.op.part()
    }
    fn backward(
        &self,
        this: &NodeRef,
        dy: Tensor,
        wants: u64,
        retain: bool,
        give: &mut dyn FnMut(usize, Tensor),
    ) -> Result<()> {
        let saved = {
            let mut saved = lock(&self.saved);
            match &*saved {
                // What saved nothing has nothing to free, and may be walked again.
                Some(s) if retain || s.is_empty() => Some(s.clone()),
                _ => saved.take(),
            }
        };
        let Some(saved) = saved else {
            let message = "the values it saved for backward were freed by an earlier backward pass";
            return Err(Error::new(ErrorKind::Graph, self.op.name(), message)
                .note(format!("the operation was applied to {}", self.inputs_text()))
                .help("pass `retain_graph` to the first backward pass, or run the forward pass again")
                .at(self.at));
        };
        let cx = Ctx {
            record: self,
            this,
            saved,
            wants,
            reads: Cell::new(Saves::NOTHING),
        };
        for (i, grad) in self.op.backward(&cx, dy).into_iter().enumerate() {
            if let Some(grad) = grad
                && wanted(wants, i)
            {
                give(i, grad);
            }
        }
        Ok(())
    }
}

impl<O: Op> Record<O> {
    fn inputs_text(&self) -> String {
        let shapes: Vec<String> = self
            .edges
            .as_ref()
            .iter()
            .map(|e| e.meta.shape.to_string())
            .collect();
        shapes.join(" and ")
    }
}

/// For the contract test: a fresh record's rule run by itself, and what it read.
pub(crate) fn reads_of<O: Op>(op: O, x: Each<O, Array>, wants: u64) -> Result<Saves> {
    let output = op.infer(O::Inputs::map_ref(&x, |x| x.into()))?;
    let mut extra = Extra::default();
    let y = forward(&op, O::Inputs::map_ref(&x, Clone::clone), &output, &mut extra);
    let edges = O::Inputs::map_ref(&x, |x| Edge {
        source: None,
        meta: x.meta(),
    });
    let saved = Saved {
        x: O::Inputs::map(x, Some),
        y: Some(y.clone()),
        extra: extra.0,
    };
    let record = Record::<O> {
        id: 0,
        at: Location::caller(),
        place: 0,
        op,
        edges,
        output,
        saved: Mutex::new(None),
        hooks: Hooks::default(),
    };
    let dy = Tensor::constant(Array::full(y.shape(), 1.0, y.dtype()));
    let record = Handle::new(record);
    let cx = Ctx {
        record: &record,
        this: &record.clone().erase(),
        saved,
        wants,
        reads: Cell::new(Saves::NOTHING),
    };
    mode::no_grad(|| cx.record.op.backward(&cx, dy));
    Ok(cx.reads.get())
}

thread_local! {
    /// Nodes whose last holder went away while another node was being dropped on this thread.
    static DYING: RefCell<Option<Vec<NodeRef>>> = const { RefCell::new(None) };
}

impl<O: Op> Drop for Record<O> {
    /// Drops the nodes behind this one from a list instead of one inside the other: a chain of a million
    /// operations must not need a million stack frames.
    fn drop(&mut self) {
        let mut first = None;
        for edge in self.edges.as_mut() {
            let Some(Source::Node(node)) = edge.source.take() else {
                continue;
            };
            if !node.is_unique() {
                continue;
            }
            let queued = DYING.try_with(|dying| match &mut *dying.borrow_mut() {
                Some(list) => {
                    list.push(node);
                    None
                }
                none => {
                    *none = Some(Vec::new());
                    Some(node)
                }
            });
            // The thread is ending and its list is gone: then node by node.
            if let Ok(Some(node)) = queued {
                first = Some(node);
            }
        }
        let Some(mut node) = first else { return };
        loop {
            drop(node);
            let next = DYING.with_borrow_mut(|dying| dying.as_mut().and_then(Vec::pop));
            match next {
                Some(n) => node = n,
                None => break,
            }
        }
        DYING.set(None);
    }
}
