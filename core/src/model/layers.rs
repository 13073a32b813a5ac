//! The layers of a transformer block: attention, the feed-forward branch, LayerScale and stochastic
//! depth.

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, Linear};
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData, activation};
use rand::RngExt as _;

use super::precision::{affine, like, linear, widely, widen};
use super::{ComputePrecision, Ffn, VitConfig, init};
use crate::kernels;
use crate::rng::Rng;

/// Where stochastic depth takes its random numbers; `None` switches it off (teacher, evaluation).
pub type Noise<'a> = Option<&'a mut Rng>;

/// A pre-norm transformer block: `x + ls1(attn(norm1(x)))`, then `x + ls2(mlp(norm2(x)))`.
#[derive(Module, Debug)]
pub struct Block {
    norm1: LayerNorm,
    attn: Attention,
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
        let (dim, hidden) = (config.dim, config.hidden);
        let gated = config.ffn == Ffn::SwiGlu;
        let scale = || {
            config
                .layerscale
                .map(|initial| LayerScale::new(dim, initial, device))
        };
        Self {
            norm1: init::layer_norm(dim, device),
            attn: Attention {
                qkv: init::linear(dim, 3 * dim, device, rng),
                proj: init::linear(dim, dim, device, rng),
                heads: config.heads,
            },
            ls1: scale(),
            norm2: init::layer_norm(dim, device),
            mlp: Mlp {
                fc1: init::linear(dim, if gated { 2 * hidden } else { hidden }, device, rng),
                fc2: init::linear(hidden, dim, device, rng),
                gated,
            },
            ls2: scale(),
            drop_path,
            precision: ComputePrecision::F32,
        }
    }

    pub(super) fn with_precision(self, precision: ComputePrecision) -> Self {
        Self { precision, ..self }
    }

    /// `[B, N, D] -> [B, N, D]`.
    pub fn forward(&self, x: Tensor<3>, noise: &mut Noise) -> Tensor<3> {
        let attend = |x| scaled(&self.ls1, self.attn.forward(self.normalize(&self.norm1, x)));
        let transform = |x| scaled(&self.ls2, self.mlp.forward(self.normalize(&self.norm2, x)));
        let x = residual(x, attend, self.drop_path, noise);
        residual(x, transform, self.drop_path, noise)
    }

    /// Attention probabilities of this block for its input `x`: `[B, N, D] -> [B, heads, N, N]`.
    pub fn attention(&self, x: Tensor<3>) -> Tensor<4> {
        let (q, k, _) = self.attn.project(self.normalize(&self.norm1, x));
        self.attn.probabilities(q, k)
    }

    /// What the first token, CLS, attends to: `[B, N, D] -> [B, heads, N]`. One row instead of the
    /// square of a large image's tokens.
    pub fn cls_attention(&self, x: Tensor<3>) -> Tensor<3> {
        let (q, k, _) = self.attn.project(self.normalize(&self.norm1, x));
        self.attn.probabilities(q.narrow(2, 0, 1), k).squeeze_dim(2)
    }

    /// What a branch begins with: normalised tokens `[B, N, D]` in the network's precision.
    fn normalize(&self, norm: &LayerNorm, x: Tensor<3>) -> Tensor<3> {
        self.precision.narrow(kernels::layer_norm(norm, x))
    }
}

/// Multi-head self-attention.
#[derive(Module, Debug)]
pub struct Attention {
    qkv: Linear,
    proj: Linear,
    heads: usize,
}

impl Attention {
    /// `[B, N, D] -> [B, N, D]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [b, n, d] = x.dims();
        let (q, k, v) = self.project(x);
        let mixed = like(self.probabilities(q, k), &v).matmul(v);
        linear(&self.proj, mixed.swap_dims(1, 2).reshape([b, n, d]))
    }

    /// Queries, keys and values, `[B, heads, N, D / heads]` each.
    fn project(&self, x: Tensor<3>) -> (Tensor<4>, Tensor<4>, Tensor<4>) {
        let [b, n, d] = x.dims();
        let h = self.heads;
        let part = |i: usize| {
            columns(&self.qkv, x.clone(), i * d, d)
                .reshape([b, n, h, d / h])
                .swap_dims(1, 2)
        };
        (part(0), part(1), part(2))
    }

    /// softmax(q kᵀ / sqrt(d)) in 32 bits, `[B, heads, N, N]`.
    fn probabilities(&self, q: Tensor<4>, k: Tensor<4>) -> Tensor<4> {
        let scale = 1.0 / (q.dims()[3] as f64).sqrt();
        kernels::softmax(widen(q.matmul(k.transpose())), scale)
    }
}

/// The feed-forward branch of a block: a two-layer perceptron, or its gated variant SwiGLU.
#[derive(Module, Debug)]
pub struct Mlp {
    /// `[D, hidden]`; with a gate `[D, 2 * hidden]`, the gate first.
    fc1: Linear,
    fc2: Linear,
    gated: bool,
}

impl Mlp {
    /// `[B, N, D] -> [B, N, D]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        if !self.gated {
            return linear(&self.fc2, widely(linear(&self.fc1, x), kernels::gelu));
        }
        let hidden = self.fc1.weight.dims()[1] / 2;
        let gate = widely(columns(&self.fc1, x.clone(), 0, hidden), activation::silu);
        linear(&self.fc2, gate * columns(&self.fc1, x, hidden, hidden))
    }
}

/// Columns `start..start + count` of what `layer` makes of `x`.
///
/// This slices the weight rather than the output: the gradient of a slice fills a tensor of the
/// whole's size, and the weight is much the smaller of the two.
fn columns(layer: &Linear, x: Tensor<3>, start: usize, count: usize) -> Tensor<3> {
    let bias = layer
        .bias
        .as_ref()
        .map(|bias| bias.val().narrow(0, start, count));
    affine(x, layer.weight.val().narrow(1, start, count), bias)
}

/// A learned gain for each channel of a branch (LayerScale, as in DINOv2).
#[derive(Module, Debug)]
pub struct LayerScale {
    /// `[D]`.
    gamma: Param<Tensor<1>>,
}

impl LayerScale {
    fn new(dim: usize, initial: f64, device: &Device) -> Self {
        Self {
            gamma: Param::from_tensor(Tensor::full([dim], initial, device)),
        }
    }
}

/// What a branch `[B, N, D]` ends with: in 32 bits, scaled if the network scales it.
fn scaled(scale: &Option<LayerScale>, branch: Tensor<3>) -> Tensor<3> {
    let branch = widen(branch);
    match scale {
        Some(scale) => branch * scale.gamma.val().unsqueeze::<3>(),
        None => branch,
    }
}

/// `x + branch(x)`, with stochastic depth: an image goes without the branch with probability
/// `rate`, and the branch of the others is scaled up to the same mean. What is dropped is not
/// computed.
fn residual(
    x: Tensor<3>,
    branch: impl Fn(Tensor<3>) -> Tensor<3>,
    rate: f64,
    noise: &mut Noise,
) -> Tensor<3> {
    let (Some(rng), true) = (noise, rate > 0.0) else {
        return x.clone() + branch(x);
    };
    let keep = 1.0 - rate;
    let images = x.dims()[0];
    let kept: Vec<i32> = (0..images as i32)
        .filter(|_| rng.random::<f64>() < keep)
        .collect();
    if kept.is_empty() {
        return x;
    }
    if kept.len() == images {
        return x.clone() + branch(x) / keep;
    }
    let rows = kept.len();
    let kept = Tensor::<1, Int>::from_data(TensorData::new(kept, [rows]), &x.device().inner());
    let branch = branch(x.clone().select(0, kept.clone())) / keep;
    x.select_assign(0, kept, branch, IndexingUpdateOp::Add)
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
        let attn = Attention {
            qkv: init::linear(d, 3 * d, &device, &mut rng),
            proj: init::linear(d, d, &device, &mut rng),
            heads: h,
        };
        let weight: Vec<f32> = attn.qkv.weight.val().try_to_vec_as().expect("floats");
        let x = init::uniform([b, n, d], 4.0, &device, &mut rng).val();
        let input: Vec<f32> = x.try_to_vec_as().expect("floats");
        let (q, k, _) = attn.project(x);
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

    #[test]
    fn stochastic_depth_keeps_the_mean_and_drops_whole_images() {
        let device = Device::flex();
        let mut rng = stream(3, Purpose::DropPath, 0, 0);
        let x = Tensor::<3>::ones([4000, 2, 2], &device);
        let y = residual(x.clone(), |x| x * 0.7, 0.3, &mut Some(&mut rng));
        let values: Vec<f32> = y.try_to_vec_as().expect("floats");
        let kept = values.chunks(4).filter(|image| image[0] > 1.0).count() as f64 / 4000.0;
        assert!(values.chunks(4).all(|image| {
            image
                .iter()
                .all(|v| (v - 1.0).abs() < 1e-6 || (v - 2.0).abs() < 1e-6)
        }));
        assert!(
            values
                .chunks(4)
                .all(|image| image.iter().all(|v| *v == image[0]))
        );
        assert!((kept - 0.7).abs() < 0.03, "kept {kept}");
        let off: Vec<f32> = residual(x, |x| x * 0.5, 0.3, &mut None)
            .try_to_vec_as()
            .expect("floats");
        assert!(off.iter().all(|v| *v == 1.5));
    }

    #[test]
    fn what_stochastic_depth_leaves_out_has_the_gradient_of_zeros() {
        let device = Device::flex().autodiff();
        let mut rng = stream(4, Purpose::DropPath, 0, 0);
        // Rates at which of six images all, some and none are kept.
        for rate in [1e-9, 0.5, 1.0 - 1e-9] {
            let seed = rng.clone();
            let factors = (0..6).map(|_| {
                if rng.random::<f64>() < 1.0 - rate {
                    1.0 / (1.0 - rate)
                } else {
                    0.0
                }
            });
            let factors = TensorData::new(
                factors.map(|factor| factor as f32).collect::<Vec<_>>(),
                [6, 1, 1],
            );
            let factors = Tensor::<3>::from_data(factors, &device);
            let x = init::uniform([6, 2, 3], 1.0, &device, &mut rng)
                .val()
                .detach();
            let gradient = |f: &dyn Fn(Tensor<3>) -> Tensor<3>| {
                let leaf = x.clone().detach().require_grad();
                leaf.grad(&f(leaf.clone()).square().sum().backward())
                    .expect("a leaf")
            };
            let branch = |x: Tensor<3>| x.clone() * x;
            let skipped = gradient(&|x| residual(x, branch, rate, &mut Some(&mut seed.clone())));
            let multiplied = gradient(&|x| x.clone() + branch(x) * factors.clone());
            assert!(max_difference(&skipped, &multiplied) < 1e-5, "rate {rate}");
        }
    }
}
