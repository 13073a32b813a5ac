//! What all commands share that train: options of a run, signals, and the exit status.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::device::Devices;
use crate::exchange::Stop;
use crate::run::ending::Ending;
use crate::run::train::RunRequest;
use crate::settings::{AnySettings, RunSettings, SettingsOf, Source, TrainConfig};

/// Options of any training run.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Folder of the run [default: runs/ and the name of the recipe or file, numbered if taken]
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Settings in a TOML file, such as the config.toml of another run
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Change one setting, for example optim.epochs=10; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Where to compute: auto, cpu, gpu, gpu:N, software or cuda:N. Several, with commas between,
    /// share each batch; `all` takes every GPU. See docs/scale.md for several machines
    #[arg(long, visible_alias = "device", default_value = "auto")]
    devices: Devices,
    /// Seed of all random numbers
    #[arg(long)]
    seed: Option<u64>,
    /// Save and stop before this process has run for H hours; --resume continues
    #[arg(long, value_name = "H")]
    max_hours: Option<f64>,
    /// Continue the run in --out where it stopped
    #[arg(long, conflicts_with_all = ["recipe", "config", "seed"])]
    pub resume: bool,
}

impl RunArgs {
    /// The settings of a new run from `recipe`, or from --config, or those of the run to resume,
    /// changed by --set.
    pub fn settings<C: TrainConfig>(&self, recipe: &str) -> Result<SettingsOf<C>> {
        let sets_more = |assignment: &String| !assignment.starts_with("run.");
        if self.resume && self.set.iter().any(sets_more) {
            bail!(
                "--resume continues with the run's own config.toml: only run.* settings can be changed"
            );
        }

        let mut settings = match (&self.out, self.resume) {
            (Some(out), true) => {
                let config = out.join("config.toml");
                if let Ok(found) = AnySettings::read(&config)
                    && found.command() != C::COMMAND
                {
                    let command = found.command();
                    bail!(
                        "{} holds a run of `ibot {command}`: continue it with `ibot {command} --resume`",
                        out.display()
                    );
                }
                SettingsOf::read(Source::File(&config), &self.set)
                    .with_context(|| format!("{} cannot be resumed", out.display()))?
            }
            _ => {
                let source = match &self.config {
                    Some(file) => Source::File(file),
                    None => Source::Recipe(recipe),
                };
                SettingsOf::read(source, &self.set)?
            }
        };
        self.apply(&mut settings.run);
        Ok(settings)
    }

    fn apply(&self, run: &mut RunSettings) {
        // The options outrank `--set`.
        run.seed = self.seed.unwrap_or(run.seed);
        run.max_hours = self.max_hours.unwrap_or(run.max_hours);
    }

    /// What is asked for beside the settings.
    pub fn request(&self, recipe: &str) -> RunRequest {
        let file = self.config.as_deref().and_then(Path::file_stem);
        let name = file.and_then(|name| name.to_str()).unwrap_or(recipe);
        RunRequest {
            name: name.to_owned(),
            out: self.out.clone(),
            resume: self.resume,
            devices: self.devices.clone(),
        }
    }
}

// What shells report of Ctrl-C.
const INTERRUPTED: u8 = 130;
// `EX_TEMPFAIL` of sysexits.h: "try again".
const OUT_OF_TIME: u8 = 75;
// Signals that come within this time are one request.
const SAME_REQUEST: Duration = Duration::from_millis(500);

/// The exit status of a run that ended so.
pub fn exit_code(ending: Ending) -> ExitCode {
    match ending {
        Ending::Complete => ExitCode::SUCCESS,
        Ending::Stopped(Stop::Interrupted) => ExitCode::from(INTERRUPTED),
        Ending::Stopped(Stop::OutOfTime) => ExitCode::from(OUT_OF_TIME),
    }
}

/// Set by the first Ctrl-C, SIGTERM or SIGHUP; the second ends the process.
pub fn watch_for_signals() -> Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let (flag, mut first) = (interrupted.clone(), None);
    ctrlc::set_handler(move || {
        // Whoever asks twice does not want to wait for the checkpoint. Schedulers signal a process
        // and its group, which is asking once.
        if first.get_or_insert_with(Instant::now).elapsed() > SAME_REQUEST {
            std::process::exit(INTERRUPTED.into());
        }
        if !flag.swap(true, Ordering::Relaxed) {
            eprintln!("\nstopping after this step; once more to stop without saving");
        }
    })
    .context("cannot watch for Ctrl-C")?;
    Ok(interrupted)
}
