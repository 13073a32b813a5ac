//! What a text names, whose files are listed once, however many layouts are looked for.

use std::cell::OnceCell;
use std::path::Path;
use std::sync::Arc;

use super::error::DataError;
use super::split::place_and_split;
use super::tree::FileTree;

/// A folder or file, and the part of it that stands behind a colon.
pub struct NamedPlace<'a> {
    pub spec: &'a str,
    pub path: &'a Path,
    pub part: Option<&'a str>,
    tree: OnceCell<Option<Arc<FileTree>>>,
}

impl<'a> NamedPlace<'a> {
    pub fn of(spec: &'a str) -> Self {
        let (path, part) = place_and_split(spec);
        Self {
            spec,
            path,
            part,
            tree: OnceCell::new(),
        }
    }

    /// Its files; `None` if it is neither a folder nor a tar archive.
    pub fn tree(&self) -> Result<Option<Arc<FileTree>>, DataError> {
        if let Some(known) = self.tree.get() {
            return Ok(known.clone());
        }
        // To list the files of an archive, all of it is read.
        let tree = FileTree::open(self.path)?.map(Arc::new);
        Ok(self.tree.get_or_init(|| tree).clone())
    }
}
