//! The fifteen operations of RandAugment, in timm's variant whose strength rises with the magnitude
//! for all of them (`inc1`).

use super::{affine, sharpness, tables};
use crate::image::RgbImage;
use crate::image::augment::color::{self, ColorOp};

/// The largest magnitude.
pub(super) const MAX_MAGNITUDE: f64 = 10.0;

/// What an operation does, without its strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RandAugmentOp {
    /// Stretches each channel to 0..255.
    AutoContrast,
    /// Gives each channel an even histogram.
    Equalize,
    /// The negative.
    Invert,
    /// Turns around the centre, by 3 degrees a unit of magnitude.
    Rotate,
    /// Keeps only the highest bits of each value: 4 at magnitude 0, none at 10.
    Posterize,
    /// Inverts values from a threshold on, which falls from 256 to 0.
    Solarize,
    /// Adds up to 110 to values below 128.
    SolarizeAdd,
    /// Saturation, by a factor of up to 0.9 away from 1, as the three that follow.
    Color,
    /// Contrast.
    Contrast,
    /// Brightness.
    Brightness,
    /// Sharpness.
    Sharpness,
    /// Moves rows sideways, by up to 0.3 of their distance from the top.
    ShearX,
    /// Moves columns up or down, by up to 0.3 of their distance from the left.
    ShearY,
    /// Moves the image sideways, by up to 0.45 of its width.
    TranslateX,
    /// Moves the image up or down, by up to 0.45 of its height.
    TranslateY,
}

impl RandAugmentOp {
    /// All of them, in timm's order.
    pub const ALL: [Self; 15] = [
        Self::AutoContrast,
        Self::Equalize,
        Self::Invert,
        Self::Rotate,
        Self::Posterize,
        Self::Solarize,
        Self::SolarizeAdd,
        Self::Color,
        Self::Contrast,
        Self::Brightness,
        Self::Sharpness,
        Self::ShearX,
        Self::ShearY,
        Self::TranslateX,
        Self::TranslateY,
    ];
}

/// An operation with its strength.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distortion {
    /// What is done.
    pub operation: RandAugmentOp,
    /// How strongly, 0 to 10. The first three operations have one strength only.
    pub magnitude: f64,
    /// Whether it goes the other way: a turn to the right, a factor below 1. Operations on tables of
    /// values have one way only.
    pub negative: bool,
}

impl Distortion {
    /// Carries it out, in place.
    pub fn apply(&self, image: &mut RgbImage) {
        match self.operation {
            RandAugmentOp::AutoContrast => tables::auto_contrast(image),
            RandAugmentOp::Equalize => tables::equalize(image),
            RandAugmentOp::Invert => tables::map_values(image, |value| !value),
            RandAugmentOp::Posterize => tables::posterize(image, 4 - self.steps(4.0)),
            RandAugmentOp::Solarize => tables::solarize(image, 256 - self.steps(256.0)),
            RandAugmentOp::SolarizeAdd => tables::solarize_add(image, self.steps(110.0)),

            RandAugmentOp::Color => color::apply(image, &[ColorOp::Saturation(self.factor())]),
            RandAugmentOp::Contrast => color::apply(image, &[ColorOp::Contrast(self.factor())]),
            RandAugmentOp::Brightness => color::apply(image, &[ColorOp::Brightness(self.factor())]),
            RandAugmentOp::Sharpness => sharpness::adjust(image, self.factor()),

            RandAugmentOp::Rotate => affine::rotate(image, self.signed(30.0)),
            RandAugmentOp::ShearX => affine::shear_x(image, self.signed(0.3)),
            RandAugmentOp::ShearY => affine::shear_y(image, self.signed(0.3)),
            RandAugmentOp::TranslateX => affine::translate_x(image, self.signed(0.45)),
            RandAugmentOp::TranslateY => affine::translate_y(image, self.signed(0.45)),
        }
    }

    /// Whole steps of `0..=most`.
    fn steps(&self, most: f64) -> u16 {
        (self.magnitude / MAX_MAGNITUDE * most).clamp(0.0, most) as u16
    }

    /// A number of `-most..=most`.
    fn signed(&self, most: f64) -> f64 {
        let amount = self.magnitude / MAX_MAGNITUDE * most;
        if self.negative { -amount } else { amount }
    }

    /// A factor around 1.
    fn factor(&self) -> f32 {
        (1.0 + self.signed(0.9)) as f32
    }
}
