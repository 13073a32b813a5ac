//! From an image to its patch tokens: at any size, whole, with patches that divide the image
//! evenly.

use burn::tensor::{Device, ExecutionError, Tensor, TensorData, Transaction};

use super::cls_attention::ClsAttention;
use super::token_grid::TokenGrid;
use crate::grid::ShapeError;
use crate::image::RgbImage;
use crate::image::normalize::normalize_into;
use crate::image::resize::resize;
use crate::model::{Backbone, Want};

/// Tokens of an image, on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageTokens {
    /// The CLS token after the final norm.
    pub cls: Vec<f32>,
    /// The patch tokens after the final norm.
    pub patches: TokenGrid,
    /// How much CLS attends to each patch in the block; `None` where the backbone has no CLS that
    /// attends.
    pub attention: Option<ClsAttention>,
}

impl ImageTokens {
    /// How much each patch matters: the mean attention of the heads, or ones without attention.
    pub fn salience(&self) -> Vec<f32> {
        match &self.attention {
            Some(attention) => attention.mean().cells().to_vec(),
            None => vec![1.0; self.patches.count()],
        }
    }
}

/// Why an image could not be encoded.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum EncodeError {
    #[error("there is no block {wanted}: the network has blocks 1 to {depth}")]
    Block { wanted: usize, depth: usize },
    #[error("the device failed: {0}")]
    Device(#[from] ExecutionError),
    #[error("the network does not give one token for each patch: {0}")]
    Shape(#[from] ShapeError),
}

/// Shows `image` whole to `backbone`, scaled so that its shorter side is about `shorter` pixels and
/// both sides are multiples of the patch. The tokens are those of block `block`, counted from 1;
/// the last by default.
///
/// # Errors
/// If there is no such block, or the device fails.
pub async fn encode(
    backbone: &Backbone,
    image: &RgbImage,
    shorter: usize,
    block: Option<usize>,
    device: &Device,
) -> Result<ImageTokens, EncodeError> {
    let depth = backbone.depth();
    let wanted = block.unwrap_or(depth);
    if !(1..=depth).contains(&wanted) {
        return Err(EncodeError::Block { wanted, depth });
    }

    let (rows, columns) = grid_of(image, shorter, backbone.stride());
    let pixels = pixels(image, rows, columns, backbone.stride(), device);
    // Attention rides along in the one forward pass; pages ask for it at once.
    let want = Want {
        block: Some(wanted),
        attention: true,
        ..Want::default()
    };
    let features = backbone.features(pixels, want);
    // Those of an earlier block may be others than the last one's.
    let (rows, columns) = features.tokens.grid;
    let [_, width] = features.tokens.cls.dims();

    // One wait for all: each transfer alone would cost a round trip to the device.
    let mut transfer = Transaction::default()
        .register(features.tokens.cls.clone())
        .register(features.tokens.into_patches());
    if let Some(attention) = features.attention {
        transfer = transfer.register(attention);
    }
    let data = transfer.execute_async().await?;
    // A transaction returns one entry for each registered tensor.
    let [cls, patches, attention @ ..] = &data[..] else {
        unreachable!("two or three tensors were registered")
    };

    let patches = patches.iter::<f32>().collect();
    let attention = match attention {
        [attention, ..] => {
            let heads = attention.shape()[1];
            let values = attention.iter::<f32>().collect();
            Some(ClsAttention::new(heads, rows, columns, values)?)
        }
        [] => None,
    };
    Ok(ImageTokens {
        cls: cls.iter::<f32>().collect(),
        patches: TokenGrid::new(rows, columns, width, patches)?,
        attention,
    })
}

/// Rows and columns of patches for an image whose shorter side is to be about `shorter` pixels; at
/// least one each.
pub fn grid_of(image: &RgbImage, shorter: usize, stride: usize) -> (usize, usize) {
    let scale = shorter as f64 / image.width().min(image.height()) as f64;
    // At least one patch on the short side of a long strip.
    let patches = |side: usize| ((side as f64 * scale / stride as f64).round() as usize).max(1);
    (patches(image.height()), patches(image.width()))
}

/// The image scaled to a grid of patches and normalised, `[1, 3, rows * stride, columns * stride]`.
pub fn pixels(
    image: &RgbImage,
    rows: usize,
    columns: usize,
    stride: usize,
    device: &Device,
) -> Tensor<4> {
    let (width, height) = (columns * stride, rows * stride);
    let mut values = vec![0.0; 3 * width * height];
    normalize_into(&resize(image, width, height), &mut values);
    Tensor::from_data(TensorData::new(values, [1, 3, height, width]), device)
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;

    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::testing::{assert_close, small_backbone, test};

    #[test]
    fn the_grid_follows_the_image() {
        let image = |width, height| RgbImage::from_fn(width, height, |_, _| [0; 3]);
        assert_eq!(grid_of(&image(640, 480), 480, 16), (30, 40));
        assert_eq!(grid_of(&image(100, 300), 224, 14), (48, 16));
        assert_eq!(grid_of(&image(1000, 1), 8, 16), (1, 500));
    }

    #[test]
    fn tokens_are_what_the_network_gives() {
        let device = Device::flex();
        let backbone = small_backbone().init(&device, &mut stream(1, Purpose::Init, 0, 0));
        let image = RgbImage::from_fn(24, 16, |x, y| [(x * 10) as u8, (y * 15) as u8, 77]);
        let seen =
            block_on(encode(&backbone, &image, 16, None, &device)).expect("a working device");
        let input = pixels(&image, 4, 6, 4, &device);
        let tokens = backbone.forward(input.clone(), &[], &mut None);
        assert_close(&tokens.cls.clone().flatten(0, 1), &seen.cls, 0.0);
        assert_close(
            &tokens.into_patches().flatten(0, 2),
            seen.patches.values(),
            0.0,
        );
        let want = Want {
            attention: true,
            ..Want::default()
        };
        let attention = backbone.features(input, want).attention;
        let of_cls = attention.expect("a ViT has a CLS token").flatten(0, 2);
        let seen_attention = seen.attention.as_ref().expect("the same attention");
        let maps: Vec<&[f32]> = seen_attention.maps().collect();
        assert!(matches!(
            block_on(encode(&backbone, &image, 16, Some(3), &device)),
            Err(EncodeError::Block {
                wanted: 3,
                depth: 2
            })
        ));
        assert_close(&of_cls, &maps.concat(), 1e-7);
    }
}
