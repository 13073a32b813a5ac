//! The project as a file: saved by hand, and by itself in this browser.

use std::rc::Rc;

use web_sys::{Blob, Event, HtmlElement, HtmlInputElement};

use super::super::database::{self, Kept};
use super::super::problem::PageError;
use super::super::{blob, dom, files, pictures, status};
use super::Tune;
use super::cards;
use super::state::{Phase, State};
use ibot_web::js;
use ibot_web::protocol::{
    ExportModel, PackProject, RemoveExamples, Restore, StoredImage, TuneMode, UnpackProject,
    Unpacked,
};
use ibot_web::wire::Bytes;

/// Milliseconds without change after which the project is saved.
const SETTLED: f64 = 1500.0;

/// Wires the buttons.
///
/// # Errors
/// If the page lacks a part.
pub fn wire(tune: &Rc<Tune>) -> Result<(), PageError> {
    tune.on_click("tune-export", Tune::export)?;
    tune.on_click("tune-export-model", Tune::export_model)?;
    tune.on_click("tune-resume", Tune::resume)?;
    tune.on_click("tune-discard", |_| async {
        database::clear().await?;
        show_banner(None)
    })?;
    let input: HtmlInputElement = dom::by_id("tune-import")?;
    let (at, field) = (tune.clone(), input.clone());
    dom::listen(&input, "change", move |_: Event| {
        let file = files::list(field.files()).into_iter().next();
        field.set_value("");
        let at = at.clone();
        dom::start(async move {
            match file {
                Some(file) => at.open(&file).await,
                None => Ok(()),
            }
        });
    });
    Ok(())
}

impl Tune {
    /// Offers to go on with the project of the last visit.
    pub fn offer_last() {
        dom::start(async { show_banner(database::find().await?.as_ref()) });
    }

    /// Saves the project in the browser as soon as nothing more changes.
    pub fn changed(self: &Rc<Self>) {
        let change = self.changes.get().wrapping_add(1);
        self.changes.set(change);
        let at = self.clone();
        dom::start(async move {
            js::sleep(SETTLED).await;
            let busy = at.opening.get()
                || at.state.borrow().phase == Phase::Running
                || at.app.model().is_none();
            // What is busy changes once more when it is done.
            if busy || at.changes.get() != change {
                return Ok(());
            }
            at.keep().await
        });
    }

    async fn keep(&self) -> Result<(), PageError> {
        let (classes, images) = {
            let state = self.state.borrow();
            (state.classes.len(), state.images.len())
        };
        if classes == 0 {
            return database::clear().await;
        }
        let file = blob::of(&self.pack().await?)?;
        let count =
            |n: usize, one: &str, more: &str| format!("{n} {}", if n == 1 { one } else { more });
        let summary = format!(
            "{}, {}",
            count(classes, "class", "classes"),
            count(images, "image", "images")
        );
        database::keep(&Kept { summary, file }).await?;
        show_banner(None)
    }

    /// The project as a file.
    async fn pack(&self) -> Result<Vec<u8>, PageError> {
        let (classes, files) = {
            let state = self.state.borrow();
            let files = state.images.iter().map(|image| {
                (
                    image.id,
                    image.name.clone(),
                    image.class,
                    image.file.clone(),
                )
            });
            (state.classes.clone(), files.collect::<Vec<_>>())
        };
        let mut images = Vec::with_capacity(files.len());
        for (id, name, class, file) in files {
            images.push(StoredImage {
                id,
                name,
                class: Some(class),
                bytes: Bytes(blob::bytes(&file).await?),
            });
        }
        let model = self.app.model().map(|model| model.name).unwrap_or_default();
        Ok(self
            .app
            .ask(PackProject {
                classes,
                images,
                model,
            })
            .await?
            .0)
    }

    async fn export(self: Rc<Self>) -> Result<(), PageError> {
        blob::save(
            &blob::of(&self.pack().await?)?,
            &format!("{}.ibot.safetensors", name()?),
        )
    }

    async fn export_model(self: Rc<Self>) -> Result<(), PageError> {
        let classes = self.state.borrow().classes.clone();
        let file = self.app.ask(ExportModel { classes }).await?;
        blob::save(&blob::of(&file.0)?, &format!("{}.safetensors", name()?))
    }

    async fn resume(self: Rc<Self>) -> Result<(), PageError> {
        let kept = database::find().await?;
        show_banner(None)?;
        dom::by_id::<HtmlElement>("tab-tune")?.click();
        match kept {
            Some(kept) => self.open(&kept.file).await,
            None => Ok(()),
        }
    }

    /// Puts the project of a file in place of this one.
    async fn open(self: &Rc<Self>, file: &Blob) -> Result<(), PageError> {
        let bytes = Bytes(blob::bytes(file).await?);
        let project = self.app.ask(UnpackProject { bytes }).await?;
        self.opening.set(true);
        let result = self.replace(project).await;
        self.opening.set(false);
        self.changed();
        result
    }

    async fn replace(self: &Rc<Self>, project: Unpacked) -> Result<(), PageError> {
        let Unpacked {
            classes,
            images,
            model,
        } = project;
        status::say("Opening the project…");
        let old = {
            let mut state = self.state.borrow_mut();
            let last = state.last;
            let old = std::mem::replace(
                &mut *state,
                State {
                    classes,
                    last,
                    ..State::default()
                },
            );
            old.images.into_iter().map(|image| image.id).collect()
        };
        self.app.ask(RemoveExamples { ids: old }).await?;
        cards::show(&self.state.borrow())?;
        for StoredImage {
            name, class, bytes, ..
        } in images
        {
            let picture = pictures::from_blob(&blob::of(&bytes.0)?, &name).await?;
            let class = match class {
                Some(class) => class,
                None => self.unlabelled()?,
            };
            self.add(class, &picture, &name).await?;
        }
        let known = self.app.model().is_some_and(|loaded| loaded.name == model);
        if !known {
            status::say(&format!(
                "The project was made with {model}; load it, or train anew."
            ));
            return self.show();
        }
        let (labels, classes) = {
            let state = self.state.borrow();
            (state.labels(), state.classes.len())
        };
        // Only one mode needs the file, and only the worker knows the mode.
        let file = self.file_for(TuneMode::Adapt).await?;
        if let Some(lesson) = self
            .app
            .ask(Restore {
                labels,
                classes,
                file,
            })
            .await?
        {
            let (mode, steps) = (lesson.mode, lesson.steps);
            self.state.borrow_mut().lesson = Some(lesson);
            self.choose(mode, Some(steps))?;
        }
        status::say("");
        self.show()
    }

    /// The class of images that have none.
    fn unlabelled(&self) -> Result<usize, PageError> {
        const NAME: &str = "unlabelled";
        let known = self
            .state
            .borrow()
            .classes
            .iter()
            .any(|class| class == NAME);
        let class = self.state.borrow_mut().class_named(NAME);
        if !known {
            cards::show(&self.state.borrow())?;
        }
        Ok(class)
    }
}

/// What files are called.
fn name() -> Result<String, PageError> {
    let name = dom::by_id::<HtmlInputElement>("tune-name")?.value();
    Ok(if name.trim().is_empty() {
        "project".to_owned()
    } else {
        name.trim().to_owned()
    })
}

/// Offers a project, or nothing.
fn show_banner(kept: Option<&Kept>) -> Result<(), PageError> {
    dom::by_id::<HtmlElement>("tune-banner")?.set_hidden(kept.is_none());
    let text = kept.map(|kept| format!("Resume your last project ({})?", kept.summary));
    dom::by_id::<HtmlElement>("tune-last")?.set_text_content(text.as_deref());
    Ok(())
}
