//! Assigns keys to values, one setting at a time, and names every key and value that does not fit.

use std::mem;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::error::{Assignments, SettingsError, WrongAssignment};
use super::run::RunSettings;
use super::suggest::suggestion;
use super::train_config::TrainConfig;
use crate::eval::{ScheduledEval, assign_old};

// Old files and command lines have settings under their former names.
const RENAMED: [(&str, &str); 1] = [("run.workers", "run.loader_threads")];

// A hostile file may have millions.
const MOST_MISTAKES: usize = 10;

/// Longest part of a text that a message quotes, in characters.
const LONGEST_QUOTE: usize = 200;

/// Settings while they are put together.
pub struct Draft<C> {
    pub config: C,
    pub run: RunSettings,
    pub eval: Vec<ScheduledEval>,
    trees: Trees,
    mistakes: Vec<WrongAssignment>,
}

struct Trees {
    // The trees hold every setting, so a key is known exactly if it is there.
    config: Value,
    run: Value,
    /// The list under its key.
    eval: Value,
}

#[derive(Deserialize)]
struct EvalSection {
    eval: Vec<ScheduledEval>,
}

impl<C: TrainConfig> Draft<C> {
    pub fn new() -> Self {
        let config = C::default();
        let run = RunSettings::default();
        Self {
            trees: Trees {
                config: serde_json::to_value(&config).unwrap_or_default(),
                run: serde_json::to_value(&run).unwrap_or_default(),
                eval: json!({ "eval": [] }),
            },
            config,
            run,
            eval: Vec::new(),
            mistakes: Vec::new(),
        }
    }

    /// Assigns everything in a TOML text that comes from `origin`.
    pub fn assign_text(&mut self, origin: &str, text: &str) -> Result<(), SettingsError> {
        let table = text
            .parse::<toml::Table>()
            .map_err(|error| SettingsError::Syntax {
                origin: origin.to_owned(),
                error: Box::new(error),
            })?;

        for (key, value) in leaves("", &toml::Value::Table(table)) {
            self.assign(origin, &key, value);
        }
        Ok(())
    }

    /// Assigns a `section.key=value` of the command line.
    pub fn assign_pair(&mut self, pair: &str) {
        match pair.split_once('=') {
            Some((key, value)) => self.assign("--set", key.trim(), parse_value(value.trim())),
            None => self.mistakes.push(WrongAssignment::Form(shortened(pair))),
        }
    }

    pub fn check(&mut self) -> Result<(), SettingsError> {
        if self.mistakes.is_empty() {
            return Ok(());
        }
        let mistakes = mem::take(&mut self.mistakes);
        Err(SettingsError::Assignments(Assignments(mistakes)))
    }

    fn assign(&mut self, origin: &str, key: &str, value: Value) {
        // A suggestion compares a key with all others: the time for it must have a bound.
        if self.mistakes.len() == MOST_MISTAKES {
            return;
        }

        let key = current_name(key);
        let refused = match self.try_assign(key, value) {
            Ok(()) => return,
            Err(Refused::Type(wrong)) => wrong,
            Err(Refused::Unknown) => WrongAssignment::Unknown {
                origin: origin.to_owned(),
                key: shortened(key),
                hint: self.trees.closest(key),
            },
        };
        self.mistakes.push(refused);
    }

    /// Changes a leaf of the trees and the settings that it belongs to, or neither.
    fn try_assign(&mut self, key: &str, value: Value) -> Result<(), Refused> {
        let Trees { config, run, eval } = &mut self.trees;

        let mut changed = eval.clone();
        if assign_old(&mut changed, key, &value) {
            let section: EvalSection = typed(&changed, "")?;
            self.eval = section.eval;
            *eval = changed;
        } else if key == "eval" || key.starts_with("eval.") {
            let section: EvalSection = set_leaf(eval, "", key, value)?;
            self.eval = section.eval;
        } else if let Some(path) = key.strip_prefix("run.") {
            self.run = set_leaf(run, "run.", path, value)?;
        } else {
            self.config = set_leaf(config, "", key, value)?;
        }
        Ok(())
    }
}

enum Refused {
    Unknown,
    Type(WrongAssignment),
}

impl Trees {
    fn closest(&self, key: &str) -> String {
        let mut known = Vec::new();
        collect_keys("", &self.config, &mut known);
        collect_keys("", &self.eval, &mut known);
        collect_keys("run", &self.run, &mut known);
        suggestion(key, known.iter().map(String::as_str))
    }
}

/// Writes the leaf at `path` of a tree and reads the tree as settings of a type.
fn set_leaf<T: DeserializeOwned>(
    tree: &mut Value,
    prefix: &str,
    path: &str,
    value: Value,
) -> Result<T, Refused> {
    let pointer = format!("/{}", path.replace('.', "/"));
    let leaf = tree.pointer_mut(&pointer);
    let leaf = leaf
        .filter(|leaf| !leaf.is_object())
        .ok_or(Refused::Unknown)?;
    let old = mem::replace(leaf, value);

    let settings = typed(tree, prefix);
    // A value that does not fit leaves the tree as it was, for the next assignment.
    if let (Err(_), Some(leaf)) = (&settings, tree.pointer_mut(&pointer)) {
        *leaf = old;
    }
    settings
}

/// The name that a setting has today.
fn current_name(key: &str) -> &str {
    let renamed = RENAMED.iter().find(|(former, _)| *former == key);
    renamed.map_or(key, |(_, current)| current)
}

/// All leaves of a TOML tree with their dotted keys.
fn leaves(prefix: &str, value: &toml::Value) -> Vec<(String, Value)> {
    let toml::Value::Table(table) = value else {
        return vec![(prefix.to_owned(), to_json(value))];
    };

    let mut found = Vec::new();
    for (key, value) in table {
        found.extend(leaves(&dotted(prefix, key), value));
    }
    found
}

fn collect_keys(prefix: &str, value: &Value, keys: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                collect_keys(&dotted(prefix, key), value, keys);
            }
        }
        _ => keys.push(prefix.to_owned()),
    }
}

fn dotted(prefix: &str, key: &str) -> String {
    if prefix.is_empty() {
        key.to_owned()
    } else {
        format!("{prefix}.{key}")
    }
}

fn parse_value(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<toml::Table>();
    match parsed.ok().and_then(|mut table| table.remove("value")) {
        Some(value) => to_json(&value),
        // What TOML cannot read is a text.
        None => Value::String(text.to_owned()),
    }
}

fn to_json(value: &toml::Value) -> Value {
    match value {
        // JSON has no such number. As a text it is refused; as null it would pass for a setting
        // that is left out.
        toml::Value::Float(number) if !number.is_finite() => Value::String(value.to_string()),
        toml::Value::Array(values) => values.iter().map(to_json).collect(),
        other => serde_json::to_value(other).unwrap_or_default(),
    }
}

fn typed<T: DeserializeOwned>(tree: &Value, prefix: &str) -> Result<T, Refused> {
    serde_path_to_error::deserialize(tree).map_err(|error| {
        Refused::Type(WrongAssignment::Type {
            key: format!("{prefix}{}", error.path()),
            problem: shortened(&error.inner().to_string()),
        })
    })
}

fn shortened(text: &str) -> String {
    // It may be a whole file.
    match text.char_indices().nth(LONGEST_QUOTE) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
