//! Comparisons, logic, and choosing by a mask.

use super::common::scalar;
use super::contract;
use super::pair::Pair;
use super::pointwise::{Kind, Map, Pointwise};
use crate::op::{Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::real::Real;
use wengert_array::{Array, DType, get_default_dtype};

/// Comparisons and logic: a mask as bool, which has no gradient.
macro_rules! comparison {
    ($($(#[$doc:meta])* $name:ident $op:ident $(, of bool $bits:ident)?: |$a:ident, $b:ident| $mask:expr
        $(=> complex |$y:ident, $z:ident| $complex:expr)?;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone)]
            pub struct $op;

            impl Pointwise<2> for $op {
                const NAME: &'static str = stringify!($name);
                const KIND: Kind = Kind::Compare;
                const SAVES: &'static [Saves] = &[Saves::NOTHING];
                #[inline(always)]
                fn value<S: Real>(&self, [$a, $b]: [S; 2]) -> S {
                    S::select($mask, S::ONE, S::ZERO)
                }
                #[inline(always)]
                fn grad<S: Real>(&self, _: S, _: [S; 2], _: S) -> [S; 2] {
                    [S::ZERO; 2]
                }
                $(fn complex(&self, [$y, $z]: [Pair; 2]) -> Option<Pair> {
                    Some(Pair::of_real($complex))
                })?
                fn samples() -> Vec<Sample<Map<Self, 2>>> {
                    let [a, b] = super::arithmetic::pair();
                    vec![Sample::new(Map($op), [a.clone(), b]), Sample::new(Map($op), [a.clone(), a])]
                }
            }
        )*

        impl Tensor {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $name(&self, other: impl Operand) -> Tensor {
                    let mut made = None;
                    let other = other.seen(self, &mut made);
                    $(if self.dtype() == DType::Bool && other.dtype() == DType::Bool {
                        return self.$bits(other);
                    })?
                    Map($op).apply([self, other])
                }
            )*
        }
    };
}

/// The other side of a comparison: a tensor or a number.
pub trait Operand {
    /// As a tensor that is compared with `with`.
    fn operand(self, with: &Tensor) -> Tensor;

    /// The same, of which `made` keeps what had to be made.
    #[doc(hidden)]
    fn seen<'a>(&'a self, with: &Tensor, made: &'a mut Option<Tensor>) -> &'a Tensor;
}

impl Operand for &Tensor {
    fn operand(self, _: &Tensor) -> Tensor {
        self.clone()
    }
    #[inline]
    fn seen<'a>(&'a self, _: &Tensor, _: &'a mut Option<Tensor>) -> &'a Tensor {
        self
    }
}

impl Operand for f64 {
    fn operand(self, with: &Tensor) -> Tensor {
        // A whole number compares exactly with integers; f64 keeps a float's digits until promotion.
        let dtype = if with.dtype().is_differentiable() {
            with.dtype()
        } else if self.fract() == 0.0 {
            DType::I64
        } else {
            get_default_dtype()
        };
        Tensor::constant(Array::full([], self, dtype))
    }
    fn seen<'a>(&'a self, with: &Tensor, made: &'a mut Option<Tensor>) -> &'a Tensor {
        made.insert(self.operand(with))
    }
}

comparison! {
    /// `a < b`, as bool.
    lt Lt: |a, b| a.lt(b);
    /// `a ≤ b`, as bool.
    le Le: |a, b| a.le(b);
    /// `a > b`, as bool.
    gt Gt: |a, b| a.gt(b);
    /// `a ≥ b`, as bool.
    ge Ge: |a, b| a.ge(b);
    /// `a = b`, as bool.
    eq Eq: |a, b| a.eq(b) => complex |y, z| y.eq(&z);
    /// `a ≠ b`, as bool.
    ne Ne: |a, b| a.ne(b) => complex |y, z| y.eq(&z).logical_not();
    /// Both are not zero, as bool.
    logical_and And, of bool bitwise_and: |a, b| S::and(a.ne(S::ZERO), b.ne(S::ZERO)) => complex |y, z| y.truth().logical_and(&z.truth());
    /// Either is not zero, as bool.
    logical_or Or, of bool bitwise_or: |a, b| S::or(a.ne(S::ZERO), b.ne(S::ZERO)) => complex |y, z| y.truth().logical_or(&z.truth());
    /// Exactly one is not zero, as bool.
    logical_xor Xor, of bool bitwise_xor: |a, b| S::select(a.eq(S::ZERO), S::ONE, S::ZERO).ne(S::select(b.eq(S::ZERO), S::ONE, S::ZERO))
        => complex |y, z| y.truth().logical_xor(&z.truth());
}

/// y = a where the condition holds, else b; each gets the gradient where it was chosen.
#[derive(Debug, Clone)]
pub struct Where;

impl Pointwise<3> for Where {
    const NAME: &'static str = "where";
    const KIND: Kind = Kind::Choose;
    const SAVES: &'static [Saves] = &[Saves::NOTHING, Saves::x(0)];
    #[inline(always)]
    fn value<S: Real>(&self, [mask, a, b]: [S; 3]) -> S {
        S::select(mask.ne(S::ZERO), a, b)
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [mask, _, _]: [S; 3], _: S) -> [S; 3] {
        let (a, b) = (
            S::select(mask.ne(S::ZERO), dy, S::ZERO),
            S::select(mask.ne(S::ZERO), S::ZERO, dy),
        );
        [S::ZERO, a, b]
    }
    fn complex(&self, [mask, a, b]: [Pair; 3]) -> Option<Pair> {
        a.where_(&mask.re, &b)
    }
    fn samples() -> Vec<Sample<Map<Self, 3>>> {
        let [a, b] = super::arithmetic::pair();
        let mask = Array::from_slice(&[true, false, true, false, true, true], [2, 3]);
        vec![Sample::new(Map(Where), [mask, a, b]).gives([1.5, 0.5, 0.5, -1.25, -0.75, 2.5])]
    }
}

impl Tensor {
    /// `self` where the bool `mask` holds, else `other`; all broadcast.
    #[track_caller]
    pub fn where_(&self, mask: &Tensor, other: &Tensor) -> Tensor {
        Map(Where).apply([mask, self, other])
    }

    /// `1` where the element is zero, else `0`, as bool.
    #[track_caller]
    pub fn logical_not(&self) -> Tensor {
        match self.dtype() {
            DType::Bool => self.bitwise_xor(&scalar(1.0, DType::Bool)),
            _ => self.eq(0.0),
        }
    }
}

/// `a` where the bool `mask` holds, else `b`; all broadcast.
#[track_caller]
pub fn where_(mask: &Tensor, a: &Tensor, b: &Tensor) -> Tensor {
    Map(Where).apply([mask, a, b])
}

contract! {
    lt: Map<Lt, 2>,
    le: Map<Le, 2>,
    gt: Map<Gt, 2>,
    ge: Map<Ge, 2>,
    eq: Map<Eq, 2>,
    ne: Map<Ne, 2>,
    logical_and: Map<And, 2>,
    logical_or: Map<Or, 2>,
    logical_xor: Map<Xor, 2>,
    where_: Map<Where, 3>,
}
