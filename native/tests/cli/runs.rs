//! `ibot runs`, as a user runs it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::process::{fail, folder, ibot, succeed, tiny};

fn runs(folder: &Path, arguments: &[&str]) -> String {
    let mut command = ibot();
    command.arg("runs").arg(folder).args(arguments);
    succeed(command)
}

#[test]
fn runs_are_listed_with_their_differences_and_best_figures() {
    let folder = folder();
    for (name, lr) in [("slow", "optim.lr=0.0001"), ("fast", "optim.lr=0.001")] {
        let out = folder.path().join("sweep").join(name);
        let lr = format!("--set={lr}");
        succeed(tiny(&out, "builtin:val", &["--set=optim.epochs=1", &lr]));
    }
    let killed = folder.path().join("killed");
    fs::create_dir(&killed).expect("a folder");
    fs::write(killed.join("status.json"), r#"{"state":"running"}"#).expect("a file");

    let table = runs(folder.path(), &[]);
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(table.contains("optim.lr=0.0001"), "{table}");
    assert!(
        table.contains("killed") && table.contains("config.toml"),
        "{table}"
    );

    let lines = runs(folder.path(), &["--json", "--sort=knn"]);
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["state"], "complete");
    let best = |line: &Value| line["best"]["knn"]["top1_k20"].as_f64();
    assert!(best(&lines[0]) >= best(&lines[1]) && best(&lines[1]).is_some());
    assert_eq!(lines[2]["problems"].as_array().map(Vec::len), Some(1));

    let mut unknown = ibot();
    unknown.arg("runs").arg(folder.path()).arg("--sort=speed");
    assert!(fail(unknown).contains("knn.top1_k20"));
}
