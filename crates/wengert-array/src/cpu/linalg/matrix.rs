//! Matrices of f64 in row-major order, and the loops that decompositions are made of.

use crate::cpu::gemm::{self, Product, Start, gemm};
use std::ops::Range;

/// Columns, or rows, that are worked on together: what one block leaves for the rest is a matrix product.
pub(super) const BLOCK: usize = 32;

#[derive(Clone, Debug)]
pub(super) struct Matrix {
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) data: Vec<f64>,
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
        let mut y = Matrix::zeros(self.rows, self.cols);
        let [down, right] = self.steps;
        for (i, row) in y.data.chunks_exact_mut(self.cols.max(1)).enumerate() {
            let from = &self.data[i * down..];
            match right {
                1 => row.copy_from_slice(&from[..self.cols]),
                _ => row
                    .iter_mut()
                    .zip(from.iter().step_by(right))
                    .for_each(|(y, x)| *y = *x),
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
            data: vec![value; rows * cols],
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
            .zip(&self.data)
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
        add(&mut self.data, c, &other.data);
        self
    }

    pub(super) fn largest(&self) -> f64 {
        largest(&self.data)
    }

    /// These rows, in this order.
    pub(super) fn ordered(&self, order: &[usize]) -> Matrix {
        let data = order.iter().flat_map(|&i| self.row(i)).copied().collect();
        Matrix {
            rows: order.len(),
            cols: self.cols,
            data,
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

/// Compiles a function for processors with AVX2, too, and calls what this one can run. All that is to be faster by it
/// must be inlined.
macro_rules! levels {
    ($($(#[$meta:meta])* fn $name:ident($($arg:tt: $t:ty),* $(,)?) $(-> $r:ty)? $body:block)*) => {$(
        $(#[$meta])*
        pub(super) fn $name($($arg: $t),*) $(-> $r)? {
            #[inline(always)]
            fn body($($arg: $t),*) $(-> $r)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $t),*) $(-> $r)? {
                    body($($arg),*)
                }
                if $crate::cpu::isa::isa() >= $crate::cpu::isa::Isa::Avx2 {
                    // SAFETY: the processor was found to have these instructions.
                    return unsafe { avx2($($arg),*) };
                }
            }
            body($($arg),*)
        }
    )*};
}
pub(super) use levels;

/// Eight sums side by side, so that the loop vectorises.
#[inline(always)]
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len());
    let (a, b) = (&a[..n], &b[..n]);
    let (ac, bc) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = ac
        .remainder()
        .iter()
        .zip(bc.remainder())
        .map(|(a, b)| a * b)
        .sum();
    let mut sums = [0.0; 8];
    for (a, b) in ac.zip(bc) {
        for k in 0..8 {
            sums[k] += a[k] * b[k];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// y += c x
#[inline(always)]
pub(super) fn add(y: &mut [f64], c: f64, x: &[f64]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += c * x);
}

/// The largest absolute value; unlike with `max`, NaN where any is.
pub(super) fn largest(x: &[f64]) -> f64 {
    x.iter().fold(
        0.0,
        |m: f64, x| if m.is_nan() || x.abs() <= m { m } else { x.abs() },
    )
}

/// √Σx², without overflow on the way.
#[inline(always)]
pub(super) fn norm(x: &[f64]) -> f64 {
    let square = dot(x, x);
    if square.is_normal() && square < 1e300 && square > 1e-280 {
        return square.sqrt();
    }
    let scale = largest(x);
    if scale == 0.0 || !scale.is_finite() {
        return scale;
    }
    scale * x.iter().map(|x| (x / scale) * (x / scale)).sum::<f64>().sqrt()
}

/// Rotations of neighbouring rows that wait until there are many.
///
/// They run over some columns at a time, which then stay in the cache. (Van Zee, van de Geijn & Quintana-Ortí 2014,
/// *Restructuring the tridiagonal and bidiagonal QR algorithms for performance*.)
#[derive(Default)]
pub(super) struct Rotations(Vec<(usize, usize, f64, f64)>);

impl Rotations {
    /// (x, y) ← (c x + s y, c y − s x) of rows `i` and `j` of `rows`, by and by.
    pub(super) fn turn(&mut self, rows: &mut Matrix, [i, j]: [usize; 2], c: f64, s: f64) {
        self.0.push((i, j, c, s));
        if self.0.len() >= 32 * rows.rows.max(BLOCK) {
            self.finish(rows);
        }
    }

    /// Does those that wait.
    pub(super) fn finish(&mut self, rows: &mut Matrix) {
        let n = rows.cols;
        let mut panel = Matrix::zeros(0, 0);
        for start in (0..n).step_by(2 * BLOCK) {
            let cols = start..(start + 2 * BLOCK).min(n);
            panel.cols = cols.len();
            panel.data.clear();
            (0..rows.rows).for_each(|i| panel.data.extend(&rows.row(i)[cols.clone()]));
            turn_all(&mut panel, &self.0);
            let back = panel.data.chunks_exact(panel.cols);
            back.enumerate()
                .for_each(|(i, row)| rows.row_mut(i)[cols.clone()].copy_from_slice(row));
        }
        self.0.clear();
    }
}

levels! {
    fn turn_all(rows: &mut Matrix, rotations: &[(usize, usize, f64, f64)]) {
        for &(i, j, c, s) in rotations {
            let [x, y] = rows.two_rows(i, j);
            for (x, y) in x.iter_mut().zip(y) {
                (*x, *y) = (c * *x + s * *y, c * *y - s * *x);
            }
        }
    }
}
