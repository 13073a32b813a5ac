//! The commands that look at patch tokens, and `ibot export`, as a user runs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use ibot_core::weights::{Checkpoint, from_safetensors};
use ibot_native::data::decode;
use ibot_native::features::npy;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::process::{fail, folder, ibot, succeed, tiny};

/// A run of one epoch that all tests look at.
static RUN: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = folder();
    let run = folder.path().join("run");
    succeed(tiny(&run, "builtin:val", &["--set=optim.epochs=1"]));
    (folder, run)
});

fn command(name: &str, out: &Path, arguments: &[&str]) -> Command {
    let mut command = ibot();
    if !["embed", "export"].contains(&name) {
        command.arg("show");
    }
    command
        .arg(name)
        .args(arguments)
        .arg("--model")
        .arg(&RUN.1)
        .arg("--out")
        .arg(out);
    if name != "export" {
        command.arg("--device=cpu");
    }
    command
}

/// Runs a command that must succeed; what it printed and the numbers it left.
fn numbers(name: &str, arguments: &[&str]) -> (String, Value, TempDir) {
    let out = folder();
    let printed = succeed(command(name, out.path(), arguments));
    let bytes = fs::read(out.path().join(format!("{name}.json"))).expect("numbers");
    (printed, serde_json::from_slice(&bytes).expect("JSON"), out)
}

fn picture(out: &TempDir, name: &str) -> (usize, usize) {
    let image = decode(&fs::read(out.path().join(name)).expect("a picture")).expect("a PNG");
    (image.width(), image.height())
}

#[test]
fn attention_draws_every_head_and_its_mass() {
    let (printed, numbers, out) = numbers(
        "attention",
        &["builtin:val#3", "builtin:val#4", "--size=64"],
    );
    assert!(printed.contains("tensors matched"), "{printed}");
    picture(&out, "00001-builtin-val-4.png");
    let image = &numbers["images"][0];
    let (heads, masks) = (
        image["heads"].as_array().expect("heads"),
        image["masks"].as_array().expect("masks"),
    );
    assert_eq!(
        (heads.len(), masks.len(), &image["rows"], &image["columns"]),
        (2, 2, &8.into(), &8.into())
    );
    for (head, mask) in heads.iter().zip(masks) {
        let head: Vec<f64> = head
            .as_array()
            .expect("a map")
            .iter()
            .filter_map(Value::as_f64)
            .collect();
        let kept = mask
            .as_array()
            .expect("a mask")
            .iter()
            .filter_map(Value::as_u64)
            .map(|patch| head[patch as usize]);
        assert!(
            (0.6..0.8).contains(&(kept.sum::<f64>() / head.iter().sum::<f64>())),
            "the mask holds its share"
        );
    }
    let overlay = folder();
    succeed(command(
        "attention",
        overlay.path(),
        &["builtin:val", "--limit=3", "--style=overlay"],
    ));
    let pictures = fs::read_dir(overlay.path())
        .expect("a folder")
        .filter_map(|entry| Some(entry.ok()?.path()));
    let pictures: Vec<PathBuf> = pictures
        .filter(|path| path.extension().is_some_and(|end| end == "png"))
        .collect();
    assert_eq!(pictures.len(), 3);
    let frame = decode(&fs::read(&pictures[0]).expect("a picture")).expect("a PNG");
    assert_eq!(
        (frame.width(), frame.height()),
        (64, 64),
        "the size of the image itself, for videos"
    );
}

/// The commands of one release ago, with the files that they left.
#[test]
fn old_names_of_commands_still_work() {
    let mut segment = ibot();
    segment.args(["segment", "builtin:val", "--limit=2", "--device=cpu"]);
    segment.arg("--model").arg(&RUN.1);
    let message = fail(segment);
    assert!(message.contains("ibot show segments"), "{message}");

    let mut knn = ibot();
    knn.args(["knn", "--data=builtin", "--val=builtin:val", "--bank=50"]);
    knn.args(["--queries=20", "--device=cpu", "--model=pixels"]);
    let table = succeed(knn);
    assert!(table.contains("top-1"), "{table}");

    for name in ["attention", "similar", "correspond", "pca", "patterns"] {
        let mut command = ibot();
        command.args([name, "--help"]);
        assert!(succeed(command).contains(&format!("ibot show {name}")));
    }
    let mut help = ibot();
    help.arg("--help");
    assert!(
        !succeed(help).contains("correspond "),
        "old names are hidden"
    );
}

#[test]
fn a_patch_is_most_like_itself() {
    let (_, numbers, out) = numbers(
        "similar",
        &[
            "--image=builtin:val#3",
            "--to=builtin:val#3",
            "--to=builtin:val#13",
            "--at=20,40",
        ],
    );
    picture(&out, "similar.png");
    let patch = numbers["patch"].as_u64().expect("a patch");
    let best = &numbers["others"][0]["best"][0];
    assert_eq!(
        best["patch"].as_u64(),
        Some(patch),
        "in the same image the best match is the patch itself"
    );
    assert!((best["cosine"].as_f64().expect("a cosine") - 1.0).abs() < 1e-5);
    let message = fail(command(
        "similar",
        out.path(),
        &["--image=builtin:val#3", "--at=64,3"],
    ));
    assert!(
        message.contains("outside") && message.contains("builtin:val#3"),
        "{message}"
    );
}

#[test]
fn an_image_corresponds_to_itself() {
    let truth = folder();
    let homography = truth.path().join("identity.txt");
    fs::write(&homography, "1 0 0\n0 1 0\n0 0 1\n").expect("writable");
    let homography = format!("--homography={}", homography.display());
    let (printed, numbers, out) = numbers(
        "correspond",
        &["builtin:val#3", "builtin:val#3", &homography, "--top=7"],
    );
    assert!(printed.contains("PCK"), "{printed}");
    picture(&out, "correspond.png");
    picture(&out, "pck.png");
    assert_eq!(numbers["matches"].as_array().map(Vec::len), Some(7));
    assert_eq!(numbers["pck"]["accuracies"][0]["pck"].as_f64(), Some(1.0));
    assert_eq!(numbers["pck"]["median_error"].as_f64(), Some(0.0));

    let disparity = truth.path().join("disparity.npy");
    fs::write(&disparity, npy::write(&[3, 3], &[1.0; 9])).expect("writable");
    let disparity = format!("--disparity={}", disparity.display());
    let message = fail(command(
        "correspond",
        out.path(),
        &["builtin:val#3", "builtin:val#3", &disparity],
    ));
    assert!(message.contains("disparity"), "{message}");
}

#[test]
fn pca_colors_images_on_one_scale() {
    let (_, numbers, out) = numbers("pca", &["builtin:val", "--limit=4", "--foreground"]);
    picture(&out, "pca.png");
    let images = numbers["images"].as_array().expect("images");
    assert_eq!(images.len(), 4);
    let foreground = images
        .iter()
        .flat_map(|image| image["foreground"].as_array().cloned().unwrap_or_default())
        .collect::<Vec<_>>();
    assert!(
        foreground.iter().any(|patch| patch == true)
            && foreground.iter().any(|patch| patch == false)
    );
}

#[test]
fn patterns_count_prototypes_and_parts() {
    for arguments in [
        &["--data=builtin:val", "--limit=30"][..],
        &["--data=builtin:val", "--limit=30", "--kmeans=12"],
    ] {
        let (printed, numbers, out) = numbers("patterns", arguments);
        assert!(printed.contains("part purity"), "{printed}");
        picture(&out, "patterns.png");
        picture(&out, "usage.png");
        let counts: u64 = numbers["counts"]
            .as_array()
            .expect("counts")
            .iter()
            .filter_map(Value::as_u64)
            .sum();
        assert_eq!(
            counts,
            30 * 64,
            "a grid of 8 x 8 in each image, at twice the size of pre-training"
        );
        let purity = &numbers["part_purity"];
        let share = |name: &str| purity[name].as_f64().expect("a share");
        assert!(
            share("all") >= share("chance") - 1e-9 && share("all") <= 1.0,
            "{purity}"
        );
    }
    let (printed, ..) = numbers(
        "patterns",
        &["--data=builtin:val", "--limit=30", "--tokens=cls"],
    );
    assert!(!printed.contains("part purity"), "{printed}");
    let backbone = RUN.1.join("teacher.safetensors");
    let mut headless = ibot();
    headless
        .args(["patterns", "--data=builtin:val", "--device=cpu", "--model"])
        .arg(backbone);
    let message = fail(headless);
    assert!(message.contains("without iBOT head"), "{message}");
}

#[test]
fn segments_are_scored_where_labels_exist() {
    for arguments in [
        &["builtin:val", "--limit=6"][..],
        &["builtin:val", "--limit=6", "--segments=4"],
        &["builtin:val", "--limit=6", "--method=ncut", "--tau=0.9"],
    ] {
        let (printed, numbers, out) = numbers("segments", arguments);
        assert!(printed.contains("mean IoU"), "{printed}");
        picture(&out, "segments.png");
        let iou = numbers["score"]["mean_iou"].as_f64().expect("a score");
        assert!(
            (0.0..=1.0).contains(&iou) && numbers["score"]["images"] == 6,
            "{}",
            numbers["score"]
        );
    }
    let message = fail(command(
        "segments",
        folder().path(),
        &["builtin:val", "--segments=1"],
    ));
    assert!(message.contains("--segments 1"), "{message}");
}

#[test]
fn features_go_to_numpy_and_safetensors() {
    let out = folder();
    let file = out.path().join("features.npy");
    succeed(command(
        "embed",
        &file,
        &[
            "--data=builtin:val",
            "--limit=9",
            "--cls-blocks=2",
            "--patch-mean",
        ],
    ));
    let (shape, values) = npy::read(&fs::read(&file).expect("features")).expect("an array");
    assert_eq!((shape, values.len()), (vec![9, 48], 9 * 48));
    let names = fs::read_to_string(out.path().join("features.npy.txt")).expect("names");
    assert_eq!(
        (names.lines().count(), names.lines().next()),
        (9, Some("builtin:val#0\thouse"))
    );

    let file = out.path().join("features.safetensors");
    succeed(command(
        "embed",
        &file,
        &["--data=builtin:val", "--limit=9"],
    ));
    let (weights, _) = from_safetensors(&fs::read(&file).expect("features")).expect("safetensors");
    assert_eq!(weights["features"].shape, [9, 16]);
    // The CLS token of the last block is the same in both.
    assert_eq!(weights["features"].values[..16], values[16..32]);
    let message = fail(command(
        "embed",
        &out.path().join("features.csv"),
        &["--data=builtin:val"],
    ));
    assert!(
        message.contains(".npy, .safetensors or .parquet"),
        "{message}"
    );
}

#[test]
fn exports_hold_what_was_asked_for() {
    let out = folder();
    let read =
        |file: &Path| Checkpoint::read(&fs::read(file).expect("an export"), None).expect("a model");
    let plain = out.path().join("plain.safetensors");
    succeed(command("export", &plain, &["--to=safetensors"]));
    assert!(read(&plain).head().is_err());
    let half = out.path().join("half.safetensors");
    succeed(command(
        "export",
        &half,
        &[
            "--to=safetensors",
            "--f16",
            "--head",
            "--key=student",
            "--size=64",
        ],
    ));
    let checkpoint = read(&half);
    assert_eq!(checkpoint.head().expect("a head").out_dim, 32);
    assert!(
        checkpoint.weights.contains_key("masked_embed") && checkpoint.cast.contains_key("float16")
    );
    assert_eq!(checkpoint.config(None).expect("a ViT").image_size(), 64);

    let pair = out.path().join("pair.safetensors");
    let printed = succeed(command(
        "export",
        &pair,
        &["--to=safetensors", "--f16", "--pair", "--size=64"],
    ));
    assert!(
        printed.contains("`student` of the file") && printed.contains("`teacher` of the file"),
        "{printed}"
    );
    let bytes = fs::read(&pair).expect("an export");
    for (key, part, mask_token) in [(None, "teacher", false), (Some("student"), "student", true)] {
        let checkpoint = Checkpoint::read(&bytes, key).expect("a model");
        assert_eq!(
            (
                checkpoint.section.as_deref(),
                checkpoint.head().expect("a head").out_dim
            ),
            (Some(part), 32)
        );
        let config = checkpoint.config(None).expect("a ViT");
        assert_eq!((config.image_size(), config.mask_token()), (64, mask_token));
    }
    let again = out.path().join("again.safetensors");
    let mut of_half = ibot();
    of_half
        .args(["export", "--to=safetensors", "--pair", "--model"])
        .arg(&half)
        .arg("--out")
        .arg(&again);
    let message = fail(of_half);
    assert!(message.contains("no part `student`"), "{message}");

    let onnx = out.path().join("backbone.onnx");
    succeed(command("export", &onnx, &["--to=onnx", "--size=48x32"]));
    assert!(fs::metadata(&onnx).expect("a file").len() > 1000);
    let message = fail(command("export", &onnx, &["--to=onnx", "--size=50"]));
    assert!(message.contains("patches of 8"), "{message}");
}

/// LayerScale, SwiGLU and registers can be trained, and what comes of it is a file like DINOv2's.
#[test]
fn the_architecture_of_dinov2_is_trained_and_looked_at() {
    let out = folder();
    let run = out.path().join("run");
    let options = [
        "ffn_layer=swiglu",
        "layerscale=1e-5",
        "num_register_tokens=2",
    ]
    .map(|o| format!("--set=model.{o}"));
    let options: Vec<&str> = options
        .iter()
        .map(String::as_str)
        .chain(["--set=optim.epochs=1"])
        .collect();
    succeed(tiny(&run, "builtin:val", &options));
    let teacher = fs::read(run.join("teacher.safetensors")).expect("the teacher");
    let (weights, _) = from_safetensors(&teacher).expect("a sound file");
    // Two thirds of 64, in steps of eight, twice for the gate.
    assert_eq!(weights["blocks.0.mlp.fc1.weight"].shape, [2 * 48, 16]);
    assert_eq!(
        (
            &weights["reg_token"].shape[..],
            &weights["pos_embed"].shape[..]
        ),
        (&[1, 2, 16][..], &[1, 16, 16][..])
    );
    assert!(
        weights["blocks.1.ls2.gamma"]
            .values
            .iter()
            .any(|gamma| *gamma != 1e-5),
        "gains are learned"
    );
    let mut attention = ibot();
    attention
        .args(["attention", "builtin:val#0", "--device=cpu", "--model"])
        .arg(&run)
        .arg("--out")
        .arg(out.path());
    let printed = succeed(attention);
    assert!(
        printed.contains("LayerScale, SwiGLU, 2 registers"),
        "{printed}"
    );
}

#[test]
fn weights_of_a_file_start_a_run() {
    let out = folder();
    let weights = RUN.1.join("teacher.safetensors").display().to_string();
    let run = out.path().join("again");
    let printed = succeed(tiny(
        &run,
        "builtin:val",
        &["--set=optim.epochs=1", "--init", &weights],
    ));
    assert!(
        printed.contains("tensors matched")
            && printed.contains("9 missing (backbone.masked_embed, head."),
        "{printed}"
    );
    let message = fail(tiny(
        &out.path().join("wide"),
        "builtin:val",
        &["--set=model.dim=32", "--init", &weights],
    ));
    assert!(
        message.contains("cannot start from") && message.contains("cls_token"),
        "{message}"
    );
}
