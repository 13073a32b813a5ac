//! One augmented view: its parameters and what they do to an image.

use crate::image::RgbImage;
use crate::image::augment::blur::gaussian_blur;
use crate::image::augment::color;
use crate::image::augment::color::ColorOp;
use crate::image::resize::{CropBox, flip, resized_crop};

/// Which of the three official pipelines a view takes; they differ in blur and solarization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The first global view (`global_transfo1`).
    FirstGlobal,
    /// Any other global view (`global_transfo2`).
    OtherGlobal,
    /// A local view (`local_transfo`).
    Local,
}

/// All that is random in a view; [`ViewParams::draw`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewParams {
    /// The part of the image to show.
    pub crop: CropBox,
    /// Whether to mirror it.
    pub flip: bool,
    /// Color jitter in the order of application; empty without jitter.
    pub jitter: Vec<ColorOp>,
    /// Whether to turn gray, after the jitter.
    pub grayscale: bool,
    /// Radius of the blur in pixels of the view, if any.
    pub blur: Option<f32>,
    /// Whether to solarize, last.
    pub solarize: bool,
}

impl ViewParams {
    /// Computes the view, `size` x `size` pixels.
    pub fn apply(&self, image: &RgbImage, size: usize) -> RgbImage {
        let mut view = resized_crop(image, self.crop, size);
        if self.flip {
            flip(&mut view);
        }

        let mut ops = self.jitter.clone();
        if self.grayscale {
            ops.push(ColorOp::Grayscale);
        }
        color::apply(&mut view, &ops);

        if let Some(radius) = self.blur {
            gaussian_blur(&mut view, radius);
        }
        if self.solarize {
            color::solarize(&mut view);
        }
        view
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::fixture::{Fixture, difference};
    use crate::testing::test;

    const FILE: &[u8] = include_bytes!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/augment/view.safetensors"
    ));

    #[test]
    fn whole_views_match_torchvision() {
        let fixture = Fixture::images(FILE);
        let source = fixture.get("source");
        let first = ViewParams {
            crop: CropBox {
                left: 21,
                top: 9,
                width: 81,
                height: 70,
            },
            flip: true,
            jitter: vec![
                ColorOp::Contrast(1.3),
                ColorOp::Hue(-0.07),
                ColorOp::Brightness(0.8),
                ColorOp::Saturation(1.15),
            ],
            grayscale: false,
            blur: Some(1.3),
            solarize: false,
        };
        let second = ViewParams {
            crop: CropBox {
                left: 50,
                top: 30,
                width: 31,
                height: 25,
            },
            flip: false,
            jitter: vec![
                ColorOp::Saturation(0.85),
                ColorOp::Brightness(1.25),
                ColorOp::Contrast(0.7),
                ColorOp::Hue(0.09),
            ],
            blur: Some(0.4),
            solarize: true,
            ..first.clone()
        };
        let third = ViewParams {
            grayscale: true,
            blur: None,
            solarize: false,
            ..second.clone()
        };
        for (params, name, size) in [
            (first, "blurred", 48),
            (second, "solarized", 40),
            (third, "grayscale", 40),
        ] {
            let (mean, _) = difference(name, &params.apply(&source, size), &fixture.get(name));
            assert!(mean < 0.05);
        }
    }
}
