//! Handwritten digits, embedded in the program. `data/README.md` says where they come from.

use flate2::read::GzDecoder;
use std::io::Read;
use wengert::{DType, Tensor};

/// Pictures of digits and the digits they show.
pub struct Images {
    /// `[n, height · width]`, from 0 (paper) to 1 (ink).
    pub pixels: Tensor,
    /// `[n]`, 0 to 9.
    pub labels: Tensor,
    /// The height of a picture, and its width.
    pub size: usize,
}

/// The 1,797 digits of 8×8 pixels.
pub fn digits() -> Images {
    let images = include_bytes!("../data/digits-images.idx3.gz");
    unpack(images, include_bytes!("../data/digits-labels.idx1.gz"), 16.0)
}

/// 10,000 digits of 28×28 pixels, a part of MNIST.
pub fn mnist() -> Images {
    let images = include_bytes!("../data/mnist-images.idx3.gz");
    unpack(images, include_bytes!("../data/mnist-labels.idx1.gz"), 255.0)
}

fn unpack(images: &[u8], labels: &[u8], ink: f64) -> Images {
    let (shape, pixels) = idx(images);
    let (_, labels) = idx(labels);
    let (n, size) = (shape[0], shape[1]);
    Images {
        pixels: Tensor::from_vec(pixels, [n, size * size]).to(DType::F32) / ink,
        labels: Tensor::from_vec(labels, [n]).to(DType::I64),
        size,
    }
}

/// Sizes and elements of a gzipped IDX file of bytes: the number of dimensions, their sizes as big-endian
/// numbers, the elements.
fn idx(packed: &[u8]) -> (Vec<usize>, Vec<u8>) {
    let mut bytes = unpacked(packed);
    let rank = usize::from(bytes[3]);
    let size = |d: usize| u32::from_be_bytes(bytes[4 + 4 * d..][..4].try_into().expect("four bytes"));
    let shape = (0..rank).map(|d| size(d) as usize).collect();
    (shape, bytes.split_off(4 + 4 * rank))
}

/// The bytes of an embedded file.
pub(crate) fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(packed)
        .read_to_end(&mut bytes)
        .expect("the embedded data are whole");
    bytes
}
