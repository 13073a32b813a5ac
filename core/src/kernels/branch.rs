//! The two branches of a transformer block, each from its tokens to the sum, without gradients.
//!
//! A few rows at a time go through norm, layers and activation, so that what is between them stays
//! in the processor's caches. Weights are packed once for the batch.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, ExtensionType, Flex};

use super::numeric::{columns, contiguous, exp, values, vectorize};
use super::product::{Panels, Rows, add_product};
use super::threads::{self, for_each_chunk};
use super::{gelu, layer_norm, softmax};

// Values between two layers that are computed at a time, half a megabyte: they shall stay in the
// second cache, which on most servers has one or two.
const CACHED: usize = 128 * 1024;
// Rows that are computed at a time are a multiple of the rows of every tile.
const TILE: usize = 24;
// Fewer rows would read the weights too often.
const FEWEST: usize = 2 * TILE;
const MOST: usize = 8 * TILE;

/// The parameters of a branch `x + outer(f(inner(norm(x))))`: a norm's gain and offset `[D]`,
/// layers' weights `[in, out]` and biases `[out]`.
#[derive(Clone, Debug, ExtensionType)]
pub(super) struct Branch<B: Backend> {
    pub gamma: FloatTensor<B>,
    pub beta: FloatTensor<B>,
    pub inner_weight: FloatTensor<B>,
    pub inner_bias: FloatTensor<B>,
    pub outer_weight: FloatTensor<B>,
    pub outer_bias: FloatTensor<B>,
}

pub(super) struct Packed {
    gamma: FloatTensor<Flex>,
    beta: FloatTensor<Flex>,
    epsilon: f32,
    inner: Layer,
    outer: Layer,
}

struct Layer {
    weight: Panels,
    bias: FloatTensor<Flex>,
}

impl Layer {
    /// A layer with a weight `[in, out]` and a bias `[out]`.
    fn new(weight: FloatTensor<Flex>, bias: FloatTensor<Flex>) -> Self {
        let weight = contiguous(weight);
        Self {
            weight: Panels::pack(Rows::dense(values(&weight), columns(&weight))),
            bias: contiguous(bias),
        }
    }

    /// `out += rows W + b`.
    fn add_to(&self, out: &mut [f32], rows: Rows) {
        self.add_bias(out);
        add_product(rows, &self.weight, 0, out);
    }

    fn add_bias(&self, out: &mut [f32]) {
        let bias = values(&self.bias);
        vectorize(
            #[inline(always)]
            || {
                for row in out.chunks_exact_mut(bias.len()) {
                    for (out, bias) in row.iter_mut().zip(bias) {
                        *out += bias;
                    }
                }
            },
        );
    }
}

impl Packed {
    pub fn new(branch: Branch<Flex>, epsilon: f32) -> Self {
        Self {
            gamma: contiguous(branch.gamma),
            beta: contiguous(branch.beta),
            epsilon,
            inner: Layer::new(branch.inner_weight, branch.inner_bias),
            outer: Layer::new(branch.outer_weight, branch.outer_bias),
        }
    }

    fn width(&self) -> usize {
        values(&self.gamma).len()
    }

    fn enter(&self, tokens: &[f32], out: &mut [f32]) {
        let (gamma, beta) = (values(&self.gamma), values(&self.beta));
        let (normed, _) = layer_norm::forward(tokens, gamma, beta, self.epsilon);
        self.inner.add_to(out, Rows::dense(&normed, gamma.len()));
    }
}

/// Rows that a thread takes at a time, of `rows` in all, if the widest layer has `widest` values.
fn rows_at_a_time(rows: usize, widest: usize) -> usize {
    let cached = (CACHED / widest / TILE * TILE).clamp(FEWEST, MOST);
    // With few rows each thread gets some, even if the cache would take more.
    let share = rows.div_ceil(threads::count()).max(1);
    cached.min(share.next_multiple_of(TILE))
}

/// `x += W2 f(W1 norm(x) + b1) + b2` on tokens `[.., D]`, where `f` is GELU, or with a gate
/// `silu(a) * b` of the two halves of its input.
pub(super) fn transform(x: &mut [f32], branch: &Packed, gated: bool) {
    let width = branch.width();
    let widest = values(&branch.inner.bias).len();
    let rows = rows_at_a_time(x.len() / width, widest);

    for_each_chunk(x, rows * width, |_, tokens| {
        let count = tokens.len() / width;
        // Zeros, as products are added to what is there.
        let mut hidden = vec![0.0; count * widest];
        branch.enter(tokens, &mut hidden);

        let mut columns = widest;
        if gated {
            gate(&mut hidden, widest);
            columns /= 2;
        } else {
            gelu::forward(&mut hidden);
        }

        let hidden = Rows {
            values: &hidden,
            stride: widest,
            count,
            columns,
        };
        branch.outer.add_to(tokens, hidden);
    });
}

/// `silu(a) * b` in the first half of each row `[a, b]`.
fn gate(rows: &mut [f32], columns: usize) {
    vectorize(
        #[inline(always)]
        || {
            for row in rows.chunks_exact_mut(columns) {
                let (gates, open) = row.split_at_mut(columns / 2);
                for (gate, open) in gates.iter_mut().zip(open) {
                    *gate = *gate / (1.0 + exp(-*gate)) * *open;
                }
            }
        },
    );
}

/// `x += W2 attention(W1 norm(x) + b1) + b2` on images of `tokens` tokens each.
pub(super) fn attend(x: &mut [f32], branch: &Packed, tokens: usize, heads: usize) {
    let width = branch.width();
    // The tokens of one small image would leave the last tile of every product half empty.
    let images = rows_at_a_time(x.len() / width, 3 * width) / tokens;

    for_each_chunk(x, images.max(1) * tokens * width, |_, group| {
        let count = group.len() / width;
        let rows = rows_at_a_time(count, 3 * width);

        let mut qkv = vec![0.0; count * 3 * width];
        for_each_chunk(&mut qkv, rows * 3 * width, |number, out| {
            let own = &group[number * rows * width..][..out.len() / 3];
            branch.enter(own, out);
        });

        // Head by head, [heads, images, tokens, D / heads].
        let mut mixed = vec![0.0; count * width];
        for_each_chunk(&mut mixed, tokens * width / heads, |number, out| {
            let (head, image) = (number / (count / tokens), number % (count / tokens));
            let qkv = Rows::dense(&qkv, 3 * width).rows(image * tokens, tokens);
            mix(qkv, head, heads, out);
        });

        for_each_chunk(group, rows * width, |number, out| {
            branch.outer.add_bias(out);
            let own = width / heads;
            for (head, mixed) in mixed.chunks_exact(count * own).enumerate() {
                let mixed = Rows::dense(mixed, own).rows(number * rows, out.len() / width);
                add_product(mixed, &branch.outer.weight, head * own, out);
            }
        });
    });
}

/// Attention of one head, `softmax(q kᵀ / sqrt(d)) v`: adds it to `out`, `[N, d]`, from queries, keys
/// and values of all heads, `[N, 3 D]`. There are never more scores than those of a few queries.
fn mix(qkv: Rows, head: usize, heads: usize, out: &mut [f32]) {
    let width = qkv.columns / 3;
    let own = width / heads;
    let [queries, keys, values] = [0, 1, 2].map(|i| qkv.columns(i * width + head * own, own));
    let keys = Panels::pack_transposed(keys);
    let values = Panels::pack(values);
    let scale = 1.0 / (own as f32).sqrt();

    let mut scores = vec![0.0; FEWEST * qkv.count];
    for (number, out) in out.chunks_mut(FEWEST * own).enumerate() {
        let count = out.len() / own;
        let scores = &mut scores[..count * qkv.count];
        scores.fill(0.0);
        add_product(queries.rows(number * FEWEST, count), &keys, 0, scores);
        softmax::forward(scores, qkv.count, scale);
        add_product(Rows::dense(scores, qkv.count), &values, 0, out);
    }
}
