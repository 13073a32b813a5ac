//! Errors of the worker, in words for the person in front of the page.

use burn::tensor::ExecutionError;
use ibot_core::analysis::correspondence::WeightError;
use ibot_core::analysis::kmeans::KMeansError;
use ibot_core::analysis::pca::PcaError;
use ibot_core::analysis::predict::PredictError;
use ibot_core::analysis::rows::RowsError;
use ibot_core::analysis::similarity::WidthError;
use ibot_core::features::encode::EncodeError;
use ibot_core::image::ImageError;
use ibot_core::learn::TuneError;
use ibot_core::session::StoreError;
use ibot_core::weights::{FileError, LoadError, WeightsError};

#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("there is no model yet; load one first")]
    NoModel,
    #[error("there is no image {}; add one first", .0 + 1)]
    NoImage(usize),
    #[error("the image has no patch {0}")]
    NoPatch(usize),
    #[error("this model has no iBOT head; export one with `ibot export --head` or `--pair`")]
    NoHead,
    #[error(
        "this model cannot fill in masked patches: it has no mask token; export the student, or both networks with `ibot export --pair`"
    )]
    NoMaskToken,
    #[error("{name} is no model that can be read: {source}")]
    File { name: String, source: FileError },
    #[error("{name} does not fit: {source}")]
    Load { name: String, source: LoadError },
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Width(#[from] WidthError),
    #[error(transparent)]
    Rows(#[from] RowsError),
    #[error(transparent)]
    Pca(#[from] PcaError),
    #[error(transparent)]
    KMeans(#[from] KMeansError),
    #[error(transparent)]
    Weights(#[from] WeightError),
    #[error(transparent)]
    Predict(#[from] PredictError),
    #[error("the device failed: {0}")]
    Device(#[from] ExecutionError),
    #[error("nothing is learned yet; train first")]
    NothingLearned,
    /// An image that the page never sent, or took back.
    #[error("the worker lacks image {0}; reload the page")]
    NoExample(u32),
    #[error("k-NN has no weights to save; train a linear head or fine-tune, or save the project")]
    NoWeights,
    /// The page did not send the file along.
    #[error("the model's file is gone; load the model again")]
    NoFile,
    #[error(transparent)]
    Tune(#[from] TuneError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("what the project has learned does not fit this model: {0}")]
    Learned(WeightsError),
    /// A message that cannot be read or written.
    #[error("{0}")]
    Message(String),
}

impl Problem {
    pub fn of_device(&self) -> Option<String> {
        match self {
            Self::Device(error)
            | Self::Encode(EncodeError::Device(error))
            | Self::Predict(PredictError::Device(error))
            | Self::Tune(TuneError::Device(error)) => Some(error.to_string()),
            _ => None,
        }
    }
}
