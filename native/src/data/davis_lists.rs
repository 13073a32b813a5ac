//! The lists of sequences of DAVIS, in `ImageSets/`.

use super::error::DataError;
use super::tree::FileTree;

const LISTS: &str = "ImageSets";
/// Folders of lists, the newest first, and the place of other data sets.
const YEARS: [&str; 4] = ["2017/", "2016/", "480p/", ""];

/// The sequences that the list `split` names in a tree whose layout begins behind `root`; `None` if
/// there is no such list.
///
/// # Errors
/// If it cannot be read, or names none.
pub fn sequences_in(
    tree: &FileTree,
    root: &str,
    split: &str,
) -> Result<Option<Vec<String>>, DataError> {
    for year in YEARS {
        let file = format!("{root}{LISTS}/{year}{split}.txt");
        if tree.contains(&file) {
            let bytes = tree.annotation(&file)?;
            let names = sequences_of(&String::from_utf8_lossy(&bytes));
            if names.is_empty() {
                let problem = "it names no sequence";
                return Err(DataError::layout(&tree.path_of(&file), problem));
            }
            return Ok(Some(names));
        }
    }
    Ok(None)
}

/// That there is no list `split`, with those that there are and the `others` that would do.
pub fn no_list(tree: &FileTree, root: &str, split: &str, others: &[&str]) -> DataError {
    let mut known: Vec<String> = others.iter().map(|name| (*name).to_owned()).collect();
    for year in YEARS {
        let folder = format!("{root}{LISTS}/{year}");
        for file in tree
            .files_in(folder.trim_end_matches('/'))
            .unwrap_or_default()
        {
            known.extend(file.strip_suffix(".txt").map(str::to_owned));
        }
    }
    let known = match known.is_empty() {
        true => "there is none; leave it out, and all sequences are taken".to_owned(),
        false => format!("there are {}", known.join(", ")),
    };
    let problem = format!("no list {split}.txt of sequences: {known}");
    DataError::layout(&tree.path_of(&format!("{root}{LISTS}")), problem)
}

/// The sequences of a list, which has one a line, or as in 2016 the paths of one frame a line.
fn sequences_of(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for line in text.lines() {
        let Some(word) = line.split_whitespace().next() else {
            continue;
        };
        let name = match word.rsplit('/').nth(1) {
            Some(folder) => folder,
            None => word,
        };
        if names.last().map(String::as_str) != Some(name) {
            names.push(name.to_owned());
        }
    }
    names
}
