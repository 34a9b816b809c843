//! Watching operations while they are performed.

use crate::autograd::mode;
use std::cell::RefCell;
use std::marker::PhantomData;
use wengert_array::{Array, Meta};

/// An operation that was performed.
#[derive(Clone, Debug)]
pub struct Performed {
    /// Its name.
    pub name: &'static str,
    /// Shape, dtype and device of the result.
    pub meta: Meta,
    /// How many floating-point operations it took: see [`Op::flops`](crate::Op::flops).
    pub flops: u64,
    /// Where in memory its inputs begin.
    inputs: Vec<usize>,
}

impl Performed {
    /// Whether this array was among its inputs.
    pub fn read(&self, array: &Array) -> bool {
        array.numel() > 0 && self.inputs.contains(&place(array))
    }
}

fn place(array: &Array) -> usize {
    array.as_bytes_ptr() as usize
}

#[derive(Default)]
struct Seen {
    all: Vec<Performed>,
    watches: usize,
}

thread_local! {
    static SEEN: RefCell<Seen> = RefCell::default();
}

/// Takes note of an operation.
#[cold]
pub(crate) fn tell(name: &'static str, inputs: &[&Array], meta: &Meta, flops: u64) {
    let inputs = inputs.iter().map(|x| place(x)).collect();
    let meta = meta.clone();
    SEEN.with_borrow_mut(|seen| {
        seen.all.push(Performed {
            name,
            meta,
            flops,
            inputs,
        });
    });
}

/// Takes note of the operations of this thread, from when it is made until it is dropped.
#[derive(Debug)]
pub struct Watch {
    start: usize,
    /// It must be dropped by the thread that made it.
    _not_send: PhantomData<*const ()>,
}

impl Watch {
    /// From now on.
    #[must_use = "the watch ends when it is dropped"]
    pub fn start() -> Watch {
        mode::watch(true);
        let start = SEEN.with_borrow_mut(|seen| {
            seen.watches += 1;
            seen.all.len()
        });
        Watch {
            start,
            _not_send: PhantomData,
        }
    }

    /// How many operations there were since it was made.
    pub fn count(&self) -> usize {
        SEEN.with_borrow(|seen| seen.all.len() - self.start)
    }

    /// The operations since it was made, but for the first ones.
    pub fn operations(&self, after: usize) -> Vec<Performed> {
        SEEN.with_borrow(|seen| seen.all[self.start + after..].to_vec())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        SEEN.with_borrow_mut(|seen| {
            seen.watches -= 1;
            if seen.watches == 0 {
                seen.all = Vec::new();
                mode::watch(false);
            }
        });
    }
}

/// What `f` gives, and the operations that it performs on this thread, those of a backward pass among them.
///
/// ```
/// use wengert::{Tensor, inspect};
///
/// let (x, w) = (Tensor::ones([4, 8]), Tensor::ones([8, 16]));
/// let (_, all) = inspect::performed(|| x.matmul(&w).relu());
/// let names: Vec<&str> = all.iter().map(|p| p.name).collect();
/// assert_eq!(names, ["matmul", "relu"]);
/// // 8 multiplications and additions for each of 4 · 16 numbers.
/// assert_eq!(all.iter().map(|p| p.flops).sum::<u64>(), 2 * 8 * 4 * 16);
/// assert!(all[0].read(&w.array()));
/// ```
pub fn performed<T>(f: impl FnOnce() -> T) -> (T, Vec<Performed>) {
    let watch = Watch::start();
    let result = f();
    let all = watch.operations(0);
    (result, all)
}
