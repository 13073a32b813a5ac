//! Patches that are searched by the cosine of their tokens, exactly and in bounded memory.

use std::borrow::Cow;

use burn::tensor::{Device, ExecutionError, Tensor, TensorData, Transaction};

use crate::analysis::similarity::Neighbour;
use crate::eval::retrieval::normalize;

/// Patches of the bank that are on the device at a time, and queries that are compared with them:
/// 32 MB of cosines.
const PATCHES: usize = 8192;
const QUERIES: usize = 1024;

/// Tokens of patches at length 1, on the host.
#[derive(Clone, Debug)]
pub struct PatchBank {
    dim: usize,
    tokens: Vec<f32>,
}

impl PatchBank {
    /// An empty bank of tokens of `dim` numbers, at least one.
    pub fn new(dim: usize) -> Self {
        Self {
            dim: dim.max(1),
            tokens: Vec::new(),
        }
    }

    /// A bank of these `tokens` of `dim` numbers each, at least one.
    pub fn of(mut tokens: Vec<f32>, dim: usize) -> Self {
        normalize(&mut tokens, dim);
        Self {
            dim: dim.max(1),
            tokens,
        }
    }

    /// Adds a patch by its token, which has the bank's width and any length.
    pub fn push(&mut self, token: &[f32]) {
        debug_assert_eq!(token.len(), self.dim);
        let start = self.tokens.len();
        self.tokens.extend_from_slice(token);
        normalize(&mut self.tokens[start..], self.dim);
    }

    /// Numbers in a token.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of patches.
    pub fn len(&self) -> usize {
        self.tokens.len() / self.dim
    }

    /// Whether there is no patch.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The `k` patches (all, if there are fewer) with the highest cosine for each of `queries` `[Q,
    /// dim]`, the nearest first; the lower number among equals. A cosine that is no number is left
    /// out.
    pub async fn nearest(
        &self,
        queries: &[f32],
        k: usize,
        device: &Device,
    ) -> Result<Vec<Vec<Neighbour>>, ExecutionError> {
        let mut found = Vec::with_capacity(queries.len() / self.dim);
        for chunk in queries.chunks(QUERIES * self.dim) {
            let mut unit = chunk.to_vec();
            normalize(&mut unit, self.dim);
            let rows = self.matrix(&unit, device);

            let mut nearest = vec![Vec::with_capacity(k + 1); unit.len() / self.dim];
            for (number, part) in self.tokens.chunks(PATCHES * self.dim).enumerate() {
                let bank = self.matrix(part, device);
                let cosines = rows.clone().matmul(bank.transpose());
                let first = number * PATCHES;
                if *device == Device::flex() {
                    search(cosines, first, k, &mut nearest).await?;
                } else {
                    search_on_device(cosines, first, k, &mut nearest).await?;
                }
            }
            found.extend(nearest);
        }
        Ok(found)
    }

    fn matrix(&self, rows: &[f32], device: &Device) -> Tensor<2> {
        let shape = [rows.len() / self.dim, self.dim];
        Tensor::from_data(TensorData::new(rows.to_vec(), shape), device)
    }
}

/// Keeps the `k` best of `cosines` `[Q, P]`, whose patches are counted from `first`, and of what is
/// in `nearest`.
async fn search(
    cosines: Tensor<2>,
    first: usize,
    k: usize,
    nearest: &mut [Vec<Neighbour>],
) -> Result<(), ExecutionError> {
    let width = cosines.dims()[1];
    let data = cosines.into_data_async().await?;
    // A slice is read several times as fast as an iterator over numbers of any type.
    let values = data
        .as_slice::<f32>()
        .map_or_else(|_| Cow::Owned(data.iter().collect()), Cow::Borrowed);
    for (best, cosines) in nearest.iter_mut().zip(values.chunks_exact(width)) {
        for (patch, similarity) in cosines.iter().enumerate() {
            let found = Neighbour {
                patch: first + patch,
                similarity: *similarity,
            };
            keep(best, found, k);
        }
    }
    Ok(())
}

/// The same where reading all cosines back would take longer than finding the best on the device.
async fn search_on_device(
    cosines: Tensor<2>,
    first: usize,
    k: usize,
    nearest: &mut [Vec<Neighbour>],
) -> Result<(), ExecutionError> {
    let most = k.min(cosines.dims()[1]);
    let (cosines, patches) = cosines.topk_with_indices(most, 1);
    let data = Transaction::default()
        .register(cosines)
        .register(patches)
        .execute_async()
        .await?;
    // A transaction returns one entry for each registered tensor.
    let [cosines, patches] = &data[..] else {
        unreachable!("two tensors were registered")
    };
    let mut pairs = cosines.iter::<f32>().zip(patches.iter::<i64>());
    for best in nearest {
        for (similarity, patch) in pairs.by_ref().take(most) {
            let patch = first + patch as usize;
            keep(best, Neighbour { patch, similarity }, k);
        }
    }
    Ok(())
}

/// Puts `found` at its place in `best`, which keeps the `k` best in order.
fn keep(best: &mut Vec<Neighbour>, found: Neighbour, k: usize) {
    let is_behind = |other: &Neighbour| other.similarity >= found.similarity;
    let belongs = best.len() < k || best.last().is_some_and(|last| !is_behind(last));
    if found.similarity.is_nan() || !belongs {
        return;
    }
    // Patches come in ascending order, so that equals stay before it.
    let place = best.partition_point(is_behind);
    best.insert(place, found);
    best.truncate(k);
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;
    use rand::RngExt as _;

    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::testing::test;

    fn random(count: usize, dim: usize, seed: u64) -> Vec<f32> {
        let mut rng = stream(seed, Purpose::Scene, 0, 0);
        (0..count * dim)
            .map(|_| rng.random_range(-1.0..1.0))
            .collect()
    }

    #[test]
    fn parts_of_the_bank_give_what_a_whole_one_gives() {
        let (dim, count) = (3, PATCHES + 700);
        let mut bank = PatchBank::new(dim);
        for token in random(count, dim, 1).chunks(dim) {
            bank.push(token);
        }
        let queries = random(QUERIES + 5, dim, 2);
        let found = block_on(bank.nearest(&queries, 7, &Device::flex())).expect("flex");
        assert_eq!(found.len(), QUERIES + 5);

        for query in [0, 5, QUERIES - 1, QUERIES, QUERIES + 4] {
            let mut unit = queries[query * dim..][..dim].to_vec();
            normalize(&mut unit, dim);
            let mut all: Vec<(f32, usize)> = Vec::new();
            for (patch, token) in bank.tokens.chunks(dim).enumerate() {
                let cosine: f32 = token.iter().zip(&unit).map(|(a, b)| a * b).sum();
                all.push((-cosine, patch));
            }
            all.sort_by(|a, b| a.partial_cmp(b).expect("finite"));
            assert_eq!(found[query].len(), 7);
            for (neighbour, (cosine, _)) in found[query].iter().zip(&all) {
                assert!((neighbour.similarity + cosine).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn a_search_on_the_device_finds_the_same() {
        let values = random(20, 50, 3);
        let cosines = Tensor::from_data(TensorData::new(values, [20, 50]), &Device::flex());
        let (mut here, mut there) = (vec![Vec::new(); 20], vec![Vec::new(); 20]);
        for (part, first) in [(0..30, 0), (30..50, 30)] {
            let part = cosines.clone().slice([0..20, part]);
            block_on(search(part.clone(), first, 25, &mut here)).expect("flex");
            block_on(search_on_device(part, first, 25, &mut there)).expect("flex");
        }
        assert_eq!(here, there);
        assert!(here.iter().all(|best| best.len() == 25));
    }

    #[test]
    fn the_first_of_equals_stays_and_what_is_no_number_is_left_out() {
        let mut bank = PatchBank::new(2);
        for token in [
            [2.0, 0.0],
            [f32::NAN, 1.0],
            [1.0, 0.0],
            [0.0, 3.0],
            [9.0, 0.0],
        ] {
            bank.push(&token);
        }
        let found = block_on(bank.nearest(&[0.5, 0.0], 2, &Device::flex())).expect("flex");
        let patches: Vec<usize> = found[0].iter().map(|n| n.patch).collect();
        assert_eq!(patches, [0, 2]);
        let found = block_on(bank.nearest(&[0.5, 0.0], 9, &Device::flex())).expect("flex");
        assert_eq!(found[0].len(), 4);
    }
}
