//! Shapes and indices: `reference/index.py`.

use crate::agree;
use wengert::ops::{Index, Indexing, ScatterMode, Sliding};
use wengert::{PadMode, Tensor, block_diag, cartesian_prod, column_stack, dstack, meshgrid, s};

fn run(name: &str, x: &[Tensor]) -> Tensor {
    let i = |list: &[i64]| Tensor::from_slice(list, [list.len()]);
    let mask = Tensor::new([
        [true, false, false, true],
        [false, true, false, false],
        [true, true, false, false],
    ]);
    let meet = Tensor::new([[0, 1, 3, 3], [0, 0, 3, 1], [2, 1, 3, 0]]);
    let reduce = |mode, own| x[0].scatter_reduce(0, &meet, &x[1], mode, own);
    let sliding = Sliding {
        kernel: [2, 3],
        dilation: [1, 2],
        padding: [1, 2],
        stride: [2, 1],
    };
    match name {
        "index_list" => x[0].index((.., &i(&[2, 0, 2]), 1..3)),
        "index_pair" => x[0].index((&Tensor::new([[0], [1]]), .., &i(&[3, 0]))),
        "index_neighbours" => x[0].index((.., &i(&[0, 2]), &i(&[3, -1]))),
        "index_mask" => x[0].index(&mask),
        "index_mask_and_list" => x[0].index((&mask, &i(&[1]))),
        "index_steps" => x[0].index((1, Index::Ellipsis, Index::New, s(1.., 2))),
        "index_put" => x[0].index_put((&i(&[0, 2]), &i(&[1, 1])), &x[1], false),
        "index_put_meeting" => x[0].index_put(&i(&[0, 0, -1]), &x[1], true),
        "index_put_mask" => x[0].index_put(&mask, &x[1], false),
        "gather" => x[0].gather(1, &Tensor::new([[0, 2, 2], [1, 1, 0]])),
        "take_along_dim" => x[0].take_along_dim(&Tensor::new([[[3]], [[0]]]), Some(2)),
        "scatter" => x[0].scatter(1, &Tensor::new([[0, 2], [1, 3]]), &x[1]),
        "scatter_add" => x[0].scatter_add(0, &meet, &x[1]),
        "scatter_sum" => reduce(ScatterMode::Sum, false),
        "scatter_mean" => reduce(ScatterMode::Mean, true),
        "scatter_mean_alone" => reduce(ScatterMode::Mean, false),
        "scatter_prod" => reduce(ScatterMode::Prod, true),
        "scatter_prod_alone" => reduce(ScatterMode::Prod, false),
        "scatter_amax" => reduce(ScatterMode::Amax, true),
        "scatter_amin_alone" => reduce(ScatterMode::Amin, false),
        "index_select" => x[0].index_select(1, &i(&[3, 0, 3])),
        "index_add" => x[0].index_add(0, &i(&[2, 0, 2]), &x[1], -1.5),
        "index_copy" => x[0].index_copy(1, &i(&[3, 1]), &x[1]),
        "index_fill" => x[0].index_fill(1, &i(&[3, 1]), &x[1]),
        "take" => x[0].take(&Tensor::new([[0, 11], [5, 5]])),
        "put" => x[0].put(&i(&[0, 5, 5]), &x[1], true),
        "masked_fill" => x[0].masked_fill(&mask, &x[1]),
        "masked_select" => x[0].masked_select(&mask),
        "masked_scatter" => x[0].masked_scatter(&mask, &x[1]),
        "pad_constant" => x[0].pad([1, -1, 2, 0], PadMode::Constant(1.5)),
        "pad_reflect" => x[0].pad([1, 2, 2, 0], PadMode::Reflect),
        "pad_replicate" => x[0].pad([3, 2, -1, 2], PadMode::Replicate),
        "pad_circular" => x[0].pad([4, 2, 1, 1, 0, 1], PadMode::Circular),
        "unfold" => x[0].unfold(1, 3, 2),
        "im2col" => x[0].im2col(sliding),
        "col2im" => x[0].col2im([4, 5], sliding),
        "roll" => x[0].roll([1, -5], [0, 2]),
        "rot90" => x[0].rot90(-1, [0, 2]),
        "flip" => x[0].flip([0, -1]),
        "repeat" => x[0].repeat([2, 1, 3]),
        "tile" => x[0].tile([2]),
        "repeat_interleave" => x[0].repeat_interleave(2, Some(1)),
        "repeat_interleave_each" => x[0].repeat_interleave_each(&i(&[2, 0, 3]), Some(0)),
        "movedim" => x[0].movedim([0, 2], [2, 1]),
        "unflatten" => x[0].unflatten(1, [2, -1]),
        "diagonal" => x[0].diagonal(1, 0, 2),
        "diag_embed" => x[0].diag_embed(-1, 0, 2),
        "diagonal_scatter" => x[0].diagonal_scatter(&x[1], 1, 0, 2),
        "select_scatter" => x[0].select_scatter(&x[1], 1, -1),
        "slice_scatter" => x[0].slice_scatter(&x[1], 2, Some(-3), None, 2),
        "tril" => x[0].tril(-1),
        "triu" => x[0].triu(1),
        "sort" => x[0].sort(1, true).0,
        "topk" => x[0].topk(2, 0, true).0,
        "kthvalue" => x[0].kthvalue(2, 1, true).0,
        "pixel_shuffle" => x[0].pixel_shuffle(2),
        "pixel_unshuffle" => x[0].pixel_unshuffle(2),
        "channel_shuffle" => x[0].channel_shuffle(3),
        "block_diag" => block_diag(&[&x[0], &x[1], &x[2]]),
        "cartesian_prod" => cartesian_prod(&[&x[0], &x[1]]),
        "combinations" => x[0].combinations(3, true),
        "column_stack" => column_stack(&[&x[0], &x[1]]),
        "dstack" => dstack(&[&x[0], &x[1]]),
        "meshgrid" => meshgrid(&[&x[0], &x[1]], Indexing::Xy)[0].clone(),
        "tensor_split" => x[0].tensor_split([1, -1], 1)[1].clone(),
        name => panic!("nobody wrote down what `{name}` is here"),
    }
}

#[test]
fn values_and_gradients_agree_with_pytorch() {
    agree("index.safetensors", 65, |case, x| run(case.name, x));
}
