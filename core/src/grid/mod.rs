//! Grids of values, and where the patches of a grid lie on an image.
//!
//! Everything here is row by row from the top, and needs no network and no burn.

mod cells;
mod patches;

pub use cells::{Grid, GridRef, GridShape, ShapeError};
pub use patches::{GeometryError, PatchGeometry, Rect, patch_rect};
