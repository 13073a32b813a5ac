//! `ibot pretrain`: a run from its settings to its teacher.

mod checkpoint;
mod clock;
mod ending;
pub(crate) mod engine;
mod means;
mod metrics;
pub(crate) mod multi_crop;
mod plan;
mod preview;
mod progress;
mod replicate;
mod run;
mod run_dir;
mod saver;
mod status;
pub(crate) mod threads;
mod watch;
mod wire;
mod worker;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use self::clock::Clock;
use self::plan::Plan;
use self::replicate::replicate;
use self::run::Run;
use self::run_dir::RunDir;
use self::worker::{Place, follow, live};
use crate::data::Dataset;
use crate::device;
use crate::device::{Devices, Selected};
use crate::exchange::launcher::Launch;
use crate::exchange::{ExchangeError, Nccl, Team, connect};
use crate::files::write_atomically;
use crate::settings::Settings;

pub use self::ending::Ending;

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
    /// Where to compute: one worker a device.
    pub devices: Devices,
}

/// Runs pre-training until it is complete, its time is up or `interrupted` is set; its state is
/// saved in each case, and as far as it can be if the run fails.
///
/// # Errors
/// If the data, the device or the folder cannot be used, or training diverges.
pub fn pretrain(request: PretrainRequest, interrupted: &Arc<AtomicBool>) -> Result<Ending> {
    let start = Instant::now();
    let launch = Launch::from_environment();
    let leads = launch.is_none_or(|launch| launch.rank == 0);
    let mut dir = match (&request.out, request.resume) {
        (Some(out), true) if leads => Some(Arc::new(RunDir::open(out)?)),
        (None, true) => bail!("--resume needs --out, the folder of the run to continue"),
        _ => None,
    };
    let result = carry_out(request, launch, start, &mut dir, interrupted);
    if let (Err(error), Some(dir)) = (&result, &dir) {
        status::fail(dir, error);
    }
    result
}

/// Everything but the status of a failure; `dir` is the run's folder as soon as there is one.
fn carry_out(
    request: PretrainRequest,
    launch: Option<Launch>,
    start: Instant,
    dir: &mut Option<Arc<RunDir>>,
    interrupted: &Arc<AtomicBool>,
) -> Result<Ending> {
    let data = Arc::new(Dataset::open(&request.settings.run.data)?);
    let devices = device::select_each(&request.devices, launch.map(|launch| launch.local_rank))?;
    devices
        .iter()
        .try_for_each(|device| device.check(request.settings.config.optim.precision))?;
    let here = NonZeroUsize::new(devices.len()).context("no device was asked for")?;
    let cores = NonZeroUsize::new(device::cores().get() / here).unwrap_or(NonZeroUsize::MIN);
    let mut settings = request.settings;
    settings.run.resolve(
        &settings.config,
        devices.iter().any(|device| device.is_cpu),
        cores.get(),
    );
    let workers = launch.map_or(here.get(), |launch| launch.size);
    let plan = Plan::new(settings, data.len(), workers)?;
    let place = |device: &Selected| Place {
        device: device.device.clone(),
        loaders: NonZeroUsize::new(plan.settings.run.loader_threads.div_ceil(here.get()))
            .unwrap_or(cores),
        crowded: here.get() > 1,
    };
    let nccl = plan
        .settings
        .run
        .exchange_nccl
        .then(|| Nccl::among(&devices))
        .transpose()?;
    let teams = connect(launch, here.get(), &plan.settings, interrupted)?.into_iter();
    let mut teams = teams
        .map(|team| team.with_nccl(nccl.clone()))
        .zip(devices.iter().map(place));
    let (team, place) = teams.next().context("no device was asked for")?;
    for (team, place) in teams {
        let (data, plan, interrupted) = (data.clone(), plan.clone(), interrupted.clone());
        // Not joined: a device that hangs must not keep the leader from ending the run.
        thread::spawn(move || follow_beside(team, place, data, &plan, &interrupted));
    }
    if launch.is_some_and(|launch| launch.rank > 0) {
        return live(team, |team| follow(team, place, data, &plan, interrupted));
    }
    live(team, |team| {
        let dir = match dir {
            Some(dir) => dir.clone(),
            // A mistake found before here leaves no folder behind.
            None => dir
                .insert(Arc::new(RunDir::create(
                    request.out.as_deref(),
                    &request.name,
                )?))
                .clone(),
        };
        let devices: Vec<String> = devices
            .into_iter()
            .map(|device| device.description)
            .collect();
        println!(
            "data    {}\ndevice  {}\nout     {}",
            data.description(),
            devices.join(" + "),
            dir.path().display()
        );
        plan.notes
            .iter()
            .for_each(|note| println!("        {note}"));
        plan.warnings
            .iter()
            .for_each(|warning| println!("warning {warning}"));
        if !request.resume {
            println!("\n{}", plan.settings.to_toml());
            write_atomically(&dir.config(), plan.to_toml().as_bytes())?;
        }
        let clock = Clock::new(start, &plan.settings.run);
        let fingerprint = plan.fingerprint(data.len());
        let identity = plan.identity(data.len());
        let (run, state) = Run::start(
            data,
            plan.clone(),
            &place,
            dir,
            clock,
            request.resume,
            interrupted,
        )?;
        team.check_same(fingerprint)?;
        let (state, _) = replicate(team, state, run.step, &plan, identity)?;
        run.train(state, team, place)
    })
}

/// A worker of the leader's process that does not lead.
fn follow_beside(
    team: Team,
    place: Place,
    data: Arc<Dataset>,
    plan: &Plan,
    interrupted: &Arc<AtomicBool>,
) {
    let rank = team.rank();
    let result = live(team, |team| follow(team, place, data, plan, interrupted));
    let problem = result
        .as_ref()
        .err()
        .and_then(|error| error.downcast_ref::<ExchangeError>());
    // Where the workers could talk, the leader says what happened.
    if let Some(problem) =
        problem.filter(|problem| !matches!(problem, ExchangeError::Failed { .. }))
    {
        eprintln!("worker {rank}: {problem}");
    }
}
