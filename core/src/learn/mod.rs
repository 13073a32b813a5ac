//! Learning on top of a pre-trained backbone: classes from a few labelled images, and iBOT
//! continued on unlabelled ones.
//!
//! | mode | what learns | what a step costs |
//! |---|---|---|
//! | [`LinearHead`], [`KnnHead`] | a classifier on cached features | next to nothing |
//! | [`FineTune`] | the backbone's last blocks or low-rank changes of all of them, and the classifier | a pass forward and back |
//! | [`Adapt`] | the whole backbone, by iBOT's own objective | a step of pre-training |
//!
//! Everything goes step by step, so that a page can draw between steps, stop, keep the state as
//! named tensors and continue from it exactly.

mod adapt;
mod classifier;
mod error;
mod feature_set;
mod finetune;
mod knn_head;
mod linear;
mod sampler;
pub(crate) mod state;

pub use adapt::{Adapt, AdaptSettings};
pub use classifier::{Classifier, most_likely};
pub use error::TuneError;
pub use feature_set::FeatureSet;
pub use finetune::{Example, FineTune, FineTuneSettings, Mode};
pub use knn_head::KnnHead;
pub use linear::{HeadSettings, LinearHead};

/// What a step of learning classes measured on its images, before it changed anything.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Cross-entropy in nats, with the weight decay's penalty where that is part of the objective.
    pub loss: f64,
    /// Share of images whose most likely class is theirs.
    pub accuracy: f64,
}
