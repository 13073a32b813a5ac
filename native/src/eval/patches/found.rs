//! What readers of patches found: maps, measures and a table.

use std::fmt;

use ibot_core::analysis::similarity::Neighbour;
use ibot_core::annotation::labels::{IGNORED, LabelMap};
use ibot_core::eval::patches::{majority_class, majority_votes};
use ibot_core::grid::GridShape;
use rayon::prelude::*;

use super::learned::LearnedPatches;
use crate::eval::dense::{SeenImages, Segmentation};
use crate::eval::measures::Measures;
use crate::eval::task::{Curve, Unit};

/// Measures are `mean_iou_k10`, `mean_iou_logistic` and so on.
const MEAN_IOU: &str = "mean_iou_";
const ACCURACY: &str = "pixel_accuracy_";
const PATCH_IOU: &str = "patch_iou_";
const PATCH_ACCURACY: &str = "patch_accuracy_";
const REGRESSION: &str = "logistic";

/// What tells the class of a patch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PatchReader {
    /// So many nearest patches.
    Neighbours(usize),
    /// A regression with this cost of an error.
    Regression(f64),
}

pub struct ReaderScores<'a> {
    pub reader: PatchReader,
    pub pixels: Segmentation<'a>,
    patches: Segmentation<'a>,
}

pub struct FoundMaps {
    pub pixels: LabelMap,
    patches: LabelMap,
}

impl fmt::Display for PatchReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Neighbours(k) => write!(f, "k = {k}"),
            Self::Regression(c) => write!(f, "logistic regression, C = {c:.1e}"),
        }
    }
}

impl PatchReader {
    /// The end of its measures' names.
    fn suffix(self) -> String {
        match self {
            Self::Neighbours(k) => format!("k{k}"),
            Self::Regression(_) => REGRESSION.to_owned(),
        }
    }
}

impl<'a> ReaderScores<'a> {
    /// Nothing yet, of pixels with the classes `names`.
    pub fn of(reader: PatchReader, names: &'a [String]) -> Self {
        Self {
            reader,
            pixels: Segmentation::new(names),
            patches: Segmentation::new(names),
        }
    }
}

pub fn add(found: &mut ReaderScores, images: &SeenImages, maps: &[FoundMaps], grid: GridShape) {
    for (truth, map) in images.labels.iter().zip(maps) {
        found.pixels.add(truth, &map.pixels);
        let truth = truth.majority(grid.rows, grid.columns);
        found.patches.add(&truth, &map.patches);
    }
}

/// What the `k` nearest of the learned patches say of each image.
pub fn vote(
    nearest: &[Vec<Neighbour>],
    learned: &LearnedPatches,
    grid: GridShape,
    k: usize,
) -> Vec<FoundMaps> {
    let maps = nearest.par_chunks(grid.count()).map(|patches| {
        let mut of_patches = Vec::with_capacity(patches.len());
        let mut of_pixels = Vec::with_capacity(patches.len());
        for neighbours in patches {
            // A token that is not finite has no neighbours.
            let neighbours = &neighbours[..k.min(neighbours.len())];
            let class = majority_class(neighbours, &learned.classes);
            let mut pixels = majority_votes(neighbours, &learned.pixels);
            // Where the neighbours ignore a pixel for the most part, the class of the patch fills
            // it.
            for pixel in &mut pixels {
                if *pixel == IGNORED {
                    *pixel = class;
                }
            }
            of_patches.push(class);
            of_pixels.push(pixels);
        }

        // Patches are square.
        let cell = of_pixels[0].len().isqrt();
        let side = cell * grid.columns;
        let pixels = LabelMap::from_fn(cell * grid.rows, side, |pixel| {
            let (y, x) = (pixel / side, pixel % side);
            let own = &of_pixels[y / cell * grid.columns + x / cell];
            own[y % cell * cell + x % cell]
        });
        FoundMaps {
            pixels,
            patches: LabelMap::from_fn(grid.rows, grid.columns, |patch| of_patches[patch]),
        }
    });
    maps.collect()
}

/// Maps of images from the class of each of their patches, which has `cell` x `cell` pixels.
pub fn enlarged(classes: &[usize], grid: GridShape, cell: usize) -> Vec<FoundMaps> {
    let side = cell * grid.columns;
    let mut maps = Vec::with_capacity(classes.len() / grid.count());
    for own in classes.chunks_exact(grid.count()) {
        maps.push(FoundMaps {
            pixels: LabelMap::from_fn(cell * grid.rows, side, |pixel| {
                own[pixel / side / cell * grid.columns + pixel % side / cell]
            }),
            patches: LabelMap::from_fn(grid.rows, grid.columns, |patch| own[patch]),
        });
    }
    maps
}

/// The quoted measure of a reader.
pub fn name_of(reader: PatchReader) -> String {
    format!("{MEAN_IOU}{}", reader.suffix())
}

pub fn measures(found: &[ReaderScores]) -> Measures {
    let mut measures = Measures::default();
    for found in found {
        let (pixels, patches) = (found.pixels.score(), found.patches.score());
        let suffix = found.reader.suffix();
        measures.push(format!("{MEAN_IOU}{suffix}"), pixels.mean_iou);
        measures.push(format!("{ACCURACY}{suffix}"), pixels.pixel_accuracy);
        measures.push(format!("{PATCH_IOU}{suffix}"), patches.mean_iou);
        measures.push(format!("{PATCH_ACCURACY}{suffix}"), patches.pixel_accuracy);
    }
    measures
}

pub fn curve(measure: &str) -> Option<Curve> {
    let quantities = [
        (MEAN_IOU, "mean IoU"),
        (ACCURACY, "pixel accuracy"),
        (PATCH_IOU, "mean IoU of patches"),
        (PATCH_ACCURACY, "patch accuracy"),
    ];
    for (prefix, quantity) in quantities {
        if let Some(reader) = measure.strip_prefix(prefix) {
            let label = match reader.strip_prefix('k') {
                Some(k) => format!("k = {k}"),
                None => reader.to_owned(),
            };
            return Some(Curve {
                quantity,
                unit: Unit::Share,
                label,
            });
        }
    }
    None
}

/// A row for each reader.
pub fn table(found: &[ReaderScores]) -> String {
    let mut table = "mean IoU  accuracy   of patches: mean IoU  accuracy".to_owned();
    for found in found {
        let (pixels, patches) = (found.pixels.score(), found.patches.score());
        let shares = [
            pixels.mean_iou,
            pixels.pixel_accuracy,
            patches.mean_iou,
            patches.pixel_accuracy,
        ];
        let [iou, accuracy, patch_iou, patch_accuracy] = shares.map(|share| 100.0 * share);
        table += &format!(
            "\n {iou:5.1} %   {accuracy:5.1} %                {patch_iou:5.1} %   {patch_accuracy:5.1} %   {}",
            found.reader
        );
    }
    table
}
