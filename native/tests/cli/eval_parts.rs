//! `ibot eval parts` as a user runs it.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::process::{fail, folder, ibot, succeed, tiny};

fn parts(model: &Path, more: &[&str]) -> Command {
    let mut command = ibot();
    command.args(["eval", "parts", "--data=builtin:val", "--device=cpu"]);
    command.args(["--train-images=120", "--val-images=40", "--epochs=3"]);
    command.arg("--model").arg(model).args(more);
    command
}

fn measures(command: Command) -> Value {
    let printed = succeed(command);
    let line = printed.lines().find(|line| line.starts_with('{'));
    let result: Value = serde_json::from_str(line.expect("a line of JSON")).expect("JSON");
    assert_eq!(result["images"], json!({ "train": 120, "val": 40 }));
    result["measures"].clone()
}

#[test]
fn accuracy_runs_along_the_number_of_patches() {
    let folder = folder();
    let (run, svg) = (folder.path().join("run"), folder.path().join("curve.svg"));
    succeed(tiny(&run, "builtin:val", &["--set=optim.epochs=1"]));

    // The network has 16 patches of 8 pixels at 32: what is beyond is all of them, once.
    let draw = format!("--svg={}", svg.display());
    let measured = measures(parts(&run, &["--json", &draw]));
    let mut names: Vec<&str> = measured
        .as_object()
        .expect("measures")
        .keys()
        .filter_map(|name| name.strip_prefix("top1_k"))
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["1", "14", "16", "7"]);
    let drawn = fs::read_to_string(&svg).expect("a curve");
    assert!(drawn.contains("most attended patches") && drawn.contains("chance"));

    // All patches are the mean of all, with the most attention or the least, as `eval linear` sees
    // them without the final norm.
    let all = |which: &[&str]| {
        let options = [&["--json", "--patches=16"], which].concat();
        measures(parts(&run, &options))
    };
    let most = all(&[]);
    assert_eq!(most, all(&["--lowest"]));
    assert_eq!(most["top1_k16"], measured["top1_k16"]);
    let mut linear = ibot();
    linear.args(["eval", "linear", "--data=builtin:val", "--device=cpu"]);
    linear.args(["--train-images=120", "--val-images=40", "--epochs=3"]);
    linear.args(["--cached", "--raw-patches", "--json", "--model"]);
    linear.arg(&run);
    let linear = measures(linear);
    assert_eq!(most["top1_k16"], linear["top1_best"]);
    assert_eq!(most["top1_last_k16"], linear["top1_last"]);

    let table = succeed(parts(&run, &["--patches=2,4", "--augment"]));
    assert!(
        table.contains("patches") && table.contains("\n      4  "),
        "{table}"
    );

    let message = fail(parts(Path::new("pixels"), &[]));
    assert!(
        message.contains("plain pixels have no patch tokens"),
        "{message}"
    );
    let message = fail(parts(&run, &["--patches=0,4"]));
    assert!(message.contains("0 patches"), "{message}");
}
