//! Reading one open file at many places from many threads.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
#[cfg(not(unix))]
use std::sync::Mutex;

use crate::data::decode::{DecodeError, MAX_BYTES};
use crate::data::error::{DataError, LoadCause};
use crate::data::gzip::{decompress, is_gzip};

/// A file that is read by position, so that threads do not wait for each other. What was compressed
/// is in memory.
pub struct PositionedFile {
    content: Content,
    /// In bytes, when it was opened.
    len: u64,
}

enum Content {
    #[cfg(unix)]
    OnDisk(File),
    #[cfg(not(unix))]
    OnDisk(Mutex<File>),
    InMemory(Vec<u8>),
}

impl PositionedFile {
    /// Opens a file, decompressed if gzip compressed it.
    ///
    /// # Errors
    /// If it cannot be read, or it is compressed and damaged or too large.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let mut file = File::open(path).map_err(DataError::read(path))?;
        let mut start = [0; 2];
        let read = file.read(&mut start).map_err(DataError::read(path))?;
        if is_gzip(&start[..read]) {
            let bytes = decompress(path)?;
            return Ok(Self {
                len: bytes.len() as u64,
                content: Content::InMemory(bytes),
            });
        }

        let len = file.metadata().map_err(DataError::read(path))?.len();
        #[cfg(not(unix))]
        let file = Mutex::new(file);
        Ok(Self {
            content: Content::OnDisk(file),
            len,
        })
    }

    /// How many bytes it had when it was opened.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// The `size` bytes from `offset` on.
    pub fn bytes(&self, offset: u64, size: u64) -> Result<Vec<u8>, LoadCause> {
        // A size that no image has is refused before memory is taken for it.
        let mut bytes = vec![0; encoded_size(size)?];
        FileReader {
            file: self,
            at: offset,
        }
        .read_exact(&mut bytes)
        .map_err(LoadCause::Read)?;
        Ok(bytes)
    }

    /// A reader that starts at the first byte.
    pub fn reader(&self) -> impl Read + Seek + '_ {
        FileReader { file: self, at: 0 }
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        match &self.content {
            #[cfg(unix)]
            Content::OnDisk(file) => std::os::unix::fs::FileExt::read_at(file, bytes, offset),
            #[cfg(not(unix))]
            Content::OnDisk(file) => {
                // The position is set anew by each reader, so a panic elsewhere leaves nothing
                // inconsistent behind.
                let mut file = file
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                file.seek(SeekFrom::Start(offset))?;
                file.read(bytes)
            }
            Content::InMemory(content) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX);
                content.get(from..).unwrap_or_default().read(bytes)
            }
        }
    }
}

/// A place in a file.
struct FileReader<'a> {
    file: &'a PositionedFile,
    at: u64,
}

impl Read for FileReader<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(bytes, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for FileReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
            SeekFrom::End(offset) => self.file.len.checked_add_signed(offset),
        };
        let outside = || io::Error::from(io::ErrorKind::InvalidInput);
        self.at = at.ok_or_else(outside)?;
        Ok(self.at)
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
