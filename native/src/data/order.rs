//! The order of the images in each epoch.

use std::sync::{Arc, Mutex, PoisonError};

use ibot_core::rng::{Purpose, stream};
use rand::seq::SliceRandom as _;

/// Every image once in each epoch, in an order that follows from the seed and the epoch.
pub struct EpochOrder {
    images: usize,
    seed: u64,
    // Of the epoch last asked for: drawing the order of a million images takes a while.
    cached: Mutex<(usize, Arc<Vec<usize>>)>,
}

impl EpochOrder {
    pub fn new(images: usize, seed: u64) -> Self {
        Self {
            images,
            seed,
            cached: Mutex::new((usize::MAX, Arc::default())),
        }
    }

    /// The indices of all images in the order of `epoch`.
    pub fn of(&self, epoch: usize) -> Arc<Vec<usize>> {
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.0 != epoch {
            let mut order: Vec<usize> = (0..self.images).collect();
            order.shuffle(&mut stream(self.seed, Purpose::Order, epoch as u64, 0));
            *cached = (epoch, Arc::new(order));
        }
        cached.1.clone()
    }
}
