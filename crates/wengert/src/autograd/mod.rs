//! Recording operations, and walking back through them.

mod anomaly;
mod audit;
pub(crate) mod autocast;
mod backward;
pub mod check;
pub(crate) mod contract;
pub mod functional;
pub mod host;
pub(crate) mod mode;
pub(crate) mod node;

pub use anomaly::{DetectAnomaly, is_detecting_anomaly};
pub use autocast::{Autocast, Precision, autocast, autocast_dtype};
pub use backward::{Backward, Root, grad};
pub use contract::check_op;
pub use mode::{Recording, enable_grad, is_recording, no_grad};
pub use node::{Ctx, Edge, Hooks, Node, NodeRef, Source};
pub(crate) use node::{Inputs, lock, record};
