//! Multinomial logistic regression on frozen features, with an L2 penalty and without intercept.

pub(super) mod lbfgs;
mod objective;

use std::convert::Infallible;

use burn::tensor::{ExecutionError, Tensor};
use nalgebra::DMatrix;

use self::lbfgs::{Lbfgs, Point};
use self::objective::{Objective, logits};
use super::knn::Labelled;
use crate::metrics::accuracy::top_k;
use crate::model::l2_normalize;

/// The penalties of the official evaluation.
pub const LAMBDAS: [f64; 3] = [0.01, 0.1, 1.0];
/// Training ends when the duality gap is at most this share of the objective.
const RELATIVE_GAP: f64 = 1e-12;
// Most iterations. With the usual penalties training takes some twenty.
const MAX_ITERATIONS: usize = 2000;

/// The regression with one penalty.
#[derive(Clone, Debug, PartialEq)]
pub struct LogisticFit {
    /// Weight of the penalty.
    pub lambda: f64,
    /// Share of the images to judge by whose class has the largest logit.
    pub top1: f64,
    /// The class with the largest logit for each of these images.
    pub predictions: Vec<usize>,
    /// `mean cross-entropy + lambda / 2 * |W|^2` at the end.
    pub objective: f64,
    /// Euclidean norm of the gradient at the end.
    pub gradient_norm: f64,
    /// Duality gap at the end: the objective is at most this far above its minimum.
    pub gap: f64,
    /// Iterations that training took.
    pub iterations: usize,
}

/// Why no regression was fitted.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum LogisticError {
    #[error("the penalty lambda must be positive and finite, not {0}")]
    Lambda(f64),
    #[error("a regression needs images of two classes or more, not {0}")]
    Classes(usize),
    #[error("no image to learn from has class {0}")]
    MissingClass(usize),
    #[error("an image to learn from has class {label}, but there are only {classes} classes")]
    UnknownClass { label: usize, classes: usize },
    #[error("the features hold values that are not finite")]
    NotFinite,
    #[error("the device failed: {0}")]
    Device(#[from] ExecutionError),
}

/// Fits a regression to `train` for each of `lambdas`, from weights of 0, and judges it by `val`.
///
/// With features `x` of length 1 the weights `W`, `[K, D]`, minimise the mean of
/// `logsumexp(W x) - (W x)_y` plus `lambda / 2 * |W|^2`. The minimum is unique. Training ends when
/// the duality gap is at most 1e-12 of the objective, or when `f64` allows no further descent.
///
/// # Errors
/// If a penalty is not positive, one of the `classes` does not occur in `train`, there are less
/// than two, a feature is not finite, or the device fails.
pub async fn logistic(
    train: &Labelled,
    val: &Labelled,
    classes: usize,
    lambdas: &[f64],
) -> Result<Vec<LogisticFit>, LogisticError> {
    check(&train.labels, classes, lambdas)?;
    let dim = train.features.dims()[1];
    let learned_from = unit_rows(&train.features).await?;
    let judged_by = unit_rows(&val.features).await?;

    let mut fits = Vec::with_capacity(lambdas.len());
    for lambda in lambdas {
        let objective = Objective {
            features: &learned_from,
            labels: &train.labels,
            dim,
            classes,
            lambda: *lambda,
        };
        let (end, iterations) = minimise(&objective).await;
        let predictions = predict(&end.at, &judged_by);

        // A regression has no order of classes to rank: its answer is the first, or none.
        let mut ranks = Vec::with_capacity(predictions.len());
        for (predicted, truth) in predictions.iter().zip(&val.labels) {
            ranks.push(if predicted == truth { 0 } else { usize::MAX });
        }
        fits.push(LogisticFit {
            lambda: *lambda,
            top1: top_k(&ranks, 1),
            predictions,
            objective: end.value,
            gradient_norm: end.gradient.norm(),
            gap: objective.gap(&end.gradient),
            iterations,
        });
    }
    Ok(fits)
}

fn check(labels: &[usize], classes: usize, lambdas: &[f64]) -> Result<(), LogisticError> {
    for lambda in lambdas {
        if !(lambda.is_finite() && *lambda > 0.0) {
            return Err(LogisticError::Lambda(*lambda));
        }
    }
    if classes < 2 {
        return Err(LogisticError::Classes(classes));
    }

    let mut occurs = vec![false; classes];
    for label in labels {
        match occurs.get_mut(*label) {
            Some(occurs) => *occurs = true,
            None => {
                let label = *label;
                return Err(LogisticError::UnknownClass { label, classes });
            }
        }
    }
    match occurs.iter().position(|occurs| !occurs) {
        Some(class) => Err(LogisticError::MissingClass(class)),
        None => Ok(()),
    }
}

/// Rows `[M, D]` at length 1, on the host.
async fn unit_rows(features: &Tensor<2>) -> Result<Vec<f32>, LogisticError> {
    let data = l2_normalize(features.clone()).into_data_async().await?;
    let rows: Vec<f32> = data.iter::<f32>().collect();
    if rows.iter().all(|value| value.is_finite()) {
        Ok(rows)
    } else {
        Err(LogisticError::NotFinite)
    }
}

/// Where training ends, and its iterations.
async fn minimise(objective: &Objective<'_>) -> (Point, usize) {
    let evaluate = async |at: DMatrix<f64>| Ok::<_, Infallible>(objective.at(at));
    let start = DMatrix::zeros(objective.dim, objective.classes);
    let mut descent = Lbfgs::new(objective.at(start));

    let mut iterations = 0;
    while iterations < MAX_ITERATIONS {
        let now = descent.now();
        if objective.gap(&now.gradient) <= RELATIVE_GAP * now.value {
            break;
        }
        // Where rounding hides any further descent, the end is reached too.
        let Ok(true) = descent.step(evaluate).await else {
            break;
        };
        iterations += 1;
    }
    (descent.into_now(), iterations)
}

/// The class with the largest logit for each row of `features`; of equal ones the first.
fn predict(weights: &DMatrix<f64>, features: &[f32]) -> Vec<usize> {
    let transposed = weights.transpose();
    let mut predictions = Vec::with_capacity(features.len() / weights.nrows().max(1));
    for block in objective::blocks(features, weights.nrows()) {
        for column in logits(&transposed, &block).column_iter() {
            predictions.push(column.argmax().0);
        }
    }
    predictions
}

#[cfg(test)]
mod tests;
