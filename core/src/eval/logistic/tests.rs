use burn::tensor::{Device, TensorData};
use futures_lite::future::block_on;
use serde::Deserialize;

use super::*;
use crate::testing::test;

/// What scripts/make_eval_logistic_fixtures.py wrote.
const FIXTURE: &str = include_str!("../../../../tests/fixtures/eval/logistic.json");

#[derive(Deserialize)]
struct Case {
    name: String,
    classes: usize,
    train: Vec<Vec<f32>>,
    train_labels: Vec<usize>,
    val: Vec<Vec<f32>>,
    fits: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    lambda: f64,
    objective: f64,
    predictions: Vec<usize>,
}

fn labelled(rows: &[Vec<f32>], labels: Vec<usize>) -> Labelled {
    let shape = [rows.len(), rows[0].len()];
    let data = TensorData::new(rows.concat(), shape);
    Labelled {
        features: Tensor::from_data(data, &Device::flex()),
        labels,
    }
}

/// `count` features around as many directions as there are classes.
fn toy(count: usize, classes: usize) -> Labelled {
    let mut rows = Vec::new();
    let mut labels = Vec::new();
    for i in 0..count {
        let label = i % classes;
        let mut row = vec![0.1 * (i as f32 * 0.7).sin(), 0.1, 0.0, 0.0, 0.0];
        row[label] += 2.0;
        rows.push(row);
        labels.push(label);
    }
    labelled(&rows, labels)
}

#[test]
fn minima_equal_those_of_scikit_learn() {
    let cases: Vec<Case> = serde_json::from_str(FIXTURE).expect("the fixture");
    assert!(cases.len() >= 3);
    for case in cases {
        let train = labelled(&case.train, case.train_labels);
        let val = labelled(&case.val, vec![0; case.val.len()]);
        let lambdas: Vec<f64> = case.fits.iter().map(|fit| fit.lambda).collect();
        let fits = block_on(logistic(&train, &val, case.classes, &lambdas)).expect("flex");

        for (fit, expected) in fits.iter().zip(&case.fits) {
            let name = format!("{} with lambda {}", case.name, fit.lambda);
            let difference = (fit.objective - expected.objective).abs();
            assert!(
                difference <= 1e-6 * expected.objective,
                "{name}: {}, expected {}",
                fit.objective,
                expected.objective
            );
            assert_eq!(fit.predictions, expected.predictions, "{name}");
            assert!(fit.gap <= 1e-11 * fit.objective, "{name}: {}", fit.gap);
            let bound = fit.gradient_norm.powi(2) / (2.0 * fit.lambda);
            assert!((fit.gap - bound).abs() <= 1e-9 * bound, "{name}");
        }
    }
}

#[test]
fn the_gap_bounds_the_distance_from_the_minimum() {
    let set = toy(30, 3);
    let rows = block_on(unit_rows(&set.features)).expect("flex");
    let objective = Objective {
        features: &rows,
        labels: &set.labels,
        dim: 5,
        classes: 3,
        lambda: 0.1,
    };
    let (end, iterations) = block_on(minimise(&objective));
    assert!(iterations > 2);

    for size in [0.0, 1e-3, 0.1, 10.0] {
        let moved = objective.at(&end.at + DMatrix::repeat(5, 3, size));
        let above = moved.value - end.value;
        let gap = objective.gap(&moved.gradient);
        assert!(above >= -1e-12 && above <= gap + 1e-12, "{above} > {gap}");
    }
}

#[test]
fn the_gradient_matches_finite_differences() {
    let set = toy(12, 3);
    let rows = block_on(unit_rows(&set.features)).expect("flex");
    let objective = Objective {
        features: &rows,
        labels: &set.labels,
        dim: 5,
        classes: 3,
        lambda: 0.3,
    };
    let at = DMatrix::from_fn(5, 3, |d, k| ((3 * d + 7 * k) as f64).sin());
    let gradient = objective.at(at.clone()).gradient;
    for i in 0..at.len() {
        let value = |change: f64| {
            let mut moved = at.clone();
            moved[i] += change;
            objective.at(moved).value
        };
        let difference = (value(1e-5) - value(-1e-5)) / 2e-5;
        assert!((difference - gradient[i]).abs() < 1e-9);
    }
}

#[test]
fn top1_counts_right_classes() {
    let train = toy(40, 4);
    let mut val = toy(8, 4);
    // One label is wrong, and one of a class that nothing was learned of.
    val.labels[0] = 2;
    val.labels[5] = 9;
    let fits = block_on(logistic(&train, &val, 4, &[0.01])).expect("flex");
    assert_eq!(fits[0].predictions, [0, 1, 2, 3, 0, 1, 2, 3]);
    assert_eq!(fits[0].top1, 0.75);
}

#[test]
fn what_cannot_be_fitted_is_named() {
    let refused = |train: &Labelled, classes, lambda| {
        let found = block_on(logistic(train, train, classes, &[lambda]));
        found.expect_err("refused").to_string()
    };
    let set = toy(9, 3);
    assert!(refused(&set, 4, 0.1).contains("class 3"));
    assert!(refused(&set, 2, 0.1).contains("class 2"));
    assert!(refused(&toy(3, 1), 1, 0.1).contains("two classes"));
    for lambda in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(refused(&set, 3, lambda).contains("positive"), "{lambda}");
    }
    let mut broken = set.clone();
    broken.features = broken.features * f32::NAN;
    assert!(refused(&broken, 3, 0.1).contains("not finite"));
}
