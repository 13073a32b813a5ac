//! Images from files: chosen, dropped, pasted, or taken with the camera.

use std::rc::Rc;

use web_sys::{
    ClipboardEvent, DataTransfer, DragEvent, Event, File, HtmlButtonElement, HtmlInputElement,
};

use super::tab::Explore;
use crate::page::problem::PageError;
use crate::page::{camera, dom, events, pictures};
use ibot_web::protocol::SLOTS;

/// Wires the buttons below the images, and the page for dropped and pasted files.
pub fn wire(explore: &Rc<Explore>) -> Result<(), PageError> {
    let field = events::on_files("image-file", explore, Explore::show_files)?;
    for slot in 0..SLOTS {
        wire_slot(explore, slot, &field)?;
    }

    let document = dom::document()?;
    // By default a browser refuses what is dropped.
    events::listen(&document, "dragover", |event: DragEvent| {
        event.prevent_default();
    });
    events::on(&document, "drop", explore, Explore::drop_files);
    events::on(&document, "paste", explore, Explore::paste_files);
    Ok(())
}

fn wire_slot(
    explore: &Rc<Explore>,
    slot: usize,
    field: &HtmlInputElement,
) -> Result<(), PageError> {
    for button in dom::all::<HtmlButtonElement>(&format!("button.open[data-slot=\"{slot}\"]"))? {
        let field = field.clone();
        events::on(&button, "click", explore, move |explore, _: Event| {
            explore.activate(slot);
            field.click();
        });
    }

    for button in dom::all::<HtmlButtonElement>(&format!("button.camera[data-slot=\"{slot}\"]"))? {
        events::on(&button, "click", explore, move |explore, _: Event| {
            explore.activate(slot);
            let explore = explore.clone();
            events::start(async move { explore.show_camera(slot).await });
        });
    }

    for button in dom::all::<HtmlButtonElement>(&format!("button.clear[data-slot=\"{slot}\"]"))? {
        events::on(&button, "click", explore, move |explore, _: Event| {
            explore.activate(slot);
            let explore = explore.clone();
            events::start(async move { explore.clear(slot).await });
        });
    }
    Ok(())
}

impl Explore {
    async fn show_camera(self: &Rc<Self>, slot: usize) -> Result<(), PageError> {
        match camera::take_picture().await? {
            Some(picture) => self.show(slot, picture, "camera").await,
            None => Ok(()),
        }
    }

    fn drop_files(self: &Rc<Self>, event: DragEvent) {
        event.prevent_default();
        if dom::is_for_tab(&event, "explore") {
            self.activate_at(event.client_x().into(), event.client_y().into());
            self.show_data(event.data_transfer());
        }
    }

    fn paste_files(self: &Rc<Self>, event: ClipboardEvent) {
        if dom::is_for_tab(&event, "explore") {
            self.show_data(event.clipboard_data());
        }
    }

    fn show_data(self: &Rc<Self>, data: Option<DataTransfer>) {
        self.show_files(dom::files(data.and_then(|data| data.files())));
    }

    fn show_files(self: &Rc<Self>, files: Vec<File>) {
        let explore = self.clone();
        events::start(async move {
            let mut result = Ok(());
            for file in files.into_iter().take(SLOTS) {
                let name = file.name();
                match pictures::from_blob(&file, &name).await {
                    Ok(picture) => explore.show(explore.active(), picture, &name).await?,
                    // The other files are shown nevertheless.
                    Err(error) => result = Err(error),
                }
            }
            result
        });
    }
}
