//! The classes and their images.

use std::rc::Rc;

use wasm_bindgen::JsCast;
use web_sys::{
    Element, Event, HtmlButtonElement, HtmlCanvasElement, HtmlElement, HtmlInputElement,
    KeyboardEvent,
};

use super::super::problem::PageError;
use super::super::{dom, files};
use super::Tune;
use super::state::State;

/// Listens to all cards at once: they come and go.
///
/// # Errors
/// If the page lacks a part.
pub fn wire(tune: &Rc<Tune>) -> Result<(), PageError> {
    let list: HtmlElement = dom::by_id("tune-classes")?;
    let at = tune.clone();
    dom::listen(
        &dom::by_id::<HtmlButtonElement>("tune-add-class")?,
        "click",
        move |_: Event| {
            at.state.borrow_mut().new_class();
            at.say(show(&at.state.borrow()).and_then(|()| at.show()));
            at.changed();
        },
    );
    let at = tune.clone();
    dom::listen(&list, "click", move |event: Event| {
        let Some(class) = class_of(&event) else {
            return;
        };
        at.state.borrow_mut().active = class;
        let Some(button) = dom::closest(&event, "button") else {
            return at.say(mark_active(class));
        };
        if let Some(id) = button
            .get_attribute("data-id")
            .and_then(|id| id.parse::<u32>().ok())
        {
            at.state.borrow_mut().images.retain(|image| image.id != id);
            at.say(take_away(&at.state.borrow(), class, &button));
            let at = at.clone();
            dom::start(async move { at.removed(vec![id]).await });
        } else if button.class_list().contains("remove-class") {
            let ids = at.state.borrow_mut().remove_class(class);
            at.say(show_without(&at.state.borrow(), class, &button));
            let at = at.clone();
            dom::start(async move { at.removed(ids).await });
        } else if button.class_list().contains("tune-open")
            && let Some(input) =
                find(class, ".tune-input").and_then(|input| input.dyn_into::<HtmlElement>().ok())
        {
            input.click();
        }
    });
    dom::listen(&list, "keydown", |event: KeyboardEvent| {
        // The focus goes on to the next image: a key that is held would remove them all.
        if event.repeat() && event.key() == "Enter" && dom::closest(&event, "button").is_some() {
            event.prevent_default();
        }
    });
    let at = tune.clone();
    dom::listen(&list, "input", move |event: Event| {
        let (Some(class), Some(field)) = (class_of(&event), dom::closest(&event, ".tune-name"))
        else {
            return;
        };
        if let Some(field) = field.dyn_ref::<HtmlInputElement>() {
            at.state.borrow_mut().classes[class] = field.value();
            at.say(at.show());
            at.changed();
        }
    });
    let at = tune.clone();
    dom::listen(&list, "change", move |event: Event| {
        let (Some(class), Some(input)) = (class_of(&event), dom::closest(&event, ".tune-input"))
        else {
            return;
        };
        if let Some(input) = input.dyn_ref::<HtmlInputElement>() {
            at.take(class, files::list(input.files()));
            input.set_value("");
        }
    });
    show(&tune.state.borrow())
}

/// The class on whose card something happened.
pub fn class_of(event: &Event) -> Option<usize> {
    dom::closest(event, ".tune-class")?
        .get_attribute("data-class")?
        .parse()
        .ok()
}

/// Makes all cards anew.
///
/// # Errors
/// If the page lacks a part.
pub fn show(state: &State) -> Result<(), PageError> {
    let list: HtmlElement = dom::by_id("tune-classes")?;
    list.set_text_content(None);
    for (class, name) in state.classes.iter().enumerate() {
        let card: HtmlElement = dom::create("div", "tune-class")?;
        card.set_attribute("data-class", &class.to_string())?;
        card.set_attribute("role", "group")?;
        card.set_attribute("aria-label", &format!("Class {}", class + 1))?;
        let row: HtmlElement = dom::create("div", "row")?;
        let field: HtmlInputElement = dom::create("input", "tune-name")?;
        field.set_type("text");
        field.set_value(name);
        field.set_attribute("aria-label", &format!("Name of class {}", class + 1))?;
        row.append_child(&field)?;
        let (count_of, thumbs): (HtmlElement, HtmlElement) = (
            dom::create("span", "tune-count")?,
            dom::create("div", "tune-thumbs")?,
        );
        row.append_child(&count_of)?;
        let input: HtmlInputElement = dom::create("input", "tune-input")?;
        input.set_type("file");
        input.set_accept("image/*");
        input.set_multiple(true);
        input.set_hidden(true);
        row.append_child(&input)?;
        for (kind, text) in [
            ("tune-open", "Open…"),
            ("tune-record", "Camera: hold to record"),
            ("remove-class", "Remove"),
        ] {
            let button: HtmlButtonElement = dom::create("button", kind)?;
            button.set_text_content(Some(text));
            row.append_child(&button)?;
        }
        card.append_child(&row)?;
        card.append_child(&thumbs)?;
        list.append_child(&card)?;
        count(state, class)?;
    }
    for image in &state.images {
        thumb(image.class, image.id, &image.thumb)?;
    }
    mark_active(state.active)
}

/// Shows one more image.
///
/// # Errors
/// If the page lacks a part.
pub fn append(
    state: &State,
    class: usize,
    id: u32,
    picture: &HtmlCanvasElement,
) -> Result<(), PageError> {
    thumb(class, id, picture)?;
    count(state, class)
}

/// An image on its card: a button that removes it.
fn thumb(class: usize, id: u32, picture: &HtmlCanvasElement) -> Result<(), PageError> {
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

/// Takes the button of an image that is gone from its card. The focus goes to the next image, else
/// to the one before, else to the button that opens more.
fn take_away(state: &State, class: usize, button: &Element) -> Result<(), PageError> {
    let focused = has_focus(button)?;
    let beside = button
        .next_element_sibling()
        .or_else(|| button.previous_element_sibling());
    button.remove();
    if focused {
        focus(beside.or_else(|| find(class, ".tune-open")))?;
    }
    count(state, class)
}

/// Makes all cards anew when a class is gone, whose button was `button`. The focus goes to the
/// button of the class that has its place, else to that of the last one, else to the button that
/// adds a class.
fn show_without(state: &State, class: usize, button: &Element) -> Result<(), PageError> {
    let focused = has_focus(button)?;
    show(state)?;
    if !focused {
        return Ok(());
    }
    let last = state.classes.len().saturating_sub(1);
    let next = find(class.min(last), ".remove-class");
    focus(next.or_else(|| dom::by_id("tune-add-class").ok()))
}

fn has_focus(element: &Element) -> Result<bool, PageError> {
    Ok(dom::document()?.active_element().as_ref() == Some(element))
}

fn focus(element: Option<Element>) -> Result<(), PageError> {
    match element.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        Some(element) => Ok(element.focus()?),
        None => Ok(()),
    }
}

fn count(state: &State, class: usize) -> Result<(), PageError> {
    let count = state.count(class);
    let text = if count == 1 {
        "1 image".to_owned()
    } else {
        format!("{count} images")
    };
    find(class, ".tune-count")
        .ok_or(PageError::Missing(".tune-count"))?
        .set_text_content(Some(&text));
    Ok(())
}

fn mark_active(active: usize) -> Result<(), PageError> {
    for (class, card) in dom::all::<HtmlElement>(".tune-class")?.iter().enumerate() {
        card.class_list()
            .toggle_with_force("active", class == active)?;
    }
    Ok(())
}

/// A part of a card.
fn find(class: usize, part: &str) -> Option<Element> {
    dom::document()
        .ok()?
        .query_selector(&format!(".tune-class[data-class=\"{class}\"] {part}"))
        .ok()
        .flatten()
}
