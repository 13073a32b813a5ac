//! The zip archives that torch writes: entries in one folder, not compressed, found by the central
//! directory.
//!
//! A directory that contradicts itself, or the names in the entries' own headers, is refused.
//! Entries do not overlap: all of them together are no larger than the file.

mod end;
mod entry;
mod fields;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use super::PthError;
use end::directory;
use entry::{Entry, LOCAL, LocatedEntry, central_entry};
use fields::{Fields, damaged, lossy};

/// The entries of an archive, by name without the common folder.
#[derive(Debug)]
pub(super) struct Archive<'a> {
    entries: BTreeMap<&'a [u8], Entry<'a>>,
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

        // Sorted, only neighbours can overlap.
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

#[cfg(test)]
mod tests;
