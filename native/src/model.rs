//! Models as files: what `pretrain` writes and what every other command opens.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use burn::tensor::Device;
use clap::Args;
use futures_lite::future::block_on;
use ibot_core::model::{Backbone, BackboneConfig, Head, Network};
use ibot_core::rng::{Purpose, stream};
use ibot_core::weights;
use ibot_core::weights::{
    Checkpoint, InferError, LoadError, LoadReport, ModelHeader, StoredPrecision, to_safetensors,
};
use sha2::{Digest as _, Sha256};

use crate::digest::hex;
use crate::files::write_atomically;

/// Name of the teacher's backbone in a run's folder.
pub const TEACHER_FILE: &str = "teacher.safetensors";
/// Name of the backbone with its classifier in the folder of a run of fine-tuning.
pub const CLASSIFIER_FILE: &str = "classifier.safetensors";
/// Name of the same after the epoch that was the best.
pub const BEST_FILE: &str = "best.safetensors";
/// Name of the newest whole state in a run's folder.
pub const CHECKPOINT_FILE: &str = "checkpoints/last.safetensors";

/// What `--model` takes in place of a network, to compare images without one.
const PIXELS: &str = "pixels";

/// Which weights a command uses.
#[derive(Clone, Debug, Args)]
pub struct WeightArgs {
    /// Folder of a run, a .safetensors (names of ibot, timm or DINOv2) or a .pth (iBOT, DINO, DINOv2)
    #[arg(long, value_name = "PATH")]
    pub model: PathBuf,
    /// Part of a training checkpoint: teacher or student [default: teacher, if there is one]
    #[arg(long)]
    pub key: Option<String>,
    /// Number of attention heads, if the file does not have it [default: one for 64 channels]
    #[arg(long)]
    pub heads: Option<usize>,
    /// Accept a file that lacks tensors, and fill these with random values
    #[arg(long)]
    pub allow_partial: bool,
}

/// Which network a command looks at.
#[derive(Clone, Debug, Args)]
pub struct ModelArgs {
    #[command(flatten)]
    weights: WeightArgs,
    /// Use random weights in place of those of the file, to see what training adds
    #[arg(long)]
    untrained: bool,
}

/// A backbone to evaluate.
pub struct LoadedBackbone {
    /// The network, outside autodiff, without mask token.
    pub backbone: Backbone,
    pub config: BackboneConfig,
    /// Resize before an evaluation's central crop, over the crop's side.
    pub eval_resize: f64,
}

pub struct WeightFile {
    pub file: PathBuf,
    pub checkpoint: Checkpoint,
    pub config: BackboneConfig,
}

pub struct LoadedNetwork {
    pub network: Network,
    pub config: BackboneConfig,
}

impl LoadedBackbone {
    /// A digest (SHA-256) of the dimensions and of every weight, whatever the file they came from.
    pub fn digest(&self) -> Result<String> {
        let mut hasher = Sha256::new_with_prefix(serde_json::to_vec(&self.config)?);
        let mut weights: Vec<_> = block_on(weights::timm(&self.backbone, None))?
            .into_iter()
            .collect();
        // A HashMap has no order of its own.
        weights.sort_by(|(a, _), (b, _)| a.cmp(b));

        for (name, weight) in weights {
            hasher.update(format!("{name} {:?}", weight.shape));
            let mut bytes = Vec::with_capacity(4 * weight.values.len());
            for value in weight.values {
                bytes.extend(value.to_le_bytes());
            }
            hasher.update(bytes);
        }
        Ok(hex(hasher))
    }
}

impl WeightArgs {
    /// The file's tensors and the backbone that they make; of a run its teacher's backbone, or with
    /// `head` its checkpoint.
    pub fn read(&self, head: bool) -> Result<WeightFile> {
        let file = self.file(head);
        let checkpoint = read_checkpoint(&file, self.key.as_deref())?;
        let config = checkpoint
            .config(self.heads)
            .map_err(with_remedy)
            .with_context(|| format!("model {}", file.display()))?;
        Ok(WeightFile {
            file,
            checkpoint,
            config,
        })
    }

    /// The file that is read: of a run its teacher, or its checkpoint with `head`.
    fn file(&self, head: bool) -> PathBuf {
        match self.model.is_dir() {
            // Only the checkpoint has a student and heads.
            true if head || self.key.is_some() => self.model.join(CHECKPOINT_FILE),
            true => {
                let classifier = self.model.join(CLASSIFIER_FILE);
                match classifier.exists() {
                    true => classifier,
                    false => self.model.join(TEACHER_FILE),
                }
            }
            false => self.model.clone(),
        }
    }
}

impl ModelArgs {
    pub fn path(&self) -> &Path {
        &self.weights.model
    }

    /// The weights in `model`, a file or the folder of a run.
    pub fn of(model: &Path) -> Self {
        Self {
            weights: WeightArgs {
                model: model.to_owned(),
                key: None,
                heads: None,
                allow_partial: false,
            },
            untrained: false,
        }
    }

    /// Whether images are to be compared without a network.
    pub fn is_pixels(&self) -> bool {
        self.path().as_os_str() == PIXELS
    }

    pub fn is_untrained(&self) -> bool {
        self.untrained
    }

    pub fn untrained(&self) -> Self {
        Self {
            untrained: true,
            ..self.clone()
        }
    }

    pub fn pixels(&self) -> Self {
        let mut pixels = self.clone();
        pixels.weights.model = PathBuf::from(PIXELS);
        pixels.untrained = false;
        pixels
    }

    /// The file that holds the weights of the backbone.
    pub fn file(&self) -> Option<PathBuf> {
        (!self.is_pixels()).then(|| self.weights.file(false))
    }

    /// The backbone in the file, and a line on how it was loaded.
    pub fn open(&self, device: &Device) -> Result<(LoadedBackbone, String)> {
        let WeightFile {
            file,
            checkpoint,
            config,
        } = self.read()?;
        // An evaluation masks nothing.
        let config = config.with_mask_token(false);
        // Also for random weights: the file says which network it is.
        let (mut backbone, report) = checkpoint
            .backbone(&config, self.weights.allow_partial, device)
            .map_err(with_remedy)
            .with_context(|| format!("model {}", file.display()))?;
        if self.untrained {
            backbone = config.init(device, &mut stream(0, Purpose::Init, 0, 0));
        }

        let ModelHeader {
            backbone: config,
            eval_resize,
            ..
        } = checkpoint.header_for(config);
        Ok((
            LoadedBackbone {
                backbone,
                config,
                eval_resize,
            },
            self.line(&file, &report),
        ))
    }

    /// The iBOT head that belongs to the backbone of [`Self::open`]; `None` if the file has none.
    pub fn open_head(&self, device: &Device) -> Result<Option<Head>> {
        match self.open_with_head(device) {
            Ok((loaded, _)) => Ok(Some(loaded.network.head)),
            Err(error) if matches!(error.downcast_ref(), Some(LoadError::NoHead)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub fn read(&self) -> Result<WeightFile> {
        self.weights.read(false)
    }

    /// Backbone and head in the file, and a line on how they were loaded.
    pub fn open_with_head(&self, device: &Device) -> Result<(LoadedNetwork, String)> {
        let WeightFile {
            file,
            checkpoint,
            config,
        } = self.weights.read(true)?;

        let (mut network, report) = checkpoint
            .network(&config, self.weights.allow_partial, device)
            .map_err(with_remedy)
            .with_context(|| format!("model {}", file.display()))?;

        if self.untrained {
            network = Network::init(
                &config,
                &checkpoint.head()?,
                device,
                &mut stream(0, Purpose::Init, 0, 0),
            );
        }
        Ok((LoadedNetwork { network, config }, self.line(&file, &report)))
    }

    fn line(&self, file: &Path, report: &LoadReport) -> String {
        let replaced = if self.untrained {
            "\n        then replaced by random weights"
        } else {
            ""
        };
        format!("model   {}: {report}{replaced}", file.display())
    }
}

/// The error with the option that avoids it, if there is one.
pub fn with_remedy(error: LoadError) -> anyhow::Error {
    match &error {
        LoadError::Infer(InferError::Heads { dim }) => {
            anyhow!("{error}: give --heads, a divisor of {dim}")
        }
        LoadError::Missing { .. } => {
            anyhow!("{error}; --allow-partial leaves them at random values")
        }
        _ => error.into(),
    }
}

pub fn read_checkpoint(file: &Path, key: Option<&str>) -> Result<Checkpoint> {
    let bytes =
        fs::read(file).with_context(|| format!("cannot read the model {}", file.display()))?;
    Checkpoint::read(&bytes, key).with_context(|| format!("model {}", file.display()))
}

pub fn save_backbone(path: &Path, backbone: &Backbone, header: &ModelHeader) -> Result<()> {
    let weights = block_on(weights::timm(backbone, None))?;
    write_atomically(
        path,
        &to_safetensors(&weights, header.to_metadata()?, StoredPrecision::F32)?,
    )?;
    Ok(())
}

#[cfg(test)]
mod tests;
