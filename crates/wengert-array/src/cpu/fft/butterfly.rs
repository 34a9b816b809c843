//! Transforms of a few numbers that lie in vectors, lane by lane: y_k = Σ x_j e^(−2πi jk/R).

use crate::cpu::vector::{Float, Vector};
use crate::dtype::Compute;

/// Real parts, imaginary parts.
pub(super) type Pair<V> = [V; 2];

/// The transform in place, for R of 2, 3, 4, 5, 7, 8 and 16.
#[inline(always)]
pub(super) fn butterfly<V: Vector<C: Float>, const R: usize>(a: &mut [Pair<V>; R]) {
    match R {
        2 => [a[0], a[1]] = two(a[0], a[1]),
        4 => [a[0], a[1], a[2], a[3]] = four([a[0], a[1], a[2], a[3]]),
        8 => eight(a),
        16 => sixteen(a),
        _ => odd(a),
    }
}

#[inline(always)]
fn two<V: Vector>(a: Pair<V>, b: Pair<V>) -> [Pair<V>; 2] {
    [[a[0].add(b[0]), a[1].add(b[1])], [a[0].sub(b[0]), a[1].sub(b[1])]]
}

/// `a ± by (x, y)`.
#[inline(always)]
fn plus_minus<V: Vector<C: Float>>(a: Pair<V>, by: f64, x: V, y: V) -> [Pair<V>; 2] {
    let (plus, minus) = (number::<V>(by), number::<V>(-by));
    [
        [x.mul_add(plus, a[0]), y.mul_add(plus, a[1])],
        [x.mul_add(minus, a[0]), y.mul_add(minus, a[1])],
    ]
}

#[inline(always)]
fn number<V: Vector<C: Float>>(x: f64) -> V {
    V::splat(V::C::from_f64(x))
}

#[inline(always)]
fn four<V: Vector>([a, b, c, d]: [Pair<V>; 4]) -> [Pair<V>; 4] {
    joined(two(a, c), two(b, d))
}

/// Four from sums and differences of the even ones and of the odd ones.
#[inline(always)]
fn joined<V: Vector>([s, t]: [Pair<V>; 2], [u, v]: [Pair<V>; 2]) -> [Pair<V>; 4] {
    let ([y0, y2], [y1, y3]) = (two(s, u), two_turned(t, v));
    [y0, y1, y2, y3]
}

/// a − i b and a + i b
#[inline(always)]
fn two_turned<V: Vector>(a: Pair<V>, b: Pair<V>) -> [Pair<V>; 2] {
    [[a[0].add(b[1]), a[1].sub(b[0])], [a[0].sub(b[1]), a[1].add(b[0])]]
}

#[inline(always)]
fn eight<V: Vector<C: Float>, const R: usize>(a: &mut [Pair<V>; R]) {
    let e = four([a[0], a[2], a[4], a[6]]);
    let o = four([a[1], a[3], a[5], a[7]]);
    let half = std::f64::consts::FRAC_1_SQRT_2;
    [a[0], a[4]] = two(e[0], o[0]);
    // By e^(−πi/4) = (1 − i) √½, by −i, and by (−1 − i) √½.
    [a[1], a[5]] = plus_minus(e[1], half, o[1][0].add(o[1][1]), o[1][1].sub(o[1][0]));
    [a[2], a[6]] = two_turned(e[2], o[2]);
    [a[7], a[3]] = plus_minus(e[3], half, o[3][0].sub(o[3][1]), o[3][0].add(o[3][1]));
}

/// As four times four.
#[inline(always)]
fn sixteen<V: Vector<C: Float>, const R: usize>(a: &mut [Pair<V>; R]) {
    // cos and sin of π/8.
    const C: f64 = 0.923_879_532_511_286_7;
    const S: f64 = 0.382_683_432_365_089_8;
    const H: f64 = std::f64::consts::FRAC_1_SQRT_2;
    let mut rows = [four([a[0], a[4], a[8], a[12]]); 4];
    rows[1] = four([a[1], a[5], a[9], a[13]]);
    rows[2] = four([a[2], a[6], a[10], a[14]]);
    rows[3] = four([a[3], a[7], a[11], a[15]]);
    let [r0, r1, r2, r3] = rows;
    // Row j's element k by e^(−2πi jk/16).
    let second = four([
        r0[1],
        turned(r1[1], C, -S),
        turned(r2[1], H, -H),
        turned(r3[1], S, -C),
    ]);
    let third = joined(
        two_turned(r0[2], r2[2]),
        two(turned(r1[2], H, -H), turned(r3[2], -H, -H)),
    );
    let fourth = four([
        r0[3],
        turned(r1[3], S, -C),
        turned(r2[3], -H, -H),
        turned(r3[3], -C, S),
    ]);
    let first = four([r0[0], r1[0], r2[0], r3[0]]);
    for k in 0..4 {
        a[4 * k] = first[k];
        a[4 * k + 1] = second[k];
        a[4 * k + 2] = third[k];
        a[4 * k + 3] = fourth[k];
    }
}

/// By re + im i.
#[inline(always)]
fn turned<V: Vector<C: Float>>(a: Pair<V>, re: f64, im: f64) -> Pair<V> {
    product(a, [number(re), number(im)])
}

/// The product of complex numbers.
#[inline(always)]
pub(super) fn product<V: Vector>(a: Pair<V>, w: Pair<V>) -> Pair<V> {
    [
        a[0].mul_sub(w[0], a[1].mul(w[1])),
        a[0].mul_add(w[1], a[1].mul(w[0])),
    ]
}

/// cos and sin of 2πj/R for j from 1 to (R − 1)/2.
const fn angles(r: usize) -> [[f64; 2]; 3] {
    match r {
        3 => [[-0.5, 0.866_025_403_784_438_6], [0.0; 2], [0.0; 2]],
        5 => [
            [0.309_016_994_374_947_45, 0.951_056_516_295_153_5],
            [-0.809_016_994_374_947_5, 0.587_785_252_292_473_1],
            [0.0; 2],
        ],
        _ => [
            [0.623_489_801_858_733_6, 0.781_831_482_468_029_8],
            [-0.222_520_933_956_314_4, 0.974_927_912_181_823_6],
            [-0.900_968_867_902_419_1, 0.433_883_739_117_558_1],
        ],
    }
}

/// Of an odd number: those j and R − j have the same cosines, and sines of opposite signs.
#[inline(always)]
fn odd<V: Vector<C: Float>, const R: usize>(a: &mut [Pair<V>; R]) {
    const { assert!(R <= 7 || R == 8 || R == 16) };
    let (half, angles, x) = (R / 2, const { angles(R) }, *a);
    for j in 1..=half {
        [a[0][0], a[0][1]] = [
            a[0][0].add(x[j][0].add(x[R - j][0])),
            a[0][1].add(x[j][1].add(x[R - j][1])),
        ];
    }
    for k in 1..=half {
        let (mut p, mut q) = (x[0], [number::<V>(0.0); 2]);
        for j in 1..=half {
            let at = j * k % R;
            let (at, sign) = if at > half { (R - at, -1.0) } else { (at, 1.0) };
            let [cos, sin] = angles[at - 1];
            let (cos, sin) = (number::<V>(cos), number::<V>(sign * sin));
            let [sum, difference] = two(x[j], x[R - j]);
            p = [sum[0].mul_add(cos, p[0]), sum[1].mul_add(cos, p[1])];
            q = [difference[0].mul_add(sin, q[0]), difference[1].mul_add(sin, q[1])];
        }
        [a[k], a[R - k]] = two_turned(p, q);
    }
}
