//! A Swin in all commands: pre-trained, resumed, evaluated, shown and written.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ibot_core::weights::{Checkpoint, from_safetensors};
use tempfile::TempDir;

use crate::support::process::{fail, folder, ibot, succeed};
use crate::support::run_files::{assert_same_state, evals, status};

/// A network and a set small enough that an epoch takes a second.
const SMALL: [&str; 11] = [
    "--recipe=swin-quick",
    "--device=cpu",
    "--data=builtin:val",
    "--set=model.dim=8",
    "--set=model.depths=[1,2,1]",
    "--set=model.num_heads=[1,2,2]",
    "--set=model.drop_path=0.1",
    "--set=head.out_dim=32",
    "--set=head.hidden_dim=16",
    "--set=head.bottleneck_dim=8",
    "--set=optim.batch_size=50",
];

fn pretrain(out: &Path, more: &[&str]) -> String {
    let mut command = ibot();
    command.arg("pretrain").args(SMALL).args(more);
    command.arg("--out").arg(out);
    succeed(command)
}

/// The folder of a run of two epochs, one for all tests.
fn run() -> &'static Path {
    static RUN: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, run) = RUN.get_or_init(|| {
        let folder = folder();
        let run = folder.path().join("run");
        let printed = pretrain(&run, &["--set=optim.epochs=2", "--knn-every=1"]);
        assert!(
            printed.contains("Swin 8 to 32 wide, 1+2+1 blocks"),
            "{printed}"
        );
        (folder, run)
    });
    run
}

/// A command on the run's teacher.
fn on_model(arguments: &[&str], out: &Path) -> std::process::Command {
    let mut command = ibot();
    command.args(arguments).arg("--model").arg(run());
    command.arg("--out").arg(out);
    command
}

#[test]
fn a_run_leaves_official_names_and_k_nn() {
    assert_eq!(status(run())["state"], "complete");
    assert_eq!(evals(run(), "knn").len(), 3);

    let teacher = fs::read(run().join("teacher.safetensors")).expect("the teacher");
    let (weights, _) = from_safetensors(&teacher).expect("a sound file");
    for (name, shape) in [
        ("patch_embed.proj.weight", vec![8, 3, 2, 2]),
        ("layers.0.downsample.reduction.weight", vec![16, 32]),
        ("layers.1.blocks.1.attn.qkv.weight", vec![48, 16]),
        (
            "layers.1.blocks.1.attn.relative_position_bias_table",
            vec![49, 2],
        ),
        ("norm.weight", vec![32]),
    ] {
        assert_eq!(weights[name].shape, shape, "{name}");
    }
    assert!(!weights.contains_key("masked_embed"));
}

#[test]
fn a_resumed_run_is_the_same_run() {
    let folder = folder();
    let (whole, halves) = (folder.path().join("whole"), folder.path().join("halves"));
    let settings = [
        "--set=optim.epochs=9",
        "--knn-every=0",
        "--set=run.shards=1",
    ];
    pretrain(&whole, &settings);

    // Half a second, in which the run cannot end.
    let mut first = ibot();
    first.arg("pretrain").args(SMALL).args(settings);
    first.arg("--max-hours=0.00015").arg("--out").arg(&halves);
    let stopped = first.output().expect("the command starts").status;
    assert_eq!(stopped.code(), Some(75), "its time is over");

    let mut resume = ibot();
    resume.args(["pretrain", "--resume", "--device=cpu", "--max-hours=1"]);
    resume.arg("--out").arg(&halves);
    succeed(resume);
    assert_same_state(&whole, &halves);
}

#[test]
fn a_teacher_is_evaluated_embedded_and_shown() {
    let out = folder();
    let mut knn = ibot();
    knn.args([
        "eval",
        "knn",
        "--data=builtin",
        "--bank=200",
        "--queries=100",
        "--model",
    ]);
    let printed = succeed({
        knn.arg(run());
        knn
    });
    assert!(printed.contains("Swin 8 to 32 wide"), "{printed}");

    let file = out.path().join("features.safetensors");
    succeed(on_model(
        &["embed", "--data=builtin:val", "--limit=9", "--cls-blocks=3"],
        &file,
    ));
    let (features, _) = from_safetensors(&fs::read(&file).expect("features")).expect("safetensors");
    // Two blocks of the second stage and one of the third.
    assert_eq!(features["features"].shape, [9, 16 + 16 + 32]);

    let (similar, pca) = (out.path().join("similar"), out.path().join("pca"));
    succeed(on_model(
        &[
            "show",
            "similar",
            "--image=builtin:val#3",
            "--at=10,12",
            "--device=cpu",
        ],
        &similar,
    ));
    succeed(on_model(
        &[
            "show",
            "pca",
            "builtin:val#3",
            "builtin:val#4",
            "--block=2",
            "--device=cpu",
        ],
        &pca,
    ));
    assert!(similar.join("similar.json").exists() && pca.join("pca.json").exists());
}

#[test]
fn what_needs_a_cls_token_says_so() {
    let out = folder();
    let message = fail(on_model(
        &["show", "attention", "builtin:val#3", "--device=cpu"],
        &out.path().join("attention"),
    ));
    assert!(message.contains("no CLS token"), "{message}");

    let mut parts = ibot();
    parts.args(["eval", "parts", "--data=builtin", "--model"]);
    parts.arg(run());
    let message = fail(parts);
    assert!(message.contains("no CLS token"), "{message}");
}

#[test]
fn an_export_is_read_without_its_header() {
    let out = folder();
    let file = out.path().join("student.safetensors");
    succeed(on_model(
        &["export", "--to=safetensors", "--head", "--key=student"],
        &file,
    ));
    let mut checkpoint =
        Checkpoint::read(&fs::read(&file).expect("an export"), None).expect("a model");
    let config = checkpoint.config(None).expect("a Swin");
    assert!(config.mask_token());
    assert_eq!((config.dim(), config.depth(), config.heads()), (32, 4, 2));
    assert_eq!(checkpoint.head().expect("a head").out_dim, 32);
    checkpoint.header = None;
    let inferred = checkpoint.config(None).expect("a Swin");
    assert_eq!((inferred.dim(), inferred.stride()), (32, 8));

    let model = out.path().join("model.onnx");
    succeed(on_model(&["export", "--to=onnx", "--size=48x32"], &model));
    assert!(fs::metadata(&model).expect("a model").len() > 100_000);
}
