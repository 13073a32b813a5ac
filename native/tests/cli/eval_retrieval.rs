//! `ibot eval retrieval` as a user runs it.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::process::{fail, folder, ibot, succeed, tiny};

fn retrieval(data: &Path, model: &Path, results: &Path, more: &[&str]) -> Command {
    let mut command = ibot();
    command.args(["eval", "retrieval", "--device=cpu"]);
    command.arg("--data").arg(data).arg("--model").arg(model);
    command.arg("--results").arg(results.join("lines.jsonl"));
    command.args(more);
    command
}

fn measures(mut command: Command) -> Value {
    command.arg("--json");
    let line = succeed(command);
    let mut result: Value = serde_json::from_str(&line).expect("JSON");
    result["measures"].take()
}

/// Images of two motifs under the names of `truth`, at sizes that differ.
fn write_landmarks(root: &Path, truth: &str) {
    fs::create_dir_all(root.join("jpg")).expect("a folder");
    for (number, name) in ["a1", "a2", "b1", "b2", "qa"].into_iter().enumerate() {
        let side = 40 + 3 * number as u32;
        let is_a = name.contains('a');
        let picture = image::RgbImage::from_fn(side, 36, |x, y| match is_a {
            true => image::Rgb([250, 240 - (x / 9 * 40) as u8, 10]),
            false => image::Rgb([0, 30, (y / 6 * 40) as u8]),
        });
        let file = root.join("jpg").join(format!("{name}.jpg"));
        picture.save(file).expect("a picture");
    }
    fs::write(root.join("gnd_tiny.json"), truth).expect("a ground truth");
}

#[test]
fn official_layouts_and_sets_with_labels_are_searched() {
    let folder = folder();
    let run = folder.path().join("run");
    succeed(tiny(&run, "builtin:val", &["--set=optim.epochs=1"]));

    let root = folder.path().join("tiny");
    let truth = r#"{"imlist": ["a1", "a2", "b1", "b2"], "qimlist": ["qa"],
        "gnd": [{"easy": [0], "hard": [1], "junk": [], "bbx": [5, 5, 45, 30]}]}"#;
    write_landmarks(&root, truth);
    for model in [run.as_path(), Path::new("pixels")] {
        let found = measures(retrieval(&root, model, folder.path(), &[]));
        for measure in ["map_easy", "map_medium", "map_hard", "mp1_medium"] {
            assert_eq!(found[measure], 1.0, "{measure} of {found}");
        }
    }
    let table = succeed(retrieval(&root, &run, folder.path(), &["--crop-queries"]));
    assert!(table.contains("medium  100.00%"), "{table}");

    // An image that cannot be read is named and not found, and loses nothing else.
    fs::write(root.join("jpg/a2.jpg"), "no picture").expect("written");
    let found = succeed(retrieval(&root, &run, folder.path(), &["--scales=1"]));
    assert!(found.contains("a2.jpg"), "{found}");
    assert!(found.contains("easy    100.00%"), "{found}");
    assert!(found.contains("hard      0.00%"), "{found}");

    let labelled = ["--images=100", "--queries=20", "--scales=1"];
    let found = measures(retrieval(
        Path::new("builtin:val"),
        &run,
        folder.path(),
        &labelled,
    ));
    assert_eq!(found["queries"], 20.0);
    let map = found["map"].as_f64().expect("a measure");
    assert!(map > 0.1 && map < 1.0, "{found}");
}

#[test]
fn what_is_missing_is_named() {
    let folder = folder();
    let fails = |truth: &str| {
        let root = folder.path().join("broken");
        write_landmarks(&root, truth);
        fail(retrieval(&root, Path::new("pixels"), folder.path(), &[]))
    };
    let message =
        fails(r#"{"imlist": ["a1", "c9"], "qimlist": ["qa"], "gnd": [{"easy": [], "hard": [0]}]}"#);
    assert!(message.contains("c9.jpg"), "{message}");
    let message =
        fails(r#"{"imlist": ["a1"], "qimlist": ["qa"], "gnd": [{"easy": [4], "hard": []}]}"#);
    assert!(message.contains("query `qa`: `easy` holds 4"), "{message}");
    let message = fails(r#"{"imlist": ["a1"], "qimlist": [], "gnd": []}"#);
    assert!(message.contains("names no query"), "{message}");
    let message =
        fails(r#"{"imlist": ["a1"], "qimlist": ["qa"], "gnd": [{"easy": [], "hard": []}]}"#);
    assert!(
        message.contains("no query has anything to find"),
        "{message}"
    );
}
