//! One entry of a zip archive: its line in the directory, its header and its data.

use std::sync::atomic::AtomicBool;

use super::fields::{Fields, damaged, lossy};
use crate::weights::pth::PthError;

pub(super) const LOCAL: &[u8] = b"PK\x03\x04";
pub(super) const CENTRAL: &[u8] = b"PK\x01\x02";

/// Stands for a number that is in the zip64 field.
const IN_64: u64 = 0xffff_ffff;

#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// As they lie in the file.
    pub bytes: &'a [u8],
    pub compressed: bool,
    pub encrypted: bool,
    pub crc: u32,
    /// Whether the checksum was found right.
    pub verified: AtomicBool,
}

pub(super) struct LocatedEntry<'a> {
    pub name: &'a [u8],
    pub entry: Entry<'a>,
    /// The part of the file that the header and the data take.
    pub span: (usize, usize),
}

/// One entry of the directory. `data` is what precedes the directory.
pub(super) fn central_entry<'a>(
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
    // Versions of the writer and of the reader.
    fields.take(4)?;
    let flags = fields.u16()?;
    let method = fields.u16()?;
    // Time and date.
    fields.take(4)?;
    let crc = fields.u32()? as u32;
    let mut packed = fields.u32()?;
    let mut len = fields.u32()?;
    let name_len = fields.u16()?;
    let extra_len = fields.u16()?;
    let comment_len = fields.u16()?;
    let disk = fields.u16()?;
    // Attributes of files.
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
