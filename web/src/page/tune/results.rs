//! How far a lesson is and what it came to.

use web_sys::{
    HtmlButtonElement, HtmlElement, HtmlInputElement, HtmlProgressElement, HtmlSelectElement,
};

use super::super::dom;
use super::super::problem::PageError;
use super::plot;
use super::state::{Phase, State};
use ibot_web::protocol::{Lesson, Outcome, TuneMode};

/// Shows all of it.
///
/// # Errors
/// If the page lacks a part.
pub fn show(state: &State, asked: &Lesson, ready: bool) -> Result<(), PageError> {
    let running = state.phase == Phase::Running;
    let goes_on = state.can_continue(asked);
    let train: HtmlButtonElement = dom::by_id("tune-train")?;
    train.set_disabled(running || !ready || state.images.is_empty());
    train.set_text_content(Some(if goes_on { "Continue" } else { "Train" }));
    dom::by_id::<HtmlButtonElement>("tune-stop")?.set_disabled(!running);
    dom::by_id::<HtmlButtonElement>("tune-restart")?.set_hidden(!goes_on);
    dom::by_id::<HtmlSelectElement>("tune-mode")?.set_disabled(running);
    dom::by_id::<HtmlInputElement>("tune-steps")?
        .set_disabled(running || asked.mode == TuneMode::Knn);
    dom::by_id::<HtmlButtonElement>("tune-export")?
        .set_disabled(state.classes.is_empty() || !ready);
    let weights = state
        .lesson
        .as_ref()
        .is_some_and(|lesson| lesson.mode != TuneMode::Knn);
    let model: HtmlButtonElement = dom::by_id("tune-export-model")?;
    model.set_disabled(!weights || state.outcome.is_none() || running);
    let progress: HtmlProgressElement = dom::by_id("tune-progress")?;
    let steps = state.points.last().map_or(0, |point| point.step);
    progress.set_hidden(!running);
    if let Some(lesson) = &state.lesson {
        progress.set_value(steps as f64 / lesson.steps as f64);
    }
    let result: HtmlElement = dom::by_id("tune-result")?;
    let text = match (&state.outcome, running) {
        (Some(outcome), false) => describe(outcome),
        (_, true) => match state.points.last() {
            Some(point) => format!("Step {}: loss {:.3}", point.step, point.loss),
            None => "Starting…".to_owned(),
        },
        (None, false) => String::new(),
    };
    // Steps are too many to be read out, and what was read out once is not news.
    result.set_attribute("aria-live", if running { "off" } else { "polite" })?;
    if result.text_content().as_deref() != Some(&text) {
        result.set_text_content(Some(&text));
    }
    let total = state
        .lesson
        .as_ref()
        .map_or(asked.steps, |lesson| lesson.steps);
    plot::curves(&dom::by_id("tune-curve")?, &state.points, total)?;
    confusion(state)
}

/// An outcome in words.
fn describe(outcome: &Outcome) -> String {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let found = match outcome.accuracy {
        Some(accuracy) => format!(
            "Validation accuracy {} ({} images",
            percent(accuracy),
            outcome.images
        ),
        None => format!(
            "Learned from unlabelled images ({} put aside",
            outcome.images
        ),
    };
    let before = match &outcome.before {
        Some((share, how)) => format!("; {how}: {}", percent(*share)),
        None => String::new(),
    };
    let steps = if outcome.step > 0 {
        let stopped = if outcome.done { "" } else { ", stopped" };
        match outcome.seconds {
            // Taken in an earlier session.
            0.0 => format!(" {} steps{stopped}.", outcome.step),
            seconds => format!(" {} steps in {seconds:.2} s{stopped}.", outcome.step),
        }
    } else {
        String::new()
    };
    format!("{found}{before}).{steps}")
}

/// The confusion matrix as a table: a row for each true class, and its recall.
fn confusion(state: &State) -> Result<(), PageError> {
    let place: HtmlElement = dom::by_id("tune-confusion")?;
    place.set_text_content(None);
    let Some(outcome) = state
        .outcome
        .as_ref()
        .filter(|outcome| outcome.accuracy.is_some())
    else {
        return Ok(());
    };
    let classes = outcome.confusion.len().isqrt();
    let name = |class: usize| state.classes.get(class).map_or("", String::as_str);
    let table: HtmlElement = dom::create("table", "")?;
    let cell =
        |row: &HtmlElement, kind: &'static str, text: &str| -> Result<HtmlElement, PageError> {
            let cell: HtmlElement = dom::create(kind, "")?;
            cell.set_text_content(Some(text));
            row.append_child(&cell)?;
            Ok(cell)
        };
    let header = |row: &HtmlElement, scope: &str, text: &str| -> Result<(), PageError> {
        Ok(cell(row, "th", text)?.set_attribute("scope", scope)?)
    };
    let caption: HtmlElement = dom::create("caption", "hint")?;
    caption.set_text_content(Some(
        "Validation images: true class by row, found class by column",
    ));
    table.append_child(&caption)?;
    let head: HtmlElement = dom::create("tr", "")?;
    cell(&head, "td", "")?;
    for class in 0..classes {
        header(&head, "col", name(class))?;
    }
    header(&head, "col", "recall")?;
    table.append_child(&head)?;
    for (class, counts) in outcome.confusion.chunks_exact(classes.max(1)).enumerate() {
        let row: HtmlElement = dom::create("tr", "")?;
        header(&row, "row", name(class))?;
        let total: usize = counts.iter().sum();
        for count in counts {
            let share = *count as f64 / total.max(1) as f64;
            let style = format!(
                "color-mix(in srgb, var(--accent) {:.0}%, transparent)",
                60.0 * share
            );
            cell(&row, "td", &count.to_string())?
                .style()
                .set_property("background", &style)?;
        }
        let recall = if total > 0 {
            format!("{:.0} %", 100.0 * counts[class] as f64 / total as f64)
        } else {
            "–".to_owned()
        };
        cell(&row, "td", &recall)?.set_class_name("recall");
        table.append_child(&row)?;
    }
    place.append_child(&table)?;
    Ok(())
}
