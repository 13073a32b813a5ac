//! Values of patches as pictures: heatmaps, label maps, masks and color maps laid over the image
//! they belong to.
//!
//! Everything here is a pure function of images and [`PatchGrid`]s. Text, axes and files are left
//! to what shows the pictures.

pub mod overlay;
pub mod patches;
pub mod resize;

pub use ibot_color::{ColorScale, Range, category, mix};
pub use overlay::{Heatmap, Labels, Mask};
pub use patches::{PatchGrid, PatchGridError, Rect};
pub use resize::{Interpolation, gray, resize};
