//! The lesson's progress and its outcome.

use web_sys::{
    HtmlButtonElement, HtmlElement, HtmlInputElement, HtmlProgressElement, HtmlSelectElement,
};

use super::state::{LessonPhase, TuneState};
use super::{confusion, plot};
use crate::page::dom;
use crate::page::problem::PageError;
use ibot_web::protocol::{Lesson, LessonResult, TuneMode};

/// Shows the lesson. `asked` is the one in the form; without a model (`ready`) nothing can be
/// learned.
pub fn show(state: &TuneState, asked: &Lesson, ready: bool) -> Result<(), PageError> {
    show_buttons(state, asked, ready)?;
    show_progress(state)?;
    show_result(state)?;

    // The axis has its full length from the start.
    let total = state.lesson.as_ref().unwrap_or(asked).steps;
    plot::curves(&dom::by_id("tune-curve")?, &state.steps, total)?;
    confusion::show(state)
}

fn show_buttons(state: &TuneState, asked: &Lesson, ready: bool) -> Result<(), PageError> {
    let running = state.phase == LessonPhase::Running;
    let goes_on = state.can_continue(asked);

    let train: HtmlButtonElement = dom::by_id("tune-train")?;
    train.set_disabled(running || !ready || state.images.is_empty());
    train.set_text_content(Some(if goes_on { "Continue" } else { "Train" }));
    dom::by_id::<HtmlButtonElement>("tune-stop")?.set_disabled(!running);
    dom::by_id::<HtmlButtonElement>("tune-restart")?.set_hidden(!goes_on);

    dom::by_id::<HtmlSelectElement>("tune-mode")?.set_disabled(running);
    let steps: HtmlInputElement = dom::by_id("tune-steps")?;
    steps.set_disabled(running || asked.mode == TuneMode::Knn);

    let export: HtmlButtonElement = dom::by_id("tune-export")?;
    export.set_disabled(state.classes.is_empty() || !ready);
    // k-NN learns no weights.
    let lesson = state.lesson.as_ref();
    let weights = lesson.is_some_and(|lesson| lesson.mode != TuneMode::Knn);
    let export: HtmlButtonElement = dom::by_id("tune-export-model")?;
    export.set_disabled(!weights || state.outcome.is_none() || running);
    Ok(())
}

fn show_progress(state: &TuneState) -> Result<(), PageError> {
    let bar: HtmlProgressElement = dom::by_id("tune-progress")?;
    bar.set_hidden(state.phase != LessonPhase::Running);
    if let Some(lesson) = &state.lesson {
        let taken = state.steps.last().map_or(0, |step| step.number);
        bar.set_value(taken as f64 / lesson.steps as f64);
    }
    Ok(())
}

fn show_result(state: &TuneState) -> Result<(), PageError> {
    let running = state.phase == LessonPhase::Running;
    let text = match (running, state.steps.last(), &state.outcome) {
        (true, Some(step), _) => format!("Step {}: loss {:.3}", step.number, step.loss),
        (true, None, _) => "Starting…".to_owned(),
        (false, _, Some(outcome)) => describe(outcome),
        (false, _, None) => String::new(),
    };

    // Screen readers read out every change: steps are too many for that, and a text that stays the
    // same must not be set again.
    let result: HtmlElement = dom::by_id("tune-result")?;
    result.set_attribute("aria-live", if running { "off" } else { "polite" })?;
    if result.text_content().as_deref() != Some(&text) {
        result.set_text_content(Some(&text));
    }
    Ok(())
}

fn describe(outcome: &LessonResult) -> String {
    let images = outcome.images;
    let mut text = match outcome.accuracy {
        Some(accuracy) => format!("Validation accuracy {} ({images} images", percent(accuracy)),
        None => format!("Learned from unlabelled images ({images} put aside"),
    };
    if let Some((share, how)) = &outcome.before {
        text += &format!("; {how}: {}", percent(*share));
    }
    text += ").";

    if outcome.step > 0 {
        text += &format!(" {} steps", outcome.step);
        // A lesson out of a file took its time in another session.
        if outcome.seconds > 0.0 {
            text += &format!(" in {:.2} s", outcome.seconds);
        }
        text += if outcome.complete { "." } else { ", stopped." };
    }
    text
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
