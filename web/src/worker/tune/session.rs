//! A lesson under way: what learns, from which images, and how well it does on those put aside.

use burn::tensor::Device;
use ibot_core::features::{Pooling, feature};
use ibot_core::image::RgbImage;
use ibot_core::learn::{
    Adapt, AdaptSettings, Classifier, Example, FeatureSet, FineTune, FineTuneSettings,
    HeadSettings, KnnHead, LinearHead, Mode, TuneError, most_likely,
};
use ibot_core::metrics::Confusion;
use ibot_core::session::{ProjectSettings, split};
use ibot_core::weights::{Checkpoint, Weights};

use super::super::model::Model;
use super::super::problem::Problem;
use super::examples::{Examples, shown};
use ibot_web::protocol::{ExampleLabel, Lesson, LessonStep, Outcome, TuneMode};

/// Nearest images that vote.
const NEIGHBOURS: usize = 10;
/// Steps between two looks at the validation images, where a look costs as much as a step.
const LOOK_EVERY: usize = 10;

/// A lesson under way.
pub struct Session {
    pub lesson: Lesson,
    pub learner: Learner,
    train: Vec<ExampleLabel>,
    validation: Vec<ExampleLabel>,
    /// Accuracy without the lesson, and how.
    before: Option<(f64, String)>,
    /// Milliseconds of all steps.
    pub spent: f64,
}

/// What learns.
pub enum Learner {
    Linear(LinearHead),
    Knn(KnnHead),
    FineTune(Box<FineTune>),
    /// With the nearest images by the adapted backbone, once it was judged.
    Adapt(Box<Adapt>, Option<KnnHead>),
}

impl Session {
    /// A lesson before its first step.
    pub async fn new(
        lesson: Lesson,
        file: Option<&[u8]>,
        examples: &Examples,
        model: &Model,
        device: &Device,
    ) -> Result<Self, Problem> {
        let Lesson {
            mode,
            classes,
            steps,
            ..
        } = lesson;
        let settings = settings(&lesson, model);
        let labels: Vec<usize> = lesson.labels.iter().map(|label| label.class).collect();
        let halves = split(&labels, settings.validation, settings.seed);
        let pick = |half: Vec<usize>| {
            half.into_iter()
                .map(|at| lesson.labels[at])
                .collect::<Vec<ExampleLabel>>()
        };
        let (train, validation) = (pick(halves.train), pick(halves.validation));
        let set = || examples.set(&train, classes, model);
        let knn = |set: &FeatureSet| KnnHead::new(set, NEIGHBOURS, device);
        let knn_accuracy = async |set: &FeatureSet| {
            let head = knn(set);
            accuracy(
                async |feature| head.predict(feature).await,
                &validation,
                examples,
            )
            .await
        };
        let (learner, share, how) = match mode {
            TuneMode::Linear => {
                let set = set()?;
                (
                    Learner::Linear(LinearHead::new(&set, settings.head)?),
                    knn_accuracy(&set).await?,
                    "k-NN",
                )
            }
            TuneMode::Knn => (Learner::Knn(knn(&set()?)), None, ""),
            TuneMode::Lora | TuneMode::LastBlocks => {
                let head = trained_head(&set()?)?;
                let session =
                    FineTune::new(model.backbone.clone(), &head, settings.finetune, device)?;
                let share =
                    accuracy(async |feature| head.predict(feature), &validation, examples).await?;
                (
                    Learner::FineTune(Box::new(session)),
                    share,
                    "a head on the frozen backbone",
                )
            }
            TuneMode::Adapt => {
                let checkpoint = checkpoint(file.ok_or(Problem::NoFile)?)?;
                let student = Adapt::student(
                    &checkpoint,
                    &model.header.backbone,
                    settings.adapt.seed,
                    device,
                );
                let (student, _) = student.map_err(|source| Problem::Load {
                    name: "the model".to_owned(),
                    source,
                })?;
                let session = Adapt::new(
                    student,
                    AdaptSettings {
                        steps,
                        ..settings.adapt
                    },
                    device,
                )?;
                // Labels only serve to compare.
                let share = if classes < 2 {
                    None
                } else {
                    knn_accuracy(&set()?).await?
                };
                (
                    Learner::Adapt(Box::new(session), None),
                    share,
                    "k-NN before",
                )
            }
        };
        let before = share.map(|share| (share, how.to_owned()));
        Ok(Self {
            lesson,
            learner,
            train,
            validation,
            before,
            spent: 0.0,
        })
    }

    /// Steps taken.
    pub fn steps(&self) -> usize {
        match &self.learner {
            Learner::Linear(head) => head.steps(),
            Learner::Knn(_) => 0,
            Learner::FineTune(session) => session.steps(),
            Learner::Adapt(session, _) => session.steps(),
        }
    }

    /// Whether there is nothing more to do.
    pub fn is_done(&self) -> bool {
        matches!(self.learner, Learner::Knn(_)) || self.steps() >= self.lesson.steps
    }

    /// One step; `None` if there is nothing to learn.
    pub async fn step(
        &mut self,
        examples: &Examples,
        model: &Model,
        device: &Device,
    ) -> Result<Option<LessonStep>, Problem> {
        let (loss, accuracy) = match &mut self.learner {
            Learner::Linear(head) => {
                let progress = head.step();
                (progress.loss, Some(progress.accuracy))
            }
            Learner::Knn(_) => return Ok(None),
            Learner::FineTune(session) => {
                let shown = self.train.iter();
                let shown = shown.map(|label| {
                    Ok(Example {
                        image: examples.image(label.id)?,
                        class: label.class,
                    })
                });
                let progress = session
                    .step(&shown.collect::<Result<Vec<_>, Problem>>()?)
                    .await?;
                (progress.loss, Some(progress.accuracy))
            }
            Learner::Adapt(session, bank) => {
                *bank = None;
                let images = self
                    .lesson
                    .labels
                    .iter()
                    .map(|label| examples.image(label.id));
                (
                    session
                        .step(&images.collect::<Result<Vec<_>, Problem>>()?)
                        .await?
                        .loss,
                    None,
                )
            }
        };
        let step = self.steps();
        let look = match self.learner {
            Learner::Linear(_) => true,
            Learner::FineTune(_) => step.is_multiple_of(LOOK_EVERY) || step == self.lesson.steps,
            Learner::Knn(_) | Learner::Adapt(..) => false,
        };
        let validation = if look {
            self.look(examples, model, device).await?
        } else {
            None
        };
        Ok(Some(LessonStep {
            number: step,
            loss,
            accuracy,
            validation,
        }))
    }

    /// What it comes to so far.
    pub async fn judge(
        &mut self,
        examples: &Examples,
        model: &Model,
        device: &Device,
    ) -> Result<Outcome, Problem> {
        let classes = self.lesson.classes;
        if let Learner::Adapt(session, bank) = &mut self.learner
            && classes > 1
        {
            let mut features = Vec::new();
            for label in &self.train {
                let image = examples.image(label.id)?;
                features.push((
                    feature(session.backbone(), image, shown(model), device).await?,
                    label.class,
                ));
            }
            let rows = features
                .iter()
                .map(|(feature, class)| (feature.as_slice(), *class));
            let set = FeatureSet::new(Pooling::TUNE.width(session.backbone()), classes, rows)?;
            *bank = Some(KnnHead::new(&set, NEIGHBOURS, device));
        }
        let mut pairs = Vec::new();
        if classes > 1 {
            for label in &self.validation {
                let probabilities = self
                    .classify_example(label.id, examples, model, device)
                    .await?;
                pairs.push((label.class, most_likely(&probabilities)));
            }
        }
        let confusion = Confusion::new(classes, pairs);
        Ok(Outcome {
            images: self.validation.len(),
            accuracy: confusion.accuracy(),
            before: self.before.clone(),
            confusion: (0..classes)
                .flat_map(|class| confusion.row(class).to_vec())
                .collect(),
            step: self.steps(),
            seconds: self.spent / 1000.0,
            complete: self.is_done(),
        })
    }

    /// The probability of each class.
    pub async fn classify(
        &self,
        image: &RgbImage,
        model: &Model,
        device: &Device,
    ) -> Result<Vec<f32>, Problem> {
        match &self.learner {
            Learner::FineTune(session) => Ok(session.predict(image).await?),
            Learner::Adapt(session, bank) => {
                let feature = feature(session.backbone(), image, shown(model), device).await?;
                Ok(bank
                    .as_ref()
                    .ok_or(Problem::NothingLearned)?
                    .predict(&feature)
                    .await?)
            }
            _ => {
                self.vote(&feature(&model.backbone, image, shown(model), device).await?)
                    .await
            }
        }
    }

    /// The same of an image whose feature may be known.
    async fn classify_example(
        &self,
        id: u32,
        examples: &Examples,
        model: &Model,
        device: &Device,
    ) -> Result<Vec<f32>, Problem> {
        match self.learner {
            Learner::Linear(_) | Learner::Knn(_) => self.vote(examples.feature(id)?).await,
            _ => self.classify(examples.image(id)?, model, device).await,
        }
    }

    /// The same of a feature of the frozen backbone.
    async fn vote(&self, feature: &[f32]) -> Result<Vec<f32>, Problem> {
        match &self.learner {
            Learner::Linear(head) => Ok(head.classifier().predict(feature)?),
            Learner::Knn(head) => Ok(head.predict(feature).await?),
            Learner::FineTune(_) | Learner::Adapt(..) => Err(Problem::NothingLearned),
        }
    }

    /// Cross-entropy and accuracy on the validation images.
    async fn look(
        &self,
        examples: &Examples,
        model: &Model,
        device: &Device,
    ) -> Result<Option<(f64, f64)>, Problem> {
        let (mut loss, mut hits) = (0.0, 0usize);
        for label in &self.validation {
            let probabilities = self
                .classify_example(label.id, examples, model, device)
                .await?;
            loss -= f64::from(probabilities[label.class].max(f32::MIN_POSITIVE).ln());
            hits += usize::from(most_likely(&probabilities) == label.class);
        }
        let count = self.validation.len() as f64;
        Ok((!self.validation.is_empty()).then(|| (loss / count, hits as f64 / count)))
    }

    /// What [`restore`](Self::restore) needs; the prefix of the names says what learned.
    pub async fn state(&self) -> Result<(&'static str, Weights), Problem> {
        Ok(match &self.learner {
            Learner::Linear(head) => ("linear/", head.state()),
            Learner::Knn(_) => ("knn/", Weights::new()),
            Learner::FineTune(session) => ("finetune/", session.state().await?),
            Learner::Adapt(session, _) => ("adapt/", session.state().await?),
        })
    }

    /// This lesson, at the step of another one's `state`.
    pub fn restore(mut self, state: &Weights) -> Result<Self, Problem> {
        self.learner = match self.learner {
            Learner::Linear(head) => {
                Learner::Linear(head.restore(state).map_err(Problem::Learned)?)
            }
            Learner::Knn(head) => Learner::Knn(head),
            Learner::FineTune(session) => {
                Learner::FineTune(Box::new(session.restore(state).map_err(Problem::Learned)?))
            }
            Learner::Adapt(session, bank) => {
                Learner::Adapt(Box::new(session.restore(state)?), bank)
            }
        };
        Ok(self)
    }
}

/// The settings of a lesson.
pub fn settings(lesson: &Lesson, model: &Model) -> ProjectSettings {
    let (steps, size) = (lesson.steps.max(1), shown(model));
    let mode = match lesson.mode {
        TuneMode::LastBlocks => Mode::LastBlocks(model.header.backbone.depth().min(2)),
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

/// The teacher of a file, with the student's mask token: the teacher never needed one.
fn checkpoint(file: &[u8]) -> Result<Checkpoint, Problem> {
    const MASK: &str = "masked_embed";
    let of_file = |source| Problem::File {
        name: "the model".to_owned(),
        source,
    };
    let mut teacher = Checkpoint::read(file, None).map_err(of_file)?;
    if !teacher.weights.contains_key(MASK)
        && let Ok(student) = Checkpoint::read(file, Some("student"))
    {
        teacher
            .weights
            .extend(student.weights.into_iter().filter(|(name, _)| name == MASK));
    }
    Ok(teacher)
}

/// A linear head on cached features, all of its steps at once.
fn trained_head(set: &FeatureSet) -> Result<Classifier, Problem> {
    let settings = HeadSettings::default();
    let mut head = LinearHead::new(set, settings)?;
    for _ in 0..settings.steps {
        head.step();
    }
    Ok(head.classifier())
}

/// The accuracy of what a lesson is compared with, which sees features of the frozen backbone.
async fn accuracy(
    predict: impl AsyncFn(&[f32]) -> Result<Vec<f32>, TuneError>,
    labels: &[ExampleLabel],
    examples: &Examples,
) -> Result<Option<f64>, Problem> {
    let mut hits = 0usize;
    for label in labels {
        hits +=
            usize::from(most_likely(&predict(examples.feature(label.id)?).await?) == label.class);
    }
    Ok((!labels.is_empty()).then(|| hits as f64 / labels.len() as f64))
}
