//! The classes of pixels by readers of single patches: k-NN and logistic regression (CAPI).

mod found;
mod learned;
mod regression;

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use futures_lite::future::block_on;
use ibot_core::eval::patches::{COSTS, NEIGHBOURS};
use serde::{Deserialize, Serialize};

use self::found::{
    PatchReader, ReaderScores, add, curve, enlarged, measures, name_of, table, vote,
};
use self::learned::LearnedPatches;
use self::regression::choose;
use super::dense::{LabelledImages, SegmentationPictures, Truths};
use super::measures::Measures;
use super::sets::{SetLimits, Sets};
use super::task::{Curve, EvalTask, Subject, TaskOutput};
use crate::data::Dataset;
use crate::features::Readout;

const HELP: &str = "\
Examples:
  ibot eval patches --data ADEChallengeData2016 --val ADEChallengeData2016:validation --model vit_small.pth
  ibot eval patches --data builtin --val builtin:val --model runs/builtin --beside pixels,untrained

The tokens of patches are standardised by those of --data. With k-NN each patch of --val looks for the k most similar ones
by cosine, and each of its pixels takes the class that most of them have at the same place. A logistic regression learns
the class of most pixels of a patch, with the best of --costs for a tenth of the images to learn from. Prints for each the
mean over classes of the intersection over union, of pixels at --mask-size, and of patches with the class of most of
their pixels.
Masks are as for `ibot eval in-context`. All tokens of --data are in memory, images x patches x width x 4 bytes, twice.";

/// The number of neighbours that is quoted, and whose classes are listed.
const QUOTED: usize = 10;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[command(after_help = HELP)]
#[serde(default, deny_unknown_fields)]
pub struct Patches {
    /// Numbers of neighbours that vote
    #[arg(long, value_name = "K,...", value_delimiter = ',', default_values_t = NEIGHBOURS)]
    pub neighbours: Vec<usize>,
    /// Costs of an error in the logistic regression, of which the best is taken: C of scikit-learn; 0
    /// for no regression
    #[arg(long, value_name = "C,...", value_delimiter = ',', default_values_t = COSTS)]
    pub costs: Vec<f64>,
    /// Most iterations of a regression
    #[arg(long, value_name = "N", default_value_t = Self::ITERATIONS)]
    pub iterations: usize,
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

// What an entry of `[[eval]]` starts from: without regression, so that a run can afford it.
impl Default for Patches {
    fn default() -> Self {
        Self {
            neighbours: NEIGHBOURS.to_vec(),
            costs: vec![0.0],
            iterations: Self::ITERATIONS,
            mask_size: None,
            objects: false,
            train_images: None,
            val_images: None,
            pictures: None,
        }
    }
}

impl EvalTask for Patches {
    fn title(&self) -> &'static str {
        "Patch probes"
    }

    fn name(&self) -> &'static str {
        "patches"
    }

    fn paper(&self) -> &'static str {
        "not in the paper"
    }

    fn meaning(&self) -> &'static str {
        "It is the intersection over union of what the nearest patches say and the mask, as a mean \
         over classes: high where single patches tell what they show."
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
        let ks = numbers(&self.neighbours, learned.bank.len())?;
        let most = ks.last().copied().unwrap_or(1);
        let mut found: Vec<ReaderScores> = Vec::new();
        for k in ks {
            found.push(ReaderScores::of(PatchReader::Neighbours(k), &truths.names));
        }
        let quoted = quoted(&found);
        // A cost of 0 stands for no regression.
        let costs: Vec<f64> = self.costs.iter().copied().filter(|c| *c != 0.0).collect();
        let regression = match costs[..] {
            [] => None,
            _ => Some(choose(
                &learned,
                &costs,
                self.iterations,
                truths.names.len(),
                features.device(),
            )?),
        };
        if let Some(chosen) = &regression {
            found.push(ReaderScores::of(
                PatchReader::Regression(chosen.c),
                &truths.names,
            ));
        }

        let val = LabelledImages {
            images: &sets.val,
            truth: &truths.val,
            features,
            side,
        };
        let mut pictures = SegmentationPictures::of(&sets.val, self.pictures.as_deref());
        let judged = val.for_each(&mut |mut images| {
            // Tokens are compared with learned ones, so the same numbers must standardise them.
            learned.standard.apply(&mut images.tokens);
            let search = learned
                .bank
                .nearest(&images.tokens, most, features.device());
            let nearest = block_on(search).context("search on the device")?;
            for (place, found) in found.iter_mut().enumerate() {
                let maps = match (found.reader, &regression) {
                    (PatchReader::Regression(_), Some(chosen)) => {
                        let classes = chosen.fit.predict(&images.tokens, features.device());
                        let classes = block_on(classes).context("regression on the device")?;
                        enlarged(&classes, grid, cell)
                    }
                    (PatchReader::Regression(_), None) => continue,
                    (PatchReader::Neighbours(k), _) => vote(&nearest, &learned, grid, k),
                };
                add(found, &images, &maps, grid);
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

        let quoted = &found[quoted];
        Ok(TaskOutput {
            measures: measures(&found),
            images: vec![("train", learned.images), ("val", judged)],
            table: format!(
                "{}\n\n{}: {}",
                table(&found),
                quoted.reader,
                quoted.pixels.table()
            ),
        })
    }

    fn curve(&self, measure: &str) -> Option<Curve> {
        curve(measure)
    }

    fn headline<'a>(&self, measures: &'a Measures) -> Option<&'a str> {
        let usual = measures.named(&name_of(PatchReader::Neighbours(QUOTED)));
        let names = measures.iter().map(|(name, _)| name);
        usual.or_else(|| names.rev().find(|name| curve(name).is_some()))
    }
}

impl Patches {
    // As in CAPI.
    const ITERATIONS: usize = 1000;

    fn limits(&self) -> SetLimits {
        SetLimits {
            train: self.train_images,
            val: self.val_images,
        }
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

/// Which of the findings is quoted; the largest number of neighbours if none is the usual one.
fn quoted(found: &[ReaderScores]) -> usize {
    let is_usual = |found: &ReaderScores| found.reader == PatchReader::Neighbours(QUOTED);
    let usual = found.iter().position(is_usual);
    usual.unwrap_or(found.len() - 1)
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
