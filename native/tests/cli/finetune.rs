//! `ibot finetune`, and what opens what it leaves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use ibot_core::weights::{Weights, from_safetensors};
use ibot_native::data::decode;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::process::{fail, folder, ibot, succeed, tiny};
use crate::support::run_files::{assert_same_state, evals, records, status};

/// A pre-trained network of width 16, one for all tests.
fn pretrained() -> &'static Path {
    static RUN: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, run) = RUN.get_or_init(|| {
        let folder = folder();
        let run = folder.path().join("run");
        let more = ["--set=optim.epochs=1", "--knn-every=0"];
        succeed(tiny(&run, "builtin:val", &more));
        (folder, run)
    });
    run
}

/// Fine-tuning on 500 images of 32 pixels, ten steps an epoch.
fn finetune(out: &Path, more: &[&str]) -> Command {
    let mut command = ibot();
    command.args([
        "finetune",
        "--device=cpu",
        "--data=builtin:val",
        "--val=builtin:val",
        "--set=optim.batch_size=50",
        "--set=run.log_every=2",
    ]);
    command.arg("--init").arg(pretrained());
    command.arg("--out").arg(out).args(more);
    command
}

fn weights(file: &Path) -> Weights {
    let bytes = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    from_safetensors(&bytes).expect("a sound file").0
}

#[test]
fn a_run_leaves_a_classifier_that_others_open() {
    let folder = folder();
    let run = folder.path().join("run");
    let settings = ["--set=optim.epochs=3", "--set=optim.lr=3e-3"];
    let printed = succeed(finetune(&run, &settings));
    for part in [
        "10 classes",
        "init    ",
        "Accuracy after epoch 3",
        "points on the initial",
    ] {
        assert!(printed.contains(part), "{part}: {printed}");
    }

    assert_eq!(status(&run)["state"], "complete");
    assert_eq!(records(&run, "step").len(), 15, "30 steps, two a line");
    let epochs = records(&run, "epoch");
    for key in ["loss", "accuracy", "lr", "weight_decay", "gradient_norm"] {
        assert!(epochs[2][key].is_number(), "{key}");
    }
    assert!(epochs[2]["loss"].as_f64() < epochs[0]["loss"].as_f64());
    decode(&fs::read(run.join("preview.png")).expect("a preview")).expect("a PNG");
    let curves = fs::read_to_string(run.join("curves.svg")).expect("curves");
    assert!(curves.contains("ln K") && curves.contains("top-1"));

    let measured = evals(&run, "accuracy");
    assert_eq!(measured.len(), 4, "before training and after each epoch");
    let last = &measured[3]["measures"]["top1"];
    let classifier = weights(&run.join("classifier.safetensors"));
    assert_eq!(classifier["head.weight"].shape, [10, 16]);
    assert_eq!(classifier["blocks.1.attn.qkv.weight"].shape, [48, 16]);
    assert!(run.join("best.safetensors").exists());

    let mut command = ibot();
    command.arg("runs").arg(folder.path());
    let listed = succeed(command);
    assert!(
        listed.contains("complete") && !listed.contains("damaged"),
        "{listed}"
    );

    let picture = folder.path().join("confusion.png");
    let mut command = ibot();
    command.args([
        "eval",
        "accuracy",
        "--data=builtin:val",
        "--device=cpu",
        "--json",
    ]);
    command.arg("--picture").arg(&picture);
    command.arg("--model").arg(&run);
    let line = succeed(command);
    let result: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
    assert_eq!(&result["measures"]["top1"], last, "{line}");
    decode(&fs::read(&picture).expect("a picture")).expect("a PNG");

    let mut command = ibot();
    command.args([
        "classify",
        "builtin:val#3",
        "--top=2",
        "--json",
        "--device=cpu",
        "--model",
    ]);
    let line = succeed({
        command.arg(&run);
        command
    });
    let result: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
    assert_eq!(
        result["classes"].as_array().map(Vec::len),
        Some(2),
        "{line}"
    );
    assert!(result["classes"][0]["class"].is_string(), "{line}");
}

#[test]
fn a_resumed_run_is_the_same_run() {
    let folder = folder();
    let (whole, halves) = (folder.path().join("whole"), folder.path().join("halves"));
    let settings = [
        "--set=optim.epochs=30",
        "--set=run.shards=1",
        "--set=model.drop_path=0.1",
        "--set=mix.probability=1",
        "--set=augment.rand_augment.probability=0.5",
        "--set=augment.erase.probability=0.25",
        "--set=run.val=\"builtin:val\"",
    ];
    succeed(finetune(&whole, &settings));

    // Half a second, in which the run cannot end.
    let mut first = finetune(&halves, &settings);
    first.arg("--max-hours=0.00015");
    let stopped = first.output().expect("the command starts").status;
    assert_eq!(stopped.code(), Some(75), "its time is over");

    let mut resume = ibot();
    resume.args(["finetune", "--resume", "--device=cpu", "--max-hours=1"]);
    resume.arg("--out").arg(&halves);
    succeed(resume);
    assert_same_state(&whole, &halves);
    assert_eq!(
        weights(&whole.join("best.safetensors")),
        weights(&halves.join("best.safetensors"))
    );
}

#[test]
fn two_workers_learn_what_one_does() {
    let folder = folder();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    for (out, devices) in [(&one, "cpu"), (&two, "cpu,cpu")] {
        let mut command = ibot();
        command.args([
            "finetune",
            "--data=builtin:val",
            "--set=optim.batch_size=50",
            "--set=optim.epochs=1",
            "--set=run.shards=1",
        ]);
        command.arg("--devices").arg(devices);
        command
            .arg("--init")
            .arg(pretrained())
            .arg("--out")
            .arg(out);
        let printed = succeed(command);
        assert!(
            printed.contains("the accuracy is not measured"),
            "{printed}"
        );
    }
    let [one, two] = [one, two].map(|run| weights(&run.join("classifier.safetensors")));
    assert_eq!(one.len(), two.len());
    for (name, weight) in &one {
        let pairs = weight.values.iter().zip(&two[name].values);
        let difference = pairs.map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        // The key bias has no gradient but rounding, which Adam amplifies.
        let allowed = if name.ends_with("qkv.bias") {
            1e-2
        } else {
            1e-3
        };
        assert!(difference < allowed, "{name}: {difference}");
    }
}

#[test]
fn low_ranks_end_in_plain_weights() {
    let folder = folder();
    let run = folder.path().join("run");
    let settings = ["--set=optim.epochs=1", "--set=model.lora_rank=2"];
    succeed(finetune(&run, &settings));
    // As a kill between the checkpoint and the best file leaves it.
    let best = run.join("best.safetensors");
    let kept = weights(&best);
    fs::remove_file(&best).expect("a file");
    let mut resume = ibot();
    resume.args(["finetune", "--resume", "--device=cpu", "--out"]);
    succeed({
        resume.arg(&run);
        resume
    });
    assert!(weights(&best) == kept, "the best file is there again");

    let tuned = weights(&run.join("classifier.safetensors"));
    let before = weights(&pretrained().join("teacher.safetensors"));
    assert!(
        tuned.keys().all(|name| !name.contains("lora")),
        "{:?}",
        tuned.keys()
    );
    // Not `assert_ne`, which would print all of them.
    let same = |name: &str| tuned[name] == before[name];
    assert!(!same("blocks.0.attn.qkv.weight") && same("patch_embed.proj.weight"));
}

#[test]
fn what_cannot_be_learned_is_named() {
    let folder = folder();
    let out = folder.path().join("run");
    let photo = folder.path().join("photos/a.png");
    fs::create_dir_all(photo.parent().expect("a folder")).expect("a folder");
    let pixels = ibot_core::image::RgbImage::from_fn(40, 40, |x, y| [x as u8, y as u8, 9]);
    ibot_native::report::png::save_png(&pixels, &photo).expect("a PNG");

    let with = |data: &str, val: Option<&Path>, more: &[&str]| {
        let mut command = ibot();
        command
            .args(["finetune", "--device=cpu"])
            .arg(format!("--data={data}"));
        if let Some(val) = val {
            command.arg("--val").arg(val);
        }
        command
            .arg("--init")
            .arg(pretrained())
            .arg("--out")
            .arg(&out)
            .args(more);
        command
    };
    let photos = photo.parent().expect("a folder");
    let unlabelled = fail(with(&photos.display().to_string(), None, &[]));
    assert!(
        unlabelled.contains("a classifier tells at least two apart"),
        "{unlabelled}"
    );

    let classes = folder.path().join("val/unheard of");
    fs::create_dir_all(&classes).expect("a folder");
    fs::copy(&photo, classes.join("a.png")).expect("a copy");
    let val = classes.parent().expect("a folder");
    let unknown = fail(with("builtin:val", Some(val), &[]));
    assert!(unknown.contains("the class `unheard of`"), "{unknown}");

    let size = fail(with("builtin:val", None, &["--set=model.image_size=33"]));
    assert!(
        size.contains("must be a multiple of the patch, 8"),
        "{size}"
    );
    assert!(!out.exists(), "no folder is left behind");

    let mut other = ibot();
    other
        .args(["finetune", "--resume", "--out"])
        .arg(pretrained());
    let other = fail(other);
    assert!(other.contains("`ibot pretrain --resume`"), "{other}");

    let mut resumed = ibot();
    resumed.args(["finetune", "--resume", "--out"]).arg(&out);
    let nothing = fail(resumed);
    assert!(
        nothing.contains("cannot be resumed") || nothing.contains("no run"),
        "{nothing}"
    );
}
