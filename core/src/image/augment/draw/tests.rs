use super::*;
use crate::image::RgbImage;
use crate::image::fixture::floats;
use crate::rng::{Purpose, stream};
use crate::testing::test;

const FILE: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/fixtures/augment/draws.safetensors"
));
const DRAWN: usize = 8000;

fn draw(
    role: Role,
    width: usize,
    height: usize,
    scale: [f64; 2],
    config: &AugmentConfig,
) -> Vec<ViewParams> {
    let mut rng = stream(5, Purpose::Augment, 1, 2);
    (0..DRAWN)
        .map(|_| ViewParams::draw(width, height, role, scale, config, &mut rng))
        .collect()
}

/// Four standard deviations of a share around one half.
fn assert_share(drawn: &[ViewParams], what: impl Fn(&ViewParams) -> bool, expected: f64) {
    let share = drawn.iter().filter(|params| what(params)).count() as f64 / drawn.len() as f64;
    assert!(
        (share - expected).abs() < 0.022,
        "{share} is not {expected}"
    );
}

#[test]
fn operations_come_as_often_as_configured() {
    let config = AugmentConfig::default();
    for (role, blur, solarize) in [
        (Role::FirstGlobal, 1.0, 0.0),
        (Role::OtherGlobal, 0.1, 0.2),
        (Role::Local, 0.5, 0.0),
    ] {
        let drawn = draw(role, 400, 400, [0.14, 1.0], &config);
        assert_share(&drawn, |params| params.flip, 0.5);
        assert_share(&drawn, |params| !params.jitter.is_empty(), 0.8);
        assert_share(&drawn, |params| params.grayscale, 0.2);
        assert_share(&drawn, |params| params.blur.is_some(), blur);
        assert_share(&drawn, |params| params.solarize, solarize);
        // Independent of one another.
        assert_share(&drawn, |params| params.flip && params.grayscale, 0.1);
        assert_share(
            &drawn,
            |params| params.blur.is_some_and(|radius| radius < 0.575),
            blur / 4.0,
        );
        assert!(
            drawn
                .iter()
                .filter_map(|params| params.blur)
                .all(|radius| (0.1..=2.0).contains(&radius))
        );
    }
}

#[test]
fn jitter_factors_are_uniform_and_in_any_order() {
    let drawn = draw(
        Role::Local,
        400,
        400,
        [0.05, 0.4],
        &AugmentConfig::default(),
    );
    let range = |op: &ColorOp| match *op {
        ColorOp::Brightness(factor) => (0, factor, [0.6, 1.4]),
        ColorOp::Contrast(factor) => (1, factor, [0.6, 1.4]),
        ColorOp::Saturation(factor) => (2, factor, [0.8, 1.2]),
        ColorOp::Hue(factor) => (3, factor, [-0.1, 0.1]),
        ColorOp::Grayscale => panic!("grayscale is not part of the jitter"),
    };
    for params in drawn.iter().filter(|params| !params.jitter.is_empty()) {
        let mut kinds: Vec<_> = params.jitter.iter().map(|op| range(op).0).collect();
        assert!(
            params
                .jitter
                .iter()
                .map(range)
                .all(|(_, factor, [low, high])| (low..=high).contains(&factor))
        );
        kinds.sort_unstable();
        assert_eq!(kinds, [0, 1, 2, 3]);
    }
    for kind in 0..4 {
        for place in 0..4 {
            let at = |params: &ViewParams| {
                params
                    .jitter
                    .get(place)
                    .is_some_and(|op| range(op).0 == kind)
            };
            assert_share(&drawn, at, 0.8 / 4.0);
        }
        let low_quarter = |params: &ViewParams| {
            params
                .jitter
                .iter()
                .map(range)
                .any(|(found, factor, [low, high])| {
                    found == kind && factor < low + (high - low) / 4.0
                })
        };
        assert_share(&drawn, low_quarter, 0.8 / 4.0);
    }
}

#[test]
fn crops_are_distributed_as_in_torchvision() {
    for (width, height, scale) in [
        (400, 400, [0.14, 1.0]),
        (500, 333, [0.05, 0.4]),
        (333, 500, [0.4, 1.0]),
        (60, 400, [0.14, 1.0]),
    ] {
        let drawn = draw(
            Role::FirstGlobal,
            width,
            height,
            scale,
            &AugmentConfig::default(),
        );
        let high = if scale[1] == 1.0 {
            "1.0".to_owned()
        } else {
            scale[1].to_string()
        };
        let expected = floats(FILE, &format!("crops/{width}/{height}/{}/{high}", scale[0]));
        let columns: [fn(&CropBox, f64, f64) -> f64; 4] = [
            |crop, width, height| (crop.width * crop.height) as f64 / (width * height),
            |crop, _, _| (crop.width as f64 / crop.height as f64).ln(),
            |crop, width, _| crop.left as f64 / width,
            |crop, _, height| crop.top as f64 / height,
        ];
        for (column, expected) in columns.iter().zip(expected.chunks_exact(9)) {
            let mut values: Vec<f64> = drawn
                .iter()
                .map(|params| column(&params.crop, width as f64, height as f64))
                .collect();
            values.sort_by(f64::total_cmp);
            for (decile, expected) in expected.iter().enumerate() {
                let ours = values[DRAWN * (decile + 1) / 10];
                assert!(
                    (ours - f64::from(*expected)).abs() < 0.03,
                    "{width} x {height}: {ours}, not {expected}"
                );
            }
        }
    }
}

#[test]
fn senseless_numbers_do_not_panic() {
    let config = AugmentConfig {
        crop_ratio: [f64::NAN, -1.0],
        color_jitter: f64::INFINITY,
        brightness: 1e30,
        contrast: -4.0,
        hue: 7.0,
        blur_local: 2.0,
        blur_radius: [-3.0, f64::INFINITY],
        ..AugmentConfig::default()
    };
    let image = RgbImage::from_fn(5, 4, |x, y| [x as u8 * 40, y as u8 * 60, 90]);
    let mut rng = stream(5, Purpose::Augment, 1, 2);
    for scale in [
        [0.0, 0.0],
        [f64::NAN, 1.0],
        [-5.0, -1.0],
        [1e300, f64::INFINITY],
    ] {
        for ratio in [
            [f64::NAN, -1.0],
            [0.0, 0.0],
            [1e9, 1e-9],
            [f64::INFINITY, 1.0],
        ] {
            let config = AugmentConfig {
                crop_ratio: ratio,
                ..config.clone()
            };
            let view =
                ViewParams::draw(5, 4, Role::Local, scale, &config, &mut rng).apply(&image, 6);
            assert_eq!((view.width(), view.height()), (6, 6));
        }
    }
}
