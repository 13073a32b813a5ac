use std::fs;

use super::*;
use crate::runs::listed_run::ListedState;
use crate::runs::{sort_runs, table};
use crate::settings::Settings;

fn knn(step: usize, top1: f64) -> String {
    format!(
        r#"{{"kind":"eval","name":"knn","step":{step},"epoch":1,"measures":{{"top1_k10":{top1},"top1_k20":{top1}}}}}"#
    )
}

fn result(task: &str, top1: f64, more: &str) -> String {
    format!(r#"{{"task":"{task}","measures":{{"top1_k20":{top1}}}{more}}}"#)
}

/// Writes the folder of a run with the settings of a recipe and more.
fn make_run(folder: &Path, assignments: &[&str], state: &str, metrics: &[String]) {
    fs::create_dir_all(folder).expect("a folder");
    let assignments: Vec<String> = assignments.iter().map(|text| (*text).to_owned()).collect();
    let settings = Settings::from_recipe("builtin", &assignments).expect("settings");
    let status = format!(r#"{{"state":"{state}","step":7,"total":9,"epoch":1,"loss":2.5}}"#);
    for (name, text) in [
        ("config.toml", settings.to_toml()),
        ("status.json", status),
        ("metrics.jsonl", metrics.join("\n")),
    ] {
        fs::write(folder.join(name), text).expect("a file");
    }
}

#[test]
fn a_list_shows_what_tells_runs_apart_and_the_best_of_each() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let first = root.join("10");
    make_run(
        &first,
        &["optim.lr=0.5"],
        "complete",
        &[knn(0, 0.9), knn(5, 0.4), knn(9, 0.3)],
    );
    make_run(
        &root.join("group/deep/2"),
        &["optim.lr=0.25"],
        "running",
        &[knn(5, 0.2)],
    );
    let trained = r#","weights_sha256":"ab","untrained":false"#;
    let lines = [
        result("knn", 0.6, trained),
        result("knn", 0.99, r#","weights_sha256":null"#),
        result("knn", 0.98, r#","weights_sha256":"ab","untrained":true"#),
        result("later", 0.1, trained),
        r#"{"task":"knn","meas"#.to_owned(),
    ];
    fs::write(first.join("results.jsonl"), lines.join("\n")).expect("a file");

    let mut runs = list_runs(root).expect("two runs").runs;
    let names: Vec<&Path> = runs.iter().map(|run| run.run.as_path()).collect();
    assert_eq!(names, [first.as_path(), &root.join("group/deep/2")]);
    let states: Vec<ListedState> = runs.iter().map(|run| run.state).collect();
    assert_eq!(states, [ListedState::Complete, ListedState::Killed]);
    let keys: Vec<&str> = runs[0]
        .settings
        .iter()
        .map(|(key, _)| key.as_str())
        .collect();
    assert_eq!(keys, ["optim.lr"]);
    assert_eq!(runs[0].problems, [""; 0]);
    assert_eq!(runs[0].best["knn"].get("top1_k20"), Some(0.6));
    assert_eq!(runs[0].best["knn"].get("top1_k10"), Some(0.4));

    sort_runs(&mut runs, "loss").expect("both have a loss");
    sort_runs(&mut runs, "knn").expect("both have k-NN");
    assert_eq!(runs[0].run, first);
    sort_runs(&mut runs, "step").expect("both have steps");
    let unknown = sort_runs(&mut runs, "speed").expect_err("no such figure");
    assert!(unknown.to_string().contains("knn.top1_k20"), "{unknown}");

    let table = table(&runs);
    let line = table.lines().nth(1).expect("a run");
    assert!(line.contains("7/9"), "{table}");
    assert!(
        line.contains("60.0 %") && line.contains("10.0 %"),
        "{table}"
    );
    assert!(line.ends_with("optim.lr=0.5"), "{table}");
}

#[test]
fn a_damaged_run_is_listed_and_loses_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    make_run(&root.join("sound"), &[], "failed", &[knn(5, 0.2)]);
    let damaged = root.join("damaged");
    make_run(&damaged, &[], "running", &["\0\0".to_owned(), knn(5, 0.5)]);
    fs::write(damaged.join("config.toml"), "[model").expect("a file");
    fs::write(damaged.join("status.json"), "{\"state\":").expect("a file");
    fs::create_dir(damaged.join("results.jsonl")).expect("a folder in place of a file");
    fs::create_dir_all(root.join("a/b/c/too-deep/status.json")).expect("a folder");

    let mut runs = list_runs(root).expect("two runs").runs;
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[0].run, damaged);
    assert_eq!(runs[0].state, ListedState::Unknown);
    assert_eq!(runs[0].step, 5);
    let problems = runs[0].problems.join("\n");
    for file in [
        "config.toml",
        "status.json",
        "metrics.jsonl: 1",
        "results.jsonl",
    ] {
        assert!(problems.contains(file), "{file}: {problems}");
    }
    assert_eq!(runs[1].state, ListedState::Failed);
    assert_eq!(
        runs[1].settings.len(),
        0,
        "one readable run differs from none"
    );
    sort_runs(&mut runs, "top1_k20").expect("both have it");
    assert_eq!(runs[0].run, damaged);
    assert_eq!(table(&runs).lines().count(), 3);
}

#[test]
fn a_folder_without_runs_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let none = list_runs(folder.path()).expect_err("no run");
    assert!(none.to_string().contains("holds no run"), "{none}");
    let missing = list_runs(&folder.path().join("missing")).expect_err("no folder");
    assert!(format!("{missing:#}").contains("missing"), "{missing:#}");
}
