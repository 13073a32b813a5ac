//! The vision transformer in a file, from the shapes of its tensors.

use super::config::{Ffn, VitConfig};
use crate::model::pos_embed::{Sampling, resample};
use crate::weights::{InferError, Resized, Weight, Weights, needed};

const POSITIONS: &str = "pos_embed";

/// Width of an attention head in every released ViT of iBOT, DINO and DINOv2.
const HEAD_WIDTH: usize = 64;

/// The backbone behind tensors of our names. Their shapes tell everything but the number of heads:
/// without `heads`, these are 64 wide.
pub(crate) fn infer(weights: &Weights, heads: Option<usize>) -> Result<VitConfig, InferError> {
    let kernel = needed(weights, "patch_embed.proj.weight")?;
    let &[dim, 3, patch_size, width] = &kernel.shape[..] else {
        return Err(InferError::shape(
            "patch_embed.proj.weight",
            kernel,
            "[D, 3, patch, patch]",
        ));
    };

    let positions = needed(weights, POSITIONS)?;
    let side = match positions.shape[..] {
        [1, count, d] if d == dim && count > 1 => (count - 1).isqrt(),
        _ => {
            return Err(InferError::shape(
                POSITIONS,
                positions,
                &format!("[1, 1 + patches, {dim}]"),
            ));
        }
    };
    if patch_size != width || patch_size == 0 || dim == 0 || side * side + 1 != positions.shape[1] {
        return Err(InferError::shape(
            POSITIONS,
            positions,
            "CLS and a square grid of patches",
        ));
    }

    needed(weights, "blocks.0.norm1.weight")?;
    let output = needed(weights, "blocks.0.mlp.fc2.weight")?;
    let &[_, hidden] = &output.shape[..] else {
        return Err(InferError::shape(
            "blocks.0.mlp.fc2.weight",
            output,
            "[D, hidden]",
        ));
    };
    let input = needed(weights, "blocks.0.mlp.fc1.weight")?;

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
        // The file holds the gains that were learned; what they started from no longer matters.
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

/// Blocks without a gap from the first.
fn depth(weights: &Weights) -> usize {
    (0..)
        .take_while(|block| weights.contains_key(&format!("blocks.{block}.norm1.weight")))
        .count()
}

/// The position embeddings of a file on the grid of `config`, if the file has them on another one.
pub(crate) fn resize(config: &VitConfig, weights: &Weights) -> Option<Resized> {
    let weight = weights.get(POSITIONS)?;
    let &[1, count, dim] = &weight.shape[..] else {
        return None;
    };
    let patches = count.checked_sub(1)?;
    let from = patches.isqrt();
    let to = config.grid();
    if from == to || from * from != patches || weight.values.len() != count * dim {
        return None;
    }

    let (cls, patches) = weight.values.split_at(dim);
    let mut values = cls.to_vec();
    values.extend(resample(
        patches,
        dim,
        (from, from),
        (to, to),
        config.pos_sampling,
    ));
    let weight = Weight {
        shape: vec![1, 1 + to * to, dim],
        values,
    };
    Some(Resized {
        what: "position embeddings",
        weights: vec![(POSITIONS.to_owned(), weight)],
        from,
        to,
    })
}
