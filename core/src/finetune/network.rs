//! The network that learns classes: a backbone, and a linear classifier of its tokens.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::features::{PatchMean, Pooling};
use crate::model::{Backbone, ComputePrecision, Noise, Tokens, init};
use crate::rng::Rng;

/// Which tokens of the last block, after the final norm, the classifier reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenReadout {
    /// CLS, as the paper does.
    #[default]
    Cls,
    /// The mean of the patches.
    Mean,
    /// CLS, then the mean of the patches.
    ClsMean,
}

impl TokenReadout {
    /// The same as a feature of frozen networks.
    pub fn pooling(self) -> Pooling {
        let (cls_blocks, patch_mean) = match self {
            Self::Cls => (1, PatchMean::None),
            Self::Mean => (0, PatchMean::Normed),
            Self::ClsMean => (1, PatchMean::Normed),
        };
        Pooling {
            cls_blocks,
            patch_mean,
        }
    }

    /// What the classifier reads of `tokens`, `[B, width]`.
    fn read(self, tokens: Tokens) -> Tensor<2> {
        let cls = tokens.cls.clone();
        let mean = || tokens.into_patches().mean_dim(1).squeeze_dim(1);
        match self {
            Self::Cls => cls,
            Self::Mean => mean(),
            Self::ClsMean => Tensor::cat(vec![cls, mean()], 1),
        }
    }
}

/// A backbone and a classifier that learn together.
#[derive(Module, Debug)]
pub struct ClassifierNetwork {
    /// Images to tokens.
    pub backbone: Backbone,
    /// What is read of the tokens, to logits.
    pub classifier: Linear,
    #[module(skip)]
    readout: TokenReadout,
}

impl ClassifierNetwork {
    /// A network with a new classifier of `classes` classes, whose weights are N(0, 0.02²) times
    /// `scale` and whose bias is 0.
    pub fn new(
        backbone: Backbone,
        readout: TokenReadout,
        classes: usize,
        scale: f64,
        device: &Device,
        rng: &mut Rng,
    ) -> Self {
        let width = readout.pooling().width(&backbone);
        let mut classifier = init::linear(width, classes, device, rng);
        // Drawn here: a product of the layer's own weight would be no leaf of the graph.
        let weight = (0..width * classes).map(|_| scale as f32 * init::sample(rng));
        classifier.weight = init::parameter(weight.collect(), [width, classes], device);
        Self {
            backbone,
            classifier,
            readout,
        }
    }

    /// A network with a given classifier, whose input is as wide as what is read.
    pub fn with_classifier(backbone: Backbone, readout: TokenReadout, classifier: Linear) -> Self {
        Self {
            backbone,
            classifier,
            readout,
        }
    }

    /// Logits `[B, classes]` of images `[B, 3, H, W]`.
    pub fn forward(&self, images: Tensor<4>, noise: &mut Noise) -> Tensor<2> {
        self.classify(self.backbone.forward(images, &[], noise))
    }

    /// Logits `[B, classes]` of the `tokens` of images.
    pub fn classify(&self, tokens: Tokens) -> Tensor<2> {
        self.classifier.forward(self.readout.read(tokens))
    }

    /// What the classifier reads.
    pub fn readout(&self) -> TokenReadout {
        self.readout
    }

    /// The same weights; matrix products of the backbone compute in `precision`.
    pub fn with_precision(self, precision: ComputePrecision) -> Self {
        // The classifier is a small part of the time, and its logits keep their digits.
        Self {
            backbone: self.backbone.with_precision(precision),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::testing::{max_difference, small_backbone, test};

    #[test]
    fn the_classifier_reads_what_frozen_features_are() {
        let device = Device::flex();
        let rng = &mut stream(1, Purpose::Init, 0, 0);
        let backbone = small_backbone().init(&device, rng);
        let images = init::uniform([2, 3, 16, 24], 1.0, &device, rng).val();

        for readout in [TokenReadout::Cls, TokenReadout::Mean, TokenReadout::ClsMean] {
            let network = ClassifierNetwork::new(backbone.clone(), readout, 3, 1.0, &device, rng);
            let feature = readout.pooling().of(&backbone, images.clone());
            let logits = network.classifier.forward(feature);
            assert_eq!(logits.dims(), [2, 3]);
            let difference = max_difference(&network.forward(images.clone(), &mut None), &logits);
            assert!(difference < 1e-6, "{readout:?}: {difference}");
        }
    }
}
