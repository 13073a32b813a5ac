//! The recipes inside the binary.

use super::error::SettingsError;
use super::suggest::suggestion;

/// Names and texts of the recipes in a folder.
macro_rules! recipes {
    ($folder:literal: $($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../recipes/", $folder, "/", $name, ".toml")))),*]
    };
}

/// Recipes of pre-training inside the binary: name and text.
pub const RECIPES: [(&str, &str); 14] = recipes![
    "pretrain":
    "builtin",
    "cpu-quick",
    "cifar",
    "vit-small-imagenet",
    "vit-base-imagenet",
    "vit-base-imagenet-random",
    "vit-large-imagenet",
    "swin-quick",
    "swin-tiny-7-imagenet",
    "swin-tiny-14-imagenet",
    "dinov2-vit-small",
    "dinov2-vit-base",
    "dinov2-vit-large",
    "dinov2-vit-large-14",
];

/// Recipes of fine-tuning.
pub const FINETUNE_RECIPES: [(&str, &str); 5] = recipes![
    "finetune":
    "finetune-quick",
    "vit-small-imagenet",
    "vit-base-imagenet",
    "vit-large-imagenet",
    "transfer",
];

/// The text of the recipe `name` among `recipes`.
pub fn text(
    name: &str,
    recipes: &[(&'static str, &'static str)],
) -> Result<&'static str, SettingsError> {
    if let Some((_, text)) = recipes.iter().find(|(recipe, _)| *recipe == name) {
        return Ok(text);
    }

    let names: Vec<&str> = recipes.iter().map(|(recipe, _)| *recipe).collect();
    Err(SettingsError::Recipe {
        name: name.to_owned(),
        known: names.join(", "),
        hint: suggestion(name, names),
    })
}
