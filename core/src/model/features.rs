//! What a backbone computes for a batch of images, whatever its family.

use burn::tensor::Tensor;

use super::mask::{Mask, masked_rows};

/// Tokens after a block and the final norm.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// One token for each image, `[B, D]`: CLS, or the mean of the patches in a family without it.
    pub cls: Tensor<2>,
    /// Rows and columns of patches, `rows * columns = N`. Earlier blocks may have finer grids.
    pub grid: (usize, usize),
    /// `[B, P + N, D]`: the patches stand behind `prefix` other tokens.
    sequence: Tensor<3>,
    prefix: usize,
}

impl Tokens {
    /// The tokens of a `sequence` `[B, P + N, D]` whose first token is CLS.
    pub(super) fn behind_cls(sequence: Tensor<3>, prefix: usize, grid: (usize, usize)) -> Self {
        Self {
            cls: sequence.clone().narrow(1, 0, 1).squeeze_dim(1),
            grid,
            sequence,
            prefix,
        }
    }

    /// The patches `[B, N, D]` of a family without CLS: their mean is in its place.
    pub(super) fn with_mean(patches: Tensor<3>, grid: (usize, usize)) -> Self {
        Self {
            cls: patches.clone().mean_dim(1).squeeze_dim(1),
            grid,
            sequence: patches,
            prefix: 0,
        }
    }

    /// The patch tokens, `[B, N, D]`, row by row.
    pub fn into_patches(self) -> Tensor<3> {
        let count = self.sequence.dims()[1] - self.prefix;
        self.sequence.narrow(1, self.prefix, count)
    }

    /// The tokens of the masked patches, `[M, D]`, image by image; `None` if nothing is masked.
    /// `masks` has one mask for each image.
    pub fn into_masked_patches(self, masks: &[Mask]) -> Option<Tensor<2>> {
        // The rows are picked from the whole sequence. A slice of the patches before would be one
        // more operation, and its gradient fills one more tensor of the sequence's size.
        let rows = masked_rows(masks, self.prefix, &self.sequence.device())?;
        Some(self.sequence.flatten::<2>(0, 1).select(0, rows))
    }

    /// All tokens in the order of the network, `[B, P + N, D]`.
    pub fn into_sequence(self) -> Tensor<3> {
        self.sequence
    }
}

/// What [`Backbone::features`](super::Backbone::features) computes.
#[derive(Clone, Debug)]
pub struct Features {
    /// The tokens of the last block.
    pub tokens: Tokens,
    /// The tokens of blocks before the last, as many as were asked for, the deepest last.
    pub earlier: Vec<Tokens>,
    /// How much CLS attends to each patch in each head of the last block, `[B, heads, N]`; `None`
    /// if it was not asked for, or the family has no CLS that attends. CLS itself and registers take the rest of each head's attention.
    pub attention: Option<Tensor<3>>,
    /// The patch tokens `[B, N, D]` of the last block before the final norm; `None` if they were
    /// not asked for.
    pub(super) raw_patches: Option<Tensor<3>>,
}

impl Features {
    /// The patch tokens of the last block before the final norm, `[B, N, D]`.
    ///
    /// # Panics
    /// If [`Want::raw_patches`] was not set.
    pub fn raw_patches(&self) -> Tensor<3> {
        let raw = self.raw_patches.clone();
        raw.expect("`Want::raw_patches` was set")
    }
}

/// What is asked of a backbone besides the tokens of its last block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// The block to stop after, counted from 1, in place of the last. A network with fewer blocks
    /// runs all that it has.
    pub block: Option<usize>,
    /// How many blocks before the last one give their tokens too.
    pub earlier: usize,
    /// Whether to give the attention of CLS in the last block.
    pub attention: bool,
    /// Whether to give the patch tokens of the last block before the final norm.
    pub raw_patches: bool,
}
