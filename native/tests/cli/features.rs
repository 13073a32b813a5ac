//! Features that are computed once, and `ibot embed`, as a user runs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use ibot_native::features::npy;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::process::{fail, folder, ibot, succeed, tiny};

/// A run without a step, whose network all tests look through.
static RUN: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = folder();
    let run = folder.path().join("run");
    let settings = ["--set=optim.epochs=1", "--knn-every=0"];
    succeed(tiny(&run, "builtin:val", &settings));
    (folder, run)
});

/// k-NN on few images; its results go to `folder`.
fn knn(folder: &Path, more: &[&str]) -> Command {
    let mut command = ibot();
    command.args(["eval", "knn", "--data=builtin", "--val=builtin:val"]);
    command.args(["--bank=80", "--queries=40", "--json", "--model"]);
    command.arg(&RUN.1).args(more);
    command.arg("--results").arg(folder.join("results.jsonl"));
    command
}

fn embed(out: &Path, more: &[&str]) -> Command {
    let mut command = ibot();
    command.args(["embed", "--data=builtin:val"]);
    command.arg("--model").arg(&RUN.1).arg("--out").arg(out);
    command.args(more);
    command
}

/// The last line of JSON that a command printed.
fn result(command: Command) -> Value {
    let printed = succeed(command);
    let line = printed.lines().rfind(|line| line.starts_with('{'));
    serde_json::from_str(line.expect("a line of JSON")).expect("JSON")
}

fn array(file: &Path) -> (Vec<usize>, Vec<f32>) {
    npy::read(&fs::read(file).expect("features")).expect("an array")
}

fn assert_near(a: &[f32], b: &[f32], tolerance: f32) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= tolerance, "{a} and {b}");
    }
}

/// Every part in a folder of features.
fn parts(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for shelf in fs::read_dir(folder).expect("a folder").flatten() {
        for part in fs::read_dir(shelf.path()).expect("a folder").flatten() {
            files.push(part.path());
        }
    }
    files
}

#[test]
fn a_second_evaluation_does_not_run_the_network() {
    let folder = folder();
    let cache = format!("--features={}", folder.path().join("cache").display());
    let options = ["--device=cpu", &cache];
    let first = result(knn(folder.path(), &options));
    assert_eq!(first["encoded"], 120);
    let second = result(knn(folder.path(), &options));
    assert_eq!(second["encoded"], 0);
    assert_eq!(first["measures"], second["measures"]);

    // Damage is named, and costs only what it hit.
    let part = parts(&folder.path().join("cache")).remove(0);
    let mut bytes = fs::read(&part).expect("a part");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&part, bytes).expect("written");
    let printed = succeed(knn(folder.path(), &options));
    assert!(printed.contains("it is damaged"), "{printed}");
    let name = part.file_name().expect("a name").to_string_lossy();
    assert!(printed.contains(&*name), "{printed}");
    let third = result(knn(folder.path(), &options));
    assert_eq!(third["encoded"], 0, "what was damaged is there again");
    assert_eq!(first["measures"], third["measures"]);

    let untrained = result(knn(folder.path(), &["--device=cpu", &cache, "--untrained"]));
    assert_eq!(untrained["encoded"], 120, "other weights have other rows");
}

#[test]
fn workers_change_no_figure_and_no_feature() {
    let folder = folder();
    let one = result(knn(folder.path(), &["--device=cpu"]));
    let three = result(knn(folder.path(), &["--devices=cpu,cpu,cpu"]));
    assert_eq!(one["measures"], three["measures"]);
    assert_eq!(three["encoded"], 120);

    let [alone, shared] = ["alone.npy", "shared.npy"].map(|name| folder.path().join(name));
    succeed(embed(&alone, &["--limit=40", "--device=cpu"]));
    succeed(embed(&shared, &["--limit=40", "--devices=cpu,cpu,cpu"]));
    assert_eq!(array(&alone), array(&shared));

    let half = folder.path().join("half.npy");
    succeed(embed(
        &half,
        &["--limit=40", "--device=cpu", "--precision=f16"],
    ));
    let (exact, half) = (array(&alone).1, array(&half).1);
    assert_ne!(exact, half);
    assert_near(&exact, &half, 2e-2);
}

#[test]
fn every_evaluation_adds_a_line_with_its_choices() {
    let folder = folder();
    let printed = succeed({
        let mut command = knn(
            folder.path(),
            &["--device=cpu", "--beside=pixels,untrained"],
        );
        command.arg("--precision=bf16");
        command
    });
    let lines = fs::read_to_string(folder.path().join("results.jsonl")).expect("results");
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 3, "{printed}");
    assert_eq!(lines[1]["model"], "pixels");
    assert_eq!(lines[2]["untrained"], true);
    assert_ne!(lines[0]["measures"], lines[2]["measures"]);
    for line in &lines {
        let settings = &line["settings"];
        assert_eq!(
            (&settings["bank"], &settings["seed"]),
            (&80.into(), &0.into())
        );
        assert_eq!(settings["precision"], "bf16");
        assert!(settings["size"].is_u64() && settings["resize"].is_f64());
        assert!(line["time"].as_u64() > Some(1_700_000_000));
    }

    // Without --json the figures stand side by side; without --results they go to the run.
    let mut command = ibot();
    command.args(["eval", "knn", "--data=builtin:val", "--device=cpu"]);
    command.args(["--bank=60", "--queries=20", "--beside=untrained", "--model"]);
    command.arg(&RUN.1);
    let printed = succeed(command);
    assert!(printed.contains("top-1 (k = 20)"), "{printed}");
    assert!(printed.contains("untrained"), "{printed}");
    let own = fs::read_to_string(RUN.1.join("results.jsonl")).expect("results of the run");
    assert!(own.lines().count() >= 2, "{own}");
}

#[test]
fn patch_tokens_have_a_row_for_each_patch() {
    let folder = folder();
    let file = folder.path().join("patches.npy");
    succeed(embed(
        &file,
        &["--limit=40", "--device=cpu", "--tokens=patches"],
    ));
    let (shape, patches) = array(&file);
    assert_eq!(shape, [40, 4, 4, 16]);

    let mean = folder.path().join("mean.npy");
    succeed(embed(
        &mean,
        &[
            "--limit=1",
            "--device=cpu",
            "--cls-blocks=0",
            "--patch-mean",
        ],
    ));
    let (_, means) = array(&mean);
    for channel in 0..16 {
        let mut sum = 0.0;
        for patch in 0..16 {
            sum += patches[16 * patch + channel];
        }
        assert!((sum / 16.0 - means[channel]).abs() < 1e-5);
    }
    // The reader of the unit tests shows what is in it; here it is a Parquet file without a list.
    let table = folder.path().join("patches.parquet");
    succeed(embed(
        &table,
        &["--limit=3", "--device=cpu", "--tokens=patches"],
    ));
    let bytes = fs::read(&table).expect("Parquet");
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    assert!(!folder.path().join("patches.parquet.txt").exists());
    let message = fail(embed(&file, &["--tokens=patches", "--patch-mean"]));
    assert!(message.contains("--tokens patches"), "{message}");
}

/// The parts that a killed command leaves are those that `--features` keeps.
#[test]
fn an_interrupted_embedding_goes_on_where_it_was() {
    let folder = folder();
    let file = folder.path().join("features.npy");
    let left = folder.path().join("features.npy.parts");
    let left_option = format!("--features={}", left.display());
    let fewer = folder.path().join("fewer.npy");
    succeed(embed(&fewer, &["--limit=15", "--device=cpu", &left_option]));
    assert!(!parts(&left).is_empty());

    let printed = succeed(embed(&file, &["--limit=40", "--device=cpu", "--resume"]));
    let encoded = 40 - 15 + apart(40, 15);
    let expected = format!("images  40, {encoded} of them through the network");
    assert!(printed.contains(&expected), "{printed}");
    assert!(!left.exists(), "nothing is left beside the file");

    let again = folder.path().join("again.npy");
    succeed(embed(&again, &["--limit=40", "--device=cpu"]));
    assert_near(&array(&file).1, &array(&again).1, 1e-6);
}

/// How many of the `few` images of a small choice from the scenes are not among the `many` of a
/// larger one.
fn apart(many: usize, few: usize) -> usize {
    let data = ibot_native::data::Dataset::open("builtin:val").expect("the scenes");
    let many = data.subset(many, 0);
    let few = data.subset(few, 0);
    few.iter().filter(|image| !many.contains(image)).count()
}
