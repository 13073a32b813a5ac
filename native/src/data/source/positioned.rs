//! Reading one open file at many places from many threads.

use std::fs::File;
use std::io;

use crate::data::decode::{DecodeError, MAX_BYTES};
use crate::data::error::LoadCause;

/// A file that is read by position, so that threads do not wait for each other.
pub struct PositionedFile {
    #[cfg(unix)]
    file: File,
    #[cfg(not(unix))]
    file: std::sync::Mutex<File>,
}

impl PositionedFile {
    pub fn new(file: File) -> Self {
        #[cfg(not(unix))]
        let file = std::sync::Mutex::new(file);
        Self { file }
    }

    /// The `size` bytes from `offset` on.
    pub fn bytes(&self, offset: u64, size: u64) -> Result<Vec<u8>, LoadCause> {
        // A size that no image has is refused before memory is taken for it.
        let mut bytes = vec![0; encoded_size(size)?];
        self.read_exact_at(&mut bytes, offset)
            .map_err(LoadCause::Read)?;
        Ok(bytes)
    }

    #[cfg(unix)]
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, bytes, offset)
    }

    #[cfg(not(unix))]
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        // The position is set anew by each reader, so a panic elsewhere leaves nothing inconsistent
        // behind.
        let mut file = self
            .file
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(bytes)
    }
}

/// `size` as a length in memory, if an encoded image may have it.
pub fn encoded_size(size: u64) -> Result<usize, LoadCause> {
    match usize::try_from(size) {
        Ok(length) if size <= MAX_BYTES => Ok(length),
        _ => Err(LoadCause::Decode(DecodeError::TooLarge {
            size: format!("a file of {} MiB", size >> 20),
        })),
    }
}
