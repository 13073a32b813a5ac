//! From an image to its patch tokens: at any size, whole, with patches that divide the image
//! evenly.

use burn::tensor::{Device, ExecutionError, Tensor, TensorData, Transaction};

use crate::analysis::attention::{AttentionError, ClsAttention};
use crate::analysis::grid::{GridError, TokenGrid};
use crate::image::RgbImage;
use crate::image::normalize::normalize_into;
use crate::image::resize::resize;
use crate::model::Vit;

/// What a network makes of an image, on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageTokens {
    /// The CLS token after the final norm.
    pub cls: Vec<f32>,
    /// The patch tokens after the final norm.
    pub patches: TokenGrid,
    /// How much CLS attends to each patch in the block.
    pub attention: ClsAttention,
}

/// Why an image could not be encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The network has fewer blocks.
    #[error("there is no block {wanted}: the network has blocks 1 to {depth}")]
    Block {
        /// The block asked for, counted from 1.
        wanted: usize,
        /// Blocks of the network.
        depth: usize,
    },
    /// The device failed.
    #[error("the device failed: {0}")]
    Device(#[from] ExecutionError),
    /// The network gave something else than a token for each patch.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// The network has no block to attend.
    #[error(transparent)]
    Attention(#[from] AttentionError),
}

/// Shows `image` whole to `backbone`, scaled so that its shorter side is about `shorter` pixels and
/// both sides are multiples of the patch. The tokens are those of block `block`, counted from 1;
/// the last by default.
///
/// # Errors
/// If there is no such block, or the device fails.
pub async fn encode(
    backbone: &Vit,
    image: &RgbImage,
    shorter: usize,
    block: Option<usize>,
    device: &Device,
) -> Result<ImageTokens, EncodeError> {
    let (rows, columns) = grid_of(image, shorter, backbone.patch_size());
    let pixels = pixels(image, rows, columns, backbone.patch_size(), device);
    let (wanted, depth) = (block.unwrap_or(backbone.depth()), backbone.depth());
    let seen = wanted
        .checked_sub(1)
        .and_then(|block| backbone.tokens_and_attention(pixels, block));
    let (tokens, attention) = seen.ok_or(EncodeError::Block { wanted, depth })?;
    let (cls, patches) = (backbone.cls_of(tokens.clone()), backbone.patches_of(tokens));
    let data = Transaction::default()
        .register(cls)
        .register(patches)
        .register(attention)
        .execute_async()
        .await?;
    // A transaction returns one entry for each registered tensor.
    let [cls, patches, attention] = &data[..] else {
        unreachable!("three tensors were registered")
    };
    let heads = attention.shape()[1];
    Ok(ImageTokens {
        cls: cls.iter::<f32>().collect(),
        patches: TokenGrid::new(
            rows,
            columns,
            backbone.dim(),
            patches.iter::<f32>().collect(),
        )?,
        attention: ClsAttention::new(heads, rows, columns, attention.iter::<f32>().collect())?,
    })
}

/// Rows and columns of patches for an image whose shorter side is to be about `shorter` pixels; at
/// least one each.
pub fn grid_of(image: &RgbImage, shorter: usize, patch_size: usize) -> (usize, usize) {
    let scale = shorter as f64 / image.width().min(image.height()) as f64;
    let patches = |side: usize| ((side as f64 * scale / patch_size as f64).round() as usize).max(1);
    (patches(image.height()), patches(image.width()))
}

/// The image scaled to a grid of patches and normalised, `[1, 3, rows * patch, columns * patch]`.
pub fn pixels(
    image: &RgbImage,
    rows: usize,
    columns: usize,
    patch_size: usize,
    device: &Device,
) -> Tensor<4> {
    let (width, height) = (columns * patch_size, rows * patch_size);
    let mut values = vec![0.0; 3 * width * height];
    normalize_into(&resize(image, width, height), &mut values);
    Tensor::from_data(TensorData::new(values, [1, 3, height, width]), device)
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;

    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::testing::{assert_close, small_vit, test};

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
        let vit = small_vit().init(&device, &mut stream(1, Purpose::Init, 0, 0));
        let image = RgbImage::from_fn(24, 16, |x, y| [(x * 10) as u8, (y * 15) as u8, 77]);
        let seen = block_on(encode(&vit, &image, 16, None, &device)).expect("a working device");
        let input = pixels(&image, 4, 6, 4, &device);
        let tokens = vit.forward(input.clone(), &[], &mut None);
        assert_close(
            &vit.patches_of(tokens.clone()).flatten(0, 2),
            seen.patches.values(),
            0.0,
        );
        assert_close(&vit.cls_of(tokens).flatten(0, 1), &seen.cls, 0.0);
        let attention = vit.attention(input, 1).expect("the last block");
        let of_cls = attention.narrow(2, 0, 1).narrow(3, 1, 24).flatten(0, 3);
        assert!(matches!(
            block_on(encode(&vit, &image, 16, Some(3), &device)),
            Err(EncodeError::Block {
                wanted: 3,
                depth: 2
            })
        ));
        assert_close(
            &of_cls,
            &seen.attention.maps().collect::<Vec<_>>().concat(),
            1e-7,
        );
    }
}
