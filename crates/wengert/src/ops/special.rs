//! Special functions.

use super::pointwise::{Map, Pointwise};
use super::rule::{Rule, contract_rules, positive, probability, real, within_one};
use crate::op::{Op, Sample};
use crate::tensor::Tensor;
use std::f64::consts::{FRAC_1_SQRT_2, PI};
use wengert_array::real::{Real, Special};
use wengert_array::{Error, ErrorKind, raise};

/// y = f(x) for one of the [special functions](Special); dx = dy f′(x).
#[derive(Debug, Clone)]
pub struct SpecialFunction(pub Special);

impl Pointwise<1> for SpecialFunction {
    const NAME: &'static str = "special";
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        x.special(self.0)
    }
    fn grad<S: Real>(&self, dy: S, [x]: [S; 1], y: S) -> [S; 1] {
        [dy * self.0.slope(x, y)]
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        use Special::*;
        let mut samples = Vec::new();
        let at = |f, x| Sample::new(Map(SpecialFunction(f)), [x]);
        for f in [Erfc, Erfcx, LogNdtr, I0, I0e, I1, I1e, J0, J1] {
            samples.push(at(f, real()));
        }
        samples.push(at(Erfinv, within_one()));
        samples.push(at(Ndtri, probability()));
        samples.push(at(SphericalJ0, real()));
        samples.push(at(Airy, real()));
        samples.push(at(AirySlope, real()));
        for f in [
            Lgamma,
            Polygamma(0),
            Polygamma(1),
            Polygamma(2),
            Y0,
            Y1,
            K0,
            K0e,
            K1,
            K1e,
        ] {
            samples.push(at(f, positive()));
        }
        samples
    }
}

macro_rules! methods {
    ($($(#[$doc:meta])* $method:ident $f:expr;)*) => {
        impl Tensor {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $method(&self) -> Tensor {
                    self.special($f)
                }
            )*
        }
    };
}

methods! {
    /// `1 − erf x`, which does not lose small values; dx = −dy 2/√π exp(−x²).
    erfc Special::Erfc;
    /// `exp(x²) erfc x`; dx = dy (2xy − 2/√π).
    erfcx Special::Erfcx;
    /// The inverse of erf: NaN outside −1 to 1; dx = dy √π/2 exp(y²).
    erfinv Special::Erfinv;
    /// The inverse of the normal distribution function; dx = dy √2π exp(y²/2).
    ndtri Special::Ndtri;
    /// The logarithm of the normal distribution function, which does not lose what underflows there.
    log_ndtr Special::LogNdtr;
    /// `ln |Γ(x)|`; dx = dy ψ(x).
    lgamma Special::Lgamma;
    /// ψ, the derivative of ln Γ; dx = dy ψ′(x).
    digamma Special::Polygamma(0);
    /// The modified Bessel function of order 0; dx = dy I₁(x).
    i0 Special::I0;
    /// `exp(−|x|) I₀(x)`.
    i0e Special::I0e;
    /// The modified Bessel function of order 1; dx = dy (I₀(x) − y/x).
    i1 Special::I1;
    /// `exp(−|x|) I₁(x)`.
    i1e Special::I1e;
    /// The Bessel function of the first kind, order 0; dx = −dy J₁(x).
    bessel_j0 Special::J0;
    /// The Bessel function of the first kind, order 1; dx = dy (J₀(x) − y/x).
    bessel_j1 Special::J1;
    /// The Bessel function of the second kind, order 0; dx = −dy Y₁(x).
    bessel_y0 Special::Y0;
    /// The Bessel function of the second kind, order 1; dx = dy (Y₀(x) − y/x).
    bessel_y1 Special::Y1;
    /// The modified Bessel function of the second kind, order 0; dx = −dy K₁(x).
    modified_bessel_k0 Special::K0;
    /// The modified Bessel function of the second kind, order 1; dx = −dy (K₀(x) + y/x).
    modified_bessel_k1 Special::K1;
    /// `exp(x) K₀(x)`.
    scaled_modified_bessel_k0 Special::K0e;
    /// `exp(x) K₁(x)`.
    scaled_modified_bessel_k1 Special::K1e;
    /// The spherical Bessel function of the first kind, order 0: `sin x / x`; dx = dy (cos x − y) / x.
    spherical_bessel_j0 Special::SphericalJ0;
    /// The Airy function Ai; dx = dy Ai′(x). NaN at infinities, as in PyTorch.
    airy_ai Special::Airy;
    /// The derivative of the Airy function; dx = dy x Ai(x).
    airy_ai_prime Special::AirySlope;
}

impl Tensor {
    /// A [special function](Special) of each element. Each is a method of its own name, too.
    #[track_caller]
    pub fn special(&self, f: Special) -> Tensor {
        Rule::new(SpecialFunction(f)).apply([self])
    }

    /// ψ⁽ⁿ⁾, the derivative of order n of the digamma function ψ; dx = dy ψ⁽ⁿ⁺¹⁾(x).
    #[track_caller]
    pub fn polygamma(&self, n: u32) -> Tensor {
        self.special(Special::Polygamma(n))
    }

    /// The normal distribution function, `erfc(−x/√2) / 2`.
    #[track_caller]
    pub fn ndtr(&self) -> Tensor {
        0.5 * (self * -FRAC_1_SQRT_2).erfc()
    }

    /// The logarithm of the multivariate Γ function of dimension `p`: p (p − 1)/4 ln π + Σ ln Γ(x + (1 − j)/2) for j from
    /// 1 to p.
    ///
    /// # Panics
    /// If `p` is 0.
    #[track_caller]
    pub fn mvlgamma(&self, p: usize) -> Tensor {
        if p == 0 {
            raise(Error::new(
                ErrorKind::Value,
                "mvlgamma",
                "the dimension p must be 1 or more",
            ));
        }
        let mut sum = self.lgamma();
        for j in 1..p {
            sum += (self - 0.5 * j as f64).lgamma();
        }
        sum + 0.25 * PI.ln() * (p * (p - 1)) as f64
    }
}

contract_rules! { special: SpecialFunction, 1 }
