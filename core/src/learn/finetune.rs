//! Fine-tuning: back-propagation into the backbone from a few labelled images.

mod settings;

pub use settings::{FineTuneSettings, Mode};

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData, Transaction, activation};

use self::settings::adamw;
use crate::features::encode;
use crate::finetune::loss::cross_entropy;
use crate::finetune::{ClassifierNetwork, TokenReadout, lora};
use crate::image::RgbImage;
use crate::image::augment::{AugmentConfig, Role, ViewParams};
use crate::image::normalize::normalize_into;
use crate::learn::sampler;
use crate::learn::sampler::Draw;
use crate::learn::state::{part, prefixed, scalar, scalar_weight};
use crate::learn::{Classifier, Progress, TuneError};
use crate::model::{Backbone, init};
use crate::optim::{AdamW, NamedGradients, Rule, Schedule};
use crate::pretrain::Updates;
use crate::problems::Problems;
use crate::rng::{Purpose, crop_stream, stream};
use crate::weights;
use crate::weights::{Weights, WeightsError};

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

        let (expected, classes) = (READOUT.pooling().width(&backbone), classifier.classes());
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
        let rng = &mut stream(settings.seed, Purpose::Init, 0, 0);
        let backbone = match settings.mode {
            Mode::Lora { rank } => lora::adapt(backbone, rank, rng),
            Mode::LastBlocks(blocks) => backbone.train_last(blocks),
        };

        Ok(Self {
            model: ClassifierNetwork::with_classifier(
                backbone,
                READOUT,
                layer(classifier, &device),
            ),
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
        let (images, targets) = self.batch(examples)?;
        let (loss, accuracy) = cross_entropy(self.model.forward(images, &mut None), &targets);
        let gradients = NamedGradients::of(&self.model, loss.backward());

        // Every transfer waits for the device, so all scalars travel in one tensor.
        let mut scalars = vec![loss.inner(), accuracy];
        scalars.extend(gradients.squared_norms());
        let data = Tensor::cat(scalars, 0).into_data_async().await?;
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
            accuracy: scalars[1],
        })
    }

    /// Steps taken.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The probability of each class for `image`, shown whole.
    pub async fn predict(&self, image: &RgbImage) -> Result<Vec<f32>, TuneError> {
        // Outside autodiff, which would keep every tensor of the pass.
        let model = self.model.valid();
        let patch = model.backbone.stride();
        let (rows, columns) = encode::grid_of(image, self.settings.size, patch);
        let device = self.device.clone().without_autodiff();
        let pixels = encode::pixels(image, rows, columns, patch, &device);

        let probabilities = activation::softmax(model.forward(pixels, &mut None), 1);
        let data = probabilities.into_data_async().await?;
        Ok(data.iter::<f32>().collect())
    }

    /// The backbone as it is now, a plain network outside autodiff with all changes in its weights,
    /// and the classifier.
    pub async fn tuned(&self) -> Result<(Backbone, Classifier), TuneError> {
        // Low-rank changes are added to the weights for good.
        let backbone = self.model.backbone.valid().materialize();

        let (weight, bias) = (&self.model.classifier.weight, &self.model.classifier.bias);
        // burn keeps a linear layer's weight as [in, out].
        let mut reading = Transaction::default().register(weight.val().inner().transpose());
        if let Some(bias) = bias {
            reading = reading.register(bias.val().inner());
        }

        let data = reading.execute_async().await?;
        let mut values = data.iter().map(|data| data.iter::<f32>().collect());
        let weights = values.next().unwrap_or_default();
        let biases = values.next().unwrap_or_default();
        let classifier = Classifier::new(weight.dims()[0], weights, biases)?;
        Ok((backbone, classifier))
    }

    /// All that steps have changed, for [`restore`](Self::restore): weights, moments and their
    /// number. What stays frozen is not in it.
    pub async fn state(&self) -> Result<Weights, TuneError> {
        let (first, second, updates) = self.optimizer.read(&self.model).await?;
        let model = weights::read_where(&self.model, |name| updates.0.contains_key(name)).await?;

        // A step updates all that learns or nothing, so one number serves all.
        let updates = updates.0.into_values().max().unwrap_or(0);
        let mut state = Weights::from([
            ("steps".to_owned(), scalar_weight(self.steps)),
            ("updates".to_owned(), scalar_weight(updates as usize)),
        ]);
        state.extend(prefixed("model/", model));
        state.extend(prefixed("exp_avg/", first));
        state.extend(prefixed("exp_avg_sq/", second));
        Ok(state)
    }

    /// This session, made of the same backbone and settings, at another one's `state`; it continues
    /// bit for bit.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    pub fn restore(mut self, state: &Weights) -> Result<Self, WeightsError> {
        let steps = scalar(state, "steps")?;
        let updates = scalar(state, "updates")? as u64;
        let changed = part(state, "model/");
        let updates = Updates(changed.keys().map(|name| (name.clone(), updates)).collect());

        // Frozen weights are not in the file and stay.
        let (model, _) = weights::write_present(self.model, &changed)?;
        let first = part(state, "exp_avg/");
        let second = part(state, "exp_avg_sq/");
        self.optimizer = AdamW::write(&model, &first, &second, &updates)?;
        Ok(Self {
            model,
            steps,
            ..self
        })
    }

    /// Views of the next batch, `[B, 3, size, size]`, and their targets, `[B, classes]`.
    fn batch(&self, examples: &[Example<'_>]) -> Result<(Tensor<4>, Tensor<2>), TuneError> {
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
        let mut pixels = vec![0.0; batch * 3 * size * size];
        let mut targets = vec![0.0f32; batch * classes];
        let rows = pixels.chunks_exact_mut(3 * size * size);
        for ((draw, pixels), target) in drawn.iter().zip(rows).zip(targets.chunks_mut(classes)) {
            let Example { image, class } = examples[draw.image];
            normalize_into(&view(image, *draw, &self.settings), pixels);
            target[class] = 1.0;
        }

        let pixels = TensorData::new(pixels, [batch, 3, size, size]);
        let targets = TensorData::new(targets, [batch, classes]);
        let plain = self.device.clone().without_autodiff();
        Ok((
            Tensor::from_data(pixels, &self.device),
            Tensor::from_data(targets, &plain),
        ))
    }
}

/// What classifiers are tuned on: [`Pooling::TUNE`](crate::features::Pooling::TUNE).
const READOUT: TokenReadout = TokenReadout::ClsMean;

/// `classifier` as a layer that learns.
fn layer(classifier: &Classifier, device: &Device) -> Linear {
    let (dim, classes) = (classifier.dim(), classifier.classes());
    // burn keeps a linear layer's weight as [in, out].
    let mut transposed = Vec::with_capacity(dim * classes);
    for d in 0..dim {
        for class in 0..classes {
            transposed.push(classifier.weight()[class * dim + d]);
        }
    }

    let mut layer = LinearConfig::new(dim, classes).init(device);
    layer.weight = init::parameter(transposed, [dim, classes], device);
    layer.bias = Some(init::parameter(
        classifier.bias().to_vec(),
        [classes],
        device,
    ));
    layer
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

    let rng = &mut crop_stream(settings.seed, Purpose::Augment, draw.epoch, draw.image, 0);
    let (width, height) = (image.width(), image.height());
    let scale = [settings.crop_scale, 1.0];
    ViewParams::draw(width, height, Role::Local, scale, &augment, rng).apply(image, settings.size)
}

#[cfg(test)]
mod tests;
