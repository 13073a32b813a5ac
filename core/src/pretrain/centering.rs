//! Settings of what keeps one prototype from taking every image.

use serde::{Deserialize, Serialize};

/// How the teacher's logits become targets that use all prototypes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Centering {
    /// A moving mean of the logits is subtracted.
    Mean,
    /// Every prototype takes an equal share of each batch: Sinkhorn-Knopp, as in SwAV and DINOv2.
    SinkhornKnopp,
}

/// The patches whose mean the center of patch logits follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CenterFrom {
    /// All patches of the global crops (official).
    All,
    /// The masked ones (DINOv2).
    Masked,
}
