//! `ibot eval in-context` and `ibot eval patches` as a user runs them.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use ibot_core::annotation::labels::LabelMap;
use ibot_native::data::{Dataset, encode_jpeg, encode_mask};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::process::{fail, folder, ibot, succeed, tiny};

/// Where results go.
static RESULTS: LazyLock<TempDir> = LazyLock::new(folder);

fn evaluate(kind: &str, data: &str, more: &[&str]) -> Command {
    let mut command = ibot();
    command.args(["eval", kind, "--device=cpu", "--data", data]);
    command
        .arg("--results")
        .arg(RESULTS.path().join("lines.jsonl"));
    command.args(more);
    command
}

fn first_line(text: &str) -> Value {
    let line = text.lines().next().expect("a line");
    serde_json::from_str(line).expect("JSON")
}

/// Builtin scenes as files beside their masks, which hold the numbers of parts.
pub fn scenes(folder: &Path, count: usize) {
    let data = Dataset::open("builtin:val").expect("scenes");
    for kind in ["images", "masks"] {
        fs::create_dir_all(folder.join(kind)).expect("writable");
    }
    for index in 0..count {
        let image = encode_jpeg(&data.load(index).expect("a scene"), 95).expect("a JPEG");
        fs::write(folder.join(format!("images/{index}.jpg")), image).expect("writable");
        let mask = encode_mask(&data.mask(index).expect("parts")).expect("a mask");
        fs::write(folder.join(format!("masks/{index}.png")), mask).expect("writable");
    }
}

#[test]
fn parts_and_objects_of_scenes_are_found_in_context() {
    let folder = folder();
    let (model, out) = (folder.path().join("run"), folder.path().join("pictures"));
    succeed(tiny(&model, "builtin:val", &["--set=optim.epochs=1"]));
    let model = format!("--model={}", model.display());
    let few = ["--train-images=60", "--val-images=20", "--json", &model];

    let pictures = format!("--pictures={}", out.display());
    let options = [&few[..], &[&pictures, "--beside=pixels,untrained"]].concat();
    let lines = succeed(evaluate("in-context", "builtin:val", &options));
    assert_eq!(lines.lines().count(), 3, "{lines}");
    let result = first_line(&lines);
    assert_eq!(
        result["images"],
        serde_json::json!({ "train": 60, "val": 20 })
    );
    let measure = |name: &str| result["measures"][name].as_f64().expect("a measure");
    // The background is more than half of the pixels of a scene.
    assert!(measure("pixel_accuracy") > 0.5, "{result}");
    assert!(measure("iou_background") > measure("mean_iou"), "{result}");
    let picture = fs::metadata(out.join("in-context.png")).expect("a picture");
    assert!(picture.len() > 1000);

    // A memory of all patches is the usual one, and one of few gives something else.
    let again = |more: &[&str]| {
        let options = [&few[..], more].concat();
        first_line(&succeed(evaluate("in-context", "builtin:val", &options)))
    };
    assert_eq!(again(&["--memory=100000"])["measures"], result["measures"]);
    assert_ne!(again(&["--memory=60"])["measures"], result["measures"]);
    let objects = again(&["--objects", "--mask-size=16"]);
    assert!(objects["measures"]["iou_fish"].is_number(), "{objects}");
}

#[test]
fn broken_masks_are_named_and_lose_no_other() {
    let folder = folder();
    scenes(folder.path(), 12);
    fs::remove_file(folder.path().join("masks/3.png")).expect("removed");
    let small = encode_mask(&LabelMap::from_fn(4, 4, |_| 0)).expect("a mask");
    fs::write(folder.path().join("masks/7.png"), small).expect("written");
    fs::write(folder.path().join("images/9.jpg"), "no image").expect("written");

    let data = folder.path().display().to_string();
    let few = ["--model=pixels", "--json", "--val", &data];
    let output = succeed(evaluate("in-context", &data, &few));
    for words in ["masks/3.png", "masks/7.png: it has 4 x 4", "images/9.jpg"] {
        assert!(output.contains(words), "{words}: {output}");
    }
    let result = first_line(&output);
    assert_eq!(
        result["images"],
        serde_json::json!({ "train": 9, "val": 9 })
    );
    // Each image finds its own patches.
    let found = result["measures"]["pixel_accuracy"].as_f64();
    assert!(found.expect("a share") > 0.7, "{result}");
}

#[test]
fn nearest_patches_vote_for_pixels_and_for_patches() {
    let folder = folder();
    scenes(folder.path(), 12);
    let data = folder.path().display().to_string();
    let same = [
        "--model=pixels",
        "--json",
        "--neighbours=30,1",
        "--val",
        &data,
    ];
    let result = first_line(&succeed(evaluate("patches", &data, &same)));
    let measure = |name: &str| result["measures"][name].as_f64().expect("a measure");
    // Each patch is its own nearest one, but for equal ones.
    for name in ["mean_iou_k1", "pixel_accuracy_k1", "patch_iou_k1"] {
        assert!(measure(name) > 0.9, "{name}: {result}");
    }
    assert!(measure("mean_iou_k30") < measure("mean_iou_k1"), "{result}");

    // Patches of 4 pixels are eight in a row, which a mask is divided by.
    let mask = |size: &str| evaluate("patches", &data, &["--model=pixels", "--mask-size", size]);
    let table = succeed(mask("16"));
    assert!(table.contains("k = 10: mean IoU"), "{table}");
    let message = fail(mask("30"));
    assert!(
        message.contains("not divided evenly by 8 patches"),
        "{message}"
    );
}

#[test]
fn images_without_masks_are_refused() {
    let folder = folder();
    scenes(folder.path(), 2);
    fs::remove_dir_all(folder.path().join("masks")).expect("removed");
    let data = folder.path().display().to_string();
    let message = fail(evaluate("in-context", &data, &["--model=pixels"]));
    assert!(message.contains("pixels have no labels"), "{message}");
    let wrong = ["--model=pixels", "--temperature=0"];
    let message = fail(evaluate("in-context", "builtin:val", &wrong));
    assert!(message.contains("temperature"), "{message}");
}
