//! What every evaluation takes, does and gives.

use anyhow::Result;
use ibot_core::model::Head;

use super::measures::Measures;
use crate::data::Dataset;
use crate::features::{FeatureStore, Readout};
use crate::linear_head::LinearHeads;

/// What every evaluation does.
pub trait EvalTask {
    /// How people call it, such as `k-NN`.
    fn title(&self) -> &'static str;

    /// Its name in commands, settings and records, such as `knn`.
    fn name(&self) -> &'static str;

    /// Section or table of the paper.
    fn paper(&self) -> &'static str;

    /// What its quoted figure says of a model, for people who do not know the evaluation; empty if
    /// its name says all.
    fn meaning(&self) -> &'static str {
        ""
    }

    /// Whether a run can carry it out on the images that it trains on.
    fn suits(&self, data: &Dataset) -> bool;

    /// Opens the images that `spec` names, in the official layout of the evaluation if it has one.
    fn open(&self, spec: &str) -> Result<Dataset> {
        Ok(Dataset::open(spec)?)
    }

    /// What it reads from images, so that several evaluations can share one pass.
    fn readouts(&self) -> Vec<Readout>;

    /// Whether it looks at the projection head of the network too.
    fn needs_head(&self) -> bool {
        false
    }

    /// Whether it classifies by a linear head, which the file of the network may hold.
    fn needs_linear_head(&self) -> bool {
        false
    }

    /// Whether it asks for the classes of pixels.
    fn needs_pixel_labels(&self) -> bool {
        false
    }

    /// Whether patches of plain pixels can take the place of patch tokens.
    fn takes_pixel_patches(&self) -> bool {
        false
    }

    /// Evaluates.
    fn run(&self, subject: &Subject) -> Result<TaskOutput>;

    /// How curves and sentences show `measure`; `None` if they leave it out.
    fn curve(&self, measure: &str) -> Option<Curve>;

    /// The measure that is quoted when only one is.
    fn headline<'a>(&self, measures: &'a Measures) -> Option<&'a str>;
}

/// How a measure is drawn and quoted. The curves of one quantity share a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Curve {
    /// What is measured, such as `top-1`.
    pub quantity: &'static str,
    pub unit: Unit,
    /// What tells it from the other curves of the quantity, such as `k = 20`; empty if there is one
    /// curve.
    pub label: String,
}

impl Curve {
    /// A top-1 accuracy.
    pub fn top1(label: String) -> Self {
        Self {
            quantity: "top-1",
            unit: Unit::Share,
            label,
        }
    }

    /// The same with `prefix` before its label.
    pub fn labelled(self, prefix: &str) -> Self {
        let label = format!("{prefix}{}", self.label);
        Self { label, ..self }
    }
}

/// How people read the values of a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A share of 1, shown in percent.
    Share,
    Number,
}

impl Unit {
    /// A value as people read it: a share with one decimal of a percent, a small number with three
    /// digits, a whole one without decimals.
    pub fn show(self, value: f64) -> String {
        match self {
            _ if !value.is_finite() => "not finite".to_owned(),
            Self::Share => format!("{:.1} %", 100.0 * value),
            Self::Number if value.fract() == 0.0 => format!("{value}"),
            Self::Number if value.abs() < 0.001 => format!("{value:.2e}"),
            Self::Number if value.abs() < 1.0 => format!("{value:.3}"),
            Self::Number => format!("{value:.1}"),
        }
    }
}

/// What is evaluated.
pub struct Subject<'a> {
    /// The features of images, computed when they are first asked for.
    pub features: &'a FeatureStore,
    /// The projection head of the network, where it is known.
    pub head: Option<&'a Head>,
    /// The linear heads that fit the network; `None` for pixels and random weights, which no head in
    /// a file was learned for, and where no evaluation needs one.
    pub linear_heads: Option<&'a LinearHeads>,
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
