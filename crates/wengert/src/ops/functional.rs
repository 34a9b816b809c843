//! What PyTorch has in `torch.nn.functional`, under one name.
//!
//! ```
//! use wengert::{Tensor, nn::functional as F};
//!
//! let x = Tensor::randn([2, 3, 8, 8]);
//! let w = Tensor::randn([4, 3, 3, 3]);
//! let y = F::max_pool2d(&F::conv2d(&x, &w, None, 1, "same", 1, 1).relu(), 2, None, 0, 1, false);
//! assert_eq!(y.shape().dims(), [2, 4, 4, 4]);
//! ```

pub use super::attention::scaled_dot_product_attention;
pub use super::batch_norm::batch_norm;
pub use super::common::Sizes;
pub use super::conv::{
    Padding, conv_transpose1d, conv_transpose2d, conv_transpose3d, conv1d, conv2d, conv3d,
};
pub use super::distance::{cosine_similarity, normalize, pairwise_distance, pdist};
pub use super::dropout::{alpha_dropout, dropout, dropout1d, dropout2d, dropout3d, feature_alpha_dropout};
pub use super::embed::{Bag, embedding, embedding_bag, one_hot};
pub use super::fractional::{fractional_max_pool2d, fractional_max_pool3d};
pub use super::grid::{affine_grid, grid_sample};
pub use super::interpolate::{Resize, interpolate};
pub use super::loss::{
    Reduction, binary_cross_entropy, binary_cross_entropy_with_logits, cosine_embedding_loss, cross_entropy,
    cross_entropy_with, ctc_loss, gaussian_nll_loss, hinge_embedding_loss, huber_loss, kl_div, l1_loss,
    margin_ranking_loss, mse_loss, multi_margin_loss, multilabel_margin_loss, multilabel_soft_margin_loss,
    nll_loss, poisson_nll_loss, smooth_l1_loss, soft_margin_loss, triplet_margin_loss,
    triplet_margin_with_distance_loss,
};
pub use super::lstm::lstm_layer;
pub use super::matmul::{bilinear, linear};
pub use super::norm::{group_norm, instance_norm, layer_norm, local_response_norm, rms_norm};
pub use super::pool::{
    OutputSize, adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d, adaptive_max_pool1d,
    adaptive_max_pool1d_with_indices, adaptive_max_pool2d, adaptive_max_pool2d_with_indices,
    adaptive_max_pool3d, adaptive_max_pool3d_with_indices, avg_pool1d, avg_pool2d, avg_pool3d, lp_pool1d,
    lp_pool2d, lp_pool3d, max_pool1d, max_pool1d_with_indices, max_pool2d, max_pool2d_with_indices,
    max_pool3d, max_pool3d_with_indices, max_unpool1d, max_unpool2d, max_unpool3d,
};
pub use super::softmax::gumbel_softmax;
