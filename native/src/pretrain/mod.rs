//! `ibot pretrain`: a run from its settings to its teacher.

mod checkpoint;
mod clock;
pub(crate) mod loader;
mod means;
mod metrics;
mod plan;
mod preview;
mod progress;
mod run;
mod run_dir;
mod saver;
mod seal;
pub(crate) mod shards;
mod status;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Result, bail};

use self::clock::Clock;
use self::plan::Plan;
use self::run::Run;
use self::run_dir::RunDir;
use crate::data::Dataset;
use crate::device::{self, DeviceChoice};
use crate::files::write_atomically;
use crate::recipe::Settings;

/// What the command line asks for.
#[derive(Clone, Debug)]
pub struct PretrainRequest {
    /// The settings; of a resumed run, its own.
    pub settings: Settings,
    /// Name for a folder that is not given.
    pub name: String,
    /// The run's folder.
    pub out: Option<PathBuf>,
    /// Whether to continue the run in `out`.
    pub resume: bool,
    /// Where to compute.
    pub device: DeviceChoice,
}

/// How a run ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All steps are done.
    Complete,
    /// It was interrupted, and is saved.
    Interrupted,
    /// `run.max_hours` are over, and it is saved.
    OutOfTime,
}

/// Runs pre-training until it is complete, its time is up or `interrupted` is set; its state is saved in each case, and
/// as far as it can be if the run fails.
///
/// # Errors
/// If the data, the device or the folder cannot be used, or training diverges.
pub fn pretrain(request: PretrainRequest, interrupted: &AtomicBool) -> Result<Ending> {
    let start = Instant::now();
    let mut dir = match (&request.out, request.resume) {
        (Some(out), true) => Some(Arc::new(RunDir::open(out)?)),
        (None, true) => bail!("--resume needs --out, the folder of the run to continue"),
        (_, false) => None,
    };
    let result = carry_out(request, start, &mut dir, interrupted);
    if let (Err(error), Some(dir)) = (&result, &dir) {
        status::fail(dir, error);
    }
    result
}

/// Everything but the status of a failure; `dir` is the run's folder as soon as there is one.
fn carry_out(
    request: PretrainRequest,
    start: Instant,
    dir: &mut Option<Arc<RunDir>>,
    interrupted: &AtomicBool,
) -> Result<Ending> {
    let data = Arc::new(Dataset::open(&request.settings.run.data)?);
    let selected = device::select(request.device)?;
    let mut settings = request.settings;
    settings.run.resolve(&settings.config, selected.is_cpu, device::cores().get());
    let plan = Plan::new(settings, data.len())?;
    let dir = match dir {
        Some(dir) => dir.clone(),
        // A mistake found before here leaves no folder behind.
        None => dir.insert(Arc::new(RunDir::create(request.out.as_deref(), &request.name)?)).clone(),
    };
    println!("data    {}\ndevice  {}\nout     {}", data.description(), selected.description, dir.path().display());
    plan.notes.iter().for_each(|note| println!("        {note}"));
    plan.warnings.iter().for_each(|warning| println!("warning {warning}"));
    if !request.resume {
        println!("\n{}", plan.settings.to_toml());
        write_atomically(&dir.config(), plan.to_toml().as_bytes())?;
    }
    let clock = Clock::new(start, &plan.settings.run);
    let (run, state) = Run::start(data, plan, selected.device, dir, clock, request.resume, interrupted)?;
    run.train(state)
}
