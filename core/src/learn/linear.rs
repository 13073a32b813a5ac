//! A linear classifier trained on cached features, in the time that a page takes to draw its curve.

use nalgebra::{DMatrix, DVector};

use crate::learn::classifier::softmax;
use crate::learn::state::{scalar, scalar_weight, vector, vector_weight};
use crate::learn::{Classifier, FeatureSet, Progress, TuneError};
use crate::problems::Problems;
use crate::weights::{Weight, Weights, WeightsError};

/// How a [`LinearHead`] learns.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeadSettings {
    /// Weight of `|W|² / 2` beside the mean cross-entropy. Features are scaled to a length of about
    /// 1 before, so one value fits networks of any width.
    pub weight_decay: f64,
    /// Steps after which the page may stop; the curve is flat by then.
    pub steps: usize,
}

impl Default for HeadSettings {
    fn default() -> Self {
        Self {
            weight_decay: 1e-3,
            steps: 100,
        }
    }
}

/// Softmax regression by accelerated gradient descent over all features at once.
///
/// The objective is convex and its curvature is known beforehand, so that Nesterov's method has no
/// learning rate to choose.
#[derive(Clone, Debug)]
pub struct LinearHead {
    /// What each feature's columns are multiplied by, after `mean` is subtracted; `[D]` both.
    scale: Vec<f32>,
    mean: Vec<f32>,
    /// Standardised features, `[N, D]`.
    features: DMatrix<f32>,
    labels: Vec<usize>,
    weight_decay: f32,
    now: Parameters,
    before: Parameters,
    steps: usize,
}

/// Weights `[D, classes]` and biases `[classes]` for standardised features.
#[derive(Clone, Debug, PartialEq)]
struct Parameters {
    weight: DMatrix<f32>,
    bias: DVector<f32>,
}

impl LinearHead {
    /// A head before its first step, which finds all classes equally likely.
    ///
    /// # Errors
    /// If the weight decay is not a positive number.
    pub fn new(set: &FeatureSet, settings: HeadSettings) -> Result<Self, TuneError> {
        let weight_decay = settings.weight_decay;
        let mut problems = Problems::default();
        problems.require(
            weight_decay.is_finite() && weight_decay > 0.0,
            "weight_decay",
            weight_decay,
            "must be more than zero, or the weights of classes that can be told apart grow without end",
        );
        problems.into_result()?;

        let (mean, scale) = standardisation(set);
        let mut standardised = Vec::with_capacity(set.values().len());
        for row in set.rows() {
            for (column, value) in row.iter().enumerate() {
                standardised.push((value - mean[column]) * scale[column]);
            }
        }

        let zeros = Parameters {
            weight: DMatrix::zeros(set.dim(), set.classes()),
            bias: DVector::zeros(set.classes()),
        };
        Ok(Self {
            features: DMatrix::from_row_slice(set.labels().len(), set.dim(), &standardised),
            mean,
            scale,
            labels: set.labels().to_vec(),
            weight_decay: weight_decay as f32,
            before: zeros.clone(),
            now: zeros,
            steps: 0,
        })
    }

    /// One step over all images; loss and accuracy are those before it.
    pub fn step(&mut self) -> Progress {
        // The curvature. Features are standardised and divided by sqrt(D), so the eigenvalues of
        // their covariance add up to 1 at most. The softmax adds a factor of at most 1/2, the decay
        // itself.
        let (largest, smallest) = (0.5 + self.weight_decay, self.weight_decay);
        let momentum = (largest.sqrt() - smallest.sqrt()) / (largest.sqrt() + smallest.sqrt());

        // Nesterov's method takes the gradient where the momentum leads.
        let mut ahead = Parameters {
            weight: &self.now.weight + (&self.now.weight - &self.before.weight) * momentum,
            bias: &self.now.bias + (&self.now.bias - &self.before.bias) * momentum,
        };
        let (progress, gradient) = self.objective(&ahead);
        ahead.weight -= gradient.weight / largest;
        // The step is one over the curvature, the largest that cannot diverge.
        ahead.bias -= gradient.bias / largest;

        self.before = std::mem::replace(&mut self.now, ahead);
        self.steps += 1;
        progress
    }

    /// Steps taken.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The classifier learned so far, for features as they are.
    pub fn classifier(&self) -> Classifier {
        let Parameters { weight, bias } = &self.now;
        let (dim, classes) = weight.shape();
        let mut weights = Vec::with_capacity(dim * classes);
        let mut biases = Vec::with_capacity(classes);
        for class in 0..classes {
            // Training subtracts the mean from features, a classifier does not.
            let mut shift = 0.0;
            for (column, weight) in weight.column(class).iter().enumerate() {
                let scaled = weight * self.scale[column];
                shift += scaled * self.mean[column];
                weights.push(scaled);
            }
            biases.push(bias[class] - shift);
        }

        // The sizes are those of one matrix.
        Classifier::new(dim, weights, biases).unwrap_or_else(|_| Classifier::zeros(dim, classes))
    }

    /// What [`restore`](Self::restore) needs beside the features, to continue bit for bit.
    pub fn state(&self) -> Weights {
        let matrix = |m: &DMatrix<f32>| Weight {
            shape: vec![m.ncols(), m.nrows()],
            values: m.as_slice().to_vec(),
        };
        Weights::from([
            ("weight".to_owned(), matrix(&self.now.weight)),
            ("bias".to_owned(), vector_weight(self.now.bias.as_slice())),
            ("before.weight".to_owned(), matrix(&self.before.weight)),
            (
                "before.bias".to_owned(),
                vector_weight(self.before.bias.as_slice()),
            ),
            ("steps".to_owned(), scalar_weight(self.steps)),
        ])
    }

    /// This head, made of the same features, at another one's `state`.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    pub fn restore(mut self, state: &Weights) -> Result<Self, WeightsError> {
        let (dim, classes) = self.now.weight.shape();
        let parameters = |prefix: &str| -> Result<Parameters, WeightsError> {
            let weight =
                crate::weights::find(state, &format!("{prefix}weight"), vec![classes, dim])?;
            let bias = vector(state, &format!("{prefix}bias"), classes)?;
            Ok(Parameters {
                weight: DMatrix::from_column_slice(dim, classes, &weight.values),
                bias: DVector::from_column_slice(bias),
            })
        };
        (self.now, self.before) = (parameters("")?, parameters("before.")?);
        self.steps = scalar(state, "steps")?;
        Ok(self)
    }

    fn objective(&self, at: &Parameters) -> (Progress, Parameters) {
        let count = self.labels.len() as f32;
        // A row for each class and a column for each image, so that an image's logits lie side by
        // side.
        let mut residual = at.weight.tr_mul(&self.features.transpose());
        let mut loss = 0.0;
        let mut hits = 0usize;
        for (mut logits, label) in residual.column_iter_mut().zip(&self.labels) {
            logits += &at.bias;
            hits += usize::from(logits.argmax().0 == *label);
            softmax(logits.as_mut_slice());
            // A probability that rounds to 0 would make the loss infinite.
            loss -= f64::from(logits[*label].max(f32::MIN_POSITIVE).ln());
            // The gradient of cross-entropy: probabilities less the one-hot label.
            logits[*label] -= 1.0;
        }

        let penalty = f64::from(self.weight_decay) * f64::from(at.weight.norm_squared()) / 2.0;
        let progress = Progress {
            loss: loss / f64::from(count) + penalty,
            accuracy: hits as f64 / f64::from(count),
        };

        let bias = residual.column_sum() / count;
        // Biases are not decayed.
        let weight =
            (residual * &self.features).transpose() / count + &at.weight * self.weight_decay;
        (progress, Parameters { weight, bias })
    }
}

/// Mean and scale of every column: after them a column has mean 0 and variance 1/D.
fn standardisation(set: &FeatureSet) -> (Vec<f32>, Vec<f32>) {
    let count = set.labels().len() as f64;
    let mut mean = vec![0.0; set.dim()];
    for row in set.rows() {
        for (column, value) in row.iter().enumerate() {
            mean[column] += f64::from(*value) / count;
        }
    }

    // In a second pass, because a difference of large squares loses a small variance.
    let mut variance = vec![0.0; set.dim()];
    for row in set.rows() {
        for (column, value) in row.iter().enumerate() {
            variance[column] += (f64::from(*value) - mean[column]).powi(2) / count;
        }
    }

    let mut scales = Vec::with_capacity(set.dim());
    for (variance, mean) in variance.iter().zip(&mean) {
        let deviation = variance.sqrt();
        // What rounding leaves of a constant is not a signal.
        let varies = deviation > 1e-6 * mean.abs().max(1e-6);
        scales.push(if varies {
            (deviation * (set.dim() as f64).sqrt()).recip() as f32
        } else {
            0.0
        });
    }
    (mean.into_iter().map(|mean| mean as f32).collect(), scales)
}

#[cfg(test)]
mod tests;
