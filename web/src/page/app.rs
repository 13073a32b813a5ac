//! The page as a whole: it makes the parts and connects them.

use std::cell::Cell;
use std::rc::Rc;

use web_sys::{Event, HtmlElement, HtmlSelectElement};

use super::client::Client;
use super::explore::{self, Explore};
use super::link::WorkerLink;
use super::problem::PageError;
use super::tune::{self, Tune};
use super::{dom, events, model, status, tabs};
use ibot_web::protocol::{DevicePreference, Memory, ModelInfo, Started, WorkerEvent};

// The parts hold each other in circles, as they may: they live as long as the page.
pub struct App {
    client: Rc<Client>,
    explore: Rc<Explore>,
    tune: Rc<Tune>,
    device: HtmlSelectElement,
    restarting: Cell<bool>,
}

impl App {
    /// Starts the page: the worker and its device, the included model, two sample images.
    pub async fn run() -> Result<(), PageError> {
        let client = Rc::new(Client::default());
        let app = Rc::new(Self {
            explore: explore::start(&client)?,
            tune: tune::start(&client)?,
            client,
            device: dom::by_id("device-choice")?,
            restarting: Cell::new(false),
        });
        app.wire()?;

        app.start_worker(app.preference()).await?;
        if let Err(error) = model::load_included(&app.client).await {
            // Without it the page still works: a person can open another model.
            status::fail(&error);
        }

        tune::offer_last();
        explore::show_samples(&app.explore).await
    }

    fn wire(self: &Rc<Self>) -> Result<(), PageError> {
        // Everything listens before the first worker starts: the page can be used while it loads.
        model::wire(&self.client)?;
        let app = self.clone();
        self.client.on_model(move |model| app.clone().follow(model));

        let app = self.clone();
        tabs::wire(move || app.draw())?;
        events::on(&dom::window(), "resize", self, |app, _: Event| app.draw());

        events::on(&self.device, "change", self, |app, _: Event| {
            let app = app.clone();
            events::start(async move { app.restart(app.preference(), None).await });
        });
        Ok(())
    }

    fn draw(&self) {
        self.explore.draw();
        self.tune.draw();
    }

    /// Shows a new model, and has both tabs use it.
    async fn follow(self: Rc<Self>, model: ModelInfo) -> Result<(), PageError> {
        model::describe(&model)?;

        // For tests: the bytes of the worker's memory.
        let memory = self.client.ask(Memory).await?;
        dom::document()?
            .body()
            .ok_or(PageError::Missing("body"))?
            .set_attribute("data-memory", &memory.to_string())?;

        self.explore.use_model(&model).await?;
        self.tune.use_model().await
    }

    async fn start_worker(self: &Rc<Self>, device: DevicePreference) -> Result<(), PageError> {
        status::say("Starting…");
        let app = self.clone();
        let link = WorkerLink::start(move |event| app.receive(event)).await?;

        let started = self.client.connect(link, device).await?;
        show_device(&started)
    }

    fn receive(self: &Rc<Self>, event: WorkerEvent) {
        match event {
            WorkerEvent::Ready => {}
            WorkerEvent::Progress(text) => status::say(&text),
            WorkerEvent::Lesson(event) => self.tune.receive(event),
            WorkerEvent::DeviceLost(reason) | WorkerEvent::Panicked(reason) => {
                let app = self.clone();
                events::start(
                    async move { app.restart(DevicePreference::Cpu, Some(reason)).await },
                );
            }
        }
    }

    /// Starts another worker with the same model and images; `failure` is why the last one ended.
    async fn restart(
        self: &Rc<Self>,
        device: DevicePreference,
        failure: Option<String>,
    ) -> Result<(), PageError> {
        // A failure of the new worker is dealt with below.
        if self.restarting.replace(true) {
            return Ok(());
        }

        let mut restarted = self.try_restart(device).await;
        if restarted.is_err() {
            // If the images are the cause, the worker would break off over them again and again.
            self.explore.forget_images();
            restarted = self.try_restart(device).await;
        }
        self.restarting.set(false);

        restarted?;
        match failure {
            Some(reason) => Err(PageError::Restarted(reason)),
            None => Ok(()),
        }
    }

    async fn try_restart(self: &Rc<Self>, device: DevicePreference) -> Result<(), PageError> {
        self.client.disconnect();
        self.start_worker(device).await?;
        self.client.reload().await
    }

    fn preference(&self) -> DevicePreference {
        match self.device.value().as_str() {
            "cpu" => DevicePreference::Cpu,
            "webgpu" => DevicePreference::WebGpu,
            _ => DevicePreference::Auto,
        }
    }
}

fn show_device(started: &Started) -> Result<(), PageError> {
    let badge: HtmlElement = dom::by_id("device")?;
    badge.set_text_content(Some(&started.name));
    badge.set_title(&started.why);
    badge.set_class_name(if started.webgpu { "webgpu" } else { "cpu" });

    dom::set_text("device-why", &started.why)
}
