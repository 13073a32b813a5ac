//! One optimisation step of iBOT: algorithm 1 of the paper, top to bottom.
//!
//! `ibot pretrain`, `ibot bench`, the page and the parity tests all run this one function. What
//! differs between them stands behind [`Engine`].

use burn::tensor::Tensor;

use crate::model::Network;
use crate::pretrain::backward::backward;
use crate::pretrain::batch::Batch;
use crate::pretrain::config::Config;
use crate::pretrain::ema::update_teacher;
use crate::pretrain::engine::{Engine, Lane, Phase};
use crate::pretrain::forward::{patch_tokens, predict};
use crate::pretrain::micro_batch::{MicroBatch, with_centers};
use crate::pretrain::monitor::Monitor;
use crate::pretrain::objective::Losses;
use crate::pretrain::pass::Pass;
use crate::pretrain::report::StepReport;
use crate::pretrain::schedule::StepValues;
use crate::pretrain::state::TrainState;

/// Takes one step on a `batch`, given as micro-batches, with the learning rate, temperatures and
/// momenta of `now`.
///
/// If the loss or a gradient is not finite, nothing changes except the loss scale and, where this step
/// renews it, the anchor.
///
/// # Errors
/// If the device fails or the engine has no sum over all workers. The state is then unchanged.
pub async fn step<E: Engine>(
    state: &mut TrainState,
    batch: Vec<Batch>,
    now: &StepValues,
    config: &Config,
    engine: &E,
) -> Result<StepReport, E::Error> {
    // A run that was saved without an anchor takes one as soon as it can.
    if now.anchored && (now.renews_anchor || state.anchor.is_none()) {
        state.anchor = Some(state.teacher.backbone.clone());
    }
    let teacher = &state.teacher;
    let anchor = state.anchor.as_ref().filter(|_| now.anchored);
    let loss_scale = state.loss_scale;

    // 0. Whole batch: what the targets of one image must know of all others. Nothing, unless they are
    //    balanced by Sinkhorn-Knopp.
    let (batch, centers) = with_centers(batch, state, now, config, engine)?;

    // A micro-batch goes through forward and backward before the next one begins, because its
    // activations are most of a step's memory.
    let forward_backward = |student: &Network, micro_batch: &MicroBatch, lane: &mut Lane| {
        let batch = &micro_batch.batch;

        // 1. Teacher: the global crops without masks, outside autodiff.
        let (logits, mean_logits) = micro_batch.teach(teacher, &config.loss);

        // 2. Targets: the teacher's logits, centered and sharpened.
        let targets = centers.targets(logits, now);
        let anchored = anchor.map(|anchor| patch_tokens(anchor, batch));
        lane.lap(Phase::Teacher);

        // 3. Student: the same global crops with masks, and the local crops.
        let prediction = predict(
            student,
            batch,
            &config.loss,
            lane.activations,
            lane.noise.as_mut(),
        );
        lane.lap(Phase::Student);

        // 4. Losses: across views for CLS tokens (equation 1), within a view for masked patches
        //    (equation 2).
        let losses = Losses::between(&prediction, &targets, anchored, batch, &config.loss);
        lane.lap(Phase::Losses);

        // Monitoring, which no update depends on.
        let prototypes = targets.cls.clone().argmax(1);
        let monitor = Monitor::measure(&targets, &prototypes, &prediction, batch.images);

        // 5. Backward.
        let loss = losses.total.clone();
        let recomputed = prediction.recomputed;
        let gradients = backward(loss, student, &student.backbone, recomputed, loss_scale);
        lane.lap(Phase::Backward);

        Pass {
            images: batch.images,
            gradients,
            // Outside autodiff, so that sums over micro-batches record no graph.
            losses: losses.map(Tensor::inner),
            mean_logits,
            monitor,
            prototypes,
        }
    };

    // 6. Sum: over micro-batches as they come, then over all workers.
    let pass = engine.map_reduce(&state.student, batch, forward_backward, Pass::join);
    let pass = engine.all_reduce(pass, &state.student)?;

    // 7. Read: one transfer to the host, after which nothing can fail.
    // It is awaited, because a page cannot block on its GPU.
    let report = StepReport::read(&pass, loss_scale).await?;
    engine.lap(Phase::Sum);
    // Without a smaller scale the next step would overflow again, so it changes in either case.
    state.loss_scale = loss_scale.map(|scale| scale.after(report.applied));
    if !report.applied {
        return Ok(report);
    }

    // 8. Update: the student by AdamW, teacher and centers as moving averages.
    // A panic from here to the end leaves a state of two steps, which must not be saved.
    state.updating = true;
    let TrainState {
        student, optimizer, ..
    } = state;
    optimizer.step(
        student,
        pass.gradients,
        &report.norms,
        &config.optim.adamw(),
        |name, rank| now.rule(name, rank),
    );
    engine.lap(Phase::Optimizer);

    // After the student, as in the official code: the teacher follows the new weights.
    update_teacher(&mut state.teacher, &state.student, now.momentum);
    // Last, because this step's targets were made with the old centers.
    state.centers.update(pass.mean_logits, &config.loss);
    engine.lap(Phase::Ema);
    state.updating = false;

    Ok(report)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use futures_lite::future::block_on;

    use super::*;
    use crate::model::Mask;
    use crate::model::{ComputePrecision, init};
    use crate::pretrain::centering::{CenterFrom, Centering};
    use crate::pretrain::engine::Sequential;
    use crate::pretrain::schedule::Schedules;
    use crate::pretrain::snapshot::Snapshot;
    use crate::rng::{Purpose, stream};
    use crate::testing::{max_difference, test};

    fn batch(images: usize) -> Batch {
        let rng = &mut stream(1, Purpose::Init, 0, 0);
        let mut globals = Vec::new();
        let mut masks = Vec::new();
        for _ in 0..2 {
            globals.push(init::uniform([images, 3, 16, 16], 1.0, &Device::flex(), rng).val());
            masks.push(vec![Mask::new(4, 4, vec![true, false, true]); images]);
        }
        Batch::collate(globals, masks, Vec::new())
    }

    #[test]
    fn a_step_that_is_not_finite_changes_nothing_but_the_loss_scale() {
        let mut config = Config::miniature();
        config.optim.precision = ComputePrecision::F16;
        let mut state = TrainState::fresh(&config, 0, &Device::flex());
        let now = Schedules::new(&config, 10).at(5);
        let mut before = block_on(state.snapshot()).expect("the CPU works");

        let mut broken = batch(2);
        broken.globals = broken.globals * f32::NAN;
        let taken = step(&mut state, vec![broken], &now, &config, &Sequential);
        let report = block_on(taken).expect("the CPU works");
        assert!(!report.applied && !report.overflowed() && report.losses.cls.is_nan());

        let mut after = block_on(state.snapshot()).expect("the CPU works");
        let scale = |snapshot: &mut Snapshot| {
            let scale = snapshot.tensors.remove("loss_scale");
            scale.expect("16 bits").values[0]
        };
        assert_eq!(scale(&mut after), scale(&mut before) / 2.0);
        assert_eq!(after, before);
    }

    #[test]
    fn micro_batches_add_up_to_the_batch() {
        assert_micro_batches_add_up(&Config::miniature());
    }

    #[test]
    fn micro_batches_add_up_with_what_a_whole_batch_decides() {
        let mut config = Config::miniature();
        config.loss.centering = Centering::SinkhornKnopp;
        config.loss.center_from = CenterFrom::Masked;
        config.head.shared_head = false;
        config.head.shared_mlp = false;
        config.head.patch_bottleneck_dim = 6;
        assert_micro_batches_add_up(&config);
        config.loss.visible_patch_weight = 0.5;
        config.loss.gram_loss_weight = 2.0;
        assert_micro_batches_add_up(&config);
    }

    /// A run with an anchor, stopped after a step, goes on as if it had not been.
    #[test]
    fn the_anchor_is_the_teacher_of_its_moment_and_is_kept() {
        let mut config = Config::miniature();
        config.loss.gram_loss_weight = 2.0;
        config.loss.gram_start_epoch = 1;
        let schedules = Schedules::new(&config, 1);
        let mut state = TrainState::fresh(&config, 0, &Device::flex());
        let mut gram = Vec::new();
        let mut saved = None;
        for number in 0..4 {
            let now = schedules.at(number);
            let taken = step(&mut state, vec![batch(2)], &now, &config, &Sequential);
            gram.push(block_on(taken).expect("the CPU works").losses.gram);
            assert_eq!(state.anchor.is_some(), number > 0);
            if number == 2 {
                saved = Some(block_on(state.snapshot()).expect("the CPU works"));
            }
        }
        assert_eq!(gram[0], 0.0);
        assert!(gram[1] > 0.0 && gram[2] > 0.0, "{gram:?}");

        let fresh = TrainState::fresh(&config, 1, &Device::flex());
        let saved = saved.expect("saved after the third step");
        let mut resumed = fresh.restore(saved).expect("the same network");
        let now = schedules.at(3);
        let taken = step(&mut resumed, vec![batch(2)], &now, &config, &Sequential);
        assert_eq!(block_on(taken).expect("the CPU works").losses.gram, gram[3]);
        let snapshot = |state: &TrainState| block_on(state.snapshot()).expect("the CPU works");
        assert_eq!(snapshot(&resumed), snapshot(&state));
    }

    fn assert_micro_batches_add_up(config: &Config) {
        let now = Schedules::new(config, 10).at(5);
        let report = |batch: Vec<Batch>| {
            let mut state = TrainState::fresh(config, 0, &Device::flex());
            let taken = step(&mut state, batch, &now, config, &Sequential);
            let report = block_on(taken).expect("the CPU works");
            (report, state.centers)
        };
        // The third image has more masked patches than the others.
        let mut batch = batch(3);
        batch.masks[2] = Mask::new(4, 4, vec![true; 9]);
        let (whole, whole_centers) = report(vec![batch.clone()]);
        let (parts, centers) = report(vec![batch.select(0..2), batch.select(2..3)]);
        assert!(max_difference(&centers.cls, &whole_centers.cls) < 1e-6);
        assert!(max_difference(&centers.patch, &whole_centers.patch) < 1e-6);

        let differences = parts.losses.zip(whole.losses, |a, b| (a - b).abs());
        assert!(differences.total < 1e-5 && differences.cls < 1e-5 && differences.patch < 1e-5);
        assert!((parts.norms.total() / whole.norms.total() - 1.0).abs() < 1e-4);
        assert!((parts.monitor.teacher_entropy - whole.monitor.teacher_entropy).abs() < 1e-5);
        assert!((parts.monitor.agreement - whole.monitor.agreement).abs() < 1e-6);
        assert_eq!(parts.prototypes.len(), 6);
    }

    #[test]
    fn a_state_in_the_middle_of_an_update_is_not_kept() {
        let mut state = TrainState::fresh(&Config::miniature(), 0, &Device::flex());
        state.updating = true;
        assert!(block_on(state.snapshot()).is_err());
    }
}
