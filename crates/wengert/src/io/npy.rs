//! NumPy's formats: NPY, one array, and NPZ, a zip archive of them.

use super::file::{Source, damaged, io_error, length, open, write_atomically};
use super::in_file;
use super::zip::{self, Entry};
use crate::nn::StateDict;
use crate::tensor::Tensor;
use std::io::Read;
use std::path::Path;
use wengert_array::{Array, DType, Error, ErrorKind, Result, Shape};

const LONGEST_HEADER: usize = 1 << 16;

/// What an array of the file is read as: a dtype of ours, perhaps made of a type that we lack.
#[derive(Clone, Copy)]
enum Kind {
    Ours(DType),
    U16,
    U32,
}

const KINDS: [(&str, Kind); 14] = [
    ("b1", Kind::Ours(DType::Bool)),
    ("u1", Kind::Ours(DType::U8)),
    ("i1", Kind::Ours(DType::I8)),
    ("i2", Kind::Ours(DType::I16)),
    ("i4", Kind::Ours(DType::I32)),
    ("i8", Kind::Ours(DType::I64)),
    ("f2", Kind::Ours(DType::F16)),
    ("f4", Kind::Ours(DType::F32)),
    ("f8", Kind::Ours(DType::F64)),
    ("c8", Kind::Ours(DType::C64)),
    ("c16", Kind::Ours(DType::C128)),
    ("u2", Kind::U16),
    ("u4", Kind::U32),
    // What some write for bytes.
    ("S1", Kind::Ours(DType::U8)),
];

struct Header {
    kind: Kind,
    big_endian: bool,
    columns_first: bool,
    shape: Shape,
}

/// The value after `'key':` in the header, which is a Python dictionary written out.
fn field<'a>(text: &'a str, key: &str) -> Result<&'a str> {
    let (_, rest) = text
        .split_once(&format!("'{key}'"))
        .ok_or_else(|| damaged(format!("the array's header has no `{key}`")))?;
    let rest = rest.trim_start().strip_prefix(':').unwrap_or(rest).trim_start();
    let end = match rest.chars().next() {
        Some('(') => rest.find(')').map(|i| i + 1),
        Some(quote @ ('\'' | '"')) => rest[1..].find(quote).map(|i| i + 2),
        _ => rest.find([',', '}']),
    };
    end.map(|end| &rest[..end])
        .ok_or_else(|| damaged(format!("`{key}` in the array's header is cut off")))
}

fn header(text: &str) -> Result<Header> {
    let descr = field(text, "descr")?.trim_matches(['\'', '"']);
    let (order, name) = descr.split_at_checked(1).unwrap_or(("", descr));
    let kind = KINDS.iter().find(|(n, _)| *n == name && "<>|=".contains(order));
    let Some((_, kind)) = kind else {
        return Err(damaged(format!(
            "the array is of NumPy's dtype `{descr}`, which cannot be read"
        )));
    };
    let shape = field(text, "shape")?.trim_matches(['(', ')']);
    let sizes = shape.split(',').map(str::trim).filter(|s| !s.is_empty());
    let shape: Option<Shape> = sizes.map(|s| s.trim_end_matches('L').parse().ok()).collect();
    let shape = shape
        .filter(|s: &Shape| s.checked_numel().is_some())
        .ok_or_else(|| {
            damaged(format!(
                "the array's shape makes no sense: ({})",
                field(text, "shape").unwrap_or("")
            ))
        })?;
    let columns_first = match field(text, "fortran_order")? {
        "True" => true,
        "False" => false,
        other => {
            return Err(damaged(format!(
                "`fortran_order` must be True or False, and is {other}"
            )));
        }
    };
    Ok(Header {
        kind: *kind,
        big_endian: order == ">",
        columns_first,
        shape,
    })
}

/// Reads an array from a source of `total` bytes.
pub(super) fn read(source: &mut (impl Read + ?Sized), total: u64) -> Result<Tensor> {
    let mut start = [0; 8];
    source.read_exact(&mut start).map_err(io_error)?;
    if !start.starts_with(b"\x93NUMPY") {
        return Err(damaged("this is no NPY file"));
    }
    let mut size = [0; 4];
    let wide = usize::from(start[6] > 1) * 2 + 2;
    source.read_exact(&mut size[..wide]).map_err(io_error)?;
    let size = u32::from_le_bytes(size) as usize;
    if size > LONGEST_HEADER {
        return Err(damaged("the array's header is too long"));
    }
    let mut text = vec![0; size];
    source.read_exact(&mut text).map_err(io_error)?;
    let text = String::from_utf8_lossy(&text);
    let Header {
        kind,
        big_endian,
        columns_first,
        shape,
    } = header(&text)?;
    let each = match kind {
        Kind::Ours(dtype) => dtype.size(),
        Kind::U16 => 2,
        Kind::U32 => 4,
    };
    let left = total.saturating_sub((8 + wide + size) as u64);
    let bytes = shape.numel() as u64 * each as u64;
    if bytes > left {
        let message = format!("an array of shape {shape} has {bytes} bytes, and the file only {left}");
        return Err(damaged(message));
    }
    let turned: Shape = if columns_first {
        shape.iter().rev().copied().collect()
    } else {
        shape
    };
    let mut read = |dtype| Array::read_bytes(source, turned.clone(), dtype, big_endian).map_err(io_error);
    let array = match kind {
        Kind::Ours(dtype) => read(dtype)?,
        // The same bits, read with a sign and then without.
        Kind::U16 => widen::<i16, i32>(&read(DType::I16)?, |v| i32::from(v as u16)),
        Kind::U32 => widen::<i32, i64>(&read(DType::I32)?, |v| i64::from(v as u32)),
    };
    let order: Vec<usize> = (0..array.rank()).rev().collect();
    Ok(Tensor::constant(if columns_first {
        array.permute(&order).contiguous()
    } else {
        array
    }))
}

fn widen<A: wengert_array::Element, B: wengert_array::Element>(a: &Array, f: impl Fn(A) -> B) -> Array {
    let wide: Vec<B> = a.as_slice::<A>().iter().map(|v| f(*v)).collect();
    Array::from_slice(&wide, a.shape().clone())
}

/// What stands before the elements.
fn start(array: &Array) -> Result<Vec<u8>> {
    let kind = KINDS
        .iter()
        .find(|(_, k)| matches!(k, Kind::Ours(d) if *d == array.dtype()));
    let Some((name, _)) = kind else {
        let message = format!("NumPy has no dtype {}", array.dtype());
        return Err(Error::new(ErrorKind::DType, "save", message).help("convert it first: `.to(DType::F32)`"));
    };
    let order = if array.dtype().size() == 1 { '|' } else { '<' };
    let sizes: Vec<String> = array.shape().iter().map(|n| format!("{n},")).collect();
    let sizes = sizes.join(" ");
    // A tuple of one keeps its comma.
    let sizes = if array.rank() > 1 {
        sizes.trim_end_matches(',')
    } else {
        &sizes
    };
    let mut text = format!("{{'descr': '{order}{name}', 'fortran_order': False, 'shape': ({sizes}), }}");
    // The elements begin at a multiple of 64.
    let whole = (10 + text.len() + 1).next_multiple_of(64);
    text.extend(std::iter::repeat_n(' ', whole - 11 - text.len()));
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\0".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    Ok(bytes)
}

/// Reads an NPY file. Unsigned integers of 16 and 32 bits become signed ones of twice the width.
///
/// # Errors
/// If the file cannot be read or is damaged, or if the elements are of a type that tensors lack.
pub fn load_npy(path: impl AsRef<Path>) -> Result<Tensor> {
    let path = path.as_ref();
    let mut file = open(path)?;
    let total = length(&mut file)?;
    in_file(path, read(&mut std::io::BufReader::new(file), total))
}

/// Writes an NPY file.
///
/// # Errors
/// If it cannot be written, or NumPy lacks the dtype (bfloat16); then an old file of that name is as it was.
pub fn save_npy(path: impl AsRef<Path>, tensor: &Tensor) -> Result<()> {
    let array = tensor.array();
    let start = start(&array)?;
    write_atomically(path, |file| {
        file.write_all(&start)?;
        file.write_all(&array.to_le_bytes())
    })
}

pub(super) fn read_npz(source: &mut dyn Source, entries: &[Entry]) -> Result<StateDict> {
    let mut state = StateDict::default();
    for entry in entries {
        let name = entry.name.strip_suffix(".npy").unwrap_or(&entry.name);
        let tensor = entry.read(source, true, |bytes| read(bytes, entry.size));
        let tensor = tensor.map_err(|e| e.note(format!("in the array `{name}`")))?;
        state.insert(name, tensor);
    }
    Ok(state)
}

/// Reads the arrays of an NPZ file, packed or not.
///
/// # Errors
/// As [`load_npy`].
pub fn load_npz(path: impl AsRef<Path>) -> Result<StateDict> {
    let path = path.as_ref();
    let read = || {
        let mut file = open(path)?;
        let entries = zip::directory(&mut file)?;
        read_npz(&mut file, &entries)
    };
    in_file(path, read())
}

/// Writes an NPZ file, as `numpy.savez` does.
///
/// # Errors
/// As [`save_npy`].
pub fn save_npz(path: impl AsRef<Path>, tensors: &StateDict) -> Result<()> {
    let arrays: Vec<(String, Array)> = tensors
        .iter()
        .map(|(n, t)| (format!("{n}.npy"), t.array()))
        .collect();
    if let Some((name, _)) = arrays.iter().find(|(n, _)| n.len() > usize::from(u16::MAX)) {
        let message = format!("a name of {} bytes is too long for an archive", name.len());
        return Err(Error::new(ErrorKind::Value, "save", message));
    }
    let parts = arrays
        .iter()
        .map(|(n, a)| Ok((n.clone(), start(a)?, a.to_le_bytes())));
    let parts = parts.collect::<Result<Vec<_>>>()?;
    let entries: Vec<(String, Vec<&[u8]>)> = parts
        .iter()
        .map(|(name, start, bytes)| (name.clone(), vec![&start[..], &bytes[..]]))
        .collect();
    write_atomically(path, |file| zip::write(file, &entries))
}
