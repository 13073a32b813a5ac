//! The values that a pickle describes: inert, in an arena, linked by index.
//!
//! Nothing here recurses and nothing is copied: a value that a pickle shares is one node, a cycle
//! is an index, and dropping the graph frees a few vectors. Text stays in the file. A node comes
//! from at least one byte of the pickle.

use super::node::{Chain, Id, NIL, Node, Span};
use std::collections::BTreeMap;

// In bytes. Keys that a pickle repeats are compared each time, which this bounds.
pub(crate) const MAX_NAME: usize = 256;
#[derive(Clone, Copy, Debug)]
struct Link {
    key: Id,
    value: Id,
    next: u32,
}

/// A call that was not made, and the contents that its result was then given.
#[derive(Clone, Copy, Debug)]
struct Object {
    callable: Id,
    arguments: Id,
    /// The source of its attributes.
    state: Id,
    contents: Chain,
}

#[derive(Debug)]
pub(crate) struct Graph<'a> {
    pickle: &'a [u8],
    nodes: Vec<Node>,
    entries: Vec<Link>,
    objects: Vec<Object>,
    /// The value of the whole pickle.
    pub root: Id,
}

impl<'a> Graph<'a> {
    // The values that are the same wherever they occur.
    pub const NONE: Id = 0;
    pub const FALSE: Id = 1;
    pub const TRUE: Id = 2;
    pub const EMPTY_TUPLE: Id = 3;

    pub fn new(pickle: &'a [u8]) -> Self {
        let nodes = vec![
            Node::None,
            Node::Bool(false),
            Node::Bool(true),
            Node::Tuple(Chain::EMPTY),
        ];
        // More than 4 GiB would not fit into indices.
        let most = (NIL as usize) - nodes.len();
        let pickle = pickle.get(..most).unwrap_or(pickle);

        Self {
            pickle,
            nodes,
            entries: Vec::new(),
            objects: Vec::new(),
            root: Self::NONE,
        }
    }

    pub fn pickle(&self) -> &'a [u8] {
        self.pickle
    }

    pub fn add(&mut self, node: Node) -> Id {
        self.nodes.push(node);
        // There are no more nodes than bytes in the pickle, so indices fit.
        (self.nodes.len() - 1) as Id
    }

    pub fn add_object(&mut self, callable: Id, arguments: Id) -> Id {
        self.objects.push(Object {
            callable,
            arguments,
            state: NIL,
            contents: Chain::EMPTY,
        });
        self.add(Node::Object((self.objects.len() - 1) as u32))
    }

    /// Puts `value` into a container or object, under `key` or, if that is `NIL`, at its end.
    pub fn put(&mut self, container: Id, key: Id, value: Id) {
        let entry = self.entries.len() as u32;
        let chain = match &mut self.nodes[container as usize] {
            Node::Tuple(chain) | Node::List(chain) | Node::Set(chain) | Node::Dict(chain) => chain,
            Node::Object(object) => &mut self.objects[*object as usize].contents,
            _ => return,
        };

        // At the end of the list, in constant time.
        match chain.last {
            NIL => chain.first = entry,
            last => self.entries[last as usize].next = entry,
        }
        chain.last = entry;
        self.entries.push(Link {
            key,
            value,
            next: NIL,
        });
    }

    pub fn set_state(&mut self, object: Id, state: Id) -> bool {
        let Node::Object(object) = self.node(object) else {
            return false;
        };
        self.objects[object as usize].state = state;
        true
    }

    pub fn node(&self, id: Id) -> Node {
        self.nodes.get(id as usize).copied().unwrap_or(Node::None)
    }

    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub fn bytes(&self, span: Span) -> &'a [u8] {
        let from = span.at as usize;
        self.pickle
            .get(from..from + span.len as usize)
            .unwrap_or_default()
    }

    pub fn text(&self, id: Id) -> Option<&'a str> {
        let Node::Text(span) = self.node(id) else {
            return None;
        };
        std::str::from_utf8(self.bytes(span)).ok()
    }

    /// A text of at most [`MAX_NAME`] bytes.
    pub fn name(&self, id: Id) -> Option<&'a str> {
        match self.node(id) {
            Node::Text(span) if span.len as usize <= MAX_NAME => self.text(id),
            _ => None,
        }
    }

    /// An integer that counts something.
    pub fn count(&self, id: Id) -> Option<usize> {
        let Node::Int(value) = self.node(id) else {
            return None;
        };
        usize::try_from(value).ok()
    }

    pub fn global(&self, id: Id) -> Option<(&'a str, &'a str)> {
        let Node::Global { module, name } = self.node(id) else {
            return None;
        };
        Some((self.name(module)?, self.name(name)?))
    }

    pub fn call(&self, id: Id) -> Option<(Id, Id)> {
        let Node::Object(object) = self.node(id) else {
            return None;
        };
        let object = self.objects.get(object as usize)?;
        Some((object.callable, object.arguments))
    }

    /// What an object was given after the call that made it.
    pub fn state(&self, id: Id) -> Option<Id> {
        let Node::Object(object) = self.node(id) else {
            return None;
        };
        let object = self.objects.get(object as usize)?;
        (object.state != NIL).then_some(object.state)
    }

    /// Entries of a container or object, in the pickle's order, as keys and values.
    pub fn entries(&self, id: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        let chain = match self.node(id) {
            Node::Tuple(chain) | Node::List(chain) | Node::Set(chain) | Node::Dict(chain) => chain,
            Node::Object(object) => self
                .objects
                .get(object as usize)
                .map_or(Chain::EMPTY, |object| object.contents),
            _ => Chain::EMPTY,
        };

        let first = self.entries.get(chain.first as usize);
        std::iter::successors(first, |last| self.entries.get(last.next as usize))
            .map(|entry| (entry.key, entry.value))
    }

    /// The first items of a tuple or list; those that it lacks are `NIL`.
    pub fn items<const N: usize>(&self, id: Id) -> Option<[Id; N]> {
        let (Node::Tuple(_) | Node::List(_)) = self.node(id) else {
            return None;
        };
        let mut items = [NIL; N];
        items
            .iter_mut()
            .zip(self.entries(id))
            .for_each(|(item, (_, value))| *item = value);
        Some(items)
    }

    /// Whether this is a dictionary, or an object filled like one: an `OrderedDict`, a
    /// `defaultdict`.
    pub fn is_dictionary(&self, id: Id) -> bool {
        match self.node(id) {
            Node::Dict(_) => true,
            Node::Object(_) => self.entries(id).next().is_some_and(|(key, _)| key != NIL),
            _ => false,
        }
    }

    /// Entries of a dictionary whose keys are texts of at most [`MAX_NAME`] bytes, as Python has
    /// them after loading: of equal keys the first has the place and the last the value.
    pub fn dictionary(&self, id: Id) -> Vec<(&'a str, Id)> {
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        let mut entries: Vec<(&str, Id)> = Vec::new();
        for (key, value) in self.entries(id) {
            let Some(name) = self.name(key) else { continue };
            let place = *places.entry(name).or_insert(entries.len());
            match entries.get_mut(place) {
                Some(entry) => entry.1 = value,
                None => entries.push((name, value)),
            }
        }
        entries
    }

    /// The value at `key` of a dictionary, or the attribute `key` of an object.
    pub fn get(&self, id: Id, key: &str) -> Option<Id> {
        if let found @ Some(_) = self.find(id, key) {
            return found;
        }

        let Node::Object(object) = self.node(id) else {
            return None;
        };
        let state = self.objects.get(object as usize)?.state;
        match self.node(state) {
            Node::Dict(_) => self.find(state, key),
            // Attributes and slots of a class that has both.
            Node::Tuple(_) => self
                .items::<2>(state)?
                .into_iter()
                .find_map(|slots| self.find(slots, key)),
            _ => None,
        }
    }

    /// The last value under `key` among the entries of a container.
    fn find(&self, id: Id, key: &str) -> Option<Id> {
        self.entries(id)
            .filter(|(name, _)| self.name(*name) == Some(key))
            .last()
            // As in Python, the last of equal keys counts.
            .map(|(_, value)| value)
    }
}
