//! The plain values of a pickle.

use super::array::Array;
use super::error::PickleError;
use super::graph::Graph;
use super::machine::unpickle;
use super::node::{Id, Node};

/// A pickle that holds plain values, over the bytes of its file.
#[derive(Debug)]
pub struct Pickle<'a> {
    graph: Graph<'a>,
}

/// A value in a pickle.
#[derive(Clone, Copy, Debug)]
pub struct PlainValue<'p> {
    graph: &'p Graph<'p>,
    id: Id,
}

impl<'a> Pickle<'a> {
    /// Reads a pickle of protocol 2 to 5. It takes at most 96 bytes of memory for each byte.
    ///
    /// # Errors
    /// If the bytes are no pickle, one of an older protocol, or damaged.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PickleError> {
        let (graph, _) = unpickle(bytes, "pickle")?;
        Ok(Self { graph })
    }

    /// The value that the pickle is of.
    pub fn root(&self) -> PlainValue<'_> {
        PlainValue {
            graph: &self.graph,
            id: self.graph.root,
        }
    }
}

impl<'p> PlainValue<'p> {
    fn at(self, id: Id) -> Self {
        Self { id, ..self }
    }

    /// The value at `key` of a dictionary.
    pub fn get(self, key: &str) -> Option<Self> {
        if !self.graph.is_dictionary(self.id) {
            return None;
        }
        self.graph.get(self.id, key).map(|id| self.at(id))
    }

    /// A text, if it is one in UTF-8.
    pub fn text(self) -> Option<&'p str> {
        self.graph.text(self.id)
    }

    /// A number, plain or of numpy.
    pub fn number(self) -> Option<f64> {
        match self.graph.node(self.id) {
            Node::Int(value) => return Some(value as f64),
            Node::Float(value) => return Some(value),
            _ => {}
        }
        match Array::read(self.graph, self.id)? {
            Array::Numbers(array) if array.len() == 1 => array.values().first().copied(),
            _ => None,
        }
    }

    /// The items of a list, a tuple, or an array of objects; `None` of something else.
    pub fn items(self) -> Option<impl Iterator<Item = Self>> {
        let list = match self.graph.node(self.id) {
            Node::List(_) | Node::Tuple(_) => self.id,
            _ => match Array::read(self.graph, self.id)? {
                Array::Objects(list) => list,
                Array::Numbers(_) => return None,
            },
        };
        Some(self.graph.entries(list).map(move |(_, id)| self.at(id)))
    }

    /// The numbers of an array of unsigned bytes of any shape, in order; `None` if it is something
    /// else, or if there are more than `most`.
    pub fn unsigned_bytes(self, most: usize) -> Option<Vec<u8>> {
        match Array::read(self.graph, self.id)? {
            Array::Numbers(array) if array.len() <= most => array.unsigned_bytes(),
            _ => None,
        }
    }

    /// The numbers of a list, a tuple or an array of any shape, in order; `None` if it is something
    /// else, or if there are more than `most`.
    pub fn numbers(self, most: usize) -> Option<Vec<f64>> {
        if let Some(Array::Numbers(array)) = Array::read(self.graph, self.id) {
            return (array.len() <= most).then(|| array.values());
        }

        let mut numbers = Vec::new();
        for item in self.items()? {
            if numbers.len() == most {
                return None;
            }
            numbers.push(item.number()?);
        }
        Some(numbers)
    }
}

#[cfg(test)]
mod tests;
