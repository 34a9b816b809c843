//! Special functions that are asked for often enough to be vectorised. But for the inverse of erf they are of 32-bit floats,
//! computed in 64 bits, where nothing is lost by a recurrence or a reflection.

use super::{Double, Single, Special, poly};
use std::f64::consts::PI;

/// The function by straight-line code where there is such, else one number at a time in 64 bits.
#[inline(always)]
pub(super) fn special32<S: Single>(x: S, f: Special) -> S {
    let wide = S::Wide::new(f64::from(x.raw()));
    let y = match f {
        Special::Erfinv => return erfinv32(x),
        Special::Lgamma => lgamma(wide),
        Special::Polygamma(0) => digamma(wide),
        Special::Polygamma(1) => trigamma(wide),
        f => return S::new(f.eval(x.raw().into()) as f32),
    };
    S::new(y.raw() as f32)
}

/// As [`special32`].
#[inline(always)]
pub(super) fn special64<S: Double>(x: S, f: Special) -> S {
    match f {
        Special::Erfinv => erfinv64(x),
        f => S::new(f.eval(x.raw())),
    }
}

/// The inverse of erf within 2 ULP: x times a polynomial in w = −ln(1 − x²) up to w = 5 and in √w above, off by 2⁻²⁷ (the
/// variables are due to M. Giles, 2010).
#[inline(always)]
fn erfinv32<S: Single>(x: S) -> S {
    let a = x.abs();
    let w = -((S::ONE - a) * (S::ONE + a)).ln();
    let near = poly(
        w,
        [
            0.8862269,
            0.23201382,
            0.011548652,
            -0.0023342923,
            -0.00012748559,
            4.456743e-05,
            3.9825036e-06,
            -1.9763188e-06,
            2.2101553e-07,
            -8.790358e-09,
        ],
    );
    let far = poly(
        w.sqrt() - S::new(3.0),
        [
            2.8329768,
            1.0016751,
            0.009445655,
            -0.0076391743,
            0.005683479,
            -0.0035881815,
            0.0014949329,
            -7.432488e-05,
            -0.0003179016,
            0.00012744512,
        ],
    );
    let y = x * S::select(w.lt(S::new(5.0)), near, far);
    let y = S::select(a.eq(S::ONE), S::new(f32::INFINITY).copysign(x), y);
    S::select(S::ONE.lt(a), S::new(f32::NAN), y)
}

/// The inverse of erf within 2 ULP, as that of 32 bits: x times a polynomial in w = −ln(1 − x²) up to w = 5, in √w − 3 up to
/// √w = 3.75 and in √w − 4.875 above, off by 2⁻⁵⁹. The last two have their coefficients chosen for each number.
#[inline(always)]
fn erfinv64<S: Double>(x: S) -> S {
    let a = x.abs();
    let w = -((S::ONE - a) * (S::ONE + a)).ln();
    let near = poly(
        w,
        [
            0.886226925452758,
            0.23201366653465436,
            0.01154934203827462,
            -0.002335101641654358,
            -0.00012804329400127666,
            4.6611439541433305e-05,
            2.0199904483602675e-06,
            -1.0125554721250668e-06,
            -3.729768262634177e-08,
            2.2802300858461726e-08,
            7.398283102189054e-10,
            -5.079664697158255e-10,
            -2.9639748319513585e-11,
            2.0669647101702966e-11,
            -3.710049110579672e-12,
            1.2421748355046636e-12,
            -4.551696239554682e-13,
            1.0619856579721794e-13,
            -1.592765237470784e-14,
            1.5794772690617987e-15,
            -1.0166584453578053e-16,
            3.889112219121265e-18,
            -6.763410162521743e-20,
        ],
    );
    const FAR: [[f64; 2]; 22] = [
        [2.8329767987282706, 4.7236171149637975],
        [1.0016752766934, 1.0103244465623906],
        [0.009445522011986937, -5.0556819532169546e-05],
        [-0.007643805570075241, -0.00025628873477093775],
        [0.005685182418034832, 8.942926148168314e-05],
        [-0.003558794015500663, -2.3429531654311527e-05],
        [0.0014837373415178756, 5.507979273764917e-06],
        [-0.0001488981081062578, -1.2683290193843775e-06],
        [-0.0002831244082275729, 3.3148093578268635e-07],
        [0.00020551662649764024, -1.209880566907345e-07],
        [-4.6460366689699085e-05, 6.032910893063717e-08],
        [-2.2873242929511837e-05, -3.231724411340572e-08],
        [2.193364505195936e-05, 1.5815223712718252e-08],
        [-5.9471223146910125e-06, -6.536796114007702e-09],
        [-1.648269700315363e-06, 2.103959015180962e-09],
        [1.998212144433346e-06, -4.3313874422700024e-10],
        [-6.543037923458769e-07, -6.280483706088578e-12],
        [-7.623963466323094e-08, 6.256756738466642e-11],
        [1.8193622337845105e-07, -4.06987731662036e-11],
        [-6.77870698208848e-08, 1.1738928659163515e-11],
        [-1.3769695206976475e-08, 1.0071926899060834e-12],
        [1.30736259575647e-08, -9.8305529460208e-13],
    ];
    let root = w.sqrt();
    let middle = root.lt(S::new(3.75));
    let of = |[yes, no]: [f64; 2]| S::select(middle, S::new(yes), S::new(no));
    let t = root - of([3.0, 4.875]);
    let mut far = of(FAR[21]);
    for c in FAR[..21].iter().rev() {
        far = far.mul_add(t, of(*c));
    }
    let y = x * S::select(w.lt(S::new(5.0)), near, far);
    let y = S::select(a.eq(S::ONE), S::new(f64::INFINITY).copysign(x), y);
    S::select(S::ONE.lt(a), S::new(f64::NAN), y)
}

/// How far `a` is from the nearest integer.
#[inline(always)]
fn beside<W: Double>(a: W) -> W {
    a - a.round()
}

/// sin πr for |r| ≤ ½, off by 2⁻⁴³.
#[inline(always)]
fn sin_pi<W: Double>(r: W) -> W {
    r * poly(
        r * r,
        [
            3.1415926535895973,
            -5.167712779977327,
            2.550164035419988,
            -0.5992644257459164,
            0.08214473218674948,
            -0.007363785262704615,
            0.0004472005889779696,
        ],
    )
}

/// cos πr for |r| ≤ ½, off by 2⁻⁴⁰.
#[inline(always)]
fn cos_pi<W: Double>(r: W) -> W {
    poly(
        r * r,
        [
            0.999999999999252,
            -4.934802200250995,
            4.058712107590215,
            -1.335262316153172,
            0.23532544341342235,
            -0.02577634055647952,
            0.001840021465847074,
        ],
    )
}

/// ln |Γ(x)|, off by 2⁻³⁸ of itself or, near a root below zero, of one.
///
/// Between 1.5 and 3 it is (x − 1) (x − 2) times a polynomial, which keeps the roots exact. What is below is brought there by
/// Γ(x + 1) = x Γ(x), what is above is Stirling's series, and the negative half is reflected.
#[inline(always)]
fn lgamma<W: Double>(x: W) -> W {
    let w = |c: f64| W::new(c);
    let a = x.abs();
    let (tiny, small, large) = (a.lt(w(0.5)), a.lt(w(1.5)), a.ge(w(3.0)));
    let lift = W::select(tiny, a * (a + W::ONE), W::select(small, a, W::ONE));
    let u = a + W::select(tiny, w(2.0), W::select(small, W::ONE, W::ZERO));
    let inner = poly(
        u - w(2.25),
        [
            0.3995894876556424,
            -0.08588084755482041,
            0.02526835496563976,
            -0.008464024759724015,
            0.003041118420461322,
            -0.001140991024834434,
            0.00044066008572381086,
            -0.00017367238419191788,
            6.949967432274682e-05,
            -2.8306027342540927e-05,
            1.1587774499453106e-05,
            -4.383599671684845e-06,
            1.7873222585666522e-06,
            -1.2014909310085276e-06,
            5.16574950794895e-07,
        ],
    );
    let inner = (u - W::ONE) * (u - w(2.0)) * inner;
    let z = W::ONE / a;
    let outer = poly(
        z * z,
        [
            0.08333333333167708,
            -0.002777776638411894,
            0.0007935233387358247,
            -0.000589922197110022,
            0.0007366059789855856,
            -0.0008304247621531493,
        ],
    );
    const HALF_LN_TAU: f64 = 0.9189385332046728;
    let ln = W::select(large, a, lift).ln();
    let outer = (a - w(0.5)) * (ln - W::ONE) + (w(HALF_LN_TAU - 0.5) + outer * z);
    let y = W::select(large, outer, inner - ln);
    // Γ(−a) Γ(a) = −π / (a sin πa)
    let reflected = -(a * sin_pi(beside(a)).abs() * w(1.0 / PI)).ln() - y;
    let y = W::select(x.lt(W::ZERO), reflected, y);
    W::select(a.eq(w(f64::INFINITY)), a, y)
}

/// `a`, or a + 4 below 4, and whether it is that: from there on asymptotic series are exact enough.
#[inline(always)]
fn raised<W: Double>(a: W) -> (W, W::Mask) {
    let low = a.lt(W::new(4.0));
    (W::select(low, a + W::new(4.0), a), low)
}

/// The logarithmic derivative of Γ, off by 2⁻³⁷ of itself or, near a root, of one: by its asymptotic series, the recurrence
/// ψ(x + 1) = ψ(x) + 1/x, and ψ(1 + a) − ψ(−a) = −π cot πa.
#[inline(always)]
fn digamma<W: Double>(x: W) -> W {
    let a = x.abs();
    let (z, low) = raised(a);
    let inverse = W::ONE / z;
    let t = inverse * inverse;
    let series = poly(
        t,
        [
            0.08333333333235844,
            -0.008333332160738225,
            0.003968024780980323,
            -0.004150060481191723,
            0.007013442838900223,
            -0.011512243316990002,
        ],
    );
    let high = z.ln() - W::new(0.5) * inverse - t * series;
    // The sum of 1 / (a + k) for k from 0 to 3.
    let lift = poly(a, [6.0, 22.0, 18.0, 4.0]) / poly(a, [0.0, 6.0, 11.0, 6.0, 1.0]);
    let y = W::select(low, high - lift, high);
    let r = beside(a);
    let reflected = y + W::ONE / a + W::new(PI) * cos_pi(r) / sin_pi(r);
    // Poles have no side but that of zero.
    let reflected = W::select(a.eq(a.round()), W::new(f64::NAN), reflected);
    let y = W::select(x.lt(W::ZERO), reflected, y);
    W::select(x.eq(W::ZERO), -W::ONE / x, y)
}

/// The derivative of [`digamma`], off by 2⁻³⁷ of itself, in the same way.
#[inline(always)]
fn trigamma<W: Double>(x: W) -> W {
    let a = x.abs();
    let (z, low) = raised(a);
    let inverse = W::ONE / z;
    let t = inverse * inverse;
    let series = poly(
        t,
        [
            0.1666666666544659,
            -0.03333331857543437,
            0.02380662236678439,
            -0.03312148608530296,
            0.06849604389826566,
            -0.126421893761718,
        ],
    );
    let high = inverse + t * (W::new(0.5) + inverse * series);
    // The sum of 1 / (a + k)² for k from 0 to 3.
    let all = poly(a, [0.0, 6.0, 11.0, 6.0, 1.0]);
    let lift = poly(a, [36.0, 132.0, 242.0, 240.0, 130.0, 36.0, 4.0]) / (all * all);
    let y = W::select(low, high + lift, high);
    let r = beside(a);
    let sine = W::new(1.0 / PI) * sin_pi(r);
    let reflected = W::ONE / (sine * sine) + W::ONE / (a * a) - y;
    // Far below zero all are integers, also an infinity.
    let reflected = W::select(a.eq(a.round()), W::new(f64::INFINITY), reflected);
    W::select(x.lt(W::ZERO), reflected, y)
}
