//! Everything that a step changes.

use burn::tensor::Device;

use crate::model::{Backbone, ComputePrecision, Network};
use crate::optim::{AdamW, LossScale};
use crate::pretrain::config::Config;
use crate::pretrain::targets::Centers;
use crate::rng::{Purpose, stream};

/// Everything that a step changes. It has one owner, and a step updates it in place.
#[derive(Clone, Debug)]
pub struct TrainState {
    /// The network that learns, on an autodiff device.
    pub student: Network,
    /// Its moving average, outside autodiff.
    pub teacher: Network,
    /// An earlier teacher's backbone, to whose patches the student's are anchored; `None` until that
    /// begins.
    pub anchor: Option<Backbone>,
    /// The optimiser's moments.
    pub optimizer: AdamW,
    /// The centers of the teacher's logits.
    pub centers: Centers,
    /// The scale of the loss; `Some` only in f16.
    pub loss_scale: Option<LossScale>,
    /// Whether an update has begun and not ended. A panic in between leaves a state that is neither
    /// that before the step nor that after it.
    pub(super) updating: bool,
}

impl TrainState {
    /// The state of a new run: the network of `config`, initialised by `seed`.
    pub fn fresh(config: &Config, seed: u64, device: &Device) -> Self {
        let rng = &mut stream(seed, Purpose::Init, 0, 0);
        let student = Network::init(
            &config.backbone(),
            &config.head,
            &device.clone().autodiff(),
            rng,
        );
        Self::new(
            student.with_precision(config.optim.precision),
            config.head.shared_head,
            device,
        )
    }

    /// The state before the first step: the student's weights in both networks, centers at zero.
    ///
    /// `shared_head_teacher` is whether the teacher's CLS and patch tokens share their prototypes.
    pub fn new(student: Network, shared_head_teacher: bool, device: &Device) -> Self {
        let teacher = student.teacher(shared_head_teacher);
        let centers = Centers::zeros(
            teacher.head.prototypes(),
            teacher.head.patch_prototypes(),
            &device.clone().without_autodiff(),
        );

        // bf16 has the exponents of f32, so its gradients do not become zero.
        let loss_scale = (student.precision() == ComputePrecision::F16).then(LossScale::default);
        Self {
            student,
            teacher,
            anchor: None,
            optimizer: AdamW::default(),
            centers,
            loss_scale,
            updating: false,
        }
    }
}
