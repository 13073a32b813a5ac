//! Tabs: one part of the page at a time.

use web_sys::{Event, HtmlElement, KeyboardEvent};

use super::dom;
use super::problem::PageError;

/// Lets tabs show what they control.
///
/// # Errors
/// If the page lacks a part.
pub fn wire() -> Result<(), PageError> {
    let tabs: Vec<HtmlElement> = dom::all("[role=tab]")?;
    for (n, tab) in tabs.iter().enumerate() {
        let all = tabs.clone();
        dom::listen(tab, "click", move |_: Event| choose(&all, n));
        let all = tabs.clone();
        dom::listen(tab, "keydown", move |event: KeyboardEvent| {
            let count = all.len();
            match event.key().as_str() {
                "ArrowRight" => choose(&all, (n + 1) % count),
                "ArrowLeft" => choose(&all, (n + count - 1) % count),
                _ => {}
            }
        });
    }
    Ok(())
}

fn choose(tabs: &[HtmlElement], chosen: usize) {
    for (n, tab) in tabs.iter().enumerate() {
        let selected = n == chosen;
        // Setting attributes of an element that exists cannot fail.
        let _ = tab.set_attribute("aria-selected", if selected { "true" } else { "false" });
        tab.set_tab_index(if selected { 0 } else { -1 });
        let panel = tab.get_attribute("aria-controls");
        let panel = panel.and_then(|id| dom::document().ok()?.get_element_by_id(&id));
        if let Some(panel) = panel {
            let _ = panel.toggle_attribute_with_force("hidden", !selected);
        }
        if selected {
            let _ = tab.focus();
        }
    }
}
