//! Networks: backbones, the head, and the two together as student and teacher.

mod arch;
mod backbone;
mod backbone_config;
mod features;
mod head;
mod infer;
pub(crate) mod init;
mod layers;
pub(crate) mod mask;
mod model_config;
pub(crate) mod naming;
mod network;
mod onnx;
mod patch_embed;
mod pos_embed;
mod precision;
pub mod swin;
pub mod vit;

pub use arch::Arch;
pub use backbone::Backbone;
pub use backbone_config::BackboneConfig;
pub use features::{Features, Tokens, Want};
pub use head::{Head, HeadConfig, HeadPart, l2_normalize};
pub use layers::Noise;
pub use mask::Mask;
pub use model_config::ModelConfig;
pub use network::Network;
pub use precision::ComputePrecision;
pub use swin::{Swin, SwinConfig};
pub use vit::{Ffn, Vit, VitConfig};

/// Official names and layouts where burn's differ, of every struct here and of burn's own layers.
pub(crate) const NAMES: &[&naming::Naming] = &[
    &naming::LINEAR,
    &naming::LAYER_NORM,
    &head::NAMES,
    &patch_embed::NAMES,
];
