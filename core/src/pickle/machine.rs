//! The pickle machine, without the part that runs code: a call becomes a [`Node::Object`] that holds
//! the callable and its arguments.
//!
//! Lengths and counts in a pickle are believed only as far as there are bytes behind them. Every
//! opcode adds a bounded number of values, so that memory is proportional to the bytes read.

use super::cursor::PickleCursor;
use super::error::PickleError;
use super::graph::Graph;
use super::node::{Chain, Id, NIL, Node, Span};
use super::opcode::{self as op, name};

/// Reads the first pickle in `bytes`, and the number of bytes that it takes. `what` names it in
/// errors.
pub(crate) fn unpickle<'a>(
    bytes: &'a [u8],
    what: &'static str,
) -> Result<(Graph<'a>, usize), PickleError> {
    let graph = Graph::new(bytes);
    let mut machine = Machine {
        cursor: PickleCursor::new(graph.pickle()),
        graph,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: Vec::new(),
    };
    loop {
        let start = machine.cursor.position();
        let mut opcode = None;
        match machine.step(&mut opcode) {
            Ok(None) => {}
            Ok(Some(root)) => {
                machine.graph.root = root;
                return Ok((machine.graph, machine.cursor.position()));
            }
            Err(problem) => {
                let opcode = opcode.map_or("missing", name);
                return Err(PickleError {
                    pickle: what,
                    at: start,
                    opcode,
                    problem,
                });
            }
        }
    }
}

struct Machine<'a> {
    cursor: PickleCursor<'a>,
    graph: Graph<'a>,
    stack: Vec<Id>,
    /// Heights of the stack at each open mark.
    marks: Vec<usize>,
    memo: Vec<Id>,
}

impl<'a> Machine<'a> {
    /// One opcode. Gives the result of the pickle at its end.
    fn step(&mut self, opcode: &mut Option<u8>) -> Result<Option<Id>, String> {
        let [code] = self.cursor.take_array()?;
        *opcode = Some(code);
        match code {
            op::PROTO => match self.cursor.take_array()? {
                [2..=5] => {}
                [protocol] => return Err(format!("protocol {protocol}, expected 2 to 5")),
            },
            // Frames only help a reader to buffer; nothing depends on where they end.
            op::FRAME => drop(self.cursor.take_array::<8>()?),
            op::STOP => return self.pop().map(Some),

            op::MARK => self.marks.push(self.stack.len()),
            op::POP => match self.pop() {
                Ok(_) => {}
                // Python's pickler pops an empty mark in the same way.
                Err(problem) => self.marks.pop().map(drop).ok_or(problem)?,
            },
            op::POP_MARK => {
                let height = self.pop_mark()?;
                self.stack.truncate(height);
            }
            op::DUP => self.stack.push(self.top()?),
            op::BINPUT | op::LONG_BINPUT | op::MEMOIZE => self.memoize(code)?,
            op::BINGET | op::LONG_BINGET => {
                let index = self
                    .cursor
                    .take_length(if code == op::BINGET { 1 } else { 4 })?;
                let id = self.memo.get(index).filter(|id| **id != NIL);
                self.stack
                    .push(*id.ok_or_else(|| format!("nothing was stored under {index}"))?);
            }

            op::NONE => self.stack.push(Graph::NONE),
            op::NEWTRUE => self.stack.push(Graph::TRUE),
            op::NEWFALSE => self.stack.push(Graph::FALSE),
            op::EMPTY_TUPLE => self.stack.push(Graph::EMPTY_TUPLE),
            op::EMPTY_LIST => self.push(Node::List(Chain::EMPTY)),
            op::EMPTY_DICT => self.push(Node::Dict(Chain::EMPTY)),
            op::EMPTY_SET => self.push(Node::Set(Chain::EMPTY)),
            op::BININT => self.scalar(|bytes| Node::Int(i32::from_le_bytes(bytes).into()))?,
            op::BININT1 => self.scalar(|bytes| Node::Int(u8::from_le_bytes(bytes).into()))?,
            op::BININT2 => self.scalar(|bytes| Node::Int(u16::from_le_bytes(bytes).into()))?,
            op::BINFLOAT => self.scalar(|bytes| Node::Float(f64::from_be_bytes(bytes)))?,
            op::LONG1 => self.long(1)?,
            op::LONG4 => self.long(4)?,
            op::SHORT_BINUNICODE | op::SHORT_BINSTRING => self.blob(1, Node::Text)?,
            // Python 2 wrote its text as BINSTRING. What is not UTF-8 is a node, but never a name.
            op::BINUNICODE | op::BINSTRING => self.blob(4, Node::Text)?,
            op::BINUNICODE8 => self.blob(8, Node::Text)?,
            op::SHORT_BINBYTES => self.blob(1, Node::Bytes)?,
            op::BINBYTES => self.blob(4, Node::Bytes)?,
            op::BINBYTES8 | op::BYTEARRAY8 => self.blob(8, Node::Bytes)?,

            op::TUPLE | op::FROZENSET => {
                let height = self.pop_mark()?;
                let node = if code == op::TUPLE {
                    Node::Tuple(Chain::EMPTY)
                } else {
                    Node::Set(Chain::EMPTY)
                };
                self.collect(height, node);
            }
            op::TUPLE1 | op::TUPLE2 | op::TUPLE3 => {
                let height = self
                    .stack
                    .len()
                    .checked_sub((code - op::TUPLE1) as usize + 1);
                let height = height
                    .filter(|height| *height >= self.floor())
                    .ok_or("too few values on the stack")?;
                self.collect(height, Node::Tuple(Chain::EMPTY));
            }
            op::APPEND => {
                let value = self.pop()?;
                let container = self.container(code)?;
                self.graph.put(container, NIL, value);
            }
            op::SETITEM => {
                let (value, key) = (self.pop()?, self.pop()?);
                let container = self.container(code)?;
                self.graph.put(container, key, value);
            }
            op::APPENDS | op::ADDITEMS | op::SETITEMS => self.fill(code)?,

            op::GLOBAL => {
                let (module, name) = (self.cursor.line()?, self.cursor.line()?);
                let (module, name) = (
                    self.graph.add(Node::Text(module)),
                    self.graph.add(Node::Text(name)),
                );
                self.push(Node::Global { module, name });
            }
            op::STACK_GLOBAL => {
                let (name, module) = (self.pop()?, self.pop()?);
                self.push(Node::Global { module, name });
            }
            op::REDUCE | op::NEWOBJ | op::NEWOBJ_EX => {
                if code == op::NEWOBJ_EX {
                    // No class that matters here has keyword arguments.
                    self.pop()?;
                }
                let (arguments, callable) = (self.pop()?, self.pop()?);
                let object = self.graph.add_object(callable, arguments);
                self.stack.push(object);
            }
            op::BUILD => {
                let (state, object) = (self.pop()?, self.top()?);
                if !self.graph.set_state(object, state) {
                    return Err(format!("{} has no attributes to set", self.kind(object)));
                }
            }
            op::BINPERSID => {
                let id = self.pop()?;
                self.push(Node::Persistent(id));
            }
            _ => return Err(format!("byte {code:#04x} is no opcode of protocols 2 to 5")),
        }
        Ok(None)
    }

    fn push(&mut self, node: Node) {
        let id = self.graph.add(node);
        self.stack.push(id);
    }

    /// The height of the stack below which belongs to before the last mark.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Id, String> {
        let id = self.top()?;
        self.stack.pop();
        Ok(id)
    }

    fn top(&self) -> Result<Id, String> {
        let top = self
            .stack
            .last()
            .filter(|_| self.stack.len() > self.floor());
        top.copied()
            .ok_or_else(|| "too few values on the stack".to_owned())
    }

    fn pop_mark(&mut self) -> Result<usize, String> {
        self.marks
            .pop()
            .ok_or_else(|| "no mark on the stack".to_owned())
    }

    /// Replaces the stack from `height` by a container of it.
    fn collect(&mut self, height: usize, node: Node) {
        let container = self.graph.add(node);
        for value in self.stack.drain(height..) {
            self.graph.put(container, NIL, value);
        }
        self.stack.push(container);
    }

    /// The values above the last mark go into the container below it.
    fn fill(&mut self, code: u8) -> Result<(), String> {
        let height = self.pop_mark()?;
        // The container itself lies below the mark that has just been removed.
        let values = self.stack.split_off(height);
        let container = self.container(code)?;
        if code != op::SETITEMS {
            values
                .into_iter()
                .for_each(|value| self.graph.put(container, NIL, value));
            return Ok(());
        }
        let (pairs, rest) = values.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(format!("{} keys and values, an odd number", values.len()));
        }
        pairs
            .iter()
            .for_each(|[key, value]| self.graph.put(container, *key, *value));
        Ok(())
    }

    fn container(&self, code: u8) -> Result<Id, String> {
        let id = self.top()?;
        let fits = match self.graph.node(id) {
            // Of any class: an `OrderedDict` is an object that is filled.
            Node::Object(_) => true,
            Node::List(_) => matches!(code, op::APPEND | op::APPENDS),
            Node::Dict(_) => matches!(code, op::SETITEM | op::SETITEMS),
            Node::Set(_) => code == op::ADDITEMS,
            _ => false,
        };
        if fits {
            Ok(id)
        } else {
            Err(format!("cannot put values into {}", self.kind(id)))
        }
    }

    fn memoize(&mut self, code: u8) -> Result<(), String> {
        let id = self.top()?;
        let index = match code {
            op::BINPUT => self.cursor.take_length(1)?,
            op::LONG_BINPUT => self.cursor.take_length(4)?,
            _ => self.memo.len(),
        };
        if index >= self.memo.len() {
            // Picklers count up. To have got this far they must have written more bytes than that.
            let read = self.cursor.position();
            if index > read {
                return Err(format!(
                    "place {index} of the memo, but only {read} bytes were read"
                ));
            }
            self.memo.resize(index + 1, NIL);
        }
        self.memo[index] = id;
        Ok(())
    }

    fn scalar<const N: usize>(&mut self, node: impl Fn([u8; N]) -> Node) -> Result<(), String> {
        let bytes = self.cursor.take_array()?;
        self.push(node(bytes));
        Ok(())
    }

    /// An integer of any size, two's complement.
    fn long(&mut self, width: usize) -> Result<(), String> {
        let len = self.cursor.take_length(width)?;
        let span = self.cursor.take(len)?;
        let bytes = self.graph.bytes(span);
        // A negative number goes on with ones.
        let mut value = if bytes.last().is_some_and(|last| *last >= 0x80) {
            [0xff; 8]
        } else {
            [0; 8]
        };
        let node = match value.get_mut(..bytes.len()) {
            Some(low) => {
                low.copy_from_slice(bytes);
                Node::Int(i64::from_le_bytes(value))
            }
            None => Node::Long(span),
        };
        self.push(node);
        Ok(())
    }

    fn blob(&mut self, width: usize, node: fn(Span) -> Node) -> Result<(), String> {
        let len = self.cursor.take_length(width)?;
        let span = self.cursor.take(len)?;
        self.push(node(span));
        Ok(())
    }

    fn kind(&self, id: Id) -> &'static str {
        match self.graph.node(id) {
            Node::None => "None",
            Node::Bool(_) => "a bool",
            Node::Int(_) | Node::Long(_) => "an int",
            Node::Float(_) => "a float",
            Node::Text(_) => "a str",
            Node::Bytes(_) => "bytes",
            Node::Tuple(_) => "a tuple",
            Node::List(_) => "a list",
            Node::Set(_) => "a set",
            Node::Dict(_) => "a dict",
            Node::Global { .. } => "a class",
            Node::Persistent(_) => "a storage",
            Node::Object(_) => "an object",
        }
    }
}

#[cfg(test)]
mod tests;
