//! The format of torch before 1.6: five pickles in a row, then the storages.

use std::collections::BTreeMap;

use super::PthError;
use super::rebuild::Storage;
use crate::pickle::{Graph, Node, unpickle};

/// The first pickle: the integer 0x1950a86a20f9469cfc6c.
const MAGIC: &[u8] = b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
const VERSION: i64 = 1001;

pub(super) type Storages<'a> = BTreeMap<&'a str, &'a [u8]>;

/// Whether these are the first bytes of any pickle that this module could be asked to read.
pub(super) fn is_pickle(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80, 2..=5, ..])
}

/// Reads the whole file: its object and where the storages lie.
pub(super) fn parse(bytes: &[u8]) -> Result<(Graph<'_>, Storages<'_>), PthError> {
    let mut at = 0;
    let mut next = |what| {
        let (graph, len) = unpickle(&bytes[at..], what)?;
        at += len;
        Ok::<_, PthError>(graph)
    };

    let magic = next("first pickle (the magic number)")?;
    if !matches!(magic.node(magic.root), Node::Long(span) if magic.bytes(span) == MAGIC) {
        return Err(PthError::Format(
            "a pickle, but not of torch.save, whose magic number it lacks".to_owned(),
        ));
    }
    let version = next("second pickle (the version)")?;
    if version.node(version.root) != Node::Int(VERSION) {
        return Err(PthError::Format(format!(
            "its version is not {VERSION}, the only one there was"
        )));
    }

    let system = next("third pickle (the system)")?;
    if system.get(system.root, "little_endian") == Some(Graph::FALSE) {
        return Err(PthError::BigEndian);
    }

    let object = next("fourth pickle (the object)")?;
    let keys = next("fifth pickle (the storages)")?;
    let storages = storages(bytes, at, &object, &keys)?;
    Ok((object, storages))
}

/// Finds the data of all storages, in the order of their keys: a number of elements, then the
/// elements.
fn storages<'a>(
    bytes: &'a [u8],
    mut at: usize,
    object: &Graph<'a>,
    keys: &Graph<'a>,
) -> Result<Storages<'a>, PthError> {
    // Only the object gives the size of an element, at the first mention of the storage.
    let mut sizes = BTreeMap::new();
    for node in object.nodes() {
        if let Node::Persistent(id) = node
            && let Some(storage) = Storage::read(object, *id)
        {
            sizes.entry(storage.key).or_insert(storage.element_size);
        }
    }

    let mut storages = Storages::new();
    for (_, key) in keys.entries(keys.root) {
        let (key, size) = keys
            .name(key)
            .and_then(|key| Some((key, (*sizes.get(key)?)?)))
            .ok_or_else(|| {
                failure(
                    at,
                    "a storage that no tensor has, or of an unknown type".to_owned(),
                )
            })?;

        // A number of elements, then the elements.
        let count = bytes
            .get(at..)
            .and_then(|rest| rest.first_chunk())
            .map(|bytes| u64::from_le_bytes(*bytes))
            .ok_or_else(|| failure(at, format!("no length of storage `{key}`")))?;
        let len = usize::try_from(count)
            .ok()
            .and_then(|count| count.checked_mul(size));
        let data = len
            .and_then(|len| bytes.get(at + 8..)?.get(..len))
            .ok_or_else(|| {
                let left = bytes.len() - at - 8;
                let problem = format!(
                    "storage `{key}` of {count} elements of {size} bytes, but {left} bytes are left"
                );
                failure(at, problem)
            })?;

        if storages.insert(key, data).is_some() {
            return Err(failure(at, format!("a second storage `{key}`")));
        }
        at += 8 + data.len();
    }
    Ok(storages)
}

fn failure(at: usize, problem: String) -> PthError {
    PthError::Legacy { at, problem }
}
