//! The model: a backbone to look through, and student and teacher where the file has them.

use burn::tensor::Device;
use ibot_core::model::{Backbone, Network};
use ibot_core::weights::{Checkpoint, FileError, LoadError, ModelHeader};

use super::problem::Problem;
use ibot_web::protocol::{Load, ModelInfo};

/// Networks out of one file.
pub struct Model {
    /// What a file of the backbone alone says of it.
    pub header: ModelHeader,
    /// What images are encoded with: the teacher, if there is one.
    pub backbone: Backbone,
    /// The networks with their heads, where the file has one.
    pub headed: Option<Headed>,
}

/// The networks of the online tokenizer.
pub struct Headed {
    /// Says what patches are.
    pub teacher: Network,
    /// Predicts what masked patches are; `None` without mask token.
    pub student: Option<Network>,
}

/// Reads a file.
///
/// # Errors
/// If it holds no vision transformer.
pub fn load(ask: &Load, device: &Device) -> Result<(Model, ModelInfo), Problem> {
    let of_file = |source: FileError| Problem::File {
        name: ask.name.clone(),
        source,
    };
    let of_load = |source: LoadError| Problem::Load {
        name: ask.name.clone(),
        source,
    };
    let checkpoint = Checkpoint::read(&ask.bytes.0, None).map_err(of_file)?;
    let config = checkpoint.config(None).map_err(of_load)?;
    let plain = config.clone().with_mask_token(false);
    let (backbone, report) = checkpoint
        .backbone(&plain, false, device)
        .map_err(of_load)?;
    let header = checkpoint.header_for(plain);
    let (backbone, headed) = match checkpoint.head() {
        Err(_) => (backbone, None),
        Ok(_) => {
            // The teacher brings the same one; this one was loaded for its report, which leaves the
            // head out.
            drop(backbone);
            let (teacher, _) = checkpoint
                .network(&config, false, device)
                .map_err(of_load)?;
            let other = Checkpoint::read(&ask.bytes.0, Some("student")).ok();
            let student = match other.filter(|student| student.section != checkpoint.section) {
                Some(student) => {
                    let config = student.config(None).map_err(of_load)?;
                    student.network(&config, false, device).map_err(of_load)?.0
                }
                // A file of one network has it say and predict.
                None => teacher.clone(),
            };
            let backbone = teacher.backbone.clone().without_mask_token();
            let student = student.backbone.has_mask_token().then_some(student);
            (backbone, Some(Headed { teacher, student }))
        }
    };
    let loaded = ModelInfo {
        name: ask.name.clone(),
        network: report.network.clone(),
        report: report.to_string(),
        patch: config.stride(),
        depth: config.depth(),
        heads: config.heads(),
        image_size: config.image_size(),
        prototypes: headed
            .as_ref()
            .map(|headed| headed.teacher.head.patch_prototypes()),
        predicts: headed
            .as_ref()
            .is_some_and(|headed| headed.student.is_some()),
    };
    Ok((
        Model {
            header,
            backbone,
            headed,
        },
        loaded,
    ))
}
