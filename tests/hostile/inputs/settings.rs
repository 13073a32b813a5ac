//! Files of settings with wrong types, unknown keys, absurd values, and no settings at all.

use std::time::{Duration, Instant};

use ibot_native::settings::Settings;

use super::checks::folder;
use crate::support::memory;

/// What is said about a file; the memory and time that takes are bounded.
fn refusal(text: impl AsRef<[u8]>) -> String {
    let text = text.as_ref();
    let folder = folder(&[("config.toml", text)]);
    let path = folder.path().join("config.toml");
    let start = Instant::now();
    let (read, peak) = memory::peak(|| Settings::from_file(&path, &[]));
    let message = read.expect_err("to be refused").to_string();
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    assert!(
        peak < 128 * text.len() + (4 << 20),
        "{peak} bytes of memory for {}",
        text.len()
    );
    message
}

#[test]
fn wrong_types_name_the_setting_and_what_it_takes() {
    for (text, expected) in [
        (
            "[optim]\nepochs = \"many\"",
            "setting `optim.epochs`: invalid type: string \"many\", expected usize",
        ),
        (
            "[optim]\nepochs = 1.5",
            "setting `optim.epochs`: invalid type: floating point `1.5`, expected usize",
        ),
        (
            "[optim]\nepochs = -3",
            "setting `optim.epochs`: invalid value: integer `-3`, expected usize",
        ),
        (
            "[optim]\nlr = true",
            "setting `optim.lr`: invalid type: boolean `true`, expected f64",
        ),
        (
            "[optim]\nlr = [0.1]",
            "setting `optim.lr`: invalid type: sequence, expected f64",
        ),
        ("[optim]\nlr = 1979-05-27", "setting `optim.lr`: "),
        (
            "[mask]\npred_ratio = 0.3",
            "setting `mask.pred_ratio`: invalid type: floating point `0.3`, expected a sequence",
        ),
        (
            "[mask]\npred_ratio = [0.3, \"x\"]",
            "setting `mask.pred_ratio[1]`: invalid type: string",
        ),
        (
            "[mask]\npred_shape = \"circle\"",
            "setting `mask.pred_shape`: unknown variant `circle`, expected `block` or",
        ),
        (
            "[crops]\nglobal_crops_scale = [0.5]",
            "setting `crops.global_crops_scale`: invalid length 1",
        ),
        (
            "[run]\ndata = 5",
            "setting `run.data`: invalid type: integer `5`, expected a string",
        ),
    ] {
        let message = refusal(text);
        assert!(message.contains(expected), "{text}: {message}");
    }
}

#[test]
fn unknown_keys_are_named_with_the_file_and_the_closest_setting() {
    for (text, expected) in [
        (
            "[optim]\nepoch = 3",
            "config.toml: there is no setting `optim.epoch`; did you mean `optim.epochs`?",
        ),
        (
            "epochs = 3",
            "there is no setting `epochs`; did you mean `optim.epochs`?",
        ),
        (
            "[optimiser]\nlr = 1",
            "there is no setting `optimiser.lr`; did you mean `optim.lr`?",
        ),
        ("optim = 3", "there is no setting `optim`"),
        (
            "[optim.lr]\nvalue = 3",
            "there is no setting `optim.lr.value`",
        ),
        ("[optim]\n\"\" = 3", "there is no setting `optim.`"),
        ("[\"optim.lr\"]\nx = 3", "there is no setting `optim.lr.x`"),
        ("[[optim]]\nlr = 3", "there is no setting `optim`"),
    ] {
        let message = refusal(text);
        assert!(message.contains(expected), "{text}: {message}");
    }
}

#[test]
fn what_is_no_toml_says_where() {
    for (text, expected) in [
        (&b"[optim]\nlr = 1\nlr = 2"[..], "duplicate key"),
        (b"[optim\nlr = 1", "line 1"),
        (b"lr 1", "line 1"),
        (b"\xFF\xFE[optim]", "cannot read the settings in"),
    ] {
        let message = refusal(text);
        assert!(
            message.contains(expected) && message.contains("config.toml"),
            "{message}"
        );
    }
    let empty = folder(&[("config.toml", b"")]);
    let settings =
        Settings::from_file(&empty.path().join("config.toml"), &[]).expect("nothing is set");
    assert_eq!(settings.config, Settings::default().config);
    let message = Settings::from_file(empty.path(), &[])
        .expect_err("a folder")
        .to_string();
    assert!(message.contains("cannot read the settings in"), "{message}");
}

#[test]
fn depth_and_length_are_refused_fast_and_briefly() {
    let deep = 100_000;
    let nested = format!("a = {}1{}", "[".repeat(deep), "]".repeat(deep));
    let tables = format!("a = {}1{}", "{ a = ".repeat(deep), " }".repeat(deep));
    let dotted = format!("a{} = 1", ".a".repeat(deep));
    for text in [nested, tables, dotted] {
        let message = refusal(&text);
        assert!(message.contains("recur"), "{message:.200}");
    }
    let long = "k".repeat(1 << 20);
    for text in [
        format!("[optim]\n{long} = 1"),
        format!("[optim]\nlr = \"{long}\""),
    ] {
        let message = refusal(&text);
        assert!(
            message.len() < 1000 && message.contains("optim."),
            "{} bytes",
            message.len()
        );
    }
}

/// Each of these was accepted once, and ended in a panic or without memory.
#[test]
fn values_that_no_machine_could_hold_are_refused() {
    for (text, expected) in [
        (
            "[model]\ndim = 6148914691236517206\nmlp_ratio = 3\nheads = 3",
            "model.dim = 6148914691236517206: must lie",
        ),
        (
            "[model]\nmlp_ratio = 9223372036854775807",
            "model.mlp_ratio = 9223372036854775807: must lie between 1 and 64",
        ),
        (
            "[crops]\nglobal_size = 1099511627776",
            "crops.global_size = 1099511627776: must lie between 1 and 16384",
        ),
        (
            "[crops]\nlocal_crops_number = 9223372036854775807",
            "makes more than 256 crops of an image",
        ),
        (
            "[head]\nout_dim = 1099511627776",
            "head.out_dim = 1099511627776: must lie between 2 and 16777216",
        ),
        (
            "[optim]\nepochs = 9223372036854775807",
            "optim.epochs = 9223372036854775807: must lie between 1 and 1000000000",
        ),
        (
            "[augment]\nblur_radius = [0.1, 1e300]",
            "augment.blur_radius = ",
        ),
        (
            "[augment]\nbrightness = 11",
            "augment.brightness = 11: must lie between 0 and 10",
        ),
        (
            "[augment]\nbrightness = nan",
            "setting `augment.brightness`: invalid type: string \"nan\", expected f64",
        ),
        (
            "[model]\ninterpolate_offset = inf",
            "setting `model.interpolate_offset`: invalid type",
        ),
        (
            "[run]\nworkers = 1000000",
            "run.loader_threads = 1000000: must be at most 1024",
        ),
    ] {
        let message = refusal(text);
        assert!(message.contains(expected), "{text}: {message}");
    }
}
