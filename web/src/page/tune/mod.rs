//! Fine-tune: classes from a few images, learned in this tab.

mod cards;
mod folder;
mod input;
mod plot;
mod project;
mod results;
mod state;
mod trial;

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use web_sys::{
    Blob, Event, HtmlButtonElement, HtmlCanvasElement, HtmlElement, HtmlInputElement,
    HtmlSelectElement,
};

use super::app::App;
use super::camera::Camera;
use super::problem::PageError;
use super::{blob, dom, pictures, status};
use ibot_web::protocol::{
    AddExample, Continue, Lesson, Pause, RemoveExamples, Scene, Train, TuneMode,
};
use ibot_web::wire::Bytes;
use state::{Image, Phase, State};

/// Longest side of an image that is learned from, in pixels.
const LONGEST: f64 = 256.0;
/// Side of a small picture.
const THUMB: u32 = 48;
/// Classes of the sample set: builtin scenes, every tenth of which is of one class.
const SAMPLES: [(usize, &str); 2] = [(3, "fish"), (0, "house")];
/// Images of each.
const SAMPLES_EACH: usize = 20;
/// Side of a sample in pixels.
const SAMPLE_SIZE: usize = 128;

/// The part of the page that learns.
pub struct Tune {
    app: Rc<App>,
    state: RefCell<State>,
    camera: RefCell<Weak<Camera>>,
    /// A camera button is held.
    recording: Cell<bool>,
    /// The camera's pictures are being classified.
    live: Cell<bool>,
    /// Times that this was switched: what began at another time is over.
    switches: Cell<u32>,
    /// The class that was last read out; a picture by itself has its class read out in any case.
    said: Cell<Option<usize>>,
    /// Samples that were tried.
    tried: Cell<usize>,
    /// Changes so far; the project is saved when they settle.
    changes: Cell<u32>,
    /// A project is being opened, and not yet worth saving.
    opening: Cell<bool>,
}

impl Tune {
    /// Wires the tab.
    ///
    /// # Errors
    /// If the page lacks a part.
    pub fn start(app: Rc<App>) -> Result<Rc<Self>, PageError> {
        let tune = Rc::new(Self {
            app,
            state: RefCell::default(),
            camera: RefCell::default(),
            recording: Cell::new(false),
            live: Cell::new(false),
            switches: Cell::new(0),
            said: Cell::new(None),
            tried: Cell::new(0),
            changes: Cell::new(0),
            opening: Cell::new(false),
        });
        tune.on_click("tune-samples", Self::add_samples)?;
        tune.on_click("tune-train", Self::train)?;
        tune.on_click("tune-stop", Self::pause)?;
        tune.on_click("tune-restart", Self::train_anew)?;
        let mode: HtmlSelectElement = dom::by_id("tune-mode")?;
        let (at, select) = (tune.clone(), mode.clone());
        dom::listen(&mode, "change", move |_: Event| {
            at.say(at.choose(state::mode_of(&select.value()), None))
        });
        let at = tune.clone();
        dom::listen(
            &dom::by_id::<HtmlInputElement>("tune-steps")?,
            "input",
            move |_: Event| at.say(at.show()),
        );
        input::wire(&tune)?;
        cards::wire(&tune)?;
        trial::wire(&tune)?;
        project::wire(&tune)?;
        tune.choose(TuneMode::Linear, None)?;
        Ok(tune)
    }

    /// Another model, perhaps in another worker: it has to see the images.
    ///
    /// # Errors
    /// If an image cannot be given to it.
    pub async fn use_model(self: &Rc<Self>) -> Result<(), PageError> {
        let files: Vec<(u32, String, Blob)> = {
            let mut state = self.state.borrow_mut();
            state.forget_lesson();
            state
                .images
                .iter()
                .map(|image| (image.id, image.name.clone(), image.file.clone()))
                .collect()
        };
        for (id, name, file) in files {
            let picture = pictures::pixels(&pictures::from_blob(&file, &name).await?)?;
            self.app.ask(AddExample { id, picture }).await?;
        }
        dom::by_id::<HtmlButtonElement>("tune-samples")?.set_disabled(false);
        dom::by_id::<HtmlButtonElement>("tune-scene")?.set_disabled(false);
        self.show()
    }

    /// What the worker says of the lesson.
    pub fn hear(self: &Rc<Self>, event: ibot_web::protocol::Event) {
        use ibot_web::protocol::Event as Said;
        match event {
            Said::Stepped(points) => self.state.borrow_mut().points.extend(points),
            Said::Judged(outcome) => {
                let mut state = self.state.borrow_mut();
                state.phase = if outcome.done {
                    Phase::Done
                } else {
                    Phase::Paused
                };
                state.outcome = Some(outcome);
                status::say("");
                self.changed();
            }
            Said::TuneFailed(reason) => {
                self.state.borrow_mut().forget_lesson();
                status::fail(&PageError::Worker(reason));
            }
            _ => {}
        }
        self.say(self.show());
    }

    /// Adds an image to a class, and shows it.
    ///
    /// # Errors
    /// If it cannot be encoded.
    async fn add(
        self: &Rc<Self>,
        class: usize,
        picture: &HtmlCanvasElement,
        name: &str,
    ) -> Result<(), PageError> {
        let picture = pictures::shrunk(picture, LONGEST)?;
        let (file, thumb) = (
            pictures::png(&picture).await?,
            pictures::square(&picture, THUMB)?,
        );
        let id = {
            let mut state = self.state.borrow_mut();
            if class >= state.classes.len() {
                return Ok(());
            }
            state.last += 1;
            let id = state.last;
            state.images.push(Image {
                id,
                class,
                name: name.to_owned(),
                file,
                thumb: thumb.clone(),
            });
            id
        };
        cards::append(&self.state.borrow(), class, id, &thumb)?;
        // A model that comes later is shown all images.
        if self.app.model().is_some() {
            self.app
                .ask(AddExample {
                    id,
                    picture: pictures::pixels(&picture)?,
                })
                .await?;
        }
        self.changed();
        self.show()
    }

    /// Has the worker forget images that are no longer in the state, and what it learned from them.
    async fn removed(self: &Rc<Self>, ids: Vec<u32>) -> Result<(), PageError> {
        self.app.ask(RemoveExamples { ids }).await?;
        // Steps that were on their way have arrived by now.
        self.state.borrow_mut().forget_lesson();
        self.changed();
        self.show()
    }

    async fn add_samples(self: Rc<Self>) -> Result<(), PageError> {
        for (first, name) in SAMPLES {
            let class = self.state.borrow_mut().class_named(name);
            cards::show(&self.state.borrow())?;
            for n in 0..SAMPLES_EACH {
                let scene = self
                    .app
                    .ask(Scene {
                        index: first + 10 * n,
                        size: SAMPLE_SIZE,
                    })
                    .await?;
                self.add(
                    class,
                    &pictures::from_pixels(&scene)?,
                    &format!("{name} {}", n + 1),
                )
                .await?;
            }
        }
        status::say("The sample set is here; now train.");
        Ok(())
    }

    /// Shows a mode in the form.
    fn choose(&self, mode: TuneMode, steps: Option<usize>) -> Result<(), PageError> {
        let (value, usual, about) = state::about(mode);
        dom::by_id::<HtmlSelectElement>("tune-mode")?.set_value(value);
        dom::by_id::<HtmlElement>("tune-about")?.set_text_content(Some(about));
        let field: HtmlInputElement = dom::by_id("tune-steps")?;
        field.set_disabled(mode == TuneMode::Knn);
        field.set_value(&steps.unwrap_or(usual).to_string());
        self.show()
    }

    /// The lesson that the form asks for.
    fn lesson(&self) -> Result<Lesson, PageError> {
        let steps = dom::by_id::<HtmlInputElement>("tune-steps")?.value_as_number();
        let mode = state::mode_of(&dom::by_id::<HtmlSelectElement>("tune-mode")?.value());
        let state = self.state.borrow();
        // What is no number counts as 0.
        Ok(Lesson {
            mode,
            labels: state.labels(),
            classes: state.classes.len(),
            steps: (steps as usize).max(1),
        })
    }

    async fn train(self: Rc<Self>) -> Result<(), PageError> {
        let lesson = self.lesson()?;
        if !self.state.borrow().can_continue(&lesson) {
            return self.train_anew().await;
        }
        self.state.borrow_mut().phase = Phase::Running;
        self.show()?;
        self.app.ask(Continue).await
    }

    async fn train_anew(self: Rc<Self>) -> Result<(), PageError> {
        let lesson = self.lesson()?;
        {
            let mut state = self.state.borrow_mut();
            let empty = (0..lesson.classes).find(|class| state.count(*class) == 0);
            if let Some(class) = empty.filter(|_| lesson.mode != TuneMode::Adapt) {
                return Err(PageError::EmptyClass(state.classes[class].clone()));
            }
            state.forget_lesson();
            state.lesson = Some(lesson.clone());
            state.phase = Phase::Running;
        }
        self.show()?;
        status::say("Learning…");
        let begun = match self.file_for(lesson.mode).await {
            Ok(file) => self.app.ask(Train { lesson, file }).await,
            Err(error) => Err(error),
        };
        if begun.is_err() {
            self.state.borrow_mut().forget_lesson();
            self.show()?;
        }
        begun
    }

    /// The model's file, for the mode that starts from it.
    async fn file_for(&self, mode: TuneMode) -> Result<Option<Bytes>, PageError> {
        match self.app.file().filter(|_| mode == TuneMode::Adapt) {
            Some(file) => Ok(Some(Bytes(blob::bytes(&file).await?))),
            None => Ok(None),
        }
    }

    async fn pause(self: Rc<Self>) -> Result<(), PageError> {
        self.app.ask(Pause).await
    }

    /// Does something at every click on a button.
    fn on_click<F>(
        self: &Rc<Self>,
        id: &'static str,
        act: impl Fn(Rc<Self>) -> F + 'static,
    ) -> Result<(), PageError>
    where
        F: Future<Output = Result<(), PageError>> + 'static,
    {
        let tune = self.clone();
        dom::listen(
            &dom::by_id::<HtmlButtonElement>(id)?,
            "click",
            move |_: Event| dom::start(act(tune.clone())),
        );
        Ok(())
    }

    /// Shows what went wrong, if something did.
    fn say(&self, result: Result<(), PageError>) {
        if let Err(error) = result {
            status::fail(&error);
        }
    }

    /// Draws what is known in the room that there is; what goes wrong is said.
    pub fn draw(&self) {
        self.say(self.show());
    }

    /// Shows how far the lesson is.
    fn show(&self) -> Result<(), PageError> {
        let lesson = self.lesson()?;
        let ready = self.app.model().is_some();
        results::show(&self.state.borrow(), &lesson, ready)
    }
}
