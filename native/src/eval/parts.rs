//! The part-wise linear evaluation: linear classifiers on few patches.

mod score;

use std::path::PathBuf;

use anyhow::{Result, anyhow, bail, ensure};
use clap::Args;
use ibot_core::eval::best_head;
use ibot_core::eval::linear::{LinearFit, LinearSweep, official_rates};
use serde::{Deserialize, Serialize};

use self::score::{PartScore, TOP1, curve, measures, table};
use super::linear::usual_batch;
use super::measures::Measures;
use super::probes::{Augmented, LinearProbe, Probe, ProbeTraining};
use super::sets::{SetLimits, Sets};
use super::task::{Curve, EvalTask, Subject, TaskOutput};
use crate::data::Dataset;
use crate::features::{FeatureStore, Readout};
use crate::files::write_atomically;

const HELP: &str = "\
Examples:
  ibot eval parts --data cifar10/train.tar --val cifar10/test.tar --model runs/cifar --svg parts.svg
  ibot eval parts --data imagenet/train --val imagenet/val --model vit_small.pth --epochs 100
  ibot eval parts --data photos/ --model runs/photos --patches 1,4,16 --lowest

How much do a few patches know of the whole image? For each k of --patches the feature of an image is the mean of the k
patch tokens that CLS attends to most in the last block (mean over heads; tokens without the final norm). The official
sweep of 45 linear heads learns from it, on features that are computed once unless --augment is given. Prints the best
head of any epoch, which is what the official code reports, and the best of the last epoch.
A k beyond the grid takes all patches.";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[command(after_help = HELP)]
#[serde(default, deny_unknown_fields)]
pub struct Parts {
    /// Numbers of patches, each with classifiers of its own
    #[arg(long, value_name = "K,...", value_delimiter = ',', default_values_t = Self::PATCHES)]
    pub patches: Vec<usize>,
    /// Take the patches with the least attention in place of those with the most
    #[arg(long)]
    pub lowest: bool,
    /// Show other random crops and flips to the network in every epoch, as the official code, in one
    /// pass for all numbers of patches
    #[arg(long)]
    pub augment: bool,
    /// Passes over the images
    #[arg(long, value_name = "N", default_value_t = Self::EPOCHS)]
    pub epochs: usize,
    /// Images of a step [default: 1024, fewer for less than 16384 images]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// Most images to learn from, spread evenly over the set [default: all, or 10000 if --val is
    /// missing]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_images: Option<usize>,
    /// Most images to classify, spread evenly over the set [default: all, or 2000 if --val is
    /// missing]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_images: Option<usize>,
    /// Seed of the first weights and of the order of images
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Draw the curve of accuracy over patches into an SVG file
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub svg: Option<PathBuf>,
}

impl Parts {
    // The official list.
    const PATCHES: [usize; 6] = [1, 7, 14, 56, 112, 196];
    // Features that do not change need fewer than the official 100.
    const EPOCHS: usize = 30;

    fn limits(&self) -> SetLimits {
        SetLimits {
            train: self.train_images,
            val: self.val_images,
        }
    }

    fn readout(&self, patches: usize) -> Readout {
        Readout::Salient {
            patches,
            lowest: self.lowest,
        }
    }
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            patches: Self::PATCHES.to_vec(),
            lowest: false,
            augment: false,
            epochs: Self::EPOCHS,
            batch_size: None,
            train_images: None,
            val_images: None,
            seed: 0,
            svg: None,
        }
    }
}

impl EvalTask for Parts {
    fn title(&self) -> &'static str {
        "Part-wise linear"
    }

    fn name(&self) -> &'static str {
        "parts"
    }

    fn paper(&self) -> &'static str {
        "figure 5"
    }

    fn meaning(&self) -> &'static str {
        "It is the share of images whose class a linear layer tells from the patches that the \
         network itself attends to most."
    }

    fn suits(&self, data: &Dataset) -> bool {
        data.classes().len() > 1 && !self.limits().is_empty()
    }

    fn readouts(&self) -> Vec<Readout> {
        self.patches.iter().map(|k| self.readout(*k)).collect()
    }

    fn run(&self, subject: &Subject) -> Result<TaskOutput> {
        ensure!(
            self.epochs > 0 && self.batch_size != Some(0),
            "classifiers need at least one epoch, and a batch at least one image"
        );
        let numbers = numbers(&self.patches, grid(subject.features)?)?;
        let sets = Sets::choose(subject.data, subject.val, self.limits())?;
        let classes = subject.data.classes().len();
        let images = vec![
            ("train", sets.train.indices.len()),
            ("val", sets.val.indices.len()),
        ];

        let count = sets.train.indices.len();
        let batch = self.batch_size.unwrap_or_else(|| usual_batch(count));
        let rates = official_rates(batch);
        let device = subject.features.device();
        let mut sweeps = Vec::with_capacity(numbers.len());
        for Number { asked, .. } in &numbers {
            let readout = self.readout(*asked);
            let val = sets.val.labelled(readout, subject.features)?;
            let width = val.features.dims()[1];
            let sweep = LinearSweep::new(width, classes, rates.clone(), self.seed, device)?;
            let fit = LinearFit::new(sweep, self.epochs, val)?;
            sweeps.push(LinearProbe { readout, fit });
        }

        let training = ProbeTraining {
            images: Augmented {
                images: &sets.train,
                features: subject.features,
                batch,
                seed: self.seed,
            },
            epochs: self.epochs,
            augments: self.augment,
        };
        let mut probes: Vec<&mut dyn Probe> = Vec::with_capacity(sweeps.len());
        for sweep in &mut sweeps {
            probes.push(sweep);
        }
        training.run(&mut probes)?;

        let mut scores = Vec::with_capacity(numbers.len());
        for (number, sweep) in numbers.iter().zip(&sweeps) {
            scores.push(score(number.shown, &sweep.fit)?);
        }

        if let Some(file) = &self.svg {
            let svg = curve(&scores, classes, self.lowest);
            write_atomically(file, svg.as_bytes())?;
        }
        Ok(TaskOutput {
            measures: measures(&scores),
            images,
            table: table(&scores),
        })
    }

    fn curve(&self, measure: &str) -> Option<Curve> {
        let patches = measure.strip_prefix(TOP1)?;
        Some(Curve::top1(format!("patches = {patches}")))
    }

    fn headline<'a>(&self, measures: &'a Measures) -> Option<&'a str> {
        // The largest number of patches comes last, and is nearest to the whole image.
        let names = measures.iter().map(|(name, _)| name);
        names.rev().find(|name| name.starts_with(TOP1))
    }
}

fn score(patches: usize, fit: &LinearFit) -> Result<PartScore> {
    // An epoch without a head that can be judged has ended in an error.
    let untrained = || anyhow!("the classifiers were not trained");
    let last = best_head(fit.scores()).ok_or_else(untrained)?;
    Ok(PartScore {
        patches,
        best: fit.best().ok_or_else(untrained)?.score,
        last: fit.scores()[last],
    })
}

#[derive(Debug, PartialEq, Eq)]
struct Number {
    /// At most all.
    shown: usize,
    /// As the settings have it, so that the planned readout is the one that is read.
    asked: usize,
}

/// The numbers of the list, those beyond the grid once, as all its `patches`.
fn numbers(list: &[usize], patches: usize) -> Result<Vec<Number>> {
    let mut sorted = list.to_vec();
    sorted.sort_unstable();

    let mut numbers: Vec<Number> = Vec::new();
    for asked in sorted {
        let shown = asked.min(patches);
        if shown == 0 {
            bail!("a classifier on 0 patches sees nothing: give numbers from 1");
        }
        if numbers.last().is_none_or(|last| last.shown < shown) {
            numbers.push(Number { shown, asked });
        }
    }
    if numbers.is_empty() {
        bail!("no number of patches is given");
    }
    Ok(numbers)
}

fn grid(features: &FeatureStore) -> Result<usize> {
    let Some(backbone) = features.backbone() else {
        bail!("plain pixels have no patch tokens; give a network as the model");
    };
    if !backbone.has_attention() {
        bail!("parts are the patches that CLS attends to, and this network has no CLS token");
    }
    Ok((features.view().size / backbone.stride()).pow(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_with_the_grid() {
        let shown = |list: &[usize], patches| -> Vec<(usize, usize)> {
            let numbers = numbers(list, patches).expect("sound numbers");
            let pairs = numbers
                .into_iter()
                .map(|number| (number.shown, number.asked));
            pairs.collect()
        };
        assert_eq!(
            shown(&Parts::PATCHES, 16),
            [(1, 1), (7, 7), (14, 14), (16, 56)]
        );
        assert_eq!(shown(&[14, 2, 2], 196), [(2, 2), (14, 14)]);
        assert!(numbers(&[0, 1], 16).is_err() && numbers(&[], 16).is_err());
    }
}
