//! The bytes of a pickle, read in order.

use super::node::Span;

/// Where the machine stands in a pickle.
pub(super) struct PickleCursor<'a> {
    pickle: &'a [u8],
    at: usize,
}

impl<'a> PickleCursor<'a> {
    pub fn new(pickle: &'a [u8]) -> Self {
        Self { pickle, at: 0 }
    }

    pub fn position(&self) -> usize {
        self.at
    }

    /// A length or index of `width` bytes.
    pub fn take_length(&mut self, width: usize) -> Result<usize, String> {
        let span = self.take(width)?;
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(self.bytes(span));
        // What does not fit `usize` does not fit the file either.
        Ok(usize::try_from(u64::from_le_bytes(bytes)).unwrap_or(usize::MAX))
    }

    pub fn take_array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let span = self.take(N)?;
        self.bytes(span)
            .try_into()
            .map_err(|_| "the pickle ends too early".to_owned())
    }

    pub fn take(&mut self, len: usize) -> Result<Span, String> {
        let left = self.pickle.len() - self.at;
        if len > left {
            return Err(format!("needs {len} more bytes, {left} are left"));
        }
        // Positions fit 32 bits: [`Graph::new`] cuts longer pickles off.
        let span = Span {
            at: self.at as u32,
            len: len as u32,
        };
        self.at += len;
        Ok(span)
    }

    pub fn line(&mut self) -> Result<Span, String> {
        let rest = &self.pickle[self.at..];
        let len = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or("a line without an end")?;
        let span = self.take(len)?;
        // The end of the line is no part of it.
        self.at += 1;
        Ok(span)
    }

    fn bytes(&self, span: Span) -> &'a [u8] {
        &self.pickle[span.at as usize..][..span.len as usize]
    }
}
