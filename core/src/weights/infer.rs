//! Dimensions told by the shapes of tensors.

use super::weight::{Weight, Weights};

/// Why tensors are not those of a network that this code has.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InferError {
    /// A tensor that tells a dimension is missing.
    #[error(
        "the file holds no vision transformer: there is no `{missing}` among its {count} tensors ({names})"
    )]
    NotVit {
        /// Our name of the tensor.
        missing: &'static str,
        /// Tensors in the file.
        count: usize,
        /// A few of them.
        names: String,
    },
    /// A tensor that tells a dimension has another rank or contradicts another.
    #[error("tensor `{name}` has shape {shape:?}, which does not fit {expected}")]
    Shape {
        /// Our name of the tensor.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// What would fit.
        expected: String,
    },
    /// Tensors do not tell the number of attention heads.
    #[error("a network of width {dim} has an unknown number of attention heads")]
    Heads {
        /// Width of a token.
        dim: usize,
    },
}

impl InferError {
    /// `weight` does not fit its parameter.
    pub(crate) fn shape(name: &str, weight: &Weight, expected: &str) -> Self {
        Self::Shape {
            name: name.to_owned(),
            shape: weight.shape.clone(),
            expected: expected.to_owned(),
        }
    }
}

/// A tensor without which there is no vision transformer.
pub(crate) fn needed<'a>(
    weights: &'a Weights,
    name: &'static str,
) -> Result<&'a Weight, InferError> {
    weights.get(name).ok_or_else(|| {
        let mut names: Vec<&str> = weights.keys().map(String::as_str).collect();
        names.sort_unstable();

        let shown = names.iter().take(3).copied().collect::<Vec<_>>().join(", ");
        let names = if names.len() > 3 {
            format!("{shown}, ...")
        } else {
            shown
        };

        InferError::NotVit {
            missing: name,
            count: weights.len(),
            names,
        }
    })
}

/// A tensor of a file, resized to the dimensions of a network.
pub(crate) struct Resized {
    pub name: &'static str,
    pub weight: Weight,
    /// Side of its grid in the file.
    pub from: usize,
    /// Side of its grid in the network.
    pub to: usize,
}
