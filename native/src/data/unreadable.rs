//! Images that cannot be read: they are skipped, up to a share of the dataset.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use ibot_core::image::RgbImage;

use super::dataset::Dataset;

/// Images tried before the share of unreadable ones is judged.
const ENOUGH_TO_JUDGE: usize = 100;

/// Too many images cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "{failed} of {tried} images could not be read, more than the share of {share} that run.max_unreadable allows; the last was {last}"
)]
pub struct UnreadableError {
    failed: usize,
    tried: usize,
    share: f64,
    last: String,
}

/// Counts the images that cannot be read, for all threads of a loader.
pub struct Unreadable {
    failed: Mutex<BTreeSet<usize>>,
    /// Images tried, those of earlier epochs too.
    tried: AtomicUsize,
    max_share: f64,
}

impl Unreadable {
    pub fn new(max_share: f64) -> Self {
        Self {
            failed: Mutex::default(),
            tried: AtomicUsize::new(0),
            max_share,
        }
    }

    /// Loads image `index`, or the first after it that can be read, and returns that one's index.
    pub fn load(
        &self,
        data: &Dataset,
        index: usize,
        skipped: &mut Vec<String>,
    ) -> Result<(usize, RgbImage), UnreadableError> {
        let mut index = index;
        loop {
            self.tried.fetch_add(1, Ordering::Relaxed);

            match data.load(index) {
                Ok(image) => return Ok((index, image)),
                Err(error) => {
                    let message = error.to_string();
                    let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                    if failed.insert(index) {
                        skipped.push(message.clone());
                    }
                    self.judge(failed.len(), data.len(), message)?;
                }
            }

            index = (index + 1) % data.len();
        }
    }

    /// Checks that `failed` of `images` images may fail; `last` is the message of the last one.
    fn judge(&self, failed: usize, images: usize, last: String) -> Result<(), UnreadableError> {
        // Read after `failed` is counted: other threads may have tried further images.
        let tried = self.tried.load(Ordering::Relaxed).min(images);

        let enough = ENOUGH_TO_JUDGE.min(images);
        let judged = tried >= enough || failed >= ENOUGH_TO_JUDGE;
        let too_many = judged && failed as f64 > self.max_share * tried as f64;
        // A share of 1 allows any number of failures, but one image must be left.
        let none_left = failed == images;

        if none_left || too_many {
            return Err(UnreadableError {
                failed,
                tried,
                share: self.max_share,
                last,
            });
        }
        Ok(())
    }
}
