//! Any backbone as an ONNX graph.

use super::backbone_config::BackboneConfig;
use super::{swin, vit};
use crate::onnx::{Edge, GraphBuilder, OnnxError};

impl BackboneConfig {
    /// Adds the network with the weights of `graph` for an `image` of `grid` patches (rows,
    /// columns), up to the values `cls`, `[batch, D]`, and `patches`, `[batch, rows * columns, D]`.
    pub(crate) fn write_onnx(
        &self,
        graph: &mut GraphBuilder,
        image: &Edge,
        grid: (usize, usize),
    ) -> Result<(), OnnxError> {
        match self {
            Self::Vit(config) => vit::write_onnx(config, graph, image, grid),
            Self::Swin(config) => {
                let stride = config.stride();
                let size = (grid.0 * stride, grid.1 * stride);
                swin::write_onnx(config, graph, image, size)
            }
        }
    }
}
