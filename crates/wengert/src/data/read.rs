//! Readers: CSV, IDX, text.

use crate::tensor::Tensor;
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use wengert_array::{Array, DType, Error, ErrorKind, Result, Shape};

pub(super) fn wrong(op: &str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Io, op, message)
}

fn bytes(op: &str, path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| wrong(op, format!("cannot read `{}`: {e}", path.display())))
}

/// A table of text with named columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows, each with one cell for each column.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    fn column(&self, name: &str) -> Result<usize> {
        self.columns.iter().position(|c| c == name).ok_or_else(|| {
            wrong("csv", format!("there is no column `{name}`"))
                .note(format!("there are {}", self.columns.join(", ")))
        })
    }

    /// These columns as f32 numbers `[rows, columns]`; empty cells are NaN.
    ///
    /// # Errors
    /// If there is no such column, or a cell is no number.
    pub fn numbers(&self, columns: &[&str]) -> Result<Tensor> {
        let places = columns
            .iter()
            .map(|c| self.column(c))
            .collect::<Result<Vec<usize>>>()?;
        let mut values = Vec::with_capacity(self.rows.len() * places.len());
        for (i, row) in self.rows.iter().enumerate() {
            for &c in &places {
                let cell = row[c].trim();
                let value = if cell.is_empty() {
                    Ok(f32::NAN)
                } else {
                    cell.parse()
                };
                values.push(value.map_err(|_| {
                    wrong(
                        "csv",
                        format!(
                            "`{cell}` in row {}, column `{}`, is no number",
                            i + 1,
                            self.columns[c]
                        ),
                    )
                })?);
            }
        }
        Ok(Tensor::from_vec(values, [self.rows.len(), places.len()]))
    }

    /// A column as numbers of classes `[rows]`, and the classes' names in alphabetical order.
    ///
    /// # Errors
    /// If there is no such column.
    pub fn classes(&self, column: &str) -> Result<(Tensor, Vec<String>)> {
        let c = self.column(column)?;
        let mut names: Vec<String> = self.rows.iter().map(|r| r[c].clone()).collect();
        names.sort();
        names.dedup();
        let number: HashMap<&str, i64> = names
            .iter()
            .enumerate()
            .map(|(i, n)| (n.as_str(), i as i64))
            .collect();
        let values: Vec<i64> = self.rows.iter().map(|r| number[r[c].as_str()]).collect();
        Ok((Tensor::from_slice(&values, [values.len()]), names.clone()))
    }
}

/// Reads text as a table, the first line of which names the columns. Cells may stand in quotes, and then hold commas, line
/// breaks, and quotes written twice (RFC 4180).
///
/// # Errors
/// If a row has more or fewer cells than the first, or a quote is not closed.
pub fn read_csv(text: &str, separator: char) -> Result<Table> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let (mut row, mut cell) = (Vec::new(), String::new());
    let mut chars = text.trim_start_matches('\u{feff}').chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' if quoted || cell.is_empty() => quoted = !quoted,
            c if quoted => cell.push(c),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c if c == separator => row.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    if quoted {
        return Err(wrong("csv", "a quote is opened and not closed"));
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    // An empty line is no row.
    rows.retain(|r| !(r.len() == 1 && r[0].is_empty()));
    if rows.is_empty() {
        return Err(wrong("csv", "the file is empty"));
    }
    let columns = rows.remove(0);
    if let Some((i, row)) = rows.iter().enumerate().find(|(_, r)| r.len() != columns.len()) {
        let message = format!(
            "row {} has {} cells, and there are {} columns",
            i + 1,
            row.len(),
            columns.len()
        );
        return Err(wrong("csv", message));
    }
    Ok(Table { columns, rows })
}

/// Reads a CSV file; see [`read_csv`].
///
/// # Errors
/// If it cannot be read, is no UTF-8, or is no table.
pub fn load_csv(path: impl AsRef<Path>) -> Result<Table> {
    let path = path.as_ref();
    let text = String::from_utf8(bytes("csv", path)?)
        .map_err(|_| wrong("csv", format!("`{}` is no UTF-8", path.display())))?;
    read_csv(&text, ',').map_err(|e| e.note(format!("in the file `{}`", path.display())))
}

/// Reads an array in the IDX format, as MNIST comes in, packed by gzip or not.
///
/// # Errors
/// If it is damaged.
pub fn read_idx(bytes: &[u8]) -> Result<Tensor> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut unpacked = Vec::new();
        // Deflate makes at most 1,032 bytes of one.
        let most = bytes.len() as u64 * 1032;
        let mut packed = flate2::read::GzDecoder::new(bytes).take(most);
        packed
            .read_to_end(&mut unpacked)
            .map_err(|e| wrong("idx", format!("cannot unpack: {e}")))?;
        return plain_idx(&unpacked);
    }
    plain_idx(bytes)
}

fn plain_idx(bytes: &[u8]) -> Result<Tensor> {
    let [0, 0, kind, rank, rest @ ..] = bytes else {
        return Err(wrong("idx", "this is no IDX file"));
    };
    let dtype = match kind {
        0x08 => DType::U8,
        0x09 => DType::I8,
        0x0B => DType::I16,
        0x0C => DType::I32,
        0x0D => DType::F32,
        0x0E => DType::F64,
        other => {
            return Err(wrong(
                "idx",
                format!("elements of the kind {other:#04x} are unknown"),
            ));
        }
    };
    let (sizes, mut data) = rest
        .split_at_checked(4 * usize::from(*rank))
        .ok_or_else(|| wrong("idx", "the file ends too early"))?;
    let sizes = sizes
        .chunks_exact(4)
        .map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize);
    let shape: Shape = sizes.collect();
    let n = shape.checked_numel().and_then(|n| n.checked_mul(dtype.size()));
    if n != Some(data.len()) {
        let message = format!(
            "an array of shape {shape} and dtype {dtype} in {} bytes",
            data.len()
        );
        return Err(wrong("idx", message));
    }
    let array = Array::read_bytes(&mut data, shape, dtype, true).map_err(|e| wrong("idx", e.to_string()))?;
    Ok(Tensor::constant(array))
}

/// Reads an IDX file; see [`read_idx`].
///
/// # Errors
/// If it cannot be read or is damaged.
pub fn load_idx(path: impl AsRef<Path>) -> Result<Tensor> {
    let path = path.as_ref();
    read_idx(&bytes("idx", path)?).map_err(|e| e.note(format!("in the file `{}`", path.display())))
}

/// The characters of a text and their numbers.
///
/// ```
/// use wengert::data::Vocabulary;
///
/// let v = Vocabulary::new("hello");
/// assert_eq!(v.decode(&v.encode("hole").unwrap()), "hole");
/// assert!(v.encode("x").is_err());
/// ```
#[derive(Clone, Debug)]
pub struct Vocabulary {
    characters: Vec<char>,
}

impl Vocabulary {
    /// Of the characters in this text, in the order of their code points.
    pub fn new(text: &str) -> Vocabulary {
        let mut characters: Vec<char> = text.chars().collect();
        characters.sort_unstable();
        characters.dedup();
        Vocabulary { characters }
    }

    /// How many characters there are.
    pub fn len(&self) -> usize {
        self.characters.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.characters.is_empty()
    }

    /// The numbers of a text's characters, `[n]`.
    ///
    /// # Errors
    /// If one is unknown.
    pub fn encode(&self, text: &str) -> Result<Tensor> {
        let number = |c: char| match self.characters.binary_search(&c) {
            Ok(i) => Ok(i as i64),
            Err(_) => Err(Error::new(
                ErrorKind::Value,
                "encode",
                format!("the character {c:?} is unknown"),
            )),
        };
        let numbers = text.chars().map(number).collect::<Result<Vec<i64>>>()?;
        Ok(Tensor::from_slice(&numbers, [numbers.len()]))
    }

    /// The text of these numbers; one that stands for no character becomes U+FFFD.
    pub fn decode(&self, numbers: &Tensor) -> String {
        let character = |i: i64| {
            usize::try_from(i)
                .ok()
                .and_then(|i| self.characters.get(i).copied())
        };
        numbers
            .to_vec::<i64>()
            .into_iter()
            .map(|i| character(i).unwrap_or('\u{fffd}'))
            .collect()
    }
}
