//! KoLeo (Sablayrolles et al. 2019, arXiv 1806.03198; as a part of DINOv2): the tokens of a batch
//! are pushed apart until they fill the space evenly.

use burn::tensor::Tensor;

/// Keeps lengths, distances and logarithms away from 0, as the original does.
const EPSILON: f64 = 1e-8;

/// For each global crop the mean over its images of -ln(distance to the nearest other image), of
/// tokens at length 1; the sum over crops, as DINOv2 adds it up. No two crops of one image are
/// compared.
///
/// `cls`: the student's CLS tokens before the head, `[globals * B, D]`, crop by crop. A crop of one
/// image has no neighbours and adds nothing.
pub fn koleo_loss(cls: Tensor<2>, globals: usize) -> Tensor<1> {
    let images = cls.dims()[0] / globals;
    let mut loss = Tensor::zeros([1], &cls.device());
    if images < 2 {
        return loss;
    }
    for crop in cls.chunk(globals, 0) {
        loss = loss + spread(crop);
    }
    loss
}

/// The loss of one crop `[B, D]`.
fn spread(tokens: Tensor<2>) -> Tensor<1> {
    // The root of 0 has no gradient, so the square is kept away from it.
    let squares = tokens.clone().square().sum_dim(1);
    let tokens = tokens / squares.clamp_min(EPSILON * EPSILON).sqrt();

    // Which image is the nearest is no matter of degree, so no gradient flows through the choice.
    let fixed = tokens.clone().inner();
    let cosines = fixed.clone().matmul(fixed.transpose());
    let itself = Tensor::eye(tokens.dims()[0], &cosines.device()) * 3.0;
    let nearest = Tensor::from_inner((cosines - itself).argmax(1).squeeze_dim::<1>(1));

    let away = tokens.clone() - tokens.select(0, nearest) + EPSILON;
    let distances = away.square().sum_dim(1).sqrt();
    (distances + EPSILON).log().mean().neg()
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use serde::Deserialize;

    use super::*;
    use crate::testing::{assert_close, test};

    const FIXTURE: &str = include_str!("../../../tests/fixtures/pretrain/koleo.json");

    /// What lightly computes.
    #[derive(Deserialize)]
    struct Case {
        name: String,
        globals: usize,
        dim: usize,
        tokens: Vec<f32>,
        loss: f32,
        gradient: Vec<f32>,
    }

    fn tokens(values: &[f32], dim: usize) -> Tensor<2> {
        let data = TensorData::new(values.to_vec(), [values.len() / dim, dim]);
        Tensor::from_data(data, &Device::flex().autodiff())
    }

    #[test]
    fn losses_and_gradients_are_those_of_the_reference() {
        let cases: Vec<Case> = serde_json::from_str(FIXTURE).expect("the fixture");
        assert_eq!(cases.len(), 3);
        for case in cases {
            let cls = tokens(&case.tokens, case.dim).require_grad();
            let loss = koleo_loss(cls.clone(), case.globals);
            let gradient = cls.grad(&loss.backward()).expect("a gradient");
            let value: f32 = loss.into_scalar();
            let name = case.name;
            assert!((value - case.loss).abs() < 1e-4, "{name}: {value}");

            let largest = case.gradient.iter().fold(0f32, |m, g| m.max(g.abs()));
            let count = case.gradient.len();
            assert_close(&gradient.reshape([count]), &case.gradient, 1e-4 * largest);
        }
    }

    #[test]
    fn single_images_and_equal_ones_give_finite_numbers() {
        let single = koleo_loss(tokens(&[1.0, 2.0, 3.0, 4.0], 2), 2);
        assert_eq!(single.into_scalar::<f32>(), 0.0);

        let equal = tokens(&[1.0, 2.0, 1.0, 2.0, 0.0, 0.0], 2).require_grad();
        let loss = koleo_loss(equal.clone(), 1);
        let gradient = equal.grad(&loss.backward()).expect("a gradient");
        let sum: f32 = gradient.abs().sum().into_scalar();
        assert!(loss.into_scalar::<f32>().is_finite() && sum.is_finite());
    }
}
