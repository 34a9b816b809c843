//! Operations on the bits of integers, and what only integers have. None has a gradient.

use super::compare::Operand;
use super::pointwise::{Kind, Map, Pointwise};
use super::rule::{Rule, contract_rules, rules, rules2};
use crate::op::{Op, Sample};
use crate::tensor::Tensor;
use wengert_array::real::{IntOp, Real};
use wengert_array::{Array, DType};

fn integers() -> [Array; 2] {
    let a = Array::from_slice(&[12i64, -7, 5, 0, 255, -128], [2, 3]);
    [a, Array::from_slice(&[10i64, 3, 1], [3])]
}

rules! {
    /// Every bit inverted: `−x − 1`; of bool the other one.
    invert Invert: Integral on integers()[0].clone();
    |x| x.integer(IntOp::Xor, S::lit(-1.0));
    |_, _, _| S::ZERO;
}

rules2! {
    /// The bits that both have; of bool, whether both hold.
    bitwise_and BitAnd: Integral on integers();
    |a, b| a.integer(IntOp::And, b);
    |_, _, _, _| [S::ZERO; 2];

    /// The bits that either has; of bool, whether either holds.
    bitwise_or BitOr: Integral on integers();
    |a, b| a.integer(IntOp::Or, b);
    |_, _, _, _| [S::ZERO; 2];

    /// The bits that exactly one has; of bool, whether exactly one holds.
    bitwise_xor BitXor: Integral on integers();
    |a, b| a.integer(IntOp::Xor, b);
    |_, _, _, _| [S::ZERO; 2];

    /// a · 2^b; 0 where b is negative or has all bits pushed out.
    bitwise_left_shift ShiftLeft: Integral on integers();
    |a, b| a.integer(IntOp::Shl, b);
    |_, _, _, _| [S::ZERO; 2];

    /// a / 2^b rounded down; b that is negative or large leaves only the sign: 0 or −1.
    bitwise_right_shift ShiftRight: Integral on integers();
    |a, b| a.integer(IntOp::Shr, b);
    |_, _, _, _| [S::ZERO; 2];

    /// The greatest common divisor, not negative.
    gcd Gcd: Integral on integers();
    |a, b| a.integer(IntOp::Gcd, b);
    |_, _, _, _| [S::ZERO; 2];

    /// The least common multiple, not negative.
    lcm Lcm: Integral on integers();
    |a, b| {
        let divisor = a.integer(IntOp::Gcd, b);
        (a / S::select(divisor.eq(S::ZERO), S::ONE, divisor) * b).abs()
    };
    |_, _, _, _| [S::ZERO; 2];
}

impl Tensor {
    /// Every bit inverted: `−x − 1`; of bool the other one.
    #[track_caller]
    pub fn bitwise_not(&self) -> Tensor {
        // −1 − 1 is not zero: bool would come out true either way.
        if self.dtype() == DType::Bool {
            return self.logical_not();
        }
        self.invert()
    }
}

contract_rules! {
    bitwise_not: Invert, 1,
    bitwise_and: BitAnd, 2,
    bitwise_or: BitOr, 2,
    bitwise_xor: BitXor, 2,
    bitwise_left_shift: ShiftLeft, 2,
    bitwise_right_shift: ShiftRight, 2,
    gcd: Gcd, 2,
    lcm: Lcm, 2,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_integers_wrap_as_their_width_says() {
        let x = Tensor::from_slice(&[200u8, 1, 128], [3]);
        assert_eq!(x.bitwise_not().to_vec::<u8>(), [55, 254, 127]);
        assert_eq!(x.bitwise_left_shift(1.0).to_vec::<u8>(), [144, 2, 0]);
        assert_eq!(x.bitwise_left_shift(8.0).to_vec::<u8>(), [0, 0, 0]);
        let x = Tensor::from_slice(&[-128i8, 127, -1], [3]);
        assert_eq!(x.bitwise_right_shift(9.0).to_vec::<i8>(), [-1, 0, -1]);
        assert_eq!(x.bitwise_not().to_vec::<i8>(), [127, -128, 0]);
        let t = Tensor::new([true, false]);
        assert_eq!(t.bitwise_not().to_vec::<bool>(), [false, true]);
        assert_eq!(t.bitwise_xor(&t).dtype(), DType::Bool);
        let x = Tensor::from_slice(&[0i64, 4, -6], [3]);
        assert_eq!(
            x.lcm(&Tensor::from_slice(&[0i64, 6, 4], [3])).to_vec::<i64>(),
            [0, 12, 12]
        );
    }
}
