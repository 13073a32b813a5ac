//! The official optimisation steps, repeated.

use std::cell::RefCell;

use burn::module::Module;
use burn::tensor::{Device, ExecutionError, Tensor};
use ibot_core::optim::NamedGradients;
use ibot_core::pretrain::{Engine, Lane, Pass, Sequential, step};

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
        let number = entry.step;
        let now = schedules.at(number);
        for (ours, theirs) in [
            (now.lr, entry.lr),
            (now.weight_decay, entry.weight_decay),
            (now.momentum, entry.momentum),
        ] {
            assert!(
                (ours - theirs).abs() <= 1e-12,
                "{}: schedule of step {number}: {ours}, {theirs}",
                fixture.name
            );
        }
        let batch = fixture.batch(number, device);
        let engine = Recorder::default();
        let report = loop {
            let batch = vec![batch.clone()];
            let taken = step(&mut state, batch, &now, &config, &engine).await;
            let report = taken.expect("the device works");
            if !report.overflowed() {
                break report;
            }
        };
        let gradients = format!("step{number}/grad");
        let expected = fixture.group(&gradients);
        if !expected.is_empty() {
            let actual = engine.gradients.take().read(&state.student).await;
            let actual = actual.expect("readable gradients");
            let tolerance = if number == 0 {
                tolerances.first_gradients
            } else {
                fixture.of_roundings(tolerances.last_gradients)
            };
            check.weights(&gradients, &actual, &expected, |_| tolerance);
        }
        for (name, ours, theirs) in [
            ("loss", report.losses.total, entry.loss),
            ("cls", report.losses.cls, entry.cls),
            ("patch", report.losses.patch, entry.patch),
        ] {
            let scale = if theirs == 0.0 { 1.0 } else { theirs.abs() };
            check.note(
                &format!("step{number}/{name}"),
                (ours - theirs).abs() / scale,
                tolerances.losses,
            );
        }
        check
            .state(&format!("after{number}"), &state, tolerances)
            .await;
    }
    check.finish();
}

/// The plain engine, which keeps the gradients of the last step.
#[derive(Default)]
struct Recorder {
    gradients: RefCell<NamedGradients>,
}

impl Engine for Recorder {
    type Error = ExecutionError;

    fn map_reduce<M: Module, B: Send, T: Send>(
        &self,
        network: &M,
        batch: Vec<B>,
        work: impl Fn(&M, &B, &mut Lane) -> T + Sync,
        join: impl Fn(Vec<T>) -> T + Sync,
    ) -> T {
        Engine::<Pass>::map_reduce(&Sequential, network, batch, work, join)
    }

    fn sum(&self, values: Tensor<2>) -> Result<Tensor<2>, ExecutionError> {
        Ok(values)
    }

    fn all_reduce<M: Module>(&self, pass: Pass, network: &M) -> Result<Pass, ExecutionError> {
        // Zeros where the loss does not reach, as the official code has them.
        self.gradients
            .replace(pass.gradients.clone().complete(network));
        Ok(pass)
    }
}
