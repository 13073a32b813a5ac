//! Features of images that are shown in a way of their own: at any size, or several times.

use anyhow::{Context as _, Result, bail, ensure};
use burn::tensor::{Device, Tensor, TensorData};
use futures_lite::future::block_on;
use ibot_core::features::{Readout, TokenGrid, read_out};
use ibot_core::image::Planes;
use ibot_core::model::Backbone;
use rayon::prelude::*;

use super::progress::PassProgress;
use super::rows::FeatureRows;
use super::store::FeatureStore;

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

/// The patch tokens of the last block of each picture, whose sides are whole patches. Without a
/// network they are the pixels of patches of `pixel_patch` pixels along a side.
///
/// # Errors
/// If the device fails, or a picture has no patch.
pub fn token_grids(
    store: &FeatureStore,
    pixel_patch: usize,
    pictures: Vec<Planes>,
) -> Result<Vec<TokenGrid>> {
    let Some(lanes) = store.lanes() else {
        let mut grids = Vec::with_capacity(pictures.len());
        for picture in &pictures {
            grids.push(TokenGrid::of_pixels(picture, pixel_patch)?);
        }
        return Ok(grids);
    };

    store.note_encoded(pictures.len());
    let mut grids = Vec::with_capacity(pictures.len());
    lanes.each(
        pictures.into_iter().enumerate(),
        |backbone, device, (place, picture)| {
            let (height, width) = picture.size();
            let pixels = TensorData::new(picture.into_values(), [1, 3, height, width]);
            let pixels = Tensor::from_data(pixels, device);
            let tokens = backbone.forward(pixels, &[], &mut None).into_patches();
            let data = block_on(tokens.into_data_async()).context("features on the device")?;

            let (rows, columns) = backbone.grid(height, width);
            let values = data.iter::<f32>().collect();
            let grid = TokenGrid::new(rows, columns, backbone.dim(), values)?;
            Ok((place, grid))
        },
        |grid| {
            grids.push(grid);
            Ok(())
        },
    )?;
    // Lanes finish in any order.
    grids.sort_unstable_by_key(|(place, _)| *place);
    Ok(grids.into_iter().map(|(_, grid)| grid).collect())
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
    // Lanes finish in any order.
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
