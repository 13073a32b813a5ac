//! Backbones as ONNX models, for runtimes in other languages.
//!
//! Opset 17: LayerNormalization is an operator, GELU is composed of Erf. The batch is free, the
//! image's size is fixed when the model is written, so that the position embeddings are constants.

mod graph;
mod proto;

use burn::tensor::{Device, Tensor, TensorData};
use prost::Message as _;

use self::graph::{Builder, Edge, float, int, ints};
use crate::model::{Ffn, VitConfig, pos_embed};
use crate::weights::Weights;

const OPSET: i64 = 17;
/// Of opset 17.
const IR_VERSION: i64 = 8;

/// Why a network cannot be written as ONNX.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OnnxError {
    /// A parameter is not among the weights.
    #[error("the weights have no tensor `{0}`")]
    Missing(String),
    /// The image's size does not fit the network.
    #[error("an image of {width} x {height} pixels cannot be cut into patches of {patch}")]
    Size {
        /// Pixels in a row.
        width: usize,
        /// Rows.
        height: usize,
        /// Side of a patch.
        patch: usize,
    },
    /// Protobuf messages end at 2 GiB.
    #[error("the model takes {0} bytes, an ONNX file holds at most 2147483647")]
    TooLarge(usize),
}

/// The backbone `config` with `weights` (its official names) for images of `width` x `height`
/// pixels.
///
/// Input `image` `[batch, 3, height, width]`, normalised as in training; outputs `cls` `[batch, D]`
/// and `patches` `[batch, N, D]`, both after the final norm.
///
/// # Errors
/// If a parameter is missing, or the size is not a multiple of the patch.
pub fn backbone(
    weights: &Weights,
    config: &VitConfig,
    width: usize,
    height: usize,
) -> Result<Vec<u8>, OnnxError> {
    let patch = config.patch_size;
    if width == 0 || height == 0 || !width.is_multiple_of(patch) || !height.is_multiple_of(patch) {
        return Err(OnnxError::Size {
            width,
            height,
            patch,
        });
    }
    let grid = (height / patch, width / patch);
    let mut network = Network {
        graph: Builder::new(weights, "ibot-backbone"),
        config,
    };
    let image = network.graph.input("image", &[3, height, width]);
    let mut tokens = network.embed(&image, grid)?;
    for block in 0..config.depth {
        tokens = network.block(&format!("blocks.{block}"), &tokens)?;
    }
    network.outputs(&tokens, grid)?;
    let model = proto::Model {
        ir_version: IR_VERSION,
        producer_name: "ibot-rs".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(network.graph.finish()),
        opset_import: vec![proto::OperatorSet {
            domain: String::new(),
            version: OPSET,
        }],
    };
    let size = model.encoded_len();
    if i32::try_from(size).is_err() {
        return Err(OnnxError::TooLarge(size));
    }
    Ok(model.encode_to_vec())
}

struct Network<'a> {
    graph: Builder<'a>,
    config: &'a VitConfig,
}

impl Network<'_> {
    /// Patches, CLS, positions and registers: `[batch, 3, H, W] -> [batch, P + N, D]`.
    fn embed(&mut self, image: &Edge, (rows, columns): (usize, usize)) -> Result<Edge, OnnxError> {
        let VitConfig {
            dim,
            patch_size,
            registers,
            ..
        } = *self.config;
        let (kernel, bias) = self.linear_parameters("patch_embed.proj")?;
        let side = patch_size as i64;
        let attributes = vec![
            ints("kernel_shape", &[side, side]),
            ints("strides", &[side, side]),
        ];
        let g = &mut self.graph;
        let patches = g.node("Conv", "patch_embed", &[image, &kernel, &bias], attributes);
        let shape = g.integers("patch_embed.shape", &[0, dim as i64, -1]);
        let patches = g.node("Reshape", "patch_embed.flat", &[&patches, &shape], vec![]);
        let patches = g.node(
            "Transpose",
            "patch_embed.rows",
            &[&patches],
            vec![ints("perm", &[0, 2, 1])],
        );

        let (cls_position, positions) = self.positions((rows, columns))?;
        let g = &mut self.graph;
        let positions = g.floats("patch_positions", &[1, rows * columns, dim], &positions);
        let patches = g.node(
            "Add",
            "patches_with_position",
            &[&patches, &positions],
            vec![],
        );

        // CLS with its position and the registers are the same for every image.
        let mut prefix: Vec<f32> = g
            .weight("cls_token")?
            .values
            .iter()
            .zip(cls_position)
            .map(|(token, position)| token + position)
            .collect();
        if registers > 0 {
            prefix.extend(&g.weight("reg_token")?.values);
        }
        let prefix = g.floats("prefix", &[1, 1 + registers, dim], &prefix);
        let batch = g.node(
            "Shape",
            "batch",
            &[image],
            vec![int("start", 0), int("end", 1)],
        );
        let rest = g.integers("prefix.shape", &[1 + registers as i64, dim as i64]);
        let shape = g.node(
            "Concat",
            "prefix.batch_shape",
            &[&batch, &rest],
            vec![int("axis", 0)],
        );
        let prefix = g.node("Expand", "prefix.batch", &[&prefix, &shape], vec![]);
        Ok(g.node(
            "Concat",
            "tokens",
            &[&prefix, &patches],
            vec![int("axis", 1)],
        ))
    }

    /// Position embeddings of CLS, `[D]`, and of the patches of a grid, `[rows * columns, D]`.
    fn positions(&self, grid: (usize, usize)) -> Result<(Vec<f32>, Vec<f32>), OnnxError> {
        let values = &self.graph.weight("pos_embed")?.values;
        let (cls, patches) = values.split_at(self.config.dim);
        let side = self.config.grid();
        if grid == (side, side) {
            return Ok((cls.to_vec(), patches.to_vec()));
        }
        let patches = TensorData::new(patches.to_vec(), [1, side * side, self.config.dim]);
        let patches = Tensor::<3>::from_data(patches, &Device::flex());
        let patches = pos_embed::interpolate(patches, (side, side), grid, self.config.pos_sampling)
            .into_data();
        Ok((cls.to_vec(), patches.iter::<f32>().collect()))
    }

    /// A transformer block.
    fn block(&mut self, name: &str, tokens: &Edge) -> Result<Edge, OnnxError> {
        let normed = self.layer_norm(&format!("{name}.norm1"), tokens)?;
        let branch = self.attention(&format!("{name}.attn"), &normed)?;
        let branch = self.layer_scale(&format!("{name}.ls1"), branch)?;
        let tokens = self.graph.node(
            "Add",
            &format!("{name}.attended"),
            &[tokens, &branch],
            vec![],
        );
        let normed = self.layer_norm(&format!("{name}.norm2"), &tokens)?;
        let branch = self.mlp(&format!("{name}.mlp"), &normed)?;
        let branch = self.layer_scale(&format!("{name}.ls2"), branch)?;
        Ok(self.graph.node("Add", name, &[&tokens, &branch], vec![]))
    }

    fn attention(&mut self, name: &str, x: &Edge) -> Result<Edge, OnnxError> {
        let (dim, heads) = (self.config.dim as i64, self.config.heads as i64);
        let qkv = self.linear(&format!("{name}.qkv"), x)?;
        let parts = ["q", "k", "v"].map(|part| format!("{name}.{part}"));
        let g = &mut self.graph;
        let widths = g.integers(&format!("{name}.widths"), &[dim; 3]);
        g.nodes(
            "Split",
            &format!("{name}.split"),
            &[&qkv, &widths],
            vec![int("axis", 2)],
            parts.to_vec(),
        );
        let shape = g.integers(&format!("{name}.head_shape"), &[0, 0, heads, dim / heads]);
        let mut by_head = |part: &Edge, order: [i64; 4]| {
            let split = g.node("Reshape", &format!("{part}.heads"), &[part, &shape], vec![]);
            g.node(
                "Transpose",
                &format!("{part}.by_head"),
                &[&split],
                vec![ints("perm", &order)],
            )
        };
        let q = by_head(&parts[0], [0, 2, 1, 3]);
        let k = by_head(&parts[1], [0, 2, 3, 1]);
        let v = by_head(&parts[2], [0, 2, 1, 3]);
        let scale = g.floats(
            &format!("{name}.scale"),
            &[],
            &[1.0 / ((dim / heads) as f32).sqrt()],
        );
        let q = g.node("Mul", &format!("{name}.scaled"), &[&q, &scale], vec![]);
        let scores = g.node("MatMul", &format!("{name}.scores"), &[&q, &k], vec![]);
        let shares = g.node(
            "Softmax",
            &format!("{name}.shares"),
            &[&scores],
            vec![int("axis", 3)],
        );
        let mixed = g.node("MatMul", &format!("{name}.mixed"), &[&shares, &v], vec![]);
        let mixed = g.node(
            "Transpose",
            &format!("{name}.by_token"),
            &[&mixed],
            vec![ints("perm", &[0, 2, 1, 3])],
        );
        let shape = g.integers(&format!("{name}.joint_shape"), &[0, 0, dim]);
        let mixed = g.node(
            "Reshape",
            &format!("{name}.joint"),
            &[&mixed, &shape],
            vec![],
        );
        self.linear(&format!("{name}.proj"), &mixed)
    }

    fn mlp(&mut self, name: &str, x: &Edge) -> Result<Edge, OnnxError> {
        let hidden = self.linear(&format!("{name}.fc1"), x)?;
        let g = &mut self.graph;
        let active = match self.config.ffn {
            Ffn::Mlp => {
                let factor = g.floats(
                    &format!("{name}.factor"),
                    &[],
                    &[std::f32::consts::FRAC_1_SQRT_2],
                );
                let [one, half] = [("one", 1.0), ("half", 0.5)]
                    .map(|(what, value)| g.floats(&format!("{name}.{what}"), &[], &[value]));
                let scaled = g.node(
                    "Mul",
                    &format!("{name}.scaled"),
                    &[&hidden, &factor],
                    vec![],
                );
                let erf = g.node("Erf", &format!("{name}.erf"), &[&scaled], vec![]);
                let sum = g.node(
                    "Add",
                    &format!("{name}.erf_plus_one"),
                    &[&erf, &one],
                    vec![],
                );
                let cdf = g.node("Mul", &format!("{name}.cdf"), &[&sum, &half], vec![]);
                g.node("Mul", &format!("{name}.gelu"), &[&hidden, &cdf], vec![])
            }
            Ffn::SwiGlu => {
                let widths = g.integers(&format!("{name}.widths"), &[self.config.hidden as i64; 2]);
                let [gate, value] = ["gate", "value"].map(|part| format!("{name}.{part}"));
                let outputs = vec![gate.clone(), value.clone()];
                g.nodes(
                    "Split",
                    &format!("{name}.split"),
                    &[&hidden, &widths],
                    vec![int("axis", 2)],
                    outputs,
                );
                let sigmoid = g.node("Sigmoid", &format!("{name}.sigmoid"), &[&gate], vec![]);
                let silu = g.node("Mul", &format!("{name}.silu"), &[&gate, &sigmoid], vec![]);
                g.node("Mul", &format!("{name}.gated"), &[&silu, &value], vec![])
            }
        };
        self.linear(&format!("{name}.fc2"), &active)
    }

    fn layer_norm(&mut self, name: &str, x: &Edge) -> Result<Edge, OnnxError> {
        let (weight, bias) = self.linear_parameters(name)?;
        let attributes = vec![int("axis", -1), float("epsilon", 1e-6)];
        Ok(self
            .graph
            .node("LayerNormalization", name, &[x, &weight, &bias], attributes))
    }

    fn layer_scale(&mut self, name: &str, branch: Edge) -> Result<Edge, OnnxError> {
        if self.config.layerscale.is_none() {
            return Ok(branch);
        }
        let gamma = self.graph.parameter(&format!("{name}.gamma"))?;
        Ok(self.graph.node("Mul", name, &[&branch, &gamma], vec![]))
    }

    /// `x Wᵀ + b`, the weight stored the way MatMul takes it.
    fn linear(&mut self, name: &str, x: &Edge) -> Result<Edge, OnnxError> {
        let weight = self.graph.weight(&format!("{name}.weight"))?;
        let &[outputs, inputs] = &weight.shape[..] else {
            return Err(OnnxError::Missing(format!("{name}.weight")));
        };
        let transposed: Vec<f32> = (0..inputs)
            .flat_map(|input| {
                (0..outputs).map(move |output| weight.values[output * inputs + input])
            })
            .collect();
        let weight = self
            .graph
            .floats(&format!("{name}.weight"), &[inputs, outputs], &transposed);
        let bias = self.graph.parameter(&format!("{name}.bias"))?;
        let product = self
            .graph
            .node("MatMul", &format!("{name}.product"), &[x, &weight], vec![]);
        Ok(self.graph.node("Add", name, &[&product, &bias], vec![]))
    }

    fn linear_parameters(&mut self, name: &str) -> Result<(Edge, Edge), OnnxError> {
        Ok((
            self.graph.parameter(&format!("{name}.weight"))?,
            self.graph.parameter(&format!("{name}.bias"))?,
        ))
    }

    fn outputs(&mut self, tokens: &Edge, (rows, columns): (usize, usize)) -> Result<(), OnnxError> {
        let VitConfig { dim, registers, .. } = *self.config;
        let normed = self.layer_norm("norm", tokens)?;
        let g = &mut self.graph;
        let first = g.integer("first", 0);
        g.node("Gather", "cls", &[&normed, &first], vec![int("axis", 1)]);
        let start = g.integers("patches.start", &[1 + registers as i64]);
        let end = g.integers("patches.end", &[i64::MAX]);
        let axis = g.integers("patches.axis", &[1]);
        g.node("Slice", "patches", &[&normed, &start, &end, &axis], vec![]);
        g.output("cls", &[dim]);
        g.output("patches", &[rows * columns, dim]);
        Ok(())
    }
}
