//! Bilinear interpolation along an axis, as PyTorch's `interpolate` with `scale_factor` does it.

/// Two neighbouring places of an axis, and the weight of the second.
pub(crate) struct Taps {
    pub first: usize,
    pub second: usize,
    pub weight: f32,
}

impl Taps {
    pub fn mix(&self, first: f32, second: f32) -> f32 {
        (1.0 - self.weight) * first + self.weight * second
    }
}

/// Where the pixels of an axis scaled by `scale` come from; at least one pixel.
pub(crate) fn taps(length: usize, scale: f64) -> Vec<Taps> {
    let count = ((length as f64 * scale).floor() as usize).max(1);
    let mut taps = Vec::with_capacity(count);
    for place in 0..count {
        // By the scale that was asked for, not by the ratio of the lengths.
        let source = ((place as f64 + 0.5) / scale - 0.5).max(0.0);
        let first = (source as usize).min(length - 1);
        taps.push(Taps {
            first,
            second: (first + 1).min(length - 1),
            weight: (source - first as f64).clamp(0.0, 1.0) as f32,
        });
    }
    taps
}
