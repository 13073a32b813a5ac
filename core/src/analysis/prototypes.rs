//! What the online tokenizer says: the prototype that each token is most like (paper sections 3.2
//! and 4.3.1).

use burn::tensor::{Device, ExecutionError, Tensor, TensorData, Transaction};

use crate::model::Head;

/// The prototype of a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assignment {
    /// Index of the prototype.
    pub prototype: usize,
    /// The head's output for it: the cosine of the token's bottleneck vector, where gains are fixed
    /// at 1.
    pub score: f32,
}

/// Which prototypes a head has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Those of CLS tokens.
    Cls,
    /// Those of patch tokens; the same with a shared head.
    Patch,
}

/// The prototypes of `tokens`, `[M, dim]` row-major, by the head's largest output.
pub async fn assign(
    head: &Head,
    kind: Kind,
    tokens: &[f32],
    dim: usize,
    device: &Device,
) -> Result<Vec<Assignment>, ExecutionError> {
    let rows = tokens.len() / dim.max(1);
    if rows == 0 {
        return Ok(Vec::new());
    }
    let tokens = TensorData::new(tokens[..rows * dim].to_vec(), [rows, dim]);
    let tokens = Tensor::<2>::from_data(tokens, device);

    let logits = match kind {
        Kind::Cls => head.cls_logits(head.cls_bottleneck(tokens)),
        Kind::Patch => head.patch_logits(head.patch_bottleneck(tokens)),
    };
    let (scores, prototypes) = logits.max_dim_with_indices(1);

    let data = Transaction::default()
        .register(scores)
        .register(prototypes)
        .execute_async()
        .await?;
    // A transaction returns one entry for each registered tensor.
    let [scores, prototypes] = &data[..] else {
        unreachable!("two tensors were registered")
    };

    let mut assignments = Vec::with_capacity(rows);
    for (score, prototype) in scores.iter::<f32>().zip(prototypes.iter::<u32>()) {
        assignments.push(Assignment {
            prototype: prototype as usize,
            score,
        });
    }
    Ok(assignments)
}

/// Number of prototypes of a kind.
pub fn count(head: &Head, kind: Kind) -> usize {
    match kind {
        Kind::Cls => head.prototypes(),
        Kind::Patch => head.patch_prototypes(),
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;

    use super::*;
    use crate::testing::{small_network, test};

    #[test]
    fn a_token_goes_to_its_largest_output() {
        let device = Device::flex();
        let network = small_network(3, &device);
        let tokens: Vec<f32> = (0..5 * 16).map(|i| (i as f32 * 0.7).sin()).collect();
        let found = block_on(assign(&network.head, Kind::Patch, &tokens, 16, &device))
            .expect("a working device");
        let input = Tensor::<2>::from_data(TensorData::new(tokens, [5, 16]), &device);
        let logits = network
            .head
            .patch_logits(network.head.patch_bottleneck(input));
        let logits: Vec<f32> = logits.try_to_vec_as().expect("floats");
        assert_eq!(count(&network.head, Kind::Patch), 12);
        for (row, found) in logits.chunks(12).zip(&found) {
            assert!(row.iter().all(|logit| *logit <= found.score));
            assert_eq!(row[found.prototype], found.score);
        }
    }
}
