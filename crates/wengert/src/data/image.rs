//! Pictures.

use super::read::wrong;
use super::{Dataset, Generator};
use crate::tensor::Tensor;
use std::path::{Path, PathBuf};
use wengert_array::{DType, Error, ErrorKind, Result};

/// Reads a picture as `[3, height, width]`, from 0 to 1.
///
/// # Errors
/// If it cannot be read.
pub fn load_image(path: impl AsRef<Path>) -> Result<Tensor> {
    let path = path.as_ref();
    let picture =
        image::open(path).map_err(|e| wrong("image", format!("cannot read `{}`: {e}", path.display())))?;
    let picture = picture.to_rgb8();
    let (w, h) = (picture.width() as usize, picture.height() as usize);
    let pixels = Tensor::from_slice(picture.as_raw(), [h, w, 3]);
    Ok((pixels.permute([2, 0, 1]).to(DType::F32) / 255.0).contiguous())
}

/// Writes numbers from 0 to 1 as a picture, in the format that the name ends with (`.png`, `.jpg`): `[3, height, width]` in
/// colour, `[1, height, width]` or `[height, width]` in grey. Numbers beyond are brought to the nearest end.
///
/// # Errors
/// If the shape is another, or the file cannot be written.
pub fn save_image(path: impl AsRef<Path>, pixels: &Tensor) -> Result<()> {
    let (path, shape) = (path.as_ref(), pixels.shape());
    let (kind, h, w) = match shape.as_ref() {
        [3, h, w] => (image::ExtendedColorType::Rgb8, *h, *w),
        [1, h, w] | [h, w] => (image::ExtendedColorType::L8, *h, *w),
        _ => {
            let message = format!("a tensor of shape {shape} is no picture");
            return Err(Error::new(ErrorKind::Shape, "save_image", message)
                .note("it must be [3, height, width], [1, height, width] or [height, width]"));
        }
    };
    let pixels = pixels
        .detach()
        .reshape([shape.numel() / (h * w).max(1), h, w])
        .permute([1, 2, 0]);
    let bytes: Vec<u8> = pixels
        .to_vec::<f32>()
        .into_iter()
        .map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8)
        .collect();
    image::save_buffer(path, &bytes, w as u32, h as u32, kind)
        .map_err(|e| wrong("save_image", format!("cannot write `{}`: {e}", path.display())))
}

/// Pictures in directories that are named for their classes: `root/cat/1.png`.
#[derive(Clone, Debug)]
pub struct ImageFolder {
    /// The names of the classes, in alphabetical order.
    pub classes: Vec<String>,
    files: Vec<(PathBuf, i64)>,
}

impl ImageFolder {
    /// Lists the files.
    ///
    /// # Errors
    /// If the directory cannot be read, or has no pictures.
    pub fn new(root: impl AsRef<Path>) -> Result<ImageFolder> {
        let root = root.as_ref();
        let failed = |e: std::io::Error| wrong("image", format!("cannot read `{}`: {e}", root.display()));
        let list = |dir: &Path| -> std::io::Result<Vec<PathBuf>> {
            let mut all = std::fs::read_dir(dir)?
                .map(|e| Ok(e?.path()))
                .collect::<std::io::Result<Vec<_>>>()?;
            all.sort();
            Ok(all)
        };
        let (mut classes, mut files) = (Vec::new(), Vec::new());
        for dir in list(root).map_err(failed)?.into_iter().filter(|p| p.is_dir()) {
            let class = classes.len() as i64;
            classes.push(dir.file_name().unwrap_or_default().to_string_lossy().into_owned());
            let pictures = list(&dir).map_err(failed)?;
            files.extend(pictures.into_iter().filter(|p| p.is_file()).map(|p| (p, class)));
        }
        if files.is_empty() {
            return Err(wrong(
                "image",
                format!("there are no pictures in directories of `{}`", root.display()),
            ));
        }
        Ok(ImageFolder { classes, files })
    }
}

impl Dataset for ImageFolder {
    type Item = (Tensor, i64);
    fn len(&self) -> usize {
        self.files.len()
    }
    fn get(&self, index: usize, _: &mut Generator) -> Result<(Tensor, i64)> {
        let (path, class) = &self.files[index];
        Ok((load_image(path)?, *class))
    }
}
