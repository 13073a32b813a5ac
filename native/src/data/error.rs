//! What can go wrong when a dataset is opened or one of its images is loaded.

use std::io;
use std::path::{Path, PathBuf};

use super::decode::DecodeError;

/// Why a dataset cannot be opened. Each message says what is wrong, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Nothing is at the path.
    #[error("{} does not exist{hint}", path.display())]
    Missing {
        /// The path asked for.
        path: PathBuf,
        /// What exists instead; empty, or a clause to append.
        hint: String,
    },
    /// The text that names the dataset makes no sense.
    #[error("`{spec}` names no dataset: {advice}")]
    Spec {
        /// The text.
        spec: String,
        /// What to write instead.
        advice: String,
    },
    /// The path exists, but is not a dataset.
    #[error("{} cannot be opened as a dataset: {advice}", path.display())]
    Unsupported {
        /// The path asked for.
        path: PathBuf,
        /// What it is, and what to give or run instead.
        advice: String,
    },
    /// The operating system refuses to read.
    #[error("cannot read {}: {error}; check the path's permissions and its disk", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// The place was read, and holds no image.
    #[error("no images in {}: looked for {looked_for}", path.display())]
    Empty {
        /// The place.
        path: PathBuf,
        /// What would have counted as an image.
        looked_for: String,
    },
    /// A tar archive is damaged or incomplete.
    #[error("{} at byte {offset}: {problem}", path.display())]
    Tar {
        /// The archive.
        path: PathBuf,
        /// Where in the archive the entry at fault starts.
        offset: u64,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A line of a list is not `path` or `path label`.
    #[error("{}, line {line}: {problem}", path.display())]
    List {
        /// The list.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A file of the MNIST family contradicts itself or its partner.
    #[error("{}: {problem}", path.display())]
    Idx {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
}

impl DataError {
    /// For `map_err` on whatever touches `path`.
    pub(super) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Read {
            path: path.to_owned(),
            error,
        }
    }
}

/// Why one image of a dataset cannot be loaded; the others may be fine.
#[derive(Debug, thiserror::Error)]
#[error("cannot load {name}: {cause}")]
pub struct ImageLoadError {
    /// The image and, for an archive, the file it is in.
    pub name: String,
    /// What is wrong with it.
    pub cause: LoadCause,
}

/// What is wrong with an image that cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadCause {
    /// Its bytes cannot be read.
    #[error("reading failed: {0}; was the dataset changed or unmounted since it was opened?")]
    Read(io::Error),
    /// Its bytes are not an image this program takes.
    #[error("{0}")]
    Decode(DecodeError),
    /// The dataset has no image of that number.
    #[error("the dataset holds {len} images, counted from 0")]
    Range {
        /// Images in the dataset.
        len: usize,
    },
}
