//! What a layer works out for a grid of tokens and uses in every forward pass on that grid.

use std::sync::{Arc, Mutex, PoisonError};

/// Grids that a layer keeps at once: training has two, of global and of local views, and evaluation
/// at the sides of photographs has many.
const KEPT: usize = 4;

/// What belongs to a grid (rows, columns), for the newest grids. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct PerGrid<T> {
    kept: Arc<Mutex<Vec<Kept<T>>>>,
}

type Kept<T> = ((usize, usize), Arc<T>);

impl<T> PerGrid<T> {
    pub fn new() -> Self {
        Self {
            kept: Arc::default(),
        }
    }

    /// What belongs to `grid`; `make` makes it the first time.
    pub fn get(&self, grid: (usize, usize), make: impl FnOnce() -> T) -> Arc<T> {
        // A thread that panicked in `make` left only whole entries.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = kept.iter().find(|(of, _)| *of == grid) {
            return Arc::clone(found);
        }

        let made = Arc::new(make());
        // The oldest goes: a grid of now is likelier asked for again.
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push((grid, Arc::clone(&made)));
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn the_newest_grids_are_made_once() {
        let per_grid = PerGrid::new();
        let get = |rows| *per_grid.get((rows, 1), || rows);
        assert_eq!([1, 2, 3, 4, 1].map(get), [1, 2, 3, 4, 1]);
        assert_eq!(*per_grid.clone().get((2, 1), || 20), 2);
        // The fifth takes the place of the first.
        get(5);
        assert_eq!(*per_grid.get((1, 1), || 10), 10);
        assert_eq!(*per_grid.get((3, 1), || 30), 3);
    }
}
