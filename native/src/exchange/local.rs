//! Workers that are threads of one process.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::error::ExchangeError;
use super::operations::Exchange;
use super::rendezvous::Rendezvous;

pub struct Local {
    rank: usize,
    size: usize,
    /// One for all operations, so that workers that are not at the same operation notice it.
    rendezvous: Arc<Rendezvous<Message>>,
    timeout: Duration,
}

// In the host's memory, so that every kind of device can take part.
enum Message {
    Values(Vec<f32>),
    Words(Vec<u16>),
    Bytes(Arc<Vec<u8>>),
}

impl Local {
    /// `size` workers, each for a thread of its own, that wait at most `timeout` for each other.
    pub fn group(size: usize, timeout: Duration) -> Vec<Self> {
        let rendezvous = Arc::new(Rendezvous::new(size));
        (0..size)
            .map(|rank| Self {
                rank,
                size,
                rendezvous: rendezvous.clone(),
                timeout,
            })
            .collect()
    }

    fn exchange(&self, message: Message) -> Result<Arc<Vec<Message>>, ExchangeError> {
        self.rendezvous.exchange(self.rank, message, self.timeout)
    }

    fn piece(&self, length: usize) -> Range<usize> {
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

    fn all_reduce(&mut self, values: Vec<f32>) -> Result<Vec<f32>, ExchangeError> {
        let length = values.len();
        // Each worker adds up one piece of all vectors and then sends it to the others.
        let piece = self.piece(length);
        let messages = self.exchange(Message::Values(values))?;

        // In the order of the workers, so that the sum does not depend on which comes first.
        let mut sum = vec![0.0; piece.len()];
        for (rank, message) in messages.iter().enumerate() {
            let values = message.values(rank)?;
            if values.len() != length {
                return Err(ExchangeError::Gone(rank));
            }
            for (sum, value) in sum.iter_mut().zip(&values[piece.clone()]) {
                *sum += value;
            }
        }

        let mut sums = Vec::with_capacity(length);
        for (rank, message) in self.exchange(Message::Values(sum))?.iter().enumerate() {
            sums.extend_from_slice(message.values(rank)?);
        }
        Ok(sums)
    }

    fn broadcast(
        &mut self,
        root: usize,
        bytes: Arc<Vec<u8>>,
    ) -> Result<Arc<Vec<u8>>, ExchangeError> {
        let messages = self.exchange(Message::Bytes(bytes))?;
        match &messages[root] {
            Message::Bytes(bytes) => Ok(bytes.clone()),
            _ => Err(ExchangeError::Gone(root)),
        }
    }

    fn all_to_all(&mut self, words: Vec<u16>) -> Result<Vec<u16>, ExchangeError> {
        let length = words.len();
        let piece = self.piece(length);
        let mut received = Vec::with_capacity(length);
        for (rank, message) in self.exchange(Message::Words(words))?.iter().enumerate() {
            let words = message.words(rank)?.get(piece.clone());
            received.extend_from_slice(words.ok_or(ExchangeError::Gone(rank))?);
        }
        Ok(received)
    }

    fn all_gather(&mut self, words: Vec<u16>) -> Result<Vec<u16>, ExchangeError> {
        let mut gathered = Vec::with_capacity(words.len() * self.size);
        for (rank, message) in self.exchange(Message::Words(words))?.iter().enumerate() {
            gathered.extend_from_slice(message.words(rank)?);
        }
        Ok(gathered)
    }
}

// A worker that fails in the middle of a step votes while the others still add up: its message is
// then of another kind than theirs, or of another length.
impl Message {
    fn values(&self, rank: usize) -> Result<&[f32], ExchangeError> {
        match self {
            Self::Values(values) => Ok(values),
            _ => Err(ExchangeError::Gone(rank)),
        }
    }

    fn words(&self, rank: usize) -> Result<&[u16], ExchangeError> {
        match self {
            Self::Words(words) => Ok(words),
            _ => Err(ExchangeError::Gone(rank)),
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.rendezvous.leave(self.rank);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn together<T: Send>(
        size: usize,
        timeout: Duration,
        work: impl Fn(Local) -> T + Sync,
    ) -> Vec<T> {
        thread::scope(|scope| {
            let work = &work;
            let group = Local::group(size, timeout).into_iter();
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
                    sums.push(member.all_reduce(values).expect("all are there"));
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
    fn everybody_gets_the_bytes_of_the_root() {
        let received = together(3, LONG, |mut member| {
            let own = Arc::new(vec![member.rank() as u8; 10 * member.rank()]);
            member.broadcast(2, own).expect("all are there")
        });
        assert!(received.iter().all(|bytes| **bytes == [2; 20]));
    }

    #[test]
    fn a_worker_at_another_operation_is_named() {
        let errors = together(2, LONG, |mut member| {
            if member.rank() == 1 {
                member.all_gather(vec![0]).err()
            } else {
                member.all_reduce(vec![1.0]).err()
            }
        });
        assert_eq!(errors[0], Some(ExchangeError::Gone(1)));
        assert_eq!(errors[1], Some(ExchangeError::Gone(0)));
    }

    #[test]
    fn whoever_is_missed_is_named() {
        let short = Duration::from_millis(300);
        let errors = together(3, short, |mut member| {
            if member.rank() == 1 {
                thread::sleep(4 * short);
                return None;
            }
            member.all_reduce(vec![1.0]).err()
        });
        // The worker that times out first has left; the other one sees that.
        let silent = ExchangeError::Timeout {
            who: "worker 1".into(),
            timeout: short,
        };
        assert!(errors.contains(&Some(silent)), "{errors:?}");
        let errors = together(2, LONG, |mut member| {
            if member.rank() == 1 {
                None
            } else {
                member.all_reduce(vec![1.0]).err()
            }
        });
        assert_eq!(
            errors[0],
            Some(ExchangeError::Gone(1)),
            "at once, not after a minute"
        );
    }
}
