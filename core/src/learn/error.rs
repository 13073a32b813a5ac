//! Why something cannot be learned.

use burn::tensor::ExecutionError;

use crate::problems::Problems;
use crate::weights::WeightsError;

/// Images, labels or settings that nothing can be learned from, or a device that failed.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    /// There is nothing to tell apart.
    #[error("there are {0} classes, and a classifier tells at least two apart: add a class")]
    Classes(usize),
    /// There is nothing to learn from.
    #[error("there are no images to learn from: add some")]
    Empty,
    /// A label without class.
    #[error(
        "image {image} is of class {label}, but there are only {classes} classes, counted from 0"
    )]
    Label {
        /// Index of the image.
        image: usize,
        /// Its label.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// Features of another width.
    #[error(
        "features of width {expected} were expected and {actual} values given: compute all with one model"
    )]
    Width {
        /// Width of a feature.
        expected: usize,
        /// Values given.
        actual: usize,
    },
    /// A feature that is not a number.
    #[error("the feature of image {0} is not finite: the model or the device computes nonsense")]
    NotFinite(usize),
    /// Settings that make no sense.
    #[error(transparent)]
    Settings(#[from] Problems),
    /// The device failed.
    #[error("the device failed: {0}")]
    Device(#[from] ExecutionError),
    /// Weights that do not fit, or cannot be read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}
