use rand::RngExt as _;

use super::*;
use crate::learn::Mode;
use crate::rng::{Purpose, Rng, stream};
use crate::testing::test;

fn text(rng: &mut Rng) -> String {
    let length = rng.random_range(0..9);
    (0..length)
        .map(|_| char::from_u32(rng.random_range(0..0x3000)).unwrap_or('"'))
        .collect()
}

fn project(rng: &mut Rng) -> Project {
    let classes: Vec<String> = (0..rng.random_range(0..4)).map(|_| text(rng)).collect();
    let images = (0..rng.random_range(0..6)).map(|_| ProjectImage {
        name: text(rng),
        class: (!classes.is_empty() && rng.random::<bool>())
            .then(|| rng.random_range(0..classes.len())),
        bytes: (0..rng.random_range(0..40)).map(|_| rng.random()).collect(),
    });
    let images = images.collect();
    let weights = (0..rng.random_range(0..4)).map(|i| {
        let shape = vec![rng.random_range(1..4), rng.random_range(1..4)];
        let values = (0..shape[0] * shape[1]).map(|_| rng.random()).collect();
        (format!("{i}/{}", text(rng)), Weight { shape, values })
    });
    let weights = weights.collect();
    let mode = if rng.random() {
        Mode::LastBlocks(rng.random_range(0..5))
    } else {
        Mode::Lora { rank: 3 }
    };
    let settings = ProjectSettings {
        model: text(rng),
        // serde_json may lose the last bit of a number with more digits than anybody types.
        validation: f64::from(rng.random_range(0..1000u32)) / 1000.0,
        finetune: FineTuneSettings::new(mode, rng.random_range(0..999)),
        ..ProjectSettings::default()
    };
    Project {
        classes,
        images,
        settings,
        weights,
    }
}

#[test]
fn any_project_survives_its_file() {
    for seed in 0..200 {
        let project = project(&mut stream(seed, Purpose::Init, 0, 0));
        let bytes = project.to_bytes().expect("a sound project");
        assert_eq!(
            Project::from_bytes(&bytes).expect("its own bytes"),
            project,
            "seed {seed}"
        );
    }
}

#[test]
fn damaged_files_give_errors_or_sound_projects() {
    let mut errors = 0;
    for seed in 0..3000 {
        let rng = &mut stream(seed, Purpose::Init, 1, 0);
        let mut bytes = project(rng).to_bytes().expect("a sound project");
        match seed % 3 {
            0 => bytes.truncate(rng.random_range(0..bytes.len())),
            1 => {
                let at = rng.random_range(0..bytes.len());
                bytes[at] ^= 1 << rng.random_range(0..8u8);
            }
            // Numbers and structure in the header, where lies are told.
            _ => {
                let digits: Vec<usize> = (8..bytes.len())
                    .filter(|i| bytes[*i].is_ascii_digit())
                    .collect();
                bytes[digits[rng.random_range(0..digits.len())]] =
                    b"0123456789-]}"[rng.random_range(0..13usize)];
            }
        }
        match Project::from_bytes(&bytes) {
            Ok(project) => assert!(project.to_bytes().is_ok(), "seed {seed}"),
            Err(error) => errors += usize::from(!error.to_string().is_empty()),
        }
    }
    assert!(errors > 1500, "{errors}");
}

#[test]
fn contradictions_are_named() {
    let image = |class| ProjectImage {
        class: Some(class),
        ..ProjectImage::default()
    };
    let project = Project {
        classes: vec!["a".into()],
        images: vec![image(0), image(1)],
        ..Project::default()
    };
    assert!(matches!(
        project.to_bytes(),
        Err(StoreError::Class {
            image: 1,
            class: 1,
            classes: 1
        })
    ));
    let file = |manifest: &str, tensors: Vec<(&str, TensorView)>| {
        let metadata = HashMap::from([(KEY.to_owned(), manifest.to_owned())]);
        Project::from_bytes(
            &safetensors::serialize(tensors, Some(metadata)).expect("sound tensors"),
        )
    };
    let manifest = |version, class| {
        format!(
            r#"{{"version":{version},"classes":["a"],"images":[{{"name":"","class":{class}}}],"settings":{{}}}}"#
        )
    };
    assert!(matches!(
        file(&manifest(2, 0), vec![]),
        Err(StoreError::Version { found: 2, .. })
    ));
    assert!(matches!(
        file(&manifest(1, 5), vec![]),
        Err(StoreError::Class { class: 5, .. })
    ));
    assert!(
        matches!(file(&manifest(1, 0), vec![]), Err(StoreError::Missing(name)) if name == "images/0")
    );
    let floats = TensorView::new(Dtype::F32, vec![1], &[0; 4]).expect("one number");
    assert!(matches!(
        file(&manifest(1, 0), vec![("images/0", floats)]),
        Err(StoreError::Image(0))
    ));
    let integers = TensorView::new(Dtype::I32, vec![1], &[0; 4]).expect("one number");
    let bytes = TensorView::new(Dtype::U8, vec![2], &[0; 2]).expect("two bytes");
    let tensors = vec![("images/0", bytes), ("weights/w", integers)];
    assert!(matches!(
        file(&manifest(1, 0), tensors),
        Err(StoreError::File(FileError::Dtype { .. }))
    ));
    assert!(matches!(file("{", vec![]), Err(StoreError::Entry { .. })));
    let plain = safetensors::serialize(Vec::<(&str, TensorView)>::new(), None).expect("nothing");
    assert!(matches!(
        Project::from_bytes(&plain),
        Err(StoreError::NoEntry(KEY))
    ));
}
