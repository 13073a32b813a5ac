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
use ibot_core::rng::{Purpose, crop_stream};
use serde::Serialize;

use super::configuration::describe_crops;
use super::photo::{encode, photo};
use crate::data::decode;
use crate::device;

/// How long each figure is measured.
const WINDOW: Duration = Duration::from_secs(3);

/// What was measured of loading, in images a second.
#[derive(Debug, Serialize)]
pub struct LoadingFigures {
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

pub fn measure(config: &Config) -> Result<LoadingFigures> {
    let square = photo(400, 400)?;
    let jpeg = encode(&photo(500, 375)?)?;
    decode(&jpeg).context("the drawn JPEG")?;
    let load = |index| {
        if let Ok(image) = decode(&jpeg) {
            make_crops(&image, index, config);
        }
    };

    let cores = device::cores().get();
    Ok(LoadingFigures {
        crops: describe_crops(&config.crops),
        augment_per_thread: rate(1, |index| make_crops(&square, index, config)),
        jpeg_bytes: jpeg.len(),
        decode_per_thread: rate(1, |_| drop(decode(&jpeg))),
        decode_augment_per_thread: rate(1, load),
        cores,
        decode_augment_all_cores: rate(cores, load),
    })
}

fn make_crops(image: &RgbImage, index: usize, config: &Config) {
    let rng = |crop| crop_stream(0, Purpose::Augment, 0, index, crop);
    let crops = multi_crop(image, &config.crops, &config.augment, rng);
    for view in crops.globals.iter().chain(&crops.locals) {
        let mut values = vec![0.0; 3 * view.width() * view.height()];
        normalize_into(view, &mut values);
    }
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

impl fmt::Display for LoadingFigures {
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
