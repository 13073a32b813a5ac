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
