//! How an image is cut for the network.

/// A resize, then a central crop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EvalView {
    /// Side of the central crop, in pixels.
    pub size: usize,
    /// Side to which the shorter side of an image is resized before the crop, divided by `size`.
    pub resize_ratio: f64,
}

impl EvalView {
    /// Side to which the shorter side of an image is resized, in pixels.
    pub(super) fn resized_side(self) -> usize {
        (self.size as f64 * self.resize_ratio).round() as usize
    }

    /// Numbers in the crop: three channels.
    pub(super) fn values(self) -> usize {
        3 * self.size * self.size
    }
}
