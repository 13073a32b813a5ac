//! The evaluation: its settings, and how it goes through the images.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use ibot_core::eval::linear::{LinearFit, LinearSweep, official_rates, scaled_rate};
use ibot_core::weights::HeadHeader;
use serde::{Deserialize, Serialize};

use super::super::measures::Measures;
use super::super::probes::{
    Augmented, LinearProbe, Probe, ProbeTraining, curve, headline, measures, table,
};
use super::super::sets::{SetLimits, Sets};
use super::super::task::{Curve, EvalTask, Subject, TaskOutput};
use super::batch::usual_batch;
use super::beside::{self, Beside};
use super::save::save_head;
use crate::data::Dataset;
use crate::features::{PatchMean, Pooling, Readout};

const HELP: &str = "\
Examples:
  ibot eval linear --data cifar10/train.tar --val cifar10/test.tar --model runs/cifar
  ibot eval linear --data imagenet/train --val imagenet/val --model vit_base.pth --cls-blocks 1 --patch-mean
  ibot eval linear --data photos/ --model runs/photos --cached --save-head photos-head.safetensors

Linear classifiers learn the classes of --data from features of the frozen network, and classify the images of --val:
45 side by side, which differ in their learning rate only ({1..9} x 10^{-4..0} x batch / 256; SGD with momentum 0.9,
half a cosine over the epochs). Every epoch shows new random crops and flips to the network, as in the official code.
With --cached each image goes through the network once, without augmentation, and training takes seconds.
Prints top-1 and top-5 of the best heads after the last epoch, and of the best head of any epoch, which is what the
official code reports. It is chosen by the images that it is measured on.
The paper takes --cls-blocks 4 for ViT-S, and --cls-blocks 1 --patch-mean for ViT-B and ViT-L.";

// Blocks whose CLS tokens are joined, as the official script does by default.
const CLS_BLOCKS: usize = 4;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[command(after_help = HELP)]
#[serde(default, deny_unknown_fields)]
pub struct Linear {
    /// Let each image go through the network once, without augmentation
    #[arg(long)]
    pub cached: bool,
    /// Passes over the images
    #[arg(long, default_value_t = 100)]
    pub epochs: usize,
    /// Images of a step [default: 1024, fewer for less than 16384 images]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// Learning rates for batches of 256 images, each a head of its own [default: the 45 of the
    /// official code]
    #[arg(long, value_name = "RATES", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lr: Vec<f64>,
    /// Number of last blocks whose CLS tokens are joined; 0 leaves CLS out [default: 4, or all of
    /// fewer]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cls_blocks: Option<usize>,
    /// Also take the mean of the patch tokens of the last block
    #[arg(long)]
    pub patch_mean: bool,
    /// Take the mean of the patch tokens of the last block without the final norm, and nothing else
    #[arg(long, conflicts_with_all = ["cls_blocks", "patch_mean"])]
    pub raw_patches: bool,
    /// Also train the probes of `ibot eval attentive` on the patch tokens, in the same pass
    #[arg(long)]
    pub attentive: bool,
    /// Seed of the first weights, of the order of the images and of their crops
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
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
    /// Write the best head of any epoch to a safetensors file, for `ibot export --head`
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub save_head: Option<PathBuf>,
}

// What an entry of `[[eval]]` starts from: cached and short, so that a run can afford it. The
// command starts from the official settings.
impl Default for Linear {
    fn default() -> Self {
        Self {
            cached: true,
            epochs: 10,
            batch_size: None,
            lr: Vec::new(),
            cls_blocks: None,
            patch_mean: false,
            raw_patches: false,
            attentive: false,
            seed: 0,
            train_images: None,
            val_images: None,
            save_head: None,
        }
    }
}

impl EvalTask for Linear {
    fn title(&self) -> &'static str {
        "Linear"
    }

    fn name(&self) -> &'static str {
        "linear"
    }

    fn paper(&self) -> &'static str {
        "tables 1 and 2"
    }

    fn meaning(&self) -> &'static str {
        "It is the share of images whose class a linear layer finds that was trained on the features: \
         high where they tell the classes apart. The best epoch is chosen by these same images."
    }

    fn suits(&self, data: &Dataset) -> bool {
        data.classes().len() > 1 && !self.limits().is_empty()
    }

    fn readouts(&self) -> Vec<Readout> {
        let mut readouts = vec![Readout::Pooled(self.pooling())];
        if self.attentive {
            readouts.push(Readout::Patches);
        }
        readouts
    }

    fn run(&self, subject: &Subject) -> Result<TaskOutput> {
        let pooling = self.checked_pooling(subject)?;
        let sets = Sets::choose(subject.data, subject.val, self.limits())?;
        let images = sets.train.indices.len();
        let batch = self.batch_size.unwrap_or_else(|| usual_batch(images));

        let readout = Readout::Pooled(self.pooling());
        let val = sets.val.labelled(readout, subject.features)?;
        let judged = val.labels.len();
        let classes = subject.data.classes().len();
        let device = subject.features.device();
        let width = val.features.dims()[1];
        let sweep = LinearSweep::new(width, classes, self.rates(batch), self.seed, device)?;
        let mut heads = LinearProbe {
            readout,
            fit: LinearFit::new(sweep, self.epochs, val)?,
        };
        let beside = Beside {
            classes,
            steps: self.epochs * images.div_ceil(batch),
            seed: self.seed,
        };
        let wanted = self.attentive.then(|| beside.probe(subject, &sets.val));
        let mut attentive = wanted.transpose()?;

        let training = ProbeTraining {
            images: Augmented {
                images: &sets.train,
                features: subject.features,
                batch,
                seed: self.seed,
            },
            epochs: self.epochs,
            augments: !self.cached,
        };
        let mut probes: Vec<&mut dyn Probe> = vec![&mut heads];
        if let Some(probe) = &mut attentive {
            probes.push(probe);
        }
        training.run(&mut probes)?;

        let fit = &heads.fit;
        let scores = fit.scores();
        let Some(best) = fit.best() else {
            anyhow::bail!("a linear evaluation needs at least one epoch");
        };
        if let Some(file) = &self.save_head {
            let view = subject.features.view();
            let header = HeadHeader {
                classes: subject.data.classes().to_vec(),
                cls_blocks: pooling.cls_blocks,
                patch_mean: pooling.patch_mean == PatchMean::Normed,
                size: view.size,
                resize: view.resize_ratio,
            };
            save_head(file, &best.classifier, &header)?;
        }
        let mut measures = measures(scores, best.score, best.epochs);
        let mut table = table(scores, best.score, best.epochs);
        if let Some(probe) = &attentive {
            beside::add(&probe.fit, &mut measures, &mut table);
        }
        Ok(TaskOutput {
            measures,
            images: vec![("train", images), ("val", judged)],
            table,
        })
    }

    fn curve(&self, measure: &str) -> Option<Curve> {
        match measure.strip_prefix(beside::PREFIX) {
            Some(own) => curve(own).map(|curve| curve.labelled("attentive, ")),
            None => curve(measure),
        }
    }

    fn headline<'a>(&self, measures: &'a Measures) -> Option<&'a str> {
        headline(measures)
    }
}

impl Linear {
    fn limits(&self) -> SetLimits {
        SetLimits {
            train: self.train_images,
            val: self.val_images,
        }
    }

    fn rates(&self, batch: usize) -> Vec<f64> {
        if self.lr.is_empty() {
            return official_rates(batch);
        }
        let own = self.lr.iter();
        own.map(|rate| scaled_rate(*rate, batch)).collect()
    }

    /// What heads read, if the network has enough blocks.
    fn pooling(&self) -> Pooling {
        if self.raw_patches {
            return Pooling::PATCHES;
        }
        Pooling {
            cls_blocks: self.cls_blocks.unwrap_or(CLS_BLOCKS),
            patch_mean: self.patch_mean.into(),
        }
    }

    fn checked_pooling(&self, subject: &Subject) -> Result<Pooling> {
        ensure!(
            self.batch_size != Some(0) && self.epochs > 0,
            "a batch needs at least one image, and training one epoch"
        );
        let mut pooling = self.pooling();
        ensure!(
            pooling.cls_blocks > 0 || pooling.patch_mean != PatchMean::None,
            "no CLS token and no mean of the patches leave no feature: give --cls-blocks or --patch-mean"
        );
        ensure!(
            self.save_head.is_none() || pooling.patch_mean != PatchMean::Raw,
            "a head on patches without the final norm cannot be saved: no command could use it"
        );

        let Some(backbone) = subject.features.backbone() else {
            ensure!(
                self.save_head.is_none(),
                "a head on pixels cannot be saved: no command could use it"
            );
            return Ok(pooling);
        };
        let depth = backbone.depth();
        if let Some(blocks) = self.cls_blocks {
            ensure!(
                blocks <= depth,
                "the CLS tokens of {blocks} blocks were asked for, and the network has {depth}"
            );
        }
        // The default asks for four blocks; a shallower network gives all that it has.
        pooling.cls_blocks = pooling.cls_blocks.min(depth);
        Ok(pooling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_a_run_is_cached_and_short() {
        let entry: Linear = toml::from_str("lr = [0.1]").expect("settings");
        assert!(entry.cached && entry.epochs == 10 && entry.lr == [0.1]);
        assert_eq!(entry.rates(512), [0.2]);
        assert_eq!(Linear::default().rates(512).len(), 45);
    }
}
