//! Clipping of gradients by their norms.

use serde::{Deserialize, Serialize};

/// What a gradient's norm is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClipBy {
    /// Each parameter tensor by itself, as the official code does.
    Tensor,
    /// All gradients together.
    Global,
}

/// How gradients are clipped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clip {
    /// Largest norm; 0 does not clip.
    pub max_norm: f64,
    /// What the norm is taken over.
    pub by: ClipBy,
}

impl Clip {
    /// The factor that brings a gradient of this norm below the largest one.
    pub(crate) fn factor(self, norm: f64) -> f64 {
        if self.max_norm > 0.0 {
            // The official code adds 1e-6, so that a norm of 0 divides nothing by zero.
            (self.max_norm / (norm + 1e-6)).min(1.0)
        } else {
            1.0
        }
    }
}
