//! How features are computed: the options of every command that extracts them.

use std::path::PathBuf;

use anyhow::Result;
use burn::tensor::Device;
use clap::Args;
use ibot_core::model::ComputePrecision;

use super::encoder::Encoder;
use super::store::FeatureStore;
use super::view::EvalView;
use crate::device::{Devices, Selected, select_each};
use crate::model::LoadedBackbone;

#[derive(Clone, Debug, Args)]
pub struct FeatureArgs {
    /// Where to compute: auto, cpu, gpu, gpu:N, software or cuda:N. Several, with commas between,
    /// share the images; `all` takes every GPU
    #[arg(long, visible_alias = "device", default_value = "auto")]
    devices: Devices,
    /// Numbers of the network's matrix products: f32, f16 or bf16
    #[arg(long, default_value = "f32", value_parser = precision)]
    precision: ComputePrecision,
    /// Folder that keeps features: a later command with the same weights, data and view takes them
    /// from there
    #[arg(long, value_name = "DIR")]
    features: Option<PathBuf>,
}

/// The devices that compute features, and how.
#[derive(Clone, Debug)]
pub struct Extraction {
    /// At least one.
    devices: Vec<Selected>,
    pub precision: ComputePrecision,
    /// Folder of kept features.
    pub cache: Option<PathBuf>,
    /// Whether the progress is shown on a terminal.
    pub shows_progress: bool,
}

impl FeatureArgs {
    /// Finds the devices.
    ///
    /// # Errors
    /// If one is not there, or does not compute in the precision asked for.
    pub fn open(&self, shows_progress: bool) -> Result<Extraction> {
        let devices = select_each(&self.devices, None)?;
        for device in &devices {
            device.check(self.precision)?;
        }
        Ok(Extraction {
            devices,
            precision: self.precision,
            cache: self.features.clone(),
            shows_progress,
        })
    }
}

impl Extraction {
    /// Where a network is loaded and features lie.
    pub fn device(&self) -> &Device {
        &self.devices[0].device
    }

    /// The devices, for people.
    pub fn description(&self) -> String {
        let names: Vec<&str> = self
            .devices
            .iter()
            .map(|device| device.description.as_str())
            .collect();
        names.join(" + ")
    }

    /// A store of features of `model`, or of plain pixels, in `view`.
    pub fn store(&self, model: Option<&LoadedBackbone>, view: EvalView) -> Result<FeatureStore> {
        let mut devices = Vec::new();
        for selected in &self.devices {
            devices.push(selected.device.clone());
        }
        let encoder = match model {
            Some(model) => Encoder::Network(&model.backbone),
            None => Encoder::Pixels,
        };

        let mut store = FeatureStore::new(encoder, view, &devices)?;
        if let (Some(model), Some(cache)) = (model, &self.cache) {
            store = store.with_cache(cache, model.digest()?);
        }
        if self.shows_progress {
            store = store.with_progress();
        }
        Ok(store.with_precision(self.precision))
    }
}

fn precision(text: &str) -> Result<ComputePrecision, String> {
    match text {
        "f32" => Ok(ComputePrecision::F32),
        "f16" => Ok(ComputePrecision::F16),
        "bf16" => Ok(ComputePrecision::Bf16),
        _ => Err(format!("`{text}` is not a precision; use f32, f16 or bf16")),
    }
}
