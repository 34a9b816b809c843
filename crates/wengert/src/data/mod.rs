//! Data: datasets, loaders that shuffle and batch them, and readers of files.
//!
//! ```
//! use wengert::Tensor;
//! use wengert::data::{DataLoader, TensorDataset};
//!
//! let data = TensorDataset::new([Tensor::randn([10, 3]), Tensor::arange(0, 10)]);
//! let loader = DataLoader::new(data).batch_size(4).shuffle(true).seed(7);
//! for batch in &loader {
//!     let [x, y] = batch.unwrap();
//!     assert_eq!(x.size(0), y.size(0));
//! }
//! ```

mod collate;
mod dataset;
#[cfg(feature = "images")]
mod image;
mod loader;
mod read;
mod split;
pub mod transforms;

pub use collate::Collate;
pub use dataset::{ConcatDataset, Dataset, Subset, TensorDataset};
#[cfg(feature = "images")]
pub use image::{ImageFolder, load_image, save_image};
pub use loader::{Batches, DataLoader};
pub use read::{Table, Vocabulary, load_csv, load_idx, read_csv, read_idx};
pub use split::{KFold, random_split, random_split_counts};

pub use wengert_array::kernels::Generator;

/// The generator of random numbers for one example in one epoch: it depends on these three numbers and nothing else, so
/// that data do not depend on how many threads prepare them, nor in which order.
pub fn generator_for(seed: u64, epoch: u64, index: u64) -> Generator {
    // Three rounds of SplitMix64 (Steele, Lea and Flood, 2014), each fed one of the numbers.
    let mut state = 0u64;
    for v in [seed, epoch, index] {
        state = (state ^ v).wrapping_add(0x9E37_79B9_7F4A_7C15);
        state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        state ^= state >> 31;
    }
    Generator::new(state)
}
