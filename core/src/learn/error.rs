//! Why something cannot be learned.

use burn::tensor::ExecutionError;

use crate::problems::Problems;
use crate::weights::WeightsError;

/// Images, labels or settings that nothing can be learned from, or a device that failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum TuneError {
    #[error("there are {0} classes, and a classifier tells at least two apart: add a class")]
    Classes(usize),
    #[error("there are no images to learn from: add some")]
    Empty,
    #[error(
        "image {image} is of class {label}, but there are only {classes} classes, counted from 0"
    )]
    Label {
        image: usize,
        label: usize,
        classes: usize,
    },
    #[error(
        "features of width {expected} were expected and {actual} values given: compute all with one model"
    )]
    Width { expected: usize, actual: usize },
    #[error("the feature of image {0} is not finite: the model or the device computes nonsense")]
    NotFinite(usize),
    #[error(transparent)]
    Settings(#[from] Problems),
    #[error("the device failed: {0}")]
    Device(#[from] ExecutionError),
    #[error(transparent)]
    Weights(#[from] WeightsError),
}
