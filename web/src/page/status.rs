//! The line that says what is going on.

use web_sys::HtmlElement;

use super::dom;
use super::problem::PageError;

/// Says what is going on.
pub fn say(text: &str) {
    show(text, false);
}

/// Says what went wrong.
pub fn fail(error: &PageError) {
    show(&error.to_string(), true);
}

fn show(text: &str, failed: bool) {
    let Ok(line) = dom::by_id::<HtmlElement>("status") else {
        return web_sys::console::error_1(&text.into());
    };
    line.set_text_content(Some(text));
    line.set_class_name(if failed { "failed" } else { "" });
}
