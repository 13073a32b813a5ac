//! The operations composed of burn's, for backends without kernels of ours.

use burn::tensor::{Int, Tensor, TensorData, activation};

use super::rows::Rearrangement;
use super::window_softmax::{self, Regions};

pub(super) fn rearrange(x: Tensor<3>, order: &Rearrangement) -> Tensor<3> {
    let [b, n, d] = x.dims();
    // Indices are part of no graph.
    let sources = TensorData::new(order.sources_or(n), [order.count()]);
    let sources = Tensor::<1, Int>::from_data(sources, &x.device().inner());

    if !order.has_zeros() {
        return x.select(1, sources);
    }
    // A row of zeros behind the others, to which missing sources point.
    let zeros = Tensor::zeros([b, 1, d], &x.device());
    Tensor::cat(vec![x, zeros], 1).select(1, sources)
}

pub(super) fn window_softmax(
    scores: Tensor<4>,
    bias: Tensor<3>,
    regions: Option<&Regions>,
    scale: f64,
) -> Tensor<4> {
    let logits = scores * scale + bias.unsqueeze::<4>();
    let Some(regions) = regions else {
        return activation::softmax(logits, 3);
    };

    let [g, h, n, _] = logits.dims();
    let windows = regions.windows();
    let numbers: Vec<f32> = regions.numbers().map(f32::from).collect();
    let numbers = TensorData::new(numbers, [1, windows, 1, n, 1]);
    let own = Tensor::<5>::from_data(numbers, &logits.device());
    // Numbers are integers: those that differ do so by 1 or more.
    let apart = (own.clone() - own.swap_dims(3, 4)).abs().clamp_max(1.0);

    let logits = logits.reshape([g / windows, windows, h, n, n]);
    let logits = logits + apart * f64::from(window_softmax::APART);
    activation::softmax(logits.reshape([g, h, n, n]), 3)
}

pub(super) fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    // Not burn's, whose gradient on GPUs is that of the tanh approximation.
    let cdf = (x.clone() * std::f64::consts::FRAC_1_SQRT_2).erf() * 0.5 + 0.5;
    x * cdf
}
