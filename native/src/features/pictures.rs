//! Features of images that are shown in a way of their own: at any size, or several times.

use anyhow::{Context as _, Result, bail, ensure};
use burn::tensor::{Device, Tensor, TensorData};
use futures_lite::future::block_on;
use ibot_core::features::{Readout, read_out};
use ibot_core::image::Planes;
use ibot_core::model::Backbone;
use rayon::prelude::*;

use super::progress::PassProgress;
use super::store::{FeatureRows, FeatureStore};

/// Images that are in memory at a time.
const TOGETHER: usize = 16;

/// The features of `count` images. `load` gives the pictures of one, at least one, whose sides are
/// whole patches; its row is the mean over them of what `readouts` read, one after the other. For
/// plain pixels it is the numbers of its one picture. Images that `load` fails for are named and
/// left out. Nothing is kept.
///
/// # Errors
/// If no image is left, rows have different widths, or the device fails.
pub fn picture_rows(
    store: &FeatureStore,
    readouts: &[Readout],
    count: usize,
    load: impl Fn(usize) -> Result<Vec<Planes>> + Sync,
) -> Result<FeatureRows> {
    let progress = PassProgress::new("features", count, store.shows_progress());
    let mut rows = FeatureRows {
        values: Vec::new(),
        width: 0,
        indices: Vec::new(),
    };
    for first in (0..count).step_by(TOGETHER) {
        let last = (first + TOGETHER).min(count);
        let loaded: Vec<Result<Vec<Planes>>> = (first..last).into_par_iter().map(&load).collect();
        let mut shown = Vec::new();
        for (place, pictures) in loaded.into_iter().enumerate() {
            match pictures {
                Ok(pictures) => shown.push((first + place, pictures)),
                Err(error) => progress.warn(&format!("{error:#} (skipped)")),
            }
        }

        for (image, row) in encode(store, readouts, shown)? {
            if rows.indices.is_empty() {
                rows.width = row.len();
            }
            ensure!(
                row.len() == rows.width,
                "images of different sizes cannot be compared pixel by pixel"
            );
            rows.indices.push(image);
            rows.values.extend(row);
        }
        progress.add(last - first);
    }
    if rows.indices.is_empty() {
        bail!("none of {count} images could be read");
    }
    Ok(rows)
}

/// Each image with its row, in order.
fn encode(
    store: &FeatureStore,
    readouts: &[Readout],
    shown: Vec<(usize, Vec<Planes>)>,
) -> Result<Vec<(usize, Vec<f32>)>> {
    let Some(lanes) = store.lanes() else {
        let mut rows = Vec::new();
        for (image, mut pictures) in shown {
            let picture = pictures.pop().context("an image without a picture")?;
            rows.push((image, picture.into_values()));
        }
        return Ok(rows);
    };

    store.note_encoded(shown.len());
    let mut rows = Vec::new();
    lanes.each(
        shown.into_iter(),
        |backbone, device, (image, pictures)| {
            let row = mean_row(backbone, device, readouts, pictures)?;
            Ok((image, row))
        },
        |row| {
            rows.push(row);
            Ok(())
        },
    )?;
    rows.sort_unstable_by_key(|(image, _)| *image);
    Ok(rows)
}

fn mean_row(
    backbone: &Backbone,
    device: &Device,
    readouts: &[Readout],
    pictures: Vec<Planes>,
) -> Result<Vec<f32>> {
    let count = pictures.len();
    let mut sum: Option<Tensor<2>> = None;
    for picture in pictures {
        let (height, width) = picture.size();
        let pixels = TensorData::new(picture.into_values(), [1, 3, height, width]);
        let read = read_out(backbone, Tensor::from_data(pixels, device), readouts);
        let row = Tensor::cat(read, 1);
        sum = Some(match sum {
            Some(sum) => sum + row,
            None => row,
        });
    }

    let mean = sum.context("an image without a picture")? / count as f32;
    let data = block_on(mean.into_data_async()).context("features on the device")?;
    Ok(data.iter::<f32>().collect())
}
