//! Disks, data and machines that let a run down: each with a clear message, and nothing lost.
#![cfg(unix)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ibot_core::scenes::{Split, scene};
use ibot_native::report::png::save_png;

use crate::support::process::{fail, folder, ibot, succeed, tiny};
use crate::support::run_files::{assert_same_state, records, status};

/// `run.save_every` that saves after every step.
const ALWAYS: &str = "--set=run.save_every=1e-9";
/// Stop at the first file that cannot be written.
const IMPATIENT: &str = "--set=run.save_patience=0";

fn run_of(out: &Path, more: &[&str]) -> Command {
    let mut command = tiny(
        out,
        "builtin:val",
        &["--set=optim.epochs=2", "--knn-every=0"],
    );
    command.arg("--set=crops.local_crops_number=1").args(more);
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

fn start(mut command: Command) -> Child {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts")
}

/// Waits until `run` has recorded `count` lines of steps.
fn wait_for(child: &mut Child, run: &Path, count: usize) {
    let begin = Instant::now();
    while !run.join("metrics.jsonl").exists() || records(run, "step").len() < count {
        assert!(begin.elapsed() < Duration::from_secs(60), "no progress");
        assert!(
            child.try_wait().expect("a child").is_none(),
            "the run ended early"
        );
        sleep(Duration::from_millis(5));
    }
}

fn signal(child: &Child, name: &str) {
    assert!(
        Command::new("kill")
            .args([name, &child.id().to_string()])
            .status()
            .expect("kill")
            .success()
    );
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_waited_for() {
    let folder = folder();
    let (straight, run) = (folder.path().join("straight"), folder.path().join("run"));
    for out in [&straight, &run] {
        succeed(run_of(out, &[]));
    }
    // Without its last checkpoint the run has an epoch to do again, and the disk is full when that
    // is to be saved.
    let full = || {
        symlink(
            "/dev/full",
            run.join("checkpoints/last.safetensors.partial"),
        )
        .expect("writable")
    };
    fs::remove_file(run.join("checkpoints/last.safetensors")).expect("removable");
    full();
    let error = fail(resume(&run, &[IMPATIENT]));
    assert!(
        error.contains("last.safetensors: No space left on device"),
        "{error}"
    );
    assert!(
        error.contains("The checkpoint of step 10 is whole: --resume continues there"),
        "{error}"
    );
    let failed = status(&run);
    assert_eq!(
        (&failed["state"], &failed["checkpoint_step"]),
        (&"failed".into(), &10.into()),
        "{failed}"
    );
    assert!(
        failed["message"]
            .as_str()
            .expect("a text")
            .contains("No space left"),
        "{failed}"
    );
    // The first try finds the disk full and clears up, the second does not.
    full();
    let output = succeed(resume(&run, &["--set=run.save_patience=0.1"]));
    assert!(
        output.contains("No space left") && output.contains("training waits and tries again"),
        "{output}"
    );
    assert_same_state(&straight, &run);
}

#[test]
fn a_disk_too_small_for_a_checkpoint_shows_before_the_first_step() {
    let folder = folder();
    let run = folder.path().join("run");
    let command = run_of(&run, &[IMPATIENT]);
    let mut limited = Command::new("sh");
    // 50 or 100 KiB a file, and errors in place of the signal.
    limited.args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$@\"", "sh"]);
    limited.arg(command.get_program()).args(command.get_args());
    let error = fail(limited);
    assert!(
        error.contains("step 0 could not be saved") && error.contains("File too large"),
        "{error}"
    );
    assert!(error.contains("Nothing was saved yet"), "{error}");
    assert!(records(&run, "step").is_empty());
    assert!(succeed(resume(&run, &[])).contains("the run starts from its beginning"));
}

/// `command` as a user whom permissions stop; `None` where that takes tools that are not there.
fn unprivileged(command: &Command) -> Option<Command> {
    let user = Command::new("id").arg("-u").output().expect("id");
    let mut wrapped = Command::new("setpriv");
    wrapped.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    if user.stdout != b"0\n" {
        wrapped = Command::new("env");
    }
    let mut works = Command::new(wrapped.get_program());
    works
        .args(wrapped.get_args())
        .arg(command.get_program())
        .arg("--version");
    works.stdout(Stdio::null()).stderr(Stdio::null());
    if !works.status().is_ok_and(|status| status.success()) {
        eprintln!(
            "skipped: root cannot be stopped by permissions, and setpriv is missing or does not reach ibot"
        );
        return None;
    }
    wrapped.arg(command.get_program()).args(command.get_args());
    Some(wrapped)
}

#[test]
fn a_folder_that_becomes_read_only_keeps_its_checkpoint() {
    let folder = folder();
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("own folder")
    };
    mode(folder.path(), 0o777);
    let (straight, run) = (folder.path().join("straight"), folder.path().join("run"));
    let epochs = "--set=optim.epochs=6";
    succeed(run_of(&straight, &[epochs]));

    let Some(command) = unprivileged(&run_of(&run, &[epochs, ALWAYS, IMPATIENT])) else {
        return;
    };
    let mut child = start(command);
    wait_for(&mut child, &run, 3);
    mode(&run.join("checkpoints"), 0o555);
    let output = child.wait_with_output().expect("a child");
    assert_eq!(output.status.code(), Some(1));
    let error = message(&output);
    // Whether it meets the new file, its name or that of the previous one.
    let named =
        error.contains("could not be saved: cannot write") && error.contains("Permission denied");
    assert!(named && error.contains("is whole: --resume"), "{error}");
    assert_eq!(status(&run)["state"], "failed");

    mode(&run, 0o555);
    let new = folder.path().join("run/new");
    let error = fail(unprivileged(&run_of(&new, &[])).expect("as above"));
    assert!(
        error.contains("cannot use the folder") && error.contains("Permission denied"),
        "{error}"
    );
    for path in [&run, &run.join("checkpoints")] {
        mode(path, 0o777);
    }
    succeed(unprivileged(&resume(&run, &["--set=run.save_every=0"])).expect("as above"));
    assert_same_state(&straight, &run);
}

/// Images 0 to 39 of a folder, those below `first` left as they are.
fn photos(folder: &Path, first: usize) {
    fs::create_dir_all(folder).expect("writable");
    for i in first..40 {
        save_png(
            &scene(Split::Val, i, 40).image,
            &folder.join(format!("{i:02}.png")),
        )
        .expect("writable");
    }
}

#[test]
fn data_that_goes_away_stops_the_run_saved() {
    let folder = folder();
    let (photos_path, run) = (folder.path().join("photos"), folder.path().join("run"));
    photos(&photos_path, 0);
    let data = photos_path.display().to_string();
    let mut command = tiny(
        &run,
        &data,
        &["--set=optim.batch_size=8", "--set=optim.epochs=1000"],
    );
    command.arg("--set=run.save_every=0");
    let mut child = start(command);
    wait_for(&mut child, &run, 5);
    for i in 0..3 {
        fs::remove_file(photos_path.join(format!("{i:02}.png"))).expect("removable");
    }
    let now = records(&run, "step").len();
    wait_for(&mut child, &run, now + 20);
    for i in 3..40 {
        fs::remove_file(photos_path.join(format!("{i:02}.png"))).expect("removable");
    }
    let output = child.wait_with_output().expect("a child");
    assert_eq!(output.status.code(), Some(1));
    let error = message(&output);
    for i in 0..3 {
        assert_eq!(
            error.matches(&format!("cannot load {i:02}.png")).count(),
            1,
            "{error}"
        );
    }
    assert!(
        error.contains("of 5000, saved: ") && error.contains("images could not be read"),
        "{error}"
    );
    let failed = status(&run);
    assert_eq!(failed["state"], "failed");
    assert_eq!(failed["checkpoint_step"], failed["step"], "nothing is lost");
    assert!(
        fail(resume(&run, &[])).contains("photos"),
        "without images there is nothing to do"
    );

    photos(&photos_path, 1);
    let mut child = start(resume(&run, &[]));
    wait_for(&mut child, &run, records(&run, "step").len() + 2);
    signal(&child, "-TERM");
    let output = child.wait_with_output().expect("a child");
    assert_eq!(output.status.code(), Some(130));
    assert!(
        message(&output).contains("the data has 39 images, it had 40"),
        "{}",
        message(&output)
    );
}

#[test]
fn sigterm_saves_and_says_so() {
    let folder = folder();
    let run = folder.path().join("run");
    let mut child = start(run_of(
        &run,
        &["--set=optim.epochs=1000", "--set=run.save_every=0"],
    ));
    wait_for(&mut child, &run, 12);
    let running = status(&run);
    assert_eq!(
        (&running["state"], &running["pid"]),
        (&"running".into(), &child.id().into())
    );
    assert!(
        running["total"] == 10_000 && running["time"].as_u64() > Some(1_700_000_000),
        "{running}"
    );
    assert!(
        fail(resume(&run, &[])).contains("another process trains this run"),
        "one process a run"
    );
    assert_eq!(
        status(&run)["state"],
        "running",
        "whoever is refused changes nothing"
    );

    let asked = Instant::now();
    // A scheduler signals the process and its group: that is asking once.
    signal(&child, "-TERM");
    signal(&child, "-TERM");
    let output = child.wait_with_output().expect("a child");
    println!(
        "stopped and saved {:.2} s after SIGTERM",
        asked.elapsed().as_secs_f64()
    );
    assert_eq!(output.status.code(), Some(130));
    let stopped = status(&run);
    assert_eq!(stopped["state"], "interrupted");
    assert_eq!(
        stopped["checkpoint_step"], stopped["step"],
        "nothing is lost"
    );
    assert!(
        stopped["step"].as_u64() >= Some(24) && stopped["loss"].is_number(),
        "{stopped}"
    );
    assert!(
        stopped["seconds_left"].as_f64() > Some(0.0)
            && stopped["images_per_second"].as_f64() > Some(0.0)
    );
}

#[test]
fn a_time_limit_stops_in_time_to_be_continued() {
    let folder = folder();
    let (straight, run) = (folder.path().join("straight"), folder.path().join("run"));
    let epochs = "--set=optim.epochs=15";
    succeed(run_of(&straight, &[epochs]));
    let begin = Instant::now();
    let output = run_of(&run, &[epochs, ALWAYS, "--max-hours=0.0003"])
        .output()
        .expect("the command starts");
    let took = begin.elapsed().as_secs_f64();
    println!("stopped and saved {took:.2} s into a limit of 1.08 s");
    assert_eq!(output.status.code(), Some(75), "{}", message(&output));
    assert!(
        took < 1.08 + 0.5,
        "{took} s, with starting and ending the process"
    );
    let stopped = status(&run);
    assert_eq!(stopped["state"], "interrupted");
    assert!(
        stopped["message"]
            .as_str()
            .expect("a text")
            .contains("run.max_hours are over"),
        "{stopped}"
    );
    succeed(resume(&run, &["--max-hours=0", "--set=run.save_every=0"]));
    assert_eq!(status(&run)["state"], "complete");
    assert_same_state(&straight, &run);
}

#[test]
fn steps_that_are_not_finite_are_counted_and_named() {
    let folder = folder();
    let run = folder.path().join("run");
    let wild = [
        "--set=optim.lr=1e38",
        "--set=optim.warmup_epochs=0",
        "--set=run.max_skipped=3",
    ];
    let error = fail(run_of(&run, &wild));
    let named = "not finite: cls loss, patch loss, gradients (of 38 tensors: backbone.blocks.0.attn.proj.bias, ";
    assert!(
        error.contains("step 2 skipped: ") && error.contains(named),
        "{error}"
    );
    assert!(
        error.contains("saved: 4 steps in a row were not finite"),
        "{error}"
    );
    let skipped = records(&run, "skipped");
    assert_eq!(
        skipped
            .iter()
            .filter_map(|record| record["step"].as_u64())
            .collect::<Vec<_>>(),
        [2, 3, 4, 5]
    );
    assert_eq!(
        skipped[0]["parts"],
        serde_json::json!(["cls loss", "patch loss", "gradients"])
    );
    assert_eq!(
        (
            &skipped[0]["tensors_at_fault"],
            skipped[0]["tensors"].as_array().map(Vec::len)
        ),
        (&38.into(), Some(20))
    );
    let failed = status(&run);
    assert_eq!(
        (&failed["state"], &failed["skipped_steps"]),
        (&"failed".into(), &4.into())
    );
    assert_eq!(failed["checkpoint_step"], 5, "the state is saved");
}
