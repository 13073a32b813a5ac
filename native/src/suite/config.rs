//! Which evaluations a suite consists of.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::eval::Evaluation;
use crate::features::EvalView;

const DEFAULT: &str = include_str!("default.toml");

/// The evaluations of a suite.
#[derive(Clone, Debug, PartialEq)]
pub struct SuiteConfig {
    pub entries: Vec<SuiteEntry>,
}

/// An evaluation of a suite: an entry of `[[eval]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct SuiteEntry {
    pub evaluation: Evaluation,
    /// Side of the central crop in pixels; the default is that of the suite.
    pub size: Option<usize>,
    /// Side to which an image is resized before the crop, divided by `size`; the default is that of
    /// the model.
    pub resize: Option<f64>,
}

#[derive(Deserialize)]
struct ViewSettings {
    size: Option<usize>,
    resize: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SuiteFile {
    eval: Vec<Map<String, Value>>,
}

impl SuiteConfig {
    /// The suite of a file, or the usual one.
    pub fn read(file: Option<&Path>) -> Result<Self> {
        let Some(file) = file else {
            return Self::parse(DEFAULT);
        };
        let shown = file.display();
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
        Self::parse(&text).with_context(|| format!("suite {shown}"))
    }

    fn parse(text: &str) -> Result<Self> {
        let file: SuiteFile = toml::from_str(text)?;
        ensure!(
            !file.eval.is_empty(),
            "there is no evaluation: add an entry [[eval]] with a kind, such as \"knn\""
        );

        let mut entries = Vec::with_capacity(file.eval.len());
        for (index, entry) in file.eval.into_iter().enumerate() {
            let number = index + 1;
            entries.push(SuiteEntry::parse(entry).with_context(|| format!("entry {number}"))?);
        }
        Ok(Self { entries })
    }
}

impl SuiteEntry {
    fn parse(mut entry: Map<String, Value>) -> Result<Self> {
        let mut view = Map::new();
        // Taken out first: settings of evaluations refuse keys that they do not know.
        for key in ["size", "resize"] {
            if let Some(value) = entry.remove(key) {
                view.insert(key.to_owned(), value);
            }
        }
        let view: ViewSettings = serde_json::from_value(Value::Object(view))?;
        if let Some(resize) = view.resize
            && !EvalView::RESIZE_RATIOS.contains(&resize)
        {
            bail!("resize = {resize} is not between 1 and 4");
        }

        Ok(Self {
            evaluation: serde_json::from_value(Value::Object(entry))?,
            size: view.size,
            resize: view.resize,
        })
    }

    /// How the evaluation sees images, where `usual` is the view of the suite.
    pub fn view(&self, usual: EvalView) -> EvalView {
        usual.with(self.size, self.resize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_settings_and_a_view() {
        let suite = SuiteConfig::read(None).expect("the usual suite");
        assert!(
            suite
                .entries
                .iter()
                .any(|entry| entry.evaluation.task().name() == "knn")
        );

        let text = "[[eval]]\nkind = \"knn\"\nbank = 7\nsize = 64\nresize = 1.5";
        let entry = &SuiteConfig::parse(text).expect("a suite").entries[0];
        let usual = EvalView {
            size: 32,
            resize_ratio: 1.0,
        };
        assert_eq!(
            (entry.view(usual).size, entry.view(usual).resize_ratio),
            (64, 1.5)
        );
    }

    #[test]
    fn a_wrong_entry_is_named() {
        for (text, words) in [
            ("", "eval"),
            ("eval = []", "there is no evaluation"),
            (
                "[[eval]]\nkind = \"knn\"\n[[eval]]\nkind = \"ken\"",
                "entry 2",
            ),
            ("[[eval]]\nkind = \"knn\"\nbanc = 1", "banc"),
            ("[[eval]]\nkind = \"knn\"\nresize = 0.5", "resize = 0.5"),
        ] {
            let error = SuiteConfig::parse(text).expect_err(text);
            let error = format!("{error:#}");
            assert!(error.contains(words), "{error}");
        }
    }
}
