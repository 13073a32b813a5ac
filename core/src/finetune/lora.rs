//! Low-rank adaptation (LoRA, arXiv 2106.09685): weights stay, and a product of two thin matrices
//! is added to each.

use burn::module::{LoraAdapter, Module, Param, Reparameterizer};
use burn::tensor::Tensor;

use crate::model::{Backbone, init};
use crate::rng::Rng;

/// Puts factors of rank `rank` beside every matrix of the blocks and freezes all else.
///
/// [`Module::materialize`] adds the product to the weights for good.
pub fn adapt(backbone: Backbone, rank: usize, rng: &mut Rng) -> Backbone {
    backbone.no_grad().apply_reparameterization(LowRank {
        rank,
        rng: rng.clone(),
    })
}

// burn's adapters, with factors from our random streams: a session with the same seed starts alike.
struct LowRank {
    rank: usize,
    rng: Rng,
}

impl Reparameterizer for LowRank {
    type Reparam = LoraAdapter;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<LoraAdapter>) {
        let shape = param.dims();
        let &[d_in, d_out] = &shape[..] else {
            return (param, None);
        };
        // Patch embedding, norms and tokens stay as they are.
        if !path.split('.').any(|field| field == "blocks") {
            return (param, None);
        }
        let device = param.device();
        // As the authors start them. Their factor alpha / rank before the product is left to the
        // learning rate.
        let a = init::uniform(
            [d_in, self.rank],
            (d_in as f32).sqrt().recip(),
            &device,
            &mut self.rng,
        );
        // Zero, so that the network computes the same as before.
        let b = init::zeros([self.rank, d_out], &device);
        (param, Some(LoraAdapter { a, b, scale: 1.0 }))
    }
}
