//! The kernel families on the processor.

pub(crate) mod index;
pub(crate) mod isa;
pub(crate) mod matmul;
pub(crate) mod pointwise;
pub(crate) mod random;
pub(crate) mod reduce;
pub(crate) mod rows;
pub(crate) mod threads;
pub(crate) mod walk;
