//! Which files are images by their names.

/// The extensions of images, in any case of letters.
const EXTENSIONS: [&str; 8] = ["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff"];

/// What an empty folder was searched for, for messages.
pub(super) fn looked_for() -> String {
    format!(
        "files ending in .{} at any depth (hidden ones are skipped)",
        EXTENSIONS.join(" .")
    )
}

/// Whether the last component of `name` ends as the name of an image does.
pub(crate) fn has_image_extension(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    let Some((stem, extension)) = file.rsplit_once('.') else {
        return false;
    };
    // `.jpg` is a hidden file and has no extension.
    !stem.is_empty()
        && EXTENSIONS
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
}
