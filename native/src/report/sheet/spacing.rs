//! Distances on a figure, in pixels.

/// Around the figure.
pub const MARGIN: usize = 32;
/// Between images of a row or a panel, and between a row and one joined to it.
pub const GUTTER: usize = 10;
/// Between other rows, and between parts of the figure.
pub const GAP: usize = 26;
/// Between a text and what it belongs to.
pub const TEXT_GAP: usize = 6;
