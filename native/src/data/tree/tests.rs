use super::*;
use crate::data::testing::{png, tree, write};

const NAMES: [&str; 6] = [
    "SET/images/a/10.png",
    "SET/images/a/9.png",
    "SET/images/a-b/1.png",
    "SET/images/1.png",
    "SET/images/.hidden.png",
    "SET/list.png",
];

/// The same files as a folder and as an archive.
fn both(test: impl Fn(&FileTree)) {
    let folder = tree(&NAMES);
    let mut archive = tar::Builder::new(Vec::new());
    archive
        .append_dir_all(".", folder.path())
        .expect("to memory");
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    write(file.path(), archive.into_inner().expect("to memory"));
    for path in [folder.path(), file.path()] {
        let tree = FileTree::open(path).expect("readable").expect("a tree");
        test(&tree);
    }
}

#[test]
fn a_folder_and_an_archive_say_the_same() {
    both(|tree| {
        assert_eq!(tree.folders_in("").expect("read"), ["SET"]);
        assert_eq!(tree.root_of("images").as_deref(), Some("SET/"));
        assert_eq!(tree.root_of("SET/images").as_deref(), Some(""));
        assert_eq!(tree.root_of("masks"), None);
        assert_eq!(tree.folders_in("SET/images").expect("read"), ["a", "a-b"]);
        assert_eq!(tree.files_in("SET/images").expect("read"), ["1.png"]);
        assert_eq!(
            tree.files_in("SET/images/a").expect("read"),
            ["9.png", "10.png"]
        );
        assert!(tree.files_in("SET/none").expect("read").is_empty());
        assert!(tree.contains("SET/list.png") && !tree.contains("SET/images"));
        assert_eq!(tree.read("SET/images/a/9.png").expect("a file"), png(1));
    });
}

#[test]
fn names_lead_nowhere_else_and_missing_files_are_named() {
    both(|tree| {
        for name in ["SET/../SET/list.png", "/etc/hostname", "SET/none.png"] {
            assert!(!tree.contains(name), "{name}");
            let message = tree.annotation(name).expect_err("no file").to_string();
            assert!(message.contains(name), "{message}");
        }
    });
    let folder = tree(&["1.png"]);
    let open = |name: &str| FileTree::open(&folder.path().join(name)).expect("readable");
    assert!(open("1.png").is_none() && open("none").is_none());
}

#[test]
fn images_come_in_the_order_asked_for() {
    both(|tree| {
        let path = tree.place().to_owned();
        let tree = FileTree::open(&path).expect("readable").expect("a tree");
        let images = TreeImages {
            tree: Arc::new(tree),
            names: vec!["SET/list.png".to_owned(), "SET/images/1.png".to_owned()],
        };
        assert_eq!(images.len(), 2);
        assert_eq!(images.load(0).expect("an image").pixel(0, 0)[2], 5);
        assert_eq!(images.load(1).expect("an image").pixel(0, 0)[2], 3);
        let stamp = images.stamp(0).expect("that of a file");
        if path.is_file() {
            assert_eq!(Some(stamp), FileStamp::of(&path), "that of the archive");
        }
    });
}
