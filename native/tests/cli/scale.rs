//! Several workers are as one with the whole batch: threads of a process, and processes that MPI
//! connects.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::process::{DINOV2, TINY, fail, folder, ibot, succeed};
use crate::support::run_files::{assert_same_state, records, state, status};

/// A run of 20 steps, each recorded.
fn run_of(command: &mut Command, out: &Path, more: &[&str]) {
    let tiny = TINY
        .iter()
        .filter(|argument| !argument.starts_with("--device"));
    command.arg("pretrain").args(tiny).arg("--out").arg(out);
    command
        .args([
            "--set=run.log_every=1",
            "--set=optim.epochs=2",
            "--knn-every=0",
        ])
        .args(more);
}

fn run(out: &Path, more: &[&str]) -> String {
    let mut command = ibot();
    run_of(&mut command, out, more);
    command.arg("--data=builtin:val");
    succeed(command)
}

fn losses(run: &Path) -> Vec<f64> {
    records(run, "step")
        .iter()
        .map(|record| record["loss"].as_f64().expect("a finite loss"))
        .collect()
}

/// Panics unless losses and every tensor of the state are those of `expected` but for the order of
/// sums: relative errors (L2 over L2) of `tolerance`.
fn assert_close(expected: &Path, actual: &Path, tolerance: f64) {
    let (expected_losses, actual_losses) = (losses(expected), losses(actual));
    assert_eq!((expected_losses.len(), actual_losses.len()), (20, 20));
    for (step, (expected, actual)) in expected_losses.iter().zip(actual_losses).enumerate() {
        assert!(
            (actual / expected - 1.0).abs() < tolerance,
            "loss of step {step}: {actual}, not {expected}"
        );
    }
    let values = |run: &Path| -> BTreeMap<String, Vec<f64>> {
        let value = |bits: &u32| f64::from(f32::from_bits(*bits));
        state(run)
            .into_iter()
            .map(|(name, bits)| (name, bits.iter().map(value).collect()))
            .collect()
    };
    let (expected, actual) = (values(expected), values(actual));
    assert_eq!(expected.len(), actual.len());
    for (name, expected) in expected {
        // The true gradient of the keys' part is zero: its moments are rounding, and Adam amplifies
        // it.
        if name.contains("attn.qkv.bias") {
            continue;
        }
        let norm = |values: &mut dyn Iterator<Item = f64>| {
            values.map(|value| value * value).sum::<f64>().sqrt()
        };
        let difference = norm(&mut expected.iter().zip(&actual[&name]).map(|(a, b)| a - b));
        let size = norm(&mut expected.iter().copied());
        assert!(
            difference <= tolerance * size.max(1e-12),
            "{name}: {difference:e} of {size:e}"
        );
    }
}

#[test]
fn workers_and_accumulation_add_up_to_the_whole_batch() {
    let folder = folder();
    let out = |name: &str| folder.path().join(name);
    let whole = [
        "--devices=cpu",
        "--set=run.shards=1",
        "--set=run.micro_batch=50",
    ];
    run(&out("one"), &whole);
    let output = run(
        &out("two"),
        &["--devices=cpu:0,cpu:1", "--set=run.micro_batch=25"],
    );
    assert!(
        output.contains("2 workers, 25 images of a batch each"),
        "{output}"
    );
    // Shares of 16 and 17 images, and one worker more than the batch divides by.
    run(&out("three"), &["--devices=cpu:0,cpu:1,cpu:2"]);
    run(
        &out("parts"),
        &[
            "--devices=cpu",
            "--set=run.shards=1",
            "--set=run.micro_batch=7",
        ],
    );
    run(
        &out("f16"),
        &[
            "--devices=cpu:0,cpu:1",
            "--set=run.micro_batch=25",
            "--set=run.exchange_f16=true",
        ],
    );
    for same in ["two", "three", "parts"] {
        assert_close(&out("one"), &out(same), 1e-3);
    }
    assert_close(&out("two"), &out("f16"), 2e-2);
    assert_ne!(state(&out("two")), state(&out("f16")), "16 bits round");
}

/// Targets that are balanced over a whole batch, and masks whose ratios are spread over it.
#[test]
fn workers_agree_on_what_a_whole_batch_decides() {
    let folder = folder();
    let out = |name: &str| folder.path().join(name);
    let with = |name: &str, more: &[&str]| run(&out(name), &[&DINOV2, more].concat());
    with("one", &["--devices=cpu", "--set=run.shards=1"]);
    with("parts", &["--devices=cpu", "--set=run.micro_batch=7"]);
    with("three", &["--devices=cpu:0,cpu:1,cpu:2"]);
    for same in ["parts", "three"] {
        assert_close(&out("one"), &out(same), 1e-3);
    }
}

/// With stochastic depth, whose random numbers belong to shards.
#[test]
fn two_workers_of_one_shard_are_one_worker_of_two_in_every_bit() {
    let folder = folder();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let drop = "--set=model.drop_path=0.1";
    run(&one, &[drop, "--devices=cpu", "--set=run.shards=2"]);
    run(&two, &[drop, "--devices=cpu:0,cpu:1", "--set=run.shards=1"]);
    assert_same_state(&one, &two);
    assert_eq!(losses(&one), losses(&two));
}

#[test]
fn a_run_goes_on_with_another_number_of_workers() {
    let folder = folder();
    let (straight, changed) = (
        folder.path().join("straight"),
        folder.path().join("changed"),
    );
    let kept = ["--devices=cpu", "--set=run.checkpoint_every=1"];
    run(&straight, &kept);
    run(&changed, &kept);
    // As if the run had been killed in its second epoch.
    let checkpoint = |name: &str| {
        changed
            .join("checkpoints")
            .join(name)
            .with_extension("safetensors")
    };
    fs::remove_file(checkpoint("previous")).expect("removable");
    fs::remove_file(checkpoint("last")).expect("removable");
    fs::copy(checkpoint("epoch-0001"), checkpoint("last")).expect("writable");
    let mut resume = ibot();
    resume
        .args(["pretrain", "--resume", "--devices=cpu:0,cpu:1", "--out"])
        .arg(&changed);
    let output = succeed(resume);
    assert!(output.contains("resumed after step 10"), "{output}");
    assert!(
        output.contains("goes on with 2 workers in place of 1: batches have the same images"),
        "{output}"
    );
    assert_close(&straight, &changed, 1e-3);
}

#[test]
fn a_worker_that_fails_ends_the_run_saved() {
    let folder = folder();
    let photos = folder.path().join("photos");
    fs::create_dir(&photos).expect("writable");
    for i in 0..60 {
        let scene = ibot_core::scenes::scene(ibot_core::scenes::Split::Val, i, 60);
        ibot_native::report::png::save_png(&scene.image, &photos.join(format!("{i:02}.png")))
            .expect("writable");
    }
    let out = folder.path().join("run");
    let mut command = ibot();
    run_of(
        &mut command,
        &out,
        &[
            "--devices=cpu:0,cpu:1",
            "--set=run.max_unreadable=0",
            "--set=optim.epochs=2000",
        ],
    );
    let child = command
        .arg("--data")
        .arg(&photos)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect("the command starts");
    wait_for_a_step(&mut child, &out);
    fs::write(photos.join("07.png"), "no image any more").expect("writable");
    let output = child.wait_with_output().expect("a child");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("could not be read"), "{message}");
    assert_saved(&out);
}

/// Waits until a run has recorded a step.
fn wait_for_a_step(child: &mut Child, run: &Path) {
    let begin = Instant::now();
    while !run.join("metrics.jsonl").exists() || records(run, "step").is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(120), "no progress");
        assert!(
            child.try_wait().expect("a child").is_none(),
            "the run ended before its first step"
        );
        sleep(Duration::from_millis(5));
    }
}

/// Panics unless a run has failed with all steps in its checkpoint that it has recorded.
fn assert_saved(run: &Path) {
    let (status, recorded) = (status(run), records(run, "step").len());
    assert_eq!(
        (&status["state"], &status["checkpoint_step"]),
        (&"failed".into(), &recorded.into()),
        "{status}"
    );
}

#[test]
fn more_workers_than_images_of_a_batch_are_a_mistake() {
    let folder = folder();
    let mut command = ibot();
    run_of(
        &mut command,
        &folder.path().join("run"),
        &[
            "--data=builtin:val",
            "--devices=cpu,cpu,cpu",
            "--set=optim.batch_size=2",
        ],
    );
    let message = fail(command);
    assert!(
        message.contains("a batch of 2 images leaves some of 3 workers without one"),
        "{message}"
    );
    assert!(!folder.path().join("run").exists());
}

/// The command under `mpirun` with two processes; `None`, and why, if there is none.
fn mpirun() -> Option<Command> {
    if !cfg!(feature = "mpi") {
        eprintln!("skipped: built without --features mpi");
        return None;
    }
    let mut command = Command::new("mpirun");
    if command.arg("--version").output().is_err() {
        eprintln!("skipped: there is no mpirun (on Debian: openmpi-bin)");
        return None;
    }
    let mut command = Command::new("mpirun");
    command.args([
        "--allow-run-as-root",
        "--oversubscribe",
        "-n",
        "2",
        env!("CARGO_BIN_EXE_ibot"),
    ]);
    Some(command)
}

#[test]
fn two_processes_are_two_threads_in_every_bit() {
    let Some(mut processes) = mpirun() else {
        return;
    };
    let folder = folder();
    let out = |name: &str| folder.path().join(name);
    let more = ["--set=run.shards=1", "--set=model.drop_path=0.1"];
    run(
        &out("threads"),
        &[more[0], more[1], "--devices=cpu:0,cpu:1"],
    );
    run_of(
        &mut processes,
        &out("processes"),
        &[more[0], more[1], "--devices=cpu", "--data=builtin:val"],
    );
    let output = succeed(processes);
    assert_eq!(
        output.matches("done: ").count(),
        1,
        "one process alone prints and writes: {output}"
    );
    assert_same_state(&out("threads"), &out("processes"));
    let f16 = [more[0], more[1], "--set=run.exchange_f16=true"];
    run(
        &out("f16-threads"),
        &[f16[0], f16[1], f16[2], "--devices=cpu:0,cpu:1"],
    );
    let Some(mut processes) = mpirun() else {
        return;
    };
    run_of(
        &mut processes,
        &out("f16"),
        &[
            f16[0],
            f16[1],
            f16[2],
            "--devices=cpu",
            "--data=builtin:val",
        ],
    );
    succeed(processes);
    assert_same_state(&out("f16-threads"), &out("f16"));
}

#[test]
#[cfg(target_os = "linux")]
fn a_process_that_hangs_ends_all_saved() {
    let Some(mut command) = mpirun() else { return };
    let folder = folder();
    let out = folder.path().join("run");
    let patience = "--set=run.exchange_timeout=0.05";
    run_of(
        &mut command,
        &out,
        &[
            patience,
            "--set=optim.epochs=2000",
            "--devices=cpu",
            "--data=builtin:val",
        ],
    );
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("mpirun starts");
    wait_for_a_step(&mut child, &out);
    let children =
        fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).expect("Linux");
    let leader = status(&out)["pid"].to_string();
    let other = children
        .split_whitespace()
        .rfind(|pid| **pid != leader)
        .expect("a second process");
    assert!(
        Command::new("kill")
            .args(["-STOP", other])
            .status()
            .expect("kill")
            .success()
    );
    let begin = Instant::now();
    let output = child.wait_with_output().expect("a child");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && message.contains("did not answer for 3 s"),
        "{message}"
    );
    assert!(
        begin.elapsed() < Duration::from_secs(30),
        "{:?}",
        begin.elapsed()
    );
    assert_saved(&out);
}

#[test]
fn processes_of_a_launcher_do_not_train_apart() {
    if cfg!(feature = "mpi") {
        return;
    }
    let folder = folder();
    let mut command = ibot();
    command.envs([
        ("OMPI_COMM_WORLD_SIZE", "2"),
        ("OMPI_COMM_WORLD_RANK", "1"),
        ("OMPI_COMM_WORLD_LOCAL_RANK", "1"),
    ]);
    run_of(
        &mut command,
        &folder.path().join("run"),
        &["--data=builtin:val", "--devices=cpu"],
    );
    let message = fail(command);
    assert!(
        message.contains("a launcher started 2") && message.contains("--features mpi"),
        "{message}"
    );
}
