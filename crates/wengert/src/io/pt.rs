//! PyTorch's files: a zip archive of a pickle and of the elements of each storage.

use super::file::{Source, damaged, elements, io_error, open};
use super::in_file;
use super::pickle::{self, Id, Object, Objects, View};
use super::value::Value;
use super::zip::{self, Entry};
use crate::tensor::Tensor;
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use wengert_array::{Array, DType, Result, Shape};

/// How deep lists and dictionaries may lie within each other.
pub(super) const DEEPEST: usize = 100;

/// Reads a file that `torch.save` wrote: a state dict, or any dictionaries and lists of tensors, numbers and text.
///
/// A pickle can ask to run any code; nothing is run, and a file that asks for more than tensors and containers is an
/// error that names what it asked for. Tensors that share memory do so here too, and those that required a gradient do.
/// Files of before PyTorch 1.6, which are no archives, are not read.
///
/// # Errors
/// If the file cannot be read, is damaged, or holds other things.
pub fn load_pt(path: impl AsRef<Path>) -> Result<Value> {
    let path = path.as_ref();
    let all = || {
        let mut file = open(path)?;
        let entries = zip::directory(&mut file)?;
        read(&mut file, &entries)
    };
    in_file(path, all())
}

fn pickle_of(entries: &[Entry]) -> Option<&Entry> {
    entries
        .iter()
        .find(|e| e.name == "data.pkl" || e.name.ends_with("/data.pkl"))
}

pub(super) fn is_one(entries: &[Entry]) -> bool {
    pickle_of(entries).is_some()
}

fn whole(entry: &Entry, source: &mut dyn Source) -> Result<Vec<u8>> {
    // PyTorch packs nothing, and a packed pickle could be a thousand times larger than the file.
    if !entry.is_stored() {
        return Err(damaged(format!(
            "`{}` in the archive is packed, which PyTorch's files are not",
            entry.name
        )));
    }
    entry.read(source, false, |bytes| {
        let mut all = Vec::new();
        bytes.read_to_end(&mut all).map_err(io_error)?;
        if all.len() as u64 != entry.size {
            return Err(damaged(format!("`{}` in the archive is cut off", entry.name)));
        }
        Ok(all)
    })
}

pub(super) fn read(source: &mut dyn Source, entries: &[Entry]) -> Result<Value> {
    let pickle =
        pickle_of(entries).ok_or_else(|| damaged("the archive has no `data.pkl`: it is no PyTorch file"))?;
    let folder = pickle.name.strip_suffix("data.pkl").unwrap_or_default();
    let order = entries.iter().find(|e| e.name == format!("{folder}byteorder"));
    let big_endian = match order.map(|e| whole(e, source)).transpose()?.as_deref() {
        None | Some(b"little") => false,
        Some(b"big") => true,
        Some(_) => return Err(damaged("the archive's byte order is neither little nor big")),
    };
    let bytes = whole(pickle, source)?;
    // A value that is used twice is converted twice, and so a small file could grow without end.
    let budget = bytes.len() * 8 + 1000;
    let mut reader = Reader {
        objects: pickle::read(&bytes)?,
        entries: entries.iter().map(|e| (e.name.as_str(), e)).collect(),
        source,
        folder,
        big_endian,
        storages: HashMap::new(),
        tensors: HashMap::new(),
        budget,
    };
    reader.value(reader.objects.root, 0)
}

struct Reader<'a> {
    objects: Objects,
    entries: HashMap<&'a str, &'a Entry>,
    source: &'a mut dyn Source,
    folder: &'a str,
    big_endian: bool,
    storages: HashMap<(String, DType), Array>,
    tensors: HashMap<Id, Tensor>,
    budget: usize,
}

impl Reader<'_> {
    fn value(&mut self, id: Id, depth: usize) -> Result<Value> {
        if depth > DEEPEST {
            return Err(damaged(format!(
                "the pickle has lists within each other more than {DEEPEST} deep"
            )));
        }
        let object = &self.objects.all[id as usize];
        let cost = match object {
            Object::Str(v) | Object::Name(v) => 1 + v.len(),
            Object::Bytes(v) => 1 + v.len(),
            _ => 1,
        };
        self.budget = self
            .budget
            .checked_sub(cost)
            .ok_or_else(|| damaged("the pickle grows beyond measure"))?;
        Ok(match object.clone() {
            Object::None => Value::None,
            Object::Bool(v) => Value::Bool(v),
            Object::Int(v) => Value::Int(v),
            Object::Float(v) => Value::Float(v),
            Object::Str(v) => Value::Str(v),
            Object::Name(v) => pickle::torch_dtype(&v).map_or(Value::Str(v), Value::DType),
            Object::Bytes(v) => Value::Bytes(v),
            Object::List(items) => Value::List(self.values(items, depth)?),
            Object::Tuple(items) => Value::Tuple(self.values(items, depth)?),
            Object::Set(items) => Value::Set(self.values(items, depth)?),
            Object::Dict(entries) => {
                let entry = |(k, v)| Ok((self.value(k, depth + 1)?, self.value(v, depth + 1)?));
                Value::Dict(entries.into_iter().map(entry).collect::<Result<_>>()?)
            }
            Object::Storage { .. } => {
                return Err(damaged("the file has a storage that is part of no tensor"));
            }
            Object::Tensor(view) => match self.tensors.get(&id) {
                Some(tensor) => Value::Tensor(tensor.clone()),
                None => {
                    let tensor = Tensor::constant(self.tensor(&view)?);
                    if view.requires_grad && tensor.dtype().is_float() {
                        tensor.requires_grad_(true);
                    }
                    self.tensors.insert(id, tensor.clone());
                    Value::Tensor(tensor)
                }
            },
        })
    }

    fn values(&mut self, items: Vec<Id>, depth: usize) -> Result<Vec<Value>> {
        items.into_iter().map(|i| self.value(i, depth + 1)).collect()
    }

    fn tensor(&mut self, view: &View) -> Result<Array> {
        let Object::Storage { key, len, dtype } = self.objects.all[view.storage as usize].clone() else {
            return Err(damaged("the pickle is damaged: a tensor without a storage"));
        };
        let size = view.dtype.size() as u64;
        // The length of a storage without a type is in bytes.
        let len = if dtype.is_some() { len } else { len / size };
        let known = (key, view.dtype);
        let storage = match self.storages.get(&known) {
            Some(array) => array.clone(),
            None => {
                let name = format!("{}data/{}", self.folder, known.0);
                let entry = self.entries.get(name.as_str());
                let entry = *entry.ok_or_else(|| damaged(format!("the archive has no `{name}`")))?;
                if len.checked_mul(size) != Some(entry.size) {
                    let message = format!(
                        "`{name}` has {} bytes, and not {len} elements of {}",
                        entry.size, view.dtype
                    );
                    return Err(damaged(message));
                }
                let array = if entry.is_stored() && !self.big_endian {
                    let start = entry.start(self.source)?;
                    elements(self.source, start, &[len as usize].into(), view.dtype)?
                } else {
                    let read = |bytes: &mut dyn Read| {
                        Array::read_bytes(bytes, [len as usize], view.dtype, self.big_endian)
                            .map_err(io_error)
                    };
                    entry.read(self.source, false, read)?
                };
                self.storages.insert(known, array.clone());
                array
            }
        };
        let counts = |list: &[u64]| {
            list.iter()
                .map(|n| usize::try_from(*n).ok())
                .collect::<Option<Vec<usize>>>()
        };
        let all = || {
            let shape = Shape::new(&counts(&view.shape)?);
            storage.strided(
                &shape,
                &counts(&view.strides)?,
                usize::try_from(view.offset).ok()?,
            )
        };
        all().ok_or_else(|| {
            let View {
                shape, strides, offset, ..
            } = view;
            damaged(format!(
                "a tensor of shape {shape:?} with strides {strides:?} from element {offset} on reaches beyond its {len} elements"
            ))
        })
    }
}
