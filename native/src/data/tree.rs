//! Files of an official layout, in a folder or in a tar archive that is read in place, or from memory
//! if it is compressed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ibot_core::image::RgbImage;

use super::dataset::{FileStamp, ImageSource};
use super::decode::decode;
use super::error::{DataError, LoadCause};
use super::gzip;
use super::natural_order::natural_order;
use super::source::folder::read_image_file;
use super::source::positioned::PositionedFile;
use super::tar_members::{ByteRange, has_tar_mark, members};

/// Files that are named by their path inside a folder or an archive, with `/` between its parts.
pub struct FileTree {
    place: PathBuf,
    files: Files,
}

enum Files {
    Folder,
    Archive {
        file: PositionedFile,
        /// That of the whole archive.
        stamp: Option<FileStamp>,
        /// By path.
        members: BTreeMap<String, ByteRange>,
    },
}

impl FileTree {
    /// Opens a folder or a tar archive, which gzip may have compressed; `None` if `path` is neither.
    ///
    /// # Errors
    /// If an archive cannot be read to its end, or does not fit into memory if it is compressed.
    pub fn open(path: &Path) -> Result<Option<Self>, DataError> {
        let files = if path.is_dir() {
            Files::Folder
        } else if path.is_file() && is_archive(path)? {
            let file = PositionedFile::open(path)?;
            Files::Archive {
                members: members(path, &file)?,
                stamp: FileStamp::of(path),
                file,
            }
        } else {
            return Ok(None);
        };
        Ok(Some(Self {
            place: path.to_owned(),
            files,
        }))
    }

    /// The folder or archive.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// What to call a file or folder in messages.
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.place.join(name)
    }

    /// Whether there is a file of this name.
    pub fn contains(&self, name: &str) -> bool {
        match &self.files {
            Files::Folder => stays_inside(name) && self.place.join(name).is_file(),
            Files::Archive { members, .. } => members.contains_key(name),
        }
    }

    /// Whether there is a folder of this name; the empty name is the tree itself.
    pub fn has_folder(&self, name: &str) -> bool {
        match &self.files {
            Files::Folder => stays_inside(name) && self.place.join(name).is_dir(),
            Files::Archive { members, .. } => below(members, name).next().is_some(),
        }
    }

    /// What to put before the names of a layout that has the folder `name`: nothing, or a folder
    /// and a `/` if all of it lies in that one folder. `None` if there is no such folder.
    pub fn root_of(&self, name: &str) -> Option<String> {
        if self.has_folder(name) {
            return Some(String::new());
        }
        let tops = self.folders_in("").ok()?;
        let roots = tops.into_iter().map(|top| format!("{top}/"));
        roots
            .into_iter()
            .find(|root| self.has_folder(&format!("{root}{name}")))
    }

    /// What may stand before the names of a layout whose files have no folder to tell them by: nothing,
    /// or the name and a `/` of the one folder that there is.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn roots(&self) -> Result<Vec<String>, DataError> {
        let mut roots = vec![String::new()];
        if let [only] = self.folders_in("")?.as_slice() {
            roots.push(format!("{only}/"));
        }
        Ok(roots)
    }

    /// The paths of the files of an archive; none of a folder.
    pub fn archived_files(&self) -> impl Iterator<Item = &str> {
        let members = match &self.files {
            Files::Folder => None,
            Files::Archive { members, .. } => Some(members),
        };
        members.into_iter().flatten().map(|(name, _)| name.as_str())
    }

    /// The stamp of the file `name`, or of the archive that holds it.
    pub(super) fn stamp(&self, name: &str) -> Option<FileStamp> {
        match &self.files {
            Files::Folder => FileStamp::of(&self.path_of(name)),
            Files::Archive { stamp, .. } => *stamp,
        }
    }

    /// The names of the files that lie in `folder` itself, without its own, in natural order;
    /// hidden ones are left out. None if there is no such folder.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn files_in(&self, folder: &str) -> Result<Vec<String>, DataError> {
        self.entries(folder, false)
    }

    /// The names of the folders in `folder`, in the same form.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn folders_in(&self, folder: &str) -> Result<Vec<String>, DataError> {
        self.entries(folder, true)
    }

    fn entries(&self, folder: &str, folders: bool) -> Result<Vec<String>, DataError> {
        let mut names = BTreeSet::new();
        match &self.files {
            Files::Folder => {
                let path = self.place.join(folder);
                if !self.has_folder(folder) {
                    return Ok(Vec::new());
                }
                for entry in fs::read_dir(&path).map_err(DataError::read(&path))? {
                    let entry = entry.map_err(DataError::read(&path))?;
                    if is_folder(&entry) == folders {
                        names.insert(entry.file_name().to_string_lossy().into_owned());
                    }
                }
            }
            Files::Archive { members, .. } => {
                for inner in below(members, folder) {
                    let (first, is_inside) = match inner.split_once('/') {
                        Some((first, _)) => (first, true),
                        None => (inner, false),
                    };
                    if is_inside == folders {
                        names.insert(first.to_owned());
                    }
                }
            }
        }

        let mut names: Vec<String> = names.into_iter().collect();
        names.retain(|name| !name.starts_with('.'));
        names.sort_by(|a, b| natural_order(a, b));
        Ok(names)
    }

    /// The content of the file `name`.
    ///
    /// # Errors
    /// If there is no such file, or it cannot be read.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, LoadCause> {
        let missing = || LoadCause::Read(io::Error::from(io::ErrorKind::NotFound));
        match &self.files {
            // Names come from files that may lie; they lead to no other folder.
            Files::Folder if stays_inside(name) => read_image_file(&self.place.join(name)),
            Files::Folder => Err(missing()),
            Files::Archive { file, members, .. } => {
                let range = members.get(name).ok_or_else(missing)?;
                file.bytes(range.offset, range.size)
            }
        }
    }

    /// The content of a file that says something of the images.
    ///
    /// # Errors
    /// If it cannot be read; the message names it.
    pub fn annotation(&self, name: &str) -> Result<Vec<u8>, DataError> {
        self.read(name)
            .map_err(|cause| DataError::layout(&self.path_of(name), cause.to_string()))
    }
}

/// Whether a file is a tar archive, by its content or its name.
fn is_archive(path: &Path) -> Result<bool, DataError> {
    let named = path
        .extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("tar"));
    Ok(named || has_tar_mark(&gzip::start_of(path, 512)?))
}

/// Whether an entry is a folder, or a link to one.
fn is_folder(entry: &fs::DirEntry) -> bool {
    match entry.file_type() {
        Ok(kind) if !kind.is_symlink() => kind.is_dir(),
        _ => entry.path().is_dir(),
    }
}

/// Whether a path names something below the folder that it is relative to.
fn stays_inside(name: &str) -> bool {
    let path = Path::new(name);
    let is_plain = |part| matches!(part, std::path::Component::Normal(_));
    path.components().all(is_plain)
}

/// The paths of the members below `folder`, relative to it.
fn below<'a>(
    members: &'a BTreeMap<String, ByteRange>,
    folder: &str,
) -> impl Iterator<Item = &'a str> {
    let prefix = match folder {
        "" => String::new(),
        folder => format!("{folder}/"),
    };
    // Paths of one folder stand together in the order of text.
    members
        .range(prefix.clone()..)
        .map_while(move |(path, _)| path.strip_prefix(&prefix))
}

/// Images of a tree, in a given order.
pub struct TreeImages {
    pub tree: Arc<FileTree>,
    /// Their paths in the tree.
    pub names: Vec<String>,
}

impl ImageSource for TreeImages {
    fn len(&self) -> usize {
        self.names.len()
    }

    fn name(&self, index: usize) -> Cow<'_, str> {
        Cow::Borrowed(&self.names[index])
    }

    fn stamp(&self, index: usize) -> Option<FileStamp> {
        // The name of a set may have its split in it, so that it is no path that has a stamp.
        self.tree.stamp(&self.names[index])
    }

    fn load(&self, index: usize) -> Result<RgbImage, LoadCause> {
        let bytes = self.tree.read(&self.names[index])?;
        decode(&bytes).map_err(LoadCause::Decode)
    }
}

#[cfg(test)]
mod tests;
