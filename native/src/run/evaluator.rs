//! Evaluations during a run, on the images that it learns from.

use std::num::NonZeroUsize;

use anyhow::Result;
use burn::tensor::Device;
use ibot_core::model::Backbone;
use ibot_core::weights::ModelHeader;

use super::event::Event;
use super::job::RunData;
use super::learner::Learner;
use super::listeners::Listeners;
use super::plan::RunPlan;
use super::record::Record;
use crate::eval::{EvalProgress, ScheduledEval, Subject};
use crate::features::{Encoder, EvalView, FeatureStore};

/// What evaluations need beside the network.
pub struct Evaluator {
    pub data: RunData,
    pub device: Device,
    pub threads: NonZeroUsize,
}

impl Evaluator {
    /// Carries out the evaluations due after `step` steps and `epochs` epochs; a sentence for each.
    pub fn evaluate(
        &self,
        learner: &impl Learner,
        plan: &RunPlan,
        step: usize,
        epochs: usize,
        listeners: &mut Listeners,
    ) -> Result<Vec<String>> {
        let is_last = step == plan.total_steps;
        let usual = EvalView {
            size: plan.eval_size,
            resize_ratio: ModelHeader::USUAL_RESIZE,
        };
        let mut due: Vec<&ScheduledEval> = plan.evals.iter().collect();
        due.retain(|eval| {
            eval.is_due(epochs, is_last) && eval.evaluation.task().suits(&self.data.train)
        });

        let backbone = &learner.evaluated();
        let needs_linear = due
            .iter()
            .any(|eval| eval.evaluation.task().needs_linear_head());
        let linear_heads = if needs_linear {
            learner.linear_heads(&plan.model_after(step))?
        } else {
            None
        };

        // Evaluations that see images in the same way share one pass.
        let mut stores: Vec<FeatureStore> = Vec::new();
        let mut sentences = Vec::new();
        for eval in &due {
            let view = eval.view(usual);
            let place = match stores.iter().position(|store| store.view() == view) {
                Some(place) => place,
                None => {
                    stores.push(self.store(backbone, view, &due, usual)?);
                    stores.len() - 1
                }
            };

            let task = eval.evaluation.task();
            let subject = Subject {
                features: &stores[place],
                head: learner.head(),
                linear_heads: linear_heads.as_ref(),
                data: &self.data.train,
                val: self.data.val.as_deref(),
            };
            let measures = match task.run(&subject) {
                Ok(output) => output.measures,
                // A run does not end because it cannot be watched. What is broken for training too
                // ends the next step, with its own reason.
                Err(error) => {
                    listeners.warn(&format!("{} left out: {error:#}", task.title()));
                    continue;
                }
            };

            listeners.emit(&Event::Record(Record::Eval {
                name: task.name().to_owned(),
                step,
                epoch: epochs,
                measures: measures.clone(),
            }));
            let progress = EvalProgress {
                epochs,
                starts_trained: plan.settings.init.is_some(),
                first: listeners.metrics.first_eval(task.name()),
            };
            sentences.extend(progress.sentence(task, &measures));
        }
        Ok(sentences)
    }

    /// A store for those of the evaluations `due` that see images in `view`.
    fn store(
        &self,
        backbone: &Backbone,
        view: EvalView,
        due: &[&ScheduledEval],
        usual: EvalView,
    ) -> Result<FeatureStore> {
        let devices = std::slice::from_ref(&self.device);
        let store = FeatureStore::new(Encoder::Network(backbone), view, devices)?;
        // The loader of the run names each image that cannot be read, once.
        let store = store.with_silent_gaps();
        let mut store = store.with_decode_threads(self.threads);
        for eval in due.iter().filter(|eval| eval.view(usual) == view) {
            store.plan(&eval.evaluation.task().readouts());
        }
        Ok(store)
    }
}
