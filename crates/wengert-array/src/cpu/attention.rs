//! Attention in blocks: the scores of a block of queries with a block of keys are made, used and forgotten, so
//! memory is linear in the length (Dao et al., 2022). Backward makes them again.

use super::isa::{Lane, dispatch};
use super::rows::{largest, powers, sum};
use super::shared::{In, Out};
use super::threads;
use super::vector::{Float, Products, Vector, totals};
use crate::array::Array;
use crate::cpu::gemm::{Matrix, Product, Start, gemm};
use crate::dtype::{Compute, DType};
use crate::real::Real;

/// Queries and keys in a block.
const QUERIES: usize = 64;
const KEYS: usize = 256;
/// Numbers of the widest vector.
const VECTOR: usize = 16;

/// What decides which query sees which key, and how.
pub struct Scores<'a> {
    /// What products are multiplied by.
    pub scale: f64,
    /// Whether query i sees only keys up to i.
    pub causal: bool,
    /// Of shape [batch.., queries, keys], possibly broadcast: bools that say who sees whom, or numbers to be added.
    pub mask: Option<&'a Array>,
}

fn rows<C>(at: *const C, row: usize) -> Matrix<C> {
    let row = row as isize;
    Matrix { at, row, col: 1 }
}

/// scale · x · yᵀ, for m rows of k numbers in x and n in y, as m rows of a block of scores.
///
/// # Safety
/// The matrices have these sizes.
unsafe fn dots<C: Compute>(block: &mut [C], size: [usize; 3], x: *const C, y: *const C, scale: f64) {
    let product = Product {
        size,
        out: block.as_mut_ptr(),
        step: KEYS,
        start: Start::Zero,
        a: rows(x, size[1]),
        b: rows(y, size[1]).transposed(),
        scale: C::from_f64(scale),
    };
    // SAFETY: the caller's promise.
    unsafe { gemm(&product) }
}

/// Adds scale · a · x, whose rows have n numbers.
///
/// # Safety
/// The matrices have these sizes, and `out` is ours.
unsafe fn add<C: Compute>(out: *mut C, size: [usize; 3], a: Matrix<C>, x: *const C, scale: f64) {
    let product = Product {
        size,
        out,
        step: size[2],
        start: Start::Old,
        a,
        b: rows(x, size[2]),
        scale: C::from_f64(scale),
    };
    // SAFETY: the caller's promise.
    unsafe { gemm(&product) }
}

/// The mask as kernels read it: where its parts lie, in elements.
struct Mask<C> {
    bools: In<bool>,
    numbers: In<C>,
    dims: Vec<(usize, isize)>,
    row: isize,
    col: isize,
}

impl<C: Lane> Mask<C> {
    /// A number for each pair is added as it is; of bools, what is false is cut off.
    fn new(mask: Option<&Array>) -> (Option<Array>, Mask<C>) {
        let none = Mask {
            bools: In(std::ptr::null()),
            numbers: In(std::ptr::null()),
            dims: Vec::new(),
            row: 0,
            col: 0,
        };
        let Some(mask) = mask else { return (None, none) };
        let held = if mask.dtype() == DType::Bool {
            mask.clone()
        } else {
            mask.cast(C::DTYPE)
        };
        let (rank, strides) = (held.rank(), held.layout().strides());
        let mut seen = Mask {
            dims: (0..rank - 2).map(|d| (held.shape()[d], strides[d])).collect(),
            row: strides[rank - 2],
            col: strides[rank - 1],
            ..none
        };
        match held.dtype() {
            DType::Bool => seen.bools = In(held.as_ptr::<bool>()),
            _ => seen.numbers = In(held.as_ptr::<C>()),
        }
        (Some(held), seen)
    }

    fn offset(&self, batch: usize) -> isize {
        let (mut rest, mut at) = (batch, 0);
        for &(size, stride) in self.dims.iter().rev() {
            at += (rest % size) as isize * stride;
            rest /= size;
        }
        at
    }

    /// Applies the mask to the scores of queries from `q` on with keys from `k` on.
    ///
    /// # Safety
    /// `scores` has these rows of KEYS numbers.
    unsafe fn apply(&self, batch: usize, [q, k]: [usize; 2], [m, n]: [usize; 2], scores: &mut [C]) {
        let never = C::from_f64(f64::NEG_INFINITY);
        let base = self.offset(batch);
        for i in 0..m {
            let row = &mut scores[i * KEYS..][..n];
            let at = base + (q + i) as isize * self.row + k as isize * self.col;
            // SAFETY: the mask has an element for each query and key of each batch.
            unsafe {
                if !self.bools.0.is_null() {
                    for (j, s) in row.iter_mut().enumerate() {
                        if !*self.bools.0.offset(at + j as isize * self.col) {
                            *s = never;
                        }
                    }
                } else if !self.numbers.0.is_null() {
                    for (j, s) in row.iter_mut().enumerate() {
                        let more = *self.numbers.0.offset(at + j as isize * self.col);
                        *s = C::from_f64(s.to_f64() + more.to_f64());
                    }
                }
            }
        }
    }
}

impl Scores<'_> {
    /// How many of `n` keys from `key` on query `q` sees, but for the mask.
    fn seen(&self, q: usize, key: usize, n: usize) -> usize {
        match self.causal {
            true => (q + 1).saturating_sub(key).min(n),
            false => n,
        }
    }

    /// Of a row of query `q`'s scores with keys from `key` on, those that it sees, filled up to whole vectors with −∞. The
    /// others become 0.
    fn cut<'r, C: Compute>(&self, row: &'r mut [C], q: usize, key: usize) -> &'r mut [C] {
        let seen = self.seen(q, key, row.len());
        let whole = seen.next_multiple_of(VECTOR).min(row.len());
        row[seen..whole].fill(C::from_f64(f64::NEG_INFINITY));
        let (row, unseen) = row.split_at_mut(whole);
        unseen.fill(C::default());
        row
    }
}

/// Σⱼ softmax(scale q·k + mask)ⱼ vⱼ for q [batch.., L, E], k [batch.., S, E], v [batch.., S, V], and ln Σ e^score for each
/// query. A query that sees nothing gets zeros, and +∞ for the latter.
pub fn attention(q: &Array, k: &Array, v: &Array, scores: &Scores<'_>) -> [Array; 2] {
    let (dtype, compute) = (q.dtype(), q.dtype().compute());
    let [q, k, v] = [q, k, v].map(|x| x.cast(compute).contiguous());
    match compute {
        DType::F64 => forward::<f64>(&q, &k, &v, scores),
        _ => forward::<f32>(&q, &k, &v, scores),
    }
    .map(|x| if x.rank() == q.rank() { x.cast(dtype) } else { x })
}

fn sizes(q: &Array, k: &Array, v: &Array) -> [usize; 5] {
    let r = q.rank();
    let batch = q.shape()[..r - 2].iter().product();
    [
        batch,
        q.shape()[r - 2],
        k.shape()[r - 2],
        q.shape()[r - 1],
        v.shape()[r - 1],
    ]
}

fn forward<C: Float>(q: &Array, k: &Array, v: &Array, how: &Scores<'_>) -> [Array; 2] {
    let [batch, l, s, e, w] = sizes(q, k, v);
    let r = q.rank();
    let mut y = Array::full(q.shape().with(r - 1, w), 0.0, C::DTYPE);
    let mut lse = Array::full(q.shape().remove(r - 1), f64::INFINITY, C::DTYPE);
    if y.numel() == 0 || s == 0 {
        return [y, lse];
    }
    let (_held, mask) = Mask::<C>::new(how.mask);
    let [q, k, v] = [q, k, v].map(|x| In(x.as_slice::<C>().as_ptr()));
    let (out, sums) = (
        Out(y.make_mut::<C>().as_mut_ptr()),
        Out(lse.make_mut::<C>().as_mut_ptr()),
    );
    let blocks = l.div_ceil(QUERIES);
    let cost = QUERIES.min(l) * s * (e + w) / 24 + QUERIES.min(l) * s * 4;
    threads::split(batch * blocks, 1, cost, |start, len| {
        let mut scores = vec![C::default(); QUERIES * KEYS];
        for task in start..start + len {
            let (b, from) = (task / blocks, task % blocks * QUERIES);
            let m = QUERIES.min(l - from);
            let (mut top, mut total) = ([f64::NEG_INFINITY; QUERIES], [0.0; QUERIES]);
            // SAFETY: blocks of queries and of results of this task, and keys of its batch.
            unsafe {
                let (q, out) = (q.at((b * l + from) * e), out.at((b * l + from) * w));
                for key in (0..s).step_by(KEYS) {
                    // What the last of the queries does not see, none does.
                    let n = how.seen(from + m - 1, key, KEYS.min(s - key));
                    if n == 0 {
                        break;
                    }
                    let (k, v) = (k.at((b * s + key) * e), v.at((b * s + key) * w));
                    dots(&mut scores, [m, e, n], q, k, how.scale);
                    mask.apply(b, [from, key], [m, n], &mut scores);
                    for i in 0..m {
                        let out = std::slice::from_raw_parts_mut(out.add(i * w), w);
                        let row = how.cut(&mut scores[i * KEYS..][..n], from + i, key);
                        online(row, out, &mut top[i], &mut total[i]);
                    }
                    add(out, [m, n, w], rows(scores.as_ptr(), KEYS), v, 1.0);
                }
                for i in 0..m {
                    let out = std::slice::from_raw_parts_mut(out.add(i * w), w);
                    if total[i] == 0.0 {
                        out.fill(C::default());
                        continue;
                    }
                    scaled::<C>(out, 1.0 / total[i]);
                    sums.at(b * l + from + i)
                        .write(C::from_f64(top[i] + total[i].ln()));
                }
            }
        }
    });
    [y, lse]
}

dispatch!(unsafe fn scaled<C: Lane>(x: &mut [C], by: f64) => scaled_body);
dispatch!(unsafe fn slopes<C: Lane>(p: &[C], dp: &mut [C], minus: C) => slopes_body);
dispatch!(vectors unsafe fn dot<C: Float>(a: &[C], b: &[C], sum: &mut C) => dot_body);

/// # Safety
/// `S` has the bits of `C`.
#[inline(always)]
unsafe fn seen_mut<S, C>(x: &mut [C]) -> &mut [S] {
    const { assert!(size_of::<S>() == size_of::<C>() && align_of::<S>() == align_of::<C>()) };
    // SAFETY: same size, alignment and, by the caller's promise, meaning of bits.
    unsafe { std::slice::from_raw_parts_mut(x.as_mut_ptr().cast(), x.len()) }
}

/// Turns a row's scores into e^(score − top) for the largest so far, and brings what was added up before to it.
fn online<C: Float>(scores: &mut [C], out: &mut [C], top: &mut f64, total: &mut f64) {
    let here = largest(scores).to_f64();
    // NaN goes through.
    let new = if here > *top || here.is_nan() { here } else { *top };
    if new == f64::NEG_INFINITY {
        scores.fill(C::default());
        return;
    }
    powers(scores, C::from_f64(new));
    if *total != 0.0 && new != *top {
        let by = (*top - new).exp();
        // SAFETY: unsafe only because it is compiled for instructions, which the dispatch finds.
        unsafe { scaled::<C>(out, by) };
        *total *= by;
    }
    *total += sum(scores);
    *top = new;
}

#[inline(always)]
unsafe fn scaled_body<S: Real, C: Lane>(x: &mut [C], by: f64) {
    // SAFETY: S has the bits of C.
    let x = unsafe { seen_mut::<S, C>(x) };
    for v in x {
        *v = *v * S::lit(by);
    }
}

/// p (dp − minus).
#[inline(always)]
unsafe fn slopes_body<S: Real, C: Lane>(p: &[C], dp: &mut [C], minus: C) {
    // SAFETY: S has the bits of C.
    unsafe {
        let p = std::slice::from_raw_parts(p.as_ptr().cast::<S>(), p.len());
        let minus = S::lit(minus.to_f64());
        for (dp, p) in seen_mut::<S, C>(dp).iter_mut().zip(p) {
            *dp = *p * (*dp - minus);
        }
    }
}

#[inline(always)]
unsafe fn dot_body<V: Vector<C = C>, C: Float>(a: &[C], b: &[C], sum: &mut C) {
    // SAFETY: the caller's promise: the rows have one length.
    let [[total]] = unsafe { totals::<V, 1, 1>(a.len(), &Products([a.as_ptr(), b.as_ptr()])) };
    *sum = C::from_f64(total);
}

/// The gradients of [`attention`] for q, k and v.
pub fn attention_backward(
    q: &Array,
    k: &Array,
    v: &Array,
    y: &Array,
    lse: &Array,
    dy: &Array,
    scores: &Scores<'_>,
) -> [Array; 3] {
    let (dtype, compute) = (q.dtype(), q.dtype().compute());
    let all = [q, k, v, y, lse, dy].map(|x| x.cast(compute).contiguous());
    match compute {
        DType::F64 => backward::<f64>(all, scores),
        _ => backward::<f32>(all, scores),
    }
    .map(|x| x.cast(dtype))
}

fn backward<C: Float>([q, k, v, y, lse, dy]: [Array; 6], how: &Scores<'_>) -> [Array; 3] {
    let [batch, l, s, e, w] = sizes(&q, &k, &v);
    let mut grads = [&q, &k, &v].map(|x| Array::full(x.shape(), 0.0, C::DTYPE));
    if l * s == 0 {
        return grads;
    }
    let (_held, mask) = Mask::<C>::new(how.mask);
    let [dq, dk, dv] = grads.each_mut().map(|g| Out(g.make_mut::<C>().as_mut_ptr()));
    let [q, k, v, dy_at] = [&q, &k, &v, &dy].map(|x| In(x.as_slice::<C>().as_ptr()));
    let (y, dy, lse) = (y.as_slice::<C>(), dy.as_slice::<C>(), lse.as_slice::<C>());
    threads::split(batch, 1, l * s * (e + w) / 8 + l * s * 4, |start, len| {
        let mut p = vec![C::default(); QUERIES * KEYS];
        let mut slope = vec![C::default(); QUERIES * KEYS];
        let mut minus = vec![C::default(); l];
        for b in start..start + len {
            // SAFETY: all of one batch, which is this task's.
            unsafe {
                for (i, minus) in minus.iter_mut().enumerate() {
                    dot::<C>(&y[(b * l + i) * w..][..w], &dy[(b * l + i) * w..][..w], minus);
                }
                for from in (0..l).step_by(QUERIES) {
                    let m = QUERIES.min(l - from);
                    let (q, dq) = (q.at((b * l + from) * e), dq.at((b * l + from) * e));
                    let dy = dy_at.at((b * l + from) * w);
                    for key in (0..s).step_by(KEYS) {
                        let n = how.seen(from + m - 1, key, KEYS.min(s - key));
                        if n == 0 {
                            break;
                        }
                        let (at_e, at_w) = ((b * s + key) * e, (b * s + key) * w);
                        let (k, v) = (k.at(at_e), v.at(at_w));
                        dots(&mut p, [m, e, n], q, k, how.scale);
                        mask.apply(b, [from, key], [m, n], &mut p);
                        for i in 0..m {
                            let row = how.cut(&mut p[i * KEYS..][..n], from + i, key);
                            powers(row, lse[b * l + from + i]);
                        }
                        let turned = rows(p.as_ptr(), KEYS).transposed();
                        add(dv.at(at_w), [n, m, w], turned, dy, 1.0);
                        dots(&mut slope, [m, w, n], dy, v, 1.0);
                        for i in 0..m {
                            slopes::<C>(&p[i * KEYS..][..n], &mut slope[i * KEYS..][..n], minus[from + i]);
                        }
                        let slope = rows(slope.as_ptr(), KEYS);
                        add(dq, [m, n, e], slope, k, how.scale);
                        add(dk.at(at_e), [n, m, e], slope.transposed(), q, how.scale);
                    }
                }
            }
        }
    });
    grads
}
