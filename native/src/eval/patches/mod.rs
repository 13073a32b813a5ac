//! The classes of pixels by the nearest patches, without training (CAPI).

mod learned;

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use futures_lite::future::block_on;
use ibot_core::analysis::similarity::Neighbour;
use ibot_core::annotation::labels::{IGNORED, LabelMap};
use ibot_core::eval::patches::{NEIGHBOURS, majority_votes};
use ibot_core::grid::GridShape;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::learned::LearnedPatches;
use super::dense::{LabelledImages, Pictures, SeenImages, Segmentation, Truths, open};
use super::measures::Measures;
use super::sets::{SetLimits, Sets};
use super::task::{Curve, EvalTask, Subject, TaskOutput, Unit};
use crate::data::Dataset;
use crate::features::Readout;

const HELP: &str = "\
Examples:
  ibot eval patches --data ADEChallengeData2016 --val ADEChallengeData2016:validation --model vit_small.pth
  ibot eval patches --data builtin --val builtin:val --model runs/builtin --beside pixels,untrained

Nothing is trained. The tokens of patches are standardised by those of --data. Each patch of --val looks for the k most
similar ones by cosine; each of its pixels takes the class that most of them have at the same place. Prints for each k
the mean over classes of the intersection over union, of pixels at --mask-size, and of patches with the class of most of
their pixels.
Masks are as for `ibot eval in-context`. All tokens of --data are in memory: images x patches x width x 4 bytes.";

/// The number of neighbours that is quoted, and whose classes are listed.
const QUOTED: usize = 10;
/// Measures are `mean_iou_k10` and so on.
const MEAN_IOU: &str = "mean_iou_k";
const ACCURACY: &str = "pixel_accuracy_k";
const PATCH_IOU: &str = "patch_iou_k";
const PATCH_ACCURACY: &str = "patch_accuracy_k";

/// Settings of the evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[command(after_help = HELP)]
#[serde(default, deny_unknown_fields)]
pub struct Patches {
    /// Numbers of neighbours that vote
    #[arg(long, value_name = "K,...", value_delimiter = ',', default_values_t = NEIGHBOURS)]
    pub neighbours: Vec<usize>,
    /// Side of the masks that are compared, in pixels, a multiple of the patches in a row [default:
    /// that of the view]
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
    /// Folder for a picture of a few images, their masks and what was found with the quoted k
    #[arg(long, value_name = "DIR")]
    #[serde(skip)]
    pub pictures: Option<PathBuf>,
}

impl Default for Patches {
    fn default() -> Self {
        Self {
            neighbours: NEIGHBOURS.to_vec(),
            mask_size: None,
            objects: false,
            train_images: None,
            val_images: None,
            pictures: None,
        }
    }
}

/// What a number of neighbours found.
struct Found<'a> {
    k: usize,
    pixels: Segmentation<'a>,
    patches: Segmentation<'a>,
}

impl EvalTask for Patches {
    fn title(&self) -> &'static str {
        "Patch k-NN"
    }

    fn name(&self) -> &'static str {
        "patches"
    }

    fn paper(&self) -> &'static str {
        "not in the paper"
    }

    fn meaning(&self) -> &'static str {
        "It is the intersection over union of what the nearest patches say and the mask, as a mean \
         over classes: high where patches of a class lie close together."
    }

    fn suits(&self, data: &Dataset) -> bool {
        let has_classes = !self.objects || !data.classes().is_empty();
        !data.pixel_classes().is_empty() && has_classes && !self.limits().is_empty()
    }

    fn open(&self, spec: &str) -> Result<Dataset> {
        open(spec)
    }

    fn readouts(&self) -> Vec<Readout> {
        vec![Readout::Patches]
    }

    fn takes_pixel_patches(&self) -> bool {
        true
    }

    fn run(&self, subject: &Subject) -> Result<TaskOutput> {
        let features = subject.features;
        let grid = features.grid()?;
        let side = self.mask_size.unwrap_or(features.view().size);
        ensure!(
            side > 0 && side.is_multiple_of(grid.rows),
            "masks of {side} pixels are not divided evenly by {} patches in a row; give another --mask-size",
            grid.rows
        );
        let cell = side / grid.rows;
        let sets = Sets::choose_any(subject.data, subject.val, self.limits())?;
        let truths = Truths::of(sets.train.data, sets.val.data, self.objects)?;

        let train = LabelledImages {
            images: &sets.train,
            truth: &truths.train,
            features,
            side,
        };
        let learned = LearnedPatches::of(&train, grid, cell)?;
        let mut found = Vec::new();
        for k in numbers(&self.neighbours, learned.bank.len())? {
            found.push(Found {
                k,
                pixels: Segmentation::new(&truths.names),
                patches: Segmentation::new(&truths.names),
            });
        }
        let quoted = quoted(&found);
        let most = found.last().map_or(1, |found| found.k);

        let val = LabelledImages {
            images: &sets.val,
            truth: &truths.val,
            features,
            side,
        };
        let mut pictures = Pictures::of(&sets.val, self.pictures.as_deref());
        let judged = val.for_each(&mut |mut images| {
            learned.standard.apply(&mut images.tokens);
            let search = learned
                .bank
                .nearest(&images.tokens, most, features.device());
            let nearest = block_on(search).context("search on the device")?;
            for (place, found) in found.iter_mut().enumerate() {
                let maps = vote(&nearest, &learned, grid, found.k);
                found.add(&images, &maps, grid);
                if place == quoted {
                    for (image, map) in maps.iter().enumerate() {
                        let (index, truth) = (images.indices[image], &images.labels[image]);
                        pictures.add(index, truth, &map.pixels);
                    }
                }
            }
            Ok(())
        })?;
        pictures.write("patches.png", &sets.val, features.view())?;

        let mut measures = Measures::default();
        for found in &found {
            found.measure(&mut measures);
        }
        let quoted = &found[quoted];
        Ok(TaskOutput {
            measures,
            images: vec![("train", learned.images), ("val", judged)],
            table: format!(
                "{}\n\nk = {}: {}",
                table(&found),
                quoted.k,
                quoted.pixels.table()
            ),
        })
    }

    fn curve(&self, measure: &str) -> Option<Curve> {
        let quantities = [
            (MEAN_IOU, "mean IoU"),
            (ACCURACY, "pixel accuracy"),
            (PATCH_IOU, "mean IoU of patches"),
            (PATCH_ACCURACY, "patch accuracy"),
        ];
        for (prefix, quantity) in quantities {
            if let Some(k) = measure.strip_prefix(prefix) {
                return Some(Curve {
                    quantity,
                    unit: Unit::Share,
                    label: format!("k = {k}"),
                });
            }
        }
        None
    }

    fn headline<'a>(&self, measures: &'a Measures) -> Option<&'a str> {
        let usual = measures.named(&format!("{MEAN_IOU}{QUOTED}"));
        let names = measures.iter().map(|(name, _)| name);
        usual.or_else(|| names.rev().find(|name| name.starts_with(MEAN_IOU)))
    }
}

impl Patches {
    fn limits(&self) -> SetLimits {
        SetLimits {
            train: self.train_images,
            val: self.val_images,
        }
    }
}

/// The classes that were found in an image.
struct FoundMaps {
    pixels: LabelMap,
    patches: LabelMap,
}

/// What the `k` nearest of the learned patches say of each image.
fn vote(
    nearest: &[Vec<Neighbour>],
    learned: &LearnedPatches,
    grid: GridShape,
    k: usize,
) -> Vec<FoundMaps> {
    let maps = nearest.par_chunks(grid.count()).map(|patches| {
        let mut of_patches = Vec::with_capacity(patches.len());
        let mut of_pixels = Vec::with_capacity(patches.len());
        for neighbours in patches {
            // A token that is not finite has no neighbours.
            let neighbours = &neighbours[..k.min(neighbours.len())];
            let class = majority_votes(neighbours, &learned.patches)[0];
            let mut pixels = majority_votes(neighbours, &learned.pixels);
            for pixel in &mut pixels {
                if *pixel == IGNORED {
                    *pixel = class;
                }
            }
            of_patches.push(class);
            of_pixels.push(pixels);
        }

        let cell = of_pixels[0].len().isqrt();
        let side = cell * grid.columns;
        let pixels = LabelMap::from_fn(cell * grid.rows, side, |pixel| {
            let (y, x) = (pixel / side, pixel % side);
            let own = &of_pixels[y / cell * grid.columns + x / cell];
            own[y % cell * cell + x % cell]
        });
        FoundMaps {
            pixels,
            patches: LabelMap::from_fn(grid.rows, grid.columns, |patch| of_patches[patch]),
        }
    });
    maps.collect()
}

impl Found<'_> {
    fn add(&mut self, images: &SeenImages, maps: &[FoundMaps], grid: GridShape) {
        for (truth, map) in images.labels.iter().zip(maps) {
            self.pixels.add(truth, &map.pixels);
            let truth = truth.majority(grid.rows, grid.columns);
            self.patches.add(&truth, &map.patches);
        }
    }

    fn measure(&self, measures: &mut Measures) {
        let (pixels, patches) = (self.pixels.score(), self.patches.score());
        let k = self.k;
        measures.push(format!("{MEAN_IOU}{k}"), pixels.mean_iou);
        measures.push(format!("{ACCURACY}{k}"), pixels.pixel_accuracy);
        measures.push(format!("{PATCH_IOU}{k}"), patches.mean_iou);
        measures.push(format!("{PATCH_ACCURACY}{k}"), patches.pixel_accuracy);
    }
}

/// The numbers of neighbours in ascending order, those beyond `patches` as all of them.
fn numbers(asked: &[usize], patches: usize) -> Result<Vec<usize>> {
    let mut numbers: Vec<usize> = asked.iter().map(|k| (*k).min(patches)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    ensure!(
        numbers.first().is_some_and(|k| *k > 0),
        "give numbers of neighbours from 1"
    );
    Ok(numbers)
}

/// Which of the findings is quoted.
fn quoted(found: &[Found]) -> usize {
    let usual = found.iter().position(|found| found.k == QUOTED);
    usual.unwrap_or(found.len() - 1)
}

fn table(found: &[Found]) -> String {
    let mut table = "   k   mean IoU  accuracy   of patches: mean IoU  accuracy".to_owned();
    for Found { k, pixels, patches } in found {
        let (pixels, patches) = (pixels.score(), patches.score());
        let [iou, accuracy, patch_iou, patch_accuracy] = [
            pixels.mean_iou,
            pixels.pixel_accuracy,
            patches.mean_iou,
            patches.pixel_accuracy,
        ]
        .map(|share| 100.0 * share);
        table += &format!(
            "\n{k:4}    {iou:5.1} %   {accuracy:5.1} %                {patch_iou:5.1} %   {patch_accuracy:5.1} %"
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_neighbours_end_with_all() {
        assert_eq!(numbers(&NEIGHBOURS, 7).expect("sound"), [1, 3, 7]);
        assert!(numbers(&[0, 1], 7).is_err() && numbers(&[], 7).is_err());
    }
}
