//! Special functions of two numbers: incomplete Γ functions, Hurwitz's ζ, orthogonal polynomials.

use super::compare::Operand;
use super::contract;
use super::pointwise::{Kind, infer};
use crate::autograd::Ctx;
use crate::op::{Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::kernels::{self, Family, Special2};
use wengert_array::{Array, Error, ErrorKind, Meta, Result, raise};

/// y = f(a, b) for one of the special functions of two numbers.
///
/// - P(a, x) and Q(a, x), the regularised incomplete Γ functions: dx = ±dy xᵃ⁻¹ e^(−x) / Γ(a);
/// - ζ(s, q): dq = −dy s ζ(s + 1, q);
/// - a polynomial p(x) of degree n: dx = dy p′(x).
///
/// The orders a and s have no gradient: as in PyTorch, asking for it is an error.
#[derive(Clone, Debug)]
pub struct BinarySpecial(pub Special2);

impl BinarySpecial {
    /// The input that has a gradient.
    fn variable(&self) -> usize {
        usize::from(!matches!(self.0, Special2::Polynomial(..)))
    }
}

impl Op for BinarySpecial {
    type Inputs = Fixed<2>;
    const NAME: &'static str = "special2";
    const SAVES: &'static [Saves] = &[];

    fn name(&self) -> &'static str {
        match self.0 {
            Special2::GammaInc => "gammainc",
            Special2::GammaIncC => "gammaincc",
            Special2::Zeta => "zeta",
            Special2::Polynomial(..) => "orthogonal_polynomial",
        }
    }
    fn saves(&self, i: usize) -> Saves {
        match i == self.variable() {
            true => Saves::x(0).and(Saves::x(1)),
            false => Saves::NOTHING,
        }
    }
    fn infer(&self, x: [In<'_>; 2]) -> Result<Meta> {
        infer(self.name(), Kind::Float, &x)
    }
    fn forward(&self, [a, b]: [Array; 2], y: &Meta, _: &mut Extra) -> Array {
        kernels::special2(self.0, &a, &b, &y.shape, y.dtype)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 2] {
        let variable = self.variable();
        if cx.wants(1 - variable) && matches!(self.0, Special2::Polynomial(..)) {
            // Degrees are whole numbers, and the polynomial stays as it is between them.
            let of_n = cx.grad(1, || dy.zeros_like());
            return [cx.grad(0, || self.slope(cx, &dy)), of_n];
        }
        if cx.wants(1 - variable) {
            let message = "the gradient by the first argument, the order, is not known";
            raise(
                Error::new(ErrorKind::Graph, self.name(), message)
                    .help("give it as a tensor that needs no gradient: `.detach()`"),
            );
        }
        let slope = Some(self.slope(cx, &dy));
        if variable == 0 {
            [slope, None]
        } else {
            [None, slope]
        }
    }
    fn samples() -> Vec<Sample<Self>> {
        let whole = |x: &[i64]| Array::from_slice(x, [x.len()]);
        let of = |x: &[f64]| Array::from_slice(x, [x.len()]);
        let gamma = |f| Sample::new(BinarySpecial(f), [whole(&[1, 2, 5]), of(&[0.5, 4.0, 3.0])]);
        let mut samples = vec![
            // 1 − e^(−x)
            Sample::new(BinarySpecial(Special2::GammaInc), [whole(&[1]), of(&[0.5])])
                .gives([-(-0.5f64).exp_m1()]),
            gamma(Special2::GammaInc),
            gamma(Special2::GammaIncC),
            Sample::new(BinarySpecial(Special2::Zeta), [whole(&[2, 4]), of(&[0.5, 3.0])]),
            Sample::new(BinarySpecial(Special2::Zeta), [whole(&[]), of(&[])]).gives([]),
        ];
        for (family, at) in [
            (Family::ChebyshevT, [-0.25, 0.5, 1.5]),
            (Family::ShiftedChebyshevU, [-0.25, 0.5, 1.5]),
            (Family::HermiteHe, [-0.25, 0.5, 1.5]),
            (Family::LaguerreL, [-0.25, 0.5, 1.5]),
            (Family::LegendreP, [-0.25, 0.5, 0.75]),
        ] {
            let op = BinarySpecial(Special2::Polynomial(family, 0));
            samples.push(Sample::new(op, [of(&at), whole(&[4, 3, 2])]));
        }
        samples
    }
}

impl BinarySpecial {
    /// dy times the derivative by the input that has one.
    fn slope(&self, cx: &Ctx<'_, Self>, dy: &Tensor) -> Tensor {
        let (a, b) = (cx.x(0), cx.x(1));
        let inner = match self.0 {
            Special2::Polynomial(family, k) => {
                BinarySpecial(Special2::Polynomial(family, k + 1)).apply([&a, &b])
            }
            Special2::Zeta => {
                let s = a.to(dy.dtype());
                -(&s * BinarySpecial(Special2::Zeta).apply([&(&s + 1.0).detach(), &b]))
            }
            Special2::GammaInc | Special2::GammaIncC => {
                let a = a.to(dy.dtype()).detach();
                let density = ((&a - 1.0) * b.log() - &b - a.lgamma()).exp();
                if self.0 == Special2::GammaInc {
                    density
                } else {
                    -density
                }
            }
        };
        dy * inner
    }
}

macro_rules! polynomials {
    ($($(#[$doc:meta])* $method:ident $family:ident;)*) => {
        impl Tensor {
            $(
                $(#[$doc])*
                /// The degree is a number or a tensor of them, whose fractions are dropped; 0 for negative ones.
                #[track_caller]
                pub fn $method(&self, n: impl Operand) -> Tensor {
                    let op = BinarySpecial(Special2::Polynomial(Family::$family, 0));
                    op.apply([self, &n.operand(self)])
                }
            )*
        }
    };
}

polynomials! {
    /// Chebyshev's polynomial of the first kind, Tₙ(cos t) = cos nt.
    chebyshev_polynomial_t ChebyshevT;
    /// Chebyshev's polynomial of the second kind, Uₙ(cos t) = sin (n + 1)t / sin t.
    chebyshev_polynomial_u ChebyshevU;
    /// Chebyshev's polynomial of the third kind, Vₙ(cos t) = cos (n + ½)t / cos ½t.
    chebyshev_polynomial_v ChebyshevV;
    /// Chebyshev's polynomial of the fourth kind, Wₙ(cos t) = sin (n + ½)t / sin ½t.
    chebyshev_polynomial_w ChebyshevW;
    /// Tₙ(2x − 1).
    shifted_chebyshev_polynomial_t ShiftedChebyshevT;
    /// Uₙ(2x − 1).
    shifted_chebyshev_polynomial_u ShiftedChebyshevU;
    /// Vₙ(2x − 1).
    shifted_chebyshev_polynomial_v ShiftedChebyshevV;
    /// Wₙ(2x − 1).
    shifted_chebyshev_polynomial_w ShiftedChebyshevW;
    /// The physicists' Hermite polynomial, Hₙ₊₁ = 2x Hₙ − 2n Hₙ₋₁.
    hermite_polynomial_h HermiteH;
    /// The probabilists' Hermite polynomial, Heₙ₊₁ = x Heₙ − n Heₙ₋₁.
    hermite_polynomial_he HermiteHe;
    /// Laguerre's polynomial, (n + 1) Lₙ₊₁ = (2n + 1 − x) Lₙ − n Lₙ₋₁.
    laguerre_polynomial_l LaguerreL;
    /// Legendre's polynomial, (n + 1) Pₙ₊₁ = (2n + 1) x Pₙ − n Pₙ₋₁.
    legendre_polynomial_p LegendreP;
}

impl Tensor {
    /// The regularised lower incomplete Γ function P(a, x), where `self` is a: PyTorch's `igamma`.
    /// dx = dy xᵃ⁻¹ e^(−x) / Γ(a); a has no gradient.
    #[track_caller]
    pub fn igamma(&self, x: &Tensor) -> Tensor {
        BinarySpecial(Special2::GammaInc).apply([self, x])
    }

    /// The regularised upper incomplete Γ function Q(a, x) = 1 − P(a, x), where `self` is a; see [`igamma`](Tensor::igamma).
    #[track_caller]
    pub fn igammac(&self, x: &Tensor) -> Tensor {
        BinarySpecial(Special2::GammaIncC).apply([self, x])
    }

    /// Hurwitz's ζ(s, q) = Σ (q + k)^(−s), where `self` is s; dq = −dy s ζ(s + 1, q); s has no gradient.
    #[track_caller]
    pub fn zeta(&self, q: &Tensor) -> Tensor {
        BinarySpecial(Special2::Zeta).apply([self, q])
    }
}

contract! { special2: BinarySpecial }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_have_no_gradient_and_say_so() {
        let a = Tensor::new([1.0]).requires_grad_(true);
        let error = crate::catch(|| a.igamma(&Tensor::new([2.0])).sum().backward()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("gammainc: the gradient by the first argument"),
            "{error}"
        );
    }
}
