//! Tabs: one part of the page at a time.

use web_sys::{Event, HtmlElement, KeyboardEvent};

use super::dom;
use super::problem::PageError;

/// Lets tabs show what they control, and calls `shown` when they have.
///
/// # Errors
/// If the page lacks a part.
pub fn wire(shown: impl Fn() + Clone + 'static) -> Result<(), PageError> {
    let tabs: Vec<HtmlElement> = dom::all("[role=tab]")?;
    for (n, tab) in tabs.iter().enumerate() {
        let (all, shown) = (tabs.clone(), shown.clone());
        let choose = move |n: usize| {
            choose(&all, n);
            shown();
        };
        let (chosen, count) = (choose.clone(), tabs.len());
        dom::listen(tab, "click", move |_: Event| chosen(n));
        dom::listen(tab, "keydown", move |event: KeyboardEvent| {
            match event.key().as_str() {
                "ArrowRight" => choose((n + 1) % count),
                "ArrowLeft" => choose((n + count - 1) % count),
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
