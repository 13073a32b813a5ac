//! What can go wrong when a dataset is opened or one of its images is loaded.

use std::io;
use std::path::{Path, PathBuf};

use ibot_core::image::corrupt::CorruptError;

use super::decode::DecodeError;

/// Why a dataset cannot be opened. Each message says what is wrong, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error("{} does not exist{hint}", path.display())]
    Missing {
        path: PathBuf,
        /// What exists instead; empty, or a clause to append.
        hint: String,
    },
    #[error("`{spec}` names no dataset: {advice}")]
    Spec { spec: String, advice: String },
    #[error("{} cannot be opened as a dataset: {advice}", path.display())]
    Unsupported { path: PathBuf, advice: String },
    #[error("cannot read {}: {error}; check the path's permissions and its disk", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("no images in {}: looked for {looked_for}", path.display())]
    Empty { path: PathBuf, looked_for: String },
    #[error("{} at byte {offset}: {problem}", path.display())]
    Tar {
        path: PathBuf,
        /// Where in the archive the entry at fault starts.
        offset: u64,
        problem: String,
    },
    #[error("{}, line {line}: {problem}", path.display())]
    List {
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        problem: String,
    },
    #[error("{}: {problem}", path.display())]
    Idx { path: PathBuf, problem: String },
    /// What belongs to the images of an official layout does not fit them.
    #[error("{}: {problem}", path.display())]
    Layout { path: PathBuf, problem: String },
}

impl DataError {
    pub(super) fn list(path: &Path, line: usize, problem: impl Into<String>) -> Self {
        Self::List {
            path: path.to_owned(),
            line,
            problem: problem.into(),
        }
    }

    pub(super) fn layout(path: &Path, problem: impl Into<String>) -> Self {
        Self::Layout {
            path: path.to_owned(),
            problem: problem.into(),
        }
    }

    pub(super) fn idx(path: &Path, problem: String) -> Self {
        Self::Idx {
            path: path.to_owned(),
            problem,
        }
    }

    /// For `map_err` after any access to `path`.
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
    pub name: String,
    pub cause: LoadCause,
}

/// What is wrong with an image that cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadCause {
    #[error("reading failed: {0}; was the dataset changed or unmounted since it was opened?")]
    Read(io::Error),
    #[error("{0}")]
    Decode(DecodeError),
    #[error("{0}")]
    Corrupt(CorruptError),
    #[error("its pixels have no labels in this dataset")]
    Unlabelled,
    #[error("there is no mask {0}; add it, or take the image out of the set")]
    NoMask(String),
    #[error("{name}: {problem}")]
    Mask {
        /// The file in the dataset.
        name: String,
        problem: String,
    },
    #[error("the dataset holds {len} images, counted from 0")]
    Range { len: usize },
}
