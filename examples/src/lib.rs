//! What the examples share: the data that ship with them, models, and pictures.

#[cfg(feature = "minilm")]
pub mod bert;
mod data;
mod gallery;
pub mod letters;
pub mod pinn;
mod plot;
pub mod resume;
pub mod tabular;
pub mod vae;

pub use data::{Images, digits, mnist};
pub use gallery::gallery;
pub use plot::{loss_curve, profiles, residual_plot};
