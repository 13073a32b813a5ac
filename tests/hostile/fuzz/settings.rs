//! Files of settings and `--set` pairs: what is accepted is valid, and survives being saved.

use std::fs;

use ibot_core::pretrain::flops::step_macs;
use ibot_core::rng::Rng;
use ibot_native::settings::{RECIPES, Settings};
use rand::RngExt as _;
use serde_json::Value;

use super::engine;
use crate::support::damage::{Damage, mutate};

const TOML: Damage = Damage {
    alphabet: b"=[]{}\"'\\.,#\n\r-+_:0123456789eEaxn \xff",
    big_endian: false,
};

/// Values at which checks go wrong, or of another type than most settings.
const VALUES: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "3",
    "7",
    "-0.0",
    "0.5",
    "1.5",
    "1e308",
    "-1e308",
    "1e-320",
    "nan",
    "inf",
    "-inf",
    "true",
    "false",
    "\"\"",
    "text",
    "[]",
    "[0.3]",
    "[0.0, 1.0]",
    "[[1]]",
    "{}",
    "{ a = 1 }",
    "1979-05-27",
    "255",
    "65536",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "",
    "=",
];

/// The dotted keys of all settings.
fn keys(prefix: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            let dotted = if prefix.is_empty() {
                key.clone()
            } else {
                format!("{prefix}.{key}")
            };
            keys(&dotted, value, found);
        }),
        _ => found.push(prefix.to_owned()),
    }
}

fn damaged(text: &str, other: &str, random: &mut Rng) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    mutate(&mut bytes, 0, other.as_bytes(), &TOML, random);
    bytes
}

pub fn fuzz() {
    let mut known = Vec::new();
    keys(
        "",
        &serde_json::to_value(Settings::default()).expect("plain data"),
        &mut known,
    );
    let mut texts: Vec<String> = RECIPES.iter().map(|(_, text)| (*text).to_owned()).collect();
    texts.push(Settings::default().to_toml());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (path, again) = (
        folder.path().join("config.toml"),
        folder.path().join("again.toml"),
    );
    let pick = |random: &mut Rng| {
        format!(
            "{}={}",
            known[random.random_range(..known.len())],
            VALUES[random.random_range(..VALUES.len())]
        )
    };

    engine::run("settings", 16 << 20, |random| {
        let text = &texts[random.random_range(..texts.len())];
        let other = &texts[random.random_range(..texts.len())];
        let in_file = random.random_ratio(1, 2);
        fs::write(
            &path,
            if in_file {
                damaged(text, other, random)
            } else {
                text.clone().into_bytes()
            },
        )
        .expect("writable");
        let pairs: Vec<String> = (0..random.random_range(..4_usize).max(usize::from(!in_file)))
            .map(|_| match random.random_range(..3_usize) {
                0 => String::from_utf8_lossy(&damaged(&pick(random), other, random)).into_owned(),
                _ => pick(random),
            })
            .collect();
        match Settings::from_file(&path, &pairs) {
            Ok(settings) => {
                fs::write(&again, settings.to_toml()).expect("writable");
                let saved = Settings::from_file(&again, &[])
                    .unwrap_or_else(|error| panic!("{pairs:?}: saved, {error}"));
                assert_eq!(saved.to_toml(), settings.to_toml(), "{pairs:?}");
                let macs = step_macs(&settings.config, 0.5);
                assert!(
                    macs.is_finite() && macs > 0.0,
                    "{pairs:?}: {macs} multiply-accumulates"
                );
                true
            }
            Err(error) => {
                let message = error.to_string();
                assert!(message.len() < 20_000, "{} bytes of message", message.len());
                false
            }
        }
    });
}
