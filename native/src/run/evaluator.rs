//! Evaluations during a run, on the images that it learns from.

use std::num::NonZeroUsize;
use std::sync::Arc;

use anyhow::Result;
use burn::tensor::Device;
use ibot_core::model::Backbone;
use ibot_core::weights::ModelHeader;

use super::event::Event;
use super::listeners::Listeners;
use super::plan::RunPlan;
use super::record::Record;
use crate::data::Dataset;
use crate::eval::{EvalProgress, Subject};
use crate::features::{Encoder, EvalView, Extractor};

/// What evaluations need beside the network.
pub struct Evaluator {
    pub data: Arc<Dataset>,
    pub device: Device,
    pub threads: NonZeroUsize,
}

impl Evaluator {
    /// Carries out the evaluations of `backbone` that are due after `step` steps and `epochs`
    /// epochs, and returns a sentence for each.
    pub fn evaluate(
        &self,
        backbone: &Backbone,
        plan: &RunPlan,
        step: usize,
        epochs: usize,
        listeners: &mut Listeners,
    ) -> Result<Vec<String>> {
        let is_last = step == plan.total_steps;
        let mut sentences = Vec::new();
        for eval in &plan.evals {
            let task = eval.evaluation.task();
            if !eval.is_due(epochs, is_last) || !task.suits(&self.data) {
                continue;
            }

            let view = eval.view(EvalView {
                size: plan.eval_size,
                resize_ratio: ModelHeader::USUAL_RESIZE,
            });
            let subject = Subject {
                extractor: Extractor {
                    encoder: Encoder::Network(backbone),
                    view,
                    threads: self.threads,
                    device: &self.device,
                },
                data: &self.data,
                val: None,
            };
            let measures = task.run(&subject)?.measures;

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
}
