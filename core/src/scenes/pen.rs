//! The parts that objects are made of, and the pen that the drawings of the ten classes share.

use rand::RngExt;

use super::outlines::Outline;
use super::palette::Rgb;
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

pub(super) struct Piece {
    pub part: Part,
    pub paint: Rgb,
    pub shape: Outline,
}

/// Collects the pieces of an object, back to front, and varies its proportions.
///
/// Objects are drawn in `-1..=1` on both axes, `y` down, and touch the box's border on at least one
/// axis.
pub(super) struct Pen<'a> {
    rng: &'a mut Rng,
    pieces: Vec<Piece>,
}

impl<'a> Pen<'a> {
    pub fn new(rng: &'a mut Rng) -> Self {
        Self {
            rng,
            pieces: Vec::new(),
        }
    }

    pub fn into_pieces(self) -> Vec<Piece> {
        self.pieces
    }

    pub fn vary(&mut self, low: f32, high: f32) -> f32 {
        self.rng.random_range(low..high)
    }

    /// A whole number from `low` to `high`, both included.
    pub fn count(&mut self, low: u8, high: u8) -> u8 {
        self.rng.random_range(low..=high)
    }

    pub fn draw(&mut self, part: Part, paint: Rgb, shape: Outline) {
        self.pieces.push(Piece { part, paint, shape });
    }
}
