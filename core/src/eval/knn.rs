//! Weighted k-nearest-neighbour classification, the standard test of frozen features (paper section
//! 4.1).

use burn::tensor::{ExecutionError, Tensor, Transaction};

use crate::metrics::accuracy::top_k;
use crate::model::l2_normalize;

/// Numbers of neighbours that the official evaluation reports.
pub const NEIGHBOURS: [usize; 4] = [10, 20, 100, 200];
/// Temperature of the votes.
pub const TEMPERATURE: f64 = 0.07;
/// Queries compared with the bank at a time.
const CHUNK: usize = 256;

/// Accuracy with one number of neighbours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KnnAccuracy {
    /// Neighbours that voted.
    pub k: usize,
    /// Share of queries whose class has the most votes.
    pub top1: f64,
    /// Share of queries whose class is among the five with the most votes.
    pub top5: f64,
}

/// Features of labelled images.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// One row an image, `[M, D]`; of any length, they are normalised here.
    pub features: Tensor<2>,
    /// The class of each row.
    pub labels: Vec<usize>,
}

/// Classifies `queries` by their nearest neighbours in `bank`: each of the k most similar images
/// votes for its class with weight `exp(cosine / temperature)`.
///
/// Values of `k` beyond the bank's size are clamped to it; equal ones then count once.
pub async fn knn(
    bank: &Labelled,
    queries: &Labelled,
    ks: &[usize],
    temperature: f64,
) -> Result<Vec<KnnAccuracy>, ExecutionError> {
    let mut ks: Vec<usize> = ks
        .iter()
        .map(|k| (*k).clamp(1, bank.labels.len()))
        .collect();
    ks.sort_unstable();
    ks.dedup();
    let most = ks.last().copied().unwrap_or(1);
    let classes = bank.labels.iter().max().map_or(0, |last| last + 1);
    let nearest = neighbours(bank, queries.features.clone(), most).await?;

    // The rank of each query's class, for each number of neighbours.
    let mut ranks = vec![Vec::with_capacity(nearest.len()); ks.len()];
    for (truth, voters) in queries.labels.iter().zip(nearest) {
        let voters: Vec<(f64, usize)> = voters
            .into_iter()
            .map(|(cosine, class)| ((cosine / temperature).exp(), class))
            .collect();
        for (k, ranks) in ks.iter().zip(&mut ranks) {
            ranks.push(rank_of(*truth, &voters[..*k], classes));
        }
    }

    let mut accuracies = Vec::with_capacity(ks.len());
    for (k, ranks) in ks.into_iter().zip(ranks) {
        accuracies.push(KnnAccuracy {
            k,
            top1: top_k(&ranks, 1),
            top5: top_k(&ranks, 5),
        });
    }
    Ok(accuracies)
}

/// Cosine and class of the `most` nearest features in `bank` (it must hold as many), for each query
/// `[M, D]`; the nearest first.
pub(crate) async fn neighbours(
    bank: &Labelled,
    queries: Tensor<2>,
    most: usize,
) -> Result<Vec<Vec<(f64, usize)>>, ExecutionError> {
    let transposed = l2_normalize(bank.features.clone()).transpose();
    let count = queries.dims()[0];
    let normalized = l2_normalize(queries);

    let mut voters = Vec::with_capacity(count);
    for start in (0..count).step_by(CHUNK) {
        let rows = normalized
            .clone()
            .narrow(0, start, CHUNK.min(count - start));
        let (similarities, neighbours) = rows.matmul(transposed.clone()).topk_with_indices(most, 1);
        let data = Transaction::default()
            .register(similarities)
            .register(neighbours)
            .execute_async()
            .await?;
        // A transaction returns one entry for each registered tensor.
        let [similarities, neighbours] = &data[..] else {
            unreachable!("two tensors were registered")
        };
        let pairs: Vec<(f64, usize)> = similarities
            .iter::<f64>()
            .zip(neighbours.iter::<i64>().map(|i| bank.labels[i as usize]))
            .collect();
        voters.extend(pairs.chunks(most).map(<[_]>::to_vec));
    }
    Ok(voters)
}

/// How many classes have more votes than `truth`; among equals the lower class comes first. A class
/// without a vote is behind all.
fn rank_of(truth: usize, voters: &[(f64, usize)], classes: usize) -> usize {
    let mut votes = vec![0.0; classes.max(truth + 1)];
    for (weight, class) in voters {
        votes[*class] += weight;
    }
    if votes[truth] == 0.0 {
        return usize::MAX;
    }

    let mut ahead = 0;
    for (class, vote) in votes.iter().enumerate() {
        let equal_but_first = *vote == votes[truth] && class < truth;
        ahead += usize::from(*vote > votes[truth] || equal_but_first);
    }
    ahead
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use futures_lite::future::block_on;

    use super::*;
    use crate::testing::test;

    fn labelled(rows: &[([f32; 2], usize)]) -> Labelled {
        let values: Vec<f32> = rows.iter().flat_map(|(row, _)| *row).collect();
        let features =
            Tensor::<1>::from_floats(values.as_slice(), &Device::flex()).reshape([rows.len(), 2]);
        Labelled {
            features,
            labels: rows.iter().map(|(_, label)| *label).collect(),
        }
    }

    #[test]
    fn the_weight_of_a_vote_is_the_exponential_of_the_cosine() {
        // Two distant votes for class 1 against one close vote for class 0: which wins depends on
        // the temperature.
        let bank = labelled(&[([1.0, 0.0], 0), ([0.6, 0.8], 1), ([0.6, -0.8], 1)]);
        let query = labelled(&[([5.0, 0.0], 0)]);
        // exp(1 / t) > 2 exp(0.6 / t) if and only if t < 0.4 / ln 2 = 0.577.
        let top1 = |t: f64| block_on(knn(&bank, &query, &[3], t)).expect("flex")[0].top1;
        assert_eq!(top1(0.5), 1.0);
        assert_eq!(top1(0.7), 0.0);
    }

    #[test]
    fn k_is_clamped_to_the_bank_and_top5_counts_ranks() {
        let bank = labelled(&[([1.0, 0.0], 0), ([0.9, 0.1], 1), ([0.0, 1.0], 2)]);
        let queries = labelled(&[([1.0, 0.0], 1), ([0.0, 1.0], 2), ([0.0, 1.0], 7)]);
        let result = block_on(knn(&bank, &queries, &NEIGHBOURS, TEMPERATURE)).expect("flex");
        assert_eq!(result.len(), 1);
        assert_eq!(result[0].k, 3);
        assert!((result[0].top1 - 1.0 / 3.0).abs() < 1e-12);
        assert!(
            (result[0].top5 - 2.0 / 3.0).abs() < 1e-12,
            "a class that the bank lacks is never found"
        );
    }

    #[test]
    fn more_queries_than_a_chunk_are_all_counted() {
        let bank = labelled(&[([1.0, 0.0], 0), ([0.0, 1.0], 1)]);
        let rows: Vec<([f32; 2], usize)> = (0..600)
            .map(|i| {
                if i % 2 == 0 {
                    ([1.0, 0.1], 0)
                } else {
                    ([0.1, 1.0], 1)
                }
            })
            .collect();
        let result = block_on(knn(&bank, &labelled(&rows), &[1], TEMPERATURE)).expect("flex");
        assert_eq!((result[0].top1, result[0].top5), (1.0, 1.0));
    }
}
