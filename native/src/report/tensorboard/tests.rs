use super::event::{scalar_event, step_of};
use super::record::{frame, frames, masked_crc};
use super::*;

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
