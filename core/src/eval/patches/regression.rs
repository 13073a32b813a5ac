//! Logistic regression on the tokens of patches, on the device (CAPI).

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, ExecutionError, Int, Tensor, TensorData, Transaction};
use nalgebra::DMatrix;

use crate::eval::logistic::lbfgs::{Lbfgs, Point};

/// Patches that are on the device at a time for predictions.
const BLOCK: usize = 8192;

/// When training ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Training {
    /// Most iterations.
    pub iterations: usize,
    /// The largest entry of the gradient below which it is done.
    pub tolerance: f64,
}

/// Patches to learn from, on the device.
pub struct PatchSet {
    /// `[N, D + 1]`, the last column ones.
    rows: Tensor<2>,
    /// `[N, 1]`.
    labels: Tensor<2, Int>,
    /// The sum of the rows of each class, `[D + 1, K]`.
    sums: DMatrix<f64>,
}

/// Weights `[D + 1, K]`, the last row the intercepts.
pub struct Regression {
    weights: DMatrix<f64>,
    /// Iterations that training took.
    pub iterations: usize,
}

impl PatchSet {
    /// Patches with `tokens` `[N, dim]` and their `labels`, which are below `classes`.
    ///
    /// # Panics
    /// If there is not one label a token, or a label has no class.
    pub fn new(
        tokens: &[f32],
        dim: usize,
        labels: &[usize],
        classes: usize,
        device: &Device,
    ) -> Self {
        let count = labels.len();
        let mut sums = DMatrix::zeros(dim + 1, classes);
        for (token, label) in tokens.chunks_exact(dim).zip(labels) {
            let mut sum = sums.column_mut(*label);
            for (total, value) in sum.iter_mut().zip(token) {
                *total += f64::from(*value);
            }
            sum[dim] += 1.0;
        }

        let labels: Vec<i64> = labels.iter().map(|label| *label as i64).collect();
        Self {
            rows: with_ones(tokens, dim, device),
            labels: Tensor::from_data(TensorData::new(labels, [count, 1]), device),
            sums,
        }
    }

    /// Value and gradient of `mean of (logsumexp(W x) - (W x)_y) + lambda / 2 * |W|^2` at weights
    /// `[D + 1, K]`, where the intercepts have no penalty.
    async fn at(&self, weights: DMatrix<f64>, lambda: f64) -> Result<Point, ExecutionError> {
        let [count, width] = self.rows.dims();
        let logits = self
            .rows
            .clone()
            .matmul(on_device(&weights, &self.rows.device()));
        let shares = log_softmax(logits, 1);
        let loss = -shares.clone().gather(1, self.labels.clone()).mean();
        let products = self.rows.clone().transpose().matmul(shares.exp());
        let data = Transaction::default()
            .register(loss)
            .register(products)
            .execute_async()
            .await?;
        // A transaction returns one entry for each registered tensor.
        let [loss, products] = &data[..] else {
            unreachable!("two tensors were registered")
        };

        let products = products.iter::<f64>();
        let mut gradient = DMatrix::from_row_iterator(width, weights.ncols(), products);
        // The rows of the true classes come off, whose sums never change.
        gradient -= &self.sums;
        gradient /= count as f64;
        let mut penalised = weights.clone();
        penalised.row_mut(width - 1).fill(0.0);
        gradient += &penalised * lambda;
        Ok(Point {
            value: loss.iter::<f64>().sum::<f64>() + lambda / 2.0 * penalised.norm_squared(),
            gradient,
            at: weights,
        })
    }
}

impl Regression {
    /// Fits a regression with the cost `c` of an error: it minimises the sum of cross-entropies times
    /// `c` plus `|W|^2 / 2`, without penalty on the intercepts, from weights of 0, by L-BFGS.
    pub async fn fit(patches: &PatchSet, c: f64, until: Training) -> Result<Self, ExecutionError> {
        let count = patches.rows.dims()[0];
        let lambda = 1.0 / (c * count as f64);
        let start = DMatrix::zeros(patches.sums.nrows(), patches.sums.ncols());
        let mut descent = Lbfgs::new(patches.at(start, lambda).await?);

        let mut iterations = 0;
        while iterations < until.iterations && descent.now().gradient.amax() > until.tolerance {
            let evaluate = async |at: DMatrix<f64>| patches.at(at, lambda).await;
            // Where rounding hides any further descent, the end is reached too.
            if !descent.step(evaluate).await? {
                break;
            }
            iterations += 1;
        }
        Ok(Self {
            weights: descent.into_now().at,
            iterations,
        })
    }

    /// The class with the largest logit for each of `tokens`; of equal ones the first.
    pub async fn predict(
        &self,
        tokens: &[f32],
        device: &Device,
    ) -> Result<Vec<usize>, ExecutionError> {
        let dim = self.weights.nrows() - 1;
        let weights = on_device(&self.weights, device);
        let mut classes = Vec::with_capacity(tokens.len() / dim.max(1));
        for block in tokens.chunks(BLOCK * dim) {
            let logits = with_ones(block, dim, device).matmul(weights.clone());
            let found = logits.argmax(1).into_data_async().await?;
            classes.extend(found.iter::<i64>().map(|class| class as usize));
        }
        Ok(classes)
    }
}

fn with_ones(tokens: &[f32], dim: usize, device: &Device) -> Tensor<2> {
    let count = tokens.len() / dim.max(1);
    let rows = Tensor::from_data(TensorData::new(tokens.to_vec(), [count, dim]), device);
    Tensor::cat(vec![rows, Tensor::ones([count, 1], device)], 1)
}

fn on_device(weights: &DMatrix<f64>, device: &Device) -> Tensor<2> {
    let rows = weights.transpose();
    let values: Vec<f32> = rows.iter().map(|value| *value as f32).collect();
    let shape = [weights.nrows(), weights.ncols()];
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;
    use serde::Deserialize;

    use super::super::Standard;
    use super::*;
    use crate::testing::test;

    /// What scripts/make_eval_segmentation_fixtures.py wrote.
    const FIXTURE: &str = include_str!("../../../../tests/fixtures/eval/segmentation.json");

    #[derive(Deserialize)]
    struct Fixture {
        regression: Case,
    }

    #[derive(Deserialize)]
    struct Case {
        dim: usize,
        classes: usize,
        train: Vec<f32>,
        labels: Vec<usize>,
        val: Vec<f32>,
        fits: Vec<Expected>,
    }

    #[derive(Deserialize)]
    struct Expected {
        c: f64,
        objective: f64,
        predictions: Vec<usize>,
    }

    #[test]
    fn minima_are_those_of_scikit_learn() {
        let fixture: Fixture = serde_json::from_str(FIXTURE).expect("the fixture");
        let mut case = fixture.regression;
        let standard = Standard::of(&case.train, case.dim);
        standard.apply(&mut case.train);
        standard.apply(&mut case.val);

        let device = Device::flex();
        let patches = PatchSet::new(&case.train, case.dim, &case.labels, case.classes, &device);
        let until = Training {
            iterations: 1000,
            tolerance: 1e-6,
        };
        assert_eq!(case.fits.len(), 3);
        for Expected {
            c,
            objective,
            predictions,
        } in case.fits
        {
            let fit = block_on(Regression::fit(&patches, c, until)).expect("flex");
            let lambda = 1.0 / (c * case.labels.len() as f64);
            let end = block_on(patches.at(fit.weights.clone(), lambda)).expect("flex");
            let difference = (end.value - objective).abs();
            assert!(
                difference < 1e-5 * objective,
                "C = {c}: {}, not {objective}, after {} iterations",
                end.value,
                fit.iterations
            );
            let found = block_on(fit.predict(&case.val, &device)).expect("flex");
            assert_eq!(found, predictions, "C = {c}");
        }
    }
}
