//! Looking through two images: their tokens, and what can be read from them.
//!
//! Images are in one of two slots, 0 and 1. Values of patches are row-major over the grid of their
//! image.

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
    /// Where it belongs.
    pub slot: usize,
    /// A new image; the one in the slot if there is none.
    pub picture: Option<Picture>,
    /// Pixels of its shorter side for the network.
    pub shorter: usize,
    /// Block whose tokens to take, counted from 1; the last by default.
    pub block: Option<usize>,
}

/// The grid of an image's patches.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Encoded {
    /// Rows of patches.
    pub rows: usize,
    /// Patches in a row.
    pub columns: usize,
    /// How long it took.
    pub milliseconds: f64,
}

/// Empties a slot.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Clear {
    /// Which one.
    pub slot: usize,
}

/// Compares one patch with all patches of both images.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Similar {
    /// Slot of the patch.
    pub slot: usize,
    /// Its index.
    pub patch: usize,
    /// How many of the most similar patches to name in each image.
    pub best: usize,
    /// Least distance between two of them, in patches.
    pub apart: f64,
}

/// Cosines from -1 to 1.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SimilarMaps {
    /// One value a patch.
    pub maps: PerSlot<Floats>,
    /// The most similar patches, best first; the patch itself is not among them.
    pub best: [Vec<Best>; SLOTS],
}

/// A patch and its similarity.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Index of the patch.
    pub patch: usize,
    /// Cosine of the tokens.
    pub similarity: f32,
}

/// Asks where CLS looks in the block that was encoded.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Attention;

/// Attention of CLS to the patches.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AttentionMaps {
    /// Number of heads.
    pub heads: usize,
    /// One value a patch, head by head.
    pub values: Floats,
}

/// Colors patches by their first three principal components over both images.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Colors {
    /// Whether to color the foreground alone, as DINOv2 does.
    pub foreground: bool,
}

/// Colors of patches.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ColorMaps {
    /// Red, green, blue and opacity of each patch.
    pub maps: PerSlot<Bytes>,
    /// Share of the variance along each component.
    pub shares: Vec<f64>,
}

/// Clusters the patches of both images.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Parts {
    /// Number of clusters.
    pub clusters: usize,
}

/// Clusters of patches.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PartMaps {
    /// The cluster of each patch.
    pub labels: PerSlot<Bytes>,
    /// Patches of each cluster.
    pub sizes: Vec<usize>,
}

/// Asks for the prototype of each patch.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Prototypes;

/// Prototypes of patches.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PrototypeMaps {
    /// For each patch the rank of its prototype in `ranking`.
    pub ranks: PerSlot<Bytes>,
    /// The prototypes that occur, the most frequent first: index and number of patches. All but the
    /// first 255 are together at the end.
    pub ranking: Vec<(usize, usize)>,
}

/// Finds patches of the two images that are each other's nearest neighbour.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Correspond {
    /// How many, best first.
    pub pairs: usize,
}

/// Two patches that correspond.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Pair {
    /// Patch of image 0.
    pub from: usize,
    /// Patch of image 1.
    pub to: usize,
    /// Cosine of the tokens.
    pub similarity: f32,
}

/// Draws a block mask as in pre-training.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct RandomMask {
    /// Slot of the image.
    pub slot: usize,
    /// Share of the patches to hide.
    pub ratio: f64,
    /// Another seed, another mask.
    pub seed: u32,
}

/// Hides patches of an image from the student.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Predict {
    /// Slot of the image.
    pub slot: usize,
    /// 1 for each hidden patch, else 0.
    pub mask: Bytes,
}

/// What the student predicts for hidden patches.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Predicted {
    /// The hidden patches in order.
    pub patches: Vec<PredictedPatch>,
    /// Share of hidden patches whose prototype, by the teacher, is the student's best, and among
    /// its five best.
    pub agreement: (f64, f64),
    /// The same for guessing the commonest prototypes of the visible patches.
    pub baseline: (f64, f64),
    /// Prototypes to choose from.
    pub prototypes: usize,
}

/// What the student predicts for one hidden patch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PredictedPatch {
    /// Index of the patch.
    pub patch: usize,
    /// The teacher's prototype.
    pub teacher: usize,
    /// Its probability by the teacher.
    pub teacher_probability: f32,
    /// The student's prototype.
    pub student: usize,
    /// The student's probability of the teacher's prototype.
    pub student_probability: f32,
    /// Visible patches that are most like what the student predicts, best first.
    pub nearest: Vec<usize>,
}
