//! The file: safetensors with one tensor of bytes for each entry, with a checksum as in checkpoints.

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};

use crate::seal;
use crate::seal::SealError;

/// The key in the header of what the content depends on.
const BASIS: &str = "basis";

/// Keys and values of each namespace, as burn writes them.
pub type Entries = BTreeMap<String, Vec<(Vec<u8>, Vec<u8>)>>;

/// Why a file is not used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unusable {
    #[error("it is damaged")]
    Damaged,
    #[error("it comes from another version of this program, or from other GPUs or drivers")]
    Foreign,
}

#[derive(Debug, thiserror::Error)]
pub enum PackError {
    #[error(transparent)]
    Tensors(#[from] SafeTensorError),
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// The file for `entries`, which depend on `basis`.
pub fn pack(entries: &Entries, basis: &str) -> Result<Vec<u8>, PackError> {
    let mut tensors = BTreeMap::new();
    for (namespace, pairs) in entries {
        for (key, value) in pairs {
            tensors.insert(
                format!("{namespace}/{}", hex(key)),
                TensorView::new(Dtype::U8, vec![value.len()], value)?,
            );
        }
    }
    let mut metadata = HashMap::from([(BASIS.to_owned(), basis.to_owned())]);
    seal::reserve(&mut metadata);
    let mut bytes = safetensors::serialize(tensors, Some(metadata))?;
    seal::seal(&mut bytes)?;
    Ok(bytes)
}

/// The entries of a file that was written for `basis`.
pub fn unpack(bytes: &[u8], basis: &str) -> Result<Entries, Unusable> {
    seal::verify(bytes).map_err(|_| Unusable::Damaged)?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|_| Unusable::Damaged)?;
    let metadata = header.metadata().as_ref();
    if metadata.and_then(|metadata| metadata.get(BASIS)) != Some(&basis.to_owned()) {
        return Err(Unusable::Foreign);
    }

    let mut entries = Entries::new();
    let tensors = SafeTensors::deserialize(bytes).map_err(|_| Unusable::Damaged)?;
    for (name, tensor) in tensors.iter() {
        let (namespace, key) = name.rsplit_once('/').ok_or(Unusable::Damaged)?;
        let pair = (unhex(key).ok_or(Unusable::Damaged)?, tensor.data().to_vec());
        entries.entry(namespace.to_owned()).or_default().push(pair);
    }
    Ok(entries)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use ibot_core::rng::{Purpose, stream};
    use rand::RngExt as _;

    use super::*;

    const BASIS_HERE: &str = "0.1.0 1234abcd\nllvmpipe 10005:0 gl";

    /// Entries as burn's: names with slashes, keys and values of any bytes and none.
    fn entries() -> Entries {
        let tuned = vec![
            (vec![0, 255, 47], vec![1; 300]),
            (vec![], vec![]),
            (b"key".to_vec(), (0..=255).collect()),
        ];
        Entries::from([
            ("autotune/0.11.3/0-3/matmul".to_owned(), tuned),
            (
                "throughput/0.11.3/v2/a".to_owned(),
                vec![(vec![9], vec![8; 40])],
            ),
        ])
    }

    fn sorted(mut entries: Entries) -> Entries {
        entries.values_mut().for_each(|pairs| pairs.sort());
        entries
    }

    #[test]
    fn entries_come_back_as_they_went() {
        let bytes = pack(&entries(), BASIS_HERE).expect("sound entries");
        assert_eq!(
            unpack(&bytes, BASIS_HERE).map(sorted),
            Ok(sorted(entries()))
        );
        let empty = pack(&Entries::new(), BASIS_HERE).expect("sound entries");
        assert_eq!(unpack(&empty, BASIS_HERE), Ok(Entries::new()));
    }

    #[test]
    fn nothing_damaged_is_used() {
        let bytes = pack(&entries(), BASIS_HERE).expect("sound entries");
        for bit in 0..8 * bytes.len() {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                unpack(&damaged, BASIS_HERE),
                Err(Unusable::Damaged),
                "bit {bit}"
            );
        }
        for end in 0..bytes.len() {
            assert_eq!(
                unpack(&bytes[..end], BASIS_HERE),
                Err(Unusable::Damaged),
                "cut at {end}"
            );
            let mut blank = bytes.clone();
            blank[end..].fill(0);
            assert_eq!(
                unpack(&blank, BASIS_HERE),
                Err(Unusable::Damaged),
                "zeros from {end}"
            );
        }
    }

    #[test]
    fn nothing_damaged_at_random_is_used() {
        let bytes = pack(&entries(), BASIS_HERE).expect("sound entries");
        let mut rng = stream(0, Purpose::Order, 0, 0);
        for damage in 0..2000 {
            // Up to 64 bytes of a part of the file, as a disk or a writer that broke off leaves
            // them.
            let mut damaged = bytes.clone();
            let start = rng.random_range(0..bytes.len());
            let end = bytes.len().min(start + rng.random_range(1..=64));
            rng.fill(&mut damaged[start..end]);
            match damage % 4 {
                0 => damaged.truncate(end),
                1 => drop(damaged.drain(start..end)),
                _ => {}
            }
            if damaged != bytes {
                assert_eq!(
                    unpack(&damaged, BASIS_HERE),
                    Err(Unusable::Damaged),
                    "damage {damage}"
                );
            }
        }
    }

    #[test]
    fn what_holds_elsewhere_is_not_used() {
        let bytes = pack(&entries(), BASIS_HERE).expect("sound entries");
        for elsewhere in [
            "",
            "0.1.0 1234abcd\nllvmpipe 10005:0 vulkan",
            "0.1.1 1234abcd\nllvmpipe 10005:0 gl",
        ] {
            assert_eq!(
                unpack(&bytes, elsewhere),
                Err(Unusable::Foreign),
                "{elsewhere}"
            );
        }
    }
}
