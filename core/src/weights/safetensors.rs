//! Weights as safetensors bytes.

use std::collections::{BTreeMap, HashMap};

use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::error::FileError;
use super::weight::{Weight, Weights};

/// How many bits a written number keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoredPrecision {
    /// 32 bits: exactly what was learned.
    #[default]
    F32,
    /// 16 bits: half the size, relative error up to 2^-11.
    F16,
}

/// Serialises weights in the order of their names, with `metadata` in the header.
///
/// # Errors
/// If a weight's shape does not fit its values.
pub fn to_safetensors(
    weights: &Weights,
    metadata: HashMap<String, String>,
    precision: StoredPrecision,
) -> Result<Vec<u8>, FileError> {
    // The order of a HashMap changes from run to run; equal weights give equal bytes.
    let mut names: Vec<&String> = weights.keys().collect();
    names.sort_unstable();
    let bytes: Vec<Vec<u8>> = names
        .iter()
        .map(|name| encode(&weights[*name].values, precision))
        .collect();

    let dtype = match precision {
        StoredPrecision::F32 => Dtype::F32,
        StoredPrecision::F16 => Dtype::F16,
    };
    let mut views = Vec::with_capacity(names.len());
    for (name, bytes) in names.iter().zip(&bytes) {
        let view = TensorView::new(dtype, weights[*name].shape.clone(), bytes)?;
        views.push((name.as_str(), view));
    }
    Ok(safetensors::serialize(views, Some(metadata))?)
}

fn encode(values: &[f32], precision: StoredPrecision) -> Vec<u8> {
    match precision {
        StoredPrecision::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        StoredPrecision::F16 => values
            .iter()
            .flat_map(|v| f16::from_f32(*v).to_le_bytes())
            .collect(),
    }
}

/// Reads weights of 32 bits and the header's metadata: a file that this program wrote.
///
/// # Errors
/// If the bytes are no safetensors, or a tensor is not of 32-bit floats.
pub fn from_safetensors(bytes: &[u8]) -> Result<(Weights, HashMap<String, String>), FileError> {
    let file = read_casting(bytes, |_| true)?;
    match file.cast.into_iter().next() {
        Some((dtype, names)) => Err(FileError::Dtype {
            name: names.into_iter().next().unwrap_or_default(),
            dtype,
        }),
        None => Ok((file.weights, file.metadata)),
    }
}

/// Names of tensors by the type they were cast from.
pub(crate) type Cast = BTreeMap<String, Vec<String>>;

pub(crate) struct CastFile {
    pub weights: Weights,
    pub metadata: HashMap<String, String>,
    pub cast: Cast,
}

/// Reads the `wanted` weights, whatever their float type, and the header's metadata.
pub(crate) fn read_casting(
    bytes: &[u8],
    wanted: impl Fn(&str) -> bool,
) -> Result<CastFile, FileError> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let tensors = SafeTensors::deserialize(bytes)?;

    let mut weights = Weights::new();
    let mut cast = Cast::new();
    for (name, view) in tensors.tensors() {
        if !wanted(&name) {
            continue;
        }
        let dtype = view.dtype();
        let Some(values) = decode(view.data(), dtype) else {
            return Err(FileError::Dtype {
                name,
                dtype: format!("{dtype:?}"),
            });
        };
        if dtype != Dtype::F32 {
            let names = cast.entry(torch_name(dtype).to_owned()).or_default();
            names.push(name.clone());
        }
        let shape = view.shape().to_vec();
        weights.insert(name, Weight { shape, values });
    }

    Ok(CastFile {
        weights,
        metadata: header.metadata().clone().unwrap_or_default(),
        cast,
    })
}

/// The numbers of a tensor in 32 bits; `None` if they are no floats.
fn decode(bytes: &[u8], dtype: Dtype) -> Option<Vec<f32>> {
    Some(match dtype {
        Dtype::F32 => decode_each(bytes, f32::from_le_bytes),
        Dtype::F16 => decode_each(bytes, |b| f16::from_le_bytes(b).to_f32()),
        Dtype::BF16 => decode_each(bytes, |b| bf16::from_le_bytes(b).to_f32()),
        Dtype::F64 => decode_each(bytes, |b| f64::from_le_bytes(b) as f32),
        _ => return None,
    })
}

fn decode_each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks::<N>();
    numbers.iter().map(|bytes| value(*bytes)).collect()
}

fn torch_name(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F16 => "float16",
        Dtype::BF16 => "bfloat16",
        Dtype::F64 => "float64",
        _ => "another type",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn weights(values: Vec<f32>) -> Weights {
        Weights::from([(
            "a.weight".to_owned(),
            Weight {
                shape: vec![2, values.len() / 2],
                values,
            },
        )])
    }

    #[test]
    fn weights_survive_a_file_bit_for_bit() {
        let values = vec![0.1, -0.0, f32::MIN_POSITIVE, 1e30, f32::NAN, 3.0];
        let metadata = HashMap::from([("kind".to_owned(), "test".to_owned())]);
        let bytes = to_safetensors(
            &weights(values.clone()),
            metadata.clone(),
            StoredPrecision::F32,
        )
        .expect("sound weights");
        let (again, header) = from_safetensors(&bytes).expect("its own bytes");
        assert_eq!(header, metadata);
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&again["a.weight"].values), bits(&values));
    }

    #[test]
    fn half_precision_keeps_eleven_bits() {
        let values: Vec<f32> = (0..1000).map(|i| (i as f32 * 0.37).sin()).collect();
        let bytes = to_safetensors(
            &weights(values.clone()),
            HashMap::new(),
            StoredPrecision::F16,
        )
        .expect("sound weights");
        let CastFile {
            weights: again,
            cast,
            ..
        } = read_casting(&bytes, |_| true).expect("its own bytes");
        assert_eq!(cast["float16"], ["a.weight"]);
        for (a, b) in again["a.weight"].values.iter().zip(&values) {
            // Below 2^-14 halves are spaced evenly, 2^-24 apart.
            assert!((a - b).abs() <= b.abs() / 2048.0 + 3e-8, "{a} for {b}");
        }
        assert!(matches!(
            from_safetensors(&bytes),
            Err(FileError::Dtype { .. })
        ));
    }

    #[test]
    fn all_floats_are_cast_and_integers_refused() {
        let read = |dtype, bytes: &[u8]| {
            let view = TensorView::new(dtype, vec![2], bytes).expect("two numbers");
            let file = safetensors::serialize([("a", view)], None).expect("a sound tensor");
            read_casting(&file, |_| true).map(|file| (file.weights["a"].values.clone(), file.cast))
        };
        let bytes: Vec<u8> = [1.5, -3.0]
            .into_iter()
            .flat_map(|v| bf16::from_f32(v).to_le_bytes())
            .collect();
        let (values, cast) = read(Dtype::BF16, &bytes).expect("floats");
        assert_eq!(
            (values, &cast["bfloat16"][..]),
            (vec![1.5, -3.0], &["a".to_owned()][..])
        );
        let bytes: Vec<u8> = [0.1f64, -7.0]
            .into_iter()
            .flat_map(f64::to_le_bytes)
            .collect();
        let (values, cast) = read(Dtype::F64, &bytes).expect("floats");
        assert_eq!(
            (values, cast.contains_key("float64")),
            (vec![0.1f32, -7.0], true)
        );
        assert!(
            matches!(read(Dtype::I32, &[0; 8]), Err(FileError::Dtype { name, .. }) if name == "a")
        );
    }

    #[test]
    fn truncated_files_are_errors() {
        let bytes = to_safetensors(&weights(vec![1.0; 4]), HashMap::new(), StoredPrecision::F32)
            .expect("sound weights");
        for end in 0..bytes.len() {
            assert!(from_safetensors(&bytes[..end]).is_err(), "cut at {end}");
        }
    }
}
