//! The extractor of features.

use std::num::NonZeroUsize;
use std::thread;

use anyhow::{Result, ensure};
use burn::tensor::{Device, Tensor, TensorData};
use ibot_core::features::Pooling;
use ibot_core::model::Backbone;
use rayon::prelude::*;

use super::decode;
use super::view::EvalView;
use crate::data::Dataset;

/// Turns images of a dataset into rows of features.
#[derive(Clone, Copy)]
pub struct Extractor<'a> {
    pub encoder: Encoder<'a>,
    pub view: EvalView,
    /// Threads that decode images.
    pub threads: NonZeroUsize,
    pub device: &'a Device,
}

/// What turns an image into a feature.
#[derive(Clone, Copy)]
pub enum Encoder<'a> {
    /// A frozen network.
    Network(&'a Backbone),
    /// Nothing: the normalised pixels themselves, as a baseline without a network.
    Pixels,
}

/// Features of the images that could be read.
pub struct FeatureRows {
    /// One row an image, `[M, D]`.
    pub rows: Tensor<2>,
    /// Which image each row belongs to.
    pub indices: Vec<usize>,
}

impl Extractor<'_> {
    /// Features of the images `indices` of `data`; `pooling` does not matter for pixels. Images
    /// that cannot be read are left out, with a warning.
    ///
    /// # Errors
    /// If the crop does not fit the network, or no image can be read.
    pub fn extract(
        &self,
        pooling: Pooling,
        data: &Dataset,
        indices: &[usize],
    ) -> Result<FeatureRows> {
        self.check_size()?;
        let mut rows = Vec::new();
        let mut read = Vec::with_capacity(indices.len());

        thread::scope(|scope| {
            // The network computes on this thread, because a GPU has memory pools for each thread.
            for chunk in decode::chunks(scope, data, indices, self.view, self.threads) {
                for problem in &chunk.unreadable {
                    eprintln!("warning: {problem} (skipped)");
                }
                if !chunk.indices.is_empty() {
                    rows.extend(self.encode(pooling, chunk.pixels));
                    read.extend(chunk.indices);
                }
            }
        });

        ensure!(
            !rows.is_empty(),
            "no image of {} could be read",
            data.description()
        );
        Ok(FeatureRows {
            rows: Tensor::cat(rows, 0),
            indices: read,
        })
    }

    fn check_size(&self) -> Result<()> {
        let size = self.view.size;
        ensure!(size > 0, "a crop needs at least one pixel, not 0");
        if let Encoder::Network(backbone) = self.encoder {
            let patch = backbone.stride();
            ensure!(
                size.is_multiple_of(patch),
                "a crop of {size} pixels is not a multiple of patches of {patch} pixels; choose another size"
            );
        }
        Ok(())
    }

    /// Features of normalised images, 3 x size x size values each, in order.
    fn encode(&self, pooling: Pooling, pixels: Vec<f32>) -> Vec<Tensor<2>> {
        let side = self.view.size;
        let values = 3 * side * side;
        let images = pixels.len() / values;

        match self.encoder {
            Encoder::Pixels => {
                let rows = TensorData::new(pixels, [images, values]);
                vec![Tensor::from_data(rows, self.device)]
            }
            // burn spreads only its larger CPU operations over threads, so every core takes a
            // share of the images.
            Encoder::Network(backbone) if *self.device == Device::flex() => {
                let share = values * images.div_ceil(rayon::current_num_threads());
                pixels
                    .par_chunks(share)
                    .map_with(backbone.clone(), |backbone, own| {
                        pooled(backbone, pooling, own.to_vec(), side, self.device)
                    })
                    .collect()
            }
            Encoder::Network(backbone) => {
                vec![pooled(backbone, pooling, pixels, side, self.device)]
            }
        }
    }
}

fn pooled(
    backbone: &Backbone,
    pooling: Pooling,
    pixels: Vec<f32>,
    side: usize,
    device: &Device,
) -> Tensor<2> {
    let images = pixels.len() / (3 * side * side);
    let pixels = TensorData::new(pixels, [images, 3, side, side]);
    pooling.of(backbone, Tensor::from_data(pixels, device))
}
