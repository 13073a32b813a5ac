//! `ibot pretrain`: a run of iBOT from its settings to its teacher.

pub mod charts;
mod collapse;
pub(crate) mod engine;
mod lead;
mod learner;
pub(crate) mod multi_crop;
mod plan;
mod preview;
mod request;
mod task;
pub(crate) mod threads;
mod wire;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Context as _, Result};

use self::lead::prepare_leader;
use self::task::ProcessTask;
use crate::exchange::launcher::Launch;
use crate::run::ending::Ending;
use crate::run::folder::RunFolder;
use crate::run::panics::catch_panic;

pub use self::request::PretrainRequest;

/// Runs pre-training until it is complete, its time is up or `interrupted` is set. Its state is
/// saved in each case, and as far as it can be if the run fails.
pub fn pretrain(request: &PretrainRequest, interrupted: &Arc<AtomicBool>) -> Result<Ending> {
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
        let task = ProcessTask::plan(request, launch, interrupted)?;
        let mut seats = task.connect()?.into_iter();
        let seat = seats.next().context("no device was asked for")?;
        for seat in seats {
            task.spawn_follower(seat);
        }
        if !leads {
            return task.follow(seat);
        }

        // The leader outlives a panic of its training, so that what was computed can be saved.
        let mut leader = None;
        let result = catch_panic(|| {
            let dir = folder.get()?;
            let leader = leader.insert(prepare_leader(&task, &seat, dir, request.resume, begin)?);
            leader.train()
        });
        let result = match leader {
            Some(leader) => leader.conclude(result),
            None => result,
        };
        seat.team.end(&result);
        result
    })
}

#[cfg(test)]
mod tests;
