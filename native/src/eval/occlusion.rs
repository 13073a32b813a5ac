//! Accuracy on images of which patches are hidden.

mod hidden;
mod score;

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::Args;
use ibot_core::eval::occlusion::{hide_patches, random_patches, salient_patches};
use ibot_core::model::Backbone;
use serde::{Deserialize, Serialize};

use self::hidden::Hidden;
use self::score::{OcclusionScore, curve, measures, picture, table};
use super::judge::Judge;
use super::measures::Measures;
use super::sets::SetLimits;
use super::task::{Curve, EvalTask, Subject, TaskOutput};
use super::views::{RightCount, ViewDraws, Views, for_each_views};
use crate::data::Dataset;
use crate::features::{Encoder, FeatureStore, Readout};
use crate::files::write_atomically;
use crate::model::ModelArgs;

const HELP: &str = "\
Examples:
  ibot eval occlusion --data imagenet/val --model classifier.safetensors --svg occlusion.svg
  ibot eval occlusion --data builtin --val builtin:val --model runs/builtin --beside pixels,untrained
  ibot eval occlusion --data imagenet/val --model classifier.safetensors --saliency dino_vits16.pth --saliency-head 1 --batch 1024

Patches are set to the mean color before the network sees the images. random: k tenths of the patches, k = 0 to 9.
salient: the patches that hold the share lambda of CLS's attention in the last block, lambda = 0.1 to 1 (a share of
attention, not of patches). non-salient: all others. The attention is the model's own, the mean over heads; --saliency
takes another model's. Prints accuracies, and the shares of patches that were hidden.
The classes are found by the linear head of the model's file, by --head FILE (of `ibot eval linear --save-head`), or
else by a head that is fitted to clean images of --data. Pixels and random weights always get a head of their own.
Each image has random patches of its own; the official code hides the same ones in all images of a batch (--batch 1024).
Plain pixels attend to nothing: of them only random patches are hidden, in a grid of 8 x 8.";

/// Patches along a side of an image of plain pixels.
const PIXEL_GRID: usize = 8;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[command(after_help = HELP)]
#[serde(default, deny_unknown_fields)]
pub struct Occlusion {
    /// Which patches to hide
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHICH", default_values_t = Hidden::ALL)]
    pub hide: Vec<Hidden>,
    /// File of a linear head, or `fit` [default: the head of the model's file, or else `fit`]
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<PathBuf>,
    /// Model whose attention says what is salient [default: the model itself]
    #[arg(long, value_name = "PATH")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saliency: Option<PathBuf>,
    /// Attention head that says what is salient, counted from 0 [default: the mean of all]
    #[arg(long, value_name = "HEAD")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saliency_head: Option<usize>,
    /// Images that share their random patches
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub batch: usize,
    /// Most images to fit a head to, spread evenly over the set [default: all, or 10000 if --val is
    /// missing]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_images: Option<usize>,
    /// Most images to judge, spread evenly over the set [default: all, or 2000 if a head is fitted
    /// and --val is missing]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_images: Option<usize>,
    /// Seed of the random patches
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Draw the curves of accuracy over hidden patches into an SVG file
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub svg: Option<PathBuf>,
}

impl Default for Occlusion {
    fn default() -> Self {
        Self {
            hide: Hidden::ALL.to_vec(),
            head: None,
            saliency: None,
            saliency_head: None,
            batch: 1,
            train_images: None,
            val_images: None,
            seed: 0,
            svg: None,
        }
    }
}

impl EvalTask for Occlusion {
    fn title(&self) -> &'static str {
        "Occlusion"
    }

    fn name(&self) -> &'static str {
        "occlusion"
    }

    fn paper(&self) -> &'static str {
        "figure 9, table 8"
    }

    fn meaning(&self) -> &'static str {
        "It is the share of images whose class is found when half of their patches are hidden: high \
         where no single patch decides."
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
        ensure!(self.batch > 0, "a batch needs at least one image");
        let features = subject.features;
        let (judge, images) = Judge::choose(self.head.as_deref(), subject, self.limits())?;
        let expected = judge.places_of(images.data)?;
        let saliency = self.saliency(features)?;

        let watcher = saliency.as_ref().unwrap_or(features).backbone();
        // Plain pixels are hidden on a grid of their own, which no map of attention fits.
        let attends = features.backbone().is_some() && watcher.is_some_and(Backbone::has_attention);
        let mut scores = self.scores(attends);
        ensure!(
            !scores.is_empty(),
            "plain pixels and networks without a CLS token attend to nothing: only random patches \
             of them can be hidden"
        );
        let judged = for_each_views(&images, features, &mut |views| {
            let attention = match features.backbone() {
                Some(_) => {
                    let store = saliency.as_ref().unwrap_or(features);
                    attention(store, &views, self.saliency_head)?
                }
                None => vec![vec![1.0; PIXEL_GRID * PIXEL_GRID]; views.places.len()],
            };
            for (setting, score) in scores.iter_mut().enumerate() {
                let pixels = self.hidden(&views, &attention, setting, score);
                let tally = views.judge(pixels, &judge, &expected, features)?;
                score.tally.add(tally);
            }
            Ok(())
        })?;

        if let Some(file) = &self.svg {
            write_atomically(file, picture(&scores, judge.classes()).as_bytes())?;
        }
        Ok(TaskOutput {
            measures: measures(&scores),
            images: judge.roles(judged),
            table: table(&scores, &judge.line()),
        })
    }

    fn curve(&self, measure: &str) -> Option<Curve> {
        curve(measure)
    }

    // Half of the patches at random.
    fn headline<'a>(&self, measures: &'a Measures) -> Option<&'a str> {
        measures.named("top1_random0.5").or_else(|| {
            let mut names = measures.iter().map(|(name, _)| name);
            names.find(|name| name.starts_with("top1"))
        })
    }
}

impl Occlusion {
    fn limits(&self) -> SetLimits {
        SetLimits {
            train: self.train_images,
            val: self.val_images,
        }
    }

    /// A store of the model that says what is salient, where it is another one.
    fn saliency(&self, features: &FeatureStore) -> Result<Option<FeatureStore>> {
        let Some(model) = &self.saliency else {
            return Ok(None);
        };
        if features.backbone().is_none() {
            return Ok(None);
        }
        let context = || format!("the model of the saliency, {}", model.display());
        let (loaded, _) = ModelArgs::of(model)
            .open(features.device())
            .with_context(context)?;
        let encoder = Encoder::Network(&loaded.backbone);
        let store = FeatureStore::new(encoder, features.view(), features.devices());
        Ok(Some(store.with_context(context)?))
    }

    fn scores(&self, has_attention: bool) -> Vec<OcclusionScore> {
        let mut scores = Vec::new();
        for hidden in Hidden::ALL {
            let possible = has_attention || hidden == Hidden::Random;
            if self.hide.contains(&hidden) && possible {
                scores.extend(hidden.tenths().map(|tenths| OcclusionScore {
                    hidden,
                    tenths,
                    tally: RightCount::default(),
                    hidden_shares: 0.0,
                }));
            }
        }
        scores
    }

    /// The pixels of the images without the patches that setting number `setting` hides, whose
    /// shares are added to its score.
    fn hidden(
        &self,
        views: &Views,
        attention: &[Vec<f32>],
        setting: usize,
        score: &mut OcclusionScore,
    ) -> Vec<f32> {
        let draws = ViewDraws {
            seed: self.seed,
            batch: self.batch,
        };
        // A copy, because the next setting hides patches of the same views.
        let mut pixels = views.pixels.clone();
        let images = pixels.chunks_exact_mut(3 * views.side * views.side);
        for ((image, place), attention) in images.zip(&views.places).zip(attention) {
            let patches = attention.len();
            let lambda = score.tenths as f64 / 10.0;
            let mut chosen = match score.hidden {
                Hidden::Random => {
                    let rng = &mut draws.stream(setting, *place);
                    random_patches(patches, score.tenths * patches / 10, rng)
                }
                Hidden::Salient | Hidden::NonSalient => salient_patches(attention, lambda),
            };
            if score.hidden == Hidden::NonSalient {
                chosen.iter_mut().for_each(|chosen| *chosen = !*chosen);
            }

            hide_patches(image, views.side, &chosen);
            let count = chosen.iter().filter(|chosen| **chosen).count();
            score.hidden_shares += count as f64 / patches as f64;
        }
        pixels
    }
}

/// What CLS attends to in each image, as `store` sees it: a value a patch, by one `head` or by the
/// mean of all.
fn attention(store: &FeatureStore, views: &Views, head: Option<usize>) -> Result<Vec<Vec<f32>>> {
    let heads = store.backbone().map_or(0, Backbone::heads);
    if let Some(head) = head {
        ensure!(
            head < heads,
            "there is no attention head {head}: the network has {heads}, counted from 0"
        );
    }

    let readout = Readout::Attention { head };
    let maps = store.encode(&[readout], views.pixels.clone())?.remove(0);
    let patches = maps.dims()[1];
    let values: Vec<f32> = maps
        .try_into_vec_as()
        .map_err(|error| anyhow!("cannot read attention from the device: {error:?}"))?;
    Ok(values.chunks_exact(patches).map(<[f32]>::to_vec).collect())
}

#[cfg(test)]
mod tests;
