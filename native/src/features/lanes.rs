//! A frozen network on every device and core: batches of images to rows of numbers.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context as _, Result};
use burn::module::Module as _;
use burn::tensor::{Device, Tensor, TensorData, Transaction};
use futures_lite::future::block_on;
use ibot_core::features::{Readout, read_out};
use ibot_core::model::{Backbone, ComputePrecision};
use rayon::{ThreadPool, ThreadPoolBuilder};

// Images in a forward pass of one core. It does not depend on the number of cores, so that the
// rows do not either.
const CPU_BATCH: usize = 16;
const GPU_BATCH: usize = 64;

/// Images that go through the network together.
pub(super) struct ImageBatch<T> {
    /// What the images are, for whom the rows are.
    pub images: T,
    /// Normalised, 3 x side x side values an image.
    pub pixels: Vec<f32>,
}

/// Replicas of a network that compute at the same time: one for each GPU, and one for each core if
/// the CPU is among the devices.
pub(super) struct Lanes {
    lanes: Vec<Replica>,
}

#[derive(Clone)]
struct Replica {
    backbone: Backbone,
    device: Device,
    /// A pool of one thread: what burn computes inside stays on it. `None` where a lane takes all
    /// threads of the backend.
    pool: Option<Arc<ThreadPool>>,
}

impl Lanes {
    /// Replicas of `backbone` on `devices`, of which the CPU has `cores`.
    pub fn new(backbone: &Backbone, devices: &[Device], cores: NonZeroUsize) -> Result<Self> {
        let mut lanes = Vec::new();
        let cpu = Device::flex();
        for device in devices.iter().filter(|device| **device != cpu) {
            lanes.push(Replica {
                backbone: backbone.clone().to_device(device),
                device: device.clone(),
                pool: None,
            });
        }

        // burn spreads only its larger CPU operations over threads, so every core takes batches of
        // its own.
        let workers = devices.iter().filter(|device| **device == cpu).count();
        let on_cpu = match workers {
            0 => 0,
            _ => workers.max(cores.get()),
        };
        // Lanes that all used the backend's threads would wait for each other, so only one alone
        // does.
        let alone = on_cpu == 1 && lanes.is_empty();
        for _ in 0..on_cpu {
            let pool = match alone {
                true => None,
                false => Some(Arc::new(
                    ThreadPoolBuilder::new()
                        .num_threads(1)
                        .build()
                        .context("cannot start threads")?,
                )),
            };
            lanes.push(Replica {
                backbone: backbone.clone().to_device(&cpu),
                device: cpu.clone(),
                pool,
            });
        }
        Ok(Self { lanes })
    }

    /// The same replicas, whose matrix products compute in `precision`.
    pub fn with_precision(self, precision: ComputePrecision) -> Self {
        let mut lanes = Vec::new();
        for lane in self.lanes {
            lanes.push(Replica {
                backbone: lane.backbone.with_precision(precision),
                ..lane
            });
        }
        Self { lanes }
    }

    pub fn backbone(&self) -> &Backbone {
        &self.lanes[0].backbone
    }

    /// How many batches can be computed at the same time.
    pub fn count(&self) -> usize {
        self.lanes.len()
    }

    pub fn batch_size(&self) -> usize {
        if self.lanes.iter().any(|lane| lane.device == Device::flex()) {
            CPU_BATCH
        } else {
            GPU_BATCH
        }
    }

    /// Reads `readouts` from all `batches` of images of `side` pixels, and hands each batch's
    /// images and rows, one vector a readout, to `take`, in the order in which they are done.
    pub fn run<T: Send>(
        &self,
        side: usize,
        readouts: &[Readout],
        batches: impl Iterator<Item = ImageBatch<T>> + Send,
        mut take: impl FnMut(T, Vec<Vec<f32>>) -> Result<()> + Send,
    ) -> Result<()> {
        let encode = |backbone: &Backbone, device: &Device, batch: ImageBatch<T>| {
            let rows = encode(backbone, device, batch.pixels, side, readouts)?;
            Ok((batch.images, rows))
        };
        self.each(batches, encode, |(images, rows)| take(images, rows))
    }

    /// Does all `jobs`, each on one replica, and hands what `work` gives to `take`, in the order in
    /// which they are done.
    pub fn each<J: Send, D: Send>(
        &self,
        jobs: impl Iterator<Item = J> + Send,
        work: impl Fn(&Backbone, &Device, J) -> Result<D> + Sync,
        take: impl FnMut(D) -> Result<()> + Send,
    ) -> Result<()> {
        let jobs = Mutex::new(jobs);
        let take = Mutex::new(take);
        let failed = AtomicBool::new(false);
        let run = |lane: Replica| -> Result<()> {
            // Relaxed is enough: a lane that sees the failure late does one job more.
            while !failed.load(Ordering::Relaxed) {
                // In a statement of its own, so that the lock is free again while the job is done.
                let job = lock(&jobs).next();
                let Some(job) = job else {
                    break;
                };
                let done = lane.work(&work, job);
                let taken = done.and_then(|done| lock(&take)(done));
                taken.inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
            }
            Ok(())
        };

        thread::scope(|scope| {
            let (first, others) = self.lanes.split_first().context("there is no device")?;
            let run = &run;
            let mut running = Vec::new();
            for lane in others {
                let lane = lane.clone();
                running.push(scope.spawn(move || run(lane)));
            }

            // The first lane computes on this thread, because a GPU has memory pools for each
            // thread.
            let mut result = run(first.clone());
            for thread in running {
                let other = thread.join();
                let other = other.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                result = result.and(other);
            }
            result
        })
    }
}

impl Replica {
    fn work<J: Send, D: Send>(
        &self,
        work: &(impl Fn(&Backbone, &Device, J) -> Result<D> + Sync),
        job: J,
    ) -> Result<D> {
        match &self.pool {
            Some(pool) => pool.install(|| work(&self.backbone, &self.device, job)),
            None => work(&self.backbone, &self.device, job),
        }
    }
}

/// What `readouts` read from images of `side` pixels: one vector a readout.
fn encode(
    backbone: &Backbone,
    device: &Device,
    pixels: Vec<f32>,
    side: usize,
    readouts: &[Readout],
) -> Result<Vec<Vec<f32>>> {
    let images = pixels.len() / (3 * side * side);
    if images == 0 {
        return Ok(vec![Vec::new(); readouts.len()]);
    }
    let pixels = TensorData::new(pixels, [images, 3, side, side]);
    let tensors = read_out(backbone, Tensor::from_data(pixels, device), readouts);

    // One transfer for all readouts.
    let mut transfer = Transaction::default();
    for tensor in tensors {
        transfer = transfer.register(tensor);
    }
    let data = block_on(transfer.execute_async()).context("features on the device")?;
    Ok(data
        .iter()
        .map(|data| data.iter::<f32>().collect())
        .collect())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked ends the whole pass, so what it left is not used.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
