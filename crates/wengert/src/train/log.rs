//! Where numbers go during training: the console, CSV files, TensorBoard's event files.

use super::Report;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use wengert_array::{Error, ErrorKind, Result};

fn failed(path: &Path, e: &std::io::Error) -> Error {
    Error::new(
        ErrorKind::Io,
        "log",
        format!("cannot write `{}`: {e}", path.display()),
    )
}

/// Something that keeps numbers.
pub trait Log: Send {
    /// Keeps these numbers of step `step`.
    ///
    /// # Errors
    /// If they cannot be written.
    fn log(&mut self, step: usize, values: &[(&str, f64)]) -> Result<()>;

    /// A run that was interrupted goes on from here. What was logged after that will come again.
    ///
    /// # Errors
    /// As [`log`](Log::log).
    fn resumed(&mut self, so_far: &Report) -> Result<()> {
        let _ = so_far;
        Ok(())
    }
}

/// A line on the console (standard error) for each step.
#[derive(Clone, Copy, Debug, Default)]
pub struct Console;

impl Log for Console {
    fn log(&mut self, step: usize, values: &[(&str, f64)]) -> Result<()> {
        let values: Vec<String> = values.iter().map(|(name, v)| format!("{name} {v:.6}")).collect();
        eprintln!("step {step:>6}  {}", values.join("  "));
        Ok(())
    }
}

/// A CSV file, whose columns are those of the first line logged. An existing file is continued.
#[derive(Debug)]
pub struct CsvLog {
    path: PathBuf,
    columns: Vec<String>,
    file: Option<File>,
}

impl CsvLog {
    /// Writes to this file.
    pub fn new(path: impl AsRef<Path>) -> CsvLog {
        CsvLog {
            path: path.as_ref().to_path_buf(),
            columns: Vec::new(),
            file: None,
        }
    }
}

impl Log for CsvLog {
    fn log(&mut self, step: usize, values: &[(&str, f64)]) -> Result<()> {
        let mut write = || -> std::io::Result<()> {
            let file = match &mut self.file {
                Some(file) => file,
                none => {
                    let old = std::fs::read_to_string(&self.path).unwrap_or_default();
                    let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
                    self.columns = match old.lines().next() {
                        Some(line) => line.split(',').skip(1).map(str::to_string).collect(),
                        None => values.iter().map(|(n, _)| n.replace([',', '\n'], " ")).collect(),
                    };
                    if old.is_empty() {
                        writeln!(file, "step,{}", self.columns.join(","))?;
                    }
                    none.insert(file)
                }
            };
            let cell = |column: &String| {
                let value = values
                    .iter()
                    .find(|(n, _)| n.replace([',', '\n'], " ") == *column);
                value.map_or(String::new(), |(_, v)| v.to_string())
            };
            let cells: Vec<String> = self.columns.iter().map(cell).collect();
            writeln!(file, "{step},{}", cells.join(","))
        };
        write().map_err(|e| failed(&self.path, &e))
    }

    /// Takes out the lines of later steps, and one that was not finished.
    fn resumed(&mut self, so_far: &Report) -> Result<()> {
        let old = std::fs::read_to_string(&self.path).unwrap_or_default();
        let mut lines = old.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let header = lines.next().unwrap_or_default();
        let step = |line: &str| line.split(',').next().and_then(|cell| cell.parse::<usize>().ok());
        let kept: String = std::iter::once(header)
            .chain(lines.filter(|line| step(line).is_some_and(|step| step <= so_far.steps)))
            .collect();
        if kept != old {
            self.file = None;
            crate::io::write_atomically(&self.path, |file| file.write_all(kept.as_bytes()))?;
        }
        Ok(())
    }
}

/// A file of events that TensorBoard shows: `tensorboard --logdir` on the directory.
#[derive(Debug)]
pub struct TensorBoard {
    path: PathBuf,
    file: BufWriter<File>,
}

impl TensorBoard {
    /// A new file of events in this directory, which is made if need be.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn new(directory: impl AsRef<Path>) -> Result<TensorBoard> {
        let directory = directory.as_ref();
        std::fs::create_dir_all(directory).map_err(|e| failed(directory, &e))?;
        let now = now();
        let mut number = 0;
        let (path, file) = loop {
            let name = format!(
                "events.out.tfevents.{:010}.wengert.{}.{number}",
                now as u64,
                std::process::id()
            );
            let path = directory.join(name);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => break (path, file),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(e) => return Err(failed(&path, &e)),
            }
        };
        let mut log = TensorBoard {
            path,
            file: BufWriter::new(file),
        };
        // Event { wall_time = 1, file_version = 3 }
        let mut event = double(1, now);
        event.extend(bytes(3, b"brain.Event:2"));
        log.record(&event)?;
        Ok(log)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Length, its checksum, the event, its checksum: the framing of TFRecord files.
    fn record(&mut self, event: &[u8]) -> Result<()> {
        let length = (event.len() as u64).to_le_bytes();
        let mut write = || -> std::io::Result<()> {
            self.file.write_all(&length)?;
            self.file.write_all(&masked(&length).to_le_bytes())?;
            self.file.write_all(event)?;
            self.file.write_all(&masked(event).to_le_bytes())?;
            self.file.flush()
        };
        write().map_err(|e| failed(&self.path, &e))
    }
}

impl Log for TensorBoard {
    fn log(&mut self, step: usize, values: &[(&str, f64)]) -> Result<()> {
        // Event { wall_time = 1, step = 2, summary = 5 { value = 1 { tag = 1, simple_value = 2 } } }
        let mut summary = Vec::new();
        for (name, v) in values {
            let mut value = bytes(1, name.as_bytes());
            value.push(2 << 3 | 5);
            value.extend((*v as f32).to_le_bytes());
            summary.extend(bytes(1, &value));
        }
        let mut event = double(1, now());
        event.push(2 << 3);
        event.extend(varint(step as u64));
        event.extend(bytes(5, &summary));
        self.record(&event)
    }
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |d| d.as_secs_f64())
}

/// Protocol Buffers: a number in groups of seven bits.
fn varint(mut v: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
    out
}

/// A field of bytes, text, or a message.
fn bytes(field: u8, v: &[u8]) -> Vec<u8> {
    let mut out = vec![field << 3 | 2];
    out.extend(varint(v.len() as u64));
    out.extend(v);
    out
}

fn double(field: u8, v: f64) -> Vec<u8> {
    let mut out = vec![field << 3 | 1];
    out.extend(v.to_le_bytes());
    out
}

/// CRC-32C (Castagnoli), turned and offset as TFRecord files have it.
fn masked(data: &[u8]) -> u32 {
    let mut crc = !0u32;
    for b in data {
        crc ^= u32::from(*b);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82F6_3B78 & (crc & 1).wrapping_neg());
        }
    }
    (!crc).rotate_right(15).wrapping_add(0xA282_EAD8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnolis() {
        // The check value of CRC-32C is that of "123456789": 0xE3069283.
        assert_eq!(
            masked(b"123456789"),
            0xE306_9283u32.rotate_right(15).wrapping_add(0xA282_EAD8)
        );
        assert_eq!(varint(300), [0xAC, 0x02]);
    }
}
