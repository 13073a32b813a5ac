//! Swin transformers (arXiv 2103.14030) as iBOT trains them: attention inside of shifted windows, in
//! stages whose grids halve and whose tokens widen.

mod attention;
mod block;
mod config;
mod infer;
mod layers;
mod merging;
mod onnx;
mod per_grid;
mod transformer;
mod windows;

pub use config::SwinConfig;
pub(super) use infer::{infer, is_swin, resize};
pub(super) use onnx::write_onnx;
pub use transformer::Swin;
