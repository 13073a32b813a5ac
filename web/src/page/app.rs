//! The page as a whole: a worker, a model, and the parts that use them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use web_sys::{Blob, HtmlElement, HtmlSelectElement};

use super::explore::Explore;
use super::link::Link;
use super::problem::PageError;
use super::tune::Tune;
use super::{blob, colors, dom, files, model, samples, status, tabs};
use ibot_web::protocol::{Ask, DeviceChoice, Event, Load, Loaded, Memory, Start, Started};
use ibot_web::wire::Bytes;

/// What all parts of the page share.
pub struct App {
    link: RefCell<Option<Rc<Link>>>,
    model: RefCell<Option<Loaded>>,
    /// The model's file, for the next worker should this one break off.
    file: RefCell<Option<(String, Blob)>>,
    explore: RefCell<Option<Rc<Explore>>>,
    tune: RefCell<Option<Rc<Tune>>>,
    /// A new worker is being started.
    restarting: Cell<bool>,
}

impl App {
    /// Starts the page: the worker and its device, the included model, two sample images.
    ///
    /// # Errors
    /// If a part of the page is missing or nothing can be computed.
    pub async fn run() -> Result<(), PageError> {
        let app = Rc::new(Self {
            link: RefCell::default(),
            model: RefCell::default(),
            file: RefCell::default(),
            explore: RefCell::default(),
            tune: RefCell::default(),
            restarting: Cell::new(false),
        });
        let explore = Explore::start(app.clone())?;
        *app.explore.borrow_mut() = Some(explore.clone());
        let tune = Tune::start(app.clone())?;
        *app.tune.borrow_mut() = Some(tune.clone());
        let (images, curves) = (explore.clone(), tune.clone());
        let draw = move || {
            images.draw();
            curves.draw();
        };
        tabs::wire(draw.clone())?;
        dom::listen(&dom::window(), "resize", move |_: web_sys::Event| draw());
        files::wire(&explore)?;
        model::wire(&app)?;
        let choice: HtmlSelectElement = dom::by_id("device-choice")?;
        let (chosen, select) = (app.clone(), choice.clone());
        dom::listen(&choice, "change", move |_: web_sys::Event| {
            let (app, choice) = (chosen.clone(), device_choice(&select));
            dom::start(async move { app.restart(choice, None).await });
        });
        app.start_worker(device_choice(&choice)).await?;
        if let Err(error) = model::load_included(&app).await {
            // The person can give it another one.
            status::fail(&error);
        }
        Tune::offer_last();
        samples::wire(&app, &explore).await
    }

    /// Asks the worker.
    ///
    /// # Errors
    /// What is wrong with the question, or that the worker is gone.
    pub async fn ask<A: Ask>(&self, ask: A) -> Result<A::Answer, PageError> {
        let link = self.link.borrow().clone().ok_or(PageError::Gone)?;
        link.ask(ask).await
    }

    /// The model, if there is one.
    pub fn model(&self) -> Option<Loaded> {
        self.model.borrow().clone()
    }

    /// The model's file, if there is a model.
    pub fn file(&self) -> Option<Blob> {
        self.file.borrow().as_ref().map(|(_, file)| file.clone())
    }

    /// Replaces the model, and what was computed with it.
    ///
    /// # Errors
    /// If the file holds no model; the one before it is there again then.
    pub async fn load(self: &Rc<Self>, name: &str, file: Blob) -> Result<Loaded, PageError> {
        let loaded = self.try_load(name, file).await;
        if let Err(PageError::Worker(_)) = loaded {
            self.reload().await?;
        }
        loaded
    }

    /// Loads the file of the model again.
    async fn reload(self: &Rc<Self>) -> Result<(), PageError> {
        let file = self.file.borrow().clone();
        match file {
            Some((name, file)) => self.try_load(&name, file).await.map(drop),
            None => Ok(()),
        }
    }

    async fn try_load(self: &Rc<Self>, name: &str, file: Blob) -> Result<Loaded, PageError> {
        let bytes = Bytes(blob::bytes(&file).await?);
        status::say(&format!("Loading {name}…"));
        *self.model.borrow_mut() = None;
        let loaded = self
            .ask(Load {
                name: name.to_owned(),
                bytes,
            })
            .await?;
        *self.model.borrow_mut() = Some(loaded.clone());
        *self.file.borrow_mut() = Some((name.to_owned(), file));
        model::describe(&loaded)?;
        let memory = self.ask(Memory).await?;
        dom::document()?
            .body()
            .ok_or(PageError::Missing("body"))?
            .set_attribute("data-memory", &memory.to_string())?;
        let explore = self.explore.borrow().clone();
        if let Some(explore) = explore {
            explore.use_model(&loaded).await?;
        }
        let tune = self.tune.borrow().clone();
        if let Some(tune) = tune {
            tune.use_model().await?;
        }
        Ok(loaded)
    }

    async fn start_worker(self: &Rc<Self>, choice: DeviceChoice) -> Result<(), PageError> {
        status::say("Starting…");
        let hearing = Rc::downgrade(self);
        let link = Link::start(move |event| {
            let Some(app) = hearing.upgrade() else { return };
            match event {
                Event::Ready => {}
                Event::Progress(text) => status::say(&text),
                Event::Stepped(_) | Event::Judged(_) | Event::TuneFailed(_) => {
                    if let Some(tune) = app.tune.borrow().clone() {
                        tune.hear(event);
                    }
                }
                Event::DeviceLost(reason) | Event::Panicked(reason) => {
                    dom::start(async move { app.restart(DeviceChoice::Cpu, Some(reason)).await });
                }
            }
        });
        *self.link.borrow_mut() = Some(link.await?);
        let started = self.ask(Start { device: choice }).await?;
        colors::take(started.colors.clone());
        show_device(&started)
    }

    /// Starts anew with another worker, the same model and the same images.
    async fn restart(
        self: &Rc<Self>,
        choice: DeviceChoice,
        broke: Option<String>,
    ) -> Result<(), PageError> {
        if self.restarting.replace(true) {
            return Ok(());
        }
        let mut again = self.try_restart(choice).await;
        if again.is_err() {
            // What broke off over the images would break off over them forever.
            if let Some(explore) = self.explore.borrow().as_ref() {
                explore.forget_images();
            }
            again = self.try_restart(choice).await;
        }
        self.restarting.set(false);
        again?;
        match broke {
            Some(reason) => Err(PageError::Restarted(reason)),
            None => Ok(()),
        }
    }

    async fn try_restart(self: &Rc<Self>, choice: DeviceChoice) -> Result<(), PageError> {
        if let Some(old) = self.link.borrow_mut().take() {
            old.abandon();
        }
        self.start_worker(choice).await?;
        self.reload().await
    }
}

fn device_choice(select: &HtmlSelectElement) -> DeviceChoice {
    match select.value().as_str() {
        "cpu" => DeviceChoice::Cpu,
        "webgpu" => DeviceChoice::WebGpu,
        _ => DeviceChoice::Auto,
    }
}

fn show_device(started: &Started) -> Result<(), PageError> {
    let badge: HtmlElement = dom::by_id("device")?;
    badge.set_text_content(Some(&started.name));
    badge.set_title(&started.why);
    badge.set_class_name(if started.webgpu { "webgpu" } else { "cpu" });
    dom::by_id::<HtmlElement>("device-why")?.set_text_content(Some(&started.why));
    Ok(())
}
