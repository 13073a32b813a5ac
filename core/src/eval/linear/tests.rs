//! The linear evaluation against PyTorch, and its own promises.

use burn::tensor::{Device, Tensor, TensorData};
use futures_lite::future::block_on;

use super::*;
use crate::eval::ProbeError;
use crate::eval::knn::Labelled;
use crate::image::fixture::floats;
use crate::optim::Schedule;
use crate::testing::{assert_close, max_difference, test};

const FILE: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/fixtures/eval/linear.safetensors"
));
const WIDTH: usize = 12;
const CLASSES: usize = 5;
const BATCH: usize = 32;
const EPOCHS: usize = 5;
/// Places in the official sweep.
const HEADS: [usize; 4] = [0, 24, 29, 39];

fn matrix<const R: usize>(name: &str, shape: [usize; R]) -> Tensor<R> {
    Tensor::from_data(TensorData::new(floats(FILE, name), shape), &Device::flex())
}

fn images() -> Labelled {
    let labels: Vec<usize> = floats(FILE, "labels").iter().map(|l| *l as usize).collect();
    Labelled {
        features: matrix("features", [labels.len(), WIDTH]),
        labels,
    }
}

fn heads(places: &[usize]) -> LinearSweep {
    let all = official_rates(BATCH);
    LinearSweep::starting_from(
        matrix("weight", [WIDTH, CLASSES]),
        Tensor::zeros([1, CLASSES], &Device::flex()),
        places.iter().map(|place| all[*place]).collect(),
    )
    .expect("five classes")
}

/// The batches of the fixture, the last of an epoch smaller.
fn batches(images: &Labelled) -> Vec<(usize, Tensor<2>, Vec<usize>)> {
    let count = images.labels.len();
    let order: Vec<usize> = floats(FILE, "order").iter().map(|i| *i as usize).collect();
    let mut batches = Vec::new();
    for (epoch, order) in order.chunks(count).enumerate() {
        for batch in order.chunks(BATCH) {
            let rows: Vec<Tensor<2>> = batch
                .iter()
                .map(|image| images.features.clone().narrow(0, *image, 1))
                .collect();
            let labels = batch.iter().map(|image| images.labels[*image]).collect();
            batches.push((epoch, Tensor::cat(rows, 0), labels));
        }
    }
    batches
}

#[test]
fn heads_follow_pytorch_for_twenty_steps() {
    let mut sweep = heads(&HEADS);
    let schedule = Schedule::cosine(1.0, 0.0, EPOCHS);
    let trajectories = HEADS.map(|head| {
        matrix(
            &format!("trajectory/{head}"),
            [EPOCHS * 4, WIDTH + 1, CLASSES],
        )
    });

    for (step, (epoch, features, labels)) in batches(&images()).into_iter().enumerate() {
        sweep
            .step(features, &labels, schedule.at(epoch))
            .expect("images that fit");
        for (place, trajectory) in trajectories.iter().enumerate() {
            let expected = trajectory.clone().narrow(0, step, 1).squeeze_dim::<2>(0);
            let classifier = block_on(sweep.classifier(place)).expect("flex");
            let values = [
                transposed(classifier.weight(), CLASSES),
                classifier.bias().to_vec(),
            ]
            .concat();
            assert_close(&expected.flatten(0, 1), &values, 1e-5);
        }
    }
}

/// A row-major matrix of `rows` rows, column by column.
fn transposed(values: &[f32], rows: usize) -> Vec<f32> {
    let columns = values.len() / rows;
    (0..values.len())
        .map(|i| values[i % rows * columns + i / rows])
        .collect()
}

#[test]
fn scores_are_those_of_pytorch() {
    let images = images();
    let mut fit = LinearFit::new(heads(&HEADS), EPOCHS, images.clone()).expect("images that fit");
    let steps_an_epoch = images.labels.len().div_ceil(BATCH);
    for (step, (_, features, labels)) in batches(&images).into_iter().enumerate() {
        fit.step(features, &labels).expect("images that fit");
        if (step + 1) % steps_an_epoch == 0 {
            block_on(fit.end_epoch()).expect("heads that learn");
        }
    }

    assert_eq!(fit.epochs(), EPOCHS);
    for (head, score) in HEADS.iter().zip(fit.scores()) {
        let expected = floats(FILE, &format!("score/{head}"));
        assert!((score.loss - f64::from(expected[0])).abs() < 1e-5);
        assert!((score.top1 - f64::from(expected[1])).abs() < 1e-6);
        assert_eq!(score.top5, 1.0, "there are five classes");
    }
    let best = fit.best().expect("after five epochs");
    assert!(best.score.top1 >= fit.scores()[3].top1);
    assert_eq!(best.score.rate, official_rates(BATCH)[HEADS[best.head]]);
}

#[test]
fn rates_and_schedule_are_the_official_ones() {
    let rates = official_rates(1024);
    let expected = floats(FILE, "rates");
    assert_eq!((rates.len(), expected.len()), (45, 45));
    for (rate, expected) in rates.iter().zip(expected) {
        assert!((rate / f64::from(expected) - 1.0).abs() < 1e-6);
    }

    let schedule = Schedule::cosine(1.0, 0.0, 100);
    let expected = floats(FILE, "cosine");
    for epoch in [0, 50, 99] {
        assert!((schedule.at(epoch) - f64::from(expected[epoch])).abs() < 1e-6);
    }
    assert!(schedule.at(99) > 0.0);
}

#[test]
fn a_head_learns_the_same_alone() {
    let (images, device) = (images(), Device::flex());
    let rates = official_rates(BATCH);
    let train = |rates: &[f64]| {
        let sweep = LinearSweep::new(WIDTH, CLASSES, rates.to_vec(), 7, &device);
        let sweep = sweep.expect("five classes");
        let mut fit = LinearFit::new(sweep, 4, images.clone()).expect("images that fit");
        for _ in 0..4 {
            block_on(fit.cached_epoch(&images, BATCH, 3)).expect("heads that learn");
        }
        fit
    };

    let all = train(&rates);
    for head in [3, 20, 40] {
        let alone = train(&rates[head..=head]);
        let together = &all.scores()[head];
        assert_eq!(alone.scores()[0].top1, together.top1);
        assert!((alone.scores()[0].loss - together.loss).abs() < 1e-6);
    }
}

#[test]
fn diverged_heads_are_never_best_and_leave_the_others_alone() {
    let images = images();
    let train = |rates: &[f64]| {
        let sweep = LinearSweep::new(WIDTH, CLASSES, rates.to_vec(), 7, &Device::flex());
        let mut fit = LinearFit::new(sweep.expect("five classes"), 3, images.clone())?;
        for _ in 0..3 {
            block_on(fit.cached_epoch(&images, BATCH, 3))?;
        }
        Ok::<_, ProbeError>(fit)
    };

    let fit = train(&[0.1, 1e38, f64::NAN]).expect("one head learns");
    assert!(fit.scores()[0].loss < 1.0);
    assert!(!fit.scores()[1].loss.is_finite() && !fit.scores()[2].loss.is_finite());
    assert_eq!(fit.scores()[2].top1, 0.0, "nonsense is never right");
    assert_eq!(fit.best().map(|best| best.head), Some(0));
    assert!(matches!(train(&[f64::NAN]), Err(ProbeError::Diverged(1))));
}

#[test]
fn what_does_not_fit_is_an_error() {
    let device = Device::flex();
    let new = |classes| LinearSweep::new(4, classes, vec![0.1], 0, &device);
    assert!(matches!(new(1), Err(ProbeError::Classes(1))));

    let mut sweep = new(3).expect("three classes");
    let features = Tensor::<2>::zeros([2, 4], &device);
    let narrow = Tensor::<2>::zeros([2, 3], &device);
    assert!(sweep.step(features.clone(), &[0, 2], 1.0).is_ok());
    assert!(matches!(
        sweep.step(narrow, &[0, 1], 1.0),
        Err(ProbeError::Width {
            expected: 4,
            actual: 3
        })
    ));
    assert!(matches!(
        sweep.step(features, &[0, 3], 1.0),
        Err(ProbeError::Label {
            label: 3,
            classes: 3
        })
    ));
}

#[test]
fn first_weights_are_small_and_equal_in_all_heads() {
    let device = Device::flex();
    let sweep = LinearSweep::new(300, 10, vec![0.1, 0.2], 5, &device).expect("ten classes");
    let [first, second] = [0, 1].map(|head| block_on(sweep.classifier(head)).expect("flex"));
    assert_eq!(first, second);
    let weight = Tensor::<1>::from_floats(first.weight(), &device);
    let deviation: f32 = weight.clone().square().mean().sqrt().into_scalar();
    assert!((deviation - 0.01).abs() < 5e-4, "{deviation}");
    assert_eq!(first.bias(), [0.0; 10]);
    let other = LinearSweep::new(300, 10, vec![0.1], 6, &device).expect("ten classes");
    let other = block_on(other.classifier(0)).expect("flex");
    let other = Tensor::<1>::from_floats(other.weight(), &device);
    assert!(max_difference(&weight.unsqueeze::<2>(), &other.unsqueeze::<2>()) > 0.01);
}
