//! Activation checkpointing: a forward pass of the student that keeps only the tokens between
//! blocks.

use burn::module::Module;
use burn::tensor::{Gradients, Tensor};

use crate::model::Mask;
use crate::model::{Backbone, Noise, Tokens};
use crate::optim::NamedGradients;
use crate::rng::Rng;

/// What the student's forward pass leaves for the backward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activations {
    /// All that the backward pass needs: the fastest.
    Kept,
    /// The tokens between blocks. The backward pass computes each block a second time, and only one
    /// block's activations are in memory.
    Recomputed,
}

impl Activations {
    /// The tokens of [`Backbone::forward`], and what their backward pass needs if activations are
    /// not kept.
    pub(crate) fn forward(
        self,
        backbone: &Backbone,
        images: &Tensor<4>,
        masks: &[Mask],
        noise: &mut Noise,
    ) -> (Tokens, Option<Recomputed>) {
        match self {
            Self::Kept => {
                let images = images.clone().autodiff();
                (backbone.forward(images, masks, noise), None)
            }
            Self::Recomputed => {
                let (tokens, pass) = Recomputed::forward(backbone, images, masks, noise);
                (tokens, Some(pass))
            }
        }
    }
}

/// A backbone's forward pass, to be repeated block by block.
pub(crate) struct Recomputed {
    /// The crops, `[B, 3, S, S]`, and their masks.
    images: Tensor<4>,
    masks: Vec<Mask>,
    /// The tokens before each block, `[B, P + N, D]`, outside autodiff, and where its stochastic
    /// depth began to draw.
    inputs: Vec<(Tensor<3>, Option<Rng>)>,
    /// The tokens after the last block: the leaf at which the backward pass of the loss ends.
    output: Tensor<3>,
}

impl Recomputed {
    /// The tokens of [`Backbone::forward`], and what their backward pass needs.
    pub fn forward(
        backbone: &Backbone,
        images: &Tensor<4>,
        masks: &[Mask],
        noise: &mut Noise,
    ) -> (Tokens, Self) {
        let [_, _, height, width] = images.dims();
        let size = (height, width);
        let images = images.clone().without_autodiff();

        // Without autodiff, only what is stored here outlives a block.
        let plain = backbone.valid();
        let mut tokens = plain.embed(images.clone(), masks);
        let mut inputs = Vec::with_capacity(plain.depth());
        for block in 0..plain.depth() {
            // The state of the generator too: the second pass must drop the same paths.
            inputs.push((tokens.clone(), noise.as_deref().cloned()));
            tokens = plain.run_block(block, tokens, size, noise);
        }

        let output = Tensor::from_inner(tokens).require_grad();
        (
            backbone.finish(plain.depth().saturating_sub(1), output.clone(), size),
            Self {
                images,
                masks: masks.to_vec(),
                inputs,
                output,
            },
        )
    }

    /// Carries the gradients of a loss from the last block back to the patches, and returns those
    /// of all parameters on the way.
    /// `network` is what the names of the gradients begin from, and `backbone` its part.
    pub fn backward<M: Module>(
        self,
        network: &M,
        backbone: &Backbone,
        gradients: &mut Gradients,
    ) -> NamedGradients {
        let Self {
            images,
            masks,
            inputs,
            output,
        } = self;
        let [_, _, height, width] = images.dims();
        let size = (height, width);
        let mut named = NamedGradients::default();
        // Where the loss does not see these tokens, nothing comes back.
        let Some(mut gradient) = output.grad_remove(gradients) else {
            return named;
        };

        for (block, (input, mut noise)) in inputs.into_iter().enumerate().rev() {
            let input = Tensor::from_inner(input).require_grad();
            let tokens = backbone.run_block(block, input.clone(), size, &mut noise.as_mut());

            let mut gradients = backward_from(tokens, gradient);
            gradient = input
                .grad_remove(&mut gradients)
                .unwrap_or_else(|| input.clone().inner().zeros_like());
            named.add(NamedGradients::of(network, gradients));
        }

        let tokens = backbone.embed(images.autodiff(), &masks);
        named.add(NamedGradients::of(network, backward_from(tokens, gradient)));
        named
    }
}

/// The backward pass of a part of the network, given the gradient of what it computed.
fn backward_from(tokens: Tensor<3>, gradient: Tensor<3>) -> Gradients {
    // burn's backward starts at a scalar; this one has `gradient` with respect to `tokens`.
    (tokens * Tensor::from_inner(gradient)).sum().backward()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::model::ComputePrecision;
    use crate::model::ComputePrecision::F32;
    use crate::model::init;
    use crate::pretrain::backward::backward;
    use crate::pretrain::batch::Batch;
    use crate::pretrain::config::Config;
    use crate::pretrain::forward::{predict, teach};
    use crate::pretrain::objective::Losses;
    use crate::pretrain::schedule::Schedules;
    use crate::pretrain::state::TrainState;
    use crate::rng::{Purpose, stream};
    use crate::testing::test;

    /// Gradients of a step with stochastic depth, masks on the first of two images' crops, and
    /// local crops.
    fn gradients(activations: Activations, precision: ComputePrecision) -> NamedGradients {
        let mut config = Config::miniature();
        config.optim.precision = precision;
        config.model.drop_path = 0.5;
        let device = Device::flex();
        let mut state = TrainState::fresh(&config, 3, &device);
        // The gradients of so small a network are up to 7000: from 65536 to 8.
        state.loss_scale = state
            .loss_scale
            .map(|scale| (0..13).fold(scale, |scale, _| scale.after(false)));
        let rng = &mut stream(4, Purpose::Init, 0, 0);
        let (size, (rows, columns)) = (config.crops.global_size, config.global_grid());
        let mask = |masked: bool| {
            Mask::new(
                rows,
                columns,
                (0..rows * columns).map(|i| masked && i % 3 == 0).collect(),
            )
        };
        let batch = Batch {
            globals: init::uniform([4, 3, size, size], 1.0, &device, rng).val(),
            locals: Some(init::uniform([4, 3, size / 2, size / 2], 1.0, &device, rng).val()),
            masks: [true, false, true, false].map(mask).to_vec(),
            images: 2,
        };
        let now = Schedules::new(&config, 1).at(0);
        let mut noise = stream(5, Purpose::DropPath, 0, 0);

        let (logits, _) = teach(&state.teacher, &batch, &config.loss);
        let targets = state.centers.targets(logits, &now);
        let prediction = predict(
            &state.student,
            &batch,
            &config.loss,
            activations,
            Some(&mut noise),
        );
        let losses = Losses::between(&prediction, &targets, None, &batch, &config.loss);
        backward(
            losses.total,
            &state.student,
            &state.student.backbone,
            prediction.recomputed,
            state.loss_scale,
        )
    }

    fn assert_close(actual: &NamedGradients, expected: &NamedGradients, tolerance: f32) {
        assert_eq!(
            actual.0.keys().collect::<Vec<_>>(),
            expected.0.keys().collect::<Vec<_>>()
        );
        assert!(actual.0.len() > 30, "{} tensors", actual.0.len());
        for (name, actual) in &actual.0 {
            let largest: f32 = expected.0[name].clone().abs().max().into_scalar();
            let difference: f32 = (actual.clone() - expected.0[name].clone())
                .abs()
                .max()
                .into_scalar();
            assert!(
                difference <= tolerance * largest.max(1e-3),
                "{name}: {difference} beside {largest}"
            );
        }
    }

    #[test]
    fn gradients_are_those_of_the_whole_graph() {
        let [kept, recomputed] =
            [Activations::Kept, Activations::Recomputed].map(|a| gradients(a, F32));
        assert_close(&recomputed, &kept, 1e-5);
    }

    #[test]
    fn gradients_in_16_bits_are_those_in_32_but_for_rounding() {
        let expected = gradients(Activations::Kept, F32);
        for activations in [Activations::Kept, Activations::Recomputed] {
            assert_close(
                &gradients(activations, ComputePrecision::F16),
                &expected,
                0.02,
            );
            assert_close(
                &gradients(activations, ComputePrecision::Bf16),
                &expected,
                0.1,
            );
        }
    }
}
