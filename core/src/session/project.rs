//! A whole project as one file: classes, images, settings and what is learned.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::learn::state::{part, prefixed};
use crate::learn::{AdaptSettings, FineTuneSettings, HeadSettings, TuneError};
use crate::weights::{FileError, Weights, WeightsError, read_casting};

/// Name of the entry in the header.
const KEY: &str = "ibot.project";
/// Version of the format.
const VERSION: u32 = 1;

/// Everything that is needed to go on elsewhere, apart from the model it started from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Project {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The images.
    pub images: Vec<ProjectImage>,
    /// The settings.
    pub settings: ProjectSettings,
    /// What is learned or under way: states of sessions, under any names.
    pub weights: Weights,
}

/// An image of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectImage {
    /// What the user knows it as, for example the name of its file.
    pub name: String,
    /// Its class, counted from 0; `None` without label.
    pub class: Option<usize>,
    /// The encoded image (JPEG, PNG, ...), not looked into.
    pub bytes: Vec<u8>,
}

/// The settings of a project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectSettings {
    /// The pre-trained model, as the user chose it.
    pub model: String,
    /// Share of each class's images that only judge.
    pub validation: f64,
    /// Seed of the split.
    pub seed: u64,
    /// How a classifier learns on cached features.
    pub head: HeadSettings,
    /// How the backbone learns classes.
    pub finetune: FineTuneSettings,
    /// How the backbone learns without labels.
    pub adapt: AdaptSettings,
}

impl Default for ProjectSettings {
    fn default() -> Self {
        Self {
            model: String::new(),
            validation: 0.2,
            seed: 0,
            head: HeadSettings::default(),
            finetune: FineTuneSettings::default(),
            adapt: AdaptSettings::default(),
        }
    }
}

/// Why a file is no project or no tuned model, or cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The container or its weights cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The device failed.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The classifier contradicts itself.
    #[error("the classifier does not fit: {0}")]
    Classifier(#[from] TuneError),
    /// It is another kind of file.
    #[error("the file's header has no `{0}`: choose a file that was exported here as such")]
    NoEntry(&'static str),
    /// The entry is not as expected.
    #[error("`{key}` in the file's header cannot be read: {error}")]
    Entry {
        /// Name of the entry.
        key: &'static str,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// A later format.
    #[error("the project is of version {0}, and version {VERSION} is the latest known: update")]
    Version(u32),
    /// A tensor is not there.
    #[error("the file lacks the tensor `{0}`: it is damaged")]
    Missing(String),
    /// A tensor has another number of dimensions.
    #[error("the tensor `{name}` has shape {shape:?} and is no matrix: the file is damaged")]
    NoMatrix {
        /// Name of the tensor.
        name: &'static str,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// An image is not bytes.
    #[error("image {0} is not stored as bytes: the file is damaged")]
    Image(usize),
    /// A class beyond the names.
    #[error("image {image} is of class {class}, but there are only {classes}, counted from 0")]
    Class {
        /// Index of the image.
        image: usize,
        /// Its class.
        class: usize,
        /// Number of classes.
        classes: usize,
    },
    /// Names for another number of classes.
    #[error("there are {names} names for {classes} classes")]
    Names {
        /// Number of names.
        names: usize,
        /// Number of classes.
        classes: usize,
    },
}

/// The entry in the header.
#[derive(Serialize, Deserialize)]
struct Manifest {
    version: u32,
    classes: Vec<String>,
    images: Vec<Label>,
    settings: ProjectSettings,
}

/// All of an image but its bytes, which are in `images/<index>`.
#[derive(Serialize, Deserialize)]
struct Label {
    name: String,
    class: Option<usize>,
}

impl Project {
    /// The project as a safetensors file: the bytes of image *i* in `images/i`, weights behind
    /// `weights/`, all else as JSON in the header.
    ///
    /// # Errors
    /// If an image is of a class without name, or a weight's shape does not fit its values.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        check_classes(
            self.images.iter().map(|image| image.class),
            self.classes.len(),
        )?;
        let label = |image: &ProjectImage| Label {
            name: image.name.clone(),
            class: image.class,
        };
        let manifest = Manifest {
            version: VERSION,
            classes: self.classes.clone(),
            images: self.images.iter().map(label).collect(),
            settings: self.settings.clone(),
        };
        let manifest = serde_json::to_string(&manifest)
            .map_err(|error| StoreError::Entry { key: KEY, error })?;
        let weights: Vec<_> = prefixed("weights/", self.weights.clone())
            .map(|(name, weight)| {
                let bytes: Vec<u8> = weight
                    .values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect();
                (name, weight.shape, bytes)
            })
            .collect();
        let weights = weights
            .iter()
            .map(|(name, shape, bytes)| (name.clone(), Dtype::F32, shape.clone(), &bytes[..]));
        let images = self.images.iter().enumerate();
        let images = images.map(|(i, image)| {
            (
                tensor_name(i),
                Dtype::U8,
                vec![image.bytes.len()],
                &image.bytes[..],
            )
        });
        let views = images
            .chain(weights)
            .map(|(name, dtype, shape, bytes)| Ok((name, TensorView::new(dtype, shape, bytes)?)));
        let views: Vec<(String, TensorView)> = views
            .collect::<Result<_, SafeTensorError>>()
            .map_err(FileError::from)?;
        let metadata = HashMap::from([(KEY.to_owned(), manifest)]);
        Ok(safetensors::serialize(views, Some(metadata)).map_err(FileError::from)?)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote. The bytes may be anybody's: whatever they
    /// hold, this gives a project that is consistent, or an error. Images are not looked into.
    ///
    /// # Errors
    /// If the bytes are no project, or one that contradicts itself.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(FileError::from)?;
        let manifest = header.metadata().as_ref().ok_or(StoreError::NoEntry(KEY))?;
        let Manifest {
            version,
            classes,
            images,
            settings,
        } = entry(manifest, KEY)?;
        if version != VERSION {
            return Err(StoreError::Version(version));
        }
        check_classes(images.iter().map(|label| label.class), classes.len())?;
        let tensors = SafeTensors::deserialize(bytes).map_err(FileError::from)?;
        let image = |(i, Label { name, class }): (usize, Label)| {
            let view = tensors
                .tensor(&tensor_name(i))
                .map_err(|_| StoreError::Missing(tensor_name(i)))?;
            match (view.dtype(), view.shape()) {
                (Dtype::U8, [_]) => Ok(ProjectImage {
                    name,
                    class,
                    bytes: view.data().to_vec(),
                }),
                _ => Err(StoreError::Image(i)),
            }
        };
        let images = images
            .into_iter()
            .enumerate()
            .map(image)
            .collect::<Result<_, StoreError>>()?;
        let weights = read_casting(bytes, |name| name.starts_with("weights/"))?.weights;
        Ok(Self {
            classes,
            images,
            settings,
            weights: part(&weights, "weights/"),
        })
    }
}

/// Reads the JSON under `key` of a file's header.
pub(super) fn entry<T: for<'a> Deserialize<'a>>(
    metadata: &HashMap<String, String>,
    key: &'static str,
) -> Result<T, StoreError> {
    let json = metadata.get(key).ok_or(StoreError::NoEntry(key))?;
    serde_json::from_str(json).map_err(|error| StoreError::Entry { key, error })
}

fn tensor_name(image: usize) -> String {
    format!("images/{image}")
}

fn check_classes(
    labels: impl Iterator<Item = Option<usize>>,
    classes: usize,
) -> Result<(), StoreError> {
    let beyond = |(image, class): (usize, Option<usize>)| {
        Some((image, class.filter(|class| *class >= classes)?))
    };
    match labels.enumerate().find_map(beyond) {
        Some((image, class)) => Err(StoreError::Class {
            image,
            class,
            classes,
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;

    use super::*;
    use crate::learn::Mode;
    use crate::rng::{Purpose, Rng, stream};
    use crate::testing::test;
    use crate::weights::Weight;

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
            Err(StoreError::Version(2))
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
        let plain =
            safetensors::serialize(Vec::<(&str, TensorView)>::new(), None).expect("nothing");
        assert!(matches!(
            Project::from_bytes(&plain),
            Err(StoreError::NoEntry(KEY))
        ));
    }
}
