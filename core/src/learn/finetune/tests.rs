//! Gradients, what learns and what does not, and sessions that go on.

use futures_lite::future::block_on;

use super::*;
use crate::features::feature;
use crate::testing::{small_backbone, test};
use crate::weights::Weight;

const MODES: [Mode; 2] = [Mode::Lora { rank: 2 }, Mode::LastBlocks(1)];

fn backbone() -> Backbone {
    small_backbone().init(&Device::flex(), &mut stream(4, Purpose::Init, 0, 0))
}

fn settings(mode: Mode) -> FineTuneSettings {
    FineTuneSettings {
        batch: 6,
        steps: 40,
        lr: 3e-3,
        ..FineTuneSettings::new(mode, 16)
    }
}

/// Steps on all images, and what the last measured.
fn run(session: &mut FineTune, steps: usize) -> Progress {
    let images = images();
    let all = (0..steps).map(|_| block_on(session.step(&examples(&images))).expect("flex"));
    all.last().expect("at least one step")
}

fn session(mode: Mode) -> FineTune {
    FineTune::new(
        backbone(),
        &Classifier::zeros(32, 2),
        settings(mode),
        &Device::flex(),
    )
    .expect("sound settings")
}

/// Stripes along x or along y, shifted from image to image.
fn images() -> Vec<(RgbImage, usize)> {
    let stripes = |shift: usize, class: usize| {
        RgbImage::from_fn(20, 20, |x, y| {
            [if ([x, y][class] + shift) % 6 < 3 {
                220
            } else {
                40
            }; 3]
        })
    };
    (0..12).map(|i| (stripes(i / 2, i % 2), i % 2)).collect()
}

fn examples(images: &[(RgbImage, usize)]) -> Vec<Example<'_>> {
    images
        .iter()
        .map(|(image, class)| Example {
            image,
            class: *class,
        })
        .collect()
}

/// Moves every weight that learns, so that nothing is special: LoRA's second factors start at zero.
fn shaken(mut session: FineTune) -> FineTune {
    let faster = FineTuneSettings {
        lr: 0.05,
        ..session.settings.clone()
    };
    session.lr = faster.learning_rate();
    run(&mut session, 3);
    session
}

#[test]
fn gradients_match_finite_differences() {
    let images = images();
    for mode in MODES {
        let session = shaken(session(mode));
        let (pixels, targets) = session.batch(&examples(&images)).expect("sound examples");
        let loss = |model: &ClassifierNetwork| {
            let logits = model.forward(pixels.clone(), &mut None);
            cross_entropy(logits, &targets).0
        };
        let gradients = NamedGradients::of(&session.model, loss(&session.model).backward());
        let values = block_on(weights::read(&session.model)).expect("flex");
        let mut checked = 0;
        for (name, gradient) in &gradients.0 {
            // Stored as they are, and flat: these need no layout.
            if !(name.contains("lora") || name.ends_with("bias") || name.contains("norm")) {
                continue;
            }
            let gradient: Vec<f32> = gradient.try_to_vec_as().expect("floats");
            let largest = (0..gradient.len())
                .max_by(|a, b| gradient[*a].abs().total_cmp(&gradient[*b].abs()));
            let at = largest.expect("not empty");
            let moved = |change: f32| {
                let mut weight: Weight = values[name].clone();
                weight.values[at] += change;
                let change = Weights::from([(name.clone(), weight)]);
                let (model, _) =
                    weights::write_present(session.model.clone(), &change).expect("the same shape");
                f64::from(loss(&model).into_scalar::<f32>())
            };
            let (step, exact) = (4e-3, f64::from(gradient[at]));
            let difference = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
            assert!(
                (difference - exact).abs() < 0.02 * exact.abs() + 2e-4,
                "{name}: {exact}, difference {difference}"
            );
            checked += 1;
        }
        assert!(checked > 8, "{checked} tensors");
    }
}

#[test]
fn only_what_should_learn_changes() {
    for (mode, learns) in [
        (MODES[0], ["lora.a", "lora.b", "classifier", "classifier"]),
        (
            MODES[1],
            [
                "backbone.blocks.1.",
                "backbone.norm.",
                "classifier",
                "classifier",
            ],
        ),
    ] {
        let before = block_on(weights::read(&session(mode).model)).expect("flex");
        let after = block_on(weights::read(&shaken(session(mode)).model)).expect("flex");
        for (name, weight) in &after {
            let should = learns.iter().any(|part| name.contains(part));
            assert_eq!(*weight != before[name], should, "{name}");
        }
    }
}

#[test]
fn both_modes_learn_stripes() {
    let images = images();
    for mode in MODES {
        let settings = FineTuneSettings {
            batch: 12,
            steps: 60,
            lr: 0.02,
            ..settings(mode)
        };
        let fresh = FineTune::new(
            backbone(),
            &Classifier::zeros(32, 2),
            settings,
            &Device::flex(),
        );
        let mut session = fresh.expect("sound settings");
        let first = run(&mut session, 1);
        assert!(
            (first.loss - std::f64::consts::LN_2).abs() < 1e-6,
            "a classifier of zeros knows nothing"
        );
        run(&mut session, 59);
        for (image, class) in &images {
            let p = block_on(session.predict(image)).expect("flex");
            assert!(
                p[*class] > 0.7 && (p[0] + p[1] - 1.0).abs() < 1e-5,
                "{mode:?}: {p:?} for {class}"
            );
        }
    }
}

#[test]
fn the_merged_network_predicts_the_same() {
    let images = images();
    for mode in MODES {
        let session = shaken(session(mode));
        let (backbone, classifier) = block_on(session.tuned()).expect("flex");
        let names = block_on(weights::read(&backbone)).expect("flex");
        assert!(names.keys().all(|name| !name.contains("lora")));
        for (image, _) in &images {
            let feature = block_on(feature(&backbone, image, 16, &Device::flex())).expect("flex");
            let merged = classifier.predict(&feature).expect("one width");
            for (a, b) in merged
                .iter()
                .zip(block_on(session.predict(image)).expect("flex"))
            {
                assert!((a - b).abs() < 1e-5, "{mode:?}: {a} and {b}");
            }
        }
    }
}

#[test]
fn a_restored_session_continues_bit_for_bit() {
    for mode in MODES {
        let mut whole = session(mode);
        run(&mut whole, 3);
        let state = block_on(whole.state()).expect("flex");
        assert!(
            state.keys().all(|name| !name.contains("patch_embed")),
            "what is frozen is not stored"
        );
        let mut again = session(mode).restore(&state).expect("its own state");
        assert_eq!(run(&mut whole, 3), run(&mut again, 3));
        assert_eq!(
            block_on(whole.state()).expect("flex"),
            block_on(again.state()).expect("flex")
        );
        let mut broken = state;
        broken.remove("exp_avg/classifier.weight");
        assert!(matches!(
            session(mode).restore(&broken),
            Err(WeightsError::Missing(_))
        ));
    }
}

#[test]
fn what_cannot_work_is_named() {
    let problem = |change: fn(&mut FineTuneSettings)| {
        let mut settings = settings(MODES[0]);
        change(&mut settings);
        match FineTune::new(
            backbone(),
            &Classifier::zeros(32, 2),
            settings,
            &Device::flex(),
        ) {
            Err(TuneError::Settings(problems)) => problems.found()[0].key.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(problem(|s| s.size = 18), "size");
    assert_eq!(problem(|s| s.size = 0), "size");
    assert_eq!(problem(|s| s.mode = Mode::Lora { rank: 0 }), "rank");
    assert_eq!(problem(|s| s.mode = Mode::LastBlocks(3)), "last_blocks");
    assert_eq!(problem(|s| s.batch = 0), "batch");
    assert_eq!(problem(|s| s.steps = 0), "steps");
    assert_eq!(problem(|s| s.lr = f64::NAN), "lr");
    assert_eq!(problem(|s| s.crop_scale = 0.0), "crop_scale");
    assert_eq!(problem(|s| s.flip = 2.0), "flip");
    let narrow = FineTune::new(
        backbone(),
        &Classifier::zeros(16, 2),
        settings(MODES[0]),
        &Device::flex(),
    );
    assert!(matches!(
        narrow,
        Err(TuneError::Width {
            expected: 32,
            actual: 16
        })
    ));
    let images = images();
    let wrong = [Example {
        image: &images[0].0,
        class: 2,
    }];
    assert!(matches!(
        block_on(session(MODES[0]).step(&wrong)),
        Err(TuneError::Label { .. })
    ));
    assert!(matches!(
        block_on(session(MODES[0]).step(&[])),
        Err(TuneError::Empty)
    ));
}
