//! Parameters under the official (PyTorch, timm) names and layouts, however burn names and stores
//! them; files of them, in and out.

mod checkpoint;
mod error;
mod export;
mod header;
mod infer;
mod linear_head;
mod load;
mod named;
mod names;
mod path;
pub mod pth;
mod safetensors;
mod transfer;
mod weight;

pub use checkpoint::Checkpoint;
pub use error::FileError;
pub use export::{timm, timm_pair};
pub use header::ModelHeader;
pub use infer::InferError;
pub(crate) use infer::{Resized, needed};
pub use linear_head::{HeadError, HeadHeader, HeadTensors};
pub use load::{Interpolated, LoadError, LoadReport};
pub(crate) use named::{Parameter, map_named, visit_named};
pub(crate) use safetensors::read_casting;
pub use safetensors::{StoredPrecision, from_safetensors, to_safetensors};
pub use transfer::{WeightsError, read, write};
pub(crate) use transfer::{find, flat_parameters, read_where, write_present};
pub use weight::{Weight, Weights};
