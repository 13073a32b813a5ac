use super::*;
use crate::image::fixture::{float_series, floats};
use crate::rng::{Purpose, stream};
use crate::testing::test;

const FILE: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/fixtures/finetune/view.safetensors"
));
const DRAWN: usize = 8000;

fn draw(config: &SupervisedConfig, width: usize, height: usize) -> Vec<SupervisedParams> {
    let mut rng = stream(7, Purpose::Augment, 1, 2);
    (0..DRAWN)
        .map(|_| SupervisedParams::draw(width, height, 224, config, &mut rng))
        .collect()
}

/// `count` of `total` is a share of `expected`, to four standard deviations.
fn assert_share(count: usize, total: usize, expected: f64, what: &str) {
    let share = count as f64 / total as f64;
    let allowed = 4.0 * (expected * (1.0 - expected) / total as f64).sqrt() + 1e-12;
    assert!(
        (share - expected).abs() < allowed,
        "{what}: {share} is not {expected}"
    );
}

/// The deciles of `values` are `expected`, to `tolerance`.
fn assert_deciles(mut values: Vec<f64>, expected: &[f32], tolerance: f64, what: &str) {
    values.sort_by(f64::total_cmp);
    for (decile, expected) in expected.iter().enumerate() {
        let ours = values[values.len() * (decile + 1) / 10];
        assert!(
            (ours - f64::from(*expected)).abs() < tolerance,
            "{what}, decile {decile}: {ours}, not {expected}"
        );
    }
}

#[test]
fn crops_are_distributed_as_in_timm() {
    for (numbers, expected) in float_series(FILE, "crops") {
        let (width, height) = (numbers[0], numbers[1]);
        let config = SupervisedConfig::default();
        let drawn = draw(&config, width as usize, height as usize);

        let columns: [fn(&CropBox) -> f64; 4] = [
            |crop| (crop.width * crop.height) as f64,
            |crop| (crop.width as f64 / crop.height as f64).ln(),
            |crop| crop.left as f64,
            |crop| crop.top as f64,
        ];
        let units = [width * height, 1.0, width, height];
        for (number, expected) in expected.chunks_exact(9).enumerate() {
            let value = |params: &SupervisedParams| columns[number](&params.crop) / units[number];
            let what = format!("{width} x {height}, column {number}");
            assert_deciles(drawn.iter().map(value).collect(), expected, 0.03, &what);
        }
    }
}

#[test]
fn erased_rectangles_are_distributed_as_in_timm() {
    let config = SupervisedConfig {
        erase: EraseConfig {
            probability: 1.0,
            ..EraseConfig::default()
        },
        ..SupervisedConfig::default()
    };
    let drawn = draw(&config, 300, 200);
    let areas: Vec<CropBox> = drawn
        .iter()
        .filter_map(|params| params.erasure.as_ref())
        .map(|erasure| erasure.area)
        .collect();
    assert!(areas.len() > DRAWN * 99 / 100, "ten tries nearly always do");

    let columns: [fn(&CropBox) -> f64; 4] = [
        |area| (area.width * area.height) as f64 / (224.0 * 224.0),
        |area| (area.height as f64 / area.width as f64).ln(),
        |area| area.top as f64 / 224.0,
        |area| area.left as f64 / 224.0,
    ];
    let expected = floats(FILE, "erased");
    for (number, expected) in expected.chunks_exact(9).enumerate() {
        let values = areas.iter().map(columns[number]).collect();
        // Logarithms of ratios are spread over 2.4, the others over less than 1.
        let tolerance = if number == 1 { 0.07 } else { 0.03 };
        assert_deciles(values, expected, tolerance, &format!("column {number}"));
    }

    // The noise is normal, one number a value.
    let erasure = drawn[0].erasure.as_ref().expect("a rectangle");
    let noise = &erasure.noise;
    assert_eq!(noise.len(), 3 * erasure.area.width * erasure.area.height);
    let count = noise.len() as f32;
    let mean = noise.iter().sum::<f32>() / count;
    let variance = noise.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / count;
    assert!(mean.abs() < 4.0 / count.sqrt(), "{mean}");
    assert!((variance - 1.0).abs() < 6.0 / count.sqrt(), "{variance}");
}

#[test]
fn operations_come_as_often_as_configured() {
    let drawn = draw(&SupervisedConfig::default(), 300, 200);
    let flipped = drawn.iter().filter(|params| params.flip).count();
    assert_share(flipped, DRAWN, 0.5, "flip");
    let erased = drawn.iter().filter(|params| params.erasure.is_some());
    assert_share(erased.count(), DRAWN, 0.25, "erase");
    for (number, expected) in [0.25, 0.5, 0.25].into_iter().enumerate() {
        let count = drawn
            .iter()
            .filter(|params| params.distortions.len() == number);
        assert_share(count.count(), DRAWN, expected, "number of operations");
    }

    let all: Vec<&Distortion> = drawn.iter().flat_map(|p| &p.distortions).collect();
    for operation in RandAugmentOp::ALL {
        let count = all.iter().filter(|d| d.operation == operation).count();
        assert_share(count, all.len(), 1.0 / 15.0, "operation");
    }
    let negative = all.iter().filter(|d| d.negative).count();
    assert_share(negative, all.len(), 0.5, "sign");
    // With replacement: the same operation twice in a fifteenth of the pairs.
    let pairs: Vec<&[Distortion]> = drawn.iter().map(|p| &p.distortions[..]).collect();
    let pairs = pairs.into_iter().filter(|d| d.len() == 2);
    let twice = pairs.clone().filter(|d| d[0].operation == d[1].operation);
    assert_share(twice.count(), pairs.count(), 1.0 / 15.0, "twice");

    // Of a normal distribution around 9 with deviation 0.5, 2.275 % lie above 10.
    let largest = all.iter().filter(|d| d.magnitude == 10.0).count();
    assert_share(largest, all.len(), 0.022_75, "largest magnitude");
    let usual = all.iter().filter(|d| (d.magnitude - 9.0).abs() < 0.5);
    assert_share(usual.count(), all.len(), 0.682_69, "magnitude");
}
