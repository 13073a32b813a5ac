//! Accuracy with other backgrounds: the Backgrounds Challenge on IN-9, or on builtin scenes.

mod challenge;
mod key;
mod layout;

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use ibot_core::eval::backgrounds::Variant;
use serde::{Deserialize, Serialize};

use self::challenge::{Challenge, Resistance, Shard};
use self::key::Key;
use self::layout::{BackgroundSets, open};
use super::judge::Judge;
use super::measures::Measures;
use super::sets::{SetLimits, Sets, Subset, spread};
use super::task::{Curve, EvalTask, Subject, TaskOutput, Unit};
use crate::data::Dataset;
use crate::features::{FeatureStore, Readout};

const HELP: &str = "\
Examples:
  ibot eval backgrounds --data bg_challenge --model classifier.safetensors
  ibot eval backgrounds --data in9l/original/train --val bg_challenge --model runs/imagenet
  ibot eval backgrounds --data builtin --val builtin:val --model runs/builtin --challenge --foregrounds 100

Images whose object or background was changed: IN-9 in its official layout bg_challenge/VARIANT/val/NN_name/*, with
masks in bg_challenge/fg_mask/val/NN_name/*.npy, or builtin scenes, which are painted so. A linear head of ImageNet's
1000 classes answers with the super-class of IN-9 that its class belongs to; classes outside of IN-9 are wrong.
The gap is the accuracy on backgrounds of the same class less that on those of random classes.
--challenge pastes each object on every background of only_bg_t, until one misleads the classifier; an object that none
misleads is resistant. It takes up to objects x backgrounds passes: --foregrounds and --backgrounds bound it, and
--shard K/N takes every N-th object from the K-th on, for several machines.
The classes are found by the linear head of the model's file, by --head FILE (of `ibot eval linear --save-head`), or
else by a head that is fitted to the images of --data. Pixels and random weights always get a head of their own.";

const ORIGINAL: &str = "top1_original";

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
#[command(after_help = HELP)]
#[serde(default, deny_unknown_fields)]
pub struct Backgrounds {
    /// Also paste every object on every background
    #[arg(long)]
    pub challenge: bool,
    /// Most objects of the challenge, spread evenly over the set [default: all]
    #[arg(long, value_name = "N", requires = "challenge")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foregrounds: Option<usize>,
    /// Most backgrounds of the challenge, spread evenly over the set [default: all]
    #[arg(long, value_name = "N", requires = "challenge")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backgrounds: Option<usize>,
    /// Part of the challenge's objects: K/N takes every N-th from the K-th on, K = 1 to N
    #[arg(long, value_name = "K/N", requires = "challenge")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// File of a linear head, or `fit` [default: the head of the model's file, or else `fit`]
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<PathBuf>,
    /// Most images to fit a head to, spread evenly over the set [default: all, or 10000 if --val is
    /// missing]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_images: Option<usize>,
    /// Most images to judge of each variant, spread evenly over it [default: all, or 2000 if a head
    /// is fitted and --val is missing]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_images: Option<usize>,
}

impl EvalTask for Backgrounds {
    fn title(&self) -> &'static str {
        "Backgrounds"
    }

    fn name(&self) -> &'static str {
        "backgrounds"
    }

    fn paper(&self) -> &'static str {
        "table 8"
    }

    fn meaning(&self) -> &'static str {
        "It is the share of images whose class is found with the object on the background of an image \
         of any class: high where the object decides."
    }

    fn suits(&self, data: &Dataset) -> bool {
        data.with_background(Variant::Original).is_some() && !self.limits().is_empty()
    }

    fn open(&self, spec: &str) -> Result<Dataset> {
        open(spec)
    }

    fn readouts(&self) -> Vec<Readout> {
        vec![Judge::FITTED_READOUT]
    }

    fn needs_linear_head(&self) -> bool {
        true
    }

    fn run(&self, subject: &Subject) -> Result<TaskOutput> {
        let Subject { data, features, .. } = *subject;
        let evaluated = subject.val.unwrap_or(data);
        let backgrounds = BackgroundSets::of(evaluated)?;

        // A given head leaves all images to judge; only one that is fitted takes some to learn
        // from.
        let (judge, images) = match Judge::given(self.head.as_deref(), subject)? {
            Some(judge) => {
                let limit = self.val_images.unwrap_or(usize::MAX);
                (judge, Subset::labelled_of(evaluated, limit)?)
            }
            None if subject.val.is_none() && backgrounds.is_official() => bail!(
                "there is no linear head, and {} has no images to fit one to: give --head FILE, or images of these classes as --data and this set as --val",
                evaluated.description()
            ),
            None => {
                let sets = Sets::choose(data, subject.val, self.limits())?;
                (Judge::fit(&sets.train, features)?, sets.val)
            }
        };
        let key = Key::new(&judge, evaluated)?;

        let mut scores = Vec::new();
        for variant in Variant::ALL {
            match self.score(variant, &backgrounds, &images, &judge, &key, features) {
                Ok(top1) => scores.push((variant, top1)),
                // Nobody needs all of the official variants.
                Err(error) if variant != Variant::Original => {
                    eprintln!("warning: {}: {error:#} (left out)", variant.name());
                }
                Err(error) => return Err(error),
            }
        }

        let resistance = match self.challenge {
            true => Some(self.resistance(&backgrounds, &images, &judge, &key, features)?),
            false => None,
        };
        Ok(TaskOutput {
            measures: measures(&scores, resistance.as_ref()),
            images: judge.roles(images.indices.len()),
            table: table(&scores, resistance.as_ref(), &judge),
        })
    }

    fn curve(&self, measure: &str) -> Option<Curve> {
        let (quantity, label) = match measure.strip_prefix("top1_") {
            Some(variant) => ("top-1", variant),
            None if measure == "bg_gap" => ("gap of backgrounds", ""),
            None if measure == "challenge" => ("resistant objects", ""),
            None => return None,
        };
        Some(Curve {
            quantity,
            unit: Unit::Share,
            label: label.to_owned(),
        })
    }

    fn headline<'a>(&self, measures: &'a Measures) -> Option<&'a str> {
        // The benchmark is quoted by backgrounds of random classes; not every copy of it has
        // these.
        measures
            .named("top1_mixed_rand")
            .or_else(|| measures.named(ORIGINAL))
    }
}

impl Backgrounds {
    fn limits(&self) -> SetLimits {
        SetLimits {
            train: self.train_images,
            val: self.val_images,
        }
    }

    fn score(
        &self,
        variant: Variant,
        backgrounds: &BackgroundSets,
        images: &Subset,
        judge: &Judge,
        key: &Key,
        features: &FeatureStore,
    ) -> Result<f64> {
        let data = backgrounds.open(variant)?;
        // Mixed images of IN-9 are other files than the original ones.
        let subset = match backgrounds.is_official() {
            true => Subset::labelled_of(&data, self.val_images.unwrap_or(usize::MAX))?,
            false => Subset {
                data: &data,
                indices: images.indices.clone(),
            },
        };
        let rows = features.rows(judge.readout(), subset.data, &subset.indices)?;
        let labels = subset.labels_of(&rows.indices);
        let found = judge.predictions(rows, features)?;
        let pairs = found.iter().zip(&labels);
        let right = pairs.filter(|(found, label)| key.is_right(**found, **label));
        Ok(right.count() as f64 / labels.len().max(1) as f64)
    }

    fn resistance(
        &self,
        backgrounds: &BackgroundSets,
        images: &Subset,
        judge: &Judge,
        key: &Key,
        features: &FeatureStore,
    ) -> Result<Resistance> {
        let tiled = backgrounds.open(Variant::OnlyBackgroundTiled)?;
        // Official backgrounds are files of their own; painted ones belong to the images that are
        // judged.
        let judged: Vec<usize> = match backgrounds.is_official() {
            true => tiled.subset(usize::MAX, 0),
            false => images.indices.clone(),
        };
        let challenge = Challenge {
            originals: images.data,
            tiled: &tiled,
            judge,
            key,
            features,
        };
        let objects = spread(&images.indices, self.foregrounds.unwrap_or(usize::MAX));
        let objects = self.shard.unwrap_or_default().of(&objects);
        let places = spread(&judged, self.backgrounds.unwrap_or(usize::MAX));
        challenge.run(&objects, &places, &|index| {
            backgrounds.mask(images.data, index)
        })
    }
}

fn measures(scores: &[(Variant, f64)], resistance: Option<&Resistance>) -> Measures {
    let mut measures = Measures::default();
    for (variant, top1) in scores {
        measures.push(format!("top1_{}", variant.name()), *top1);
    }
    // BG-gap: what a background of a random class costs against one of the same class.
    let same = measures.get("top1_mixed_same");
    if let (Some(same), Some(random)) = (same, measures.get("top1_mixed_rand")) {
        measures.push("bg_gap".to_owned(), same - random);
    }
    if let Some(resistance) = resistance {
        measures.push("challenge".to_owned(), resistance.share());
        measures.push("challenge_objects".to_owned(), resistance.objects as f64);
        measures.push(
            "challenge_resistant".to_owned(),
            resistance.resistant as f64,
        );
    }
    measures
}

fn table(scores: &[(Variant, f64)], resistance: Option<&Resistance>, judge: &Judge) -> String {
    let mut table = format!("by a {}\n\n{:12}   top-1", judge.line(), "variant");
    for (variant, top1) in scores {
        table += &format!("\n{:12}  {:5.1} %", variant.name(), 100.0 * top1);
    }
    if let Some(gap) = measures(scores, None).get("bg_gap") {
        table += &format!("\n{:12}  {:5.1} %", "gap", 100.0 * gap);
    }
    if let Some(Resistance { resistant, objects }) = resistance {
        table += &format!("\nchallenge: {resistant} of {objects} objects are resistant");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gap_is_between_same_and_random_backgrounds() {
        let scores = [(Variant::MixedSame, 0.75), (Variant::MixedRandom, 0.5)];
        assert_eq!(measures(&scores, None).get("bg_gap"), Some(0.25));
        assert_eq!(measures(&scores[..1], None).get("bg_gap"), None);
    }
}
