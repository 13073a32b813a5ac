//! Images from files: chosen, dropped, pasted, or taken with the camera.

use std::rc::Rc;

use web_sys::{
    ClipboardEvent, DataTransfer, DragEvent, Event, File, FileList, HtmlButtonElement, HtmlElement,
    HtmlInputElement,
};

use super::explore::Explore;
use super::problem::PageError;
use super::{camera, dom, pictures};
use ibot_web::protocol::SLOTS;

/// Wires the buttons below the images, and the page for what is dropped and pasted.
///
/// # Errors
/// If the page lacks a part.
pub fn wire(explore: &Rc<Explore>) -> Result<(), PageError> {
    let input: HtmlInputElement = dom::by_id("image-file")?;
    for slot in 0..SLOTS {
        let at = format!("[data-slot=\"{slot}\"]");
        for (action, buttons) in [
            (
                "open",
                dom::all::<HtmlButtonElement>(&format!("button.open{at}"))?,
            ),
            ("camera", dom::all(&format!("button.camera{at}"))?),
            ("clear", dom::all(&format!("button.clear{at}"))?),
        ] {
            for button in buttons {
                let (explore, input) = (explore.clone(), input.clone());
                dom::listen(&button, "click", move |_: Event| {
                    explore.activate(slot);
                    let explore = explore.clone();
                    match action {
                        "open" => input.click(),
                        "camera" => dom::start(async move {
                            match camera::picture().await? {
                                Some(picture) => explore.show(slot, picture, "camera").await,
                                None => Ok(()),
                            }
                        }),
                        _ => dom::start(async move { explore.clear(slot).await }),
                    }
                });
            }
        }
    }
    let (chosen, field) = (explore.clone(), input.clone());
    dom::listen(&input, "change", move |_: Event| {
        show_all(&chosen, field.files());
        // The same file may be chosen again.
        field.set_value("");
    });
    let target = dom::document()?;
    dom::listen(&target, "dragover", |event: DragEvent| {
        event.prevent_default()
    });
    let dropped = explore.clone();
    dom::listen(&target, "drop", move |event: DragEvent| {
        event.prevent_default();
        if are_for("explore", &event) {
            dropped.drop_at(event.client_x().into(), event.client_y().into());
            show_all(
                &dropped,
                event.data_transfer().as_ref().and_then(DataTransfer::files),
            );
        }
    });
    let pasted = explore.clone();
    dom::listen(&target, "paste", move |event: ClipboardEvent| {
        if are_for("explore", &event) {
            show_all(
                &pasted,
                event
                    .clipboard_data()
                    .as_ref()
                    .and_then(DataTransfer::files),
            );
        }
    });
    Ok(())
}

/// Whether dropped or pasted files are for this tab: it is shown, and no part beside it was meant.
pub fn are_for(tab: &'static str, event: &Event) -> bool {
    let shown = dom::by_id::<HtmlElement>(tab).is_ok_and(|panel| !panel.hidden());
    shown && dom::closest(event, "[data-takes-files]").is_none()
}

/// Shows the first files, as many as there are slots.
fn show_all(explore: &Rc<Explore>, files: Option<FileList>) {
    let files: Vec<File> = list(files).into_iter().take(SLOTS).collect();
    let explore = explore.clone();
    dom::start(async move {
        let mut result = Ok(());
        for file in files {
            match pictures::from_blob(&file, &file.name()).await {
                Ok(picture) => {
                    explore
                        .show(explore.active(), picture, &file.name())
                        .await?
                }
                // The others are shown all the same.
                Err(error) => result = Err(error),
            }
        }
        result
    });
}

/// The files of a list.
pub fn list(files: Option<FileList>) -> Vec<File> {
    files
        .map(|files| (0..files.length()).filter_map(|i| files.item(i)).collect())
        .unwrap_or_default()
}
