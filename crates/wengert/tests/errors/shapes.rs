//! Shapes and dtypes.

use crate::{same, t};
use expect_test::expect;
use wengert::nn::{CrossEntropyLoss, Layer, Linear, MSELoss};
use wengert::ops::arithmetic::Add;
use wengert::ops::matmul::MatMul;
use wengert::{DType, Op, Tensor, cat, stack};

#[test]
fn shapes_that_do_not_fit() {
    let (a, b) = (t(&[2, 3]), t(&[4, 3]));
    let e = fails!(
        Shape,
        &a + &b,
        expect![[r#"
        add: cannot broadcast [2, 3] and [4, 3] together
          in dimension -2, 2 and 4 differ, and neither is 1"#]]
    );
    same(Add.try_apply([&a, &b]), &e);
    let e = fails!(
        Shape,
        a.matmul(&b),
        expect![[r#"
        matmul: cannot multiply [2, 3] by [4, 3]
          the last dimension of the left side (3) must equal the second-last of the right side (4)
          help: did you mean `x.matmul(&w.t())`?"#]]
    );
    same(MatMul.try_apply([&a, &b]), &e);
    fails!(
        Shape,
        t(&[2, 3]).matmul(&t(&[5])),
        expect![[r#"
        matmul: cannot multiply [2, 3] by [5]
          the last dimension of the left side (3) must equal the size of the right side (5)"#]]
    );
    fails!(
        Shape,
        t(&[]).matmul(&t(&[5])),
        expect![[r#"
        matmul: cannot multiply [] by [5]
          a 0-d tensor is no matrix
          help: `*` multiplies by a number"#]]
    );
    fails!(
        Shape,
        a.reshape([4, 2]),
        expect![[r#"
        reshape: cannot see [2, 3] as [4, 2]
          the first has 6 elements, the second 8"#]]
    );
    fails!(
        Shape,
        a.view([4, -1]),
        expect!["view: cannot see [2, 3] as [4, -1]: no size for −1 makes 6 elements"]
    );
    fails!(
        Shape,
        a.expand([2, 4]),
        expect![[r#"
        expand: cannot expand [2, 3] to [2, 4]
          counted from the last dimension, each size must be equal or 1"#]]
    );
    fails!(
        Shape,
        cat(&[&a, &t(&[2, 4])], 0),
        expect![[r#"
        cat: cannot join [2, 3] and [2, 4] (tensors 0 and 1) along dimension 0
          all sizes but that of dimension 0 must be equal"#]]
    );
    fails!(
        Shape,
        stack(&[&a, &b], 0),
        expect![[r#"
        stack: the tensors have shapes [2, 3] and [4, 3]
          all must have the same shape"#]]
    );
    fails!(
        Shape,
        Linear::new(3, 2).forward(&t(&[5, 4])),
        expect![[r#"
        linear: cannot feed [5, 4] to a layer of 3 inputs and 2 outputs
          the last dimension of the input (4) must equal the number of inputs (3)"#]]
    );
    fails!(
        Shape,
        MSELoss::new().forward(&t(&[5, 1]), &t(&[5])),
        expect![[r#"
        mse_loss: a prediction of shape [5, 1] and a target of shape [5] differ
          they must be equal: broadcasting here would compare each number with many
          help: `target.reshape([5, 1])` would fit"#]]
    );
    fails!(
        Shape,
        CrossEntropyLoss::new().forward(&t(&[5, 3]), &Tensor::arange(0, 3)),
        expect![[r#"
        cross_entropy: logits of shape [5, 3] and targets of shape [3] do not fit
          there must be one class number for each row: [n, classes] and [n]"#]]
    );
    fails!(
        Shape,
        a.copy_(&b),
        expect![[r#"
        copy_: cannot copy shape [4, 3] into shape [2, 3]
          it must broadcast to the target's shape"#]]
    );
    fails!(
        Shape,
        a.set_grad(Some(b.clone())),
        expect![[
            r#"set_grad: a gradient of shape [4, 3] and dtype float32 does not fit a tensor of shape [2, 3] and dtype float32"#
        ]]
    );
    fails!(
        Shape,
        Tensor::from_vec(vec![1.0f32, 2.0], [3]),
        expect!["from_slice: 2 elements do not fill shape [3]"]
    );
    fails!(
        Value,
        Tensor::new(vec![vec![1.0, 2.0], vec![3.0]]),
        expect!["tensor: rows of different lengths: one at depth 1 has 1 elements, the first has 2"]
    );
}

#[test]
fn dtypes_that_do_not_fit() {
    let (i, b) = (Tensor::arange(0, 3), Tensor::arange(0, 3).gt(1.0));
    let e = fails!(
        DType,
        i.requires_grad_(true),
        expect![[r#"
        requires_grad_: a tensor of dtype int64 cannot require a gradient
          only floating-point numbers have gradients
          help: convert it first: `.to(DType::F32)`"#]]
    );
    same(i.try_requires_grad_(true), &e);
    fails!(
        DType,
        t(&[3]).where_(&i, &t(&[3])),
        expect![[r#"
        where: the condition must be bool, and is int64
          help: compare, as in `x.gt(0.0)`, to get a condition"#]]
    );
    fails!(
        DType,
        i.mean(),
        expect![[r#"
        mean: needs floating-point numbers, and got int64
          the mean of integers is not one
          help: convert first: `.to(DType::F32)`"#]]
    );
    fails!(
        DType,
        t(&[2, 3]).matmul(&t(&[3, 2]).to(DType::F64)),
        expect![[r#"
        matmul: cannot combine float32 and float64
          both sides must have the same dtype
          help: convert one: `.to(DType::F32)`"#]]
    );
    fails!(
        DType,
        -&b,
        expect![[r#"
        neg: has no meaning for bool tensors
          help: `logical_not` inverts a mask; `.to(DType::I64)` makes numbers of it"#]]
    );
    fails!(
        DType,
        &b - &b,
        expect![[r#"
        sub: bool tensors cannot be subtracted
          help: `logical_xor` and `ne` say where two differ"#]]
    );
    fails!(
        DType,
        MSELoss::new().forward(&i, &i),
        expect!["mse_loss: needs floating-point numbers, and got int64 and int64"]
    );
    fails!(
        DType,
        CrossEntropyLoss::new().forward(&t(&[3, 2]), &b),
        expect![[r#"
            cross_entropy: logits are float32 and targets bool
              logits must be floating-point and targets int64 class numbers"#]]
    );
    fails!(
        DType,
        t(&[3]).index_select(0, &t(&[1])),
        expect!["index_select: indices must be integers, and are float32"]
    );
}

#[test]
fn empty_tensors() {
    let none = t(&[0]);
    fails!(
        Value,
        none.max(),
        expect!["amax: there is no extreme among no numbers: the input has shape [0]"]
    );
    fails!(
        Value,
        none.argmax(),
        expect!["argmax: there is no extreme among no numbers: the input has shape [0]"]
    );
    fails!(
        Value,
        t(&[2, 0]).amax(1, false),
        expect!["amax: there is no extreme among no numbers: the input has shape [2, 0]"]
    );
    fails!(
        Value,
        none.item(),
        expect![[r#"
        item: needs a tensor with one element, and got shape [0]
          help: `to_vec` gives them all"#]]
    );
    fails!(
        Graph,
        (&none.requires_grad_(true) * 2.0).backward(),
        expect![[r#"
        backward: needs a result with one element to start from, and got shape [0]
          a gradient is that of one number; of several numbers, say which by weights
          help: reduce it with `.sum()` or `.mean()`, or call `backward_with(&dy)`"#]]
    );
    fails!(Value, cat(&[], 0), expect!["cat: needs at least one tensor"]);
    // What has a sensible answer is no error.
    assert_eq!(t(&[0]).sum().item(), 0.0);
    assert!(t(&[0]).mean().item().is_nan());
    assert_eq!(t(&[0, 3]).amax(1, false).shape(), [0]);
    assert_eq!(t(&[2, 0]).matmul(&t(&[0, 3])).to_vec::<f32>(), [0.0; 6]);
}
