//! Backbones as files: safetensors with timm names, and what is needed to use them in the header.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use burn::tensor::Device;
use futures_lite::future::block_on;
use ibot_core::model::{Vit, VitConfig};
use ibot_core::rng::{Purpose, stream};
use ibot_core::weights::{self, from_safetensors, to_safetensors};
use serde::{Deserialize, Serialize};

use crate::files::write_atomically;

/// Name of the teacher's backbone in a run's folder.
pub const TEACHER_FILE: &str = "teacher.safetensors";
/// Header entry that describes the network.
const HEADER: &str = "ibot";

/// What the header says of the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelHeader {
    /// The backbone's dimensions.
    pub vit: VitConfig,
    /// Resize before an evaluation's central crop, over the crop's side.
    pub eval_resize: f64,
    /// Optimisation steps behind the weights.
    pub step: usize,
}

/// Writes the teacher's backbone.
///
/// # Errors
/// If the device fails or the file cannot be written.
pub fn save_backbone(path: &Path, backbone: &Vit, header: &ModelHeader) -> Result<()> {
    let weights = block_on(weights::read(backbone))?;
    let metadata =
        HashMap::from([("format".to_owned(), "pt".to_owned()), (HEADER.to_owned(), serde_json::to_string(header)?)]);
    write_atomically(path, &to_safetensors(&weights, metadata)?)?;
    Ok(())
}

/// Reads a backbone from a file that [`save_backbone`] wrote, or from the run in folder `path`.
///
/// # Errors
/// If there is none, or it is not one of ours.
pub fn load_backbone(path: &Path, device: &Device) -> Result<(Vit, ModelHeader)> {
    let file = file_of(path);
    let bytes = fs::read(&file).with_context(|| format!("cannot read the model {}", file.display()))?;
    let (weights, metadata) = from_safetensors(&bytes).with_context(|| format!("model {}", file.display()))?;
    let header = metadata.get(HEADER).with_context(|| {
        format!("{} does not say what network it holds; models written by `ibot pretrain` do", file.display())
    })?;
    let header: ModelHeader =
        serde_json::from_str(header).with_context(|| format!("the header of {}", file.display()))?;
    let fresh = header.vit.init(device, &mut stream(0, Purpose::Init, 0, 0)).without_mask_token();
    let backbone = weights::write(fresh, &weights).with_context(|| format!("model {}", file.display()))?;
    Ok((backbone, header))
}

fn file_of(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(TEACHER_FILE) } else { path.to_owned() }
}
