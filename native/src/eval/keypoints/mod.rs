//! Keypoints: does a point of one image find the same point of another of its kind?

mod scenes;
mod score;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use ibot_core::eval::keypoints::{ALPHAS, KeypointScore};
use ibot_core::image::RgbImage;
use serde::{Deserialize, Serialize};

use self::scenes::{has_parts, pairs_of_parts};
use self::score::{DrawnPair, KeypointScores, PointSearch, QUOTED};
use super::measures::Measures;
use super::problems::warn_of;
use super::task::{Curve, EvalTask, Subject, TaskOutput, Unit};
use crate::data::{Dataset, ImagePair, KeypointPairs};
use crate::features::{Readout, WholeView};
use crate::report::figures::{ImagePoints, keypoints};
use crate::report::png::save_png;

const HELP: &str = "\
Examples:
  ibot eval keypoints --data SPair-71k/ --model vit_small.pth
  ibot eval keypoints --data SPair-71k.tar:val --model vit_small.pth --pairs 1000
  ibot eval keypoints --data pairs.json --model vit_small.pth --picture points.png
  ibot eval keypoints --data builtin:val --model runs/builtin --beside pixels,untrained

For points of one image finds the patch of another whose token is most like theirs by cosine, and counts those that are
right (PCK): the patch's centre is at most 0.05, 0.1 or 0.15 of the longer side of the target's box from the true place.
--data is a folder or .tar of SPair-71k (PairAnnotation/, JPEGImages/) with `:SPLIT` after it [default: test]; or a JSON
list of {\"source\": FILE, \"target\": FILE, \"source_points\": [[x, y], ...], \"target_points\": [...]}, if known with
\"category\" and \"target_box\": [left, top, right, bottom], without which the longer side of the image counts; or images
with classes and parts, such as builtin: the points are the middles of parts that two images of a class share.
The token of a point is interpolated between patches; found are centres of patches, and the ceiling is the share of
points that any centre is near enough to. Images are shown whole, their longer side --side pixels.";

const PCK: &str = "pck";
const PER_POINT: &str = "pck_point";
const SAME_PLACE: &str = "same_place";
const CEILING: &str = "ceiling";
const DRAWN: usize = 8;
/// Images of a set with parts whose pairs are taken by default.
const PARTS_IMAGES: usize = 500;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
#[command(after_help = HELP)]
#[serde(default, deny_unknown_fields)]
pub struct Keypoints {
    /// Longer side of an image in pixels, rounded to whole patches [default: twice the size of
    /// pre-training, at most 518]
    #[arg(long, value_name = "PIXELS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side: Option<usize>,
    /// Take out what the tokens of an image have in common
    #[arg(long)]
    pub center: bool,
    /// Most pairs, spread evenly over the list, or over classes [default: all, or 500 of images with
    /// parts]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs: Option<usize>,
    /// Draw the points of some pairs into a PNG file
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub picture: Option<PathBuf>,
}

impl EvalTask for Keypoints {
    fn title(&self) -> &'static str {
        "Keypoints"
    }

    fn name(&self) -> &'static str {
        "keypoints"
    }

    fn paper(&self) -> &'static str {
        "none: SPair-71k is arXiv 1908.10543"
    }

    fn meaning(&self) -> &'static str {
        "It is the share of points of an object whose patch finds the same point of another object of \
         its kind by likeness alone."
    }

    fn suits(&self, data: &Dataset) -> bool {
        self.pairs != Some(0) && (data.annotation::<KeypointPairs>().is_some() || has_parts(data))
    }

    fn open(&self, spec: &str) -> Result<Dataset> {
        match Dataset::open_keypoints(spec)? {
            Some(data) => Ok(data),
            None => Ok(Dataset::open(spec)?),
        }
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
            self.side != Some(0) && self.pairs != Some(0),
            "keypoints need at least one pixel and one pair of images"
        );
        // Holds pairs that are made here as long as those of the data set live.
        let built;
        let known = match data.annotation::<KeypointPairs>() {
            Some(known) => {
                warn_of(&known.problems);
                known
            }
            None => {
                ensure!(
                    has_parts(data),
                    "keypoints need pairs of images with points, which {} has not; give SPair-71k or a JSON list",
                    data.description()
                );
                built = pairs_of_parts(data, self.pairs.unwrap_or(PARTS_IMAGES))?;
                &built
            }
        };

        let view = WholeView::of(subject.features, self.side);
        let pairs = evenly(&known.pairs, self.pairs.unwrap_or(usize::MAX));
        let points = PointSearch {
            data,
            features: subject.features,
            sizes: &known.sizes,
            view,
            centers: self.center,
            drawn_of: match &self.picture {
                Some(_) => pairs.len().div_ceil(DRAWN),
                None => 0,
            },
        };
        let scores = points.scores(&pairs)?;
        ensure!(
            scores.model.pairs > 0,
            "no pair of {} images could be read",
            data.len()
        );
        if let Some(file) = &self.picture {
            save_png(&picture(data, &scores.drawn)?, file)?;
        }
        Ok(TaskOutput {
            measures: measures(&scores),
            images: vec![("pairs", scores.model.pairs)],
            table: table(&scores, &known.categories),
        })
    }

    fn curve(&self, measure: &str) -> Option<Curve> {
        let (quantity, label) = match measure.rsplit_once('_') {
            Some((PCK, alpha)) => ("PCK", format!("alpha = {alpha}")),
            Some((PER_POINT, alpha)) => ("PCK of all points", alpha.to_owned()),
            _ if measure == SAME_PLACE => ("PCK", "same place".to_owned()),
            _ if measure == CEILING => ("PCK", "ceiling".to_owned()),
            _ => return None,
        };
        Some(Curve {
            quantity,
            unit: Unit::Share,
            label,
        })
    }

    fn headline<'a>(&self, measures: &'a Measures) -> Option<&'a str> {
        measures.named(&format!("{PCK}_{}", ALPHAS[QUOTED]))
    }
}

fn picture(data: &Dataset, drawn: &[DrawnPair]) -> Result<RgbImage> {
    let mut rows = Vec::with_capacity(drawn.len());
    for pair in drawn {
        rows.push(ImagePoints {
            first: data.load(pair.source)?,
            second: data.load(pair.target)?,
            pairs: pair.points.clone(),
        });
    }
    Ok(keypoints("Keypoints", &rows))
}

/// At most `count` of `pairs`, spread evenly.
fn evenly(pairs: &[ImagePair], count: usize) -> Vec<&ImagePair> {
    let count = count.min(pairs.len());
    let places = (0..count).map(|number| number * pairs.len() / count);
    places.map(|place| &pairs[place]).collect()
}

fn measures(scores: &KeypointScores) -> Measures {
    let mut measures = Measures::default();
    for (number, alpha) in ALPHAS.iter().enumerate() {
        measures.push(format!("{PCK}_{alpha}"), scores.model.per_image(number));
    }
    for (number, alpha) in ALPHAS.iter().enumerate() {
        measures.push(
            format!("{PER_POINT}_{alpha}"),
            scores.model.per_point(number),
        );
    }
    let same_place = scores.same_place.per_image(QUOTED);
    measures.push(SAME_PLACE.to_owned(), same_place);
    measures.push(CEILING.to_owned(), scores.model.ceiling(QUOTED));
    measures.push("points".to_owned(), scores.model.points as f64);
    measures
}

fn table(scores: &KeypointScores, categories: &[String]) -> String {
    let model = &scores.model;
    let mut table = format!(
        "alpha      PCK  all points  same place  ceiling   ({} pairs, {} points)",
        model.pairs, model.points
    );
    for (number, alpha) in ALPHAS.iter().enumerate() {
        table += &format!(
            "\n{alpha:<5}  {:5.1} %     {:5.1} %     {:5.1} %  {:5.1} %",
            100.0 * model.per_image(number),
            100.0 * model.per_point(number),
            100.0 * scores.same_place.per_image(number),
            100.0 * model.ceiling(number)
        );
    }
    if scores.unread > 0 {
        table += &format!(
            "\n{} pairs with an image that cannot be read are left out",
            scores.unread
        );
    }

    if scores.categories.len() > 1 {
        table += &format!("\n\nPCK at {} by category:", ALPHAS[QUOTED]);
        for (category, score) in &scores.categories {
            table += &category_line(&categories[*category], score);
        }
    }
    table
}

fn category_line(name: &str, score: &KeypointScore) -> String {
    let share = 100.0 * score.per_image(QUOTED);
    format!("\n{name:14}  {share:5.1} %  {} pairs", score.pairs)
}
