//! The network of an attentive probe.

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::kernels;
use crate::model::init;
use crate::rng::Rng;

/// Width of an attention head, as in the networks.
const HEAD_WIDTH: usize = 64;

/// Q learned queries attend to the patch tokens of an image; the mean of what they find goes through
/// a layer norm and a linear classifier.
///
/// Keys have no bias: it would add the same to all patches, which the softmax takes out again.
#[derive(Module, Debug)]
pub struct AttentiveHead {
    /// `[Q, D]`.
    queries: Param<Tensor<2>>,
    key: Linear,
    value: Linear,
    norm: LayerNorm,
    classifier: Linear,
    heads: usize,
}

impl AttentiveHead {
    /// A probe with first weights from N(0, 0.02²) and biases of 0.
    pub fn init(
        width: usize,
        classes: usize,
        queries: usize,
        device: &Device,
        rng: &mut Rng,
    ) -> Self {
        let mut key = LinearConfig::new(width, width)
            .with_bias(false)
            .init(device);
        key.weight = init::normal([width, width], device, rng);
        Self {
            queries: init::normal([queries, width], device, rng),
            key,
            value: init::linear(width, width, device, rng),
            norm: init::layer_norm(width, device),
            classifier: init::linear(width, classes, device, rng),
            heads: attention_heads(width),
        }
    }

    /// Logits `[B, K]` of images with patch tokens `[B, N, D]`.
    pub fn forward(&self, patches: Tensor<3>) -> Tensor<2> {
        let found = self.attend(patches).mean_dim(1).squeeze_dim(1);
        let normed = kernels::layer_norm(&self.norm, found);
        self.classifier.forward(normed)
    }

    /// What each query finds, `[B, N, D] -> [B, Q, D]`.
    fn attend(&self, patches: Tensor<3>) -> Tensor<3> {
        // Keys and values are linear in the tokens. So queries are taken back through the keys'
        // matrix, and values are made of the few weighted means: the same numbers as with keys and
        // values of all N tokens, for N D (H Q) in place of N D (2 D) products.
        let [images, count, width] = patches.dims();
        let (heads, queries) = (self.heads, self.queries.dims()[0]);
        let head_width = width / heads;

        let asked = self.queries.val().reshape([queries, heads, head_width]);
        let keys = self.key.weight.val().reshape([width, heads, head_width]);
        let asked = asked.swap_dims(0, 1).matmul(keys.permute([1, 2, 0]));
        let asked = asked.reshape([heads * queries, width]);

        let tokens = patches.clone().reshape([images * count, width]);
        let scores = tokens.matmul(asked.transpose());
        let scores = scores.reshape([images, count, heads * queries]);
        let scale = 1.0 / (head_width as f64).sqrt();
        let attention = kernels::softmax(scores.swap_dims(1, 2), scale);

        let means = attention.matmul(patches);
        let means = means.reshape([images, heads, queries * width]);
        let means = means.swap_dims(0, 1);
        let means = means.reshape([heads, images * queries, width]);
        let values = self.value.weight.val().reshape([width, heads, head_width]);
        let found = means.matmul(values.swap_dims(0, 1));

        let found = found.reshape([heads, images, queries, head_width]);
        let found = found.permute([1, 2, 0, 3]);
        let found = found.reshape([images, queries, width]);
        match &self.value.bias {
            Some(bias) => found + bias.val().unsqueeze::<3>(),
            None => found,
        }
    }
}

/// As many heads of at least [`HEAD_WIDTH`] as divide the width evenly.
fn attention_heads(width: usize) -> usize {
    let mut heads = (width / HEAD_WIDTH).max(1);
    while !width.is_multiple_of(heads) {
        heads -= 1;
    }
    heads
}
