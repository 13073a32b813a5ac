//! Why settings cannot be used.

use std::fmt;

use ibot_core::problems::Problems;

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("there is no recipe `{name}`{hint}\nrecipes: {known}")]
    Recipe {
        name: String,
        /// A suggestion, or nothing.
        hint: String,
        known: String,
    },
    #[error("cannot read the settings in {path}: {error}")]
    Read { path: String, error: std::io::Error },
    #[error("{origin} is not valid TOML: {error}")]
    Syntax {
        /// The file or the recipe.
        origin: String,
        error: Box<toml::de::Error>,
    },
    #[error("{0}")]
    Assignments(Assignments),
    #[error("{}", numbered(.0))]
    Values(Problems),
}

#[derive(Debug)]
pub struct Assignments(pub Vec<WrongAssignment>);

#[derive(Debug, thiserror::Error)]
pub enum WrongAssignment {
    #[error("`--set {0}` needs the form section.key=value, for example --set optim.epochs=10")]
    Form(String),
    #[error("{origin}: there is no setting `{key}`{hint}")]
    Unknown {
        /// The file or option that has the key.
        origin: String,
        key: String,
        /// A suggestion, or nothing.
        hint: String,
    },
    #[error("setting `{key}`: {problem}")]
    Type { key: String, problem: String },
}

impl fmt::Display for Assignments {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (i, wrong) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{wrong}")?;
        }
        Ok(())
    }
}

fn numbered(problems: &Problems) -> String {
    let lines = problems
        .found()
        .iter()
        .map(|found| format!("setting {found}"));
    lines.collect::<Vec<_>>().join("\n")
}
