//! Define-by-run automatic differentiation of tensors.
#![forbid(unsafe_code)]

// Derived code names this crate by its name, here too.
extern crate self as wengert;

pub mod autograd;
mod create;
pub mod data;
pub mod inspect;
pub mod io;
pub mod nn;
pub mod op;
pub mod ops;
pub mod optim;
mod random;
mod tensor;
pub mod train;

pub use autograd::check::{gradcheck, gradcheck_model, gradgradcheck};
pub use autograd::functional as func;
pub use autograd::{
    Autocast, Backward, Ctx, DetectAnomaly, Precision, Recording, autocast, autocast_dtype, enable_grad,
    grad, is_detecting_anomaly, is_recording, no_grad,
};
pub use create::{Literal, Scalar};
pub use op::{Complex, Each, Extra, Fixed, Many, Op, Sample, Saves, Variadic};
pub use ops::fft;
pub use ops::linalg;
pub use ops::linalg::einsum;
pub use ops::{
    Index, Kind, Map, PadMode, Pointwise, Reduction, block_diag, broadcast_tensors, cartesian_prod, cat,
    column_stack, cross_entropy, dstack, hstack, linear, meshgrid, mse_loss, s, searchsorted, stack, vstack,
    where_,
};
pub use random::{fork_rng, manual_seed, with_generator};
pub use tensor::{HookHandle, Tensor};
pub use wengert_array::kernels::Generator;
pub use wengert_array::num_complex;
pub use wengert_array::real::{Dual, Expr, Real};
pub use wengert_array::{
    Array, DType, Device, Element, Error, ErrorKind, Meta, Result, Shape, catch, get_default_dtype,
    get_num_threads, kernels, print, real, set_default_dtype, set_num_threads,
};
