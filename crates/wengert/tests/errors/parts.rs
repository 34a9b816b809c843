//! Indices, dimensions, and values.

use crate::t;
use expect_test::expect;
use wengert::nn::CrossEntropyLoss;
use wengert::ops::Sliding;
use wengert::{PadMode, Tensor, searchsorted};

#[test]
fn indices_out_of_range() {
    let x = t(&[2, 3]);
    fails!(
        Index,
        x.sum_dim(2, false),
        expect![[r#"
        sum: there is no dimension 2 in a tensor with 2 dimensions
          dimensions are numbered 0 to 1, or −2 to −1 from the end"#]]
    );
    fails!(
        Index,
        x.softmax(-3),
        expect![[r#"
        softmax: there is no dimension -3 in a tensor with 2 dimensions
          dimensions are numbered 0 to 1, or −2 to −1 from the end"#]]
    );
    fails!(
        Value,
        x.sum_dim([0, -2], false),
        expect!["sum: dimension 0 is named twice"]
    );
    fails!(
        Index,
        x.transpose(0, 5),
        expect![[r#"
        transpose: there is no dimension 5 in a tensor with 2 dimensions
          dimensions are numbered 0 to 1, or −2 to −1 from the end"#]]
    );
    fails!(
        Value,
        x.permute([0, 0]),
        expect![[r#"
        permute: [0, 0] is not an order of 2 dimensions
          each must be named exactly once"#]]
    );
    fails!(
        Index,
        x.select(1, 3),
        expect!["select: index 3 is out of range for dimension 1 of [2, 3]"]
    );
    fails!(
        Index,
        x.narrow(1, 2, 2),
        expect!["narrow: 2 elements from 2 leave dimension 1 of [2, 3]"]
    );
    fails!(
        Index,
        x.index((0, 1, 2)),
        expect!["index: 3 indices are too many for shape [2, 3]"]
    );
    fails!(
        Index,
        x.index_select(0, &Tensor::arange(0, 4)),
        expect!["index_select: index 2, at position 2 of the indices, is out of range for size 2"]
    );
    fails!(
        Index,
        x.size(2),
        expect![[r#"
        size: there is no dimension 2 in a tensor with 2 dimensions
          dimensions are numbered 0 to 1, or −2 to −1 from the end"#]]
    );
    fails!(
        Index,
        CrossEntropyLoss::new().forward(&x, &Tensor::arange(2, 4)),
        expect![[r#"
        cross_entropy: class 3, at position 1 of the targets, is out of range
          logits of shape [2, 3] have classes 0 to 2"#]]
    );
    assert_eq!(
        x.squeeze(0).shape(),
        [2, 3],
        "a dimension that is not 1 stays, as in PyTorch"
    );
}

#[test]
fn parts_that_are_not_there() {
    let (x, i) = (t(&[2, 3]), Tensor::new([0, 1]));
    fails!(
        Shape,
        x.reshape([4, -1]),
        expect!["reshape: cannot see [2, 3] as [4, -1]: no size for −1 makes 6 elements"]
    );
    fails!(
        Shape,
        x.unflatten(1, [2, 2]),
        expect!["unflatten: cannot see a dimension of size 3 as [2, 2]"]
    );
    fails!(
        Index,
        x.movedim(0, 2),
        expect![[r#"
        movedim: there is no dimension 2 in a tensor with 2 dimensions
          dimensions are numbered 0 to 1, or −2 to −1 from the end"#]]
    );
    fails!(
        Shape,
        x.expand([-1, 2, 3]),
        expect![[r#"
        expand: -1 is not a size, in [-1, 2, 3]
          −1 keeps the size of a dimension that [2, 3] has"#]]
    );
    fails!(
        Value,
        x.split([1, 1], 1),
        expect!["split: parts of sizes [1, 1] do not make up dimension 1 of [2, 3]"]
    );
    fails!(
        Value,
        x.hsplit(2),
        expect!["hsplit: dimension 1 of [2, 3] does not divide into 2 equal parts"]
    );
    fails!(
        Shape,
        x.select_scatter(&t(&[2]), 0, 0),
        expect!["select_scatter: a source of shape [2] does not fit a part of shape [3]"]
    );
    fails!(
        Value,
        x.diagonal(0, 1, -1),
        expect!["diagonal: a diagonal needs two dimensions, and 1 and -1 are the same"]
    );
    fails!(
        Index,
        x.index((&i, &Tensor::new([0, 1, 2]))),
        expect!["index: index lists of shapes [2] and [3] do not broadcast together"]
    );
    fails!(
        Index,
        x.index(&Tensor::new([true, false, true])),
        expect![[r#"
            index: a mask of shape [3] does not fit dimensions of shape [2]
              they are dimensions 0 and on of [2, 3]"#]]
    );
    fails!(
        Shape,
        x.index_put((0, 1..3), &t(&[3]), false),
        expect![[r#"
        index_put: cannot put [3] into a part of shape [2]
          it must broadcast to the part's shape"#]]
    );
    fails!(
        Shape,
        x.index_put_(&i, &t(&[3, 3]), false),
        expect![[r#"
        index_put_: cannot put [3, 3] into a part of shape [2, 3]
          it must broadcast to the part's shape"#]]
    );
    fails!(
        DType,
        x.index_copy(0, &i, &Tensor::arange(0, 6).reshape([2, 3])),
        expect![[r#"
            index_copy: cannot put int64 elements among float32 ones
              help: convert them first: `.to(x.dtype())`"#]]
    );
    fails!(
        Shape,
        x.gather(1, &Tensor::new([[0], [0], [0]])),
        expect![[r#"
            gather: indices of shape [3, 1] do not fit [2, 3]
              they need as many dimensions, and no larger sizes but in dimension 1"#]]
    );
    fails!(
        Shape,
        x.scatter(1, &Tensor::new([[0, 1]]), &t(&[1, 1])),
        expect!["scatter: values of shape [1, 1] are too few for indices of shape [1, 2]"]
    );
    fails!(
        DType,
        x.masked_fill(&x, 0.0),
        expect![[r#"
        masked_fill: the mask must be bool, and is float32
          help: compare, as in `x.gt(0.0)`, to get a mask"#]]
    );
    fails!(
        Shape,
        x.masked_scatter(&x.gt(0.0), &t(&[2])),
        expect!["masked_scatter: the mask holds 6 times, and there are 2 values"]
    );
    fails!(
        Shape,
        x.pad([3, 0], PadMode::Reflect),
        expect![[r#"
        pad: cannot put 3 elements beside dimension 1 of [2, 3]
          in mode Reflect there are at most 2 to take"#]]
    );
    fails!(
        Shape,
        x.pad([-2, -2], PadMode::Constant(0.0)),
        expect!["pad: cannot cut 4 elements from dimension 1 of [2, 3]"]
    );
    fails!(
        Shape,
        x.unfold(1, 4, 1),
        expect!["unfold: a window of 4 elements, 1 apart, does not fit dimension 1 of [2, 3]"]
    );
    fails!(
        Shape,
        t(&[1, 4, 3]).col2im([2, 2], Sliding::new([2, 2])),
        expect![[r#"
            fold: columns of shape [1, 4, 3] do not make images of 2 by 2
              they need a multiple of 4 rows, and 1 · 1 windows"#]]
    );
    fails!(
        Value,
        x.topk(4, 1, true),
        expect!["topk: there are no 4 elements along dimension 1 of [2, 3]"]
    );
    fails!(
        Value,
        x.kthvalue(0, 1, false),
        expect![[r#"
        kthvalue: there is no element number 0 along dimension 1 of [2, 3]
          elements are counted from 1"#]]
    );
    fails!(
        Shape,
        searchsorted(&x, &t(&[3, 3]), false),
        expect![[r#"
        searchsorted: cannot look for values of shape [3, 3] in rows of shape [2, 3]
          there must be one row for all, or all sizes but the last must be equal"#]]
    );
    fails!(
        Value,
        Tensor::new([1, -1]).bincount(None, 0),
        expect!["bincount: -1 is negative"]
    );
    fails!(
        Value,
        Tensor::new([-0.5]).bernoulli(),
        expect!["bernoulli: -0.5 is not a probability"]
    );
    fails!(
        Value,
        Tensor::new([0.0, 1.0]).multinomial(2, false),
        expect!["multinomial: cannot draw 2 indices from 1 weights above zero"]
    );
    fails!(
        Value,
        Tensor::arange_step(0.0, 1.0, -1.0),
        expect!["arange: cannot count from 0 to 1 by steps of -1"]
    );
    fails!(
        Graph,
        (&x.requires_grad_(true) * 2.0).zero_(),
        expect![[r#"
        zero_: a result with a history cannot be changed
          help: `.detach()` gives a variable with the same value"#]]
    );
}

#[test]
fn values_that_make_no_sense() {
    fails!(
        Value,
        t(&[2]).item(),
        expect![[r#"
        item: needs a tensor with one element, and got shape [2]
          help: `to_vec` gives them all"#]]
    );
    fails!(
        Value,
        Tensor::arange_step(0.0, 1.0, 0.0),
        expect!["arange: cannot count from 0 to 1 by steps of 0"]
    );
    fails!(
        Value,
        Tensor::randint(3, 3, [2]),
        expect!["randint: the range 3..3 is empty"]
    );
    fails!(
        Memory,
        t(&[1]).expand([usize::MAX, 2]),
        expect!["expand: a result of shape [9223372036854775807, 2] has too many elements"]
    );
    fails!(
        Memory,
        Tensor::zeros([usize::MAX, 2]),
        expect!["full: shape [18446744073709551615, 2] has too many elements"]
    );
}
