//! Dimensions told by the shapes of tensors.

use super::weight::{Weight, Weights};

/// Why tensors are not those of a network that this code has.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant has its message")]
pub enum InferError {
    #[error(
        "the file holds no vision transformer: there is no `{missing}` among its {count} tensors ({names})"
    )]
    NotVit {
        missing: String,
        count: usize,
        names: String,
    },
    #[error("tensor `{name}` has shape {shape:?}, which does not fit {expected}")]
    Shape {
        name: String,
        shape: Vec<usize>,
        expected: String,
    },
    #[error("a network of width {dim} has an unknown number of attention heads")]
    Heads { dim: usize },
}

impl InferError {
    pub(crate) fn shape(name: &str, weight: &Weight, expected: &str) -> Self {
        Self::Shape {
            name: name.to_owned(),
            shape: weight.shape.clone(),
            expected: expected.to_owned(),
        }
    }
}

/// A tensor without which there is no vision transformer.
pub(crate) fn needed<'a>(weights: &'a Weights, name: &str) -> Result<&'a Weight, InferError> {
    weights.get(name).ok_or_else(|| {
        // Sorted, as a HashMap has no order of its own.
        let mut names: Vec<&str> = weights.keys().map(String::as_str).collect();
        names.sort_unstable();

        let shown = names.iter().take(3).copied().collect::<Vec<_>>().join(", ");
        let names = if names.len() > 3 {
            format!("{shown}, ...")
        } else {
            shown
        };

        InferError::NotVit {
            missing: name.to_owned(),
            count: weights.len(),
            names,
        }
    })
}

/// Tensors of a file on the grid that a network needs.
pub(crate) struct Resized {
    /// What they are, in words.
    pub what: &'static str,
    /// By our names.
    pub weights: Vec<(String, Weight)>,
    /// Side of the grid in the file.
    pub from: usize,
    /// Side of the grid in the network.
    pub to: usize,
}
