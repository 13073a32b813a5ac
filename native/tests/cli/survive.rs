//! Runs that are killed, and checkpoints that are damaged: what is lost, and that the rest is
//! exact.
#![cfg(unix)]

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use ibot_core::weights::from_safetensors;
use serde_json::Value;

use crate::support::process::{fail, folder, ibot, succeed, tiny};
use crate::support::run_files::{assert_same_state, records, status};

const EPOCHS: u64 = 3;
const STEPS_PER_EPOCH: u64 = 25;
const STEPS: u64 = EPOCHS * STEPS_PER_EPOCH;
/// `run.save_every` that saves after every step.
const ALWAYS: &str = "--set=run.save_every=1e-9";
const ONLY_EPOCHS: &str = "--set=run.save_every=0";

/// A run of [`STEPS`] steps that records each.
fn run_of(out: &Path, more: &[&str]) -> Command {
    let mut command = tiny(
        out,
        "builtin:val",
        &["--set=optim.epochs=3", "--set=optim.batch_size=20"],
    );
    command
        .args([
            "--set=crops.local_crops_number=1",
            "--set=run.log_every=1",
            "--knn-every=0",
        ])
        .args(more);
    command
}

fn resume(out: &Path, more: &[&str]) -> Command {
    let mut command = ibot();
    command
        .args(["pretrain", "--resume", "--device=cpu", "--out"])
        .arg(out)
        .args(more);
    command
}

fn checkpoint(run: &Path, name: &str) -> PathBuf {
    run.join("checkpoints")
        .join(name)
        .with_extension("safetensors")
}

/// The step of a checkpoint.
fn step_of(path: &Path) -> u64 {
    let (_, metadata) =
        from_safetensors(&fs::read(path).expect("a checkpoint")).expect("a sound checkpoint");
    let header: Value = serde_json::from_str(&metadata["ibot-checkpoint"]).expect("JSON");
    header["step"].as_u64().expect("a step")
}

/// Steps in the order in which they were recorded.
fn steps(run: &Path, kind: &str) -> Vec<u64> {
    records(run, kind)
        .iter()
        .filter_map(|record| record["step"].as_u64())
        .collect()
}

/// Steps of all events that TensorBoard would show, sorted.
fn events(run: &Path) -> Vec<u64> {
    let mut steps = Vec::new();
    for entry in fs::read_dir(run.join("tensorboard"))
        .expect("a folder")
        .flatten()
    {
        let content = fs::read(entry.path()).expect("events");
        let mut rest = &content[..];
        while let Some(length) = rest
            .first_chunk()
            .map(|bytes| u64::from_le_bytes(*bytes) as usize)
        {
            let event = &rest[12..12 + length];
            // Wall time, then the step as a varint of one or two bytes.
            if event[9] == 0x10 {
                let high = if event[10] & 0x80 == 0 {
                    0
                } else {
                    u64::from(event[11]) << 7
                };
                steps.push(u64::from(event[10] & 0x7f) | high);
            }
            rest = &rest[16 + length..];
        }
    }
    steps.sort_unstable();
    steps
}

/// Numbers that are the same in every run of the test (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// When the file that is there while a checkpoint is written was last written to. A kill leaves it.
fn partial(run: &Path) -> Option<SystemTime> {
    fs::metadata(run.join("checkpoints/last.safetensors.partial"))
        .and_then(|file| file.modified())
        .ok()
}

/// Waits until `happened`, or the run is over.
fn wait_until(child: &mut Child, mut happened: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happened() && child.try_wait().expect("a child").is_none() {
        assert!(start.elapsed() < Duration::from_secs(60), "no progress");
        sleep(Duration::from_micros(200));
    }
}

/// Waits until the run has recorded a step it had not, or is over.
fn wait_for_a_step(child: &mut Child, run: &Path) {
    let recorded = || fs::metadata(run.join("metrics.jsonl")).map_or(0, |file| file.len());
    let mut before = recorded();
    wait_until(child, || {
        let now = recorded();
        // Resuming drops records.
        before = before.min(now);
        now > before
    });
}

#[test]
fn fifty_kills_lose_no_more_than_the_steps_since_the_last_checkpoint() {
    // More for those who have the time.
    let wanted = env::var("IBOT_KILLS").map_or(50, |kills| kills.parse().expect("a number"));
    let folder = folder();
    let straight = folder.path().join("straight");
    succeed(run_of(&straight, &[ONLY_EPOCHS]));
    let log_path = folder.path().join("log");
    let log = File::create(&log_path).expect("writable");
    let mut dice = Dice(2111_07832);
    let (begin, mut kills, mut in_write, mut before_first, mut lost, mut most_lost, mut complete) =
        (Instant::now(), 0, 0, 0, 0, 0, 0);
    while kills < wanted || complete == 0 {
        let run = folder.path().join(format!("run-{complete}"));
        let mut saved = 0;
        loop {
            // The first five kills and one in four after them come at any moment of a process, one
            // in four while a checkpoint is being written, the others while steps are done and
            // saved.
            let moment = if kills < 5 { 0 } else { dice.below(4) };
            let always = moment == 1 || dice.below(3) > 0;
            let save = if always { ALWAYS } else { ONLY_EPOCHS };
            let (before, left) = (fs::read(run.join("metrics.jsonl")).ok(), partial(&run));
            let writes = || partial(&run).is_some_and(|time| left != Some(time));
            let resumed = run.join("config.toml").exists();
            let mut command = if resumed {
                resume(&run, &[save])
            } else {
                run_of(&run, &[save])
            };
            command
                .stdout(log.try_clone().expect("a file"))
                .stderr(log.try_clone().expect("a file"));
            let mut child = command.spawn().expect("the command starts");
            if kills < wanted {
                match moment {
                    0 => {}
                    1 => wait_until(&mut child, writes),
                    _ => wait_for_a_step(&mut child, &run),
                }
                let most = if moment == 1 { 500 } else { 200_000 };
                sleep(Duration::from_micros(dice.below(most)));
                child.kill().expect("a child");
            }
            let ended = child.wait().expect("a child");
            if ended.success() {
                break;
            }
            assert_eq!(
                ended.code(),
                None,
                "killed: {}",
                fs::read_to_string(&log_path).expect("a log")
            );
            kills += 1;
            in_write += u64::from(writes());
            if !checkpoint(&run, "last").exists() {
                assert_eq!(saved, 0, "a checkpoint is never gone");
                before_first += 1;
                continue;
            }
            let (step, recorded) = (
                step_of(&checkpoint(&run, "last")),
                steps(&run, "step").last().copied(),
            );
            let recorded = recorded.unwrap_or(0);
            assert!(step >= saved, "from step {saved} back to {step}");
            if before == fs::read(run.join("metrics.jsonl")).ok() {
                // Killed before it began; what is recorded is of the process before.
                continue;
            }
            let least = if always {
                recorded.saturating_sub(1)
            } else {
                recorded.saturating_sub(1) / STEPS_PER_EPOCH * STEPS_PER_EPOCH
            };
            assert!(
                step >= least,
                "{recorded} steps were done, {step} are saved"
            );
            saved = step;
            lost += recorded.saturating_sub(step);
            most_lost = most_lost.max(recorded.saturating_sub(step));
        }
        complete += 1;
        assert_same_state(&straight, &run);
        assert_eq!(
            steps(&run, "step"),
            (1..=STEPS).collect::<Vec<u64>>(),
            "every step is recorded once"
        );
        assert_eq!(
            steps(&run, "epoch"),
            (1..=EPOCHS)
                .map(|epoch| epoch * STEPS_PER_EPOCH)
                .collect::<Vec<u64>>()
        );
        assert_eq!(events(&run), events(&straight));
        assert_eq!(status(&run)["state"], "complete");
        let left = fs::read_dir(run.join("checkpoints"))
            .expect("a folder")
            .count();
        assert_eq!(left, 2, "last and previous");
    }
    let log = fs::read_to_string(&log_path).expect("a log");
    assert!(
        !log.contains("cannot be used") && !log.contains("panicked"),
        "{log}"
    );
    println!(
        "{kills} kills in {:.0} s: {in_write} inside the writing of a checkpoint, {before_first} before the first one; \
         {} resumes, {lost} steps done again ({most_lost} at most); {complete} runs of {STEPS} steps equal to the \
         uninterrupted one in every bit",
        begin.elapsed().as_secs_f64(),
        log.matches("resumed after step").count(),
    );
    assert!(in_write > 0, "no kill met a checkpoint being written");
}

#[test]
fn a_damaged_checkpoint_costs_the_steps_since_the_previous_one() {
    let folder = folder();
    let (straight, run) = (folder.path().join("straight"), folder.path().join("run"));
    succeed(run_of(&straight, &[]));
    succeed(run_of(&run, &["--set=run.checkpoint_every=2"]));
    let (last, previous) = (checkpoint(&run, "last"), checkpoint(&run, "previous"));
    assert_eq!(
        (step_of(&last), step_of(&previous)),
        (STEPS, STEPS - STEPS_PER_EPOCH)
    );
    let damage = |path: &Path| {
        let mut bytes = fs::read(path).expect("a checkpoint");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::remove_file(path).expect("removable");
        fs::write(path, bytes).expect("writable");
    };
    damage(&last);
    let output = succeed(resume(&run, &[]));
    assert!(
        output.contains("last.safetensors cannot be used: it is damaged: its checksum"),
        "{output}"
    );
    assert!(
        output.contains("of step 50: the 25 steps recorded since are done again"),
        "{output}"
    );
    assert!(output.contains("resumed after step 50"), "{output}");
    assert!(
        run.join("checkpoints/last.safetensors.damaged").exists(),
        "the evidence is kept"
    );
    assert_same_state(&straight, &run);
    assert_eq!(steps(&run, "step"), (1..=STEPS).collect::<Vec<u64>>());

    // What an interrupted copy leaves, and what a crash of the system can.
    let whole = fs::read(&last).expect("a checkpoint");
    for content in [&whole[..whole.len() / 2], &vec![0; whole.len()], b""] {
        fs::remove_file(&last).expect("removable");
        fs::write(&last, content).expect("writable");
        assert!(succeed(resume(&run, &[])).contains("cannot be used: it is damaged"));
        assert_same_state(&straight, &run);
    }

    damage(&last);
    damage(&previous);
    let message = fail(resume(&run, &[]));
    for part in [
        "no checkpoint is whole",
        "last.safetensors: it is damaged",
        "previous.safetensors: it is damaged",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert!(
        message.contains("epoch-0002.safetensors of step 50 is whole")
            && message.contains("copy it"),
        "{message}"
    );
    assert_eq!(status(&run)["state"], "failed");
    fs::copy(checkpoint(&run, "epoch-0002"), &last).expect("what the message says");
    succeed(resume(&run, &[]));
    assert_same_state(&straight, &run);

    for name in ["last", "previous", "epoch-0002"] {
        fs::remove_file(checkpoint(&run, name)).expect("removable");
    }
    let message = fail(resume(&run, &[]));
    assert!(
        message.contains("no checkpoint of an epoch was kept") && message.contains("--config"),
        "{message}"
    );
    assert_eq!(
        steps(&run, "step").len(),
        STEPS as usize,
        "records are not dropped for want of a checkpoint"
    );
}
