//! The report on a suite.

use super::charts::charts;
use super::command_line::{CommandInputs, command_line};
use super::config::{SuiteConfig, SuiteEntry};
use super::outcome::{Finding, Outcome, SuiteOutcome};
use super::sentence::{Comparison, sentence};
use super::title::title;
use crate::eval::{chance, measure_title, shown};
use crate::report::curves::Chart;
use crate::report::document::{Document, Element, ReportPicture, TextTable};

const INTRODUCTION: &str = "The network is frozen: nothing below trains it further. Each evaluation reads its features and \
    measures what a simple reader can do with them. A number says little alone. Beside it stand, where they were asked \
    for, plain pixels (no network at all), the same network with random weights (what training added), and chance (a \
    reader that guesses).";

/// What the report is made of.
pub struct SuiteReport<'a> {
    pub suite: &'a SuiteConfig,
    /// The model, then what it is compared with.
    pub subjects: &'a [SuiteOutcome],
    pub inputs: &'a CommandInputs,
    /// What was evaluated on what: names and values.
    pub facts: &'a [(String, String)],
    /// Number of classes; 0 without labels.
    pub classes: usize,
    /// The training curves of the run, if the model is one.
    pub training: &'a [Chart],
    pub pictures: &'a [ReportPicture],
    /// Parts of the report that could not be made, each with the reason.
    pub problems: &'a [String],
}

pub fn document(report: &SuiteReport) -> Document {
    let mut elements = vec![Element::Text(INTRODUCTION.to_owned()), report.facts()];
    elements.push(Element::Heading("At a glance".to_owned()));
    elements.push(report.overview());
    elements.extend(report.failures());
    for index in 0..report.suite.entries.len() {
        elements.extend(report.section(index));
    }

    if !report.training.is_empty() {
        elements.push(Element::Heading("Training".to_owned()));
        elements.push(Element::Charts(report.training.to_vec()));
    }
    if !report.pictures.is_empty() {
        elements.push(Element::Heading("What the patches know".to_owned()));
        for picture in report.pictures {
            elements.push(Element::Picture(picture.clone()));
        }
    }
    Document {
        title: format!("Evaluation of {}", report.inputs.model),
        elements,
    }
}

impl SuiteReport<'_> {
    fn facts(&self) -> Element {
        let mut table = TextTable::new(2, &["input".to_owned(), "value".to_owned()]);
        for (name, value) in self.facts {
            table.rows.push(vec![name.clone(), value.clone()]);
        }
        Element::Table(table)
    }

    /// The figure that each evaluation is quoted by.
    fn overview(&self) -> Element {
        let mut names = vec!["evaluation".to_owned(), "measure".to_owned()];
        names.extend(self.columns());
        names.push("minutes".to_owned());

        let mut table = TextTable::new(2, &names);
        for (index, entry) in self.suite.entries.iter().enumerate() {
            let task = entry.evaluation.task();
            let Some(finding) = self.first_finding(index) else {
                continue;
            };
            let Some(measure) = task.headline(&finding.measures) else {
                continue;
            };
            let mut row = vec![title(self.suite, entry), measure_title(task, measure)];
            row.extend(self.cells(index, measure));
            row.push(self.minutes(index));
            table.rows.push(row);
        }
        Element::Table(table)
    }

    fn failures(&self) -> Vec<Element> {
        let mut elements = Vec::new();
        let mut left_out = Vec::new();
        for (index, entry) in self.suite.entries.iter().enumerate() {
            let called = title(self.suite, entry);
            for (number, subject) in self.subjects.iter().enumerate() {
                let name = &subject.subject;
                match &subject.outcomes[index] {
                    // Of the model itself a failure stands out.
                    Outcome::Failed(reason) if number == 0 => {
                        let text = format!("{called} of the {name} failed: {reason}");
                        elements.push(Element::Problem(text));
                    }
                    // Pixels have no tokens; what they cannot give is no mistake.
                    Outcome::Failed(reason) => {
                        let text = format!("{called} has no figure for {name}: {reason}.");
                        left_out.push(text);
                    }
                    Outcome::LeftOut(reason) => {
                        left_out.push(format!("{called} is left out for the {name}: {reason}."));
                    }
                    Outcome::Found(_) => {}
                }
            }
        }

        for problem in self.problems {
            elements.push(Element::Problem(problem.clone()));
        }
        elements.extend(left_out.into_iter().map(Element::Text));
        elements
    }

    /// All figures of an evaluation, what they mean, and how to get them again.
    fn section(&self, index: usize) -> Vec<Element> {
        let entry = &self.suite.entries[index];
        let Some(finding) = self.first_finding(index) else {
            return Vec::new();
        };
        let task = entry.evaluation.task();

        let mut elements = vec![
            Element::Heading(title(self.suite, entry)),
            Element::Text(format!("{}. Paper: {}.", about(entry), task.paper())),
        ];
        if !task.meaning().is_empty() {
            elements.push(Element::Text(task.meaning().to_owned()));
        }
        if let Some(sentence) = self.sentence(index, entry) {
            elements.push(Element::Text(sentence));
        }
        elements.push(self.figures(index, finding));
        let charts = charts(task, index, self.subjects, self.classes);
        if !charts.is_empty() {
            elements.push(Element::Charts(charts));
        }
        elements.push(Element::Text(self.effort(index, finding)));
        elements.push(Element::Command(command_line(entry, self.inputs)));
        elements
    }

    fn sentence(&self, index: usize, entry: &SuiteEntry) -> Option<String> {
        let task = entry.evaluation.task();
        let model = self.subjects.first()?.outcomes[index].finding()?;
        let measure = task.headline(&model.measures)?;

        let mut others = Vec::new();
        for subject in self.subjects.iter().skip(1) {
            let finding = subject.outcomes[index].finding();
            if let Some(value) = finding.and_then(|finding| finding.measures.get(measure)) {
                others.push(Comparison {
                    name: subject.subject.clone(),
                    value,
                });
            }
        }
        if let Some(value) = chance(measure, self.classes) {
            others.push(Comparison {
                name: "chance".to_owned(),
                value,
            });
        }
        sentence(task, measure, model.measures.get(measure)?, &others)
    }

    fn figures(&self, index: usize, finding: &Finding) -> Element {
        let mut names = vec!["measure".to_owned()];
        names.extend(self.columns());
        let mut table = TextTable::new(1, &names);
        for (measure, _) in finding.measures.iter() {
            let mut row = vec![measure.to_owned()];
            row.extend(self.cells(index, measure));
            table.rows.push(row);
        }
        Element::Table(table)
    }

    fn effort(&self, index: usize, finding: &Finding) -> String {
        let mut images = Vec::new();
        for (role, count) in &finding.images {
            images.push(format!("{count} images as {role}"));
        }
        let size = finding.view.size;
        let (minutes, encoded) = (self.minutes(index), finding.encoded);
        let pass = match encoded {
            0 => "all features were there from evaluations before it".to_owned(),
            encoded => format!("{encoded} images went through the network for it"),
        };
        format!(
            "{}, seen at {size} x {size} pixels; {minutes} minutes; {pass}.",
            images.join(", ")
        )
    }

    /// The columns of figures: every subject, and chance.
    fn columns(&self) -> Vec<String> {
        let subjects = self.subjects.iter().map(|subject| subject.subject.clone());
        let mut columns: Vec<String> = subjects.collect();
        if self.classes > 0 {
            columns.push("chance".to_owned());
        }
        columns
    }

    /// The values of a measure in these columns.
    fn cells(&self, index: usize, measure: &str) -> Vec<String> {
        let task = self.suite.entries[index].evaluation.task();
        let mut cells = Vec::new();
        for subject in self.subjects {
            let finding = subject.outcomes[index].finding();
            let value = finding.and_then(|finding| finding.measures.get(measure));
            cells.push(value.map_or(String::new(), |value| shown(Some(task), measure, value)));
        }

        if self.classes > 0 {
            let guess = chance(measure, self.classes);
            cells.push(guess.map_or(String::new(), |value| shown(Some(task), measure, value)));
        }
        cells
    }

    /// The finding of the first subject that has one.
    fn first_finding(&self, index: usize) -> Option<&Finding> {
        let mut findings = self
            .subjects
            .iter()
            .map(|subject| subject.outcomes[index].finding());
        findings.find_map(|finding| finding)
    }

    fn minutes(&self, index: usize) -> String {
        let seconds = self.first_finding(index).map(|finding| finding.seconds);
        seconds.map_or(String::new(), |seconds| format!("{:.2}", seconds / 60.0))
    }
}

/// What the evaluation does, without the part of the paper, which stands behind it.
fn about(entry: &SuiteEntry) -> String {
    let about = entry.evaluation.about();
    let end = about.find(" (").unwrap_or(about.len());
    about[..end].to_owned()
}
