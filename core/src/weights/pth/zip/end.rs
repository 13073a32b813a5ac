//! The records at the end of a zip archive: where its directory is.

use super::fields::{Fields, damaged};
use crate::weights::pth::PthError;

pub(super) const END: &[u8] = b"PK\x05\x06";
pub(super) const END_64: &[u8] = b"PK\x06\x06";
pub(super) const LOCATOR_64: &[u8] = b"PK\x06\x07";

const END_SIZE: usize = 22;
const LOCATOR_64_SIZE: usize = 20;

/// Stands for a number that is in the zip64 record.
const IN_64: u64 = 0xffff_ffff;

/// The central directory, the number of its entries and where it starts.
pub(super) fn directory(bytes: &[u8]) -> Result<(&[u8], u64, usize), PthError> {
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

#[derive(Clone, Copy)]
struct EndRecord {
    /// Where the record starts, and so where the directory ends.
    start: usize,
    count: u64,
    /// Bytes of the directory.
    size: u64,
    /// Where it starts.
    at: u64,
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
