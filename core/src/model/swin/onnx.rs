//! The Swin transformer as an ONNX graph.

use super::attention::relative_positions;
use super::config::{Place, SwinConfig, grid_at};
use super::merging::squares;
use super::windows::Windows;
use crate::kernels::Rearrangement;
use crate::onnx::{Edge, GraphBuilder, OnnxError, int, ints};

/// Adds the network with the weights of `graph` for an `image` of `size` (height, width) in pixels,
/// up to the values `cls`, the mean of the last tokens, and `patches`.
pub(in crate::model) fn write_onnx(
    config: &SwinConfig,
    graph: &mut GraphBuilder,
    image: &Edge,
    size: (usize, usize),
) -> Result<(), OnnxError> {
    let mut network = SwinGraph {
        graph,
        config,
        size,
    };

    let mut tokens = network.embed(image)?;
    for (stage, depth) in config.depths.iter().enumerate() {
        if stage > 0 {
            tokens = network.merge(stage - 1, &tokens)?;
        }
        for block in 0..*depth {
            tokens = network.block(Place { stage, block }, &tokens)?;
        }
    }
    network.outputs(&tokens)
}

struct SwinGraph<'a, 'w> {
    graph: &'a mut GraphBuilder<'w>,
    config: &'a SwinConfig,
    size: (usize, usize),
}

impl SwinGraph<'_, '_> {
    /// `[batch, 3, H, W] -> [batch, N, C]`.
    fn embed(&mut self, image: &Edge) -> Result<Edge, OnnxError> {
        let kernel = self.graph.parameter("patch_embed.proj.weight")?;
        let bias = self.graph.parameter("patch_embed.proj.bias")?;
        let side = self.config.patch_size as i64;
        let attributes = vec![
            ints("kernel_shape", &[side, side]),
            ints("strides", &[side, side]),
        ];
        let g = &mut *self.graph;
        let patches = g.node("Conv", "patch_embed", &[image, &kernel, &bias], attributes);

        let patches = self.reshape(&patches, "flat", &[0, self.config.dim as i64, -1]);
        let order = vec![ints("perm", &[0, 2, 1])];
        let patches = self
            .graph
            .node("Transpose", "patch_embed.rows", &[&patches], order);
        self.graph.layer_norm("patch_embed.norm", &patches)
    }

    /// From stage `stage` to the next one.
    fn merge(&mut self, stage: usize, tokens: &Edge) -> Result<Edge, OnnxError> {
        let name = format!("layers.{stage}.downsample");
        let grid = grid_at(stage, self.size, self.config.patch_size);
        let width = self.config.width(stage) as i64;

        let squares = self.rearrange(tokens, &name, &squares(grid), grid.0 * grid.1);
        let count = grid.0.div_ceil(2) * grid.1.div_ceil(2);
        let squares = self.reshape(&squares, "joint", &[0, count as i64, 4 * width]);
        let normed = self.graph.layer_norm(&format!("{name}.norm"), &squares)?;
        self.graph.product(&format!("{name}.reduction"), &normed)
    }

    fn block(&mut self, place: Place, tokens: &Edge) -> Result<Edge, OnnxError> {
        let name = format!("layers.{}.blocks.{}", place.stage, place.block);
        let normed = self.graph.layer_norm(&format!("{name}.norm1"), tokens)?;
        let branch = self.attend(&name, place, &normed)?;
        let attended = format!("{name}.attended");
        let tokens = self
            .graph
            .node("Add", &attended, &[tokens, &branch], vec![]);

        let normed = self.graph.layer_norm(&format!("{name}.norm2"), &tokens)?;
        let hidden = self.graph.linear(&format!("{name}.mlp.fc1"), &normed)?;
        let active = self.graph.gelu(&format!("{name}.mlp"), &hidden);
        let branch = self.graph.linear(&format!("{name}.mlp.fc2"), &active)?;
        Ok(self.graph.node("Add", &name, &[&tokens, &branch], vec![]))
    }

    /// Attention in windows: `[batch, N, C] -> [batch, N, C]`.
    fn attend(&mut self, name: &str, place: Place, x: &Edge) -> Result<Edge, OnnxError> {
        let grid = grid_at(place.stage, self.size, self.config.patch_size);
        let side = self.config.window_at(place.stage);
        let windows = Windows::new(grid, side, self.config.shift_at(place));
        let order = windows.partition();
        let padded = grid.0.next_multiple_of(side) * grid.1.next_multiple_of(side);
        let width = self.config.width(place.stage) as i64;

        let tokens = windows.tokens() as i64;
        let x = self.rearrange(x, &format!("{name}.in"), &order, grid.0 * grid.1);
        let x = self.reshape(&x, "windows", &[-1, tokens, width]);
        let mixed = self.attention(&format!("{name}.attn"), place, &windows, &x)?;
        let mixed = self.reshape(&mixed, "images", &[-1, padded as i64, width]);
        Ok(self.rearrange(&mixed, &format!("{name}.out"), &order.inverse(), padded))
    }

    /// `[G, N, C] -> [G, N, C]` on G windows.
    fn attention(
        &mut self,
        name: &str,
        place: Place,
        windows: &Windows,
        x: &Edge,
    ) -> Result<Edge, OnnxError> {
        let heads = self.config.heads[place.stage];
        let width = self.config.width(place.stage);
        let own = width / heads;
        let qkv = self.graph.linear(&format!("{name}.qkv"), x)?;
        let parts = ["q", "k", "v"].map(|part| format!("{name}.{part}"));
        let widths = self
            .graph
            .integers(&format!("{name}.widths"), &[width as i64; 3]);
        self.graph.nodes(
            "Split",
            &format!("{name}.split"),
            &[&qkv, &widths],
            vec![int("axis", 2)],
            parts.to_vec(),
        );
        let [q, k, v] = [
            (&parts[0], [0, 2, 1, 3]),
            (&parts[1], [0, 2, 3, 1]),
            (&parts[2], [0, 2, 1, 3]),
        ]
        .map(|(part, order)| {
            let split = self.reshape(part, "heads", &[0, 0, heads as i64, own as i64]);
            let order = vec![ints("perm", &order)];
            let by_head = format!("{part}.by_head");
            self.graph.node("Transpose", &by_head, &[&split], order)
        });

        let scale = 1.0 / (own as f32).sqrt();
        let scale = self.graph.floats(&format!("{name}.scale"), &[], &[scale]);
        let g = &mut *self.graph;
        let q = g.node("Mul", &format!("{name}.scaled"), &[&q, &scale], vec![]);
        let scores = g.node("MatMul", &format!("{name}.scores"), &[&q, &k], vec![]);
        let logits = self.logits(name, heads, windows, &scores)?;

        let g = &mut *self.graph;
        let axis = vec![int("axis", 3)];
        let shares = g.node("Softmax", &format!("{name}.shares"), &[&logits], axis);
        let mixed = g.node("MatMul", &format!("{name}.mixed"), &[&shares, &v], vec![]);
        let order = vec![ints("perm", &[0, 2, 1, 3])];
        let mixed = g.node("Transpose", &format!("{name}.by_token"), &[&mixed], order);
        let mixed = self.reshape(&mixed, "joint", &[0, 0, width as i64]);
        self.graph.linear(&format!("{name}.proj"), &mixed)
    }

    /// Scores `[G, heads, N, N]` with the bias of each offset and the mask of regions.
    fn logits(
        &mut self,
        name: &str,
        heads: usize,
        windows: &Windows,
        scores: &Edge,
    ) -> Result<Edge, OnnxError> {
        let n = windows.tokens();
        let table = format!("{name}.relative_position_bias_table");
        let table = self.graph.weight(&table)?;
        let rows = relative_positions(n.isqrt());
        // One bias for each pair, worked out now, so that a session need not gather them.
        let mut bias = Vec::with_capacity(heads * rows.len());
        for head in 0..heads {
            for row in &rows {
                let value = table.values.get(*row as usize * heads + head);
                bias.push(value.copied().unwrap_or_default());
            }
        }
        let g = &mut *self.graph;
        let bias = g.floats(&format!("{name}.bias"), &[heads, n, n], &bias);
        let logits = g.node("Add", &format!("{name}.biased"), &[scores, &bias], vec![]);

        let Some(regions) = windows.regions() else {
            return Ok(logits);
        };
        let count = regions.windows();
        // Windows come image by image; the mask is one for all images.
        let [wide, heads, tokens] = [count as i64, heads as i64, n as i64];
        let logits = self.reshape(&logits, "images", &[-1, wide, heads, tokens, tokens]);
        let g = &mut *self.graph;
        let mask = g.floats(&format!("{name}.mask"), &[count, 1, n, n], &regions.mask());
        let logits = g.node("Add", &format!("{name}.masked"), &[&logits, &mask], vec![]);
        Ok(self.reshape(&logits, "windows", &[-1, heads, tokens, tokens]))
    }

    /// The `count` tokens of each image in another order, with zeros where `order` has them.
    fn rearrange(&mut self, x: &Edge, name: &str, order: &Rearrangement, count: usize) -> Edge {
        let g = &mut *self.graph;
        let mut source = x.clone();
        if order.has_zeros() {
            // A row of zeros behind the others.
            let pads = g.integers(&format!("{name}.pads"), &[0, 0, 0, 0, 1, 0]);
            source = g.node("Pad", &format!("{name}.padded"), &[x, &pads], vec![]);
        }

        let rows = order.sources_or(count).into_iter().map(i64::from);
        let rows: Vec<i64> = rows.collect();
        let rows = g.integers(&format!("{name}.rows"), &rows);
        let axis = vec![int("axis", 1)];
        g.node("Gather", &format!("{name}.moved"), &[&source, &rows], axis)
    }

    fn reshape(&mut self, x: &Edge, what: &str, shape: &[i64]) -> Edge {
        let name = format!("{x}.{what}");
        let shape = self.graph.integers(&format!("{name}.shape"), shape);
        self.graph.node("Reshape", &name, &[x, &shape], vec![])
    }

    /// Final norm and outputs.
    fn outputs(&mut self, tokens: &Edge) -> Result<(), OnnxError> {
        let normed = self.graph.layer_norm("norm", tokens)?;
        let g = &mut *self.graph;
        let attributes = vec![ints("axes", &[1]), int("keepdims", 0)];
        g.node("ReduceMean", "cls", &[&normed], attributes);
        g.node("Identity", "patches", &[&normed], vec![]);
        Ok(())
    }
}
