//! `ibot eval suite`, as a user runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use ibot_core::image::RgbImage;
use ibot_native::report::png::save_png;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::process::{fail, folder, ibot, succeed, tiny};

/// A run of one epoch that all tests evaluate.
static RUN: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = folder();
    let run = folder.path().join("run");
    succeed(tiny(&run, "builtin:val", &["--set=optim.epochs=1"]));
    (folder, run)
});

fn suite(data: &str, out: &Path, arguments: &[&str]) -> Command {
    let mut command = ibot();
    command.args(["eval", "suite", "--device=cpu", "--data", data]);
    command.arg("--model").arg(&RUN.1).arg("--out").arg(out);
    command.arg("--results").arg(out.join("lines.jsonl"));
    command.args(arguments);
    command
}

fn results(out: &Path) -> Vec<Value> {
    let text = fs::read_to_string(out.join("lines.jsonl")).expect("results");
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn report(out: &Path) -> [String; 2] {
    ["report.html", "report.md"].map(|name| fs::read_to_string(out.join(name)).expect("a report"))
}

/// Writes `count` images of one color each into folders that are their classes.
fn write_images(folder: &Path, class: &str, count: u8) {
    let folder = folder.join(class);
    fs::create_dir_all(&folder).expect("a folder");
    for index in 0..count {
        let shade = class.bytes().next().unwrap_or_default();
        let image = RgbImage::from_fn(40, 40, |x, y| [6 * x as u8, 20 * index, shade ^ y as u8]);
        save_png(&image, &folder.join(format!("{index}.png"))).expect("a picture");
    }
}

#[test]
fn a_report_holds_every_number_and_names_what_failed() {
    let out = folder();
    let config = out.path().join("suite.toml");
    let entries = [
        "kind = \"knn\"\nbank = 80\nqueries = 40",
        "kind = \"knn\"\nbank = 80\nsize = 18",
        "kind = \"knn\"\nbank = 0",
    ];
    let text: String = entries.map(|entry| format!("[[eval]]\n{entry}\n")).concat();
    fs::write(&config, text).expect("a file");
    let mut command = suite("builtin", out.path(), &["--val=builtin:val"]);
    command.arg("--beside=pixels,untrained");
    command.arg("--config").arg(&config);
    let printed = succeed(command);
    assert!(printed.contains("failed: a crop of 18"), "{printed}");

    let results = results(out.path());
    let models: Vec<(bool, bool)> = results
        .iter()
        .map(|result| (result["model"] == "pixels", result["untrained"] == true))
        .collect();
    // Pixels have no patches that 18 is no multiple of.
    let expected = [(false, false), (true, false), (true, false), (false, true)];
    assert_eq!(models, expected);

    let [html, markdown] = report(out.path());
    for result in &results {
        for (name, value) in result["measures"].as_object().expect("measures") {
            let value = value.as_f64().expect("a number");
            let shown = format!("{:.1} %", 100.0 * value);
            assert!(html.contains(&format!("<td>{name}</td>")), "{name}");
            assert!(
                html.contains(&shown) && markdown.contains(&shown),
                "{shown}"
            );
        }
    }
    let failure = "k-NN (bank 80) of the model failed: a crop of 18 pixels";
    for text in [&html, &markdown] {
        assert!(text.contains(failure), "{markdown}");
        assert!(text.contains("than the untrained network"), "{markdown}");
        assert!(text.contains("--bank 80 --queries 40"), "{markdown}");
    }
    assert_eq!(html.matches("data:image/png;base64,").count(), 4);
    assert!(html.contains("Teacher entropy"), "the curves of the run");
    assert!(!html.contains("<script") && !html.contains("src=\"http"));
}

#[test]
fn what_is_missing_or_empty_is_named() {
    let out = folder();
    let empty = out.path().join("empty");
    fs::create_dir(&empty).expect("a folder");
    let empty = empty.to_str().expect("a name");
    for (data, arguments, words) in [
        ("no/such/set", &[][..], "no/such/set"),
        (empty, &[], "empty"),
        ("builtin", &["--val=no/such/val"], "no/such/val"),
        ("builtin", &["--config=no/such.toml"], "no/such.toml"),
    ] {
        let message = fail(suite(data, out.path(), arguments));
        assert!(message.contains(words), "{message}");
    }
    assert!(!out.path().join("report.html").exists());
}

#[test]
fn images_that_suit_no_evaluation_still_get_a_report() {
    let out = folder();
    let config = out.path().join("suite.toml");
    fs::write(&config, "[[eval]]\nkind = \"knn\"\n").expect("a file");
    let images = out.path().join("images");
    write_images(&images, "", 3);
    let images = images.to_str().expect("a name");
    let mut command = suite(images, out.path(), &[]);
    command.arg("--config").arg(&config);
    let message = fail(command);
    assert!(message.contains("no evaluation gave a result"), "{message}");

    let [html, markdown] = report(out.path());
    for text in [&html, &markdown] {
        assert!(
            text.contains("k-NN is left out for the model: the images have no labels"),
            "{markdown}"
        );
    }
}

#[test]
fn one_image_a_class_fails_one_evaluation_and_loses_no_other() {
    let out = folder();
    let config = out.path().join("suite.toml");
    let kinds = ["knn", "logistic", "rank"];
    let text: String = kinds
        .map(|kind| format!("[[eval]]\nkind = \"{kind}\"\n"))
        .concat();
    fs::write(&config, text).expect("a file");
    let images = out.path().join("images");
    for class in ["ant", "bee", "cat"] {
        write_images(&images, class, 1);
    }
    let mut command = suite(images.to_str().expect("a name"), out.path(), &[]);
    command.arg("--config").arg(&config);
    succeed(command);

    let tasks: Vec<Value> = results(out.path())
        .iter()
        .map(|result| result["task"].clone())
        .collect();
    assert_eq!(tasks, ["knn", "rank"]);
    let [_, markdown] = report(out.path());
    let failure = markdown
        .lines()
        .find(|line| line.contains("Logistic regression of the model failed"))
        .expect("the failure is named");
    let named = ["ant", "bee", "cat"].map(|class| failure.contains(class));
    assert!(named.contains(&true), "the class is named: {failure}");
}
