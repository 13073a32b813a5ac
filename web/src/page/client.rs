//! The worker and its model, as all parts of the page use them.

use std::cell::{OnceCell, RefCell};
use std::future::Future;
use std::pin::Pin;

use web_sys::Blob;

use super::link::WorkerLink;
use super::problem::PageError;
use super::{blob, status};
use ibot_web::protocol::{Ask, DevicePreference, Load, ModelInfo, Request, Start, Started};
use ibot_web::wire::{self, Bytes};

type Task = Pin<Box<dyn Future<Output = Result<(), PageError>>>>;

#[derive(Default)]
pub struct Client {
    /// `None` before the first worker is started, and while another one takes its place.
    link: RefCell<Option<WorkerLink>>,
    model: RefCell<Option<ModelInfo>>,
    /// For the next worker, if this one breaks off.
    file: RefCell<Option<ModelFile>>,
    follow_up: OnceCell<Box<dyn Fn(ModelInfo) -> Task>>,
}

#[derive(Clone)]
struct ModelFile {
    name: String,
    blob: Blob,
}

impl Client {
    /// Sets what is done with every new model. Loading waits for it; only the first call counts.
    pub fn on_model<F>(&self, follow_up: impl Fn(ModelInfo) -> F + 'static)
    where
        F: Future<Output = Result<(), PageError>> + 'static,
    {
        let _ = self
            .follow_up
            .set(Box::new(move |model| Box::pin(follow_up(model))));
    }

    pub async fn ask<A: Ask>(&self, ask: A) -> Result<A::Answer, PageError> {
        let request: Request = ask.into();
        // The link is only borrowed to send: it may be replaced before the answer comes.
        let reply = match &*self.link.borrow() {
            Some(link) => link.send(&request)?,
            None => return Err(PageError::Gone),
        };

        let answer = reply
            .await
            .map_err(|_| PageError::Gone)?
            .map_err(PageError::Worker)?;
        wire::from_js(answer).map_err(|error| PageError::Worker(error.to_string()))
    }

    pub fn model(&self) -> Option<ModelInfo> {
        self.model.borrow().clone()
    }

    pub fn has_model(&self) -> bool {
        self.model.borrow().is_some()
    }

    /// The bytes of the model's file, if there is a model.
    pub async fn file(&self) -> Result<Option<Bytes>, PageError> {
        let file = self.file.borrow().clone();
        match file {
            Some(file) => Ok(Some(Bytes(blob::bytes(&file.blob).await?))),
            None => Ok(None),
        }
    }

    /// Replaces the model, and everything that was computed with it.
    ///
    /// # Errors
    /// If the file holds no model. The previous model is then loaded again.
    pub async fn load(&self, name: &str, blob: Blob) -> Result<(), PageError> {
        let name = name.to_owned();
        let loaded = self.try_load(ModelFile { name, blob }).await;
        // A worker that refuses a file has given up its model already. One that is gone is replaced,
        // and loads the model again anyway.
        if let Err(PageError::Worker(_)) = loaded {
            self.reload().await?;
        }
        loaded
    }

    // Cloned, as the model may be replaced while its file is read.
    pub async fn reload(&self) -> Result<(), PageError> {
        let file = self.file.borrow().clone();
        match file {
            Some(file) => self.try_load(file).await,
            None => Ok(()),
        }
    }

    async fn try_load(&self, file: ModelFile) -> Result<(), PageError> {
        let bytes = Bytes(blob::bytes(&file.blob).await?);
        let name = file.name.clone();
        status::say(&format!("Loading {name}…"));

        // The worker frees the old model first, so that there is room for the new one.
        self.model.replace(None);
        let model = self.ask(Load { name, bytes }).await?;
        self.model.replace(Some(model.clone()));
        self.file.replace(Some(file));

        match self.follow_up.get() {
            Some(follow_up) => follow_up(model).await,
            None => Ok(()),
        }
    }

    pub async fn connect(
        &self,
        link: WorkerLink,
        device: DevicePreference,
    ) -> Result<Started, PageError> {
        self.link.replace(Some(link));
        self.ask(Start { device }).await
    }

    /// Ends the worker. Questions have no answer until there is another one.
    pub fn disconnect(&self) {
        self.link.replace(None);
    }
}
