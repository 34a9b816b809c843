//! Special functions of two numbers.

use crate::array::Array;
use crate::dtype::DType;
use crate::layout::Shape;
use crate::real::zeta;

/// A special function of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special2 {
    /// The regularised lower incomplete Γ function P(a, x).
    GammaInc,
    /// The regularised upper incomplete Γ function Q(a, x) = 1 − P(a, x).
    GammaIncC,
    /// Hurwitz's ζ(s, q) = Σ (q + k)^(−s).
    Zeta,
    /// An orthogonal polynomial at x, of the degree n that the second number is, or a derivative of it by x.
    Polynomial(Family, u32),
}

/// A family of orthogonal polynomials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Chebyshev's of the first kind.
    ChebyshevT,
    /// Chebyshev's of the second kind.
    ChebyshevU,
    /// Chebyshev's of the third kind.
    ChebyshevV,
    /// Chebyshev's of the fourth kind.
    ChebyshevW,
    /// Chebyshev's of the first kind at 2x − 1.
    ShiftedChebyshevT,
    /// Chebyshev's of the second kind at 2x − 1.
    ShiftedChebyshevU,
    /// Chebyshev's of the third kind at 2x − 1.
    ShiftedChebyshevV,
    /// Chebyshev's of the fourth kind at 2x − 1.
    ShiftedChebyshevW,
    /// The physicists' Hermite polynomials.
    HermiteH,
    /// The probabilists' Hermite polynomials.
    HermiteHe,
    /// Laguerre's.
    LaguerreL,
    /// Legendre's.
    LegendreP,
}

/// `f` at every pair of elements, which broadcast to `shape`, computed in f64 and rounded to `dtype`.
pub fn special2(f: Special2, a: &Array, b: &Array, shape: &Shape, dtype: DType) -> Array {
    let [a, b] = [a, b].map(|x| x.broadcast_to(shape).to_vec::<f64>());
    let y: Vec<f64> = a.iter().zip(&b).map(|(a, b)| f.eval(*a, *b)).collect();
    Array::from_slice(&y, shape).cast(dtype)
}

impl Special2 {
    /// The value at a and b.
    pub fn eval(self, a: f64, b: f64) -> f64 {
        match self {
            Special2::GammaInc => gamma_inc(a, b)[0],
            Special2::GammaIncC => gamma_inc(a, b)[1],
            Special2::Zeta => zeta(a, b),
            Special2::Polynomial(family, order) => family.eval(a, b, order as usize),
        }
    }
}

impl Family {
    /// The derivative of this order at x of the polynomial of degree n, whose fraction is dropped: 0 for negative n. By the
    /// recurrence pₖ₊₁ = (A x + B) pₖ − C pₖ₋₁ and its derivatives.
    fn eval(self, x: f64, n: f64, order: usize) -> f64 {
        use Family::*;
        if n.is_nan() {
            return n;
        }
        let n = n.trunc();
        if n < 0.0 {
            return 0.0;
        }
        let shifted = matches!(
            self,
            ShiftedChebyshevT | ShiftedChebyshevU | ShiftedChebyshevV | ShiftedChebyshevW
        );
        let (x, inner) = if shifted { (2.0 * x - 1.0, 2.0) } else { (x, 1.0) };
        // p₁ = first · [x, 1]
        let first = match self {
            ChebyshevT | ShiftedChebyshevT | HermiteHe | LegendreP => [1.0, 0.0],
            ChebyshevU | ShiftedChebyshevU | HermiteH => [2.0, 0.0],
            ChebyshevV | ShiftedChebyshevV => [2.0, -1.0],
            ChebyshevW | ShiftedChebyshevW => [2.0, 1.0],
            LaguerreL => [-1.0, 1.0],
        };
        let step = |k: f64| match self {
            HermiteH => [2.0, 0.0, 2.0 * k],
            HermiteHe => [1.0, 0.0, k],
            LegendreP => [(2.0 * k + 1.0) / (k + 1.0), 0.0, k / (k + 1.0)],
            LaguerreL => [-1.0 / (k + 1.0), (2.0 * k + 1.0) / (k + 1.0), k / (k + 1.0)],
            _ => [2.0, 0.0, 1.0],
        };
        // The derivatives of orders 0 to `order` of the last two polynomials; from one step to the next the highest first, as
        // each reads the one below.
        let (mut before, mut p) = (vec![0.0; order + 1], vec![0.0; order + 1]);
        p[0] = 1.0;
        let mut k = 0.0;
        while k < n {
            let [a, b, c] = if k == 0.0 {
                [first[0], first[1], 0.0]
            } else {
                step(k)
            };
            for j in (0..=order).rev() {
                let below = if j == 0 { 0.0 } else { j as f64 * a * p[j - 1] };
                before[j] = (a * x + b) * p[j] + below - c * before[j];
            }
            std::mem::swap(&mut before, &mut p);
            k += 1.0;
        }
        p[order] * f64::powi(inner, order as i32)
    }
}

/// P(a, x) and Q(a, x): the series of P below a + 1, the continued fraction of Q above (Abramowitz and Stegun, 6.5.29 and
/// 6.5.31). The factor xᵃ e^(−x) / Γ(a + 1) that both have is taken, for large a, relative to its top, so that nothing cancels.
fn gamma_inc(a: f64, x: f64) -> [f64; 2] {
    if a.is_nan() || x.is_nan() || a < 0.0 || x < 0.0 {
        return [f64::NAN; 2];
    }
    match (a, x) {
        (0.0, 0.0) => return [f64::NAN; 2],
        (0.0, _) => return [1.0, 0.0],
        (_, 0.0) => return [0.0, 1.0],
        (f64::INFINITY, f64::INFINITY) => return [f64::NAN; 2],
        (f64::INFINITY, _) => return [0.0, 1.0],
        (_, f64::INFINITY) => return [1.0, 0.0],
        _ => {}
    }
    let factor = if a < 30.0 {
        (a * x.ln() - x - libm::lgamma(a + 1.0)).exp()
    } else {
        // Stirling's series for Γ(a + 1).
        let z = 1.0 / (a * a);
        let stirling = (1.0 / 12.0 - z * (1.0 / 360.0 - z * (1.0 / 1260.0 - z / 1680.0))) / a;
        let away = (x - a) / a;
        (a * (away.ln_1p() - away) - stirling).exp() / (std::f64::consts::TAU * a).sqrt()
    };
    const STEPS: usize = 100_000;
    if x < a + 1.0 {
        let (mut sum, mut term, mut n) = (1.0, 1.0, a);
        for _ in 0..STEPS {
            n += 1.0;
            term *= x / n;
            sum += term;
            if term < 1e-17 * sum {
                break;
            }
        }
        let p = (factor * sum).min(1.0);
        return [p, 1.0 - p];
    }
    // Lentz's method.
    let mut b = x + 1.0 - a;
    let mut c = f64::INFINITY;
    let mut d = 1.0 / b;
    let mut h = d;
    for i in 1..STEPS {
        let i = i as f64;
        let top = i * (a - i);
        b += 2.0;
        d = 1.0 / (top * d + b);
        c = b + top / c;
        h *= c * d;
        if (c * d - 1.0).abs() < 1e-16 {
            break;
        }
    }
    let q = (factor * a * h).min(1.0);
    [1.0 - q, q]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By SciPy.
    #[test]
    fn values_are_known() {
        use Family::*;
        use Special2::*;
        let p = |f| Polynomial(f, 0);
        let cases = [
            (GammaInc, 0.5, 0.3, 0.5614219739190003),
            (GammaIncC, 0.5, 0.3, 0.4385780260809997),
            (GammaInc, 2.0, 5.0, 0.9595723180054873),
            (GammaIncC, 2.0, 5.0, 0.04042768199451279),
            (GammaInc, 29.0, 31.0, 0.6645024668795496),
            (GammaIncC, 29.0, 31.0, 0.33549753312045044),
            (GammaInc, 100.0, 90.0, 0.15822098918643007),
            (GammaIncC, 100.0, 90.0, 0.84177901081357),
            (GammaInc, 100.0, 120.0, 0.9721362601094793),
            (GammaIncC, 100.0, 120.0, 0.027863739890520652),
            (GammaInc, 5000.0, 5050.0, 0.7609846747598248),
            (GammaIncC, 5000.0, 5050.0, 0.23901532524017513),
            (Zeta, 1.5, 2.0, 1.6123753486854886),
            (Zeta, 3.0, 0.25, 64.66386996876844),
            (Zeta, 2.5, 40.0, 0.0026851565811463196),
            (p(ChebyshevT), 0.7, 5.0, -0.6708799999999998),
            (p(ChebyshevT), -1.3, 2.0, 2.3800000000000003),
            (p(ChebyshevU), 0.7, 5.0, -1.39776),
            (p(ChebyshevU), -1.3, 2.0, 5.760000000000001),
            (p(ShiftedChebyshevT), 0.7, 5.0, 0.8838400000000003),
            (p(ShiftedChebyshevT), -1.3, 2.0, 24.92),
            (p(ShiftedChebyshevU), 0.7, 5.0, 0.6796800000000005),
            (p(ShiftedChebyshevU), -1.3, 2.0, 50.84),
            (p(HermiteH), 0.7, 5.0, 34.49824),
            (p(HermiteH), -1.3, 2.0, 4.760000000000001),
            (p(HermiteHe), 0.7, 5.0, 7.2380700000000004),
            (p(HermiteHe), -1.3, 2.0, 0.6900000000000002),
            (p(LaguerreL), 0.7, 5.0, -0.5730464166666667),
            (p(LaguerreL), -1.3, 2.0, 4.445),
            (p(LegendreP), 0.7, 5.0, -0.3651987499999999),
            (p(LegendreP), -1.3, 2.0, 2.0349999999999993),
            (p(ChebyshevV), 1.0, 4.0, 1.0),
            (p(ChebyshevW), 1.0, 4.0, 9.0),
        ];
        for (f, a, b, e) in cases {
            let y = f.eval(a, b);
            assert!(
                (y - e).abs() <= 4e-14 * e.abs(),
                "{f:?}({a}, {b}) = {y:e}, not {e:e}"
            );
        }
        // T₃ = 4x³ − 3x, its slopes 12x² − 3, 24x, 24; at 2x − 1 = −0.5 with factors of two.
        for (f, x) in [(ChebyshevT, -0.5), (ShiftedChebyshevT, 0.25)] {
            let by = if f == ChebyshevT { 1.0 } else { 2.0 };
            let slopes = [1.0, 2.0, 3.0, 4.0].map(|k| Polynomial(f, k as u32 - 1).eval(x, 3.0));
            assert_eq!(slopes, [1.0, 0.0, -12.0 * by * by, 24.0 * by * by * by]);
        }
        assert!(GammaInc.eval(-1.0, 1.0).is_nan() && Zeta.eval(0.5, 1.0).is_nan());
        assert_eq!(
            [GammaInc.eval(2.0, 0.0), GammaIncC.eval(2.0, f64::INFINITY)],
            [0.0, 0.0]
        );
        assert_eq!(Zeta.eval(1.0, 3.0), f64::INFINITY);
    }
}
