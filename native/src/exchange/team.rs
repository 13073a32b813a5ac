//! The workers of a run, as each of them sees the others.

use std::collections::BTreeSet;
use std::ops::Range;
use std::process::exit;
use std::thread::sleep;

use anyhow::{Context as _, Result, ensure};
use futures_lite::future::block_on;
use ibot_core::train::{NamedGradients, Pass, Snapshot, TrainState};
use ibot_core::weights::Weight;

use super::{Encoding, ExchangeError, Link, Nccl, buckets};
use crate::pretrain::Ending;

/// Bytes of a failure's message that the others are told.
const MESSAGE: usize = 1024;

/// What a worker says at the beginning of every exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// It has its share of the step.
    Pass = 0,
    Interrupted = 1,
    OutOfTime = 2,
    /// It cannot go on.
    Failed = 3,
    /// It has nothing left to do.
    Parting = 4,
}

/// What a worker brings to a step, or all of them together.
pub enum Brought {
    /// Forward and backward on a share of the batch, or on the whole of it.
    Pass(Box<Pass>),
    /// The reason to end the run before the step.
    Ending(Ending),
}

/// A worker's view of all workers of a run. Alone, it has nobody to talk to, and nothing is copied.
pub struct Team {
    link: Option<Link>,
    /// What adds up gradients, if the link does not.
    nccl: Option<Nccl>,
    encoding: Encoding,
    /// Images of a batch.
    batch: usize,
}

impl Team {
    /// A worker that is connected to others, or alone without a `link`; together they compute
    /// batches of `batch` images.
    pub fn new(link: Option<Link>, encoding: Encoding, batch: usize) -> Self {
        Self {
            link,
            nccl: None,
            encoding,
            batch,
        }
    }

    /// The same worker, whose gradients its GPU adds to the others'.
    pub fn with_nccl(self, nccl: Option<Nccl>) -> Self {
        Self { nccl, ..self }
    }

    /// Number of this worker. Worker 0 leads: it alone writes files.
    pub fn rank(&self) -> usize {
        self.link.as_ref().map_or(0, |link| link.rank)
    }

    /// Number of workers.
    pub fn size(&self) -> usize {
        self.link.as_ref().map_or(1, |link| link.size)
    }

    /// The images of a batch that this worker computes.
    pub fn share(&self) -> Range<usize> {
        self.rank() * self.batch / self.size()..(self.rank() + 1) * self.batch / self.size()
    }

    /// Turns what this worker brings to a step into what all bring together: the pass over the
    /// whole batch, or an ending if one of them wishes it.
    ///
    /// # Errors
    /// If the device or another worker fails; the training state is untouched.
    pub fn meet(&self, brought: Brought, state: &TrainState) -> Result<Brought> {
        let Some(link) = &self.link else {
            return Ok(brought);
        };
        let word = match brought {
            Brought::Pass(_) => Word::Pass,
            Brought::Ending(ending) => Word::of(ending),
        };
        if let Some(ending) = wish(&say(link, word)?) {
            return Ok(Brought::Ending(ending));
        }
        let Brought::Pass(mut pass) = brought else {
            return Ok(brought);
        };
        let rest = block_on(pass.summand(self.share().start, self.batch))
            .context("losses on the device")?;
        link.send(rest, Encoding::Exact);
        let gradients = std::mem::take(&mut pass.gradients).complete(&state.student);
        let rest = link.receive()?;
        let gradients = self.add_up(gradients, pass.share(self.batch))?;
        Ok(Brought::Pass(Box::new(
            pass.whole(gradients, rest, self.batch),
        )))
    }

    /// The sum over all workers of `weight` times each one's gradients, which must have the same
    /// names.
    ///
    /// # Errors
    /// If the device or another worker fails.
    pub fn add_up(&self, gradients: NamedGradients, weight: f64) -> Result<NamedGradients> {
        match (&self.link, &self.nccl) {
            (None, _) => Ok(gradients),
            (Some(_), Some(nccl)) => nccl.sum(gradients, weight),
            (Some(link), None) => buckets::sum(link, gradients, weight, self.encoding),
        }
    }

    /// The leader's state and step on every worker. `fingerprint` is of all that must be the same
    /// on all of them.
    ///
    /// # Errors
    /// If it is not, or another worker fails.
    pub fn replicate(
        &self,
        state: TrainState,
        step: usize,
        fingerprint: u32,
    ) -> Result<(TrainState, usize)> {
        let Some(link) = &self.link else {
            return Ok((state, step));
        };
        say(link, Word::Pass)?;
        let leads = self.rank() == 0;
        let Snapshot {
            mut tensors,
            mut updates,
        } = block_on(state.snapshot())?;
        let names = tensors
            .keys()
            .filter_map(|name| Some(name.strip_prefix("student/")?.to_owned()));
        let names: BTreeSet<String> = names.collect();
        // A parameter that was never updated has no moments, which only the leader knows.
        for name in &names {
            let Some(Weight { shape, values }) = tensors.get(&format!("student/{name}")) else {
                continue;
            };
            let zeros = Weight {
                shape: shape.clone(),
                values: vec![0.0; values.len()],
            };
            for moments in ["exp_avg", "exp_avg_sq"] {
                tensors
                    .entry(format!("{moments}/{name}"))
                    .or_insert_with(|| zeros.clone());
            }
        }
        // Integers travel in halves, which floats hold.
        let numbers = names
            .iter()
            .map(|name| updates.0.get(name).copied().unwrap_or(0));
        let numbers = [u64::from(fingerprint), step as u64]
            .into_iter()
            .chain(numbers);
        let numbers = numbers
            .flat_map(|number| [0, 16, 32, 48].map(|shift| (number >> shift & 0xffff) as f32));
        let numbers = broadcast(link, numbers.collect())?;
        let mut numbers = numbers.chunks_exact(4).map(|n| {
            n.iter()
                .rev()
                .fold(0u64, |number, half| number << 16 | *half as u64)
        });
        let (theirs, step) = (numbers.next(), numbers.next().unwrap_or(0) as usize);
        let mut weights: Vec<(&String, &mut Weight)> = tensors.iter_mut().collect();
        weights.sort_unstable_by_key(|(name, _)| *name);
        for (_, weight) in weights {
            weight.values = broadcast(link, std::mem::take(&mut weight.values))?;
        }
        ensure!(
            theirs == Some(u64::from(fingerprint)),
            "this worker has other settings or other data than worker 0; all must be started with the same command and \
             see the same files"
        );
        if leads {
            return Ok((state, step));
        }
        updates.0 = names
            .into_iter()
            .zip(numbers)
            .filter(|(_, updates)| *updates > 0)
            .collect();
        Ok((state.restore(Snapshot { tensors, updates })?, step))
    }

    /// Tells the others that this worker cannot go on, unless that comes from them.
    pub fn fail(&self, error: &anyhow::Error) {
        if let Some(link) = self.link.as_ref().filter(|_| !error.is::<ExchangeError>()) {
            // Told to others: what they say back is not news.
            let _ = converse(link, Word::Failed, &format!("{error:#}"));
        }
    }

    /// Ends the run for all workers, after the leader has saved: a launcher may end all as soon as
    /// one has ended. Where workers cannot be reached, the others give the leader time to save and
    /// then end the process.
    pub fn part(self, result: &Result<impl Sized>) {
        let Some(link) = self.link else { return };
        let error = result.as_ref().err().and_then(|error| error.downcast_ref());
        let reachable = matches!(error, None | Some(ExchangeError::Failed { .. }));
        if reachable && say(&link, Word::Parting).is_ok() {
            link.close();
        } else if link.rank > 0 && result.is_err() {
            sleep(link.patience);
            exit(1);
        }
    }
}

impl Word {
    fn of(ending: Ending) -> Self {
        match ending {
            Ending::Complete => Self::Parting,
            Ending::Interrupted => Self::Interrupted,
            Ending::OutOfTime => Self::OutOfTime,
        }
    }
}

/// Says a word to all workers and hears theirs.
fn say(link: &Link, word: Word) -> Result<Vec<f32>> {
    Ok(converse(link, word, "")?)
}

/// As [`say`], with what to say if the word is of failure.
fn converse(link: &Link, word: Word, message: &str) -> Result<Vec<f32>, ExchangeError> {
    let mut words = vec![0.0; link.size];
    words[link.rank] = f32::from(word as u8);
    link.send(words, Encoding::Exact);
    let words = link.receive()?;
    let Some(worker) = words
        .iter()
        .position(|word| *word == f32::from(Word::Failed as u8))
    else {
        return Ok(words);
    };
    let mut bytes = message
        .bytes()
        .take(MESSAGE)
        .map(f32::from)
        .collect::<Vec<f32>>();
    bytes.resize(MESSAGE, 0.0);
    link.send(
        if worker == link.rank {
            bytes
        } else {
            vec![0.0; MESSAGE]
        },
        Encoding::Exact,
    );
    let bytes: Vec<u8> = link
        .receive()?
        .into_iter()
        .map(|byte| byte as u8)
        .take_while(|byte| *byte > 0)
        .collect();
    Err(ExchangeError::Failed {
        worker,
        message: String::from_utf8_lossy(&bytes).into_owned(),
    })
}

/// The ending that somebody wishes.
fn wish(words: &[f32]) -> Option<Ending> {
    let said = |word: Word| words.contains(&f32::from(word as u8));
    match (said(Word::Interrupted), said(Word::OutOfTime)) {
        (true, _) => Some(Ending::Interrupted),
        (_, true) => Some(Ending::OutOfTime),
        _ => None,
    }
}

/// The leader's values, bucket by bucket: everybody else adds zeros.
fn broadcast(link: &Link, mut values: Vec<f32>) -> Result<Vec<f32>, ExchangeError> {
    if link.rank > 0 {
        values.fill(0.0);
    }
    values
        .chunks(buckets::VALUES)
        .for_each(|bucket| link.send(bucket.to_vec(), Encoding::Exact));
    let sums = values
        .chunks(buckets::VALUES)
        .map(|_| link.receive())
        .collect::<Result<Vec<_>, _>>()?;
    Ok(sums.concat())
}
