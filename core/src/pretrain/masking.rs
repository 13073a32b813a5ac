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
    /// Whether the ratios of a batch are spread evenly over the mixture (DINOv2), in place of drawn
    /// for each crop alone.
    pub stratified: bool,
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
            stratified: false,
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
        if !self.masks_in(epoch) {
            return Mask::empty(grid.0, grid.1);
        }
        let mut rng = crop_stream(seed, Purpose::Mask, epoch, image, crop);
        self.draw(grid, &mut rng)
    }

    /// Whether an epoch masks anything.
    pub(super) fn masks_in(&self, epoch: usize) -> bool {
        self.use_masked_im_modeling && epoch >= self.pred_start_epoch
    }

    /// A mask drawn from `rng`.
    pub fn draw(&self, grid: (usize, usize), rng: &mut Rng) -> Mask {
        let ratio = self.ratio(rng);
        self.draw_share(grid, ratio, rng)
    }

    /// A mask of a share `ratio` of the patches, drawn from `rng`.
    pub(super) fn draw_share(
        &self,
        (rows, columns): (usize, usize),
        ratio: f64,
        rng: &mut Rng,
    ) -> Mask {
        // A fraction of a patch stays in the target, as in the official code.
        let target = ratio * (rows * columns) as f64;
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

pub(super) fn uniform(rng: &mut Rng, from: f64, to: f64) -> f64 {
    from + (to - from) * rng.random::<f64>()
}

#[cfg(test)]
mod tests;
