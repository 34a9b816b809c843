//! Files: checkpoints and arrays, in the formats of others.
//!
//! | format | read | written |
//! |---|---|---|
//! | safetensors | [`load_safetensors`], [`SafeTensors`] | [`save_safetensors`] |
//! | NumPy's NPY and NPZ | [`load_npy`], [`load_npz`] | [`save_npy`], [`save_npz`] |
//! | PyTorch's `.pt` and `.pth` | [`load_pt`] | [`save_pt`], [`pt_bytes`] |
//! | any [`Value`]: safetensors whose metadata keep the structure | [`load`], [`load_mapped`] | [`save`] |
//!
//! [`load`] tells the formats apart by themselves. Reading never runs anything that a file contains, and a file that is
//! damaged, cut off or made to do harm gives an [`Error`]: memory is taken in proportion to the file, and no more.
//! Writing goes to a new file that then takes the place of the old one, so a program that is killed leaves one of
//! the two, whole.

mod file;
mod npy;
mod pickle;
mod pickle_write;
mod pt;
mod safetensors;
mod structure;
mod value;
mod zip;

pub(crate) use file::remove_leftovers;
pub use file::write_atomically;
pub use npy::{load_npy, load_npz, save_npy, save_npz};
pub use pickle_write::{pt_bytes, save_pt};
pub use pt::load_pt;
pub use safetensors::{
    SafeTensors, load_safetensors, safetensors_bytes, save_safetensors, save_safetensors_with,
};
pub use value::Value;

use file::{Source, io_error, open, open_mapped};
use std::io::Cursor;
use std::path::Path;
use wengert_array::{Error, ErrorKind, Result};

/// Reads a checkpoint or arrays, of any of the formats this module reads.
///
/// ```
/// # let dir = std::env::temp_dir().join(format!("wengert-doc-load-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir).unwrap();
/// # let path = dir.join("checkpoint.safetensors");
/// use wengert::nn::{Linear, Module};
/// use wengert::optim::{Adam, Optimizer};
/// use wengert::io::{self, Value};
///
/// let model = Linear::new(3, 2);
/// let mut optimizer = Adam::new(model.parameters(), 1e-3);
/// let checkpoint = Value::dict([
///     ("model", model.state_dict().into()),
///     ("optimizer", optimizer.state_dict()),
///     ("epoch", 7.into()),
/// ]);
/// io::save(&path, &checkpoint).unwrap();
///
/// let checkpoint = io::load(&path).unwrap();
/// model.load_state_dict(&checkpoint.entry("model").unwrap().to_state_dict().unwrap()).unwrap();
/// optimizer.load_state_dict(checkpoint.entry("optimizer").unwrap()).unwrap();
/// assert_eq!(checkpoint.get("epoch").unwrap().as_i64(), Some(7));
/// # std::fs::remove_dir_all(&dir).unwrap();
/// ```
///
/// # Errors
/// If the file cannot be read, is of none of the formats, or is damaged.
pub fn load(path: impl AsRef<Path>) -> Result<Value> {
    let path = path.as_ref();
    in_file(path, read(&mut open(path)?))
}

/// As [`load`], with the file mapped into memory: floating-point tensors of safetensors and PyTorch's files use their elements
/// where they lie, so that nothing is read before it is needed and several processes share it. What is written to a
/// tensor stays with the tensor, which has a copy from then on. Tensors that do not lie aligned in the file are read.
///
/// The file must not be changed in place while a tensor of it lives: one that someone shortens ends the program
/// (SIGBUS), and of one that someone overwrites tensors may change. [`load`] has no such condition. A file that is
/// replaced, as all functions here write, is not changed: the tensors keep the old one. (Windows refuses to replace a mapped file.)
///
/// # Errors
/// As [`load`]; or if the file cannot be mapped.
pub fn load_mapped(path: impl AsRef<Path>) -> Result<Value> {
    let path = path.as_ref();
    in_file(path, read(&mut open_mapped(path)?))
}

/// Writes a value: a state dict, or a whole checkpoint of nested dictionaries. [`load`] reads it back, to the bit.
///
/// The format is the one that the name's ending asks for: PyTorch's for `.pt` and `.pth`, NumPy's for `.npz` (tensors by
/// name) and `.npy` (one tensor), and safetensors, whose metadata keep the structure, for all others.
///
/// # Errors
/// If it cannot be written; then an old file of that name is as it was.
pub fn save(path: impl AsRef<Path>, value: &Value) -> Result<()> {
    let path = path.as_ref();
    let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    let only = |what: &str| {
        let error = Error::new(
            ErrorKind::Value,
            "save",
            format!("such a file holds {what}, and this is {value}"),
        );
        Err(error.help("a name that ends in .pt or .safetensors makes a file that holds more"))
    };
    match ending.as_deref() {
        Some("pt" | "pth") => save_pt(path, value),
        Some("npy") => match value {
            Value::Tensor(t) => save_npy(path, t),
            _ => only("one tensor"),
        },
        Some("npz") => match value.entries() {
            Some(entries)
                if entries
                    .iter()
                    .all(|(k, v)| k.as_str().is_some() && v.as_tensor().is_some()) =>
            {
                save_npz(path, &value.to_state_dict()?)
            }
            _ => only("tensors by name"),
        },
        _ => structure::save_structure(path, value),
    }
}

/// As [`load`], from memory.
///
/// # Errors
/// As [`load`].
pub fn load_bytes(bytes: &[u8]) -> Result<Value> {
    read(&mut Cursor::new(bytes))
}

fn read(source: &mut dyn Source) -> Result<Value> {
    let mut start = [0; 9];
    let n = file::fill(source, &mut start)?;
    source.rewind().map_err(io_error)?;
    let total = file::length(source)?;
    match &start[..n] {
        // First, since the length of a header may be any of the other formats' first bytes.
        [size @ .., b'{'] if safetensors::header_size(size, total).is_some() => structure::read(source),
        [b'P', b'K', 3 | 5, ..] => {
            let entries = zip::directory(source)?;
            if pt::is_one(&entries) {
                return pt::read(source, &entries);
            }
            Ok(npy::read_npz(source, &entries)?.into())
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Ok(Value::Tensor(npy::read(source, total)?)),
        [0x80, ..] => Err(Error::new(
            ErrorKind::Io,
            "load",
            "this is a pickle, or a PyTorch file from before version 1.6",
        )
        .help("save it again with a current PyTorch: `torch.save(torch.load(old), new)`")),
        _ => structure::read(source),
    }
}

/// Names the file in an error about it.
fn in_file<T>(path: &Path, result: Result<T>) -> Result<T> {
    result.map_err(|e| e.note(format!("in the file `{}`", path.display())))
}
