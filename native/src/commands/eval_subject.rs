//! What `ibot eval` looks at, a network or plain pixels, and what a result says of it.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use ibot_core::model::Head;
use serde_json::{Map, Value, json};

use crate::eval::{EvalResult, EvalTask, Evaluation, Measures, sha256};
use crate::features::{EvalView, Extraction, FeatureStore};
use crate::linear_head::LinearHeads;
use crate::model::{LoadedBackbone, ModelArgs};

/// What `--model` took, in contrast to what is evaluated beside it.
pub const MODEL: &str = "model";

/// View of an image for plain pixels.
const PIXELS: EvalView = EvalView {
    size: 32,
    resize_ratio: 1.0,
};

/// How an image is cut into patches.
#[derive(Clone, Copy, Debug)]
pub struct PatchView {
    pub view: EvalView,
    /// Side of a patch, in pixels.
    pub patch: usize,
}

/// Patches of plain pixels that stand beside no network.
const PIXEL_PATCH: usize = 4;

/// A network with its weights, or plain pixels.
pub struct EvalSubject {
    pub args: ModelArgs,
    /// `None` for plain pixels.
    pub model: Option<LoadedBackbone>,
    /// The projection head, if an evaluation looks at it and there is one.
    pub head: Option<Head>,
    /// The linear heads that fit it, if an evaluation classifies by one.
    pub linear_heads: Option<LinearHeads>,
    /// How images are seen unless an evaluation says otherwise.
    pub view: EvalView,
    /// Side of a patch, in pixels.
    pub patch: usize,
    /// SHA-256 of the file of weights; `None` for pixels.
    pub weights_sha256: Option<String>,
    /// What it is and how it sees images, for people.
    pub lines: String,
}

/// Which heads evaluations look at.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadNeeds {
    pub projection: bool,
    pub linear: bool,
}

impl HeadNeeds {
    pub fn of(task: &dyn EvalTask) -> Self {
        let mut needs = Self::default();
        needs.add(task);
        needs
    }

    /// Adds what `task` looks at.
    pub fn add(&mut self, task: &dyn EvalTask) {
        self.projection |= task.needs_head();
        self.linear |= task.needs_linear_head();
    }
}

impl EvalSubject {
    /// Opens what `args` name, which is [`MODEL`] or `name` beside it. Images are seen at `size`, or
    /// as the subject usually sees them.
    pub fn open(
        name: &str,
        args: &ModelArgs,
        size: Option<usize>,
        needs: HeadNeeds,
        extraction: &Extraction,
    ) -> Result<Self> {
        let (model, line) = if args.is_pixels() {
            (None, "model   none: plain pixels".to_owned())
        } else {
            let (model, line) = args.open(extraction.device())?;
            (Some(model), line)
        };
        let head = match &model {
            Some(_) if needs.projection => args.open_head(extraction.device())?,
            _ => None,
        };
        let linear_heads = match &model {
            Some(_) if needs.linear => LinearHeads::open(args)?,
            _ => None,
        };

        let usual = model.as_ref().map_or(PIXELS, |model| EvalView {
            size: model.config.image_size(),
            resize_ratio: model.eval_resize,
        });
        // At the size of a network, the pixels beside it are too many.
        let takes_size = name == MODEL || model.is_some();
        let view = usual.with(size.filter(|_| takes_size), None);

        Ok(Self {
            args: args.clone(),
            head,
            linear_heads,
            view,
            patch: model
                .as_ref()
                .map_or(PIXEL_PATCH, |model| model.backbone.stride()),
            model,
            // Of the file and not of its name, which may come to hold other weights.
            weights_sha256: args.file().as_deref().map(sha256).transpose()?,
            lines: lines(&line, view, extraction),
        })
    }

    /// How it cuts an image into patches.
    pub fn patch_view(&self) -> PatchView {
        PatchView {
            view: self.view,
            patch: self.patch,
        }
    }

    /// Lets plain pixels be cut as a network cuts an image, so that patches of both are the same.
    pub fn cut_as(&mut self, network: PatchView, extraction: &Extraction) {
        self.view = network.view;
        self.patch = network.patch;
        let line = self.lines.lines().next().unwrap_or_default();
        self.lines = lines(line, self.view, extraction);
    }

    /// A store of features in `view`; plain pixels are cut into patches where the view is whole
    /// patches.
    ///
    /// # Errors
    /// If the view does not fit the network, or the system refuses a thread.
    pub fn store(&self, view: EvalView, extraction: &Extraction) -> Result<FeatureStore> {
        let store = extraction.store(self.model.as_ref(), view)?;
        match self.model {
            None if view.size.is_multiple_of(self.patch) => store.with_pixel_patches(self.patch),
            _ => Ok(store),
        }
    }
}

fn lines(line: &str, view: EvalView, extraction: &Extraction) -> String {
    let (side, device) = (view.size, extraction.description());
    format!("{line}\n        at {side} x {side} on {device}")
}

/// What a result says of its evaluation.
pub struct ResultInputs<'a> {
    pub evaluation: &'a Evaluation,
    pub subject: &'a EvalSubject,
    pub data: &'a str,
    pub val: Option<&'a str>,
    pub view: EvalView,
    pub extraction: &'a Extraction,
}

impl ResultInputs<'_> {
    /// The result for `results.jsonl`, with the numbers of images by their role, and the number of
    /// those that went through the network.
    pub fn result(
        &self,
        measures: &Measures,
        images: &[(&'static str, usize)],
        encoded: usize,
        seconds: f64,
    ) -> Result<EvalResult> {
        let task = self.evaluation.task();
        let mut settings = serde_json::to_value(self.evaluation).context("settings as JSON")?;
        settings["size"] = json!(self.view.size);
        settings["resize"] = json!(self.view.resize_ratio);
        settings["precision"] = json!(self.extraction.precision);
        if settings.get("seed").is_none() {
            // Random weights and choices without a seed of their own come from this one.
            settings["seed"] = json!(0);
        }

        let mut roles = Map::new();
        for (role, count) in images {
            roles.insert((*role).to_owned(), json!(count));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Ok(EvalResult {
            task: task.name(),
            time: now.map_or(0, |now| now.as_secs()),
            measures: measures.clone(),
            paper: task.paper(),
            model: self.subject.args.path().display().to_string(),
            weights_sha256: self.subject.weights_sha256.clone(),
            untrained: self.subject.args.is_untrained(),
            data: self.data.to_owned(),
            val: self.val.map(str::to_owned),
            images: Value::Object(roles),
            settings,
            encoded,
            seconds,
            device: self.extraction.description(),
        })
    }
}
