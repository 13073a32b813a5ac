//! How frames are shown to the network.

use ibot_core::eval::video::{FrameSize, bilinear};
use ibot_core::image::normalize::STD;
use ibot_core::image::resize::resize;
use ibot_core::image::{Planes, RgbImage};

/// The longer side is a multiple of so many pixels in the official code.
const OFFICIAL_UNIT: usize = 64;
/// What the official code of this evaluation divides the channels by, other than in pre-training.
const RELEASED_STD: [f32; 3] = [0.228, 0.224, 0.225];
/// Side of a patch of plain pixels.
pub const PIXEL_PATCH: usize = 16;

/// Size and colors of frames for the network.
#[derive(Clone, Copy, Debug)]
pub struct FrameView {
    /// The shorter side, in pixels.
    pub shorter: usize,
    /// Side of a patch, in pixels.
    pub patch: usize,
    /// The longer side is rounded down to a multiple of it.
    unit: usize,
    is_official: bool,
    deviation: [f32; 3],
}

impl FrameView {
    /// Frames as the official code prepares them: bilinear, with a longer side of a multiple of 64
    /// pixels if these are whole patches. They are normalised as in pre-training, or `as_released`.
    pub fn official(shorter: usize, patch: usize, as_released: bool) -> Self {
        let is_whole = OFFICIAL_UNIT.is_multiple_of(patch);
        Self {
            shorter,
            patch,
            unit: if is_whole { OFFICIAL_UNIT } else { patch },
            is_official: true,
            deviation: if as_released { RELEASED_STD } else { STD },
        }
    }

    /// Frames of any size, with as many whole patches as fit.
    pub fn whole(shorter: usize, patch: usize) -> Self {
        Self {
            shorter,
            patch,
            unit: patch,
            is_official: false,
            deviation: STD,
        }
    }

    /// The size that a frame gets.
    pub fn size_of(&self, frame: &RgbImage) -> FrameSize {
        let size = (frame.width(), frame.height());
        FrameSize::of(size, self.shorter, self.unit, self.patch)
    }

    pub fn show(&self, frame: &RgbImage, size: FrameSize) -> Planes {
        let shown = match self.is_official {
            true => bilinear(frame, size.width, size.height),
            // Bilinear skips pixels of frames that are much larger.
            false => resize(frame, size.width, size.height),
        };
        Planes::by(&shown, self.deviation)
    }
}
