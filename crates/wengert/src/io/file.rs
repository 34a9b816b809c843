//! Reading with care, and writing all or nothing.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use wengert_array::{Array, DType, Error, ErrorKind, Mapping, Result, Shape};

/// Where bytes come from.
pub(super) trait Source: Read + Seek {
    /// Elements that lie at `at`, without reading them, where that can be.
    fn mapped(&self, at: u64, shape: &Shape, dtype: DType) -> Option<Array> {
        let _ = (at, shape, dtype);
        None
    }
}
impl Source for File {}
impl Source for io::Cursor<&[u8]> {}
impl Source for io::BufReader<File> {}

/// A file whose elements are mapped into memory. All else is read, as from any file.
pub(super) struct Mapped {
    file: File,
    /// `None` of an empty file.
    mapping: Option<Mapping>,
}

impl Read for Mapped {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.file.read(to)
    }
}
impl Seek for Mapped {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}
impl Source for Mapped {
    fn mapped(&self, at: u64, shape: &Shape, dtype: DType) -> Option<Array> {
        self.mapping.as_ref()?.array(at, shape, dtype)
    }
}

pub(super) fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|e| failed("load", "open", path, &e))
}

/// Opens a file to be mapped.
pub(super) fn open_mapped(path: &Path) -> Result<Mapped> {
    let file = open(path)?;
    let mapping = match file.metadata() {
        Ok(about) if about.len() == 0 => Ok(None),
        Ok(_) => Mapping::new(&file).map(Some),
        Err(error) => Err(error),
    };
    let mapping = mapping.map_err(|e| failed("load", "map", path, &e))?;
    Ok(Mapped { file, mapping })
}

/// The elements that lie at `at`: mapped where they can be, else read.
pub(super) fn elements(source: &mut dyn Source, at: u64, shape: &Shape, dtype: DType) -> Result<Array> {
    if let Some(array) = source.mapped(at, shape, dtype) {
        return Ok(array);
    }
    source.seek(SeekFrom::Start(at)).map_err(io_error)?;
    Array::read_bytes(source, shape, dtype, false).map_err(io_error)
}

fn failed(op: &str, what: &str, path: &Path, e: &io::Error) -> Error {
    Error::new(
        ErrorKind::Io,
        op,
        format!("cannot {what} `{}`: {e}", path.display()),
    )
}

pub(super) fn io_error(e: io::Error) -> Error {
    let message = match e.kind() {
        io::ErrorKind::UnexpectedEof => "the file ends too early".to_string(),
        _ => e.to_string(),
    };
    Error::new(ErrorKind::Io, "load", message)
}

/// An error about what a file contains.
pub(super) fn damaged(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Io, "load", message)
}

/// How many bytes there are in all. Goes back to where it was.
pub(super) fn length(source: &mut dyn Source) -> Result<u64> {
    let here = source.stream_position().map_err(io_error)?;
    let end = source.seek(SeekFrom::End(0)).map_err(io_error)?;
    source.seek(SeekFrom::Start(here)).map_err(io_error)?;
    Ok(end)
}

/// Reads until `to` is full or the source ends; how many bytes there were.
pub(super) fn fill(source: &mut dyn Source, to: &mut [u8]) -> Result<usize> {
    let mut n = 0;
    while n < to.len() {
        match source.read(&mut to[n..]) {
            Ok(0) => break,
            Ok(k) => n += k,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(io_error(e)),
        }
    }
    Ok(n)
}

/// `n` bytes from `at` on, which must lie within the source of `total` bytes: only then is memory taken.
pub(super) fn bytes_at(source: &mut dyn Source, at: u64, n: u64, total: u64) -> Result<Vec<u8>> {
    if at.checked_add(n).is_none_or(|end| end > total) {
        return Err(damaged("the file ends too early"));
    }
    source.seek(SeekFrom::Start(at)).map_err(io_error)?;
    let mut bytes =
        vec![0; usize::try_from(n).map_err(|_| damaged("the file is too large for this machine"))?];
    source.read_exact(&mut bytes).map_err(io_error)?;
    Ok(bytes)
}

/// Removes the file unless it was told to keep it.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // It is gone where renaming succeeded; where it did not, nothing more can be done.
        let _ = fs::remove_file(&self.0);
    }
}

/// Writes a file such that, whatever happens meanwhile, there is the old one or the whole new one.
///
/// `write` writes to a new file in the same directory, which is flushed to the disk and then renamed.
///
/// # Errors
/// If a step fails; then the old file is as it was.
pub fn write_atomically(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let path = path.as_ref();
    let Some(name) = path.file_name() else {
        let message = format!("`{}` is no name for a file", path.display());
        return Err(Error::new(ErrorKind::Io, "save", message));
    };
    let (file, new) = loop {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut new = temporary_start(name);
        new.push(format!("{}-{number}.tmp", std::process::id()));
        let new = path.with_file_name(new);
        match OpenOptions::new().write(true).create_new(true).open(&new) {
            Ok(file) => break (file, new),
            // A process of the same number was killed here: in a container that is likely.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(failed("save", "write", &new, &e)),
        }
    };
    let temporary = Temporary(new);
    let all = || -> io::Result<()> {
        let mut file = BufWriter::new(file);
        write(&mut file)?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&temporary.0, path)?;
        // The directory too, or the new name may be forgotten when the power fails. Where directories cannot be
        // opened, as on Windows, the system sees to it.
        let directory = path
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        if let Ok(directory) = File::open(directory) {
            let _ = directory.sync_all();
        }
        Ok(())
    };
    all().map_err(|e| failed("save", "write", path, &e))
}

/// What the names of the new files for a file of this name begin with.
fn temporary_start(name: &OsStr) -> OsString {
    let mut start = OsString::from(".");
    start.push(name);
    start.push(".");
    start
}

/// Removes what processes that were killed while they wrote this file have left beside it. Nobody may be writing it.
pub(crate) fn remove_leftovers(path: &Path) {
    let (Some(name), Some(directory)) = (path.file_name(), path.parent()) else {
        return;
    };
    let start = temporary_start(name);
    let left = |name: &OsStr| {
        let rest = name.as_encoded_bytes().strip_prefix(start.as_encoded_bytes())?;
        rest.strip_suffix(b".tmp")?
            .iter()
            .all(|b| b.is_ascii_digit() || *b == b'-')
            .then_some(())
    };
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if left(&entry.file_name()).is_some() {
            // It takes room and does no harm: not worth an error.
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_no_obstacle_and_is_removed() {
        let directory = std::env::temp_dir().join(format!("wengert-leftovers-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("a.bin");
        // As a process of our number would have left them.
        let left: Vec<PathBuf> = (0..2000)
            .map(|n| directory.join(format!(".a.bin.{}-{n}.tmp", std::process::id())))
            .collect();
        left.iter().for_each(|path| fs::write(path, "half").unwrap());
        let others = [".b.bin.1-2.tmp", ".a.bin.mine.tmp"].map(|n| directory.join(n));
        others.iter().for_each(|path| fs::write(path, "").unwrap());
        write_atomically(&path, |file| file.write_all(b"whole")).unwrap();
        remove_leftovers(&path);
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert!(left.iter().all(|path| !path.exists()));
        assert!(others.iter().all(|path| path.exists()));
        fs::remove_dir_all(&directory).unwrap();
    }
}
