//! Workers that are threads of one process: what they exchange lies in the host's memory, so any
//! device can take part.

use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Exchange, ExchangeError};

/// One of several threads.
pub struct Local {
    rank: usize,
    size: usize,
    floats: Arc<Hub<f32>>,
    words: Arc<Hub<u16>>,
    patience: Duration,
}

impl Local {
    /// `size` workers, each to be moved to a thread of its own, who wait at most `patience` for
    /// each other.
    pub fn group(size: usize, patience: Duration) -> Vec<Self> {
        let (floats, words) = (Arc::new(Hub::new(size)), Arc::new(Hub::new(size)));
        let member = |rank| Self {
            rank,
            size,
            floats: floats.clone(),
            words: words.clone(),
            patience,
        };
        (0..size).map(member).collect()
    }

    /// The part of a vector that this worker adds up.
    fn own(&self, length: usize) -> Range<usize> {
        self.rank * length / self.size..(self.rank + 1) * length / self.size
    }
}

impl Exchange for Local {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn sum(&mut self, values: Vec<f32>) -> Result<Vec<f32>, ExchangeError> {
        let own = self.own(values.len());
        let length = values.len();
        let all = self.floats.meet(self.rank, values, self.patience)?;
        // Whoever failed in the middle of a step may say so while others add up.
        if let Some(stray) = all.iter().position(|values| values.len() != length) {
            return Err(ExchangeError::Gone(stray));
        }
        let mut sum = vec![0.0; own.len()];
        // In the order of the workers, so that the sum does not depend on who comes first.
        for values in all.iter() {
            sum.iter_mut()
                .zip(&values[own.clone()])
                .for_each(|(sum, value)| *sum += value);
        }
        Ok(self.floats.meet(self.rank, sum, self.patience)?.concat())
    }

    fn all_to_all(&mut self, values: Vec<u16>) -> Result<Vec<u16>, ExchangeError> {
        let own = self.own(values.len());
        let all = self.words.meet(self.rank, values, self.patience)?;
        Ok(all
            .iter()
            .flat_map(|values| &values[own.clone()])
            .copied()
            .collect())
    }

    fn all_gather(&mut self, values: Vec<u16>) -> Result<Vec<u16>, ExchangeError> {
        Ok(self.words.meet(self.rank, values, self.patience)?.concat())
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.floats.leave(self.rank);
        self.words.leave(self.rank);
    }
}

/// Where everybody sees what everybody brought.
struct Hub<T> {
    room: Mutex<Room<T>>,
    changed: Condvar,
}

struct Room<T> {
    /// Meetings held.
    held: u64,
    /// What the present have brought to the next one.
    brought: Vec<Option<Vec<T>>>,
    /// What was brought to the last one.
    last: Arc<Vec<Vec<T>>>,
    /// Who will not come any more.
    gone: Option<usize>,
}

impl<T> Hub<T> {
    fn new(size: usize) -> Self {
        let brought = (0..size).map(|_| None).collect();
        Self {
            room: Mutex::new(Room {
                held: 0,
                brought,
                last: Arc::default(),
                gone: None,
            }),
            changed: Condvar::new(),
        }
    }

    fn room(&self) -> MutexGuard<'_, Room<T>> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What all bring to this meeting, as soon as the last has come.
    fn meet(
        &self,
        rank: usize,
        values: Vec<T>,
        patience: Duration,
    ) -> Result<Arc<Vec<Vec<T>>>, ExchangeError> {
        let begin = Instant::now();
        let mut room = self.room();
        let meeting = room.held;
        room.brought[rank] = Some(values);
        if room.brought.iter().all(Option::is_some) {
            room.last = Arc::new(room.brought.iter_mut().filter_map(Option::take).collect());
            room.held += 1;
            self.changed.notify_all();
        }
        // Nobody can hold the next meeting before all have seen this one: they are needed for it.
        while room.held == meeting {
            if let Some(gone) = room.gone {
                return Err(ExchangeError::Gone(gone));
            }
            let left = patience.saturating_sub(begin.elapsed());
            if left.is_zero() {
                let absent = (0..room.brought.len()).filter(|rank| room.brought[*rank].is_none());
                let absent: Vec<String> = absent.map(|rank| format!("worker {rank}")).collect();
                return Err(ExchangeError::Silent {
                    who: absent.join(", "),
                    patience,
                });
            }
            room = self
                .changed
                .wait_timeout(room, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        Ok(room.last.clone())
    }

    fn leave(&self, rank: usize) {
        self.room().gone.get_or_insert(rank);
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn together<T: Send>(
        size: usize,
        patience: Duration,
        work: impl Fn(Local) -> T + Sync,
    ) -> Vec<T> {
        thread::scope(|scope| {
            let work = &work;
            let group = Local::group(size, patience).into_iter();
            let threads: Vec<_> = group
                .map(|member| scope.spawn(move || work(member)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .collect()
        })
    }

    #[test]
    fn everybody_gets_the_same_sum_meeting_after_meeting() {
        for size in 1..=4 {
            let sums = together(size, LONG, |mut member| {
                let mut sums = Vec::new();
                for meeting in 0..50 {
                    // Lengths that the workers do not divide, and one with less than a value a
                    // worker.
                    let length = meeting % 7;
                    let values = (0..length)
                        .map(|i| (100 * i + 10 * member.rank() + meeting) as f32)
                        .collect();
                    sums.push(member.sum(values).expect("all are there"));
                }
                sums
            });
            for (meeting, sum) in sums[0].iter().enumerate() {
                let expected = |i: usize| {
                    (0..size)
                        .map(|rank| (100 * i + 10 * rank + meeting) as f32)
                        .sum::<f32>()
                };
                assert_eq!(*sum, (0..meeting % 7).map(expected).collect::<Vec<f32>>());
            }
            assert!(sums.iter().all(|other| *other == sums[0]));
        }
    }

    #[test]
    fn words_go_to_everybody_and_from_everybody() {
        let received = together(3, LONG, |mut member| {
            let rank = member.rank() as u16;
            let pieces = member
                .all_to_all((0..6).map(|i| 10 * rank + i).collect())
                .expect("all are there");
            (
                pieces,
                member.all_gather(vec![rank; 2]).expect("all are there"),
            )
        });
        assert_eq!(received[1].0, [2, 3, 12, 13, 22, 23]);
        assert!(
            received
                .iter()
                .all(|(_, gathered)| *gathered == [0, 0, 1, 1, 2, 2])
        );
    }

    #[test]
    fn whoever_is_missed_is_named() {
        let short = Duration::from_millis(300);
        let errors = together(3, short, |mut member| {
            if member.rank() == 1 {
                thread::sleep(4 * short);
                return None;
            }
            member.sum(vec![1.0]).err()
        });
        // Whoever gives up first is gone for the other.
        let silent = ExchangeError::Silent {
            who: "worker 1".into(),
            patience: short,
        };
        assert!(errors.contains(&Some(silent)), "{errors:?}");
        let errors = together(2, LONG, |mut member| {
            if member.rank() == 1 {
                None
            } else {
                member.sum(vec![1.0]).err()
            }
        });
        assert_eq!(
            errors[0],
            Some(ExchangeError::Gone(1)),
            "at once, not after a minute"
        );
    }
}
