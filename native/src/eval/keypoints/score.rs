//! Matches points of pairs, and counts those that are right.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use ibot_core::eval::keypoints::{ALPHAS, KeypointScore, KeypointView, pair_accuracies};
use ibot_core::grid::PatchGeometry;
use ibot_core::metrics::pck::PckPoint;

use crate::data::{Dataset, ImagePair};
use crate::features::{FeatureStore, SeenImage, WholeView, seen_images};
use crate::report::figures::PointPair;

// Images whose tokens are in memory at a time; as many as a category of SPair has, about.
const TOGETHER: usize = 128;

/// The tolerance that is quoted and drawn, by its place among [`ALPHAS`].
pub const QUOTED: usize = 1;

/// Scores of the network, and of the same place in the other image.
#[derive(Debug, Default)]
pub struct KeypointScores {
    pub model: KeypointScore,
    pub same_place: KeypointScore,
    /// By number.
    pub categories: BTreeMap<usize, KeypointScore>,
    /// Pairs with an image that could not be read.
    pub unread: usize,
    /// Pairs to draw.
    pub drawn: Vec<DrawnPair>,
}

/// What was found for the points of a pair of images.
#[derive(Debug)]
pub struct DrawnPair {
    pub source: usize,
    pub target: usize,
    pub points: Vec<PointPair>,
}

/// How points are looked for.
#[derive(Clone, Copy)]
pub struct PointSearch<'a> {
    pub data: &'a Dataset,
    pub features: &'a FeatureStore,
    /// Width and height of each image, where they are known.
    pub sizes: &'a [Option<(usize, usize)>],
    pub view: WholeView,
    /// Whether what the tokens of an image have in common is taken out.
    pub centers: bool,
    /// Of so many pairs the first is drawn; of none if it is 0.
    pub drawn_of: usize,
}

impl PointSearch<'_> {
    /// Scores pairs of images. Images that cannot be read are named, and their pairs left out.
    pub fn scores(self, pairs: &[&ImagePair]) -> Result<KeypointScores> {
        let mut scores = KeypointScores::default();
        let mut rest = pairs;
        let mut done = 0usize;
        while !rest.is_empty() {
            let (first, images) = first_pairs(rest);
            rest = &rest[first.len()..];
            let views = self.views(images.into_iter().collect())?;
            for pair in first {
                let is_drawn = self.drawn_of > 0 && done.is_multiple_of(self.drawn_of);
                scores.add(pair, &views, is_drawn).with_context(|| {
                    let [source, target] = [pair.source, pair.target].map(|i| self.data.name(i));
                    format!("{source} and {target}")
                })?;
                done += 1;
            }
        }
        Ok(scores)
    }

    /// What the network sees of `images`, by their index.
    fn views(self, images: Vec<usize>) -> Result<BTreeMap<usize, KeypointView>> {
        let load = |place: usize| {
            let index = images[place];
            let image = self.data.load(index)?;
            let size = (image.width(), image.height());
            ensure!(
                self.sizes[index].is_none_or(|known| known == size),
                "{} has {} x {} pixels, but its points are for another size",
                self.data.name(index),
                size.0,
                size.1
            );
            Ok((image, size))
        };
        let work = |_, seen: SeenImage, size| {
            let tokens = match self.centers {
                true => seen.tokens.centered(),
                false => seen.tokens,
            };
            Ok(KeypointView::new(tokens, size))
        };
        let seen = seen_images(self.features, self.view, images.len(), &load, &work)?;
        let views = seen.into_iter().map(|(place, view)| (images[place], view));
        Ok(views.collect())
    }
}

impl KeypointScores {
    fn add(
        &mut self,
        pair: &ImagePair,
        views: &BTreeMap<usize, KeypointView>,
        is_drawn: bool,
    ) -> Result<()> {
        let (Some(source), Some(target)) = (views.get(&pair.source), views.get(&pair.target))
        else {
            self.unread += 1;
            return Ok(());
        };
        let places = &target.places;
        // Tolerances are shares of the longer side of the object's box, as SPair has it, or of the
        // image where no box is known.
        let side = match &pair.target_box {
            Some(bounds) => bounds.width().max(bounds.height()),
            None => places.width().max(places.height()) as f64,
        };
        let points: Vec<(f64, f64)> = pair.points.iter().map(|point| point.source).collect();
        let truths: Vec<(f64, f64)> = pair.points.iter().map(|point| point.target).collect();

        let matched = source.matches(&points, target)?;
        let found = pair_accuracies(&matched, &truths, places, side);
        self.model.add(points.len(), &found);
        let category = self.categories.entry(pair.category).or_default();
        category.add(points.len(), &found);
        // Objects of a kind often lie alike: this counts what a reader finds that only looks at
        // the same place.
        let unmoved = source.same_places(&points, target);
        let unmoved = pair_accuracies(&unmoved, &truths, places, side);
        self.same_place.add(points.len(), &unmoved);
        if is_drawn {
            self.drawn.push(DrawnPair {
                source: pair.source,
                target: pair.target,
                points: found_points(pair, &matched, places, side),
            });
        }
        Ok(())
    }
}

/// Each point with the centre of the patch that was found for it.
fn found_points(
    pair: &ImagePair,
    matched: &[Option<usize>],
    places: &PatchGeometry,
    side: f64,
) -> Vec<PointPair> {
    let tolerance = ALPHAS[QUOTED] * side;
    let mut points = Vec::with_capacity(matched.len());
    for (point, matched) in pair.points.iter().zip(matched) {
        if let Some(patch) = matched {
            let judged = PckPoint::new(*patch, Some(*patch), point.target, places);
            points.push(PointPair {
                from: drawn(point.source),
                to: drawn(places.center(*patch)),
                right: Some(judged.error <= tolerance),
            });
        }
    }
    points
}

fn drawn((x, y): (f64, f64)) -> (f32, f32) {
    (x as f32, y as f32)
}

/// As many pairs, from the first on, as have no more images than are in memory at a time; at least
/// one.
fn first_pairs<'a, 'b>(pairs: &'b [&'a ImagePair]) -> (&'b [&'a ImagePair], BTreeSet<usize>) {
    let mut images = BTreeSet::new();
    for (count, pair) in pairs.iter().enumerate() {
        let new = [pair.source, pair.target];
        let new = new.iter().filter(|image| !images.contains(*image)).count();
        if count > 0 && images.len() + new > TOGETHER {
            return (&pairs[..count], images);
        }
        images.extend([pair.source, pair.target]);
    }
    (pairs, images)
}
