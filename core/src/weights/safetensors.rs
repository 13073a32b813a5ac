//! Weights as safetensors bytes.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};

use super::{Weight, Weights};

/// Why bytes are not weights.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The container is damaged or no safetensors at all.
    #[error("not a readable safetensors file: {0}")]
    Container(#[from] SafeTensorError),
    /// A tensor is not of 32-bit floats.
    #[error("tensor `{name}` is of type {dtype:?}, only F32 can be read")]
    Dtype {
        /// Official name.
        name: String,
        /// What it is.
        dtype: Dtype,
    },
}

/// Serialises weights in the order of their names, with `metadata` in the header.
///
/// # Errors
/// If a weight's shape does not fit its values.
pub fn to_safetensors(weights: &Weights, metadata: HashMap<String, String>) -> Result<Vec<u8>, FileError> {
    let mut names: Vec<&String> = weights.keys().collect();
    names.sort_unstable();
    let bytes: Vec<Vec<u8>> =
        names.iter().map(|name| weights[*name].values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let views = names
        .iter()
        .zip(&bytes)
        .map(|(name, bytes)| Ok((name.as_str(), TensorView::new(Dtype::F32, weights[*name].shape.clone(), bytes)?)));
    let views: Vec<(&str, TensorView)> = views.collect::<Result<_, SafeTensorError>>()?;
    Ok(safetensors::serialize(views, Some(metadata))?)
}

/// Reads weights and the header's metadata.
///
/// # Errors
/// If the bytes are no safetensors, or a tensor is not of 32-bit floats.
pub fn from_safetensors(bytes: &[u8]) -> Result<(Weights, HashMap<String, String>), FileError> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let tensors = SafeTensors::deserialize(bytes)?;
    let mut weights = Weights::new();
    for (name, view) in tensors.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(FileError::Dtype { name, dtype: view.dtype() });
        }
        let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        weights.insert(name, Weight { shape: view.shape().to_vec(), values });
    }
    Ok((weights, header.metadata().clone().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_survive_a_file_bit_for_bit() {
        let values = vec![0.1, -0.0, f32::MIN_POSITIVE, 1e30, f32::NAN, 3.0];
        let weights = Weights::from([("a.weight".to_owned(), Weight { shape: vec![2, 3], values: values.clone() })]);
        let metadata = HashMap::from([("kind".to_owned(), "test".to_owned())]);
        let bytes = to_safetensors(&weights, metadata.clone()).expect("sound weights");
        let (again, header) = from_safetensors(&bytes).expect("its own bytes");
        assert_eq!(header, metadata);
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&again["a.weight"].values), bits(&values));
    }

    #[test]
    fn truncated_files_are_errors() {
        let weights = Weights::from([("a".to_owned(), Weight { shape: vec![4], values: vec![1.0; 4] })]);
        let bytes = to_safetensors(&weights, HashMap::new()).expect("sound weights");
        for end in 0..bytes.len() {
            assert!(from_safetensors(&bytes[..end]).is_err(), "cut at {end}");
        }
    }
}
