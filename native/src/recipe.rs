//! Settings of a run: a recipe or a file, then `--set key=value`, every key checked.

use std::fs;
use std::path::Path;

use ibot_core::config::{Config, ConfigError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Recipes inside the binary: name and text.
pub const RECIPES: [(&str, &str); 7] = [
    ("builtin", include_str!("../recipes/builtin.toml")),
    ("cpu-quick", include_str!("../recipes/cpu-quick.toml")),
    ("cifar", include_str!("../recipes/cifar.toml")),
    ("vit-small-imagenet", include_str!("../recipes/vit-small-imagenet.toml")),
    ("vit-base-imagenet", include_str!("../recipes/vit-base-imagenet.toml")),
    ("vit-base-imagenet-random", include_str!("../recipes/vit-base-imagenet-random.toml")),
    ("vit-large-imagenet", include_str!("../recipes/vit-large-imagenet.toml")),
];

/// How a run is carried out and reported; nothing here changes what a step computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunSettings {
    /// The images: what `--data` takes.
    pub data: String,
    /// Weights to start from in place of random ones: what `--init` takes.
    pub init: Option<String>,
    /// Seed of the weights, the order of the images, the crops and the masks.
    pub seed: u64,
    /// Threads that decode and augment; 0 takes one for each core.
    pub workers: usize,
    /// Shards of a batch that the CPU computes at the same time; 0 takes one for each core. Their number changes the
    /// order of sums, so a run keeps that of its start.
    pub shards: usize,
    /// Images that a shard takes through forward and backward at a time: fewer take less memory. 0 takes few on a CPU,
    /// whose caches then hold more of them, and all on a GPU. It changes the order of sums as `shards` does.
    pub micro_batch: usize,
    /// Steps that a line of metrics averages.
    pub log_every: usize,
    /// Minutes after which the state is saved within an epoch too; 0 saves only at the ends of epochs.
    pub save_every: f64,
    /// Minutes in which a file that cannot be written is tried again before the run stops.
    pub save_patience: f64,
    /// Hours after which the run stops, saved, to be continued; 0 sets no limit.
    pub max_hours: f64,
    /// Epochs between kept checkpoints; the last state is saved every epoch anyway.
    pub checkpoint_every: usize,
    /// Epochs between k-NN evaluations; 0 evaluates never.
    pub knn_every: usize,
    /// Most images in the k-NN bank.
    pub knn_bank: usize,
    /// Most images that k-NN classifies.
    pub knn_queries: usize,
    /// Side to which an image's shorter side is resized before the central crop of an evaluation, over the crop's.
    pub eval_resize: f64,
    /// Steps in a row with a non-finite loss or gradient that are skipped before the run stops.
    pub max_skipped: usize,
    /// Largest share of unreadable images before the run stops.
    pub max_unreadable: f64,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            data: "builtin".into(),
            init: None,
            seed: 0,
            workers: 0,
            shards: 0,
            micro_batch: 0,
            log_every: 10,
            save_every: 30.0,
            save_patience: 10.0,
            max_hours: 0.0,
            checkpoint_every: 40,
            knn_every: 0,
            knn_bank: 10_000,
            knn_queries: 2_000,
            eval_resize: 256.0 / 224.0,
            max_skipped: 10,
            max_unreadable: 0.1,
        }
    }
}

/// Tokens of the student that a CPU thread computes at a time, at most, if an image has not more; measured in
/// docs/performance.md.
const TOKENS_AT_A_TIME: usize = 1024;

impl RunSettings {
    /// Settles what 0 leaves to the device.
    pub fn resolve(&mut self, config: &Config, is_cpu: bool, cores: usize) {
        let batch = config.optim.batch_size;
        if self.shards == 0 {
            self.shards = if is_cpu { cores.min(batch) } else { 1 };
        }
        if self.micro_batch == 0 {
            let tokens = |side: usize| (side / config.model.patch_size).pow(2) + 1;
            let crops = &config.crops;
            let image = crops.global_crops_number * tokens(crops.global_size)
                + crops.local_crops_number * tokens(crops.local_size);
            self.micro_batch = if is_cpu { (TOKENS_AT_A_TIME / image).clamp(1, batch) } else { batch };
        }
    }

    /// Parts that a batch is cut into: as many for each shard as it takes one after another.
    pub fn parts(&self, batch: usize) -> usize {
        let shards = self.shards.clamp(1, batch);
        let at_a_time = if self.micro_batch == 0 { batch } else { self.micro_batch };
        (shards * batch.div_ceil(shards).div_ceil(at_a_time)).min(batch)
    }
}

/// All settings of a run: what is learned, and how the run is carried out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Settings {
    /// What is learned.
    #[serde(flatten)]
    pub config: Config,
    /// How the run is carried out.
    pub run: RunSettings,
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
    #[error("cannot read the settings in {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A text is not TOML.
    #[error("{origin} is not valid TOML: {source}")]
    Syntax {
        /// Where the text comes from.
        origin: String,
        /// What the parser says.
        source: Box<toml::de::Error>,
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
    Invalid(#[from] ConfigError),
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
            return Err(SettingsError::Recipe { name: name.to_owned(), hint, known: names.join(", ") });
        };
        Self::from_text(&format!("recipe {name}"), text, assignments)
    }

    /// The settings in a TOML file with `assignments` applied to it; what the file leaves out has its default.
    ///
    /// # Errors
    /// If the file cannot be read or is not a file of settings, or an assignment is not a setting.
    pub fn from_file(path: &Path, assignments: &[String]) -> Result<Self, SettingsError> {
        let text = fs::read_to_string(path)
            .map_err(|source| SettingsError::Read { path: path.display().to_string(), source })?;
        Self::from_text(&path.display().to_string(), &text, assignments)
    }

    fn from_text(origin: &str, text: &str, assignments: &[String]) -> Result<Self, SettingsError> {
        // Every setting with its default, so that a key is known exactly if it is here.
        let mut tree = serde_json::to_value(Self::default()).unwrap_or_default();
        let table = text.parse::<toml::Table>();
        let table =
            table.map_err(|source| SettingsError::Syntax { origin: origin.to_owned(), source: Box::new(source) })?;
        for (key, value) in leaves("", &toml::Value::Table(table)) {
            assign(&mut tree, origin, &key, value)?;
        }
        let intended_batch = tree.pointer("/optim/batch_size").and_then(Value::as_u64).unwrap_or_default() as usize;
        for assignment in assignments {
            let (key, value) =
                assignment.split_once('=').ok_or_else(|| SettingsError::Assignment(assignment.clone()))?;
            assign(&mut tree, "--set", key.trim(), parse_value(value.trim()))?;
        }
        let run = tree.as_object_mut().and_then(|sections| sections.remove("run")).unwrap_or_default();
        let settings = Self { config: typed(tree, "")?, run: typed(run, "run.")?, intended_batch };
        settings.config.validate()?;
        settings.validate_run()?;
        Ok(settings)
    }

    fn validate_run(&self) -> Result<(), ConfigError> {
        let invalid = |key, value: String, problem: &str| Err(ConfigError { key, value, problem: problem.to_owned() });
        let run = &self.run;
        if run.log_every == 0 {
            return invalid("run.log_every", "0".into(), "must be at least 1");
        }
        // A hundred years are more than any clock here can add up.
        for (key, value) in [
            ("run.save_every", run.save_every),
            ("run.save_patience", run.save_patience),
            ("run.max_hours", run.max_hours),
        ] {
            if !(0.0..=876_600.0).contains(&value) {
                return invalid(key, value.to_string(), "must lie between 0 and 876600");
            }
        }
        if !(1.0..=4.0).contains(&run.eval_resize) {
            return invalid("run.eval_resize", run.eval_resize.to_string(), "must lie between 1 and 4");
        }
        if !(0.0..=1.0).contains(&run.max_unreadable) {
            return invalid("run.max_unreadable", run.max_unreadable.to_string(), "must lie between 0 and 1");
        }
        Ok(())
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
            let dotted = |key: &String| if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            table.iter().flat_map(|(key, value)| leaves(&dotted(key), value)).collect()
        }
        leaf => vec![(prefix.to_owned(), serde_json::to_value(leaf).unwrap_or_default())],
    }
}

/// Replaces the default at `key`, which must be a setting, by `value`.
fn assign(tree: &mut Value, origin: &str, key: &str, value: Value) -> Result<(), SettingsError> {
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
            Err(SettingsError::Unknown { origin: origin.to_owned(), key: key.to_owned(), hint })
        }
    }
}

fn collect_keys(prefix: &str, value: &Value, keys: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let dotted = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                collect_keys(&dotted, value, keys);
            }
        }
        _ => keys.push(prefix.to_owned()),
    }
}

/// `; did you mean ...?` for the known name closest to `name`, comparing without section too.
fn suggestion<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
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
    let parsed = format!("value = {text}").parse::<toml::Table>().ok().and_then(|mut table| table.remove("value"));
    parsed.and_then(|value| serde_json::to_value(value).ok()).unwrap_or_else(|| Value::String(text.to_owned()))
}

fn typed<T: serde::de::DeserializeOwned>(value: Value, prefix: &str) -> Result<T, SettingsError> {
    serde_path_to_error::deserialize(value).map_err(|error| SettingsError::Type {
        key: format!("{prefix}{}", error.path()),
        problem: error.inner().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(assignment: &str) -> String {
        Settings::from_recipe("cpu-quick", &[assignment.to_owned()]).expect_err("a mistake").to_string()
    }

    #[test]
    fn every_recipe_is_valid_and_survives_being_saved() {
        for (name, _) in RECIPES {
            let settings = Settings::from_recipe(name, &[]).unwrap_or_else(|error| panic!("{name}: {error}"));
            let again = Settings::from_text(name, &settings.to_toml(), &[]).expect("its own TOML");
            assert_eq!(settings, again, "{name}");
        }
    }

    #[test]
    fn assignments_override_the_recipe() {
        let set = ["optim.epochs=3".to_owned(), "model.dim = 48".into(), "mask.pred_shape=rand".into()];
        let settings = Settings::from_recipe("cpu-quick", &set).expect("valid");
        assert_eq!(settings.config.optim.epochs, 3);
        assert_eq!(settings.config.vit().dim, 48);
        assert_eq!(settings.config.mask.pred_shape, ibot_core::masking::PredShape::Rand);
    }

    #[test]
    fn a_batch_is_cut_into_parts_of_about_the_micro_batch() {
        let parts =
            |shards, micro_batch, batch| RunSettings { shards, micro_batch, ..RunSettings::default() }.parts(batch);
        assert_eq!((parts(2, 4, 32), parts(2, 16, 32), parts(2, 0, 32)), (8, 2, 2));
        assert_eq!((parts(2, 1, 5), parts(8, 1, 4), parts(1, 3, 10), parts(0, 0, 1)), (5, 4, 4, 1));
        let mut settings = Settings::from_recipe("vit-small-imagenet", &[]).expect("a recipe");
        settings.run.resolve(&settings.config, true, 2);
        assert_eq!((settings.run.shards, settings.run.micro_batch), (2, 1), "2 * 197 + 10 * 37 = 764 tokens an image");
        let mut settings = Settings::from_recipe("vit-small-imagenet", &[]).expect("a recipe");
        settings.run.resolve(&settings.config, false, 2);
        assert_eq!((settings.run.shards, settings.run.micro_batch), (1, 1024));
    }

    #[test]
    fn mistakes_are_named_with_a_suggestion() {
        assert!(error("optim.epoch=3").contains("did you mean `optim.epochs`"), "{}", error("optim.epoch=3"));
        assert!(error("lr=3").contains("did you mean `optim.lr`"), "{}", error("lr=3"));
        assert!(error("optim=3").contains("no setting `optim`"));
        assert!(error("optim.epochs").contains("section.key=value"));
        assert!(error("optim.epochs=many").contains("optim.epochs"), "{}", error("optim.epochs=many"));
        assert!(error("run.seed=-1").contains("run.seed"), "{}", error("run.seed=-1"));
        assert!(error("mask.pred_shape=circle").contains("mask.pred_shape"));
        assert!(error("run.max_hours=-1").contains("run.max_hours"), "{}", error("run.max_hours=-1"));
        assert!(error("crops.local_size=7").contains("multiple of the patch"));
        let unknown = Settings::from_recipe("cpu-quik", &[]).expect_err("a typo").to_string();
        assert!(unknown.contains("did you mean `cpu-quick`"), "{unknown}");
    }
}
