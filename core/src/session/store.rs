//! JSON entries in the header of a file, and why a file cannot be read or written.

use std::collections::HashMap;

use serde::Deserialize;

use crate::learn::TuneError;
use crate::weights::{FileError, HeadError, WeightsError};

/// Why a file is no project or no tuned model, or cannot be written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum StoreError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error("the classifier does not fit: {0}")]
    Classifier(#[from] TuneError),
    #[error(transparent)]
    Head(#[from] HeadError),
    #[error("the file's header has no `{0}`: choose a file that was exported here as such")]
    NoEntry(&'static str),
    #[error("`{key}` in the file's header cannot be read: {error}")]
    Entry {
        key: &'static str,
        error: serde_json::Error,
    },
    #[error("the project is of version {found}, and version {latest} is the latest known: update")]
    Version { found: u32, latest: u32 },
    #[error("the file lacks the tensor `{0}`: it is damaged")]
    Missing(String),
    #[error("image {0} is not stored as bytes: the file is damaged")]
    Image(usize),
    #[error("image {image} is of class {class}, but there are only {classes}, counted from 0")]
    Class {
        image: usize,
        class: usize,
        classes: usize,
    },
}

pub(super) fn entry<T: for<'a> Deserialize<'a>>(
    metadata: &HashMap<String, String>,
    key: &'static str,
) -> Result<T, StoreError> {
    let json = metadata.get(key).ok_or(StoreError::NoEntry(key))?;
    serde_json::from_str(json).map_err(|error| StoreError::Entry { key, error })
}
