//! The safetensors format: a JSON header with names, dtypes, shapes and places, then the elements.

use super::file::{Source, bytes_at, damaged, elements, length, open, open_mapped, write_atomically};
use super::in_file;
use crate::nn::StateDict;
use crate::tensor::Tensor;
use serde_json::{Map, Value as Json};
use std::fs::File;
use std::path::{Path, PathBuf};
use wengert_array::{Array, DType, Error, ErrorKind, Result, Shape};

/// As the format's own library limits it.
const LONGEST_HEADER: u64 = 100_000_000;

const NAMES: [(DType, &str); 11] = [
    (DType::Bool, "BOOL"),
    (DType::U8, "U8"),
    (DType::I8, "I8"),
    (DType::I16, "I16"),
    (DType::I32, "I32"),
    (DType::I64, "I64"),
    (DType::F16, "F16"),
    (DType::BF16, "BF16"),
    (DType::F32, "F32"),
    (DType::F64, "F64"),
    (DType::C64, "C64"),
];

/// How long the header is, as the first eight bytes of a file of `total` bytes say, if they can say so.
pub(super) fn header_size(start: &[u8], total: u64) -> Option<u64> {
    let size = u64::from_le_bytes(start.try_into().ok()?);
    (size <= LONGEST_HEADER && size + 8 <= total).then_some(size)
}

/// A tensor's place.
#[derive(Clone, Debug)]
struct Entry {
    name: String,
    dtype: DType,
    shape: Shape,
    start: u64,
    end: u64,
}

/// What the header says.
pub(super) struct Header {
    entries: Vec<Entry>,
    pub metadata: Vec<(String, String)>,
}

impl Header {
    pub fn read(source: &mut dyn Source) -> Result<Header> {
        let total = length(source)?;
        let size = bytes_at(source, 0, 8, total)?;
        let no_safetensors =
            || damaged("this is none of the formats: safetensors, NPY, NPZ, or a PyTorch file");
        let size = header_size(&size, total).ok_or_else(no_safetensors)?;
        let header = bytes_at(source, 8, size, total)?;
        let header: Json = serde_json::from_slice(&header).map_err(|_| no_safetensors())?;
        let Json::Object(header) = header else {
            return Err(no_safetensors());
        };
        let mut entries = Vec::new();
        let mut metadata = Vec::new();
        for (name, value) in &header {
            if name == "__metadata__" {
                let pairs = value.as_object().into_iter().flatten();
                metadata = pairs
                    .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_string())))
                    .collect();
            } else {
                entries.push(entry(name, value, 8 + size)?);
            }
        }
        // Tensors lie one after the other, without gaps or overlaps, to the end of the file.
        entries.sort_by_key(|e| (e.start, e.end));
        let mut at = 8 + size;
        for e in &entries {
            if e.start != at {
                return Err(damaged(format!(
                    "`{}` does not begin where the tensor before it ends",
                    e.name
                )));
            }
            at = e.end;
        }
        if at != total {
            let message = format!("the file has {total} bytes, and its header speaks of {at}");
            return Err(damaged(message));
        }
        Ok(Header { entries, metadata })
    }

    pub fn tensors(&self, source: &mut dyn Source) -> Result<StateDict> {
        let tensors = self
            .entries
            .iter()
            .map(|e| Ok((e.name.clone(), read(source, e)?)));
        tensors.collect()
    }
}

fn entry(name: &str, value: &Json, base: u64) -> Result<Entry> {
    let wrong = |what: &str| damaged(format!("the header's entry for `{name}` has {what}"));
    let dtype = value
        .get("dtype")
        .and_then(Json::as_str)
        .ok_or_else(|| wrong("no dtype"))?;
    let dtype = NAMES
        .iter()
        .find(|(_, n)| *n == dtype)
        .ok_or_else(|| wrong(&format!("the dtype {dtype}, which cannot be read")))?
        .0;
    let numbers = |key: &str| {
        let list = value.get(key).and_then(Json::as_array);
        list.and_then(|l| l.iter().map(Json::as_u64).collect::<Option<Vec<u64>>>())
    };
    let shape = numbers("shape").ok_or_else(|| wrong("no shape"))?;
    let shape: Option<Shape> = shape.into_iter().map(|n| usize::try_from(n).ok()).collect();
    let shape = shape
        .filter(|s| s.checked_numel().is_some())
        .ok_or_else(|| wrong("too large a shape"))?;
    let Some([start, end]) = numbers("data_offsets").and_then(|o| <[u64; 2]>::try_from(o).ok()) else {
        return Err(wrong("no offsets"));
    };
    let bytes = (shape.numel() * dtype.size()) as u64;
    if start.checked_add(bytes) != Some(end) {
        let message = format!("{bytes} bytes of shape {shape} between {start} and {end}");
        return Err(wrong(&message));
    }
    let (start, end) = (start.checked_add(base), end.checked_add(base));
    let (Some(start), Some(end)) = (start, end) else {
        return Err(wrong("offsets beyond any file"));
    };
    Ok(Entry {
        name: name.to_string(),
        dtype,
        shape,
        start,
        end,
    })
}

fn read(source: &mut dyn Source, e: &Entry) -> Result<Tensor> {
    elements(source, e.start, &e.shape, e.dtype).map(Tensor::constant)
}

/// A safetensors file whose tensors are read when they are asked for, so that a part of a large file costs only that
/// part.
pub struct SafeTensors {
    path: PathBuf,
    file: Box<dyn Source + Send>,
    header: Header,
}

impl SafeTensors {
    /// Reads the header.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<SafeTensors> {
        let path = path.as_ref();
        SafeTensors::of(path, Box::new(open(path)?))
    }

    /// Reads the header, and maps the rest into memory; [`load_mapped`](super::load_mapped) says what that means.
    ///
    /// # Errors
    /// If the file cannot be mapped or is damaged.
    pub fn open_mapped(path: impl AsRef<Path>) -> Result<SafeTensors> {
        let path = path.as_ref();
        SafeTensors::of(path, Box::new(open_mapped(path)?))
    }

    fn of(path: &Path, mut file: Box<dyn Source + Send>) -> Result<SafeTensors> {
        let header = in_file(path, Header::read(&mut *file))?;
        Ok(SafeTensors {
            path: path.to_path_buf(),
            file,
            header,
        })
    }

    /// The names of the tensors, in the order in which they lie.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.header.entries.iter().map(|e| e.name.as_str())
    }

    /// Dtype and shape of a tensor.
    pub fn meta(&self, name: &str) -> Option<(DType, Shape)> {
        let entry = self.header.entries.iter().find(|e| e.name == name)?;
        Some((entry.dtype, entry.shape.clone()))
    }

    /// The free text that goes with the tensors, by key.
    pub fn metadata(&self) -> &[(String, String)] {
        &self.header.metadata
    }

    /// As [`meta`](Self::meta).
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn try_meta(&self, name: &str) -> Result<(DType, Shape)> {
        let entry = self.entry(name)?;
        Ok((entry.dtype, entry.shape.clone()))
    }

    fn entry(&self, name: &str) -> Result<&Entry> {
        let entries = &self.header.entries;
        entries.iter().find(|e| e.name == name).ok_or_else(|| {
            let error = Error::new(ErrorKind::Value, "load", format!("there is no tensor `{name}`"));
            let likeness = |e: &&Entry| (strsim::jaro_winkler(name, &e.name) * 1e6) as u32;
            let error = match entries.iter().max_by_key(likeness) {
                Some(e) => error.note(format!("the most similar name is `{}`", e.name)),
                None => error,
            };
            error.note(format!("in the file `{}`", self.path.display()))
        })
    }

    /// Reads a tensor, or maps it.
    ///
    /// # Errors
    /// If there is none of that name, or the file cannot be read.
    pub fn tensor(&mut self, name: &str) -> Result<Tensor> {
        let entry = self.entry(name)?.clone();
        in_file(&self.path, read(&mut *self.file, &entry))
    }
}

/// Reads all tensors of a safetensors file.
///
/// # Errors
/// If the file cannot be read or is damaged.
pub fn load_safetensors(path: impl AsRef<Path>) -> Result<StateDict> {
    let path = path.as_ref();
    let mut file = open(path)?;
    let read = |file: &mut File| Header::read(file)?.tensors(file);
    in_file(path, read(&mut file))
}

/// Writes tensors as a safetensors file.
///
/// # Errors
/// If it cannot be written; then an old file of that name is as it was.
pub fn save_safetensors(path: impl AsRef<Path>, tensors: &StateDict) -> Result<()> {
    save_safetensors_with(path, tensors, &[])
}

/// As [`save_safetensors`], with free text that goes with the tensors, by key.
///
/// # Errors
/// As [`save_safetensors`].
pub fn save_safetensors_with(
    path: impl AsRef<Path>,
    tensors: &StateDict,
    metadata: &[(String, String)],
) -> Result<()> {
    let tensors: Vec<(&str, &Tensor)> = tensors.iter().collect();
    let metadata: Vec<(&str, &str)> = metadata.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    write(path.as_ref(), &tensors, &metadata)
}

/// What [`save_safetensors_with`] writes, in memory.
///
/// # Errors
/// As [`save_safetensors`].
pub fn safetensors_bytes(tensors: &StateDict, metadata: &[(String, String)]) -> Result<Vec<u8>> {
    let tensors: Vec<(&str, &Tensor)> = tensors.iter().collect();
    let metadata: Vec<(&str, &str)> = metadata.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let (mut bytes, order) = lay_out(&tensors, &metadata)?;
    order
        .iter()
        .for_each(|(_, array)| bytes.extend_from_slice(&array.to_le_bytes()));
    Ok(bytes)
}

pub(super) fn write(path: &Path, tensors: &[(&str, &Tensor)], metadata: &[(&str, &str)]) -> Result<()> {
    let (start, order) = lay_out(tensors, metadata)?;
    write_atomically(path, |file| {
        file.write_all(&start)?;
        order
            .iter()
            .try_for_each(|(_, array)| file.write_all(&array.to_le_bytes()))
    })
}

/// Arrays with their names, in the order in which they lie in the file.
type Ordered<'a> = Vec<(&'a str, Array)>;

/// All that stands before the elements, and the arrays in the order in which they lie.
fn lay_out<'a>(tensors: &[(&'a str, &Tensor)], metadata: &[(&str, &str)]) -> Result<(Vec<u8>, Ordered<'a>)> {
    let mut order: Vec<(&'a str, Array)> = tensors.iter().map(|(n, t)| (*n, t.array())).collect();
    // The largest elements first, so that all lie aligned.
    order.sort_by(|a, b| {
        b.1.dtype()
            .size()
            .cmp(&a.1.dtype().size())
            .then_with(|| a.0.cmp(b.0))
    });
    let mut header = Map::new();
    if !metadata.is_empty() {
        let metadata = metadata.iter().map(|(k, v)| (k.to_string(), Json::from(*v)));
        header.insert("__metadata__".to_string(), Json::Object(metadata.collect()));
    }
    let mut at = 0u64;
    for (name, array) in &order {
        let end = at + (array.numel() * array.dtype().size()) as u64;
        let (_, dtype) = NAMES.iter().find(|(d, _)| *d == array.dtype()).ok_or_else(|| {
            let message = format!("`{name}` is of dtype {}, which the format lacks", array.dtype());
            Error::new(ErrorKind::DType, "save", message)
        })?;
        let entry = serde_json::json!({
            "dtype": dtype,
            "shape": array.shape().dims(),
            "data_offsets": [at, end],
        });
        if *name == "__metadata__" || header.insert(name.to_string(), entry).is_some() {
            let message = format!("no tensor can be called `{name}` (again)");
            return Err(Error::new(ErrorKind::Value, "save", message));
        }
        at = end;
    }
    let mut header = Json::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut start = (header.len() as u64).to_le_bytes().to_vec();
    start.extend(header);
    Ok((start, order))
}
