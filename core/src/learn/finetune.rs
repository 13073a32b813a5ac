//! Fine-tuning: back-propagation into the backbone from a few labelled images.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor, TensorData, Transaction, activation};
use serde::{Deserialize, Serialize};

use crate::features::Pooling;
use crate::features::encode;
use crate::image::RgbImage;
use crate::image::augment::{AugmentConfig, Role, ViewParams};
use crate::image::normalize::normalize_into;
use crate::learn::sampler;
use crate::learn::sampler::Draw;
use crate::learn::state::{part, prefixed, scalar, scalar_weight};
use crate::learn::{Classifier, Progress, TuneError, lora};
use crate::model::{Backbone, init};
use crate::optim::{AdamW, AdamWConfig, Clip, ClipBy, NamedGradients, Rule, Schedule};
use crate::pretrain::Updates;
use crate::problems::Problems;
use crate::rng::{Purpose, crop_stream, stream};
use crate::weights;
use crate::weights::{Weights, WeightsError};

/// Which weights of the backbone learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A low-rank change of every matrix of every block (LoRA).
    Lora {
        /// Rank of the change.
        rank: usize,
    },
    /// All weights of so many last blocks, and the final norm.
    LastBlocks(usize),
}

/// How a [`FineTune`] learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FineTuneSettings {
    /// What learns.
    pub mode: Mode,
    /// Side of the training views and shorter side of the images to classify, in pixels; a multiple
    /// of the patch.
    pub size: usize,
    /// Steps in which the learning rate falls to zero; further ones change nothing to speak of.
    pub steps: usize,
    /// Images of a step.
    pub batch: usize,
    /// Peak learning rate, reached after a tenth of the steps.
    pub lr: f64,
    /// Weight decay of the matrices that learn.
    pub weight_decay: f64,
    /// Smallest area of a crop, relative to the image; the largest is 1.
    pub crop_scale: f64,
    /// Probability of a horizontal flip; 0 where left and right matter.
    pub flip: f64,
    /// Seed of order, crops and first factors.
    pub seed: u64,
}

impl FineTuneSettings {
    /// The defaults for a mode and views of `size` pixels: LoRA's factors take a larger learning
    /// rate than weights.
    pub fn new(mode: Mode, size: usize) -> Self {
        let lr = match mode {
            Mode::Lora { .. } => 2e-3,
            Mode::LastBlocks(_) => 5e-4,
        };
        Self {
            mode,
            size,
            lr,
            ..Self::default()
        }
    }

    fn check(&self, backbone: &Backbone, at: &mut Problems) {
        let patch = backbone.stride();
        let whole = self.size > 0 && self.size.is_multiple_of(patch);
        let problem = format!("must be a multiple of the patch, {patch}");
        at.require(whole, "size", self.size, problem);

        match self.mode {
            Mode::Lora { rank } => {
                let width = backbone.dim();
                let problem = format!("must lie between 1 and the width of a token, {width}");
                at.require((1..=width).contains(&rank), "rank", rank, problem);
            }
            Mode::LastBlocks(blocks) => {
                let depth = backbone.depth();
                let problem = format!("must lie between 1 and the number of blocks, {depth}");
                at.require(
                    (1..=depth).contains(&blocks),
                    "last_blocks",
                    blocks,
                    problem,
                );
            }
        }

        at.within("batch", self.batch, 1..=4096);
        at.require(self.steps > 0, "steps", self.steps, "must be at least 1");
        at.not_negative("lr", self.lr);
        at.not_negative("weight_decay", self.weight_decay);

        let share = self.crop_scale > 0.0 && self.crop_scale <= 1.0;
        let problem = "must be more than 0 and at most 1";
        at.require(share, "crop_scale", self.crop_scale, problem);
        at.within("flip", self.flip, 0.0..=1.0);
    }

    fn learning_rate(&self) -> Schedule {
        Schedule::warmup_cosine(self.lr, 0.0, self.steps / 10, self.steps)
    }
}

/// PyTorch's AdamW with all gradients clipped together.
fn adamw() -> AdamWConfig {
    AdamWConfig {
        clip: Clip {
            max_norm: 1.0,
            by: ClipBy::Global,
        },
        ..AdamWConfig::default()
    }
}

impl Default for FineTuneSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Lora { rank: 4 },
            size: 224,
            steps: 100,
            batch: 16,
            lr: 2e-3,
            weight_decay: 0.05,
            crop_scale: 0.6,
            flip: 0.5,
            seed: 0,
        }
    }
}

/// An image and its class.
#[derive(Clone, Copy, Debug)]
pub struct Example<'a> {
    /// The image.
    pub image: &'a RgbImage,
    /// Its class, counted from 0.
    pub class: usize,
}

/// A backbone and a classifier that learn together.
#[derive(Clone, Debug)]
pub struct FineTune {
    model: ClassifierNetwork,
    optimizer: AdamW,
    lr: Schedule,
    settings: FineTuneSettings,
    classes: usize,
    steps: usize,
    device: Device,
}

/// What learns, on an autodiff device.
#[derive(Module, Debug)]
struct ClassifierNetwork {
    backbone: Backbone,
    /// [`Pooling::TUNE`] features to logits.
    classifier: Linear,
}

impl ClassifierNetwork {
    /// Logits `[B, classes]` of images `[B, 3, H, W]`.
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.classifier
            .forward(Pooling::TUNE.of(&self.backbone, images))
    }
}

impl FineTune {
    /// A session before its first step. It starts from `classifier`: one of zeros, or a
    /// [`LinearHead`]'s, which spares the backbone the gradients of a classifier that knows nothing
    /// yet.
    ///
    /// [`LinearHead`]: super::LinearHead
    ///
    /// # Errors
    /// If a setting makes no sense for the backbone, or the classifier is of another width.
    pub fn new(
        backbone: Backbone,
        classifier: &Classifier,
        settings: FineTuneSettings,
        device: &Device,
    ) -> Result<Self, TuneError> {
        let mut problems = Problems::default();
        settings.check(&backbone, &mut problems);
        problems.into_result()?;

        let (expected, classes) = (Pooling::TUNE.width(&backbone), classifier.classes());
        if classifier.dim() != expected {
            return Err(TuneError::Width {
                expected,
                actual: classifier.dim(),
            });
        }
        if classes < 2 {
            return Err(TuneError::Classes(classes));
        }
        let device = device.clone().autodiff();
        let backbone = backbone.valid().train().without_mask_token();
        let backbone = match settings.mode {
            Mode::Lora { rank } => lora::adapt(
                backbone,
                rank,
                &mut stream(settings.seed, Purpose::Init, 0, 0),
            ),
            Mode::LastBlocks(blocks) => backbone.train_last(blocks),
        };
        let model = ClassifierNetwork {
            backbone,
            classifier: on_device(classifier, &device),
        };
        Ok(Self {
            model,
            optimizer: AdamW::default(),
            lr: settings.learning_rate(),
            settings,
            classes,
            steps: 0,
            device,
        })
    }

    /// One step on the next batch of `examples`; loss and accuracy are those of its views before
    /// the step. If the loss or a gradient is not finite, nothing but the count of steps changes.
    ///
    /// # Errors
    /// If there are no examples, one is of no class, or the device fails.
    pub async fn step(&mut self, examples: &[Example<'_>]) -> Result<Progress, TuneError> {
        let (images, labels) = self.batch(examples)?;
        let (loss, hits) = objective(self.model.forward(images), &labels);
        let gradients = NamedGradients::of(&self.model, loss.backward());
        // One transfer to the host.
        let scalars = [loss.inner(), hits.inner()]
            .into_iter()
            .chain(gradients.squared_norms());
        let data = Tensor::cat(scalars.collect(), 0).into_data_async().await?;
        let scalars: Vec<f64> = data.iter::<f64>().collect();
        let norms = gradients.norms(&scalars[2..]);
        if scalars[0].is_finite() && norms.total().is_finite() {
            // After its end the cosine would rise again.
            let lr = self.lr.at(self.steps.min(self.settings.steps - 1));
            let weight_decay = self.settings.weight_decay;
            let rule = |_: &str, rank| Rule::by_rank(lr, weight_decay, rank);
            self.optimizer
                .step(&mut self.model, gradients, &norms, &adamw(), rule);
        }
        // Counted in any case, or the next step would fail on the same batch.
        self.steps += 1;
        Ok(Progress {
            loss: scalars[0],
            accuracy: scalars[1] / labels.len() as f64,
        })
    }

    /// Steps taken.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The probability of each class for `image`, shown whole.
    ///
    /// # Errors
    /// If the device fails.
    pub async fn predict(&self, image: &RgbImage) -> Result<Vec<f32>, TuneError> {
        let model = self.model.valid();
        let patch = model.backbone.stride();
        let (rows, columns) = encode::grid_of(image, self.settings.size, patch);
        let pixels = encode::pixels(
            image,
            rows,
            columns,
            patch,
            &self.device.clone().without_autodiff(),
        );
        let data = activation::softmax(model.forward(pixels), 1)
            .into_data_async()
            .await?;
        Ok(data.iter::<f32>().collect())
    }

    /// The backbone as it is now, a plain network outside autodiff with all changes in its weights,
    /// and the classifier.
    ///
    /// # Errors
    /// If the device fails.
    pub async fn tuned(&self) -> Result<(Backbone, Classifier), TuneError> {
        let backbone = self.model.backbone.valid().materialize();
        let (weight, bias) = (&self.model.classifier.weight, &self.model.classifier.bias);
        // burn keeps a linear layer's weight as [in, out].
        let mut reading = Transaction::default().register(weight.val().inner().transpose());
        if let Some(bias) = bias {
            reading = reading.register(bias.val().inner());
        }
        let data = reading.execute_async().await?;
        let values = |i: usize| {
            data.get(i)
                .map(|data| data.iter::<f32>().collect())
                .unwrap_or_default()
        };
        Ok((
            backbone,
            Classifier::new(weight.dims()[0], values(0), values(1))?,
        ))
    }

    /// All that steps have changed, for [`restore`](Self::restore): weights, moments and their
    /// number. What stays frozen is not in it.
    ///
    /// # Errors
    /// If the device fails.
    pub async fn state(&self) -> Result<Weights, TuneError> {
        let (first, second, updates) = self.optimizer.read(&self.model).await?;
        let model = weights::read_where(&self.model, |name| updates.0.contains_key(name)).await?;
        let updates = updates.0.into_values().max().unwrap_or(0);
        let counts = Weights::from([
            ("steps".to_owned(), scalar_weight(self.steps)),
            ("updates".to_owned(), scalar_weight(updates as usize)),
        ]);
        let parts = [
            ("model/", model),
            ("exp_avg/", first),
            ("exp_avg_sq/", second),
            ("", counts),
        ];
        Ok(parts
            .into_iter()
            .flat_map(|(prefix, weights)| prefixed(prefix, weights))
            .collect())
    }

    /// This session, made of the same backbone and settings, at another one's `state`; it continues
    /// bit for bit.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    pub fn restore(mut self, state: &Weights) -> Result<Self, WeightsError> {
        let (steps, updates) = (scalar(state, "steps")?, scalar(state, "updates")? as u64);
        let changed = part(state, "model/");
        // Every step updates all that learns, so one number serves all.
        let updates = Updates(changed.keys().map(|name| (name.clone(), updates)).collect());
        let (model, _) = weights::write_present(self.model, &changed)?;
        let moments = (part(state, "exp_avg/"), part(state, "exp_avg_sq/"));
        self.optimizer = AdamW::write(&model, &moments.0, &moments.1, &updates)?;
        Ok(Self {
            model,
            steps,
            ..self
        })
    }

    /// Views of the next batch, `[B, 3, size, size]`, and their classes.
    fn batch(&self, examples: &[Example<'_>]) -> Result<(Tensor<4>, Vec<usize>), TuneError> {
        if examples.is_empty() {
            return Err(TuneError::Empty);
        }
        let classes = self.classes;
        if let Some(image) = examples.iter().position(|example| example.class >= classes) {
            return Err(TuneError::Label {
                image,
                label: examples[image].class,
                classes,
            });
        }
        let FineTuneSettings {
            size, batch, seed, ..
        } = self.settings;
        let drawn = sampler::batch(seed, examples.len(), batch, self.steps);
        let mut values = vec![0.0; batch * 3 * size * size];
        for (draw, values) in drawn.iter().zip(values.chunks_exact_mut(3 * size * size)) {
            normalize_into(
                &view(examples[draw.image].image, *draw, &self.settings),
                values,
            );
        }
        let images = Tensor::from_data(
            TensorData::new(values, [batch, 3, size, size]),
            &self.device,
        );
        Ok((
            images,
            drawn
                .iter()
                .map(|draw| examples[draw.image].class)
                .collect(),
        ))
    }
}

/// A mild crop of `image`, maybe mirrored.
fn view(image: &RgbImage, draw: Draw, settings: &FineTuneSettings) -> RgbImage {
    // Colors stay, because they may be what tells classes apart.
    let augment = AugmentConfig {
        flip: settings.flip,
        color_jitter: 0.0,
        grayscale: 0.0,
        blur_local: 0.0,
        ..AugmentConfig::default()
    };
    let mut rng = crop_stream(settings.seed, Purpose::Augment, draw.epoch, draw.image, 0);
    let scale = [settings.crop_scale, 1.0];
    ViewParams::draw(
        image.width(),
        image.height(),
        Role::Local,
        scale,
        &augment,
        &mut rng,
    )
    .apply(image, settings.size)
}

/// Mean cross-entropy of `logits` `[B, classes]`, `[1]`, and the number of images whose largest
/// logit is their class's.
fn objective(logits: Tensor<2>, labels: &[usize]) -> (Tensor<1>, Tensor<1>) {
    let [batch, classes] = logits.dims();
    let truth: Vec<f32> = labels
        .iter()
        .flat_map(|label| (0..classes).map(move |class| f32::from(class == *label)))
        .collect();
    let truth = Tensor::<2>::from_data(TensorData::new(truth, [batch, classes]), &logits.device());
    let labels = TensorData::new(
        labels.iter().map(|label| *label as i32).collect(),
        [batch, 1],
    );
    let labels = Tensor::<2, Int>::from_data(labels, &logits.device());
    let hits = logits.clone().argmax(1).equal(labels).float().sum();
    (
        (truth * activation::log_softmax(logits, 1)).sum().neg() / batch as f64,
        hits,
    )
}

fn on_device(classifier: &Classifier, device: &Device) -> Linear {
    let (dim, classes) = (classifier.dim(), classifier.classes());
    // burn keeps a linear layer's weight as [in, out].
    let transposed =
        (0..dim).flat_map(|d| (0..classes).map(move |class| classifier.weight()[class * dim + d]));
    let mut layer = LinearConfig::new(dim, classes).init(device);
    layer.weight = init::parameter(transposed.collect(), [dim, classes], device);
    layer.bias = Some(init::parameter(
        classifier.bias().to_vec(),
        [classes],
        device,
    ));
    layer
}

#[cfg(test)]
mod tests;
