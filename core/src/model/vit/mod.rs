//! Vision transformers of iBOT and DINO, and of DINOv2 with its LayerScale, registers and SwiGLU.

mod block;
mod config;
mod infer;
mod layers;
mod onnx;
mod transformer;

pub use config::{Ffn, VitConfig};
pub(super) use infer::{infer, resize};
pub(super) use onnx::write_onnx;
pub use transformer::Vit;
