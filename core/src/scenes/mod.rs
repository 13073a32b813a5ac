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
mod living;
mod made;
mod objects;
mod outlines;
mod painting;
mod palette;
mod pen;
#[cfg(test)]
mod tests;

use rand::RngExt;

use crate::image::RgbImage;
use crate::rng::{Purpose, stream};
use background::Background;
pub use objects::CLASSES;
use painting::{Finish, Painting, Pose};
use palette::{Palette, mix, vivid};
pub use pen::PARTS;

/// The usual side of a scene in pixels.
pub const SIZE: usize = 64;

/// The seed of the dataset; another one would be another dataset.
const SEED: u64 = 0x1b07;

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
    let class = index % CLASSES.len();
    let rng = &mut stream(SEED, Purpose::Scene, split as u64, index as u64);
    let palette = Palette::random(rng, class);
    let background = Background::random(rng, palette.backdrop);
    let finish = Finish::random(rng);
    let mut painting = Painting::new(size.max(1), |point| background.color(point));

    for _ in 0..rng.random_range(0..3) {
        let paint = mix(palette.backdrop[0], vivid(rng), rng.random_range(0.2..0.6));
        let pose = Pose::random_small(rng);
        painting.paint(&objects::distractor(paint, rng), &pose, &finish);
    }

    let pose = Pose::random(rng);
    for piece in objects::object(class, palette.paints, rng) {
        painting.paint(&piece, &pose, &finish);
    }

    let (image, parts) = painting.finish(rng);
    Scene {
        image,
        class,
        parts,
    }
}
