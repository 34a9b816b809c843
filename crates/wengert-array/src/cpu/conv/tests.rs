use super::*;
use crate::dtype::DType;
use crate::layout::Shape;

fn numbers(shape: &[usize], seed: usize) -> Array {
    let n: usize = shape.iter().product();
    let data: Vec<f64> = (0..n)
        .map(|i| ((i * 37 + seed * 11 + 5) % 41) as f64 / 8.0 - 2.5)
        .collect();
    Array::from_slice(&data, shape)
}

fn at(shape: &Shape, i: [usize; 5]) -> usize {
    i.iter().zip(shape.iter()).fold(0, |at, (i, n)| at * n + i)
}

/// Calls `f(x, w, y)` with the numbers of the elements that meet in each product.
fn meetings(spec: &ConvSpec, x: &Shape, w: &Shape, y: &Shape, mut f: impl FnMut(usize, usize, usize)) {
    let outputs = w[0] / spec.groups;
    for n in 0..x[0] {
        for o in 0..w[0] {
            for c in 0..w[1] {
                for q in each([y[2], y[3], y[4]]) {
                    for k in each([w[2], w[3], w[4]]) {
                        let place: [isize; 3] = std::array::from_fn(|d| {
                            (q[d] * spec.stride[d] + k[d] * spec.dilation[d]) as isize
                                - spec.before[d] as isize
                        });
                        if (0..3).all(|d| (0..x[d + 2] as isize).contains(&place[d])) {
                            let p = place.map(|p| p as usize);
                            let channel = o / outputs * w[1] + c;
                            f(
                                at(x, [n, channel, p[0], p[1], p[2]]),
                                at(w, [o, c, k[0], k[1], k[2]]),
                                at(y, [n, o, q[0], q[1], q[2]]),
                            );
                        }
                    }
                }
            }
        }
    }
}

fn check(x: [usize; 5], outputs: usize, kernel: [usize; 3], spec: ConvSpec) {
    let w = [outputs, x[1] / spec.groups, kernel[0], kernel[1], kernel[2]];
    let size: [usize; 3] = std::array::from_fn(|d| {
        (x[d + 2] + 2 * spec.before[d] - spec.dilation[d] * (kernel[d] - 1) - 1) / spec.stride[d] + 1
    });
    let y = [x[0], outputs, size[0], size[1], size[2]];
    let (a, b, dy) = (numbers(&x, 1), numbers(&w, 2), numbers(&y, 3));
    let (bias, back) = (numbers(&[outputs], 4), numbers(&[x[1]], 5));
    let (av, bv, dyv) = (a.to_vec::<f64>(), b.to_vec::<f64>(), dy.to_vec::<f64>());
    let per = |shape: [usize; 5], bias: &Array| -> Vec<f64> {
        let (plane, bias) = (shape[2] * shape[3] * shape[4], bias.to_vec::<f64>());
        (0..shape.iter().product())
            .map(|i| bias[i / plane % shape[1]])
            .collect()
    };
    let (mut want, mut dx, mut dw) = (per(y, &bias), per(x, &back), vec![0.0; b.numel()]);
    meetings(&spec, a.shape(), b.shape(), dy.shape(), |i, j, k| {
        want[k] += av[i] * bv[j];
        dx[i] += dyv[k] * bv[j];
        dw[j] += dyv[k] * av[i];
    });
    for dtype in [DType::F64, DType::F32] {
        let [a, b, dy, bias, back] = [&a, &b, &dy, &bias, &back].map(|x| x.cast(dtype));
        let tolerance = if dtype == DType::F32 { 2e-4 } else { 1e-11 };
        let close = |got: &Array, want: &[f64], what: &str| {
            for (g, w) in got.to_vec::<f64>().iter().zip(want) {
                assert!(
                    (g - w).abs() <= tolerance * (1.0 + w.abs()),
                    "{what} of {spec:?} on {x:?}: {g} for {w}"
                );
            }
            assert_eq!(got.numel(), want.len());
        };
        close(&conv(&a, &b, Some(&bias), &spec, size), &want, "value");
        close(
            &conv_input(&dy, &b, Some(&back), &spec, [x[2], x[3], x[4]]),
            &dx,
            "input",
        );
        close(&conv_weight(&a, &dy, &spec, kernel), &dw, "weight");
    }
}

#[test]
fn agrees_with_plain_loops() {
    let spec = |stride, before, dilation, groups| ConvSpec {
        stride,
        before,
        dilation,
        groups,
    };
    check([2, 3, 1, 7, 9], 5, [1, 3, 3], spec([1; 3], [0, 1, 1], [1; 3], 1));
    check(
        [2, 4, 1, 9, 8],
        6,
        [1, 3, 2],
        spec([1, 2, 3], [0, 1, 0], [1; 3], 2),
    );
    check(
        [1, 6, 1, 8, 20],
        6,
        [1, 3, 3],
        spec([1, 1, 1], [0, 2, 2], [1, 2, 2], 6),
    );
    check(
        [1, 2, 4, 5, 6],
        14,
        [2, 3, 3],
        spec([2, 1, 2], [1, 1, 2], [1, 1, 1], 1),
    );
    check(
        [3, 20, 1, 1, 30],
        13,
        [1, 1, 15],
        spec([1; 3], [0, 0, 7], [1; 3], 1),
    );
    check([2, 8, 1, 6, 6], 9, [1, 1, 1], spec([1; 3], [0; 3], [1; 3], 1));
    check(
        [1, 3, 1, 11, 11],
        4,
        [1, 2, 2],
        spec([1, 4, 4], [0; 3], [1, 3, 3], 1),
    );
}

#[test]
fn channels_by_themselves() {
    let spec = |stride, before, dilation, groups| ConvSpec {
        stride,
        before,
        dilation,
        groups,
    };
    // Rows of several vectors and of less than one, more rows than a slab has, one and two channels for each.
    for (size, outputs) in [
        ([70, 43], 2),
        ([66, 19], 4),
        ([9, 14], 4),
        ([5, 7], 2),
        ([3, 1], 2),
    ] {
        for (stride, dilation) in [
            ([1, 1], [1, 1]),
            ([2, 2], [1, 1]),
            ([1, 2], [2, 3]),
            ([3, 4], [1, 1]),
        ] {
            let three = |at: [usize; 2]| [1, at[0], at[1]];
            let spec = spec(three(stride), [0, 3, 2], three(dilation), 2);
            check([2, 2, 1, size[0], size[1]], outputs, [1, 3, 2], spec);
        }
    }
    // Three dimensions, more taps than are summed at once, and padding that is wider than the input.
    check([2, 3, 5, 6, 21], 3, [2, 3, 3], spec([1; 3], [1; 3], [1; 3], 3));
    check([2, 3, 5, 6, 21], 3, [3, 2, 2], spec([2; 3], [1; 3], [1; 3], 3));
    check([1, 2, 1, 2, 33], 2, [1, 5, 5], spec([1; 3], [0, 7, 8], [1; 3], 2));
    // One result of many channels, and so far apart taps that they do not fit into a slab.
    check(
        [2, 70, 1, 6, 18],
        1,
        [1, 3, 3],
        spec([1; 3], [0, 1, 1], [1; 3], 1),
    );
    let far = spec([1; 3], [0, 0, 13_000], [1, 1, 26_000], 1);
    check([1, 41, 1, 1, 30], 2, [1, 1, 2], far);
}

#[test]
fn strides_of_many_channels() {
    let spec = |stride, before, dilation| ConvSpec {
        stride,
        before,
        dilation,
        groups: 1,
    };
    for stride in [[1, 2, 2], [1, 1, 2], [1, 3, 1], [1, 2, 3]] {
        check([2, 12, 1, 21, 39], 13, [1, 3, 3], spec(stride, [0, 1, 1], [1; 3]));
        check(
            [1, 12, 1, 20, 22],
            5,
            [1, 2, 3],
            spec(stride, [0, 0, 2], [1, 2, 2]),
        );
        check([1, 40, 1, 7, 8], 9, [1, 1, 1], spec(stride, [0; 3], [1; 3]));
    }
    check([1, 9, 5, 6, 8], 7, [3, 3, 2], spec([2, 2, 2], [1, 1, 0], [1; 3]));
    // Weights from several slabs, the last a smaller one; from dy as it is; from patches, as planes are small.
    check([2, 9, 1, 40, 70], 7, [1, 3, 3], spec([1; 3], [0, 1, 1], [1; 3]));
    check([2, 70, 1, 4, 8], 7, [1, 1, 1], spec([1; 3], [0; 3], [1; 3]));
    check([2, 7, 1, 3, 3], 40, [1, 3, 3], spec([1; 3], [0, 1, 1], [1; 3]));
    check([3, 7, 1, 9, 9], 70, [1, 3, 3], spec([1, 2, 2], [0, 1, 1], [1; 3]));
}

#[test]
fn outputs_in_lanes() {
    // Rows of any width, vectors that are not full, several panels, more taps than are summed at once, groups, and three dimensions.
    let spec = |stride, groups| ConvSpec {
        stride,
        before: [0, 1, 1],
        dilation: [1; 3],
        groups,
    };
    for width in 1..32 {
        let outputs = 20 + 3 * width;
        check([9, 5, 1, 6, width], outputs, [1, 3, 3], spec([1; 3], 1));
        check(
            [1, 4, 1, 9, width],
            outputs,
            [1, 2, 3],
            spec([1, 1 + width % 3, 2], 1),
        );
    }
    check([1, 34, 1, 18, 19], 66, [1, 3, 3], spec([1; 3], 1));
    check([1, 30, 1, 18, 19], 34, [1, 4, 3], spec([1, 2, 2], 1));
    check([2, 48, 1, 17, 9], 72, [1, 3, 3], spec([1; 3], 2));
    check([1, 6, 5, 8, 10], 33, [3, 3, 3], spec([2, 1, 2], 1));
    check(
        [2, 40, 1, 14, 14],
        40,
        [1, 1, 1],
        ConvSpec {
            before: [0; 3],
            ..spec([1; 3], 1)
        },
    );
}

#[test]
fn a_kernel_as_large_as_its_input() {
    let spec = ConvSpec {
        stride: [1, 3, 2],
        before: [0; 3],
        dilation: [1; 3],
        groups: 1,
    };
    for kernel in [[1, 4, 5], [2, 1, 3], [1, 1, 1]] {
        check([5, 7, kernel[0], kernel[1], kernel[2]], 6, kernel, spec);
        check([1, 40, kernel[0], kernel[1], kernel[2]], 1, kernel, spec);
    }
}

#[test]
fn few_positions_of_many_channels() {
    for (stride, before, dilation, size) in [
        ([1; 3], [0, 1, 1], [1; 3], [1, 5, 6]),
        ([1, 2, 3], [0, 2, 0], [1, 2, 1], [1, 7, 9]),
        ([1; 3], [1, 0, 1], [1; 3], [2, 4, 3]),
    ] {
        let spec = ConvSpec {
            stride,
            before,
            dilation,
            groups: 1,
        };
        let kernel = if size[0] == 1 { [1, 3, 3] } else { [3, 3, 3] };
        check([2, 90, size[0], size[1], size[2]], 96, kernel, spec);
    }
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    let (side, spec) = (20, |stride, groups| ConvSpec {
        stride: [1, stride, stride],
        before: [0, 1, 1],
        dilation: [1; 3],
        groups,
    });
    for (outputs, spec) in [
        (24, spec(1, 1)),
        (24, spec(2, 1)),
        (70, spec(1, 1)),
        (16, spec(1, 16)),
        (16, spec(2, 16)),
    ] {
        let (x, w) = (
            numbers(&[6, 16, 1, side, side], 1).cast(DType::F32),
            numbers(&[outputs, 16 / spec.groups, 1, 3, 3], 2).cast(DType::F32),
        );
        let size = [1, side / spec.stride[1], side / spec.stride[1]];
        let all = threads::with_each(&[1, 2, 8], || {
            let y = conv(&x, &w, None, &spec, size);
            let dx = conv_input(&y, &w, None, &spec, [1, side, side]);
            let dw = conv_weight(&x, &y, &spec, [1, 3, 3]);
            [y, dx, dw].map(|a| a.to_vec::<f32>().iter().map(|v| v.to_bits()).collect::<Vec<_>>())
        });
        assert!(all.iter().all(|bits| *bits == all[0]), "{spec:?}");
    }
}

#[test]
fn nothing_gives_nothing() {
    let spec = ConvSpec {
        stride: [1; 3],
        before: [0, 1, 1],
        dilation: [1; 3],
        groups: 1,
    };
    let (x, w) = (numbers(&[0, 2, 1, 4, 4], 1), numbers(&[3, 2, 1, 3, 3], 2));
    let y = conv(&x, &w, None, &spec, [1, 4, 4]);
    assert_eq!(y.shape().dims(), [0, 3, 1, 4, 4]);
    assert!(
        conv_weight(&x, &y, &spec, [1, 3, 3])
            .to_vec::<f64>()
            .iter()
            .all(|v| *v == 0.0)
    );
}
