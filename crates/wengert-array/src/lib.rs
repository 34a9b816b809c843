//! Arrays and the kernels that compute with them: the floor that Wengert stands on.
//!
//! This crate holds values and every line of `unsafe`; it knows nothing of gradients. Operations, in the
//! crate above, call the families of [`kernels`] and nothing else here computes.

mod array;
mod bytes;
mod complex;
mod cpu;
mod device;
mod dtype;
mod error;
mod handle;
pub mod kernels;
mod layout;
mod mapping;
pub mod print;
pub mod real;
mod small;
mod storage;

pub use array::{Array, Meta};
pub use cpu::threads::{get_num_threads, set_num_threads};
pub use device::Device;
pub use dtype::{Compute, DType, Element, get_default_dtype, no_complex, set_default_dtype};
pub use error::{Error, ErrorKind, Result, catch, raise, raise_quietly};
#[doc(hidden)]
pub use half;
pub use handle::{Erased, Handle, Seen};
pub use layout::{Layout, Shape};
pub use mapping::Mapping;
pub use num_complex;
pub use storage::empty_cache;
