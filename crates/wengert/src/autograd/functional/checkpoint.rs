//! Trading time for memory: a part of a graph that is computed again when its gradient is asked for.

use super::Tree;
use crate::autograd::node::{Ctx, next_id};
use crate::autograd::{Autocast, Backward, Source, autocast_dtype, enable_grad, is_recording, lock, no_grad};
use crate::op::{Complex, Each, Extra, In, Op, Sample, Saves, Variadic};
use crate::ops::{cat, ok, shape::Reshape};
use crate::random::with_generator;
use crate::tensor::Tensor;
use smallvec::smallvec;
use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex};
use wengert_array::kernels::Generator;
use wengert_array::{Array, DType, Error, ErrorKind, Meta, Result, Shape, raise};

type Function = Arc<dyn Fn(&[Tensor]) -> Tensor + Send + Sync>;

/// A function as one operation: y = f(x, what f captures). It keeps its inputs and nothing of what lies between;
/// dx comes from running f again.
///
/// The inputs are those of the function, and then, for their gradients alone, the variables that it captures.
#[derive(Clone)]
struct Recompute {
    f: Function,
    inputs: usize,
    output: Meta,
    /// Where random numbers are to be drawn from again, so that they are the same.
    random: Option<[u64; 2]>,
    /// The dtype of products, where it ran in mixed precision.
    half: Option<DType>,
    /// The result, where the function has run already.
    value: Arc<Mutex<Option<Array>>>,
}

impl fmt::Debug for Recompute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Checkpoint")
    }
}

impl Recompute {
    /// Runs it with the random numbers and the precision that it had the first time.
    fn again(&self, x: &[Tensor]) -> Tensor {
        struct Restore(Option<[u64; 2]>);
        impl Drop for Restore {
            fn drop(&mut self) {
                self.0
                    .into_iter()
                    .for_each(|state| with_generator(|g| *g = Generator::from_state(state)));
            }
        }
        let exchange = |first| {
            with_generator(|g| {
                let state = g.state();
                *g = Generator::from_state(first);
                state
            })
        };
        let _restore = Restore(self.random.map(exchange));
        let _half = Autocast::set(self.half);
        let y = (self.f)(x);
        if (y.shape(), y.dtype()) != (self.output.shape.clone(), self.output.dtype) {
            let (was, is) = (&self.output.shape, y.shape());
            let message = format!("the function gave shape {was} the first time, and {is} when run again");
            raise(
                Error::new(ErrorKind::Graph, "checkpoint", message)
                    .note("it must compute the same whenever it runs on the same inputs"),
            );
        }
        y
    }
}

impl Op for Recompute {
    type Inputs = Variadic;
    const NAME: &'static str = "checkpoint";
    // Inputs are kept as extras: there may be more of them than `Saves` can name.
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, _: Each<Self, In<'_>>) -> Result<Meta> {
        Ok(self.output.clone())
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Whole
    }
    fn forward(&self, x: Each<Self, Array>, _: &Meta, extra: &mut Extra) -> Array {
        let x = &x[..self.inputs];
        x.iter().for_each(|x| extra.keep(x.clone()));
        let value = lock(&self.value).take();
        value.unwrap_or_else(|| {
            let x: Vec<Tensor> = x.iter().cloned().map(Tensor::constant).collect();
            no_grad(|| self.again(&x)).array()
        })
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> Each<Self, Option<Tensor>> {
        let recording = is_recording();
        let mut ids: Vec<Option<u64>> = Vec::with_capacity(cx.inputs());
        let input = |i| {
            let value = cx.extra(i);
            let x = match cx.source(i) {
                // A variable of this pass alone: the function may capture the same tensor, too.
                Some(source) if recording => {
                    Reshape(value.shape().clone()).apply([&Tensor::made(value, source.clone())])
                }
                Some(_) => Tensor::constant(value).requires_grad_(true),
                None => Tensor::constant(value),
            };
            ids.push(x.source().map(|s| s.id()));
            x
        };
        let x: Vec<Tensor> = (0..self.inputs).map(input).collect();
        ids.extend((self.inputs..cx.inputs()).map(|i| cx.source(i).map(Source::id)));
        let y = enable_grad(|| self.again(&x));
        let Some(source) = y.source() else {
            return smallvec![None; cx.inputs()];
        };
        let wanted: Vec<usize> = (0..cx.inputs())
            .filter(|i| cx.wants(*i) && ids[*i].is_some())
            .collect();
        let targets: Vec<u64> = wanted.iter().filter_map(|i| ids[*i]).collect();
        let how = Backward::new().create_graph(recording).cut_at_targets();
        let found = ok(how.reach(vec![(source, dy)], &targets));
        let mut grads = smallvec![None; cx.inputs()];
        wanted.into_iter().zip(found).for_each(|(i, g)| grads[i] = g);
        grads
    }
    fn samples() -> Vec<Sample<Self>> {
        let x = Array::from_slice(&[0.5, -1.0, 2.0], [3]);
        let w = Array::from_slice(&[[1.5, 0.25, -0.5]].concat(), [3]);
        let op = |f: Function, inputs| Recompute {
            f,
            inputs,
            output: Meta::new([3], DType::F64),
            random: None,
            half: None,
            value: Arc::default(),
        };
        let narrow = |y: Tensor| y.to(DType::F64);
        vec![
            Sample::new(
                op(Arc::new(move |x| narrow((&x[0] * &x[1]).tanh())), 2),
                vec![x.clone(), w.clone()],
            )
            .gives([0.75, -0.25, -1.0].map(f64::tanh)),
            Sample::new(op(Arc::new(move |x| narrow(x[0].exp() * &x[0])), 1), vec![x]),
        ]
    }
}

/// `f(x)`, of whose graph nothing is kept but the inputs: the backward pass runs `f` again. It saves the memory of
/// what lies between, for the time of one more run (Chen et al. 2016, *Training deep nets with sublinear memory
/// cost*).
///
/// Variables that `f` captures, as a model's parameters, get their gradients as usual, and gradients of gradients
/// work. Random numbers, as dropout's, are the same when it runs again. `f` must compute the same both times; it
/// reads what it captures as that is then.
///
/// ```
/// use wengert::{Tensor, func::checkpoint};
///
/// let x = Tensor::new([1.0, 2.0]).requires_grad_(true);
/// checkpoint(|x: &Tensor| x.exp().sin().sum(), &x).backward();
/// let slope = |x: f32| x.exp().cos() * x.exp();
/// assert!(x.grad().unwrap().allclose(&Tensor::new([slope(1.0), slope(2.0)]), 1e-6, 1e-6));
/// ```
#[track_caller]
pub fn checkpoint<X, Y, F>(f: F, x: &X) -> Y
where
    X: Tree + Send + Sync + 'static,
    Y: Tree,
    F: Fn(&X) -> Y + Send + Sync + 'static,
{
    keep_inputs(f, x, Some(with_generator(|g| g.state())))
}

/// As [`checkpoint`], for an `f` that draws no random numbers, or may draw others when it runs again: PyTorch's
/// `preserve_rng_state=False`.
#[track_caller]
pub fn checkpoint_drawing_anew<X, Y, F>(f: F, x: &X) -> Y
where
    X: Tree + Send + Sync + 'static,
    Y: Tree,
    F: Fn(&X) -> Y + Send + Sync + 'static,
{
    keep_inputs(f, x, None)
}

#[track_caller]
fn keep_inputs<X, Y, F>(f: F, x: &X, random: Option<[u64; 2]>) -> Y
where
    X: Tree + Send + Sync + 'static,
    Y: Tree,
    F: Fn(&X) -> Y + Send + Sync + 'static,
{
    if !is_recording() {
        return f(x);
    }
    let inputs = x.leaves();
    // The first run is recorded, to see which variables it reads and which results depend on any, and what it
    // recorded is dropped. (The backward pass will need as much memory once more anyway.)
    let start = next_id();
    let fresh: Vec<Tensor> = inputs
        .iter()
        .map(|t| t.detach().requires_grad_(t.requires_grad()))
        .collect();
    let y = f(&x.rebuild(&mut fresh.iter().cloned()));
    let results = y.leaves();
    let differentiable: Vec<usize> = (0..results.len())
        .filter(|i| results[*i].requires_grad())
        .collect();
    if differentiable.is_empty() {
        return y;
    }
    let captured = captured(&results, &fresh, start);
    let packed = no_grad(|| pack(&results, &differentiable));
    // The structure alone: an operation that held tensors would keep their history alive.
    let structure = x.rebuild(
        &mut inputs
            .iter()
            .map(|_| Tensor::constant(Array::fill([], 0.0, DType::F32))),
    );
    let which = differentiable.clone();
    let op = Recompute {
        f: Arc::new(move |x| pack(&f(&structure.rebuild(&mut x.iter().cloned())).leaves(), &which)),
        inputs: inputs.len(),
        output: packed.array().meta(),
        random,
        half: autocast_dtype(),
        value: Arc::new(Mutex::new(Some(packed.array()))),
    };
    let all = inputs.iter().chain(&captured).collect();
    let packed = op.apply(all);
    let mut unpacked = unpack(&packed, &results, &differentiable).into_iter();
    let each = results.iter().map(|t| match t.requires_grad() {
        true => unpacked.next().expect("one for each"),
        false => t.clone(),
    });
    y.rebuild(&mut each.collect::<Vec<_>>().into_iter())
}

/// The variables from outside that these results depend on, besides `own`. Their values are not kept.
fn captured(results: &[Tensor], own: &[Tensor], start: u64) -> Vec<Tensor> {
    let mut stack: Vec<Source> = results.iter().filter_map(Tensor::source).collect();
    let mut seen: HashSet<u64> = own.iter().filter_map(Tensor::source).map(|s| s.id()).collect();
    let mut found = Vec::new();
    while let Some(source) = stack.pop() {
        if !seen.insert(source.id()) {
            continue;
        }
        let meta = match &source {
            Source::Leaf(leaf) => leaf.array().meta(),
            Source::Node(node) if node.id() < start => node.output().clone(),
            Source::Node(node) => {
                stack.extend(node.edges().iter().filter_map(|e| e.source.clone()));
                continue;
            }
        };
        found.push(Tensor::made(Array::fill(meta.shape, 0.0, meta.dtype), source));
    }
    found
}

/// Several results in one.
fn pack(results: &[Tensor], which: &[usize]) -> Tensor {
    if let [one] = which {
        return results[*one].clone();
    }
    let flat: Vec<Tensor> = which
        .iter()
        .map(|i| results[*i].reshape([results[*i].numel()]))
        .collect();
    cat(&flat.iter().collect::<Vec<_>>(), 0)
}

fn unpack(packed: &Tensor, like: &[Tensor], which: &[usize]) -> Vec<Tensor> {
    if which.len() == 1 {
        return vec![packed.clone()];
    }
    let mut start = 0;
    let part = |i: &usize| {
        let (shape, dtype): (Shape, DType) = (like[*i].shape(), like[*i].dtype());
        start += shape.numel();
        packed
            .narrow(0, start - shape.numel(), shape.numel())
            .reshape(shape)
            .to(dtype)
    };
    which.iter().map(part).collect()
}

crate::ops::contract! { recompute: Recompute }
