//! The classes of a patch as its neighbours have them.

use crate::analysis::similarity::Neighbour;
use crate::annotation::shares::PatchShares;

/// For each query, by its `neighbours`, how much of it belongs to each of `classes` classes,
/// `[queries, classes]`: the mean of the neighbours' `shares` with weights `softmax(cosine /
/// temperature)`. Zeros for a query without neighbours.
pub fn soft_votes(
    neighbours: &[Vec<Neighbour>],
    shares: &PatchShares,
    classes: usize,
    temperature: f64,
) -> Vec<f32> {
    let mut votes = vec![0.0; neighbours.len() * classes];
    for (own, nearest) in votes.chunks_exact_mut(classes.max(1)).zip(neighbours) {
        // The nearest comes first; less its cosine no exponential overflows.
        let best = nearest.first().map_or(0.0, |first| first.similarity);
        let weight = |neighbour: &Neighbour| {
            let below = f64::from(neighbour.similarity) - f64::from(best);
            (below / temperature).exp()
        };
        let total: f64 = nearest.iter().map(weight).sum();

        for neighbour in nearest {
            let weight = (weight(neighbour) / total) as f32;
            for (class, share) in shares.of(neighbour.patch) {
                own[*class] += weight * share;
            }
        }
    }
    votes
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use futures_lite::future::block_on;
    use serde::Deserialize;

    use super::*;
    use crate::eval::in_context::upsample;
    use crate::eval::patches::PatchBank;
    use crate::grid::GridShape;
    use crate::testing::test;

    /// What scripts/make_eval_segmentation_fixtures.py wrote.
    const FIXTURE: &str = include_str!("../../../../tests/fixtures/eval/segmentation.json");

    #[derive(Deserialize)]
    struct Fixture {
        soft: Soft,
    }

    #[derive(Deserialize)]
    struct Soft {
        dim: usize,
        classes: usize,
        k: usize,
        temperature: f64,
        bank: Vec<f32>,
        shares: Vec<Vec<f32>>,
        queries: Vec<f32>,
        nearest: Vec<Vec<usize>>,
        votes: Vec<f64>,
        rows: usize,
        columns: usize,
        map_rows: usize,
        map_columns: usize,
        map: Vec<usize>,
    }

    #[test]
    fn votes_and_maps_are_those_of_numpy_and_pytorch() {
        let fixture: Fixture = serde_json::from_str(FIXTURE).expect("the fixture");
        let case = fixture.soft;
        let mut bank = PatchBank::new(case.dim);
        let mut shares = PatchShares::default();
        for (token, own) in case.bank.chunks(case.dim).zip(&case.shares) {
            bank.push(token);
            let own = own.iter().copied().enumerate();
            shares.push(own.filter(|(_, share)| *share > 0.0));
        }

        let device = Device::flex();
        let nearest = block_on(bank.nearest(&case.queries, case.k, &device)).expect("flex");
        for (found, expected) in nearest.iter().zip(&case.nearest) {
            let found: Vec<usize> = found.iter().map(|n| n.patch).collect();
            assert_eq!(&found, expected);
        }

        let votes = soft_votes(&nearest, &shares, case.classes, case.temperature);
        assert_eq!(votes.len(), case.votes.len());
        for (found, expected) in votes.iter().zip(&case.votes) {
            assert!((f64::from(*found) - expected).abs() < 1e-5);
        }

        let grid = GridShape {
            rows: case.rows,
            columns: case.columns,
        };
        let map = upsample(&votes, grid, (case.map_columns, case.map_rows));
        assert_eq!(map.cells(), case.map);
    }

    #[test]
    fn a_patch_without_neighbours_has_no_votes() {
        let votes = soft_votes(&[Vec::new()], &PatchShares::default(), 3, 0.02);
        assert_eq!(votes, [0.0; 3]);
    }
}
