//! Errors on corrupted images.

mod released;
mod report;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use ibot_core::eval::corruptions::CorruptionErrors;
use ibot_core::image::corrupt::{Corruption, LEAST_SIDE, Severity};
use serde::{Deserialize, Serialize};

use self::released::{Setting, folder_of};
use self::report::{ERROR, ErrorReport, STANDARD};
use super::judge::{Judge, accuracy};
use super::measures::Measures;
use super::sets::{SetLimits, Subset};
use super::task::{Curve, EvalTask, Subject, TaskOutput, Unit};
use crate::data::{CorruptionOf, Dataset, ImageChange};
use crate::features::{FeatureStore, Readout};

const HELP: &str = "\
Examples:
  ibot eval corruptions --data builtin --val builtin:val --model runs/builtin --beside pixels,untrained
  ibot eval corruptions --data imagenet/val --model classifier.safetensors --corrupted imagenet-c/

Images are corrupted in 19 ways at five severities (ImageNet-C), and the errors of a classifier are counted. The view of
an image is corrupted, as in the benchmark. With --corrupted the benchmark's own files are read: folders
<corruption>/<severity>/<class>, or in a folder each for noise, blur, weather, digital and extra.
The classes are found by the linear head of the model's file, by --head FILE (of `ibot eval linear --save-head`), or
else by a head that is fitted to clean images of --data. Pixels and random weights always get a head of their own.
Prints the errors, and their means: over the 15 standard corruptions, over all (the official code prints that over 19 as
mCE), and for a head of ImageNet's 1000 classes the standard mCE, which divides by the errors of AlexNet.";

/// Classes of the benchmark, for which the errors of AlexNet are known.
const IMAGENET: usize = 1000;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
#[command(after_help = HELP)]
#[serde(default, deny_unknown_fields)]
pub struct Corruptions {
    /// File of a linear head, or `fit` [default: the head of the model's file, or else `fit`]
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<PathBuf>,
    /// Folder with corrupted images as ImageNet-C has them [default: images are corrupted here]
    #[arg(long, value_name = "FOLDER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrupted: Option<PathBuf>,
    /// Corruptions by their names in ImageNet-C [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub corruption: Vec<Corruption>,
    /// Severities, 1 to 5 [default: all]
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub severity: Vec<Severity>,
    /// Most images to fit a head to, spread evenly over the set [default: all, or 10000 if --val is
    /// missing]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_images: Option<usize>,
    /// Most images to judge at each setting, spread evenly over the set [default: all, or 2000 if a
    /// head is fitted and --val is missing]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_images: Option<usize>,
    /// Seed of the corruptions
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

impl EvalTask for Corruptions {
    fn title(&self) -> &'static str {
        "Corruptions"
    }

    fn name(&self) -> &'static str {
        "corruptions"
    }

    fn paper(&self) -> &'static str {
        "table 8"
    }

    fn meaning(&self) -> &'static str {
        "It is the share of corrupted images (noise, blur, weather, compression) whose class is not \
         found: low where features stay the same."
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
        let features = subject.features;
        let side = features.view().size;
        ensure!(
            self.corrupted.is_some() || side >= LEAST_SIDE,
            "corruptions need a view of {LEAST_SIDE} pixels, and the model sees {side}: give a larger --size, or stored images as --corrupted"
        );
        let (judge, images) = Judge::choose(self.head.as_deref(), subject, self.limits())?;
        let (clean, judged) = error_of(&judge, &images, features)?;

        let mut errors = CorruptionErrors::default();
        let mut missing = Vec::new();
        for setting in Corruption::settings(&self.corruption, &self.severity) {
            let (corruption, severity) = setting;
            match self.corrupted_images(setting, &images, features) {
                None => missing.push(format!("{corruption}/{severity}")),
                Some(corrupted) => {
                    match corrupted.and_then(|data| self.error_on(&data, &judge, &images, features))
                    {
                        Ok(error) => errors.add(corruption, severity, error),
                        Err(error) => {
                            eprintln!("warning: {corruption}/{severity}: {error:#} (left out)");
                        }
                    }
                }
            }
        }
        ensure!(
            errors.mean().is_some(),
            "no corrupted image could be judged{}",
            self.looked_for()
        );

        // AlexNet's errors are of ImageNet's 1000 classes, and of a network that has learned from
        // all of them.
        let knows_imagenet = judge.classes() == IMAGENET && !judge.is_fitted();
        let found = ErrorReport {
            clean,
            mce: errors.mce().filter(|_| knows_imagenet),
            errors,
        };
        let mut table = format!("by a {}\n\n{}", judge.line(), found.table());
        if !missing.is_empty() {
            table += &format!("\nnot there, and left out: {}", missing.join(", "));
        }
        Ok(TaskOutput {
            measures: found.measures(),
            images: judge.roles(judged),
            table,
        })
    }

    fn curve(&self, measure: &str) -> Option<Curve> {
        let kind = measure.strip_prefix(ERROR)?;
        Some(Curve {
            quantity: "error",
            unit: Unit::Share,
            label: kind.replace('_', " "),
        })
    }

    fn headline<'a>(&self, measures: &'a Measures) -> Option<&'a str> {
        measures.named(STANDARD).or(measures.named("error_mean"))
    }
}

impl Corruptions {
    fn limits(&self) -> SetLimits {
        SetLimits {
            train: self.train_images,
            val: self.val_images,
        }
    }

    /// The images of a setting: those of a folder, or `clean` ones that are corrupted when they are
    /// loaded. `None` if the folder is not there.
    fn corrupted_images(
        &self,
        setting: Setting,
        clean: &Subset,
        features: &FeatureStore,
    ) -> Option<Result<Dataset>> {
        let view = features.view();
        let change = ImageChange {
            side: view.size,
            resized: (view.size as f64 * view.resize_ratio).round() as usize,
            corruption: None,
        };
        let Some(root) = &self.corrupted else {
            let (kind, severity) = setting;
            let corruption = Some(CorruptionOf {
                kind,
                severity,
                seed: self.seed,
            });
            let change = ImageChange {
                corruption,
                ..change
            };
            return Some(Ok(clean.data.changed(change)));
        };

        let folder = folder_of(root, setting)?;
        let opened = Dataset::open(&folder.to_string_lossy());
        Some(opened.map(|data| data.changed(change)).map_err(Into::into))
    }

    fn error_on(
        &self,
        data: &Dataset,
        judge: &Judge,
        clean: &Subset,
        features: &FeatureStore,
    ) -> Result<f64> {
        let images = match &self.corrupted {
            // The same images as those that are judged clean.
            None => Subset {
                data,
                indices: clean.indices.clone(),
            },
            Some(_) => Subset::labelled_of(data, self.val_images.unwrap_or(usize::MAX))?,
        };
        let error = error_of(judge, &images, features);
        // Nothing asks for them again, and there may be 95 such sets.
        features.forget(data);
        Ok(error?.0)
    }

    fn looked_for(&self) -> String {
        match &self.corrupted {
            Some(root) => format!(
                ": {} has no folder such as gaussian_noise/1 or noise/gaussian_noise/1",
                root.display()
            ),
            None => String::new(),
        }
    }
}

fn error_of(judge: &Judge, images: &Subset, features: &FeatureStore) -> Result<(f64, usize)> {
    let places = judge.places_of(images.data)?;
    let rows = features.rows(judge.readout(), images.data, &images.indices)?;
    let labels = images.labels_of(&rows.indices);
    let expected: Vec<usize> = labels.iter().map(|label| places[*label]).collect();
    let found = judge.predictions(rows, features)?;
    Ok((1.0 - accuracy(&found, &expected)?, expected.len()))
}
