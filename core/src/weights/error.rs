//! Why bytes are not a file of weights.

use safetensors::tensor::SafeTensorError;

use super::pth::PthError;

/// Why bytes are not weights.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The container is damaged or no safetensors at all.
    #[error("not a readable safetensors file: {0}")]
    Container(#[from] SafeTensorError),
    /// A `.pth` that cannot be read.
    #[error("not a readable .pth file: {0}")]
    Pth(#[from] PthError),
    /// A tensor is of a type that weights do not have.
    #[error("tensor `{name}` is of type {dtype}, which cannot be read as weights here")]
    Dtype {
        /// Name in the file.
        name: String,
        /// What it is.
        dtype: String,
    },
    /// The part that was asked for is not there.
    #[error("the file has no part `{asked}`; it has {available}")]
    NoSection {
        /// What was asked for.
        asked: String,
        /// What there is.
        available: String,
    },
    /// There is no tensor.
    #[error("the file holds no tensors")]
    Empty,
}
