//! `ibot` as a process: what the tests of its commands share.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// A network and a set small enough that an epoch takes a fraction of a second.
pub const TINY: [&str; 9] = [
    "--recipe=builtin",
    "--device=cpu",
    "--set=model.dim=16",
    "--set=model.depth=2",
    "--set=model.heads=2",
    "--set=head.out_dim=32",
    "--set=head.hidden_dim=16",
    "--set=head.bottleneck_dim=8",
    "--set=optim.batch_size=50",
];

/// What DINOv2 does to a batch as a whole, and its separate heads.
pub const DINOV2: [&str; 7] = [
    "--set=loss.centering=sinkhorn_knopp",
    "--set=loss.center_from=masked",
    "--set=mask.stratified=true",
    "--set=head.shared_head=false",
    "--set=head.shared_mlp=false",
    "--set=head.patch_hidden_dim=16",
    "--set=head.patch_bottleneck_dim=6",
];

/// The command, in a working directory that takes what it leaves there.
pub fn ibot() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ibot"));
    command.current_dir(env!("CARGO_TARGET_TMPDIR"));
    command
}

pub fn tiny(out: &Path, data: &str, more: &[&str]) -> Command {
    let mut command = ibot();
    command
        .arg("pretrain")
        .args(TINY)
        .args(["--data", data])
        .arg("--out")
        .arg(out)
        .args(more);
    command.args(["--set=run.log_every=2", "--set=model.drop_path=0.1"]);
    command
}

pub fn succeed(mut command: Command) -> String {
    let output = command.output().expect("the command starts");
    assert!(
        output.status.success(),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout) + &text(&output.stderr)
}

pub fn fail(mut command: Command) -> String {
    let output: Output = command.output().expect("the command starts");
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    let message = text(&output.stderr);
    assert!(
        message.contains("error: ") && !message.contains("panicked"),
        "{message}"
    );
    message
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}
