//! The patches that others are compared with.

use anyhow::{Result, ensure};
use ibot_core::annotation::labels::{IGNORED, LabelMap};
use ibot_core::eval::patches::{CellLabels, PatchBank, Standard};
use ibot_core::grid::GridShape;

use crate::eval::dense::{LabelledImages, SeenImages};

/// Patches to learn from, but those that are ignored for the most part.
pub struct LearnedPatches {
    pub bank: PatchBank,
    pub standard: Standard,
    /// The class of each pixel of each patch.
    pub pixels: CellLabels,
    /// Their standardised tokens, of which the bank has the directions.
    pub tokens: Vec<f32>,
    /// The class of each patch: that of most of its pixels.
    pub classes: Vec<usize>,
    /// The image of each patch, by its place.
    pub image_of: Vec<usize>,
    /// Images that they are of.
    pub images: usize,
}

impl LearnedPatches {
    /// The patches of `images` in a grid, to which masks have `cell` x `cell` pixels each.
    pub fn of(images: &LabelledImages, grid: GridShape, cell: usize) -> Result<Self> {
        let mut tokens: Vec<f32> = Vec::new();
        let mut dim = 1;
        let mut pixels = CellLabels::new(cell * cell);
        let mut classes = Vec::new();
        let mut image_of = Vec::new();
        let mut image = 0;
        let mut add = |seen: SeenImages| {
            dim = seen.width / grid.count();
            for (place, labels) in seen.labels.iter().enumerate() {
                let own = seen.tokens_of(place);
                let majority = labels.majority(grid.rows, grid.columns);
                for (patch, class) in majority.cells().iter().enumerate() {
                    if *class != IGNORED {
                        tokens.extend_from_slice(&own[patch * dim..][..dim]);
                        pixels.push(pixels_of(labels, grid.position(patch), cell));
                        classes.push(*class);
                        image_of.push(image);
                    }
                }
                image += 1;
            }
            Ok(())
        };
        let images = images.for_each(&mut add)?;
        ensure!(!tokens.is_empty(), "all pixels to learn from are ignored");

        let standard = Standard::of(&tokens, dim);
        standard.apply(&mut tokens);
        Ok(Self {
            bank: PatchBank::of(tokens.clone(), dim),
            standard,
            pixels,
            tokens,
            classes,
            image_of,
            images,
        })
    }
}

/// The labels of the pixels of the patch in a row and column, row by row.
fn pixels_of(
    labels: &LabelMap,
    (row, column): (usize, usize),
    cell: usize,
) -> impl Iterator<Item = usize> {
    let lines = labels.cells().chunks_exact(labels.columns());
    let lines = lines.skip(row * cell).take(cell);
    lines.flat_map(move |line| line[column * cell..][..cell].iter().copied())
}
