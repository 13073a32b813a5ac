//! Attentive probes against PyTorch, and their own promises.

use burn::tensor::{Device, Tensor};
use futures_lite::future::block_on;

use super::*;
use crate::eval::ProbeError;
use crate::rng::{Purpose, stream};
use crate::testing::{max_difference, test};
use crate::weights::{self, Weights, from_safetensors};

const FILE: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/fixtures/eval/attentive.safetensors"
));
const CLASSES: usize = 4;
const STEPS: usize = 6;

fn fixture() -> Weights {
    let (weights, _) = from_safetensors(FILE).expect("a safetensors file");
    weights
}

/// The tensors whose names start with `prefix`, without it.
fn part(weights: &Weights, prefix: &str) -> Weights {
    let mut part = Weights::new();
    for (name, weight) in weights {
        if let Some(name) = name.strip_prefix(prefix) {
            part.insert(name.to_owned(), weight.clone());
        }
    }
    part
}

fn images(weights: &Weights) -> PatchFeatures {
    let (tokens, labels) = (&weights["tokens"], &weights["labels"].values);
    let shape: [usize; 3] = tokens.shape.clone().try_into().expect("three extents");
    let patches = Tensor::<1>::from_floats(tokens.values.as_slice(), &Device::flex());
    PatchFeatures {
        patches: patches.reshape(shape),
        labels: labels.iter().map(|label| *label as usize).collect(),
    }
}

fn settings(rates: Vec<f64>) -> AttentiveSettings {
    AttentiveSettings {
        classes: CLASSES,
        queries: 3,
        rates,
        weight_decay: 0.1,
        steps: STEPS,
        seed: 1,
    }
}

fn head(weights: &Weights) -> AttentiveHead {
    let mut rng = stream(1, Purpose::Init, 0, 0);
    let head = AttentiveHead::init(128, CLASSES, 3, &Device::flex(), &mut rng);
    weights::write(head, &part(weights, "before/")).expect("the weights of a probe")
}

#[test]
fn logits_are_those_of_pytorchs_attention() {
    let weights = fixture();
    let logits = head(&weights).forward(images(&weights).patches);
    let expected = &weights["logits"];
    let expected = Tensor::<1>::from_floats(expected.values.as_slice(), &Device::flex());
    let difference = max_difference(&logits.flatten::<1>(0, 1), &expected);
    assert!(difference < 1e-5, "{difference}");
}

#[test]
fn six_steps_are_those_of_pytorchs_adamw() {
    let weights = fixture();
    let images = images(&weights);
    let settings = settings(vec![2e-3]);
    let mut fit = AttentiveFit::starting_from(&head(&weights), &settings, images.clone());
    for expected in &weights["losses"].values {
        fit.step(images.patches.clone(), &images.labels)
            .expect("images that fit");
        let scores = block_on(fit.end_epoch()).expect("a probe that learns");
        let difference = (scores[0].loss - f64::from(*expected)).abs();
        assert!(difference < 1e-5, "{} is not {expected}", scores[0].loss);
    }

    let learned = block_on(weights::read(&fit.head(0))).expect("flex");
    for (name, expected) in part(&weights, "after/") {
        let values = learned[&name].values.iter().zip(&expected.values);
        for (value, expected) in values {
            assert!(
                (value - expected).abs() < 1e-5,
                "{name}: {value}, {expected}"
            );
        }
    }
}

#[test]
fn a_probe_learns_what_a_mean_of_patches_hides() {
    // The class is in one patch of sixteen, at a random place; the others are far larger noise in
    // other channels. A mean buries it, attention finds it.
    let device = Device::flex();
    let mut rng = stream(9, Purpose::Init, 0, 0);
    let mut draw = |count: usize| {
        let (width, patches) = (16, 16);
        let mut values = Vec::new();
        let mut labels = Vec::new();
        for image in 0..count {
            let (label, place) = (image % CLASSES, image * 7 % patches);
            for patch in 0..patches {
                for channel in 0..width {
                    let noise: f32 = rand::RngExt::random(&mut rng);
                    let signal = match (patch == place, channel) {
                        (true, 0) => 6.0,
                        (true, _) if channel == label + 1 => 4.0,
                        (false, _) if channel > 0 => 4.0 * noise,
                        _ => 0.0,
                    };
                    values.push(signal);
                }
            }
            labels.push(label);
        }
        let patches = Tensor::<1>::from_floats(values.as_slice(), &device);
        PatchFeatures {
            patches: patches.reshape([count, 16, width]),
            labels,
        }
    };
    let (train, val) = (draw(128), draw(64));

    let settings = AttentiveSettings {
        steps: 150,
        ..settings(vec![1e-2, f64::NAN])
    };
    let mut fit = AttentiveFit::new(&settings, val).expect("images that fit");
    for _ in 0..150 {
        fit.step(train.patches.clone(), &train.labels)
            .expect("images that fit");
    }
    block_on(fit.end_epoch()).expect("one probe learns");
    let (epochs, best) = fit.best().expect("an epoch");
    assert_eq!((epochs, best.rate), (1, 1e-2), "the other one diverged");
    assert!(best.top1 > 0.95, "{best:?}");
    assert!(!fit.scores()[1].loss.is_finite());
}

#[test]
fn what_does_not_fit_is_an_error() {
    let val = images(&fixture());
    let one_class = AttentiveSettings {
        classes: 1,
        ..settings(vec![1e-3])
    };
    let fit = AttentiveFit::new(&one_class, val.clone());
    assert!(matches!(fit, Err(ProbeError::Classes(1))));

    let mut fit = AttentiveFit::new(&settings(vec![1e-3]), val.clone()).expect("four classes");
    let narrow = val.patches.clone().narrow(2, 0, 64);
    assert!(matches!(
        fit.step(narrow, &val.labels),
        Err(ProbeError::Width {
            expected: 128,
            actual: 64
        })
    ));
    assert!(matches!(
        fit.step(val.patches, &[4; 10]),
        Err(ProbeError::Label {
            label: 4,
            classes: 4
        })
    ));
}
