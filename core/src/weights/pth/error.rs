//! Why a file cannot be read.

use crate::pickle::PickleError;

/// Why a PyTorch file, or a tensor of it, cannot be read. Text from the file is quoted in part
/// only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each variant has its message")]
pub enum PthError {
    #[error("not a PyTorch file of weights: {0}")]
    Format(String),
    #[error(
        "the file was written on a big-endian machine; load it there with torch and save it as safetensors"
    )]
    BigEndian,
    #[error("zip archive, byte {at}: {problem}")]
    Zip { at: usize, problem: String },
    #[error("zip archive, entry `{name}`: {problem}")]
    Entry { name: String, problem: String },
    #[error(transparent)]
    Pickle(#[from] PickleError),
    #[error("file in the format of torch before 1.6, byte {at}: {problem}")]
    Legacy { at: usize, problem: String },
    #[error("the file has no dictionary {wanted}; those with tensors are: {available}")]
    Section { wanted: String, available: String },
    #[error("tensor `{name}`: {problem}")]
    Tensor { name: String, problem: String },
    #[error(
        "the different tensors of the section add up to more than {limit} bytes, twice the size of the file; \
         save contiguous copies of them"
    )]
    TooMuch { limit: u64 },
}
