//! The kernel families on the processor.

pub(crate) mod isa;
pub(crate) mod pointwise;
pub(crate) mod threads;
pub(crate) mod walk;
