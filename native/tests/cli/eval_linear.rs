//! `ibot eval linear` as a user runs it.

use std::fs;
use std::path::Path;
use std::process::Command;

use ibot_core::weights::from_safetensors;
use serde_json::{Value, json};

use crate::support::process::{fail, folder, ibot, succeed, tiny};

/// Options of a short evaluation on augmented images.
const AUGMENTED: [&str; 4] = ["--json", "--epochs=2", "--batch-size=64", "--lr=0.1,1"];

fn linear(model: &Path, more: &[&str]) -> Command {
    let mut command = ibot();
    command.args(["eval", "linear", "--data=builtin:val", "--device=cpu"]);
    command.args(["--train-images=200", "--val-images=40", "--model"]);
    command.arg(model).args(more);
    command
}

fn measures(command: Command) -> Value {
    let printed = succeed(command);
    let line = printed.lines().find(|line| line.starts_with('{'));
    serde_json::from_str(line.expect("a line of JSON")).expect("JSON")
}

#[test]
fn heads_learn_on_cached_and_on_augmented_features() {
    let folder = folder();
    let run = folder.path().join("run");
    succeed(tiny(&run, "builtin:val", &["--set=optim.epochs=1"]));

    let settings = fs::read_to_string(run.join("config.toml")).expect("settings");
    let entry = "\n[[eval]]\nkind = \"linear\"\nevery = 1\nepochs = 2\n";
    let config = folder.path().join("eval.toml");
    fs::write(&config, settings + entry).expect("writable");
    let mut evaluated = ibot();
    evaluated.args(["pretrain", "--data=builtin:val", "--device=cpu", "--config"]);
    evaluated
        .arg(&config)
        .arg("--out")
        .arg(folder.path().join("evaluated"));
    let printed = succeed(evaluated);
    assert!(printed.contains("Linear after epoch 1"), "{printed}");

    let head = folder.path().join("head.safetensors");
    let save = format!("--save-head={}", head.display());
    let table = succeed(linear(&run, &["--cached", "--epochs=5", &save]));
    assert!(table.contains("best of all epochs"), "{table}");

    let (tensors, metadata) = from_safetensors(&fs::read(&head).expect("a head")).expect("tensors");
    // The network has two blocks 16 wide, of which four were wanted.
    assert_eq!(tensors["head.weight"].shape, [10, 32]);
    assert_eq!(tensors["head.bias"].shape, [10]);
    let read: Value = serde_json::from_str(&metadata["ibot.head"]).expect("JSON");
    assert_eq!(read["cls_blocks"], 2);
    assert_eq!(read["patch_mean"], false);
    assert_eq!(read["classes"].as_array().map(Vec::len), Some(10));
    assert!(read["size"].is_u64() && read["resize"].is_f64(), "{read}");

    let classifier = folder.path().join("classifier.safetensors");
    let mut export = ibot();
    export
        .args(["export", "--to=safetensors", "--model"])
        .arg(&run);
    export
        .arg("--head")
        .arg(&head)
        .arg("--out")
        .arg(&classifier);
    succeed(export);
    let mut classify = ibot();
    classify.args(["classify", "--top=1", "--device=cpu", "--json"]);
    classify.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/images/lossy.webp"));
    classify.arg("--model").arg(&classifier);
    let named = succeed(classify);
    let names = read["classes"].as_array().expect("names");
    assert!(
        names
            .iter()
            .any(|name| named.contains(name.as_str().expect("a name"))),
        "{named}"
    );

    // What is beside a model is trained as well, and must not take the head's place.
    let kept = fs::read(&head).expect("a head");
    let beside = ["--cached", "--epochs=5", &save, "--beside=pixels,untrained"];
    let printed = succeed(linear(&run, &beside));
    assert!(!printed.contains("left out"), "{printed}");
    assert_eq!(fs::read(&head).expect("a head"), kept);

    let augmented = |seed: &str| {
        let options = [&AUGMENTED[..], &[seed]].concat();
        measures(linear(&run, &options))
    };
    let result = augmented("--seed=1");
    assert_eq!(result["images"], json!({ "train": 200, "val": 40 }));
    assert_eq!(result["settings"]["cached"], false);
    let top1 = result["measures"]["top1_best"].as_f64().expect("a share");
    assert!((0.0..=1.0).contains(&top1));
    assert_eq!(result["measures"], augmented("--seed=1")["measures"]);

    // Probes in the same pass change nothing of what the heads learn.
    let both = augmented_beside(&run);
    for (measure, value) in result["measures"].as_object().expect("measures") {
        assert_eq!(both[measure], *value, "{measure}");
    }
    let probe = both["attentive_top1_best"].as_f64().expect("a share");
    assert!((0.0..=1.0).contains(&probe));

    let message = fail(linear(&run, &["--cls-blocks=3"]));
    assert!(message.contains("the network has 2"), "{message}");
    let message = fail(linear(&run, &["--cls-blocks=0"]));
    assert!(message.contains("--patch-mean"), "{message}");
}

fn augmented_beside(run: &Path) -> Value {
    let options = [&AUGMENTED[..], &["--seed=1", "--attentive"]].concat();
    measures(linear(run, &options))["measures"].take()
}

#[test]
fn pixels_are_learned_from_too() {
    let pixels = Path::new("pixels");
    let result = measures(linear(pixels, &["--cached", "--json", "--epochs=20"]));
    // Ten classes of drawn scenes: colors alone say something.
    let top1 = result["measures"]["top1_best"].as_f64().expect("a share");
    assert!(top1 > 0.15, "{result}");
    let message = fail(linear(
        pixels,
        &["--cached", "--save-head=head.safetensors"],
    ));
    assert!(message.contains("pixels cannot be saved"), "{message}");
}
