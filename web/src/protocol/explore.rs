//! Questions about two images and their tokens.
//!
//! Each image is in a slot, 0 or 1. Values of patches are row by row over the grid of their image.

use serde::{Deserialize, Serialize};

use super::Picture;
use crate::wire::{Bytes, Floats};

/// Number of images that are looked at together.
pub const SLOTS: usize = 2;

/// A value for each slot; `None` where there is no image.
pub type PerSlot<T> = [Option<T>; SLOTS];

/// Computes the tokens of an image.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Encode {
    pub slot: usize,
    /// A new image; without one, that of the slot.
    pub picture: Option<Picture>,
    /// Pixels of its shorter side for the network.
    pub shorter: usize,
    /// Block whose tokens to take, counted from 1; the last by default.
    pub block: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Encoded {
    pub rows: usize,
    pub columns: usize,
    pub milliseconds: f64,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Clear {
    pub slot: usize,
}

/// Compares one patch with all patches of both images.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Compare {
    pub slot: usize,
    pub patch: usize,
    /// How many of the most similar patches to list for each image.
    pub best: usize,
    /// Least distance between two of them, in patches.
    pub apart: f64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SimilarMaps {
    /// The cosine of each patch.
    pub maps: PerSlot<Floats>,
    /// The most similar patches, best first, without the patch itself.
    pub best: [Vec<SimilarPatch>; SLOTS],
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimilarPatch {
    pub patch: usize,
    pub similarity: f32,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ReadAttention;

/// Attention of CLS to the patches.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AttentionMaps {
    pub heads: usize,
    /// One value a patch, head by head.
    pub values: Floats,
}

/// Colors patches by their first three principal components over both images.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ColorComponents {
    /// Whether to color only the foreground, as DINOv2 does.
    pub foreground: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ColorMaps {
    /// Red, green, blue and opacity of each patch.
    pub maps: PerSlot<Bytes>,
    /// Share of the variance along each component.
    pub shares: Vec<f64>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ClusterPatches {
    pub clusters: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClusterMaps {
    pub labels: PerSlot<Bytes>,
    pub sizes: Vec<usize>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct AssignPrototypes;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PrototypeMaps {
    /// For each patch the rank of its prototype in `ranking`.
    pub ranks: PerSlot<Bytes>,
    /// The prototypes that occur, the most frequent first: index and number of patches. Those after
    /// the first 255 share the last rank.
    pub ranking: Vec<(usize, usize)>,
}

/// Finds patches of the two images that are each other's nearest neighbour.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Correspond {
    /// How many pairs, best first.
    pub pairs: usize,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Pair {
    /// Patch of image 0.
    pub from: usize,
    /// Patch of image 1.
    pub to: usize,
    pub similarity: f32,
}

/// Draws a block mask as in pre-training.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct DrawMask {
    pub slot: usize,
    /// Share of the patches to hide.
    pub ratio: f64,
    pub seed: u32,
}

/// Has the student predict hidden patches.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Predict {
    pub slot: usize,
    /// 1 for each hidden patch, else 0.
    pub mask: Bytes,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Predicted {
    /// In the order of their patches.
    pub patches: Vec<PredictedPatch>,
    /// Share of hidden patches whose prototype, by the teacher, is the student's best, and among
    /// its five best.
    pub agreement: (f64, f64),
    /// The same for guessing the commonest prototypes of the visible patches.
    pub baseline: (f64, f64),
    /// Number of prototypes of the head.
    pub prototypes: usize,
}

impl Predicted {
    pub fn at(&self, patch: usize) -> Option<&PredictedPatch> {
        self.patches.iter().find(|found| found.patch == patch)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PredictedPatch {
    pub patch: usize,
    pub teacher: usize,
    /// Its probability by the teacher.
    pub teacher_probability: f32,
    pub student: usize,
    /// The student's probability of the teacher's prototype.
    pub student_probability: f32,
    /// Visible patches that are most similar to the prediction, best first.
    pub nearest: Vec<usize>,
}
