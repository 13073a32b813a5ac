//! The project as a file: saved, opened, resumed.

use std::rc::Rc;

use web_sys::{Blob, File, HtmlElement, HtmlInputElement};

use super::cards;
use super::saving::show_banner;
use super::state::{Saving, TuneState};
use super::tab::Tune;
use crate::page::problem::PageError;
use crate::page::{blob, database, dom, events, pictures, status};
use ibot_web::protocol::{
    ExportModel, PackProject, RemoveExamples, Restore, StoredImage, TuneMode, UnpackProject,
    Unpacked,
};
use ibot_web::wire::Bytes;

/// The class of images that have none.
const UNLABELLED: &str = "unlabelled";

pub fn wire(tune: &Rc<Tune>) -> Result<(), PageError> {
    events::on_click("tune-export", tune, Tune::export)?;
    events::on_click("tune-export-model", tune, Tune::export_model)?;
    events::on_files("tune-import", tune, Tune::open_first)?;

    events::on_click("tune-resume", tune, Tune::resume)?;
    events::on_click("tune-discard", tune, |_| async {
        database::clear().await?;
        show_banner(None)
    })
}

impl Tune {
    pub(super) async fn pack(&self) -> Result<Vec<u8>, PageError> {
        let mut images = Vec::new();
        let mut files = Vec::new();
        for image in &self.state.borrow().images {
            files.push(image.file.clone());
            images.push(StoredImage {
                id: image.id,
                name: image.name.clone(),
                class: Some(image.class),
                bytes: Bytes::default(),
            });
        }
        // Reading waits, and the state must not be borrowed meanwhile.
        for (image, file) in images.iter_mut().zip(&files) {
            image.bytes.0 = blob::bytes(file).await?;
        }

        let question = PackProject {
            classes: self.state.borrow().classes.clone(),
            images,
            model: self
                .client
                .model()
                .map(|model| model.name)
                .unwrap_or_default(),
        };
        Ok(self.client.ask(question).await?.0)
    }

    async fn export(self: Rc<Self>) -> Result<(), PageError> {
        let file = blob::of(&self.pack().await?)?;
        blob::save(&file, &format!("{}.ibot.safetensors", file_name()?))
    }

    async fn export_model(self: Rc<Self>) -> Result<(), PageError> {
        let classes = self.state.borrow().classes.clone();
        let bytes = self.client.ask(ExportModel { classes }).await?;
        let file = blob::of(&bytes.0)?;
        blob::save(&file, &format!("{}.safetensors", file_name()?))
    }

    async fn resume(self: Rc<Self>) -> Result<(), PageError> {
        let project = database::find().await?;
        show_banner(None)?;
        // The offer is above both tabs.
        dom::by_id::<HtmlElement>("tab-tune")?.click();

        match project {
            Some(project) => self.open(&project.file).await,
            None => Ok(()),
        }
    }

    fn open_first(self: &Rc<Self>, files: Vec<File>) {
        if let Some(file) = files.into_iter().next() {
            let tune = self.clone();
            events::start(async move { tune.open(&file).await });
        }
    }

    async fn open(self: &Rc<Self>, file: &Blob) -> Result<(), PageError> {
        let bytes = Bytes(blob::bytes(file).await?);
        let project = self.client.ask(UnpackProject { bytes }).await?;

        // Adding its images is no change that is worth saving.
        self.saving.replace(Saving::Opening);
        let result = self.replace_by(project).await;
        self.saving.replace(Saving::Saved);
        self.changed();
        result
    }

    async fn replace_by(self: &Rc<Self>, project: Unpacked) -> Result<(), PageError> {
        status::say("Opening the project…");
        let ids = self.take_classes(project.classes);
        self.client.ask(RemoveExamples { ids }).await?;
        cards::show(&self.state.borrow())?;

        for StoredImage {
            name, class, bytes, ..
        } in project.images
        {
            let picture = pictures::from_blob(&blob::of(&bytes.0)?, &name).await?;
            let class = match class {
                Some(class) => class,
                None => self.class_named(UNLABELLED)?,
            };
            self.add(class, &picture, &name).await?;
        }

        // A lesson needs the very model that it began with.
        let loaded = self.client.model().map(|model| model.name);
        if loaded.as_ref() != Some(&project.model) {
            status::say(&format!(
                "The project was made with {}; load it, or train anew.",
                project.model
            ));
            return self.show();
        }
        self.restore_lesson().await?;
        status::say("");
        self.show()
    }

    /// Replaces all classes, and returns the numbers of the images that are gone.
    fn take_classes(&self, classes: Vec<String>) -> Vec<u32> {
        let mut state = self.state.borrow_mut();
        let ids = state.images.iter().map(|image| image.id).collect();
        *state = TuneState {
            classes,
            // No number is used twice: an answer that is late must not meet another image.
            last_id: state.last_id,
            ..TuneState::default()
        };
        ids
    }

    async fn restore_lesson(self: &Rc<Self>) -> Result<(), PageError> {
        // Only one mode needs it, and only the worker knows the mode.
        let file = self.file_for(TuneMode::Adapt).await?;
        let question = Restore {
            labels: self.state.borrow().labels(),
            classes: self.state.borrow().classes.len(),
            file,
        };

        if let Some(lesson) = self.client.ask(question).await? {
            let mode = lesson.mode;
            let steps = lesson.steps;
            self.state.borrow_mut().lesson = Some(lesson);
            self.choose(mode, Some(steps))?;
        }
        Ok(())
    }
}

fn file_name() -> Result<String, PageError> {
    let name = dom::by_id::<HtmlInputElement>("tune-name")?.value();
    Ok(match name.trim() {
        "" => "project".to_owned(),
        name => name.to_owned(),
    })
}
