//! Attentive probes on the patch tokens of a frozen network.

use anyhow::{Result, bail, ensure};
use clap::Args;
use ibot_core::eval::attentive::{AttentiveFit, AttentiveSettings};
use serde::{Deserialize, Serialize};

use super::measures::Measures;
use super::probes::{AttentiveProbe, Augmented, ProbeTraining, curve, headline, measures, table};
use super::sets::{SetLimits, Sets};
use super::task::{Curve, EvalTask, Subject, TaskOutput};
use crate::data::Dataset;
use crate::features::Readout;

const HELP: &str = "\
Examples:
  ibot eval attentive --data cifar10/train.tar --val cifar10/test.tar --model runs/cifar --train-images 5000
  ibot eval attentive --data imagenet/train --val imagenet/val --model vit_small.pth --augment --epochs 10

A probe has learned queries that attend to the patch tokens of the last block, without CLS; the mean of what they find
goes through a layer norm and a linear classifier. It tells what the patches know that no single token sums up. Probes
that differ in their peak learning rate learn side by side (AdamW, a tenth of the steps of rise, then half a cosine).
The patch tokens of all images are in memory: images x patches x width x 4 bytes, twice. Without numbers of images, as
many are taken as fit 1 GB of tokens. With --augment every epoch shows new random crops and flips to the network, and
only the tokens of the images to classify are in memory.
Prints top-1 and top-5 of the probes after the last epoch, and of the best probe of any epoch.";

/// Bytes of patch tokens that are kept unless numbers of images are given.
pub(super) const USUAL_BYTES: usize = 1_000_000_000;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[command(after_help = HELP)]
#[serde(default, deny_unknown_fields)]
pub struct Attentive {
    /// Show new random crops and flips to the network in every epoch
    #[arg(long)]
    pub augment: bool,
    /// Learned queries of a probe
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub queries: usize,
    /// Passes over the images
    #[arg(long, default_value_t = 20)]
    pub epochs: usize,
    /// Images of a step
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub batch_size: usize,
    /// Peak learning rates, each a probe of its own
    #[arg(long, value_name = "RATES", value_delimiter = ',', default_values_t = RATES)]
    pub lr: Vec<f64>,
    /// Decay of all matrices of a probe
    #[arg(long, value_name = "DECAY", default_value_t = 0.05)]
    pub weight_decay: f64,
    /// Seed of the first weights, of the order of the images and of their crops
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Most images to learn from, spread evenly over the set [default: as many as fit in memory]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_images: Option<usize>,
    /// Most images to classify, spread evenly over the set [default: as many as fit in memory]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_images: Option<usize>,
}

// Peak learning rates, over the range in which one fits most networks.
pub(super) const RATES: [f64; 3] = [2e-4, 1e-3, 5e-3];

// What an entry of `[[eval]]` starts from: few images, so that a run can afford it.
impl Default for Attentive {
    fn default() -> Self {
        Self {
            augment: false,
            queries: 1,
            epochs: 10,
            batch_size: 128,
            lr: RATES.to_vec(),
            weight_decay: 0.05,
            seed: 0,
            train_images: Some(2000),
            val_images: Some(500),
        }
    }
}

impl EvalTask for Attentive {
    fn title(&self) -> &'static str {
        "Attentive probe"
    }

    fn name(&self) -> &'static str {
        "attentive"
    }

    fn paper(&self) -> &'static str {
        "not in the paper"
    }

    fn meaning(&self) -> &'static str {
        "It is the share of images whose class is found by a classifier that chooses which patches it \
         reads: high where single patches tell the classes apart."
    }

    fn suits(&self, data: &Dataset) -> bool {
        data.classes().len() > 1 && !self.limits().is_empty()
    }

    fn readouts(&self) -> Vec<Readout> {
        vec![Readout::Patches]
    }

    fn run(&self, subject: &Subject) -> Result<TaskOutput> {
        ensure!(
            self.batch_size > 0 && self.queries > 0,
            "a probe needs at least one query, and a batch at least one image"
        );
        ensure!(
            self.epochs > 0 && !self.lr.is_empty(),
            "probes need at least one epoch and one learning rate"
        );
        let Some(backbone) = subject.features.backbone() else {
            bail!("an attentive probe reads patch tokens, which plain pixels do not have");
        };
        let width = backbone.dim();
        let side = subject.features.view().size / backbone.stride();
        let limits = self.limits_within(side * side * width * size_of::<f32>());
        let sets = Sets::choose(subject.data, subject.val, limits)?;
        let images = sets.train.indices.len();

        let val = sets.val.labelled(Readout::Patches, subject.features)?;
        let judged = val.labels.len();
        let settings = AttentiveSettings {
            classes: subject.data.classes().len(),
            queries: self.queries,
            rates: self.lr.clone(),
            weight_decay: self.weight_decay,
            steps: self.epochs * images.div_ceil(self.batch_size),
            seed: self.seed,
        };
        let mut probe = AttentiveProbe {
            width,
            fit: AttentiveFit::new(&settings, AttentiveProbe::patches(val, width))?,
        };

        let training = ProbeTraining {
            images: Augmented {
                images: &sets.train,
                features: subject.features,
                batch: self.batch_size,
                seed: self.seed,
            },
            epochs: self.epochs,
            augments: self.augment,
        };
        training.run(&mut [&mut probe])?;

        let fit = &probe.fit;
        let Some((epochs, best)) = fit.best() else {
            bail!("an attentive evaluation needs at least one epoch");
        };
        Ok(TaskOutput {
            measures: measures(fit.scores(), best, epochs),
            images: vec![("train", images), ("val", judged)],
            table: table(fit.scores(), best, epochs),
        })
    }

    fn curve(&self, measure: &str) -> Option<Curve> {
        curve(measure)
    }

    fn headline<'a>(&self, measures: &'a Measures) -> Option<&'a str> {
        headline(measures)
    }
}

impl Attentive {
    fn limits(&self) -> SetLimits {
        SetLimits {
            train: self.train_images,
            val: self.val_images,
        }
    }

    /// The limits, or what the usual memory holds where there is none; an image has so many bytes
    /// of tokens.
    fn limits_within(&self, bytes: usize) -> SetLimits {
        // One part in five is for images to judge; five images at least, so that both sets get
        // one.
        let most = (USUAL_BYTES / bytes.max(1)).max(5);
        let val = self.val_images.unwrap_or(most / 5);
        // Augmented images are encoded anew in every epoch, and their tokens are not kept.
        let kept = if self.augment {
            usize::MAX
        } else {
            most - most / 5
        };
        SetLimits {
            train: Some(self.train_images.unwrap_or(kept)),
            val: Some(val),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_fill_the_memory_unless_their_number_is_given() {
        let attentive = Attentive {
            train_images: None,
            val_images: None,
            ..Attentive::default()
        };
        // ViT-S/16 at 224 pixels: 196 tokens of 384 numbers.
        let limits = attentive.limits_within(196 * 384 * 4);
        assert_eq!((limits.train, limits.val), (Some(2657), Some(664)));
        assert_eq!(Attentive::default().limits_within(4).train, Some(2000));
        let augmented = Attentive {
            augment: true,
            ..attentive
        };
        assert_eq!(augmented.limits_within(4).train, Some(usize::MAX));
    }
}
