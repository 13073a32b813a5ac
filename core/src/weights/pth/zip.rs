//! The zip archives that torch writes: entries in one folder, not compressed, found by the central
//! directory.
//!
//! A directory that contradicts itself, or the names in the entries' own headers, is refused.
//! Entries do not overlap: all of them together are no larger than the file.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::PthError;

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";

const END_SIZE: usize = 22;
const LOCATOR_64_SIZE: usize = 20;

/// Stands for a number that is in a zip64 field.
const IN_64: u64 = 0xffff_ffff;

/// The entries of an archive, by name without the common folder.
#[derive(Debug)]
pub(super) struct Archive<'a> {
    entries: BTreeMap<&'a [u8], Entry<'a>>,
}

#[derive(Debug)]
struct Entry<'a> {
    /// As they lie in the file.
    bytes: &'a [u8],
    compressed: bool,
    encrypted: bool,
    crc: u32,
    /// Whether the checksum was found right.
    verified: AtomicBool,
}

pub(super) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(LOCAL)
}

impl<'a> Archive<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PthError> {
        let (directory, count, at) = directory(bytes)?;
        let mut fields = Fields {
            bytes: directory,
            at: 0,
            base: at,
        };

        let mut entries = BTreeMap::new();
        let mut spans = Vec::new();
        let mut folder = None;
        for _ in 0..count {
            let LocatedEntry { name, entry, span } = central_entry(&mut fields, &bytes[..at])?;
            spans.push(span);

            // torch looks into the folder of the first entry.
            let end = name
                .iter()
                .position(|byte| *byte == b'/')
                .map_or(0, |slash| slash + 1);
            if *folder.get_or_insert(&name[..end]) == &name[..end]
                && entries.insert(&name[end..], entry).is_some()
            {
                return Err(damaged(span.0, format!("a second entry `{}`", lossy(name))));
            }
        }

        if fields.at != directory.len() {
            return Err(damaged(
                fields.position(),
                format!("more in the directory than its {count} entries"),
            ));
        }

        spans.sort_unstable();
        match spans.windows(2).find(|pair| pair[0].1 > pair[1].0) {
            Some(pair) => Err(damaged(pair[1].0, "an entry within another".to_owned())),
            None => Ok(Self { entries }),
        }
    }

    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name.as_bytes())
    }

    /// The bytes of an entry, if there is one. Their checksum may be wrong.
    pub fn bytes(&self, name: &str) -> Result<Option<&'a [u8]>, PthError> {
        self.entry(name).map(|entry| entry.map(|entry| entry.bytes))
    }

    /// The bytes of an entry, if there is one, after a check of its checksum.
    pub fn verified(&self, name: &str) -> Result<Option<&'a [u8]>, PthError> {
        let Some(entry) = self.entry(name)? else {
            return Ok(None);
        };
        // torch writes 0 if told to save the time of computing it.
        if entry.crc != 0 && !entry.verified.load(Ordering::Relaxed) {
            let actual = crc32fast::hash(entry.bytes);
            if actual != entry.crc {
                let problem = format!(
                    "damaged: its CRC-32 is {actual:08x}, expected {:08x}",
                    entry.crc
                );
                return Err(PthError::Entry {
                    name: name.to_owned(),
                    problem,
                });
            }
            // A storage has many views, and is summed once.
            entry.verified.store(true, Ordering::Relaxed);
        }
        Ok(Some(entry.bytes))
    }

    fn entry(&self, name: &str) -> Result<Option<&Entry<'a>>, PthError> {
        let Some(entry) = self.entries.get(name.as_bytes()) else {
            return Ok(None);
        };
        if entry.compressed || entry.encrypted {
            let how = if entry.encrypted {
                "encrypted"
            } else {
                "compressed"
            };
            let problem = format!("{how}, which torch never does; pack the archive again without");
            return Err(PthError::Entry {
                name: name.to_owned(),
                problem,
            });
        }
        Ok(Some(entry))
    }
}

/// The central directory, the number of its entries and where it starts.
fn directory(bytes: &[u8]) -> Result<(&[u8], u64, usize), PthError> {
    let Some(end) = find_end(bytes) else {
        return Err(damaged(
            bytes.len(),
            "no directory at the end; the file is cut off or has more behind".to_owned(),
        ));
    };
    let short = EndRecord::read(bytes, end)?;
    let record = EndRecord::read_64(bytes, &short)?.unwrap_or(short);

    let EndRecord {
        start: limit,
        count,
        size,
        at,
        spread,
    } = record;
    if spread {
        return Err(damaged(
            end,
            "one of several parts, or a damaged directory".to_owned(),
        ));
    }

    let from = usize::try_from(at).ok().filter(|from| *from <= limit);
    let to = from
        .and_then(|from| from.checked_add(usize::try_from(size).ok()?))
        .filter(|to| *to == limit);
    match (from, to) {
        (Some(from), Some(to)) => Ok((&bytes[from..to], count, from)),
        _ => Err(damaged(
            end,
            format!("the directory of {size} bytes at {at} does not end where it should, {limit}"),
        )),
    }
}

/// Where the end record starts: the last one whose comment reaches exactly to the end of the file.
fn find_end(bytes: &[u8]) -> Option<usize> {
    // A comment of up to 64 KiB may follow the record.
    let last = bytes.len().saturating_sub(END_SIZE);
    (0..=last).rev().take(1 + usize::from(u16::MAX)).find(|at| {
        let rest = &bytes[*at..];
        let comment = match rest.get(20..22) {
            Some(len) if rest.starts_with(END) => u16::from_le_bytes([len[0], len[1]]),
            _ => return false,
        };
        rest.len() == END_SIZE + usize::from(comment)
    })
}

/// What a record at the end says of the central directory.
#[derive(Clone, Copy)]
struct EndRecord {
    /// Where the record starts, and so where the directory ends.
    start: usize,
    /// Entries of the directory.
    count: u64,
    /// Bytes of the directory.
    size: u64,
    /// Where the directory starts.
    at: u64,
    /// Whether the archive consists of several files.
    spread: bool,
}

impl EndRecord {
    fn read(bytes: &[u8], start: usize) -> Result<Self, PthError> {
        let mut fields = Fields {
            bytes,
            at: start + 4,
            base: 0,
        };
        let disk = fields.u16()?;
        let start_disk = fields.u16()?;
        let here = u64::from(fields.u16()?);
        let count = u64::from(fields.u16()?);

        Ok(Self {
            start,
            count,
            size: fields.u32()?,
            at: fields.u32()?,
            spread: disk != 0 || start_disk != 0 || here != count,
        })
    }

    /// The zip64 record before the `short` one, if there is one.
    fn read_64(bytes: &[u8], short: &Self) -> Result<Option<Self>, PthError> {
        let locator = short
            .start
            .checked_sub(LOCATOR_64_SIZE)
            .filter(|locator| bytes[*locator..].starts_with(LOCATOR_64));
        let Some(locator) = locator else {
            return Ok(None);
        };

        let mut fields = Fields {
            bytes,
            at: locator + 4,
            base: 0,
        };
        let disk = fields.u32()?;
        let start = fields.u64()?;
        let disks = fields.u32()?;
        let start = usize::try_from(start)
            .ok()
            .filter(|start| *start < locator && bytes[*start..].starts_with(END_64))
            .ok_or_else(|| damaged(locator, "no zip64 end record where it should be".to_owned()))?;

        // After the signature: its size and two versions.
        let mut fields = Fields {
            bytes,
            at: start + 16,
            base: 0,
        };
        let record_disk = fields.u32()?;
        let start_disk = fields.u32()?;
        let here = fields.u64()?;
        let count = fields.u64()?;
        let size = fields.u64()?;
        let at = fields.u64()?;

        // The short record may hold the same numbers, or say that they are here.
        if !agrees(short.count, 0xffff, count)
            || !agrees(short.size, IN_64, size)
            || !agrees(short.at, IN_64, at)
        {
            return Err(damaged(
                start,
                "the two end records contradict each other".to_owned(),
            ));
        }

        let several = disk != 0 || disks > 1 || record_disk != 0 || start_disk != 0;
        Ok(Some(Self {
            start,
            count,
            size,
            at,
            spread: several || here != count,
        }))
    }
}

/// Whether a number of the short record is that of the zip64 record, or `unset`.
fn agrees(short: u64, unset: u64, long: u64) -> bool {
    short == unset || short == long
}

/// An entry of the directory, with its header and data.
struct LocatedEntry<'a> {
    name: &'a [u8],
    entry: Entry<'a>,
    /// The part of the file that the header and the data take.
    span: (usize, usize),
}

/// One entry of the directory. `data` is what precedes the directory.
fn central_entry<'a>(
    fields: &mut Fields<'a>,
    data: &'a [u8],
) -> Result<LocatedEntry<'a>, PthError> {
    let start = fields.position();
    if fields.take(4)? != CENTRAL {
        return Err(damaged(
            start,
            "no directory entry where one should be".to_owned(),
        ));
    }
    fields.take(4)?;
    let flags = fields.u16()?;
    let method = fields.u16()?;
    fields.take(4)?;
    let crc = fields.u32()? as u32;
    let mut packed = fields.u32()?;
    let mut len = fields.u32()?;
    let name_len = fields.u16()?;
    let extra_len = fields.u16()?;
    let comment_len = fields.u16()?;
    let disk = fields.u16()?;
    fields.take(6)?;
    let mut at = fields.u32()?;
    let name = fields.take(name_len.into())?;
    let extra_at = fields.position();
    let extra = fields.take(extra_len.into())?;
    fields.take(comment_len.into())?;

    zip64(
        Fields {
            bytes: extra,
            at: 0,
            base: extra_at,
        },
        [&mut len, &mut packed, &mut at],
    )?;
    if disk != 0 || (method == 0 && packed != len) {
        let problem = format!(
            "entry `{}` of {len} bytes takes {packed}, or is in another file",
            lossy(name)
        );
        return Err(damaged(start, problem));
    }
    let (Ok(from), Ok(packed)) = (usize::try_from(at), usize::try_from(packed)) else {
        let problem = format!("entry `{}` lies beyond the file", lossy(name));
        return Err(damaged(start, problem));
    };

    let mut local = Fields {
        bytes: data,
        at: from,
        base: 0,
    };
    if local.take(4)? != LOCAL {
        let problem = format!("no header of entry `{}`", lossy(name));
        return Err(damaged(from, problem));
    }
    local.take(4)?;
    // Sizes and checksum here may be zero: torch writes them behind the data, and in the directory.
    let local_method = local.u16()?;
    local.take(16)?;
    let local_name_len = local.u16()?;
    let local_extra_len = local.u16()?;
    if local.take(local_name_len.into())? != name || local_method != method {
        let problem = format!(
            "the header contradicts the directory's entry `{}`",
            lossy(name)
        );
        return Err(damaged(from, problem));
    }

    local.take(local_extra_len.into())?;
    let bytes = local.take(packed)?;
    Ok(LocatedEntry {
        name,
        entry: Entry {
            bytes,
            compressed: method != 0,
            encrypted: flags & 1 != 0,
            crc,
            verified: AtomicBool::new(false),
        },
        span: (from, local.position()),
    })
}

/// Replaces numbers that say so by those in the zip64 extra field.
fn zip64(mut extra: Fields, numbers: [&mut u64; 3]) -> Result<(), PthError> {
    let mut unset = numbers
        .into_iter()
        .filter(|number| **number == IN_64)
        .peekable();
    while unset.peek().is_some() && extra.at < extra.bytes.len() {
        let (tag, len) = (extra.u16()?, extra.u16()?);
        let base = extra.position();
        let bytes = extra.take(len.into())?;
        if tag == 1 {
            let mut field = Fields { bytes, at: 0, base };
            return unset.try_for_each(|number| field.u64().map(|value| *number = value));
        }
    }
    // Without the field the numbers mean what they say.
    Ok(())
}

/// Little-endian fields. Positions in messages count from the start of the file, where `bytes` are
/// at `base`.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
    base: usize,
}

impl<'a> Fields<'a> {
    fn position(&self) -> usize {
        self.base.saturating_add(self.at)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], PthError> {
        let taken = self
            .at
            .checked_add(len)
            .and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| {
            damaged(
                self.position(),
                format!("{len} bytes needed, fewer are there"),
            )
        })?;
        self.at += len;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PthError> {
        let position = self.position();
        self.take(N)?
            .try_into()
            .map_err(|_| damaged(position, "too short".to_owned()))
    }

    fn u16(&mut self) -> Result<u16, PthError> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u64, PthError> {
        // Zip64 has the same number in 64 bits.
        self.array().map(u32::from_le_bytes).map(u64::from)
    }

    fn u64(&mut self) -> Result<u64, PthError> {
        self.array().map(u64::from_le_bytes)
    }
}

fn damaged(at: usize, problem: String) -> PthError {
    PthError::Zip { at, problem }
}

/// The start of a name, for a message.
fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(&name[..name.len().min(80)]).into_owned()
}

#[cfg(test)]
mod tests;
