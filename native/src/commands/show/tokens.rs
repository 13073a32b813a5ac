//! What all commands that draw patch tokens share: their options, and the network that encodes an
//! image.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use burn::tensor::Device;
use clap::Args;
use futures_lite::future::block_on;
use ibot_core::features::encode;
use ibot_core::features::encode::ImageTokens;
use ibot_core::image::RgbImage;
use ibot_core::model::Backbone;

use super::output::Output;
use crate::device::{self, DeviceChoice};
use crate::model::ModelArgs;

// Default of `--size`, where the network was made for less: DINOv2's own size, and near the 480 of
// the official scripts.
const LARGE_ENOUGH: usize = 518;

#[derive(Debug, Args)]
pub struct TokenArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Shorter side of an image in pixels, rounded to whole patches [default: twice the size of
    /// pre-training, at most 518]
    #[arg(long)]
    size: Option<usize>,
    /// Use the tokens and the attention of this block, counted from 1 [default: the last]
    #[arg(long)]
    block: Option<usize>,
    /// Folder for pictures and numbers [default: out/ and the name of the command]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Where to compute: auto, cpu, gpu, gpu:N, software or cuda:N
    #[arg(long, default_value = "auto")]
    pub device: DeviceChoice,
}

impl TokenArgs {
    /// The backbone, ready to encode, and the folder for what comes of it.
    pub fn open(&self, command: &str) -> Result<(ImageEncoder, Output)> {
        let device = device::select(self.device)?.device;
        let (model, line) = self.model.open(&device)?;
        println!("{line}");
        Ok((
            self.encoder(model.backbone, model.config.image_size(), device)?,
            self.output(command)?,
        ))
    }

    pub fn encoder(
        &self,
        backbone: Backbone,
        image_size: usize,
        device: Device,
    ) -> Result<ImageEncoder> {
        let patch = backbone.stride();
        let shorter = self.size.unwrap_or_else(|| usual_side(image_size));
        ensure!(
            shorter >= patch,
            "--size {shorter} is less than one patch of {patch} pixels"
        );
        Ok(ImageEncoder {
            backbone,
            device,
            shorter,
            block: self.block,
        })
    }

    pub fn output(&self, command: &str) -> Result<Output> {
        let folder = self
            .out
            .clone()
            .unwrap_or_else(|| PathBuf::from("out").join(command));
        Output::create(folder, &self.model.path().display().to_string())
    }
}

/// A backbone that is shown one image at a time.
pub struct ImageEncoder {
    pub backbone: Backbone,
    pub device: Device,
    shorter: usize,
    block: Option<usize>,
}

/// Shorter side of an image, in pixels, for a network that was trained at `image_size`.
fn usual_side(image_size: usize) -> usize {
    // Never below what it was trained at.
    (2 * image_size).min(LARGE_ENOUGH.max(image_size))
}

impl ImageEncoder {
    /// An encoder for images at the usual size and the last block.
    pub fn usual(backbone: Backbone, image_size: usize, device: Device) -> Self {
        Self {
            backbone,
            device,
            shorter: usual_side(image_size),
            block: None,
        }
    }

    pub fn encode(&self, image: &RgbImage) -> Result<ImageTokens> {
        let encoded = block_on(encode::encode(
            &self.backbone,
            image,
            self.shorter,
            self.block,
            &self.device,
        ));
        encoded.context("cannot encode an image; a smaller --size takes less memory")
    }
}
