//! Objects of images in the JSON of COCO: boxes, masks and categories.

mod polygon;
mod problem;
mod read;
mod rle;
mod set;

pub use polygon::{Polygon, PolygonError, rasterize};
pub use problem::{EntryProblem, ProblemCause};
pub use read::CocoError;
pub use rle::{RunError, RunLengths};
pub use set::{CocoCategory, CocoImage, CocoObject, CocoSet, Region, region_labels};

#[cfg(test)]
mod tests;
