//! Official names and layouts of parameters, from where a traversal of a module stands.

use crate::model::NAMES;
use crate::model::naming::{Field, Layout};

/// The fields that lead from a module to where its traversal stands.
#[derive(Default, Debug)]
pub(super) struct Path(Vec<Segment>);

#[derive(Debug)]
struct Segment {
    /// A field's name, an index, or a variant of an enum.
    field: String,
    /// The type that has the field, as burn's visitors call it.
    container: String,
    official: Option<&'static Field>,
}

impl Path {
    pub fn enter(&mut self, field: &str, container: &str) {
        self.0.push(Segment {
            field: field.to_owned(),
            container: container.to_owned(),
            official: NAMES
                .iter()
                .find_map(|naming| naming.find(container, field)),
        });
    }

    pub fn exit(&mut self) {
        self.0.pop();
    }

    pub fn name(&self) -> String {
        let mut segments = Vec::with_capacity(self.0.len());
        // Of the sequence whose item comes next.
        let mut step = 1;

        for Segment {
            field,
            container,
            official,
        } in &self.0
        {
            // The official code has no enums: a variant of ours adds nothing to a name.
            if container.starts_with("Enum:") {
                continue;
            }
            segments.push(match (official, field.parse::<usize>()) {
                (Some(official), _) => official.name.to_owned(),
                (None, Ok(index)) if container == "Vec" => (step * index).to_string(),
                (None, _) => field.clone(),
            });
            step = official.map_or(1, |official| official.step);
        }

        segments.join(".")
    }

    pub fn layout(&self) -> Layout {
        let mut layouts = self.0.iter().rev().map(|step| step.official?.layout);
        // Only a parameter that has a layout of its own, a matrix, takes that of a field around it.
        let Some(own) = layouts.next().flatten() else {
            return Layout::Same;
        };
        layouts.flatten().next().unwrap_or(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn path(steps: &[(&str, &str)]) -> Path {
        let mut path = Path::default();
        for (field, container) in steps {
            path.enter(field, container);
        }
        path
    }

    #[test]
    fn names_are_the_official_ones() {
        let norm = [
            ("backbone", "Struct:Network"),
            ("Vit", "Enum:Backbone"),
            ("blocks", "Struct:Vit"),
            ("1", "Vec"),
            ("norm1", "Struct:Block"),
            ("gamma", "Struct:LayerNorm"),
        ];
        assert_eq!(path(&norm).name(), "backbone.blocks.1.norm1.weight");
        let head = [
            ("head", "Struct:Network"),
            ("mlp", "Struct:Head"),
            ("2", "Vec"),
            ("bias", "Struct:Linear"),
        ];
        assert_eq!(path(&head).name(), "head.mlp.4.bias");
    }

    #[test]
    fn only_matrices_have_a_layout() {
        let layout = |leaf| {
            let steps = [("patch_embed", "Struct:Vit"), ("proj", "Struct:PatchEmbed")];
            let mut path = path(&steps);
            path.enter(leaf, "Struct:Linear");
            path.layout()
        };
        assert_eq!(layout("weight"), Layout::Patches);
        assert_eq!(layout("bias"), Layout::Same);
        let linear = [("fc1", "Struct:Mlp"), ("weight", "Struct:Linear")];
        assert_eq!(path(&linear).layout(), Layout::Transposed);
    }
}
