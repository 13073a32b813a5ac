//! Backbone and head together: student and teacher.

use burn::module::Module;
use burn::tensor::Device;

use super::backbone::Backbone;
use super::backbone_config::BackboneConfig;
use super::head::{Head, HeadConfig};
use super::precision::ComputePrecision;
use crate::rng::Rng;

/// A backbone with its projection head: a student or a teacher.
#[derive(Module, Debug)]
pub struct Network {
    /// Images to tokens.
    pub backbone: Backbone,
    /// Tokens to prototype logits.
    pub head: Head,
}

impl Network {
    /// A freshly initialised student.
    pub fn init(
        backbone: &BackboneConfig,
        head: &HeadConfig,
        device: &Device,
        rng: &mut Rng,
    ) -> Self {
        // The backbone draws its random numbers first: seeds keep their networks.
        let dim = backbone.dim();
        let backbone = backbone.init(device, rng);
        let head = head.init(dim, device, rng);

        Self { backbone, head }
    }

    /// The teacher that starts from this student: the same weights outside autodiff, without mask
    /// token.
    ///
    /// `shared_head` is whether the teacher's CLS and patch tokens share their prototypes.
    pub fn teacher(&self, shared_head: bool) -> Self {
        // `no_grad`, too: a teacher never learns by gradients.
        let Self { backbone, head } = self.valid().no_grad();
        // The official teacher has none.
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

    /// The numbers of its matrix products.
    pub fn precision(&self) -> ComputePrecision {
        self.head.precision()
    }
}
