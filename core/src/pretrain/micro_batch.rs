//! The images that a thread takes through a step at a time, and what they must know of the others.

use crate::model::Network;
use crate::pretrain::batch::Batch;
use crate::pretrain::centering::Centering;
use crate::pretrain::config::Config;
use crate::pretrain::engine::{Engine, Lane, Phase};
use crate::pretrain::forward::teach;
use crate::pretrain::loss::LossConfig;
use crate::pretrain::schedule::StepValues;
use crate::pretrain::sinkhorn::balance;
use crate::pretrain::state::TrainState;
use crate::pretrain::targets::{Centers, MeanLogits, TeacherLogits};

/// Some images of a batch, and what the teacher has said of them if it has seen them.
#[derive(Clone)]
pub struct MicroBatch {
    pub batch: Batch,
    taught: Option<(TeacherLogits, MeanLogits)>,
}

impl MicroBatch {
    /// The teacher's logits for the global crops without masks, outside autodiff, and their means.
    pub fn teach(&self, teacher: &Network, config: &LossConfig) -> (TeacherLogits, MeanLogits) {
        match &self.taught {
            Some(taught) => taught.clone(),
            None => teach(teacher, &self.batch, config),
        }
    }
}

/// A batch as micro-batches, and the centers of its targets.
///
/// A moving mean is known before the batch is seen, so nothing happens here. Sinkhorn-Knopp balances
/// the logits of all images: the teacher sees them all first, and its logits, `[globals * B + M, K]`,
/// stay in memory until their micro-batch has its turn. No image is seen twice.
///
/// # Errors
/// If the engine has no sum over all workers.
pub fn with_centers<E: Engine>(
    batch: Vec<Batch>,
    state: &TrainState,
    now: &StepValues,
    config: &Config,
    engine: &E,
) -> Result<(Vec<MicroBatch>, Centers), E::Error> {
    let mut micro_batches = Vec::new();
    for batch in batch {
        micro_batches.push(MicroBatch {
            batch,
            taught: None,
        });
    }
    if config.loss.centering == Centering::Mean {
        return Ok((micro_batches, state.centers.clone()));
    }

    let teach = |_: &Network, micro_batch: &MicroBatch, lane: &mut Lane| {
        let taught = micro_batch.teach(&state.teacher, &config.loss);
        lane.lap(Phase::Teacher);
        vec![MicroBatch {
            batch: micro_batch.batch.clone(),
            taught: Some(taught),
        }]
    };
    let in_order = |parts: Vec<Vec<MicroBatch>>| parts.into_iter().flatten().collect();
    let micro_batches = engine.map_reduce(&state.student, micro_batches, teach, in_order);

    let mut logits = Vec::new();
    for micro_batch in &micro_batches {
        logits.extend(micro_batch.taught.as_ref().map(|(logits, _)| logits));
    }
    let centers = balance(&logits, &state.centers, now, &config.loss, engine)?;
    engine.lap(Phase::Teacher);
    Ok((micro_batches, centers))
}
