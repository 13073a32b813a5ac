//! The crops of a batch, on the host and on a device.
//!
//! Crops lie "crop by crop": the first crop of every image, then the second crop of every image.
//! The losses pair crops by this order, and this file alone makes it.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};

use crate::image::augment::{Crops, CropsConfig};
use crate::image::normalize::normalize_into;
use crate::model::Mask;

/// The crops of B images on a device.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Normalised global crops `[globals * B, 3, S, S]`, crop by crop.
    pub globals: Tensor<4>,
    /// Normalised local crops `[locals * B, 3, s, s]`, crop by crop; `None` if there are none.
    pub locals: Option<Tensor<4>>,
    /// One mask for each global crop, in their order.
    pub masks: Vec<Mask>,
    /// Number B of images.
    pub images: usize,
}

impl Batch {
    /// A batch from one tensor `[B, 3, S, S]` and one list of B masks for each global crop, and one
    /// tensor `[B, 3, s, s]` for each local crop.
    pub fn collate(globals: Vec<Tensor<4>>, masks: Vec<Vec<Mask>>, locals: Vec<Tensor<4>>) -> Self {
        Self {
            images: globals.first().map_or(0, |crop| crop.dims()[0]),
            globals: Tensor::cat(globals, 0),
            locals: (!locals.is_empty()).then(|| Tensor::cat(locals, 0)),
            masks: masks.concat(),
        }
    }

    /// The crops and masks of some of the images.
    pub fn select(&self, images: Range<usize>) -> Self {
        let select = |crops: &Tensor<4>| -> Vec<Tensor<4>> {
            let firsts = (0..crops.dims()[0]).step_by(self.images);
            firsts
                .map(|first| crops.clone().narrow(0, first + images.start, images.len()))
                .collect()
        };
        let masks = self.masks.chunks(self.images);
        Self::collate(
            select(&self.globals),
            masks.map(|masks| masks[images.clone()].to_vec()).collect(),
            self.locals.as_ref().map(select).unwrap_or_default(),
        )
    }

    pub(super) fn globals_number(&self) -> usize {
        self.globals.dims()[0] / self.images
    }
}

/// The crops of B images on the host, on their way to a device.
#[derive(Clone, Debug, PartialEq)]
pub struct HostBatch {
    /// Normalised global crops, `[globals * B, 3, S, S]`, crop by crop.
    pub globals: Vec<f32>,
    /// Normalised local crops, `[locals * B, 3, s, s]`, crop by crop.
    pub locals: Vec<f32>,
    /// One mask for each global crop, in their order.
    pub masks: Vec<Mask>,
    images: usize,
    global_size: usize,
    local_size: usize,
}

impl HostBatch {
    /// A batch of zeros without masks, for the crops of `images` images.
    pub fn zeros(crops: &CropsConfig, images: usize) -> Self {
        let globals = crops.global_crops_number * images;
        let locals = crops.local_crops_number * images;
        Self {
            globals: vec![0.0; globals * values(crops.global_size)],
            locals: vec![0.0; locals * values(crops.local_size)],
            masks: vec![Mask::empty(0, 0); globals],
            images,
            global_size: crops.global_size,
            local_size: crops.local_size,
        }
    }

    /// Normalises the crops of image number `image` of the batch into their places, and puts one
    /// mask beside each of its global crops.
    pub fn set(&mut self, image: usize, crops: &Crops, masks: Vec<Mask>) {
        let global = values(self.global_size);
        for (crop, (view, mask)) in crops.globals.iter().zip(masks).enumerate() {
            // Crop by crop, as the losses pair them.
            let row = crop * self.images + image;
            normalize_into(view, &mut self.globals[row * global..][..global]);
            self.masks[row] = mask;
        }

        let local = values(self.local_size);
        for (crop, view) in crops.locals.iter().enumerate() {
            let row = crop * self.images + image;
            normalize_into(view, &mut self.locals[row * local..][..local]);
        }
    }

    /// The same crops on `device`.
    pub fn into_batch(self, device: &Device) -> Batch {
        let locals = !self.locals.is_empty();
        Batch {
            globals: to_device(self.globals, self.global_size, device),
            locals: locals.then(|| to_device(self.locals, self.local_size, device)),
            masks: self.masks,
            images: self.images,
        }
    }
}

/// Values of a crop of `size` pixels a side.
fn values(size: usize) -> usize {
    3 * size * size
}

/// Crops of `size` pixels a side, `[crops, 3, size, size]`.
fn to_device(crops: Vec<f32>, size: usize, device: &Device) -> Tensor<4> {
    let count = crops.len() / values(size);
    Tensor::from_data(TensorData::new(crops, [count, 3, size, size]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::RgbImage;
    use crate::testing::test;

    fn view(value: u8, size: usize) -> RgbImage {
        RgbImage::from_fn(size, size, |_, _| [value; 3])
    }

    /// A batch of three images with two global crops and one local crop, of one pixel each. The
    /// value of a crop tells which it is.
    fn batch() -> Batch {
        let config = CropsConfig {
            global_crops_number: 2,
            global_size: 1,
            local_crops_number: 1,
            local_size: 1,
            ..CropsConfig::default()
        };
        let mut batch = HostBatch::zeros(&config, 3);
        for image in 0..3 {
            let crops = Crops {
                globals: vec![view(image, 1), view(100 + image, 1)],
                locals: vec![view(200 + image, 1)],
            };
            let mask = |crop| Mask::new(1, 1, vec![image == 2 && crop == 1]);
            batch.set(image.into(), &crops, vec![mask(0), mask(1)]);
        }
        batch.into_batch(&Device::flex())
    }

    /// The red values of crops, as bytes.
    fn reds(crops: &Tensor<4>) -> Vec<u8> {
        let [count, ..] = crops.dims();
        let pixels: Vec<f32> = crops.try_to_vec_as().expect("floats");
        let mut reds = Vec::new();
        for crop in pixels.chunks(pixels.len() / count) {
            reds.push((255.0 * (0.229 * crop[0] + 0.485)).round() as u8);
        }
        reds
    }

    #[test]
    fn crops_lie_crop_by_crop() {
        let batch = batch();
        assert_eq!(batch.globals_number(), 2);
        assert_eq!(reds(&batch.globals), [0, 1, 2, 100, 101, 102]);
        assert_eq!(batch.locals.as_ref().map(reds), Some(vec![200, 201, 202]));
        let masked: Vec<usize> = batch.masks.iter().map(Mask::count).collect();
        assert_eq!(masked, [0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn some_images_keep_all_their_crops() {
        let rest = batch().select(1..3);
        assert_eq!((rest.images, rest.globals_number()), (2, 2));
        assert_eq!(reds(&rest.globals), [1, 2, 101, 102]);
        assert_eq!(rest.locals.as_ref().map(reds), Some(vec![201, 202]));
        let masked: Vec<usize> = rest.masks.iter().map(Mask::count).collect();
        assert_eq!(masked, [0, 0, 0, 1]);
    }
}
