//! Why bytes are not a file of weights.

use safetensors::tensor::SafeTensorError;

use super::pth::PthError;

/// Why bytes are not weights.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant has its message")]
pub enum FileError {
    #[error("not a readable safetensors file: {0}")]
    Container(#[from] SafeTensorError),
    #[error("not a readable .pth file: {0}")]
    Pth(#[from] PthError),
    #[error("tensor `{name}` is of type {dtype}, which cannot be read as weights here")]
    Dtype { name: String, dtype: String },
    #[error("the file has no part `{asked}`; it has {available}")]
    NoSection { asked: String, available: String },
    #[error("the file holds no tensors")]
    Empty,
}
