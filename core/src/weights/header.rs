//! Description of the network in the files that this program writes.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::model::BackboneConfig;

/// The network behind a file's tensors, as JSON under [`ModelHeader::KEY`] in a safetensors header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelHeader {
    /// The backbone's family and dimensions. In JSON the family is a key of the header, `vit`.
    #[serde(flatten)]
    pub backbone: BackboneConfig,
    /// Resize before an evaluation's central crop, over the crop's side.
    pub eval_resize: f64,
    /// Optimisation steps behind the weights.
    pub step: usize,
}

impl ModelHeader {
    /// Name of the entry.
    pub const KEY: &'static str = "ibot";
    /// [`eval_resize`](Self::eval_resize) where nobody says otherwise: 256 over 224.
    pub const USUAL_RESIZE: f64 = 256.0 / 224.0;

    /// The header of a file that needs no other entry.
    ///
    /// # Errors
    /// None in practice: numbers and names are always JSON.
    pub fn to_metadata(&self) -> Result<HashMap<String, String>, serde_json::Error> {
        // Hugging Face's loaders ask for `format`.
        let format = ("format".to_owned(), "pt".to_owned());
        Ok(HashMap::from([
            format,
            (Self::KEY.to_owned(), serde_json::to_string(self)?),
        ]))
    }

    /// The entry of a file's header, if it has one that can be read.
    pub fn from_metadata(metadata: &HashMap<String, String>) -> Option<Self> {
        // A file of someone else may have an entry of this name: then it has no header.
        serde_json::from_str(metadata.get(Self::KEY)?).ok()
    }
}
