//! How PyTorch names and stores the parameters of a module, where burn does it differently.
//!
//! burn names a parameter by the fields that lead to it. A struct whose fields have other names or
//! layouts in the official code has a [`Naming`] beside it. [`NAMES`](super::NAMES) lists them all,
//! and `weights::Path` joins them to the name of a parameter.

/// What the official code has in place of a struct's fields.
#[derive(Debug)]
pub(crate) struct Naming {
    module: &'static str,
    fields: &'static [Field],
}

/// A field of a struct, as the official code has it.
#[derive(Debug)]
pub(crate) struct Field {
    field: &'static str,
    pub name: &'static str,
    /// The official places of a sequence's items are multiples of this.
    pub step: usize,
    /// Layout of the matrix of this field, if it is not stored alike.
    pub layout: Option<Layout>,
}

pub(super) const LINEAR: Naming =
    Naming::of("Linear", &[field("weight").stored(Layout::Transposed)]);

pub(super) const LAYER_NORM: Naming = Naming::of(
    "LayerNorm",
    &[field("gamma").named("weight"), field("beta").named("bias")],
);

impl Naming {
    /// The fields of the struct `module` that are not alike in the official code.
    pub const fn of(module: &'static str, fields: &'static [Field]) -> Self {
        Self { module, fields }
    }

    /// The entry of a field in a container that burn's visitors call `Struct:` and its name.
    pub fn find(&self, container: &str, field: &str) -> Option<&Field> {
        if container.strip_prefix("Struct:") != Some(self.module) {
            return None;
        }
        self.fields.iter().find(|entry| entry.field == field)
    }
}

/// An entry for `field`: the same name and layout until told otherwise.
pub(crate) const fn field(field: &'static str) -> Field {
    Field {
        field,
        name: field,
        step: 1,
        layout: None,
    }
}

impl Field {
    pub const fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// A sequence of which only every `step`-th item has parameters; between them are activations.
    pub const fn every(self, step: usize) -> Self {
        Self { step, ..self }
    }

    /// With another layout. For a field that is a linear layer, this is its weight's.
    pub const fn stored(self, layout: Layout) -> Self {
        Self {
            layout: Some(layout),
            ..self
        }
    }
}

/// How burn's storage relates to PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Same,
    /// A linear layer: `[in, out]` here, `[out, in]` there.
    Transposed,
    /// The patch projection: `[3 p p, D]` here, a `[D, 3, p, p]` convolution kernel there.
    Patches,
}

impl Layout {
    /// The official shape of a parameter whose shape here is `shape`.
    pub fn official_shape(self, shape: &[usize]) -> Vec<usize> {
        match (self, shape) {
            (Self::Transposed, [rows, columns]) => vec![*columns, *rows],
            (Self::Patches, [rows, columns]) => {
                // The rows are three channels of a square.
                let side = (rows / 3).isqrt();
                vec![*columns, 3, side, side]
            }
            _ => shape.to_vec(),
        }
    }

    /// Values in the official order, of a parameter whose shape here is `shape`.
    pub fn to_official(self, shape: &[usize], values: Vec<f32>) -> Vec<f32> {
        match (self, shape) {
            (Self::Transposed | Self::Patches, [rows, columns]) => {
                transpose(&values, *rows, *columns)
            }
            _ => values,
        }
    }

    /// Values in the order here, of a parameter whose shape here is `shape`.
    pub fn to_burn(self, shape: &[usize], official: &[f32]) -> Vec<f32> {
        match (self, shape) {
            (Self::Transposed | Self::Patches, [rows, columns]) => {
                transpose(official, *columns, *rows)
            }
            _ => official.to_vec(),
        }
    }
}

fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|column| (0..rows).map(move |row| values[row * columns + column]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn patch_projections_become_convolution_kernels_and_back() {
        let values: Vec<f32> = (0..12 * 5).map(|i| i as f32).collect();
        let official = Layout::Patches.to_official(&[12, 5], values.clone());
        assert_eq!(Layout::Patches.official_shape(&[12, 5]), [5, 3, 2, 2]);
        // Output channel 1, input 3 (color 0, row 1, column 1) was row 3, column 1.
        assert_eq!(official[12 + 3], values[3 * 5 + 1]);
        assert_eq!(Layout::Patches.to_burn(&[12, 5], &official), values);
    }
}
