//! Settings of a run: those of a recipe or a file, then `--set key=value`, then the options of the
//! command line.

mod assign;
mod error;
mod recipe;
mod run;
mod suggest;
mod train_config;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use ibot_core::finetune::config::FinetuneConfig;
use ibot_core::pretrain::config::Config;
use ibot_core::problems::Problems;
use ibot_core::weights::ModelHeader;
use serde::Serialize;

use self::assign::Draft;
pub use self::error::SettingsError;
pub use self::recipe::{FINETUNE_RECIPES, RECIPES};
pub use self::run::{RunSettings, student_tokens};
pub use self::train_config::TrainConfig;
use crate::eval::ScheduledEval;

/// The settings of a run of pre-training.
pub type Settings = SettingsOf<Config>;

/// The settings of a run of fine-tuning.
pub type FinetuneSettings = SettingsOf<FinetuneConfig>;

/// The settings of a run of any kind.
pub enum AnySettings {
    Pretrain(Box<Settings>),
    Finetune(Box<FinetuneSettings>),
}

impl AnySettings {
    /// The command that continues such a run.
    pub fn command(&self) -> &'static str {
        match self {
            Self::Pretrain(_) => Config::COMMAND,
            Self::Finetune(_) => FinetuneConfig::COMMAND,
        }
    }

    /// The settings in a file, which are those of the kind that has all of its keys.
    ///
    /// # Errors
    /// If it cannot be read, or has keys of neither kind; then as settings of pre-training.
    pub fn read(file: &Path) -> Result<Self, SettingsError> {
        let error = match Settings::read(Source::File(file), &[]) {
            Ok(settings) => return Ok(Self::Pretrain(Box::new(settings))),
            Err(error) => error,
        };
        match FinetuneSettings::read(Source::File(file), &[]) {
            Ok(settings) => Ok(Self::Finetune(Box::new(settings))),
            Err(_) => Err(error),
        }
    }
}

/// The settings of a run that trains what `C` describes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SettingsOf<C> {
    #[serde(flatten)]
    pub config: C,
    pub run: RunSettings,
    /// The evaluations between its epochs.
    pub eval: Vec<ScheduledEval>,
    /// The batch that the recipe or file was made for, before anything was set.
    #[serde(skip)]
    pub intended_batch: usize,
}

/// Where settings start from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// The name of a recipe inside the binary.
    Recipe(&'a str),
    /// A TOML file; a setting that it leaves out has its default.
    File(&'a Path),
}

impl<C: TrainConfig> SettingsOf<C> {
    /// The settings of `source`, changed by `assignments` (`section.key=value`). Keys and types
    /// are right then; [`check`](Self::check) is still to look at the values.
    pub fn read(source: Source, assignments: &[String]) -> Result<Self, SettingsError> {
        let mut draft = Draft::<C>::new();
        match source {
            Source::Recipe(name) => {
                draft.assign_text(&format!("recipe {name}"), recipe::text(name, C::RECIPES)?)?;
            }
            Source::File(path) => {
                let text = fs::read_to_string(path).map_err(|error| SettingsError::Read {
                    path: path.display().to_string(),
                    error,
                })?;
                draft.assign_text(&path.display().to_string(), &text)?;
            }
        }
        let intended_batch = draft.config.batch_size();

        for assignment in assignments {
            draft.assign_pair(assignment);
        }
        draft.check()?;
        Ok(Self {
            config: draft.config,
            run: draft.run,
            eval: draft.eval,
            intended_batch,
        })
    }

    pub fn check(&self) -> Result<(), SettingsError> {
        let mut problems = Problems::default();
        self.config.check(&mut problems);
        self.run.check(problems.section("run"));
        for eval in &self.eval {
            eval.check(problems.section("eval"));
        }
        problems.into_result().map_err(SettingsError::Values)
    }

    /// Settings of a recipe that are ready for use.
    pub fn from_recipe(name: &str, assignments: &[String]) -> Result<Self, SettingsError> {
        let settings = Self::read(Source::Recipe(name), assignments)?;
        settings.check()?;
        Ok(settings)
    }

    /// Settings of a file that are ready for use.
    pub fn from_file(path: &Path, assignments: &[String]) -> Result<Self, SettingsError> {
        let settings = Self::read(Source::File(path), assignments)?;
        settings.check()?;
        Ok(settings)
    }

    /// Side to which images are resized before the central crop of an evaluation, divided by the
    /// side of the crop: that of the first evaluation that has one.
    pub fn eval_resize(&self) -> f64 {
        let ratio = self.eval.iter().find_map(|eval| eval.resize);
        ratio.unwrap_or(ModelHeader::USUAL_RESIZE)
    }

    /// A number that two workers share only if they compute the same steps over as many images of
    /// the same classes.
    pub fn fingerprint(&self, images: usize, classes: &[String]) -> u32 {
        // The text that config.toml has, without settings that may differ between workers, such as
        // their threads. Plain structs always have a TOML form.
        let mut identity = toml::to_string(&self.config).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(identity, "run.seed = {}", self.run.seed);
        let _ = writeln!(identity, "run.exchange_f16 = {}", self.run.exchange_f16);
        let _ = writeln!(identity, "images = {images}");
        let _ = writeln!(identity, "classes = {classes:?}");
        crc32fast::hash(identity.as_bytes())
    }

    /// The settings as TOML; reading it back gives the same settings.
    pub fn to_toml(&self) -> String {
        // Plain structs of numbers, texts and lists always have a TOML form.
        toml::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
