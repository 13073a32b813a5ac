//! What network a file's tensors belong to.

use super::{Weight, Weights};
use crate::model::pos_embed::Sampling;
use crate::model::{Ffn, HeadConfig, VitConfig};

/// Why tensors are not those of a network that this code has.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InferError {
    /// A tensor that tells a dimension is missing.
    #[error(
        "the file holds no vision transformer: there is no `{missing}` among its {count} tensors ({names})"
    )]
    NotVit {
        /// Our name of the tensor.
        missing: &'static str,
        /// Tensors in the file.
        count: usize,
        /// A few of them.
        names: String,
    },
    /// A tensor that tells a dimension has another rank or contradicts another.
    #[error("tensor `{name}` has shape {shape:?}, which does not fit {expected}")]
    Shape {
        /// Our name of the tensor.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// What would fit.
        expected: String,
    },
    /// Tensors do not tell the number of attention heads.
    #[error(
        "a network of width {dim} has an unknown number of attention heads: give --heads, a divisor of {dim}"
    )]
    Heads {
        /// Width of a token.
        dim: usize,
    },
}

/// Width of an attention head in every released ViT of iBOT, DINO and DINOv2.
const HEAD_WIDTH: usize = 64;

/// The backbone behind tensors of our names. Their shapes tell everything but the number of heads:
/// without `heads`, these are 64 wide.
pub(super) fn vit(weights: &Weights, heads: Option<usize>) -> Result<VitConfig, InferError> {
    let kernel = tensor(weights, "patch_embed.proj.weight")?;
    let &[dim, 3, patch_size, width] = &kernel.shape[..] else {
        return Err(wrong(
            "patch_embed.proj.weight",
            kernel,
            "[D, 3, patch, patch]",
        ));
    };
    let positions = tensor(weights, "pos_embed")?;
    let side = match positions.shape[..] {
        [1, count, d] if d == dim && count > 1 => (count - 1).isqrt(),
        _ => {
            return Err(wrong(
                "pos_embed",
                positions,
                &format!("[1, 1 + patches, {dim}]"),
            ));
        }
    };
    if patch_size != width || patch_size == 0 || dim == 0 || side * side + 1 != positions.shape[1] {
        return Err(wrong(
            "pos_embed",
            positions,
            "CLS and a square grid of patches",
        ));
    }
    tensor(weights, "blocks.0.norm1.weight")?;
    let output = tensor(weights, "blocks.0.mlp.fc2.weight")?;
    let &[_, hidden] = &output.shape[..] else {
        return Err(wrong("blocks.0.mlp.fc2.weight", output, "[D, hidden]"));
    };
    let input = tensor(weights, "blocks.0.mlp.fc1.weight")?;
    let heads = heads.unwrap_or(if dim.is_multiple_of(HEAD_WIDTH) {
        dim / HEAD_WIDTH
    } else {
        0
    });
    if heads == 0 || !dim.is_multiple_of(heads) {
        return Err(InferError::Heads { dim });
    }
    let registers = weights
        .get("reg_token")
        .and_then(|tokens| tokens.shape.get(1).copied())
        .unwrap_or(0);
    Ok(VitConfig {
        image_size: side * patch_size,
        patch_size,
        dim,
        depth: depth(weights),
        heads,
        hidden,
        ffn: if input.shape.first() == Some(&(2 * hidden)) {
            Ffn::SwiGlu
        } else {
            Ffn::Mlp
        },
        layerscale: weights.contains_key("blocks.0.ls1.gamma").then_some(1e-5),
        registers,
        drop_path: 0.0,
        pos_sampling: if registers > 0 {
            Sampling::REGISTERS
        } else {
            Sampling::OFFICIAL
        },
        mask_token: weights.contains_key("masked_embed"),
    })
}

/// The iBOT head behind tensors of our names; `None` if there is none, or none that is whole.
pub(super) fn head(weights: &Weights) -> Option<HeadConfig> {
    let rows = |name: &str| {
        weights
            .get(name)
            .and_then(|weight| weight.shape.first().copied())
    };
    let cls = weights.get("head.last_layer.weight_v")?;
    let &[out_dim, bottleneck_dim] = &cls.shape[..] else {
        return None;
    };
    let patch = weights
        .get("head.last_layer2.weight_v")
        .filter(|patch| *patch != cls);
    Some(HeadConfig {
        out_dim,
        patch_out_dim: patch
            .and_then(|patch| patch.shape.first().copied())
            .unwrap_or(out_dim),
        shared_head: patch.is_none(),
        hidden_dim: rows("head.mlp.0.weight")?,
        bottleneck_dim,
        norm_last_layer: weights
            .get("head.last_layer.weight_g")?
            .values
            .iter()
            .all(|gain| *gain == 1.0),
    })
}

/// Blocks without a gap from the first.
fn depth(weights: &Weights) -> usize {
    (0..)
        .take_while(|block| weights.contains_key(&format!("blocks.{block}.norm1.weight")))
        .count()
}

fn tensor<'a>(weights: &'a Weights, name: &'static str) -> Result<&'a Weight, InferError> {
    weights.get(name).ok_or_else(|| {
        let mut names: Vec<&str> = weights.keys().map(String::as_str).collect();
        names.sort_unstable();
        let shown = names.iter().take(3).copied().collect::<Vec<_>>().join(", ");
        let names = if names.len() > 3 {
            format!("{shown}, ...")
        } else {
            shown
        };
        InferError::NotVit {
            missing: name,
            count: weights.len(),
            names,
        }
    })
}

fn wrong(name: &str, weight: &Weight, expected: &str) -> InferError {
    InferError::Shape {
        name: name.to_owned(),
        shape: weight.shape.clone(),
        expected: expected.to_owned(),
    }
}
