//! Backbones and classifiers as ONNX models, for runtimes in other languages.
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
use crate::weights::{HeadHeader, Weights};

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
    let graph = backbone_graph(weights, config, width, height)?;
    encode(graph, vec![])
}

/// [`backbone`] with one more output, the `logits` `[batch, K]` of the linear head in `weights`
/// (`head.weight` and `head.bias`), which reads what `header` says. The model's metadata holds the
/// header under [`HeadHeader::KEY`].
///
/// # Errors
/// As [`backbone`], and if the head reads other blocks than the last.
pub fn classifier(
    weights: &Weights,
    config: &BackboneConfig,
    header: &HeadHeader,
    width: usize,
    height: usize,
) -> Result<Vec<u8>, OnnxError> {
    if header.cls_blocks > 1 {
        return Err(OnnxError::Blocks(header.cls_blocks));
    }

    let mut graph = backbone_graph(weights, config, width, height)?;
    let mut read = Vec::new();
    if header.cls_blocks == 1 {
        read.push("cls".to_owned());
    }
    if header.patch_mean {
        let attributes = vec![ints("axes", &[1]), int("keepdims", 0)];
        let patches = "patches".to_owned();
        read.push(graph.node("ReduceMean", "patch_mean", &[&patches], attributes));
    }
    let parts: Vec<&Edge> = read.iter().collect();
    let feature = graph.node("Concat", "feature", &parts, vec![int("axis", 1)]);
    let logits = graph.linear("head", &feature)?;
    graph.node("Identity", "logits", &[&logits], vec![]);
    graph.output("logits", &[graph.weight("head.bias")?.values.len()]);

    let header =
        serde_json::to_string(header).map_err(|error| OnnxError::Json(error.to_string()))?;
    let entry = proto::StringStringEntryProto {
        key: HeadHeader::KEY.to_owned(),
        value: header,
    };
    encode(graph, vec![entry])
}

fn backbone_graph<'a>(
    weights: &'a Weights,
    config: &BackboneConfig,
    width: usize,
    height: usize,
) -> Result<GraphBuilder<'a>, OnnxError> {
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
    Ok(graph)
}

fn encode(
    graph: GraphBuilder,
    metadata_props: Vec<proto::StringStringEntryProto>,
) -> Result<Vec<u8>, OnnxError> {
    let model = proto::ModelProto {
        ir_version: IR_VERSION,
        producer_name: "ibot-rs".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(graph.finish()),
        opset_import: vec![proto::OperatorSetIdProto {
            domain: String::new(),
            version: OPSET,
        }],
        metadata_props,
    };
    // Protobuf's limit; readers count bytes in 32 bits with a sign.
    let size = model.encoded_len();
    if i32::try_from(size).is_err() {
        return Err(OnnxError::TooLarge(size));
    }
    Ok(model.encode_to_vec())
}
