//! How much of each patch each class covers.

/// For each patch the classes of its pixels, and the share of each; most patches have one class, so
/// only those that occur are kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PatchShares {
    entries: Vec<(usize, f32)>,
    /// Where the entries of each patch end.
    ends: Vec<usize>,
}

impl PatchShares {
    /// Adds a patch.
    pub fn push(&mut self, shares: impl IntoIterator<Item = (usize, f32)>) {
        self.entries.extend(shares);
        self.ends.push(self.entries.len());
    }

    /// Number of patches.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no patch.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The classes of a patch with their shares, in ascending order; none if all its pixels are
    /// ignored.
    ///
    /// # Panics
    /// If there is no such patch.
    pub fn of(&self, patch: usize) -> &[(usize, f32)] {
        let start = match patch {
            0 => 0,
            patch => self.ends[patch - 1],
        };
        &self.entries[start..self.ends[patch]]
    }

    /// All patches in order.
    pub fn iter(&self) -> impl Iterator<Item = &[(usize, f32)]> {
        (0..self.len()).map(|patch| self.of(patch))
    }
}
