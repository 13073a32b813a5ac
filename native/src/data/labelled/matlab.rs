//! Annotations in MAT files.

use crate::data::error::DataError;
use crate::data::mat::{MatFile, MatValue};
use crate::data::tree::FileTree;

/// A MAT file of a set.
pub struct Annotations<'a> {
    tree: &'a FileTree,
    name: String,
    file: MatFile,
}

impl<'a> Annotations<'a> {
    /// Reads the file `name`.
    pub fn read(tree: &'a FileTree, name: String) -> Result<Self, DataError> {
        let bytes = tree.annotation(&name)?;
        let at_fault = |error| DataError::layout(&tree.path_of(&name), format!("{error}"));
        let file = MatFile::read(&bytes).map_err(at_fault)?;
        Ok(Self { tree, name, file })
    }

    /// The path of the file in the set.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The error that something in the file is wrong.
    pub fn fault(&self, problem: impl Into<String>) -> DataError {
        DataError::layout(&self.tree.path_of(&self.name), problem)
    }

    /// The variable `name`, as `read` sees it; `expected` says in messages what it should be.
    ///
    /// # Errors
    /// If there is none, or `read` finds something else.
    pub fn variable<'v, T>(
        &'v self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&'v MatValue) -> Option<T>,
    ) -> Result<T, DataError> {
        let found = self.file.get(name).and_then(read);
        found.ok_or_else(|| {
            self.fault(format!(
                "its variable `{name}` is missing or not {expected}"
            ))
        })
    }
}
