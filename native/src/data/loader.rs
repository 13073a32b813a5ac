//! Batches of samples, made ahead of the training step by threads that never touch the device.
//!
//! What a sample is, the caller decides by a [`Collate`]. Batches are the same for the same seed,
//! however many threads make them.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use ibot_core::finetune::repeated::{RepeatedImage, repeated_image};
use ibot_core::image::RgbImage;

use super::dataset::Dataset;
use super::order::EpochOrder;
use super::unreadable::{Unreadable, UnreadableError};

/// Batches that are ready before the step asks for them.
const AHEAD: usize = 3;
/// How often a step that waits for its batch checks whether to stop.
const CHECK_EVERY: Duration = Duration::from_millis(100);

/// Makes batches of images.
///
/// A sample is written into its batch at once and not returned: the samples of a large batch,
/// views in bytes and values in floats, would else be in memory twice.
pub trait Collate: Send + Sync + 'static {
    type Batch: Send + 'static;

    /// A batch of `images` samples that are not written yet.
    fn empty(&self, images: usize) -> Self::Batch;

    /// Makes the sample of an image, all random numbers from `id`, at `position` of the batch.
    fn write(&self, batch: &mut Self::Batch, position: usize, image: &RgbImage, id: SampleId);
}

/// One use of an image in a run, from which the sample's random numbers derive.
#[derive(Clone, Copy, Debug)]
pub struct SampleId {
    pub epoch: usize,
    pub image: usize,
    /// Which of the uses in the epoch, where there are several.
    pub copy: usize,
    pub step: usize,
    /// Images before it in the batch of all workers.
    pub place: usize,
}

/// How a run goes through its dataset.
#[derive(Clone, Debug)]
pub struct LoaderOptions {
    pub threads: NonZeroUsize,
    /// Seed of the order of the images.
    pub seed: u64,
    /// Images of a batch of all workers.
    pub batch_size: usize,
    /// Uses of an image in an epoch, which then has fewer images: repeated augmentation.
    pub repeats: usize,
    /// The images of each batch that this worker computes.
    pub share: Range<usize>,
    /// Number of micro-batches that the share is cut into.
    pub micro_batches: usize,
    /// The step of the first batch.
    pub first_step: usize,
    /// Largest share of images that may be unreadable.
    pub max_unreadable: f64,
}

#[derive(Debug, thiserror::Error)]
pub enum NoBatch {
    #[error("the threads that load images ended unexpectedly; the first lines above say why")]
    Gone,
    /// The other workers must not wait any longer.
    #[error("no batch of images was ready after {} s (run.exchange_timeout): the disk hangs or is too slow", .0.as_secs_f64())]
    Late(Duration),
}

/// What a training step receives: its batch, and what went wrong while it was made.
pub struct Delivery<B> {
    /// The micro-batches, as equal as they can be, or the reason to stop.
    pub micro_batches: Result<Vec<B>, UnreadableError>,
    /// Messages about images that were skipped for the first time.
    pub skipped: Vec<String>,
}

pub struct Loader<B> {
    deliveries: Receiver<(usize, Delivery<B>)>,
    /// Deliveries that came before their turn, by step.
    early: BTreeMap<usize, Delivery<B>>,
    next: usize,
}

impl<B: Send + 'static> Loader<B> {
    pub fn new(
        data: Arc<Dataset>,
        collate: impl Collate<Batch = B>,
        options: LoaderOptions,
    ) -> Self {
        // Bounded, so that batches which nobody waits for do not fill the memory.
        let (sender, deliveries) = sync_channel(AHEAD);
        let next = options.first_step;
        let threads = options.threads.get();

        let work = Arc::new(Work {
            order: EpochOrder::new(data.len(), options.seed),
            unreadable: Unreadable::new(options.max_unreadable),
            next_step: AtomicUsize::new(next),
            data,
            collate,
            options,
        });
        for _ in 0..threads {
            let work = work.clone();
            let sender = sender.clone();
            thread::spawn(move || work.run(&sender));
        }

        Self {
            deliveries,
            early: BTreeMap::new(),
            next,
        }
    }

    /// The next batch, in order; `None` if `stop` is set before it is ready.
    pub fn next(
        &mut self,
        stop: &AtomicBool,
        timeout: Option<Duration>,
    ) -> Result<Option<Delivery<B>>, NoBatch> {
        let begin = Instant::now();
        loop {
            if let Some(delivery) = self.early.remove(&self.next) {
                self.next += 1;
                return Ok(Some(delivery));
            }

            match self.deliveries.recv_timeout(CHECK_EVERY) {
                Ok((step, delivery)) => {
                    self.early.insert(step, delivery);
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return Err(NoBatch::Gone),
                Err(RecvTimeoutError::Timeout) => {}
            }

            // A slow disk must not keep a run from stopping.
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            if let Some(timeout) = timeout
                && begin.elapsed() >= timeout
            {
                return Err(NoBatch::Late(timeout));
            }
        }
    }
}

struct Work<C> {
    data: Arc<Dataset>,
    collate: C,
    options: LoaderOptions,
    order: EpochOrder,
    unreadable: Unreadable,
    next_step: AtomicUsize,
}

impl<C: Collate> Work<C> {
    fn run(&self, sender: &SyncSender<(usize, Delivery<C::Batch>)>) {
        loop {
            let step = self.next_step.fetch_add(1, Ordering::Relaxed);
            let mut skipped = Vec::new();
            let micro_batches = self.micro_batches(step, &mut skipped);
            let delivery = Delivery {
                micro_batches,
                skipped,
            };
            if sender.send((step, delivery)).is_err() {
                return;
            }
        }
    }

    fn micro_batches(
        &self,
        step: usize,
        skipped: &mut Vec<String>,
    ) -> Result<Vec<C::Batch>, UnreadableError> {
        let options = &self.options;
        // Images that do not fill a batch are left over at the end of an epoch.
        let steps_per_epoch = self.data.len() / options.batch_size;
        let epoch = step / steps_per_epoch;
        let start = step % steps_per_epoch * options.batch_size;
        let order = self.order.of(epoch);
        let mut images = Vec::with_capacity(options.share.len());
        for place in options.share.clone() {
            images.push(repeated_image(&order, options.repeats, start + place));
        }

        let mut batches = Vec::with_capacity(options.micro_batches);
        for number in 0..options.micro_batches {
            let start = number * images.len() / options.micro_batches;
            let end = (number + 1) * images.len() / options.micro_batches;
            let first = SampleId {
                epoch,
                image: 0,
                copy: 0,
                step,
                place: options.share.start + start,
            };
            batches.push(self.batch(&images[start..end], first, skipped)?);
        }
        Ok(batches)
    }

    /// The batch of some images. `first` is that of its first sample but for the image.
    fn batch(
        &self,
        images: &[RepeatedImage],
        first: SampleId,
        skipped: &mut Vec<String>,
    ) -> Result<C::Batch, UnreadableError> {
        let mut batch = self.collate.empty(images.len());
        for (position, used) in images.iter().enumerate() {
            // The sample of an image that replaces another draws as its own image does.
            let (index, image) = self.unreadable.load(&self.data, used.image, skipped)?;
            let id = SampleId {
                image: index,
                copy: used.copy,
                place: first.place + position,
                ..first
            };
            self.collate.write(&mut batch, position, &image, id);
        }
        Ok(batch)
    }
}
