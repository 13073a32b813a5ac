//! Elements of the page. A missing element is an error, not a panic.

use wasm_bindgen::prelude::*;
use web_sys::{
    CanvasRenderingContext2d, Document, Element, Event, File, FileList, HtmlCanvasElement,
    HtmlElement, Window,
};

use super::problem::PageError;

pub fn window() -> Window {
    js_sys::global().unchecked_into()
}

pub fn document() -> Result<Document, PageError> {
    window().document().ok_or(PageError::Missing("document"))
}

pub fn by_id<T: JsCast>(id: &'static str) -> Result<T, PageError> {
    let element = document()?
        .get_element_by_id(id)
        .ok_or(PageError::Missing(id))?;

    element.dyn_into().map_err(|_| PageError::Missing(id))
}

pub fn all<T: JsCast>(selector: &str) -> Result<Vec<T>, PageError> {
    let list = document()?.query_selector_all(selector)?;

    Ok((0..list.length())
        .filter_map(|i| list.item(i)?.dyn_into().ok())
        .collect())
}

/// The element around an event's target that matches a selector.
pub fn closest(event: &Event, selector: &str) -> Option<Element> {
    let target = event.target()?.dyn_into::<Element>().ok()?;
    target.closest(selector).ok().flatten()
}

/// A new element with a class, which is not yet on the page.
pub fn create<T: JsCast>(kind: &'static str, class: &str) -> Result<T, PageError> {
    let element: Element = document()?.create_element(kind)?;
    element.set_class_name(class);
    element.dyn_into().map_err(|_| PageError::Missing(kind))
}

/// A new element with a class and a text, at the end of `parent`.
pub fn append<T: JsCast>(
    parent: &Element,
    kind: &'static str,
    class: &str,
    text: &str,
) -> Result<T, PageError> {
    let element: Element = create(kind, class)?;
    element.set_text_content(Some(text));
    parent.append_child(&element)?;
    element.dyn_into().map_err(|_| PageError::Missing(kind))
}

pub fn set_text(id: &'static str, text: &str) -> Result<(), PageError> {
    by_id::<HtmlElement>(id)?.set_text_content(Some(text));
    Ok(())
}

pub fn canvas(width: u32, height: u32) -> Result<HtmlCanvasElement, PageError> {
    let canvas: HtmlCanvasElement = create("canvas", "")?;
    canvas.set_width(width);
    canvas.set_height(height);
    Ok(canvas)
}

/// The 2D context of a canvas.
///
/// # Errors
/// If the browser has none, or has run out of memory for them.
pub fn context(canvas: &HtmlCanvasElement) -> Result<CanvasRenderingContext2d, PageError> {
    let context = canvas
        .get_context("2d")?
        .ok_or(PageError::Missing("2D canvas"))?;

    context
        .dyn_into()
        .map_err(|_| PageError::Missing("2D canvas"))
}

/// Clears a canvas and returns its context, which draws in CSS pixels.
pub fn fresh_context(
    canvas: &HtmlCanvasElement,
    width: f64,
    height: f64,
) -> Result<CanvasRenderingContext2d, PageError> {
    // More than three pixels a CSS pixel are not seen, and cost memory.
    let ratio = window().device_pixel_ratio().clamp(1.0, 3.0);

    // As many pixels as it covers on the screen. Setting the size clears the canvas.
    canvas.set_width((width * ratio) as u32);
    canvas.set_height((height * ratio) as u32);

    let context = context(canvas)?;
    context.scale(ratio, ratio)?;
    Ok(context)
}

pub fn files(list: Option<FileList>) -> Vec<File> {
    let Some(list) = list else { return Vec::new() };
    (0..list.length()).filter_map(|i| list.item(i)).collect()
}

/// Whether dropped or pasted files are for this tab: it is shown, and they were not put on an
/// element that takes files itself.
pub fn is_for_tab(event: &Event, tab: &'static str) -> bool {
    let shown = by_id::<HtmlElement>(tab).is_ok_and(|panel| !panel.hidden());
    shown && closest(event, "[data-takes-files]").is_none()
}
