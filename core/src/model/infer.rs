//! The backbone in a file, from its tensors.

use super::backbone::BackboneConfig;
use super::vit;
use crate::weights::{InferError, Resized, Weights};

impl BackboneConfig {
    /// The backbone behind tensors of our names. `heads` is the number of attention heads, where the
    /// tensors do not tell.
    pub(crate) fn infer(weights: &Weights, heads: Option<usize>) -> Result<Self, InferError> {
        vit::infer(weights, heads).map(Self::Vit)
    }

    /// The tensor of a file that this network needs on another grid: position embeddings.
    pub(crate) fn resize(&self, weights: &Weights) -> Option<Resized> {
        match self {
            Self::Vit(config) => vit::resize(config, weights),
        }
    }
}
