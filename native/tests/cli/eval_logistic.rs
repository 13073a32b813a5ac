//! `ibot eval logistic` as a user runs it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::process::{fail, folder, ibot, succeed};

/// Where results go.
static RESULTS: LazyLock<TempDir> = LazyLock::new(folder);

fn logistic(data: &str, more: &[&str]) -> Command {
    let mut command = ibot();
    command.args(["eval", "logistic", "--model=pixels", "--device=cpu"]);
    command
        .arg("--results")
        .arg(RESULTS.path().join("lines.jsonl"));
    command.args(["--data", data]).args(more);
    command
}

#[test]
fn every_lambda_has_its_accuracy_and_its_gap() {
    let few = ["--train-images=200", "--val-images=40"];
    let table = succeed(logistic("builtin:val", &few));
    assert!(table.contains("duality gap"), "{table}");

    let mut json = logistic("builtin:val", &few);
    json.args(["--json", "--lambdas=0.01,10"]);
    let line = succeed(json);
    let result: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(
        result["images"],
        serde_json::json!({ "train": 200, "val": 40 })
    );
    assert_eq!(
        result["settings"]["lambdas"],
        serde_json::json!([0.01, 10.0])
    );
    for lambda in ["0.01", "10"] {
        let measure = |name: &str| {
            let value = &result["measures"][format!("{name}_lambda{lambda}")];
            value.as_f64().expect("a measure")
        };
        // Ten classes: better than chance, and at the minimum.
        assert!(measure("top1") > 0.15, "{result}");
        assert!(measure("gap") <= 1e-11 * measure("objective"), "{result}");
    }
    assert!(result["measures"]["top1_lambda0.1"].is_null());
}

#[test]
fn a_class_without_images_to_learn_from_is_named() {
    let folder = folder();
    let image =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/images/progressive.jpg");
    for class in ["ant", "bee", "cow"] {
        fs::create_dir(folder.path().join(class)).expect("writable");
        let copy = folder.path().join(class).join("0.jpg");
        fs::copy(&image, copy).expect("a copy");
    }
    // With one image a class, the one to judge by is missing among those to learn from.
    let data = folder.path().display().to_string();
    let message = fail(logistic(&data, &[]));
    assert!(message.contains("no image of class `"), "{message}");
    assert!(message.contains("needs every class"), "{message}");

    let message = fail(logistic("builtin:val", &["--lambdas=0"]));
    assert!(message.contains("must be positive"), "{message}");
}
