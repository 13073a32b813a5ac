use super::erase::rectangle;
use super::*;
use crate::image::fixture::{Fixture, difference, float_series, floats};
use crate::image::resize::CropBox;
use crate::rng::{Purpose, stream};
use crate::testing::test;

const OPERATIONS: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/fixtures/finetune/operations.safetensors"
));
const VIEW: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/fixtures/finetune/view.safetensors"
));

fn distortion(operation: RandAugmentOp, magnitude: f64, negative: bool) -> Distortion {
    Distortion {
        operation,
        magnitude,
        negative,
    }
}

#[test]
fn every_operation_matches_pillow_exactly() {
    let fixture = Fixture::images(OPERATIONS);
    // A picture of all values, one of few values, and one too small for some operations.
    for picture in ["source", "narrow", "tiny"] {
        for operation in RandAugmentOp::ALL {
            let name = format!("{picture}/{operation:?}");
            for (numbers, expected) in fixture.series(&name) {
                let mut ours = fixture.get(picture);
                distortion(operation, numbers[0], numbers[1] < 0.0).apply(&mut ours);
                let found = difference(&format!("{name} {numbers:?}"), &ours, &expected);
                assert_eq!(found, (0.0, 0), "{name} {numbers:?}");
            }
        }
    }
}

#[test]
fn images_without_bits_are_black() {
    // Magnitude 10 keeps no bit, which Pillow of today refuses.
    let mut image = Fixture::images(OPERATIONS).get("source");
    distortion(RandAugmentOp::Posterize, 10.0, false).apply(&mut image);
    assert!(image.pixels().iter().all(|value| *value == 0));
}

#[test]
fn operations_take_images_of_any_size() {
    for (width, height) in [(1, 1), (2, 1), (1, 5), (3, 2)] {
        for operation in RandAugmentOp::ALL {
            for magnitude in [0.0, 9.0, 10.0] {
                let mut image = RgbImage::from_fn(width, height, |x, y| [x as u8, y as u8, 200]);
                distortion(operation, magnitude, true).apply(&mut image);
                assert_eq!((image.width(), image.height()), (width, height));
            }
        }
    }
}

#[test]
fn whole_views_match_timm() {
    let crop = CropBox {
        left: 21,
        top: 9,
        width: 81,
        height: 70,
    };
    let erasure = Erasure {
        area: CropBox {
            left: 5,
            top: 11,
            width: 13,
            height: 7,
        },
        noise: floats(VIEW, "noise"),
    };
    let params = SupervisedParams {
        crop,
        flip: true,
        distortions: vec![
            distortion(RandAugmentOp::Rotate, 8.7, true),
            distortion(RandAugmentOp::Color, 9.4, false),
        ],
        erasure: Some(erasure),
    };

    let source = Fixture::images(VIEW).get("source");
    let mut ours = vec![0.0; 3 * 48 * 48];
    params.write(&source, 48, &mut ours);

    // Two levels of 255 where resizing rounds otherwise than Pillow, in few places.
    let expected = floats(VIEW, "view");
    let gaps = ours.iter().zip(&expected).map(|(a, b)| (a - b).abs());
    let largest = gaps.clone().fold(0.0, f32::max);
    let mean = gaps.sum::<f32>() / expected.len() as f32;
    println!("view: mean {mean:.6}, largest {largest:.4}");
    assert!(largest < 2.1 / 255.0 / 0.224 && mean < 1e-3);

    // The noise is exact.
    let row = |values: &[f32]| values[(48 + 11) * 48 + 5..][..13].to_vec();
    assert_eq!(row(&ours), row(&expected));
}

#[test]
fn rectangles_are_those_of_timm() {
    for (numbers, expected) in float_series(VIEW, "rectangle") {
        let [size, area, ratio] = numbers[..] else {
            panic!("three numbers, not {numbers:?}");
        };
        // What does not fit is negative in the fixture.
        let sides = rectangle(size as usize, area, ratio);
        let sides = sides.map_or([-1.0; 2], |sides| sides.map(|side| side as f32));
        assert_eq!(sides[..], expected, "{numbers:?}");
    }
}

#[test]
fn parts_can_be_turned_off() {
    let config = SupervisedConfig {
        crop_scale: [1.0, 1.0],
        crop_ratio: [0.01, 100.0],
        flip: 0.0,
        rand_augment: RandAugmentConfig {
            probability: 0.0,
            ..RandAugmentConfig::default()
        },
        erase: EraseConfig {
            probability: 0.0,
            ..EraseConfig::default()
        },
    };
    let image = Fixture::images(VIEW).get("source");
    let square = image.width().min(image.height());
    let image = crate::image::resize::resize(&image, square, square);

    let mut expected = vec![0.0; image.pixels().len()];
    crate::image::normalize::normalize_into(&image, &mut expected);
    let mut ours = vec![0.0; expected.len()];
    let mut rng = stream(7, Purpose::Augment, 3, 0);
    supervised_view(&image, square, &config, &mut rng, &mut ours);
    assert_eq!(ours, expected);
}

#[test]
fn a_stream_gives_the_same_view_again() {
    let image = Fixture::images(VIEW).get("source");
    let config = SupervisedConfig::default();
    let view = |number: u64| {
        let mut rng = stream(7, Purpose::Augment, 4, number);
        let mut out = vec![0.0; 3 * 32 * 32];
        supervised_view(&image, 32, &config, &mut rng, &mut out);
        out
    };
    assert_eq!(view(0), view(0));
    assert_ne!(view(0), view(1));
}

#[test]
fn views_of_any_size_and_settings_do_not_panic() {
    let config = SupervisedConfig {
        crop_scale: [f64::NAN, 1.0],
        crop_ratio: [0.0, f64::INFINITY],
        flip: f64::NAN,
        rand_augment: RandAugmentConfig {
            ops: 16,
            magnitude: f64::INFINITY,
            magnitude_std: f64::NAN,
            probability: 2.0,
        },
        erase: EraseConfig {
            probability: 1.0,
            area: [-1.0, 1e300],
            ratio: [0.0, f64::NAN],
        },
    };
    let mut rng = stream(7, Purpose::Augment, 5, 0);
    for config in [config, SupervisedConfig::default()] {
        for (width, height, size) in [(1, 1, 1), (5, 3, 2), (1, 400, 7)] {
            let image = RgbImage::from_fn(width, height, |x, y| [x as u8, y as u8, 9]);
            for _ in 0..50 {
                let mut out = vec![0.0; 3 * size * size];
                supervised_view(&image, size, &config, &mut rng, &mut out);
                assert!(out.iter().all(|value| value.is_finite()));
            }
        }
    }
}
