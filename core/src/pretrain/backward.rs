//! The backward pass of a network that learns.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::model::Backbone;
use crate::optim::{LossScale, NamedGradients};
use crate::pretrain::recompute::Recomputed;

/// The gradients of a loss with respect to the parameters of `network`, of which `backbone` is a
/// part.
pub(crate) fn backward<M: Module>(
    loss: Tensor<1>,
    network: &M,
    backbone: &Backbone,
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
        of_blocks.push(pass.backward(network, backbone, &mut gradients));
    }
    let mut gradients = NamedGradients::of(network, gradients);
    for further in of_blocks {
        gradients.add(further);
    }

    // Here, so that sums, norms and clipping see the gradients of the loss itself.
    match scale {
        Some(scale) => gradients.scaled(1.0 / scale.factor()),
        None => gradients,
    }
}
