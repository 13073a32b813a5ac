//! Dimensions and options of a Swin transformer.

use std::fmt;
use std::iter::repeat_n;

use serde::{Deserialize, Serialize};

/// Dimensions and options of a [`Swin`](super::Swin).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SwinConfig {
    /// Side of the images that the windows are made for, in pixels. It decides which stages are too
    /// small for whole windows, whatever images are shown later.
    pub image_size: usize,
    /// Side of a patch, in pixels.
    pub patch_size: usize,
    /// Width of a patch in the first stage; it doubles from stage to stage.
    pub dim: usize,
    /// Number of blocks of each stage.
    pub depths: Vec<usize>,
    /// Attention heads of a block of each stage; each divides the stage's width.
    pub heads: Vec<usize>,
    /// Side of a window, in tokens.
    pub window: usize,
    /// Width of the feed-forward branch between its two layers, over a token's.
    pub mlp_ratio: usize,
    /// Stochastic depth of the last block; it rises linearly from 0 at the first.
    pub drop_path: f64,
    /// Whether the network has a mask token (the student of masked image modelling).
    pub mask_token: bool,
}

/// The place of a block, both counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub stage: usize,
    /// Among the blocks of the stage.
    pub block: usize,
}

/// The place of block `block` of stages of `depths` blocks; beyond the last one, the last.
pub(super) fn place(depths: impl Iterator<Item = usize>, block: usize) -> Place {
    let mut left = block;
    let mut last = Place { stage: 0, block: 0 };
    for (stage, depth) in depths.enumerate() {
        if left < depth {
            return Place { stage, block: left };
        }
        left -= depth;
        last = Place {
            stage,
            block: depth.saturating_sub(1),
        };
    }
    last
}

/// Rows and columns of tokens in a stage, for images of `size` (height, width) in pixels. An odd
/// grid is rounded up when it is halved.
pub(super) fn grid_at(stage: usize, size: (usize, usize), patch_size: usize) -> (usize, usize) {
    let stride = patch_size << stage;
    (size.0.div_ceil(stride), size.1.div_ceil(stride))
}

impl SwinConfig {
    /// Number of stages.
    pub fn stages(&self) -> usize {
        self.depths.len()
    }

    /// Pixels along a side of a token of the last stage.
    pub fn stride(&self) -> usize {
        self.patch_size << (self.stages() - 1)
    }

    /// Rows and columns of tokens in the last stage, for images of `size` (height, width) in pixels.
    pub(in crate::model) fn grid(&self, size: (usize, usize)) -> (usize, usize) {
        grid_at(self.stages() - 1, size, self.patch_size)
    }

    /// Width of a token in a stage, counted from 0.
    pub fn width(&self, stage: usize) -> usize {
        self.dim << stage
    }

    /// Width of the means of tokens after the last `blocks` blocks, one behind another.
    pub fn cls_width(&self, blocks: usize) -> usize {
        let widths = self.depths.iter().enumerate();
        let widths = widths.flat_map(|(stage, depth)| repeat_n(self.width(stage), *depth));
        let widths: Vec<usize> = widths.collect();
        widths.iter().rev().take(blocks).sum()
    }

    /// Values of the tokens that enter the blocks for an image of `side` by `side` pixels, averaged
    /// over blocks, over the width of the last stage.
    pub fn wide_tokens(&self, side: usize) -> usize {
        let mut values = 0;
        for (stage, depth) in self.depths.iter().enumerate() {
            let (rows, columns) = grid_at(stage, (side, side), self.patch_size);
            values += depth * rows * columns * self.width(stage);
        }
        let blocks: usize = self.depths.iter().sum();
        values.div_ceil(blocks * self.width(self.stages() - 1))
    }

    /// Side of the windows of a stage: that of the stage's grid where this is smaller.
    pub(super) fn window_at(&self, stage: usize) -> usize {
        self.window.min(self.made_for(stage))
    }

    /// By how many tokens the windows of a block are shifted: half a window in every second block,
    /// unless one window covers the stage.
    ///
    /// As in the official code the images that the network is made for decide this. Smaller ones
    /// may have a shift within a single window.
    pub(super) fn shift_at(&self, Place { stage, block }: Place) -> usize {
        if block.is_multiple_of(2) || self.made_for(stage) <= self.window {
            0
        } else {
            self.window / 2
        }
    }

    /// Side of the grid of a stage for the images that the network is made for.
    fn made_for(&self, stage: usize) -> usize {
        (self.image_size / (self.patch_size << stage)).max(1)
    }

    /// Multiply-accumulates of a forward pass on one image of `side` by `side` pixels. In a stage of
    /// N tokens of width C, of which padding to whole windows of n tokens makes P:
    ///
    /// - each block: `4 P C²` for queries, keys, values and the projection, `2 P n C` for attention,
    ///   and `2 N C hidden` for the MLP;
    /// - before a stage, `N 2 C²` for merging the patches of the last.
    ///
    /// Patch embedding takes `N 3 p² C` in the first stage.
    pub fn macs(&self, side: usize) -> f64 {
        let stem = 3 * self.patch_size * self.patch_size;
        let mut total = 0.0;

        for (stage, depth) in self.depths.iter().enumerate() {
            let (rows, columns) = grid_at(stage, (side, side), self.patch_size);
            let window = self.window_at(stage);
            let padded = rows.next_multiple_of(window) * columns.next_multiple_of(window);
            let tokens = (rows * columns) as f64;
            let padded = padded as f64;
            let c = self.width(stage) as f64;

            total += match stage {
                0 => tokens * stem as f64 * c,
                _ => tokens * 2.0 * c * c,
            };
            let attention = 4.0 * padded * c * c + 2.0 * padded * (window * window) as f64 * c;
            let feed_forward = 2.0 * tokens * c * c * self.mlp_ratio as f64;
            total += *depth as f64 * (attention + feed_forward);
        }
        total
    }
}

impl fmt::Display for SwinConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Swin {} to {} wide, {} blocks, {} heads, window {}, patch {}, made for {} px",
            self.dim,
            self.width(self.stages() - 1),
            joined(&self.depths),
            joined(&self.heads),
            self.window,
            self.patch_size,
            self.image_size
        )
    }
}

fn joined(counts: &[usize]) -> String {
    let counts: Vec<String> = counts.iter().map(usize::to_string).collect();
    counts.join("+")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Arch, ModelConfig};
    use crate::testing::test;

    fn tiny(window_size: usize) -> SwinConfig {
        let model = ModelConfig {
            arch: Arch::SwinTiny,
            window_size,
            ..ModelConfig::default()
        };
        model.swin(224, true)
    }

    /// Windows and shifts of the official code for 224 pixels, stage by stage.
    #[test]
    fn small_stages_have_one_window_and_no_shift() {
        for (window, windows, shifts) in [
            (7, [7, 7, 7, 7], [3, 3, 3, 0]),
            (14, [14, 14, 14, 7], [7, 7, 0, 0]),
        ] {
            let config = tiny(window);
            for stage in 0..4 {
                assert_eq!(config.window_at(stage), windows[stage]);
                let shift = |block| config.shift_at(Place { stage, block });
                assert_eq!([shift(0), shift(1)], [0, shifts[stage]]);
            }
        }
    }

    #[test]
    fn grids_are_rounded_up() {
        for (side, grids) in [
            (224, [56, 28, 14, 7]),
            (96, [24, 12, 6, 3]),
            (72, [18, 9, 5, 3]),
        ] {
            for (stage, expected) in grids.into_iter().enumerate() {
                assert_eq!(grid_at(stage, (side, side), 4), (expected, expected));
            }
        }
    }

    #[test]
    fn blocks_are_counted_over_stages() {
        let config = tiny(7);
        assert_eq!((config.stride(), config.width(3)), (32, 768));
        let place = |block| place([2, 2, 6, 2].into_iter(), block);
        assert_eq!(place(3), Place { stage: 1, block: 1 });
        assert_eq!(place(9), Place { stage: 2, block: 5 });
        assert_eq!(place(12), Place { stage: 3, block: 1 });
        // Four blocks, as the official code evaluates: 384 of two each, 768 of two.
        assert_eq!(config.cls_width(4), 2304);
    }

    /// Published: 4.5 GMAC for Swin-T with windows of 7 at 224 pixels.
    #[test]
    fn a_forward_pass_takes_what_is_known_of_it() {
        let giga = tiny(7).macs(224) / 1e9;
        assert!((giga - 4.5).abs() < 0.05, "{giga}");
    }
}
