//! Accuracy and calibration of the classifier in a model's file.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use ibot_core::eval::judge::Logits;
use ibot_core::eval::shift::answers;
use ibot_core::metrics::Confusion;
use ibot_core::metrics::accuracy::top_k;
use ibot_core::metrics::calibration::{Bins, rms_calibration_error};
use serde::{Deserialize, Serialize};

use super::judge::Judge;
use super::measures::Measures;
use super::sets::Subset;
use super::task::{Curve, EvalTask, Subject, TaskOutput, Unit};
use crate::data::Dataset;
use crate::features::Readout;
use crate::report::figures::confusion_picture;
use crate::report::png::save_png;

const HELP: &str = "\
Examples:
  ibot eval accuracy --data cifar10/test.tar --model runs/finetune-quick
  ibot eval accuracy --data imagenet/val --model classifier.safetensors --picture confusion.png

Classifies the images of --val, or else of --data, by the linear head in the model's file: of a run of `ibot finetune`, of
`ibot export --head`, or of timm. --head FILE takes another one. Prints top-1 and top-5, the calibration error (root mean
square over bins of 100 answers of rising confidence), and the share of each class that is found.
With --picture the confusion matrix is drawn: a row for each class, how often its images are taken for each class.";

const TOP1: &str = "top1";
/// Classes that the table lists, those that are found least often first.
const LISTED: usize = 10;

/// Settings of the evaluation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
#[command(after_help = HELP)]
#[serde(default, deny_unknown_fields)]
pub struct HeadAccuracy {
    /// File of a linear head [default: the head of the model's file]
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<PathBuf>,
    /// Most images, spread evenly over the set [default: all]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<usize>,
    /// Draw the confusion matrix into this PNG
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<PathBuf>,
}

/// How the images of a set are classified, by the places of their classes in the head.
struct Judged {
    logits: Logits,
    labels: Vec<usize>,
}

impl EvalTask for HeadAccuracy {
    fn title(&self) -> &'static str {
        "Accuracy"
    }

    fn name(&self) -> &'static str {
        "accuracy"
    }

    fn paper(&self) -> &'static str {
        "tables 2, 3 and 6"
    }

    fn suits(&self, data: &Dataset) -> bool {
        data.classes().len() > 1 && self.images != Some(0)
    }

    fn readouts(&self) -> Vec<Readout> {
        // What the head reads is known when it is.
        Vec::new()
    }

    fn needs_linear_head(&self) -> bool {
        true
    }

    fn run(&self, subject: &Subject) -> Result<TaskOutput> {
        let Some(judge) = Judge::given(self.head.as_deref(), subject)? else {
            bail!(
                "the model has no classifier: `ibot finetune` trains one, `ibot export --head` puts a linear head beside a \
                 backbone, and --head takes one from another file"
            );
        };
        let data = subject.val.unwrap_or(subject.data);
        let images = Subset::labelled_of(data, self.images.unwrap_or(usize::MAX))?;

        let places = judge.places_of(data)?;
        let rows = subject
            .features
            .rows(judge.readout(), data, &images.indices)?;
        let labels = images.labels_of(&rows.indices);
        let classified = Judged {
            labels: labels.into_iter().map(|label| places[label]).collect(),
            logits: judge.logits(rows.tensor(subject.features.device()))?,
        };

        let confusion = classified.confusion(judge.classes());
        let mut table = table(&classified, &confusion, data, &places, &judge);
        if let Some(file) = &self.picture {
            let picture = confusion_picture(&confusion, data.classes(), &places);
            save_png(&picture, file).with_context(|| format!("picture {}", file.display()))?;
            table += &format!("\n\nconfusion matrix: {}", file.display());
        }
        Ok(TaskOutput {
            measures: classified.measures(judge.classes()),
            images: judge.roles(classified.labels.len()),
            table,
        })
    }

    fn curve(&self, measure: &str) -> Option<Curve> {
        let quantity = match measure {
            TOP1 => "top-1",
            "top5" => "top-5",
            "rms_calibration" => "calibration error",
            _ => return None,
        };
        Some(Curve {
            quantity,
            unit: Unit::Share,
            label: String::new(),
        })
    }

    fn headline<'a>(&self, measures: &'a Measures) -> Option<&'a str> {
        measures.named(TOP1)
    }
}

impl Judged {
    /// Number of classes that are likelier than the right one, for each image; among equals the
    /// lower number comes first.
    fn ranks(&self) -> Vec<usize> {
        let mut ranks = Vec::with_capacity(self.labels.len());
        for (row, label) in self.logits.rows().zip(&self.labels) {
            let own = row[*label];
            let better =
                |(class, logit): (usize, &f32)| *logit > own || (*logit == own && class < *label);
            ranks.push(
                row.iter()
                    .enumerate()
                    .filter(|entry| better(*entry))
                    .count(),
            );
        }
        ranks
    }

    fn confusion(&self, classes: usize) -> Confusion {
        let predicted = self.logits.predictions();
        Confusion::new(classes, self.labels.iter().copied().zip(predicted))
    }

    fn measures(&self, classes: usize) -> Measures {
        let ranks = self.ranks();
        let mut measures = Measures::default();
        measures.push(TOP1.to_owned(), top_k(&ranks, 1));
        if classes > 5 {
            measures.push("top5".to_owned(), top_k(&ranks, 5));
        }

        let all: Vec<usize> = (0..classes).collect();
        let answers = answers(&self.logits, &all, &self.labels);
        let error = rms_calibration_error(&answers, Bins::All);
        measures.push("rms_calibration".to_owned(), error);
        measures
    }
}

fn table(
    classified: &Judged,
    confusion: &Confusion,
    data: &Dataset,
    places: &[usize],
    judge: &Judge,
) -> String {
    let count = classified.labels.len();
    let mut table = format!("{count} images, by a {}\n", judge.line());
    for (measure, value) in classified.measures(judge.classes()).iter() {
        let title = match measure {
            TOP1 => "top-1",
            "top5" => "top-5",
            _ => "calibration error",
        };
        table += &format!("\n{title:20}  {:5.1} %", 100.0 * value);
    }

    let mut shares = Vec::new();
    for (class, place) in data.classes().iter().zip(places) {
        let row = confusion.row(*place);
        let images: usize = row.iter().sum();
        if images > 0 {
            shares.push((row[*place] as f64 / images as f64, images, class));
        }
    }
    shares.sort_by(|(a, ..), (b, ..)| a.total_cmp(b));
    if shares.len() > LISTED {
        table += &format!("\n\nthe {LISTED} classes that are found least often:");
    } else {
        table += "\n\nclasses, the one that is found least often first:";
    }
    for (share, images, class) in shares.iter().take(LISTED) {
        table += &format!("\n{:5.1} % of {images:5}  {class}", 100.0 * share);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_the_likelier_classes() {
        let classified = Judged {
            logits: Logits::new(3, vec![0.5, 2.0, 1.0, 1.0, 1.0, 1.0, 3.0, 2.0, 1.0]),
            labels: vec![2, 1, 0],
        };
        assert_eq!(classified.ranks(), [1, 1, 0]);
        let measures = classified.measures(3);
        assert_eq!(measures.get("top1"), Some(1.0 / 3.0));
        assert_eq!(measures.get("top5"), None);
        assert_eq!(classified.confusion(3).row(2), [0, 1, 0]);
    }
}
