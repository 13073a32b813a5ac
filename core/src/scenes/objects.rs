//! The objects of the ten classes, and the small things around them.

use rand::RngExt;

use super::outlines::Outline;
use super::palette::Rgb;
use super::pen::{Part, Pen, Piece};
use super::{living, made};
use crate::rng::Rng;

/// Names of the classes.
pub const CLASSES: [&str; 10] = [
    "house",
    "tree",
    "car",
    "fish",
    "flower",
    "boat",
    "mushroom",
    "rocket",
    "butterfly",
    "cat",
];

/// Draws an object with main, second, accent and detail color.
type Drawing = fn(&mut Pen, [Rgb; 4]);

/// The drawings in the order of [`CLASSES`].
const DRAWINGS: [Drawing; CLASSES.len()] = [
    made::house,
    living::tree,
    made::car,
    living::fish,
    living::flower,
    made::boat,
    living::mushroom,
    made::rocket,
    living::butterfly,
    living::cat,
];

/// The pieces of an object of the class (taken modulo the number of classes), back to front.
pub(super) fn object(class: usize, paints: [Rgb; 4], rng: &mut Rng) -> Vec<Piece> {
    let mut pen = Pen::new(rng);
    DRAWINGS[class % DRAWINGS.len()](&mut pen, paints);

    pen.into_pieces()
}

pub(super) fn distractor(paint: Rgb, rng: &mut Rng) -> Piece {
    let shape = match rng.random_range(0..3) {
        0 => Outline::disc([0.0, 0.0], 1.0),
        1 => Outline::block([0.0, 0.0], [1.0, 0.8], 0.1),
        _ => Outline::polygon([[-0.9, 0.6], [0.0, -1.0], [0.9, 0.6]]),
    };
    Piece {
        part: Part::Background,
        paint,
        shape,
    }
}
