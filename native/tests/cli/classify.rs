//! Classifiers as files: `ibot export --head FILE`, and what `ibot classify` makes of them.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use burn::tensor::Device;
use futures_lite::future::block_on;
use ibot_core::learn::Classifier;
use ibot_core::session::{TunedModel, write_tuned};
use ibot_core::weights::{
    Checkpoint, HeadHeader, HeadTensors, StoredPrecision, Weight, from_safetensors, to_safetensors,
};
use ibot_native::features::npy;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::process::{fail, folder, ibot, succeed, tiny};

/// A run of one epoch, of two blocks of width 16, that all tests look at.
static RUN: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = folder();
    let run = folder.path().join("run");
    succeed(tiny(&run, "builtin:val", &["--set=optim.epochs=1"]));
    (folder, run)
});

const CLASSES: [&str; 3] = ["cat", "Ж \"dog\"", "a bird"];

/// The values of a head of three classes.
fn value(index: usize) -> f32 {
    (index as f32 * 0.7).sin()
}

/// Writes the file of a head that reads these tokens, as `ibot eval linear --save-head` does.
fn head(path: &Path, cls_blocks: usize, patch_mean: bool) {
    let width = 16 * (cls_blocks + usize::from(patch_mean));
    let weight = Weight {
        shape: vec![3, width],
        values: (0..3 * width).map(value).collect(),
    };
    let bias = Weight {
        shape: vec![3],
        values: vec![0.5, -0.25, 0.0],
    };
    let header = HeadHeader {
        classes: CLASSES.map(str::to_owned).to_vec(),
        cls_blocks,
        patch_mean,
        size: 32,
        resize: 1.0,
    };
    let entry = serde_json::to_string(&header).expect("JSON");
    let metadata = HashMap::from([(HeadHeader::KEY.to_owned(), entry)]);
    let head = HeadTensors::new("head.weight", weight, bias).expect("a head");
    let bytes = to_safetensors(&head.alone(), metadata, StoredPrecision::F32);
    fs::write(path, bytes.expect("sound tensors")).expect("a file");
}

fn export(head: &Path, out: &Path, more: &[&str]) -> Command {
    let mut command = ibot();
    command.arg("export").arg("--model").arg(&RUN.1);
    command.arg("--head").arg(head).arg("--out").arg(out);
    command.args(more);
    command
}

fn classify(model: &Path, arguments: &[&str]) -> Command {
    let mut command = ibot();
    command.args(["classify", "--device=cpu"]).args(arguments);
    command.arg("--model").arg(model);
    command
}

/// What `ibot classify --json` prints for five builtin images.
fn classes(model: &Path, more: &[&str]) -> Vec<Value> {
    let mut arguments = vec!["builtin:val", "--limit=5", "--json"];
    arguments.extend(more);
    let printed = succeed(classify(model, &arguments));
    let lines = printed.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}

/// The features of the same images as `ibot embed` writes them.
fn features(model: &Path, more: &[&str]) -> Vec<Vec<f32>> {
    let folder = folder();
    let out = folder.path().join("features.npy");
    let mut embed = ibot();
    embed.args(["embed", "--data=builtin:val", "--limit=5", "--device=cpu"]);
    embed.arg("--model").arg(model).arg("--out").arg(&out);
    embed.args(more);
    succeed(embed);
    let (shape, values) = npy::read(&fs::read(&out).expect("features")).expect("an array");
    values.chunks(shape[1]).map(<[f32]>::to_vec).collect()
}

/// Softmax of the head that [`head`] writes.
fn probabilities(feature: &[f32]) -> Vec<f64> {
    let mut exponentials = Vec::new();
    for (class, bias) in [0.5, -0.25, 0.0].into_iter().enumerate() {
        let mut logit = bias;
        for (place, x) in feature.iter().enumerate() {
            logit += f64::from(value(class * feature.len() + place)) * f64::from(*x);
        }
        exponentials.push(logit.exp());
    }
    let total: f64 = exponentials.iter().sum();
    exponentials.into_iter().map(|e| e / total).collect()
}

fn assert_classified(lines: &[Value], features: &[Vec<f32>]) {
    assert_eq!((lines.len(), features.len()), (5, 5));
    for (line, feature) in lines.iter().zip(features) {
        let expected = probabilities(feature);
        let named = line["classes"].as_array().expect("classes");
        assert_eq!(named.len(), 3);
        let mut before = 1.0;
        for likely in named {
            let index = likely["index"].as_u64().expect("a number") as usize;
            let probability = likely["probability"].as_f64().expect("a share");
            assert_eq!(likely["class"], json!(CLASSES[index]));
            assert!((probability - expected[index]).abs() < 1e-4, "{line}");
            assert!(probability <= before, "{line}");
            before = probability;
        }
    }
}

#[test]
fn a_classifier_names_classes_and_is_a_backbone() {
    let folder = folder();
    let (file, model) = (folder.path().join("head"), folder.path().join("model"));
    head(&file, 1, false);
    let printed = succeed(export(&file, &model, &["--to=safetensors"]));
    assert!(printed.contains("timm: num_classes=3"), "{printed}");
    let (weights, _) = from_safetensors(&fs::read(&model).expect("a file")).expect("tensors");
    assert_eq!(weights["head.weight"].shape, [3, 16]);

    let of_run = features(&RUN.1, &[]);
    assert_eq!(features(&model, &[]), of_run, "a backbone like any other");
    assert_classified(&classes(&model, &[]), &of_run);
    assert_eq!(
        classes(&model, &["--top=1"])[0]["classes"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );

    let table = succeed(classify(&model, &["builtin:val#3", "--top=2"]));
    assert!(table.contains("3 classes, at 32 x 32\n"), "{table}");
    let rows: Vec<&str> = table.lines().filter(|line| line.contains(" %  ")).collect();
    assert!(rows.len() == 2 && rows[1].starts_with(' '), "{table}");

    // A classifier is also the file of a head: in 16 bits, with other names.
    let (half, names) = (folder.path().join("half"), folder.path().join("names"));
    fs::write(&names, "one\ntwo\nthree\n").expect("a file");
    let names = format!("--classes={}", names.display());
    succeed(export(
        &model,
        &half,
        &["--to=safetensors", "--f16", &names],
    ));
    let line = &classes(&half, &["--top=1"])[0]["classes"][0];
    assert!(
        ["one", "two", "three"].contains(&line["class"].as_str().expect("a name")),
        "{line}"
    );
}

/// What the page saves is a classifier as any other.
#[test]
fn a_model_that_was_tuned_in_the_page_names_its_classes() {
    let teacher = fs::read(RUN.1.join("teacher.safetensors")).expect("a teacher");
    let checkpoint = Checkpoint::read(&teacher, None).expect("weights");
    let config = checkpoint
        .config(None)
        .expect("known")
        .with_mask_token(false);
    let loaded = checkpoint.backbone(&config, false, &Device::flex());
    let (backbone, _) = loaded.expect("whole");

    let weight = (0..3 * 32).map(value).collect();
    let classifier = Classifier::new(32, weight, vec![0.5, -0.25, 0.0]);
    let tuned = TunedModel {
        classifier: classifier.expect("3 x 32"),
        classes: CLASSES.map(str::to_owned).to_vec(),
        size: 32,
    };
    let header = checkpoint.header_for(config);
    let bytes = block_on(write_tuned(&backbone, &header, &tuned)).expect("a file");
    let folder = folder();
    let model = folder.path().join("tuned.safetensors");
    fs::write(&model, bytes).expect("written");

    let joined = features(&model, &["--patch-mean"]);
    assert_eq!(joined, features(&RUN.1, &["--patch-mean"]));
    assert_classified(&classes(&model, &[]), &joined);
}

#[test]
fn a_head_on_more_tokens_has_names_that_timm_refuses() {
    let folder = folder();
    let (file, model) = (folder.path().join("head"), folder.path().join("model"));
    head(&file, 2, true);
    let printed = succeed(export(&file, &model, &["--to=safetensors"]));
    assert!(printed.contains("timm has no such head"), "{printed}");
    let (weights, _) = from_safetensors(&fs::read(&model).expect("a file")).expect("tensors");
    assert!(weights.contains_key("classifier.weight") && !weights.contains_key("head.weight"));

    let joined = features(&model, &["--cls-blocks=2", "--patch-mean"]);
    assert_classified(&classes(&model, &[]), &joined);
    let message = fail(export(&file, &model, &["--to=onnx"]));
    assert!(message.contains("2 blocks"), "{message}");

    head(&file, 1, true);
    let onnx = folder.path().join("model.onnx");
    succeed(export(&file, &onnx, &["--to=onnx"]));
    let onnx = fs::read(&onnx).expect("a model");
    let has = |text: &str| onnx.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(has("logits") && has("ibot.head") && has("a bird"));
}

#[test]
fn a_head_without_description_reads_cls_and_numbers_its_classes() {
    let folder = folder();
    let (file, model) = (folder.path().join("head"), folder.path().join("model"));
    head(&file, 1, false);
    succeed(export(&file, &model, &["--to=safetensors"]));
    let (weights, mut metadata) =
        from_safetensors(&fs::read(&model).expect("a file")).expect("tensors");
    metadata.remove(HeadHeader::KEY);
    let bytes = to_safetensors(&weights, metadata, StoredPrecision::F32).expect("tensors");
    fs::write(&model, bytes).expect("a file");

    let likely = &classes(&model, &["--top=1"])[0]["classes"][0];
    assert!(
        likely.get("class").is_none() && likely["index"].is_u64(),
        "{likely}"
    );
    let table = succeed(classify(&model, &["builtin:val#3"]));
    assert!(
        table.contains("does not say how") && table.contains("%  class "),
        "{table}"
    );

    let wide = folder.path().join("wide");
    head(&file, 2, false);
    let (weights, _) = from_safetensors(&fs::read(&file).expect("a file")).expect("tensors");
    let bytes = to_safetensors(&weights, HashMap::new(), StoredPrecision::F32).expect("tensors");
    fs::write(&file, bytes).expect("a file");
    let message = fail(export(&file, &wide, &["--to=safetensors"]));
    assert!(
        message.contains("32 values") && message.contains("--cls-blocks N"),
        "{message}"
    );
    let message = fail(export(
        &file,
        &wide,
        &["--to=safetensors", "--patch-mean", "--cls-blocks=2"],
    ));
    assert!(message.contains("48 make 2 CLS tokens"), "{message}");
    succeed(export(
        &file,
        &wide,
        &["--to=safetensors", "--cls-blocks=2"],
    ));
    assert_eq!(classes(&wide, &[]).len(), 5);
}

#[test]
fn the_head_of_a_linear_evaluation_becomes_a_classifier() {
    let folder = folder();
    let (file, model) = (folder.path().join("head"), folder.path().join("model"));
    let mut linear = ibot();
    linear.args([
        "eval",
        "linear",
        "--data=builtin:val",
        "--device=cpu",
        "--json",
    ]);
    linear.args([
        "--cached",
        "--epochs=2",
        "--train-images=100",
        "--val-images=50",
    ]);
    linear.arg("--model").arg(&RUN.1);
    linear.arg("--save-head").arg(&file);
    succeed(linear);

    succeed(export(&file, &model, &["--to=safetensors"]));
    let lines = classes(&model, &["--top=1"]);
    assert_eq!(lines.len(), 5);
    let named = |line: &Value| line["classes"][0]["class"].is_string();
    assert!(lines.iter().all(named), "{lines:?}");
}

#[test]
fn what_is_wrong_is_named() {
    let folder = folder();
    let (file, out) = (folder.path().join("head"), folder.path().join("model"));
    let message = fail(classify(&RUN.1, &["builtin:val#0"]));
    assert!(
        message.contains("no linear head") && message.contains("ibot export"),
        "{message}"
    );
    let message = fail(export(
        &RUN.1.join("teacher.safetensors"),
        &out,
        &["--to=safetensors"],
    ));
    assert!(message.contains("holds no linear head"), "{message}");

    head(&file, 1, false);
    let message = fail(export(&file, &out, &["--to=safetensors", "--cls-blocks=3"]));
    assert!(message.contains("3 blocks, the network has 2"), "{message}");
    let names = folder.path().join("names");
    fs::write(&names, "cat\n\ndog\n").expect("a file");
    let of_names = format!("--classes={}", names.display());
    let message = fail(export(&file, &out, &["--to=safetensors", &of_names]));
    assert!(message.contains("line 2"), "{message}");
    fs::write(&names, "cat\ndog\n").expect("a file");
    let message = fail(export(&file, &out, &["--to=safetensors", &of_names]));
    assert!(message.contains("2 names for the 3 classes"), "{message}");

    // An image that cannot be read loses no other.
    succeed(export(&file, &out, &["--to=safetensors"]));
    let broken = folder.path().join("broken.png");
    fs::write(&broken, b"no picture").expect("a file");
    let broken = broken.display().to_string();
    let printed = succeed(classify(
        &out,
        &["builtin:val#0", &broken, "builtin:val#1", "--top=1"],
    ));
    assert!(
        printed.contains("broken.png") && printed.contains("(skipped)"),
        "{printed}"
    );
    assert_eq!(printed.matches(" %  ").count(), 2, "{printed}");
    let message = fail(classify(&out, &[&broken]));
    assert!(message.contains("none of the 1 images"), "{message}");
}
