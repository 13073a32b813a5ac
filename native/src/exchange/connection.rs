//! A worker's connection to the others: an exchange on a thread of its own.
//!
//! So vectors travel while the worker copies others from and to its device, and the worker can stop
//! waiting for an exchange that has no time limit itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::error::ExchangeError;
use super::operations::Exchange;

// The connection waits longer than the exchange by this: only the exchange can name the workers
// that are late.
const MARGIN: Duration = Duration::from_secs(2);
// After the process was told to end, the others have this long for their part of a step. A launcher
// tells all processes to end when one has died, and kills them soon after.
const GRACE: Duration = Duration::from_secs(5);
/// How often a worker that waits checks whether to stop.
const CHECK_EVERY: Duration = Duration::from_millis(100);

/// Runs an operation and sends its result; returns whether it succeeded.
type Job = Box<dyn FnOnce(&mut dyn Exchange) -> bool + Send>;

pub struct Connection {
    pub rank: usize,
    pub size: usize,
    /// How long this worker waits for the others.
    pub timeout: Duration,
    interrupted: Arc<AtomicBool>,
    jobs: Sender<Job>,
    thread: JoinHandle<()>,
}

/// An operation of all workers that is under way.
#[must_use = "its result tells whether the others took part"]
pub struct Operation<T>(Receiver<Result<T, ExchangeError>>);

impl Connection {
    /// Connects on a thread of its own, where the exchange then stays.
    pub fn open<E: Exchange>(
        connect: impl FnOnce() -> Result<E, ExchangeError> + Send + 'static,
        timeout: Duration,
        interrupted: &Arc<AtomicBool>,
    ) -> Result<Self, ExchangeError> {
        let (jobs, queue) = channel::<Job>();
        let (ready, connected) = channel();

        let thread = thread::spawn(move || {
            let mut exchange = match connect() {
                Ok(exchange) => exchange,
                Err(error) => {
                    // The receiver may have stopped waiting.
                    let _ = ready.send(Err(error));
                    return;
                }
            };
            let _ = ready.send(Ok((exchange.rank(), exchange.size())));

            for job in queue {
                // After a failure the workers are no longer in step with each other.
                if !job(&mut exchange) {
                    return;
                }
            }
        });

        let Ok(connected) = connected.recv_timeout(timeout.saturating_add(MARGIN)) else {
            return Err(ExchangeError::Timeout {
                who: "the other workers".into(),
                timeout,
            });
        };
        let (rank, size) = connected?;

        Ok(Self {
            rank,
            size,
            timeout,
            interrupted: interrupted.clone(),
            jobs,
            thread,
        })
    }

    /// Begins an operation; operations run one after another, in the order of the calls.
    pub fn begin<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut dyn Exchange) -> Result<T, ExchangeError> + Send + 'static,
    ) -> Operation<T> {
        let (sender, receiver) = channel();
        let job = Box::new(move |exchange: &mut dyn Exchange| {
            let result = operation(exchange);
            let succeeded = result.is_ok();
            sender.send(result).is_ok() && succeeded
        });

        // A thread that has ended drops the job and with it the sender, which `finish` notices.
        let _ = self.jobs.send(job);
        Operation(receiver)
    }

    pub fn finish<T>(&self, operation: Operation<T>) -> Result<T, ExchangeError> {
        let begin = Instant::now();
        let mut interrupted_since = None;
        loop {
            match operation.0.recv_timeout(CHECK_EVERY) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Disconnected) => return Err(ExchangeError::Gone(self.rank)),
                Err(RecvTimeoutError::Timeout) => {}
            }

            if self.interrupted.load(Ordering::Relaxed) {
                let since = interrupted_since.get_or_insert_with(Instant::now);
                if since.elapsed() > GRACE {
                    return Err(ExchangeError::Interrupted(GRACE));
                }
            }
            if begin.elapsed() > self.timeout.saturating_add(MARGIN) {
                return Err(ExchangeError::Timeout {
                    who: "another worker".into(),
                    timeout: self.timeout,
                });
            }
        }
    }

    pub fn run<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut dyn Exchange) -> Result<T, ExchangeError> + Send + 'static,
    ) -> Result<T, ExchangeError> {
        self.finish(self.begin(operation))
    }

    /// Ends the connection in good order; all workers must.
    pub fn close(self) {
        drop(self.jobs);
        let _ = self.thread.join();
    }
}
