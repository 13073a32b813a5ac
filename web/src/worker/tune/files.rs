//! Projects and tuned models as files.

use burn::tensor::Device;
use ibot_core::learn::Mode;
use ibot_core::session::{Project, ProjectImage, ProjectSettings, TunedModel, write_tuned};
use ibot_core::weights::{Precision, Weights, timm, to_safetensors};

use super::super::model::Model;
use super::super::problem::Problem;
use super::Tuner;
use super::examples::shown;
use super::session::{Learner, Session, settings};
use ibot_web::protocol::{
    ExportModel, Lesson, PackProject, Restore, StoredImage, TuneMode, UnpackProject, Unpacked,
};
use ibot_web::wire::Bytes;

/// What a project's file had learned.
pub struct Stored {
    settings: ProjectSettings,
    weights: Weights,
}

impl Tuner {
    /// The tuned model: a backbone that every `ibot` command reads, with the classifier beside it
    /// where there is one.
    pub async fn export(&self, ask: &ExportModel, model: &Model) -> Result<Vec<u8>, Problem> {
        let session = self.session.as_ref().ok_or(Problem::NothingLearned)?;
        let (backbone, classifier) = match &session.learner {
            Learner::Linear(head) => (model.backbone.clone(), head.classifier()),
            Learner::FineTune(session) => session.tuned().await?,
            Learner::Knn(_) => return Err(Problem::NoWeights),
            Learner::Adapt(session, _) => {
                let weights = timm(&session.backbone().clone().without_mask_token(), None).await;
                let metadata = model
                    .header
                    .to_metadata()
                    .map_err(|error| Problem::Message(error.to_string()))?;
                let bytes = to_safetensors(
                    &weights.map_err(Problem::Learned)?,
                    metadata,
                    Precision::F32,
                );
                return bytes.map_err(|source| Problem::File {
                    name: "the tuned model".to_owned(),
                    source,
                });
            }
        };
        let tuned = TunedModel {
            classifier,
            classes: ask.classes.clone(),
            size: shown(model),
        };
        Ok(write_tuned(&backbone, &model.header, &tuned).await?)
    }

    /// All of the project. What is learned is in it as long as it is of these very images.
    pub async fn pack(&self, ask: &PackProject, model: &Model) -> Result<Vec<u8>, Problem> {
        let image = |image: &StoredImage| ProjectImage {
            name: image.name.clone(),
            class: image.class,
            bytes: image.bytes.0.clone(),
        };
        let mut project = Project {
            classes: ask.classes.clone(),
            images: ask.images.iter().map(image).collect(),
            settings: ProjectSettings::default(),
            weights: Weights::new(),
        };
        if let Some(session) = self
            .session
            .as_ref()
            .filter(|session| learns_from(&session.lesson, &ask.images))
        {
            project.settings = settings(&session.lesson, model);
            let (prefix, state) = session.state().await?;
            project.weights = state
                .into_iter()
                .map(|(name, weight)| (format!("{prefix}{name}"), weight))
                .collect();
        }
        project.settings.model = ask.model.clone();
        Ok(project.to_bytes()?)
    }

    /// Reads a project.
    pub fn unpack(&mut self, ask: &UnpackProject) -> Result<Unpacked, Problem> {
        let Project {
            classes,
            images,
            settings,
            weights,
        } = Project::from_bytes(&ask.bytes.0)?;
        let model = settings.model.clone();
        self.stored = Some(Stored { settings, weights });
        let image = |(id, image): (usize, ProjectImage)| StoredImage {
            id: id as u32,
            name: image.name,
            class: image.class,
            bytes: Bytes(image.bytes),
        };
        Ok(Unpacked {
            classes,
            images: images.into_iter().enumerate().map(image).collect(),
            model,
        })
    }

    /// Makes the lesson of a file again.
    pub async fn restore(
        &mut self,
        ask: &Restore,
        model: &Model,
        device: &Device,
    ) -> Result<Option<Lesson>, Problem> {
        let Some(Stored { settings, weights }) = self.stored.take() else {
            return Ok(None);
        };
        let learned = weights
            .keys()
            .next()
            .and_then(|name| name.split_once('/'))
            .map(|(kind, _)| kind.to_owned());
        let Some(kind) = learned else { return Ok(None) };
        let (mode, steps) = match (&kind[..], settings.finetune.mode) {
            ("linear", _) => (TuneMode::Linear, settings.head.steps),
            ("finetune", Mode::Lora { .. }) => (TuneMode::Lora, settings.finetune.steps),
            ("finetune", Mode::LastBlocks(_)) => (TuneMode::LastBlocks, settings.finetune.steps),
            ("adapt", _) => (TuneMode::Adapt, settings.adapt.steps),
            _ => return Ok(None),
        };
        let strip =
            |(name, weight): (String, _)| Some((name.split_once('/')?.1.to_owned(), weight));
        let state = weights.into_iter().filter_map(strip).collect();
        let lesson = Lesson {
            mode,
            labels: ask.labels.clone(),
            classes: ask.classes,
            steps,
        };
        let file = ask.file.as_ref().map(|file| &file.0[..]);
        self.examples.complete(model, device).await?;
        let fresh = Session::new(lesson.clone(), file, &self.examples, model, device).await?;
        self.session = Some(fresh.restore(&state)?);
        self.judge(model, device).await?;
        Ok(Some(lesson))
    }
}

/// Whether a lesson's images and classes are these, in this order.
fn learns_from(lesson: &Lesson, images: &[StoredImage]) -> bool {
    let labels = lesson
        .labels
        .iter()
        .map(|label| (label.id, Some(label.class)));
    labels.eq(images.iter().map(|image| (image.id, image.class)))
}
