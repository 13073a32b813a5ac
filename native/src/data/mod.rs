//! Images to train on and to evaluate with, wherever they are: the builtin scenes, folders, tar
//! archives, lists, IDX files and published sets, opened by one text.
//!
//! ```no_run
//! use ibot_native::data::Dataset;
//!
//! let data = Dataset::open("imagenet/train.tar")?;
//! println!("{}", data.description());
//! let image = data.load(0)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod boxes;
mod change;
mod classes;
mod dataset;
mod davis_lists;
mod decode;
mod error;
mod examples;
mod file_names;
mod gzip;
mod jpeg;
mod keypoints;
mod labelled;
pub(crate) mod loader;
mod masks;
mod mat;
mod natural_order;
mod open;
mod order;
mod pixel_labels;
mod place;
mod segmentation;
mod source;
mod split;
mod split_list;
mod suggest;
mod tar_members;
#[cfg(test)]
mod testing;
mod text;
mod tree;
mod unreadable;

pub use self::boxes::{BoxedImage, ObjectBox, ObjectBoxes};
pub use self::change::{CorruptionOf, ImageChange};
pub use self::dataset::Dataset;
pub use self::decode::{DecodeError, MAX_BYTES, MAX_SIDE, decode};
pub use self::error::{DataError, ImageLoadError, LoadCause};
pub(crate) use self::file_names::has_image_extension;
pub use self::jpeg::{as_jpeg, encode_jpeg};
pub use self::keypoints::{ImagePair, KeypointPairs};
pub use self::masks::{MaskError, check_mask_size, decode_mask, encode_mask, mask_color};
pub(crate) use self::natural_order::natural_order;
pub use self::source::copydays::{CopyBlock, CopyBlocks, CopyQuery};
pub use self::source::davis::{VideoSequence, Videos};
pub use self::tree::FileTree;
