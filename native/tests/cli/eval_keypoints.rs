//! `ibot eval keypoints` as a user runs it.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::process::{fail, folder, ibot, succeed, tiny};

fn keypoints(data: &Path, model: &Path, results: &Path, more: &[&str]) -> Command {
    let mut command = ibot();
    command.args(["eval", "keypoints", "--device=cpu"]);
    command.arg("--data").arg(data).arg("--model").arg(model);
    command.arg("--results").arg(results.join("lines.jsonl"));
    command.args(more);
    command
}

fn measures(mut command: Command) -> Value {
    command.arg("--json");
    let line = succeed(command);
    let mut result: Value =
        serde_json::from_str(line.lines().next().expect("a line")).expect("JSON");
    result["measures"].take()
}

/// A picture whose 28 x 28 blocks of 8 pixels all differ, moved by whole blocks.
fn write_blocks(file: &Path, moved: u32) {
    fs::create_dir_all(file.parent().expect("a folder")).expect("made");
    let picture = image::RgbImage::from_fn(224, 224, |x, y| {
        let (column, row) = ((x / 8 + moved) % 28, y / 8);
        image::Rgb([
            (column * 9) as u8,
            (row * 9) as u8,
            (column * row % 250) as u8,
        ])
    });
    picture.save(file).expect("a picture");
}

/// A folder in the layout of SPair: points on the centres of blocks, which move three blocks to the
/// left.
fn write_spair(root: &Path) {
    let images = root.join("JPEGImages/block");
    write_blocks(&images.join("a.png"), 0);
    write_blocks(&images.join("b.png"), 3);
    let pairs = root.join("PairAnnotation/test");
    fs::create_dir_all(&pairs).expect("made");
    let pair = json!({
        "src_imname": "a.png", "trg_imname": "b.png", "category": "block",
        "src_imsize": [224, 224, 3], "trg_imsize": [224, 224, 3],
        "src_bndbox": [0, 0, 224, 224], "trg_bndbox": [20, 30, 120, 80],
        "src_kps": [[59.5, 35.5], [99.5, 67.5]], "trg_kps": [[35.5, 35.5], [75.5, 67.5]],
    });
    fs::write(pairs.join("1-a-b:block.json"), pair.to_string()).expect("written");
}

#[test]
fn blocks_are_found_where_they_moved() {
    let folder = folder();
    let root = folder.path().join("SPair-71k");
    write_spair(&root);
    let found = measures(keypoints(
        &root,
        Path::new("pixels"),
        folder.path(),
        &["--center"],
    ));
    for measure in ["pck_0.05", "pck_0.1", "pck_point_0.15", "ceiling"] {
        assert_eq!(found[measure], 1.0, "{measure} of {found}");
    }
    // 24 pixels away, of a box 100 pixels wide.
    assert_eq!(found["same_place"], 0.0, "{found}");
    assert_eq!(found["points"], 2.0);

    let picture = folder.path().join("points.png");
    let drawn = format!("--picture={}", picture.display());
    succeed(keypoints(
        &root,
        Path::new("pixels"),
        folder.path(),
        &["--center", &drawn],
    ));
    let drawn = image::open(&picture).expect("a picture");
    assert!(drawn.width() > 2 * 224, "two panels");

    // What is broken is named and loses no other.
    let pairs = root.join("PairAnnotation/test");
    fs::write(pairs.join("2-a-c:block.json"), "{}").expect("written");
    let text = succeed(keypoints(
        &root,
        Path::new("pixels"),
        folder.path(),
        &["--center"],
    ));
    assert!(text.contains("2-a-c:block.json is left out"), "{text}");
    assert!(text.contains("(1 pairs, 2 points)"), "{text}");
    fs::write(root.join("JPEGImages/block/b.png"), "no picture").expect("written");
    let message = fail(keypoints(&root, Path::new("pixels"), folder.path(), &[]));
    assert!(
        message.contains("b.png") && message.contains("no pair"),
        "{message}"
    );
}

#[test]
fn a_list_of_pairs_needs_no_box() {
    let folder = folder();
    write_blocks(&folder.path().join("a.png"), 0);
    write_blocks(&folder.path().join("b.png"), 3);
    let list = json!([
        {"source": "a.png", "target": "b.png", "source_points": [[59.5, 35.5]], "target_points": [[35.5, 35.5]]},
        {"source": "a.png", "target": "c.png", "source_points": [[1, 2]], "target_points": [[1, 2]]},
    ]);
    let json = folder.path().join("pairs.json");
    fs::write(&json, list.to_string()).expect("written");
    let text = succeed(keypoints(
        &json,
        Path::new("pixels"),
        folder.path(),
        &["--center"],
    ));
    assert!(text.contains("c.png is missing"), "{text}");
    assert!(text.contains("0.05   100.0 %"), "{text}");
}

#[test]
fn parts_of_scenes_are_keypoints() {
    let folder = folder();
    let run = folder.path().join("run");
    succeed(tiny(&run, "builtin:val", &["--set=optim.epochs=1"]));
    let more = ["--pairs=40", "--beside=pixels,untrained"];
    let found = measures(keypoints(
        Path::new("builtin:val"),
        &run,
        folder.path(),
        &more,
    ));
    let share = found["pck_0.1"].as_f64().expect("a measure");
    assert!(share > 0.0 && share < 1.0, "{found}");
    assert!(found["ceiling"].as_f64() > Some(0.5), "{found}");
    let lines = fs::read_to_string(folder.path().join("lines.jsonl")).expect("results");
    assert_eq!(lines.lines().count(), 3);

    let plain = folder.path().join("plain");
    fs::create_dir_all(&plain).expect("a folder");
    write_blocks(&plain.join("a.png"), 0);
    let message = fail(keypoints(&plain, &run, folder.path(), &[]));
    assert!(message.contains("pairs of images with points"), "{message}");
}
