//! The order of a Swin transformer's parameters, from the patches to the final norm.

use super::Swin;

impl Swin {
    /// See [`Backbone::layer_of`](crate::model::Backbone::layer_of). What merges patches after a
    /// stage belongs to its last block.
    pub(in crate::model) fn layer_of(&self, name: &str) -> usize {
        let parts: Vec<&str> = name.split('.').collect();
        match parts[..] {
            ["layers", stage, "blocks", block, ..] => {
                let before: usize = self.depths().take(number(stage)).sum();
                before + number(block) + 1
            }
            ["layers", stage, ..] => self.depths().take(number(stage) + 1).sum(),
            ["norm", ..] => self.depth() + 1,
            _ => 0,
        }
    }
}

fn number(part: &str) -> usize {
    part.parse().unwrap_or(0)
}
