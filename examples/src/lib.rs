//! What the examples share: the digits that ship with them, and a picture of losses.

mod data;
mod gallery;
pub mod letters;
mod plot;

pub use data::{Images, digits, mnist};
pub use gallery::gallery;
pub use plot::loss_curve;
