//! What objects are made of: their parts, and the pen that the drawings of the ten classes share.

use rand::RngExt;

use super::CLASSES;
use super::palette::Rgb;
use super::shapes::Shape;
use super::{living, made};
use crate::rng::Rng;

/// Lists the parts once, so that the labels and their names cannot disagree.
macro_rules! parts {
    ($($part:ident $name:literal),+ $(,)?) => {
        /// What a piece is a part of; the number is its label in a scene's part mask.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Part { $($part),+ }

        /// Names of the part labels; several classes share parts such as windows, eyes and fins.
        pub const PARTS: [&str; [$($name),+].len()] = [$($name),+];
    };
}

parts! {
    Background "background", Wall "wall", Roof "roof", Door "door", Window "window", Trunk "trunk", Crown "crown",
    Fruit "fruit", Body "body", Wheel "wheel", Light "light", Fin "fin", Tail "tail", Eye "eye", Stem "stem",
    Leaf "leaf", Petal "petal", Center "center", Hull "hull", Mast "mast", Sail "sail", Flag "flag", Cap "cap",
    Spot "spot", Nose "nose", Flame "flame", Wing "wing", Antenna "antenna", Head "head", Ear "ear",
    Whisker "whisker",
}

/// One shape in one color.
pub(super) struct Piece {
    pub part: Part,
    pub paint: Rgb,
    pub shape: Shape,
}

/// Collects the pieces of an object, back to front, and varies its proportions.
///
/// Objects are drawn in `-1..=1` on both axes, `y` down, and touch the box's border on at least one
/// axis.
pub(super) struct Pen<'a> {
    rng: &'a mut Rng,
    pieces: Vec<Piece>,
}

impl Pen<'_> {
    /// A number from `low` up to `high`.
    pub fn vary(&mut self, low: f32, high: f32) -> f32 {
        self.rng.random_range(low..high)
    }

    /// A whole number from `low` to `high`, both included.
    pub fn count(&mut self, low: u8, high: u8) -> u8 {
        self.rng.random_range(low..=high)
    }

    /// Adds a piece in front of the others.
    pub fn draw(&mut self, part: Part, paint: Rgb, shape: Shape) {
        self.pieces.push(Piece { part, paint, shape });
    }
}

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
    let mut pen = Pen {
        rng,
        pieces: Vec::new(),
    };
    DRAWINGS[class % DRAWINGS.len()](&mut pen, paints);
    pen.pieces
}

/// A small plain thing that belongs to the background.
pub(super) fn distractor(paint: Rgb, rng: &mut Rng) -> Piece {
    let shape = match rng.random_range(0..3) {
        0 => Shape::disc([0.0, 0.0], 1.0),
        1 => Shape::block([0.0, 0.0], [1.0, 0.8], 0.1),
        _ => Shape::polygon([[-0.9, 0.6], [0.0, -1.0], [0.9, 0.6]]),
    };
    Piece {
        part: Part::Background,
        paint,
        shape,
    }
}
