//! e^A.

use super::factor::{lu, lu_solve};
use super::matrix::Matrix;

/// The coefficients of the Padé approximant of degree 13, from the highest power on.
const PADE: [f64; 14] = [
    1.0,
    182.0,
    16_380.0,
    960_960.0,
    40_840_800.0,
    1_323_241_920.0,
    33_522_128_640.0,
    670_442_572_800.0,
    10_559_470_521_600.0,
    129_060_195_264_000.0,
    1_187_353_796_428_800.0,
    7_771_770_303_897_600.0,
    32_382_376_266_240_000.0,
    64_764_752_532_480_000.0,
];

/// Halves A until it is small, approximates by a quotient of polynomials, and squares as often. (Higham 2005, *The
/// scaling and squaring method for the matrix exponential revisited*.)
pub(super) fn exp(a: &Matrix) -> Matrix {
    let n = a.rows;
    // The largest sum of absolute values in a column.
    let sums = (0..n).map(|j| (0..n).map(|i| a.at(i, j).abs()).sum::<f64>());
    let size = sums.fold(0.0, |m: f64, s| if m.is_nan() || s <= m { m } else { s });
    if !size.is_finite() {
        return Matrix::filled(n, n, f64::NAN);
    }
    // Up to 5.37 the approximant is exact to rounding.
    let halvings = (size / 5.371_920_351_148_152).log2().ceil().max(0.0) as i32;
    let a = a.clone().scaled(0.5f64.powi(halvings));
    let c = |k: usize| PADE[13 - k];
    let eye = Matrix::identity(n);
    let a2 = a.times(&a);
    let a4 = a2.times(&a2);
    let a6 = a4.times(&a2);
    let poly = |high: [usize; 3], low: [usize; 4]| {
        let top = a6
            .clone()
            .scaled(c(high[0]))
            .plus(c(high[1]), &a4)
            .plus(c(high[2]), &a2);
        let rest = a6.times(&top).plus(c(low[0]), &a6).plus(c(low[1]), &a4);
        rest.plus(c(low[2]), &a2).plus(c(low[3]), &eye)
    };
    let odd = a.times(&poly([13, 11, 9], [7, 5, 3, 1]));
    let even = poly([12, 10, 8], [6, 4, 2, 0]);
    let (below, order) = lu(even.clone().plus(-1.0, &odd));
    let mut e = lu_solve(&below, &order, even.plus(1.0, &odd), false);
    for _ in 0..halvings {
        e = e.times(&e);
    }
    e
}
