//! Labelled patches that segment other images.

use burn::tensor::{Device, ExecutionError};

use super::votes::soft_votes;
use crate::annotation::shares::PatchShares;
use crate::eval::patches::PatchBank;

/// How kept patches vote.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Voting {
    /// Kept patches that vote for a patch, at least one.
    pub neighbours: usize,
    /// Of the softmax of their cosines; positive.
    pub temperature: f64,
}

impl Default for Voting {
    /// As in the paper.
    fn default() -> Self {
        Self {
            neighbours: 30,
            temperature: 0.02,
        }
    }
}

/// Patches that are kept with their classes.
#[derive(Clone, Debug)]
pub struct PatchMemory {
    bank: PatchBank,
    shares: PatchShares,
    classes: usize,
}

impl PatchMemory {
    /// An empty memory of tokens of `dim` numbers, for `classes` classes.
    pub fn new(dim: usize, classes: usize) -> Self {
        Self {
            bank: PatchBank::new(dim),
            shares: PatchShares::default(),
            classes,
        }
    }

    /// Keeps `patches` of an image with these `tokens`, patch by patch, whose classes are below that
    /// of the memory.
    ///
    /// # Panics
    /// If there is no such patch.
    pub fn keep(&mut self, tokens: &[f32], shares: &PatchShares, patches: &[usize]) {
        let dim = self.bank.dim();
        for patch in patches {
            self.bank.push(&tokens[patch * dim..][..dim]);
            self.shares.push(shares.of(*patch).iter().copied());
        }
    }

    /// Number of patches.
    pub fn len(&self) -> usize {
        self.bank.len()
    }

    /// Whether no patch was kept.
    pub fn is_empty(&self) -> bool {
        self.bank.is_empty()
    }

    /// How much of each patch with one of `tokens` belongs to each class, `[patches, classes]`.
    pub async fn votes(
        &self,
        tokens: &[f32],
        voting: Voting,
        device: &Device,
    ) -> Result<Vec<f32>, ExecutionError> {
        let nearest = self.bank.nearest(tokens, voting.neighbours, device).await?;
        Ok(soft_votes(
            &nearest,
            &self.shares,
            self.classes,
            voting.temperature,
        ))
    }
}
