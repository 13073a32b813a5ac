//! The folders of ImageNet-C.

use std::path::{Path, PathBuf};

use ibot_core::image::corrupt::{Corruption, Severity};

pub type Setting = (Corruption, Severity);

/// The folder of a setting below `root`, which holds `<corruption>/<severity>`, or, as the released
/// archives unpack, `<family>/<corruption>/<severity>`; `None` if there is none.
pub fn folder_of(root: &Path, (corruption, severity): Setting) -> Option<PathBuf> {
    let inner = Path::new(corruption.name()).join(severity.to_string());
    let places = [
        root.join(&inner),
        root.join(corruption.family()).join(&inner),
    ];
    places.into_iter().find(|place| place.is_dir())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn folders_are_found_flat_and_as_archives_unpack() {
        let root = tempfile::tempdir().expect("a folder");
        let (flat, nested) = ("fog/2", "noise/shot_noise/5");
        for folder in [flat, nested] {
            fs::create_dir_all(root.path().join(folder)).expect("a folder");
        }
        let found = |corruption, severity: usize| {
            let severity = Severity::new(severity).expect("1 to 5");
            folder_of(root.path(), (corruption, severity))
        };
        assert_eq!(found(Corruption::Fog, 2), Some(root.path().join(flat)));
        assert_eq!(
            found(Corruption::ShotNoise, 5),
            Some(root.path().join(nested))
        );
        assert_eq!(found(Corruption::ShotNoise, 4), None);
        assert_eq!(found(Corruption::Snow, 1), None);
    }
}
