//! Many linear heads that learn side by side, each with its own learning rate.

use burn::tensor::{Device, ExecutionError, Tensor, TensorData, Transaction};
use rand_distr::{Distribution as _, StandardNormal};

use crate::eval::heads::{ProbeError, check_labels};
use crate::kernels;
use crate::learn::Classifier;
use crate::rng::{Purpose, stream};

/// Standard deviation of the first weights.
const INITIAL_DEVIATION: f32 = 0.01;
const MOMENTUM: f64 = 0.9;
// The batch size for which the official code states its learning rates.
const RATED_BATCH: f64 = 256.0;

/// The learning rates of the official sweep, {1..9} x 10^{-4..0}, for batches of `batch` images.
pub fn official_rates(batch: usize) -> Vec<f64> {
    let mut rates = Vec::with_capacity(45);
    for exponent in -4..=0 {
        for digit in 1..=9 {
            rates.push(scaled_rate(f64::from(digit) * 10f64.powi(exponent), batch));
        }
    }
    rates
}

/// A learning rate that is stated for batches of 256 images, for those of `batch` images.
pub fn scaled_rate(rate: f64, batch: usize) -> f64 {
    rate * batch as f64 / RATED_BATCH
}

/// J linear classifiers of K classes on the same features, each trained by SGD with momentum on its
/// own mean cross-entropy.
///
/// The heads do not interact, so one matrix product computes the logits of all, and one their
/// gradients. All start from the same weights: heads differ in their learning rates only, and a head
/// learns the same alone as in any sweep.
#[derive(Clone, Debug)]
pub struct LinearSweep {
    rates: Vec<f64>,
    classes: usize,
    /// `[D, J K]`, head by head.
    weight: Tensor<2>,
    /// `[1, J K]`.
    bias: Tensor<2>,
    weight_velocity: Tensor<2>,
    bias_velocity: Tensor<2>,
    /// The learning rate of each column, `[1, J K]`.
    column_rates: Tensor<2>,
}

impl LinearSweep {
    /// A head for each of `rates`, with weights from N(0, 0.01²) and biases of 0.
    ///
    /// # Errors
    /// If there are fewer than two classes.
    pub fn new(
        width: usize,
        classes: usize,
        rates: Vec<f64>,
        seed: u64,
        device: &Device,
    ) -> Result<Self, ProbeError> {
        let mut rng = stream(seed, Purpose::Init, 0, 0);
        let mut weight = Vec::with_capacity(width * classes);
        for _ in 0..width * classes {
            let normal: f32 = StandardNormal.sample(&mut rng);
            weight.push(INITIAL_DEVIATION * normal);
        }
        let weight = Tensor::from_data(TensorData::new(weight, [width, classes]), device);
        let bias = Tensor::zeros([1, classes], device);
        Self::starting_from(weight, bias, rates)
    }

    /// A head for each of `rates`, all with this `weight` `[D, K]` and `bias` `[1, K]`.
    ///
    /// # Errors
    /// If there are fewer than two classes.
    pub fn starting_from(
        weight: Tensor<2>,
        bias: Tensor<2>,
        rates: Vec<f64>,
    ) -> Result<Self, ProbeError> {
        let classes = weight.dims()[1];
        if classes < 2 {
            return Err(ProbeError::Classes(classes));
        }

        let mut column_rates = Vec::with_capacity(rates.len() * classes);
        for rate in &rates {
            column_rates.extend(std::iter::repeat_n(*rate as f32, classes));
        }
        let columns = column_rates.len();
        let device = weight.device();

        let weight = weight.repeat_dim(1, rates.len());
        let bias = bias.repeat_dim(1, rates.len());
        Ok(Self {
            rates,
            classes,
            weight_velocity: weight.zeros_like(),
            bias_velocity: bias.zeros_like(),
            weight,
            bias,
            column_rates: Tensor::from_data(TensorData::new(column_rates, [1, columns]), &device),
        })
    }

    /// Learning rates before their schedule, one a head.
    pub fn rates(&self) -> &[f64] {
        &self.rates
    }

    /// Logits `[B, J, K]` of `features` `[B, D]`.
    pub fn logits(&self, features: Tensor<2>) -> Tensor<3> {
        let images = features.dims()[0];
        let logits = features.matmul(self.weight.clone()) + self.bias.clone();
        logits.reshape([images, self.rates.len(), self.classes])
    }

    /// One step of every head on images with `features` `[B, D]` of the classes `labels`, at its
    /// learning rate times `schedule`: `v = 0.9 v + g`, then `w = w - rate v`.
    ///
    /// # Errors
    /// If there is no image, or a feature or a label does not fit the heads.
    pub fn step(
        &mut self,
        features: Tensor<2>,
        labels: &[usize],
        schedule: f64,
    ) -> Result<(), ProbeError> {
        self.check(&features, labels, "learn from")?;
        let images = labels.len();
        let heads = self.rates.len();

        let probabilities = kernels::softmax(self.logits(features.clone()), 1.0);
        let truth = self.one_hot(labels, &features.device());
        let gradient = (probabilities - truth) / images as f64;
        let gradient = gradient.reshape([images, heads * self.classes]);

        let of_weight = features.transpose().matmul(gradient.clone());
        let of_bias = gradient.sum_dim(0);
        self.weight_velocity = self.weight_velocity.clone() * MOMENTUM + of_weight;
        self.bias_velocity = self.bias_velocity.clone() * MOMENTUM + of_bias;

        let rates = self.column_rates.clone() * schedule;
        self.weight = self.weight.clone() - self.weight_velocity.clone() * rates.clone();
        self.bias = self.bias.clone() - self.bias_velocity.clone() * rates;
        Ok(())
    }

    /// Weights and bias of one head, for features as they are.
    pub async fn classifier(&self, head: usize) -> Result<Classifier, ExecutionError> {
        let columns = |tensor: &Tensor<2>| {
            let first = head * self.classes;
            tensor.clone().narrow(1, first, self.classes)
        };
        let data = Transaction::default()
            .register(columns(&self.weight).transpose())
            .register(columns(&self.bias))
            .execute_async()
            .await?;
        // A transaction returns one entry for each registered tensor.
        let [weight, bias] = &data[..] else {
            unreachable!("two tensors were registered")
        };

        let width = self.weight.dims()[0];
        let weight = weight.iter::<f32>().collect();
        let classifier = Classifier::new(width, weight, bias.iter::<f32>().collect());
        // The sizes are those of one matrix.
        Ok(classifier.unwrap_or_else(|_| Classifier::zeros(width, self.classes)))
    }

    pub(super) fn check(
        &self,
        features: &Tensor<2>,
        labels: &[usize],
        purpose: &'static str,
    ) -> Result<(), ProbeError> {
        let [images, actual] = features.dims();
        check_labels(images, labels, self.classes, purpose)?;
        let expected = self.weight.dims()[0];
        if actual != expected {
            return Err(ProbeError::Width { expected, actual });
        }
        Ok(())
    }

    /// `[B, 1, K]`.
    fn one_hot(&self, labels: &[usize], device: &Device) -> Tensor<3> {
        let mut values = vec![0f32; labels.len() * self.classes];
        for (row, label) in values.chunks_exact_mut(self.classes).zip(labels) {
            row[*label] = 1.0;
        }
        Tensor::from_data(
            TensorData::new(values, [labels.len(), 1, self.classes]),
            device,
        )
    }
}
