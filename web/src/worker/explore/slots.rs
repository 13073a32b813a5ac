//! The images of the two slots and their tokens.

use ibot_core::features::TokenGrid;
use ibot_core::features::encode::ImageTokens;
use ibot_core::image::RgbImage;

use crate::worker::problem::Problem;
use ibot_web::protocol::{PerSlot, SLOTS};

#[derive(Default)]
pub struct Slots {
    pub images: PerSlot<RgbImage>,
    pub tokens: PerSlot<ImageTokens>,
}

impl Slots {
    pub fn clear(&mut self, slot: usize) {
        if slot < SLOTS {
            self.images[slot] = None;
            self.tokens[slot] = None;
        }
    }

    /// Keeps the images, which another model can encode.
    pub fn forget_tokens(&mut self) {
        self.tokens = PerSlot::default();
    }

    pub fn image(&self, slot: usize) -> Result<&RgbImage, Problem> {
        let image = self.images.get(slot).and_then(Option::as_ref);
        image.ok_or(Problem::NoImage(slot))
    }

    pub fn tokens(&self, slot: usize) -> Result<&ImageTokens, Problem> {
        let tokens = self.tokens.get(slot).and_then(Option::as_ref);
        tokens.ok_or(Problem::NoImage(slot))
    }

    pub fn grid(&self, slot: usize) -> Result<&TokenGrid, Problem> {
        Ok(&self.tokens(slot)?.patches)
    }

    /// The slots that have tokens, and a copy of their grids.
    pub fn grids(&self) -> (Vec<usize>, Vec<TokenGrid>) {
        let mut slots = Vec::new();
        let mut grids = Vec::new();
        for (slot, tokens) in self.tokens.iter().enumerate() {
            if let Some(tokens) = tokens {
                slots.push(slot);
                grids.push(tokens.patches.clone());
            }
        }
        (slots, grids)
    }
}
