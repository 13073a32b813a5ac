//! What fine-tuning minimises.

use burn::tensor::{Tensor, activation};

/// Cross-entropy of `logits` with `targets`, both `[B, classes]`, in nats, and the share of images
/// whose largest logit is that of the largest target: means over the images, `[1]` each, the second
/// outside autodiff. Rows of `targets` add up to 1.
pub fn cross_entropy(logits: Tensor<2>, targets: &Tensor<2>) -> (Tensor<1>, Tensor<1>) {
    let images = logits.dims()[0] as f64;

    let found = logits.clone().without_autodiff().argmax(1);
    let hits = found.equal(targets.clone().argmax(1)).float().sum();

    let likelihood = targets.clone().autodiff() * activation::log_softmax(logits, 1);
    (likelihood.sum().neg() / images, hits / images)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::testing::test;

    #[test]
    fn soft_targets_weigh_the_log_likelihoods() {
        let device = Device::flex();
        let logits = Tensor::<2>::from_floats([[0.0, 3f32.ln()], [2.0, 2.0]], &device).autodiff();
        let targets = Tensor::<2>::from_floats([[0.25, 0.75], [1.0, 0.0]], &device);
        let logits = logits.require_grad();
        let (loss, accuracy) = cross_entropy(logits.clone(), &targets);

        let expected = -(0.25 * 0.25f64.ln() + 0.75 * 0.75f64.ln() + 0.5f64.ln()) / 2.0;
        let value: f64 = loss.clone().inner().into_scalar();
        assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
        assert_eq!(accuracy.into_scalar::<f32>(), 1.0);

        // (softmax - target) / 2.
        let gradient = logits.grad(&loss.backward()).expect("a leaf");
        let gradient: Vec<f32> = gradient.try_into_vec_as().expect("floats");
        for (actual, expected) in gradient.iter().zip([0.0, 0.0, -0.25, 0.25]) {
            assert!((actual - expected).abs() < 1e-6, "{gradient:?}");
        }
    }
}
