//! What can go wrong in the worker, in words for the page.

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

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Nothing was loaded.
    #[error("there is no model yet; load one first")]
    NoModel,
    /// A slot is empty.
    #[error("there is no image {}; add one first", .0 + 1)]
    NoImage(usize),
    /// A patch outside the image.
    #[error("the image has no patch {0}")]
    NoPatch(usize),
    /// The model lacks the head.
    #[error("this model has no iBOT head; export one with --head or --pair")]
    NoHead,
    /// The model lacks the mask token.
    #[error(
        "this model cannot fill in masked patches: it has no mask token; export the student, or --pair"
    )]
    NoMaskToken,
    /// The file is no model.
    #[error("{name} is no model that can be read: {source}")]
    File {
        /// Name of the file.
        name: String,
        /// What is wrong with it.
        source: FileError,
    },
    /// The file's tensors do not make a network.
    #[error("{name} does not fit: {source}")]
    Load {
        /// Name of the file.
        name: String,
        /// What is wrong with it.
        source: LoadError,
    },
    /// Pixels that are no image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// An image could not be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// Tokens of two networks.
    #[error(transparent)]
    Width(#[from] WidthError),
    /// Tokens that cannot be analysed.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// No principal components.
    #[error(transparent)]
    Pca(#[from] PcaError),
    /// No clusters.
    #[error(transparent)]
    KMeans(#[from] KMeansError),
    /// Attention of another grid.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// Nothing was predicted.
    #[error(transparent)]
    Predict(#[from] PredictError),
    /// The device failed.
    #[error("the device failed: {0}")]
    Device(#[from] ExecutionError),
    /// Nothing was learned.
    #[error("nothing is learned yet; train first")]
    NothingLearned,
    /// An image that was not given, or was taken back.
    #[error("the worker lacks image {0}; reload the page")]
    NoExample(u32),
    /// The nearest images have no weights.
    #[error("k-NN has no weights to save; train a linear head or fine-tune, or save the project")]
    NoWeights,
    /// The model's file was not given along.
    #[error("the model's file is gone; load the model again")]
    NoFile,
    /// Something cannot be learned.
    #[error(transparent)]
    Tune(#[from] TuneError),
    /// A project or a tuned model that cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What a project has learned is of another model.
    #[error("what the project has learned does not fit this model: {0}")]
    Learned(WeightsError),
    /// A message that cannot be read or written.
    #[error("{0}")]
    Message(String),
}

impl Problem {
    /// What the device said, if it is the device that failed.
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
