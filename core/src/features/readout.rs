//! What is read from the tokens of an image, and one forward pass for several of these.

use std::fmt;

use burn::tensor::{Int, Tensor};

use super::pooling::Pooling;
use crate::model::{Backbone, Features, Want};

/// A row of numbers for each image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Readout {
    /// CLS tokens and the mean of patches.
    Pooled(Pooling),
    /// The patch tokens of the last block after the final norm, row by row: `N * D` numbers.
    Patches,
    /// The generalised mean of the patch tokens of the last block after the final norm, with power
    /// 4: `(mean of max(t, 1e-6)^4)^(1/4)`, `D` numbers. The feature of copy detection has it beside
    /// CLS.
    Gem,
    /// The mean of the patch tokens that CLS attends to most in the last block, as that block gives
    /// them, without the final norm: `D` numbers. Attention is the mean over heads. It is the
    /// feature of the part-wise linear evaluation.
    Salient {
        /// How many patches. A grid with fewer gives all.
        patches: usize,
        /// The patches with the least attention in place of those with the most.
        lowest: bool,
    },
    /// How much CLS attends to each patch in the last block: `N` numbers.
    Attention {
        /// The head, counted from 0, the last of fewer; `None` for the mean over heads.
        head: Option<usize>,
    },
}

/// What `readouts` read from images `[B, 3, H, W]` in one forward pass: for each of them `[B,
/// width]`, in their order.
pub fn read_out(backbone: &Backbone, images: Tensor<4>, readouts: &[Readout]) -> Vec<Tensor<2>> {
    let mut want = Want::default();
    for readout in readouts {
        let own = readout.want();
        want.earlier = want.earlier.max(own.earlier);
        want.attention |= own.attention;
        want.raw_patches |= own.raw_patches;
    }

    let features = backbone.features(images, want);
    readouts
        .iter()
        .map(|readout| readout.of(&features))
        .collect()
}

impl Readout {
    /// The CLS token of the last block.
    pub const CLS: Self = Self::Pooled(Pooling::CLS);

    /// Numbers that it reads from an image of `patches` patches.
    pub fn width(self, backbone: &Backbone, patches: usize) -> usize {
        match self {
            Self::Pooled(pooling) => pooling.width(backbone),
            Self::Patches => patches * backbone.dim(),
            Self::Attention { .. } => patches,
            Self::Gem | Self::Salient { .. } => backbone.dim(),
        }
    }

    fn want(self) -> Want {
        match self {
            Self::Pooled(pooling) => pooling.want(),
            Self::Patches | Self::Gem => Want::default(),
            Self::Attention { .. } => Want {
                attention: true,
                ..Want::default()
            },
            Self::Salient { .. } => Want {
                attention: true,
                raw_patches: true,
                ..Want::default()
            },
        }
    }

    fn of(self, features: &Features) -> Tensor<2> {
        match self {
            Self::Pooled(pooling) => pooling.read(features),
            Self::Patches => features.tokens.clone().into_patches().flatten(1, 2),
            Self::Gem => generalised_mean(features.tokens.clone().into_patches()),
            Self::Attention { head } => attention_maps(features, head),
            Self::Salient { patches, lowest } => {
                let tokens = features.raw_patches();
                let chosen = match &features.attention {
                    Some(attention) => choose(tokens, attention.clone(), patches, lowest),
                    // No patch matters more than another.
                    None => tokens,
                };
                chosen.mean_dim(1).squeeze_dim(1)
            }
        }
    }
}

/// `[B, N, D]` to `[B, D]`.
fn generalised_mean(tokens: Tensor<3>) -> Tensor<2> {
    // A square of a square is exact where a power of 4 goes through logarithms.
    let fourth = tokens.clamp_min(1e-6).square().square();
    let mean: Tensor<2> = fourth.mean_dim(1).squeeze_dim(1);
    mean.sqrt().sqrt()
}

/// Attention `[B, N]` of one head, or the mean; ones where CLS attends to nothing.
fn attention_maps(features: &Features, head: Option<usize>) -> Tensor<2> {
    let Some(attention) = features.attention.clone() else {
        let [images, patches, _] = features.tokens.clone().into_patches().dims();
        let device = features.tokens.cls.device();
        return Tensor::ones([images, patches], &device);
    };
    let heads = attention.dims()[1];
    let chosen = match head {
        Some(head) => attention.narrow(1, head.min(heads - 1), 1),
        None => attention.mean_dim(1),
    };
    chosen.squeeze_dim(1)
}

/// The `count` tokens with the most attention, or with the `lowest`, in the order of the grid:
/// `[B, N, D]` and `[B, heads, N]` to `[B, count, D]`.
fn choose(tokens: Tensor<3>, attention: Tensor<3>, count: usize, lowest: bool) -> Tensor<3> {
    let [images, all, dim] = tokens.dims();
    if count >= all {
        return tokens;
    }

    let mean: Tensor<2> = attention.mean_dim(1).squeeze_dim(1);
    let order = if lowest { -mean } else { mean };
    let (_, places) = order.topk_with_indices(count, 1);

    // The order of the grid makes the sum independent of equal attentions.
    let places = places.sort(1);
    let first = Tensor::<1, Int>::arange(0..images as i64, &tokens.device()) * all as i64;
    let rows = (places + first.reshape([images, 1])).flatten::<1>(0, 1);
    let chosen = tokens.flatten::<2>(0, 1).select(0, rows);
    chosen.reshape([images, count, dim])
}

/// A name without spaces, such as `cls4+mean`.
impl fmt::Display for Readout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pooled(pooling) => pooling.fmt(f),
            Self::Patches => f.write_str("patches"),
            Self::Gem => f.write_str("gem4"),
            Self::Attention { head: None } => f.write_str("attention"),
            Self::Attention { head: Some(head) } => write!(f, "attention{head}"),
            Self::Salient { patches, lowest } => {
                let which = if *lowest { "lowest" } else { "salient" };
                write!(f, "{which}{patches}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::features::PatchMean;
    use crate::model::init;
    use crate::rng::{Purpose, stream};
    use crate::testing::{max_difference, small_backbone, test};

    fn backbone() -> Backbone {
        let rng = &mut stream(3, Purpose::Init, 0, 0);
        small_backbone().init(&Device::flex(), rng)
    }

    fn images() -> Tensor<4> {
        let rng = &mut stream(5, Purpose::Init, 0, 0);
        init::uniform([3, 3, 16, 16], 1.0, &Device::flex(), rng).val()
    }

    fn salient(patches: usize, lowest: bool) -> Readout {
        Readout::Salient { patches, lowest }
    }

    #[test]
    fn one_pass_gives_what_single_passes_give() {
        let backbone = backbone();
        let mean = |cls_blocks, patch_mean| {
            Readout::Pooled(Pooling {
                cls_blocks,
                patch_mean,
            })
        };
        let readouts = [
            Readout::CLS,
            mean(2, PatchMean::None),
            mean(0, PatchMean::Raw),
            mean(2, PatchMean::Normed),
            Readout::Patches,
            Readout::Gem,
            salient(5, false),
            salient(5, true),
        ];

        let together = read_out(&backbone, images(), &readouts);
        for (readout, joint) in readouts.into_iter().zip(together) {
            let alone = read_out(&backbone, images(), &[readout]).remove(0);
            assert_eq!(alone.dims(), [3, readout.width(&backbone, 16)], "{readout}");
            assert_eq!(max_difference(&alone, &joint), 0.0, "{readout}");
        }
    }

    #[test]
    fn all_salient_patches_are_the_mean_without_the_final_norm() {
        let backbone = backbone();
        let raw = Readout::Pooled(Pooling::PATCHES);
        let readouts = [salient(16, false), salient(99, true), raw];
        let rows = read_out(&backbone, images(), &readouts);
        assert_eq!(max_difference(&rows[0], &rows[2]), 0.0);
        assert_eq!(max_difference(&rows[1], &rows[2]), 0.0);

        // The sums of all and of a part agree: 5 highest and 11 lowest are all 16.
        let parts = read_out(&backbone, images(), &[salient(5, false), salient(11, true)]);
        let joined = (parts[0].clone() * 5.0 + parts[1].clone() * 11.0) / 16.0;
        assert!(max_difference(&joined, &rows[2]) < 1e-6);
    }

    #[test]
    fn a_generalised_mean_is_of_what_is_positive() {
        let tokens = Tensor::<1>::from_floats([1.0, -3.0, 2.0, -1.0], &Device::flex());
        let mean = generalised_mean(tokens.reshape([1, 2, 2]));
        let mean: Vec<f32> = mean.try_into_vec_as().expect("floats");
        // (1^4 + 2^4) / 2 = 8.5; what is not positive counts as 1e-6.
        assert!((mean[0] - 8.5f32.powf(0.25)).abs() < 1e-6, "{mean:?}");
        assert!((mean[1] - 1e-6).abs() < 1e-9, "{mean:?}");
    }

    #[test]
    fn salient_patches_are_those_with_the_most_attention() {
        let tokens = Tensor::<1>::from_floats(
            [1.0, 2.0, 3.0, 4.0, 10.0, 20.0, 30.0, 40.0],
            &Device::flex(),
        );
        let tokens: Tensor<3> = tokens.reshape([2, 4, 1]);
        // The mean over two heads puts patches 1 and 3 of the first image first, 0 and 2 of the
        // second.
        let attention = Tensor::<1>::from_floats(
            [
                0.0, 0.6, 0.2, 0.0, 0.1, 0.0, 0.2, 0.6, 0.3, 0.1, 0.3, 0.2, 0.3, 0.1, 0.3, 0.2,
            ],
            &Device::flex(),
        );
        let attention: Tensor<3> = attention.reshape([2, 2, 4]);

        let most = choose(tokens.clone(), attention.clone(), 2, false);
        let most: Vec<f32> = most.try_into_vec_as().expect("floats");
        assert_eq!(most, [2.0, 4.0, 10.0, 30.0]);
        let least = choose(tokens, attention, 1, true);
        let least: Vec<f32> = least.try_into_vec_as().expect("floats");
        assert_eq!(least, [1.0, 20.0]);
    }

    #[test]
    fn names_tell_readouts_apart() {
        let names: Vec<String> = [
            Readout::CLS,
            Readout::Pooled(Pooling::official(2, 4).expect("a flag")),
            Readout::Pooled(Pooling::PATCHES),
            Readout::Patches,
            Readout::Gem,
            salient(14, false),
            salient(14, true),
        ]
        .map(|readout| readout.to_string())
        .to_vec();
        assert_eq!(
            names,
            [
                "cls1",
                "cls4+mean",
                "rawmean",
                "patches",
                "gem4",
                "salient14",
                "lowest14"
            ]
        );
    }
}
