//! The logarithm and the normal distribution, by arithmetic that is the same on every machine.

macro_rules! box_muller {
    (
        $name:ident, $t:ident, $bits:ident, $mantissa:literal, $root_half:literal,
        $log:expr, $sin:expr, $cos:expr
    ) => {
        /// Functions of their own for Box and Muller's method, so that the numbers do not depend on which
        /// instructions or which library there are: plain arithmetic, never fused, and easily vectorised.
        pub(super) mod $name {
            use std::f64::consts;

            /// `Σ c[i] xⁱ`.
            #[inline(always)]
            fn polynomial<const K: usize>(x: $t, c: [f64; K]) -> $t {
                c.iter().rev().fold(0.0, |sum, &c| sum * x + c as $t)
            }

            /// The natural logarithm of a normal positive number.
            #[inline(always)]
            pub(in super::super) fn ln(x: $t) -> $t {
                // x = m · 2^e with m in [√½, √2), and ln m = 2 artanh s with s = (m − 1) / (m + 1).
                let e = (x.to_bits().wrapping_sub($root_half)).cast_signed() >> $mantissa;
                let m = <$t>::from_bits(x.to_bits().wrapping_sub((e << $mantissa).cast_unsigned()));
                let s = (m - 1.0) / (m + 1.0);
                e as i32 as $t * consts::LN_2 as $t + 2.0 * s * polynomial(s * s, $log)
            }

            /// Two independent numbers from the standard normal distribution. `u` is in (0, 1]; `turn` and
            /// its top two bits make a point on the circle.
            #[inline(always)]
            pub(in super::super) fn normals(u: $t, turn: $bits) -> [$t; 2] {
                let radius = (-2.0 * ln(u)).sqrt();
                // An angle in ±π/4; one bit says whether to mirror it to the other axis, one whether to go to
                // the other side.
                let angle = (turn << 2).cast_signed() as $t
                    * (consts::FRAC_PI_4 / (1u64 << ($bits::BITS - 1)) as f64) as $t;
                let a2 = angle * angle;
                let (sin, cos) = (angle * polynomial(a2, $sin), polynomial(a2, $cos));
                let flip = (turn << 1) & (1 << ($bits::BITS - 1));
                let radius = <$t>::from_bits(radius.to_bits() ^ flip);
                let mirror = turn >> ($bits::BITS - 1) != 0;
                let (x, y) = if mirror { (sin, cos) } else { (cos, sin) };
                [radius * x, radius * y]
            }
        }
    };
}

/// 1 / (2k + 1): the series of artanh s / s in s².
const fn odd<const K: usize>() -> [f64; K] {
    let mut c = [0.0; K];
    let mut k = 0;
    while k < K {
        c[k] = 1.0 / (2 * k + 1) as f64;
        k += 1;
    }
    c
}

/// (−1)^k / (2k + first)!: the series of sin a / a (`first` 1) and cos a (`first` 0) in a².
const fn alternating<const K: usize>(first: usize) -> [f64; K] {
    let mut c = [1.0; K];
    let mut k = 1;
    while k < K {
        let n = 2 * k + first;
        c[k] = -c[k - 1] / (n * (n - 1)) as f64;
        k += 1;
    }
    c
}

// As many terms as keep the first one left out below the last bit.
box_muller!(
    normal32,
    f32,
    u32,
    23,
    0x3F35_04F3,
    const { super::odd::<5>() },
    const { super::alternating::<5>(1) },
    const { super::alternating::<6>(0) }
);
box_muller!(
    normal64,
    f64,
    u64,
    52,
    0x3FE6_A09E_667F_3BCD,
    const { super::odd::<11>() },
    const { super::alternating::<9>(1) },
    const { super::alternating::<10>(0) }
);
