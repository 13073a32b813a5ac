//! A run from its request to its end, whatever it trains.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::devices::RunDevices;
use super::ending::Ending;
use super::folder::RunFolder;
use super::job::Job;
use super::lead::prepare_leader;
use super::panics::catch_panic;
use super::process::Process;
use crate::device::Devices;
use crate::exchange::launcher::Launch;

/// Where a run computes and where it is kept.
#[derive(Clone, Debug)]
pub struct RunRequest {
    /// Name for a folder that is not given.
    pub name: String,
    pub out: Option<PathBuf>,
    /// Whether to continue the run in `out`.
    pub resume: bool,
    /// Where to compute: one worker a device.
    pub devices: Devices,
}

/// Trains what `plan` makes for the devices, until it is complete, its time is up or `interrupted`
/// is set. The state is saved in each case, and as far as it can be if the run fails.
pub fn train<J: Job>(
    request: &RunRequest,
    interrupted: &Arc<AtomicBool>,
    plan: impl FnOnce(&RunDevices) -> Result<J>,
) -> Result<Ending> {
    let begin = Instant::now();
    let launch = Launch::from_environment();
    let leads = launch.is_none_or(|launch| launch.rank == 0);
    let folder = if request.resume && leads {
        let out = request.out.as_deref();
        RunFolder::resume(out.context("--resume needs --out, the folder of the run to continue")?)?
    } else {
        RunFolder::new(request.out.clone(), request.name.clone())
    };

    folder.report_failure(|| {
        let devices = RunDevices::find(&request.devices, launch)?;
        let process = Process {
            job: plan(&devices)?,
            devices,
            interrupted: interrupted.clone(),
        };
        let mut seats = process.connect()?.into_iter();
        let seat = seats.next().context("no device was asked for")?;
        for seat in seats {
            process.spawn_follower(seat);
        }
        if !leads {
            return process.follow(seat);
        }

        let result = {
            // The leader outlives a panic of its training, so that what was computed can be saved.
            let mut leader = None;
            let result = catch_panic(|| {
                let dir = folder.get()?;
                let prepared = prepare_leader(&process, &seat, dir, request.resume, begin)?;
                leader.insert(prepared).train()
            });
            match leader {
                Some(leader) => leader.conclude(result),
                None => result,
            }
        };
        seat.team.end(&result);
        result
    })
}
