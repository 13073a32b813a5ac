//! Six optimisation steps against the official implementation, number for number.
//!
//! Runs every fixture in the folder named by `IBOT_FIXTURES` (default `tests/fixtures`), on the CPU
//! and, where one is installed, on a software GPU.

#![cfg(not(target_family = "wasm"))]

use burn::module::Module;
use burn::tensor::{Device, ExecutionError, Tensor};
use futures_lite::future::block_on;
use ibot_core::model::ComputePrecision;
use ibot_core::pretrain::{Activations, Engine, Lane, Pass, fork, step};
use ibot_native::device::{DeviceChoice, select};
use ibot_tests::{
    BF16, Check, F16, FLEX, Fixture, FixtureArch, WGPU, reproduce, run_alone_on_a_software_gpu,
};

#[test]
fn flex_reproduces_the_official_steps() {
    for fixture in Fixture::all() {
        block_on(reproduce(
            &fixture,
            &Device::flex(),
            &FLEX,
            fixture.log.len(),
        ));
    }
}

#[test]
fn mixed_precision_stays_near_the_official_steps() {
    for (precision, tolerances) in [
        (ComputePrecision::F16, &F16),
        (ComputePrecision::Bf16, &BF16),
    ] {
        for mut fixture in Fixture::all() {
            fixture.precision = precision;
            eprintln!("in {precision:?}");
            // A Swin amplifies roundings: those of 16 bits have no bounds after its fourth step.
            let steps = match fixture.config.arch {
                FixtureArch::Vit => fixture.log.len(),
                FixtureArch::Swin => 4,
            };
            block_on(reproduce(&fixture, &Device::flex(), tolerances, steps));
        }
    }
}

#[test]
fn a_software_gpu_reproduces_the_official_steps() {
    run_alone_on_a_software_gpu("on_a_software_gpu");
}

#[test]
#[ignore = "a_software_gpu_reproduces_the_official_steps runs this in a process of its own"]
fn on_a_software_gpu() {
    let selected = select(DeviceChoice::Software)
        .expect("a software GPU (on Debian: libegl1 and libgl1-mesa-dri)");
    eprintln!("on {}", selected.description);
    // A Swin was not made to work on a software GPU yet: docs/parity.md.
    let fixtures = Fixture::all().into_iter();
    for fixture in fixtures.filter(|fixture| fixture.config.arch == FixtureArch::Vit) {
        block_on(reproduce(
            &fixture,
            &selected.device,
            &WGPU,
            fixture.log.len(),
        ));
    }
}

/// Two steps, each computed in two micro-batches as `ibot pretrain` does on two cores. One of them
/// recomputes its activations.
#[test]
fn micro_batches_add_up_to_the_official_steps() {
    let device = Device::flex();
    for fixture in Fixture::all() {
        let config = fixture.config();
        let mut state = fixture.initial_state(&device);
        let mut check = Check::new(&fixture);
        for entry in fixture.log.iter().take(2) {
            let now = fixture.schedules().at(entry.step);
            let batch = fixture.batch(entry.step, &device);
            let half = batch.images / 2;
            let halves = vec![batch.select(0..half), batch.select(half..batch.images)];
            let report =
                block_on(step(&mut state, halves, &now, &config, &Forks)).expect("the CPU works");

            check.note(
                &format!("step{}/loss", entry.step),
                (report.losses.total / entry.loss - 1.0).abs(),
                FLEX.losses,
            );
            block_on(check.state(&format!("after{}", entry.step), &state, &FLEX));
        }
        check.finish();
    }
}

/// Gives each micro-batch a student of its own, as threads have; every second one recomputes its
/// activations.
struct Forks;

impl Engine for Forks {
    type Error = ExecutionError;

    fn map_reduce<M: Module, B: Send, T: Send>(
        &self,
        network: &M,
        batch: Vec<B>,
        work: impl Fn(&M, &B, &mut Lane) -> T + Sync,
        join: impl Fn(Vec<T>) -> T + Sync,
    ) -> T {
        let mut results = Vec::new();
        for (number, micro_batch) in batch.iter().enumerate() {
            let activations = match number % 2 {
                0 => Activations::Kept,
                _ => Activations::Recomputed,
            };
            let mut lane = Lane::new(activations, None);
            results.push(work(&fork(network), micro_batch, &mut lane));
        }
        join(results)
    }

    fn sum(&self, values: Tensor<2>) -> Result<Tensor<2>, ExecutionError> {
        Ok(values)
    }

    fn all_reduce<M: Module>(&self, pass: Pass, _: &M) -> Result<Pass, ExecutionError> {
        Ok(pass)
    }
}
