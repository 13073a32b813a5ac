//! Patches compared with each other and with CLS.

use ibot_core::analysis::correspondence::mutual_matches;
use ibot_core::analysis::nearest::nearest;
use ibot_core::analysis::similarity::{best_patches, cosines};

use crate::worker::answer::Answer;
use crate::worker::problem::Problem;
use crate::worker::state::WorkerState;
use ibot_web::protocol::{
    AttentionMaps, Compare, Correspond, Pair, PerSlot, ReadAttention, SLOTS, SimilarMaps,
    SimilarPatch,
};
use ibot_web::wire::Floats;

impl Answer for Compare {
    async fn answer(self, worker: &mut WorkerState) -> Result<SimilarMaps, Problem> {
        let own = worker.slots.grid(self.slot)?;
        if self.patch >= own.count() {
            return Err(Problem::NoPatch(self.patch));
        }
        let token = own.token(self.patch);

        let mut maps = PerSlot::default();
        let mut best: [Vec<SimilarPatch>; SLOTS] = Default::default();
        for slot in 0..SLOTS {
            let Ok(grid) = worker.slots.grid(slot) else {
                continue;
            };
            let similarities = cosines(token, grid)?;

            // In its own image the patch is its own best match; one more makes up for it.
            let here = slot == self.slot;
            let wanted = self.best + usize::from(here);
            for found in best_patches(&similarities, grid.columns(), wanted, self.apart) {
                if here && found.patch == self.patch {
                    continue;
                }
                best[slot].push(SimilarPatch {
                    patch: found.patch,
                    similarity: found.similarity,
                });
            }
            // Where the patch itself was not among the best, there is one too many.
            best[slot].truncate(self.best);
            maps[slot] = Some(Floats(similarities));
        }
        Ok(SimilarMaps { maps, best })
    }
}

impl Answer for ReadAttention {
    async fn answer(self, worker: &mut WorkerState) -> Result<PerSlot<AttentionMaps>, Problem> {
        let tokens = worker.slots.tokens.each_ref();
        Ok(tokens.map(|tokens| {
            let attention = tokens.as_ref()?.attention.as_ref()?;
            let values = attention.maps().flatten().copied();
            Some(AttentionMaps {
                heads: attention.heads(),
                values: Floats(values.collect()),
            })
        }))
    }
}

impl Answer for Correspond {
    async fn answer(self, worker: &mut WorkerState) -> Result<Vec<Pair>, Problem> {
        let first = worker.slots.tokens(0)?;
        let second = worker.slots.tokens(1)?;

        let nearest = nearest(&first.patches, &second.patches)?;
        // Pairs that CLS attends to come first.
        let weights = (first.salience(), second.salience());
        let found = mutual_matches(&nearest, (&weights.0[..], &weights.1[..]), self.pairs)?;

        let mut pairs = Vec::with_capacity(found.len());
        for matched in found {
            pairs.push(Pair {
                from: matched.from,
                to: matched.to,
                similarity: matched.similarity,
            });
        }
        Ok(pairs)
    }
}
