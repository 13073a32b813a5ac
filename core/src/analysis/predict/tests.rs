use futures_lite::future::block_on;

use super::*;
use crate::testing::{small_network, test};
use crate::weights;

const TEMP: f64 = 0.1;

fn image() -> RgbImage {
    RgbImage::from_fn(24, 16, |x, y| {
        [(x * 10) as u8, (y * 15) as u8, (x * y) as u8]
    })
}

/// A 4 x 6 grid.
fn mask(masked: &[usize]) -> Mask {
    Mask::new(4, 6, (0..24).map(|patch| masked.contains(&patch)).collect())
}

fn options() -> PredictOptions {
    PredictOptions {
        student_temp: TEMP,
        teacher_patch_temp: TEMP,
        ..PredictOptions::default()
    }
}

fn predicted(
    student: &Network,
    teacher: &Network,
    mask: &Mask,
    options: &PredictOptions,
) -> MaskedPrediction {
    block_on(predict(
        student,
        teacher,
        &image(),
        mask,
        options,
        &Device::flex(),
    ))
    .expect("a prediction")
}

/// Distributions of a network's patches in f64, the definition without a tensor.
fn distributions(
    network: &Network,
    masks: &[Mask],
    center: &[f64],
    temperature: f64,
) -> Vec<Vec<f64>> {
    let tokens =
        network
            .backbone
            .forward(pixels(&image(), 4, 6, 4, &Device::flex()), masks, &mut None);
    let tokens = tokens.into_patches().flatten::<2>(0, 1);
    let logits: Vec<f32> = network
        .head
        .patch_logits(network.head.patch_bottleneck(tokens))
        .try_into_vec_as()
        .expect("floats");
    let softmax = |logits: &[f32]| {
        let exps: Vec<f64> = logits
            .iter()
            .zip(center)
            .map(|(l, c)| ((f64::from(*l) - c) / temperature).exp())
            .collect();
        let total: f64 = exps.iter().sum();
        exps.iter().map(|e| e / total).collect()
    };
    logits.chunks(12).map(softmax).collect()
}

fn argmax(row: &[f64]) -> usize {
    (0..row.len())
        .max_by(|a, b| row[*a].total_cmp(&row[*b]))
        .expect("a row")
}

fn divergence(target: &[f64], prediction: &[f64]) -> f64 {
    target
        .iter()
        .zip(prediction)
        .map(|(t, p)| t * (t / p).ln())
        .sum()
}

#[test]
fn every_number_follows_from_the_two_distributions() {
    let device = Device::flex();
    let (student, teacher) = (
        small_network(1, &device),
        small_network(2, &device).teacher(true),
    );
    let mask = mask(&[3, 4, 9, 10, 20]);
    let center: Vec<f64> = (0..12).map(|k| f64::from(k) * 0.02 - 0.1).collect();
    let values: Vec<f32> = center.iter().map(|c| *c as f32).collect();
    let center_tensor = Tensor::<1>::from_data(&values[..], &device).unsqueeze();
    let options = PredictOptions {
        center: Some(center_tensor),
        teacher_patch_temp: 0.05,
        ..options()
    };
    let found = predicted(&student, &teacher, &mask, &options);

    let targets = distributions(&teacher, &[], &center, 0.05);
    let guesses = distributions(&student, std::slice::from_ref(&mask), &[0.0; 12], TEMP);
    assert_eq!(
        found
            .patches
            .iter()
            .map(|patch| patch.patch)
            .collect::<Vec<_>>(),
        [3, 4, 9, 10, 20]
    );
    for patch in &found.patches {
        let (target, guess) = (&targets[patch.patch], &guesses[patch.patch]);
        assert_eq!(
            (patch.teacher, patch.student),
            (argmax(target), argmax(guess))
        );
        assert!((f64::from(patch.teacher_probability) - target[patch.teacher]).abs() < 1e-5);
        assert!((f64::from(patch.student_probability) - guess[patch.teacher]).abs() < 1e-5);
        assert_eq!(
            patch.rank,
            guess.iter().filter(|p| **p > guess[patch.teacher]).count()
        );
        assert!((f64::from(patch.divergence) - divergence(target, guess)).abs() < 1e-4);
        let mut visible: Vec<usize> = (0..24).filter(|patch| !mask.cells()[*patch]).collect();
        visible.sort_by(|a, b| {
            divergence(&targets[*a], guess).total_cmp(&divergence(&targets[*b], guess))
        });
        assert_eq!(
            patch
                .nearest
                .iter()
                .map(|near| near.patch)
                .collect::<Vec<_>>(),
            visible[..5]
        );
        let best = f64::from(patch.nearest[0].similarity);
        assert!((best + divergence(&targets[visible[0]], guess)).abs() < 1e-4);
    }
    let right = found
        .patches
        .iter()
        .filter(|patch| patch.student == patch.teacher)
        .count();
    assert_eq!(
        (found.student.top1, found.prototypes),
        (right as f64 / 5.0, 12)
    );
}

/// Where every patch embeds to the mask token, nothing is hidden.
#[test]
fn a_student_that_sees_agrees_with_its_teacher() {
    let device = Device::flex();
    let network = small_network(3, &device);
    let mut weights = block_on(weights::read(&network)).expect("a working device");
    let token: Vec<f32> = (0..16).map(|i| (i as f32).sin()).collect();
    weights
        .get_mut("backbone.patch_embed.proj.weight")
        .expect("the projection")
        .values
        .fill(0.0);
    weights
        .get_mut("backbone.patch_embed.proj.bias")
        .expect("its bias")
        .values
        .clone_from(&token);
    weights
        .get_mut("backbone.masked_embed")
        .expect("the mask token")
        .values = token;
    let student = weights::write(network, &weights).expect("its own weights");
    let found = predicted(
        &student,
        &student.clone().teacher(true),
        &mask(&[1, 7, 8]),
        &options(),
    );
    assert_eq!(
        found.student,
        Agreement {
            top1: 1.0,
            top5: 1.0
        }
    );
    for patch in &found.patches {
        assert!(patch.divergence.abs() < 1e-5, "{patch:?}");
        assert!(
            (patch.student_probability - patch.teacher_probability).abs() < 1e-5,
            "{patch:?}"
        );
    }
}

#[test]
fn with_all_masked_nothing_is_near() {
    let network = small_network(4, &Device::flex());
    let found = predicted(
        &network,
        &network,
        &mask(&(0..24).collect::<Vec<_>>()),
        &options(),
    );
    assert_eq!(
        (found.patches.len(), found.patches[0].nearest.len()),
        (24, 0)
    );
}

#[test]
fn what_does_not_fit_is_named() {
    let device = Device::flex();
    let student = small_network(5, &device);
    let fails = |student: &Network, mask: &Mask, options: &PredictOptions| {
        block_on(predict(
            student,
            &small_network(6, &device),
            &image(),
            mask,
            options,
            &device,
        ))
        .expect_err("a mistake")
    };
    assert!(matches!(
        fails(&student, &mask(&[]), &options()),
        PredictError::NothingMasked {
            rows: 4,
            columns: 6
        }
    ));
    assert!(matches!(
        fails(&student.clone().teacher(true), &mask(&[1]), &options()),
        PredictError::NoMaskToken
    ));
    let center = PredictOptions {
        center: Some(Tensor::zeros([1, 11], &device)),
        ..options()
    };
    let error = fails(&student, &mask(&[1]), &center);
    assert!(
        matches!(
            error,
            PredictError::Prototypes {
                what: "center",
                actual: 11,
                teacher: 12
            }
        ),
        "{error}"
    );
}
