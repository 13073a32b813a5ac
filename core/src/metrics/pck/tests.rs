use super::*;
use crate::annotation::ground_truth::DisparityMap;
use crate::grid::Grid;
use crate::testing::test;

const IDENTITY: [f64; 9] = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];

fn geometry(width: usize, height: usize, rows: usize, columns: usize) -> PatchGeometry {
    PatchGeometry::new(width, height, rows, columns).expect("no side is zero")
}

fn matched(patches: impl IntoIterator<Item = usize>) -> Vec<Option<usize>> {
    patches.into_iter().map(Some).collect()
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
    let truth = GroundTruth::Disparity(DisparityMap::new(
        Grid::new(32, 64, disparities).expect("64 x 32 values"),
    ));
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
fn a_patch_without_a_match_is_wrong() {
    let map = geometry(32, 16, 1, 2);
    let result = pck(
        &GroundTruth::Homography(IDENTITY),
        (&map, &map),
        &[None, Some(1)],
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
    let run =
        |truth: &GroundTruth, matches: &[Option<usize>]| pck(truth, (&map, &map), matches, &ALPHAS);
    assert_eq!(
        run(&identity, &matched([0])),
        Err(PckError::Matches {
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
    let small = GroundTruth::Disparity(DisparityMap::new(Grid::from_fn(1, 1, |_| 1.0)));
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
