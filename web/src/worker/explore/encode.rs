//! Tokens of images.

use ibot_core::features::encode::{encode, grid_of};
use ibot_core::image::RgbImage;

use crate::worker::answer::Answer;
use crate::worker::picture;
use crate::worker::problem::Problem;
use crate::worker::state::WorkerState;
use ibot_web::js;
use ibot_web::protocol::{Clear, Encode, Encoded, SLOTS};

// The memory of attention grows with the square of the patches.
const MOST_PATCHES: usize = 4096;

impl Answer for Encode {
    async fn answer(self, worker: &mut WorkerState) -> Result<Encoded, Problem> {
        let start = js::now();
        let slot = self.slot;
        let model = worker.model()?;
        if slot >= SLOTS {
            return Err(Problem::NoImage(slot));
        }

        if let Some(picture) = &self.picture {
            worker.slots.images[slot] = Some(picture::to_rgb(picture)?);
        }
        // The old tokens are freed first.
        worker.slots.tokens[slot] = None;

        let image = worker.slots.image(slot)?;
        let shorter = affordable(image, self.shorter, model.backbone.stride());
        let tokens = encode(&model.backbone, image, shorter, self.block, &model.device).await?;

        let encoded = Encoded {
            rows: tokens.patches.rows(),
            columns: tokens.patches.columns(),
            milliseconds: js::now() - start,
        };
        worker.slots.tokens[slot] = Some(tokens);
        Ok(encoded)
    }
}

impl Answer for Clear {
    async fn answer(self, worker: &mut WorkerState) -> Result<(), Problem> {
        worker.slots.clear(self.slot);
        Ok(())
    }
}

/// The resolution `shorter`, or as much of it as [`MOST_PATCHES`] allow.
fn affordable(image: &RgbImage, shorter: usize, patch: usize) -> usize {
    // Only images of extreme proportions have too many patches.
    let (rows, columns) = grid_of(image, shorter, patch);
    let excess = (rows * columns) as f64 / MOST_PATCHES as f64;
    if excess > 1.0 {
        ((shorter as f64 / excess.sqrt()) as usize).max(1)
    } else {
        shorter
    }
}
