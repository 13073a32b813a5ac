//! Keeps what burn measured on a GPU for the next start: which kernels autotune found the fastest,
//! and how fast the GPU is.

mod file;
mod machine;
mod memory;

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use self::file::{Entries, PackError, pack, unpack};
use self::machine::{adapters, autotune, folder};
use self::memory::{give, keep_in_memory, size, take};
use crate::files::{WriteError, write_atomically};

// A process that is killed loses what it measured in this time.
const SAVE_EVERY: Duration = Duration::from_secs(60);
// Every dependency with its version, on which measurements depend.
const LOCK: &[u8] = include_bytes!("../../../Cargo.lock");

/// The file of this process, if it has one.
static CACHE: OnceLock<Option<Cache>> = OnceLock::new();

struct Cache {
    path: PathBuf,
    /// What the content depends on: versions, GPUs, drivers.
    basis: String,
    /// Entries and bytes of what was last read or written, which show whether there is more.
    kept: Mutex<(u64, u64)>,
}

#[derive(Debug, thiserror::Error)]
enum CacheError {
    #[error(transparent)]
    Pack(#[from] PackError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("{0}")]
    Place(#[from] io::Error),
}

/// Gives burn what earlier processes measured, and from then on saves what it measures.
pub fn load() {
    // To be called before the first GPU is opened. Only the first call does anything.
    CACHE.get_or_init(|| {
        // burn's own store is a database, which has no checksums and numbers GPUs without naming
        // them or their drivers. One file that is read and replaced as a whole can be shared by
        // processes.
        keep_in_memory();
        let cache = Cache::new(folder(|name| env::var_os(name))?, &adapters(), &autotune())?;

        give(cache.read());
        *cache.kept.lock().unwrap_or_else(PoisonError::into_inner) = size();

        // A process that is killed does not reach its last save. If the system refuses the thread,
        // the last save is the only one.
        let _ = thread::Builder::new()
            .name("kernel-cache".into())
            .spawn(|| {
                loop {
                    thread::sleep(SAVE_EVERY);
                    save();
                }
            });
        Some(cache)
    });
}

/// Writes the file if burn has measured more than it holds.
pub fn save() {
    let Some(Some(cache)) = CACHE.get() else {
        return;
    };
    let mut kept = cache.kept.lock().unwrap_or_else(PoisonError::into_inner);
    let now = size();
    if *kept != now {
        // Set even if writing fails, so that the warning comes once.
        *kept = now;
        if let Err(error) = cache.write(&take(), process::id()) {
            eprintln!("warning: {} is not written: {error}", cache.path.display());
        }
    }
}

impl Cache {
    /// The file in `folder` for a machine with these `adapters`, tuned as `autotune` says.
    fn new(folder: PathBuf, adapters: &[String], autotune: &str) -> Option<Self> {
        // Without any adapter it would be for no GPU.
        let adapters = Some(adapters.join("\n")).filter(|adapters| !adapters.is_empty())?;

        let path = folder.join(format!(
            "{:08x}.safetensors",
            crc32fast::hash(adapters.as_bytes())
        ));
        let basis = format!(
            "{} {:08x} {autotune}\n{adapters}",
            env!("CARGO_PKG_VERSION"),
            crc32fast::hash(LOCK)
        );
        Some(Self {
            path,
            basis,
            kept: Mutex::default(),
        })
    }

    /// None if the file is missing or cannot be used.
    fn read(&self) -> Entries {
        let found = match fs::read(&self.path) {
            Ok(bytes) => unpack(&bytes, &self.basis).map_err(|unusable| unusable.to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Entries::new()),
            Err(error) => Err(error.to_string()),
        };
        found.unwrap_or_else(|why| {
            eprintln!(
                "warning: {} is not used: {why}; it is written anew",
                self.path.display()
            );
            Entries::new()
        })
    }

    fn write(&self, entries: &Entries, process: u32) -> Result<(), CacheError> {
        let bytes = pack(entries, &self.basis)?;
        self.path.parent().map_or(Ok(()), fs::create_dir_all)?;
        // Until it is whole its name contains the process, because others may be writing theirs.
        let own = self.path.with_extension(process.to_string());
        write_atomically(&own, &bytes)?;
        fs::rename(&own, &self.path).inspect_err(|_| drop(fs::remove_file(&own)))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;

    use cubecl_environment::bytes::Bytes;
    use cubecl_environment::environment;
    use cubecl_environment::persistence::{Origin, open};

    use super::machine::VARIABLE;
    use super::memory::NOWHERE;
    use super::*;

    const NAMESPACE: &str = "autotune/test/0/matmul";

    fn cache(folder: &Path) -> Cache {
        Cache::new(
            folder.join("kernels"),
            &["llvmpipe 10005:0 gl".to_owned()],
            "Balanced",
        )
        .expect("an adapter")
    }

    fn entries(value: u8) -> Entries {
        Entries::from([(
            NAMESPACE.to_owned(),
            vec![(b"key".to_vec(), vec![value; 1 << 16])],
        )])
    }

    #[test]
    fn what_burn_found_out_comes_back() {
        keep_in_memory();
        assert!(
            environment::path().starts_with(NOWHERE),
            "a build that opens no database"
        );
        give(entries(1));
        assert_eq!(take()[NAMESPACE], entries(1)[NAMESPACE]);
        open(NAMESPACE).insert(b"key", Bytes::from_bytes_vec(vec![2]), Origin::Local);
        assert_eq!(
            take()[NAMESPACE],
            [(b"key".to_vec(), vec![2])],
            "what is found out here wins"
        );
        assert!(size().0 >= 1 && size().1 >= 4);
    }

    #[test]
    fn only_a_sound_file_of_these_adapters_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = cache(folder.path());
        assert_eq!(cache.read(), Entries::new(), "there is none");
        cache.write(&entries(7), 1).expect("written");
        assert_eq!(cache.read(), entries(7));
        let driver = Cache {
            basis: cache.basis.replace("gl", "gl, newer"),
            ..self::cache(folder.path())
        };
        assert_eq!(driver.read(), Entries::new(), "another driver");
        fs::write(&cache.path, b"damaged").expect("written");
        assert_eq!(cache.read(), Entries::new());
        cache.write(&entries(8), 1).expect("written anew");
        assert_eq!(cache.read(), entries(8));
        let level = Cache {
            basis: cache.basis.replace("Balanced", "Full"),
            ..self::cache(folder.path())
        };
        assert_eq!(level.read(), Entries::new(), "another level of autotune");
        let elsewhere = Cache::new(folder.path().join("kernels"), &["another".to_owned()], "")
            .expect("an adapter");
        assert_ne!(elsewhere.path, cache.path);
        assert!(Cache::new(PathBuf::new(), &[], "").is_none(), "no GPU");
    }

    #[test]
    fn processes_that_write_at_once_leave_one_whole_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = &cache(folder.path());
        cache.write(&entries(0), 0).expect("written");
        thread::scope(|scope| {
            for process in 1..=4 {
                scope.spawn(move || {
                    (0..20).for_each(|_| {
                        cache
                            .write(&entries(process as u8), process)
                            .expect("written")
                    })
                });
            }
            for _ in 0..100 {
                let found = fs::read(&cache.path).expect("always there");
                let value = unpack(&found, &cache.basis).expect("always whole")[NAMESPACE][0].1[0];
                assert!(value <= 4, "{value}");
            }
        });
        let left = fs::read_dir(folder.path().join("kernels"))
            .expect("readable")
            .count();
        assert_eq!(left, 1, "no file of a process");
    }

    #[test]
    fn a_folder_that_cannot_be_is_an_error_and_no_panic() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("kernels"), b"a file").expect("written");
        assert!(cache(folder.path()).write(&entries(1), 1).is_err());
        assert_eq!(cache(folder.path()).read(), Entries::new());
    }

    #[test]
    fn the_folder_is_among_the_users_caches_unless_told_otherwise() {
        let with = |set: &[(&str, &str)]| {
            folder(|name| {
                set.iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| OsString::from(value))
            })
        };
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(
            with(&[("HOME", "/home/a")]),
            path("/home/a/.cache/ibot/kernels")
        );
        assert_eq!(
            with(&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "/c")]),
            path("/c/ibot/kernels")
        );
        assert_eq!(
            with(&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "c")]),
            path("/home/a/.cache/ibot/kernels")
        );
        assert_eq!(with(&[(VARIABLE, "/k"), ("HOME", "/home/a")]), path("/k"));
        assert_eq!(with(&[(VARIABLE, "off"), ("HOME", "/home/a")]), None);
        assert_eq!(with(&[]), None);
    }
}
