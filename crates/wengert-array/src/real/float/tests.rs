//! Error bounds by sweeps over bit patterns, special values, and agreement of the two readings.

use super::*;

/// How far `y` is from the exact value `e`, in units in the last place of an `f32` of that size.
fn ulps32(y: f32, e: f64) -> f64 {
    let r = e as f32;
    if y.to_bits() == r.to_bits() || (y.is_nan() && e.is_nan()) {
        return 0.0;
    }
    // Past the largest number the next step is infinity.
    let step = |v: f32| {
        if v.is_infinite() {
            f64::from(f32::MAX).copysign(v.into()) * (1.0 + 2f64.powi(-24))
        } else {
            v.into()
        }
    };
    let exponent = (e.abs().min(f32::MAX.into()).to_bits() >> 52) as i32 - 1023;
    let distance =
        (step(y) - if r.is_infinite() { step(r) } else { e }).abs() / 2f64.powi(exponent.max(-126) - 23);
    // A NaN, or a zero of the wrong sign, is not within any bound.
    if distance.is_nan() || (y == 0.0 && r == 0.0) {
        f64::INFINITY
    } else {
        distance
    }
}

/// Steps between two floats.
fn steps64(a: f64, b: f64) -> u64 {
    let order = |x: f64| {
        let bits = x.to_bits() as i64;
        if bits < 0 { i64::MIN - bits } else { bits }
    };
    if a.is_nan() && b.is_nan() {
        0
    } else {
        order(a).abs_diff(order(b))
    }
}

fn steps32(a: f32, b: f32) -> u32 {
    let order = |x: f32| {
        let bits = x.to_bits() as i32;
        if bits < 0 { i32::MIN - bits } else { bits }
    };
    if a.is_nan() && b.is_nan() {
        0
    } else {
        order(a).abs_diff(order(b))
    }
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Sweeps one function of `f32` in both readings against its exact value.
fn sweep32(
    name: &str,
    bound: f64,
    plain: fn(f32) -> f32,
    fused: fn(Fma<f32>) -> Fma<f32>,
    exact: fn(f64) -> f64,
) {
    let check = |x: f32| {
        let (p, f, e) = (plain(x), fused(Fma(x)).0, exact(f64::from(x)));
        for y in [p, f] {
            assert!(
                ulps32(y, e) <= bound,
                "{name}({x:e}) = {y:e}, not {e:e}: {} ULP",
                ulps32(y, e)
            );
        }
        assert!(steps32(p, f) <= 2, "{name}({x:e}): plain {p:e}, fused {f:e}");
    };
    // A stride that is odd visits all low digits; the second sweep is dense where functions bend.
    (0..=u32::MAX)
        .step_by(16_127)
        .for_each(|bits| check(f32::from_bits(bits)));
    (0x3d00_0000..0x4300_0000)
        .step_by(1021)
        .for_each(|bits| check(f32::from_bits(bits)));
    let specials = [
        0.0,
        1.0,
        f32::INFINITY,
        f32::NAN,
        f32::MAX,
        f32::MIN_POSITIVE,
        1e-45,
        1e-40,
        1e-20,
    ];
    let ends = [
        88.72283, 88.72284, 87.33655, 103.27893, 103.97208, 103.97209, 0.54999995, 0.55, 0.9, 4.0, 9.1,
    ];
    // Multiples of π/2 to the last digit, small and huge, and the band limits of the reduction.
    let turns = [
        std::f32::consts::FRAC_PI_2,
        std::f32::consts::PI,
        16367173.0 * 2f32.powi(72),
        2f32.powi(50),
        2f32.powi(76),
        2f32.powi(102),
    ];
    for x in specials.into_iter().chain(ends).chain(turns) {
        for bits in [x.to_bits().saturating_sub(1), x.to_bits(), x.to_bits() + 1] {
            check(f32::from_bits(bits));
            check(-f32::from_bits(bits));
        }
    }
}

/// The sine, or cosine, of an angle that is not too large by the quick way.
fn near<S: Real>(x: S, cosine: bool) -> S {
    let (y, right) = x.turn_near(cosine);
    match right {
        true => y,
        false if cosine => x.cos(),
        false => x.sin(),
    }
}

#[test]
fn angles_near_whole_turns_keep_all_digits() {
    // Of each multiple of π/2 that has a quick way, the numbers next to it.
    for n in 0..1920 {
        let bits = (f64::from(n) * std::f64::consts::FRAC_PI_2) as f32;
        for x in [bits.next_down(), bits, bits.next_up()] {
            for cosine in [false, true] {
                let exact = if cosine {
                    f64::from(x).cos()
                } else {
                    f64::from(x).sin()
                };
                assert_eq!(x.turn_near(cosine).1, x.abs() < 3000.0);
                for y in [near(x, cosine), near(Fma(x), cosine).0] {
                    assert!(ulps32(y, exact) <= 1.3, "{n}, {x}: {y:e}, not {exact:e}");
                }
            }
        }
    }
}

#[test]
fn functions_of_f32_keep_their_bounds() {
    sweep32("exp", 1.0, Real::exp, Real::exp, f64::exp);
    sweep32("exp2", 1.0, Real::exp2, Real::exp2, f64::exp2);
    sweep32("ln", 0.9, Real::ln, Real::ln, f64::ln);
    sweep32("tanh", 1.5, Real::tanh, Real::tanh, f64::tanh);
    sweep32("sin", 1.7, Real::sin, Real::sin, f64::sin);
    sweep32("cos", 1.7, Real::cos, Real::cos, f64::cos);
    sweep32("sin near", 1.7, |x| near(x, false), |x| near(x, false), f64::sin);
    sweep32("cos near", 1.7, |x| near(x, true), |x| near(x, true), f64::cos);
    sweep32("erf", 1.4, Real::erf, Real::erf, Real::erf);
    sweep32("exp_m1", 0.6, Real::exp_m1, Real::exp_m1, f64::exp_m1);
    sweep32("ln_1p", 1.1, Real::ln_1p, Real::ln_1p, f64::ln_1p);
    sweep32("log2", 0.6, Real::log2, Real::log2, f64::log2);
    sweep32("log10", 0.6, Real::log10, Real::log10, f64::log10);
    sweep32("atan", 2.0, Real::atan, Real::atan, f64::atan);
}

#[test]
fn the_normal_distribution_function_keeps_its_bound() {
    let exact = |x: f64| 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
    for i in -800_000..=800_000 {
        let x = i as f32 / 1e5;
        for y in [x.normal_cdf(), Fma(x).normal_cdf().0] {
            let off = (f64::from(y) - exact(x.into())).abs();
            assert!(
                (0.0..=1.0).contains(&y) && off < 2.4e-7,
                "at {x}: {y}, off by {off:e}"
            );
        }
        let x = f64::from(x);
        for y in [x.normal_cdf(), Fma(x).normal_cdf().0] {
            assert!((y - exact(x)).abs() < 2e-16, "at {x}: {y}");
        }
    }
    for (x, y) in [
        (f32::NEG_INFINITY, 0.0),
        (-1e30, 0.0),
        (-0.0, 0.5),
        (1e30, 1.0),
        (f32::INFINITY, 1.0),
    ] {
        assert_eq!([x.normal_cdf(), Fma(x).normal_cdf().0], [y; 2], "at {x}");
        assert_eq!(f64::from(x).normal_cdf(), f64::from(y), "at {x}");
    }
    assert!(f32::NAN.normal_cdf().is_nan() && f64::NAN.normal_cdf().is_nan());
}

#[test]
fn pow_of_f32_keeps_its_bound() {
    let mut state = 88172645463325252;
    for i in 0..300_000 {
        let r = random(&mut state);
        let (low, high) = (r as u32, (r >> 32) as u32);
        // Any numbers at all; then powers that come out in range, of any number and of numbers near one.
        let x = if i % 3 == 2 {
            0.95 + low as f32 / 4e10
        } else {
            f32::from_bits(low)
        };
        let spread = (f64::from(high) / 4294967296.0 - 0.5) * 310.0;
        let p = if i % 3 == 0 {
            f32::from_bits(high)
        } else {
            (spread / f64::from(x.abs()).log2()) as f32
        };
        let p = if i % 2 == 0 { p } else { p.round() };
        let e = f64::from(x).powf(p.into());
        for y in [Real::pow(x, p), Fma(x).pow(Fma(p)).0] {
            assert!(
                ulps32(y, e) <= 1.1,
                "{x:e}^{p:e} = {y:e}, not {e:e}: {} ULP",
                ulps32(y, e)
            );
        }
    }
}

#[test]
fn pow_of_special_values_is_ieee() {
    let sizes = [
        0.0,
        1.0,
        f32::INFINITY,
        f32::NAN,
        0.5,
        2.0,
        3.0,
        2.5,
        1e-40,
        8388607.0,
        8388608.0,
        8388609.0,
        16777215.0,
        16777216.0,
        1e30,
        f32::MAX,
        f32::MIN_POSITIVE,
        0.99999994,
        1.0000001,
        4194303.5,
        100.0,
        101.0,
    ];
    let all = || sizes.into_iter().flat_map(|x: f32| [x, -x]);
    for x in all() {
        for p in all() {
            let e = x.powf(p);
            for y in [Real::pow(x, p), Fma(x).pow(Fma(p)).0] {
                assert!(
                    steps32(y, e) <= 1 && (y != 0.0 || y.to_bits() == e.to_bits()),
                    "{x:e}^{p:e} = {y:e}, not {e:e}"
                );
            }
        }
    }
}

#[test]
fn pow_of_f64_agrees_with_the_standard_library() {
    let check = |x: f64, p: f64| {
        // The library lets a signalling NaN win over a power of 0.
        let x = if x.is_nan() { f64::NAN } else { x };
        let e = x.powf(p);
        for y in [Real::pow(x, p), Fma(x).pow(Fma(p)).0] {
            let sign = y != 0.0 || y.to_bits() == e.to_bits();
            assert!(steps64(y, e) <= 2 && sign, "{x:e}^{p:e} = {y:e}, not {e:e}");
        }
    };
    let mut state = 88172645463325252;
    for i in 0..300_000 {
        let (r, q) = (random(&mut state), random(&mut state));
        let unit = |r: u64| (r >> 11) as f64 / 2f64.powi(53) - 0.5;
        // As of f32.
        let x = match i % 3 {
            2 => 1.0 + unit(r) * 2f64.powi(-(i % 50)),
            _ => f64::from_bits(r),
        };
        let p = match i % 3 {
            0 => f64::from_bits(q),
            _ => unit(q) * 2200.0 / x.abs().log2(),
        };
        check(x, if i % 2 == 0 { p } else { p.round() });
        check(unit(r) * 8.0, (unit(q) * 20.0).round());
    }
    let sizes = [
        0.0,
        1.0,
        f64::INFINITY,
        f64::NAN,
        0.5,
        2.0,
        3.0,
        2.5,
        5e-324,
        1e-310,
        4503599627370495.5,
        4503599627370497.0,
        9007199254740991.0,
        9007199254740992.0,
        1e300,
        f64::MAX,
        f64::MIN_POSITIVE,
        1.0 - 2f64.powi(-53),
        1.0 + 2f64.powi(-52),
        100.0,
        101.0,
        1e19,
        1e25,
    ];
    let all = || sizes.into_iter().flat_map(|x: f64| [x, -x]);
    for x in all() {
        all().for_each(|p| check(x, p));
    }
}

#[test]
fn functions_of_f64_agree_with_the_standard_library() {
    type Row = (
        &'static str,
        fn(f64) -> f64,
        fn(Fma<f64>) -> Fma<f64>,
        fn(f64) -> f64,
    );
    let rows: [Row; 12] = [
        ("sin near", |x| near(x, false), |x| near(x, false), f64::sin),
        ("cos near", |x| near(x, true), |x| near(x, true), f64::cos),
        ("exp_m1", Real::exp_m1, Real::exp_m1, f64::exp_m1),
        ("ln_1p", Real::ln_1p, Real::ln_1p, f64::ln_1p),
        ("log2", Real::log2, Real::log2, f64::log2),
        ("log10", Real::log10, Real::log10, f64::log10),
        ("atan", Real::atan, Real::atan, f64::atan),
        ("exp2", Real::exp2, Real::exp2, f64::exp2),
        ("exp", Real::exp, Real::exp, f64::exp),
        ("ln", Real::ln, Real::ln, f64::ln),
        ("tanh", Real::tanh, Real::tanh, f64::tanh),
        ("sin", Real::sin, Real::sin, f64::sin),
    ];
    for (name, plain, fused, exact) in rows {
        let check = |x: f64| {
            for y in [plain(x), fused(Fma(x)).0] {
                let e = exact(x);
                let sign = y != 0.0 || y.to_bits() == e.to_bits();
                assert!(steps64(y, e) <= 2 && sign, "{name}({x:e}) = {y:e}, not {e:e}");
            }
        };
        let mut state = 88172645463325252;
        for _ in 0..50_000 {
            let r = random(&mut state);
            let unit = (r >> 11) as f64 / 2f64.powi(53) - 0.5;
            [
                f64::from_bits(r),
                unit * 4.0,
                unit * 50.0,
                unit * 1500.0,
                unit * 2e6,
                1.0 + unit,
                unit.powi(5),
                // Near multiples of π/2, and between the arcs that atan begins at.
                (unit * 1e6).round() * std::f64::consts::FRAC_PI_2,
                unit * 5.0,
            ]
            .into_iter()
            .for_each(check);
        }
        let ends = [
            709.782712893384,
            709.782712893385,
            708.4,
            745.1332,
            745.14,
            0.55,
            5e-324,
            1e-310,
        ];
        let specials = [0.0, 1.0, f64::INFINITY, f64::NAN, f64::MAX, f64::MIN_POSITIVE];
        // The multiple of π/2 in range that is nearest to an f64, and others.
        let turns = [1048575.9, 1048576.0, 11.0, 344.0, 710.0, 51819.0, 573204.0];
        let turns = turns.map(|n| n * std::f64::consts::FRAC_PI_2);
        ends.into_iter().chain(turns).chain(specials).for_each(|x| {
            check(x);
            check(-x);
        });
    }
}

#[test]
fn logarithms_of_powers_are_whole() {
    for n in -1022..=1023 {
        let x = 2f64.powi(n);
        assert_eq!([x.log2(), Real::log2(x), Fma(x).log2().0], [f64::from(n); 3]);
    }
    for n in -307..=308 {
        let x: f64 = format!("1e{n}").parse().unwrap();
        assert_eq!([Real::log10(x), Fma(x).log10().0], [f64::from(n); 2]);
    }
}

#[test]
fn erf_of_f64_matches_known_values() {
    // From mpmath, to 40 digits before rounding.
    let known = [
        (0.0, 0.0),
        (1e-300, 1.1283791670955126e-300),
        (1e-9, 1.1283791670955127e-09),
        (0.01, 0.011283415555849618),
        (0.25, 0.27632639016823696),
        (0.5, 0.5204998778130465),
        (0.84375, 0.7672256612323416),
        (0.999, 0.8422852702064969),
        (1.0, 0.8427007929497149),
        (1.25, 0.9229001282564583),
        (1.5, 0.9661051464753108),
        (2.0, 0.9953222650189527),
        (2.75, 0.9998993780778803),
        (3.5, 0.9999992569016276),
        (4.5, 0.9999999998033839),
        (5.5, 0.9999999999999927),
        (5.9, 0.9999999999999999),
        (6.5, 1.0),
        (f64::INFINITY, 1.0),
        (f64::NAN, f64::NAN),
    ];
    for (x, e) in known {
        for (x, e) in [(x, e), (-x, -e)] {
            for y in [Real::erf(x), Fma(x).erf().0] {
                assert!(
                    steps64(y, e) <= 1 && (y != 0.0 || y.to_bits() == e.to_bits()),
                    "erf({x:e}) = {y:e}, not {e:e}"
                );
            }
        }
    }
}

#[test]
fn erfinv_of_f64_matches_known_values() {
    // From mpmath, to 50 digits before rounding.
    let known: [(f64, f64); 38] = [
        (0.0, 0.0),
        (1.0, f64::INFINITY),
        (1.0000000000000002, f64::NAN),
        (f64::INFINITY, f64::NAN),
        (f64::NAN, f64::NAN),
        (5e-324, 5e-324),
        (1e-310, 8.8622692545277e-311),
        (1e-300, 8.86226925452758e-301),
        (1e-20, 8.86226925452758e-21),
        (1e-08, 8.86226925452758e-09),
        (0.001, 0.0008862271574665521),
        (0.1, 0.08885599049425769),
        (0.25, 0.2253120550121781),
        (0.3, 0.2724627147267543),
        (0.5, 0.4769362762044699),
        (0.7, 0.7328690779592167),
        (0.75, 0.8134198475976185),
        (0.8, 0.9061938024368233),
        (0.9, 1.1630871536766743),
        (0.95, 1.3859038243496777),
        (0.99, 1.8213863677184494),
        (0.9966, 2.071150939906553),
        (0.99662, 2.0724472803450715),
        (0.9967, 2.077703486165099),
        (0.9975, 2.1378252338818555),
        (0.999, 2.3267537655135246),
        (0.9999, 2.75106390571208),
        (0.99999, 3.123413274341571),
        (0.9999996, 3.5842943983696816),
        (0.9999997, 3.622824116782318),
        (0.99999961, 3.5877007678890376),
        (0.9999999, 3.7665625816384707),
        (0.999999999, 4.320005388105362),
        (0.99999999999, 4.812924058944833),
        (0.9999999999999, 5.261483331372676),
        (0.9999999999999991, 5.686128441310391),
        (0.9999999999999998, 5.805018683193453),
        (0.9999999999999999, 5.8635847487551676),
    ];
    for (x, e) in known {
        for (x, e) in [(x, e), (-x, -e)] {
            for y in [x.special(Special::Erfinv), Fma(x).special(Special::Erfinv).0] {
                assert!(
                    steps64(y, e) <= 1 && (y != 0.0 || y.to_bits() == e.to_bits()),
                    "erfinv({x:e}) = {y:e}, not {e:e}"
                );
            }
        }
    }
    // Between them, by way of the function itself: a step of y is 2 y² steps of what erf x is less than one.
    let mut state = 88172645463325252;
    for i in 0..200_000 {
        let unit = (random(&mut state) >> 11) as f64 / 2f64.powi(53);
        let x = match i % 3 {
            0 => unit,
            1 => 1.0 - unit.powi(4) * 0.1,
            _ => 1.0 - 2f64.powf(-53.0 * unit),
        };
        for y in [x.special(Special::Erfinv), Fma(x).special(Special::Erfinv).0] {
            let off = match x < 0.5 {
                true => Real::erf(y) / x - 1.0,
                false => (libm::erfc(y) / (1.0 - x) - 1.0) / (1.0 + 2.0 * y * y),
            };
            assert!(
                x == 0.0 || x == 1.0 || off.abs() < 6e-16,
                "erfinv({x:e}) = {y:e}, off by {off:e}"
            );
        }
    }
}

#[test]
fn a_nan_wins_max_and_min() {
    let nan = f32::NAN;
    for (a, b) in [(nan, 1.0), (1.0, nan), (nan, nan)] {
        assert!(Real::max(a, b).is_nan() && Real::min(a, b).is_nan());
    }
    assert_eq!((Real::max(1.0f32, 2.0), Real::min(1.0f32, 2.0)), (2.0, 1.0));
}

#[test]
fn special_functions_of_f32_keep_their_bounds() {
    type Row = (Special, f64, f64);
    // Bounds in ULP of the result or, where roots are, of one.
    let rows: [Row; 4] = [
        (Special::Erfinv, 2.0, 0.0),
        (Special::Lgamma, 0.6, 1.0),
        (Special::Polygamma(0), 0.6, 1.0),
        (Special::Polygamma(1), 0.6, 0.0),
    ];
    for (f, bound, root) in rows {
        let check = |x: f32| {
            let e = f.eval(x.into());
            for y in [x.special(f), Fma(x).special(f).0] {
                let off = (f64::from(y) - e).abs();
                assert!(
                    ulps32(y, e) <= bound || off <= root * 2f64.powi(-36),
                    "{f:?}({x:e}) = {y:e}, not {e:e}: {} ULP",
                    ulps32(y, e)
                );
            }
        };
        let few = if f == Special::Polygamma(1) { 16 } else { 1 };
        (0..=u32::MAX)
            .step_by(few * 16_127)
            .for_each(|bits| check(f32::from_bits(bits)));
        for sign in [0, 1 << 31] {
            (0x3c00_0000..0x4180_0000)
                .step_by(few * 601)
                .for_each(|bits| check(f32::from_bits(bits | sign)));
        }
        let whole = (0..40).map(|i| i as f32 * 0.5);
        let specials = [
            f32::INFINITY,
            f32::NAN,
            f32::MAX,
            1e-45,
            1e-40,
            1e6,
            8388609.0,
            1.4616321,
        ];
        for x in whole.chain(specials) {
            for bits in [x.to_bits().saturating_sub(1), x.to_bits(), x.to_bits() + 1] {
                check(f32::from_bits(bits));
                check(-f32::from_bits(bits));
            }
        }
    }
}

#[test]
fn near_remainders_of_f64_are_exact() {
    let mut state = 88172645463325252;
    let count = std::cell::Cell::new(0);
    let check = |a: f64, b: f64| {
        for (y, right) in [
            a.rem_near(b),
            (Fma(a).rem_near(Fma(b)).0.0, Fma(a).rem_near(Fma(b)).1),
        ] {
            count.set(count.get() + usize::from(right));
            assert!(
                !right || y.to_bits() == (a % b).to_bits(),
                "{a:e} % {b:e} = {y:e}"
            );
        }
    };
    for _ in 0..300_000 {
        let (r, q) = (random(&mut state), random(&mut state));
        check(f64::from_bits(r), f64::from_bits(q));
        // Near whole quotients, and any of a size.
        let b = 1.0 + (r >> 12) as f64 / 2f64.powi(52);
        check((q >> 43) as f64 * b, b);
        check(-((q >> 43) as f64 * b).next_down(), b);
        check(q as f64 / 2f64.powi(44), -b);
    }
    assert!(count.get() > 1_000_000, "they are to be right nearly always");
    for a in [
        0.0,
        -0.0,
        1.0,
        -5.5,
        5e-324,
        1e-300,
        f64::INFINITY,
        f64::NAN,
        f64::MAX,
    ] {
        for b in [
            0.0,
            -0.0,
            1.0,
            -2.5,
            5e-324,
            1e-300,
            f64::INFINITY,
            f64::NAN,
            f64::MAX,
        ] {
            check(a, b);
        }
    }
}

#[test]
fn near_remainders_are_exact() {
    let mut state = 88172645463325252;
    let check = |a: f32, b: f32| {
        for (y, right) in [
            a.rem_near(b),
            (Fma(a).rem_near(Fma(b)).0.0, Fma(a).rem_near(Fma(b)).1),
        ] {
            let small = (a / b).abs() < 4194304.0;
            assert_eq!(right, small, "{a:e} % {b:e}");
            assert!(
                !right || y.to_bits() == (a % b).to_bits(),
                "{a:e} % {b:e} = {y:e}"
            );
        }
    };
    for _ in 0..300_000 {
        let r = random(&mut state);
        let (a, b) = (f32::from_bits(r as u32), f32::from_bits((r >> 32) as u32));
        check(a, b);
        // Near whole quotients, and any of a size.
        let b = 1.0 + (r >> 40) as f32 / 2f32.powi(24);
        check((r as u32 >> 10) as f32 * b, b);
        check(r as u32 as f32 / 2f32.powi(20), -b);
    }
    for a in [0.0, -0.0, 1.0, -5.5, 1e-45, f32::INFINITY, f32::NAN, f32::MAX] {
        for b in [0.0, -0.0, 1.0, -2.5, 1e-45, f32::INFINITY, f32::NAN, f32::MAX] {
            check(a, b);
        }
    }
}
