//! Stacks of small matrices, worked on side by side: as many at once as a vector of f64 has lanes, each in a lane of its own, so that
//! what one matrix takes is done for all of them. What becomes of a matrix does not depend on those beside it.

use super::matrix::Matrix;
use crate::array::Array;
use crate::cpu::isa::dispatch;
use crate::cpu::shared::{In, Out};
use crate::cpu::threads;
use crate::cpu::vector::{Float, Vector};
use crate::dtype::{DType, Element};
use crate::layout::Shape;
use std::ops::Range;
use std::slice::from_raw_parts_mut;

/// Matrices of at most so many rows and columns are worked on side by side.
const SMALL: usize = 16;

/// Every level of instructions has vectors of so many lanes, or of a part of them.
const GROUP: usize = 8;

/// Whether so many matrices of this size are worked on side by side: fewer would leave most lanes idle.
pub(super) fn small(count: usize, rows: usize, cols: usize) -> bool {
    count >= GROUP / 2 && rows <= SMALL && cols <= SMALL
}

/// What is done to matrices side by side.
pub(super) trait Task<C>: Sync {
    /// How many vectors it takes.
    fn room(&self) -> usize;

    /// Does it to `count` matrices from the one with the number `from` on: as many as a vector has lanes, or what is left of them.
    fn group<V: Vector<C = C>>(&self, from: usize, count: usize, room: &mut [V]);
}

/// Does it to the `count` matrices of a stack, each of which takes `work` operations.
pub(super) fn side_by_side(count: usize, work: usize, task: &impl Task<f64>) {
    threads::split(count, GROUP, work / 2, |start, len| {
        // SAFETY: unsafe only because it is compiled for instructions, which the dispatch finds.
        unsafe { groups::<f64, _>(task, start, len) }
    });
}

dispatch!(vectors unsafe fn groups<C: Float, T: Task<C>>(task: &T, start: usize, len: usize) => groups_of);

#[inline(always)]
unsafe fn groups_of<V: Vector<C = C>, C: Float, T: Task<C>>(task: &T, start: usize, len: usize) {
    let mut room = vec![V::splat(C::from_f64(0.0)); task.room()];
    let end = start + len;
    for from in (start..end).step_by(V::LANES) {
        task.group::<V>(from, V::LANES.min(end - from), &mut room);
    }
}

/// The lanes of vectors, those of the first vector first.
#[inline(always)]
pub(super) fn lanes<V: Vector<C = f64>>(of: &mut [V]) -> &mut [f64] {
    // SAFETY: a vector is as many numbers beside each other as it has lanes, and this borrow alone can reach them.
    unsafe { from_raw_parts_mut(of.as_mut_ptr().cast(), of.len() * V::LANES) }
}

/// The lanes of a vector, and zeros.
#[inline(always)]
pub(super) fn lane_list<V: Vector<C = f64>>(mut of: V) -> [f64; GROUP] {
    let mut list = [0.0; GROUP];
    list[..V::LANES].copy_from_slice(lanes(std::slice::from_mut(&mut of)));
    list
}

/// The matrices of an array, in any layout.
pub(super) struct Stack {
    array: Array,
    /// Where each begins, counted from the array's first element.
    starts: Vec<isize>,
    pub(super) rows: usize,
    pub(super) cols: usize,
    /// How far apart rows and columns lie.
    steps: [isize; 2],
}

impl Stack {
    pub(super) fn of(a: &Array) -> Stack {
        let array = match a.dtype() {
            DType::F32 => a.clone(),
            _ => a.cast(DType::F64),
        };
        let (rank, layout) = (a.rank() - 2, array.layout());
        let (shape, strides) = (layout.shape(), layout.strides());
        let mut starts = vec![0];
        for (&n, &stride) in shape[..rank].iter().zip(strides) {
            let next = |&start: &isize| (0..n as isize).map(move |i| start + i * stride);
            starts = starts.iter().flat_map(next).collect();
        }
        Stack {
            starts,
            rows: shape[rank],
            cols: shape[rank + 1],
            steps: [strides[rank], strides[rank + 1]],
            array,
        }
    }

    /// With as many matrices as `lead` says, to which the leading dimensions broadcast.
    pub(super) fn spread(a: &Array, lead: &Shape) -> Stack {
        let tail = &a.shape()[a.rank() - 2..];
        Stack::of(&a.broadcast_to(&lead.iter().chain(tail).copied().collect::<Shape>()))
    }

    pub(super) fn t(self) -> Stack {
        Stack {
            rows: self.cols,
            cols: self.rows,
            steps: [self.steps[1], self.steps[0]],
            ..self
        }
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    pub(super) fn dtype(&self) -> DType {
        self.array.dtype()
    }

    /// Whether all are symmetric, NaN beside NaN.
    pub(super) fn is_symmetric(&self) -> bool {
        match self.array.dtype() {
            DType::F32 => self.all_symmetric::<f32>(),
            _ => self.all_symmetric::<f64>(),
        }
    }

    fn all_symmetric<E: Element>(&self) -> bool {
        /// Rows and columns of the squares by which elements are compared: the cache holds two of them.
        const SQUARE: usize = 16;
        assert!(self.rows == self.cols);
        let (at, n, [down, right]) = (self.array.as_ptr::<E>(), self.rows, self.steps);
        // SAFETY: the layout has the elements of all rows and columns.
        let element = |start: isize, i: usize, j: usize| unsafe {
            *at.wrapping_offset(start + i as isize * down + j as isize * right)
        };
        self.starts.iter().all(|&start| {
            for top in (0..n).step_by(SQUARE) {
                for left in (0..=top).step_by(SQUARE) {
                    for i in top..n.min(top + SQUARE) {
                        for j in left..i.min(left + SQUARE) {
                            let (x, y) = (element(start, i, j), element(start, j, i));
                            // Only NaN is not equal to itself.
                            #[allow(clippy::eq_op)]
                            if x != y && (x == x || y == y) {
                                return false;
                            }
                        }
                    }
                }
            }
            true
        })
    }

    /// A matrix of its own.
    pub(super) fn matrix(&self, k: usize) -> Matrix {
        let mut matrix = Matrix::zeros(self.rows, self.cols);
        let to = &mut matrix.data[..];
        match self.array.dtype() {
            DType::F32 => self.rows_of::<f32>(k, to),
            _ => self.rows_of::<f64>(k, to),
        }
        matrix
    }

    fn rows_of<E: Element>(&self, k: usize, to: &mut [f64]) {
        let at = self.array.as_ptr::<E>();
        for (i, to) in to.chunks_exact_mut(self.cols.max(1)).enumerate() {
            let row = at.wrapping_offset(self.starts[k] + i as isize * self.steps[0]);
            for (j, to) in to.iter_mut().enumerate() {
                // SAFETY: the layout has this element.
                *to = unsafe { *row.wrapping_offset(j as isize * self.steps[1]) }.load();
            }
        }
    }

    /// Brings the columns `cols` of the matrices from `from` on side by side, as rows that begin every `width` vectors: all rows, or those
    /// that `order` lists for each matrix. In lanes that are left over is the last matrix.
    #[inline(always)]
    pub(super) fn gather<V: Vector<C = f64>>(
        &self,
        from: usize,
        cols: Range<usize>,
        order: Option<&[i64]>,
        to: &mut [V],
        width: usize,
    ) {
        match self.array.dtype() {
            DType::F32 => self.gather_from::<V, f32>(from, cols, order, to, width),
            _ => self.gather_from::<V, f64>(from, cols, order, to, width),
        }
    }

    #[inline(always)]
    fn gather_from<V: Vector<C = f64>, E: Element>(
        &self,
        from: usize,
        cols: Range<usize>,
        order: Option<&[i64]>,
        to: &mut [V],
        width: usize,
    ) {
        let (rows, last) = (self.rows, self.starts.len() - 1);
        assert!(cols.end <= self.cols && cols.len() <= width && rows * width <= to.len());
        let (first, count) = (cols.start as isize, cols.len());
        let (at, to) = (In(self.array.as_ptr::<E>()), lanes(to).as_mut_ptr());
        let whole = count == width && self.steps == [width as isize, 1] && order.is_none();
        for l in 0..V::LANES {
            let matrix = last.min(from + l);
            if whole {
                // SAFETY: all elements of the matrix, which lie one after the other; `to` has room for them, as was checked.
                unsafe {
                    let x = at.at(0).wrapping_offset(self.starts[matrix]);
                    for k in 0..rows * width {
                        *to.add(k * V::LANES + l) = (*x.add(k)).load();
                    }
                }
                continue;
            }
            let order = order.map(|order| &order[matrix * rows..(matrix + 1) * rows]);
            for i in 0..rows {
                let row = order.map_or(i, |order| order[i] as usize);
                assert!(row < rows);
                let start = self.starts[matrix] + row as isize * self.steps[0] + first * self.steps[1];
                // SAFETY: the layout has the elements of this row and these columns; `to` has room for `rows` rows, as was checked.
                unsafe {
                    let (mut x, mut to) = (at.at(0).wrapping_offset(start), to.add(i * width * V::LANES + l));
                    for _ in 0..count {
                        *to = (*x).load();
                        (x, to) = (x.wrapping_offset(self.steps[1]), to.wrapping_add(V::LANES));
                    }
                }
            }
        }
    }
}

/// Where matrices side by side go: a new array of a stack of them.
pub(super) struct Results {
    array: Array,
    at: Place,
    count: usize,
    rows: usize,
    cols: usize,
}

enum Place {
    F32(Out<f32>),
    F64(Out<f64>),
    I64(Out<i64>),
}

impl Results {
    /// For `[lead.., rows, cols]` of f32, f64 or i64.
    pub(super) fn new(lead: &Shape, [rows, cols]: [usize; 2], dtype: DType) -> Results {
        let shape: Shape = lead.iter().copied().chain([rows, cols]).collect();
        let mut array = Array::uninit(shape, dtype);
        let at = match dtype {
            DType::F32 => Place::F32(Out(array.uninit_slice())),
            DType::I64 => Place::I64(Out(array.uninit_slice())),
            _ => Place::F64(Out(array.uninit_slice())),
        };
        Results {
            array,
            at,
            count: lead.numel(),
            rows,
            cols,
        }
    }

    /// Writes the columns `cols` of the `count` matrices from `from` on. Their elements are `steps` vectors apart, down and to the right.
    /// Rows go where `order` says for each matrix, which is to name each once.
    #[inline(always)]
    pub(super) fn scatter<V: Vector<C = f64>>(
        &self,
        [from, count]: [usize; 2],
        cols: Range<usize>,
        order: Option<&[i64]>,
        what: &mut [V],
        steps: [usize; 2],
    ) {
        match &self.at {
            Place::F32(at) => self.scatter_to(at, [from, count], cols, order, what, steps),
            Place::F64(at) => self.scatter_to(at, [from, count], cols, order, what, steps),
            Place::I64(at) => self.scatter_to(at, [from, count], cols, order, what, steps),
        }
    }

    #[inline(always)]
    fn scatter_to<V: Vector<C = f64>, E: Element>(
        &self,
        at: &Out<E>,
        [from, count]: [usize; 2],
        cols: Range<usize>,
        order: Option<&[i64]>,
        what: &mut [V],
        [down, right]: [usize; 2],
    ) {
        let (rows, width) = (self.rows, cols.len());
        if rows * width == 0 {
            return;
        }
        assert!(from + count <= self.count && count <= V::LANES && cols.end <= self.cols);
        assert!((rows - 1) * down + (width - 1) * right < what.len());
        let what = lanes(what).as_ptr();
        let whole = width == self.cols && [down, right] == [width, 1] && order.is_none();
        for l in 0..count {
            let matrix = from + l;
            if whole {
                // SAFETY: as below, of all elements of a matrix, which lie one after the other.
                unsafe {
                    let to = at.slice(matrix * rows * width, rows * width);
                    for (k, to) in to.iter_mut().enumerate() {
                        *to = E::store(*what.add(k * V::LANES + l));
                    }
                }
                continue;
            }
            let order = order.map(|order| &order[matrix * rows..(matrix + 1) * rows]);
            for i in 0..rows {
                let row = order.map_or(i, |order| order[i] as usize);
                assert!(row < rows);
                // SAFETY: these elements lie within the array, which has `count` matrices, as was checked, and are this task's alone; so
                // do those that are read within `what`.
                unsafe {
                    let to = at.slice((matrix * rows + row) * self.cols + cols.start, width);
                    let mut x = what.add(i * down * V::LANES + l);
                    for to in to {
                        *to = E::store(*x);
                        x = x.wrapping_add(right * V::LANES);
                    }
                }
            }
        }
    }

    /// Writes one matrix, whose elements these are.
    pub(super) fn write(&self, k: usize, what: &[f64]) {
        let size = self.rows * self.cols;
        assert!(k < self.count && what.len() == size);
        // SAFETY: a matrix within the array, and this task's alone.
        unsafe {
            match &self.at {
                Place::F32(at) => write(at.slice(k * size, size), what),
                Place::F64(at) => write(at.slice(k * size, size), what),
                Place::I64(at) => write(at.slice(k * size, size), what),
            }
        }
    }

    /// The array, of which everything was written.
    pub(super) fn array(self) -> Array {
        self.array
    }
}

fn write<E: Element>(to: &mut [E], what: &[f64]) {
    to.iter_mut().zip(what).for_each(|(to, x)| *to = E::store(*x));
}
