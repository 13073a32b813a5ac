//! How often the nearest neighbour is the right patch: the percentage of correct keypoints (PCK),
//! over all patches.

use crate::analysis::geometry::PatchGeometry;
use crate::analysis::similarity::Neighbour;
use crate::annotation::ground_truth::GroundTruth;

/// Tolerances in common use, as shares of the longer side of the second image.
pub const ALPHAS: [f64; 3] = [0.01, 0.05, 0.1];

/// How well the patches of one image find their places in another.
#[derive(Clone, Debug, PartialEq)]
pub struct Pck {
    /// One entry for each tolerance asked for.
    pub accuracies: Vec<Accuracy>,
    /// Median distance from the truth, in pixels; infinite if half the patches have no neighbour.
    pub median_error: f64,
    /// All patches with ground truth, in order.
    pub points: Vec<PckPoint>,
}

/// PCK at one tolerance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accuracy {
    /// The tolerance, as a share of the longer side of the second image.
    pub alpha: f64,
    /// The tolerance in pixels. A distance of exactly this is correct.
    pub pixels: f64,
    /// How many points are correct.
    pub correct: usize,
    /// Share of points that are correct.
    pub pck: f64,
    /// What matching every point with a random patch would give, in expectation.
    pub chance: f64,
    /// What the best choice of patches would give: below 1 if the tolerance is finer than the grid.
    pub ceiling: f64,
}

/// A patch of the first image, its nearest neighbour and its true place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PckPoint {
    /// Patch of the first image.
    pub patch: usize,
    /// The patch of the second image that was found, if any.
    pub matched: Option<usize>,
    /// Where the centre of `patch` really is in the second image, in pixels.
    pub truth: (f64, f64),
    /// Distance of the matched patch's centre from the truth, in pixels; infinite without a match.
    pub error: f64,
}

/// What keeps PCK from being computed.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum PckError {
    /// Neighbours of another grid.
    #[error("{patches} patches of the first image need as many nearest neighbours, not {actual}")]
    Neighbours {
        /// Patches of the first image.
        patches: usize,
        /// Neighbours given.
        actual: usize,
    },
    /// A neighbour beyond the second grid.
    #[error(
        "patch {patch} is matched with {matched}, but the second image has only {patches} patches"
    )]
    Matched {
        /// Patch of the first image.
        patch: usize,
        /// What it is matched with.
        matched: usize,
        /// Patches of the second image.
        patches: usize,
    },
    /// A disparity map of another size than the image.
    #[error(
        "the disparity map has (width, height) {map:?}, its image {image:?}: give both at one size"
    )]
    Size {
        /// Width and height of the map.
        map: (usize, usize),
        /// Width and height of the first image.
        image: (usize, usize),
    },
    /// No patch to count.
    #[error(
        "no patch of the first image has known ground truth inside the second: check the order of the images"
    )]
    NoGroundTruth,
}

/// Compares the nearest neighbours of all patches of a first image with the truth.
///
/// A patch counts if the ground truth of its centre is known and inside the second image. It is
/// correct if the centre of its nearest neighbour is at most `alpha * max(width, height)` of the
/// second image from that place.
///
/// # Errors
/// If the parts do not fit together, or no patch counts.
pub fn pck(
    truth: &GroundTruth,
    (first, second): (&PatchGeometry, &PatchGeometry),
    nearest: &[Option<Neighbour>],
    alphas: &[f64],
) -> Result<Pck, PckError> {
    let points = points(truth, (first, second), nearest)?;
    let centers: Vec<_> = (0..second.count())
        .map(|patch| second.center(patch))
        .collect();
    let side = second.width().max(second.height()) as f64;
    let count = points.len() as f64;
    let accuracy = |alpha: &f64| {
        let pixels = alpha * side;
        let correct = points.iter().filter(|point| point.error <= pixels).count();
        let around = |point: &PckPoint| {
            centers
                .iter()
                .filter(|center| distance(**center, point.truth) <= pixels)
                .count()
        };
        let candidates: Vec<usize> = points.iter().map(around).collect();
        let reachable = candidates.iter().filter(|around| **around > 0).count();
        Accuracy {
            alpha: *alpha,
            pixels,
            correct,
            pck: correct as f64 / count,
            chance: candidates.iter().sum::<usize>() as f64 / (count * centers.len() as f64),
            ceiling: reachable as f64 / count,
        }
    };
    let accuracies = alphas.iter().map(accuracy).collect();
    Ok(Pck {
        accuracies,
        median_error: median(points.iter().map(|point| point.error).collect()),
        points,
    })
}

/// The patches that count.
fn points(
    truth: &GroundTruth,
    (first, second): (&PatchGeometry, &PatchGeometry),
    nearest: &[Option<Neighbour>],
) -> Result<Vec<PckPoint>, PckError> {
    if nearest.len() != first.count() {
        return Err(PckError::Neighbours {
            patches: first.count(),
            actual: nearest.len(),
        });
    }
    if let GroundTruth::Disparity(map) = truth {
        let (map, image) = ((map.width(), map.height()), (first.width(), first.height()));
        if map != image {
            return Err(PckError::Size { map, image });
        }
    }
    let mut points = Vec::new();
    for (patch, neighbour) in nearest.iter().enumerate() {
        let matched = neighbour.map(|n| n.patch);
        if let Some(matched) = matched.filter(|matched| *matched >= second.count()) {
            return Err(PckError::Matched {
                patch,
                matched,
                patches: second.count(),
            });
        }
        let place = truth
            .locate(first.center(patch))
            .filter(|(x, y)| second.contains(*x, *y));
        if let Some(truth) = place {
            let error = matched.map_or(f64::INFINITY, |matched| {
                distance(second.center(matched), truth)
            });
            points.push(PckPoint {
                patch,
                matched,
                truth,
                error,
            });
        }
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
mod tests {
    use super::*;
    use crate::annotation::ground_truth::DisparityMap;
    use crate::testing::test;

    const IDENTITY: [f64; 9] = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];

    fn geometry(width: usize, height: usize, rows: usize, columns: usize) -> PatchGeometry {
        PatchGeometry::new(width, height, rows, columns).expect("no side is zero")
    }

    fn matched(patches: impl IntoIterator<Item = usize>) -> Vec<Option<Neighbour>> {
        patches
            .into_iter()
            .map(|patch| {
                Some(Neighbour {
                    patch,
                    similarity: 1.0,
                })
            })
            .collect()
    }

    #[test]
    fn exact_matches_are_all_correct_at_any_tolerance() {
        let map = geometry(64, 64, 4, 4);
        let result = pck(
            &GroundTruth::Homography(IDENTITY),
            (&map, &map),
            &matched(0..16),
            &[0.0, 0.1],
        );
        let result = result.expect("every patch has ground truth");
        assert_eq!((result.points.len(), result.median_error), (16, 0.0));
        assert!(
            result
                .accuracies
                .iter()
                .all(|at| at.pck == 1.0 && at.correct == 16 && at.ceiling == 1.0)
        );
        // Only the right one of 16 patches is within 0 or 6.4 pixels.
        assert!(result.accuracies.iter().all(|at| at.chance == 1.0 / 16.0));
    }

    #[test]
    fn matches_one_patch_off_are_correct_from_that_distance_on() {
        // Patches of 16 x 16 pixels; every match is one column to the right, except in the last
        // column, which wraps by three to the left. 16 pixels are a quarter of 64.
        let map = geometry(64, 64, 4, 4);
        let shifted = matched((0..16).map(|patch| patch / 4 * 4 + (patch + 1) % 4));
        let result = pck(
            &GroundTruth::Homography(IDENTITY),
            (&map, &map),
            &shifted,
            &[0.24, 0.25, 0.75],
        );
        let result = result.expect("every patch has ground truth");
        let shares: Vec<f64> = result.accuracies.iter().map(|at| at.pck).collect();
        assert_eq!(shares, [0.0, 0.75, 1.0]);
        assert_eq!(result.median_error, 16.0);
        assert_eq!(
            (result.points[3].matched, result.points[3].error),
            (Some(0), 48.0)
        );
        // Within one patch of a corner, an edge and an inner patch there are 3, 4 and 5 patches.
        assert_eq!(
            result.accuracies[1].chance,
            (4.0 * 3.0 + 8.0 * 4.0 + 4.0 * 5.0) / 256.0
        );
    }

    #[test]
    fn patches_whose_truth_is_outside_or_unknown_do_not_count() {
        // Two rows of four patches of 16 pixels. A disparity of 16 is one patch to the left: the
        // first column leaves.
        let map = geometry(64, 32, 2, 4);
        let mut disparities = vec![16.0; 64 * 32];
        disparities[8 * 64 + 40] = f32::INFINITY; // The pixel at the centre (39.5, 7.5) of patch 2, rounded up.
        let truth =
            GroundTruth::Disparity(DisparityMap::new(64, 32, disparities).expect("64 x 32 values"));
        let result = pck(
            &truth,
            (&map, &map),
            &matched((0..8).map(|patch: usize| patch.saturating_sub(1))),
            &[0.0],
        );
        let result = result.expect("five patches have ground truth");
        let counted: Vec<usize> = result.points.iter().map(|point| point.patch).collect();
        assert_eq!(counted, [1, 3, 5, 6, 7]);
        assert_eq!(result.points[0].truth, (7.5, 7.5));
        assert_eq!(result.accuracies[0].pck, 1.0);
    }

    #[test]
    fn scale_is_taken_from_the_second_image() {
        // The second image has twice the size, so its patches are 32 pixels wide and the tolerance
        // is a share of 128.
        let (first, second) = (geometry(64, 64, 4, 4), geometry(128, 128, 4, 4));
        let twice = [2.0, 0.0, 0.5, 0.0, 2.0, 0.5, 0.0, 0.0, 1.0];
        let result = pck(
            &GroundTruth::Homography(twice),
            (&first, &second),
            &matched([0; 16]),
            &[0.25],
        );
        let result = result.expect("every patch has ground truth");
        assert_eq!(result.accuracies[0].pixels, 32.0);
        assert_eq!(
            result.points[1].truth,
            (47.5, 15.5),
            "edge to edge: 2 (x + 1/2) - 1/2"
        );
        assert_eq!(
            result.accuracies[0].correct, 3,
            "patch 0 and its two neighbours"
        );
    }

    #[test]
    fn a_tolerance_finer_than_the_grid_has_a_ceiling() {
        // Everything moves by half a patch: no centre is closer than 8 pixels.
        let map = geometry(64, 16, 1, 4);
        let half = [1.0, 0.0, 8.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let result = pck(
            &GroundTruth::Homography(half),
            (&map, &map),
            &matched(0..4),
            &[0.1, 0.125],
        );
        let result = result.expect("the last centre is at 63.5, just outside");
        assert_eq!(result.points.len(), 3);
        let ceilings: Vec<f64> = result.accuracies.iter().map(|at| at.ceiling).collect();
        assert_eq!(ceilings, [0.0, 1.0]);
        assert_eq!(
            result.accuracies[1].chance, 0.5,
            "two of four centres are 8 pixels away"
        );
    }

    #[test]
    fn a_patch_without_neighbour_is_wrong() {
        let map = geometry(32, 16, 1, 2);
        let nearest = [
            None,
            Some(Neighbour {
                patch: 1,
                similarity: 0.9,
            }),
        ];
        let result = pck(
            &GroundTruth::Homography(IDENTITY),
            (&map, &map),
            &nearest,
            &[1.0],
        )
        .expect("two patches");
        assert_eq!(result.accuracies[0].pck, 0.5);
        assert_eq!(
            (result.points[0].matched, result.points[0].error),
            (None, f64::INFINITY)
        );
        assert_eq!(result.median_error, f64::INFINITY);
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let map = geometry(32, 16, 1, 2);
        let identity = GroundTruth::Homography(IDENTITY);
        let run = |truth: &GroundTruth, nearest: &[Option<Neighbour>]| {
            pck(truth, (&map, &map), nearest, &ALPHAS)
        };
        assert_eq!(
            run(&identity, &matched([0])),
            Err(PckError::Neighbours {
                patches: 2,
                actual: 1
            })
        );
        assert_eq!(
            run(&identity, &matched([0, 2])),
            Err(PckError::Matched {
                patch: 1,
                matched: 2,
                patches: 2
            })
        );
        let away = [1.0, 0.0, 99.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        assert_eq!(
            run(&GroundTruth::Homography(away), &matched([0, 1])),
            Err(PckError::NoGroundTruth)
        );
        let small = GroundTruth::Disparity(DisparityMap::new(1, 1, vec![1.0]).expect("one value"));
        assert_eq!(
            run(&small, &matched([0, 1])),
            Err(PckError::Size {
                map: (1, 1),
                image: (32, 16)
            })
        );
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_two() {
        assert_eq!(median(vec![4.0, 1.0, 3.0]), 3.0);
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), 2.5);
    }
}
