//! The training of attentive probes.

use burn::module::Module as _;
use burn::tensor::{Device, Tensor, activation};

use super::head::AttentiveHead;
use crate::eval::heads::{
    HeadScore, ProbeError, Tally, batch, best_head, check_labels, on_device, order,
};
use crate::optim::{AdamW, AdamWConfig, GradientNorms, NamedGradients, Rule, Schedule};
use crate::rng::{Purpose, stream};

/// Images that are judged at a time.
const CHUNK: usize = 128;

/// Patch tokens of labelled images.
#[derive(Clone, Debug)]
pub struct PatchFeatures {
    /// `[M, N, D]`.
    pub patches: Tensor<3>,
    /// The class of each image.
    pub labels: Vec<usize>,
}

/// How probes are made and trained.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentiveSettings {
    /// Number of classes.
    pub classes: usize,
    /// Learned queries of a probe.
    pub queries: usize,
    /// Peak learning rates of AdamW; one probe each.
    pub rates: Vec<f64>,
    /// Decay of all matrices.
    pub weight_decay: f64,
    /// Steps of the training. The learning rate rises in the first tenth, then falls to 0 by half a
    /// cosine.
    pub steps: usize,
    /// Seed of the first weights.
    pub seed: u64,
}

/// Probes that learn side by side from the same images, each with its own learning rate.
#[derive(Clone, Debug)]
pub struct AttentiveFit {
    probes: Vec<TrainedProbe>,
    rates: Vec<f64>,
    weight_decay: f64,
    /// The factor of the learning rates.
    schedule: Schedule,
    steps: usize,
    epochs: usize,
    classes: usize,
    val: PatchFeatures,
    scores: Vec<HeadScore>,
    best: Option<(usize, HeadScore)>,
}

#[derive(Clone, Debug)]
struct TrainedProbe {
    /// On an autodiff device.
    head: AttentiveHead,
    optimizer: AdamW,
}

impl AttentiveFit {
    /// Probes before their first step, judged by `val`. All start from the same weights.
    ///
    /// # Errors
    /// If there are fewer than two classes, or no image to judge by.
    pub fn new(settings: &AttentiveSettings, val: PatchFeatures) -> Result<Self, ProbeError> {
        let classes = settings.classes;
        if classes < 2 {
            return Err(ProbeError::Classes(classes));
        }
        let [images, _, width] = val.patches.dims();
        let device = val.patches.device();
        let mut rng = stream(settings.seed, Purpose::Init, 0, 0);
        let head = AttentiveHead::init(width, classes, settings.queries, &device, &mut rng);

        check_labels(images, &val.labels, classes, "judge by")?;
        Ok(Self::starting_from(&head, settings, val))
    }

    pub(super) fn starting_from(
        head: &AttentiveHead,
        settings: &AttentiveSettings,
        val: PatchFeatures,
    ) -> Self {
        let probe = TrainedProbe {
            head: head.clone().train(),
            optimizer: AdamW::default(),
        };
        let AttentiveSettings { rates, steps, .. } = settings;
        Self {
            probes: vec![probe; rates.len()],
            rates: rates.clone(),
            weight_decay: settings.weight_decay,
            schedule: Schedule::warmup_cosine(1.0, 0.0, steps / 10, *steps),
            steps: 0,
            epochs: 0,
            classes: settings.classes,
            val,
            scores: Vec::new(),
            best: None,
        }
    }

    /// One step of every probe on images with these patch tokens `[B, N, D]` and classes.
    ///
    /// # Errors
    /// If there is no image, or tokens or a label do not fit the probes.
    pub fn step(&mut self, patches: Tensor<3>, labels: &[usize]) -> Result<(), ProbeError> {
        let [images, _, actual] = patches.dims();
        check_labels(images, labels, self.classes, "learn from")?;
        let expected = self.val.patches.dims()[2];
        if actual != expected {
            return Err(ProbeError::Width { expected, actual });
        }

        let schedule = self.schedule.at(self.steps);
        let patches = patches.autodiff();
        // Labels have no gradient, so they stay on the device below.
        let device = patches.device().inner();
        for (probe, rate) in self.probes.iter_mut().zip(&self.rates) {
            let loss = cross_entropy(probe.head.forward(patches.clone()), labels, &device);
            let gradients = NamedGradients::of(&probe.head, loss.backward());
            let rule = |_: &str, rank| Rule::by_rank(rate * schedule, self.weight_decay, rank);
            // Without norms nothing is clipped.
            let norms = GradientNorms::default();
            let config = AdamWConfig::default();
            let head = &mut probe.head;
            probe.optimizer.step(head, gradients, &norms, &config, rule);
        }
        self.steps += 1;
        Ok(())
    }

    /// Trains one epoch on tokens that stay the same, in batches of `size` images; the last is
    /// smaller if they do not divide evenly. Then judges the probes.
    ///
    /// # Errors
    /// If there is no image, one does not fit the probes, all probes diverged, or the device fails.
    pub async fn cached_epoch(
        &mut self,
        train: &PatchFeatures,
        size: usize,
        seed: u64,
    ) -> Result<&[HeadScore], ProbeError> {
        let order = order(train.labels.len(), seed, self.epochs);
        for images in order.chunks(size.max(1)) {
            let (patches, labels) = batch(&train.patches, &train.labels, images);
            self.step(patches, &labels)?;
        }
        self.end_epoch().await
    }

    /// Judges all probes after an epoch.
    ///
    /// # Errors
    /// If all probes diverged, or the device fails.
    pub async fn end_epoch(&mut self) -> Result<&[HeadScore], ProbeError> {
        self.epochs += 1;
        let heads: Vec<AttentiveHead> =
            self.probes.iter().map(|probe| probe.head.valid()).collect();

        let mut tally = Tally::EMPTY;
        for (number, labels) in self.val.labels.chunks(CHUNK).enumerate() {
            let patches = self.val.patches.clone();
            let patches = patches.narrow(0, number * CHUNK, labels.len());
            let logits: Vec<Tensor<2>> = heads
                .iter()
                .map(|head| head.forward(patches.clone()))
                .collect();
            let labels = on_device(labels, &patches.device());
            tally.add(Tensor::stack(logits, 1), labels);
        }
        self.scores = tally.scores(&self.rates).await?;

        let head = best_head(&self.scores).ok_or(ProbeError::Diverged(self.epochs))?;
        let score = self.scores[head];
        if self.best.is_none_or(|(_, best)| score.top1 > best.top1) {
            self.best = Some((self.epochs, score));
        }
        Ok(&self.scores)
    }

    /// What a probe has learned, outside autodiff.
    #[cfg(test)]
    pub(super) fn head(&self, probe: usize) -> AttentiveHead {
        self.probes[probe].head.valid()
    }

    /// Epochs trained.
    pub fn epochs(&self) -> usize {
        self.epochs
    }

    /// The scores of all probes after the last epoch; empty before the first.
    pub fn scores(&self) -> &[HeadScore] {
        &self.scores
    }

    /// The best probe of any epoch, and its epochs until then; `None` before the first. It is chosen
    /// by the images that it is judged by.
    pub fn best(&self) -> Option<(usize, HeadScore)> {
        self.best
    }
}

/// Mean over images of `-log p` of their classes.
fn cross_entropy(logits: Tensor<2>, labels: &[usize], device: &Device) -> Tensor<1> {
    let labels = on_device(labels, device).unsqueeze_dim(1);
    activation::log_softmax(logits, 1)
        .gather(1, labels)
        .mean()
        .neg()
}
