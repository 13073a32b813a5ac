//! Ice on a window, drawn by the program in place of the photographs of the benchmark.

use super::draws::Draws;
use super::fractal::plasma;
use super::plane::Plane;
use crate::image::RgbImage;
use crate::rng::Rng;

/// Color and contrast of a kind of ice, of 255: those of the benchmark's photographs.
struct Ice {
    color: [f64; 3],
    deviation: f64,
}

const KINDS: [Ice; 4] = [
    Ice {
        color: [78.0, 149.0, 166.0],
        deviation: 20.0,
    },
    Ice {
        color: [201.0, 205.0, 214.0],
        deviation: 22.0,
    },
    Ice {
        color: [138.0, 153.0, 165.0],
        deviation: 29.0,
    },
    Ice {
        color: [112.0, 123.0, 135.0],
        deviation: 43.0,
    },
];
/// Of five photographs two show the same ice.
const DRAWN: [usize; 5] = [0, 1, 1, 2, 3];
/// Decay of the large forms.
const FORM_DECAY: f64 = 1.5;
/// Decay of the map of the crystals, whose changes are as large at all scales.
const CRYSTAL_DECAY: f64 = 1.0;
/// Share of the deviation that is of crystals: with it, as much of the contrast is in small details
/// as in the photographs.
const CRYSTALS: f64 = 0.66;

/// A texture of `width` x `height` pixels: clouds, and crystals along the lines on which another
/// map of clouds is half as high.
pub fn frost_texture(width: usize, height: usize, rng: &mut Rng) -> RgbImage {
    let ice = &KINDS[DRAWN[((rng.uniform() * 5.0) as usize).min(4)]];
    // Forms are those of a window of 256 pixels at least, of which a small image shows a part.
    let side = width.max(height).next_power_of_two().max(256);
    let [left, top] = [(); 2].map(|()| (rng.uniform() * side as f64) as usize);

    let forms = standardised(&plasma(side, FORM_DECAY, rng));
    let lines = plasma(side, CRYSTAL_DECAY, rng).map(|value| -(2.0 * value - 1.0).abs().sqrt());
    let lines = standardised(&lines);

    let smooth = (1.0 - CRYSTALS * CRYSTALS).sqrt();
    RgbImage::from_fn(width, height, |x, y| {
        // The maps wrap around.
        let (x, y) = ((x + left) % side, (y + top) % side);
        let light = smooth * forms.at(x, y) + CRYSTALS * lines.at(x, y);
        ice.color
            .map(|color| (color + ice.deviation * light).round() as u8)
    })
}

/// With mean 0 and deviation 1.
fn standardised(map: &Plane) -> Plane {
    let count = map.values.len() as f64;
    let mean = map.values.iter().sum::<f64>() / count;
    let square = |value: &f64| (value - mean) * (value - mean);
    let deviation = (map.values.iter().map(square).sum::<f64>() / count).sqrt();
    map.map(|value| (value - mean) / deviation.max(f64::MIN_POSITIVE))
}
