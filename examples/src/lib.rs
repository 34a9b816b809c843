//! What the examples share: the digits that ship with them, and a picture of losses.

mod data;
mod plot;

pub use data::{Images, digits, mnist};
pub use plot::loss_curve;
