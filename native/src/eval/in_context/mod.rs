//! In-context segmentation: the classes of patches from the labelled patches that are most like them.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use futures_lite::future::block_on;
use ibot_core::annotation::labels::LabelMap;
use ibot_core::eval::in_context::{PatchMemory, Voting, sample, upsample};
use ibot_core::rng::{Purpose, stream};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::dense::{
    LabelledImages, MEAN_IOU, SeenImages, Segmentation, SegmentationPictures, Truths, curve,
};
use super::measures::Measures;
use super::sets::{SetLimits, Sets};
use super::task::{Curve, EvalTask, Subject, TaskOutput};
use crate::data::Dataset;
use crate::features::{FeatureStore, Readout};

const HELP: &str = "\
Examples:
  ibot eval in-context --data ADEChallengeData2016 --val ADEChallengeData2016:validation --model vit_small.pth --size 512
  ibot eval in-context --data VOC2012:train --val VOC2012:val --model runs/photos --memory 1000000 --pictures out/voc
  ibot eval in-context --data builtin --val builtin:val --model runs/builtin --objects --beside pixels,untrained

Nothing is trained. The patches of --data are kept with the classes of their pixels; each patch of --val takes the mean
of the classes of the 30 kept patches that are most like it, with weights softmax(cosine / 0.02). The classes of patches
are interpolated to --mask-size, where the largest is compared with the mask. Prints the mean over classes of the
intersection over union of their pixels, and that of each class.
Masks  ADE20K, VOC and DAVIS in their own layouts, a part after a colon (`:validation`, `:val`, `:later`); a folder with
       images/ and masks/, where the names of the classes may be in classes.txt; builtin: the parts of objects.
Plain pixels are compared patch by patch.";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[command(after_help = HELP)]
#[serde(default, deny_unknown_fields)]
pub struct InContext {
    /// Kept patches that vote for each patch
    #[arg(long, value_name = "K", default_value_t = Voting::default().neighbours)]
    pub neighbours: usize,
    /// Temperature of the votes
    #[arg(long, value_name = "T", default_value_t = Voting::default().temperature)]
    pub temperature: f64,
    /// Most patches that are kept, equally many of each image; patches with rare classes are
    /// preferred [default: all]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<usize>,
    /// Side of the masks that are compared, in pixels [default: that of the view]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask_size: Option<usize>,
    /// Give pixels of objects the class of their image in place of that of their mask
    #[arg(long)]
    pub objects: bool,
    /// Most images to learn from, spread evenly over the set [default: all, or 10000 if --val is
    /// missing]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_images: Option<usize>,
    /// Most images to segment, spread evenly over the set [default: all, or 2000 if --val is missing]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_images: Option<usize>,
    /// Seed of the choice of patches for --memory
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Folder for a picture of a few images, their masks and what was found
    #[arg(long, value_name = "DIR")]
    #[serde(skip)]
    pub pictures: Option<PathBuf>,
}

impl Default for InContext {
    fn default() -> Self {
        let voting = Voting::default();
        Self {
            neighbours: voting.neighbours,
            temperature: voting.temperature,
            memory: None,
            mask_size: None,
            objects: false,
            train_images: None,
            val_images: None,
            seed: 0,
            pictures: None,
        }
    }
}

impl EvalTask for InContext {
    fn title(&self) -> &'static str {
        "In-context segmentation"
    }

    fn name(&self) -> &'static str {
        "in-context"
    }

    fn paper(&self) -> &'static str {
        "not in the paper"
    }

    fn meaning(&self) -> &'static str {
        "It is the share of pixels that a class has in both the mask and what was found, of those \
         that it has in either, as a mean over classes: high where patches of a class lie close \
         together."
    }

    fn suits(&self, data: &Dataset) -> bool {
        let has_classes = !self.objects || !data.classes().is_empty();
        !data.pixel_classes().is_empty() && has_classes && !self.limits().is_empty()
    }

    fn open(&self, spec: &str) -> Result<Dataset> {
        Ok(Dataset::open_with_masks(spec)?)
    }

    fn readouts(&self) -> Vec<Readout> {
        vec![Readout::Patches]
    }

    fn needs_pixel_labels(&self) -> bool {
        true
    }

    fn takes_pixel_patches(&self) -> bool {
        true
    }

    fn run(&self, subject: &Subject) -> Result<TaskOutput> {
        let memory = self.memory != Some(0) && self.mask_size != Some(0);
        ensure!(
            self.neighbours > 0 && memory,
            "a segmentation needs at least one neighbour, one patch to keep and one pixel of a mask"
        );
        ensure!(
            self.temperature.is_finite() && self.temperature > 0.0,
            "the temperature must be positive, not {}",
            self.temperature
        );
        let features = subject.features;
        let side = self.mask_size.unwrap_or(features.view().size);
        // Pixels bring the labels here; images need none.
        let sets = Sets::choose_any(subject.data, subject.val, self.limits())?;
        let truths = Truths::of(sets.train.data, sets.val.data, self.objects)?;

        let train = LabelledImages {
            images: &sets.train,
            truth: &truths.train,
            features,
            side,
        };
        let (memory, learned) = self.remember(&train, truths.names.len())?;

        let val = LabelledImages {
            images: &sets.val,
            truth: &truths.val,
            features,
            side,
        };
        let mut found = Segmentation::new(&truths.names);
        let mut pictures = SegmentationPictures::of(&sets.val, self.pictures.as_deref());
        let judged = val.for_each(&mut |images| {
            let maps = self.segment(&images, &memory, features, side)?;
            for (place, map) in maps.iter().enumerate() {
                let truth = &images.labels[place];
                found.add(truth, map);
                pictures.add(images.indices[place], truth, map);
            }
            Ok(())
        })?;
        pictures.write("in-context.png", &sets.val, features.view())?;

        let kept = memory.len();
        Ok(TaskOutput {
            measures: found.measures(),
            images: vec![("train", learned), ("val", judged)],
            table: format!("{kept} patches kept\n{}", found.table()),
        })
    }

    fn curve(&self, measure: &str) -> Option<Curve> {
        curve(measure)
    }

    fn headline<'a>(&self, measures: &'a Measures) -> Option<&'a str> {
        measures.named(MEAN_IOU)
    }
}

impl InContext {
    fn limits(&self) -> SetLimits {
        SetLimits {
            train: self.train_images,
            val: self.val_images,
        }
    }

    /// The patches of `train` that are kept, with classes below `classes`, and the number of its
    /// images.
    fn remember(&self, train: &LabelledImages, classes: usize) -> Result<(PatchMemory, usize)> {
        let grid = train.features.grid()?;
        let images = train.images.indices.len();
        // All images get the same part of the memory, at least one patch.
        let most = self.memory.map_or(usize::MAX, |all| (all / images).max(1));
        let mut memory: Option<PatchMemory> = None;
        let count = train.for_each(&mut |images| {
            let dim = images.width / grid.count();
            // How wide tokens are is known with the first images only.
            let memory = memory.get_or_insert_with(|| PatchMemory::new(dim, classes));
            for (place, labels) in images.labels.iter().enumerate() {
                let shares = labels.shares(grid.rows, grid.columns);
                let index = images.indices[place] as u64;
                // A stream for each image, so that the choice does not depend on which others can
                // be read.
                let mut rng = stream(self.seed, Purpose::Perturb, 0, index);
                let chosen = sample(&shares, most, &mut rng);
                memory.keep(images.tokens_of(place), &shares, &chosen);
            }
            Ok(())
        })?;
        let memory = memory.filter(|memory| !memory.is_empty());
        let memory = memory.context("all pixels to learn from are ignored")?;
        Ok((memory, count))
    }

    /// The class of each pixel of each image, on maps of `side` x `side` pixels.
    fn segment(
        &self,
        images: &SeenImages,
        memory: &PatchMemory,
        features: &FeatureStore,
        side: usize,
    ) -> Result<Vec<LabelMap>> {
        let voting = Voting {
            neighbours: self.neighbours,
            temperature: self.temperature,
        };
        let votes = memory.votes(&images.tokens, voting, features.device());
        let votes = block_on(votes).context("search on the device")?;

        let grid = features.grid()?;
        let of_image = votes.len() / images.indices.len();
        let maps = votes.par_chunks(of_image);
        Ok(maps
            .map(|votes| upsample(votes, grid, (side, side)))
            .collect())
    }
}
