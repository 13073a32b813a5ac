//! `ibot eval rank` as a user runs it, and beside k-NN in a run.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::process::{fail, folder, ibot, succeed, tiny};
use crate::support::run_files::evals;

/// Where results go.
static RESULTS: LazyLock<TempDir> = LazyLock::new(folder);

fn rank(data: &str, model: &Path, more: &[&str]) -> Command {
    let mut command = ibot();
    command.args(["eval", "rank", "--data", data, "--device=cpu"]);
    command
        .arg("--results")
        .arg(RESULTS.path().join("lines.jsonl"));
    command.arg("--model").arg(model).args(more);
    command
}

fn result(mut command: Command) -> Value {
    command.arg("--json");
    let line = succeed(command);
    serde_json::from_str(&line).expect("JSON")
}

#[test]
fn a_run_is_monitored_without_labels() {
    let folder = folder();
    let run = folder.path().join("run");
    let printed = succeed(tiny(&run, "builtin:val", &["--set=optim.epochs=1"]));
    assert!(printed.contains("RankMe"), "{printed}");

    let evals = evals(&run, "rank");
    assert_eq!(evals.len(), 2, "before training and after it: {evals:?}");
    let curves = fs::read_to_string(run.join("curves.svg")).expect("curves");
    for title in ["k-NN top-1", "Label-free RankMe", "Label-free patch tokens"] {
        assert!(curves.contains(title), "{title}");
    }

    let few = ["--images=60", "--patch-images=20"];
    let found = result(rank("builtin:val", &run, &few));
    assert_eq!(
        found["images"],
        serde_json::json!({ "cls": 60, "patches": 20 })
    );
    let measure = |name: &str| found["measures"][name].as_f64().expect("a measure");
    let rankme = measure("rankme");
    assert!((1.0..=16.0).contains(&rankme), "width 16: {found}");
    let shares = measure("content") + measure("image_share") + measure("position_share");
    assert!((shares - 1.0).abs() < 1e-9, "{found}");
    let local = measure("content") * measure("coherence");
    assert!((measure("local_structure") - local).abs() < 1e-12);

    let table = succeed(rank("builtin:val", Path::new("pixels"), &few));
    assert!(
        table.contains("RankMe") && !table.contains("coherence"),
        "{table}"
    );
}

#[test]
fn images_need_no_labels() {
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/images");
    let folder = folder();
    for name in ["progressive.jpg", "cmyk.jpg", "lossy.webp"] {
        fs::copy(images.join(name), folder.path().join(name)).expect("a copy");
    }
    let data = folder.path().display().to_string();
    let found = result(rank(&data, Path::new("pixels"), &[]));
    assert_eq!(found["images"]["cls"], 3);
    let message = fail(rank(&data, Path::new("pixels"), &["--images=0"]));
    assert!(message.contains("needs images"), "{message}");
}
