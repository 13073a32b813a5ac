//! `ibot pretrain` and `ibot eval knn` as a user runs them: whole processes, real files.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ibot_core::weights::from_safetensors;
use ibot_native::data::decode;
use serde_json::Value;

use crate::support::process::{DINOV2, TINY, fail, folder, ibot, succeed, tiny};
use crate::support::run_files::{assert_same_state, evals, records, status};

#[test]
fn a_run_leaves_everything_that_it_promises() {
    let folder = folder();
    let run = folder.path().join("run");
    let output = succeed(tiny(
        &run,
        "builtin:val",
        &[
            "--set=optim.epochs=2",
            "--knn-every=1",
            "--set=run.checkpoint_every=1",
        ],
    ));
    assert!(output.contains("k-NN of the untrained network"), "{output}");
    assert!(
        output.contains("points on the untrained network"),
        "{output}"
    );
    assert!(output.contains("learning rate: "), "{output}");

    let config = fs::read_to_string(run.join("config.toml")).expect("config.toml");
    assert!(
        config.contains("# learning rate: ") && config.contains("dim = 16"),
        "{config}"
    );
    assert_eq!(records(&run, "step").len(), 10, "20 steps, two a line");
    assert_eq!(records(&run, "epoch").len(), 2);
    assert_eq!(
        (&status(&run)["state"], &status(&run)["step"]),
        (&"complete".into(), &20.into())
    );
    let evals = evals(&run, "knn");
    let epochs: Vec<u64> = evals.iter().filter_map(|e| e["epoch"].as_u64()).collect();
    assert_eq!(epochs, [0, 1, 2], "before training and after each epoch");
    for k in [10, 20, 100, 200] {
        let measure = &evals[0]["measures"][format!("top1_k{k}")];
        assert!(measure.is_number(), "k = {k}: {}", evals[0]);
    }
    for key in [
        "loss",
        "cls",
        "patch",
        "lr",
        "weight_decay",
        "momentum",
        "teacher_temp",
        "images_per_second",
        "teacher_entropy",
        "prototype_usage",
        "memory_mib",
    ] {
        assert!(records(&run, "epoch")[0][key].is_number(), "{key}");
    }
    let teacher = fs::read(run.join("teacher.safetensors")).expect("the teacher");
    let (weights, _) = from_safetensors(&teacher).expect("a sound file");
    assert_eq!(weights["patch_embed.proj.weight"].shape, [16, 3, 8, 8]);
    assert_eq!(weights["blocks.1.attn.qkv.weight"].shape, [48, 16]);
    assert!(weights.contains_key("cls_token") && !weights.contains_key("masked_embed"));
    decode(&fs::read(run.join("preview.png")).expect("a preview")).expect("a PNG");
    assert!(
        fs::read_to_string(run.join("curves.svg"))
            .expect("curves")
            .contains("ln K")
    );
    assert!(run.join("checkpoints/epoch-0002.safetensors").exists());
    assert_eq!(
        fs::read_dir(run.join("tensorboard"))
            .expect("a folder")
            .count(),
        1
    );

    let message = fail(tiny(&run, "builtin:val", &[]));
    assert!(
        message.contains("already holds a run") && message.contains("--resume"),
        "{message}"
    );
    let knn = |model: &str| {
        let mut command = ibot();
        command.args([
            "eval",
            "knn",
            "--data=builtin",
            "--val=builtin:val",
            "--bank=200",
            "--queries=50",
            "--json",
            "--device=cpu",
        ]);
        command.arg("--model").arg(model);
        command
    };
    let result = |command: Command| -> Value {
        let line = succeed(command);
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    };
    let top1 = |result: &Value| -> Vec<f64> {
        ["top1_k10", "top1_k20", "top1_k100", "top1_k200"]
            .iter()
            .filter_map(|measure| result["measures"][*measure].as_f64())
            .collect()
    };
    let file = folder.path().join("knn.json");
    let mut trained = knn(&run.display().to_string());
    trained.arg("--out").arg(&file);
    let trained = result(trained);
    assert_eq!(
        (&trained["task"], &trained["images"]),
        (
            &"knn".into(),
            &serde_json::json!({ "bank": 200, "queries": 50 })
        )
    );
    assert_eq!(top1(&trained).len(), 4);
    assert_eq!(
        trained["weights_sha256"].as_str().map(str::len),
        Some(64),
        "{trained}"
    );
    let written = fs::read(file).expect("the result");
    assert_eq!(
        serde_json::from_slice::<Value>(&written).expect("JSON"),
        trained
    );
    assert_eq!(top1(&result(knn("pixels"))).len(), 4);
    assert!(fail(knn("nowhere")).contains("nowhere"));
    let mut untrained = knn(&run.display().to_string());
    untrained.arg("--untrained");
    assert_ne!(top1(&result(untrained)), top1(&trained));
}

/// What commit cd588d5 wrote: `run.knn_*` and `run.workers` in config.toml, and a line for each number of
/// neighbours in metrics.jsonl.
#[test]
fn a_run_from_before_eval_settings_is_resumed() {
    let folder = folder();
    let run = folder.path().join("run");
    succeed(tiny(
        &run,
        "builtin:val",
        &["--set=optim.epochs=1", "--set=run.knn_every=1"],
    ));
    let config = fs::read_to_string(run.join("config.toml")).expect("config.toml");
    let (start, entry) = config.split_once("[[eval]]").expect("an evaluation");
    assert!(entry.contains("every = 1"), "{entry}");
    let old = "knn_every = 1\nknn_bank = 300\nknn_queries = 100\neval_resize = 1.0\n";
    fs::write(
        run.join("config.toml"),
        start
            .replace("\nepochs = 1\n", "\nepochs = 2\n")
            .replace("\nloader_threads = ", "\nworkers = ")
            + old,
    )
    .expect("writable");

    let metrics = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    let mut lines = String::new();
    for line in metrics.lines() {
        let record: Value = serde_json::from_str(line).expect("JSON");
        if record["name"] == "rank" {
            continue;
        }
        if record["kind"] != "eval" {
            lines += &format!("{line}\n");
            continue;
        }
        for k in [10, 20] {
            let (step, epoch) = (&record["step"], &record["epoch"]);
            lines += &format!(
                "{{\"kind\":\"knn\",\"step\":{step},\"epoch\":{epoch},\"k\":{k},\"top1\":0.25,\
                 \"top5\":0.5,\"bank\":300,\"queries\":100}}\n"
            );
        }
    }
    fs::write(run.join("metrics.jsonl"), lines).expect("writable");

    let mut resume = ibot();
    resume.args(["pretrain", "--resume", "--device=cpu", "--out"]);
    resume.arg(&run);
    let output = succeed(resume);
    assert!(output.contains("k-NN after epoch 2"), "{output}");
    assert!(
        output.contains("points on the untrained network"),
        "{output}"
    );
    let evals = evals(&run, "knn");
    assert_eq!(evals.len(), 3, "{evals:?}");
    assert_eq!(evals[0]["measures"]["top1_k20"], 0.25);
    assert!(records(&run, "knn").is_empty());
}

#[test]
fn an_interrupted_run_continues_bit_for_bit() {
    continues_bit_for_bit(&[]);
}

/// Its loss scale too, which a small network has to find first.
#[test]
fn an_interrupted_run_in_f16_continues_bit_for_bit() {
    continues_bit_for_bit(&["--set=optim.precision=f16"]);
}

/// Masks that depend on the place in a batch, and targets that depend on the whole of it.
#[test]
fn an_interrupted_run_with_the_options_of_dinov2_continues_bit_for_bit() {
    continues_bit_for_bit(&DINOV2);
}

fn continues_bit_for_bit(settings: &[&str]) {
    let folder = folder();
    let (straight, broken) = (folder.path().join("straight"), folder.path().join("broken"));
    let run = |out: &Path, threads: &str| {
        let own = ["--set=optim.epochs=30", threads];
        tiny(out, "builtin:val", &[&own, settings].concat())
    };
    // Another number of threads must not change anything either.
    succeed(run(&straight, "--set=run.loader_threads=3"));

    let mut first = run(&broken, "--set=run.loader_threads=1");
    let mut child = first
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command starts");
    let start = Instant::now();
    while !broken.join("metrics.jsonl").exists() || records(&broken, "step").len() < 17 {
        assert!(start.elapsed() < Duration::from_secs(120), "no progress");
        assert!(
            child.try_wait().expect("a child").is_none(),
            "the run ended before it could be interrupted"
        );
        sleep(Duration::from_millis(5));
    }
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("kill");
    assert!(killed.success());
    assert_eq!(child.wait().expect("a child").code(), Some(130));
    let done = records(&broken, "step").len();

    let mut resume = ibot();
    resume
        .args(["pretrain", "--resume", "--device=cpu", "--out"])
        .arg(&broken);
    let output = succeed(resume);
    assert!(output.contains("resumed after step"), "{output}");
    assert!(done < 150, "the run was interrupted");
    assert_same_state(&straight, &broken);
    let steps: Vec<u64> = records(&broken, "epoch")
        .iter()
        .filter_map(|record| record["step"].as_u64())
        .collect();
    assert_eq!(
        steps,
        (1..=30).map(|epoch| epoch * 10).collect::<Vec<u64>>(),
        "every epoch once"
    );
}

#[test]
fn mistakes_are_answered_with_what_to_do() {
    let folder = folder();
    let run = folder.path().join("run");
    let typo = fail(tiny(&run, "builtin:val", &["--set=optim.epoch=2"]));
    assert!(typo.contains("did you mean `optim.epochs`"), "{typo}");
    let batch = fail(tiny(&run, "builtin:val", &["--set=optim.batch_size=900"]));
    assert!(
        batch.contains("500 images, fewer than one batch of 900"),
        "{batch}"
    );
    let nccl = fail(tiny(&run, "builtin:val", &["--set=run.exchange_nccl=true"]));
    assert!(
        nccl.contains("needs two or more CUDA devices") && nccl.contains("CPU"),
        "{nccl}"
    );
    let missing = fail(tiny(&run, "no-such-folder", &[]));
    assert!(missing.contains("no-such-folder"), "{missing}");
    let mut gpu = ibot();
    gpu.args(["pretrain", "--device=gpu:77", "--out"]).arg(&run);
    assert!(fail(gpu).contains("there is no GPU 77"));
    assert!(!run.exists(), "a mistake leaves nothing behind");
    let mut resume = ibot();
    resume.args(["pretrain", "--resume", "--out"]).arg(&run);
    assert!(fail(resume).contains("cannot be resumed"));
}

/// Forty small images in a folder without classes, some of which are no images at all.
fn photos(folder: &Path, broken: usize) {
    for i in 0..40 {
        let path = folder.join(format!("{i:02}.png"));
        if i < broken {
            fs::write(path, b"no image").expect("writable");
        } else {
            let scene = ibot_core::scenes::scene(ibot_core::scenes::Split::Val, i, 40);
            ibot_native::report::png::save_png(&scene.image, &path).expect("writable");
        }
    }
}

#[test]
fn unreadable_images_are_skipped_until_they_are_too_many() {
    let folder = folder();
    let few = folder.path().join("few");
    let many = folder.path().join("many");
    for (path, broken) in [(&few, 3), (&many, 20)] {
        fs::create_dir(path).expect("writable");
        photos(path, broken);
    }
    let small = ["--set=optim.batch_size=8", "--set=optim.epochs=2"];
    let replace = |data: &Path, out: &str| {
        let mut command = ibot();
        let tiny = TINY
            .iter()
            .filter(|argument| !argument.contains("batch_size"));
        command
            .arg("pretrain")
            .args(tiny)
            .arg("--data")
            .arg(data)
            .arg("--out")
            .arg(folder.path().join(out))
            .args(small);
        command
    };
    let output = succeed(replace(&few, "run"));
    assert!(output.contains("no labels"), "{output}");
    for name in ["00.png", "01.png", "02.png"] {
        assert_eq!(
            output.matches(&format!("cannot load {name}")).count(),
            1,
            "{output}"
        );
    }
    let message = fail(replace(&many, "stopped"));
    assert!(
        message.contains("could not be read") && message.contains("run.max_unreadable"),
        "{message}"
    );
    assert!(
        folder
            .path()
            .join("stopped/checkpoints/last.safetensors")
            .exists(),
        "what was learned is kept"
    );

    let none = folder.path().join("none");
    fs::create_dir(&none).expect("writable");
    photos(&none, 40);
    let mut any_share = replace(&none, "endless");
    any_share.arg("--set=run.max_unreadable=1");
    let message = fail(any_share);
    assert!(
        message.contains("40 of 40 images could not be read"),
        "{message}"
    );
}

fn bench(more: &[&str]) -> Value {
    let mut command = ibot();
    command.arg("bench").args(TINY).arg("--json").args(more);
    let output = succeed(command);
    serde_json::from_str(output.trim()).unwrap_or_else(|error| panic!("{error}: {output}"))
}

#[test]
fn bench_measures_a_step_and_its_phases() {
    let report = bench(&["--steps=3", "--shards=2", "--set=run.micro_batch=10"]);
    let number = |key: &str| {
        report[key]
            .as_f64()
            .unwrap_or_else(|| panic!("{key}: {report}"))
    };
    assert_eq!(
        (
            number("shards"),
            number("micro_batch"),
            number("batch_size"),
            number("steps")
        ),
        (2.0, 10.0, 50.0, 3.0)
    );
    assert!(
        number("seconds_per_step") > 0.0
            && number("mean_seconds_per_step") >= number("seconds_per_step")
    );
    assert!((number("images_per_second") * number("seconds_per_step") / 50.0 - 1.0).abs() < 1e-6);
    assert!(
        (number("flop_per_second") * number("seconds_per_step") / number("flop_per_step") - 1.0)
            .abs()
            < 1e-6
    );
    assert!(number("matmul_flop_per_second") > 1e8, "{report}");
    for phase in [
        "teacher",
        "student",
        "loss",
        "backward",
        "join",
        "optimizer",
        "ema",
    ] {
        assert!(
            report["phases"][phase]
                .as_f64()
                .is_some_and(|seconds| seconds > 0.0),
            "{phase}: {report}"
        );
    }
    let mut wrong = ibot();
    wrong.args(["bench", "--set=optim.batch=4"]);
    assert!(fail(wrong).contains("did you mean"));
}

/// What a step leaves behind would show: its gradients alone take a third of a MiB, 130 MiB in 400
/// steps. The allocator itself may take some MiB more when threads meet in a new order.
#[test]
#[cfg(target_os = "linux")]
fn memory_does_not_grow_with_the_steps() {
    let steps = [
        "--warmup=50",
        "--steps=400",
        "--set=head.hidden_dim=256",
        "--set=optim.batch_size=8",
    ];
    let report = bench(&steps);
    let mib = |key: &str| {
        report[key]
            .as_i64()
            .unwrap_or_else(|| panic!("{key}: {report}"))
    };
    let growth = mib("memory_after_steps_mib") - mib("memory_after_warmup_mib");
    assert!(growth < 48, "{growth} MiB in 400 steps: {report}");
    assert!(mib("memory_peak_mib") >= mib("memory_after_steps_mib"));
}

#[test]
fn bench_measures_loading() {
    let report = bench(&["--loading"]);
    for figure in [
        "augment_per_thread",
        "decode_per_thread",
        "decode_augment_per_thread",
        "decode_augment_all_cores",
    ] {
        assert!(
            report[figure].as_f64().is_some_and(|rate| rate > 0.0),
            "{figure}: {report}"
        );
    }
    // A photograph's size: much less would be no work to decode.
    assert!(
        report["jpeg_bytes"]
            .as_u64()
            .is_some_and(|bytes| (30_000..200_000).contains(&bytes)),
        "{report}"
    );
}

#[test]
fn bench_measures_the_sum_of_gradients() {
    let (exact, half) = (
        bench(&["--exchange=3", "--steps=2"]),
        bench(&["--exchange", "--set=run.exchange_f16=true"]),
    );
    let parameters = exact["parameters"].as_u64().expect("a number");
    assert_eq!(
        (exact["workers"].as_u64(), half["workers"].as_u64()),
        (Some(3), Some(2))
    );
    assert_eq!(
        exact["bytes_per_worker"].as_u64(),
        Some(parameters * 4 * 2 * 2 / 3),
        "{exact}"
    );
    assert_eq!(
        half["bytes_per_worker"].as_u64(),
        Some(parameters * 2),
        "{half}"
    );
    assert!(
        exact["seconds"]
            .as_f64()
            .is_some_and(|seconds| seconds > 0.0),
        "{exact}"
    );
}
