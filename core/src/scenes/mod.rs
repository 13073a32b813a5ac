//! The `builtin` dataset: small scenes made on the fly, so that the first run needs no download.
//!
//! Every scene shows one object of ten classes, composed of named parts, where such objects are at
//! home. The class shows in shapes and in pale typical colors; light, haze, place, size, tilt,
//! proportions and all other colors are drawn at random and outweigh it, as they do in photographs.
//! A network that has learned nothing sees mostly those.
//!
//! ```
//! use ibot_core::scenes::{CLASSES, PARTS, SIZE, Split, scene};
//! let fish = scene(Split::Train, 3, SIZE);
//! assert_eq!(CLASSES[fish.class], "fish");
//! assert!(fish.parts.iter().any(|&part| PARTS[usize::from(part)] == "tail"));
//! ```

mod background;
mod layers;
mod living;
mod made;
mod objects;
mod outlines;
mod painting;
mod palette;
mod pen;
#[cfg(test)]
mod tests;

use crate::image::RgbImage;
pub use layers::Layers;
pub use objects::CLASSES;
pub use pen::PARTS;

/// The usual side of a scene in pixels.
pub const SIZE: usize = 64;

/// The two halves of the dataset; they share no scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// For training.
    Train,
    /// For evaluation.
    Val,
}

/// A picture of one object with its labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// The picture, square.
    pub image: RgbImage,
    /// Index into [`CLASSES`].
    pub class: usize,
    /// For every pixel, row-major, the part seen there: an index into [`PARTS`].
    pub parts: Vec<u8>,
}

/// The number of scenes of a split, a multiple of the number of classes.
pub fn len(split: Split) -> usize {
    match split {
        Split::Train => 4000,
        Split::Val => 500,
    }
}

/// Paints scene `index` of a split with `size` pixels a side (at least one).
///
/// The scene depends only on split and index; the size decides how finely it is sampled. Classes
/// alternate, so that any ten scenes in a row show all of them. Indices from [`len`] on give
/// further scenes of the same kind.
pub fn scene(split: Split, index: usize, size: usize) -> Scene {
    Layers::of(split, index, size).scene()
}
