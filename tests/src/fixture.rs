//! Reads the fixtures that the official implementation produced: its networks, inputs and results.

use std::collections::HashMap;

use burn::tensor::{Device, Tensor, TensorData};
use ibot_core::model::Mask;
use ibot_core::model::{Arch, ComputePrecision, Network};
use ibot_core::pretrain::config::Config;
use ibot_core::pretrain::{Batch, TrainState};
use ibot_core::pretrain::{Schedules, learning_rate};
use ibot_core::rng::{Purpose, stream};
use ibot_core::weights;
use ibot_core::weights::{Weight, Weights, from_safetensors};
use serde::Deserialize;

/// Optimisation steps of the official code: configuration, tensors and log.
pub struct Fixture {
    /// Name of the file.
    pub name: String,
    /// What was trained.
    pub config: FixtureConfig,
    /// Losses and schedules of every step.
    pub log: Vec<LogEntry>,
    /// What to compute in. The official steps are in f32.
    pub precision: ComputePrecision,
    tensors: Weights,
}

/// A fixture's settings, as its generator names them.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs)]
pub struct FixtureConfig {
    #[serde(default)]
    pub arch: FixtureArch,
    pub patch_size: usize,
    pub global_size: usize,
    pub local_size: usize,
    pub embed_dim: usize,
    pub depth: usize,
    pub num_heads: usize,
    pub hidden_dim: usize,
    pub bottleneck_dim: usize,
    pub out_dim: usize,
    pub patch_out_dim: usize,
    pub shared_head: bool,
    pub shared_head_teacher: bool,
    pub norm_last_layer: bool,
    pub batch: usize,
    pub locals: usize,
    pub epochs: usize,
    pub steps_per_epoch: usize,
    pub steps: usize,
    pub base_lr: f64,
    pub min_lr: f64,
    pub warmup_epochs: usize,
    pub wd: f64,
    pub wd_end: f64,
    pub momentum: f64,
    pub clip_grad: f64,
    pub freeze_last_layer: usize,
    pub warmup_teacher_temp: f64,
    pub teacher_temp: f64,
    pub warmup_teacher_patch_temp: f64,
    pub teacher_patch_temp: f64,
    pub warmup_teacher_temp_epochs: usize,
    pub pred_start_epoch: usize,
    #[serde(default = "one")]
    pub lambda1: f64,
    #[serde(default = "one")]
    pub lambda2: f64,
    #[serde(default = "four")]
    pub mlp_ratio: usize,
    /// Of a Swin, stage by stage.
    pub depths: Option<Vec<usize>>,
    pub heads: Option<Vec<usize>>,
    pub window_size: Option<usize>,
}

/// The family of a fixture's backbone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum FixtureArch {
    #[default]
    Vit,
    Swin,
}

fn one() -> f64 {
    1.0
}

fn four() -> usize {
    4
}

/// What the official code logged for a step.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs)]
pub struct LogEntry {
    pub step: usize,
    pub cls: f64,
    pub patch: f64,
    pub loss: f64,
    pub lr: f64,
    pub weight_decay: f64,
    pub momentum: f64,
}

impl Fixture {
    /// All fixtures in the folder that `IBOT_FIXTURES` names, else in `tests/fixtures`; in a
    /// browser, which has no folders, those of `tests/fixtures` as they were when the test was
    /// built.
    ///
    /// # Panics
    /// If there is none, or one cannot be read: a test without its fixture must not pass.
    pub fn all() -> Vec<Self> {
        let files = files();
        assert!(!files.is_empty(), "no .safetensors fixture");
        files
            .iter()
            .map(|(name, bytes)| Self::parse(name, bytes))
            .collect()
    }

    fn parse(name: &str, bytes: &[u8]) -> Self {
        let (tensors, metadata) =
            from_safetensors(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let json = |key: &str| {
            metadata
                .get(key)
                .unwrap_or_else(|| panic!("{name}: no {key}"))
        };
        Self {
            name: name.to_owned(),
            config: serde_json::from_str(json("config"))
                .unwrap_or_else(|error| panic!("{name}: {error}")),
            log: serde_json::from_str(json("log"))
                .unwrap_or_else(|error| panic!("{name}: {error}")),
            precision: ComputePrecision::F32,
            tensors,
        }
    }

    /// The fixture's settings as ours.
    pub fn config(&self) -> Config {
        let from = &self.config;
        let mut config = Config::default();
        config.model.patch_size = Some(from.patch_size);
        config.model.dim = Some(from.embed_dim);
        match from.arch {
            FixtureArch::Vit => {
                config.model.depth = Some(from.depth);
                config.model.heads = Some(from.num_heads);
            }
            FixtureArch::Swin => {
                config.model.arch = Arch::SwinTiny;
                config.model.depths.clone_from(&from.depths);
                config.model.num_heads.clone_from(&from.heads);
                config.model.window_size = from.window_size.expect("a Swin has windows");
            }
        }
        config.model.mlp_ratio = from.mlp_ratio;
        config.model.drop_path = 0.0;
        config.head.out_dim = from.out_dim;
        config.head.patch_out_dim = from.patch_out_dim;
        config.head.shared_head = from.shared_head;
        config.head.hidden_dim = from.hidden_dim;
        config.head.bottleneck_dim = from.bottleneck_dim;
        config.head.norm_last_layer = from.norm_last_layer;
        config.crops.global_size = from.global_size;
        config.crops.local_size = from.local_size;
        config.crops.local_crops_number = from.locals;
        config.mask.pred_start_epoch = from.pred_start_epoch;
        config.loss.lambda1 = from.lambda1;
        config.loss.lambda2 = from.lambda2;
        config.teacher.warmup_teacher_temp = from.warmup_teacher_temp;
        config.teacher.teacher_temp = from.teacher_temp;
        config.teacher.warmup_teacher_patch_temp = from.warmup_teacher_patch_temp;
        config.teacher.teacher_patch_temp = from.teacher_patch_temp;
        config.teacher.warmup_teacher_temp_epochs = from.warmup_teacher_temp_epochs;
        config.optim.epochs = from.epochs;
        config.optim.batch_size = from.batch;
        config.optim.min_lr = from.min_lr;
        config.optim.warmup_epochs = from.warmup_epochs;
        config.optim.weight_decay = from.wd;
        config.optim.weight_decay_end = from.wd_end;
        config.optim.clip_grad = from.clip_grad;
        config.optim.freeze_last_layer = from.freeze_last_layer;
        config.optim.momentum_teacher = from.momentum;
        config.optim.precision = self.precision;
        config
    }

    /// The fixture's schedules. Its learning rate is the peak, whatever the batch.
    pub fn schedules(&self) -> Schedules {
        let config = self.config();
        let steps_per_epoch = self.config.steps_per_epoch;
        let mut schedules = Schedules::new(&config, steps_per_epoch);
        schedules.lr = learning_rate(self.config.base_lr, &config.optim, steps_per_epoch);
        schedules
    }

    /// The tolerance of what six steps make of roundings: gradients of the last step, and the bias
    /// whose gradient is one. A Swin amplifies them more than a ViT: already the official code in
    /// float64, from the fixture's rounded inputs, has gradients that are 5.4e-4 off.
    pub(crate) fn of_roundings(&self, tolerance: f64) -> f64 {
        match self.config.arch {
            FixtureArch::Vit => tolerance,
            FixtureArch::Swin => 3.0 * tolerance,
        }
    }

    /// Student and teacher with the official initial weights, the student on `device` with
    /// autodiff.
    pub fn initial_state(&self, device: &Device) -> TrainState {
        let config = self.config();
        let device = device.clone().autodiff();
        let mut rng = stream(0, Purpose::Init, 0, 0);
        let student = Network::init(&config.backbone(), &config.head, &device, &mut rng)
            .with_precision(self.precision);
        let mut state = TrainState::new(student, self.config.shared_head_teacher, &device);
        state.student = weights::write(state.student, &self.group("init/student"))
            .expect("the student's weights");
        state.teacher = weights::write(state.teacher, &self.group("init/teacher"))
            .expect("the teacher's weights");
        state
    }

    /// The inputs of a step.
    pub fn batch(&self, step: usize, device: &Device) -> Batch {
        let crops = |kind: &str, count: usize| {
            let crops = (0..count).map(|i| {
                let weight = self.tensor(&format!("step{step}/{kind}{i}"));
                let shape: [usize; 4] = weight.shape.clone().try_into().expect("four dimensions");
                Tensor::from_data(TensorData::new(weight.values.clone(), shape), device)
            });
            crops.collect()
        };
        let masks = (0..2).map(|i| {
            let weight = self.tensor(&format!("step{step}/mask{i}"));
            let (rows, columns) = (weight.shape[1], weight.shape[2]);
            let of_image = weight.values.chunks_exact(rows * columns);
            of_image
                .map(|mask| Mask::new(rows, columns, mask.iter().map(|m| *m > 0.5).collect()))
                .collect()
        });
        Batch::collate(
            crops("global", 2),
            masks.collect(),
            crops("local", self.config.locals),
        )
    }

    /// The tensor of this name.
    ///
    /// # Panics
    /// If the fixture lacks it.
    pub fn tensor(&self, name: &str) -> &Weight {
        self.tensors
            .get(name)
            .unwrap_or_else(|| panic!("{} has no tensor {name}", self.name))
    }

    /// Whether the fixture has a tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// All tensors below `prefix/`, without it.
    pub fn group(&self, prefix: &str) -> HashMap<String, Weight> {
        let prefix = format!("{prefix}/");
        let below = self
            .tensors
            .iter()
            .filter_map(|(name, weight)| Some((name.strip_prefix(&prefix)?, weight)));
        below
            .map(|(name, weight)| (name.to_owned(), weight.clone()))
            .collect()
    }
}

/// Names and contents of the fixtures.
#[cfg(not(target_family = "wasm"))]
fn files() -> Vec<(String, Vec<u8>)> {
    use std::path::{Path, PathBuf};

    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let folder = std::env::var_os("IBOT_FIXTURES").map_or(own, PathBuf::from);
    let entries =
        std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "safetensors")
        })
        .collect();
    paths.sort();
    let read = |path: &PathBuf| {
        std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    paths
        .iter()
        .map(|path| {
            (
                path.file_stem()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                read(path),
            )
        })
        .collect()
}

/// Names and contents of the fixtures.
#[cfg(target_family = "wasm")]
fn files() -> Vec<(String, Vec<u8>)> {
    let norm_last = include_bytes!("../fixtures/vit_norm_last.safetensors").to_vec();
    let shared = include_bytes!("../fixtures/vit_shared.safetensors").to_vec();
    let swin = include_bytes!("../fixtures/swin_shift.safetensors").to_vec();
    vec![
        ("swin_shift".to_owned(), swin),
        ("vit_norm_last".to_owned(), norm_last),
        ("vit_shared".to_owned(), shared),
    ]
}
