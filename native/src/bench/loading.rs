//! How fast images become crops, by one thread and by all.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ibot_core::image::RgbImage;
use ibot_core::image::augment::multi_crop;
use ibot_core::image::normalize::normalize_into;
use ibot_core::pretrain::config::Config;
use ibot_core::rng::{Purpose, crop_stream, stream};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder as _};
use rand::RngExt as _;
use serde::Serialize;

use super::describe_crops;
use crate::data::decode;
use crate::device;

/// How long each figure is measured.
const WINDOW: Duration = Duration::from_secs(3);
/// JPEG quality of what is decoded.
const QUALITY: u8 = 90;

/// What was measured, in images a second.
#[derive(Debug, Serialize)]
pub struct Loading {
    crops: String,
    /// A 400 x 400 image in memory to normalised crops, by one thread.
    augment_per_thread: f64,
    /// Size of the 500 x 375 JPEG.
    jpeg_bytes: usize,
    decode_per_thread: f64,
    decode_augment_per_thread: f64,
    cores: usize,
    decode_augment_all_cores: f64,
}

/// Measures loading for the crops of `config`.
///
/// # Errors
/// If the drawn image cannot be encoded or decoded.
pub fn measure(config: &Config) -> Result<Loading> {
    let square = photo(400, 400)?;
    let jpeg = encode(&photo(500, 375)?)?;
    decode(&jpeg).context("the drawn JPEG")?;
    let augment = |image: &RgbImage, index: usize| {
        let rng = |crop| crop_stream(0, Purpose::Augment, 0, index, crop);
        let crops = multi_crop(image, &config.crops, &config.augment, rng);
        for view in crops.globals.iter().chain(&crops.locals) {
            let mut values = vec![0.0; 3 * view.width() * view.height()];
            normalize_into(view, &mut values);
        }
    };
    let load = |index: usize| {
        if let Ok(image) = decode(&jpeg) {
            augment(&image, index);
        }
    };
    let cores = device::cores().get();
    Ok(Loading {
        crops: describe_crops(&config.crops),
        augment_per_thread: rate(1, |index| augment(&square, index)),
        jpeg_bytes: jpeg.len(),
        decode_per_thread: rate(1, |_| drop(decode(&jpeg))),
        decode_augment_per_thread: rate(1, load),
        cores,
        decode_augment_all_cores: rate(cores, load),
    })
}

/// Calls of `work` a second, by `threads` threads together.
fn rate(threads: usize, work: impl Fn(usize) + Sync) -> f64 {
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while start.elapsed() < WINDOW {
                    work(next.fetch_add(1, Ordering::Relaxed));
                }
            });
        }
    });
    next.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64()
}

fn encode(image: &RgbImage) -> Result<Vec<u8>> {
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

/// Smooth noise at every scale, the coarser the stronger: about the spectrum of a photograph, which
/// is what the work of a JPEG decoder depends on.
fn photo(width: usize, height: usize) -> Result<RgbImage> {
    let mut values = vec![110.0f32; 3 * width * height];
    for octave in 0..7 {
        let cell = 64 >> octave;
        let amplitude = 96.0 * 0.7f32.powi(octave as i32);
        let mut rng = stream(octave, Purpose::Scene, width as u64, height as u64);
        let columns = width / cell + 2;
        let knots: Vec<[f32; 3]> = (0..columns * (height / cell + 2))
            .map(|_| {
                let gray = rng.random::<f32>() - 0.5;
                [(); 3].map(|()| amplitude * (0.8 * gray + 0.2 * (rng.random::<f32>() - 0.5)))
            })
            .collect();
        for (i, value) in values.iter_mut().enumerate() {
            let (pixel, channel) = (i / 3, i % 3);
            let (x, y) = (pixel % width, pixel / width);
            let (s, t) = (
                (x % cell) as f32 / cell as f32,
                (y % cell) as f32 / cell as f32,
            );
            let knot =
                |dx: usize, dy: usize| knots[(y / cell + dy) * columns + x / cell + dx][channel];
            let (top, bottom) = (
                knot(0, 0) * (1.0 - s) + knot(1, 0) * s,
                knot(0, 1) * (1.0 - s) + knot(1, 1) * s,
            );
            *value += top * (1.0 - t) + bottom * t;
        }
    }
    let pixels = values
        .into_iter()
        .map(|value| value.round() as u8)
        .collect();
    RgbImage::new(width, height, pixels).context("the drawn image")
}

impl fmt::Display for Loading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "crops   {}", self.crops)?;
        writeln!(
            f,
            "augment {:.1} img/s a thread, from 400 x 400 pixels in memory",
            self.augment_per_thread
        )?;
        writeln!(
            f,
            "decode  {:.1} img/s a thread, JPEGs of 500 x 375, {} KB",
            self.decode_per_thread,
            self.jpeg_bytes / 1000
        )?;
        write!(
            f,
            "both    {:.1} img/s a thread, {:.1} img/s on {} cores",
            self.decode_augment_per_thread, self.decode_augment_all_cores, self.cores
        )
    }
}
