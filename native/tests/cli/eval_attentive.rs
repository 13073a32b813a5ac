//! `ibot eval attentive` as a user runs it.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::process::{fail, folder, ibot, succeed, tiny};

fn attentive(model: &Path, more: &[&str]) -> Command {
    let mut command = ibot();
    command.args(["eval", "attentive", "--data=builtin:val", "--device=cpu"]);
    command.args(["--train-images=120", "--val-images=40", "--epochs=2"]);
    command.arg("--model").arg(model).args(more);
    command
}

fn result(command: Command) -> Value {
    let printed = succeed(command);
    let line = printed.lines().find(|line| line.starts_with('{'));
    serde_json::from_str(line.expect("a line of JSON")).expect("JSON")
}

#[test]
fn probes_learn_from_cached_and_from_augmented_tokens() {
    let folder = folder();
    let run = folder.path().join("run");
    succeed(tiny(&run, "builtin:val", &["--set=optim.epochs=1"]));

    let table = succeed(attentive(&run, &["--queries=2"]));
    assert!(table.contains("best of all epochs"), "{table}");

    for augment in [&[][..], &["--augment"]] {
        let measured = |seed: &str| {
            let options = [&["--json", "--lr=0.001,0.01", seed], augment].concat();
            result(attentive(&run, &options))
        };
        let first = measured("--seed=1");
        assert_eq!(first["images"], json!({ "train": 120, "val": 40 }));
        let top1 = first["measures"]["top1_best"].as_f64().expect("a share");
        assert!((0.0..=1.0).contains(&top1));
        assert_eq!(first["measures"], measured("--seed=1")["measures"]);
    }

    let message = fail(attentive(Path::new("pixels"), &[]));
    assert!(message.contains("plain pixels do not have"), "{message}");
    let message = fail(attentive(&run, &["--queries=0"]));
    assert!(message.contains("at least one query"), "{message}");
}
