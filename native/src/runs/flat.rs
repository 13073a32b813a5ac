//! Settings as a list of keys and values.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// Keys with dots, and their values. An evaluation's settings are under `eval` and its kind.
pub fn flat_settings(settings: &impl Serialize) -> Vec<(String, Value)> {
    let mut flat = Vec::new();
    let tree = serde_json::to_value(settings).unwrap_or_default();
    add_leaves(&mut flat, String::new(), tree);
    flat
}

fn add_leaves(flat: &mut Vec<(String, Value)>, key: String, value: Value) {
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                let key = if key.is_empty() {
                    name
                } else {
                    format!("{key}.{name}")
                };
                add_leaves(flat, key, value);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            let mut seen: BTreeMap<String, usize> = BTreeMap::new();
            for item in items {
                let kind = item["kind"].as_str().unwrap_or_default().to_owned();
                let number = seen.entry(kind.clone()).or_default();
                *number += 1;
                // A second evaluation of a kind has a number, so that its keys are its own.
                let item_key = match number {
                    1 => format!("{key}.{kind}"),
                    number => format!("{key}.{kind}-{number}"),
                };
                add_leaves(flat, item_key, item);
            }
        }
        value => flat.push((key, value)),
    }
}
