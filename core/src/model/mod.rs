//! Networks: the backbone, the head, and the two together as student and teacher.

mod config;
mod head;
pub(crate) mod init;
mod layers;
pub mod pos_embed;
mod precision;
mod vit;

use burn::module::Module;
use burn::tensor::Device;

pub use config::{Ffn, VitConfig};
pub use head::{Head, HeadConfig, l2_normalize};
pub use layers::{Attention, Block, LayerScale, Mlp, Noise};
pub use precision::ComputePrecision;
pub use vit::Vit;

use crate::rng::Rng;

/// A backbone with its projection head: what student and teacher are.
#[derive(Module, Debug)]
pub struct Network {
    /// Images to tokens.
    pub backbone: Vit,
    /// Tokens to prototype logits.
    pub head: Head,
}

impl Network {
    /// A freshly initialised student.
    pub fn init(backbone: &VitConfig, head: &HeadConfig, device: &Device, rng: &mut Rng) -> Self {
        let vit = backbone.init(device, rng);
        Self {
            head: head.init(backbone.dim, device, rng),
            backbone: vit,
        }
    }

    /// The teacher that starts from this student: the same weights outside autodiff, without mask
    /// token.
    ///
    /// `shared_head` is whether the teacher's CLS and patch tokens share their prototypes.
    pub fn teacher(&self, shared_head: bool) -> Self {
        let Self { backbone, head } = self.valid().no_grad();
        Self {
            backbone: backbone.without_mask_token(),
            head: if shared_head {
                head.into_shared()
            } else {
                head
            },
        }
    }

    /// The same network, whose matrix products compute in `precision`. A new network computes in
    /// f32.
    pub fn with_precision(self, precision: ComputePrecision) -> Self {
        Self {
            backbone: self.backbone.with_precision(precision),
            head: self.head.with_precision(precision),
        }
    }

    /// What its matrix products compute in.
    pub fn precision(&self) -> ComputePrecision {
        self.head.precision()
    }
}
