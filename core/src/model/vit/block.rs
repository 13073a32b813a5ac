//! The block of a vision transformer: self-attention and a feed-forward branch.

use burn::module::Module;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::{Device, Tensor};

use super::config::{Ffn, VitConfig};
use crate::kernels::{self, FrozenBranch};
use crate::model::init;
use crate::model::layers::{LayerScale, Mlp, Noise, columns, gain, residual, scaled};
use crate::model::precision::{ComputePrecision, like, linear, widen};
use crate::rng::Rng;

/// A pre-norm transformer block: `x + ls1(attn(norm1(x)))`, then `x + ls2(mlp(norm2(x)))`.
#[derive(Module, Debug)]
pub(super) struct Block {
    norm1: LayerNorm,
    attn: SelfAttention,
    ls1: Option<LayerScale>,
    norm2: LayerNorm,
    mlp: Mlp,
    ls2: Option<LayerScale>,
    drop_path: f64,
    #[module(skip)]
    precision: ComputePrecision,
}

impl Block {
    /// A block of the network that `config` describes; its branches are dropped with probability
    /// `drop_path` while training.
    pub(super) fn new(config: &VitConfig, drop_path: f64, device: &Device, rng: &mut Rng) -> Self {
        let VitConfig { dim, hidden, .. } = *config;
        let gated = config.ffn == Ffn::SwiGlu;

        Self {
            norm1: init::layer_norm(dim, device),
            attn: SelfAttention {
                qkv: init::linear(dim, 3 * dim, device, rng),
                proj: init::linear(dim, dim, device, rng),
                heads: config.heads,
            },
            ls1: layer_scale(config, device),
            norm2: init::layer_norm(dim, device),
            mlp: Mlp::new(dim, hidden, gated, device, rng),
            ls2: layer_scale(config, device),
            drop_path,
            precision: ComputePrecision::F32,
        }
    }

    pub(super) fn with_precision(self, precision: ComputePrecision) -> Self {
        Self { precision, ..self }
    }

    /// `[B, N, D] -> [B, N, D]`.
    pub fn forward(&self, x: Tensor<3>, noise: &mut Noise) -> Tensor<3> {
        if noise.is_none()
            && let Some([attention, mlp]) = self.frozen(&x)
        {
            let x = kernels::attend(x, attention, self.attn.heads);
            return kernels::transform(x, mlp, self.mlp.is_gated());
        }

        let x = residual(x, |x| self.attend(x), self.drop_path, noise);
        residual(x, |x| self.transform(x), self.drop_path, noise)
    }

    /// Both branches as operations without gradients, if there are some for `x`.
    fn frozen(&self, x: &Tensor<3>) -> Option<[FrozenBranch; 2]> {
        if self.precision != ComputePrecision::F32 {
            return None;
        }
        let SelfAttention { qkv, proj, .. } = &self.attn;
        let attention = FrozenBranch::new(x, &self.norm1, qkv, proj, gain(&self.ls1))?;
        let mlp = self.mlp.frozen(x, &self.norm2, gain(&self.ls2))?;
        Some([attention, mlp])
    }

    fn attend(&self, x: Tensor<3>) -> Tensor<3> {
        scaled(&self.ls1, self.attn.forward(self.normalize(&self.norm1, x)))
    }

    fn transform(&self, x: Tensor<3>) -> Tensor<3> {
        scaled(&self.ls2, self.mlp.forward(self.normalize(&self.norm2, x)))
    }

    /// How much the first token, CLS, attends to each token: `[B, N, D] -> [B, heads, N]`. One row
    /// instead of the square of a large image's tokens.
    pub fn cls_attention(&self, x: Tensor<3>) -> Tensor<3> {
        let [q, k, _] = self.attn.project(self.normalize(&self.norm1, x));
        self.attn.probabilities(q.narrow(2, 0, 1), k).squeeze_dim(2)
    }

    /// Number of attention heads.
    pub fn heads(&self) -> usize {
        self.attn.heads
    }

    /// The start of a branch: normalised tokens `[B, N, D]` in the network's precision.
    fn normalize(&self, norm: &LayerNorm, x: Tensor<3>) -> Tensor<3> {
        self.precision.narrow(kernels::layer_norm(norm, x))
    }
}

fn layer_scale(config: &VitConfig, device: &Device) -> Option<LayerScale> {
    let initial = config.layerscale?;
    Some(LayerScale::new(config.dim, initial, device))
}

#[derive(Module, Debug)]
pub(super) struct SelfAttention {
    qkv: Linear,
    proj: Linear,
    heads: usize,
}

impl SelfAttention {
    /// `[B, N, D] -> [B, N, D]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [b, n, d] = x.dims();
        let [q, k, v] = self.project(x);
        let mixed = like(self.probabilities(q, k), &v).matmul(v);
        linear(&self.proj, mixed.swap_dims(1, 2).reshape([b, n, d]))
    }

    /// Queries, keys and values, `[B, heads, N, D / heads]` each.
    fn project(&self, x: Tensor<3>) -> [Tensor<4>; 3] {
        let [b, n, d] = x.dims();
        let h = self.heads;
        [0, 1, 2].map(|i| {
            columns(&self.qkv, x.clone(), i * d, d)
                .reshape([b, n, h, d / h])
                .swap_dims(1, 2)
        })
    }

    /// softmax(q kᵀ / sqrt(d)) in 32 bits, `[B, heads, N, N]`.
    fn probabilities(&self, q: Tensor<4>, k: Tensor<4>) -> Tensor<4> {
        let scale = 1.0 / (q.dims()[3] as f64).sqrt();
        kernels::softmax(widen(q.matmul(k.transpose())), scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::testing::{gradient_check, max_difference, small_vit, test};

    #[test]
    fn attention_matches_a_loop() {
        let device = Device::flex();
        let mut rng = stream(1, Purpose::Init, 0, 0);
        let (b, n, d, h) = (2, 5, 12, 3);
        let attn = SelfAttention {
            qkv: init::linear(d, 3 * d, &device, &mut rng),
            proj: init::linear(d, d, &device, &mut rng),
            heads: h,
        };
        let weight: Vec<f32> = attn.qkv.weight.val().try_to_vec_as().expect("floats");
        let x = init::uniform([b, n, d], 4.0, &device, &mut rng).val();
        let input: Vec<f32> = x.try_to_vec_as().expect("floats");
        let [q, k, _] = attn.project(x);
        let actual: Vec<f32> = attn.probabilities(q, k).try_to_vec_as().expect("floats");
        let project = |image: usize, token: usize, column: usize| -> f64 {
            (0..d)
                .map(|i| {
                    f64::from(input[(image * n + token) * d + i])
                        * f64::from(weight[i * 3 * d + column])
                })
                .sum()
        };
        for image in 0..b {
            for head in 0..h {
                for row in 0..n {
                    let scores: Vec<f64> = (0..n)
                        .map(|column| {
                            let width = d / h;
                            let dot: f64 = (0..width)
                                .map(|i| {
                                    project(image, row, head * width + i)
                                        * project(image, column, d + head * width + i)
                                })
                                .sum();
                            (dot / (width as f64).sqrt()).exp()
                        })
                        .collect();
                    let total: f64 = scores.iter().sum();
                    for (column, score) in scores.iter().enumerate() {
                        let at = ((image * h + head) * n + row) * n + column;
                        assert!((f64::from(actual[at]) - score / total).abs() < 1e-6);
                    }
                }
            }
        }
    }

    #[test]
    fn a_block_without_gradients_is_that_with_gradients() {
        let tracked = Device::flex().autodiff();
        let mut rng = stream(5, Purpose::Init, 0, 0);
        // Widths of whole panels and of parts, more tokens than are computed at a time.
        for (dim, heads, hidden, tokens) in [(96, 2, 500, 70), (24, 3, 40, 37), (10, 1, 12, 1)] {
            for gated in [false, true] {
                let config = VitConfig {
                    dim,
                    heads,
                    hidden,
                    ffn: if gated { Ffn::SwiGlu } else { Ffn::Mlp },
                    layerscale: gated.then_some(0.7),
                    ..small_vit()
                };
                let block = Block::new(&config, 0.0, &tracked, &mut rng);
                let x = init::uniform([3, tokens, dim], 2.0, &tracked, &mut rng).val();
                let expected = block.forward(x.clone(), &mut None).inner();

                let block = block.valid();
                let x = x.inner();
                assert!(block.frozen(&x).is_some());
                let actual = block.forward(x.clone(), &mut None);
                assert!(max_difference(&actual, &expected) < 1e-5, "width {dim}");
                // An image does not depend on those beside it.
                let alone = block.forward(x.narrow(0, 1, 1), &mut None);
                assert_eq!(max_difference(&alone, &actual.narrow(0, 1, 1)), 0.0);
            }
        }
    }

    #[test]
    fn block_gradient_matches_finite_differences() {
        let device = Device::flex().autodiff();
        let mut rng = stream(2, Purpose::Init, 0, 0);
        let plain = VitConfig {
            dim: 8,
            heads: 2,
            hidden: 16,
            ..small_vit()
        };
        for config in [
            plain.clone(),
            VitConfig {
                ffn: Ffn::SwiGlu,
                layerscale: Some(0.5),
                ..plain
            },
        ] {
            let block = Block::new(&config, 0.0, &device, &mut rng);
            let probe = init::uniform([1, 3, 8], 1.0, &device, &mut rng)
                .val()
                .detach();
            let x = init::uniform([1, 3, 8], 2.0, &device, &mut rng)
                .val()
                .detach();
            gradient_check(
                x,
                |x| (block.forward(x, &mut None) * probe.clone()).sum(),
                2e-3,
            );
        }
    }
}
