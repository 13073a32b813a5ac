//! Settings of a run: a recipe or a file, then `--set key=value`, every key checked.

use std::fs;
use std::path::Path;

use ibot_core::pretrain::config::{Config, ConfigError};
use ibot_core::weights::ModelHeader;
use serde::Serialize;
use serde_json::Value;

use crate::eval::{ScheduledEval, assign_old};
use crate::run_settings::RunSettings;

/// Recipes inside the binary: name and text.
pub const RECIPES: [(&str, &str); 7] = [
    ("builtin", include_str!("../recipes/builtin.toml")),
    ("cpu-quick", include_str!("../recipes/cpu-quick.toml")),
    ("cifar", include_str!("../recipes/cifar.toml")),
    (
        "vit-small-imagenet",
        include_str!("../recipes/vit-small-imagenet.toml"),
    ),
    (
        "vit-base-imagenet",
        include_str!("../recipes/vit-base-imagenet.toml"),
    ),
    (
        "vit-base-imagenet-random",
        include_str!("../recipes/vit-base-imagenet-random.toml"),
    ),
    (
        "vit-large-imagenet",
        include_str!("../recipes/vit-large-imagenet.toml"),
    ),
];

/// All settings of a run: what is learned, and how the run is carried out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Settings {
    /// What is learned.
    #[serde(flatten)]
    pub config: Config,
    /// How the run is carried out.
    pub run: RunSettings,
    /// The evaluations between its epochs.
    pub eval: Vec<ScheduledEval>,
    /// The batch that the recipe or file was made for, before anything was set.
    #[serde(skip)]
    pub intended_batch: usize,
}

/// Why settings could not be made out.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// There is no such recipe.
    #[error("there is no recipe `{name}`{hint}\nrecipes: {known}")]
    Recipe {
        /// The name asked for.
        name: String,
        /// A suggestion, or nothing.
        hint: String,
        /// All names.
        known: String,
    },
    /// A file of settings cannot be read.
    #[error("cannot read the settings in {path}: {error}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// A text is not TOML.
    #[error("{origin} is not valid TOML: {error}")]
    Syntax {
        /// Where the text comes from.
        origin: String,
        /// What the parser says.
        error: Box<toml::de::Error>,
    },
    /// A `--set` has no `=`.
    #[error("`--set {0}` needs the form section.key=value, for example --set optim.epochs=10")]
    Assignment(String),
    /// No setting has this key.
    #[error("{origin}: there is no setting `{key}`{hint}")]
    Unknown {
        /// Where the key comes from.
        origin: String,
        /// The key.
        key: String,
        /// A suggestion, or nothing.
        hint: String,
    },
    /// A value has the wrong type.
    #[error("setting `{key}`: {problem}")]
    Type {
        /// The key.
        key: String,
        /// What is expected.
        problem: String,
    },
    /// A value makes no sense.
    #[error("setting {0}")]
    Invalid(ConfigError),
}

impl Settings {
    /// The settings of a recipe with `assignments` (`section.key=value`) applied to it.
    ///
    /// # Errors
    /// If there is no such recipe, or an assignment is not a setting.
    pub fn from_recipe(name: &str, assignments: &[String]) -> Result<Self, SettingsError> {
        let Some((_, text)) = RECIPES.iter().find(|(recipe, _)| *recipe == name) else {
            let names: Vec<&str> = RECIPES.iter().map(|(recipe, _)| *recipe).collect();
            let hint = suggestion(name, names.iter().copied());
            return Err(SettingsError::Recipe {
                name: name.to_owned(),
                hint,
                known: names.join(", "),
            });
        };
        Self::from_text(&format!("recipe {name}"), text, assignments)
    }

    /// The settings in a TOML file with `assignments` applied to it; what the file leaves out has
    /// its default.
    ///
    /// # Errors
    /// If the file cannot be read or is not a file of settings, or an assignment is not a setting.
    pub fn from_file(path: &Path, assignments: &[String]) -> Result<Self, SettingsError> {
        let text = fs::read_to_string(path).map_err(|error| SettingsError::Read {
            path: path.display().to_string(),
            error,
        })?;
        Self::from_text(&path.display().to_string(), &text, assignments)
    }

    fn from_text(origin: &str, text: &str, assignments: &[String]) -> Result<Self, SettingsError> {
        // Every setting with its default, so that a key is known exactly if it is here.
        let mut tree = serde_json::to_value(Self::default()).unwrap_or_default();
        let table = text.parse::<toml::Table>();
        let table = table.map_err(|error| SettingsError::Syntax {
            origin: origin.to_owned(),
            error: Box::new(error),
        })?;
        for (key, value) in leaves("", &toml::Value::Table(table)) {
            assign(&mut tree, origin, &key, value)?;
        }
        let intended_batch = tree
            .pointer("/optim/batch_size")
            .and_then(Value::as_u64)
            .unwrap_or_default() as usize;
        for assignment in assignments {
            let (key, value) = assignment
                .split_once('=')
                .ok_or_else(|| SettingsError::Assignment(assignment.clone()))?;
            assign(&mut tree, "--set", key.trim(), parse_value(value.trim()))?;
        }
        let mut section = |name: &str| {
            let sections = tree.as_object_mut();
            sections.and_then(|sections| sections.remove(name))
        };
        let run = section("run").unwrap_or_default();
        let eval = section("eval").unwrap_or_default();
        let settings = Self {
            config: typed(tree, "")?,
            run: typed(run, "run.")?,
            eval: typed(eval, "eval")?,
            intended_batch,
        };
        settings
            .config
            .validate()
            .and_then(|()| settings.validate_run())
            .map_err(SettingsError::Invalid)?;
        Ok(settings)
    }

    fn validate_run(&self) -> Result<(), ConfigError> {
        let invalid = |key, value: String, problem: &str| {
            Err(ConfigError {
                key,
                value,
                problem: problem.to_owned(),
            })
        };
        let run = &self.run;
        if run.log_every == 0 {
            return invalid("run.log_every", "0".into(), "must be at least 1");
        }
        for (key, threads) in [("run.workers", run.workers), ("run.shards", run.shards)] {
            if threads > 1024 {
                return invalid(key, threads.to_string(), "must be at most 1024");
            }
        }
        // A hundred years are more than any clock here can add up.
        for (key, value) in [
            ("run.save_every", run.save_every),
            ("run.save_patience", run.save_patience),
            ("run.exchange_timeout", run.exchange_timeout),
            ("run.max_hours", run.max_hours),
        ] {
            if !(0.0..=876_600.0).contains(&value) {
                return invalid(key, value.to_string(), "must lie between 0 and 876600");
            }
        }
        for eval in &self.eval {
            eval.validate()?;
        }
        if !(0.0..=1.0).contains(&run.max_unreadable) {
            return invalid(
                "run.max_unreadable",
                run.max_unreadable.to_string(),
                "must lie between 0 and 1",
            );
        }
        Ok(())
    }

    /// Side to which images are resized before the central crop of an evaluation, divided by the
    /// side of the crop: that of the first evaluation that has one.
    pub fn eval_resize(&self) -> f64 {
        let ratio = self.eval.iter().find_map(|eval| eval.resize);
        ratio.unwrap_or(ModelHeader::USUAL_RESIZE)
    }

    /// The settings as TOML; reading it back gives the same settings.
    pub fn to_toml(&self) -> String {
        // Plain structs of numbers, texts and lists always have a TOML form.
        toml::to_string(self).unwrap_or_default()
    }
}

/// All leaves of a TOML tree with their dotted keys.
fn leaves(prefix: &str, value: &toml::Value) -> Vec<(String, Value)> {
    match value {
        toml::Value::Table(table) => {
            let dotted = |key: &String| {
                if prefix.is_empty() {
                    key.clone()
                } else {
                    format!("{prefix}.{key}")
                }
            };
            table
                .iter()
                .flat_map(|(key, value)| leaves(&dotted(key), value))
                .collect()
        }
        leaf => vec![(prefix.to_owned(), to_json(leaf))],
    }
}

/// The value in JSON, which has no `nan` and `inf`: as texts they are refused, as nulls they could
/// pass for nothing.
fn to_json(value: &toml::Value) -> Value {
    match value {
        toml::Value::Float(number) if !number.is_finite() => Value::String(value.to_string()),
        toml::Value::Array(values) => values.iter().map(to_json).collect(),
        other => serde_json::to_value(other).unwrap_or_default(),
    }
}

/// Replaces the default at `key`, which must be a setting, by `value`.
fn assign(tree: &mut Value, origin: &str, key: &str, value: Value) -> Result<(), SettingsError> {
    if assign_old(tree, key, &value) {
        return Ok(());
    }
    let pointer = format!("/{}", key.replace('.', "/"));
    match tree.pointer_mut(&pointer) {
        Some(slot) if !slot.is_object() => {
            *slot = value;
            Ok(())
        }
        _ => {
            let mut known = Vec::new();
            collect_keys("", tree, &mut known);
            let hint = suggestion(key, known.iter().map(String::as_str));
            Err(SettingsError::Unknown {
                origin: origin.to_owned(),
                key: shortened(key),
                hint,
            })
        }
    }
}

/// The first characters of a text that may be a whole file.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 200;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

fn collect_keys(prefix: &str, value: &Value, keys: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let dotted = if prefix.is_empty() {
                    key.clone()
                } else {
                    format!("{prefix}.{key}")
                };
                collect_keys(&dotted, value, keys);
            }
        }
        _ => keys.push(prefix.to_owned()),
    }
}

/// `; did you mean ...?` for the known name closest to `name`, comparing without section too.
fn suggestion<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    // Comparing takes the product of the lengths, and no long text is a typo.
    if name.len() > 64 {
        return String::new();
    }
    let last = |key: &'a str| key.rsplit('.').next().unwrap_or(key);
    let own = name.rsplit('.').next().unwrap_or(name);
    let closeness = |key: &'a str| {
        let whole = strsim::normalized_damerau_levenshtein(name, key);
        whole.max(strsim::normalized_damerau_levenshtein(own, last(key)) - 0.01)
    };
    known
        .map(|key| (closeness(key), key))
        .filter(|(closeness, _)| *closeness > 0.5)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(String::new(), |(_, key)| format!("; did you mean `{key}`?"))
}

/// A value as TOML would read it; what TOML cannot read is a text.
fn parse_value(text: &str) -> Value {
    let parsed = format!("value = {text}")
        .parse::<toml::Table>()
        .ok()
        .and_then(|mut table| table.remove("value"));
    parsed.map_or_else(|| Value::String(text.to_owned()), |value| to_json(&value))
}

fn typed<T: serde::de::DeserializeOwned>(value: Value, prefix: &str) -> Result<T, SettingsError> {
    serde_path_to_error::deserialize(value).map_err(|error| SettingsError::Type {
        key: format!("{prefix}{}", error.path()),
        problem: shortened(&error.inner().to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(assignment: &str) -> String {
        Settings::from_recipe("cpu-quick", &[assignment.to_owned()])
            .expect_err("a mistake")
            .to_string()
    }

    #[test]
    fn every_recipe_is_valid_and_survives_being_saved() {
        for (name, _) in RECIPES {
            let settings =
                Settings::from_recipe(name, &[]).unwrap_or_else(|error| panic!("{name}: {error}"));
            let again = Settings::from_text(name, &settings.to_toml(), &[]).expect("its own TOML");
            assert_eq!(settings, again, "{name}");
        }
    }

    #[test]
    fn assignments_override_the_recipe() {
        let set = [
            "optim.epochs=3".to_owned(),
            "model.dim = 48".into(),
            "mask.pred_shape=rand".into(),
        ];
        let settings = Settings::from_recipe("cpu-quick", &set).expect("valid");
        assert_eq!(settings.config.optim.epochs, 3);
        assert_eq!(settings.config.backbone().dim(), 48);
        assert_eq!(
            settings.config.mask.pred_shape,
            ibot_core::pretrain::masking::PredShape::Rand
        );
    }

    #[test]
    fn mistakes_are_named_with_a_suggestion() {
        assert!(
            error("optim.epoch=3").contains("did you mean `optim.epochs`"),
            "{}",
            error("optim.epoch=3")
        );
        assert!(
            error("lr=3").contains("did you mean `optim.lr`"),
            "{}",
            error("lr=3")
        );
        assert!(error("optim=3").contains("no setting `optim`"));
        assert!(error("optim.epochs").contains("section.key=value"));
        assert!(
            error("optim.epochs=many").contains("optim.epochs"),
            "{}",
            error("optim.epochs=many")
        );
        assert!(
            error("run.seed=-1").contains("run.seed"),
            "{}",
            error("run.seed=-1")
        );
        assert!(error("mask.pred_shape=circle").contains("mask.pred_shape"));
        assert!(
            error("optim.lr=nan").contains("string \"nan\", expected f64"),
            "{}",
            error("optim.lr=nan")
        );
        assert!(
            error("model.layerscale=inf").contains("model.layerscale"),
            "not as if it were left out"
        );
        assert!(
            error("run.max_hours=-1").contains("run.max_hours"),
            "{}",
            error("run.max_hours=-1")
        );
        assert!(error("crops.local_size=7").contains("multiple of the patch"));
        let unknown = Settings::from_recipe("cpu-quik", &[])
            .expect_err("a typo")
            .to_string();
        assert!(unknown.contains("did you mean `cpu-quick`"), "{unknown}");
    }
}
