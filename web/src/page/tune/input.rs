//! Images to learn from: dropped, pasted, out of a folder, or recorded with the camera.

use std::rc::Rc;

use web_sys::{
    ClipboardEvent, DataTransfer, DragEvent, Event, File, HtmlButtonElement, HtmlElement,
    HtmlInputElement, HtmlVideoElement, KeyboardEvent, PointerEvent,
};

use super::super::camera::Camera;
use super::super::problem::PageError;
use super::super::{dom, files, pictures, status};
use super::cards::{self, class_of};
use super::{LONGEST, Tune, folder};
use ibot_web::{js, wire};

/// Milliseconds between two recorded images.
const FRAME: f64 = 120.0;
/// Milliseconds that the camera stays on after it was used, so that the next use starts at once.
const STAY_ON: f64 = 5000.0;

/// Wires the tab for files and the camera.
///
/// # Errors
/// If the page lacks a part.
pub fn wire(tune: &Rc<Tune>) -> Result<(), PageError> {
    let document = dom::document()?;
    let at = tune.clone();
    dom::listen(&document, "drop", move |event: DragEvent| {
        if files::are_for("tune", &event) {
            at.take_here(&event, event.data_transfer());
        }
    });
    let at = tune.clone();
    dom::listen(&document, "paste", move |event: ClipboardEvent| {
        if files::are_for("tune", &event) {
            at.take_here(&event, event.clipboard_data());
        }
    });
    let folder: HtmlInputElement = dom::by_id("tune-folder")?;
    let opens = folder.clone();
    dom::listen(
        &dom::by_id::<HtmlButtonElement>("tune-open-folder")?,
        "click",
        move |_: Event| opens.click(),
    );
    let (at, field) = (tune.clone(), folder.clone());
    dom::listen(&folder, "change", move |_: Event| {
        let named = files::list(field.files())
            .into_iter()
            .map(|file| (folder_of(&file), file))
            .collect();
        field.set_value("");
        let at = at.clone();
        dom::start(async move { at.take_named(named).await });
    });
    let list: HtmlElement = dom::by_id("tune-classes")?;
    let at = tune.clone();
    dom::listen(&list, "pointerdown", move |event: PointerEvent| {
        if event.button() == 0 {
            at.begin_recording(&event);
        }
    });
    let at = tune.clone();
    dom::listen(&list, "keydown", move |event: KeyboardEvent| {
        if !event.repeat() && matches!(event.key().as_str(), " " | "Enter") {
            at.begin_recording(&event);
        }
    });
    for end in ["pointerup", "pointercancel", "keyup"] {
        let at = tune.clone();
        dom::listen(&document, end, move |_: Event| at.recording.set(false));
    }
    Ok(())
}

impl Tune {
    /// Adds files to a class.
    pub fn take(self: &Rc<Self>, class: usize, files: Vec<File>) {
        let at = self.clone();
        dom::start(async move {
            let mut result = Ok(());
            for file in files {
                match pictures::from_blob(&file, &file.name()).await {
                    Ok(picture) => at.add(class, &picture, &file.name()).await?,
                    // The others are added all the same.
                    Err(error) => result = Err(error),
                }
            }
            result
        });
    }

    /// Adds what was dropped or pasted to the class at that place, else to the active one; tries it
    /// out if it was put there.
    fn take_here(self: &Rc<Self>, event: &Event, data: Option<DataTransfer>) {
        let folders = data.as_ref().map(folder::dropped).unwrap_or_default();
        if !folders.is_empty() {
            let at = self.clone();
            return dom::start(async move { at.take_named(folder::files(folders).await?).await });
        }
        let files = files::list(data.as_ref().and_then(DataTransfer::files));
        if dom::closest(event, "#tune-shown").is_some() {
            return files
                .into_iter()
                .take(1)
                .for_each(|file| self.try_file(file));
        }
        if files.is_empty() {
            return;
        }
        let class = {
            let mut state = self.state.borrow_mut();
            let chosen = class_of(event).unwrap_or(state.active);
            if state.classes.is_empty() {
                state.new_class()
            } else {
                chosen
            }
        };
        self.say(cards::show(&self.state.borrow()));
        self.take(class, files);
    }

    /// Adds files to classes of these names.
    async fn take_named(self: Rc<Self>, files: Vec<(String, File)>) -> Result<(), PageError> {
        let mut skipped = 0;
        for (name, file) in files {
            // A folder may hold anything; other files than images are none of ours.
            let Ok(picture) = pictures::from_blob(&file, &file.name()).await else {
                skipped += 1;
                continue;
            };
            let known = self.state.borrow().classes.contains(&name);
            let class = self.state.borrow_mut().class_named(&name);
            if !known {
                cards::show(&self.state.borrow())?;
            }
            self.add(class, &picture, &file.name()).await?;
        }
        if skipped > 0 {
            status::say(&format!(
                "{skipped} files of the folder are no images that this browser can read."
            ));
        }
        Ok(())
    }

    /// The camera, on as long as somebody has it.
    pub async fn camera(&self) -> Result<Rc<Camera>, PageError> {
        let on = self.camera.borrow().upgrade();
        if let Some(camera) = on {
            return Ok(camera);
        }
        let view: HtmlVideoElement = dom::by_id("tune-view")?;
        let camera = Rc::new(Camera::start(view.clone()).await?);
        view.set_hidden(false);
        *self.camera.borrow_mut() = Rc::downgrade(&camera);
        Ok(camera)
    }

    /// Gives the camera back.
    pub fn release(self: &Rc<Self>, camera: Rc<Camera>) {
        let at = self.clone();
        dom::start(async move {
            js::sleep(STAY_ON).await;
            drop(camera);
            let off = at.camera.borrow().upgrade().is_none();
            if off {
                dom::by_id::<HtmlElement>("tune-view")?.set_hidden(true);
            }
            Ok(())
        });
    }

    fn begin_recording(self: &Rc<Self>, event: &Event) {
        let (Some(class), true) = (
            class_of(event),
            dom::closest(event, ".tune-record").is_some(),
        ) else {
            return;
        };
        if self.recording.replace(true) {
            return;
        }
        let at = self.clone();
        dom::start(async move {
            at.record(class)
                .await
                .inspect_err(|_| at.recording.set(false))
        });
    }

    /// Adds what the camera sees to a class, as long as its button is held.
    async fn record(self: &Rc<Self>, class: usize) -> Result<(), PageError> {
        let camera = self.camera().await?;
        let result = async {
            while self.recording.get() {
                self.add(class, &camera.picture(LONGEST)?, "camera").await?;
                js::sleep(FRAME).await;
            }
            Ok(())
        }
        .await;
        self.release(camera);
        result
    }
}

/// The name of the folder that a file of a chosen folder is in.
fn folder_of(file: &File) -> String {
    let path = wire::property(file, "webkitRelativePath")
        .as_string()
        .unwrap_or_default();
    path.rsplit('/').nth(1).unwrap_or("class 1").to_owned()
}
