//! A meeting point of threads: in each round every thread passes a value and receives the values of
//! all.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::error::ExchangeError;

/// A barrier that also carries values.
pub struct Rendezvous<T> {
    round: Mutex<Round<T>>,
    changed: Condvar,
}

struct Round<T> {
    /// Number of rounds that are complete.
    generation: u64,
    /// Values of this round so far, by rank.
    values: Vec<Option<T>>,
    /// Values of the last complete round, by rank.
    complete: Arc<Vec<T>>,
    /// A thread that takes part in no further round.
    left: Option<usize>,
}

impl<T> Rendezvous<T> {
    pub fn new(size: usize) -> Self {
        let round = Round {
            generation: 0,
            values: (0..size).map(|_| None).collect(),
            complete: Arc::default(),
            left: None,
        };
        Self {
            round: Mutex::new(round),
            changed: Condvar::new(),
        }
    }

    /// Passes `value` to the round and waits for the values of all threads, in order of their
    /// ranks.
    pub fn exchange(
        &self,
        rank: usize,
        value: T,
        timeout: Duration,
    ) -> Result<Arc<Vec<T>>, ExchangeError> {
        let begin = Instant::now();
        let mut round = self.lock();
        let generation = round.generation;
        round.values[rank] = Some(value);

        if round.values.iter().all(Option::is_some) {
            let values = round.values.iter_mut().filter_map(Option::take).collect();
            round.complete = Arc::new(values);
            round.generation += 1;
            self.changed.notify_all();
        }

        // The next round cannot complete before all threads have received this one, as it needs a
        // value of each of them.
        while round.generation == generation {
            if let Some(left) = round.left {
                return Err(ExchangeError::Gone(left));
            }

            let remaining = timeout.saturating_sub(begin.elapsed());
            if remaining.is_zero() {
                return Err(ExchangeError::Timeout {
                    who: round.late(),
                    timeout,
                });
            }
            round = self
                .changed
                .wait_timeout(round, remaining)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        Ok(round.complete.clone())
    }

    /// Takes a thread out: rounds under way and later ones fail.
    pub fn leave(&self, rank: usize) {
        self.lock().left.get_or_insert(rank);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Round<T>> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Round<T> {
    fn late(&self) -> String {
        let late = (0..self.values.len()).filter(|rank| self.values[*rank].is_none());
        let names: Vec<String> = late.map(|rank| format!("worker {rank}")).collect();
        names.join(", ")
    }
}
