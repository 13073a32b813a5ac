//! A graph under construction: operators by what they compute, constants by value.

use super::OnnxError;
use super::proto::{
    Attribute, Dimension, Extent, FLOAT, Graph, INT64, Node, Shape, Tensor, TensorType, Type, Value,
};
use crate::weights::{Weight, Weights};

/// Name of a value in the graph.
pub(super) type Edge = String;

/// Nodes and constants in the order of their making, which is one in which they can run.
pub(super) struct Builder<'a> {
    weights: &'a Weights,
    graph: Graph,
}

impl<'a> Builder<'a> {
    pub fn new(weights: &'a Weights, name: &str) -> Self {
        Self {
            weights,
            graph: Graph {
                name: name.to_owned(),
                ..Graph::default()
            },
        }
    }

    /// The tensor of a parameter.
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

    /// A constant of floats.
    pub fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> Edge {
        let raw_data = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.constant(name, shape, FLOAT, raw_data)
    }

    /// A constant list of integers.
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
        self.graph.initializer.push(Tensor {
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
        attributes: Vec<Attribute>,
    ) -> Edge {
        self.nodes(operator, name, inputs, attributes, vec![name.to_owned()]);
        name.to_owned()
    }

    /// An operator with several outputs.
    pub fn nodes(
        &mut self,
        operator: &str,
        name: &str,
        inputs: &[&Edge],
        attribute: Vec<Attribute>,
        output: Vec<Edge>,
    ) {
        self.graph.node.push(Node {
            input: inputs.iter().map(|edge| (*edge).clone()).collect(),
            output,
            name: name.to_owned(),
            op_type: operator.to_owned(),
            attribute,
        });
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

    pub fn finish(self) -> Graph {
        self.graph
    }
}

/// An attribute that is a list of integers.
pub(super) fn ints(name: &str, values: &[i64]) -> Attribute {
    Attribute {
        name: name.to_owned(),
        ints: values.to_vec(),
        r#type: 7,
        ..Attribute::default()
    }
}

/// An attribute that is an integer.
pub(super) fn int(name: &str, value: i64) -> Attribute {
    Attribute {
        name: name.to_owned(),
        i: value,
        r#type: 2,
        ..Attribute::default()
    }
}

/// An attribute that is a float.
pub(super) fn float(name: &str, value: f32) -> Attribute {
    Attribute {
        name: name.to_owned(),
        f: value,
        r#type: 1,
        ..Attribute::default()
    }
}

fn value(name: &str, extents: &[usize]) -> Value {
    let batch = Dimension {
        value: Some(Extent::Free("batch".to_owned())),
    };
    let fixed = extents.iter().map(|extent| Dimension {
        value: Some(Extent::Fixed(*extent as i64)),
    });
    let shape = Shape {
        dim: std::iter::once(batch).chain(fixed).collect(),
    };
    let tensor_type = Some(TensorType {
        elem_type: FLOAT,
        shape: Some(shape),
    });
    Value {
        name: name.to_owned(),
        r#type: Some(Type { tensor_type }),
    }
}
