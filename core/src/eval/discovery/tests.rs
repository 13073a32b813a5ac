use serde::Deserialize;

use super::*;
use crate::analysis::affinity::TAU;
use crate::annotation::boxes::BoundingBox;
use crate::features::TokenGrid;
use crate::grid::{Grid, GridShape};
use crate::testing::test;

const FIXTURE: &str = include_str!("../../../../tests/fixtures/eval/discovery.json");

#[derive(Deserialize)]
struct Fixture {
    scenes: Vec<FixtureScene>,
    masks: Vec<FixtureMask>,
}

/// Tokens, and what SciPy makes of them.
#[derive(Deserialize)]
struct FixtureScene {
    rows: usize,
    columns: usize,
    dim: usize,
    tokens: Vec<f32>,
    /// Of the normalised cut and of seed expansion.
    cut: Vec<u8>,
    expanded: Vec<u8>,
    candidates: usize,
}

/// A mask, and the component of the seed.
#[derive(Deserialize)]
struct FixtureMask {
    rows: usize,
    columns: usize,
    mask: Vec<u8>,
    seed: usize,
    component: Vec<u8>,
    /// Left, top, right, bottom in an image of 100 x 60 pixels.
    bounds: [f64; 4],
}

fn fixture() -> Fixture {
    serde_json::from_str(FIXTURE).expect("the fixture")
}

fn grid(rows: usize, columns: usize, cells: &[u8]) -> Grid<bool> {
    let cells = cells.iter().map(|cell| *cell != 0).collect();
    Grid::new(rows, columns, cells).expect("a value a cell")
}

fn bounds([left, top, right, bottom]: [f64; 4]) -> BoundingBox {
    BoundingBox {
        left,
        top,
        right,
        bottom,
    }
}

#[test]
fn objects_are_those_that_scipy_finds() {
    for (number, scene) in fixture().scenes.into_iter().enumerate() {
        let (rows, columns) = (scene.rows, scene.columns);
        let tokens = TokenGrid::new(rows, columns, scene.dim, scene.tokens).expect("a grid");
        let cut = cut_region(&tokens, TAU).expect("two kinds of patches");
        assert_eq!(
            cut,
            grid(rows, columns, &scene.cut),
            "cut of scene {number}"
        );
        let expanded = expanded_region(&tokens, scene.candidates).expect("finite");
        let expected = grid(rows, columns, &scene.expanded);
        assert_eq!(expanded, expected, "expansion of scene {number}");
    }
}

#[test]
fn components_and_boxes_are_those_of_scipy() {
    for mask in fixture().masks {
        let inside = grid(mask.rows, mask.columns, &mask.mask);
        let region = region_of(inside.shape(), inside.cells(), mask.seed);
        assert_eq!(region, grid(mask.rows, mask.columns, &mask.component));
        let found = bounds_of_region(&region, (100, 60)).expect("the seed");
        let expected = bounds(mask.bounds);
        let differences = [
            found.left - expected.left,
            found.top - expected.top,
            found.right - expected.right,
            found.bottom - expected.bottom,
        ];
        assert!(differences.iter().all(|difference| difference.abs() < 1e-9));
    }
}

#[test]
fn a_seed_outside_has_no_region() {
    let shape = GridShape {
        rows: 1,
        columns: 3,
    };
    let region = region_of(shape, &[true, false, true], 1);
    assert_eq!(bounds_of_region(&region, (9, 9)), None);
}

#[test]
fn an_image_is_found_from_half_an_overlap_on() {
    let mut score = CorLoc::default();
    let objects = [[0.0, 0.0, 4.0, 4.0], [10.0, 10.0, 14.0, 14.0]].map(bounds);
    let half = bounds([10.0, 10.0, 14.0, 12.0]);
    assert_eq!(score.add(Some(&half), &objects), 0.5);
    let less = bounds([10.0, 10.0, 14.0, 11.9]);
    assert!(score.add(Some(&less), &objects) < 0.5);
    assert_eq!(score.add(None, &objects), 0.0);
    assert_eq!((score.images, score.found), (3, 1));
    assert_eq!(score.share(), 1.0 / 3.0);
    assert!((score.mean_iou() - (0.5 + 0.475) / 3.0).abs() < 1e-12);
}
