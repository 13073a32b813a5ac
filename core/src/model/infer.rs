//! The backbone in a file, from its tensors.

use super::backbone_config::BackboneConfig;
use super::{swin, vit};
use crate::weights::{InferError, Resized, Weights};

impl BackboneConfig {
    /// The backbone behind tensors of our names. `heads` is the number of attention heads, where the
    /// tensors do not tell.
    pub(crate) fn infer(weights: &Weights, heads: Option<usize>) -> Result<Self, InferError> {
        // A Swin is known by its bias tables, which no ViT has.
        if swin::is_swin(weights) {
            return swin::infer(weights).map(Self::Swin);
        }
        vit::infer(weights, heads).map(Self::Vit)
    }

    /// The tensors of a file that this network needs on another grid: position embeddings, or the bias
    /// tables of windows.
    pub(crate) fn resize(&self, weights: &Weights) -> Option<Resized> {
        match self {
            Self::Vit(config) => vit::resize(config, weights),
            Self::Swin(config) => swin::resize(config, weights),
        }
    }
}
