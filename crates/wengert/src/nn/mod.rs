//! Layers, the modules they make up, and losses.
//!
//! They have the names and defaults of `torch.nn`, but for its lazy layers, which learn their sizes from the first input:
//! here a layer's parameters are there from the start, for optimizers, `#[derive(Module)]` and checkpoints to find. A
//! size that is laborious to work out can be asked for instead:
//!
//! ```
//! use wengert::nn::{Conv2d, Flatten, Layer, Linear, MaxPool2d, Sequential};
//! use wengert::Tensor;
//!
//! let features = Sequential::new().add(Conv2d::new(1, 8, 5)).add(MaxPool2d::new(2)).add(Flatten);
//! let size = features.forward(&Tensor::zeros([1, 1, 28, 28])).size(-1);
//! let model = features.add(Linear::new(size, 10));
//! # assert_eq!((size, model.forward(&Tensor::zeros([2, 1, 28, 28])).size(1)), (8 * 12 * 12, 10));
//! ```

mod activation;
mod adaptive;
mod attention;
mod cell;
mod container;
mod conv;
mod dropout;
mod embedding;
pub mod init;
mod linear;
mod loss;
mod losses;
mod misc;
mod mode;
mod module;
mod norm;
mod padding;
mod pool;
mod rnn;
mod state;
mod summary;
mod transformer;
mod vision;
mod weight_norm;

pub use crate::ops::functional;
pub use activation::{
    CELU, ELU, Flatten, GELU, GLU, Hardshrink, Hardsigmoid, Hardswish, Hardtanh, Identity, LeakyReLU,
    LogSigmoid, LogSoftmax, Mish, PReLU, RReLU, ReLU, ReLU6, SELU, SiLU, Sigmoid, Softmax, Softmax2d,
    Softmin, Softplus, Softshrink, Softsign, Tanh, Tanhshrink, Threshold,
};
pub use adaptive::AdaptiveLogSoftmaxWithLoss;
pub use attention::{Masks, MultiheadAttention};
pub use cell::{GRUCell, LSTMCell, RNNCell};
pub use container::{ModuleDict, ModuleList, Sequential};
pub use conv::{Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d};
pub use dropout::{AlphaDropout, Dropout, Dropout1d, Dropout2d, Dropout3d, FeatureAlphaDropout};
pub use embedding::{Embedding, EmbeddingBag};
pub use linear::Linear;
pub use loss::{CrossEntropyLoss, MSELoss};
pub use losses::{
    BCELoss, BCEWithLogitsLoss, CTCLoss, CosineEmbeddingLoss, GaussianNLLLoss, HingeEmbeddingLoss, HuberLoss,
    KLDivLoss, L1Loss, LinearCrossEntropyLoss, MarginRankingLoss, MultiLabelMarginLoss,
    MultiLabelSoftMarginLoss, MultiMarginLoss, NLLLoss, PoissonNLLLoss, SmoothL1Loss, SoftMarginLoss,
    TripletMarginLoss, TripletMarginWithDistanceLoss,
};
pub use misc::{Bilinear, Unflatten};
pub use mode::Mode;
pub use module::{Field, Layer, Module, Part};
pub use norm::{
    BatchNorm1d, BatchNorm2d, BatchNorm3d, GroupNorm, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d,
    LayerNorm, LocalResponseNorm, RMSNorm,
};
pub use padding::{
    CircularPad1d, CircularPad2d, CircularPad3d, ConstantPad1d, ConstantPad2d, ConstantPad3d, Margins,
    ReflectionPad1d, ReflectionPad2d, ReflectionPad3d, ReplicationPad1d, ReplicationPad2d, ReplicationPad3d,
    ZeroPad1d, ZeroPad2d, ZeroPad3d,
};
pub use pool::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveMaxPool1d, AdaptiveMaxPool2d,
    AdaptiveMaxPool3d, AvgPool1d, AvgPool2d, AvgPool3d, FractionalMaxPool2d, FractionalMaxPool3d, LPPool1d,
    LPPool2d, LPPool3d, MaxPool1d, MaxPool2d, MaxPool3d, MaxUnpool1d, MaxUnpool2d, MaxUnpool3d, Upsample,
};
pub use rnn::{GRU, LSTM, RNN, RecurrentOptions};
pub use state::{LoadReport, StateDict};
pub use summary::{summary, summary_of};
pub use transformer::{
    Transformer, TransformerDecoder, TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer,
    TransformerOptions,
};
pub use vision::{
    ChannelShuffle, CosineSimilarity, Fold, PairwiseDistance, PixelShuffle, PixelUnshuffle, Sliding, Unfold,
};
pub use weight_norm::{Kernels, WeightNormConv, WeightNormLinear};
pub use wengert_derive::Module;
