//! All evaluations that the data allow, one after another on the same features, and the report on
//! what they found.

mod charts;
mod command_line;
mod config;
mod outcome;
mod report;
mod run;
mod sentence;
mod title;
mod training;

pub use self::command_line::CommandInputs;
pub use self::config::{SuiteConfig, SuiteEntry};
pub use self::outcome::{Finding, Outcome, SuiteOutcome, outcome_line};
pub use self::report::{SuiteReport, document};
pub use self::run::{SuiteSubject, evaluate};
pub use self::training::training_charts;
