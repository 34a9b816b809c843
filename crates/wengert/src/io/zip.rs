//! Zip archives, as far as NPZ and PyTorch's files need them: entries that are stored or deflated.

use super::file::{Source, bytes_at, damaged, io_error, length};
use flate2::read::DeflateDecoder;
use flate2::{Crc, CrcReader};
use std::io::{self, BufReader, Read, SeekFrom, Write};
use wengert_array::Result;

/// A file within the archive.
#[derive(Clone, Debug)]
pub struct Entry {
    pub name: String,
    deflated: bool,
    packed: u64,
    /// How many bytes it has when unpacked, as the directory says.
    pub size: u64,
    crc: u32,
    at: u64,
    name_len: u64,
}

/// The number of `N` bytes at `at`.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Result<u64> {
    let bytes = bytes
        .get(at..)
        .and_then(|b| b.get(..N))
        .ok_or_else(|| damaged("the archive's directory is cut off"))?;
    let mut whole = [0; 8];
    whole[..N].copy_from_slice(bytes);
    Ok(u64::from_le_bytes(whole))
}

/// Reads the directory, which lies at the end.
pub fn directory(source: &mut dyn Source) -> Result<Vec<Entry>> {
    let total = length(source)?;
    // The last record ends in a comment of up to 65,535 bytes.
    let tail_at = total.saturating_sub(22 + 65_535);
    let tail = bytes_at(source, tail_at, total - tail_at, total)?;
    let is_end = |i: &usize| tail[*i..].starts_with(b"PK\x05\x06");
    let end = (0..tail.len().saturating_sub(21)).rev().find(is_end);
    let end = end.ok_or_else(|| damaged("the archive has no directory: the file was cut off"))?;
    let (mut size, mut at) = (number::<4>(&tail, end + 12)?, number::<4>(&tail, end + 16)?);
    let many = number::<2>(&tail, end + 10)? == 0xFFFF;
    if (many || size == 0xFFFF_FFFF || at == 0xFFFF_FFFF)
        && end >= 20
        && tail[end - 20..].starts_with(b"PK\x06\x07")
    {
        let record = bytes_at(source, number::<8>(&tail, end - 12)?, 56, total)?;
        if !record.starts_with(b"PK\x06\x06") {
            return Err(damaged("the archive's directory is damaged"));
        }
        (size, at) = (number::<8>(&record, 40)?, number::<8>(&record, 48)?);
    }
    let directory = bytes_at(source, at, size, total)?;
    let mut entries = Vec::new();
    let mut rest = &directory[..];
    while rest.starts_with(b"PK\x01\x02") {
        let lengths = [28, 30, 32].map(|at| number::<2>(rest, at));
        let [name, extra, comment] = lengths;
        let (name, extra, comment) = (name? as usize, extra? as usize, comment? as usize);
        let whole = 46 + name + extra + comment;
        if rest.len() < whole {
            return Err(damaged("the archive's directory is cut off"));
        }
        entries.push(entry(&rest[..46 + name + extra], name)?);
        rest = &rest[whole..];
    }
    // Each has bytes of its own: else a few of them could be unpacked again and again.
    let mut order: Vec<&Entry> = entries.iter().collect();
    order.sort_by_key(|e| e.at);
    for (i, e) in order.iter().enumerate() {
        let end =
            e.at.checked_add(30 + e.name_len)
                .and_then(|at| at.checked_add(e.packed));
        let next = order.get(i + 1).map_or(total, |next| next.at);
        if end.is_none_or(|end| end > next) {
            return Err(damaged(format!(
                "`{}` in the archive overlaps what follows it, or is cut off",
                e.name
            )));
        }
    }
    Ok(entries)
}

fn entry(record: &[u8], name: usize) -> Result<Entry> {
    let (flags, method) = (number::<2>(record, 8)?, number::<2>(record, 10)?);
    let text = String::from_utf8_lossy(&record[46..46 + name]).into_owned();
    if flags & 1 != 0 || !matches!(method, 0 | 8) {
        let how = if flags & 1 != 0 {
            "encrypted"
        } else {
            "packed by a method other than deflate"
        };
        return Err(damaged(format!(
            "`{text}` in the archive is {how}, which cannot be read"
        )));
    }
    let (mut packed, mut size) = (number::<4>(record, 20)?, number::<4>(record, 24)?);
    let mut at = number::<4>(record, 42)?;
    // Numbers that need more than 32 bits stand in an extra field.
    let mut extra = &record[46 + name..];
    while extra.len() >= 4 {
        let (id, len) = (number::<2>(extra, 0)?, number::<2>(extra, 2)? as usize);
        if id == 1 {
            let mut next = 4;
            for value in [&mut size, &mut packed, &mut at] {
                if *value == 0xFFFF_FFFF {
                    *value = number::<8>(extra, next)?;
                    next += 8;
                }
            }
        }
        extra = extra.get(4 + len..).unwrap_or_default();
    }
    Ok(Entry {
        name: text,
        deflated: method == 8,
        packed,
        size,
        crc: number::<4>(record, 16)? as u32,
        at,
        name_len: name as u64,
    })
}

impl Entry {
    /// Whether its bytes lie in the archive as they are.
    pub fn is_stored(&self) -> bool {
        !self.deflated
    }

    /// Where its bytes begin, all of which lie within the archive.
    pub fn start(&self, source: &mut dyn Source) -> Result<u64> {
        let total = length(source)?;
        let header = bytes_at(source, self.at, 30, total)?;
        if !header.starts_with(b"PK\x03\x04") {
            return Err(damaged(format!(
                "`{}` in the archive is not where the directory says",
                self.name
            )));
        }
        let start = self.at + 30 + number::<2>(&header, 26)? + number::<2>(&header, 28)?;
        // Deflate makes at most 1,032 bytes of one.
        let most = if self.deflated {
            self.packed.saturating_mul(1032)
        } else {
            self.packed
        };
        if start.checked_add(self.packed).is_none_or(|end| end > total) || self.size > most {
            return Err(damaged(format!("`{}` in the archive is cut off", self.name)));
        }
        Ok(start)
    }

    /// Runs `read` on the unpacked bytes. What it claims to hold is checked against the file's size before, so that
    /// `read` may take memory for it.
    pub fn read<T>(
        &self,
        source: &mut dyn Source,
        check: bool,
        read: impl FnOnce(&mut dyn Read) -> Result<T>,
    ) -> Result<T> {
        let start = self.start(source)?;
        source.seek(SeekFrom::Start(start)).map_err(io_error)?;
        let packed = source.take(self.packed);
        let unpacked: Box<dyn Read + '_> = match self.deflated {
            true => Box::new(DeflateDecoder::new(BufReader::new(packed))),
            false => Box::new(packed),
        };
        let mut unpacked = CrcReader::new(unpacked.take(self.size));
        let result = read(&mut unpacked)?;
        if check {
            io::copy(&mut unpacked, &mut io::sink()).map_err(io_error)?;
            if unpacked.crc().sum() != self.crc {
                return Err(damaged(format!(
                    "`{}` in the archive is damaged: its checksum is another",
                    self.name
                )));
            }
        }
        Ok(result)
    }
}

/// Writes an archive of stored entries, each given as pieces of bytes.
pub fn write(out: &mut dyn Write, entries: &[(String, Vec<&[u8]>)]) -> io::Result<()> {
    const MOST: u64 = 0xFFFF_FFFF;
    let small = |v: u64| (v.min(MOST) as u32).to_le_bytes();
    let mut directory = Vec::new();
    let mut at = 0u64;
    for (name, pieces) in entries {
        let mut crc = Crc::new();
        pieces.iter().for_each(|p| crc.update(p));
        let size: u64 = pieces.iter().map(|p| p.len() as u64).sum();
        let large = size >= MOST;
        let mut sizes = Vec::new();
        if large {
            sizes.extend([1u8, 0, 16, 0]);
            sizes.extend([size, size].iter().flat_map(|v| v.to_le_bytes()));
        }
        // Version needed; the name is UTF-8; stored; the first of January 1980.
        let mut common = Vec::new();
        common.extend([if large { 45u8 } else { 20 }, 0, 0, 8, 0, 0, 0, 0, 0x21, 0]);
        common.extend(crc.sum().to_le_bytes());
        common.extend(if large { [small(MOST); 2] } else { [small(size); 2] }.as_flattened());
        common.extend((name.len() as u16).to_le_bytes());
        out.write_all(b"PK\x03\x04")?;
        out.write_all(&common)?;
        out.write_all(&(sizes.len() as u16).to_le_bytes())?;
        out.write_all(name.as_bytes())?;
        out.write_all(&sizes)?;
        let start = at;
        at += 30 + (name.len() + sizes.len()) as u64 + size;
        for piece in pieces {
            out.write_all(piece)?;
        }
        if start >= MOST {
            if sizes.is_empty() {
                sizes.extend([1u8, 0, 0, 0]);
            }
            sizes.extend(start.to_le_bytes());
            sizes[2] += 8;
        }
        directory.extend(b"PK\x01\x02");
        directory.extend([45u8, 3]);
        directory.extend(&common);
        directory.extend((sizes.len() as u16).to_le_bytes());
        // No comment, first disk, no attributes.
        directory.extend([0; 10]);
        directory.extend(small(start));
        directory.extend(name.as_bytes());
        directory.extend(&sizes);
    }
    out.write_all(&directory)?;
    let (count, size) = (entries.len() as u64, directory.len() as u64);
    if count >= 0xFFFF || size >= MOST || at >= MOST {
        out.write_all(b"PK\x06\x06")?;
        out.write_all(&44u64.to_le_bytes())?;
        out.write_all(&[45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
        for v in [count, count, size, at] {
            out.write_all(&v.to_le_bytes())?;
        }
        out.write_all(b"PK\x06\x07\0\0\0\0")?;
        out.write_all(&(at + size).to_le_bytes())?;
        out.write_all(&1u32.to_le_bytes())?;
    }
    let few = (count.min(0xFFFF) as u16).to_le_bytes();
    out.write_all(b"PK\x05\x06\0\0\0\0")?;
    out.write_all(&few)?;
    out.write_all(&few)?;
    out.write_all(&small(size))?;
    out.write_all(&small(at))?;
    out.write_all(&[0, 0])
}
