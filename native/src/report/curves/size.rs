//! The size of a chart, in pixels.

pub(super) const WIDTH: f64 = 470.0;
pub(super) const HEIGHT: f64 = 300.0;
pub(super) const PADDING: f64 = 18.0;
