//! The status line: what the page is doing, or what went wrong.

use web_sys::HtmlElement;

use super::dom;
use super::problem::PageError;

pub fn say(text: &str) {
    show(text, false);
}

pub fn fail(error: &PageError) {
    show(&error.to_string(), true);
}

/// Shows the error, if there is one.
pub fn report(result: Result<(), PageError>) {
    if let Err(error) = result {
        fail(&error);
    }
}

fn show(text: &str, failed: bool) {
    let Ok(line) = dom::by_id::<HtmlElement>("status") else {
        return web_sys::console::error_1(&text.into());
    };
    line.set_text_content(Some(text));
    line.set_class_name(if failed { "failed" } else { "" });
}
