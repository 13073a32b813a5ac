//! Linear heads in files: beside their backbone, or alone.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use futures_lite::future::block_on;
use ibot_core::features::{Pooling, Readout};
use ibot_core::learn::{Classifier, TuneError};
use ibot_core::model::Backbone;
use ibot_core::weights;
use ibot_core::weights::{
    Checkpoint, HeadError, HeadHeader, HeadTensors, ModelHeader, StoredPrecision, to_safetensors,
};

use crate::files::write_atomically;
use crate::model::{ModelArgs, WeightFile, read_checkpoint};

/// A linear head with what it reads of an image.
pub struct StoredHead {
    pub tensors: HeadTensors,
    pub header: HeadHeader,
    /// Whether the file says what the head reads; else it is taken to read CLS.
    pub is_described: bool,
}

/// The linear heads that a network can have: the one in its own file, and those of other files.
pub struct LinearHeads {
    network: ModelHeader,
    /// Where the file is, for messages.
    file: PathBuf,
    own: Result<Option<StoredHead>, HeadError>,
}

/// Writes `backbone` and a head on it to `path`: a classifier that every command opens, with timm's
/// names where timm has a place for what the head reads.
pub fn save_classifier(
    path: &Path,
    backbone: &Backbone,
    model: &ModelHeader,
    head: HeadTensors,
    header: &HeadHeader,
) -> Result<()> {
    header.check(&head, &model.backbone)?;
    let mut weights = block_on(weights::timm(backbone, None))?;
    weights.extend(head.beside_backbone(header));

    let mut metadata = model.to_metadata()?;
    let json = serde_json::to_string(header)?;
    metadata.insert(HeadHeader::KEY.to_owned(), json);
    let bytes = to_safetensors(&weights, metadata, StoredPrecision::F32)?;
    Ok(write_atomically(path, &bytes)?)
}

impl StoredHead {
    /// The head in `checkpoint`, on a backbone that `network` describes; `None` if it has none.
    pub fn of(checkpoint: &Checkpoint, network: &ModelHeader) -> Result<Option<Self>, HeadError> {
        let Some(tensors) = checkpoint.linear_head()? else {
            return Ok(None);
        };
        let stated = checkpoint.head_header()?;
        let is_described = stated.is_some();
        let header = match stated {
            Some(header) => header,
            None => HeadHeader::usual(&tensors, network)?,
        };
        header.check(&tensors, &network.backbone)?;
        Ok(Some(Self {
            tensors,
            header,
            is_described,
        }))
    }

    /// What it reads of an image.
    pub fn readout(&self) -> Readout {
        Readout::Pooled(Pooling {
            cls_blocks: self.header.cls_blocks,
            patch_mean: self.header.patch_mean.into(),
        })
    }

    /// The head on the host.
    pub fn classifier(&self) -> Result<Classifier, TuneError> {
        let weight = self.tensors.weight().to_vec();
        let bias = self.tensors.bias().to_vec();
        Classifier::new(self.tensors.width(), weight, bias)
    }
}

impl LinearHeads {
    /// The only head of a network that is in memory.
    pub fn only(network: ModelHeader, head: StoredHead) -> Self {
        Self {
            network,
            // Only an error of reading names it.
            file: PathBuf::new(),
            own: Ok(Some(head)),
        }
    }

    /// The heads for the network of `args`; `None` for random weights, which no head was learned
    /// for.
    pub fn open(args: &ModelArgs) -> Result<Option<Self>> {
        if args.is_untrained() {
            return Ok(None);
        }
        let WeightFile {
            file,
            checkpoint,
            config,
        } = args.read()?;
        let network = checkpoint.header_for(config);
        // Kept even if it is an error: only evaluations that need the head fail by it.
        let own = StoredHead::of(&checkpoint, &network);
        Ok(Some(Self { network, file, own }))
    }

    /// The head beside the backbone in its file; `None` if there is none.
    pub fn own(&self) -> Result<Option<&StoredHead>> {
        match &self.own {
            Ok(own) => Ok(own.as_ref()),
            Err(error) => Err(anyhow!("the head in {}: {error}", self.file.display())),
        }
    }

    /// The head in `file`, as `ibot eval linear --save-head` writes it.
    pub fn read(&self, file: &Path) -> Result<StoredHead> {
        let checkpoint = read_checkpoint(file, None)?;
        let head = StoredHead::of(&checkpoint, &self.network)
            .with_context(|| format!("head {}", file.display()))?;
        match head {
            Some(head) => Ok(head),
            None => bail!(
                "{} holds no linear head; `ibot eval linear --save-head FILE` writes one",
                file.display()
            ),
        }
    }
}
