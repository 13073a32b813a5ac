//! The official optimisation steps, repeated.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Gradients, Tensor};
use ibot_core::model::Network;
use ibot_core::optim::LossScale;
use ibot_core::pretrain::{Activations, Objective, train_step};
use ibot_core::weights;
use ibot_core::weights::Weight;

use crate::{Check, Fixture, Tolerances};

/// Repeats the first `steps` of a fixture on a device and compares everything that the fixture
/// knows of them.
///
/// # Panics
/// If something differs by more than its tolerance.
pub async fn reproduce(fixture: &Fixture, device: &Device, tolerances: &Tolerances, steps: usize) {
    let config = fixture.config();
    let schedules = fixture.schedules();
    let mut state = fixture.initial_state(device);
    let mut check = Check::new(fixture);
    check
        .first_logits(&state, &fixture.batch(0, device), tolerances.logits)
        .await;
    for entry in fixture.log.iter().take(steps) {
        let step = entry.step;
        let now = schedules.at(step);
        for (ours, theirs) in [
            (now.lr, entry.lr),
            (now.weight_decay, entry.weight_decay),
            (now.momentum, entry.momentum),
        ] {
            assert!(
                (ours - theirs).abs() <= 1e-12,
                "{}: schedule of step {step}: {ours}, {theirs}",
                fixture.name
            );
        }
        let batch = fixture.batch(step, device);
        let (next, report) = loop {
            let stepped = train_step(
                state.clone(),
                &batch,
                &now,
                &config.loss,
                &config.optim,
                None,
            )
            .await;
            let (next, report) = stepped.expect("the device works");
            if !report.overflowed() {
                break (next, report);
            }
            state = next;
        };
        let gradients = format!("step{step}/grad");
        let expected = fixture.group(&gradients);
        if !expected.is_empty() {
            let objective =
                Objective::new(&state, &batch, &now, &config.loss, Activations::Kept, None);
            let scale = report.loss_scale.map_or(1.0, LossScale::factor);
            let scaled = (objective.loss * scale).backward();
            let actual = gradient_weights(&state.student, &scaled, scale).await;
            let tolerance = if step == 0 {
                tolerances.first_gradients
            } else {
                tolerances.last_gradients
            };
            check.weights(&gradients, &actual, &expected, |_| tolerance);
        }
        state = next;
        for (name, ours, theirs) in [
            ("loss", report.loss, entry.loss),
            ("cls", report.cls, entry.cls),
            ("patch", report.patch, entry.patch),
        ] {
            let scale = if theirs == 0.0 { 1.0 } else { theirs.abs() };
            check.note(
                &format!("step{step}/{name}"),
                (ours - theirs).abs() / scale,
                tolerances.losses,
            );
        }
        check
            .state(&format!("after{step}"), &state, tolerances)
            .await;
    }
    check.finish();
}

/// Every parameter's gradient under its official name and layout, divided by `scale`; zeros where
/// the loss does not reach.
async fn gradient_weights(
    student: &Network,
    gradients: &Gradients,
    scale: f64,
) -> HashMap<String, Weight> {
    struct IntoGradients<'a>(&'a Gradients, f64);
    impl ModuleMapper for IntoGradients<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (id, value, mapper) = param.consume();
            let gradient = value
                .grad(self.0)
                .unwrap_or_else(|| value.inner().zeros_like());
            Param::from_mapped_value(id, gradient / self.1, mapper)
        }
    }
    weights::read(&student.clone().map(&mut IntoGradients(gradients, scale)))
        .await
        .expect("readable gradients")
}
