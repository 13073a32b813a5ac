//! Weights as other libraries expect them.

use super::transfer::{WeightsError, read};
use super::weight::{Weight, Weights};
use crate::model::{Backbone, Head, Network};

/// The tensors of a backbone, and of a head if one is given, under timm's names: without head and
/// mask token they load strictly into timm's `VisionTransformer` of the same dimensions.
///
/// timm knows no mask token and no iBOT head; `masked_embed` and `head.*` keep iBOT's names.
pub async fn timm(backbone: &Backbone, head: Option<&Head>) -> Result<Weights, WeightsError> {
    let mut weights = read(backbone).await?;
    // timm's networks with registers give CLS no position embedding of its own: ours is added to
    // the token.
    if weights.contains_key("reg_token") {
        fold_cls_position(&mut weights);
    }
    if let Some(head) = head {
        weights.extend(
            read(head)
                .await?
                .into_iter()
                .map(|(name, weight)| (format!("head.{name}"), weight)),
        );
    }
    Ok(weights)
}

/// The tensors of `student` and `teacher` with their heads, under [`timm`]'s names behind
/// `student/` and `teacher/`: a file from which [`Checkpoint::read`](super::Checkpoint::read) takes
/// either.
pub async fn timm_pair(student: &Network, teacher: &Network) -> Result<Weights, WeightsError> {
    let mut weights = Weights::new();
    for (part, Network { backbone, head }) in [("student", student), ("teacher", teacher)] {
        let named = timm(backbone, Some(head)).await?;
        weights.extend(
            named
                .into_iter()
                .map(|(name, weight)| (format!("{part}/{name}"), weight)),
        );
    }
    Ok(weights)
}

fn fold_cls_position(weights: &mut Weights) {
    let Some(Weight { shape, values }) = weights.get_mut("pos_embed") else {
        return;
    };
    let dim = shape[2];
    // `[1, N, D]`, of which the first row is that of CLS.
    shape[1] -= 1;
    let own: Vec<f32> = values.drain(..dim).collect();
    if let Some(token) = weights.get_mut("cls_token") {
        token
            .values
            .iter_mut()
            .zip(own)
            .for_each(|(token, position)| *token += position);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use burn::tensor::Device;
    use futures_lite::future::block_on;

    use super::*;
    use crate::testing::{small_backbone, small_network, test};
    use crate::weights::{Checkpoint, ModelHeader, StoredPrecision, to_safetensors};

    #[test]
    fn either_of_a_pair_is_read_back() {
        let device = Device::flex();
        let (student, teacher) = (
            small_network(1, &device),
            small_network(2, &device).teacher(true),
        );
        let pair = block_on(timm_pair(&student, &teacher)).expect("a working device");
        let header = ModelHeader {
            backbone: small_backbone(),
            eval_resize: 1.0,
            step: 7,
        };
        let bytes = to_safetensors(
            &pair,
            header.to_metadata().expect("JSON"),
            StoredPrecision::F32,
        )
        .expect("sound weights");
        for (key, part, network) in [
            (Some("student"), "student", &student),
            (Some("teacher"), "teacher", &teacher),
            (None, "teacher", &teacher),
        ] {
            let checkpoint = Checkpoint::read(&bytes, key).expect("its own bytes");
            assert_eq!(checkpoint.section.as_deref(), Some(part));
            let config = checkpoint.config(None).expect("a ViT");
            assert_eq!(
                (config.mask_token(), config.heads()),
                (part == "student", 2)
            );
            assert_eq!(
                checkpoint.header_for(config.clone()),
                ModelHeader {
                    backbone: config.clone(),
                    ..header.clone()
                }
            );
            let (again, report) = checkpoint
                .network(&config, false, &device)
                .expect("a whole network");
            assert!(
                report.unused.is_empty() && report.missing.is_empty(),
                "{report}"
            );
            let values = |network: &Network| block_on(read(network)).expect("a working device");
            assert_eq!(values(&again), values(network));
        }
        let half =
            to_safetensors(&pair, HashMap::new(), StoredPrecision::F16).expect("sound weights");
        let checkpoint = Checkpoint::read(&half, Some("student")).expect("its own bytes");
        assert_eq!(checkpoint.cast["float16"].len(), checkpoint.weights.len());
        let header = checkpoint.header_for(small_backbone());
        assert_eq!(
            (header.eval_resize, header.step),
            (ModelHeader::USUAL_RESIZE, 0),
            "this file says nothing"
        );
    }
}
