//! The confusion matrix as a table.

use web_sys::HtmlElement;

use super::state::TuneState;
use crate::page::dom;
use crate::page::problem::PageError;

/// A row for each true class with its counts and its recall. Nothing if there are no labels.
pub fn show(state: &TuneState) -> Result<(), PageError> {
    let place: HtmlElement = dom::by_id("tune-confusion")?;
    place.set_text_content(None);
    let Some(outcome) = &state.outcome else {
        return Ok(());
    };
    if outcome.accuracy.is_none() {
        return Ok(());
    }

    let classes = outcome.confusion.len().isqrt();
    let table: HtmlElement = dom::create("table", "")?;
    let caption = "Validation images: true class by row, found class by column";
    dom::append::<HtmlElement>(&table, "caption", "hint", caption)?;
    add_head(&table, state, classes)?;

    let rows = outcome.confusion.chunks_exact(classes.max(1));
    for (class, counts) in rows.enumerate() {
        add_row(&table, name_of(state, class), class, counts)?;
    }
    place.append_child(&table)?;
    Ok(())
}

fn name_of(state: &TuneState, class: usize) -> &str {
    state.classes.get(class).map_or("", String::as_str)
}

fn add_head(table: &HtmlElement, state: &TuneState, classes: usize) -> Result<(), PageError> {
    let row: HtmlElement = dom::append(table, "tr", "", "")?;
    dom::append::<HtmlElement>(&row, "td", "", "")?;
    for class in 0..classes {
        add_header(&row, "col", name_of(state, class))?;
    }
    add_header(&row, "col", "recall")
}

fn add_row(
    table: &HtmlElement,
    name: &str,
    class: usize,
    counts: &[usize],
) -> Result<(), PageError> {
    let row: HtmlElement = dom::append(table, "tr", "", "")?;
    add_header(&row, "row", name)?;

    let total: usize = counts.iter().sum();
    for count in counts {
        // The larger the share of its row, the stronger the color.
        let share = *count as f64 / total.max(1) as f64;
        // 60 % at most, so that the number stays readable.
        let color = format!(
            "color-mix(in srgb, var(--accent) {:.0}%, transparent)",
            60.0 * share
        );
        let cell: HtmlElement = dom::append(&row, "td", "", &count.to_string())?;
        cell.style().set_property("background", &color)?;
    }

    let recall = match total {
        0 => "–".to_owned(),
        _ => format!("{:.0} %", 100.0 * counts[class] as f64 / total as f64),
    };
    dom::append::<HtmlElement>(&row, "td", "recall", &recall)?;
    Ok(())
}

fn add_header(row: &HtmlElement, scope: &str, text: &str) -> Result<(), PageError> {
    let header: HtmlElement = dom::append(row, "th", "", text)?;
    Ok(header.set_attribute("scope", scope)?)
}
