//! Evaluations of frozen features (paper section 4), the same for `ibot eval` and for `[[eval]]` of
//! a run.
//!
//! Each is one file in `ibot_core::eval`, which computes on tensors, one file here, which chooses
//! the images, and one variant of [`Evaluation`], which makes the command and the setting.

mod knn;
mod measures;
mod old_settings;
mod result;
mod schedule;

use anyhow::Result;
use clap::Subcommand;
use serde::{Deserialize, Serialize};

pub use self::knn::Knn;
pub use self::measures::Measures;
pub use self::old_settings::assign_old;
pub use self::result::{EvalResult, sha256};
pub use self::schedule::{EvalProgress, ScheduledEval};
use crate::data::Dataset;
use crate::features::Extractor;

/// All evaluations. A variant is a subcommand of `ibot eval` and a `kind` of `[[eval]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Evaluation {
    /// Classify images by the nearest neighbours of their frozen features (paper section 4.1)
    Knn(Knn),
}

impl Evaluation {
    /// The settings of the evaluation with what it does.
    pub fn task(&self) -> &dyn Task {
        match self {
            Self::Knn(knn) => knn,
        }
    }
}

/// What every evaluation does.
pub trait Task {
    /// How people call it, such as `k-NN`.
    fn title(&self) -> &'static str;

    /// Its name in commands, settings and records, such as `knn`.
    fn name(&self) -> &'static str;

    /// Section or table of the paper.
    fn paper(&self) -> &'static str;

    /// Whether a run can carry it out on the images that it trains on.
    fn suits(&self, data: &Dataset) -> bool;

    /// Evaluates.
    ///
    /// # Errors
    /// If the images do not suit the evaluation, none can be read, or the device fails.
    fn run(&self, subject: &Subject) -> Result<TaskOutput>;

    /// The measure that curves and sentences show, such as `top-1`; a share of 1.
    fn quantity(&self) -> &'static str;

    /// What tells `measure` from the other curves of the quantity, such as `k = 20`; empty if there
    /// is one curve. `None` if it measures something else.
    fn curve(&self, measure: &str) -> Option<String>;

    /// The measure that is quoted when only one is.
    fn headline<'a>(&self, measures: &'a Measures) -> Option<&'a str>;
}

/// What is evaluated.
pub struct Subject<'a> {
    /// The network, and how it sees images unless the evaluation's settings change that.
    pub extractor: Extractor<'a>,
    pub data: &'a Dataset,
    /// Images to evaluate, where these are another set than those to learn from.
    pub val: Option<&'a Dataset>,
}

/// What an evaluation found.
pub struct TaskOutput {
    pub measures: Measures,
    /// Numbers of images by their role, such as `bank`.
    pub images: Vec<(&'static str, usize)>,
    /// The measures as a table for people.
    pub table: String,
}
