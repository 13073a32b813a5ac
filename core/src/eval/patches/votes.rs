//! Votes of the nearest patches for the class of each pixel (CAPI, Darcet et al. 2025, arXiv
//! 2502.08769).

use crate::analysis::similarity::Neighbour;
use crate::annotation::labels::IGNORED;

/// What stands for [`IGNORED`] in 16 bits.
const NONE: u16 = u16::MAX;

/// The labels of the pixels of patches, equally many of each patch, row by row.
#[derive(Clone, Debug)]
pub struct CellLabels {
    cells: usize,
    // A patch of 16 x 16 pixels has 256 of them.
    values: Vec<u16>,
}

impl CellLabels {
    /// No patches yet, each of which will have `cells` pixels, at least one.
    pub fn new(cells: usize) -> Self {
        Self {
            cells: cells.max(1),
            values: Vec::new(),
        }
    }

    /// Adds the labels of a patch. Labels beyond 16 bits count as ignored.
    pub fn push(&mut self, labels: impl IntoIterator<Item = usize>) {
        let labels = labels.into_iter().take(self.cells);
        let before = self.values.len();
        self.values
            .extend(labels.map(|label| u16::try_from(label).unwrap_or(NONE)));
        self.values.resize(before + self.cells, NONE);
    }

    fn of(&self, patch: usize) -> &[u16] {
        &self.values[patch * self.cells..][..self.cells]
    }
}

/// The label of each pixel of a patch: the most frequent one that its `neighbours` have at the same
/// place, the smallest of equally frequent ones. [`IGNORED`] where all of them are ignored.
pub fn majority_votes(neighbours: &[Neighbour], labels: &CellLabels) -> Vec<usize> {
    let mut votes = Vec::with_capacity(neighbours.len());
    let mut found = Vec::with_capacity(labels.cells);
    for cell in 0..labels.cells {
        votes.clear();
        for neighbour in neighbours {
            let label = labels.of(neighbour.patch)[cell];
            if label != NONE {
                votes.push(label);
            }
        }
        votes.sort_unstable();
        found.push(most_frequent(&votes));
    }
    found
}

/// The most frequent of the classes that `neighbours` have, the smallest of equally frequent ones;
/// [`IGNORED`] without a neighbour. `classes` are those of all labelled patches.
pub fn majority_class(neighbours: &[Neighbour], classes: &[usize]) -> usize {
    let own = neighbours.iter().map(|neighbour| classes[neighbour.patch]);
    let mut votes: Vec<usize> = own.collect();
    votes.sort_unstable();
    most_frequent(&votes)
}

/// The most frequent of `votes`, which are in ascending order; the first of equally frequent ones.
fn most_frequent<T: Copy + PartialEq + Into<usize>>(votes: &[T]) -> usize {
    let (mut best, mut most) = (IGNORED, 0);
    for same in votes.chunk_by(|a, b| a == b) {
        if same.len() > most {
            (best, most) = (same[0].into(), same.len());
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use futures_lite::future::block_on;
    use serde::Deserialize;

    use super::super::PatchBank;
    use super::*;
    use crate::testing::test;

    /// What scripts/make_eval_segmentation_fixtures.py wrote.
    const FIXTURE: &str = include_str!("../../../../tests/fixtures/eval/segmentation.json");

    #[derive(Deserialize)]
    struct Fixture {
        hard: Hard,
    }

    #[derive(Deserialize)]
    struct Hard {
        dim: usize,
        cells: usize,
        bank: Vec<f32>,
        labels: Vec<Vec<usize>>,
        queries: Vec<f32>,
        predictions: Vec<Predicted>,
    }

    #[derive(Deserialize)]
    struct Predicted {
        k: usize,
        labels: Vec<Vec<usize>>,
    }

    #[test]
    fn votes_are_those_of_scikit_learn() {
        let fixture: Fixture = serde_json::from_str(FIXTURE).expect("the fixture");
        let case = fixture.hard;
        let mut bank = PatchBank::new(case.dim);
        let mut labels = CellLabels::new(case.cells);
        for (token, own) in case.bank.chunks(case.dim).zip(&case.labels) {
            bank.push(token);
            labels.push(own.iter().copied());
        }

        assert_eq!(case.predictions.len(), 4);
        for Predicted {
            k,
            labels: expected,
        } in case.predictions
        {
            let found = block_on(bank.nearest(&case.queries, k, &Device::flex())).expect("flex");
            let found: Vec<_> = found.iter().map(|n| majority_votes(n, &labels)).collect();
            assert_eq!(found, expected, "k = {k}");
        }
    }

    #[test]
    fn ignored_pixels_do_not_vote() {
        let mut labels = CellLabels::new(2);
        labels.push([IGNORED, IGNORED]);
        labels.push([IGNORED, 7]);
        labels.push([3]);
        let neighbours = [0, 1, 2].map(|patch| Neighbour {
            patch,
            similarity: 1.0,
        });
        assert_eq!(majority_votes(&neighbours, &labels), [3, 7]);
        assert_eq!(majority_votes(&neighbours[..1], &labels), [IGNORED; 2]);
    }
}
