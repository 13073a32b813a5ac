//! What is written is read again, and nothing else is.

use super::*;

fn cache(folder: &Path) -> FeatureCache {
    FeatureCache {
        folder: folder.to_owned(),
        network: "a digest".to_owned(),
        view: EvalView {
            size: 32,
            resize_ratio: 1.25,
        },
        precision: ComputePrecision::F32,
    }
}

fn scenes() -> Dataset {
    Dataset::open("builtin:val").expect("the builtin scenes")
}

fn shelf(cache: &FeatureCache) -> Shelf {
    let shelf = cache.shelf(&scenes(), Readout::CLS, 2);
    shelf.expect("a shelf")
}

fn loaded(shelf: &Shelf, wanted: &[usize]) -> (Vec<(usize, Vec<f32>)>, Vec<String>) {
    let mut rows = Vec::new();
    let wanted = wanted.iter().copied().collect();
    let problems = shelf.load(&wanted, &mut |image, row| rows.push((image, row.to_vec())));
    rows.sort_by_key(|(image, _)| *image);
    (rows, problems)
}

fn write(shelf: &mut Shelf, image: usize) {
    shelf.add(image, &[image as f32, 0.5]).expect("a row");
    shelf.write().expect("written");
}

#[test]
fn rows_come_back_from_all_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = cache(folder.path());
    assert_eq!(loaded(&shelf(&cache), &[1]), (vec![], vec![]));

    let mut first = shelf(&cache);
    first.add(7, &[7.0, -1.0]).expect("a row");
    first.write().expect("written");
    write(&mut first, 3);
    let (rows, problems) = loaded(&shelf(&cache), &[3, 4, 7]);
    assert_eq!(rows, [(3, vec![3.0, 0.5]), (7, vec![7.0, -1.0])]);
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn other_networks_views_and_readouts_have_other_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let known = cache(folder.path());
    write(&mut shelf(&known), 1);

    let network = "another".to_owned();
    let precision = ComputePrecision::F16;
    let view = EvalView {
        size: 40,
        ..known.view
    };
    for other in [
        FeatureCache {
            network,
            ..cache(folder.path())
        },
        FeatureCache {
            precision,
            ..cache(folder.path())
        },
        FeatureCache {
            view,
            ..cache(folder.path())
        },
    ] {
        assert_eq!(loaded(&shelf(&other), &[1]), (vec![], vec![]));
    }
    let patches = known
        .shelf(&scenes(), Readout::Patches, 2)
        .expect("a shelf");
    assert_eq!(loaded(&patches, &[1]), (vec![], vec![]));
    let train = Dataset::open("builtin:train").expect("the builtin scenes");
    let train = known.shelf(&train, Readout::CLS, 2).expect("a shelf");
    assert_eq!(loaded(&train, &[1]), (vec![], vec![]));
}

#[test]
fn damaged_and_foreign_files_are_named_and_not_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = cache(folder.path());
    let mut own = shelf(&cache);
    write(&mut own, 1);
    let file = parts(&own.folder).expect("a folder").remove(0);
    let sound = fs::read(&file).expect("a part");

    // A part of another readout with the right width.
    let mut foreign = cache
        .shelf(&scenes(), Readout::Patches, 2)
        .expect("a shelf");
    write(&mut foreign, 1);
    let other = parts(&foreign.folder).expect("a folder").remove(0);
    fs::copy(&other, own.folder.join("foreign.safetensors")).expect("copied");

    let mut damaged = sound.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    for bytes in [&damaged[..], &sound[..sound.len() / 2], b""] {
        fs::write(&file, bytes).expect("written");
        let (rows, problems) = loaded(&own, &[1]);
        assert_eq!(rows, []);
        let named = problems.join("\n");
        assert!(named.contains("it is damaged"), "{named}");
        assert!(named.contains("foreign.safetensors"), "{named}");
        assert!(!file.exists(), "the next evaluation is not told again");
    }
}
