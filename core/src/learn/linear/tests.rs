use rand::RngExt as _;

use super::*;
use crate::learn::classifier::most_likely;
use crate::rng::{Purpose, stream};
use crate::testing::test;

/// `count` features of `dim` random values; the class is in the first, faintly.
fn set(count: usize, dim: usize, classes: usize) -> FeatureSet {
    let mut rng = stream(3, Purpose::Init, 0, 0);
    let rows: Vec<Vec<f32>> = (0..count)
        .map(|i| {
            (0..dim)
                .map(|d| {
                    rng.random::<f32>() * 4.0 + if d == 0 { (i % classes) as f32 } else { 7.0 }
                })
                .collect()
        })
        .collect();
    FeatureSet::new(
        dim,
        classes,
        rows.iter()
            .enumerate()
            .map(|(i, row)| (&row[..], i % classes)),
    )
    .expect("sound")
}

#[test]
fn the_gradient_matches_finite_differences() {
    let mut head = LinearHead::new(
        &set(20, 5, 3),
        HeadSettings {
            weight_decay: 0.1,
            ..HeadSettings::default()
        },
    )
    .expect("sound settings");
    for _ in 0..3 {
        head.step();
    }
    let at = head.now.clone();
    let (_, gradient) = head.objective(&at);
    let loss = |at: &Parameters| head.objective(at).0.loss;
    for i in 0..at.weight.len() + at.bias.len() {
        let moved = |change: f32| {
            let mut at = at.clone();
            at.weight
                .iter_mut()
                .chain(at.bias.iter_mut())
                .nth(i)
                .into_iter()
                .for_each(|v| *v += change);
            loss(&at)
        };
        let difference = (moved(1e-2) - moved(-1e-2)) / 2e-2;
        let exact = f64::from(
            *gradient
                .weight
                .iter()
                .chain(gradient.bias.iter())
                .nth(i)
                .expect("in range"),
        );
        assert!(
            (difference - exact).abs() < 1e-4,
            "element {i}: {exact}, finite difference {difference}"
        );
    }
}

#[test]
fn it_converges_to_the_minimum_of_a_case_solved_by_hand() {
    // Two images at +1 and -1 after standardisation, one of each class: W = (-w, w), b = 0, and
    // the minimum is where decay * w = 1 / (1 + exp(2 w)).
    let set = FeatureSet::new(1, 2, [(&[5.0][..], 0), (&[3.0], 1)]).expect("sound");
    let decay = 0.05f32;
    let settings = HeadSettings {
        weight_decay: f64::from(decay),
        ..HeadSettings::default()
    };
    let mut head = LinearHead::new(&set, settings).expect("sound settings");
    assert!((head.step().loss - std::f64::consts::LN_2).abs() < 1e-6);
    for _ in 0..settings.steps {
        head.step();
    }
    let w = head.now.weight[(0, 0)];
    assert!(
        ((decay * w) - 1.0 / (1.0 + (2.0 * w).exp())).abs() < 1e-5,
        "w = {w}"
    );
    assert!((head.now.weight[(0, 1)] + w).abs() < 1e-5 && head.now.bias.amax() < 1e-5);
    // The classifier takes features as they are: halfway between the two it cannot decide.
    let p = head.classifier().predict(&[4.0]).expect("width 1");
    assert!((p[0] - 0.5).abs() < 1e-4);
    assert!(
        (head.classifier().predict(&[5.0]).expect("width 1")[0] - 1.0 / (1.0 + (-2.0 * w).exp()))
            .abs()
            < 1e-4
    );
}

#[test]
fn the_default_steps_end_at_the_minimum() {
    let mut head =
        LinearHead::new(&set(40, 64, 4), HeadSettings::default()).expect("sound settings");
    let start = head.step();
    for _ in 1..HeadSettings::default().steps {
        head.step();
    }
    let (end, gradient) = head.objective(&head.now);
    assert!(gradient.weight.norm() < 1e-3, "{}", gradient.weight.norm());
    assert!(
        end.loss < start.loss / 3.0 && end.accuracy == 1.0,
        "{start:?} {end:?}"
    );
}

#[test]
fn constant_columns_say_nothing() {
    let rows = [[1.0, 0.1], [1.0, 0.9], [1.0, 0.2], [1.0, 0.8]];
    let set = FeatureSet::new(
        2,
        2,
        rows.iter().enumerate().map(|(i, row)| (&row[..], i % 2)),
    )
    .expect("sound");
    let mut head = LinearHead::new(&set, HeadSettings::default()).expect("sound settings");
    for _ in 0..50 {
        head.step();
    }
    let classifier = head.classifier();
    assert_eq!((classifier.weight()[0], classifier.weight()[2]), (0.0, 0.0));
    assert_eq!(
        most_likely(&classifier.predict(&[1e6, 0.9]).expect("width 2")),
        1
    );
}

#[test]
fn a_restored_head_continues_bit_for_bit() {
    let set = set(12, 6, 3);
    let mut head = LinearHead::new(&set, HeadSettings::default()).expect("sound settings");
    for _ in 0..5 {
        head.step();
    }
    let again = LinearHead::new(&set, HeadSettings::default()).expect("sound settings");
    let mut again = again.restore(&head.state()).expect("its own state");
    assert_eq!(
        (head.step(), head.classifier(), head.steps()),
        (again.step(), again.classifier(), 6)
    );
    let mut broken = head.state();
    broken.remove("before.bias");
    assert!(
        matches!(head.restore(&broken), Err(WeightsError::Missing(name)) if name == "before.bias")
    );
}

#[test]
fn no_decay_is_refused() {
    let settings = |weight_decay| HeadSettings {
        weight_decay,
        ..HeadSettings::default()
    };
    for weight_decay in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(
            LinearHead::new(&set(4, 2, 2), settings(weight_decay)),
            Err(TuneError::Settings(_))
        ));
    }
}
