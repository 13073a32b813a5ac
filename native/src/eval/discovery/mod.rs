//! Object discovery: does the network find an object without a label?

mod method;
mod score;
mod truth;

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use ibot_core::analysis::affinity::TAU;
use ibot_core::annotation::boxes::BoundingBox;
use ibot_core::eval::discovery::{CorLoc, FOUND_IOU};
use serde::{Deserialize, Serialize};

use self::method::{BoxSearch, DiscoveryMethod};
use self::score::{CORLOC, Discovered, DiscoveryScore, MEAN_IOU, WHOLE};
pub use self::truth::around_objects;
use self::truth::{has_objects, objects_of};
use super::measures::Measures;
use super::problems::warn_of;
use super::task::{Curve, EvalTask, Subject, TaskOutput, Unit};
use crate::data::{Dataset, ObjectBoxes};
use crate::features::{Readout, SeenImage, WholeView, seen_images};
use crate::report::figures::{BoxPicture, boxes};
use crate::report::png::save_png;

const HELP: &str = "\
Examples:
  ibot eval discovery --data VOCdevkit/VOC2007:trainval --model vit_small.pth --side 496 --picture found.png
  ibot eval discovery --data coco/:val2017 --model vit_small.pth --images 1000
  ibot eval discovery --data builtin:val --model runs/builtin --beside pixels,untrained

Draws one box on each image, from its patch tokens alone, and counts the images where it overlaps a true box by half or
more (intersection over union): CorLoc. --data is a folder or .tar in the layout of Pascal VOC (JPEGImages/,
Annotations/, ImageSets/Main/) or COCO (annotations/instances_*.json and images) with `:SPLIT` after it, or COCO's JSON
beside its images; or images with masks, such as builtin, whose one box is around all objects. Groups (iscrowd) are no
objects, difficult ones are. Images without an object are left out.
ncut is TokenCut's protocol, a normalised cut of the graph of patches whose cosine is above --tau; expansion is LOST's,
from the patch that is like the fewest others. The official codes take the keys of the last block; here it is the tokens
after the final norm, without their mean over the image. Images are shown whole, their longer side --side pixels.";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[command(after_help = HELP)]
#[serde(default, deny_unknown_fields)]
pub struct Discovery {
    /// How the object is found among the patches
    #[arg(long, value_enum, default_value_t)]
    pub method: DiscoveryMethod,
    /// Longer side of an image in pixels, rounded to whole patches [default: twice the size of
    /// pre-training, at most 518]
    #[arg(long, value_name = "PIXELS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side: Option<usize>,
    /// Cosine above which ncut connects two patches
    #[arg(long, default_value_t = TAU)]
    pub tau: f32,
    /// Patches that may join the seed of expansion
    #[arg(long, value_name = "N", default_value_t = Discovery::CANDIDATES)]
    pub candidates: usize,
    /// Keep what the tokens of an image have in common
    #[arg(long)]
    pub keep_mean: bool,
    /// Most images, spread evenly over the set [default: all]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<usize>,
    /// Draw the boxes on some of the images, into a PNG file
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub picture: Option<PathBuf>,
    /// Images of the picture, spread evenly
    #[arg(long, value_name = "N", default_value_t = Discovery::PICTURES)]
    #[serde(skip)]
    pub pictures: usize,
}

impl Discovery {
    const CANDIDATES: usize = 100;
    const PICTURES: usize = 24;
}

impl Default for Discovery {
    fn default() -> Self {
        Self {
            method: DiscoveryMethod::default(),
            side: None,
            tau: TAU,
            candidates: Self::CANDIDATES,
            keep_mean: false,
            images: None,
            picture: None,
            pictures: Self::PICTURES,
        }
    }
}

impl EvalTask for Discovery {
    fn title(&self) -> &'static str {
        "Object discovery"
    }

    fn name(&self) -> &'static str {
        "discovery"
    }

    fn paper(&self) -> &'static str {
        "none: TokenCut is arXiv 2202.11539, LOST is arXiv 2109.14279"
    }

    fn meaning(&self) -> &'static str {
        "It is the share of images where the one box that is drawn from patch tokens, without any \
         label, overlaps an object by half or more."
    }

    fn suits(&self, data: &Dataset) -> bool {
        has_objects(data) && self.images != Some(0)
    }

    fn open(&self, spec: &str) -> Result<Dataset> {
        Ok(Dataset::open_with_objects(spec)?)
    }

    fn readouts(&self) -> Vec<Readout> {
        // Images are shown at sizes of their own, which share no pass.
        Vec::new()
    }

    fn takes_pixel_patches(&self) -> bool {
        true
    }

    fn run(&self, subject: &Subject) -> Result<TaskOutput> {
        let data = subject.val.unwrap_or(subject.data);
        ensure!(
            has_objects(data),
            "object discovery needs images with boxes or masks, which {} has not; give a set in the layout of \
             Pascal VOC or COCO",
            data.description()
        );
        ensure!(self.side != Some(0), "an image needs at least one pixel");
        if let Some(known) = data.annotation::<ObjectBoxes>() {
            warn_of(&known.problems);
        }

        let results = self.results(subject, data)?;
        let score = DiscoveryScore::of(&results);
        ensure!(
            score.model.images > 0,
            "none of {} images has an object",
            results.len()
        );
        if let Some(file) = &self.picture {
            let share = Unit::Share.show(score.model.share());
            let note = format!("{share} of {} images", score.model.images);
            let pictures: Vec<BoxPicture> = results
                .into_iter()
                .filter_map(|result| result.picture)
                .collect();
            save_png(&boxes("Discovered objects", &note, &pictures), file)?;
        }
        Ok(TaskOutput {
            measures: score.measures(),
            images: vec![("images", score.model.images)],
            table: score.table(),
        })
    }

    fn curve(&self, measure: &str) -> Option<Curve> {
        let (quantity, label) = match measure {
            CORLOC => ("CorLoc", ""),
            WHOLE => ("CorLoc", "whole image"),
            MEAN_IOU => ("mean IoU", ""),
            _ => return None,
        };
        Some(Curve {
            quantity,
            unit: Unit::Share,
            label: label.to_owned(),
        })
    }

    fn headline<'a>(&self, measures: &'a Measures) -> Option<&'a str> {
        measures.named(CORLOC)
    }
}

impl Discovery {
    fn results(&self, subject: &Subject, data: &Dataset) -> Result<Vec<Discovered>> {
        let chosen = data.subset(self.images.unwrap_or(usize::MAX), 0);
        let pictures = self.picture.as_ref().map(|_| self.pictures.max(1));
        let drawn_of = pictures.map(|pictures| chosen.len().div_ceil(pictures));
        let search = BoxSearch {
            method: self.method,
            tau: self.tau,
            candidates: self.candidates,
            keeps_mean: self.keep_mean,
        };

        let view = WholeView::of(subject.features, self.side);
        let load = |place: usize| {
            let image = data.load(chosen[place])?;
            let objects = objects_of(data, chosen[place], &image)?;
            Ok((image, objects))
        };
        let work = |place: usize, seen: SeenImage, objects: Vec<BoundingBox>| {
            let name = || data.name(chosen[place]).into_owned();
            let size = seen.size;
            let found = search.find(seen.tokens, size).with_context(name)?;
            let is_drawn = drawn_of.is_some_and(|step| place.is_multiple_of(step));
            let picture = is_drawn.then(|| {
                // A score of its own, only for the overlap of this image.
                let best = CorLoc::default().add(found.as_ref(), &objects);
                BoxPicture {
                    title: format!("{:.0} %", 100.0 * best),
                    objects: objects.clone(),
                    found,
                    right: best >= FOUND_IOU,
                    ..BoxPicture::of(&seen.image, size)
                }
            });
            Ok(Discovered {
                found,
                objects,
                size,
                picture,
            })
        };
        let results = seen_images(subject.features, view, chosen.len(), &load, &work)?;
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }
}
