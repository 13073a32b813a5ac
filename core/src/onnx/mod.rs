//! Backbones as ONNX models, for runtimes in other languages.
//!
//! Opset 17: LayerNormalization is an operator, GELU is composed of Erf. The batch is free, the
//! image's size is fixed when the model is written, so that the position embeddings are constants.

mod error;
mod graph;
mod proto;

use prost::Message as _;

pub use self::error::OnnxError;
pub(crate) use self::graph::{Edge, GraphBuilder, int, ints};
use crate::model::BackboneConfig;
use crate::weights::Weights;

const OPSET: i64 = 17;
// The version that belongs to opset 17.
const IR_VERSION: i64 = 8;

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
    config: &BackboneConfig,
    width: usize,
    height: usize,
) -> Result<Vec<u8>, OnnxError> {
    let stride = config.stride();
    if [width, height]
        .iter()
        .any(|side| *side == 0 || side % stride != 0)
    {
        return Err(OnnxError::Size {
            width,
            height,
            patch: stride,
        });
    }

    let grid = config.grid(height, width);
    let mut graph = GraphBuilder::new(weights, "ibot-backbone");
    let image = graph.input("image", &[3, height, width]);
    config.write_onnx(&mut graph, &image, grid)?;
    graph.output("cls", &[config.dim()]);
    graph.output("patches", &[grid.0 * grid.1, config.dim()]);

    let model = proto::ModelProto {
        ir_version: IR_VERSION,
        producer_name: "ibot-rs".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(graph.finish()),
        opset_import: vec![proto::OperatorSetIdProto {
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
