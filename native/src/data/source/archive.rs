//! Images in an uncompressed tar archive, read in place: nothing is ever extracted.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use ibot_core::image::RgbImage;

use super::positioned::PositionedFile;
use crate::data::classes::Classes;
use crate::data::dataset::{Dataset, ImageSource};
use crate::data::decode::decode;
use crate::data::error::{DataError, LoadCause};
use crate::data::file_names::{has_image_extension, looked_for};
use crate::data::natural_order::natural_order;

/// The unit of a tar archive.
const BLOCK: u64 = 512;

/// Where a member lies in its archive, in bytes.
#[derive(Clone, Copy)]
pub struct ByteRange {
    pub offset: u64,
    pub size: u64,
}

struct Members {
    file: PositionedFile,
    members: Vec<(String, ByteRange)>,
}

/// Opens the images of a tar archive, in natural order of path.
pub fn open(path: &Path) -> Result<Dataset, DataError> {
    let file = File::open(path).map_err(DataError::read(path))?;
    let mut members: Vec<(String, ByteRange)> = members(path, &file)?
        .into_iter()
        .filter(|(name, _)| {
            has_image_extension(name) && !name.split('/').any(|part| part.starts_with('.'))
        })
        .collect();

    if members.is_empty() {
        return Err(DataError::Empty {
            path: path.to_owned(),
            looked_for: looked_for(),
        });
    }
    members.sort_by(|(a, _), (b, _)| natural_order(a, b));

    let classes = Classes::from_folders(members.iter().map(|(name, _)| name.as_str()));
    let members = Members {
        file: PositionedFile::new(file),
        members,
    };
    Ok(Dataset::new("tar archive", path, classes, members))
}

/// Whether the first 512 bytes of a file are those of a tar archive.
pub fn has_tar_mark(start: &[u8]) -> bool {
    start.get(257..262).is_some_and(|magic| magic == b"ustar")
}

/// The files of an archive, by path.
pub fn members(path: &Path, file: &File) -> Result<HashMap<String, ByteRange>, DataError> {
    let length = file.metadata().map_err(DataError::read(path))?.len();
    let broken = |offset, problem: String| DataError::Tar {
        path: path.to_owned(),
        offset,
        problem,
    };
    let mut files = HashMap::new();
    let mut next = 0;
    let mut archive = tar::Archive::new(file);
    let entries = archive.entries_with_seek().map_err(DataError::read(path))?;
    for entry in entries {
        let entry = entry.map_err(|error| broken(next, describe(&error)))?;
        let name = normal_name(&entry.path_bytes());
        let kind = entry.header().entry_type();

        if kind.is_gnu_sparse() {
            let problem = format!(
                "{name} is stored as a sparse file; make the archive again without --sparse"
            );
            return Err(broken(next, problem));
        }
        let extent = ByteRange {
            offset: entry.raw_file_position(),
            size: entry.size(),
        };
        // Seeking past the end is no error to the operating system, so it must be looked for.
        let Some(end) = extent
            .offset
            .checked_add(extent.size)
            .filter(|&end| end <= length)
        else {
            let ByteRange { offset, size } = extent;
            let problem = format!(
                "truncated: {name} should be {size} bytes from byte {offset} on, but the archive ends at byte \
                 {length}; copy or download it again"
            );
            return Err(broken(next, problem));
        };
        if kind.is_file() || kind.is_contiguous() {
            // The last of several with one name wins, as when extracting.
            files.insert(name, extent);
        } else if kind.is_hard_link() {
            let target = normal_name(&entry.link_name_bytes().unwrap_or_default());
            let Some(&extent) = files.get(&target) else {
                let problem = format!(
                    "{name} is a link to {target}, which does not come before it; repack the archive"
                );
                return Err(broken(next, problem));
            };
            files.insert(name, extent);
        }
        next = end.next_multiple_of(BLOCK);
    }
    // An archive cut between two entries reads like a shorter one but for the missing end mark.
    if next + BLOCK > length {
        let problem = format!(
            "truncated: the archive ends at byte {length} without an end mark after {} files; copy or download it again",
            files.len()
        );
        return Err(broken(next.min(length), problem));
    }
    Ok(files)
}

fn describe(error: &std::io::Error) -> String {
    format!("not a tar archive, truncated or damaged here ({error}); copy or download it again")
}

fn normal_name(raw: &[u8]) -> String {
    // `.`, `..` and a leading `/` mean nothing where nothing is extracted.
    let raw = String::from_utf8_lossy(raw);
    let parts: Vec<&str> = raw
        .split('/')
        .filter(|part| !matches!(*part, "" | "." | ".."))
        .collect();
    parts.join("/")
}

impl ImageSource for Members {
    fn len(&self) -> usize {
        self.members.len()
    }

    fn name(&self, index: usize) -> Cow<'_, str> {
        Cow::Borrowed(&self.members[index].0)
    }

    fn load(&self, index: usize) -> Result<RgbImage, LoadCause> {
        let ByteRange { offset, size } = self.members[index].1;
        let bytes = self.file.bytes(offset, size)?;
        decode(&bytes).map_err(LoadCause::Decode)
    }
}

#[cfg(test)]
mod tests;
