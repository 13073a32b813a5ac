//! Files that are replaced as a whole, and files that grow.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Ends the name of a file that is not in place yet.
pub const PARTIAL: &str = ".partial";

#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}")]
pub struct WriteError {
    pub path: PathBuf,
    pub source: io::Error,
}

/// A file that is written and on the disk, but not in place yet.
#[derive(Debug)]
pub struct Pending {
    partial: PathBuf,
    path: PathBuf,
}

impl Pending {
    /// Writes `bytes` beside `path` and brings them to the disk.
    ///
    /// # Errors
    /// If the system refuses; `path` is untouched.
    pub fn write(path: &Path, bytes: &[u8]) -> Result<Self, WriteError> {
        Self::new(path, bytes, true)
    }

    fn new(path: &Path, bytes: &[u8], sync: bool) -> Result<Self, WriteError> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(PARTIAL);
        let pending = Self {
            partial: path.with_file_name(name),
            path: path.to_owned(),
        };

        match create(&pending.partial, bytes, sync) {
            Ok(()) => Ok(pending),
            Err(source) => Err(WriteError {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Gives the content the name `path` as well.
    pub fn also_as(&self, path: &Path) -> Result<(), WriteError> {
        // Any error here comes again when the link is made.
        let _ = fs::remove_file(path);
        // Without writing it again, where the system has hard links.
        fs::hard_link(&self.partial, path)
            .or_else(|_| fs::copy(&self.partial, path).map(drop))
            .map_err(|source| WriteError {
                path: path.to_owned(),
                source,
            })
    }

    /// Moves the file into place, over an older one.
    pub fn commit(self) -> Result<(), WriteError> {
        fs::rename(&self.partial, &self.path).map_err(|source| WriteError {
            path: self.path.clone(),
            source,
        })?;

        // The rename itself is on the disk only when the folder is. Not every system can sync a
        // folder.
        if let Some(folder) = self
            .path
            .parent()
            .and_then(|folder| File::open(folder).ok())
        {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // After a commit nothing is there. Else its space is needed, above all on a full disk.
        let _ = fs::remove_file(&self.partial);
    }
}

/// Writes a file, and waits until it is on the disk if it is to `sync`.
fn create(path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    if sync { file.sync_all() } else { Ok(()) }
}

/// Writes `bytes` to a temporary file beside `path`, brings them to the disk, and moves the file
/// into place: a reader, and a crash at any moment, sees the old content or the new.
///
/// # Errors
/// If the system refuses; the old content is then still there.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    Pending::write(path, bytes)?.commit()
}

/// As [`write_atomically`], without waiting for the disk: for files that are soon replaced again. A
/// reader sees the old content or the new; a crash of the machine may lose both.
///
/// # Errors
/// If the system refuses; the old content is then still there.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let pending = Pending::new(path, bytes, false)?;
    fs::rename(&pending.partial, path).map_err(|source| WriteError {
        path: path.to_owned(),
        source,
    })
}

/// A file that grows. What the system refuses to write is kept, and written before what follows.
#[derive(Debug)]
pub struct Growing {
    path: PathBuf,
    file: File,
    unwritten: Vec<u8>,
}

impl Growing {
    /// `file`, open for writing at its end, which is at `path`.
    pub fn new(path: PathBuf, file: File) -> Self {
        Self {
            path,
            file,
            unwritten: Vec::new(),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds `bytes`, in memory until [`flush`](Self::flush).
    pub fn add(&mut self, bytes: &[u8]) {
        self.unwritten.extend_from_slice(bytes);
    }

    /// Hands all that was added to the system, where readers see it.
    ///
    /// # Errors
    /// If the system refuses a part, which the next call tries again.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        // `write_all` would not say how much was written before an error.
        while !self.unwritten.is_empty() {
            match self.file.write(&self.unwritten) {
                Ok(0) => return Err(self.error(io::ErrorKind::WriteZero.into())),
                Ok(count) => drop(self.unwritten.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error(error)),
            }
        }
        Ok(())
    }

    /// Brings all that was added to the disk.
    pub fn sync(&mut self) -> Result<(), WriteError> {
        self.flush()?;
        self.file.sync_data().map_err(|source| self.error(source))
    }

    fn error(&self, source: io::Error) -> WriteError {
        WriteError {
            path: self.path.clone(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn what_a_full_disk_refuses_is_written_when_it_can_be() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let full = OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .expect("Linux has it");
        let mut growing = Growing::new(path.clone(), full);
        growing.add(b"one\n");
        assert!(growing.flush().is_err());
        growing.add(b"two\n");
        let error = growing.sync().expect_err("still full").to_string();
        assert!(error.contains("file: No space left on device"), "{error}");
        growing.file = File::create(&path).expect("a new file");
        growing.sync().expect("written");
        growing.add(b"three\n");
        growing.flush().expect("written");
        assert_eq!(fs::read(&path).expect("readable"), b"one\ntwo\nthree\n");
    }

    #[test]
    fn content_is_replaced_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        write_atomically(&path, b"old").expect("written");
        write_atomically(&path, b"new").expect("written");
        assert_eq!(fs::read(&path).expect("readable"), b"new");
        replace(&path, b"newer").expect("written");
        assert_eq!(fs::read(&path).expect("readable"), b"newer");
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
        let error =
            write_atomically(&folder.path().join("missing/file"), b"").expect_err("no such folder");
        assert!(error.to_string().contains("missing/file"));
    }

    #[test]
    fn a_second_name_outlives_the_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, kept) = (folder.path().join("file"), folder.path().join("kept"));
        let pending = Pending::write(&path, b"one").expect("written");
        pending.also_as(&kept).expect("linked");
        pending.also_as(&kept).expect("an older one is replaced");
        pending.commit().expect("moved");
        write_atomically(&path, b"two").expect("written");
        assert_eq!(fs::read(&kept).expect("readable"), b"one");
        drop(Pending::write(&path, b"three").expect("written"));
        assert_eq!(fs::read(&path).expect("readable"), b"two");
        assert_eq!(
            fs::read_dir(folder.path()).expect("readable").count(),
            2,
            "no temporary file"
        );
    }
}
