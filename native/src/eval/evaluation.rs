//! All evaluations, as the command line and the settings know them.

use clap::{Command, FromArgMatches as _, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::accuracy::HeadAccuracy;
use super::attentive::Attentive;
use super::backgrounds::Backgrounds;
use super::cluster::Cluster;
use super::copies::Copies;
use super::corruptions::Corruptions;
use super::discovery::Discovery;
use super::in_context::InContext;
use super::keypoints::Keypoints;
use super::knn::Knn;
use super::linear::Linear;
use super::logistic::Logistic;
use super::occlusion::Occlusion;
use super::parts::Parts;
use super::patches::Patches;
use super::rank::Rank;
use super::retrieval::Retrieval;
use super::shift::Shift;
use super::shuffle::Shuffle;
use super::task::EvalTask;
use super::video::Video;

/// All evaluations. A variant is a subcommand of `ibot eval` and a `kind` of `[[eval]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Evaluation {
    /// Classify images by the nearest neighbours of their frozen features (paper section 4.1)
    Knn(Knn),
    /// Classify images by the linear head of the model's file (paper tables 2, 3 and 6)
    Accuracy(HeadAccuracy),
    /// Classify images by a logistic regression on their frozen features (table 12)
    Logistic(Logistic),
    /// Compare clusters of images with their classes: k-means, or prototypes of the head (table 5)
    Cluster(Cluster),
    /// Monitor features without labels: rank of CLS tokens, local structure of patch tokens
    Rank(Rank),
    /// Train linear classifiers on frozen features with many learning rates (paper tables 1 and 2)
    Linear(Linear),
    /// Train probes that attend to the patch tokens of the frozen network
    Attentive(Attentive),
    /// Train linear classifiers on the few patches that CLS attends to most (paper figure 5)
    Parts(Parts),
    /// Search photographs of the same thing: Revisited Oxford and Paris, or images with labels
    Retrieval(Retrieval),
    /// Find the images that altered copies were made of: Copydays, or copies that are made here
    Copies(Copies),
    /// Classify images of which patches are hidden (paper figure 9)
    Occlusion(Occlusion),
    /// Classify images whose cells have changed their places (paper figure 10)
    Shuffle(Shuffle),
    /// Classify objects on other backgrounds: IN-9 or builtin scenes (paper table 8)
    Backgrounds(Backgrounds),
    /// Classify images of another kind, such as ImageNet-A and -R, and measure calibration (table 8)
    Shift(Shift),
    /// Count the errors on images that are corrupted in 19 ways (table 8, ImageNet-C)
    Corruptions(Corruptions),
    /// Segment images by the labelled patches that are most like theirs (Hummingbird)
    InContext(InContext),
    /// Segment images by votes of the nearest labelled patches (CAPI)
    Patches(Patches),
    /// Follow objects through videos by the similarity of patches: DAVIS (paper table 16)
    Video(Video),
    /// Find an object in each image without labels: normalised cut of patches, CorLoc
    Discovery(Discovery),
    /// Find the same points of objects of one kind by their patches: SPair-71k, PCK
    Keypoints(Keypoints),
}

impl Evaluation {
    /// The evaluation `name` with its usual settings; `None` if there is none of that name.
    pub fn named(name: &str) -> Option<Self> {
        // The tag alone selects the variant, since every other setting has a default.
        serde_json::from_value(json!({ "kind": name })).ok()
    }

    /// The evaluation `ibot eval NAME` without options, whose settings may be others than those that
    /// a file of settings starts from.
    pub fn of_command(name: &str) -> Option<Self> {
        let commands = Self::augment_subcommands(Command::new("eval"));
        let matches = commands.try_get_matches_from(["eval", name]).ok()?;
        Self::from_arg_matches(&matches).ok()
    }

    /// The same evaluation that writes no file of its own, for what is shown beside a model.
    pub fn without_files(&self) -> Self {
        let mut evaluation = self.clone();
        match &mut evaluation {
            Self::Linear(linear) => linear.save_head = None,
            Self::Accuracy(accuracy) => accuracy.picture = None,
            Self::Occlusion(occlusion) => occlusion.svg = None,
            Self::Shuffle(shuffle) => shuffle.svg = None,
            Self::InContext(in_context) => in_context.pictures = None,
            Self::Patches(patches) => patches.pictures = None,
            Self::Video(video) => video.out_masks = None,
            Self::Discovery(discovery) => discovery.picture = None,
            Self::Keypoints(keypoints) => keypoints.picture = None,
            _ => {}
        }
        evaluation
    }

    /// What it does, in a sentence without its full stop.
    pub fn about(&self) -> String {
        let commands = Self::augment_subcommands(Command::new("eval"));
        let command = commands.find_subcommand(self.task().name());
        let about = command.and_then(Command::get_about);
        about.map(ToString::to_string).unwrap_or_default()
    }

    /// The settings of the evaluation with what it does.
    pub fn task(&self) -> &dyn EvalTask {
        match self {
            Self::Knn(knn) => knn,
            Self::Accuracy(accuracy) => accuracy,
            Self::Logistic(logistic) => logistic,
            Self::Cluster(cluster) => cluster,
            Self::Rank(rank) => rank,
            Self::Linear(linear) => linear,
            Self::Attentive(attentive) => attentive,
            Self::Parts(parts) => parts,
            Self::Retrieval(retrieval) => retrieval,
            Self::Copies(copies) => copies,
            Self::Occlusion(occlusion) => occlusion,
            Self::Shuffle(shuffle) => shuffle,
            Self::Backgrounds(backgrounds) => backgrounds,
            Self::Shift(shift) => shift,
            Self::Corruptions(corruptions) => corruptions,
            Self::InContext(in_context) => in_context,
            Self::Patches(patches) => patches,
            Self::Video(video) => video,
            Self::Discovery(discovery) => discovery,
            Self::Keypoints(keypoints) => keypoints,
        }
    }
}
