//! Values of patches as pictures: heatmaps, label maps, masks and color maps laid over the image
//! they belong to, at the image's own size.
//!
//! Everything here is a pure function of images and grids; which patch owns a pixel is the rule of
//! [`PatchGeometry`](crate::grid::PatchGeometry), by which labels are scored too. Text, axes and
//! files are left to what shows the pictures.

mod heatmap;
mod regions;
mod resize;
mod rgb_map;
#[cfg(test)]
mod tests;

pub use heatmap::Heatmap;
pub use ibot_color::{ColorScale, Range, category, mix};
pub use regions::{LabelOverlay, MaskOverlay};
pub use resize::{Interpolation, gray, resize};
pub use rgb_map::rgb_map;
