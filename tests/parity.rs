//! Six optimisation steps against the official implementation, number for number.
//!
//! Runs every fixture in the folder named by `IBOT_FIXTURES` (default `tests/fixtures`), on the CPU
//! and, where one is installed, on a software GPU.

#![cfg(not(target_family = "wasm"))]

use std::ops::Range;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor};
use futures_lite::future::block_on;
use ibot_core::model::ComputePrecision;
use ibot_core::pretrain::{Activations, Batch, Objective, Pass, apply};
use ibot_native::device::{DeviceChoice, select};
use ibot_tests::{BF16, Check, F16, FLEX, Fixture, WGPU, reproduce};

/// Autotuning on a software GPU takes one to two minutes on two idle cores.
const PATIENCE: Duration = Duration::from_secs(300);

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
            block_on(reproduce(
                &fixture,
                &Device::flex(),
                tolerances,
                fixture.log.len(),
            ));
        }
    }
}

/// Software drivers are compilers, and some crash or hang on kernels that hardware takes: Mesa
/// 22.3's Vulkan crashes. A process of its own keeps that apart from a wrong number, and leaves
/// OpenGL to try.
#[test]
fn a_software_gpu_reproduces_the_official_steps() {
    let this = std::env::current_exe().expect("the test's own program");
    for without_vulkan in [false, true] {
        let mut command = Command::new(&this);
        command.args(["--exact", "on_a_software_gpu", "--ignored", "--nocapture"]);
        if without_vulkan {
            command
                .env("VK_DRIVER_FILES", "/nonexistent")
                .env("VK_ICD_FILENAMES", "/nonexistent");
        }
        let mut child = command.spawn().expect("the test's own program starts");
        let start = Instant::now();
        let status = loop {
            match child.try_wait().expect("a child to wait for") {
                Some(status) => break status,
                None if start.elapsed() > PATIENCE => {
                    child.kill().expect("a child to end");
                    break child.wait().expect("a child to wait for");
                }
                None => sleep(Duration::from_millis(200)),
            }
        };
        match status.code() {
            Some(0) => return,
            Some(_) => panic!("the software GPU gives other numbers, see above"),
            None => eprintln!("the driver crashed or hung: {status}"),
        }
    }
}

#[test]
#[ignore = "a_software_gpu_reproduces_the_official_steps runs this in a process of its own"]
fn on_a_software_gpu() {
    let Ok(selected) = select(DeviceChoice::Software) else {
        eprintln!("skipped: no software GPU is installed (on Debian: mesa-vulkan-drivers)");
        return;
    };
    eprintln!("on {}", selected.description);
    for fixture in Fixture::all() {
        block_on(reproduce(
            &fixture,
            &selected.device,
            &WGPU,
            fixture.log.len(),
        ));
    }
}

/// Two steps, each computed in two shards as `ibot pretrain` does on two cores. One of them
/// recomputes its activations.
#[test]
fn shards_add_up_to_the_official_steps() {
    let device = Device::flex();
    for fixture in Fixture::all() {
        let config = fixture.config();
        let mut state = fixture.initial_state(&device);
        let mut check = Check::new(&fixture);
        for entry in fixture.log.iter().take(2) {
            let now = fixture.schedules().at(entry.step);
            let batch = fixture.batch(entry.step, &device);
            let half = batch.images / 2;
            let shards = [
                (0..half, Activations::Kept),
                (half..batch.images, Activations::Recomputed),
            ];
            let passes = shards.map(|(images, activations)| {
                let fork = state.fork();
                Objective::new(
                    &fork,
                    &shard(&batch, images),
                    &now,
                    &config.loss,
                    activations,
                    None,
                )
                .differentiate(&fork.student)
            });
            let applied = block_on(apply(
                state,
                Pass::join(passes.into()),
                &now,
                &config.loss,
                &config.optim,
            ));
            let (next, report) = applied.expect("the CPU works");
            state = next;
            check.note(
                &format!("step{}/loss", entry.step),
                (report.loss / entry.loss - 1.0).abs(),
                FLEX.losses,
            );
            block_on(check.state(&format!("after{}", entry.step), &state, &FLEX));
        }
        check.finish();
    }
}

/// The crops and masks of some images of a batch.
fn shard(batch: &Batch, images: Range<usize>) -> Batch {
    let own = |crops: &Tensor<4>| {
        let starts = (0..crops.dims()[0]).step_by(batch.images);
        Tensor::cat(
            starts
                .map(|start| crops.clone().narrow(0, start + images.start, images.len()))
                .collect(),
            0,
        )
    };
    Batch {
        globals: own(&batch.globals),
        locals: batch.locals.as_ref().map(own),
        masks: batch
            .masks
            .chunks(batch.images)
            .flat_map(|crop| crop[images.clone()].to_vec())
            .collect(),
        images: images.len(),
    }
}
