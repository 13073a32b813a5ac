//! The backward pass of the student.

use burn::tensor::Tensor;

use crate::model::Network;
use crate::optim::{LossScale, NamedGradients};
use crate::pretrain::recompute::Recomputed;

/// The gradients of a loss with respect to the parameters of `student`.
pub(super) fn backward(
    loss: Tensor<1>,
    student: &Network,
    recomputed: Vec<Recomputed>,
    scale: Option<LossScale>,
) -> NamedGradients {
    // In f16 small gradients would become zero.
    let loss = match scale {
        Some(scale) => loss * scale.factor(),
        None => loss,
    };
    let mut gradients = loss.backward();

    // Where activations were not kept, the graph ends behind the backbone's last block.
    let mut of_blocks = Vec::new();
    for pass in recomputed {
        of_blocks.push(pass.backward(student, &mut gradients));
    }
    let mut gradients = NamedGradients::of(student, gradients);
    for further in of_blocks {
        gradients.add(further);
    }

    // Here, so that sums, norms and clipping see the gradients of the loss itself.
    match scale {
        Some(scale) => gradients.scaled(1.0 / scale.factor()),
        None => gradients,
    }
}
