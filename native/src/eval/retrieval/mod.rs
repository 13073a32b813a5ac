//! Retrieval: does a photograph find others of the same thing?

mod search;
mod sets;

use anyhow::{Result, ensure};
use clap::Args;
use ibot_core::annotation::retrieval::RetrievalTruth;
use ibot_core::metrics::ranking::MeanScore;
use serde::{Deserialize, Serialize};

use self::search::{KS, SearchView, search};
use self::sets::SearchSets;
use super::measures::Measures;
use super::task::{Curve, EvalTask, Subject, TaskOutput, Unit};
use crate::data::Dataset;
use crate::features::Readout;

const HELP: &str = "\
Examples:
  ibot eval retrieval --data roxford5k/ --model vit_small.pth
  ibot eval retrieval --data roxford5k/ --model vit_small.pth --crop-queries
  ibot eval retrieval --data flowers/train.tar --val flowers/val.tar --model runs/flowers

Ranks all images by the cosine of their feature with that of each query. --data is a folder of Revisited Oxford or Paris
(jpg/ and gnd_NAME.pkl, or .json with the same keys: imlist, qimlist, and for each query easy, hard, junk, bbx). Else it
is any set with labels: images of one class are to find each other, or those of --val are to find those of --data.
Images are shown whole, scaled down to fit --fit, at --scales scales. The feature is the sum of the CLS tokens.
Plain pixels are those of the central crop of --size; a network is not asked for it.
Prints mAP (by trapezoids) and the mean precision among the first 1, 5 and 10.";

const MAP: &str = "map";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[command(after_help = HELP)]
#[serde(default, deny_unknown_fields)]
pub struct Retrieval {
    /// Scales at which an image is shown: 1, 1/sqrt(2), 1/2 and so on
    #[arg(long, value_name = "N", default_value_t = Retrieval::SCALES)]
    pub scales: usize,
    /// Largest side of an image in pixels; larger ones are scaled down
    #[arg(long, value_name = "PIXELS", default_value_t = Retrieval::FIT)]
    pub fit: usize,
    /// Cut queries to their bounds, as the protocol of the data set says; the official code shows
    /// them whole
    #[arg(long)]
    pub crop_queries: bool,
    /// Most images to search, of a set with labels, spread evenly over it [default: all, or 10000 if
    /// --val is missing]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<usize>,
    /// Most queries, of a set with labels, spread evenly over it [default: all, or 500 if --val is
    /// missing]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queries: Option<usize>,
}

impl Retrieval {
    const SCALES: usize = 3;
    const FIT: usize = 512;
}

impl Default for Retrieval {
    fn default() -> Self {
        Self {
            scales: Self::SCALES,
            fit: Self::FIT,
            crop_queries: false,
            images: None,
            queries: None,
        }
    }
}

impl EvalTask for Retrieval {
    fn title(&self) -> &'static str {
        "Retrieval"
    }

    fn name(&self) -> &'static str {
        "retrieval"
    }

    fn paper(&self) -> &'static str {
        "table 16"
    }

    fn meaning(&self) -> &'static str {
        "It is high where the images that show the same as a query come first among all images."
    }

    fn suits(&self, data: &Dataset) -> bool {
        let is_empty = self.images == Some(0) || self.queries == Some(0);
        !data.classes().is_empty() && !is_empty
    }

    fn open(&self, spec: &str) -> Result<Dataset> {
        match Dataset::open_landmarks(spec)? {
            Some(data) => Ok(data),
            None => Ok(Dataset::open(spec)?),
        }
    }

    fn readouts(&self) -> Vec<Readout> {
        // Images are shown at sizes of their own, which share no pass.
        Vec::new()
    }

    fn run(&self, subject: &Subject) -> Result<TaskOutput> {
        ensure!(self.scales > 0, "retrieval needs at least one scale");
        ensure!(self.fit > 0, "an image needs at least one pixel to fit");
        let sets = match subject.data.annotation::<RetrievalTruth>() {
            Some(truth) => SearchSets::official(subject.data, truth, self.crop_queries),
            None => SearchSets::labelled(subject.data, subject.val, self.images, self.queries)?,
        };
        let view = SearchView {
            scales: self.scales,
            fit: self.fit,
        };
        let found = search(&sets, view, subject.features)?;

        Ok(TaskOutput {
            measures: measures(&found),
            images: vec![
                ("database", sets.database.len()),
                ("queries", sets.queries.len()),
            ],
            table: table(&found),
        })
    }

    fn curve(&self, measure: &str) -> Option<Curve> {
        let (name, label) = measure.split_once('_').unwrap_or((measure, ""));
        let quantity = match name {
            MAP => "mAP",
            "mp1" => "precision at 1",
            "mp5" => "precision at 5",
            "mp10" => "precision at 10",
            _ => return None,
        };
        Some(Curve {
            quantity,
            unit: Unit::Share,
            label: label.to_owned(),
        })
    }

    fn headline<'a>(&self, measures: &'a Measures) -> Option<&'a str> {
        measures.named(MAP).or_else(|| measures.named("map_medium"))
    }
}

fn measures(found: &[(&str, MeanScore)]) -> Measures {
    let mut measures = Measures::default();
    for (setup, score) in found {
        let ending = match *setup {
            "" => String::new(),
            setup => format!("_{setup}"),
        };
        measures.push(format!("{MAP}{ending}"), score.mean_average_precision);
        for (k, precision) in KS.iter().zip(&score.precision) {
            measures.push(format!("mp{k}{ending}"), *precision);
        }
        measures.push(format!("queries{ending}"), score.queries as f64);
    }
    measures
}

fn table(found: &[(&str, MeanScore)]) -> String {
    let mut table = "            mAP     mP@1     mP@5    mP@10  queries".to_owned();
    for (setup, score) in found {
        let mut line = format!("\n{setup:6}");
        let shares = [&[score.mean_average_precision], &score.precision[..]].concat();
        for share in shares {
            line += &format!("  {:6.2}%", 100.0 * share);
        }
        table += &format!("{line}  {:7}", score.queries);
        if score.empty > 0 {
            table += &format!(" ({} without anything to find)", score.empty);
        }
    }
    table
}
