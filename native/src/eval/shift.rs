//! Accuracy and calibration on images from another distribution, such as ImageNet-A and ImageNet-R.

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use clap::{Args, ValueEnum};
use ibot_core::eval::imagenet;
use ibot_core::eval::shift::{ImageNetSubset, answers};
use ibot_core::metrics::calibration::{Answer, BIN, Bins, aurra, rms_calibration_error};
use serde::{Deserialize, Serialize};

use super::judge::Judge;
use super::measures::Measures;
use super::sets::{SetLimits, Sets, Subset, spread};
use super::task::{Curve, EvalTask, Subject, TaskOutput, Unit};
use crate::data::Dataset;
use crate::features::{FeatureStore, Readout};

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

/// Classes to choose among.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Among {
    /// The 200 of ImageNet-A.
    ImagenetA,
    /// The 200 of ImageNet-R.
    ImagenetR,
    /// Those of the images.
    Images,
}

/// The classes that an answer can have.
struct Choice {
    /// Places among the classes of the head.
    places: Vec<usize>,
    /// What they are, for people.
    name: String,
}

/// What was found on a set of images.
struct Found {
    answers: Vec<Answer>,
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

        let choice = self.choice(&judge, shifted.data)?;
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

    /// The classes that answers to the images of `data` can have.
    fn choice(&self, judge: &Judge, data: &Dataset) -> Result<Choice> {
        let own = judge.places_of(data)?;
        let is_imagenet = judge.classes() == imagenet::CLASSES;
        // Folders order classes by name, ImageNet by its own numbers.
        let mut sorted = own.clone();
        sorted.sort_unstable();
        let recognised = ImageNetSubset::ALL
            .into_iter()
            .find(|subset| is_imagenet && sorted == subset.places());

        let subset = match self.among {
            None => recognised,
            Some(Among::ImagenetA) => Some(ImageNetSubset::A),
            Some(Among::ImagenetR) => Some(ImageNetSubset::R),
            Some(Among::Images) => None,
        };
        let Some(subset) = subset else {
            return Ok(Choice {
                name: format!("the {} classes of the images", own.len()),
                places: own,
            });
        };
        let name = subset.name();
        ensure!(
            is_imagenet,
            "the classes of {name} are 200 of ImageNet's 1000, the head has {}: leave --among out, or give an ImageNet head",
            judge.classes()
        );
        for (place, class) in own.iter().zip(data.classes()) {
            ensure!(
                subset.places().contains(place),
                "{}: the class `{class}` is none of {name}; leave --among out to choose among the classes of the images",
                data.description()
            );
        }
        Ok(Choice {
            places: subset.places().to_vec(),
            name: format!("the 200 classes of {name}"),
        })
    }
}

impl Choice {
    /// The answers to `images`, whose classes are all among these.
    fn found(&self, judge: &Judge, images: &Subset, features: &FeatureStore) -> Result<Found> {
        let own = judge.places_of(images.data)?;
        let rows = features.rows(judge.readout(), images.data, &images.indices)?;
        let mut labels = Vec::with_capacity(rows.indices.len());
        for class in images.labels_of(&rows.indices) {
            let among = self.places.iter().position(|place| *place == own[class]);
            match among {
                Some(among) => labels.push(among),
                None => bail!("class {class} is none of {}", self.name),
            }
        }
        let logits = judge.logits(rows.tensor(features.device()))?;
        Ok(Found {
            answers: answers(&logits, &self.places, &labels),
        })
    }

    /// The answers to those of the `clean` images that have one of these classes; `None` without
    /// such images.
    fn clean(
        &self,
        judge: &Judge,
        clean: &Subset,
        limit: usize,
        features: &FeatureStore,
    ) -> Result<Option<Found>> {
        let own = judge.places_of(clean.data)?;
        let mut matching = clean.indices.clone();
        matching.retain(|image| {
            let class = clean.data.label(*image);
            class.is_some_and(|class| self.places.contains(&own[class]))
        });
        if matching.is_empty() {
            return Ok(None);
        }
        let images = Subset {
            data: clean.data,
            indices: spread(&matching, limit),
        };
        self.found(judge, &images, features).map(Some)
    }
}

impl Found {
    fn top1(&self) -> f64 {
        let right = self.answers.iter().filter(|answer| answer.is_right).count();
        right as f64 / self.answers.len().max(1) as f64
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
