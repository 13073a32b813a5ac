//! The corruptions against the library imagecorruptions.

use safetensors::SafeTensors;

use super::draws::Draws;
use super::*;
use crate::testing::test;
use Corruption::*;

/// What scripts/make_corrupt_fixtures.py wrote.
const FIXTURE: &[u8] = include_bytes!("../../../../tests/fixtures/corrupt/corruptions.safetensors");

fn fixture() -> SafeTensors<'static> {
    SafeTensors::deserialize(FIXTURE).expect("a fixture")
}

fn picture(name: &str) -> RgbImage {
    let tensors = fixture();
    let tensor = tensors.tensor(name).expect("an image");
    let [height, width] = [0, 1].map(|axis| tensor.shape()[axis]);
    RgbImage::new(width, height, tensor.data().to_vec()).expect("pixels")
}

fn floats(name: &str) -> Option<Vec<f64>> {
    let tensors = fixture();
    let (values, _) = tensors.tensor(name).ok()?.data().as_chunks::<4>();
    Some(
        values
            .iter()
            .map(|bytes| f64::from(f32::from_le_bytes(*bytes)))
            .collect(),
    )
}

/// The numbers that the library drew.
struct Recorded(std::vec::IntoIter<f64>);

impl Draws for Recorded {
    fn normal(&mut self) -> f64 {
        self.0.next().expect("as many numbers as the library drew")
    }

    fn uniform(&mut self) -> f64 {
        self.normal()
    }

    fn offset(&mut self, _reach: isize) -> isize {
        self.normal() as isize
    }
}

fn no_jpeg(_: &RgbImage, _: u8) -> Result<RgbImage, String> {
    Err("no codec".to_owned())
}

/// What a corruption makes of the fixture's image with the numbers that the library drew for severity
/// `recorded`, where it draws.
fn corrupted(corruption: Corruption, severity: Severity, recorded: Severity) -> RgbImage {
    let image = &picture("image");
    let name = format!("{corruption}.{recorded}.draws");
    let draws = &mut Recorded(floats(&name).unwrap_or_default().into_iter());
    let texture = || picture("frost.texture");
    let result = match corruption {
        GaussianNoise => noise::gaussian_noise(image, severity, draws),
        SpeckleNoise => noise::speckle_noise(image, severity, draws),
        GlassBlur => blur::glass_blur(image, severity, draws),
        MotionBlur => blur::motion_blur(image, severity, draws),
        Snow => weather::snow(image, severity, draws),
        Frost => weather::frosted(image, severity, &texture()),
        Fog => weather::fog(image, severity, draws),
        ElasticTransform => digital::elastic_transform(image, severity, draws),
        Spatter => spatter::spatter(image, severity, draws),
        _ => {
            let rng = &mut corruption_stream(0, corruption, severity, 0);
            corrupt(image, corruption, severity, rng, &no_jpeg).expect("large enough")
        }
    };
    if severity == recorded {
        assert_eq!(
            draws.0.len(),
            0,
            "{corruption} {severity} draws less than the library"
        );
    }
    result
}

/// The largest difference of two images, and the share of values that differ by more than 1.
fn differences(a: &RgbImage, b: &RgbImage) -> (u8, f64) {
    let pairs = a.pixels().iter().zip(b.pixels());
    let all: Vec<u8> = pairs.map(|(a, b)| a.abs_diff(*b)).collect();
    let many = all.iter().filter(|difference| **difference > 1).count();
    (
        all.iter().max().copied().unwrap_or_default(),
        many as f64 / all.len() as f64,
    )
}

#[test]
fn given_its_draws_each_is_that_of_the_library() {
    let mut failures = Vec::new();
    for corruption in Corruption::ALL {
        if matches!(corruption, ShotNoise | ImpulseNoise | JpegCompression) {
            continue;
        }
        for severity in Severity::ALL {
            let expected = picture(&format!("{corruption}.{severity}.image"));
            let (worst, many) = differences(&corrupted(corruption, severity, severity), &expected);
            if worst > 1 {
                failures.push(format!("{corruption} {severity}: {worst}, {many:.3}"));
            }

            // Another severity with as many draws is no match.
            let other = Severity::new(severity.number() % 5 + 1).expect("1 to 5");
            if !matches!(corruption, GlassBlur) {
                let (_, many) = differences(&corrupted(corruption, other, severity), &expected);
                assert!(many > 0.01, "{corruption} {other} is like {severity}");
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Of 200 results less the image: the mean and the deviation of each channel, and the correlation of
/// pixels side by side.
fn statistics(corruption: Corruption, severity: Severity) -> [f64; 7] {
    const RUNS: usize = 200;
    let image = &picture("image");
    let mut changes = Vec::new();
    for run in 0..RUNS {
        let rng = &mut corruption_stream(0, corruption, severity, run);
        let result = corrupt(image, corruption, severity, rng, &no_jpeg).expect("large enough");
        let pairs = result.pixels().iter().zip(image.pixels());
        changes.extend(pairs.map(|(new, old)| f64::from(*new) - f64::from(*old)));
    }

    let mut found = [0.0; 7];
    for channel in 0..3 {
        let own: Vec<f64> = changes[channel..].iter().step_by(3).copied().collect();
        let (mean, deviation) = moments(&own);
        found[channel] = mean;
        found[3 + channel] = deviation;
    }
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for row in changes.chunks_exact(3 * image.width()) {
        left.extend_from_slice(&row[..row.len() - 3]);
        right.extend_from_slice(&row[3..]);
    }
    let ((left_mean, left_deviation), (right_mean, right_deviation)) =
        (moments(&left), moments(&right));
    let products = left
        .iter()
        .zip(&right)
        .map(|(a, b)| (a - left_mean) * (b - right_mean));
    let covariance = products.sum::<f64>() / left.len() as f64;
    found[6] = covariance / (left_deviation * right_deviation);
    found
}

fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / count;
    (mean, variance.sqrt())
}

/// Whether statistics agree: deviations to a share, means to the same share of the deviation,
/// correlations to the share itself.
fn agree(found: [f64; 7], expected: &[f64], share: f64) -> bool {
    let deviation = expected[3..6].iter().sum::<f64>() / 3.0;
    let near = |at: usize, scale: f64| (found[at] - expected[at]).abs() <= share * scale;
    (0..3).all(|at| near(at, deviation) && near(3 + at, expected[3 + at])) && near(6, 1.0)
}

#[test]
fn our_own_draws_have_the_statistics_of_the_librarys() {
    let mut failures = Vec::new();
    // Frost has textures of its own. Impulses are few, and others have few draws an image, so that 200
    // images still differ by chance.
    for (corruption, share, tells_severities) in [
        (GaussianNoise, 0.015, true),
        (ShotNoise, 0.015, true),
        (ImpulseNoise, 0.05, true),
        (SpeckleNoise, 0.015, true),
        (GlassBlur, 0.03, false),
        (MotionBlur, 0.08, false),
        (Snow, 0.08, false),
        (Fog, 0.12, false),
        (ElasticTransform, 0.04, false),
        (Spatter, 0.08, false),
    ] {
        let rows = floats(&format!("{corruption}.statistics")).expect("statistics");
        let rows: Vec<&[f64]> = rows.chunks_exact(7).collect();
        for severity in Severity::ALL {
            let found = statistics(corruption, severity);
            let own = severity.number() - 1;
            if !agree(found, rows[own], share) {
                failures.push(format!(
                    "{corruption} {severity}: {found:.2?} {:.2?}",
                    rows[own]
                ));
            }
            for (other, row) in rows.iter().enumerate() {
                let differs = other == own || !agree(found, row, share);
                assert!(differs || !tells_severities, "{corruption} {severity}");
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Mean and deviation of the brightness of a texture, and the share of the deviation that is left in
/// blocks of 8 x 8 pixels.
fn brightness_of(texture: &RgbImage) -> [f64; 3] {
    let gray = |x, y| texture.pixel(x, y).map(f64::from).iter().sum::<f64>() / 3.0;
    let (width, height) = (texture.width(), texture.height());
    let mut single = Vec::new();
    let mut blocks = vec![0.0; (width / 8) * (height / 8)];
    for y in 0..height {
        for x in 0..width {
            single.push(gray(x, y));
            blocks[y / 8 * (width / 8) + x / 8] += gray(x, y) / 64.0;
        }
    }
    let ((mean, deviation), (_, coarse)) = (moments(&single), moments(&blocks));
    [mean, deviation, coarse / deviation]
}

#[test]
fn frost_is_as_light_and_as_rough_as_the_photographs_of_the_library() {
    let photographs = floats("frost.photographs").expect("statistics");
    let mut drawn = Vec::new();
    for number in 0..60 {
        let rng = &mut corruption_stream(0, Frost, Severity::ALL[0], number);
        drawn.push(brightness_of(&texture::frost_texture(256, 256, rng)));
    }
    for (at, name, tolerance) in [(0, "mean", 15.0), (1, "deviation", 8.0), (2, "coarse", 0.1)] {
        let mean = |values: &mut dyn Iterator<Item = f64>| {
            let values: Vec<f64> = values.collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        let expected = mean(&mut photographs.iter().skip(at).step_by(3).copied());
        let found = mean(&mut drawn.iter().map(|row| row[at]));
        assert!(
            (found - expected).abs() < tolerance,
            "{name}: {found}, expected {expected}"
        );
    }
}

#[test]
fn what_cannot_be_corrupted_is_an_error() {
    let small = RgbImage::from_fn(31, 40, |_, _| [9; 3]);
    let rng = &mut corruption_stream(0, Fog, Severity::ALL[0], 0);
    let error = corrupt(&small, Fog, Severity::ALL[0], rng, &no_jpeg);
    assert_eq!(
        error,
        Err(CorruptError::TooSmall {
            width: 31,
            height: 40
        })
    );
    let image = &picture("image");
    let error = corrupt(image, JpegCompression, Severity::ALL[0], rng, &no_jpeg);
    assert_eq!(error, Err(CorruptError::Jpeg("no codec".to_owned())));
}

#[test]
fn images_without_contrast_and_of_odd_sizes_pass_all() {
    let keep = |image: &RgbImage, _| Ok(image.clone());
    for (width, height, color) in [
        (32, 32, [0; 3]),
        (33, 71, [255; 3]),
        (130, 32, [9, 99, 199]),
    ] {
        let image = RgbImage::from_fn(width, height, |_, _| color);
        for corruption in Corruption::ALL {
            for severity in Severity::ALL {
                let rng = &mut corruption_stream(1, corruption, severity, 0);
                let out = corrupt(&image, corruption, severity, rng, &keep).expect("an image");
                assert_eq!((out.width(), out.height()), (width, height));
            }
        }
    }
}

#[test]
fn names_are_those_of_folders() {
    for corruption in Corruption::ALL {
        assert_eq!(Corruption::named(corruption.name()), Some(corruption));
    }
    assert_eq!(Corruption::named("rain"), None);
    let two = Corruption::settings(&[Spatter, Fog], &[Severity::ALL[4]]);
    assert_eq!(two, [(Fog, Severity::ALL[4]), (Spatter, Severity::ALL[4])]);
    assert_eq!(Corruption::settings(&[], &[]).len(), 95);
    let standard = Corruption::ALL
        .into_iter()
        .filter(|kind| kind.is_standard());
    assert_eq!(standard.count(), 15);
    assert_eq!(Severity::new(0), None);
    assert_eq!(Severity::new(6), None);
    assert_eq!(Severity::new(5).map(Severity::number), Some(5));
}
