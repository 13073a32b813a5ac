//! Images, their objects and their categories.

use super::polygon::{Polygon, rasterize};
use super::problem::EntryProblem;
use super::rle::{RunError, RunLengths, pixels};
use crate::annotation::boxes::BoundingBox;
use crate::annotation::labels::{IGNORED, LabelMap};
use crate::grid::Grid;

/// Images and their objects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CocoSet {
    /// In the order of the file.
    pub categories: Vec<CocoCategory>,
    /// In the order of the file; at least one.
    pub images: Vec<CocoImage>,
    /// Entries that were left out, and why.
    pub problems: Vec<EntryProblem>,
}

/// A kind of objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CocoCategory {
    /// Its number in the file.
    pub id: u64,
    /// Its name.
    pub name: String,
}

/// An image with what is marked on it.
#[derive(Clone, Debug, PartialEq)]
pub struct CocoImage {
    /// Its number in the file.
    pub id: u64,
    /// Its file, relative to a folder that the JSON does not name.
    pub file: String,
    /// Columns of pixels.
    pub width: usize,
    /// Rows of pixels.
    pub height: usize,
    /// In the order of the file.
    pub objects: Vec<CocoObject>,
}

/// A marked object.
#[derive(Clone, Debug, PartialEq)]
pub struct CocoObject {
    /// Its number in the file, by which results refer to it.
    pub id: u64,
    /// Its category, by place in [`CocoSet::categories`].
    pub category: usize,
    /// The part of its box that lies on the image.
    pub bounds: BoundingBox,
    /// The area in the file, in pixels: that of the mask. By it scores tell sizes apart.
    pub area: f64,
    /// Whether it is a group of objects that were not marked one by one.
    pub crowd: bool,
    /// Where it is, if the file says that and not only its box.
    pub region: Option<Region>,
}

/// The pixels of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Region {
    /// What lies in any of these.
    Polygons(Vec<Polygon>),
    /// A mask of the size of the image.
    Runs(RunLengths),
}

impl Region {
    /// The pixels of the object on its image of `width` x `height` pixels.
    ///
    /// # Errors
    /// If the image has no pixel or too many.
    pub fn mask(&self, (width, height): (usize, usize)) -> Result<Grid<bool>, RunError> {
        match self {
            Self::Polygons(polygons) => rasterize(polygons, (width, height)),
            Self::Runs(runs) => Ok(runs.mask()),
        }
    }
}

/// A label for each pixel of an image of `width` x `height` pixels, from labels and regions of its
/// objects: 0 where no object is, and [`IGNORED`] where objects with different labels lie over each
/// other.
///
/// # Errors
/// If the image has no pixel or too many.
pub fn region_labels<'a>(
    (width, height): (usize, usize),
    objects: impl IntoIterator<Item = (usize, &'a Region)>,
) -> Result<LabelMap, RunError> {
    let mut labels = vec![0; pixels(width, height)?];
    for (label, region) in objects {
        let mask = region.mask((width, height))?;
        for (pixel, inside) in labels.iter_mut().zip(mask.cells()) {
            if *inside && *pixel == 0 {
                *pixel = label;
            } else if *inside && *pixel != label {
                // Once ignored stays ignored: IGNORED is no label of a third object.
                *pixel = IGNORED;
            }
        }
    }
    Ok(LabelMap::from_fn(height, width, |pixel| labels[pixel]))
}
