//! Matrices of f64 in row-major order.

use super::loops::{along, largest};
use crate::cpu::gemm::{self, Product, Start, gemm};
use crate::storage::Buffer;
use std::fmt;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut, Range};
use std::slice::{from_raw_parts, from_raw_parts_mut};

/// Columns, or rows, that are worked on together: what one block leaves for the rest is a matrix product.
pub(super) const BLOCK: usize = 32;

/// Rows and columns of the squares by which matrices are transposed.
const TURN: usize = 16;

#[derive(Clone, Debug)]
pub(super) struct Matrix {
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) data: Numbers,
}

/// So many numbers and fewer, of which a stack has thousands, are the system's allocator's business.
const FEW: usize = 4096;

/// Many numbers are in memory from the pool of buffers: the system would take it back each time, and give it anew page by page.
pub(super) enum Numbers {
    Few(Vec<f64>),
    Many(Buffer, usize),
}

impl Numbers {
    /// With room for so many, which `fill` writes, all of them.
    fn new(len: usize, fill: impl FnOnce(&mut [MaybeUninit<f64>])) -> Numbers {
        if len <= FEW {
            let mut numbers = Vec::with_capacity(len);
            fill(&mut numbers.spare_capacity_mut()[..len]);
            // SAFETY: all of them were written.
            unsafe { numbers.set_len(len) };
            return Numbers::Few(numbers);
        }
        let buffer = Buffer::uninit(len * size_of::<f64>());
        // SAFETY: the buffer is as large, aligned to 64 bytes, and ours alone.
        fill(unsafe { from_raw_parts_mut(buffer.ptr().cast(), len) });
        Numbers::Many(buffer, len)
    }

    pub(super) fn filled(len: usize, value: f64) -> Numbers {
        Numbers::new(len, |room| room.fill(MaybeUninit::new(value)))
    }

    /// `count` pieces of `each` numbers, one after the other.
    pub(super) fn joined<'a>(count: usize, each: usize, piece: impl Fn(usize) -> &'a [f64]) -> Numbers {
        Numbers::new(count * each, |room| {
            for i in 0..count {
                let (to, from) = (&mut room[i * each..(i + 1) * each], &piece(i)[..each]);
                to.iter_mut().zip(from).for_each(|(to, x)| {
                    to.write(*x);
                });
            }
        })
    }
}

impl Deref for Numbers {
    type Target = [f64];
    #[inline(always)]
    fn deref(&self) -> &[f64] {
        match self {
            Numbers::Few(numbers) => numbers,
            // SAFETY: so many were written, and the buffer lives as long.
            Numbers::Many(buffer, len) => unsafe { from_raw_parts(buffer.ptr().cast(), *len) },
        }
    }
}

impl DerefMut for Numbers {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [f64] {
        match self {
            Numbers::Few(numbers) => numbers,
            // SAFETY: as above; the buffer is ours alone, since none is ever shared.
            Numbers::Many(buffer, len) => unsafe { from_raw_parts_mut(buffer.ptr().cast(), *len) },
        }
    }
}

impl Clone for Numbers {
    fn clone(&self) -> Numbers {
        Numbers::joined(1, self.len(), |_| self)
    }
}

impl fmt::Debug for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self[..].fmt(f)
    }
}

/// A rectangle of a matrix, or the transpose of one, to be multiplied.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    data: &'a [f64],
    rows: usize,
    cols: usize,
    /// How far apart rows and columns are.
    steps: [usize; 2],
}

impl Part<'_> {
    pub(super) fn t(self) -> Self {
        Part {
            rows: self.cols,
            cols: self.rows,
            steps: [self.steps[1], self.steps[0]],
            ..self
        }
    }

    fn lies(&self) -> gemm::Matrix<f64> {
        gemm::Matrix {
            at: self.data.as_ptr(),
            row: self.steps[0] as isize,
            col: self.steps[1] as isize,
        }
    }

    pub(super) fn copied(self) -> Matrix {
        let [m, n] = [self.rows, self.cols];
        let [down, right] = self.steps;
        if right == 1 {
            return Matrix {
                rows: m,
                cols: n,
                data: Numbers::joined(m, n, |i| &self.data[i * down..][..n]),
            };
        }
        let mut y = Matrix::zeros(m, n);
        // By squares, of which the cache holds what is read and what is written.
        for i in (0..m).step_by(TURN) {
            for j in (0..n).step_by(TURN) {
                for i in i..m.min(i + TURN) {
                    let to = &mut y.data[i * n..(i + 1) * n][j..n.min(j + TURN)];
                    let from = self.data[i * down + j * right..].iter().step_by(right);
                    to.iter_mut().zip(from).for_each(|(y, x)| *y = *x);
                }
            }
        }
        y
    }
}

impl Matrix {
    pub(super) fn filled(rows: usize, cols: usize, value: f64) -> Matrix {
        Matrix {
            rows,
            cols,
            data: Numbers::filled(rows * cols, value),
        }
    }

    pub(super) fn zeros(rows: usize, cols: usize) -> Matrix {
        Matrix::filled(rows, cols, 0.0)
    }

    pub(super) fn identity(n: usize) -> Matrix {
        let mut eye = Matrix::zeros(n, n);
        (0..n).for_each(|i| eye.data[i * n + i] = 1.0);
        eye
    }

    pub(super) fn row(&self, i: usize) -> &[f64] {
        &self.data[i * self.cols..(i + 1) * self.cols]
    }

    pub(super) fn row_mut(&mut self, i: usize) -> &mut [f64] {
        &mut self.data[i * self.cols..(i + 1) * self.cols]
    }

    /// Two different rows, both to be changed.
    pub(super) fn two_rows(&mut self, i: usize, j: usize) -> [&mut [f64]; 2] {
        let n = self.cols;
        let rows = self
            .data
            .get_disjoint_mut([i * n..(i + 1) * n, j * n..(j + 1) * n]);
        rows.expect("two different rows")
    }

    pub(super) fn at(&self, i: usize, j: usize) -> f64 {
        self.data[i * self.cols + j]
    }

    /// The elements of these rows and columns.
    pub(super) fn part(&self, rows: Range<usize>, cols: Range<usize>) -> Part<'_> {
        assert!(rows.end <= self.rows);
        part(&self.data, self.cols, rows, cols)
    }

    pub(super) fn whole(&self) -> Part<'_> {
        self.part(0..self.rows, 0..self.cols)
    }

    pub(super) fn transposed(&self) -> Matrix {
        self.whole().t().copied()
    }

    /// The mean with its transpose.
    pub(super) fn symmetric(&self) -> Matrix {
        let mut s = self.transposed();
        s.data
            .iter_mut()
            .zip(&self.data[..])
            .for_each(|(x, y)| *x = 0.5 * *x + 0.5 * y);
        s
    }

    pub(super) fn times(&self, other: &Matrix) -> Matrix {
        product(self.whole(), other.whole())
    }

    /// Adds c A B to the rectangle that begins at row `i` and column `j`.
    pub(super) fn add_product(&mut self, [i, j]: [usize; 2], c: f64, a: Part<'_>, b: Part<'_>) {
        assert!(j + b.cols <= self.cols);
        let step = self.cols;
        let from = (i * step + j).min(self.data.len());
        add_product(&mut self.data[from..], step, c, a, b);
    }

    pub(super) fn scaled(mut self, c: f64) -> Matrix {
        self.data.iter_mut().for_each(|x| *x *= c);
        self
    }

    pub(super) fn plus(mut self, c: f64, other: &Matrix) -> Matrix {
        along(&mut self.data, c, &other.data);
        self
    }

    pub(super) fn largest(&self) -> f64 {
        largest(&self.data)
    }

    /// These rows, in this order.
    pub(super) fn ordered(&self, order: &[usize]) -> Matrix {
        Matrix {
            rows: order.len(),
            cols: self.cols,
            data: Numbers::joined(order.len(), self.cols, |i| self.row(order[i])),
        }
    }
}

/// The elements of these rows and columns where rows are `step` long.
pub(super) fn part(data: &[f64], step: usize, rows: Range<usize>, cols: Range<usize>) -> Part<'_> {
    assert!(cols.end <= step);
    let [m, n] = [rows.len(), cols.len()];
    let data = match m * n {
        0 => &[],
        _ => &data[rows.start * step + cols.start..(rows.end - 1) * step + cols.end],
    };
    Part {
        data,
        rows: m,
        cols: n,
        steps: [step, 1],
    }
}

/// Adds c A B to the rectangle that `out` begins with, whose rows are `step` apart.
pub(super) fn add_product(out: &mut [f64], step: usize, c: f64, a: Part<'_>, b: Part<'_>) {
    let [m, k, n] = [a.rows, a.cols, b.cols];
    if m * k * n == 0 {
        return;
    }
    assert!(k == b.rows && n <= step && (m - 1) * step + n <= out.len());
    // SAFETY: a is m · k and b is k · n, as `part` made them; the m · n elements lie within `out`, as was checked, which
    // this borrow alone can reach.
    unsafe {
        gemm(&Product {
            size: [m, k, n],
            out: out.as_mut_ptr(),
            step,
            start: Start::Old,
            a: a.lies(),
            b: b.lies(),
            scale: c,
        })
    }
}

/// A B
pub(super) fn product(a: Part<'_>, b: Part<'_>) -> Matrix {
    let mut y = Matrix::zeros(a.rows, b.cols);
    y.add_product([0, 0], 1.0, a, b);
    y
}
