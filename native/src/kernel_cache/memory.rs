//! burn's measurements in memory.

use burn::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig as _};
use cubecl_environment::bytes::Bytes;
use cubecl_environment::environment;
use cubecl_environment::persistence::{MemoryStorage, Origin, open};
use cubecl_environment::records::{self, RecordLevel, RecordsConfig};

use super::file::Entries;

// No system accepts this path for burn's database, and without one burn keeps everything in memory.
pub const NOWHERE: &str = "\0";

/// Makes burn keep its measurements in memory.
pub fn keep_in_memory() {
    // Reading the configuration sets both of the following, so it comes first.
    CubeClRuntimeConfig::get();
    environment::set_root(NOWHERE);
    // burn would keep an account of every start, which grows without end.
    records::configure(RecordsConfig {
        level: RecordLevel::Off,
        keep_sessions: None,
    });
}

pub fn size() -> (u64, u64) {
    let namespaces = MemoryStorage::namespaces();
    namespaces.iter().fold((0, 0), |(entries, bytes), each| {
        (entries + each.entries, bytes + each.bytes)
    })
}

pub fn take() -> Entries {
    let mut entries = Entries::new();
    for each in MemoryStorage::namespaces() {
        let mut pairs = Vec::new();
        open(&each.namespace).scan(&mut |key, value| pairs.push((key.to_vec(), value.to_vec())));
        entries.insert(each.namespace, pairs);
    }
    entries
}

/// Puts `entries` into burn's memory. What burn measures itself replaces them.
pub fn give(entries: Entries) {
    for (namespace, pairs) in entries {
        let mut pairs = pairs
            .into_iter()
            .map(|(key, value)| (Bytes::from_bytes_vec(key), Bytes::from_bytes_vec(value)));
        open(&namespace).insert_many(&mut pairs, Origin::Imported);
    }
}
