//! The network that learns classes, and what it minimises.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor, TensorData, activation};

use crate::features::Pooling;
use crate::learn::Classifier;
use crate::model::{Backbone, init};

/// What learns, on an autodiff device.
#[derive(Module, Debug)]
pub(super) struct ClassifierNetwork {
    pub backbone: Backbone,
    /// [`Pooling::TUNE`] features to logits.
    pub classifier: Linear,
}

impl ClassifierNetwork {
    pub fn new(backbone: Backbone, classifier: &Classifier, device: &Device) -> Self {
        let (dim, classes) = (classifier.dim(), classifier.classes());
        // burn keeps a linear layer's weight as [in, out].
        let mut transposed = Vec::with_capacity(dim * classes);
        for d in 0..dim {
            for class in 0..classes {
                transposed.push(classifier.weight()[class * dim + d]);
            }
        }

        let mut layer = LinearConfig::new(dim, classes).init(device);
        layer.weight = init::parameter(transposed, [dim, classes], device);
        let bias = classifier.bias().to_vec();
        layer.bias = Some(init::parameter(bias, [classes], device));
        Self {
            backbone,
            classifier: layer,
        }
    }

    /// Logits `[B, classes]` of images `[B, 3, H, W]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.classifier
            .forward(Pooling::TUNE.of(&self.backbone, images))
    }
}

/// Mean cross-entropy of `logits` `[B, classes]`, `[1]`, and the number of images whose largest
/// logit is their class's.
pub(super) fn objective(logits: Tensor<2>, labels: &[usize]) -> (Tensor<1>, Tensor<1>) {
    let [batch, classes] = logits.dims();
    let device = logits.device();

    let mut truth = vec![0.0f32; batch * classes];
    let mut indices = Vec::with_capacity(batch);
    for (image, label) in labels.iter().enumerate() {
        truth[image * classes + label] = 1.0;
        indices.push(*label as i32);
    }
    let truth = Tensor::<2>::from_data(TensorData::new(truth, [batch, classes]), &device);
    let labels = Tensor::<2, Int>::from_data(TensorData::new(indices, [batch, 1]), &device);

    // Counted on the device: logits stay there.
    let hits = logits.clone().argmax(1).equal(labels).float().sum();
    let log_likelihood = (truth * activation::log_softmax(logits, 1)).sum();
    (log_likelihood.neg() / batch as f64, hits)
}
