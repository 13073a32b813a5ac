//! Images to learn from: dropped, pasted, out of a folder, or recorded with the camera.

use std::rc::Rc;

use web_sys::{
    ClipboardEvent, DataTransfer, DragEvent, Event, File, HtmlElement, KeyboardEvent, PointerEvent,
};

use super::cards::{self, class_of};
use super::folder::{self, FolderFile};
use super::switch::Turn;
use super::tab::{LONGEST, Tune};
use crate::page::problem::PageError;
use crate::page::{dom, events, pictures, status};

/// Milliseconds between two recorded images.
const PAUSE: f64 = 120.0;

pub fn wire(tune: &Rc<Tune>) -> Result<(), PageError> {
    let document = dom::document()?;
    events::on(&document, "drop", tune, Tune::drop_files);
    events::on(&document, "paste", tune, Tune::paste_files);

    let field = events::on_files("tune-folder", tune, |tune, files| {
        events::start(tune.clone().add_folders(folder::chosen(files)));
    })?;
    events::open_on_click("tune-open-folder", &field)?;

    let list: HtmlElement = dom::by_id("tune-classes")?;
    events::on(&list, "pointerdown", tune, Tune::press_record);
    events::on(&list, "keydown", tune, Tune::press_record_key);
    for end in ["pointerup", "pointercancel", "keyup"] {
        events::on(&document, end, tune, Tune::release_record);
    }
    Ok(())
}

impl Tune {
    fn drop_files(self: &Rc<Self>, event: DragEvent) {
        if dom::is_for_tab(&event, "tune") {
            self.add_data(&event, event.data_transfer());
        }
    }

    fn paste_files(self: &Rc<Self>, event: ClipboardEvent) {
        if dom::is_for_tab(&event, "tune") {
            self.add_data(&event, event.clipboard_data());
        }
    }

    fn add_data(self: &Rc<Self>, event: &Event, data: Option<DataTransfer>) {
        let Some(data) = data else { return };
        let folders = folder::dropped(&data);
        if !folders.is_empty() {
            let tune = self.clone();
            return events::start(async move {
                tune.add_folders(folder::files_in(folders).await?).await
            });
        }

        let files = dom::files(data.files());
        if dom::closest(event, "#tune-shown").is_some() {
            // Files that were put on the box of the trial are not learned from.
            self.try_first(files);
        } else if !files.is_empty() {
            let class = self.class_for(event);
            // Another class may have become active or may be new.
            status::report(cards::show(&self.state.borrow()));
            self.add_files(class, files);
        }
    }

    fn class_for(&self, event: &Event) -> usize {
        let mut state = self.state.borrow_mut();
        if state.classes.is_empty() {
            return state.add_class();
        }
        class_of(event).unwrap_or(state.active)
    }

    pub(super) fn add_files(self: &Rc<Self>, class: usize, files: Vec<File>) {
        let tune = self.clone();
        events::start(async move {
            let mut result = Ok(());
            for file in files {
                let name = file.name();
                match pictures::from_blob(&file, &name).await {
                    Ok(picture) => tune.add(class, &picture, &name).await?,
                    // The other files are added nevertheless.
                    Err(error) => result = Err(error),
                }
            }
            result
        });
    }

    async fn add_folders(self: Rc<Self>, files: Vec<FolderFile>) -> Result<(), PageError> {
        let mut skipped = 0;
        for FolderFile { folder, file } in files {
            // Folders may hold other files beside the images.
            let Ok(picture) = pictures::from_blob(&file, &file.name()).await else {
                skipped += 1;
                continue;
            };
            let class = self.class_named(&folder)?;
            self.add(class, &picture, &file.name()).await?;
        }

        if skipped > 0 {
            status::say(&format!(
                "{skipped} files of the folder are no images that this browser can read."
            ));
        }
        Ok(())
    }

    fn press_record(self: &Rc<Self>, event: PointerEvent) {
        if event.button() == 0 {
            self.begin_recording(&event);
        }
    }

    fn press_record_key(self: &Rc<Self>, event: KeyboardEvent) {
        if !event.repeat() && matches!(event.key().as_str(), " " | "Enter") {
            self.begin_recording(&event);
        }
    }

    fn release_record(self: &Rc<Self>, _: Event) {
        self.recording.turn_off();
    }

    fn begin_recording(self: &Rc<Self>, event: &Event) {
        let on_button = dom::closest(event, ".tune-record").is_some();
        let Some(class) = class_of(event).filter(|_| on_button) else {
            return;
        };
        // A second finger or key does not begin another recording.
        if self.recording.is_on() {
            return;
        }

        let turn = self.recording.turn_on();
        let tune = self.clone();
        events::start(async move {
            let result = tune.record(class, &turn).await;
            if turn.lasts() {
                tune.recording.turn_off();
            }
            result
        });
    }

    /// Adds the camera's frames to a class until the button is released.
    async fn record(self: &Rc<Self>, class: usize, turn: &Turn) -> Result<(), PageError> {
        let add = async |frame| self.add(class, &frame, "camera").await;
        self.webcam.each_frame(turn, LONGEST, PAUSE, add).await
    }
}
