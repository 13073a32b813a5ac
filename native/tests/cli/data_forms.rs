//! Published sets and lists behind a colon, as `--data` and `--val` of commands.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::support::process::{fail, folder, ibot, succeed, tiny};

/// Where results go.
static RESULTS: LazyLock<TempDir> = LazyLock::new(folder);

/// CIFAR-10 with five images to train on and one to test with.
fn cifar10() -> String {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let root = crates.expect("the folder of the workspace");
    let set = root.join("tests/fixtures/datasets/cifar-10-batches-py");
    set.display().to_string()
}

fn knn(data: &str, val: &str) -> Command {
    let mut command = ibot();
    command.args(["eval", "knn", "--model=pixels", "--device=cpu"]);
    command.args(["--data", data, "--val", val]);
    command
        .arg("--results")
        .arg(RESULTS.path().join("lines.jsonl"));
    command
}

#[test]
fn parts_of_a_published_set_are_data() {
    let (folder, set) = (folder(), cifar10());
    let run = folder.path().join("run");
    let small = [
        "--set=optim.epochs=1",
        "--set=optim.batch_size=5",
        "--knn-every=0",
    ];
    let printed = succeed(tiny(&run, &format!("{set}:train"), &small));
    assert!(printed.contains("CIFAR-10 (python)"), "{printed}");
    let config = fs::read_to_string(run.join("config.toml")).expect("a file of the run");
    assert!(config.contains("cifar-10-batches-py:train"), "{config}");

    let printed = succeed(knn(&set, &format!("{set}:train")));
    assert!(printed.contains("5 images"), "{printed}");
    let message = fail(knn(&set, &format!("{set}:val")));
    assert!(
        message.contains("no part `val`; there are `:train`, `:test`"),
        "{message}"
    );
}

#[test]
fn a_list_behind_a_colon_keeps_classes_that_it_lacks() {
    let folder = folder();
    let mut corrupt = ibot();
    corrupt.args(["corrupt", "builtin:val", "--limit=20", "--severity=1"]);
    corrupt
        .args(["--corruption=contrast", "--out"])
        .arg(folder.path().join("out"));
    succeed(corrupt);
    let set = folder.path().join("out/contrast/1");

    let mut names = String::new();
    for class in fs::read_dir(&set).expect("folders of classes").take(2) {
        for image in fs::read_dir(class.expect("a class").path()).expect("images") {
            names += &image.expect("an image").file_name().to_string_lossy();
            names.push('\n');
        }
    }
    let list = folder.path().join("few.txt");
    fs::write(&list, &names).expect("a list");
    let few = format!("{}:{}", set.display(), list.display());
    let printed = succeed(knn(&set.display().to_string(), &few));
    assert!(printed.contains("10 classes"), "{printed}");

    fs::write(&list, names + "gone.jpg\n").expect("a list");
    let message = fail(knn(&few, &few));
    assert!(
        message.contains("1 of the 5 images") && message.contains("gone.jpg"),
        "{message}"
    );
}
