use super::*;
use crate::image::fixture::{float_series, floats};
use crate::rng::{Purpose, stream};
use crate::testing::test;

const FILE: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/fixtures/finetune/mixing.safetensors"
));
/// Side of the fixture's images.
const SIZE: usize = 9;
/// The labels of the fixture's images, and the number of classes.
const LABELS: [usize; 4] = [2, 0, 4, 4];
const CLASSES: usize = 5;

/// `values` is what `mixing` makes of the fixture's images.
fn assert_mixed(mixing: Mixing, expected: &[f32]) {
    let mut values = floats(FILE, "images");
    let mut images: Vec<&mut [f32]> = values.chunks_exact_mut(3 * SIZE * SIZE).collect();
    mixing.apply(&mut images, SIZE);
    assert_eq!(values, expected, "{mixing:?}");
}

fn assert_targets(mixing: Mixing, smoothing: f64, expected: &[f32]) {
    let ours = mixing.targets(&LABELS, CLASSES, smoothing);
    let ours = ours.expect("labels of five classes");
    assert_eq!(ours.len(), expected.len());
    for (a, b) in ours.iter().zip(expected) {
        assert!((a - b).abs() < 1e-7, "{mixing:?}: {a}, expected {b}");
    }
}

#[test]
fn mixup_is_that_of_timm() {
    for (numbers, expected) in float_series(FILE, "mixup") {
        let mixing = Mixing::Mixup { lambda: numbers[0] };
        assert_mixed(mixing, &expected);
        let targets = floats(FILE, &format!("mixup-targets/{}", numbers[0]));
        assert_targets(mixing, 0.1, &targets);
    }
}

#[test]
fn cutmix_is_that_of_timm() {
    for (numbers, expected) in float_series(FILE, "cutmix") {
        let [lambda, row, column] = numbers[..] else {
            panic!("three numbers, not {numbers:?}");
        };
        let mixing = Mixing::cutmix(SIZE, lambda, row as usize, column as usize);
        assert_mixed(mixing, &expected);
        let targets = floats(FILE, &format!("cutmix-targets/{lambda}/{row}/{column}"));
        assert_targets(mixing, 0.1, &targets);
    }
}

#[test]
fn targets_without_mixing_are_smooth_labels() {
    for (numbers, expected) in float_series(FILE, "smooth-targets") {
        assert_targets(Mixing::None, numbers[0], &expected);
    }

    // Cross-entropy with them is timm's `LabelSmoothingCrossEntropy`.
    let logits = floats(FILE, "logits");
    let targets = Mixing::None.targets(&LABELS, CLASSES, 0.1);
    let targets = targets.expect("labels of five classes");
    let mut loss = 0.0;
    for (logits, targets) in logits.chunks(CLASSES).zip(targets.chunks(CLASSES)) {
        let sum: f64 = logits.iter().map(|z| f64::from(*z).exp()).sum();
        for (z, target) in logits.iter().zip(targets) {
            loss += f64::from(*target) * (sum.ln() - f64::from(*z)) / LABELS.len() as f64;
        }
    }
    let expected = f64::from(floats(FILE, "smoothed-loss")[0]);
    assert!((loss - expected).abs() < 1e-6, "{loss}, not {expected}");
}

#[test]
fn the_middle_of_an_odd_batch_stays() {
    let cutmix = Mixing::cutmix(1, 0.0, 0, 0);
    assert_eq!(cutmix.lambda(), 1.0, "half of one pixel is none");

    let mut images = [[1.0f32; 12], [2.0; 12], [3.0; 12]];
    let mut slices: Vec<&mut [f32]> = images.iter_mut().map(<[f32; 12]>::as_mut_slice).collect();
    Mixing::Mixup { lambda: 0.75 }.apply(&mut slices, 2);
    assert_eq!(images, [[1.5; 12], [2.0; 12], [2.5; 12]]);

    let mixing = Mixing::Mixup { lambda: 0.75 };
    let targets = mixing.targets(&[0, 1, 0], 2, 0.0).expect("two classes");
    assert_eq!(targets, [1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
}

#[test]
fn a_label_that_is_no_class_is_named() {
    let error = Mixing::None
        .targets(&[1, 7], 3, 0.1)
        .expect_err("no class 7");
    assert_eq!(
        error.to_string(),
        "image 1 of the batch has label 7, but the labels of 3 classes end at 2"
    );
}

#[test]
fn draws_follow_their_distributions() {
    const DRAWN: usize = 20_000;
    let config = MixConfig {
        probability: 0.9,
        switch_probability: 0.3,
        ..MixConfig::default()
    };
    let mut rng = stream(3, Purpose::Mix, 0, 0);

    let (mut mixup, mut kept, mut corners) = (Vec::new(), Vec::new(), 0);
    for _ in 0..DRAWN {
        match Mixing::draw(&config, 32, &mut rng) {
            Mixing::None => {}
            Mixing::Mixup { lambda } => mixup.push(lambda),
            Mixing::CutMix { area, lambda } => {
                assert!(area.left + area.width <= 32 && area.top + area.height <= 32);
                let pasted = (area.width * area.height) as f64 / 1024.0;
                assert!((1.0 - pasted - lambda).abs() < 1e-12);
                corners += usize::from(area.left == 0 && area.top == 0);
                kept.push(lambda);
            }
        }
    }

    // Four standard deviations of a share of 20,000 are below 0.0135.
    let share = |count: usize| count as f64 / DRAWN as f64;
    assert!((share(mixup.len()) - 0.9 * 0.7).abs() < 0.0135);
    assert!((share(kept.len()) - 0.9 * 0.3).abs() < 0.0135);
    assert!(corners > 0, "no square was cut off");

    // Beta(0.8, 0.8) has mean 1/2 and variance 1 / (4 * 2.6).
    let mean = mixup.iter().sum::<f64>() / mixup.len() as f64;
    let variance = mixup.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / mixup.len() as f64;
    assert!((mean - 0.5).abs() < 0.011, "mean {mean}");
    assert!((variance - 1.0 / 10.4).abs() < 0.004, "variance {variance}");

    // What timm draws, with the same centres and the corrected share; its figure is in the fixture.
    let mean = kept.iter().sum::<f64>() / kept.len() as f64;
    let expected = f64::from(floats(FILE, "cutmix-mean")[0]);
    assert!((mean - expected).abs() < 0.015, "{mean}, not {expected}");
}

#[test]
fn parts_can_be_turned_off() {
    let mut rng = stream(3, Purpose::Mix, 0, 1);
    let mut draw = |config: &MixConfig| Mixing::draw(config, 16, &mut rng);
    let without = |mixup_alpha, cutmix_alpha| MixConfig {
        mixup_alpha,
        cutmix_alpha,
        ..MixConfig::default()
    };
    for _ in 0..100 {
        assert!(matches!(draw(&without(0.8, 0.0)), Mixing::Mixup { .. }));
        assert!(matches!(draw(&without(0.0, 1.0)), Mixing::CutMix { .. }));
        assert_eq!(draw(&without(0.0, 0.0)), Mixing::None);
        assert_eq!(draw(&MixConfig::off()), Mixing::None);
        let extreme = draw(&without(1e-3, 0.0)).lambda();
        assert!((0.0..=1.0).contains(&extreme), "{extreme}");
    }
}

#[test]
fn wrong_settings_are_named() {
    let config = MixConfig {
        mixup_alpha: -0.5,
        label_smoothing: 1.5,
        ..MixConfig::default()
    };
    let mut problems = Problems::default();
    config.check(problems.section("mix"));
    let keys: Vec<&str> = problems.found().iter().map(|p| p.key.as_str()).collect();
    assert_eq!(keys, ["mix.mixup_alpha", "mix.label_smoothing"]);
    assert!(serde_json::from_str::<MixConfig>(r#"{"alpha": 1}"#).is_err());
}
