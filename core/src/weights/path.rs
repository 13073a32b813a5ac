//! Official names and layouts of parameters, from where a traversal of a module stands.

use super::Weight;

/// Where a traversal of a module stands.
#[derive(Default, Debug)]
pub(crate) struct Path(Vec<(String, String)>);

impl Path {
    /// To be called from `enter_module`.
    pub fn enter(&mut self, name: &str, container: &str) {
        self.0.push((name.to_owned(), container.to_owned()));
    }

    /// To be called from `exit_module`.
    pub fn exit(&mut self) {
        self.0.pop();
    }

    /// The official name of the parameter here.
    pub fn name(&self) -> String {
        let mut name = String::new();
        for (i, (part, container)) in self.0.iter().enumerate() {
            if i > 0 {
                name.push('.');
            }
            let in_head = i > 0 && container == "Vec" && self.0[i - 1].0 == "mlp";
            match (part.as_str(), container.as_str(), part.parse::<usize>()) {
                ("gamma", "Struct:LayerNorm", _) => name.push_str("weight"),
                ("beta", "Struct:LayerNorm", _) => name.push_str("bias"),
                // The head's MLP is a sequence of layers and activations in the official code: 0,
                // 2, 4.
                (_, _, Ok(index)) if in_head => name.push_str(&(2 * index).to_string()),
                _ => name.push_str(part),
            }
        }
        name
    }

    /// How the parameter here is stored.
    pub fn layout(&self) -> Layout {
        match self.0.as_slice() {
            [.., (_, parent), (leaf, container)]
                if container == "Struct:Linear" && leaf == "weight" =>
            {
                if parent == "Struct:PatchEmbed" {
                    Layout::Patches
                } else {
                    Layout::Transposed
                }
            }
            _ => Layout::Same,
        }
    }
}

/// How burn's storage relates to PyTorch's.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Layout {
    Same,
    /// A linear layer: `[in, out]` here, `[out, in]` there.
    Transposed,
    /// The patch projection: `[3 p p, D]` here, a `[D, 3, p, p]` convolution kernel there.
    Patches,
}

impl Layout {
    pub fn official_shape(self, shape: &[usize]) -> Vec<usize> {
        match (self, shape) {
            (Self::Transposed, [rows, columns]) => vec![*columns, *rows],
            (Self::Patches, [rows, columns]) => {
                let side = (rows / 3).isqrt();
                vec![*columns, 3, side, side]
            }
            _ => shape.to_vec(),
        }
    }

    pub fn to_official(self, shape: &[usize], values: Vec<f32>) -> Weight {
        let values = match (self, shape) {
            (Self::Transposed | Self::Patches, [rows, columns]) => {
                transpose(&values, *rows, *columns)
            }
            _ => values,
        };
        Weight {
            shape: self.official_shape(shape),
            values,
        }
    }

    pub fn values_from_official(self, shape: &[usize], weight: &Weight) -> Vec<f32> {
        match (self, shape) {
            (Self::Transposed | Self::Patches, [rows, columns]) => {
                transpose(&weight.values, *columns, *rows)
            }
            _ => weight.values.clone(),
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
        let weight = Layout::Patches.to_official(&[12, 5], values.clone());
        assert_eq!(weight.shape, [5, 3, 2, 2]);
        // Output channel 1, input 3 (color 0, row 1, column 1) was row 3, column 1.
        assert_eq!(weight.values[12 + 3], values[3 * 5 + 1]);
        assert_eq!(
            Layout::Patches.values_from_official(&[12, 5], &weight),
            values
        );
    }

    #[test]
    fn names_are_the_official_ones() {
        let name = |parts: &[(&str, &str)]| {
            let mut path = Path::default();
            parts
                .iter()
                .for_each(|(part, container)| path.enter(part, container));
            path.name()
        };
        let norm = [
            ("blocks", "Struct:Vit"),
            ("1", "Vec"),
            ("norm1", "Struct:Block"),
            ("gamma", "Struct:LayerNorm"),
        ];
        assert_eq!(name(&norm), "blocks.1.norm1.weight");
        let head = [
            ("head", "Struct:Network"),
            ("mlp", "Struct:Head"),
            ("2", "Vec"),
            ("bias", "Struct:Linear"),
        ];
        assert_eq!(name(&head), "head.mlp.4.bias");
    }
}
