//! What a suite found.

use super::config::{SuiteConfig, SuiteEntry};
use super::title::title;
use crate::eval::{Measures, measure_title, shown};
use crate::features::EvalView;

/// What the suite found about one subject: the model, or what it is compared with.
#[derive(Clone, Debug)]
pub struct SuiteOutcome {
    /// What the subject is called, such as `model` or `pixels`.
    pub subject: String,
    /// An outcome for each entry of the suite, in order.
    pub outcomes: Vec<Outcome>,
}

/// How an evaluation ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    Found(Finding),
    /// It failed, for this reason.
    Failed(String),
    /// It cannot be carried out on these images or this model, for this reason.
    LeftOut(&'static str),
}

/// What an evaluation found.
#[derive(Clone, Debug)]
pub struct Finding {
    pub measures: Measures,
    /// Numbers of images by their role.
    pub images: Vec<(&'static str, usize)>,
    pub view: EvalView,
    /// Images that went through the network; the features of others were kept from before.
    pub encoded: usize,
    pub seconds: f64,
}

impl Outcome {
    pub fn finding(&self) -> Option<&Finding> {
        match self {
            Self::Found(finding) => Some(finding),
            Self::Failed(_) | Self::LeftOut(_) => None,
        }
    }
}

/// Of the titles of evaluations on the terminal.
const WIDTH: usize = 22;

/// The outcome of an evaluation as a line for the terminal.
pub fn outcome_line(suite: &SuiteConfig, entry: &SuiteEntry, outcome: &Outcome) -> String {
    let task = entry.evaluation.task();
    let name = title(suite, entry);
    let finding = match outcome {
        Outcome::Found(finding) => finding,
        Outcome::Failed(reason) => return format!("{name:<WIDTH$}  failed: {reason}"),
        Outcome::LeftOut(reason) => return format!("{name:<WIDTH$}  left out: {reason}"),
    };

    let measure = task.headline(&finding.measures);
    let quoted = measure.and_then(|measure| Some((measure, finding.measures.get(measure)?)));
    let figure = quoted.map_or(String::new(), |(measure, value)| {
        let value = shown(Some(task), measure, value);
        format!("{value} {}", measure_title(task, measure))
    });
    let (seconds, encoded) = (finding.seconds, finding.encoded);
    let pass = match encoded {
        0 => String::new(),
        encoded => format!("  with {encoded} images through the network"),
    };
    format!("{name:<WIDTH$}  {figure:<32}  {seconds:6.1} s{pass}")
}
