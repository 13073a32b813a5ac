//! One run of the list, read from its files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::Value;

use super::best::{BestFigures, add_records, add_results};
use super::flat::flat_settings;
use crate::eval::RESULTS_FILE;
use crate::run::record::{Record, parse_records};
use crate::run::run_dir::{CONFIG_FILE, METRICS_FILE, STATUS_FILE, may_be_in_use};
use crate::run::state::RunState;
use crate::run::status::Status;
use crate::settings::AnySettings;

/// What a run is doing, as far as its files tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ListedState {
    Running,
    /// Its status says that it runs, but no process trains it.
    Killed,
    Complete,
    Interrupted,
    Failed,
    /// It has no readable status.
    Unknown,
}

#[derive(Debug, Serialize)]
pub struct ListedRun {
    pub run: PathBuf,
    pub state: ListedState,
    /// Steps done.
    pub step: usize,
    /// Steps of the run; `None` if it is not known.
    pub total: Option<usize>,
    /// Epochs done.
    pub epoch: usize,
    /// Loss of the newest step, in nats.
    pub loss: Option<f64>,
    /// The newest warning, or why the run ended.
    pub message: String,
    /// Settings by their keys; in a list only those in which the runs differ.
    pub settings: Vec<(String, Value)>,
    pub best: BestFigures,
    /// What could not be read.
    pub problems: Vec<String>,
}

impl ListedRun {
    /// Reads what there is in the folder `run`; what is missing or damaged is among the problems.
    pub fn read(run: &Path) -> Self {
        let mut listed = Self {
            run: run.to_owned(),
            state: ListedState::Unknown,
            step: 0,
            total: None,
            epoch: 0,
            loss: None,
            message: String::new(),
            settings: Vec::new(),
            best: BestFigures::default(),
            problems: Vec::new(),
        };

        listed.read_metrics();
        listed.read_results();
        // After the metrics, whose last step the status replaces.
        listed.read_status();
        match AnySettings::read(&run.join(CONFIG_FILE)) {
            Ok(AnySettings::Pretrain(settings)) => listed.settings = flat_settings(&*settings),
            Ok(AnySettings::Finetune(settings)) => listed.settings = flat_settings(&*settings),
            Err(error) => listed.add_problem(&error.to_string()),
        }
        listed
    }

    fn read_status(&mut self) {
        let status = match status_of(&self.run) {
            Ok(status) => status,
            Err(error) => return self.add_problem(&format!("{error:#}")),
        };
        self.state = match status.state {
            RunState::Running if may_be_in_use(&self.run) => ListedState::Running,
            RunState::Running => ListedState::Killed,
            RunState::Complete => ListedState::Complete,
            RunState::Interrupted => ListedState::Interrupted,
            RunState::Failed => ListedState::Failed,
        };
        self.step = status.step;
        self.total = Some(status.total);
        self.epoch = status.epoch;
        self.loss = status.loss;
        self.message = one_line(&status.message);
    }

    fn read_metrics(&mut self) {
        let Some(text) = self.text_of(METRICS_FILE) else {
            return;
        };
        let parsed = parse_records(&text);
        if parsed.damaged > 0 {
            let lines = parsed.damaged;
            self.add_problem(&format!("{METRICS_FILE}: {lines} damaged lines left out"));
        }
        self.step = parsed.records.iter().map(Record::step).max().unwrap_or(0);
        add_records(&mut self.best, &parsed.records);
    }

    fn read_results(&mut self) {
        let Some(text) = self.text_of(RESULTS_FILE) else {
            return;
        };
        let damaged = add_results(&mut self.best, &text);
        if damaged > 0 {
            self.add_problem(&format!("{RESULTS_FILE}: {damaged} damaged lines left out"));
        }
    }

    fn text_of(&mut self, name: &str) -> Option<String> {
        match fs::read(self.run.join(name)) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            // A new run has none yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.add_problem(&format!("{name}: {error}"));
                None
            }
        }
    }

    fn add_problem(&mut self, problem: &str) {
        self.problems.push(one_line(problem));
    }
}

fn status_of(run: &Path) -> Result<Status> {
    let bytes = fs::read(run.join(STATUS_FILE)).context(STATUS_FILE)?;
    serde_json::from_slice(&bytes).context(STATUS_FILE)
}

fn one_line(message: &str) -> String {
    let lines: Vec<&str> = message.lines().map(str::trim).collect();
    lines.join(" ")
}
