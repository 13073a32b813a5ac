//! `ibot eval occlusion`, `shuffle`, `backgrounds` and `shift` as a user runs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::process::{fail, folder, ibot, succeed, tiny};

/// A run of one epoch, and where results go.
static RUN: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = folder();
    let out = folder.path().join("run");
    succeed(tiny(&out, "builtin:val", &["--set=optim.epochs=1"]));
    folder
});

fn evaluate(task: &str, data: &str, model: &Path, more: &[&str]) -> Command {
    let mut command = ibot();
    command.args(["eval", task, "--device=cpu", "--data", data]);
    command.arg("--model").arg(model).args(more);
    let results = RUN.path().join("lines.jsonl");
    command.arg("--results").arg(results);
    command
}

fn run() -> PathBuf {
    RUN.path().join("run")
}

fn result(mut command: Command) -> Value {
    command.arg("--json");
    let line = succeed(command);
    serde_json::from_str(line.lines().next().expect("a line")).expect("JSON")
}

const FEW: [&str; 2] = ["--train-images=200", "--val-images=50"];

#[test]
fn occlusion_hides_patches_and_one_head_serves_the_model_and_a_file() {
    let svg = RUN.path().join("occlusion.svg");
    let draw = format!("--svg={}", svg.display());
    let table = succeed(evaluate(
        "occlusion",
        "builtin:val",
        &run(),
        &[FEW[0], FEW[1], &draw],
    ));
    assert!(table.contains("fitted to 200 images"), "{table}");
    assert!(
        fs::read_to_string(&svg)
            .expect("a picture")
            .contains("<svg")
    );

    // A head that is given in a file, and the same in the model's own file.
    let head = RUN.path().join("head.safetensors");
    let save = format!("--save-head={}", head.display());
    let mut linear = evaluate("linear", "builtin:val", &run(), &["--cached", "--epochs=3"]);
    linear.args(["--lr=0.1", &save]);
    succeed(linear);
    let classifier = RUN.path().join("classifier.safetensors");
    let mut export = ibot();
    export
        .arg("export")
        .arg("--model")
        .arg(run())
        .arg("--head")
        .arg(&head);
    export.args(["--to=safetensors", "--out"]).arg(&classifier);
    succeed(export);

    let given = format!("--head={}", head.display());
    let few = ["--hide=random,salient", "--val-images=50"];
    let by_file = result(evaluate(
        "occlusion",
        "builtin:val",
        &run(),
        &[few[0], few[1], &given],
    ));
    let by_model = result(evaluate("occlusion", "builtin:val", &classifier, &few));
    assert_eq!(by_file["measures"], by_model["measures"]);
    assert_eq!(by_model["images"], serde_json::json!({ "judged": 50 }));
    let measures = &by_model["measures"];
    assert_eq!(measures["hidden_random0"], 0.0);
    // All attention is on all patches, which hides everything: one class for all images.
    assert_eq!(measures["hidden_salient1"], 1.0);
    assert!((measures["top1_salient1"].as_f64().expect("a share") - 0.1).abs() < 1e-9);
    assert!(measures["top1_nonsalient0.5"].is_null());

    // Random weights and pixels have a head of their own.
    let untrained = result(evaluate(
        "occlusion",
        "builtin:val",
        &run(),
        &[FEW[0], FEW[1], &given, "--untrained", "--hide=random"],
    ));
    assert_eq!(untrained["images"]["fitted"], 200);
    let pixels = Path::new("pixels");
    let measured = result(evaluate("occlusion", "builtin:val", pixels, &FEW));
    assert!(measured["measures"]["top1_salient0.5"].is_null());
    assert!(
        measured["measures"]["top1_random0"]
            .as_f64()
            .expect("a share")
            > 0.15
    );
    let message = fail(evaluate(
        "occlusion",
        "builtin:val",
        pixels,
        &["--hide=salient"],
    ));
    assert!(message.contains("attend to nothing"), "{message}");

    let message = fail(evaluate(
        "occlusion",
        "builtin:val",
        &run(),
        &["--saliency-head=2"],
    ));
    assert!(message.contains("the network has 2"), "{message}");
    let teacher = format!("--head={}", run().join("teacher.safetensors").display());
    let message = fail(evaluate("shuffle", "builtin:val", &run(), &[&teacher]));
    assert!(message.contains("holds no linear head"), "{message}");
}

#[test]
fn cells_that_do_not_divide_the_image_are_named() {
    let table = succeed(evaluate("shuffle", "builtin:val", &run(), &FEW));
    assert!(table.contains("14x14 cells do not divide"), "{table}");
    let alike = [FEW[0], FEW[1], "--batch=1024"];
    let measured = result(evaluate("shuffle", "builtin:val", &run(), &alike));
    assert_eq!(measured["settings"]["batch"], 1024);
    for cells in [1, 4, 64, 256] {
        let top1 = &measured["measures"][format!("top1_cells{cells}")];
        assert!(
            (0.0..=1.0).contains(&top1.as_f64().expect("a share")),
            "{measured}"
        );
    }
}

#[test]
fn backgrounds_of_builtin_scenes_change_and_some_objects_resist() {
    let more = [
        FEW[0],
        FEW[1],
        "--challenge",
        "--foregrounds=10",
        "--backgrounds=3",
    ];
    let measured = result(evaluate("backgrounds", "builtin:val", &run(), &more));
    let measures = &measured["measures"];
    for variant in [
        "original",
        "only_fg",
        "mixed_same",
        "mixed_rand",
        "mixed_next",
        "only_bg_t",
    ] {
        assert!(measures[format!("top1_{variant}")].is_f64(), "{measures}");
    }
    let share = |name: &str| measures[name].as_f64().expect("a share");
    let gap = share("top1_mixed_same") - share("top1_mixed_rand");
    assert!((share("bg_gap") - gap).abs() < 1e-12);
    assert_eq!(measures["challenge_objects"], 10.0);

    let part = [&more[..], &["--shard=2/5"]].concat();
    let part = result(evaluate("backgrounds", "builtin:val", &run(), &part));
    assert_eq!(part["measures"]["challenge_objects"], 2.0);
    assert_eq!(part["settings"]["shard"], "2/5");
}

/// A tiny set in the layout of IN-9, whose masks cover the left half.
fn in9(root: &Path) {
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/images");
    let image = image.join("progressive.jpg");
    for variant in ["original", "mixed_same", "mixed_rand", "only_bg_t"] {
        for class in ["00_dog", "08_fish"] {
            let folder = root.join(variant).join("val").join(class);
            fs::create_dir_all(&folder).expect("writable");
            fs::copy(&image, folder.join("a.JPEG")).expect("a copy");
        }
    }
    for class in ["00_dog", "08_fish"] {
        let folder = root.join("fg_mask/val").join(class);
        fs::create_dir_all(&folder).expect("writable");
        fs::write(folder.join("a.npy"), "broken").expect("writable");
    }
}

#[test]
fn the_official_layout_is_read_and_a_broken_mask_is_named() {
    let folder = folder();
    in9(folder.path());
    let root = folder.path().display().to_string();
    let message = fail(evaluate("backgrounds", &root, &run(), &[]));
    assert!(
        message.contains("no linear head") && message.contains("--val"),
        "{message}"
    );

    // Two images to learn from, which the fitted head then knows.
    let original = folder.path().join("original/val").display().to_string();
    let val = format!("--val={root}");
    let printed = succeed(evaluate("backgrounds", &original, &run(), &[&val]));
    assert!(
        printed.contains("only_fg") && printed.contains("(left out)"),
        "{printed}"
    );
    assert!(printed.contains("mixed_same"), "{printed}");

    let message = fail(evaluate(
        "backgrounds",
        &original,
        &run(),
        &[&val, "--challenge"],
    ));
    assert!(
        message.contains("a.npy") && message.contains("no object"),
        "{message}"
    );
    let mixed = folder.path().join("mixed_same/val").display().to_string();
    let message = fail(evaluate("backgrounds", &mixed, &run(), &[]));
    assert!(message.contains("bg_challenge"), "{message}");
}

#[test]
fn a_shift_is_measured_beside_clean_images() {
    let val = [
        "--val=builtin:val",
        "--train-images=300",
        "--val-images=250",
    ];
    let measured = result(evaluate("shift", "builtin", &run(), &val));
    let measures = &measured["measures"];
    let share = |name: &str| measures[name].as_f64().expect("a share");
    assert!((share("gap") - (share("top1_clean") - share("top1"))).abs() < 1e-12);
    assert!(share("rms_calibration") >= share("rms_calibration_official"));
    assert!(share("aurra") > share("top1") - 0.1);
    assert_eq!(
        measured["images"],
        serde_json::json!({ "fitted": 300, "judged": 500 })
    );

    // Few images have no official error, and none is a clean one without --val.
    let few = [FEW[0], FEW[1]];
    let table = succeed(evaluate("shift", "builtin:val", &run(), &few));
    assert!(table.contains("needs 200 images"), "{table}");
    let message = fail(evaluate(
        "shift",
        "builtin:val",
        &run(),
        &["--among=imagenet-a"],
    ));
    assert!(message.contains("leave --among out"), "{message}");
}
