//! Images as JPEG files, as libjpeg writes them unless it is told otherwise: colors at half the
//! resolution, the standard tables.

use ibot_core::image::RgbImage;
use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, SamplingFactor};

use super::decode::decode;

/// The bytes of an image as a JPEG of a quality of 1 to 100.
///
/// # Errors
/// If a side is longer than a JPEG's may be, in words.
pub fn encode_jpeg(image: &RgbImage, quality: u8) -> Result<Vec<u8>, String> {
    let side = |length: usize| {
        u16::try_from(length).map_err(|_| format!("{length} pixels are too many for one side"))
    };
    let (width, height) = (side(image.width())?, side(image.height())?);

    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    let encoded = encoder.encode(image.pixels(), width, height, ColorType::Rgb);
    encoded.map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// What is left of an image after it was a JPEG of a quality of 1 to 100.
///
/// # Errors
/// As [`encode_jpeg`].
pub fn as_jpeg(image: &RgbImage, quality: u8) -> Result<RgbImage, String> {
    let bytes = encode_jpeg(image, quality)?;
    decode(&bytes).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use ibot_core::image::corrupt::{Corruption, Severity, corrupt, corruption_stream};
    use safetensors::SafeTensors;

    use super::*;

    /// What scripts/make_corrupt_fixtures.py wrote.
    const FIXTURE: &[u8] =
        include_bytes!("../../../tests/fixtures/corrupt/corruptions.safetensors");

    fn picture(name: &str) -> RgbImage {
        let tensors = SafeTensors::deserialize(FIXTURE).expect("a fixture");
        let tensor = tensors.tensor(name).expect("an image");
        let (height, width) = (tensor.shape()[0], tensor.shape()[1]);
        RgbImage::new(width, height, tensor.data().to_vec()).expect("pixels")
    }

    fn mean_difference(a: &RgbImage, b: &RgbImage) -> f64 {
        let pairs = a.pixels().iter().zip(b.pixels());
        let sum: f64 = pairs.map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
        sum / a.pixels().len() as f64
    }

    #[test]
    fn jpeg_compression_is_that_of_the_library_at_the_same_severity() {
        let kind = Corruption::JpegCompression;
        let image = picture("image");
        for severity in Severity::ALL {
            let rng = &mut corruption_stream(0, kind, severity, 0);
            let found = corrupt(&image, kind, severity, rng, &as_jpeg).expect("an image");
            for other in Severity::ALL {
                let expected = picture(&format!("{kind}.{other}.image"));
                let difference = mean_difference(&found, &expected);
                // Encoders round differently, which at these coarse steps moves a few coefficients
                // by one, and decoders enlarge colors differently.
                if other == severity {
                    assert!(difference < 2.5, "{severity}: {difference}");
                } else {
                    assert!(difference > 3.0, "{severity} is like {other}: {difference}");
                }
            }
        }
    }
}
