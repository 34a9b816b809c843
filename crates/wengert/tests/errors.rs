//! What bad input is told, word for word. `UPDATE_EXPECT=1 cargo test -p wengert --test errors` writes the texts anew.

use expect_test::{Expect, expect};
use std::panic::{AssertUnwindSafe, catch_unwind};
use wengert::nn::{CrossEntropyLoss, Layer, Linear, MSELoss, Module, Sequential};
use wengert::ops::{Sliding, arithmetic::Add, matmul::MatMul};
use wengert::{
    Backward, DType, Error, ErrorKind, Op, PadMode, Tensor, cat, catch, grad, searchsorted, stack,
};

/// The text of a panic.
fn panic_text(f: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("this should fail");
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(_) => panic!("the panic has no text"),
    }
}

fn check(error: &Error, kind: ErrorKind, line: u32, want: &Expect) {
    assert_eq!(error.kind(), kind);
    let at = error.location().expect("an error knows the line that asked");
    // The expression stands on the line of `fails!`, or a line or two below where it was too long for that.
    let near = (line..line + 3).contains(&at.line());
    assert!(
        at.file() == file!() && near,
        "{}:{} is named, not line {line}",
        at.file(),
        at.line()
    );
    let text = error.to_string();
    let place = format!("  at {}:{}:{}", at.file(), at.line(), at.column());
    want.assert_eq(&text.replace(&place, "  at the caller's line"));
}

/// The expression fails with this kind of error and this text, at this line, caught or not.
macro_rules! fails {
    ($kind:ident, $expr:expr, $want:expr) => {{
        // Both on one line: an error names its line and column.
        let f = || {
            let _ = $expr;
        };
        let error = catch(f).expect_err("this should fail");
        check(&error, ErrorKind::$kind, line!(), &$want);
        assert_eq!(panic_text(f), error.to_string());
        error
    }};
}

/// The expression gives the error that `error` is, but for the place.
fn same(result: wengert::Result<impl std::fmt::Debug>, error: &Error) {
    let text = |e: &Error| e.to_string().split("\n  at ").next().unwrap().to_string();
    let got = result.expect_err("this should fail");
    assert_eq!((got.kind(), text(&got)), (error.kind(), text(error)));
    assert_eq!(got.location().unwrap().file(), file!());
}

fn t(shape: &[usize]) -> Tensor {
    Tensor::ones(shape)
}

#[test]
fn shapes_that_do_not_fit() {
    let (a, b) = (t(&[2, 3]), t(&[4, 3]));
    let e = fails!(
        Shape,
        &a + &b,
        expect![[r#"
        add: cannot broadcast [2, 3] and [4, 3] together
          in dimension -2, 2 and 4 differ, and neither is 1
          at the caller's line"#]]
    );
    same(Add.try_apply([&a, &b]), &e);
    let e = fails!(
        Shape,
        a.matmul(&b),
        expect![[r#"
        matmul: cannot multiply [2, 3] by [4, 3]
          the last dimension of the left side (3) must equal the second-last of the right side (4)
          help: did you mean `x.matmul(&w.t())`?
          at the caller's line"#]]
    );
    same(MatMul.try_apply([&a, &b]), &e);
    fails!(
        Shape,
        t(&[2, 3]).matmul(&t(&[5])),
        expect![[r#"
        matmul: cannot multiply [2, 3] by [5]
          the last dimension of the left side (3) must equal the size of the right side (5)
          at the caller's line"#]]
    );
    fails!(
        Shape,
        t(&[]).matmul(&t(&[5])),
        expect![[r#"
        matmul: cannot multiply [] by [5]
          a 0-d tensor is no matrix
          help: `*` multiplies by a number
          at the caller's line"#]]
    );
    fails!(
        Shape,
        a.reshape([4, 2]),
        expect![[r#"
        reshape: cannot see [2, 3] as [4, 2]
          the first has 6 elements, the second 8
          at the caller's line"#]]
    );
    fails!(
        Shape,
        a.view([4, -1]),
        expect![[r#"
        view: cannot see [2, 3] as [4, -1]: no size for −1 makes 6 elements
          at the caller's line"#]]
    );
    fails!(
        Shape,
        a.expand([2, 4]),
        expect![[r#"
        expand: cannot expand [2, 3] to [2, 4]
          counted from the last dimension, each size must be equal or 1
          at the caller's line"#]]
    );
    fails!(
        Shape,
        cat(&[&a, &t(&[2, 4])], 0),
        expect![[r#"
        cat: cannot join [2, 3] and [2, 4] (tensors 0 and 1) along dimension 0
          all sizes but that of dimension 0 must be equal
          at the caller's line"#]]
    );
    fails!(
        Shape,
        stack(&[&a, &b], 0),
        expect![[r#"
        stack: the tensors have shapes [2, 3] and [4, 3]
          all must have the same shape
          at the caller's line"#]]
    );
    fails!(
        Shape,
        Linear::new(3, 2).forward(&t(&[5, 4])),
        expect![[r#"
        linear: cannot feed [5, 4] to a layer of 3 inputs and 2 outputs
          the last dimension of the input (4) must equal the number of inputs (3)
          at the caller's line"#]]
    );
    fails!(
        Shape,
        MSELoss::new().forward(&t(&[5, 1]), &t(&[5])),
        expect![[r#"
        mse_loss: a prediction of shape [5, 1] and a target of shape [5] differ
          they must be equal: broadcasting here would compare each number with many
          help: `target.reshape([5, 1])` would fit
          at the caller's line"#]]
    );
    fails!(
        Shape,
        CrossEntropyLoss::new().forward(&t(&[5, 3]), &Tensor::arange(0, 3)),
        expect![[r#"
        cross_entropy: logits of shape [5, 3] and targets of shape [3] do not fit
          there must be one class number for each row: [n, classes] and [n]
          at the caller's line"#]]
    );
    fails!(
        Shape,
        a.copy_(&b),
        expect![[r#"
        copy_: cannot copy shape [4, 3] into shape [2, 3]
          it must broadcast to the target's shape
          at the caller's line"#]]
    );
    fails!(
        Shape,
        a.set_grad(Some(b.clone())),
        expect![[r#"
        set_grad: a gradient of shape [4, 3] and dtype float32 does not fit a tensor of shape [2, 3] and dtype float32
          at the caller's line"#]]
    );
    fails!(
        Shape,
        Tensor::from_vec(vec![1.0f32, 2.0], [3]),
        expect![[r#"
        from_slice: 2 elements do not fill shape [3]
          at the caller's line"#]]
    );
    fails!(
        Value,
        Tensor::new(vec![vec![1.0, 2.0], vec![3.0]]),
        expect![[r#"
        tensor: rows of different lengths: one at depth 1 has 1 elements, the first has 2
          at the caller's line"#]]
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
          help: convert it first: `.to(DType::F32)`
          at the caller's line"#]]
    );
    same(i.try_requires_grad_(true), &e);
    fails!(
        DType,
        t(&[3]).where_(&i, &t(&[3])),
        expect![[r#"
        where: the condition must be bool, and is int64
          help: compare, as in `x.gt(0.0)`, to get a condition
          at the caller's line"#]]
    );
    fails!(
        DType,
        i.mean(),
        expect![[r#"
        mean: needs floating-point numbers, and got int64
          the mean of integers is not one
          help: convert first: `.to(DType::F32)`
          at the caller's line"#]]
    );
    fails!(
        DType,
        t(&[2, 3]).matmul(&t(&[3, 2]).to(DType::F64)),
        expect![[r#"
        matmul: cannot combine float32 and float64
          both sides must have the same dtype
          help: convert one: `.to(DType::F32)`
          at the caller's line"#]]
    );
    fails!(
        DType,
        -&b,
        expect![[r#"
        neg: has no meaning for bool tensors
          help: `logical_not` inverts a mask; `.to(DType::I64)` makes numbers of it
          at the caller's line"#]]
    );
    fails!(
        DType,
        &b - &b,
        expect![[r#"
        sub: bool tensors cannot be subtracted
          help: `logical_xor` and `ne` say where two differ
          at the caller's line"#]]
    );
    fails!(
        DType,
        MSELoss::new().forward(&i, &i),
        expect![[r#"
        mse_loss: needs floating-point numbers, and got int64 and int64
          at the caller's line"#]]
    );
    fails!(
        DType,
        CrossEntropyLoss::new().forward(&t(&[3, 2]), &b),
        expect![[r#"
            cross_entropy: logits are float32 and targets bool
              logits must be floating-point and targets int64 class numbers
              at the caller's line"#]]
    );
    fails!(
        DType,
        t(&[3]).index_select(0, &t(&[1])),
        expect![[r#"
        index_select: indices must be integers, and are float32
          at the caller's line"#]]
    );
}

#[test]
fn indices_out_of_range() {
    let x = t(&[2, 3]);
    fails!(
        Index,
        x.sum_dim(2, false),
        expect![[r#"
        sum: there is no dimension 2 in a tensor with 2 dimensions
          dimensions are numbered 0 to 1, or −2 to −1 from the end
          at the caller's line"#]]
    );
    fails!(
        Index,
        x.softmax(-3),
        expect![[r#"
        softmax: there is no dimension -3 in a tensor with 2 dimensions
          dimensions are numbered 0 to 1, or −2 to −1 from the end
          at the caller's line"#]]
    );
    fails!(
        Value,
        x.sum_dim([0, -2], false),
        expect![[r#"
        sum: dimension 0 is named twice
          at the caller's line"#]]
    );
    fails!(
        Index,
        x.transpose(0, 5),
        expect![[r#"
        transpose: there is no dimension 5 in a tensor with 2 dimensions
          dimensions are numbered 0 to 1, or −2 to −1 from the end
          at the caller's line"#]]
    );
    fails!(
        Value,
        x.permute([0, 0]),
        expect![[r#"
        permute: [0, 0] is not an order of 2 dimensions
          each must be named exactly once
          at the caller's line"#]]
    );
    fails!(
        Index,
        x.select(1, 3),
        expect![[r#"
        select: index 3 is out of range for dimension 1 of [2, 3]
          at the caller's line"#]]
    );
    fails!(
        Index,
        x.narrow(1, 2, 2),
        expect![[r#"
            narrow: 2 elements from 2 leave dimension 1 of [2, 3]
              at the caller's line"#]]
    );
    fails!(
        Index,
        x.index((0, 1, 2)),
        expect![[r#"
        index: 3 indices are too many for shape [2, 3]
          at the caller's line"#]]
    );
    fails!(
        Index,
        x.index_select(0, &Tensor::arange(0, 4)),
        expect![[r#"
        index_select: index 2, at position 2 of the indices, is out of range for size 2
          at the caller's line"#]]
    );
    fails!(
        Index,
        x.size(2),
        expect![[r#"
        size: there is no dimension 2 in a tensor with 2 dimensions
          dimensions are numbered 0 to 1, or −2 to −1 from the end
          at the caller's line"#]]
    );
    fails!(
        Index,
        CrossEntropyLoss::new().forward(&x, &Tensor::arange(2, 4)),
        expect![[r#"
        cross_entropy: class 3, at position 1 of the targets, is out of range
          logits of shape [2, 3] have classes 0 to 2
          at the caller's line"#]]
    );
    assert_eq!(
        x.squeeze(0).shape(),
        [2, 3],
        "a dimension that is not 1 stays, as in PyTorch"
    );
}

#[test]
fn graphs_that_cannot_be_walked() {
    let x = t(&[3]).requires_grad_(true);
    let e = fails!(
        Graph,
        (&x * 2.0).backward(),
        expect![[r#"
        backward: needs a result with one element to start from, and got shape [3]
          a gradient is that of one number; of several numbers, say which by weights
          help: reduce it with `.sum()` or `.mean()`, or call `backward_with(&dy)`
          at the caller's line"#]]
    );
    same((&x * 2.0).try_backward(), &e);
    fails!(
        Graph,
        t(&[]).backward(),
        expect![[r#"
        backward: the result, of shape [] and dtype float32, has no history
          none of the tensors it was computed from requires a gradient, or recording was off
          at the caller's line"#]]
    );
    fails!(
        Graph,
        t(&[3]).sum().backward(),
        expect![[r#"
        backward: the result, of shape [] and dtype float32, has no history
          none of the tensors it was computed from requires a gradient, or recording was off
          at the caller's line"#]]
    );
    fails!(
        Graph,
        Tensor::arange(0, 3).sum().backward(),
        expect![[r#"
        backward: the result, of shape [] and dtype int64, has no history
          only floating-point numbers have gradients
          at the caller's line"#]]
    );
    fails!(
        Shape,
        (&x * 2.0).backward_with(&t(&[2])),
        expect![[r#"
        backward: the upstream gradient is float32 [2], and the result float32 [3]
          they must have the same shape and dtype
          at the caller's line"#]]
    );
    fails!(
        Graph,
        grad(&x.sum(), &[&t(&[3])]),
        expect![[r#"
        grad: input 0, of shape [3], does not require a gradient
          help: call `requires_grad_(true)` on it before it is used
          at the caller's line"#]]
    );
    fails!(
        Graph,
        grad(&x.sum(), &[&t(&[3]).requires_grad_(true)]),
        expect![[r#"
        grad: the result does not depend on input 0, of shape [3]
          so it has no gradient there
          at the caller's line"#]]
    );
    fails!(
        Graph,
        (&x * 2.0).requires_grad_(false),
        expect![[r#"
            requires_grad_: a result with a history requires a gradient
              this one was made by `mul_scalar`
              help: `.detach()` gives the same value without history
              at the caller's line"#]]
    );
    fails!(
        Graph,
        t(&[3]).register_hook(|_| None),
        expect![[r#"
        register_hook: this tensor requires no gradient
          so the hook would never be called
          at the caller's line"#]]
    );
    fails!(
        Graph,
        (&x * 2.0).copy_(&t(&[3])),
        expect![[r#"
        update: a result with a history cannot be changed
          help: `.detach()` gives a variable with the same value
          at the caller's line"#]]
    );
}

/// The line named is that of the operation whose saved values are gone, which is where to look.
#[test]
fn a_second_backward_pass() {
    let x = t(&[3]).requires_grad_(true);
    let line = line!() + 1;
    let y = x.exp().sum();
    y.backward();
    let error = catch(|| y.backward()).unwrap_err();
    check(
        &error,
        ErrorKind::Graph,
        line,
        &expect![[r#"
        exp: the values it saved for backward were freed by an earlier backward pass
          the operation was applied to [3]
          help: pass `retain_graph` to the first backward pass, or run the forward pass again
          at the caller's line"#]],
    );
    assert_eq!(panic_text(|| y.backward()), error.to_string());
    assert_eq!(y.try_backward().unwrap_err(), error);
    assert_eq!(
        x.grad().unwrap().to_vec::<f64>(),
        t(&[3]).exp().to_vec::<f64>(),
        "nothing was added by the failures"
    );
}

#[test]
fn empty_tensors() {
    let none = t(&[0]);
    fails!(
        Value,
        none.max(),
        expect![[r#"
        amax: there is no extreme among no numbers: the input has shape [0]
          at the caller's line"#]]
    );
    fails!(
        Value,
        none.argmax(),
        expect![[r#"
        argmax: there is no extreme among no numbers: the input has shape [0]
          at the caller's line"#]]
    );
    fails!(
        Value,
        t(&[2, 0]).amax(1, false),
        expect![[r#"
        amax: there is no extreme among no numbers: the input has shape [2, 0]
          at the caller's line"#]]
    );
    fails!(
        Value,
        none.item(),
        expect![[r#"
        item: needs a tensor with one element, and got shape [0]
          help: `to_vec` gives them all
          at the caller's line"#]]
    );
    fails!(
        Graph,
        (&none.requires_grad_(true) * 2.0).backward(),
        expect![[r#"
        backward: needs a result with one element to start from, and got shape [0]
          a gradient is that of one number; of several numbers, say which by weights
          help: reduce it with `.sum()` or `.mean()`, or call `backward_with(&dy)`
          at the caller's line"#]]
    );
    fails!(
        Value,
        cat(&[], 0),
        expect![[r#"
        cat: needs at least one tensor
          at the caller's line"#]]
    );
    // What has a sensible answer is no error.
    assert_eq!(t(&[0]).sum().item(), 0.0);
    assert!(t(&[0]).mean().item().is_nan());
    assert_eq!(t(&[0, 3]).amax(1, false).shape(), [0]);
    assert_eq!(t(&[2, 0]).matmul(&t(&[0, 3])).to_vec::<f32>(), [0.0; 6]);
}

#[test]
fn values_that_make_no_sense() {
    fails!(
        Value,
        t(&[2]).item(),
        expect![[r#"
        item: needs a tensor with one element, and got shape [2]
          help: `to_vec` gives them all
          at the caller's line"#]]
    );
    fails!(
        Value,
        Tensor::arange_step(0.0, 1.0, 0.0),
        expect![[r#"
        arange: cannot count from 0 to 1 by steps of 0
          at the caller's line"#]]
    );
    fails!(
        Value,
        Tensor::randint(3, 3, [2]),
        expect![[r#"
        randint: the range 3..3 is empty
          at the caller's line"#]]
    );
    fails!(
        Memory,
        t(&[1]).expand([usize::MAX, 2]),
        expect![[r#"
            expand: a result of shape [9223372036854775807, 2] has too many elements
              at the caller's line"#]]
    );
    fails!(
        Memory,
        Tensor::zeros([usize::MAX, 2]),
        expect![[r#"
        full: shape [18446744073709551615, 2] has too many elements
          at the caller's line"#]]
    );
}

#[test]
fn a_state_dict_that_does_not_fit() {
    let model = Sequential::new().add(Linear::new(3, 2));
    let before = model.state_dict();
    let mut state = model.state_dict();
    let weight = state.remove("0.weight").unwrap();
    state.insert("0.wieght", weight);
    let error = model.load_state_dict(&state).unwrap_err();
    expect![[r#"
        load_state_dict: the values do not match the model; nothing was changed
          missing: `0.weight` (is `0.wieght` meant?)
          unexpected: `0.wieght`"#]]
    .assert_eq(&error.to_string());
    assert!(
        model
            .state_dict()
            .iter()
            .all(|(k, v)| v.to_vec::<f64>() == before.get(k).unwrap().to_vec::<f64>())
    );
}

/// Options of a backward pass fail as the short form does.
#[test]
fn the_long_form_names_the_line_too() {
    let x = t(&[3]).requires_grad_(true);
    fails!(
        Graph,
        Backward::new().retain_graph(true).run(&x),
        expect![[r#"
        backward: needs a result with one element to start from, and got shape [3]
          a gradient is that of one number; of several numbers, say which by weights
          help: reduce it with `.sum()` or `.mean()`, or call `backward_with(&dy)`
          at the caller's line"#]]
    );
}

#[test]
fn parts_that_are_not_there() {
    let (x, i) = (t(&[2, 3]), Tensor::new([0, 1]));
    fails!(
        Shape,
        x.reshape([4, -1]),
        expect![[r#"
        reshape: cannot see [2, 3] as [4, -1]: no size for −1 makes 6 elements
          at the caller's line"#]]
    );
    fails!(
        Shape,
        x.unflatten(1, [2, 2]),
        expect![[r#"
        unflatten: cannot see a dimension of size 3 as [2, 2]
          at the caller's line"#]]
    );
    fails!(
        Index,
        x.movedim(0, 2),
        expect![[r#"
        movedim: there is no dimension 2 in a tensor with 2 dimensions
          dimensions are numbered 0 to 1, or −2 to −1 from the end
          at the caller's line"#]]
    );
    fails!(
        Shape,
        x.expand([-1, 2, 3]),
        expect![[r#"
        expand: -1 is not a size, in [-1, 2, 3]
          −1 keeps the size of a dimension that [2, 3] has
          at the caller's line"#]]
    );
    fails!(
        Value,
        x.split([1, 1], 1),
        expect![[r#"
        split: parts of sizes [1, 1] do not make up dimension 1 of [2, 3]
          at the caller's line"#]]
    );
    fails!(
        Value,
        x.hsplit(2),
        expect![[r#"
        hsplit: dimension 1 of [2, 3] does not divide into 2 equal parts
          at the caller's line"#]]
    );
    fails!(
        Shape,
        x.select_scatter(&t(&[2]), 0, 0),
        expect![[r#"
        select_scatter: a source of shape [2] does not fit a part of shape [3]
          at the caller's line"#]]
    );
    fails!(
        Value,
        x.diagonal(0, 1, -1),
        expect![[r#"
        diagonal: a diagonal needs two dimensions, and 1 and -1 are the same
          at the caller's line"#]]
    );
    fails!(
        Index,
        x.index((&i, &Tensor::new([0, 1, 2]))),
        expect![[r#"
        index: index lists of shapes [2] and [3] do not broadcast together
          at the caller's line"#]]
    );
    fails!(
        Index,
        x.index(&Tensor::new([true, false, true])),
        expect![[r#"
            index: a mask of shape [3] does not fit dimensions of shape [2]
              they are dimensions 0 and on of [2, 3]
              at the caller's line"#]]
    );
    fails!(
        Shape,
        x.index_put((0, 1..3), &t(&[3]), false),
        expect![[r#"
        index_put: cannot put [3] into a part of shape [2]
          it must broadcast to the part's shape
          at the caller's line"#]]
    );
    fails!(
        Shape,
        x.index_put_(&i, &t(&[3, 3]), false),
        expect![[r#"
        index_put_: cannot put [3, 3] into a part of shape [2, 3]
          it must broadcast to the part's shape
          at the caller's line"#]]
    );
    fails!(
        DType,
        x.index_copy(0, &i, &Tensor::arange(0, 6).reshape([2, 3])),
        expect![[r#"
            index_copy: cannot put int64 elements among float32 ones
              help: convert them first: `.to(x.dtype())`
              at the caller's line"#]]
    );
    fails!(
        Shape,
        x.gather(1, &Tensor::new([[0], [0], [0]])),
        expect![[r#"
            gather: indices of shape [3, 1] do not fit [2, 3]
              they need as many dimensions, and no larger sizes but in dimension 1
              at the caller's line"#]]
    );
    fails!(
        Shape,
        x.scatter(1, &Tensor::new([[0, 1]]), &t(&[1, 1])),
        expect![[r#"
            scatter: values of shape [1, 1] are too few for indices of shape [1, 2]
              at the caller's line"#]]
    );
    fails!(
        DType,
        x.masked_fill(&x, 0.0),
        expect![[r#"
        masked_fill: the mask must be bool, and is float32
          help: compare, as in `x.gt(0.0)`, to get a mask
          at the caller's line"#]]
    );
    fails!(
        Shape,
        x.masked_scatter(&x.gt(0.0), &t(&[2])),
        expect![[r#"
        masked_scatter: the mask holds 6 times, and there are 2 values
          at the caller's line"#]]
    );
    fails!(
        Shape,
        x.pad([3, 0], PadMode::Reflect),
        expect![[r#"
        pad: cannot put 3 elements beside dimension 1 of [2, 3]
          in mode Reflect there are at most 2 to take
          at the caller's line"#]]
    );
    fails!(
        Shape,
        x.pad([-2, -2], PadMode::Constant(0.0)),
        expect![[r#"
        pad: cannot cut 4 elements from dimension 1 of [2, 3]
          at the caller's line"#]]
    );
    fails!(
        Shape,
        x.unfold(1, 4, 1),
        expect![[r#"
        unfold: a window of 4 elements, 1 apart, does not fit dimension 1 of [2, 3]
          at the caller's line"#]]
    );
    fails!(
        Shape,
        t(&[1, 4, 3]).col2im([2, 2], Sliding::new([2, 2])),
        expect![[r#"
            fold: columns of shape [1, 4, 3] do not make images of 2 by 2
              they need a multiple of 4 rows, and 1 · 1 windows
              at the caller's line"#]]
    );
    fails!(
        Value,
        x.topk(4, 1, true),
        expect![[r#"
        topk: there are no 4 elements along dimension 1 of [2, 3]
          at the caller's line"#]]
    );
    fails!(
        Value,
        x.kthvalue(0, 1, false),
        expect![[r#"
        kthvalue: there is no element number 0 along dimension 1 of [2, 3]
          elements are counted from 1
          at the caller's line"#]]
    );
    fails!(
        Shape,
        searchsorted(&x, &t(&[3, 3]), false),
        expect![[r#"
        searchsorted: cannot look for values of shape [3, 3] in rows of shape [2, 3]
          there must be one row for all, or all sizes but the last must be equal
          at the caller's line"#]]
    );
    fails!(
        Value,
        Tensor::new([1, -1]).bincount(None, 0),
        expect![[r#"
        bincount: -1 is negative
          at the caller's line"#]]
    );
    fails!(
        Value,
        Tensor::new([-0.5]).bernoulli(),
        expect![[r#"
        bernoulli: -0.5 is not a probability
          at the caller's line"#]]
    );
    fails!(
        Value,
        Tensor::new([0.0, 1.0]).multinomial(2, false),
        expect![[r#"
            multinomial: cannot draw 2 indices from 1 weights above zero
              at the caller's line"#]]
    );
    fails!(
        Value,
        Tensor::arange_step(0.0, 1.0, -1.0),
        expect![[r#"
        arange: cannot count from 0 to 1 by steps of -1
          at the caller's line"#]]
    );
    fails!(
        Graph,
        (&x.requires_grad_(true) * 2.0).zero_(),
        expect![[r#"
        zero_: a result with a history cannot be changed
          help: `.detach()` gives a variable with the same value
          at the caller's line"#]]
    );
}
