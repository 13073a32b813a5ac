//! Accuracy and calibration on images from another distribution, such as ImageNet-A and ImageNet-R.

mod choice;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use ibot_core::metrics::calibration::{BIN, Bins, aurra, rms_calibration_error};
use serde::{Deserialize, Serialize};

use self::choice::{Among, Choice, Found};
use super::judge::Judge;
use super::measures::Measures;
use super::sets::{SetLimits, Sets, Subset, spread};
use super::task::{Curve, EvalTask, Subject, TaskOutput, Unit};
use crate::data::Dataset;
use crate::features::Readout;

const HELP: &str = "\
Examples:
  ibot eval shift --data imagenet/val --val imagenet-a --model classifier.safetensors
  ibot eval shift --data imagenet-r --model classifier.safetensors --head imagenet-head.safetensors
  ibot eval shift --data photos/ --val drawings/ --model runs/photos

The images of --val have some of the classes of a linear head: the 200 of ImageNet-A or ImageNet-R, which are recognised
by their names, or any others. The head chooses among these classes alone. Prints the accuracy, the calibration error
(root mean square over bins of 100 answers of rising confidence) and AURRA (the mean accuracy of the n most confident
answers over all n). The official code leaves the most confident bin out of the error; both values are printed.
With --val, the images of --data that have one of these classes are the clean ones: their accuracy and the gap are
printed, too. Without --val the images are those of --data.
The head is that of the model's file, --head FILE (of `ibot eval linear --save-head`), or one that is fitted to a part
of --data; the other part is then the clean images. Pixels and random weights always get a head of their own.";

const TOP1: &str = "top1";

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
#[command(after_help = HELP)]
#[serde(default, deny_unknown_fields)]
pub struct Shift {
    /// The classes to choose among [default: those of ImageNet-A or ImageNet-R if the images have
    /// all of these, else those of the images]
    #[arg(long, value_enum, value_name = "SET")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub among: Option<Among>,
    /// File of a linear head, or `fit` [default: the head of the model's file, or else `fit`]
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<PathBuf>,
    /// Most images to fit a head to, spread evenly over the set [default: 10000]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_images: Option<usize>,
    /// Most images to judge of each set, spread evenly over it [default: all, or 2000 clean ones if a
    /// head is fitted]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_images: Option<usize>,
}

impl EvalTask for Shift {
    fn title(&self) -> &'static str {
        "Distribution shift"
    }

    fn name(&self) -> &'static str {
        "shift"
    }

    fn paper(&self) -> &'static str {
        "table 8"
    }

    fn meaning(&self) -> &'static str {
        "It is the share of images of another kind whose class is found among those that they have."
    }

    fn suits(&self, data: &Dataset) -> bool {
        data.classes().len() > 1 && !self.limits().is_empty()
    }

    fn readouts(&self) -> Vec<Readout> {
        vec![Judge::FITTED_READOUT]
    }

    fn needs_linear_head(&self) -> bool {
        true
    }

    fn run(&self, subject: &Subject) -> Result<TaskOutput> {
        let Subject { data, features, .. } = *subject;
        let limit = self.val_images.unwrap_or(usize::MAX);
        let (judge, clean) = match Judge::given(self.head.as_deref(), subject)? {
            // All of them: the limit applies to those that have one of the chosen classes.
            Some(judge) => (judge, Subset::labelled_of(data, usize::MAX)?),
            None => {
                let sets = Sets::choose(data, None, self.limits())?;
                (Judge::fit(&sets.train, features)?, sets.val)
            }
        };
        let shifted = match subject.val {
            Some(val) => Subset::labelled_of(val, limit)?,
            None => Subset {
                data,
                indices: spread(&clean.indices, limit),
            },
        };

        let choice = Choice::of(self.among, &judge, shifted.data)?;
        let found = choice.found(&judge, &shifted, features)?;
        let mut judged = found.answers.len();
        let clean = match subject.val {
            Some(_) => choice.clean(&judge, &clean, limit, features)?,
            None => None,
        };
        judged += clean.as_ref().map_or(0, |clean| clean.answers.len());

        Ok(TaskOutput {
            measures: measures(&found, clean.as_ref()),
            images: judge.roles(judged),
            table: table(&found, clean.as_ref(), &choice, &judge),
        })
    }

    fn curve(&self, measure: &str) -> Option<Curve> {
        let (quantity, label) = match measure {
            TOP1 => ("top-1", "shifted"),
            "top1_clean" => ("top-1", "clean"),
            "gap" => ("top-1 lost to the shift", ""),
            "rms_calibration" => ("calibration error", "all bins"),
            "rms_calibration_official" => ("calibration error", "without the last bin"),
            "aurra" => ("AURRA", ""),
            _ => return None,
        };
        Some(Curve {
            quantity,
            unit: Unit::Share,
            label: label.to_owned(),
        })
    }

    fn headline<'a>(&self, measures: &'a Measures) -> Option<&'a str> {
        measures.named(TOP1)
    }
}

impl Shift {
    fn limits(&self) -> SetLimits {
        SetLimits {
            train: self.train_images,
            val: self.val_images,
        }
    }
}

/// The official error is missing where it has no bin.
fn measures(found: &Found, clean: Option<&Found>) -> Measures {
    let answers = &found.answers;
    let mut measures = Measures::default();
    measures.push(TOP1.to_owned(), found.top1());
    if let Some(clean) = clean {
        measures.push("top1_clean".to_owned(), clean.top1());
        measures.push("gap".to_owned(), clean.top1() - found.top1());
    }
    let error = rms_calibration_error(answers, Bins::All);
    measures.push("rms_calibration".to_owned(), error);
    if answers.len() >= 2 * BIN {
        let error = rms_calibration_error(answers, Bins::AllButLast);
        measures.push("rms_calibration_official".to_owned(), error);
    }
    measures.push("aurra".to_owned(), aurra(answers));
    measures
}

fn table(found: &Found, clean: Option<&Found>, choice: &Choice, judge: &Judge) -> String {
    let (count, name) = (found.answers.len(), &choice.name);
    let mut table = format!("{count} images among {name}, by a {}\n", judge.line());
    for (measure, value) in measures(found, clean).iter() {
        let title = match measure {
            TOP1 => "top-1",
            "top1_clean" => "top-1 of clean images of these classes",
            "gap" => "gap",
            "rms_calibration" => "calibration error",
            "rms_calibration_official" => "calibration error without the most confident bin",
            _ => "AURRA",
        };
        table += &format!("\n{title:48}  {:5.1} %", 100.0 * value);
    }
    if count < 2 * BIN {
        table += &format!(
            "\nThe official calibration error needs {} images: it leaves the last bin of {BIN} out.",
            2 * BIN
        );
    }
    table
}
