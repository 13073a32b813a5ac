//! Carries out a suite.

use std::time::Instant;

use anyhow::Result;
use ibot_core::features::Readout;
use ibot_core::model::Head;

use super::config::{SuiteConfig, SuiteEntry};
use super::outcome::{Finding, Outcome, SuiteOutcome};
use crate::data::Dataset;
use crate::eval::Subject;
use crate::features::{EvalView, FeatureStore};
use crate::linear_head::LinearHeads;
use crate::run::panics::catch_panic;

/// What a suite evaluates.
pub struct SuiteSubject<'a> {
    /// Such as `model` or `pixels`.
    pub name: &'a str,
    /// Whether a network reads the images, or they are taken as they are.
    pub has_network: bool,
    /// The projection head of the network, where it is known.
    pub head: Option<&'a Head>,
    /// The linear heads that fit the network, where they are known.
    pub linear_heads: Option<&'a LinearHeads>,
    /// How images are seen unless an entry says otherwise.
    pub view: EvalView,
    pub data: &'a Dataset,
    /// Images to evaluate, where these are another set than those to learn from.
    pub val: Option<&'a Dataset>,
}

/// Carries out one evaluation after another. Those that see images in the same way share one pass:
/// `open` makes a store for a view, in which all that they read is planned. An evaluation that
/// fails loses no other; `done` gets each outcome at once.
pub fn evaluate(
    suite: &SuiteConfig,
    subject: &SuiteSubject,
    open: &dyn Fn(EvalView) -> Result<FeatureStore>,
    done: &mut dyn FnMut(&SuiteEntry, &Outcome) -> Result<()>,
) -> Result<SuiteOutcome> {
    let mut stores: Vec<FeatureStore> = Vec::new();
    let mut outcomes = Vec::with_capacity(suite.entries.len());
    for entry in &suite.entries {
        let outcome = match obstacle(entry, subject) {
            Some(reason) => Outcome::LeftOut(reason),
            None => match find(suite, entry, subject, open, &mut stores) {
                Ok(finding) => Outcome::Found(finding),
                Err(error) => Outcome::Failed(format!("{error:#}")),
            },
        };
        done(entry, &outcome)?;
        outcomes.push(outcome);
    }

    Ok(SuiteOutcome {
        subject: subject.name.to_owned(),
        outcomes,
    })
}

/// Why an evaluation cannot be carried out, as far as that is known before.
fn obstacle(entry: &SuiteEntry, subject: &SuiteSubject) -> Option<&'static str> {
    let task = entry.evaluation.task();
    if !task.suits(subject.data) {
        let lacks_masks = task.needs_pixel_labels() && subject.data.pixel_classes().is_empty();
        return Some(match subject.data.classes().is_empty() {
            _ if lacks_masks => "the pixels of the images have no labels",
            true => "the images have no labels",
            false => "the images do not have what it needs, or its settings leave none",
        });
    }

    let is_pooled = |readout: &Readout| matches!(readout, Readout::Pooled(_));
    let reads_pixels = task.readouts().iter().any(is_pooled) || task.takes_pixel_patches();
    if !subject.has_network && !reads_pixels {
        return Some("plain pixels have no patch tokens");
    }
    let lacks_head = task.needs_head() && subject.head.is_none();
    lacks_head.then_some("the model has no projection head")
}

fn find(
    suite: &SuiteConfig,
    entry: &SuiteEntry,
    subject: &SuiteSubject,
    open: &dyn Fn(EvalView) -> Result<FeatureStore>,
    stores: &mut Vec<FeatureStore>,
) -> Result<Finding> {
    let begin = Instant::now();
    let view = entry.view(subject.view);
    // A store for each view that occurs; most suites have one.
    let place = match stores.iter().position(|store| store.view() == view) {
        Some(place) => place,
        None => {
            let mut store = open(view)?;
            plan(&mut store, suite, subject);
            stores.push(store);
            stores.len() - 1
        }
    };

    let features = &stores[place];
    // The store counts over all evaluations that share it.
    let before = features.encoded();
    let evaluated = Subject {
        features,
        head: subject.head,
        linear_heads: subject.linear_heads,
        data: subject.data,
        val: subject.val,
    };
    let task = entry.evaluation.task();
    // A panic of one evaluation shall lose no other.
    let output = catch_panic(|| task.run(&evaluated))?;
    Ok(Finding {
        measures: output.measures,
        images: output.images,
        view,
        encoded: features.encoded() - before,
        seconds: begin.elapsed().as_secs_f64(),
    })
}

/// Lets a pass of `store` read what the entries with its view need.
fn plan(store: &mut FeatureStore, suite: &SuiteConfig, subject: &SuiteSubject) {
    for entry in &suite.entries {
        // What is left out would be read for nothing.
        if entry.view(subject.view) == store.view() && obstacle(entry, subject).is_none() {
            store.plan(&entry.evaluation.task().readouts());
        }
    }
}
