//! Before each operation on the training state the workers vote whether to go on.

use std::sync::Arc;

use super::connection::Connection;
use super::error::ExchangeError;

/// Why a run stops before it is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The process was told to end.
    Interrupted,
    /// `run.max_hours` are over.
    OutOfTime,
}

const GO_ON: u16 = 0;
const INTERRUPTED: u16 = 1;
const OUT_OF_TIME: u16 = 2;
const FAILED: u16 = 3;

/// Waits for all workers and returns the reason to stop, if any worker has one.
///
/// # Errors
/// If a worker has failed; the error holds its message.
pub fn vote(connection: &Connection, stop: Option<Stop>) -> Result<Option<Stop>, ExchangeError> {
    let vote = match stop {
        None => GO_ON,
        Some(Stop::Interrupted) => INTERRUPTED,
        Some(Stop::OutOfTime) => OUT_OF_TIME,
    };
    // All workers know all reasons after this, and so stop after the same step.
    let votes = cast(connection, vote, "")?;

    // An interruption is urgent: the time of a run is measured with a margin.
    if votes.contains(&INTERRUPTED) {
        Ok(Some(Stop::Interrupted))
    } else if votes.contains(&OUT_OF_TIME) {
        Ok(Some(Stop::OutOfTime))
    } else {
        Ok(None)
    }
}

/// Takes part in the next vote of the others with the news that this worker has failed.
pub fn vote_failed(connection: &Connection, message: &str) {
    // The result is this failure, or that the others cannot be reached. Neither helps the caller.
    let _ = cast(connection, FAILED, message);
}

/// Sends `vote`, and `message` with a failure, to all workers and returns the votes by rank.
fn cast(connection: &Connection, vote: u16, message: &str) -> Result<Vec<u16>, ExchangeError> {
    let votes = connection.run(move |exchange| exchange.all_gather(vec![vote]))?;
    let Some(worker) = votes.iter().position(|vote| *vote == FAILED) else {
        return Ok(votes);
    };

    let bytes = Arc::new(message.as_bytes().to_vec());
    // By `broadcast`, because the others do not know the length.
    let bytes = connection.run(move |exchange| exchange.broadcast(worker, bytes))?;
    Err(ExchangeError::Failed {
        worker,
        message: String::from_utf8_lossy(&bytes).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::super::local::Local;
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// What each of three workers receives in a vote.
    fn results(
        work: impl Fn(usize, &Connection) -> Result<Option<Stop>, ExchangeError> + Sync,
    ) -> Vec<Result<Option<Stop>, ExchangeError>> {
        thread::scope(|scope| {
            let work = &work;
            let mut threads = Vec::new();
            for (rank, member) in Local::group(3, LONG).into_iter().enumerate() {
                let connection = Connection::open(|| Ok(member), LONG, &Arc::default());
                let connection = connection.expect("threads");
                threads.push(scope.spawn(move || work(rank, &connection)));
            }
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .collect()
        })
    }

    #[test]
    fn one_reason_to_stop_is_enough_and_an_interruption_comes_first() {
        for (stops, expected) in [
            ([None; 3], None),
            ([None, Some(Stop::OutOfTime), None], Some(Stop::OutOfTime)),
            (
                [Some(Stop::OutOfTime), None, Some(Stop::Interrupted)],
                Some(Stop::Interrupted),
            ),
        ] {
            let received = results(|rank, others| vote(others, stops[rank]));
            assert_eq!(received, vec![Ok(expected); 3]);
        }
    }

    #[test]
    fn a_failure_reaches_all_with_its_message() {
        let received = results(|rank, others| {
            if rank == 1 {
                vote_failed(others, "the disk is on fire");
                return Ok(None);
            }
            vote(others, None)
        });
        let failed = ExchangeError::Failed {
            worker: 1,
            message: "the disk is on fire".into(),
        };
        assert_eq!(received, [Err(failed.clone()), Ok(None), Err(failed)]);
    }
}
