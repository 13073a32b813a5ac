use rand::RngExt as _;
use serde::Deserialize;

use super::*;
use crate::pretrain::targets::{Centers, MeanLogits, distribution};
use crate::rng::{Purpose, stream};
use crate::testing::{assert_close, gradient_check, test};

fn random(rows: usize, columns: usize, seed: u64) -> Vec<f64> {
    let mut rng = stream(seed, Purpose::Init, 0, 0);
    (0..rows * columns)
        .map(|_| f64::from((2.0 * rng.random::<f32>() - 1.0) * 0.5))
        .collect()
}

fn tensor(values: &[f64], rows: usize, device: &Device) -> Tensor<2> {
    let columns = values.len() / rows;
    Tensor::from_data(
        TensorData::new(values.iter().map(|v| *v as f32).collect(), [rows, columns]),
        device,
    )
}

fn softmax(row: &[f64], temperature: f64) -> Vec<f64> {
    let exps: Vec<f64> = row.iter().map(|v| (v / temperature).exp()).collect();
    let total: f64 = exps.iter().sum();
    exps.iter().map(|e| e / total).collect()
}

fn entropy_between(target: &[f64], student: &[f64]) -> f64 {
    target
        .iter()
        .zip(softmax(student, 0.1))
        .map(|(t, s)| -t * s.ln())
        .sum()
}

/// Equation 1 as a double loop over views, in f64.
#[test]
fn cls_loss_is_the_mean_over_pairs() {
    let device = Device::flex();
    let (batch, globals, k) = (3, 2, 7);
    for locals in [0, 4] {
        let crops = globals + locals;
        let student = random(crops * batch, k, 1);
        let teacher = random(globals * batch, k, 2);
        let center = random(1, k, 3);

        let mut expected = 0.0;
        let mut pairs = 0;
        for q in 0..globals {
            for v in (0..crops).filter(|v| *v != q) {
                pairs += 1;
                for b in 0..batch {
                    let row: Vec<f64> = teacher[(q * batch + b) * k..][..k]
                        .iter()
                        .zip(&center)
                        .map(|(t, c)| t - c)
                        .collect();
                    expected +=
                        entropy_between(&softmax(&row, 0.05), &student[(v * batch + b) * k..][..k])
                            / batch as f64;
                }
            }
        }

        let target = distribution(
            tensor(&teacher, globals * batch, &device),
            tensor(&center, 1, &device),
            0.05,
        );
        let actual: f32 = cls_loss(
            tensor(&student, crops * batch, &device),
            target,
            globals,
            0.1,
        )
        .into_scalar();
        assert!(
            (f64::from(actual) - expected / f64::from(pairs)).abs() < 1e-5,
            "{locals} local crops"
        );
    }
}

/// Equation 2 as the official code writes it: all patches, multiplied by the mask, a mean over
/// crops.
#[test]
fn patch_loss_averages_over_crops_with_and_without_masks() {
    let device = Device::flex();
    let k = 5;
    let masks = [
        Mask::new(1, 4, vec![true, false, true, true]),
        Mask::empty(1, 4),
        Mask::new(1, 4, vec![false, true, false, false]),
    ];
    let student = random(12, k, 4);
    let teacher = random(12, k, 5);

    let mut expected = 0.0;
    let mut rows = Vec::new();
    for (crop, mask) in masks.iter().enumerate() {
        for patch in mask.patches(true) {
            let row = crop * 4 + patch;
            rows.push(row);
            expected += entropy_between(
                &softmax(&teacher[row * k..][..k], 0.05),
                &student[row * k..][..k],
            ) / mask.count().max(1) as f64
                / masks.len() as f64;
        }
    }

    let pick = |values: &[f64]| {
        rows.iter()
            .flat_map(|r| values[r * k..][..k].to_vec())
            .collect::<Vec<_>>()
    };
    let target = distribution(
        tensor(&pick(&teacher), 4, &device),
        Tensor::zeros([1, k], &device),
        0.05,
    );
    let actual: f32 = patch_loss(
        tensor(&pick(&student), 4, &device),
        target,
        patch_weights(&masks, 0.0, &device),
        0.1,
    )
    .into_scalar();
    assert!((f64::from(actual) - expected).abs() < 1e-5);
}

#[test]
fn gradients_match_finite_differences() {
    let device = Device::flex().autodiff();
    let target = distribution(
        tensor(&random(4, 6, 6), 4, &device),
        Tensor::zeros([1, 6], &device),
        0.1,
    );
    let student = tensor(&random(10, 6, 7), 10, &device);
    gradient_check(student, |s| cls_loss(s, target.clone(), 2, 0.1), 1e-2);

    let masks = [
        Mask::new(1, 3, vec![true, true, false]),
        Mask::new(1, 3, vec![true, true, false]),
    ];
    let student = tensor(&random(4, 6, 8), 4, &device);
    gradient_check(
        student,
        |s| patch_loss(s, target.clone(), patch_weights(&masks, 0.0, &device), 0.1),
        1e-2,
    );
}

const FIXTURE: &str = include_str!("../../../../tests/fixtures/pretrain/patches.json");

/// What lightly computes from the logits of all patches of some crops.
#[derive(Deserialize)]
struct Fixture {
    crops: usize,
    side: usize,
    prototypes: usize,
    teacher_temp: f64,
    momentum: f64,
    masked: Vec<bool>,
    student: Vec<f64>,
    teacher: Vec<f64>,
    old_center: Vec<f64>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    /// Weight of visible patches.
    visible: f64,
    loss: f64,
    /// Of the logits of all patches.
    gradient: Vec<f32>,
    center: Vec<f32>,
}

impl Fixture {
    /// Rows of the patches that count: all, or the masked ones.
    fn rows(&self, all: bool) -> Vec<usize> {
        let rows = 0..self.masked.len();
        rows.filter(|row| all || self.masked[*row]).collect()
    }

    fn pick(&self, values: &[f64], rows: &[usize], device: &Device) -> Tensor<2> {
        let mut picked = Vec::new();
        for row in rows {
            picked.extend_from_slice(&values[row * self.prototypes..][..self.prototypes]);
        }
        tensor(&picked, rows.len(), device)
    }
}

#[test]
fn patch_losses_and_centers_are_those_of_the_reference() {
    let fixture: Fixture = serde_json::from_str(FIXTURE).expect("the fixture");
    let device = Device::flex();
    let grid = fixture.side * fixture.side;
    let masks: Vec<Mask> = (fixture.masked.chunks(grid))
        .map(|cells| Mask::new(fixture.side, fixture.side, cells.to_vec()))
        .collect();
    assert_eq!((masks.len(), fixture.cases.len()), (fixture.crops, 3));

    for case in &fixture.cases {
        // lightly's center follows all patches that it is given.
        let all = case.visible > 0.0;
        let rows = fixture.rows(all);
        let center = tensor(&fixture.old_center, 1, &device);
        let teacher = fixture.pick(&fixture.teacher, &rows, &device);
        let targets = distribution(teacher.clone(), center.clone(), fixture.teacher_temp);

        let student = fixture.pick(&fixture.student, &rows, &device.clone().autodiff());
        let student = student.require_grad();
        let weights = patch_weights(&masks, case.visible, &student.device());
        let loss = patch_loss(student.clone(), Tensor::from_inner(targets), weights, 0.1);
        let gradient = student.grad(&loss.backward()).expect("a gradient");
        let value: f64 = loss.into_scalar();
        assert!((value - case.loss).abs() < 1e-5, "{}: {value}", case.name);

        let mut expected = Vec::new();
        for row in &rows {
            expected.extend_from_slice(
                &case.gradient[row * fixture.prototypes..][..fixture.prototypes],
            );
        }
        assert_close(&gradient.reshape([expected.len()]), &expected, 1e-5);

        let mut centers = Centers {
            cls: Tensor::zeros([1, 2], &device),
            patch: center,
        };
        let share = rows.len() as f64 / fixture.masked.len() as f64;
        let mean = MeanLogits {
            cls: Tensor::zeros([1, 2], &device),
            patch: teacher.mean_dim(0) * share,
            patch_share: Tensor::full([1, 1], share, &device),
        };
        let config = LossConfig {
            center_from: if all {
                CenterFrom::All
            } else {
                CenterFrom::Masked
            },
            center_momentum2: fixture.momentum,
            ..LossConfig::default()
        };
        centers.update(mean, &config);
        assert_close(
            &centers.patch.reshape([fixture.prototypes]),
            &case.center,
            1e-6,
        );
    }
}
