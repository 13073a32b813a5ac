//! Connects the workers of a run.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::buckets::Encoding;
use super::connection::Connection;
use super::error::ExchangeError;
use super::launcher::Launch;
use super::local::Local;
use super::team::Team;
use crate::settings::RunSettings;

/// Connects the workers of this process, one of a `launch` or `threads` without it, in the order of
/// their ranks.
pub fn connect(
    launch: Option<Launch>,
    threads: usize,
    run: &RunSettings,
    batch: usize,
    interrupted: &Arc<AtomicBool>,
) -> Result<Vec<Team>, ExchangeError> {
    let timeout = run.exchange_patience();
    let mut connections = Vec::new();
    match launch {
        Some(launch) => connections.push(Some(connect_process(launch, timeout, interrupted)?)),
        None if threads == 1 => connections.push(None),
        None => {
            for member in Local::group(threads, timeout) {
                let connection = Connection::open(|| Ok(member), timeout, interrupted)?;
                connections.push(Some(connection));
            }
        }
    }

    let encoding = if run.exchange_f16 {
        Encoding::Half
    } else {
        Encoding::Exact
    };
    Ok(connections
        .into_iter()
        .map(|connection| Team::new(connection, encoding, batch))
        .collect())
}

#[cfg(feature = "mpi")]
fn connect_process(
    launch: Launch,
    timeout: Duration,
    interrupted: &Arc<AtomicBool>,
) -> Result<Connection, ExchangeError> {
    use super::mpi::Mpi;

    Connection::open(move || Mpi::connect(launch), timeout, interrupted)
}

#[cfg(not(feature = "mpi"))]
fn connect_process(
    launch: Launch,
    _: Duration,
    _: &Arc<AtomicBool>,
) -> Result<Connection, ExchangeError> {
    Err(ExchangeError::NoMpi(launch.size))
}
