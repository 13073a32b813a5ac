//! How far results are from the official implementation's.

use std::collections::HashMap;

use burn::module::Module as _;
use burn::tensor::Tensor;
use ibot_core::model::Mask;
use ibot_core::model::Network;
use ibot_core::pretrain::{Batch, TrainState};
use ibot_core::weights;
use ibot_core::weights::Weight;
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::console_log as eprintln;

use crate::Fixture;

/// Largest relative errors (L2 over L2, per tensor).
pub struct Tolerances {
    /// Losses.
    pub losses: f64,
    /// Logits of the first batch.
    pub logits: f64,
    /// Gradients of the first step.
    pub first_gradients: f64,
    /// Gradients of the last step.
    pub last_gradients: f64,
    /// Weights and centers after a step.
    pub weights: f64,
    /// For `attn.qkv.bias`: the true gradient of its key part is zero, so Adam amplifies rounding.
    pub qkv_bias: f64,
}

/// On the CPU.
pub const FLEX: Tolerances = Tolerances {
    losses: 1e-5,
    logits: 2e-5,
    first_gradients: 2e-5,
    last_gradients: 5e-4,
    weights: 2e-4,
    qkv_bias: 5e-3,
};

/// A GPU sums in another order and its `exp`, `erf` and `sqrt` are a few units in the last place
/// off.
pub const WGPU: Tolerances = Tolerances {
    losses: 5e-5,
    logits: 5e-5,
    first_gradients: 1e-4,
    last_gradients: 5e-3,
    weights: 1e-3,
    qkv_bias: 5e-2,
};

/// In f16 with a loss scale, on the CPU. The first pass is as near as roundings of 2^-11 allow;
/// after that Adam divides gradients by their own size, and what of them is rounding moves weights
/// as much as what is not.
pub const F16: Tolerances = Tolerances {
    losses: 2e-2,
    logits: 1e-3,
    first_gradients: 1e-2,
    last_gradients: 0.5,
    weights: 0.3,
    qkv_bias: 0.5,
};

/// In bf16 on the CPU, whose roundings are of 2^-8.
pub const BF16: Tolerances = Tolerances {
    losses: 6e-2,
    logits: 1e-2,
    first_gradients: 5e-2,
    last_gradients: 0.7,
    weights: 0.4,
    qkv_bias: 0.7,
};

/// Errors of one fixture: all failures are reported together, and the worst of each kind is
/// printed.
pub struct Check<'a> {
    fixture: &'a Fixture,
    worst: HashMap<String, f64>,
    failures: Vec<String>,
}

impl<'a> Check<'a> {
    /// Nothing compared yet.
    pub fn new(fixture: &'a Fixture) -> Self {
        Self {
            fixture,
            worst: HashMap::new(),
            failures: Vec::new(),
        }
    }

    /// An error that must be within its tolerance.
    pub fn note(&mut self, name: &str, error: f64, tolerance: f64) {
        let kind = name.split('/').take(2).collect::<Vec<_>>().join("/");
        let worst = self.worst.entry(kind).or_default();
        *worst = worst.max(error);
        if error.is_nan() || error > tolerance {
            self.failures
                .push(format!("{name}: {error:.2e} > {tolerance:.0e}"));
        }
    }

    /// Tensors below `prefix` of the fixture.
    pub fn weights(
        &mut self,
        prefix: &str,
        actual: &HashMap<String, Weight>,
        expected: &HashMap<String, Weight>,
        tolerance: impl Fn(&str) -> f64,
    ) {
        for (name, expected) in expected {
            match actual.get(name) {
                Some(actual) => {
                    assert_eq!(actual.shape, expected.shape, "{prefix}/{name}");
                    let error = relative_error(&actual.values, &expected.values);
                    self.note(&format!("{prefix}/{name}"), error, tolerance(name));
                }
                None => self.failures.push(format!("{prefix}/{name} is missing")),
            }
        }
    }

    /// Weights and centers after a step, where the fixture has them.
    pub async fn state(&mut self, prefix: &str, state: &TrainState, tolerances: &Tolerances) {
        if !self.fixture.has(&format!("{prefix}/center")) {
            return;
        }
        let qkv_bias = self.fixture.of_roundings(tolerances.qkv_bias);
        let tolerance = |name: &str| {
            if name.ends_with("attn.qkv.bias") {
                qkv_bias
            } else {
                tolerances.weights
            }
        };
        for (role, network) in [("student", &state.student), ("teacher", &state.teacher)] {
            let prefix = format!("{prefix}/{role}");
            let actual = weights::read(network).await.expect("readable weights");
            self.weights(&prefix, &actual, &self.fixture.group(&prefix), tolerance);
        }
        for (name, center) in [
            ("center", &state.centers.cls),
            ("center2", &state.centers.patch),
        ] {
            let name = format!("{prefix}/{name}");
            let error = relative_error(
                &floats(center.clone()).await,
                &self.fixture.tensor(&name).values,
            );
            self.note(&name, error, tolerances.weights);
        }
    }

    /// The networks' raw outputs for the first batch, those of unmasked patches included.
    pub async fn first_logits(&mut self, state: &TrainState, batch: &Batch, tolerance: f64) {
        let student = state.student.valid();
        let globals = all_logits(&student, batch.globals.clone(), &batch.masks).await;
        let targets = all_logits(&state.teacher, batch.globals.clone(), &[]).await;
        let mut outputs = vec![
            ("student_cls_logits", globals.0),
            ("student_patch_logits", globals.1),
            ("teacher_cls_logits", targets.0),
            ("teacher_patch_logits", targets.1),
        ];
        if let Some(locals) = &batch.locals {
            outputs.push((
                "student_local_cls_logits",
                all_logits(&student, locals.clone(), &[]).await.0,
            ));
        }
        for (name, logits) in outputs {
            let name = format!("step0/{name}");
            self.note(
                &name,
                relative_error(&logits, &self.fixture.tensor(&name).values),
                tolerance,
            );
        }
    }

    /// Prints the largest error of each kind.
    ///
    /// # Panics
    /// If one was too large.
    pub fn finish(self) {
        let mut worst: Vec<_> = self.worst.into_iter().collect();
        worst.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, error) in worst {
            eprintln!("{} {name}: {error:.1e}", self.fixture.name);
        }
        assert!(
            self.failures.is_empty(),
            "{}:\n{}",
            self.fixture.name,
            self.failures.join("\n")
        );
    }
}

/// CLS and patch logits of every token.
async fn all_logits(network: &Network, images: Tensor<4>, masks: &[Mask]) -> (Vec<f32>, Vec<f32>) {
    let tokens = network.backbone.forward(images, masks, &mut None);
    let cls = tokens.cls.clone();
    let patches = tokens.into_patches().flatten(0, 1);
    let head = &network.head;
    let cls = floats(head.cls_logits(head.cls_bottleneck(cls))).await;
    (
        cls,
        floats(head.patch_logits(head.patch_bottleneck(patches))).await,
    )
}

async fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data_async().await.expect("a working device");
    data.iter().collect()
}

/// Relative error in the L2 norm, `|actual - expected| / |expected|`.
pub fn relative_error(actual: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(actual.len(), expected.len(), "number of values");
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(
        &mut actual
            .iter()
            .zip(expected)
            .map(|(a, e)| f64::from(*a) - f64::from(*e)),
    );
    let size = norm(&mut expected.iter().map(|e| f64::from(*e)));
    if size == 0.0 {
        difference
    } else {
        difference / size
    }
}
