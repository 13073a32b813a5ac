use super::*;
use crate::data::testing::{names, open, png, tree, write};

#[test]
fn is_shared_between_threads() {
    fn shareable<T: Send + Sync>() {}
    shareable::<Dataset>();
}

#[test]
fn the_builtin_scenes_are_a_dataset() {
    use ibot_core::scenes::{self, Split};
    let train = Dataset::open("builtin").expect("builtin scenes");
    let val = Dataset::open("builtin:val").expect("builtin scenes");
    assert_eq!(
        (train.len(), val.len()),
        (scenes::len(Split::Train), scenes::len(Split::Val))
    );
    assert_eq!(train.classes(), scenes::CLASSES);
    let scene = scenes::scene(Split::Val, 13, scenes::SIZE);
    assert_eq!(val.load(13).expect("a scene"), scene.image);
    assert_eq!(val.label(13), Some(scene.class));
    assert_eq!(train.name(13), "builtin:train#13");
    assert_ne!(train.load(13).expect("a scene"), scene.image);
    assert_eq!(
        format!(
            "{:?}",
            Dataset::open("builtin:train").expect("builtin scenes")
        ),
        format!("{train:?}")
    );
}

#[test]
fn descriptions_count_images_and_classes() {
    let folder = tree(&["a/1.png", "a/2.png", "b/1.png"]);
    let described = |path: PathBuf| open(path).expect("a folder of images").description();
    let root = folder.path().display();
    assert_eq!(
        described(folder.path().into()),
        format!("folder {root}: 3 images, 2 classes")
    );
    assert_eq!(
        described(folder.path().join("b")),
        format!("folder {root}/b: 1 image, no labels")
    );
}

#[test]
fn there_is_nothing_beyond_the_last_image() {
    let folder = tree(&["a/1.png"]);
    let data = open(folder.path()).expect("a folder of images");
    assert!(!data.is_empty());
    assert_eq!((data.label(0), data.label(1)), (Some(0), None));
    let error = data.load(1).expect_err("no such image");
    assert!(matches!(error.cause, LoadCause::Range { len: 1 }));
    assert!(error.to_string().contains("image 1"), "{error}");
}

/// A list that cycles through `classes` classes.
fn cycling(images: usize, classes: usize) -> Dataset {
    let folder = tree(&["x.png"]);
    let text: String = (0..images)
        .map(|index| format!("x.png,{}\n", index % classes))
        .collect();
    write(folder.path().join("list.txt"), text);
    let data = open(folder.path().join("list.txt")).expect("a good list");
    assert_eq!(names(&data).len(), images);
    data
}

#[test]
fn subsets_are_ascending_disjoint_and_of_the_size_asked_for() {
    let data = cycling(103, 10);
    for n in [1, 7, 10, 34, 51, 52, 103] {
        let mut seen = std::collections::HashSet::new();
        for skip in 5..5 + 103 / n {
            let subset = data.subset(n, skip);
            assert_eq!(subset.len(), n);
            assert!(subset.is_sorted_by(|a, b| a < b) && subset.iter().all(|&index| index < 103));
            assert!(
                subset.iter().all(|&index| seen.insert(index)),
                "{n} images at {skip} overlap"
            );
        }
        assert_eq!(data.subset(n, 2), data.subset(n, 2 + 103 / n));
    }
    assert_eq!(data.subset(1000, 9), (0..103).collect::<Vec<_>>());
    assert!(data.subset(0, 1).is_empty());
}

#[test]
fn subsets_hold_each_class_by_its_share() {
    let data = cycling(100, 10);
    for skip in 0..5 {
        let mut counts = [0; 10];
        for index in data.subset(20, skip) {
            counts[data.label(index).expect("a label")] += 1;
        }
        assert_eq!(counts, [2; 10]);
    }
}

#[test]
fn subsets_without_labels_are_spread_over_the_order() {
    let folder = tree(&[
        "0.png", "1.png", "2.png", "3.png", "4.png", "5.png", "6.png",
    ]);
    let data = open(folder.path()).expect("a folder of images");
    assert_eq!(data.subset(3, 0), [0, 2, 4]);
    assert_eq!(data.subset(3, 1), [1, 3, 5]);
}

#[test]
fn the_digest_changes_with_the_images() {
    let folder = tree(&["a/1.png", "a/2.png"]);
    let digest = |path: &Path| {
        let data = open(path).expect("a folder of images");
        data.digest().to_owned()
    };
    let first = digest(folder.path());
    assert_eq!(digest(folder.path()), first);
    assert_ne!(digest(&folder.path().join("a")), first);

    write(folder.path().join("a/3.png"), png(3));
    let second = digest(folder.path());
    assert_ne!(second, first);
    write(folder.path().join("a/3.png"), [png(3), vec![0]].concat());
    assert_ne!(digest(folder.path()), second);

    let open = |spec| Dataset::open(spec).expect("builtin scenes");
    let (train, val) = (open("builtin"), open("builtin:val"));
    assert_ne!(train.digest(), val.digest());
}
