//! A graph under construction: operators by name, constants by value, and the layers that are
//! composed of several operators.

use super::error::OnnxError;
use super::proto::{
    AttributeProto, Dimension, Extent, FLOAT, GraphProto, INT64, NodeProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use crate::weights::{Weight, Weights};

/// Name of a value in the graph.
pub(crate) type Edge = String;

/// Nodes and constants in the order in which they were added, in which they can also run.
pub(crate) struct GraphBuilder<'a> {
    weights: &'a Weights,
    graph: GraphProto,
}

impl<'a> GraphBuilder<'a> {
    pub fn new(weights: &'a Weights, name: &str) -> Self {
        Self {
            weights,
            graph: GraphProto {
                name: name.to_owned(),
                ..GraphProto::default()
            },
        }
    }

    pub fn weight(&self, name: &str) -> Result<&'a Weight, OnnxError> {
        self.weights
            .get(name)
            .ok_or_else(|| OnnxError::Missing(name.to_owned()))
    }

    /// A parameter as a constant of its own name.
    pub fn parameter(&mut self, name: &str) -> Result<Edge, OnnxError> {
        let weight = self.weight(name)?;
        Ok(self.floats(name, &weight.shape, &weight.values))
    }

    pub fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> Edge {
        // ONNX keeps the bytes of constants in little-endian order on every machine.
        let raw_data = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.constant(name, shape, FLOAT, raw_data)
    }

    pub fn integers(&mut self, name: &str, values: &[i64]) -> Edge {
        let raw_data = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.constant(name, &[values.len()], INT64, raw_data)
    }

    /// A constant integer without dimensions.
    pub fn integer(&mut self, name: &str, value: i64) -> Edge {
        self.constant(name, &[], INT64, value.to_le_bytes().to_vec())
    }

    fn constant(&mut self, name: &str, shape: &[usize], data_type: i32, raw_data: Vec<u8>) -> Edge {
        let dims = shape.iter().map(|extent| *extent as i64).collect();
        self.graph.initializer.push(TensorProto {
            dims,
            data_type,
            name: name.to_owned(),
            raw_data,
        });
        name.to_owned()
    }

    /// An operator with one output, which takes the operator's name.
    pub fn node(
        &mut self,
        operator: &str,
        name: &str,
        inputs: &[&Edge],
        attributes: Vec<AttributeProto>,
    ) -> Edge {
        self.nodes(operator, name, inputs, attributes, vec![name.to_owned()]);
        name.to_owned()
    }

    pub fn nodes(
        &mut self,
        operator: &str,
        name: &str,
        inputs: &[&Edge],
        attribute: Vec<AttributeProto>,
        output: Vec<Edge>,
    ) {
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|edge| (*edge).clone()).collect(),
            output,
            name: name.to_owned(),
            op_type: operator.to_owned(),
            attribute,
        });
    }

    /// A layer norm of the parameters `name.weight` and `name.bias`.
    pub fn layer_norm(&mut self, name: &str, x: &Edge) -> Result<Edge, OnnxError> {
        let weight = self.parameter(&format!("{name}.weight"))?;
        let bias = self.parameter(&format!("{name}.bias"))?;
        // The networks' epsilon; the operator's default is 1e-5.
        let attributes = vec![int("axis", -1), float("epsilon", 1e-6)];
        Ok(self.node("LayerNormalization", name, &[x, &weight, &bias], attributes))
    }

    /// `x Wᵀ + b` of the parameters `name.weight` and `name.bias`.
    pub fn linear(&mut self, name: &str, x: &Edge) -> Result<Edge, OnnxError> {
        let product = self.product(name, x)?;
        let bias = self.parameter(&format!("{name}.bias"))?;
        Ok(self.node("Add", name, &[&product, &bias], vec![]))
    }

    /// `x Wᵀ` of the parameter `name.weight`, stored the way MatMul takes it.
    pub fn product(&mut self, name: &str, x: &Edge) -> Result<Edge, OnnxError> {
        let weight_name = format!("{name}.weight");
        let weight = self.weight(&weight_name)?;
        let &[outputs, inputs] = &weight.shape[..] else {
            return Err(OnnxError::Rank {
                name: weight_name,
                shape: weight.shape.clone(),
            });
        };
        // `MatMul` has no flag to transpose, as `Gemm` has, which takes only matrices.
        let mut transposed = Vec::with_capacity(inputs * outputs);
        for input in 0..inputs {
            for output in 0..outputs {
                transposed.push(weight.values[output * inputs + input]);
            }
        }

        let weight = self.floats(&weight_name, &[inputs, outputs], &transposed);
        Ok(self.node("MatMul", &format!("{name}.product"), &[x, &weight], vec![]))
    }

    /// Exact GELU.
    pub fn gelu(&mut self, name: &str, x: &Edge) -> Edge {
        // Opset 17 has no operator for it.
        let inverse_root = std::f32::consts::FRAC_1_SQRT_2;
        let factor = self.floats(&format!("{name}.factor"), &[], &[inverse_root]);
        let one = self.floats(&format!("{name}.one"), &[], &[1.0]);
        let half = self.floats(&format!("{name}.half"), &[], &[0.5]);

        let scaled = self.node("Mul", &format!("{name}.scaled"), &[x, &factor], vec![]);
        let erf = self.node("Erf", &format!("{name}.erf"), &[&scaled], vec![]);
        let sum = self.node(
            "Add",
            &format!("{name}.erf_plus_one"),
            &[&erf, &one],
            vec![],
        );
        let cdf = self.node("Mul", &format!("{name}.cdf"), &[&sum, &half], vec![]);
        self.node("Mul", &format!("{name}.gelu"), &[x, &cdf], vec![])
    }

    pub fn silu(&mut self, name: &str, x: &Edge) -> Edge {
        let sigmoid = self.node("Sigmoid", &format!("{name}.sigmoid"), &[x], vec![]);
        self.node("Mul", &format!("{name}.silu"), &[x, &sigmoid], vec![])
    }

    /// Declares an input of the graph: `[batch, extents...]` floats.
    pub fn input(&mut self, name: &str, extents: &[usize]) -> Edge {
        self.graph.input.push(value(name, extents));
        name.to_owned()
    }

    /// Declares an output of the graph: `[batch, extents...]` floats.
    pub fn output(&mut self, name: &str, extents: &[usize]) {
        self.graph.output.push(value(name, extents));
    }

    pub fn finish(self) -> GraphProto {
        self.graph
    }
}

// `type` has ONNX's numbers of attribute types: 1 a float, 2 an integer, 7 integers.
pub(crate) fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        ints: values.to_vec(),
        r#type: 7,
        ..AttributeProto::default()
    }
}

pub(crate) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        i: value,
        r#type: 2,
        ..AttributeProto::default()
    }
}

pub(crate) fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        f: value,
        r#type: 1,
        ..AttributeProto::default()
    }
}

fn value(name: &str, extents: &[usize]) -> ValueInfoProto {
    let batch = Dimension {
        value: Some(Extent::Free("batch".to_owned())),
    };
    let fixed = extents.iter().map(|extent| Dimension {
        value: Some(Extent::Fixed(*extent as i64)),
    });

    let shape = TensorShapeProto {
        dim: std::iter::once(batch).chain(fixed).collect(),
    };
    let tensor_type = Some(TensorTypeProto {
        elem_type: FLOAT,
        shape: Some(shape),
    });
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto { tensor_type }),
    }
}
