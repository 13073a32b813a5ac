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
/// The objective is convex, and its curvature is known beforehand: features are standardised over
/// the training images and divided by sqrt(D), so the largest eigenvalue of their covariance is at
/// most its trace, 1; the softmax adds a factor of at most 1/2, the decay itself. That gives
/// Nesterov's method its step size and momentum, and leaves no learning rate to choose.
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
        let standardised = set.rows().flat_map(|row| {
            let centered = row.iter().zip(&mean).map(|(value, mean)| value - mean);
            centered.zip(&scale).map(|(value, scale)| value * scale)
        });
        let zeros = Parameters {
            weight: DMatrix::zeros(set.dim(), set.classes()),
            bias: DVector::zeros(set.classes()),
        };
        Ok(Self {
            features: DMatrix::from_row_iterator(set.labels().len(), set.dim(), standardised),
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
        let (largest, smallest) = (0.5 + self.weight_decay, self.weight_decay);
        let momentum = (largest.sqrt() - smallest.sqrt()) / (largest.sqrt() + smallest.sqrt());
        let mut ahead = Parameters {
            weight: &self.now.weight + (&self.now.weight - &self.before.weight) * momentum,
            bias: &self.now.bias + (&self.now.bias - &self.before.bias) * momentum,
        };
        let (progress, gradient) = self.objective(&ahead);
        ahead.weight -= gradient.weight / largest;
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
        let (mut weights, mut biases) = (
            Vec::with_capacity(dim * classes),
            Vec::with_capacity(classes),
        );
        for class in 0..classes {
            let row: Vec<f32> = weight
                .column(class)
                .iter()
                .zip(&self.scale)
                .map(|(w, scale)| w * scale)
                .collect();
            biases.push(
                bias[class]
                    - row
                        .iter()
                        .zip(&self.mean)
                        .map(|(w, mean)| w * mean)
                        .sum::<f32>(),
            );
            weights.extend(row);
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

    /// Loss, accuracy and the gradient at `at`.
    fn objective(&self, at: &Parameters) -> (Progress, Parameters) {
        let count = self.labels.len() as f32;
        // A row for each class and a column for each image, so that an image's logits lie side by
        // side.
        let mut residual = at.weight.tr_mul(&self.features.transpose());
        let (mut loss, mut hits) = (0.0, 0usize);
        for (mut logits, label) in residual.column_iter_mut().zip(&self.labels) {
            logits += &at.bias;
            hits += usize::from(logits.argmax().0 == *label);
            softmax(logits.as_mut_slice());
            loss -= f64::from(logits[*label].max(f32::MIN_POSITIVE).ln());
            logits[*label] -= 1.0;
        }
        let penalty = f64::from(self.weight_decay) * f64::from(at.weight.norm_squared()) / 2.0;
        let progress = Progress {
            loss: loss / f64::from(count) + penalty,
            accuracy: hits as f64 / f64::from(count),
        };
        let bias = residual.column_sum() / count;
        let weight =
            (residual * &self.features).transpose() / count + &at.weight * self.weight_decay;
        (progress, Parameters { weight, bias })
    }
}

/// Mean and scale of every column: after them a column has mean 0 and variance 1/D. One that is
/// constant is scaled by 0.
fn standardisation(set: &FeatureSet) -> (Vec<f32>, Vec<f32>) {
    let count = set.labels().len() as f64;
    let mut mean = vec![0.0; set.dim()];
    for row in set.rows() {
        mean.iter_mut()
            .zip(row)
            .for_each(|(sum, value)| *sum += f64::from(*value) / count);
    }
    let mut variance = vec![0.0; set.dim()];
    for row in set.rows() {
        let squares = row
            .iter()
            .zip(&mean)
            .map(|(value, mean)| (f64::from(*value) - mean).powi(2) / count);
        variance
            .iter_mut()
            .zip(squares)
            .for_each(|(sum, square)| *sum += square);
    }
    let scale = |(variance, mean): (&f64, &f64)| {
        let deviation = variance.sqrt();
        // What rounding leaves of a constant is not a signal.
        if deviation > 1e-6 * mean.abs().max(1e-6) {
            (deviation * (set.dim() as f64).sqrt()).recip() as f32
        } else {
            0.0
        }
    };
    let scales = variance.iter().zip(&mean).map(scale).collect();
    (mean.into_iter().map(|mean| mean as f32).collect(), scales)
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;

    use super::*;
    use crate::learn::classifier::most_likely;
    use crate::rng::{Purpose, stream};
    use crate::testing::test;

    /// `count` features of `dim` random values; the class is in the first, faintly.
    fn set(count: usize, dim: usize, classes: usize) -> FeatureSet {
        let mut rng = stream(3, Purpose::Init, 0, 0);
        let rows: Vec<Vec<f32>> = (0..count)
            .map(|i| {
                (0..dim)
                    .map(|d| {
                        rng.random::<f32>() * 4.0 + if d == 0 { (i % classes) as f32 } else { 7.0 }
                    })
                    .collect()
            })
            .collect();
        FeatureSet::new(
            dim,
            classes,
            rows.iter()
                .enumerate()
                .map(|(i, row)| (&row[..], i % classes)),
        )
        .expect("sound")
    }

    #[test]
    fn the_gradient_matches_finite_differences() {
        let mut head = LinearHead::new(
            &set(20, 5, 3),
            HeadSettings {
                weight_decay: 0.1,
                ..HeadSettings::default()
            },
        )
        .expect("sound settings");
        for _ in 0..3 {
            head.step();
        }
        let at = head.now.clone();
        let (_, gradient) = head.objective(&at);
        let loss = |at: &Parameters| head.objective(at).0.loss;
        for i in 0..at.weight.len() + at.bias.len() {
            let moved = |change: f32| {
                let mut at = at.clone();
                at.weight
                    .iter_mut()
                    .chain(at.bias.iter_mut())
                    .nth(i)
                    .into_iter()
                    .for_each(|v| *v += change);
                loss(&at)
            };
            let difference = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            let exact = f64::from(
                *gradient
                    .weight
                    .iter()
                    .chain(gradient.bias.iter())
                    .nth(i)
                    .expect("in range"),
            );
            assert!(
                (difference - exact).abs() < 1e-4,
                "element {i}: {exact}, finite difference {difference}"
            );
        }
    }

    #[test]
    fn it_converges_to_the_minimum_of_a_case_solved_by_hand() {
        // Two images at +1 and -1 after standardisation, one of each class: W = (-w, w), b = 0, and
        // the minimum is where decay * w = 1 / (1 + exp(2 w)).
        let set = FeatureSet::new(1, 2, [(&[5.0][..], 0), (&[3.0], 1)]).expect("sound");
        let decay = 0.05f32;
        let settings = HeadSettings {
            weight_decay: f64::from(decay),
            ..HeadSettings::default()
        };
        let mut head = LinearHead::new(&set, settings).expect("sound settings");
        assert!((head.step().loss - std::f64::consts::LN_2).abs() < 1e-6);
        for _ in 0..settings.steps {
            head.step();
        }
        let w = head.now.weight[(0, 0)];
        assert!(
            ((decay * w) - 1.0 / (1.0 + (2.0 * w).exp())).abs() < 1e-5,
            "w = {w}"
        );
        assert!((head.now.weight[(0, 1)] + w).abs() < 1e-5 && head.now.bias.amax() < 1e-5);
        // The classifier takes features as they are: halfway between the two it cannot decide.
        let p = head.classifier().predict(&[4.0]).expect("width 1");
        assert!((p[0] - 0.5).abs() < 1e-4);
        assert!(
            (head.classifier().predict(&[5.0]).expect("width 1")[0]
                - 1.0 / (1.0 + (-2.0 * w).exp()))
            .abs()
                < 1e-4
        );
    }

    #[test]
    fn the_default_steps_end_at_the_minimum() {
        let mut head =
            LinearHead::new(&set(40, 64, 4), HeadSettings::default()).expect("sound settings");
        let start = head.step();
        for _ in 1..HeadSettings::default().steps {
            head.step();
        }
        let (end, gradient) = head.objective(&head.now);
        assert!(gradient.weight.norm() < 1e-3, "{}", gradient.weight.norm());
        assert!(
            end.loss < start.loss / 3.0 && end.accuracy == 1.0,
            "{start:?} {end:?}"
        );
    }

    #[test]
    fn constant_columns_say_nothing() {
        let rows = [[1.0, 0.1], [1.0, 0.9], [1.0, 0.2], [1.0, 0.8]];
        let set = FeatureSet::new(
            2,
            2,
            rows.iter().enumerate().map(|(i, row)| (&row[..], i % 2)),
        )
        .expect("sound");
        let mut head = LinearHead::new(&set, HeadSettings::default()).expect("sound settings");
        for _ in 0..50 {
            head.step();
        }
        let classifier = head.classifier();
        assert_eq!((classifier.weight()[0], classifier.weight()[2]), (0.0, 0.0));
        assert_eq!(
            most_likely(&classifier.predict(&[1e6, 0.9]).expect("width 2")),
            1
        );
    }

    #[test]
    fn a_restored_head_continues_bit_for_bit() {
        let set = set(12, 6, 3);
        let mut head = LinearHead::new(&set, HeadSettings::default()).expect("sound settings");
        for _ in 0..5 {
            head.step();
        }
        let again = LinearHead::new(&set, HeadSettings::default()).expect("sound settings");
        let mut again = again.restore(&head.state()).expect("its own state");
        assert_eq!(
            (head.step(), head.classifier(), head.steps()),
            (again.step(), again.classifier(), 6)
        );
        let mut broken = head.state();
        broken.remove("before.bias");
        assert!(
            matches!(head.restore(&broken), Err(WeightsError::Missing(name)) if name == "before.bias")
        );
    }

    #[test]
    fn no_decay_is_refused() {
        let settings = |weight_decay| HeadSettings {
            weight_decay,
            ..HeadSettings::default()
        };
        for weight_decay in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(
                LinearHead::new(&set(4, 2, 2), settings(weight_decay)),
                Err(TuneError::Settings(_))
            ));
        }
    }
}
