//! The Airy function and its derivative.

use std::f64::consts::{FRAC_PI_4, PI};

/// Both at the whole numbers from −10 to 10, computed by mpmath with 40 digits.
const KNOWN: [[f64; 2]; 21] = [
    [0.04024123848644319, 0.99626504413279],
    [-0.022133721547341403, -0.9756639809263316],
    [-0.0527050503563862, 0.9355609381983065],
    [0.18428083525050565, -0.7710081684101265],
    [-0.3291451736298231, 0.3459354872813429],
    [0.35076100902411433, 0.32719281855444315],
    [-0.07026553294928951, -0.7906285753685813],
    [-0.37881429367765806, 0.3145837692165988],
    [0.22740742820168558, 0.618259020741691],
    [0.5355608832923521, -0.01016056711664521],
    [0.3550280538878172, -0.2588194037928068],
    [0.13529241631288141, -0.1591474412967932],
    [0.03492413042327438, -0.05309038443365363],
    [0.006591139357460719, -0.011912976705951319],
    [0.0009515638512048018, -0.001958640950204179],
    [0.00010834442813607442, -0.0002474138908684625],
    [9.947694360252889e-06, -2.4765200397034955e-05],
    [7.492128863997167e-07, -2.008150894738792e-06],
    [4.6922076160992316e-08, -1.3414392979067865e-07],
    [2.47116843087249e-09, -7.480641389658946e-09],
    [1.1047532552898686e-10, -3.5206336767389237e-10],
];

/// Ai(x) and Ai′(x). NaN at infinities, as in PyTorch.
///
/// Near a whole number by Taylor's series there, whose coefficients follow from y″ = x y; farther out by the asymptotic series.
/// (NIST Digital Library of Mathematical Functions, 9.4 and 9.7.)
pub(super) fn airy(x: f64) -> [f64; 2] {
    if !x.is_finite() {
        return [f64::NAN; 2];
    }
    if x.abs() > 10.0 {
        return asymptotic(x);
    }
    let near = x.round();
    let h = x - near;
    let [y, slope] = KNOWN[(near + 10.0) as usize];
    let (mut value, mut derivative) = (y + slope * h, slope);
    // The coefficients of the last three powers, and the power of h before the next one.
    let (mut a, mut b, mut c) = (0.0, y, slope);
    let mut power = h;
    for n in 2..30 {
        let n = f64::from(n);
        (a, b, c) = (b, c, (near * b + a) / (n * (n - 1.0)));
        derivative += n * c * power;
        power *= h;
        value += c * power;
    }
    [value, derivative]
}

fn asymptotic(x: f64) -> [f64; 2] {
    let size = x.abs();
    let zeta = 2.0 / 3.0 * size * size.sqrt();
    let root = size.sqrt().sqrt();
    // Sums of the terms of even and of odd number, for the function and for its derivative.
    let (mut of_value, mut of_slope) = ([1.0, 0.0], [1.0, 0.0]);
    let mut u = 1.0;
    for k in 1..24 {
        let n = f64::from(k);
        u *= (6.0 * n - 5.0) * (6.0 * n - 3.0) * (6.0 * n - 1.0) / (216.0 * n * (2.0 * n - 1.0) * zeta);
        let v = -u * (6.0 * n + 1.0) / (6.0 * n - 1.0);
        // On the left their signs change in pairs.
        let sign = if x < 0.0 && k % 4 >= 2 { -1.0 } else { 1.0 };
        of_value[k as usize % 2] += sign * u;
        of_slope[k as usize % 2] += sign * v;
    }
    let [[even, odd], [even_slope, odd_slope]] = [of_value, of_slope];
    if x > 0.0 {
        let scale = 0.5 * (-zeta).exp() / PI.sqrt();
        return [
            scale / root * (even - odd),
            -scale * root * (even_slope - odd_slope),
        ];
    }
    let (sin, cos) = (zeta - FRAC_PI_4).sin_cos();
    [
        (cos * even + sin * odd) / (PI.sqrt() * root),
        root / PI.sqrt() * (sin * even_slope - cos * odd_slope),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_mpmath() {
        // x, Ai(x), Ai′(x)
        const WANTED: [[f64; 3]; 15] = [
            [-50.5, 0.20218238767504867, -0.44362223851068006],
            [-12.25, -0.2676446988271423, 0.48087136842700445],
            [-10.0, 0.04024123848644319, 0.99626504413279],
            [-9.5, 0.3191032477191282, -0.10809531881187123],
            [-4.3, 0.16499780927277216, -0.7279408138388181],
            [-2.5, -0.11232506769296609, 0.6788527342647943],
            [-0.75, 0.5177725751515836, -0.1259905473379542],
            [0.0, 0.3550280538878172, -0.2588194037928068],
            [0.5, 0.23169360648083348, -0.2249105326646839],
            [1.5, 0.07174949700810541, -0.09738201284230132],
            [2.4, 0.01855609362297547, -0.030439520128972598],
            [5.6, 2.6500613296849995e-05, -6.384458124617728e-05],
            [9.5, 5.330263704617492e-10, -1.6566394593740667e-09],
            [10.5, 2.2022745192834015e-11, -7.187696781451567e-11],
            [30.0, 3.2082175915504954e-49, -1.759876581432726e-48],
        ];
        for [x, y, slope] in WANTED {
            let got = airy(x);
            for (got, want) in got.into_iter().zip([y, slope]) {
                // On the left relative to the amplitude, and with what the phase loses.
                let scale = if x < 0.0 { x.abs().powf(0.25) } else { want.abs() };
                let bound = 2e-15 * (1.0 + x.abs().powf(1.5)) * scale;
                assert!((got - want).abs() <= bound, "{x}: {got} for {want}");
            }
        }
        assert!(airy(f64::INFINITY)[0].is_nan() && airy(f64::NAN)[1].is_nan());
        assert_eq!(airy(1e5)[0], 0.0);
    }
}
