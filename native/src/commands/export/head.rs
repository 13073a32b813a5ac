//! The head that `ibot export` writes beside the backbone.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::Args;
use ibot_core::weights::{HeadError, HeadHeader, HeadTensors, ModelHeader};

use crate::model::read_checkpoint;

/// Which head is written, and what a file of a linear head does not say.
#[derive(Debug, Args)]
pub struct HeadArgs {
    /// Also write a head: the linear one in FILE, for a classifier, or without FILE the iBOT head of
    /// the model and its mask token (without FILE safetensors only)
    #[arg(long, value_name = "FILE")]
    head: Option<Option<PathBuf>>,
    /// Names of the linear head's classes, one a line in their order [default: what its file says]
    #[arg(long, value_name = "FILE", requires = "head")]
    classes: Option<PathBuf>,
    /// Number of last blocks whose CLS tokens the linear head reads [default: what its file says, or
    /// 1]
    #[arg(long, value_name = "N", requires = "head")]
    cls_blocks: Option<usize>,
    /// The linear head also reads the mean of the patch tokens [default: what its file says]
    #[arg(long, requires = "head")]
    patch_mean: bool,
}

impl HeadArgs {
    /// Whether the head of the model itself is asked for.
    pub fn is_own(&self) -> bool {
        matches!(self.head, Some(None))
    }

    /// The file of a linear head, if one is asked for.
    pub fn file(&self) -> Option<&Path> {
        self.head.as_ref()?.as_deref()
    }

    /// Checks that nothing is said of a linear head that is not there.
    pub fn check(&self) -> Result<()> {
        let says_something = self.classes.is_some() || self.cls_blocks.is_some() || self.patch_mean;
        ensure!(
            self.file().is_some() || !says_something,
            "--classes, --cls-blocks and --patch-mean describe a linear head: give its file as --head FILE"
        );
        Ok(())
    }

    /// The linear head in `file`, and what it reads of an image that `network` sees.
    ///
    /// # Errors
    /// If the file cannot be read, holds no linear head, does not say what the head reads, or the
    /// head does not fit the network.
    pub fn linear(&self, file: &Path, network: &ModelHeader) -> Result<(HeadTensors, HeadHeader)> {
        let place = || format!("head {}", file.display());
        let checkpoint = read_checkpoint(file, None)?;
        let head = checkpoint
            .linear_head()
            .with_context(place)?
            .with_context(|| {
                format!(
                    "{} holds no linear head; `ibot eval linear --save-head FILE` writes one",
                    file.display()
                )
            })?;

        let mut header = match checkpoint.head_header().with_context(place)? {
            Some(header) => header,
            None => self.undescribed(&head, network).with_context(place)?,
        };
        if self.says_readout() {
            header.cls_blocks = self.cls_blocks.unwrap_or(1);
            header.patch_mean = self.patch_mean;
        }
        if let Some(names) = &self.classes {
            header.classes = names_in(names)?;
        }
        // After the options had their say: they may be what does not fit.
        header.check(&head, &network.backbone).with_context(place)?;
        Ok((head, header))
    }

    fn undescribed(&self, head: &HeadTensors, network: &ModelHeader) -> Result<HeadHeader> {
        if self.says_readout() {
            return Ok(HeadHeader::on_cls(network));
        }
        HeadHeader::usual(head, network).map_err(|error| match error {
            HeadError::Unknown { .. } => anyhow!(
                "{error}; say it with --cls-blocks N and --patch-mean (the official linear evaluation of ViT-S reads --cls-blocks 4, the others --patch-mean)"
            ),
            other => other.into(),
        })
    }

    fn says_readout(&self) -> bool {
        self.cls_blocks.is_some() || self.patch_mean
    }
}

/// The lines of a file, of which none is empty.
fn names_in(file: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("cannot read the classes {}", file.display()))?;
    let mut names = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let name = line.trim();
        ensure!(
            !name.is_empty(),
            "{}: line {} has no name of a class",
            file.display(),
            index + 1
        );
        names.push(name.to_owned());
    }
    Ok(names)
}
