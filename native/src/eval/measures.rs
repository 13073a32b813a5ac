//! Measures: numbers with names, in the order in which an evaluation gives them.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Names and values; in JSON an object that keeps their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measures(Vec<(String, f64)>);

impl Measures {
    pub fn push(&mut self, name: String, value: f64) {
        self.0.push((name, value));
    }

    /// Sets a measure to `value` if it is new or less.
    pub fn raise(&mut self, name: &str, value: f64) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, best)) => *best = best.max(value),
            None => self.push(name.to_owned(), value),
        }
    }

    pub fn get(&self, name: &str) -> Option<f64> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        Some(*value)
    }

    /// `name`, if there is such a measure.
    pub fn named(&self, name: &str) -> Option<&str> {
        self.iter()
            .map(|(known, _)| known)
            .find(|known| *known == name)
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }
}

impl Serialize for Measures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Measures {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Measures;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object of numbers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Measures, A::Error> {
        let mut measures = Measures::default();
        while let Some((name, value)) = map.next_entry()? {
            measures.push(name, value);
        }
        Ok(measures)
    }
}
