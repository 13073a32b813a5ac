//! Values of patches as pictures: heatmaps, label maps, masks and color maps laid over the image
//! they belong to.
//!
//! Everything here is a pure function of images and [`PatchGrid`]s. Text, axes and files are left
//! to what shows the pictures.

pub mod colormap;
pub mod overlay;
pub mod patches;
pub mod range;
pub mod resize;

pub use colormap::ColorScale;
pub use overlay::{Heatmap, Labels, Mask};
pub use patches::{PatchGrid, PatchGridError, Rect};
pub use range::Range;
pub use resize::{Interpolation, gray, resize};
