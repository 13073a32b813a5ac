//! What is wrong with single entries of a file.

use std::fmt;

use super::polygon::PolygonError;
use super::rle::RunError;
use crate::annotation::boxes::BoxError;

/// An entry of the file that was left out, or a part of it.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryProblem {
    /// Such as `annotation 1768 of 000000000139.jpg`.
    pub entry: String,
    /// What is wrong.
    pub cause: ProblemCause,
}

/// What is wrong with an entry.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "each variant has its message")]
pub enum ProblemCause {
    #[error("left out, as it cannot be read: {0}")]
    Fields(String),
    #[error("left out, as an earlier entry has the same id")]
    Repeated,
    #[error("left out, as its image has no pixel: {width} x {height}")]
    NoPixel { width: usize, height: usize },
    #[error("left out, as there is no category {0}")]
    Category(u64),
    #[error("left out, as there is no image {0}")]
    Image(u64),
    #[error("left out, as {0}")]
    Box(BoxError),
    #[error("without its mask, as polygon {number}: {error}")]
    Polygon { number: usize, error: PolygonError },
    #[error("without its mask: {0}")]
    Runs(RunError),
    #[error(
        "without its mask, which has {width} x {height} pixels where its image has {} x {}",
        .image.0, .image.1
    )]
    MaskSize {
        width: usize,
        height: usize,
        image: (usize, usize),
    },
}

impl fmt::Display for EntryProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}", self.entry, self.cause)
    }
}
