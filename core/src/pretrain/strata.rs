//! Mask ratios that are spread evenly over a batch (DINOv2), so that every batch masks nearly as
//! many patches.

use std::ops::Range;

use rand::seq::SliceRandom as _;

use crate::pretrain::masking::MaskConfig;
use crate::rng::{Purpose, stream};

/// For each global crop of a step's batch, by its place, its number among all crops in the order of
/// their mask ratios. The same on every worker.
pub fn order(seed: u64, step: usize, crops: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..crops).collect();
    order.shuffle(&mut stream(seed, Purpose::Strata, step as u64, 0));
    order
}

impl MaskConfig {
    /// The ratios that crop `number` of `crops` in `order` is masked by.
    ///
    /// The entries of the mixture take equal parts of the crops. Within a part of n crops the
    /// entry's ratios are cut into n equal ranges, one for each crop.
    pub fn stratum(&self, number: usize, crops: usize) -> Range<f64> {
        let entries = self.pred_ratio.len();
        let first = |entry: usize| entry * crops / entries.max(1);
        let entry = (0..entries).rfind(|entry| first(*entry) <= number);
        // `check` refuses an empty list.
        let entry = entry.unwrap_or(0);
        let mean = self.pred_ratio.get(entry).copied().unwrap_or(0.0);
        let variation = self.pred_ratio_var.get(entry).copied().unwrap_or(0.0);

        let part = first(entry)..first(entry + 1);
        let width = 2.0 * variation / part.len().max(1) as f64;
        let start = mean - variation + width * (number - part.start) as f64;
        start..start + width
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Mask;
    use crate::pretrain::config::{BatchPlace, Config};
    use crate::pretrain::masking::PredShape;
    use crate::testing::test;

    /// The bounds that DINOv2 draws between: `torch.linspace(0.1, 0.5, 9)` for 8 masked crops of 16.
    #[test]
    fn strata_of_the_default_mixture_are_those_of_the_original() {
        let bounds = [0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5];
        let config = MaskConfig::default();
        for number in 0..8 {
            assert_eq!(config.stratum(number, 16), 0.0..0.0);
            let range = config.stratum(8 + number, 16);
            assert!((range.start - bounds[number]).abs() < 1e-12);
            assert!((range.end - bounds[number + 1]).abs() < 1e-12);
        }
    }

    #[test]
    fn every_crop_of_an_uneven_batch_has_a_stratum() {
        let config = MaskConfig {
            pred_ratio: vec![0.0, 0.2, 0.6],
            pred_ratio_var: vec![0.0, 0.1, 0.3],
            ..MaskConfig::default()
        };
        let ranges: Vec<Range<f64>> = (0..8).map(|number| config.stratum(number, 8)).collect();
        // Parts of 2, 3 and 3 crops.
        assert_eq!(ranges[1], 0.0..0.0);
        assert!((ranges[2].start - 0.1).abs() < 1e-12 && (ranges[4].end - 0.3).abs() < 1e-12);
        assert!((ranges[5].start - 0.3).abs() < 1e-12 && (ranges[7].end - 0.9).abs() < 1e-12);
    }

    /// With random masks, whose counts are exact: of 16 crops 8 are masked, one from each stratum.
    #[test]
    fn a_batch_has_one_mask_of_each_stratum() {
        let mut config = Config::default();
        config.mask.stratified = true;
        config.mask.pred_shape = PredShape::Rand;
        config.optim.batch_size = 8;
        let mut totals = Vec::new();
        for step in 0..5 {
            let mut counts = Vec::new();
            for place in 0..8 {
                let masks = config.masks_at(3, 0, 100 + place, BatchPlace { step, place });
                counts.extend(masks.iter().map(Mask::count));
            }
            totals.push(counts.iter().sum::<usize>());
            counts.sort_unstable();
            assert_eq!(counts[..8], [0; 8]);
            for (stratum, count) in counts[8..].iter().enumerate() {
                let share = (*count as f64 + 0.5) / 196.0;
                let range = config.mask.stratum(8 + stratum, 16);
                let slack = 1.0 / 196.0;
                assert!(range.start - slack < share && share < range.end + slack);
            }
        }
        // 8 crops of 0.3 * 196 patches, and half a stratum's width for each crop at most.
        assert!(
            totals.iter().all(|total| total.abs_diff(470) <= 39),
            "{totals:?}"
        );
        assert_ne!(order(3, 0, 16), order(3, 1, 16));
    }
}
