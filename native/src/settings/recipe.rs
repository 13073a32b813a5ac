//! The recipes inside the binary.

use super::error::SettingsError;
use super::suggest::suggestion;

/// Names and texts of the recipes whose names are given.
macro_rules! recipes {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../recipes/pretrain/", $name, ".toml")))),*]
    };
}

/// Recipes inside the binary: name and text.
pub const RECIPES: [(&str, &str); 14] = recipes![
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

pub fn text(name: &str) -> Result<&'static str, SettingsError> {
    if let Some((_, text)) = RECIPES.iter().find(|(recipe, _)| *recipe == name) {
        return Ok(text);
    }

    let names = RECIPES.map(|(recipe, _)| recipe);
    Err(SettingsError::Recipe {
        name: name.to_owned(),
        hint: suggestion(name, names),
        known: names.join(", "),
    })
}
