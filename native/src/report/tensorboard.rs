//! Scalars in TensorBoard's event format: TFRecord frames around `Event` messages.
//!
//! Written by hand because the crates that do it bring dozens of dependencies for the two messages
//! encoded here.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::files::{Growing, PARTIAL, WriteError, write_atomically};

/// How TensorBoard wants the names of event files to begin.
const FILE_NAME: &str = "events.out.tfevents";

/// Writes one event file.
#[derive(Debug)]
pub struct EventWriter(Growing);

impl EventWriter {
    /// Starts a new event file in `dir`, which is made if missing. Earlier files there stay:
    /// TensorBoard reads all files of a directory as one run, so a resumed run simply continues its
    /// curves.
    ///
    /// # Errors
    /// If the directory or the file cannot be created or written.
    pub fn create(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let name = format!("{FILE_NAME}.{}.{}", unix_time() as u64, host_name());
        let (file, path) = create_new(dir, &name)?;
        let mut file = Growing::new(path, file);
        file.add(&frame(&version_event(unix_time())));
        file.flush().map_err(|error| error.source)?;
        Ok(Self(file))
    }

    /// The event file.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Records `values` (tag and value) at `step`, as one event. The format holds 32-bit floats;
    /// NaN and infinities are written as they are, since a diverged loss is worth seeing.
    pub fn scalars(&mut self, step: u64, values: &[(&str, f64)]) {
        if !values.is_empty() {
            self.0.add(&frame(&scalar_event(unix_time(), step, values)));
        }
    }

    /// Hands everything recorded so far to the operating system, so that a running TensorBoard sees
    /// it.
    ///
    /// # Errors
    /// If the file cannot be written; nothing is lost, and the next call tries again.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        self.0.flush()
    }
}

/// Drops from the event files in `dir` what a lost part of a run recorded: every event after
/// `step`, all with `None`, and what a crash cut short. Files of other programs stay as they are.
///
/// # Errors
/// If a file cannot be read, written or removed.
pub fn prune(dir: &Path, step: Option<u64>) -> io::Result<()> {
    let entries = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let is_events = |path: &PathBuf| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .starts_with(FILE_NAME)
    };
    // A crash in here leaves a file that is not in place yet; its old content is.
    let (partial, events): (Vec<_>, Vec<_>) = entries
        .filter(is_events)
        .partition(|path| path.to_string_lossy().ends_with(PARTIAL));
    partial.iter().try_for_each(fs::remove_file)?;
    for path in events {
        let content = fs::read(&path)?;
        let frames = frames(&content);
        let stays =
            |data: &[u8]| step_of(data).is_none_or(|of| step.is_some_and(|step| of <= step));
        let kept: Vec<u8> = frames
            .iter()
            .filter(|data| stays(data))
            .flat_map(|data| frame(data))
            .collect();
        let scalars = frames
            .iter()
            .filter(|data| step_of(data).is_some_and(|_| stays(data)))
            .count();
        if scalars == 0 {
            fs::remove_file(&path)?;
        } else if kept.len() < content.len() {
            write_atomically(&path, &kept).map_err(|error| error.source)?;
        }
    }
    Ok(())
}

/// The data of all whole records, up to the first that is not.
fn frames(mut content: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some(length) = content
        .first_chunk()
        .map(|bytes| u64::from_le_bytes(*bytes))
    {
        let Some(end) = usize::try_from(length)
            .ok()
            .and_then(|length| length.checked_add(12))
        else {
            break;
        };
        let (Some(data), Some(check)) = (
            content.get(12..end),
            content.get(end..).and_then(<[u8]>::first_chunk),
        ) else {
            break;
        };
        if *check != masked_crc(data).to_le_bytes() {
            break;
        }
        frames.push(data);
        content = &content[end + 4..];
    }
    frames
}

/// The step of an event of scalars as [`scalar_event`] writes it; `None` of any other.
fn step_of(event: &[u8]) -> Option<u64> {
    let (tag, number) = event.get(9..)?.split_first()?;
    if event[0] != (1 << 3 | FIXED64) || *tag != (2 << 3 | VARINT) {
        return None;
    }
    let mut step = 0;
    for (i, byte) in number.iter().take(10).enumerate() {
        step |= u64::from(byte & 0x7f) << (7 * i).min(63);
        if byte & 0x80 == 0 {
            return Some(step);
        }
    }
    None
}

/// Two writers may start in one directory within one second; the later gets a numbered name, never
/// the same file.
fn create_new(dir: &Path, name: &str) -> io::Result<(File, PathBuf)> {
    let mut path = dir.join(name);
    for number in 1_u32.. {
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                path = dir.join(format!("{name}.{number}"))
            }
            opened => return opened.map(|file| (file, path)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn unix_time() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |elapsed| elapsed.as_secs_f64())
}

/// The host's name reduced to what is safe in a file name anywhere.
fn host_name() -> String {
    let name =
        fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME"));
    let safe = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = name
        .unwrap_or_default()
        .chars()
        .filter(safe)
        .take(64)
        .collect();
    if name.is_empty() {
        "ibot".to_owned()
    } else {
        name
    }
}

/// A TFRecord: length, its checksum, data, its checksum; all little-endian.
fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend_from_slice(&length);
    record.extend_from_slice(&masked_crc(&length).to_le_bytes());
    record.extend_from_slice(data);
    record.extend_from_slice(&masked_crc(data).to_le_bytes());
    record
}

/// TFRecord stores checksums rotated and shifted, so that a checksum over data that holds checksums
/// stays meaningful.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn crc32c(data: &[u8]) -> u32 {
    !data.iter().fold(!0, |crc, byte| {
        (crc >> 8) ^ CRC_TABLE[usize::from(crc as u8 ^ byte)]
    })
}

/// CRC-32C (Castagnoli) of every single byte, reflected polynomial.
static CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0x82f6_3b78
            } else {
                crc >> 1
            };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// `Event { wall_time = 1, file_version = 3 }`, which every event file starts with.
fn version_event(wall_time: f64) -> Vec<u8> {
    let mut event = vec![1 << 3 | FIXED64];
    event.extend_from_slice(&wall_time.to_le_bytes());
    bytes_field(&mut event, 3, b"brain.Event:2");
    event
}

/// `Event { wall_time = 1, step = 2, summary = 5 { value = 1 { tag = 1, simple_value = 2 } ... }
/// }`.
fn scalar_event(wall_time: f64, step: u64, values: &[(&str, f64)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, number) in values {
        let mut value = Vec::new();
        bytes_field(&mut value, 1, tag.as_bytes());
        value.push(2 << 3 | FIXED32);
        value.extend_from_slice(&(*number as f32).to_le_bytes());
        bytes_field(&mut summary, 1, &value);
    }
    let mut event = vec![1 << 3 | FIXED64];
    event.extend_from_slice(&wall_time.to_le_bytes());
    event.push(2 << 3 | VARINT);
    varint(&mut event, step);
    bytes_field(&mut event, 5, &summary);
    event
}

// Protobuf's wire types: the low three bits of the byte (field numbers here are small) that opens a
// field.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;
const FIXED32: u8 = 5;

fn bytes_field(out: &mut Vec<u8>, number: u8, content: &[u8]) {
    out.push(number << 3 | BYTES);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32c_matches_known_vectors() {
        // RFC 3720, B.4, and the check value of the CRC catalogue.
        assert_eq!(crc32c(b""), 0);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    }

    #[test]
    fn a_small_event_has_exactly_these_bytes() {
        let expected = [
            &[0x09][..],
            &[0, 0, 0, 0, 0, 0, 0xf8, 0x3f], // wall_time: 1.5
            &[0x10, 0xac, 0x02],             // step: 300
            &[0x2a, 0x0a, 0x0a, 0x08],       // summary of 10 bytes, one value of 8
            &[0x0a, 0x01, b'a', 0x15, 0, 0, 0, 0xc0], // tag: "a", simple_value: -2
        ]
        .concat();
        assert_eq!(scalar_event(1.5, 300, &[("a", -2.0)]), expected);
        assert_eq!(version_event(0.0)[9..], *b"\x1a\x0dbrain.Event:2");
    }

    #[test]
    fn frames_read_back_in_order() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let dir = dir.path().join("made/on/demand");
        let mut writer = EventWriter::create(&dir).expect("a new event file");
        let second = EventWriter::create(&dir).expect("a second one beside it");
        assert_ne!(writer.path(), second.path());
        writer.scalars(7, &[("loss", f64::NAN), ("lr", 5e-4)]);
        writer.scalars(8, &[]);
        writer.flush().expect("on disk");

        let content = fs::read(writer.path()).expect("the event file");
        let mut rest = &content[..];
        let mut events = Vec::new();
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().expect("8 bytes"));
            let (data, after) = rest[12..].split_at(length as usize);
            assert_eq!(rest[8..12], masked_crc(&rest[..8]).to_le_bytes());
            assert_eq!(after[..4], masked_crc(data).to_le_bytes());
            events.push(data.to_vec());
            rest = &after[4..];
        }
        assert_eq!(events.len(), 2);
        assert_eq!(
            events[1][9..],
            scalar_event(0.0, 7, &[("loss", f64::NAN), ("lr", 5e-4)])[9..]
        );
    }

    #[test]
    fn pruning_leaves_what_a_resumed_run_has_done() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let steps = || -> Vec<u64> {
            let paths = fs::read_dir(dir.path())
                .expect("readable")
                .flatten()
                .map(|entry| entry.path());
            let files: Vec<Vec<u8>> = paths
                .map(|path| fs::read(path).expect("readable"))
                .collect();
            let mut steps: Vec<u64> = files
                .iter()
                .flat_map(|file| frames(file))
                .filter_map(step_of)
                .collect();
            steps.sort_unstable();
            steps
        };
        for first in [100, 300] {
            let mut writer = EventWriter::create(dir.path()).expect("a new event file");
            for step in [first, first + 100] {
                writer.scalars(step, &[("loss", 1.0)]);
            }
            writer.flush().expect("written");
        }
        prune(dir.path(), Some(300)).expect("pruned");
        assert_eq!(steps(), [100, 200, 300]);

        let path = fs::read_dir(dir.path())
            .expect("readable")
            .flatten()
            .next()
            .expect("a file")
            .path();
        let whole = fs::read(&path).expect("readable");
        fs::write(
            &path,
            [
                &whole[..],
                &frame(&scalar_event(0.0, 250, &[("loss", 2.0)]))[..20],
            ]
            .concat(),
        )
        .expect("cut");
        let half = dir.path().join(format!(
            "{}{PARTIAL}",
            path.file_name().expect("a name").display()
        ));
        fs::write(&half, &whole[..whole.len() / 2]).expect("writable");
        prune(dir.path(), Some(300)).expect("pruned");
        assert_eq!(
            fs::read(&path).expect("readable"),
            whole,
            "only what was cut short is gone"
        );
        assert!(!half.exists(), "what a crash of pruning left is gone");

        fs::write(dir.path().join("notes.txt"), "mine").expect("writable");
        prune(dir.path(), Some(50)).expect("pruned");
        assert_eq!(
            fs::read_dir(dir.path()).expect("readable").count(),
            1,
            "files without a scalar are gone"
        );
        prune(&dir.path().join("missing"), None).expect("nothing to do");
    }
}
