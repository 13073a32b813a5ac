//! Where the files of a tar archive lie: nothing is ever extracted.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::DataError;
use super::source::positioned::PositionedFile;

/// The unit of a tar archive.
const BLOCK: u64 = 512;

/// Where a member lies in its archive, in bytes.
#[derive(Clone, Copy)]
pub struct ByteRange {
    pub offset: u64,
    pub size: u64,
}

/// Whether the first 512 bytes of a file are those of a tar archive.
pub fn has_tar_mark(start: &[u8]) -> bool {
    start.get(257..262).is_some_and(|magic| magic == b"ustar")
}

/// The files of an archive, by path.
///
/// # Errors
/// If it cannot be read to its end, or has no end.
pub fn members(
    path: &Path,
    file: &PositionedFile,
) -> Result<BTreeMap<String, ByteRange>, DataError> {
    let length = file.len();
    let broken = |offset, problem: String| DataError::Tar {
        path: path.to_owned(),
        offset,
        problem,
    };
    let mut files = BTreeMap::new();
    let mut next = 0;
    let mut archive = tar::Archive::new(file.reader());
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
