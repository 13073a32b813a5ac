//! Which patches the student does not see: block-wise and random masks (paper section 3.1, appendix
//! E; the official `ImageFolderMask`).

use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};

use crate::model::Mask;
use crate::problems::Problems;
use crate::rng::{Purpose, Rng, crop_stream};

/// Aspect ratios of blocks lie between this and its inverse.
const MIN_ASPECT: f64 = 0.3;

/// Shape of the masked area.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PredShape {
    /// Rectangles of random size and aspect, as in BEiT.
    Block,
    /// Patches drawn one by one.
    Rand,
}

/// How masks are drawn, with the official code's names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MaskConfig {
    /// Masked image modelling; without it iBOT is DINO.
    pub use_masked_im_modeling: bool,
    /// Share of patches to mask. Several values are a mixture: each crop takes one of them.
    pub pred_ratio: Vec<f64>,
    /// Half-width of the uniform variation around each ratio.
    pub pred_ratio_var: Vec<f64>,
    /// Shape of the masked area.
    pub pred_shape: PredShape,
    /// First epoch that masks anything.
    pub pred_start_epoch: usize,
}

impl Default for MaskConfig {
    fn default() -> Self {
        Self {
            use_masked_im_modeling: true,
            pred_ratio: vec![0.0, 0.3],
            pred_ratio_var: vec![0.0, 0.2],
            pred_shape: PredShape::Block,
            pred_start_epoch: 0,
        }
    }
}

impl MaskConfig {
    pub(crate) fn check(&self, at: &mut Problems) {
        let (ratios, variations) = (&self.pred_ratio, &self.pred_ratio_var);
        let paired = !ratios.is_empty() && ratios.len() == variations.len();
        let problem = format!("needs one value for each of mask.pred_ratio = {ratios:?}");
        at.require(paired, "pred_ratio_var", format!("{variations:?}"), problem);

        for (&ratio, &variation) in ratios.iter().zip(variations) {
            if at.within("pred_ratio", ratio, 0.0..=1.0) {
                let stays = variation >= 0.0 && variation <= ratio && ratio + variation <= 1.0;
                let problem = format!("leads ratios around {ratio} out of 0 to 1");
                at.require(stays, "pred_ratio_var", variation, problem);
            }
        }
    }
}

impl MaskConfig {
    /// The mask of a crop, the same wherever and whenever it is drawn.
    pub fn mask(
        &self,
        grid: (usize, usize),
        seed: u64,
        epoch: usize,
        image: usize,
        crop: usize,
    ) -> Mask {
        if !self.use_masked_im_modeling || epoch < self.pred_start_epoch {
            return Mask::empty(grid.0, grid.1);
        }
        let mut rng = crop_stream(seed, Purpose::Mask, epoch, image, crop);
        self.draw(grid, &mut rng)
    }

    /// A mask drawn from `rng`.
    pub fn draw(&self, (rows, columns): (usize, usize), rng: &mut Rng) -> Mask {
        // A fraction of a patch stays in the target, as in the official code.
        let target = self.ratio(rng) * (rows * columns) as f64;
        let cells = match self.pred_shape {
            PredShape::Block => blocks(rows, columns, target, rng),
            PredShape::Rand => scattered(rows * columns, target as usize, rng),
        };
        Mask::new(rows, columns, cells)
    }

    fn ratio(&self, rng: &mut Rng) -> f64 {
        // An empty range would panic; `check` refuses an empty list.
        let choice = rng.random_range(0..self.pred_ratio.len().max(1));
        let mean = self.pred_ratio.get(choice).copied().unwrap_or(0.0);
        let variation = self.pred_ratio_var.get(choice).copied().unwrap_or(0.0);
        uniform(rng, mean - variation, mean + variation)
    }
}

/// Rectangles until `target` patches are masked or ten draws in a row do not fit.
fn blocks(rows: usize, columns: usize, target: f64, rng: &mut Rng) -> Vec<bool> {
    let mut cells = vec![false; rows * columns];
    // 16 patches of a grid of 14 x 14, as in BEiT.
    let smallest = ((rows.min(columns) / 3) as f64).powi(2);
    let mut count = 0;
    let mut failures = 0;

    while (count as f64) < target && failures < 10 {
        let room = target - count as f64;
        match add_block(&mut cells, (rows, columns), smallest, room, rng) {
            Some(added) => {
                count += added;
                failures = 0;
            }
            None => failures += 1,
        }
    }
    cells
}

/// Tries one rectangle; the number of patches it newly masks, or `None` if it does not fit.
fn add_block(
    cells: &mut [bool],
    (rows, columns): (usize, usize),
    smallest: f64,
    room: f64,
    rng: &mut Rng,
) -> Option<usize> {
    // With little room left the bounds are reversed, as they are in the official code: `room` is
    // then the lower.
    let area = uniform(rng, smallest, room);
    let aspect = uniform(rng, MIN_ASPECT.ln(), -MIN_ASPECT.ln()).exp();
    // Ties go to even, as by Python's `round`.
    let height = (area * aspect).sqrt().round_ties_even() as usize;
    let width = (area / aspect).sqrt().round_ties_even() as usize;
    // `>=`, as in the official code: no block spans the whole grid.
    if height >= rows || width >= columns {
        return None;
    }

    let top = rng.random_range(0..=rows - height);
    let left = rng.random_range(0..=columns - width);
    let inside = left..left + width;
    let mut new = 0;
    for row in cells.chunks_exact(columns).skip(top).take(height) {
        new += row[inside.clone()].iter().filter(|cell| !**cell).count();
    }

    if new == 0 || new as f64 > room {
        return None;
    }
    for row in cells.chunks_exact_mut(columns).skip(top).take(height) {
        row[inside.clone()].fill(true);
    }
    Some(new)
}

/// Exactly `count` patches anywhere.
fn scattered(patches: usize, count: usize, rng: &mut Rng) -> Vec<bool> {
    let mut cells: Vec<bool> = (0..patches).map(|i| i < count).collect();
    cells.shuffle(rng);
    cells
}

fn uniform(rng: &mut Rng, from: f64, to: f64) -> f64 {
    from + (to - from) * rng.random::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn fixed(ratio: f64, shape: PredShape) -> MaskConfig {
        MaskConfig {
            pred_ratio: vec![ratio],
            pred_ratio_var: vec![0.0],
            pred_shape: shape,
            ..MaskConfig::default()
        }
    }

    fn mean_fraction(config: &MaskConfig, side: usize, draws: usize) -> f64 {
        let masked: usize = (0..draws)
            .map(|i| config.mask((side, side), 1, 0, i, 0).count())
            .sum();
        masked as f64 / (draws * side * side) as f64
    }

    /// Mean masked fractions of the official generator, from simulation.
    #[test]
    fn block_masks_have_the_official_statistics() {
        let on_14 = [
            (0.1, 0.0897),
            (0.2, 0.1945),
            (0.3, 0.2922),
            (0.4, 0.3952),
            (0.5, 0.4977),
        ];
        let on_7 = [
            (0.1, 0.077),
            (0.2, 0.181),
            (0.3, 0.284),
            (0.4, 0.386),
            (0.5, 0.489),
        ];
        for (side, table) in [(14, on_14), (7, on_7)] {
            for (ratio, expected) in table {
                let actual = mean_fraction(&fixed(ratio, PredShape::Block), side, 8000);
                assert!(
                    (actual - expected).abs() < 0.0015,
                    "{ratio} on {side}: {actual}, expected {expected}"
                );
            }
        }
    }

    #[test]
    fn block_masks_never_exceed_the_target() {
        let config = fixed(0.3, PredShape::Block);
        for i in 0..4000 {
            let count = config.mask((14, 14), 2, 0, i, 0).count();
            assert!(
                (40..=58).contains(&count),
                "{count} of 196, the target is 58.8"
            );
        }
    }

    #[test]
    fn the_default_mixture_masks_half_the_crops() {
        let config = MaskConfig::default();
        let counts: Vec<usize> = (0..8000)
            .map(|i| config.mask((14, 14), 3, 0, i, 0).count())
            .collect();
        let empty = counts.iter().filter(|c| **c == 0).count() as f64 / 8000.0;
        let mean = counts.iter().sum::<usize>() as f64 / (8000.0 * 196.0);
        assert!((empty - 0.5).abs() < 0.02, "empty {empty}");
        assert!((mean - 0.145).abs() < 0.006, "mean {mean}");
        assert!((mean / (1.0 - empty) - 0.294).abs() < 0.006);
    }

    #[test]
    fn random_masks_have_the_exact_count() {
        let config = fixed(0.7, PredShape::Rand);
        let masks: Vec<Mask> = (0..400)
            .map(|i| config.mask((14, 14), 4, 0, i, 0))
            .collect();
        assert!(masks.iter().all(|mask| mask.count() == 137));
        for cell in 0..196 {
            let share = masks.iter().filter(|mask| mask.cells()[cell]).count() as f64 / 400.0;
            assert!((share - 0.7).abs() < 0.12, "cell {cell} masked in {share}");
        }
    }

    #[test]
    fn masks_depend_on_seed_epoch_image_and_crop_only() {
        let config = fixed(0.3, PredShape::Block);
        let mask = config.mask((14, 14), 5, 1, 2, 0);
        assert_eq!(mask, config.mask((14, 14), 5, 1, 2, 0));
        for other in [(6, 1, 2, 0), (5, 2, 2, 0), (5, 1, 3, 0), (5, 1, 2, 1)] {
            assert_ne!(
                mask,
                config.mask((14, 14), other.0, other.1, other.2, other.3)
            );
        }
    }

    #[test]
    fn nothing_is_masked_before_the_start_or_without_modelling() {
        let late = MaskConfig {
            pred_start_epoch: 2,
            ..fixed(0.3, PredShape::Block)
        };
        assert_eq!(late.mask((14, 14), 0, 1, 0, 0).count(), 0);
        assert!(late.mask((14, 14), 0, 2, 0, 0).count() > 0);
        let off = MaskConfig {
            use_masked_im_modeling: false,
            ..fixed(0.3, PredShape::Block)
        };
        assert_eq!(off.mask((14, 14), 0, 9, 0, 0).count(), 0);
    }

    #[test]
    fn tiny_grids_terminate() {
        for (rows, columns) in [(1, 1), (1, 5), (2, 2), (3, 1)] {
            for i in 0..200 {
                let mask = fixed(0.9, PredShape::Block).mask((rows, columns), 0, 0, i, 0);
                assert!(mask.count() <= rows * columns);
            }
        }
    }
}
