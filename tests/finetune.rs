//! Three steps of fine-tuning against the official implementation, number for number.
//!
//! `scripts/make_finetune_fixtures.py` wrote the fixture.

#![cfg(not(target_family = "wasm"))]

use std::collections::HashMap;

use burn::tensor::{Device, Tensor};
use futures_lite::future::block_on;
use ibot_core::finetune::config::FinetuneConfig;
use ibot_core::finetune::mix::Mixing;
use ibot_core::finetune::{
    ClassifierPass, FinetuneReport, FinetuneSchedules, FinetuneState, HostLabelledBatch, step,
};
use ibot_core::optim::NamedGradients;
use ibot_core::pretrain::{Activations, Engine, Lane, Sequential};
use ibot_core::rng::{Purpose, stream};
use ibot_core::weights::{
    self, Checkpoint, StoredPrecision, Weight, Weights, from_safetensors, to_safetensors,
};
use ibot_tests::relative_error;
use serde::Deserialize;

#[derive(Deserialize)]
struct Record {
    network: NetworkSize,
    optim: Optim,
    label_smoothing: f64,
    steps_per_epoch: usize,
    lr: Vec<f64>,
    weight_decay: Vec<f64>,
    parameters: HashMap<String, Parameter>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct NetworkSize {
    image_size: usize,
    heads: usize,
    classes: usize,
}

#[derive(Deserialize)]
struct Optim {
    lr: f64,
    min_lr: f64,
    weight_decay: f64,
    weight_decay_end: f64,
    layer_decay: f64,
    epochs: usize,
    warmup_epochs: usize,
}

#[derive(Deserialize)]
struct Parameter {
    lr_scale: f64,
    decays: bool,
}

#[derive(Deserialize)]
struct Step {
    step: usize,
    labels: Vec<usize>,
    mixing: Drawn,
    loss: f64,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Drawn {
    Mixup {
        lambda: f64,
    },
    Cutmix {
        lambda: f64,
        row: usize,
        column: usize,
    },
    None,
}

struct Fixture {
    record: Record,
    tensors: Weights,
}

impl Fixture {
    fn read() -> Self {
        let record = include_str!("fixtures/finetune/steps.json");
        let tensors = include_bytes!("fixtures/finetune/steps.safetensors");
        Self {
            record: serde_json::from_str(record).expect("the record"),
            tensors: from_safetensors(tensors).expect("the tensors").0,
        }
    }

    fn config(&self) -> FinetuneConfig {
        let optim = &self.record.optim;
        let mut config = FinetuneConfig::default();
        config.model.image_size = self.record.network.image_size;
        config.model.drop_path = 0.0;
        config.optim.lr = optim.lr;
        config.optim.min_lr = optim.min_lr;
        config.optim.weight_decay = optim.weight_decay;
        config.optim.weight_decay_end = optim.weight_decay_end;
        config.optim.layer_decay = optim.layer_decay;
        config.optim.epochs = optim.epochs;
        config.optim.warmup_epochs = optim.warmup_epochs;
        config
    }

    fn initial_state(&self, config: &FinetuneConfig) -> FinetuneState {
        let size = &self.record.network;
        let mut weights = Weights::new();
        for (name, weight) in &self.tensors {
            if let Some(name) = name.strip_prefix("init/") {
                weights.insert(name.to_owned(), weight.clone());
            }
        }
        let file = to_safetensors(&weights, HashMap::new(), StoredPrecision::F32);
        let checkpoint = Checkpoint::read(&file.expect("sound tensors"), None).expect("its bytes");
        let backbone = checkpoint.config(Some(size.heads)).expect("a network");
        assert_eq!(backbone.image_size(), size.image_size);
        let device = Device::flex();
        let rng = &mut stream(0, Purpose::Init, 0, 0);
        let backbone = config.model.backbone(backbone).init(&device, rng);
        let mut state = FinetuneState::new(backbone, size.classes, config, 0, &device);
        let network = weights::write(state.network, &self.below("init/"));
        state.network = network.expect("all tensors of the network");
        state
    }

    /// Tensors below `prefix` by our names: the backbone's stand behind `backbone.`.
    fn below(&self, prefix: &str) -> Weights {
        let mut found = Weights::new();
        for (name, weight) in &self.tensors {
            if let Some(name) = name.strip_prefix(prefix) {
                found.insert(ours(name), weight.clone());
            }
        }
        assert!(!found.is_empty(), "{prefix}");
        found
    }

    /// The mixed images and targets of step `number`, as micro-batches of two images.
    fn batch(&self, number: usize) -> Vec<ibot_core::finetune::LabelledBatch> {
        let Record {
            network,
            label_smoothing,
            ..
        } = &self.record;
        let Step { labels, mixing, .. } = &self.record.steps[number];
        let size = network.image_size;
        let mixing = match *mixing {
            Drawn::None => Mixing::None,
            Drawn::Mixup { lambda } => Mixing::Mixup { lambda },
            Drawn::Cutmix {
                lambda,
                row,
                column,
            } => Mixing::cutmix(size, lambda, row, column),
        };

        let mut images = self.tensors[&format!("images/{number}")].values.clone();
        let mut planes: Vec<&mut [f32]> = images.chunks_mut(3 * size * size).collect();
        mixing.apply(&mut planes, size);
        let targets = mixing.targets(labels, network.classes, *label_smoothing);
        let mut targets = targets.expect("labels are classes");

        let mut batches = Vec::new();
        for (labels, images) in labels.chunks(2).zip(images.chunks(2 * 3 * size * size)) {
            let mut batch = HostLabelledBatch::zeros(labels.len(), size);
            batch.images.copy_from_slice(images);
            batches.push(batch.into_batch(&mut targets, network.classes, &Device::flex()));
        }
        batches
    }
}

/// Our name of an official parameter.
fn ours(name: &str) -> String {
    match name.strip_prefix("head.") {
        Some(rest) => format!("classifier.{rest}"),
        None => format!("backbone.{name}"),
    }
}

fn compare(actual: &Weights, expected: &Weights, tolerance: impl Fn(&str) -> f64) -> f64 {
    let mut worst = 0f64;
    for (name, Weight { shape, values }) in expected {
        assert_eq!(&actual[name].shape, shape, "{name}");
        let error = relative_error(&actual[name].values, values);
        assert!(error <= tolerance(name), "{name}: {error:.2e}");
        worst = worst.max(error);
    }
    worst
}

/// The true gradient of the key part is zero, so Adam amplifies its rounding.
fn of_weights(name: &str) -> f64 {
    if name.ends_with("attn.qkv.bias") {
        5e-3
    } else {
        2e-4
    }
}

/// [`Sequential`] that keeps the gradients of its pass.
struct Watched {
    activations: Activations,
    gradients: std::cell::RefCell<Option<NamedGradients>>,
}

impl Engine<ClassifierPass> for Watched {
    type Error = burn::tensor::ExecutionError;

    fn map_reduce<M: burn::module::Module, B: Send, T: Send>(
        &self,
        network: &M,
        batch: Vec<B>,
        work: impl Fn(&M, &B, &mut Lane) -> T + Sync,
        join: impl Fn(Vec<T>) -> T + Sync,
    ) -> T {
        let mut lane = Lane::new(self.activations, None);
        let result = lane.run(network, batch, work, &join);
        join(result.into_iter().collect())
    }

    fn sum(&self, values: Tensor<2>) -> Result<Tensor<2>, Self::Error> {
        Ok(values)
    }

    fn all_reduce<M: burn::module::Module>(
        &self,
        pass: ClassifierPass,
        network: &M,
    ) -> Result<ClassifierPass, Self::Error> {
        *self.gradients.borrow_mut() = Some(pass.gradients.clone());
        Sequential.all_reduce(pass, network)
    }
}

#[test]
fn steps_are_the_official_ones() {
    let fixture = Fixture::read();
    let config = fixture.config();
    let schedules = FinetuneSchedules::new(&config, fixture.record.steps_per_epoch);
    for activations in [Activations::Kept, Activations::Recomputed] {
        let mut state = fixture.initial_state(&config);
        for (number, official) in fixture.record.steps.iter().enumerate() {
            let engine = Watched {
                activations,
                gradients: Default::default(),
            };
            let before = state.network.clone();
            let now = schedules.at(official.step);
            let taken = step(&mut state, fixture.batch(number), &now, &config, &engine);
            let report: FinetuneReport = block_on(taken).expect("the CPU works");

            let error = (report.loss / official.loss - 1.0).abs();
            assert!(error < 1e-5, "loss of step {number}: {error:.2e}");
            eprintln!("loss of step {number}: {error:.1e}");

            if number == 0 {
                let gradients = engine.gradients.take().expect("a pass");
                let gradients = block_on(gradients.read(&before)).expect("the CPU works");
                let expected = fixture.below("gradient/");
                let worst = compare(&gradients, &expected, |_| 2e-5);
                eprintln!("gradients of step 0: {worst:.1e}");
            }
            if number != 1 {
                let network = block_on(weights::read(&state.network)).expect("the CPU works");
                let expected = fixture.below(&format!("after/{number}/"));
                let worst = compare(&network, &expected, of_weights);
                eprintln!("weights after step {number}: {worst:.1e}");
            }
        }
    }
}

#[test]
fn schedules_and_groups_are_the_official_ones() {
    let fixture = Fixture::read();
    let config = fixture.config();
    let record = &fixture.record;
    let schedules = FinetuneSchedules::new(&config, record.steps_per_epoch);
    assert_eq!(schedules.total_steps(), record.lr.len());
    for (step, (lr, decay)) in record.lr.iter().zip(&record.weight_decay).enumerate() {
        let now = schedules.at(step);
        assert!((now.lr - lr).abs() < 1e-15, "step {step}: {}", now.lr);
        assert!((now.weight_decay - decay).abs() < 1e-15, "step {step}");
    }

    let state = fixture.initial_state(&config);
    let now = schedules.at(3);
    assert!(record.parameters.len() > 30);
    for (official, parameter) in &record.parameters {
        let rank = fixture.tensors[&format!("init/{official}")].shape.len();
        let rule = now.rule(&state.layers, &ours(official), rank);
        let scale = rule.lr / now.lr;
        assert!(
            (scale - parameter.lr_scale).abs() < 1e-12,
            "{official}: {scale}"
        );
        assert_eq!(rule.weight_decay > 0.0, parameter.decays, "{official}");
    }
}

#[test]
fn logits_of_the_first_step_are_the_official_ones() {
    let fixture = Fixture::read();
    let state = fixture.initial_state(&fixture.config());
    let mut logits = Vec::new();
    for batch in fixture.batch(0) {
        let part = state.network.forward(batch.images.autodiff(), &mut None);
        logits.extend(part.inner().try_into_vec_as::<f32>().expect("floats"));
    }
    let error = relative_error(&logits, &fixture.tensors["logits"].values);
    assert!(error < 2e-5, "{error:.2e}");
}
