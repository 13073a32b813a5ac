//! Tensors on the host.

use std::collections::HashMap;

/// One tensor as PyTorch would hold it.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: Vec<f32>,
}

/// Tensors by official name, for example `backbone.blocks.0.attn.qkv.weight`.
pub type Weights = HashMap<String, Weight>;
