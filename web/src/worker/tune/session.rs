//! A lesson under way: its learner, the images of both halves, and how well it does.

use ibot_core::image::RgbImage;
use ibot_core::learn::{FeatureSet, KnnHead, TuneError, most_likely};
use ibot_core::metrics::Confusion;
use ibot_core::session::hold_out;
use ibot_core::weights::Weights;

use super::examples::Examples;
use super::learner::{NEIGHBOURS, TuneLearner, settings, trained_head};
use crate::worker::model::LoadedModel;
use crate::worker::problem::Problem;
use ibot_web::protocol::{ExampleLabel, Lesson, LessonResult, LessonStep, TuneMode};

// In steps. Where measuring on the validation images costs as much as a step, it is done seldom.
const MEASURE_EVERY: usize = 10;

pub struct Session {
    pub lesson: Lesson,
    pub learner: TuneLearner,
    halves: Halves,
    baseline: Option<(f64, String)>,
    /// Milliseconds of all steps.
    pub spent: f64,
}

/// The images of a lesson: those that it learns from, and those that judge it.
struct Halves {
    train: Vec<ExampleLabel>,
    validation: Vec<ExampleLabel>,
}

impl Session {
    pub async fn new(
        lesson: Lesson,
        file: Option<&[u8]>,
        examples: &Examples,
        model: &LoadedModel,
    ) -> Result<Self, Problem> {
        let settings = settings(&lesson, model);
        let halves = Halves::new(&lesson, settings.validation, settings.seed);
        let set = || examples.set(&halves.train, lesson.classes, model);
        let judges = &halves.validation;

        // Each mode is compared with what needs less.
        let (learner, share, how) = match lesson.mode {
            TuneMode::Linear => {
                let set = set()?;
                let share = knn_accuracy(&set, judges, examples, model).await?;
                (TuneLearner::linear(&set, &settings)?, share, "k-NN")
            }
            TuneMode::Knn => (TuneLearner::knn(&set()?, model), None, ""),
            TuneMode::Lora | TuneMode::LastBlocks => {
                let head = trained_head(&set()?)?;
                let learner = TuneLearner::fine_tune(&head, &settings, model)?;
                let share =
                    accuracy(async |feature| head.predict(feature), judges, examples).await?;
                (learner, share, "a head on the frozen backbone")
            }
            TuneMode::Adapt => {
                let learner = TuneLearner::adapt(file, &settings, model)?;
                let share = match lesson.classes {
                    // Labels only serve to compare; there may be none.
                    0 | 1 => None,
                    _ => knn_accuracy(&set()?, judges, examples, model).await?,
                };
                (learner, share, "k-NN before")
            }
        };

        Ok(Self {
            lesson,
            learner,
            halves,
            baseline: share.map(|share| (share, how.to_owned())),
            spent: 0.0,
        })
    }

    pub fn is_complete(&self) -> bool {
        matches!(self.learner, TuneLearner::Knn(_)) || self.learner.steps() >= self.lesson.steps
    }

    /// One step; `None` if there is nothing to learn.
    pub async fn step(
        &mut self,
        examples: &Examples,
        model: &LoadedModel,
    ) -> Result<Option<LessonStep>, Problem> {
        let labels = match self.learner {
            // It needs no labels, so that it may learn from all images.
            TuneLearner::Adapt { .. } => &self.lesson.labels,
            _ => &self.halves.train,
        };
        let Some(measures) = self.learner.step(labels, examples).await? else {
            return Ok(None);
        };

        let number = self.learner.steps();
        // The curve always ends with a measurement.
        let last = number == self.lesson.steps;
        let measured = match self.learner {
            TuneLearner::Linear(_) => true,
            TuneLearner::FineTune(_) => number.is_multiple_of(MEASURE_EVERY) || last,
            TuneLearner::Knn(_) | TuneLearner::Adapt { .. } => false,
        };
        let validation = match measured {
            true => self.validate(examples, model).await?,
            false => None,
        };
        Ok(Some(LessonStep {
            number,
            loss: measures.loss,
            accuracy: measures.accuracy,
            validation,
        }))
    }

    /// Cross-entropy in nats and accuracy on the validation images; `None` if there are none.
    async fn validate(
        &self,
        examples: &Examples,
        model: &LoadedModel,
    ) -> Result<Option<(f64, f64)>, Problem> {
        let mut loss = 0.0;
        let mut hits = 0.0;
        for label in &self.halves.validation {
            let probabilities = self
                .learner
                .classify_example(label.id, examples, model)
                .await?;
            // A probability that was rounded to 0 would make the mean infinite.
            let probability = probabilities[label.class].max(f32::MIN_POSITIVE);
            loss -= f64::from(probability.ln());
            hits += f64::from(u8::from(most_likely(&probabilities) == label.class));
        }

        let count = self.halves.validation.len();
        Ok((count > 0).then(|| (loss / count as f64, hits / count as f64)))
    }

    pub async fn judge(
        &mut self,
        examples: &Examples,
        model: &LoadedModel,
    ) -> Result<LessonResult, Problem> {
        let classes = self.lesson.classes;
        let mut pairs = Vec::new();
        // With one class every answer is right.
        if classes > 1 {
            self.learner
                .refresh(&self.halves.train, classes, examples, model)
                .await?;
            for label in &self.halves.validation {
                let probabilities = self
                    .learner
                    .classify_example(label.id, examples, model)
                    .await?;
                pairs.push((label.class, most_likely(&probabilities)));
            }
        }

        let confusion = Confusion::new(classes, pairs);
        let rows = (0..classes).flat_map(|class| confusion.row(class).to_vec());
        Ok(LessonResult {
            images: self.halves.validation.len(),
            accuracy: confusion.accuracy(),
            before: self.baseline.clone(),
            confusion: rows.collect(),
            step: self.learner.steps(),
            seconds: self.spent / 1000.0,
            complete: self.is_complete(),
        })
    }

    pub async fn classify(
        &self,
        image: &RgbImage,
        model: &LoadedModel,
    ) -> Result<Vec<f32>, Problem> {
        self.learner.classify(image, model).await
    }

    /// This lesson, at the step of another one's `state`.
    pub fn restore(self, state: &Weights) -> Result<Self, Problem> {
        Ok(Self {
            learner: self.learner.restore(state)?,
            ..self
        })
    }
}

impl Halves {
    fn new(lesson: &Lesson, validation: f64, seed: u64) -> Self {
        let classes: Vec<usize> = lesson.labels.iter().map(|label| label.class).collect();
        let halves = hold_out(&classes, validation, seed);

        let pick = |half: Vec<usize>| half.into_iter().map(|at| lesson.labels[at]).collect();
        Self {
            train: pick(halves.train),
            validation: pick(halves.validation),
        }
    }
}

async fn knn_accuracy(
    set: &FeatureSet,
    labels: &[ExampleLabel],
    examples: &Examples,
    model: &LoadedModel,
) -> Result<Option<f64>, Problem> {
    let head = KnnHead::new(set, NEIGHBOURS, &model.device);
    accuracy(
        async |feature| head.predict(feature).await,
        labels,
        examples,
    )
    .await
}

/// Share of images whose class `predict` finds from features of the frozen backbone.
async fn accuracy(
    predict: impl AsyncFn(&[f32]) -> Result<Vec<f32>, TuneError>,
    labels: &[ExampleLabel],
    examples: &Examples,
) -> Result<Option<f64>, Problem> {
    let mut hits = 0usize;
    for label in labels {
        let probabilities = predict(examples.feature(label.id)?).await?;
        hits += usize::from(most_likely(&probabilities) == label.class);
    }
    Ok((!labels.is_empty()).then(|| hits as f64 / labels.len() as f64))
}
