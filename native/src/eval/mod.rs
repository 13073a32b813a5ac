//! Evaluations of frozen features (paper section 4), the same for `ibot eval` and for `[[eval]]` of
//! a run.
//!
//! Each is one file in `ibot_core::eval`, which computes on tensors, one file here, which chooses
//! the images, and one variant of [`Evaluation`], which makes the command and the setting.

mod accuracy;
mod attentive;
mod backgrounds;
mod cluster;
mod copies;
mod corruptions;
mod dense;
mod discovery;
mod evaluation;
mod in_context;
mod judge;
mod keypoints;
mod knn;
mod linear;
mod logistic;
mod measures;
mod occlusion;
mod old_settings;
mod parts;
mod patches;
mod probes;
mod problems;
mod rank;
mod result;
mod retrieval;
mod schedule;
mod sets;
mod shift;
mod shown;
mod shuffle;
mod task;
mod video;
mod views;
mod yardstick;

pub use self::accuracy::HeadAccuracy;
pub use self::attentive::Attentive;
pub use self::backgrounds::Backgrounds;
pub use self::cluster::Cluster;
pub use self::copies::{Copies, Edit, copy_features};
pub use self::corruptions::Corruptions;
pub use self::discovery::Discovery;
pub use self::evaluation::Evaluation;
pub use self::in_context::InContext;
pub use self::judge::Judge;
pub use self::keypoints::Keypoints;
pub use self::knn::Knn;
pub use self::linear::Linear;
pub use self::logistic::Logistic;
pub use self::measures::Measures;
pub use self::occlusion::Occlusion;
pub use self::old_settings::assign_old;
pub use self::parts::Parts;
pub use self::patches::Patches;
pub use self::rank::Rank;
pub use self::result::{EvalResult, RESULTS_FILE, append_result, results_file, sha256};
pub use self::retrieval::Retrieval;
pub use self::schedule::{EvalProgress, ScheduledEval};
pub use self::shift::Shift;
pub use self::shown::{chance, measure_title, shown};
pub use self::shuffle::Shuffle;
pub use self::task::{Curve, EvalTask, Subject, TaskOutput, Unit};
pub use self::video::{FrameSource, FrameView, TrackedFrame, Tracker, Video, patch_side};
pub use self::yardstick::Yardstick;
