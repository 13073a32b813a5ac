//! Copy detection: does an altered copy of an image find it?

mod edit;
mod feature;
mod sets;

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use futures_lite::future::block_on;
use ibot_core::eval::copies::{SEEN, Whitening};
use ibot_core::eval::retrieval::{best, compare, normalize};
use ibot_core::metrics::ranking::{MeanScore, RankingScore, Wanted};
use serde::{Deserialize, Serialize};

pub use self::edit::Edit;
pub use self::feature::copy_features;
use self::sets::{CopySets, optional};
use super::measures::Measures;
use super::task::{Curve, EvalTask, Subject, TaskOutput, Unit};
use crate::data::{CopyBlocks, Dataset};
use crate::features::{FeatureRows, FeatureStore, Readout};

const HELP: &str = "\
Examples:
  ibot eval copies --data copydays/ --model vit_base.pth --distractors yfcc/ --whitening more/
  ibot eval copies --data photos/ --model runs/photos

Searches originals and distractors with copies by cosine. --data is a folder of Copydays (original/, strong/,
jpegqual/*/, crops/*/). Else it is any images: copies of --originals of them are made here (JPEG quality 50, 20 and 5;
crops that lack 20, 50 and 80 % of the area; blur of 1 and 3 % of the shorter side; turned by 5 and 20 degrees; all
together), and the others are distractors.
The feature is CLS with the generalised mean of the patches (power 4) of the whole image as a square.
Prints mAP among the first 20 for each kind of copy, and their mean. `original` is no copy and not in the mean.";

const MAP: &str = "map";
const ORIGINAL: &str = "original";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[command(after_help = HELP)]
#[serde(default, deny_unknown_fields)]
pub struct Copies {
    /// Images that are searched too and are copies of nothing: what `pretrain --data` takes
    #[arg(long, value_name = "DATA")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distractors: Option<PathBuf>,
    /// Images to learn a whitening of features from: what `pretrain --data` takes
    #[arg(long, value_name = "DATA")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whitening: Option<PathBuf>,
    /// Images of which copies are made, spread evenly; not for Copydays
    #[arg(long, value_name = "N", default_value_t = Copies::ORIGINALS)]
    pub originals: usize,
    /// Images of --data that are searched, originals included, spread evenly; not for Copydays
    #[arg(long, value_name = "N", default_value_t = Copies::IMAGES)]
    pub images: usize,
}

impl Copies {
    const ORIGINALS: usize = 100;
    const IMAGES: usize = 1000;
}

impl Default for Copies {
    fn default() -> Self {
        Self {
            distractors: None,
            whitening: None,
            originals: Self::ORIGINALS,
            images: Self::IMAGES,
        }
    }
}

impl EvalTask for Copies {
    fn title(&self) -> &'static str {
        "Copy detection"
    }

    fn name(&self) -> &'static str {
        "copies"
    }

    fn paper(&self) -> &'static str {
        "not in the paper; evaluation/eval_copy_detection.py of its code"
    }

    fn meaning(&self) -> &'static str {
        "It is high where an altered copy of an image finds the image first."
    }

    fn suits(&self, _data: &Dataset) -> bool {
        self.originals > 0
    }

    fn open(&self, spec: &str) -> Result<Dataset> {
        match Dataset::open_copydays(spec)? {
            Some(data) => Ok(data),
            None => Ok(Dataset::open(spec)?),
        }
    }

    fn readouts(&self) -> Vec<Readout> {
        // Images are shown as squares, which share no pass.
        Vec::new()
    }

    fn run(&self, subject: &Subject) -> Result<TaskOutput> {
        let distractors = optional(self.distractors.as_deref()).context("--distractors")?;
        let whitening = optional(self.whitening.as_deref()).context("--whitening")?;
        let data = subject.val.unwrap_or(subject.data);
        let sets = match data.annotation::<CopyBlocks>() {
            Some(copies) => CopySets::official(data, copies, distractors.as_ref()),
            None => CopySets::made(data, self.originals, self.images, distractors.as_ref())?,
        };

        let features = subject.features;
        let mut rows = copy_features(features, sets.len(), |number| sets.load(number))?;
        if let Some(data) = &whitening {
            let learned_from = copy_features(features, data.len(), |index| Ok(data.load(index)?))?;
            let whitening = Whitening::learn(&learned_from.values, learned_from.width)?;
            whitening.apply(&mut rows.values);
        }
        // Whitening changes lengths, so rows are normalised after it.
        normalize(&mut rows.values, rows.width);

        let found = search(&sets, &rows, features)?;
        let copies = sets.blocks.iter().map(|block| block.queries.len()).sum();
        Ok(TaskOutput {
            measures: measures(&found),
            images: vec![("database", sets.database), ("copies", copies)],
            table: table(&found),
        })
    }

    fn curve(&self, measure: &str) -> Option<Curve> {
        let label = match measure {
            MAP => "",
            measure => measure.strip_prefix("map_")?,
        };
        Some(Curve {
            quantity: "mAP of copies",
            unit: Unit::Share,
            label: label.to_owned(),
        })
    }

    fn headline<'a>(&self, measures: &'a Measures) -> Option<&'a str> {
        measures.named(MAP)
    }
}

/// The score of each block. A copy that cannot be read is left out; an original that cannot be read
/// is not found.
fn search(
    sets: &CopySets,
    rows: &FeatureRows,
    features: &FeatureStore,
) -> Result<Vec<(String, MeanScore)>> {
    let mut row_of = vec![None; sets.len()];
    for (row, image) in rows.indices.iter().enumerate() {
        row_of[*image] = Some(row);
    }
    // Rows keep the order of images, of which those to search come first.
    let searched = rows.indices.partition_point(|image| *image < sets.database);
    ensure!(searched > 0, "no image to search could be read");
    let database = &rows.values[..searched * rows.width];

    let mut found = Vec::new();
    for block in &sets.blocks {
        let mut asked = Vec::new();
        let mut values = Vec::new();
        for query in &block.queries {
            if let Some(row) = row_of[query.image] {
                asked.push(Wanted {
                    positives: query.originals.clone(),
                    junk: Vec::new(),
                });
                values.extend_from_slice(&rows.values[row * rows.width..][..rows.width]);
            }
        }

        let mut scores = Vec::new();
        let comparison = compare(
            database,
            &values,
            rows.width,
            features.device(),
            |query, cosines| {
                let matches = best(cosines, SEEN);
                let ranked: Vec<usize> = matches.iter().map(|m| rows.indices[m.index]).collect();
                scores.push(RankingScore::of(&ranked, &asked[query], &[]));
            },
        );
        block_on(comparison).context("search on the device")?;
        if asked.is_empty() {
            eprintln!(
                "warning: no copy of {} could be read (left out)",
                block.name
            );
            continue;
        }
        found.push((block.name.clone(), MeanScore::of(&scores, &[])));
    }
    ensure!(!found.is_empty(), "no copy could be read");
    Ok(found)
}

fn measures(found: &[(String, MeanScore)]) -> Measures {
    let mut measures = Measures::default();
    if let Some(mean) = mean(found) {
        measures.push(MAP.to_owned(), mean);
    }
    for (block, score) in found {
        measures.push(format!("map_{block}"), score.mean_average_precision);
    }
    measures
}

/// The mean over blocks of copies; `None` if there are none.
fn mean(found: &[(String, MeanScore)]) -> Option<f64> {
    // The block of unaltered originals is no copy: it only shows that the search works.
    let copies = found.iter().filter(|(block, _)| block != ORIGINAL);
    let scores: Vec<f64> = copies.map(|(_, s)| s.mean_average_precision).collect();
    (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64)
}

fn table(found: &[(String, MeanScore)]) -> String {
    let mut table = format!("{:13}     mAP  copies", "");
    for (block, score) in found {
        let map = 100.0 * score.mean_average_precision;
        table += &format!("\n{block:13}  {map:5.1} %  {:6}", score.queries);
    }
    if let Some(mean) = mean(found) {
        table += &format!("\n{:13}  {:5.1} %", "mean", 100.0 * mean);
    }
    table
}
