//! The operations, one file for each family. Each operation is one block: its rule, its formula, the inputs
//! it is tested on, and its method.

pub mod activation;
pub mod angle;
pub mod arithmetic;
pub mod arrange;
pub mod attention;
pub mod batch_norm;
pub mod bits;
pub mod bitwise;
pub mod cast;
pub mod common;
pub mod compare;
pub mod complex;
pub mod conv;
pub mod diagonal;
pub mod distance;
pub mod dropout;
pub mod elementwise;
pub mod embed;
pub mod exponential;
pub mod fft;
pub mod fractional;
pub mod functional;
pub mod grid;
pub mod index;
pub mod interpolate;
pub mod join;
pub mod linalg;
pub mod logarithm;
pub mod loss;
pub mod lstm;
pub mod mask;
pub mod matmul;
pub mod norm;
mod operators;
pub mod pad;
pub mod pair;
pub mod piecewise;
pub mod pointwise;
pub mod pool;
pub mod quantile;
pub mod reduce;
#[cfg(test)]
pub(crate) mod registry;
pub mod rounding;
pub mod rows;
pub mod rule;
pub mod scan;
pub mod scatter;
pub mod scatter_reduce;
pub mod search;
pub mod shape;
pub mod slice;
pub mod sliding;
pub mod smooth;
pub mod softmax;
pub mod sort;
pub mod special;
pub mod special2;
pub mod split;
pub mod statistics;
pub mod stft;
pub mod strided;
pub mod trigonometric;
pub mod unpool;
pub mod window;

pub use compare::where_;
pub use index::{Index, Indices, s};
pub use join::{
    Indexing, block_diag, broadcast_tensors, cartesian_prod, cat, column_stack, dstack, hstack, meshgrid,
    result_type, stack, vstack,
};
pub use loss::{Reduction, cross_entropy, mse_loss};

pub use matmul::linear;
pub use pad::PadMode;
pub use pointwise::{Kind, Map, Pointwise};
pub use quantile::Interpolation;
pub use reduce::Dims;
pub use rounding::RoundingMode;
pub use rule::Rule;
pub use scatter_reduce::ScatterMode;
pub use search::searchsorted;
pub use shape::Sizes;
pub use sliding::Sliding;
pub use sort::Unique;
pub use split::Sections;

use crate::tensor::Tensor;
use wengert_array::{Error, ErrorKind, Result, raise};

/// Writes the contract test of each operation, as module `$name` with one test for each clause, and enters it into the registry
/// that the table of operations is made from.
macro_rules! contract {
    ($($name:ident: $op:ty),* $(,)?) => {
        #[cfg(test)]
        mod contract {
            $(mod $name {
                #[allow(unused_imports)]
                use super::super::*;
                crate::autograd::contract::contract_tests!($op);
                inventory::submit! {
                    crate::ops::registry::Entry {
                        of: stringify!($op),
                        file: file!(),
                        facts: || crate::ops::registry::facts::<$op>(&<$op as crate::op::Op>::samples),
                    }
                }
            })*
        }
    };
}
pub(crate) use contract;

/// What was asked for; or a panic with the error, at the line of the program that asked.
#[track_caller]
pub(crate) fn ok<T>(result: Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => raise(error),
    }
}

/// That numbers can be ordered: complex ones cannot.
pub(crate) fn ordered(op: &str, x: &Tensor) -> Result<()> {
    if !x.dtype().is_complex() {
        return Ok(());
    }
    let message = format!("takes no complex numbers, and got {}", x.dtype());
    Err(Error::new(ErrorKind::DType, op, message).note("they have no order"))
}

/// The dimension that `dim` means in a tensor of `rank` dimensions: negative ones count from the end.
pub(crate) fn axis(op: &str, dim: isize, rank: usize) -> Result<usize> {
    let from_end = if dim < 0 { dim + rank as isize } else { dim };
    match usize::try_from(from_end) {
        Ok(d) if d < rank => Ok(d),
        _ => Err(no_such_axis(op, dim, rank)),
    }
}

/// The same in `forward` and `backward`, where `infer` has found that there is one.
pub(crate) fn checked_axis(dim: isize, rank: usize) -> usize {
    axis("", dim, rank).expect("infer has checked it")
}

#[cold]
fn no_such_axis(op: &str, dim: isize, rank: usize) -> Error {
    let message = format!("there is no dimension {dim} in a tensor with {rank} dimensions");
    let error = Error::new(ErrorKind::Index, op, message);
    match rank {
        0 => error.note("a 0-d tensor has no dimensions"),
        _ => error.note(format!(
            "dimensions are numbered 0 to {}, or −{rank} to −1 from the end",
            rank - 1
        )),
    }
}
