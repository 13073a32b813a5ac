use std::collections::HashMap;

use futures_lite::future::block_on;

use super::*;
use crate::image::normalize::normalize_into;
use crate::scenes;
use crate::testing::{small_backbone, small_network, test};
use crate::weights;
use crate::weights::{StoredPrecision, to_safetensors};

fn images() -> Vec<RgbImage> {
    (0..10)
        .map(|i| scenes::scene(scenes::Split::Train, i, 24).image)
        .collect()
}

fn session() -> Adapt {
    let device = Device::flex();
    let student = small_network(1, &device.clone().autodiff());
    let settings = AdaptSettings {
        size: 16,
        batch: 4,
        steps: 20,
        local_crops: 2,
        lr: 1e-3,
        ..Default::default()
    };
    Adapt::new(student, settings, &device).expect("sound settings")
}

fn run(session: &mut Adapt, steps: usize) -> StepReport {
    let images = images();
    let images: Vec<&RgbImage> = images.iter().collect();
    let all = (0..steps).map(|_| block_on(session.step(&images)).expect("flex"));
    all.last().expect("at least one step")
}

#[test]
fn the_batch_is_the_papers() {
    let session = session();
    let images = images();
    let batch = session.batch(&images.iter().collect::<Vec<_>>());
    assert_eq!(batch.globals.dims(), [8, 3, 16, 16]);
    assert_eq!(batch.locals.map(|locals| locals.dims()), Some([8, 3, 8, 8]));
    assert_eq!((batch.masks.len(), batch.images), (8, 4));
    assert!(
        batch
            .masks
            .iter()
            .all(|mask| (mask.rows(), mask.columns()) == (4, 4))
    );
    // The second row of the batch is the second image's first crop, not the first one's second.
    let second = sampler::batch(0, 10, 4, 0)[1];
    let rng = |crop| crop_stream(0, Purpose::Augment, second.epoch, second.image, crop);
    let Config { crops, augment, .. } = &session.config;
    let views = multi_crop(&images[second.image], crops, augment, rng);
    let mut expected = vec![0.0; 3 * 16 * 16];
    normalize_into(&views.globals[0], &mut expected);
    let actual = batch.globals.narrow(0, 1, 1).into_data();
    assert_eq!(actual.iter::<f32>().collect::<Vec<_>>(), expected);
}

#[test]
fn steps_move_student_and_teacher() {
    let mut session = session();
    let before = block_on(weights::read(session.backbone())).expect("flex");
    let report = run(&mut session, 4);
    let losses = report.losses;
    assert!(report.applied && losses.total.is_finite() && losses.patch > 0.0);
    assert_ne!(
        block_on(weights::read(session.backbone())).expect("flex"),
        before
    );
    assert!(matches!(block_on(session.step(&[])), Err(TuneError::Empty)));
}

#[test]
fn a_restored_session_continues_bit_for_bit() {
    let mut whole = session();
    run(&mut whole, 2);
    let state = block_on(whole.state()).expect("flex");
    let mut again = session().restore(&state).expect("its own state");
    assert_eq!(run(&mut whole, 2).losses, run(&mut again, 2).losses);
    assert_eq!(
        block_on(whole.state()).expect("flex"),
        block_on(again.state()).expect("flex")
    );
    let mut broken = state;
    broken.remove("center2");
    assert!(matches!(
        session().restore(&broken),
        Err(TuneError::Weights(_))
    ));
}

#[test]
fn a_file_without_head_or_mask_token_gets_fresh_ones() {
    let device = Device::flex();
    let backbone = small_backbone()
        .init(&device, &mut stream(4, Purpose::Init, 0, 0))
        .without_mask_token();
    let weights = block_on(weights::timm(&backbone, None)).expect("flex");
    let bytes =
        to_safetensors(&weights, HashMap::new(), StoredPrecision::F32).expect("sound weights");
    let checkpoint = Checkpoint::read(&bytes, None).expect("its own bytes");
    let config = checkpoint.config(Some(2)).expect("a vision transformer");
    let (student, _) = Adapt::student(&checkpoint, &config, 0, &device).expect("a whole backbone");
    let all = block_on(weights::read(&student)).expect("flex");
    assert_eq!(student.head.prototypes(), 256);
    assert!(all.contains_key("backbone.masked_embed"));
    assert!(
        weights
            .iter()
            .all(|(name, weight)| all[&format!("backbone.{name}")] == *weight)
    );
}

#[test]
fn local_crops_are_whole_patches() {
    let local = |size, patch| {
        AdaptSettings {
            size,
            ..AdaptSettings::default()
        }
        .crops(patch)
        .local_size
    };
    assert_eq!(
        [local(224, 16), local(224, 14), local(32, 8), local(8, 8)],
        [96, 98, 16, 8]
    );
}
