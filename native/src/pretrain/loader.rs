//! Batches of augmented crops, made ahead of the training step by threads that never touch the
//! device.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor, TensorData};
use ibot_core::image::augment::{Crops, CropsConfig, multi_crop};
use ibot_core::image::normalize::normalize_into;
use ibot_core::pretrain::Batch;
use ibot_core::pretrain::config::Config;
use ibot_core::pretrain::masking::Mask;
use ibot_core::rng::{Purpose, crop_stream, stream};
use rand::seq::SliceRandom as _;

use crate::data::Dataset;
use crate::recipe::Settings;
use crate::run_settings::RunSettings;

/// Batches that are ready before the step asks for them.
const AHEAD: usize = 3;
/// How often someone who waits for a batch looks whether to stop.
const LOOK_UP: Duration = Duration::from_millis(100);
/// Images looked at before the share of unreadable ones is judged.
const ENOUGH_TO_JUDGE: usize = 100;

/// The crops of a part of a step's batch, B images, on the host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostBatch {
    /// Normalised global crops, `[globals * B, 3, S, S]`, crop by crop.
    pub globals: Vec<f32>,
    /// Normalised local crops, `[locals * B, 3, s, s]`, crop by crop.
    pub locals: Vec<f32>,
    /// One mask for each global crop.
    pub masks: Vec<Mask>,
}

impl HostBatch {
    /// The same crops on `device`.
    pub fn into_batch(self, crops: &CropsConfig, device: &Device) -> Batch {
        let tensor = |values: Vec<f32>, size: usize| {
            let count = values.len() / (3 * size * size);
            Tensor::<4>::from_data(TensorData::new(values, [count, 3, size, size]), device)
        };
        Batch {
            images: self.masks.len() / crops.global_crops_number,
            globals: tensor(self.globals, crops.global_size),
            locals: (!self.locals.is_empty()).then(|| tensor(self.locals, crops.local_size)),
            masks: self.masks,
        }
    }
}

/// Too many images cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "{failed} of {seen} images could not be read, more than the share of {share} that run.max_unreadable allows; the last was {last}"
)]
pub struct UnreadableError {
    failed: usize,
    seen: usize,
    share: f64,
    last: String,
}

/// Why there is no batch.
#[derive(Debug, thiserror::Error)]
pub enum NoBatch {
    /// The threads that load images are gone.
    #[error("the threads that load images ended unexpectedly; the first lines above say why")]
    Gone,
    /// Others must not be kept waiting any longer.
    #[error("no batch of images was ready after {} s (run.exchange_timeout): the disk hangs or is too slow", .0.as_secs_f64())]
    Late(Duration),
}

/// What the training step receives: its batch, and what went wrong while it was made.
pub struct Delivery {
    /// The parts of the batch, as equal as they can be, or the reason to stop.
    pub parts: Result<Vec<HostBatch>, UnreadableError>,
    /// Messages about images that were skipped for the first time.
    pub skipped: Vec<String>,
}

/// An endless supply of batches, the same for the same seed however many threads make them.
pub struct Loader {
    results: Receiver<(usize, Delivery)>,
    waiting: BTreeMap<usize, Delivery>,
    next: usize,
}

/// What all threads share.
struct Shared {
    data: Arc<Dataset>,
    config: Config,
    run: RunSettings,
    /// The images of each batch that are wanted.
    share: Range<usize>,
    steps_per_epoch: usize,
    next_step: AtomicUsize,
    seen: AtomicUsize,
    unreadable: Mutex<BTreeSet<usize>>,
    /// The order of the epoch last asked for; drawing it for a million images takes a while.
    order: Mutex<(usize, Arc<Vec<usize>>)>,
}

impl Loader {
    /// Starts `workers` threads that make the images of `share` of the batches of step `first_step`
    /// and after.
    pub fn new(
        data: Arc<Dataset>,
        settings: &Settings,
        workers: NonZeroUsize,
        first_step: usize,
        share: Range<usize>,
    ) -> Self {
        let Settings { config, run, .. } = settings.clone();
        let steps_per_epoch = data.len() / config.optim.batch_size;
        let order = Mutex::new((usize::MAX, Arc::default()));
        let shared = Arc::new(Shared {
            data,
            config,
            run,
            share,
            steps_per_epoch,
            next_step: AtomicUsize::new(first_step),
            seen: AtomicUsize::new(0),
            unreadable: Mutex::default(),
            order,
        });
        let (sender, results) = sync_channel(AHEAD);
        for _ in 0..workers.get() {
            let (shared, sender) = (shared.clone(), sender.clone());
            thread::spawn(move || shared.work(&sender));
        }
        Self {
            results,
            waiting: BTreeMap::new(),
            next: first_step,
        }
    }

    /// The next batch, in order; `None` as soon as `stop` is set while it is not there. A slow disk
    /// must not keep a run from stopping.
    ///
    /// # Errors
    /// If the threads are gone, or the batch is not there after `patience`.
    pub fn next(
        &mut self,
        stop: &AtomicBool,
        patience: Option<Duration>,
    ) -> Result<Option<Delivery>, NoBatch> {
        let begin = Instant::now();
        loop {
            if let Some(delivery) = self.waiting.remove(&self.next) {
                self.next += 1;
                return Ok(Some(delivery));
            }
            match self.results.recv_timeout(LOOK_UP) {
                Ok((step, delivery)) => drop(self.waiting.insert(step, delivery)),
                Err(RecvTimeoutError::Timeout) if stop.load(Ordering::Relaxed) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(patience) = patience.filter(|patience| begin.elapsed() >= *patience)
                    {
                        return Err(NoBatch::Late(patience));
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Err(NoBatch::Gone),
            }
        }
    }
}

impl Shared {
    /// Makes batches until nobody wants them.
    fn work(&self, sender: &SyncSender<(usize, Delivery)>) {
        loop {
            let step = self.next_step.fetch_add(1, Ordering::Relaxed);
            let mut skipped = Vec::new();
            let parts = self.parts(step, &mut skipped);
            if sender.send((step, Delivery { parts, skipped })).is_err() {
                return;
            }
        }
    }

    fn parts(
        &self,
        step: usize,
        skipped: &mut Vec<String>,
    ) -> Result<Vec<HostBatch>, UnreadableError> {
        let (epoch, within) = (step / self.steps_per_epoch, step % self.steps_per_epoch);
        let size = self.config.optim.batch_size;
        let order = self.order(epoch);
        let images = &order[within * size..][self.share.clone()];
        let parts = self.run.parts(images.len());
        let start = |part: usize| part * images.len() / parts;
        (0..parts)
            .map(|part| self.batch(&images[start(part)..start(part + 1)], epoch, skipped))
            .collect()
    }

    fn batch(
        &self,
        images: &[usize],
        epoch: usize,
        skipped: &mut Vec<String>,
    ) -> Result<HostBatch, UnreadableError> {
        let size = images.len();
        let crops = &self.config.crops;
        let (global, local) = (
            3 * crops.global_size * crops.global_size,
            3 * crops.local_size * crops.local_size,
        );
        let mut batch = HostBatch {
            globals: vec![0.0; crops.global_crops_number * size * global],
            locals: vec![0.0; crops.local_crops_number * size * local],
            masks: vec![Mask::empty(0, 0); crops.global_crops_number * size],
        };
        for (position, index) in images.iter().enumerate() {
            let (index, views) = self.views(*index, epoch, skipped)?;
            for (crop, view) in views.globals.iter().enumerate() {
                let row = crop * size + position;
                normalize_into(view, &mut batch.globals[row * global..][..global]);
                batch.masks[row] = self.config.mask.mask(
                    self.config.global_grid(),
                    self.run.seed,
                    epoch,
                    index,
                    crop,
                );
            }
            for (crop, view) in views.locals.iter().enumerate() {
                normalize_into(
                    view,
                    &mut batch.locals[(crop * size + position) * local..][..local],
                );
            }
        }
        Ok(batch)
    }

    /// The crops of image `index`, or of the first after it that can be read, and that one's index.
    fn views(
        &self,
        index: usize,
        epoch: usize,
        skipped: &mut Vec<String>,
    ) -> Result<(usize, Crops), UnreadableError> {
        let mut index = index;
        loop {
            self.seen.fetch_add(1, Ordering::Relaxed);
            match self.data.load(index) {
                Ok(image) => {
                    let rng =
                        |crop| crop_stream(self.run.seed, Purpose::Augment, epoch, index, crop);
                    return Ok((
                        index,
                        multi_crop(&image, &self.config.crops, &self.config.augment, rng),
                    ));
                }
                Err(error) => {
                    let mut unreadable = self
                        .unreadable
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner);
                    if unreadable.insert(index) {
                        skipped.push(error.to_string());
                    }
                    // Counted now: other threads may have failed since this one began.
                    let (failed, seen) = (
                        unreadable.len(),
                        self.seen.load(Ordering::Relaxed).min(self.data.len()),
                    );
                    let enough =
                        seen >= ENOUGH_TO_JUDGE.min(self.data.len()) || failed >= ENOUGH_TO_JUDGE;
                    // A share of 1 allows any number of failures, but there must be an image to go
                    // on with.
                    let none_left = failed == self.data.len();
                    if none_left || enough && failed as f64 > self.run.max_unreadable * seen as f64
                    {
                        let share = self.run.max_unreadable;
                        return Err(UnreadableError {
                            failed,
                            seen,
                            share,
                            last: error.to_string(),
                        });
                    }
                }
            }
            index = (index + 1) % self.data.len();
        }
    }

    /// The order of the images in an epoch; every image once.
    fn order(&self, epoch: usize) -> Arc<Vec<usize>> {
        let mut cached = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.0 != epoch {
            let mut order: Vec<usize> = (0..self.data.len()).collect();
            order.shuffle(&mut stream(self.run.seed, Purpose::Order, epoch as u64, 0));
            *cached = (epoch, Arc::new(order));
        }
        cached.1.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loader(share: Range<usize>, batch: usize) -> Loader {
        let set = [
            format!("optim.batch_size={batch}"),
            "run.shards=1".into(),
            "run.micro_batch=4".into(),
        ];
        let settings = Settings::from_recipe("builtin", &set).expect("valid");
        let data = Arc::new(Dataset::open("builtin:val").expect("builtin"));
        Loader::new(data, &settings, NonZeroUsize::MIN, 3, share)
    }

    fn images(loader: &mut Loader) -> Vec<HostBatch> {
        let delivery = loader
            .next(&AtomicBool::new(false), None)
            .expect("no disk is needed")
            .expect("not stopped");
        delivery.parts.expect("readable")
    }

    #[test]
    fn shares_are_the_batch_cut_into_pieces() {
        let whole = images(&mut loader(0..12, 12));
        let mut pieces = images(&mut loader(0..4, 12));
        pieces.extend(images(&mut loader(4..8, 12)));
        pieces.extend(images(&mut loader(8..12, 12)));
        assert_eq!(whole, pieces, "the same images, crops and masks");
    }

    #[test]
    fn waiting_for_a_batch_has_an_end() {
        // A batch of all images takes longer than a look.
        let late = loader(0..500, 500).next(&AtomicBool::new(false), Some(Duration::ZERO));
        assert!(matches!(late, Err(NoBatch::Late(_))));
    }
}
