//! Bilinear interpolation along an axis, as PyTorch's `interpolate` does it.

/// Two neighbouring places of an axis, and the weight of the second.
pub(crate) struct Taps {
    pub first: usize,
    pub second: usize,
    pub weight: f32,
}

impl Taps {
    /// The places around `source` on an axis of `length` places; beyond the outer ones, those.
    pub fn around(source: f64, length: usize) -> Self {
        let source = source.max(0.0);
        let first = (source as usize).min(length - 1);
        Self {
            first,
            second: (first + 1).min(length - 1),
            // Beyond the last place more than 1, where both places are the last one.
            weight: (source - first as f64).clamp(0.0, 1.0) as f32,
        }
    }

    pub fn mix(&self, first: f32, second: f32) -> f32 {
        (1.0 - self.weight) * first + self.weight * second
    }

    /// Both places with their weights.
    pub fn weighted(&self) -> [(usize, f32); 2] {
        [(self.first, 1.0 - self.weight), (self.second, self.weight)]
    }
}

/// Where the pixels of an axis scaled by `scale` come from; at least one pixel.
pub(crate) fn taps(length: usize, scale: f64) -> Vec<Taps> {
    let count = ((length as f64 * scale).floor() as usize).max(1);
    let mut taps = Vec::with_capacity(count);
    for place in 0..count {
        // By the scale that was asked for, not by the ratio of the lengths, as `scale_factor` has it.
        taps.push(Taps::around((place as f64 + 0.5) / scale - 0.5, length));
    }
    taps
}

/// Where the `pixels` of an axis that stretches over `cells` cells come from.
pub(crate) fn stretched(cells: usize, pixels: usize) -> Vec<Taps> {
    let mut taps = Vec::with_capacity(pixels);
    for pixel in 0..pixels {
        taps.push(Taps::around(cell_at(pixel as f64, cells, pixels), cells));
    }
    taps
}

/// The place of a pixel, or one between two, among the centres of `cells` cells.
pub(crate) fn cell_at(pixel: f64, cells: usize, pixels: usize) -> f64 {
    (pixel + 0.5) * cells as f64 / pixels as f64 - 0.5
}
