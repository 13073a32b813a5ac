//! Rows of features on the host.

use burn::tensor::{Device, Tensor, TensorData};

/// Features of the images that could be read, on the host.
pub struct FeatureRows {
    /// One row an image, `[M, width]`, row by row.
    pub values: Vec<f32>,
    pub width: usize,
    /// Which image each row belongs to.
    pub indices: Vec<usize>,
}

impl FeatureRows {
    /// The rows `[M, width]` on `device`.
    pub fn tensor(self, device: &Device) -> Tensor<2> {
        let shape = [self.indices.len(), self.width];
        Tensor::from_data(TensorData::new(self.values, shape), device)
    }
}
