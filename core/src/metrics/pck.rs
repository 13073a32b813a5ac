//! The percentage of correct keypoints (PCK), over all patches: how often a match is the right patch.

use crate::annotation::ground_truth::GroundTruth;
use crate::grid::PatchGeometry;

/// Tolerances in common use, as shares of the longer side of the second image.
pub const ALPHAS: [f64; 3] = [0.01, 0.05, 0.1];

/// How well the patches of one image find their places in another.
#[derive(Clone, Debug, PartialEq)]
pub struct Pck {
    /// One entry for each tolerance asked for.
    pub accuracies: Vec<Accuracy>,
    /// Median distance from the truth, in pixels; infinite if half the patches have no match.
    pub median_error: f64,
    /// All patches with ground truth, in order.
    pub points: Vec<PckPoint>,
}

/// PCK at one tolerance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accuracy {
    /// The tolerance, as a share of a side.
    pub alpha: f64,
    /// The tolerance in pixels. A distance of exactly this is correct.
    pub pixels: f64,
    /// How many points are correct.
    pub correct: usize,
    /// Share of points that are correct.
    pub pck: f64,
    /// The expectation if every point is matched with a random patch.
    pub chance: f64,
    /// The share that the best choice of patches reaches: below 1 if the tolerance is finer than the grid.
    pub ceiling: f64,
}

/// A patch of the first image, its match and its true place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PckPoint {
    /// Patch of the first image, or the number of a point.
    pub patch: usize,
    /// The patch of the second image that was found, if any.
    pub matched: Option<usize>,
    /// Where the centre of `patch` really is in the second image, in pixels.
    pub truth: (f64, f64),
    /// Distance of the matched patch's centre from the truth, in pixels; infinite without a match.
    pub error: f64,
}

/// Why PCK was not computed.
#[derive(Debug, thiserror::Error, PartialEq)]
#[allow(missing_docs)]
pub enum PckError {
    #[error("{patches} patches of the first image need as many matches, not {actual}")]
    Matches { patches: usize, actual: usize },
    #[error(
        "patch {patch} is matched with {matched}, but the second image has only {patches} patches"
    )]
    Matched {
        patch: usize,
        matched: usize,
        patches: usize,
    },
    #[error(
        "the disparity map has (width, height) {map:?}, its image {image:?}: give both at one size"
    )]
    Size {
        map: (usize, usize),
        image: (usize, usize),
    },
    #[error(
        "no patch of the first image has known ground truth inside the second: check the order of the images"
    )]
    NoGroundTruth,
}

/// Compares the matches of all patches of a first image, such as their nearest neighbours, with the
/// truth.
///
/// A patch counts if the ground truth of its centre is known and inside the second image. It is
/// correct if the centre of its match is at most `alpha * max(width, height)` of the
/// second image from that place.
///
/// # Errors
/// If the parts do not fit together, or no patch counts.
pub fn pck(
    truth: &GroundTruth,
    (first, second): (&PatchGeometry, &PatchGeometry),
    matches: &[Option<usize>],
    alphas: &[f64],
) -> Result<Pck, PckError> {
    let points = points(truth, (first, second), matches)?;
    let side = second.width().max(second.height()) as f64;
    Ok(Pck {
        accuracies: accuracies(&points, second, side, alphas),
        median_error: median(points.iter().map(|point| point.error).collect()),
        points,
    })
}

impl PckPoint {
    /// Point number `patch`, whose true place in the image of `second` is `truth`, and which was
    /// matched with a patch of that image, if any.
    pub fn new(
        patch: usize,
        matched: Option<usize>,
        truth: (f64, f64),
        second: &PatchGeometry,
    ) -> Self {
        let error = match matched {
            Some(matched) => distance(second.center(matched), truth),
            None => f64::INFINITY,
        };
        Self {
            patch,
            matched,
            truth,
            error,
        }
    }
}

/// PCK at each of `alphas`, which are shares of `side` pixels, of points that may be matched with any
/// patch of `second`.
pub fn accuracies(
    points: &[PckPoint],
    second: &PatchGeometry,
    side: f64,
    alphas: &[f64],
) -> Vec<Accuracy> {
    let patches = 0..second.count();
    let centers: Vec<(f64, f64)> = patches.map(|patch| second.center(patch)).collect();
    alphas
        .iter()
        // A disk by distance, as SPair-71k has it, not a square.
        .map(|alpha| accuracy(points, &centers, *alpha, alpha * side))
        .collect()
}

/// PCK at a tolerance of `pixels`, where matches may be any of the `centers`.
fn accuracy(points: &[PckPoint], centers: &[(f64, f64)], alpha: f64, pixels: f64) -> Accuracy {
    let mut correct = 0;
    let mut candidates = 0;
    let mut reachable = 0;
    for point in points {
        let around = centers
            .iter()
            .filter(|center| distance(**center, point.truth) <= pixels)
            .count();
        correct += usize::from(point.error <= pixels);
        candidates += around;
        reachable += usize::from(around > 0);
    }

    let count = points.len() as f64;
    Accuracy {
        alpha,
        pixels,
        correct,
        pck: correct as f64 / count,
        chance: candidates as f64 / (count * centers.len() as f64),
        ceiling: reachable as f64 / count,
    }
}

/// The patches that count.
fn points(
    truth: &GroundTruth,
    (first, second): (&PatchGeometry, &PatchGeometry),
    matches: &[Option<usize>],
) -> Result<Vec<PckPoint>, PckError> {
    if matches.len() != first.count() {
        return Err(PckError::Matches {
            patches: first.count(),
            actual: matches.len(),
        });
    }
    if let GroundTruth::Disparity(map) = truth {
        let map = (map.width(), map.height());
        let image = (first.width(), first.height());
        if map != image {
            return Err(PckError::Size { map, image });
        }
    }

    let mut points = Vec::new();
    for (patch, matched) in matches.iter().copied().enumerate() {
        if let Some(matched) = matched.filter(|matched| *matched >= second.count()) {
            return Err(PckError::Matched {
                patch,
                matched,
                patches: second.count(),
            });
        }
        let Some(truth) = truth.locate(first.center(patch)) else {
            continue;
        };
        if !second.contains(truth.0, truth.1) {
            continue;
        }
        points.push(PckPoint::new(patch, matched, truth, second));
    }
    if points.is_empty() {
        Err(PckError::NoGroundTruth)
    } else {
        Ok(points)
    }
}

fn distance(a: (f64, f64), b: (f64, f64)) -> f64 {
    // Not `hypot`, whose last bit depends on the system's mathematical library.
    ((a.0 - b.0).powi(2) + (a.1 - b.1).powi(2)).sqrt()
}

/// The middle value, or the mean of the two middle ones.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    }
}

#[cfg(test)]
mod tests;
