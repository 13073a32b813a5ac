//! A file of weights, whoever wrote it: its container, the part of it that is asked for, and its
//! tensors' names.

use std::collections::{HashMap, HashSet};

use safetensors::tensor::SafeTensors;

use super::error::FileError;
use super::header::ModelHeader;
use super::names;
use super::pth::{Dtype, Pth, Scalar};
use super::safetensors::{Cast, read_casting};
use super::weight::{Weight, Weights};
use crate::model::BackboneConfig;

// In the order in which they are preferred: the teacher is what iBOT evaluates.
const PREFERRED: [&str; 4] = ["teacher", "student", "state_dict", "model"];

/// The entry of an official checkpoint of linear heads with the number of the best one.
pub(super) const BEST_HEAD: &str = "best_acc_hidx";

/// Tensors of one network, under our names, and where they came from.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Tensors: the backbone's as timm names them, the head's behind `head.`.
    pub weights: Weights,
    /// The part of the file they are from; `None` if it has no parts.
    pub section: Option<String>,
    /// Description of the network, in a file that this program wrote.
    pub header: Option<ModelHeader>,
    /// Entries of the header of a safetensors file. Of a `.pth` it is only the number of the best
    /// of several linear heads.
    pub metadata: HashMap<String, String>,
    /// Names of tensors by the type they were cast from.
    pub cast: Cast,
    /// Names whose tensor is also there under another name and was read once.
    pub tied: Vec<String>,
}

impl Checkpoint {
    /// Reads a safetensors or `.pth` file. `key` names the part of a training checkpoint, `teacher`
    /// or `student`; without it the teacher is read if there is one.
    ///
    /// A `.pth` is hostile until proven otherwise: see [`super::pth`].
    ///
    /// # Errors
    /// If the bytes are neither, are damaged, or lack the part.
    pub fn read(bytes: &[u8], key: Option<&str>) -> Result<Self, FileError> {
        let checkpoint = if is_pth(bytes) {
            Self::from_pth(bytes, key)?
        } else {
            Self::from_safetensors(bytes, key)?
        };
        if checkpoint.weights.is_empty() {
            Err(FileError::Empty)
        } else {
            Ok(checkpoint)
        }
    }

    /// The header of a file that holds these weights as `backbone`: the same as in this file, or
    /// what is usual where this one has none.
    pub fn header_for(&self, backbone: BackboneConfig) -> ModelHeader {
        match &self.header {
            Some(header) => ModelHeader {
                backbone,
                ..header.clone()
            },
            None => ModelHeader {
                backbone,
                eval_resize: ModelHeader::USUAL_RESIZE,
                step: 0,
            },
        }
    }

    fn from_safetensors(bytes: &[u8], key: Option<&str>) -> Result<Self, FileError> {
        let tensors = SafeTensors::deserialize(bytes)?;
        // In the checkpoints of this program, parts are the prefixes before a slash.
        let mut sections: Vec<&str> = tensors
            .names()
            .into_iter()
            .filter_map(|name| Some(name.split_once('/')?.0))
            .collect();
        sections.sort_unstable();
        sections.dedup();
        let section = choose(&sections, key)?;

        let prefix = match &section {
            Some(section) => format!("{section}/"),
            None => String::new(),
        };
        let file = read_casting(bytes, |name| {
            name.starts_with(&prefix) && !names::is_computed(name)
        })?;
        let mut weights = Weights::with_capacity(file.weights.len());
        for (name, weight) in file.weights {
            weights.insert(name[prefix.len()..].to_owned(), weight);
        }
        // Names without the prefix, as in `weights`.
        let mut cast = file.cast;
        for name in cast.values_mut().flatten() {
            name.drain(..prefix.len());
        }

        Ok(Self {
            weights: names::canonical(weights),
            section,
            header: ModelHeader::from_metadata(&file.metadata),
            metadata: file.metadata,
            cast,
            tied: Vec::new(),
        })
    }

    fn from_pth(bytes: &[u8], key: Option<&str>) -> Result<Self, FileError> {
        let pth = Pth::parse(bytes)?;
        let sections: Vec<&str> = pth.sections().into_iter().flatten().collect();
        let section = choose(&sections, key)?;

        let mut weights = Weights::new();
        let mut cast = Cast::new();
        let mut tied = Vec::new();
        let mut views = HashSet::new();
        for tensor in pth.tensors(section.as_deref())? {
            let name = tensor.name.to_owned();
            let dtype = tensor.view.dtype();
            match dtype {
                // Integers are counters, such as batch norm's; no network here has them.
                Dtype::Other(_) => continue,
                Dtype::F32 => {}
                Dtype::F64 | Dtype::F16 | Dtype::Bf16 => {
                    let names = cast.entry(dtype.to_string()).or_default();
                    names.push(name.clone());
                }
            }

            // A second name of the same values would cost their memory once more.
            if !views.insert(tensor.view.clone()) {
                tied.push(name);
                continue;
            }
            let weight = Weight {
                values: pth.values(&tensor)?,
                shape: tensor.view.shape().to_vec(),
            };
            weights.insert(name, weight);
        }

        let mut metadata = HashMap::new();
        if let Some(Scalar::Int(best)) = pth.scalar(&[BEST_HEAD]) {
            metadata.insert(BEST_HEAD.to_owned(), best.to_string());
        }
        Ok(Self {
            weights: names::canonical(weights),
            section,
            header: None,
            metadata,
            cast,
            tied,
        })
    }
}

fn is_pth(bytes: &[u8]) -> bool {
    // 0x80 may also begin the length of a safetensors header, which then follows at byte 8.
    bytes.starts_with(b"PK") || (bytes.first() == Some(&0x80) && bytes.get(8) != Some(&b'{'))
}

fn choose(sections: &[&str], key: Option<&str>) -> Result<Option<String>, FileError> {
    let Some(key) = key else {
        let preferred = PREFERRED.iter().find(|name| sections.contains(name));
        return Ok(preferred.map(|name| (*name).to_owned()));
    };
    if sections.contains(&key) {
        return Ok(Some(key.to_owned()));
    }

    Err(FileError::NoSection {
        asked: key.to_owned(),
        available: if sections.is_empty() {
            "one network only".to_owned()
        } else {
            sections.join(", ")
        },
    })
}
