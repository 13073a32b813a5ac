//! Why a network cannot be written as ONNX.

/// Why a network cannot be written as ONNX.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OnnxError {
    /// A parameter is not among the weights.
    #[error("the weights have no tensor `{0}`")]
    Missing(String),
    /// A weight is not a matrix.
    #[error("tensor `{name}` has shape {shape:?}, where a matrix is needed")]
    Rank {
        /// Official name.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// The image's size does not fit the network.
    #[error("an image of {width} x {height} pixels cannot be cut into patches of {patch}")]
    Size {
        /// Pixels in a row.
        width: usize,
        /// Rows.
        height: usize,
        /// Side of a patch.
        patch: usize,
    },
    /// Protobuf messages end at 2 GiB.
    #[error("the model takes {0} bytes, an ONNX file holds at most 2147483647")]
    TooLarge(usize),
}
