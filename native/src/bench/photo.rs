//! A drawn image with the statistics of a photograph.

use anyhow::{Context as _, Result};
use ibot_core::image::RgbImage;
use ibot_core::rng::{Purpose, stream};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder as _};
use rand::RngExt as _;

const QUALITY: u8 = 90;

pub fn encode(image: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY)
        .write_image(
            image.pixels(),
            image.width() as u32,
            image.height() as u32,
            ExtendedColorType::Rgb8,
        )
        .context("cannot encode the drawn image")?;
    Ok(bytes)
}

/// Smooth noise at every scale, the coarser the stronger.
pub fn photo(width: usize, height: usize) -> Result<RgbImage> {
    let mut values = vec![110.0f32; 3 * width * height];
    // This is about the spectrum of a photograph, on which the work of a JPEG decoder depends.
    for octave in 0..7 {
        let noise = Noise::draw(octave, width, height);
        for (i, value) in values.iter_mut().enumerate() {
            let pixel = i / 3;
            *value += noise.at(pixel % width, pixel / width, i % 3);
        }
    }

    let pixels = values.iter().map(|value| value.round() as u8).collect();
    RgbImage::new(width, height, pixels).context("the drawn image")
}

/// Colors at the knots of a lattice, interpolated between them.
struct Noise {
    /// Pixels between two knots.
    cell: usize,
    columns: usize,
    knots: Vec<[f32; 3]>,
}

impl Noise {
    fn draw(octave: u64, width: usize, height: usize) -> Self {
        let cell = 64 >> octave;
        let amplitude = 96.0 * 0.7f32.powi(octave as i32);
        let mut rng = stream(octave, Purpose::Scene, width as u64, height as u64);
        let columns = width / cell + 2;
        let rows = height / cell + 2;

        let mut knots = Vec::new();
        for _ in 0..columns * rows {
            // Photographs vary more in brightness than in hue.
            let gray = rng.random::<f32>() - 0.5;
            let mut color = [0.0; 3];
            for channel in &mut color {
                *channel = amplitude * (0.8 * gray + 0.2 * (rng.random::<f32>() - 0.5));
            }
            knots.push(color);
        }
        Self {
            cell,
            columns,
            knots,
        }
    }

    /// The bilinear value of a channel at a pixel.
    fn at(&self, x: usize, y: usize, channel: usize) -> f32 {
        let right = (x % self.cell) as f32 / self.cell as f32;
        let below = (y % self.cell) as f32 / self.cell as f32;
        let first = y / self.cell * self.columns + x / self.cell;
        let row = |first: usize| {
            self.knots[first][channel] * (1.0 - right) + self.knots[first + 1][channel] * right
        };
        row(first) * (1.0 - below) + row(first + self.columns) * below
    }
}
