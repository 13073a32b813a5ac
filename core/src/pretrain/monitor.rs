//! What a run watches for collapse. No part of the algorithm: no gradient and no update depends on
//! it.

use burn::tensor::{Int, Tensor};

use crate::pretrain::forward::Prediction;
use crate::pretrain::loss::entropy;
use crate::pretrain::targets::Targets;

/// Measures of whether student and teacher still tell images apart: tensors `[1]` on the device,
/// numbers on the host.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Monitor<T> {
    /// Mean entropy of the teacher's CLS targets, in nats; ln K when they are uniform.
    pub teacher_entropy: T,
    /// Share of images whose most likely prototype in the student's second view is the teacher's in
    /// the first.
    pub agreement: T,
}

impl Monitor<Tensor<1>> {
    /// Measures a batch of `images` images. `prototypes` are the largest entries of the CLS
    /// targets, `[globals * B, 1]`.
    pub fn measure(
        targets: &Targets,
        prototypes: &Tensor<2, Int>,
        prediction: &Prediction,
        images: usize,
    ) -> Self {
        let first_view = prototypes.clone().narrow(0, 0, images);
        let second_view = prediction.cls.clone().inner().narrow(0, images, images);
        let agrees = first_view.equal(second_view.argmax(1));
        Self {
            teacher_entropy: entropy(targets.cls.clone()).mean(),
            agreement: agrees.float().mean(),
        }
    }
}

impl<T> Monitor<T> {
    /// Applies `f` to each value, always in the same order.
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> Monitor<U> {
        Monitor {
            teacher_entropy: f(self.teacher_entropy),
            agreement: f(self.agreement),
        }
    }

    /// Combines each value with the other's.
    pub fn zip<U, V>(self, other: Monitor<U>, mut f: impl FnMut(T, U) -> V) -> Monitor<V> {
        Monitor {
            teacher_entropy: f(self.teacher_entropy, other.teacher_entropy),
            agreement: f(self.agreement, other.agreement),
        }
    }
}
