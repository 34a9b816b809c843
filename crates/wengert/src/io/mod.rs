//! Files: checkpoints and arrays.

mod value;

pub use value::Value;
