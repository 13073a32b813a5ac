//! Classes as a person adds, names and removes them, with their images.

use std::rc::Rc;

use wasm_bindgen::JsCast;
use web_sys::{Element, Event, HtmlElement, HtmlInputElement, KeyboardEvent};

use super::cards::{self, class_of};
use super::tab::Tune;
use crate::page::problem::PageError;
use crate::page::{dom, events, status};
use ibot_web::protocol::RemoveExamples;

pub fn wire(tune: &Rc<Tune>) -> Result<(), PageError> {
    events::on_click("tune-add-class", tune, Tune::add_class)?;

    // The list listens and not each card: cards come and go.
    let list: HtmlElement = dom::by_id("tune-classes")?;
    events::on(&list, "click", tune, Tune::click_card);
    events::on(&list, "input", tune, Tune::rename_class);
    events::on(&list, "change", tune, Tune::add_chosen);
    events::listen(&list, "keydown", keep_from_repeating);

    cards::show(&tune.state.borrow())
}

impl Tune {
    async fn add_class(self: Rc<Self>) -> Result<(), PageError> {
        self.state.borrow_mut().add_class();
        self.changed();
        cards::show(&self.state.borrow())?;
        self.show()
    }

    /// A click on a card makes its class active; a button on it also acts.
    fn click_card(self: &Rc<Self>, event: Event) {
        let Some(class) = class_of(&event) else {
            return;
        };
        self.state.borrow_mut().active = class;
        let Some(button) = dom::closest(&event, "button") else {
            return status::report(cards::mark_active(class));
        };

        let id = button.get_attribute("data-id");
        if let Some(id) = id.and_then(|id| id.parse().ok()) {
            self.remove_image(class, id, &button);
        } else if button.class_list().contains("remove-class") {
            self.remove_class(class, &button);
        } else if button.class_list().contains("tune-open") {
            open_files(class);
        }
    }

    fn remove_image(self: &Rc<Self>, class: usize, id: u32, button: &Element) {
        self.state
            .borrow_mut()
            .images
            .retain(|image| image.id != id);
        status::report(cards::remove_thumb(&self.state.borrow(), class, button));

        let tune = self.clone();
        events::start(async move { tune.forget(vec![id]).await });
    }

    fn remove_class(self: &Rc<Self>, class: usize, button: &Element) {
        let ids = self.state.borrow_mut().remove_class(class);
        status::report(cards::show_without(&self.state.borrow(), class, button));

        let tune = self.clone();
        events::start(async move { tune.forget(ids).await });
    }

    /// Has the worker forget images that are gone, and the lesson that learned from them.
    async fn forget(self: &Rc<Self>, ids: Vec<u32>) -> Result<(), PageError> {
        self.client.ask(RemoveExamples { ids }).await?;
        // Not earlier: steps that were on their way have arrived by now, and go, too.
        self.state.borrow_mut().forget_lesson();
        self.changed();
        self.show()
    }

    fn rename_class(self: &Rc<Self>, event: Event) {
        let Some((class, field)) = field_of(&event, ".tune-name") else {
            return;
        };
        self.state.borrow_mut().classes[class] = field.value();
        self.draw();
        self.changed();
    }

    fn add_chosen(self: &Rc<Self>, event: Event) {
        let Some((class, field)) = field_of(&event, ".tune-input") else {
            return;
        };
        self.add_files(class, dom::files(field.files()));
        field.set_value("");
    }
}

fn field_of(event: &Event, selector: &str) -> Option<(usize, HtmlInputElement)> {
    let field = dom::closest(event, selector)?.dyn_into().ok()?;
    Some((class_of(event)?, field))
}

fn open_files(class: usize) {
    let input = cards::find(class, ".tune-input");
    if let Some(input) = input.and_then(|input| input.dyn_into::<HtmlElement>().ok()) {
        input.click();
    }
}

fn keep_from_repeating(event: KeyboardEvent) {
    // When an image is removed, the focus goes on to the next one: a key that is held would remove
    // them all.
    let on_button = dom::closest(&event, "button").is_some();
    if event.repeat() && event.key() == "Enter" && on_button {
        event.prevent_default();
    }
}
