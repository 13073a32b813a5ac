//! The vision transformer as an ONNX graph.

use super::config::{Ffn, VitConfig};
use crate::model::pos_embed::resample;
use crate::onnx::{Edge, GraphBuilder, OnnxError, int, ints};

/// Adds the network with the weights of `graph` for an `image` of `grid` patches (rows, columns),
/// up to the values `cls` and `patches`.
pub(crate) fn write_onnx(
    config: &VitConfig,
    graph: &mut GraphBuilder,
    image: &Edge,
    grid: (usize, usize),
) -> Result<(), OnnxError> {
    let mut network = VitGraph { graph, config };

    let mut tokens = network.embed(image, grid)?;
    for block in 0..config.depth {
        tokens = network.block(&format!("blocks.{block}"), &tokens)?;
    }
    network.outputs(&tokens)
}

struct VitGraph<'a, 'w> {
    graph: &'a mut GraphBuilder<'w>,
    config: &'a VitConfig,
}

impl VitGraph<'_, '_> {
    /// Patches, CLS, positions and registers: `[batch, 3, H, W] -> [batch, P + N, D]`.
    fn embed(&mut self, image: &Edge, (rows, columns): (usize, usize)) -> Result<Edge, OnnxError> {
        let VitConfig {
            dim,
            patch_size,
            registers,
            ..
        } = *self.config;
        let kernel = self.graph.parameter("patch_embed.proj.weight")?;
        let bias = self.graph.parameter("patch_embed.proj.bias")?;
        let side = patch_size as i64;
        let attributes = vec![
            ints("kernel_shape", &[side, side]),
            ints("strides", &[side, side]),
        ];
        let g = &mut *self.graph;
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
        let g = &mut *self.graph;
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
        let sampling = self.config.pos_sampling;
        let patches = resample(patches, self.config.dim, (side, side), grid, sampling);
        Ok((cls.to_vec(), patches))
    }

    fn block(&mut self, name: &str, tokens: &Edge) -> Result<Edge, OnnxError> {
        let normed = self.graph.layer_norm(&format!("{name}.norm1"), tokens)?;
        let branch = self.attention(&format!("{name}.attn"), &normed)?;
        let branch = self.layer_scale(&format!("{name}.ls1"), branch)?;
        let tokens = self.graph.node(
            "Add",
            &format!("{name}.attended"),
            &[tokens, &branch],
            vec![],
        );
        let normed = self.graph.layer_norm(&format!("{name}.norm2"), &tokens)?;
        let branch = self.mlp(&format!("{name}.mlp"), &normed)?;
        let branch = self.layer_scale(&format!("{name}.ls2"), branch)?;
        Ok(self.graph.node("Add", name, &[&tokens, &branch], vec![]))
    }

    fn attention(&mut self, name: &str, x: &Edge) -> Result<Edge, OnnxError> {
        let dim = self.config.dim as i64;
        let heads = self.config.heads as i64;
        let qkv = self.graph.linear(&format!("{name}.qkv"), x)?;
        let parts = ["q", "k", "v"].map(|part| format!("{name}.{part}"));
        let g = &mut *self.graph;
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
        self.graph.linear(&format!("{name}.proj"), &mixed)
    }

    fn mlp(&mut self, name: &str, x: &Edge) -> Result<Edge, OnnxError> {
        let hidden = self.graph.linear(&format!("{name}.fc1"), x)?;

        let g = &mut *self.graph;
        let active = match self.config.ffn {
            Ffn::Mlp => g.gelu(name, &hidden),
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
                let silu = g.silu(name, &gate);
                g.node("Mul", &format!("{name}.gated"), &[&silu, &value], vec![])
            }
        };

        self.graph.linear(&format!("{name}.fc2"), &active)
    }

    fn layer_scale(&mut self, name: &str, branch: Edge) -> Result<Edge, OnnxError> {
        if self.config.layerscale.is_none() {
            return Ok(branch);
        }
        let gamma = self.graph.parameter(&format!("{name}.gamma"))?;
        Ok(self.graph.node("Mul", name, &[&branch, &gamma], vec![]))
    }

    /// Final norm and outputs: `[batch, P + N, D]` to `cls` and `patches`.
    fn outputs(&mut self, tokens: &Edge) -> Result<(), OnnxError> {
        let registers = self.config.registers;
        let normed = self.graph.layer_norm("norm", tokens)?;
        let g = &mut *self.graph;
        let first = g.integer("first", 0);
        g.node("Gather", "cls", &[&normed, &first], vec![int("axis", 1)]);
        let start = g.integers("patches.start", &[1 + registers as i64]);
        let end = g.integers("patches.end", &[i64::MAX]);
        let axis = g.integers("patches.axis", &[1]);
        g.node("Slice", "patches", &[&normed, &start, &end, &axis], vec![]);
        Ok(())
    }
}
