//! Projects and tuned models as files.

use ibot_core::learn::Mode;
use ibot_core::model::Backbone;
use ibot_core::session::{Project, ProjectImage, ProjectSettings, TunedModel, write_tuned};
use ibot_core::weights::{StoredPrecision, Weights, timm, to_safetensors};

use super::learner::{TuneLearner, settings};
use super::session::Session;
use super::tuner::StoredLesson;
use crate::worker::answer::Answer;
use crate::worker::model::{LoadedModel, not_read};
use crate::worker::problem::Problem;
use crate::worker::state::WorkerState;
use ibot_web::protocol::{
    ExportModel, Lesson, PackProject, Restore, StoredImage, TuneMode, UnpackProject, Unpacked,
};
use ibot_web::wire::Bytes;

impl Answer for ExportModel {
    /// A backbone that every `ibot` command reads, with the classifier beside it if there is one.
    async fn answer(self, worker: &mut WorkerState) -> Result<Bytes, Problem> {
        let model = worker.model()?;
        let (backbone, classifier) = match &worker.tuner.session()?.learner {
            TuneLearner::Linear(head) => (model.backbone.clone(), head.classifier()),
            TuneLearner::FineTune(learner) => learner.tuned().await?,
            TuneLearner::Knn(_) => return Err(Problem::NoWeights),
            TuneLearner::Adapt { adapt, .. } => {
                let backbone = adapt.backbone().clone().without_mask_token();
                return write_backbone(&backbone, &model).await.map(Bytes);
            }
        };

        let tuned = TunedModel {
            classifier,
            classes: self.classes,
            size: model.image_size(),
        };
        Ok(Bytes(write_tuned(&backbone, &model.header, &tuned).await?))
    }
}

async fn write_backbone(backbone: &Backbone, model: &LoadedModel) -> Result<Vec<u8>, Problem> {
    let weights = timm(backbone, None).await.map_err(Problem::Learned)?;
    let metadata = model
        .header
        .to_metadata()
        .map_err(|error| Problem::Message(error.to_string()))?;

    to_safetensors(&weights, metadata, StoredPrecision::F32)
        .map_err(|source| not_read("the tuned model", source))
}

impl Answer for PackProject {
    async fn answer(self, worker: &mut WorkerState) -> Result<Bytes, Problem> {
        let model = worker.model()?;
        let mut settings_of_project = ProjectSettings::default();
        let mut weights = Weights::new();

        // A lesson of other images would be taken for one of these.
        if let Ok(session) = worker.tuner.session()
            && learns_from(&session.lesson, &self.images)
        {
            settings_of_project = settings(&session.lesson, &model);
            let (prefix, state) = session.learner.state().await?;
            for (name, weight) in state {
                weights.insert(format!("{prefix}{name}"), weight);
            }
        }
        settings_of_project.model = self.model;

        let mut images = Vec::with_capacity(self.images.len());
        for image in self.images {
            images.push(ProjectImage {
                name: image.name,
                class: image.class,
                bytes: image.bytes.0,
            });
        }
        let project = Project {
            classes: self.classes,
            images,
            settings: settings_of_project,
            weights,
        };
        Ok(Bytes(project.to_bytes()?))
    }
}

/// Whether a lesson's images and classes are these, in this order.
fn learns_from(lesson: &Lesson, images: &[StoredImage]) -> bool {
    let labels = lesson.labels.iter();
    let labels = labels.map(|label| (label.id, Some(label.class)));
    labels.eq(images.iter().map(|image| (image.id, image.class)))
}

impl Answer for UnpackProject {
    async fn answer(self, worker: &mut WorkerState) -> Result<Unpacked, Problem> {
        let project = Project::from_bytes(&self.bytes.0)?;
        let model = project.settings.model.clone();
        worker.tuner.stored = Some(StoredLesson {
            settings: project.settings,
            weights: project.weights,
        });

        let mut images = Vec::with_capacity(project.images.len());
        for (id, image) in (0..).zip(project.images) {
            images.push(StoredImage {
                id,
                name: image.name,
                class: image.class,
                bytes: Bytes(image.bytes),
            });
        }
        Ok(Unpacked {
            classes: project.classes,
            images,
            model,
        })
    }
}

impl Answer for Restore {
    async fn answer(self, worker: &mut WorkerState) -> Result<Option<Lesson>, Problem> {
        let model = worker.model()?;
        let tuner = &mut worker.tuner;
        let Some(StoredLesson { settings, weights }) = tuner.stored.take() else {
            return Ok(None);
        };
        let Some((mode, steps)) = mode_of(&settings, &weights) else {
            return Ok(None);
        };

        let lesson = Lesson {
            mode,
            labels: self.labels,
            classes: self.classes,
            steps,
        };
        let mut state = Weights::new();
        for (name, weight) in weights {
            if let Some((_, name)) = name.split_once('/') {
                state.insert(name.to_owned(), weight);
            }
        }

        tuner.examples.complete(&model).await?;
        let file = self.file.as_ref().map(|file| &file.0[..]);
        // The state restores weights and steps; everything else follows from the lesson.
        let fresh = Session::new(lesson.clone(), file, &tuner.examples, &model).await?;
        tuner.session = Some(fresh.restore(&state)?);
        tuner.judge(&model).await?;
        Ok(Some(lesson))
    }
}

/// The mode and the steps of a stored lesson, by the prefix of its weights.
fn mode_of(settings: &ProjectSettings, weights: &Weights) -> Option<(TuneMode, usize)> {
    let (kind, _) = weights.keys().next()?.split_once('/')?;
    match (kind, settings.finetune.mode) {
        ("linear", _) => Some((TuneMode::Linear, settings.head.steps)),
        ("finetune", Mode::Lora { .. }) => Some((TuneMode::Lora, settings.finetune.steps)),
        ("finetune", Mode::LastBlocks(_)) => Some((TuneMode::LastBlocks, settings.finetune.steps)),
        ("adapt", _) => Some((TuneMode::Adapt, settings.adapt.steps)),
        // A kind that this program does not know.
        _ => None,
    }
}
