//! Learning rates from layer to layer, and what has no weight decay.

use std::collections::HashMap;

use crate::finetune::config::FinetuneOptimConfig;
use crate::finetune::network::ClassifierNetwork;
use crate::weights::visit_named;

/// The part of each layer in the learning rate, and the parameters without weight decay.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerRates {
    /// The layer of each parameter, by official name.
    layers: HashMap<String, usize>,
    /// Factor of each layer: what makes tokens, each block, and the final norm with the classifier.
    scales: Vec<f64>,
    /// Whether tokens and position embeddings decay, as in the released code for transfer.
    tokens_decay: bool,
}

/// What stands for no layer's matrix, by official names. The released code for fine-tuning does not
/// let them decay.
const TOKENS: [&str; 4] = [
    "backbone.cls_token",
    "backbone.pos_embed",
    "backbone.reg_token",
    "backbone.mask_token",
];

impl LayerRates {
    /// The layers of `network`: each has `optim.layer_decay` times the learning rate of the one
    /// above it.
    pub fn new(network: &ClassifierNetwork, optim: &FinetuneOptimConfig) -> Self {
        let backbone = &network.backbone;
        let top = backbone.depth() + 1;

        let mut layers = HashMap::new();
        visit_named(network, |parameter, _| {
            let own = parameter.name.strip_prefix("backbone.");
            let layer = own.map_or(top, |name| backbone.layer_of(name));
            layers.insert(parameter.name, layer);
        });

        let decay = |layer| optim.layer_decay.powi((top - layer) as i32);
        Self {
            layers,
            scales: (0..=top).map(decay).collect(),
            tokens_decay: optim.as_released,
        }
    }

    /// The factor of the learning rate of a parameter.
    pub fn scale(&self, name: &str) -> f64 {
        let layer = self.layers.get(name).copied();
        layer.map_or(1.0, |layer| self.scales[layer])
    }

    /// Whether a parameter of this rank has weight decay.
    pub fn decays(&self, name: &str, rank: usize) -> bool {
        rank > 1 && (self.tokens_decay || !TOKENS.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::finetune::network::TokenReadout;
    use crate::rng::{Purpose, stream};
    use crate::testing::{small_backbone, test};

    fn layers(as_released: bool) -> LayerRates {
        let device = Device::flex();
        let rng = &mut stream(0, Purpose::Init, 0, 0);
        let backbone = small_backbone().init(&device, rng);
        assert_eq!(backbone.depth(), 2);

        let network = ClassifierNetwork::new(backbone, TokenReadout::Cls, 3, 1.0, &device, rng);
        let optim = FinetuneOptimConfig {
            layer_decay: 0.5,
            as_released,
            ..FinetuneOptimConfig::default()
        };
        LayerRates::new(&network, &optim)
    }

    #[test]
    fn rates_halve_from_the_classifier_down_to_the_patches() {
        let layers = layers(false);
        for (name, scale) in [
            ("classifier.weight", 1.0),
            ("classifier.bias", 1.0),
            ("backbone.norm.weight", 1.0),
            ("backbone.blocks.1.attn.qkv.weight", 0.5),
            ("backbone.blocks.0.mlp.fc1.bias", 0.25),
            ("backbone.patch_embed.proj.weight", 0.125),
            ("backbone.pos_embed", 0.125),
            ("backbone.cls_token", 0.125),
        ] {
            assert!(layers.layers.contains_key(name), "{name}");
            assert_eq!(layers.scale(name), scale, "{name}");
        }
    }

    #[test]
    fn tokens_and_vectors_do_not_decay() {
        for as_released in [false, true] {
            let layers = layers(as_released);
            assert!(layers.decays("backbone.blocks.0.mlp.fc1.weight", 2));
            assert!(!layers.decays("backbone.blocks.0.mlp.fc1.bias", 1));
            assert_eq!(layers.decays("backbone.pos_embed", 3), as_released);
        }
    }
}
