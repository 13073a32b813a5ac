//! Reads what scripts/make_augment_fixtures.py wrote, for the tests of this module.

use safetensors::SafeTensors;

use crate::image::RgbImage;

pub struct Fixture {
    images: Vec<(String, RgbImage)>,
}

impl Fixture {
    pub fn images(bytes: &[u8]) -> Self {
        let file = SafeTensors::deserialize(bytes).expect("a safetensors file");
        let image =
            |(name, view): (String, safetensors::tensor::TensorView<'_>)| match *view.shape() {
                [height, width, 3] if view.dtype() == safetensors::Dtype::U8 => Some((
                    name,
                    RgbImage::new(width, height, view.data().to_vec()).expect("a full image"),
                )),
                _ => None,
            };
        Self {
            images: file.tensors().into_iter().filter_map(image).collect(),
        }
    }

    pub fn get(&self, name: &str) -> RgbImage {
        let found = self.images.iter().find(|(known, _)| known == name);
        found
            .unwrap_or_else(|| panic!("no {name} in the fixture"))
            .1
            .clone()
    }

    /// Images called `operation/a/b/...` with the numbers `a, b, ...`; at least one.
    pub fn series(&self, operation: &str) -> Vec<(Vec<f64>, RgbImage)> {
        let parse = |(name, image): &(String, RgbImage)| {
            let numbers = name.strip_prefix(operation)?.strip_prefix('/')?;
            Some((
                numbers
                    .split('/')
                    .map(|n| n.parse().expect("a number"))
                    .collect(),
                image.clone(),
            ))
        };
        let found: Vec<_> = self.images.iter().filter_map(parse).collect();
        assert!(!found.is_empty(), "no {operation} in the fixture");
        found
    }
}

pub fn floats(bytes: &[u8], name: &str) -> Vec<f32> {
    let file = SafeTensors::deserialize(bytes).expect("a safetensors file");
    let view = file.tensor(name).expect("the named tensor");
    assert_eq!(view.dtype(), safetensors::Dtype::F32);
    view.data()
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect()
}

/// Tensors of floats called `operation/a/b/...` with the numbers `a, b, ...`; at least one.
pub fn float_series(bytes: &[u8], operation: &str) -> Vec<(Vec<f64>, Vec<f32>)> {
    let file = SafeTensors::deserialize(bytes).expect("a safetensors file");
    let mut found = Vec::new();
    for name in file.names() {
        let numbers = name
            .strip_prefix(operation)
            .and_then(|rest| rest.strip_prefix('/'));
        if let Some(numbers) = numbers {
            let numbers = numbers.split('/').map(|n| n.parse().expect("a number"));
            found.push((numbers.collect(), floats(bytes, name)));
        }
    }
    assert!(!found.is_empty(), "no {operation} in the fixture");
    found
}

/// Mean and largest absolute difference in levels (0 to 255); prints both under `label`.
pub fn difference(label: &str, ours: &RgbImage, theirs: &RgbImage) -> (f64, u8) {
    assert_eq!(
        (ours.width(), ours.height()),
        (theirs.width(), theirs.height()),
        "{label}"
    );
    let gaps = || {
        ours.pixels()
            .iter()
            .zip(theirs.pixels())
            .map(|(a, b)| a.abs_diff(*b))
    };
    let mean = gaps().map(f64::from).sum::<f64>() / ours.pixels().len() as f64;
    let largest = gaps().max().unwrap_or(0);
    println!("{label}: mean {mean:.4}, largest {largest}");
    (mean, largest)
}
