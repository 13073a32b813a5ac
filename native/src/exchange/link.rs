//! An exchange on a thread of its own, so that vectors travel while the worker moves others from
//! and to its device, and a worker can give up on an exchange that cannot give up itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{Encoding, Exchange, ExchangeError, half};

/// Time that an exchange gets to name those it waits for before the link gives up on it.
const MARGIN: Duration = Duration::from_secs(2);
/// How long others may take for their part of a step after the process was told to end. A launcher
/// tells so when a process has died, and kills the rest soon after.
const GRACE: Duration = Duration::from_secs(5);
/// How often someone who waits looks whether to stop.
const LOOK_UP: Duration = Duration::from_millis(100);

/// One worker's connection to the others.
pub struct Link {
    /// Number of this worker.
    pub rank: usize,
    /// Number of workers.
    pub size: usize,
    /// How long it waits for the others.
    pub patience: Duration,
    interrupted: Arc<AtomicBool>,
    values: Sender<(Vec<f32>, Encoding)>,
    sums: Receiver<Result<Vec<f32>, ExchangeError>>,
    thread: JoinHandle<()>,
}

impl Link {
    /// Connects on a thread of its own, where the exchange then stays.
    ///
    /// # Errors
    /// If the workers cannot be connected in time.
    pub fn open<E: Exchange>(
        connect: impl FnOnce() -> Result<E, ExchangeError> + Send + 'static,
        patience: Duration,
        interrupted: &Arc<AtomicBool>,
    ) -> Result<Self, ExchangeError> {
        let (values, jobs) = channel::<(Vec<f32>, Encoding)>();
        let (results, sums) = channel();
        let (ready, place) = channel();
        let thread = thread::spawn(move || {
            let mut exchange = match connect() {
                Ok(exchange) => exchange,
                // Whoever waits for the place, or has given up on it, is told.
                Err(error) => return drop(ready.send(Err(error))),
            };
            let _ = ready.send(Ok((exchange.rank(), exchange.size())));
            for (values, encoding) in jobs {
                let sum = match encoding {
                    Encoding::Exact => exchange.sum(values),
                    Encoding::Half => half::sum(&mut exchange, values),
                };
                let broken = sum.is_err();
                if results.send(sum).is_err() || broken {
                    return;
                }
            }
        });
        match place.recv_timeout(patience.saturating_add(MARGIN)) {
            Ok(place) => place.map(|(rank, size)| Self {
                rank,
                size,
                patience,
                interrupted: interrupted.clone(),
                values,
                sums,
                thread,
            }),
            Err(_) => Err(ExchangeError::Silent {
                who: "the other workers".into(),
                patience,
            }),
        }
    }

    /// Gives `values` to the sum of all workers'; [`Self::receive`] returns the sums in order.
    pub fn send(&self, values: Vec<f32>, encoding: Encoding) {
        // A thread that has ended has left the reason to `receive`.
        let _ = self.values.send((values, encoding));
    }

    /// The oldest sum not received yet.
    ///
    /// # Errors
    /// If a worker is gone or does not answer, the sooner if the process is to end.
    pub fn receive(&self) -> Result<Vec<f32>, ExchangeError> {
        let begin = Instant::now();
        let mut told = None;
        loop {
            match self.sums.recv_timeout(LOOK_UP) {
                Ok(sum) => return sum,
                Err(RecvTimeoutError::Disconnected) => return Err(ExchangeError::Gone(self.rank)),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.interrupted.load(Ordering::Relaxed)
                && told.get_or_insert_with(Instant::now).elapsed() > GRACE
            {
                return Err(ExchangeError::Interrupted(GRACE));
            }
            if begin.elapsed() > self.patience.saturating_add(MARGIN) {
                return Err(ExchangeError::Silent {
                    who: "another worker".into(),
                    patience: self.patience,
                });
            }
        }
    }

    /// Ends the connection in good order; all workers must.
    pub fn close(self) {
        drop(self.values);
        let _ = self.thread.join();
    }
}
