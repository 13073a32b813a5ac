//! The order of a vision transformer's parameters, from the patches to the final norm.

use super::Vit;

impl Vit {
    /// See [`Backbone::layer_of`](crate::model::Backbone::layer_of).
    pub(in crate::model) fn layer_of(&self, name: &str) -> usize {
        let mut parts = name.split('.');
        match parts.next() {
            Some("blocks") => {
                let block = parts.next().and_then(|block| block.parse::<usize>().ok());
                block.map_or(0, |block| block + 1)
            }
            Some("norm") => self.depth() + 1,
            _ => 0,
        }
    }
}
