use burn::tensor::{Device, TensorData};
use futures_lite::future::block_on;

use super::*;
use crate::model::{ComputePrecision, init};
use crate::pretrain::{Sequential, Snapshot};
use crate::rng::{Purpose, stream};
use crate::testing::{small_backbone, test};

const CLASSES: usize = 3;

fn config() -> FinetuneConfig {
    let mut config = FinetuneConfig::default();
    config.model.image_size = 16;
    config.model.classifier_scale = 1.0;
    config.optim.lr = 1e-2;
    config
}

fn state(config: &FinetuneConfig) -> FinetuneState {
    let device = Device::flex().autodiff();
    let rng = &mut stream(3, Purpose::Init, 0, 0);
    let backbone = config.model.backbone(small_backbone()).init(&device, rng);
    FinetuneState::new(backbone, CLASSES, config, 0, &device)
}

fn batch(images: usize) -> LabelledBatch {
    let device = Device::flex();
    let rng = &mut stream(1, Purpose::Init, 0, 0);
    let mut targets = vec![0.05f32; images * CLASSES];
    for image in 0..images {
        targets[image * CLASSES + image % CLASSES] = 0.9;
    }
    LabelledBatch {
        images: init::uniform([images, 3, 16, 16], 1.0, &device, rng)
            .val()
            .detach(),
        targets: Tensor::from_data(TensorData::new(targets, [images, CLASSES]), &device),
    }
}

fn part(batch: &LabelledBatch, start: usize, count: usize) -> LabelledBatch {
    LabelledBatch {
        images: batch.images.clone().narrow(0, start, count),
        targets: batch.targets.clone().narrow(0, start, count),
    }
}

const NOW: FinetuneValues = FinetuneValues {
    lr: 1e-2,
    weight_decay: 0.05,
};

fn snapshot(state: &FinetuneState) -> Snapshot {
    block_on(state.snapshot()).expect("the CPU works")
}

#[test]
fn steps_learn_their_targets() {
    let config = config();
    let mut state = state(&config);
    let batch = batch(4);
    let mut losses = Vec::new();
    for _ in 0..12 {
        let taken = step(&mut state, vec![batch.clone()], &NOW, &config, &Sequential);
        losses.push(block_on(taken).expect("the CPU works").loss);
    }
    let (first, last) = (losses[0], losses[11]);
    assert!(last < 0.8 * first, "{first} to {last}");
}

#[test]
fn micro_batches_add_up_to_the_batch() {
    let config = config();
    let batch = batch(3);
    let report = |parts: Vec<LabelledBatch>| {
        let mut state = state(&config);
        let taken = step(&mut state, parts, &NOW, &config, &Sequential);
        block_on(taken).expect("the CPU works")
    };
    let whole = report(vec![batch.clone()]);
    let parts = report(vec![part(&batch, 0, 2), part(&batch, 2, 1)]);

    assert!((whole.loss - parts.loss).abs() < 1e-6);
    assert!((whole.accuracy - parts.accuracy).abs() < 1e-6);
    assert!(whole.norms.0.len() > 20);
    for ((name, a), (_, b)) in whole.norms.0.iter().zip(&parts.norms.0) {
        assert!((a - b).abs() < 1e-5 * a.max(1e-2), "{name}: {a} and {b}");
    }
}

#[test]
fn a_step_that_is_not_finite_changes_nothing_but_the_loss_scale() {
    let mut config = config();
    config.optim.precision = ComputePrecision::F16;
    let mut state = state(&config);
    let mut before = snapshot(&state);

    let mut broken = batch(2);
    broken.images = broken.images * f32::NAN;
    let taken = step(&mut state, vec![broken], &NOW, &config, &Sequential);
    let report = block_on(taken).expect("the CPU works");
    assert!(!report.applied && !report.overflowed() && report.loss.is_nan());

    let mut after = snapshot(&state);
    let scales = [&mut before, &mut after].map(|snapshot| {
        let scale = snapshot.tensors.remove("loss_scale");
        scale.expect("16 bits").values[0]
    });
    assert_eq!(scales[1], scales[0] / 2.0);
    assert_eq!(after, before);
}

#[test]
fn a_restored_state_goes_on_bit_for_bit() {
    for lora_rank in [0, 2] {
        let mut config = config();
        config.model.lora_rank = lora_rank;
        let batch = batch(2);
        let mut first = state(&config);
        let take = |state: &mut FinetuneState| {
            let taken = step(state, vec![batch.clone()], &NOW, &config, &Sequential);
            assert!(block_on(taken).expect("the CPU works").applied);
        };

        take(&mut first);
        let kept = snapshot(&first);
        let mut second = state(&config)
            .restore(kept)
            .expect("of the same dimensions");
        take(&mut first);
        take(&mut second);
        assert_eq!(snapshot(&first), snapshot(&second));
    }
}

#[test]
fn low_ranks_and_last_blocks_leave_the_rest_as_it_is() {
    for (lora_rank, last_blocks) in [(2, 0), (0, 1)] {
        let mut config = config();
        config.model.lora_rank = lora_rank;
        config.model.last_blocks = last_blocks;
        let mut state = state(&config);
        let before = snapshot(&state).tensors;
        let taken = step(&mut state, vec![batch(2)], &NOW, &config, &Sequential);
        block_on(taken).expect("the CPU works");

        let after = snapshot(&state).tensors;
        let moved = |name: &str| before[name] != after[name];
        assert!(moved("network/classifier.weight"));
        assert!(!moved("network/backbone.patch_embed.proj.weight"));
        assert!(!moved("network/backbone.blocks.0.mlp.fc1.weight"));
        assert_eq!(
            moved("network/backbone.blocks.1.mlp.fc1.weight"),
            lora_rank == 0
        );
    }
}
