//! Listeners, and the work that they start.

use std::future::Future;
use std::rc::Rc;

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{Event, EventTarget, File, HtmlElement, HtmlInputElement};

use super::problem::PageError;
use super::{dom, status};

/// A listener that is detached when this is dropped.
#[must_use = "a listener is detached when it is dropped"]
pub struct Listener {
    target: EventTarget,
    kind: &'static str,
    call: Closure<dyn FnMut(Event)>,
}

impl Listener {
    pub fn new<E: JsCast>(
        target: &impl AsRef<EventTarget>,
        kind: &'static str,
        mut act: impl FnMut(E) + 'static,
    ) -> Self {
        let target = target.as_ref().clone();
        let call = Closure::<dyn FnMut(Event)>::new(move |event: Event| {
            if let Ok(event) = event.dyn_into() {
                act(event);
            }
        });

        // Adding a listener to a target that exists cannot fail.
        let _ = target.add_event_listener_with_callback(kind, call.as_ref().unchecked_ref());
        Self { target, kind, call }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let call = self.call.as_ref().unchecked_ref();
        let _ = self
            .target
            .remove_event_listener_with_callback(self.kind, call);
    }
}

/// Calls `act` at every event of this kind, as long as the page is open.
pub fn listen<E: JsCast>(
    target: &impl AsRef<EventTarget>,
    kind: &'static str,
    act: impl FnMut(E) + 'static,
) {
    // The elements stay as long as the page, and so do their listeners.
    std::mem::forget(Listener::new(target, kind, act));
}

/// As [`listen`]; `act` also gets the part of the page that acts.
pub fn on<P: 'static, E: JsCast>(
    target: &impl AsRef<EventTarget>,
    kind: &'static str,
    part: &Rc<P>,
    act: impl Fn(&Rc<P>, E) + 'static,
) {
    let part = part.clone();
    listen(target, kind, move |event| act(&part, event));
}

/// Starts `act` at every click on the element with this id.
pub fn on_click<P: 'static, F>(
    id: &'static str,
    part: &Rc<P>,
    act: impl Fn(Rc<P>) -> F + 'static,
) -> Result<(), PageError>
where
    F: Future<Output = Result<(), PageError>> + 'static,
{
    let element: HtmlElement = dom::by_id(id)?;
    on(&element, "click", part, move |part, _: Event| {
        start(act(part.clone()));
    });
    Ok(())
}

/// Calls `act` with the files whenever some are chosen in the field with this id.
pub fn on_files<P: 'static>(
    id: &'static str,
    part: &Rc<P>,
    act: impl Fn(&Rc<P>, Vec<File>) + 'static,
) -> Result<HtmlInputElement, PageError> {
    let field: HtmlInputElement = dom::by_id(id)?;
    let chosen = field.clone();

    on(&field, "change", part, move |part, _: Event| {
        let files = dom::files(chosen.files());
        // A field that still held the file would not notice that it is chosen again.
        chosen.set_value("");
        act(part, files);
    });
    Ok(field)
}

/// Lets a click on the button with this id open the dialog of a file field.
pub fn open_on_click(id: &'static str, field: &HtmlInputElement) -> Result<(), PageError> {
    let field = field.clone();
    listen(&dom::by_id::<HtmlElement>(id)?, "click", move |_: Event| {
        field.click()
    });
    Ok(())
}

/// Runs `work` in the background. Its error is shown in the status line.
pub fn start(work: impl Future<Output = Result<(), PageError>> + 'static) {
    spawn_local(async move { status::report(work.await) });
}
