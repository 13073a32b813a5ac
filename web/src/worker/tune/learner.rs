//! What learns, one kind for all modes that learn alike.

use ibot_core::features::{Pooling, feature};
use ibot_core::image::RgbImage;
use ibot_core::learn::{
    Adapt, AdaptSettings, Classifier, Example, FeatureSet, FineTune, FineTuneSettings,
    HeadSettings, KnnHead, LinearHead, Mode,
};
use ibot_core::session::ProjectSettings;
use ibot_core::weights::{Checkpoint, Weights};

use super::examples::Examples;
use crate::worker::model::{LoadedModel, does_not_fit, not_read};
use crate::worker::problem::Problem;
use ibot_web::protocol::{ExampleLabel, Lesson, TuneMode};

/// Nearest images that vote.
pub const NEIGHBOURS: usize = 10;
/// What errors call the model's file.
const MODEL: &str = "the model";

pub enum TuneLearner {
    Linear(LinearHead),
    Knn(KnnHead),
    FineTune(Box<FineTune>),
    Adapt {
        adapt: Box<Adapt>,
        /// The labelled images as the adapted backbone encodes them; `None` after every step.
        bank: Option<KnnHead>,
    },
}

/// Loss, and share of the step's images whose class was found; `None` without labels.
pub struct StepMeasures {
    pub loss: f64,
    pub accuracy: Option<f64>,
}

impl TuneLearner {
    pub fn linear(set: &FeatureSet, settings: &ProjectSettings) -> Result<Self, Problem> {
        Ok(Self::Linear(LinearHead::new(set, settings.head)?))
    }

    pub fn knn(set: &FeatureSet, model: &LoadedModel) -> Self {
        Self::Knn(KnnHead::new(set, NEIGHBOURS, &model.device))
    }

    pub fn fine_tune(
        head: &Classifier,
        settings: &ProjectSettings,
        model: &LoadedModel,
    ) -> Result<Self, Problem> {
        let backbone = model.backbone.clone();
        let learner = FineTune::new(backbone, head, settings.finetune.clone(), &model.device)?;
        Ok(Self::FineTune(Box::new(learner)))
    }

    /// Goes on with pre-training, from the model's file.
    pub fn adapt(
        file: Option<&[u8]>,
        settings: &ProjectSettings,
        model: &LoadedModel,
    ) -> Result<Self, Problem> {
        let checkpoint = read_teacher(file.ok_or(Problem::NoFile)?)?;
        let seed = settings.adapt.seed;
        let (student, _) = Adapt::student(&checkpoint, &model.header.backbone, seed, &model.device)
            .map_err(|source| does_not_fit(MODEL, source))?;

        let adapt = Box::new(Adapt::new(student, settings.adapt.clone(), &model.device)?);
        Ok(Self::Adapt { adapt, bank: None })
    }

    pub fn steps(&self) -> usize {
        match self {
            Self::Linear(head) => head.steps(),
            Self::Knn(_) => 0,
            Self::FineTune(learner) => learner.steps(),
            Self::Adapt { adapt, .. } => adapt.steps(),
        }
    }

    /// One step on all these images; `None` if there is nothing to learn.
    pub async fn step(
        &mut self,
        labels: &[ExampleLabel],
        examples: &Examples,
    ) -> Result<Option<StepMeasures>, Problem> {
        let measures = match self {
            Self::Linear(head) => {
                let progress = head.step();
                StepMeasures {
                    loss: progress.loss,
                    accuracy: Some(progress.accuracy),
                }
            }
            Self::Knn(_) => return Ok(None),
            Self::FineTune(learner) => {
                let mut batch = Vec::with_capacity(labels.len());
                for label in labels {
                    batch.push(Example {
                        image: examples.image(label.id)?,
                        class: label.class,
                    });
                }
                let progress = learner.step(&batch).await?;
                StepMeasures {
                    loss: progress.loss,
                    accuracy: Some(progress.accuracy),
                }
            }
            Self::Adapt { adapt, bank } => {
                // The step makes its features out of date.
                *bank = None;
                let mut batch = Vec::with_capacity(labels.len());
                for label in labels {
                    batch.push(examples.image(label.id)?);
                }
                StepMeasures {
                    loss: adapt.step(&batch).await?.losses.total,
                    accuracy: None,
                }
            }
        };
        Ok(Some(measures))
    }

    /// Encodes the labelled images again, if the backbone has changed since.
    pub async fn refresh(
        &mut self,
        labels: &[ExampleLabel],
        classes: usize,
        examples: &Examples,
        model: &LoadedModel,
    ) -> Result<(), Problem> {
        let Self::Adapt { adapt, bank } = self else {
            return Ok(());
        };
        let backbone = adapt.backbone();

        let mut features = Vec::with_capacity(labels.len());
        for label in labels {
            let image = examples.image(label.id)?;
            let feature = feature(backbone, image, model.image_size(), &model.device).await?;
            features.push((feature, label.class));
        }
        let rows = features.iter().map(|(row, class)| (&row[..], *class));
        let set = FeatureSet::new(Pooling::TUNE.width(backbone), classes, rows)?;
        *bank = Some(KnnHead::new(&set, NEIGHBOURS, &model.device));
        Ok(())
    }

    pub async fn classify(
        &self,
        image: &RgbImage,
        model: &LoadedModel,
    ) -> Result<Vec<f32>, Problem> {
        let size = model.image_size();
        match self {
            Self::Linear(_) | Self::Knn(_) => {
                let feature = feature(&model.backbone, image, size, &model.device).await?;
                self.classify_feature(&feature).await
            }
            Self::FineTune(learner) => Ok(learner.predict(image).await?),
            Self::Adapt { adapt, bank } => {
                let bank = bank.as_ref().ok_or(Problem::NothingLearned)?;
                let feature = feature(adapt.backbone(), image, size, &model.device).await?;
                Ok(bank.predict(&feature).await?)
            }
        }
    }

    /// The probability of each class for one of the examples, whose feature may be known.
    pub async fn classify_example(
        &self,
        id: u32,
        examples: &Examples,
        model: &LoadedModel,
    ) -> Result<Vec<f32>, Problem> {
        match self {
            Self::Linear(_) | Self::Knn(_) => self.classify_feature(examples.feature(id)?).await,
            Self::FineTune(_) | Self::Adapt { .. } => {
                self.classify(examples.image(id)?, model).await
            }
        }
    }

    async fn classify_feature(&self, feature: &[f32]) -> Result<Vec<f32>, Problem> {
        match self {
            Self::Linear(head) => Ok(head.classifier().predict(feature)?),
            Self::Knn(head) => Ok(head.predict(feature).await?),
            Self::FineTune(_) | Self::Adapt { .. } => Err(Problem::NothingLearned),
        }
    }

    /// The prefix that names the kind of learner in a project's file, and the state behind it.
    pub async fn state(&self) -> Result<(&'static str, Weights), Problem> {
        Ok(match self {
            Self::Linear(head) => ("linear/", head.state()),
            Self::Knn(_) => ("knn/", Weights::new()),
            Self::FineTune(learner) => ("finetune/", learner.state().await?),
            Self::Adapt { adapt, .. } => ("adapt/", adapt.state().await?),
        })
    }

    /// A learner of the same kind at the step of another one's `state`.
    pub fn restore(self, state: &Weights) -> Result<Self, Problem> {
        Ok(match self {
            Self::Linear(head) => Self::Linear(head.restore(state).map_err(Problem::Learned)?),
            Self::Knn(head) => Self::Knn(head),
            Self::FineTune(learner) => {
                let learner = learner.restore(state).map_err(Problem::Learned)?;
                Self::FineTune(Box::new(learner))
            }
            Self::Adapt { adapt, bank } => {
                let adapt = Box::new(adapt.restore(state)?);
                Self::Adapt { adapt, bank }
            }
        })
    }
}

pub fn settings(lesson: &Lesson, model: &LoadedModel) -> ProjectSettings {
    // A field of the page may hold 0.
    let steps = lesson.steps.max(1);
    let size = model.image_size();
    let mode = match lesson.mode {
        TuneMode::LastBlocks => Mode::LastBlocks(model.header.backbone.depth().min(2)),
        // Rank 4, as few images leave little to learn.
        _ => Mode::Lora { rank: 4 },
    };

    ProjectSettings {
        head: HeadSettings {
            steps,
            ..HeadSettings::default()
        },
        finetune: FineTuneSettings {
            steps,
            ..FineTuneSettings::new(mode, size)
        },
        adapt: AdaptSettings {
            steps,
            size,
            ..AdaptSettings::default()
        },
        ..ProjectSettings::default()
    }
}

/// The teacher of a file, with the student's mask token.
fn read_teacher(file: &[u8]) -> Result<Checkpoint, Problem> {
    const MASK: &str = "masked_embed";
    let mut teacher = Checkpoint::read(file, None).map_err(|source| not_read(MODEL, source))?;

    // A teacher never needs the token, and its own file has none; iBOT does.
    if !teacher.weights.contains_key(MASK)
        && let Ok(mut student) = Checkpoint::read(file, Some("student"))
        && let Some(token) = student.weights.remove(MASK)
    {
        teacher.weights.insert(MASK.to_owned(), token);
    }
    Ok(teacher)
}

/// A linear head on cached features after all of its steps.
pub fn trained_head(set: &FeatureSet) -> Result<Classifier, Problem> {
    let settings = HeadSettings::default();
    // A head that fits the frozen backbone: a random one would first spoil the backbone.
    let mut head = LinearHead::new(set, settings)?;
    for _ in 0..settings.steps {
        head.step();
    }
    Ok(head.classifier())
}
