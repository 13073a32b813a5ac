//! `ibot eval cluster` as a user runs it.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::process::{fail, folder, ibot, succeed, tiny};
use crate::support::run_files::evals;

/// Where results go.
static RESULTS: LazyLock<TempDir> = LazyLock::new(folder);

fn cluster(model: &Path, more: &[&str]) -> Command {
    let mut command = ibot();
    command.args(["eval", "cluster", "--data=builtin:val", "--device=cpu"]);
    command
        .arg("--results")
        .arg(RESULTS.path().join("lines.jsonl"));
    command.arg("--model").arg(model).args(more);
    command
}

fn measures(mut command: Command) -> Value {
    command.arg("--json");
    let line = succeed(command);
    let mut result: Value = serde_json::from_str(&line).expect("JSON");
    result["measures"].take()
}

#[test]
fn prototypes_and_clusters_are_compared_with_classes() {
    let folder = folder();
    let run = folder.path().join("run");
    let entries = "--set=eval=[{kind='cluster',every=1,images=60,prototypes=true}]";
    let printed = succeed(tiny(
        &run,
        "builtin:val",
        &["--set=optim.epochs=1", entries],
    ));
    assert!(printed.contains("Clusters after epoch 1"), "{printed}");
    let during = evals(&run, "cluster");
    assert_eq!(during.len(), 2, "{during:?}");

    // The head of the checkpoint is that of the run's end.
    let found = measures(cluster(&run, &["--images=60", "--prototypes"]));
    assert_eq!(found["clusters"], 32.0);
    for name in ["acc", "ari", "nmi", "fmi", "used_clusters"] {
        let at_the_end = during[1]["measures"][name].as_f64().expect("a measure");
        let value = found[name].as_f64().expect("a measure");
        assert!((value - at_the_end).abs() < 1e-9, "{name} of {found}");
    }
    assert!(found["used_clusters"].as_f64().expect("a number") <= 32.0);

    let kmeans = ["--images=60"];
    let table = succeed(cluster(&run, &kmeans));
    assert!(table.contains("of 10 clusters of k-means"), "{table}");
    let found = measures(cluster(&run, &kmeans));
    assert_eq!(found, measures(cluster(&run, &kmeans)));
    // Clusters of ten classes agree better with them than chance does.
    assert!(found["ari"].as_f64().expect("a measure") > 0.0, "{found}");

    let of_pixels = measures(cluster(Path::new("pixels"), &kmeans));
    assert_ne!(of_pixels, found);

    for headless in [run.join("teacher.safetensors"), "pixels".into()] {
        let message = fail(cluster(&headless, &["--prototypes"]));
        assert!(
            message.contains("this model lacks") && message.contains("k-means"),
            "{message}"
        );
    }
    let message = fail(cluster(&run, &["--images=5", "--clusters=6"]));
    assert!(message.contains("fewer clusters"), "{message}");
}
