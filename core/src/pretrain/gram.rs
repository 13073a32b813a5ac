//! Gram anchoring (DINOv3, arXiv 2508.10104): how alike the patches of an image are to each other
//! is kept as it was in an earlier teacher, whose patches were not yet drawn towards CLS.

use burn::tensor::Tensor;

/// Mean squared difference of the cosines between all pairs of patches of a crop; the mean over
/// crops.
///
/// - `student`: patch tokens of the global crops before the head, `[globals * B, N, D]`.
/// - `anchor`: those of the earlier teacher, for the same crops without masks.
pub fn gram_loss(student: Tensor<3>, anchor: Tensor<3>) -> Tensor<1> {
    (cosines(student) - cosines(anchor)).square().mean()
}

/// Cosines between the patches of each crop, `[B, N, N]`.
fn cosines(tokens: Tensor<3>) -> Tensor<3> {
    // As `torch.nn.functional.normalize`, with the square kept away from 0, where its root has no
    // gradient.
    let squares = tokens.clone().square().sum_dim(2);
    let unit = tokens / squares.clamp_min(1e-24).sqrt();
    unit.clone().matmul(unit.transpose())
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use serde::Deserialize;

    use super::*;
    use crate::testing::{assert_close, gradient_check, test};

    const FIXTURE: &str = include_str!("../../../tests/fixtures/pretrain/gram.json");

    /// What PyTorch computes.
    #[derive(Deserialize)]
    struct Fixture {
        shape: [usize; 3],
        student: Vec<f32>,
        anchor: Vec<f32>,
        loss: f32,
        gradient: Vec<f32>,
    }

    #[test]
    fn loss_and_gradient_are_those_of_the_reference() {
        let fixture: Fixture = serde_json::from_str(FIXTURE).expect("the fixture");
        let device = Device::flex().autodiff();
        let tokens = |values: &[f32]| -> Tensor<3> {
            Tensor::from_data(TensorData::new(values.to_vec(), fixture.shape), &device)
        };
        let student = tokens(&fixture.student).require_grad();
        let loss = gram_loss(student.clone(), tokens(&fixture.anchor));
        let gradient = student.grad(&loss.backward()).expect("a gradient");
        let value: f32 = loss.into_scalar();
        assert!((value - fixture.loss).abs() < 1e-6, "{value}");
        let count = fixture.gradient.len();
        assert_close(&gradient.reshape([count]), &fixture.gradient, 1e-6);

        let anchor = tokens(&fixture.anchor);
        gradient_check(
            tokens(&fixture.student),
            |student| gram_loss(student, anchor.clone()),
            2e-2,
        );
    }
}
