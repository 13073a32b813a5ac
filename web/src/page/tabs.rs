//! Tabs: one part of the page at a time.

use std::rc::Rc;

use web_sys::{Event, HtmlElement, KeyboardEvent};

use super::problem::PageError;
use super::{dom, events};

struct Tabs {
    tabs: Vec<HtmlElement>,
    on_shown: Box<dyn Fn()>,
}

/// Lets each tab show its panel. `on_shown` is called after every change.
pub fn wire(on_shown: impl Fn() + 'static) -> Result<(), PageError> {
    let all = Rc::new(Tabs {
        tabs: dom::all("[role=tab]")?,
        on_shown: Box::new(on_shown),
    });

    for (n, tab) in all.tabs.iter().enumerate() {
        events::on(tab, "click", &all, move |all, _: Event| all.show(n));
        events::on(tab, "keydown", &all, move |all, event: KeyboardEvent| {
            let count = all.tabs.len();
            match event.key().as_str() {
                "ArrowRight" => all.show((n + 1) % count),
                "ArrowLeft" => all.show((n + count - 1) % count),
                _ => {}
            }
        });
    }
    Ok(())
}

impl Tabs {
    fn show(&self, chosen: usize) {
        for (n, tab) in self.tabs.iter().enumerate() {
            select(tab, n == chosen);
        }
        (self.on_shown)();
    }
}

fn select(tab: &HtmlElement, selected: bool) {
    // Setting attributes of an element that exists cannot fail.
    let _ = tab.set_attribute("aria-selected", if selected { "true" } else { "false" });
    // The tab key reaches the chosen tab only; arrow keys lead from there to the others.
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
