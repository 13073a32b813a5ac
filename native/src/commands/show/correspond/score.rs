//! How often the nearest patch is the right one.

use anyhow::Result;
use ibot_core::annotation::ground_truth::GroundTruth;
use ibot_core::grid::PatchGeometry;
use ibot_core::metrics::pck::{ALPHAS, Pck, pck};
use serde_json::{Value, json};

use crate::report::figures::PointPair;

/// The tolerance of the picture, by its place among [`ALPHAS`].
const DRAWN_ALPHA: usize = 1;
const DRAWN: usize = 150;

/// The share of correct keypoints (PCK), beside that of a guess.
pub(super) struct Scores {
    model: Pck,
    /// Of the patch at the same place of the second image, which needs no network.
    same_place: Pck,
}

impl Scores {
    pub fn new(
        truth: &GroundTruth,
        places: (&PatchGeometry, &PatchGeometry),
        matched: &[Option<usize>],
    ) -> Result<Self> {
        let unmoved: Vec<Option<usize>> = (0..places.0.count())
            .map(|patch| same_place(places, patch))
            .collect();
        Ok(Self {
            model: pck(truth, places, matched, &ALPHAS)?,
            same_place: pck(truth, places, &unmoved, &ALPHAS)?,
        })
    }

    pub fn print(&self) {
        let Self { model, same_place } = self;
        println!(
            "\n  alpha   pixels      PCK   same place   chance   ceiling   ({} patches)",
            model.points.len()
        );
        for (at, unmoved) in model.accuracies.iter().zip(&same_place.accuracies) {
            let pck = 100.0 * at.pck;
            let same = 100.0 * unmoved.pck;
            let chance = 100.0 * at.chance;
            let ceiling = 100.0 * at.ceiling;
            println!(
                "  {:5.2}   {:6.1}  {pck:5.1} %      {same:5.1} %  {chance:5.1} %   {ceiling:5.1} %",
                at.alpha, at.pixels
            );
        }
        println!(
            "  median error {:.1} pixels, {:.1} at the same place\n",
            model.median_error, same_place.median_error
        );
    }

    pub fn add_to(&self, numbers: &mut Value) {
        numbers["pck"] = as_json(&self.model);
        numbers["same_place"] = as_json(&self.same_place);
    }

    /// Some of the nearest patches, spread evenly, right if they lie within the middle tolerance.
    pub fn pairs(&self, (first, second): (&PatchGeometry, &PatchGeometry)) -> Vec<PointPair> {
        let Pck {
            accuracies, points, ..
        } = &self.model;
        // The list of tolerances is the library's, and may become shorter.
        let tolerance = accuracies.get(DRAWN_ALPHA).map_or(0.0, |at| at.pixels);
        // Evenly over the image, as patches come row by row.
        let step = points.len().div_ceil(DRAWN).max(1);
        let mut pairs = Vec::new();
        for found in points.iter().step_by(step) {
            if let Some(matched) = found.matched {
                pairs.push(PointPair {
                    from: point(first.center(found.patch)),
                    to: point(second.center(matched)),
                    right: Some(found.error <= tolerance),
                });
            }
        }
        pairs
    }
}

pub(super) fn point((x, y): (f64, f64)) -> (f32, f32) {
    (x as f32, y as f32)
}

fn same_place((first, second): (&PatchGeometry, &PatchGeometry), patch: usize) -> Option<usize> {
    let across = second.width() as f64 / first.width() as f64;
    let down = second.height() as f64 / first.height() as f64;
    let (x, y) = first.center(patch);
    // Centers of pixels lie at whole numbers.
    let scaled = ((x + 0.5) * across - 0.5, (y + 0.5) * down - 0.5);
    second.patch_at(scaled.0, scaled.1).ok()
}

fn as_json(scores: &Pck) -> Value {
    let mut accuracies = Vec::with_capacity(scores.accuracies.len());
    for at in &scores.accuracies {
        accuracies.push(json!({
            "alpha": at.alpha,
            "pixels": at.pixels,
            "pck": at.pck,
            "chance": at.chance,
            "ceiling": at.ceiling,
        }));
    }
    json!({
        "patches": scores.points.len(),
        "median_error": scores.median_error,
        "accuracies": accuracies,
    })
}
