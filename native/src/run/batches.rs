//! How many batches the images of an epoch make.

/// The batch fits neither the data nor the workers.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WrongBatch {
    #[error(
        "the data has {images} images, fewer than one batch of {batch}: choose a smaller one, for example --set optim.batch_size={suggested}"
    )]
    TooFewImages {
        images: usize,
        batch: usize,
        suggested: usize,
    },
    #[error(
        "a batch of {batch} images leaves some of {workers} workers without one: use fewer, or a larger optim.batch_size"
    )]
    TooManyWorkers { batch: usize, workers: usize },
}

/// What the epochs of a run are made of, for people.
pub fn epoch_note(epochs: usize, steps_per_epoch: usize, batch: usize, images: usize) -> String {
    format!(
        "{epochs} epochs of {steps_per_epoch} steps of {batch} images: {} steps; {} images an epoch are left over",
        epochs * steps_per_epoch,
        images % batch
    )
}

/// How several workers share a batch, for people; `None` for one.
pub fn worker_note(batch: usize, workers: usize) -> Option<String> {
    let each = batch.div_ceil(workers.max(1));
    (workers > 1).then(|| format!("{workers} workers, {each} images of a batch each, rounded"))
}

/// Steps of an epoch over `images` images, which `workers` workers take in batches of `batch`.
pub fn steps_per_epoch(images: usize, batch: usize, workers: usize) -> Result<usize, WrongBatch> {
    let steps = images / batch;
    if steps == 0 {
        // Four steps an epoch or more.
        let suggested = (images / 4).max(1).next_power_of_two().min(images.max(1));
        return Err(WrongBatch::TooFewImages {
            images,
            batch,
            suggested,
        });
    }
    if workers > batch {
        return Err(WrongBatch::TooManyWorkers { batch, workers });
    }
    Ok(steps)
}
