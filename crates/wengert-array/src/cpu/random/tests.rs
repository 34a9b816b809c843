use super::bits::philox;
use super::*;

/// The published answers of Philox4x32-10, one block in each of several lanes.
#[test]
fn blocks_are_philoxs() {
    let cases: [([u32; 4], [u32; 2], [u32; 4]); 3] = [
        ([0; 4], [0; 2], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]),
        (
            [u32::MAX; 4],
            [u32::MAX; 2],
            [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
        ),
        // Digits of π.
        (
            [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
            [0xa4093822, 0x299f31d0],
            [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
        ),
    ];
    for (counter, key, want) in cases {
        let w = philox::<LANES>(key, counter.map(|c| [u64::from(c); LANES]));
        assert_eq!(w, want.map(|v| [u64::from(v); LANES]));
    }
    let zero = blocks::<1>(0, 0);
    assert_eq!(zero.map(|[w]| w as u32), cases[0].2);
    // A later block, by lanes and alone.
    let (eight, one) = (
        blocks::<LANES>(7, u64::from(u32::MAX) - 2),
        blocks::<1>(7, u64::from(u32::MAX) + 2),
    );
    assert_eq!(eight.map(|w| w[4]), one.map(|w| w[0]));
}

/// Each kind of draw, as bits.
fn draws(shape: &Shape, g: &mut Generator) -> Vec<Vec<u64>> {
    let bits = |a: Array| a.to_vec::<f64>().iter().map(|v| v.to_bits()).collect();
    let mut all: Vec<Vec<u64>> = Vec::new();
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
        all.push(bits(g.uniform(shape, -1.0, 3.0, dtype)));
        all.push(bits(g.normal(shape, 0.5, 2.0, dtype)));
    }
    all.push(
        g.integers(shape, -5, 1 << 40)
            .to_vec::<i64>()
            .iter()
            .map(|v| v.cast_unsigned())
            .collect(),
    );
    all.push(bits(g.bernoulli(shape, 0.3)));
    all.push(bits(g.exponential(shape, 2.0, DType::F32)));
    let rates = g.uniform(shape, 0.0, 30.0, DType::F32);
    all.push(bits(g.poisson(&rates)));
    all
}

#[test]
fn threads_change_nothing() {
    let all = threads::with_each(&[1, 2, 8], || draws(&[3, 33_337].into(), &mut Generator::new(5)));
    assert!(all.iter().all(|drawn| *drawn == all[0]));
}

/// Every level of instructions gives the same bits.
#[test]
fn instructions_change_nothing() {
    fn same<S: Sample, T: Element>(sample: &S) {
        const N: usize = 10_007;
        let (mut plain, mut best) = ([T::default(); N], [T::default(); N]);
        // SAFETY: both have N elements.
        unsafe { fill(sample, 3, 1 << 33, N, plain.as_mut_ptr()) };
        // SAFETY: likewise.
        unsafe { fill_best(sample, 3, 1 << 33, N, best.as_mut_ptr()) };
        assert!(plain == best);
    }
    same::<_, f32>(&Normal {
        mean: 1.0f32,
        std: 0.7,
    });
    same::<_, f64>(&Normal {
        mean: 1.0f64,
        std: 0.7,
    });
    let (low, width, least, most) = (0.1, 0.7, 0.1, 0.8);
    same::<_, f32>(&Uniform::<f32> {
        low,
        width,
        least,
        most,
    });
    same::<_, i64>(&Integers {
        low: -9,
        count: 1 << 50,
    });
}

#[test]
fn draws_repeat_and_differ() {
    let shape = Shape::new(&[1000]);
    let mut g = Generator::new(1);
    let first = draws(&shape, &mut g);
    assert_eq!(first, draws(&shape, &mut Generator::new(1)));
    let mut saved = Generator::from_state(g.state());
    assert_eq!((g.seed(), &saved), (1, &g));
    let second = draws(&shape, &mut g);
    assert_eq!(second, draws(&shape, &mut saved));
    let other = draws(&shape, &mut Generator::new(2));
    for (a, b) in first.iter().zip(&second).chain(first.iter().zip(&other)) {
        assert_ne!(a, b);
    }
    // A shorter draw is the beginning of a longer one; nothing drawn leaves the generator as it was.
    let short = draws(&[7].into(), &mut Generator::new(1));
    assert_eq!(short[0], first[0][..7]);
    let state = g.state();
    assert_eq!(g.uniform(&[0, 3].into(), 0.0, 1.0, DType::F32).numel(), 0);
    assert_eq!(g.state(), state);
    let words: Vec<u64> = (0..4).map(|_| g.next_u64()).collect();
    assert!(words.windows(2).all(|w| w[0] != w[1]));
}

/// Mean, variance, third and fourth moment of what has been standardised.
fn moments(v: &[f64]) -> [f64; 4] {
    [1, 2, 3, 4].map(|k| v.iter().map(|x| x.powi(k)).sum::<f64>() / v.len() as f64)
}

/// How far the counts of 20 equal bins are from even ones: 19 on average, above 50 one time in 10^4.
fn chi_square(shares: impl Iterator<Item = f64>) -> f64 {
    let mut counts = [0.0f64; 20];
    shares.for_each(|s| counts[((s * 20.0) as usize).min(19)] += 1.0);
    let even = counts.iter().sum::<f64>() / 20.0;
    counts.iter().map(|c| (c - even).powi(2) / even).sum()
}

/// The normal distribution's function, by Simpson's rule.
fn below_normal(z: f64) -> f64 {
    let f = |x: f64| (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let h = z / 40.0;
    let sum: f64 = (0..20)
        .map(|i| 2.0 * i as f64 * h)
        .map(|x| f(x) + 4.0 * f(x + h) + f(x + 2.0 * h))
        .sum();
    0.5 + sum * h / 3.0
}

#[test]
fn distributions_are_as_named() {
    const N: usize = 200_000;
    let shape = Shape::new(&[N]);
    let mut g = Generator::new(42);
    // Five standard deviations of a mean of N numbers of variance v.
    let near = |got: f64, want: f64, v: f64| {
        assert!((got - want).abs() < 5.0 * (v / N as f64).sqrt(), "{got} {want}")
    };
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
        // Narrow types have too few numbers for the bins to be even.
        let fine = dtype.size() >= 4;
        let u = g.uniform(&shape, -2.0, 6.0, dtype).to_vec::<f64>();
        assert!(u.iter().all(|v| (-2.0..6.0).contains(v)));
        let u: Vec<f64> = u.iter().map(|v| (v + 2.0) / 8.0).collect();
        let [m1, m2, m3, _] = moments(&u);
        near(m1, 1.0 / 2.0, 1.0 / 12.0);
        near(m2, 1.0 / 3.0, 4.0 / 45.0);
        near(m3, 1.0 / 4.0, 9.0 / 112.0);
        assert!(!fine || chi_square(u.iter().copied()) < 50.0);

        let z = g.normal(&shape, 3.0, 0.5, dtype).to_vec::<f64>();
        let z: Vec<f64> = z.iter().map(|v| (v - 3.0) / 0.5).collect();
        let [m1, m2, m3, m4] = moments(&z);
        near(m1, 0.0, 1.0);
        near(m2, 1.0, 2.0);
        near(m3, 0.0, 15.0);
        near(m4, 3.0, 96.0);
        assert!(!fine || chi_square(z.iter().map(|&z| below_normal(z))) < 50.0);
        // Neighbours, and the two numbers that one step of the method makes, are independent.
        for lag in [1, LANES] {
            let pairs = z.iter().zip(&z[lag..]);
            near(
                pairs.clone().map(|(a, b)| a * b).sum::<f64>() / N as f64,
                0.0,
                1.0,
            );
            near(
                pairs.map(|(a, b)| (a * a - 1.0) * (b * b - 1.0)).sum::<f64>() / N as f64,
                0.0,
                4.0,
            );
        }
    }
    let i = g.integers(&shape, -40, 60).to_vec::<f64>();
    assert!(i.iter().all(|v| (-40.0..60.0).contains(v)));
    assert!(chi_square(i.iter().map(|v| (v + 40.5) / 100.0)) < 50.0);
    for p in [0.0, 0.3, 1.0] {
        near(
            g.bernoulli(&shape, p).to_vec::<f64>().iter().sum::<f64>() / N as f64,
            p,
            p * (1.0 - p) + 1e-9,
        );
    }
}

/// Saved seeds stay good: these bits are part of what this module promises.
#[test]
fn numbers_stay_as_they_are() {
    let shape = Shape::new(&[70]);
    let mut g = Generator::new(2024);
    let bits = |a: Array| [0, 9, 69].map(|i| a.to_vec::<f64>()[i].to_bits());
    let got = [
        bits(g.uniform(&shape, -1.0, 1.0, DType::F32)),
        bits(g.uniform(&shape, -1.0, 1.0, DType::F64)),
        bits(g.normal(&shape, 0.0, 1.0, DType::F32)),
        bits(g.normal(&shape, 0.0, 1.0, DType::F64)),
        [0, 9, 69].map(|i| g.integers(&shape, 0, 1 << 40).to_vec::<i64>()[i].cast_unsigned()),
        [g.next_u64(), g.next_u64(), g.state()[1]],
    ];
    let want = [
        [0x3fca8b6b00000000, 0xbfc0693c00000000, 0xbfcce1f300000000],
        [0x3fe3f03f3208be74, 0xbfe495cf3b4c1370, 0x3fdbc4ed1ba882f8],
        [0xbfe499ef40000000, 0x3ff0507a60000000, 0x3fed208f80000000],
        [0xbff2a151208a0356, 0xbfeae2dc7c352931, 0x3ff896a69bd6f867],
        [0xc6eb52beea, 0xf862b516ba, 0x9598c3e296],
        [0xd735fadfb0914aa5, 0x33ee12742f0e21a5, 250],
    ];
    assert_eq!(got, want, "{got:#x?}");
}

/// The functions of Box and Muller's method against the library's.
#[test]
fn normals_are_accurate() {
    let mut g = Generator::new(0);
    for _ in 0..20_000 {
        let (a, b) = (g.next_u64(), g.next_u64());
        // Of any size, since random ones are seldom small.
        let u = ((a >> 11) + 1) as f64 * 0.5f64.powi(53 + (a % 40) as i32);
        let radius = (-2.0 * u.ln()).sqrt();
        let [x, y] = normal64::normals(u, b);
        assert!((x.hypot(y) - radius).abs() <= 8e-16 * radius, "{u}");
        let angle = ((b << 2).cast_signed() as f64 * 0.5f64.powi(63) * std::f64::consts::FRAC_PI_4).tan();
        let (near, far) = if b >> 63 == 0 { (x, y) } else { (y, x) };
        assert!((far / near - angle).abs() < 4e-16, "{b}");
        assert_eq!(near < 0.0, b << 1 >> 63 == 1);

        let [x, y] = normal32::normals(u as f32, (b >> 32) as u32).map(f64::from);
        let radius = (-2.0 * f64::from(u as f32).ln()).sqrt();
        assert!((x.hypot(y) - radius).abs() <= 3e-7 * radius, "{u}");
        let (near, far) = if b >> 63 == 0 { (x, y) } else { (y, x) };
        assert!((far / near - angle).abs() < 3e-7, "{b}");
    }
    assert_eq!(normal32::normals(1.0, 5 << 20), [0.0; 2]);
}

#[test]
fn ranges_are_kept() {
    let shape = Shape::new(&[100_000]);
    let mut g = Generator::new(9);
    let ranges = [
        (1.0, 2.0),
        (0.1, 0.3),
        (-1.0, 0.0),
        (1.0, 1.0 + 1e-3),
        (-1e-3, 1e-3),
        (5.0, 5.0),
        (0.0, 60000.0),
        (16_777_215.0, 16_777_217.0),
    ];
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
        for (low, high) in ranges
            .into_iter()
            .filter(|r| dtype != DType::F16 || r.1 < 65520.0)
        {
            let v = g.uniform(&shape, low, high, dtype).to_vec::<f64>();
            let ok = |v: f64| low <= v && (v < high || low == high);
            assert!(v.iter().all(|&v| ok(v)), "{dtype} {low} {high}");
        }
    }
    for (low, high) in [(0, 1), (i64::MIN, i64::MAX), (-3, 4), (i64::MAX - 1, i64::MAX)] {
        let v = g.integers(&shape, low, high).to_vec::<i64>();
        assert!(v.iter().all(|v| (low..high).contains(v)));
        if high - 1 == low.wrapping_add(6) {
            assert!((low..high).all(|i| v.contains(&i)));
        }
    }
}

#[test]
fn permutations_hold_each_number_once() {
    let mut g = Generator::new(3);
    for n in [0, 1, 2, 17, 5000] {
        let mut p = g.permutation(n).to_vec::<i64>();
        assert!(n < 17 || p.windows(2).any(|w| w[0] > w[1]));
        p.sort_unstable();
        assert_eq!(p, (0..n as i64).collect::<Vec<_>>());
    }
    // All six orders of three turn up equally often: chi-square of 5 degrees, above 26 one time in 10^4.
    let mut counts = [0.0f64; 27];
    for _ in 0..6000 {
        let p = g.permutation(3).to_vec::<i64>();
        counts[(p[0] * 9 + p[1] * 3 + p[2]) as usize] += 1.0;
    }
    let seen: Vec<f64> = counts.into_iter().filter(|&c| c > 0.0).collect();
    assert_eq!(seen.len(), 6);
    assert!(seen.iter().map(|c| (c - 1000.0).powi(2) / 1000.0).sum::<f64>() < 26.0);
}

#[test]
fn nonsense_is_refused() {
    let shape = Shape::new(&[2]);
    let g = || Generator::new(0);
    for (ask, kind) in [
        (
            crate::catch(|| g().uniform(&shape, 1.0, 0.0, DType::F32)),
            ErrorKind::Value,
        ),
        (
            crate::catch(|| g().uniform(&shape, 0.0, f64::NAN, DType::F32)),
            ErrorKind::Value,
        ),
        (
            crate::catch(|| g().uniform(&shape, -3e38, 3e38, DType::F32)),
            ErrorKind::Value,
        ),
        (
            crate::catch(|| g().uniform(&shape, 0.0, 1e6, DType::F16)),
            ErrorKind::Value,
        ),
        (
            crate::catch(|| g().uniform(&shape, 0.0, 1.0, DType::I64)),
            ErrorKind::DType,
        ),
        (
            crate::catch(|| g().normal(&shape, 0.0, -1.0, DType::F32)),
            ErrorKind::Value,
        ),
        (crate::catch(|| g().integers(&shape, 3, 3)), ErrorKind::Value),
        (crate::catch(|| g().bernoulli(&shape, 1.5)), ErrorKind::Value),
    ] {
        assert_eq!(ask.unwrap_err().kind(), kind);
    }
}

#[test]
fn waiting_times_and_counts_have_their_moments() {
    let (n, mut g) = (200_000, Generator::new(11));
    let moments = |a: &Array| {
        let v = a.to_vec::<f64>();
        let mean = v.iter().sum::<f64>() / n as f64;
        (mean, v.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64)
    };
    let times = g.exponential(&[n].into(), 4.0, DType::F64);
    let (mean, variance) = moments(&times);
    assert!(
        (mean - 0.25).abs() < 0.003 && (variance - 0.0625).abs() < 0.002,
        "{mean} {variance}"
    );
    assert!(times.to_vec::<f64>().iter().all(|t| *t > 0.0));
    for rate in [0.0, 0.3, 3.0, 9.9, 10.1, 50.0, 2000.0] {
        let (mean, variance) = moments(&g.poisson(&Array::full([n], rate, DType::F64)));
        let error = 5.0 * (rate / n as f64).sqrt();
        assert!((mean - rate).abs() <= error, "{rate}: {mean}");
        assert!((variance - rate).abs() <= 0.03 * rate, "{rate}: {variance}");
    }
}

/// The probabilities of small counts, whichever method makes them.
#[test]
fn counts_are_poissons() {
    let n = 400_000;
    for rate in [2.5, 12.0] {
        let counts = Generator::new(3)
            .poisson(&Array::full([n], rate, DType::F64))
            .to_vec::<f64>();
        let mut p = (-rate).exp();
        for k in 0..25 {
            let seen = counts.iter().filter(|c| **c == f64::from(k)).count() as f64 / n as f64;
            let error = 5.0 * (p * (1.0 - p) / n as f64).sqrt() + 1e-6;
            assert!((seen - p).abs() < error, "rate {rate}: {k} with {seen}, not {p}");
            p *= rate / f64::from(k + 1);
        }
    }
}

#[test]
fn draws_by_weight() {
    let n = 100_000;
    let weights = Array::from_slice(&[1.0, 0.0, 3.0, 4.0], [1, 4]);
    let picks = Generator::new(1).multinomial(&weights, n, true).to_vec::<i64>();
    for (k, p) in [0.125, 0.0, 0.375, 0.5].into_iter().enumerate() {
        let seen = picks.iter().filter(|i| **i == k as i64).count() as f64 / n as f64;
        assert!((seen - p).abs() < 0.008, "{k}: {seen}");
    }
    // Many weights are added up by blocks: of any length, with zeros at the end and in whole blocks.
    for cols in [15usize, 16, 17, 100, 1000] {
        let weight = |k: usize| match k / 16 % 2 == 1 || k.is_multiple_of(3) || k + 5 > cols {
            true => 0.0,
            false => (k % 7 + 1) as f64,
        };
        let row: Vec<f64> = (0..cols).map(weight).collect();
        let (total, n) = (row.iter().sum::<f64>(), 50_000);
        let picks = Generator::new(3)
            .multinomial(&Array::from_slice(&row, [1, cols]), n, true)
            .to_vec::<i64>();
        let mut seen = vec![0.0; cols];
        picks.iter().for_each(|i| seen[*i as usize] += 1.0);
        for (k, w) in row.iter().enumerate() {
            let wanted = w / total * n as f64;
            assert!(
                (seen[k] - wanted).abs() <= 6.0 * wanted.sqrt(),
                "{k} of {cols}: {} {wanted}",
                seen[k]
            );
        }
    }
    // Without replacement, the first pick has the weights' chances, and all picks differ.
    let many = weights.broadcast_to(&[20_000, 4].into());
    let picks = Generator::new(2).multinomial(&many, 3, false).to_vec::<i64>();
    let mut first = [0.0; 4];
    for row in picks.chunks(3) {
        let mut sorted = row.to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 2, 3]);
        first[row[0] as usize] += 1.0 / 20_000.0;
    }
    assert!(
        (first[0] - 0.125).abs() < 0.015 && (first[3] - 0.5).abs() < 0.02,
        "{first:?}"
    );
}
