//! One optimisation step of fine-tuning, top to bottom.

use burn::tensor::Tensor;

use crate::finetune::batch::LabelledBatch;
use crate::finetune::config::FinetuneConfig;
use crate::finetune::loss::cross_entropy;
use crate::finetune::network::ClassifierNetwork;
use crate::finetune::pass::ClassifierPass;
use crate::finetune::report::FinetuneReport;
use crate::finetune::schedule::FinetuneValues;
use crate::finetune::state::FinetuneState;
use crate::pretrain::{Engine, Lane, Phase, backward};

/// Takes one step on a `batch`, given as micro-batches, with the learning rate and the weight decay
/// of `now`.
///
/// If the loss or a gradient is not finite, nothing changes except the loss scale.
///
/// # Errors
/// If the device fails or the engine has no sum over all workers. The state is then unchanged.
pub async fn step<E: Engine<ClassifierPass>>(
    state: &mut FinetuneState,
    batch: Vec<LabelledBatch>,
    now: &FinetuneValues,
    config: &FinetuneConfig,
    engine: &E,
) -> Result<FinetuneReport, E::Error> {
    let loss_scale = state.loss_scale;

    let forward_backward = |network: &ClassifierNetwork, batch: &LabelledBatch, lane: &mut Lane| {
        // 1. Forward: logits of the augmented images.
        let (activations, noise) = (lane.activations, &mut lane.noise.as_mut());
        let (tokens, recomputed) =
            activations.forward(&network.backbone, &batch.images, &[], noise);
        let logits = network.classify(tokens);
        lane.lap(Phase::Student);

        // 2. Loss: cross-entropy with targets that mixing and label smoothing have made soft.
        let (loss, accuracy) = cross_entropy(logits, &batch.targets);
        lane.lap(Phase::Losses);

        // 3. Backward.
        let measured = Tensor::cat(vec![loss.clone().without_autodiff(), accuracy], 0);
        let recomputed = Vec::from_iter(recomputed);
        let gradients = backward(loss, network, &network.backbone, recomputed, loss_scale);
        lane.lap(Phase::Backward);

        ClassifierPass {
            images: batch.len(),
            gradients,
            measured,
        }
    };

    // 4. Sum: over micro-batches as they come, then over all workers.
    let pass = engine.map_reduce(
        &state.network,
        batch,
        forward_backward,
        ClassifierPass::join,
    );
    let pass = engine.all_reduce(pass, &state.network)?;

    // 5. Read: one transfer to the host, after which nothing can fail.
    let report = FinetuneReport::read(&pass, loss_scale).await?;
    engine.lap(Phase::Sum);
    // Without a smaller scale the next step would overflow again, so it changes in either case.
    state.loss_scale = loss_scale.map(|scale| scale.after(report.applied));
    if !report.applied {
        return Ok(report);
    }

    // 6. Update by AdamW, with a learning rate for each layer.
    // A panic from here to the end leaves a state of two steps, which must not be saved.
    state.updating = true;
    let FinetuneState {
        network,
        optimizer,
        layers,
        ..
    } = state;
    let adamw = config.optim.adamw();
    optimizer.step(
        network,
        pass.gradients,
        &report.norms,
        &adamw,
        |name, rank| now.rule(layers, name, rank),
    );
    engine.lap(Phase::Optimizer);
    state.updating = false;

    Ok(report)
}

#[cfg(test)]
mod tests;
