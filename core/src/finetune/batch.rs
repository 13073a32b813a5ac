//! The images of a batch with their targets, on the host and on a device.

use burn::tensor::{Device, Tensor, TensorData};

/// B images on a device.
#[derive(Clone, Debug)]
pub struct LabelledBatch {
    /// Normalised images, `[B, 3, S, S]`.
    pub images: Tensor<4>,
    /// The share of each class in each image, `[B, classes]`; a row adds up to 1.
    pub targets: Tensor<2>,
}

impl LabelledBatch {
    /// Number B of images.
    pub fn len(&self) -> usize {
        self.images.dims()[0]
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// B images on the host, on their way to a device.
#[derive(Clone, Debug, PartialEq)]
pub struct HostLabelledBatch {
    /// Normalised images, `[B, 3, S, S]`.
    pub images: Vec<f32>,
    /// The class of each image.
    pub labels: Vec<usize>,
    size: usize,
}

impl HostLabelledBatch {
    /// A batch of `count` black images of `size` by `size` pixels, all of class 0.
    pub fn zeros(count: usize, size: usize) -> Self {
        Self {
            images: vec![0.0; count * 3 * size * size],
            labels: vec![0; count],
            size,
        }
    }

    /// The planes of each image, `[3, S, S]`.
    pub fn planes(&mut self) -> std::slice::ChunksExactMut<'_, f32> {
        self.images.chunks_exact_mut(3 * self.size * self.size)
    }

    /// The same images on `device`, with the first rows of `targets`, `[B, classes]`, which are
    /// taken out.
    pub fn into_batch(
        self,
        targets: &mut Vec<f32>,
        classes: usize,
        device: &Device,
    ) -> LabelledBatch {
        let count = self.labels.len();
        let rest = targets.split_off(count * classes);
        let own = std::mem::replace(targets, rest);

        let images = TensorData::new(self.images, [count, 3, self.size, self.size]);
        LabelledBatch {
            images: Tensor::from_data(images, device),
            targets: Tensor::from_data(TensorData::new(own, [count, classes]), device),
        }
    }
}
