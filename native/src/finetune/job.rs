//! A run of fine-tuning, resolved for its data, its weights and its devices.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result, bail, ensure};
use burn::tensor::Device;
use futures_lite::future::block_on;
use ibot_core::finetune::FinetuneState;
use ibot_core::model::{Backbone, BackboneConfig};
use ibot_core::pretrain::Snapshot;
use ibot_core::problems::Problems;
use ibot_core::rng::{Purpose, stream};

use super::learner::Finetuner;
use super::plan::FinetunePlan;
use crate::data::Dataset;
use crate::eval::Evaluation;
use crate::model::{CHECKPOINT_FILE, ModelArgs, WeightFile, read_checkpoint, with_remedy};
use crate::run::devices::RunDevices;
use crate::run::job::{Job, ResolvedRun, RunData};
use crate::run::seat::Seat;
use crate::settings::FinetuneSettings;

#[derive(Clone)]
pub struct FinetuneJob {
    plan: Arc<FinetunePlan>,
    run: ResolvedRun,
}

impl FinetuneJob {
    /// Opens the data and the weights, and computes what a run with `settings` will do. A run that
    /// is `resumed` takes the dimensions of the network from its folder.
    pub fn plan(
        mut settings: FinetuneSettings,
        devices: &RunDevices,
        resumed: Option<&Path>,
    ) -> Result<Self> {
        let data = RunData::open(&settings.run)?;
        check_labels(&data.train, data.val.as_deref())?;

        let of_weights = dimensions(&settings, resumed)?;
        let config = &settings.config;
        let backbone = config.model.backbone(of_weights);
        let mut problems = Problems::default();
        config.check_for(&backbone, &mut problems);
        problems.into_result()?;
        devices.check(config.optim.precision)?;

        let batch = config.optim.batch_size;
        let tokens = backbone.wide_tokens(config.model.image_size);
        let run = &mut settings.run;
        run.resolve(batch, tokens, devices.is_cpu(), devices.cores());
        if data.val.is_none() {
            // Without other images it would judge those that the run learns.
            let measures = |evaluation: &Evaluation| matches!(evaluation, Evaluation::Accuracy(_));
            settings.eval.retain(|eval| !measures(&eval.evaluation));
        }

        let mut plan = FinetunePlan::new(settings, backbone, &data.train, devices.workers())?;
        if data.val.is_none() {
            let note = "no images to judge by (--val): the accuracy is not measured";
            plan.warnings.push(note.to_owned());
        }
        let (notes, warnings) = (plan.notes.clone(), plan.warnings.clone());
        let run = plan.run_plan(data.train.len());
        Ok(Self {
            run: ResolvedRun::new(&plan.settings, run, data, notes, warnings),
            plan: Arc::new(plan),
        })
    }

    fn state(&self, backbone: Backbone, device: &Device) -> FinetuneState {
        let FinetuneSettings { config, run, .. } = &self.plan.settings;
        let classes = self.plan.classes.len();
        FinetuneState::new(backbone, classes, config, run.seed, device)
    }
}

/// The dimensions of the weights that a run starts from.
fn dimensions(settings: &FinetuneSettings, resumed: Option<&Path>) -> Result<BackboneConfig> {
    // The file that the run began with may be gone.
    let checkpoint = resumed.map(|dir| dir.join(CHECKPOINT_FILE));
    if let Some(file) = checkpoint.filter(|file| file.exists())
        && let Ok(checkpoint) = read_checkpoint(&file, None)
        && let Some(header) = &checkpoint.header
    {
        return Ok(header.backbone.clone());
    }

    let Some(init) = &settings.run.init else {
        bail!(
            "fine-tuning starts from weights: give a run, a .safetensors or a .pth as --init \
             (with --untrained only its dimensions are taken)"
        );
    };
    Ok(ModelArgs::of(init.as_ref()).read()?.config)
}

/// Checks that all images have labels, and that those to judge by are of the same classes.
fn check_labels(data: &Dataset, val: Option<&Dataset>) -> Result<()> {
    let name = data.description();
    ensure!(
        data.classes().len() > 1,
        "{name} has {} classes, and a classifier tells at least two apart: sort the images into \
         folders, one a class, or give a list with labels",
        data.classes().len()
    );
    let without = (0..data.len()).filter(|index| data.label(*index).is_none());
    let without = without.count();
    ensure!(
        without == 0,
        "{name}: {without} of {} images have no label; leave them out",
        data.len()
    );

    let Some(val) = val else {
        return Ok(());
    };
    let mut unknown = val.classes().iter();
    if let Some(class) = unknown.find(|class| !data.classes().contains(class)) {
        bail!(
            "{} has the class `{class}`, which {name} does not have: the classifier cannot learn it",
            val.description()
        );
    }
    Ok(())
}

impl Job for FinetuneJob {
    type State = FinetuneState;
    type Learner<'a> = Finetuner<'a>;

    fn resolved(&self) -> &ResolvedRun {
        &self.run
    }

    fn first_state(&self, device: &Device) -> Result<FinetuneState> {
        let rng = &mut stream(self.plan.settings.run.seed, Purpose::Init, 0, 0);
        let backbone = self.plan.backbone.init(device, rng);
        Ok(self.state(backbone, device))
    }

    fn initialised(&self, state: FinetuneState, device: &Device) -> Result<FinetuneState> {
        let FinetuneSettings { config, run, .. } = &self.plan.settings;
        let Some(init) = &run.init else {
            return Ok(state);
        };
        if config.model.untrained {
            println!("init    random weights, of the dimensions of {init}");
            return Ok(state);
        }

        let WeightFile {
            file, checkpoint, ..
        } = ModelArgs::of(init.as_ref()).read()?;
        let (backbone, report) = checkpoint
            .backbone(&self.plan.backbone, false, device)
            .map_err(with_remedy)
            .with_context(|| format!("cannot start from {}", file.display()))?;
        println!("init    {}: {report}", file.display());
        Ok(self.state(backbone, device))
    }

    fn restored(&self, state: FinetuneState, snapshot: Snapshot) -> Result<FinetuneState> {
        Ok(state.restore(snapshot)?)
    }

    fn snapshot(&self, state: &FinetuneState) -> Result<Snapshot> {
        Ok(block_on(state.snapshot())?)
    }

    fn learner<'a>(
        &self,
        seat: &'a Seat,
        state: FinetuneState,
        step: usize,
        interrupted: &Arc<AtomicBool>,
    ) -> Result<Finetuner<'a>> {
        Finetuner::new(
            seat,
            self.run.data.train.clone(),
            self.plan.clone(),
            (state, step),
            interrupted.clone(),
        )
    }
}
