//! Why a network cannot be written as ONNX.

/// Why a network cannot be written as ONNX.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant has its message")]
pub enum OnnxError {
    #[error("the weights have no tensor `{0}`")]
    Missing(String),
    #[error("tensor `{name}` has shape {shape:?}, where a matrix is needed")]
    Rank { name: String, shape: Vec<usize> },
    #[error("an image of {width} x {height} pixels cannot be cut into patches of {patch}")]
    Size {
        width: usize,
        height: usize,
        patch: usize,
    },
    #[error(
        "the classifier reads the CLS tokens of {0} blocks, the ONNX model has those of the last block only"
    )]
    Blocks(usize),
    #[error("cannot write the classes: {0}")]
    Json(String),
    #[error("the model takes {0} bytes, an ONNX file holds at most 2147483647")]
    TooLarge(usize),
}
