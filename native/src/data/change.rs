//! How images are changed when they are loaded: seen as an evaluation sees them, and corrupted.

use std::fmt;

use ibot_core::image::RgbImage;
use ibot_core::image::corrupt::{CorruptError, Corruption, Severity, corrupt, corruption_stream};
use ibot_core::image::resize::eval_view;

use super::jpeg::as_jpeg;

/// A change of images that an evaluation with a view of `side` pixels then sees exactly as they are.
///
/// The view of an image is taken before it is corrupted, as the benchmark does, and a black frame is
/// put around it, which the evaluation's view cuts off again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageChange {
    /// Side of the central crop.
    pub side: usize,
    /// Length to which the shorter side of an image is resized before the crop.
    pub resized: usize,
    /// `None` only takes the crop; images whose shorter side is `side` are not resized.
    pub corruption: Option<CorruptionOf>,
}

/// A corruption and its random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CorruptionOf {
    pub kind: Corruption,
    pub severity: Severity,
    pub seed: u64,
}

impl fmt::Display for ImageChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { side, resized, .. } = self;
        match &self.corruption {
            Some(CorruptionOf {
                kind,
                severity,
                seed,
            }) => write!(
                f,
                "{kind} {severity}, {side} of {resized} pixels, seed {seed}"
            ),
            None => write!(f, "{side} of {resized} pixels"),
        }
    }
}

impl CorruptionOf {
    /// Image number `index` of a set, corrupted.
    ///
    /// # Errors
    /// If it is too small.
    pub fn apply(&self, image: &RgbImage, index: usize) -> Result<RgbImage, CorruptError> {
        let rng = &mut corruption_stream(self.seed, self.kind, self.severity, index);
        corrupt(image, self.kind, self.severity, rng, &as_jpeg)
    }
}

impl ImageChange {
    /// Image number `index` of a set, changed.
    ///
    /// # Errors
    /// If it is too small.
    pub fn apply(&self, image: &RgbImage, index: usize) -> Result<RgbImage, CorruptError> {
        let shorter = image.width().min(image.height());
        let Some(corruption) = &self.corruption else {
            let is_cut = shorter == self.side;
            let resized = if is_cut { self.side } else { self.resized };
            return Ok(self.framed(&eval_view(image, self.side, resized)));
        };
        let view = eval_view(image, self.side, self.resized);
        Ok(self.framed(&corruption.apply(&view, index)?))
    }

    /// The view with a frame that the crop cuts off.
    fn framed(&self, view: &RgbImage) -> RgbImage {
        let before = ((self.resized - self.side) as f64 / 2.0).round_ties_even() as usize;
        let inside = before..before + self.side;
        RgbImage::from_fn(self.resized, self.resized, |x, y| {
            if inside.contains(&x) && inside.contains(&y) {
                view.pixel(x - before, y - before)
            } else {
                [0; 3]
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset;

    #[test]
    fn a_view_of_a_changed_image_is_the_change_of_the_view() {
        let image = Dataset::open("builtin:val")
            .expect("scenes")
            .load(3)
            .expect("a scene");
        for (side, resized) in [(32, 32), (32, 37), (56, 64), (35, 40), (64, 73)] {
            let corruption = CorruptionOf {
                kind: Corruption::Spatter,
                severity: Severity::ALL[4],
                seed: 1,
            };
            let change = ImageChange {
                side,
                resized,
                corruption: Some(corruption),
            };
            let changed = change.apply(&image, 3).expect("large enough");
            let expected = corruption.apply(&eval_view(&image, side, resized), 3);
            assert_eq!(
                Ok(eval_view(&changed, side, resized)),
                expected,
                "{side} {resized}"
            );

            // A file that is a view already is not resized.
            let plain = ImageChange {
                corruption: None,
                ..change
            };
            let file = eval_view(&image, side, resized);
            let seen = plain.apply(&file, 0).expect("no corruption");
            assert_eq!(eval_view(&seen, side, resized), file);
        }
    }
}
