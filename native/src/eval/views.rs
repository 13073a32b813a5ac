//! The views of images as pixels, for evaluations that change them before the network sees them.

use anyhow::{Result, ensure};
use ibot_core::image::RgbImage;
use ibot_core::image::normalize::normalize_into;
use ibot_core::rng::{Purpose, Rng, stream};
use rayon::prelude::*;

use super::judge::Judge;
use super::sets::Subset;
use crate::features::{FeatureStore, PassProgress};

const CHUNK: usize = 64;

/// The views of a few images, of those that can be read.
pub struct Views {
    /// Normalised, 3 x side x side values an image.
    pub pixels: Vec<f32>,
    /// Side of a view in pixels.
    pub side: usize,
    /// The place of each image among those that are evaluated, unreadable ones included.
    pub places: Vec<usize>,
    pub labels: Vec<usize>,
}

/// Random draws, one for each image, or one for a batch of images.
#[derive(Clone, Copy, Debug)]
pub struct ViewDraws {
    pub seed: u64,
    /// Images that share a draw, at least one.
    pub batch: usize,
}

/// How many images were judged, and for how many of them the class was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RightCount {
    pub right: usize,
    pub judged: usize,
}

impl Views {
    pub fn images(&self) -> std::slice::ChunksExact<'_, f32> {
        self.pixels.chunks_exact(3 * self.side * self.side)
    }

    /// How many of the images, as `pixels` show them, are found to have the class that `expected`
    /// has for their label.
    pub fn judge(
        &self,
        pixels: Vec<f32>,
        judge: &Judge,
        expected: &[usize],
        features: &FeatureStore,
    ) -> Result<RightCount> {
        let rows = features.encode(&[judge.readout()], pixels)?.remove(0);
        let found = judge.logits(rows)?.predictions();
        let pairs = found.iter().zip(&self.labels);
        let right = pairs.filter(|(found, label)| **found == expected[**label]);
        Ok(RightCount {
            right: right.count(),
            judged: found.len(),
        })
    }
}

impl ViewDraws {
    /// The stream of the image at `place` in setting number `setting`.
    pub fn stream(self, setting: usize, place: usize) -> Rng {
        let batch = place / self.batch.max(1);
        stream(self.seed, Purpose::Perturb, setting as u64, batch as u64)
    }
}

impl RightCount {
    pub fn add(&mut self, other: Self) {
        self.right += other.right;
        self.judged += other.judged;
    }

    /// The share of right answers; 0 without images.
    pub fn top1(self) -> f64 {
        self.right as f64 / self.judged.max(1) as f64
    }
}

/// Gives the views of `images` to `take`, a few at a time, and their number. Images that cannot be
/// read are named and left out.
pub fn for_each_views(
    images: &Subset,
    features: &FeatureStore,
    take: &mut dyn FnMut(Views) -> Result<()>,
) -> Result<usize> {
    let view = features.view();
    let progress = PassProgress::new("judging", images.indices.len(), features.shows_progress());
    let mut read = 0;
    for (number, chunk) in images.indices.chunks(CHUNK).enumerate() {
        let load = |index: &usize| Ok(view.cut(&images.data.load(*index)?));
        let loaded: Vec<Result<RgbImage>> = chunk.par_iter().map(load).collect();

        let mut views = Views {
            pixels: Vec::new(),
            side: view.size,
            places: Vec::new(),
            labels: Vec::new(),
        };
        for (place, image) in loaded.into_iter().enumerate() {
            match image {
                Ok(image) => {
                    let start = views.pixels.len();
                    views.pixels.resize(start + image.pixels().len(), 0.0);
                    normalize_into(&image, &mut views.pixels[start..]);
                    // Draws depend on the place, so an image that cannot be read does not move
                    // those of the others.
                    views.places.push(number * CHUNK + place);
                    views.labels.extend(images.labels_of(&[chunk[place]]));
                }
                Err(error) => progress.warn(&format!("{error:#} (left out)")),
            }
        }
        read += views.places.len();
        if !views.places.is_empty() {
            take(views)?;
        }
        progress.add(chunk.len());
    }
    drop(progress);
    ensure!(
        read > 0,
        "no image of {} could be read",
        images.data.description()
    );
    Ok(read)
}
