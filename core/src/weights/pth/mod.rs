//! Reads PyTorch checkpoints (`.pth`, `.pt`) from anyone, without running any code in them.
//!
//! A checkpoint is a pickle, a program for a small machine, beside raw numbers. Here the machine
//! makes no calls and imports nothing: it builds a graph of inert values, and only the few calls
//! that make up a tensor or a dictionary have a meaning. What else a checkpoint holds (an
//! optimizer, numpy scalars, settings of any class) stays opaque and does no harm. Both formats are
//! read, the zip archives since torch 1.6 and the streams before.
//!
//! A file may lie. These hold for every input:
//! - Nothing recurses, and no input makes a panic.
//! - [`Pth::parse`] takes at most 96 bytes of memory for each byte of the file, mostly far fewer:
//!   storages are only referred to. A size that the file claims is never allocated before the bytes
//!   are seen to be there.
//! - [`Pth::tensors`] takes at most 512 bytes of memory for each tensor.
//! - [`Pth::values`] hands out at most as many values as the tensor's storage has elements, and
//!   every one of them lies in the file.
//! - The different views of one [`Pth::tensors`] are in their stored types at most twice as large
//!   as the file. Who reads tied tensors once gets no more than that.
//! - Time is nearly linear in the size of the file.

mod dtype;
mod error;
mod legacy;
mod rebuild;
mod tensor;
mod zip;

use std::collections::{BTreeMap, BTreeSet};

pub use dtype::Dtype;
pub use error::PthError;
pub use tensor::{TensorRef, View};

use crate::pickle::{Graph, Id, Node, unpickle};

/// How many sections an error lists.
const LISTED: usize = 16;

/// A PyTorch checkpoint, over the bytes of its file.
#[derive(Debug)]
pub struct Pth<'a> {
    graph: Graph<'a>,
    storages: Storages<'a>,
    file_size: usize,
}

#[derive(Debug)]
enum Storages<'a> {
    Zip(zip::Archive<'a>),
    Legacy(legacy::Storages<'a>),
}

/// A setting in a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar<'a> {
    /// Text.
    Str(&'a str),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A truth value.
    Bool(bool),
}

impl<'a> Pth<'a> {
    /// Reads the structure of a checkpoint from the bytes of its file. No tensor is looked at yet.
    ///
    /// # Errors
    /// If the bytes are no checkpoint, or a damaged one.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PthError> {
        let (graph, storages) = if zip::is_zip(bytes) {
            let archive = zip::Archive::parse(bytes)?;
            let graph = archived_object(&archive)?;
            (graph, Storages::Zip(archive))
        } else if legacy::is_pickle(bytes) {
            let (graph, storages) = legacy::parse(bytes)?;
            (graph, Storages::Legacy(storages))
        } else {
            let start = &bytes[..bytes.len().min(4)];
            return Err(PthError::Format(format!(
                "it starts with {start:02x?}, neither a zip archive nor a pickle"
            )));
        };

        Ok(Self {
            graph,
            storages,
            file_size: bytes.len(),
        })
    }

    /// The dictionaries that directly hold a tensor: `None` for the top level itself, and keys of
    /// the top level, in the file's order.
    pub fn sections(&self) -> Vec<Option<&'a str>> {
        let root = self.graph.root;
        if !self.graph.is_dictionary(root) {
            return Vec::new();
        }
        let mut candidates = vec![(None, root)];
        for (key, value) in self.graph.dictionary(root) {
            candidates.push((Some(key), value));
        }

        // A dictionary may stand under many keys, and is searched once.
        let mut searched: BTreeMap<Id, bool> = BTreeMap::new();
        candidates.retain(|(_, id)| {
            *searched
                .entry(*id)
                .or_insert_with(|| self.holds_tensors(*id))
        });
        candidates.into_iter().map(|(key, _)| key).collect()
    }

    fn holds_tensors(&self, id: Id) -> bool {
        let mut entries = self.graph.entries(id);
        self.graph.is_dictionary(id)
            && entries.any(|(_, value)| rebuild::is_tensor(&self.graph, value))
    }

    /// The tensors directly in a dictionary: the one at a key of the top level, or the top level
    /// itself for `None`. They come in the file's order, of all types, also those whose values
    /// cannot be read. Other entries are left out, among them sparse and quantised tensors and
    /// entries with keys that are no text or longer than 256 bytes.
    ///
    /// # Errors
    /// If there is no such dictionary, a tensor's description makes no sense, or the different
    /// views are together more than twice as large as the file.
    pub fn tensors(&self, section: Option<&str>) -> Result<Vec<TensorRef<'a>>, PthError> {
        let root = self.graph.root;
        let id = section.map_or(Some(root), |key| {
            self.graph
                .is_dictionary(root)
                .then(|| self.graph.get(root, key))?
        });
        let id = id
            .filter(|id| self.graph.is_dictionary(*id))
            .ok_or_else(|| self.no_section(section))?;
        let entries = self.graph.dictionary(id).into_iter();
        let tensors = entries.filter_map(|(name, value)| rebuild::tensor(&self.graph, name, value));
        let tensors: Vec<TensorRef> = tensors.collect::<Result<_, PthError>>()?;

        // Views may overlap, so that a small file could ask for any amount of memory.
        let limit = 2 * self.file_size as u64;
        let mut views = BTreeSet::new();
        let mut total = 0;
        // Tensors that cannot be read cost nothing; asking for their values says why.
        for tensor in &tensors {
            if let Ok(len) = self
                .storage(tensor)
                .and_then(|storage| tensor.check(storage))
                && views.insert(&tensor.view)
            {
                // A view is no larger than its storage, and that no larger than the file.
                total += (len * tensor.view.dtype().size()) as u64;
                if total > limit {
                    return Err(PthError::TooMuch { limit });
                }
            }
        }
        Ok(tensors)
    }

    /// The values of a tensor, row-major and contiguous whatever its strides.
    ///
    /// # Errors
    /// If they are not floats, do not lie in the file, are more than its storage has, or the
    /// storage is damaged.
    pub fn values(&self, tensor: &TensorRef) -> Result<Vec<f32>, PthError> {
        let storage = self.storage(tensor)?;
        let len = tensor.check(storage)?;
        // Here and not in `parse`, which reads no storage.
        if let Storages::Zip(archive) = &self.storages {
            archive.verified(&record(tensor))?;
        }
        Ok(tensor.read(storage.unwrap_or_default(), len))
    }

    /// A setting inside dictionaries and objects, for example at `["args", "arch"]`. `None` if
    /// there is none, or it is something else.
    pub fn scalar(&self, path: &[&str]) -> Option<Scalar<'a>> {
        let id = path
            .iter()
            .try_fold(self.graph.root, |id, key| self.graph.get(id, key))?;
        match self.graph.node(id) {
            Node::Text(_) => self.graph.text(id).map(Scalar::Str),
            Node::Int(value) => Some(Scalar::Int(value)),
            Node::Float(value) => Some(Scalar::Float(value)),
            Node::Bool(value) => Some(Scalar::Bool(value)),
            _ => None,
        }
    }

    fn storage(&self, tensor: &TensorRef) -> Result<Option<&'a [u8]>, PthError> {
        match &self.storages {
            Storages::Zip(archive) => archive.bytes(&record(tensor)),
            Storages::Legacy(storages) => Ok(storages.get(tensor.storage()).copied()),
        }
    }

    fn no_section(&self, section: Option<&str>) -> PthError {
        let available: Vec<String> = self
            .sections()
            .into_iter()
            .take(LISTED)
            .map(section_label)
            .collect();
        let available = if available.is_empty() {
            "none".to_owned()
        } else {
            available.join(", ")
        };

        PthError::Section {
            wanted: section_label(section),
            available,
        }
    }
}

fn section_label(section: Option<&str>) -> String {
    match section {
        Some(key) => format!("`{key}`"),
        None => "at the top level".to_owned(),
    }
}

fn record(tensor: &TensorRef) -> String {
    format!("data/{}", tensor.storage())
}

fn archived_object<'a>(archive: &zip::Archive<'a>) -> Result<Graph<'a>, PthError> {
    if archive.contains("constants.pkl") {
        let advice = "a TorchScript program; load it with torch.jit.load and save its state_dict()";
        return Err(PthError::Format(advice.to_owned()));
    }

    match archive.verified("byteorder")? {
        None | Some(b"little") => {}
        Some(b"big") => return Err(PthError::BigEndian),
        Some(_) => {
            let problem = "expected `little` or `big`".to_owned();
            return Err(PthError::Entry {
                name: "byteorder".to_owned(),
                problem,
            });
        }
    }

    let pickle = archive.verified("data.pkl")?;
    let pickle =
        pickle.ok_or_else(|| PthError::Format("a zip archive without a `data.pkl`".to_owned()))?;
    Ok(unpickle(pickle, "data.pkl")?.0)
}
