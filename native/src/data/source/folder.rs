//! Image files on disk: a folder tree of them, and the reading of single ones.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ibot_core::image::RgbImage;

use super::positioned::encoded_size;
use crate::data::classes::Classes;
use crate::data::dataset::{Dataset, FileStamp, ImageSource};
use crate::data::decode::{MAX_BYTES, decode};
use crate::data::error::{DataError, LoadCause};
use crate::data::file_names::{has_image_extension, looked_for};
use crate::data::natural_order::natural_order;

/// Image files named relative to a folder.
pub struct ImageFiles {
    pub root: PathBuf,
    pub paths: Vec<PathBuf>,
}

/// Opens every image below `root`, in natural order of path.
pub fn open(root: &Path) -> Result<Dataset, DataError> {
    let mut paths = Vec::new();
    let real = root.canonicalize().map_err(DataError::read(root))?;
    walk(root, Path::new(""), &mut vec![real], &mut paths)?;
    if paths.is_empty() {
        return Err(DataError::Empty {
            path: root.to_owned(),
            looked_for: looked_for(),
        });
    }

    let mut named: Vec<(String, PathBuf)> = paths
        .into_iter()
        .map(|path| (slashed(&path), path))
        .collect();
    named.sort_by(|(a, _), (b, _)| natural_order(a, b));

    let classes = Classes::from_folders(named.iter().map(|(name, _)| name.as_str()));
    let files = ImageFiles {
        root: root.to_owned(),
        paths: named.into_iter().map(|(_, path)| path).collect(),
    };
    Ok(Dataset::new("folder", root, classes, files))
}

fn slashed(path: &Path) -> String {
    path.components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
}

/// Collects the images below `root/inner`, to which the resolved folders `above` lead.
fn walk(
    root: &Path,
    inner: &Path,
    above: &mut Vec<PathBuf>,
    found: &mut Vec<PathBuf>,
) -> Result<(), DataError> {
    let folder = root.join(inner);
    for entry in fs::read_dir(&folder).map_err(DataError::read(&folder))? {
        let entry = entry.map_err(DataError::read(&folder))?;
        let name = entry.file_name();
        let lossy = name.to_string_lossy();
        if lossy.starts_with('.') {
            continue;
        }

        let path = inner.join(&name);
        let is_image = has_image_extension(&lossy);
        let mut kind = entry.file_type().map_err(DataError::read(&entry.path()))?;
        if kind.is_symlink() {
            match fs::metadata(entry.path()) {
                Ok(target) => kind = target.file_type(),
                Err(_) => {
                    // A broken link stays in the dataset: it fails when loaded, as any other broken
                    // image, and the dataset does not shrink without a message.
                    if is_image {
                        found.push(path);
                    }
                    continue;
                }
            }
        }

        if kind.is_dir() {
            let real = entry
                .path()
                .canonicalize()
                .map_err(DataError::read(&entry.path()))?;
            // A folder that is found again below itself is a loop of links.
            if !above.contains(&real) {
                above.push(real);
                walk(root, &path, above, found)?;
                above.pop();
            }
        } else if kind.is_file() && is_image {
            found.push(path);
        }
    }
    Ok(())
}

impl ImageSource for ImageFiles {
    fn len(&self) -> usize {
        self.paths.len()
    }

    fn name(&self, index: usize) -> Cow<'_, str> {
        self.paths[index].to_string_lossy()
    }

    fn stamp(&self, index: usize) -> Option<FileStamp> {
        FileStamp::of(&self.root.join(&self.paths[index]))
    }

    fn load(&self, index: usize) -> Result<RgbImage, LoadCause> {
        let bytes = read_image_file(&self.root.join(&self.paths[index]))?;
        decode(&bytes).map_err(LoadCause::Decode)
    }
}

/// The content of a regular file that is no longer than an image may be.
pub fn read_image_file(path: &Path) -> Result<Vec<u8>, LoadCause> {
    let metadata = fs::metadata(path).map_err(LoadCause::Read)?;
    // Opening a pipe would wait for a writer that may never come.
    if !metadata.is_file() {
        return Err(LoadCause::Read(io::Error::other(
            "it is not a regular file",
        )));
    }

    let mut bytes = Vec::with_capacity(encoded_size(metadata.len())?);
    let file = File::open(path).map_err(LoadCause::Read)?;
    // The file may have grown since its size was read.
    file.take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .map_err(LoadCause::Read)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
