//! Values as PyTorch's files: the other direction of `pickle` and `pt`.

use super::file::write_atomically;
use super::pt::DEEPEST;
use super::value::Value;
use super::zip;
use crate::tensor::Tensor;
use std::path::Path;
use wengert_array::{Array, DType, Error, ErrorKind, Result};

/// Writes a value such that `torch.load(path)` reads it, and so does [`load`](super::load): tensors come back as
/// tensors, and those that are in it twice as one.
///
/// # Errors
/// If it cannot be written; then an old file of that name is as it was.
pub fn save_pt(path: impl AsRef<Path>, value: &Value) -> Result<()> {
    let archive = Archive::of(value)?;
    write_atomically(path, |file| archive.write(file))
}

/// What [`save_pt`] writes, in memory.
///
/// # Errors
/// If the value lies in itself too deep.
pub fn pt_bytes(value: &Value) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let written = Archive::of(value)?.write(&mut bytes);
    written.map_err(|e| failed(&e.to_string()))?;
    Ok(bytes)
}

fn failed(message: &str) -> Error {
    Error::new(ErrorKind::Value, "save", message)
}

/// A pickle and the tensors that it speaks of, by number.
#[derive(Default)]
struct Archive {
    pickle: Vec<u8>,
    tensors: Vec<(Tensor, Array)>,
}

impl Archive {
    fn of(value: &Value) -> Result<Archive> {
        let mut archive = Archive::default();
        archive.pickle.extend([0x80, 2]);
        archive.value(value, 0)?;
        archive.pickle.push(b'.');
        Ok(archive)
    }

    fn write(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        let elements: Vec<_> = self.tensors.iter().map(|(_, a)| a.to_le_bytes()).collect();
        let mut entries: Vec<(String, Vec<&[u8]>)> = vec![
            ("archive/data.pkl".to_string(), vec![&self.pickle]),
            ("archive/byteorder".to_string(), vec![b"little"]),
        ];
        for (i, bytes) in elements.iter().enumerate() {
            entries.push((format!("archive/data/{i}"), vec![bytes]));
        }
        entries.push(("archive/version".to_string(), vec![b"3\n"]));
        zip::write(out, &entries)
    }

    fn value(&mut self, value: &Value, depth: usize) -> Result<()> {
        if depth > DEEPEST {
            return Err(failed(&format!(
                "values within each other more than {DEEPEST} deep"
            )));
        }
        match value {
            Value::None => self.pickle.push(b'N'),
            Value::Bool(v) => self.bool(*v),
            Value::Int(v) => self.int(*v),
            Value::Float(v) => {
                self.pickle.push(b'G');
                self.pickle.extend(v.to_be_bytes());
            }
            Value::Str(v) => self.text(v)?,
            Value::Bytes(v) => {
                // Text of the characters below 256, since this version of pickles has no bytes.
                self.name("_codecs", "encode");
                self.text(&v.iter().map(|b| char::from(*b)).collect::<String>())?;
                self.text("latin1")?;
                self.pickle.extend([0x86, b'R']);
            }
            Value::DType(v) => self.name("torch", v.name()),
            Value::List(items) => self.list(items, depth)?,
            Value::Set(items) => {
                self.name("__builtin__", "set");
                self.list(items, depth)?;
                self.pickle.extend([0x85, b'R']);
            }
            Value::Tuple(items) => {
                self.pickle.push(b'(');
                items.iter().try_for_each(|v| self.value(v, depth + 1))?;
                self.pickle.push(b't');
            }
            Value::Dict(entries) => {
                self.pickle.extend(b"}(");
                for (key, value) in entries {
                    self.value(key, depth + 1)?;
                    self.value(value, depth + 1)?;
                }
                self.pickle.push(b'u');
            }
            Value::Tensor(t) => self.tensor(t)?,
        }
        Ok(())
    }

    fn list(&mut self, items: &[Value], depth: usize) -> Result<()> {
        self.pickle.extend(b"](");
        items.iter().try_for_each(|v| self.value(v, depth + 1))?;
        self.pickle.push(b'e');
        Ok(())
    }

    fn bool(&mut self, v: bool) {
        self.pickle.push(if v { 0x88 } else { 0x89 });
    }

    fn int(&mut self, v: i64) {
        match i32::try_from(v) {
            Ok(v) => {
                self.pickle.push(b'J');
                self.pickle.extend(v.to_le_bytes());
            }
            Err(_) => {
                self.pickle.extend([0x8a, 8]);
                self.pickle.extend(v.to_le_bytes());
            }
        }
    }

    fn text(&mut self, v: &str) -> Result<()> {
        let len = u32::try_from(v.len()).map_err(|_| failed("a text of more than 4 GiB"))?;
        self.pickle.push(b'X');
        self.pickle.extend(len.to_le_bytes());
        self.pickle.extend(v.as_bytes());
        Ok(())
    }

    fn name(&mut self, module: &str, name: &str) {
        self.pickle.extend(format!("c{module}\n{name}\n").as_bytes());
    }

    fn ints(&mut self, items: impl Iterator<Item = usize>) {
        self.pickle.push(b'(');
        items.for_each(|v| self.int(v as i64));
        self.pickle.push(b't');
    }

    fn tensor(&mut self, t: &Tensor) -> Result<()> {
        // What was written once is recalled.
        if let Some(i) = self.tensors.iter().position(|(known, _)| known.is(t)) {
            self.pickle.push(b'j');
            self.pickle.extend((i as u32).to_le_bytes());
            return Ok(());
        }
        let array = t.array();
        let class = match array.dtype() {
            DType::F32 => "FloatStorage",
            DType::F64 => "DoubleStorage",
            DType::C64 => "ComplexFloatStorage",
            DType::C128 => "ComplexDoubleStorage",
            DType::F16 => "HalfStorage",
            DType::BF16 => "BFloat16Storage",
            DType::I64 => "LongStorage",
            DType::I32 => "IntStorage",
            DType::I16 => "ShortStorage",
            DType::I8 => "CharStorage",
            DType::U8 => "ByteStorage",
            DType::Bool => "BoolStorage",
            other => {
                let message = format!("PyTorch's files have no elements of dtype {other}");
                return Err(Error::new(ErrorKind::DType, "save", message));
            }
        };
        let number = self.tensors.len();
        self.name("torch._utils", "_rebuild_tensor_v2");
        self.pickle.extend(b"((");
        self.text("storage")?;
        self.name("torch", class);
        self.text(&number.to_string())?;
        self.text("cpu")?;
        self.int(array.numel() as i64);
        self.pickle.extend(b"tQ");
        self.int(0);
        self.ints(array.shape().iter().copied());
        // Row-major, as the elements are written.
        let mut strides = vec![1; array.rank()];
        for d in (1..array.rank()).rev() {
            strides[d - 1] = strides[d] * array.shape().dims()[d].max(1);
        }
        self.ints(strides.into_iter());
        self.bool(t.is_leaf() && t.requires_grad());
        self.name("collections", "OrderedDict");
        self.pickle.extend(b")RtR");
        self.pickle.push(b'r');
        self.pickle.extend((number as u32).to_le_bytes());
        self.tensors.push((t.clone(), array));
        Ok(())
    }
}
