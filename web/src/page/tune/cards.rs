//! The cards of the classes, with their images.

use wasm_bindgen::JsCast;
use web_sys::{
    Element, Event, HtmlButtonElement, HtmlCanvasElement, HtmlElement, HtmlInputElement,
};

use super::state::TuneState;
use crate::page::dom;
use crate::page::problem::PageError;

/// The class on whose card something happened.
pub fn class_of(event: &Event) -> Option<usize> {
    let card = dom::closest(event, ".tune-class")?;
    card.get_attribute("data-class")?.parse().ok()
}

/// A part of a card.
pub fn find(class: usize, part: &str) -> Option<Element> {
    let selector = format!(".tune-class[data-class=\"{class}\"] {part}");
    let document = dom::document().ok()?;
    document.query_selector(&selector).ok().flatten()
}

pub fn show(state: &TuneState) -> Result<(), PageError> {
    let list: HtmlElement = dom::by_id("tune-classes")?;
    // Few classes: making all cards again costs less than finding the difference.
    list.set_text_content(None);

    for (class, name) in state.classes.iter().enumerate() {
        list.append_child(&*card(class, name)?)?;
        show_count(state, class)?;
    }
    for image in &state.images {
        add_thumb(image.class, image.id, &image.thumb)?;
    }
    mark_active(state.active)
}

fn card(class: usize, name: &str) -> Result<HtmlElement, PageError> {
    let card: HtmlElement = dom::create("div", "tune-class")?;
    card.set_attribute("data-class", &class.to_string())?;
    card.set_attribute("role", "group")?;
    card.set_attribute("aria-label", &format!("Class {}", class + 1))?;

    let row: HtmlElement = dom::append(&card, "div", "row", "")?;
    let field: HtmlInputElement = dom::append(&row, "input", "tune-name", "")?;
    field.set_type("text");
    field.set_value(name);
    field.set_attribute("aria-label", &format!("Name of class {}", class + 1))?;
    dom::append::<HtmlElement>(&row, "span", "tune-count", "")?;

    let files: HtmlInputElement = dom::append(&row, "input", "tune-input", "")?;
    files.set_type("file");
    files.set_accept("image/*");
    files.set_multiple(true);
    files.set_hidden(true);

    dom::append::<HtmlElement>(&row, "button", "tune-open", "Open…")?;
    dom::append::<HtmlElement>(&row, "button", "tune-record", "Camera: hold to record")?;
    dom::append::<HtmlElement>(&row, "button", "remove-class", "Remove")?;

    dom::append::<HtmlElement>(&card, "div", "tune-thumbs", "")?;
    Ok(card)
}

pub fn add(
    state: &TuneState,
    class: usize,
    id: u32,
    picture: &HtmlCanvasElement,
) -> Result<(), PageError> {
    add_thumb(class, id, picture)?;
    show_count(state, class)
}

/// An image on its card is a button that removes it.
fn add_thumb(class: usize, id: u32, picture: &HtmlCanvasElement) -> Result<(), PageError> {
    let Some(thumbs) = find(class, ".tune-thumbs") else {
        return Ok(());
    };
    let button: HtmlButtonElement = dom::create("button", "")?;
    button.set_attribute("data-id", &id.to_string())?;
    button.set_title("remove this image");
    button.set_attribute("aria-label", &format!("remove image {id}"))?;
    button.append_child(picture)?;
    thumbs.append_child(&button)?;
    Ok(())
}

/// Removes the button of an image that is no longer in the state.
pub fn remove_thumb(state: &TuneState, class: usize, button: &Element) -> Result<(), PageError> {
    let focused = has_focus(button)?;
    // Without a place to go to, the focus of the keyboard would start again at the top of the page.
    let beside = button
        .next_element_sibling()
        .or_else(|| button.previous_element_sibling());

    button.remove();
    if focused {
        focus(beside.or_else(|| find(class, ".tune-open")))?;
    }
    show_count(state, class)
}

/// Makes all cards again after a class was removed with `button`.
pub fn show_without(state: &TuneState, class: usize, button: &Element) -> Result<(), PageError> {
    let focused = has_focus(button)?;
    show(state)?;
    if !focused {
        return Ok(());
    }

    let last = state.classes.len().saturating_sub(1);
    // The class that takes its place has the same number.
    let next = find(class.min(last), ".remove-class");
    focus(next.or_else(|| dom::by_id("tune-add-class").ok()))
}

fn has_focus(element: &Element) -> Result<bool, PageError> {
    Ok(dom::document()?.active_element().as_ref() == Some(element))
}

fn focus(element: Option<Element>) -> Result<(), PageError> {
    let element = element.and_then(|element| element.dyn_into::<HtmlElement>().ok());
    match element {
        Some(element) => Ok(element.focus()?),
        None => Ok(()),
    }
}

fn show_count(state: &TuneState, class: usize) -> Result<(), PageError> {
    let text = match state.count(class) {
        1 => "1 image".to_owned(),
        count => format!("{count} images"),
    };
    find(class, ".tune-count")
        .ok_or(PageError::Missing(".tune-count"))?
        .set_text_content(Some(&text));
    Ok(())
}

pub fn mark_active(active: usize) -> Result<(), PageError> {
    for (class, card) in dom::all::<HtmlElement>(".tune-class")?.iter().enumerate() {
        card.class_list()
            .toggle_with_force("active", class == active)?;
    }
    Ok(())
}
