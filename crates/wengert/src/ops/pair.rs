//! Functions of complex numbers, made of real operations on their parts.

use super::complex::Join;
use super::pointwise::{Kind, promote};
use crate::op::Op;
use crate::tensor::Tensor;
use std::f64::consts::PI;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A complex number at every element: a real part, and an imaginary one unless that is zero everywhere.
///
/// What is computed with pairs is recorded, and differentiated, as the real operations that it is made of.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The real part.
    pub re: Tensor,
    /// The imaginary part; `None` stands for zero.
    pub im: Option<Tensor>,
}

/// The result of a rule on complex inputs: each is seen as a pair of the dtype that they promote to.
pub(crate) fn apply<const N: usize>(
    kind: Kind,
    x: [Tensor; N],
    rule: impl FnOnce([Pair; N]) -> Option<Pair>,
) -> Option<Tensor> {
    // A mask is not computed with.
    let masks = usize::from(kind == Kind::Choose);
    let part = promote(x.iter().skip(masks).map(|x| (x.dtype(), x.dim()))).real();
    let mut i = 0;
    let pairs = x.map(|x| {
        i += 1;
        match x.dtype().is_complex() {
            true => Pair {
                re: x.real().to(part),
                im: Some(x.imag().to(part)),
            },
            false if i <= masks => Pair { re: x, im: None },
            false => Pair {
                re: x.to(part),
                im: None,
            },
        }
    });
    Some(rule(pairs)?.into_tensor())
}

fn pair(re: Tensor, im: Tensor) -> Option<Pair> {
    Some(Pair { re, im: Some(im) })
}

impl Pair {
    /// A pair with no imaginary part: of such the result is real.
    pub fn of_real(re: Tensor) -> Pair {
        Pair { re, im: None }
    }

    /// The parts of a tensor.
    pub fn of(z: &Tensor) -> Pair {
        Pair {
            re: z.real(),
            im: z.dtype().is_complex().then(|| z.imag()),
        }
    }

    fn new(re: Tensor, im: Tensor) -> Pair {
        Pair { re, im: Some(im) }
    }

    fn number(&self, c: f64) -> Tensor {
        Tensor::full_as([], c, self.re.dtype())
    }

    /// The imaginary part, also where it is zero.
    pub fn imag(&self) -> Tensor {
        self.im.clone().unwrap_or_else(|| self.number(0.0))
    }

    /// The complex tensor, or the real one of a pair without an imaginary part.
    pub fn into_tensor(self) -> Tensor {
        match self.im {
            Some(im) => Join.apply([&self.re, &im]),
            None => self.re,
        }
    }

    pub(crate) fn each(&self, f: impl Fn(&Tensor) -> Tensor) -> Pair {
        Pair {
            re: f(&self.re),
            im: self.im.as_ref().map(f),
        }
    }

    /// i z.
    fn times_i(&self) -> Pair {
        Pair::new(-self.imag(), self.re.clone())
    }

    /// −i z.
    fn over_i(&self) -> Pair {
        Pair::new(self.imag(), -&self.re)
    }

    /// The complex conjugate.
    pub fn conj(&self) -> Pair {
        Pair {
            re: self.re.clone(),
            im: self.im.as_ref().map(|im| -im),
        }
    }

    /// `c z`.
    pub fn scale(&self, c: f64) -> Pair {
        self.each(|x| x * c)
    }

    /// `z / c`.
    pub fn over(&self, c: f64) -> Pair {
        self.each(|x| x / c)
    }

    /// `z + c`.
    pub fn shift(&self, c: f64) -> Pair {
        Pair {
            re: &self.re + c,
            im: self.im.clone(),
        }
    }

    /// |z|, whose slope is zero at zero.
    pub fn abs(&self) -> Tensor {
        match &self.im {
            Some(im) => self.re.hypot(im),
            None => self.re.abs(),
        }
    }

    /// |z|².
    pub fn norm_sqr(&self) -> Tensor {
        match &self.im {
            Some(im) => self.re.square() + im.square(),
            None => self.re.square(),
        }
    }

    /// The angle from the positive real axis, in radians.
    pub fn angle(&self) -> Tensor {
        self.imag().atan2(&self.re)
    }

    /// z / |z|, and zero at zero.
    pub fn sgn(&self) -> Pair {
        let size = self.abs();
        let zero = size.eq(0.0);
        let size = self.number(1.0).where_(&zero, &size);
        self.each(|x| self.number(0.0).where_(&zero, &(x / &size)))
    }

    /// 1 / z.
    pub fn reciprocal(&self) -> Pair {
        let size = self.norm_sqr();
        self.conj().each(|x| x / &size)
    }

    /// z².
    pub fn square(&self) -> Pair {
        self * self
    }

    /// e^z.
    pub fn exp(&self) -> Pair {
        let (size, angle) = (self.re.exp(), self.imag());
        Pair::new(&size * angle.cos(), size * angle.sin())
    }

    /// e^z − 1, which does not lose small values.
    pub fn exp_m1(&self) -> Pair {
        let angle = self.imag();
        let re = self.re.expm1() * angle.cos() - (&angle * 0.5).sin().square() * 2.0;
        Pair::new(re, self.re.exp() * angle.sin())
    }

    /// The natural logarithm, with an angle from −π to π.
    pub fn ln(&self) -> Pair {
        Pair::new(self.abs().ln(), self.angle())
    }

    /// ln(1 + z), which does not lose small values.
    pub fn ln_1p(&self) -> Pair {
        let (a, b) = (&self.re, self.imag());
        let size = a * (a + 2.0) + b.square();
        Pair::new(size.log1p() * 0.5, b.atan2(&(a + 1.0)))
    }

    /// The square root whose real part is not negative.
    pub fn sqrt(&self) -> Pair {
        let (a, b) = (&self.re, self.imag());
        let zero = self.norm_sqr().eq(0.0);
        let (one, nothing) = (self.number(1.0), self.number(0.0));
        // A stand-in at zero keeps what is not chosen there finite.
        let right = a.ge(0.0);
        // |a|, with a slope at 0 as well: there the root has one.
        let size = a.where_(&right, &-a);
        let larger = ((size + self.abs()) * 0.5)
            .where_(&zero.logical_not(), &one)
            .sqrt();
        let smaller = &b / (&larger * 2.0);
        let re = larger.where_(&right, &smaller.abs());
        let im = smaller.where_(&right, &larger.copysign(&b));
        // Zero's slope, which is infinite, is taken for zero.
        Pair::new(nothing.where_(&zero, &re), nothing.where_(&zero, &im))
    }

    /// z^w, where 0^w is 0, and 0^0 is 1.
    pub fn pow(&self, w: &Pair) -> Pair {
        let zero = self.norm_sqr().eq(0.0);
        let one = self.number(1.0);
        let base = Pair {
            re: one.where_(&zero, &self.re),
            im: self.im.clone(),
        };
        let y = (&base.ln() * w).exp();
        let flat = w.norm_sqr().eq(0.0);
        let at_zero = one.where_(&flat, &self.number(0.0));
        Pair::new(
            at_zero.where_(&zero, &y.re),
            self.number(0.0).where_(&zero, &y.imag()),
        )
    }

    /// z^p; whole powers are products.
    pub fn powf(&self, p: f64) -> Pair {
        if p.fract() != 0.0 || p.abs() > 64.0 {
            let w = Pair::of_real(self.number(p));
            return self.pow(&w);
        }
        if p < 0.0 {
            return self.powf(-p).reciprocal();
        }
        let (mut left, mut square) = (p as u32, self.clone());
        let mut product: Option<Pair> = None;
        while left > 0 {
            if left & 1 == 1 {
                product = Some(match product {
                    Some(p) => &p * &square,
                    None => square.clone(),
                });
            }
            left >>= 1;
            if left > 0 {
                square = square.square();
            }
        }
        product.unwrap_or_else(|| Pair::new(self.re.ones_like(), self.re.zeros_like()))
    }

    /// sin z.
    pub fn sin(&self) -> Pair {
        let (a, b) = (&self.re, self.imag());
        Pair::new(a.sin() * b.cosh(), a.cos() * b.sinh())
    }

    /// cos z.
    pub fn cos(&self) -> Pair {
        let (a, b) = (&self.re, self.imag());
        Pair::new(a.cos() * b.cosh(), -(a.sin() * b.sinh()))
    }

    /// tan z.
    pub fn tan(&self) -> Pair {
        self.times_i().tanh().over_i()
    }

    /// sinh z.
    pub fn sinh(&self) -> Pair {
        let (a, b) = (&self.re, self.imag());
        Pair::new(a.sinh() * b.cos(), a.cosh() * b.sin())
    }

    /// cosh z.
    pub fn cosh(&self) -> Pair {
        let (a, b) = (&self.re, self.imag());
        Pair::new(a.cosh() * b.cos(), a.sinh() * b.sin())
    }

    /// tanh z, from tanh a and the circular functions of b, which stay finite.
    pub fn tanh(&self) -> Pair {
        let (t, b) = (self.re.tanh(), self.imag());
        let (cos, sin) = (b.cos(), b.sin());
        let below = cos.square() + (&t * &sin).square();
        let falls = self.re.cosh().reciprocal().square();
        Pair::new(t / &below, cos * sin * falls / below)
    }

    /// √(1 − z) and √(1 + z), which the inverse functions are made of: see W. Kahan, "Branch cuts for complex elementary
    /// functions", 1987.
    fn roots(&self) -> (Pair, Pair) {
        ((-self).shift(1.0).sqrt(), self.shift(1.0).sqrt())
    }

    /// The inverse of the sine.
    pub fn asin(&self) -> Pair {
        let (minus, plus) = self.roots();
        let re = self.re.atan2(&(&minus * &plus).re);
        Pair::new(re, (&minus.conj() * &plus).imag().asinh())
    }

    /// The inverse of the cosine.
    pub fn acos(&self) -> Pair {
        let (minus, plus) = self.roots();
        let re = minus.re.atan2(&plus.re) * 2.0;
        Pair::new(re, (&plus.conj() * &minus).imag().asinh())
    }

    /// The inverse of the tangent.
    pub fn atan(&self) -> Pair {
        self.times_i().atanh().over_i()
    }

    /// The inverse of the hyperbolic sine.
    pub fn asinh(&self) -> Pair {
        self.times_i().asin().over_i()
    }

    /// The inverse of the hyperbolic cosine.
    pub fn acosh(&self) -> Pair {
        let (minus, plus) = (self.shift(-1.0).sqrt(), self.shift(1.0).sqrt());
        let re = (&minus.conj() * &plus).re.asinh();
        Pair::new(re, minus.imag().atan2(&plus.re) * 2.0)
    }

    /// The inverse of the hyperbolic tangent.
    pub fn atanh(&self) -> Pair {
        let (a, b) = (&self.re, self.imag());
        let near = (1.0 - a).square() + b.square();
        let re = (a * 4.0 / near).log1p() * 0.25;
        let im = (&b * 2.0).atan2(&((1.0 - a) * (a + 1.0) - b.square())) * 0.5;
        Pair::new(re, im)
    }

    /// 1 / (1 + e^−z).
    pub fn sigmoid(&self) -> Pair {
        (-self).exp().shift(1.0).reciprocal()
    }

    /// sin πz / πz, and 1 at 0.
    pub fn sinc(&self) -> Pair {
        let z = self.scale(PI);
        let zero = z.norm_sqr().eq(0.0);
        let one = self.number(1.0);
        let below = Pair {
            re: one.where_(&zero, &z.re),
            im: z.im.clone(),
        };
        let y = z.sin() / below;
        Pair::new(one.where_(&zero, &y.re), y.imag())
    }

    /// Whether both parts are equal, as bool.
    pub fn eq(&self, other: &Pair) -> Tensor {
        self.re.eq(&other.re).logical_and(&self.imag().eq(&other.imag()))
    }

    /// Whether a part is not zero, as bool.
    pub fn truth(&self) -> Tensor {
        self.re.ne(0.0).logical_or(&self.imag().ne(0.0))
    }

    /// Whether `test` holds for either part, as bool.
    pub fn any(&self, test: impl Fn(&Tensor) -> Tensor) -> Tensor {
        test(&self.re).logical_or(&test(&self.imag()))
    }

    /// `self` where the mask holds, else `other`.
    pub fn where_(&self, mask: &Tensor, other: &Pair) -> Option<Pair> {
        pair(
            self.re.where_(mask, &other.re),
            self.imag().where_(mask, &other.imag()),
        )
    }

    /// The product of matrices.
    pub fn matmul(&self, other: &Pair) -> Pair {
        self.product(other, |a, b| super::matmul::MatMul.apply([a, b]))
    }

    /// What is linear in both factors, on numbers of any parts.
    pub(crate) fn product(&self, other: &Pair, times: impl Fn(&Tensor, &Tensor) -> Tensor) -> Pair {
        let re = times(&self.re, &other.re);
        match (&self.im, &other.im) {
            (None, None) => Pair::of_real(re),
            (None, Some(im)) => Pair::new(re, times(&self.re, im)),
            (Some(im), None) => Pair::new(re, times(im, &other.re)),
            (Some(a), Some(b)) => Pair::new(re - times(a, b), times(&self.re, b) + times(a, &other.re)),
        }
    }
}

impl Neg for &Pair {
    type Output = Pair;
    fn neg(self) -> Pair {
        self.each(|x| -x)
    }
}

impl Add for &Pair {
    type Output = Pair;
    fn add(self, other: &Pair) -> Pair {
        let im = match (&self.im, &other.im) {
            (Some(a), Some(b)) => Some(a + b),
            (one, None) | (None, one) => one.clone(),
        };
        Pair {
            re: &self.re + &other.re,
            im,
        }
    }
}

impl Sub for &Pair {
    type Output = Pair;
    fn sub(self, other: &Pair) -> Pair {
        self + &-other
    }
}

impl Mul for &Pair {
    type Output = Pair;
    fn mul(self, other: &Pair) -> Pair {
        self.product(other, |a, b| a * b)
    }
}

impl Div for &Pair {
    type Output = Pair;
    fn div(self, other: &Pair) -> Pair {
        match other.im {
            None => self.each(|x| x / &other.re),
            Some(_) => {
                let size = other.norm_sqr();
                self.product(&other.conj(), |a, b| a * b).each(|x| x / &size)
            }
        }
    }
}

macro_rules! owned {
    ($($trait:ident $f:ident),*) => {$(
        impl $trait for Pair {
            type Output = Pair;
            fn $f(self, other: Pair) -> Pair {
                (&self).$f(&other)
            }
        }
    )*};
}
owned!(Add add, Sub sub, Mul mul, Div div);
