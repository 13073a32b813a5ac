//! Elements and events, with errors instead of surprises.

use std::future::Future;

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{
    CanvasRenderingContext2d, Document, Element, Event, EventTarget, HtmlCanvasElement, Window,
};

use super::problem::PageError;

/// The window.
pub fn window() -> Window {
    js_sys::global().unchecked_into()
}

/// The document.
///
/// # Errors
/// If there is none, which does not happen in a window.
pub fn document() -> Result<Document, PageError> {
    window().document().ok_or(PageError::Missing("document"))
}

/// The element with this id.
///
/// # Errors
/// If there is none, or it is of another kind.
pub fn by_id<T: JsCast>(id: &'static str) -> Result<T, PageError> {
    let element = document()?
        .get_element_by_id(id)
        .ok_or(PageError::Missing(id))?;
    element.dyn_into().map_err(|_| PageError::Missing(id))
}

/// All elements that match a selector.
///
/// # Errors
/// If the selector is none.
pub fn all<T: JsCast>(selector: &str) -> Result<Vec<T>, PageError> {
    let list = document()?.query_selector_all(selector)?;
    Ok((0..list.length())
        .filter_map(|i| list.item(i)?.dyn_into().ok())
        .collect())
}

/// A new element with a class.
///
/// # Errors
/// If there is no such kind of element.
pub fn create<T: JsCast>(kind: &'static str, class: &str) -> Result<T, PageError> {
    let element: Element = document()?.create_element(kind)?;
    element.set_class_name(class);
    element.dyn_into().map_err(|_| PageError::Missing(kind))
}

/// A new canvas of this size.
///
/// # Errors
/// As [`create`].
pub fn canvas(width: u32, height: u32) -> Result<HtmlCanvasElement, PageError> {
    let canvas: HtmlCanvasElement = create("canvas", "")?;
    canvas.set_width(width);
    canvas.set_height(height);
    Ok(canvas)
}

/// What draws on a canvas.
///
/// # Errors
/// If the browser has no 2D canvas, or has run out of memory for them.
pub fn context(canvas: &HtmlCanvasElement) -> Result<CanvasRenderingContext2d, PageError> {
    let context = canvas
        .get_context("2d")?
        .ok_or(PageError::Missing("2D canvas"))?;
    context
        .dyn_into()
        .map_err(|_| PageError::Missing("2D canvas"))
}

/// Calls `act` at every event of this kind, as long as the page lives.
pub fn listen<E: JsCast>(
    target: &impl AsRef<EventTarget>,
    kind: &str,
    mut act: impl FnMut(E) + 'static,
) {
    let listener = Closure::<dyn FnMut(Event)>::new(move |event: Event| {
        if let Ok(event) = event.dyn_into() {
            act(event);
        }
    });
    // Adding a listener to an element that exists cannot fail.
    let _ = target
        .as_ref()
        .add_event_listener_with_callback(kind, listener.as_ref().unchecked_ref());
    listener.forget();
}

/// The element around an event's target that matches a selector.
pub fn closest(event: &Event, selector: &str) -> Option<Element> {
    event
        .target()?
        .dyn_into::<Element>()
        .ok()?
        .closest(selector)
        .ok()
        .flatten()
}

/// Does something in the background; what goes wrong is shown.
pub fn start(work: impl Future<Output = Result<(), PageError>> + 'static) {
    spawn_local(async move {
        if let Err(error) = work.await {
            super::status::fail(&error);
        }
    });
}
