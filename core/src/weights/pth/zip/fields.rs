//! Little-endian fields of a zip archive, and what is wrong with them.

use crate::weights::pth::PthError;

/// Little-endian fields. Positions in messages count from the start of the file, where `bytes` are
/// at `base`.
pub(super) struct Fields<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
    pub base: usize,
}

impl<'a> Fields<'a> {
    pub fn position(&self) -> usize {
        self.base.saturating_add(self.at)
    }

    pub fn take(&mut self, len: usize) -> Result<&'a [u8], PthError> {
        let taken = self
            .at
            .checked_add(len)
            .and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| {
            damaged(
                self.position(),
                format!("{len} bytes needed, fewer are there"),
            )
        })?;
        self.at += len;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PthError> {
        let position = self.position();
        self.take(N)?
            .try_into()
            .map_err(|_| damaged(position, "too short".to_owned()))
    }

    pub fn u16(&mut self) -> Result<u16, PthError> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Result<u64, PthError> {
        // Zip64 has the same number in 64 bits.
        self.array().map(u32::from_le_bytes).map(u64::from)
    }

    pub fn u64(&mut self) -> Result<u64, PthError> {
        self.array().map(u64::from_le_bytes)
    }
}

pub(super) fn damaged(at: usize, problem: String) -> PthError {
    PthError::Zip { at, problem }
}

/// The start of a name, for a message.
pub(super) fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(&name[..name.len().min(80)]).into_owned()
}
