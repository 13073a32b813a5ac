//! A linear classifier of frozen features as tensors of a file: alone, or beside its backbone.

use serde::{Deserialize, Serialize};

use super::checkpoint::{BEST_HEAD, Checkpoint};
use super::header::ModelHeader;
use super::weight::{Weight, Weights};
use crate::model::BackboneConfig;

/// Names in timm's layout. Files that hold a head alone use them too.
const TIMM: [&str; 2] = ["head.weight", "head.bias"];
/// Names beside a backbone for a head that timm has no place for. timm refuses them.
const OWN: [&str; 2] = ["classifier.weight", "classifier.bias"];
/// Names in the official checkpoints of one head, behind `{j}.module.` in those of several.
const OFFICIAL: [&str; 2] = ["linear.weight", "linear.bias"];
/// What the head of a timm network reads, where that is neither CLS nor the mean of the patches
/// after the final norm.
const OTHER_POOLING: [&str; 2] = ["fc_norm.", "attn_pool."];

/// The tensors of a linear classifier.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadTensors {
    weight: Weight,
    bias: Weight,
}

/// What a linear head reads of an image, and its classes; JSON under [`HeadHeader::KEY`] in a
/// safetensors header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadHeader {
    /// The names of the classes in the order of the head's rows; empty if they only have numbers.
    pub classes: Vec<String>,
    /// Number of last blocks whose CLS tokens, after the final norm, the head reads; the deepest is
    /// the last.
    pub cls_blocks: usize,
    /// Whether the head then reads the mean of the last block's patch tokens, after the final norm.
    pub patch_mean: bool,
    /// Side of the central crop in pixels.
    pub size: usize,
    /// Side to which the shorter side of an image is resized before the crop, divided by `size`.
    pub resize: f64,
}

/// Why tensors are no linear head of a backbone.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant has its message")]
pub enum HeadError {
    #[error("the tensor `{name}` has shape {shape:?}; a linear head is a matrix [classes, width]")]
    NoMatrix { name: String, shape: Vec<usize> },
    #[error("the linear head has {classes} classes and a bias of shape {shape:?}")]
    Bias { classes: usize, shape: Vec<usize> },
    #[error("the file lacks `{0}`, the bias of its linear head")]
    NoBias(String),
    #[error("`{key}` in the file's header cannot be read: {error}", key = HeadHeader::KEY)]
    Header { error: serde_json::Error },
    #[error("the file holds {0} linear heads and does not say which is the best (`{BEST_HEAD}`)")]
    NoBest(usize),
    #[error("the best of the file's {count} linear heads is said to be number {best}")]
    Best { count: usize, best: String },
    #[error(
        "the file's head reads `{0}*`: only heads on CLS tokens or on the mean of the patches after the final norm can be used"
    )]
    Pooling(&'static str),
    #[error("there are {names} names for the {classes} classes of the linear head")]
    Names { names: usize, classes: usize },
    #[error(
        "the linear head reads {width} values of an image, {expected} make {cls_blocks} CLS tokens and {means} mean patch tokens of this network"
    )]
    Width {
        width: usize,
        expected: usize,
        cls_blocks: usize,
        means: usize,
    },
    #[error("the linear head reads the CLS tokens of {wanted} blocks, the network has {depth}")]
    Blocks { wanted: usize, depth: usize },
    #[error(
        "the file does not say what its linear head reads: {width} values of an image, where a CLS token has {dim}"
    )]
    Unknown { width: usize, dim: usize },
}

impl HeadTensors {
    /// A head of `weight` `[K, width]` and `bias` `[K]`. `name` is the weight's, for messages.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn new(name: &str, weight: Weight, bias: Weight) -> Result<Self, HeadError> {
        let classes = match weight.shape[..] {
            [classes, width] if classes > 0 && width > 0 => classes,
            _ => {
                return Err(HeadError::NoMatrix {
                    name: name.to_owned(),
                    shape: weight.shape,
                });
            }
        };
        if bias.shape != [classes] {
            return Err(HeadError::Bias {
                classes,
                shape: bias.shape,
            });
        }
        Ok(Self { weight, bias })
    }

    /// Whether `name` is that of a head's tensor beside a backbone.
    pub fn owns(name: &str) -> bool {
        [TIMM, OWN, OFFICIAL].concat().contains(&name)
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.weight.shape[0]
    }

    /// Number of values that the head reads of an image.
    pub fn width(&self) -> usize {
        self.weight.shape[1]
    }

    /// `[K, width]`, row-major.
    pub fn weight(&self) -> &[f32] {
        &self.weight.values
    }

    /// `[K]`.
    pub fn bias(&self) -> &[f32] {
        &self.bias.values
    }

    /// The tensors of a file that holds the head alone.
    pub fn alone(self) -> Weights {
        self.named(TIMM)
    }

    /// The tensors beside a backbone: timm's names where timm has a place for what `header` says.
    pub fn beside_backbone(self, header: &HeadHeader) -> Weights {
        self.named(if header.is_timm() { TIMM } else { OWN })
    }

    fn named(self, [weight, bias]: [&str; 2]) -> Weights {
        Weights::from([
            (weight.to_owned(), self.weight),
            (bias.to_owned(), self.bias),
        ])
    }
}

impl HeadHeader {
    /// Name of the entry.
    pub const KEY: &'static str = "ibot.head";

    /// What a `head` reads whose file does not say it: [`Self::on_cls`].
    ///
    /// # Errors
    /// If the head's width is not that of a CLS token.
    pub fn usual(head: &HeadTensors, network: &ModelHeader) -> Result<Self, HeadError> {
        let (width, dim) = (head.width(), network.backbone.dim());
        if width != dim {
            return Err(HeadError::Unknown { width, dim });
        }
        Ok(Self::on_cls(network))
    }

    /// A head without names on the CLS token of the last block, for images as the `network`'s
    /// header has them.
    pub fn on_cls(network: &ModelHeader) -> Self {
        Self {
            classes: Vec::new(),
            cls_blocks: 1,
            patch_mean: false,
            size: network.backbone.image_size(),
            resize: network.eval_resize,
        }
    }

    /// Whether timm's `VisionTransformer` can hold such a head: on one CLS token
    /// (`global_pool="token"`), or on the mean of the patches after the final norm
    /// (`global_pool="avg", fc_norm=False`).
    pub fn is_timm(&self) -> bool {
        self.cls_blocks + usize::from(self.patch_mean) == 1
    }

    /// Checks that `head` is what is described here, on a backbone of these dimensions.
    ///
    /// # Errors
    /// If the names, the width or the blocks do not fit.
    pub fn check(&self, head: &HeadTensors, backbone: &BackboneConfig) -> Result<(), HeadError> {
        let (names, classes) = (self.classes.len(), head.classes());
        if names != 0 && names != classes {
            return Err(HeadError::Names { names, classes });
        }
        if self.cls_blocks > backbone.depth() {
            return Err(HeadError::Blocks {
                wanted: self.cls_blocks,
                depth: backbone.depth(),
            });
        }

        let means = usize::from(self.patch_mean);
        let expected = backbone.cls_width(self.cls_blocks) + backbone.dim() * means;
        if head.width() != expected {
            return Err(HeadError::Width {
                width: head.width(),
                expected,
                cls_blocks: self.cls_blocks,
                means,
            });
        }
        Ok(())
    }
}

impl Checkpoint {
    /// The linear head in the file, alone or beside a backbone; `None` if there is none. Of the
    /// official checkpoints with several heads it is the best one.
    ///
    /// # Errors
    /// If the tensors make no head, the head reads what is not known here, or the file does not say
    /// which of several is the best.
    pub fn linear_head(&self) -> Result<Option<HeadTensors>, HeadError> {
        for [weight, bias] in [TIMM, OWN, OFFICIAL] {
            if self.weights.contains_key(weight) {
                let other =
                    |prefix: &&str| self.weights.keys().any(|name| name.starts_with(*prefix));
                if let Some(pooling) = OTHER_POOLING.into_iter().find(other) {
                    return Err(HeadError::Pooling(pooling));
                }
                return self.head_named(weight, bias).map(Some);
            }
        }
        self.best_head()
    }

    /// What the file says of its linear head; `None` if it says nothing.
    ///
    /// # Errors
    /// If what it says cannot be read.
    pub fn head_header(&self) -> Result<Option<HeadHeader>, HeadError> {
        let Some(json) = self.metadata.get(HeadHeader::KEY) else {
            return Ok(None);
        };
        serde_json::from_str(json).map_err(|error| HeadError::Header { error })
    }

    fn head_named(&self, weight: &str, bias: &str) -> Result<HeadTensors, HeadError> {
        let missing = || HeadError::NoBias(bias.to_owned());
        HeadTensors::new(
            weight,
            self.weights[weight].clone(),
            self.weights.get(bias).ok_or_else(missing)?.clone(),
        )
    }

    /// The best of the heads `{j}.module.linear.*`.
    fn best_head(&self) -> Result<Option<HeadTensors>, HeadError> {
        let [weight, bias] = OFFICIAL;
        let mut prefixes = Vec::new();
        for name in self.weights.keys() {
            let Some(prefix) = name.strip_suffix(weight) else {
                continue;
            };
            let number = prefix.strip_suffix("module.").unwrap_or(prefix);
            if let Some(number) = number.strip_suffix('.')
                && !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit())
            {
                prefixes.push((number, prefix));
            }
        }
        let count = prefixes.len();
        if count == 0 {
            return Ok(None);
        }

        let best = self
            .metadata
            .get(BEST_HEAD)
            .ok_or(HeadError::NoBest(count))?;
        let prefix = prefixes.iter().find(|(number, _)| number == best);
        let (_, prefix) = prefix.ok_or_else(|| HeadError::Best {
            count,
            best: best.clone(),
        })?;
        self.head_named(&format!("{prefix}{weight}"), &format!("{prefix}{bias}"))
            .map(Some)
    }
}

#[cfg(test)]
mod tests;
