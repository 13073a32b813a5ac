//! Weights as other libraries expect them.

use super::{Weight, Weights, WeightsError, read};
use crate::model::{Head, Vit};

/// The tensors of a backbone, and of a head if one is given, under timm's names: without head and mask token they
/// load strictly into timm's `VisionTransformer` of the same dimensions.
///
/// timm knows no mask token and no iBOT head; `masked_embed` and `head.*` keep iBOT's names. Its networks with
/// registers give CLS no position embedding of its own, so that of ours is added to the CLS token.
///
/// # Errors
/// If the device fails.
pub async fn timm(backbone: &Vit, head: Option<&Head>) -> Result<Weights, WeightsError> {
    let mut weights = read(backbone).await?;
    if backbone.prefix() > 1 {
        fold_cls_position(&mut weights);
    }
    if let Some(head) = head {
        weights.extend(read(head).await?.into_iter().map(|(name, weight)| (format!("head.{name}"), weight)));
    }
    Ok(weights)
}

fn fold_cls_position(weights: &mut Weights) {
    let Some(Weight { shape, values }) = weights.get_mut("pos_embed") else { return };
    let dim = shape[2];
    shape[1] -= 1;
    let own: Vec<f32> = values.drain(..dim).collect();
    if let Some(token) = weights.get_mut("cls_token") {
        token.values.iter_mut().zip(own).for_each(|(token, position)| *token += position);
    }
}
