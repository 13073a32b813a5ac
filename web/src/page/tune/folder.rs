//! Files of folders that were dropped, each with the name of the folder it is in.

use js_sys::{Array, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{DataTransfer, File, FileSystemDirectoryEntry, FileSystemEntry, FileSystemFileEntry};

use super::super::problem::PageError;

/// The folders among what was dropped. They have to be taken while the event lasts.
pub fn dropped(data: &DataTransfer) -> Vec<FileSystemDirectoryEntry> {
    let items = data.items();
    let entries =
        (0..items.length()).filter_map(|i| items.get(i)?.webkit_get_as_entry().ok().flatten());
    entries.filter_map(|entry| entry.dyn_into().ok()).collect()
}

/// All files in these folders and in those within.
///
/// # Errors
/// If one cannot be read.
pub async fn files(
    mut folders: Vec<FileSystemDirectoryEntry>,
) -> Result<Vec<(String, File)>, PageError> {
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        let reader = folder.create_reader();
        loop {
            // A reader gives some entries at a time, and none at the end.
            let some = Promise::new(&mut |resolve, reject| {
                if let Err(error) =
                    reader.read_entries_with_callback_and_callback(&resolve, &reject)
                {
                    // Rejecting cannot fail.
                    let _ = reject.call1(&JsValue::UNDEFINED, &error);
                }
            });
            let some: Array = JsFuture::from(some).await?.unchecked_into();
            if some.length() == 0 {
                break;
            }
            for entry in some.iter().map(JsCast::unchecked_into::<FileSystemEntry>) {
                match entry.dyn_into::<FileSystemDirectoryEntry>() {
                    Ok(within) => folders.push(within),
                    Err(entry) => found.push((folder.name(), file(entry.unchecked_into()).await?)),
                }
            }
        }
    }
    Ok(found)
}

async fn file(entry: FileSystemFileEntry) -> Result<File, PageError> {
    let file = Promise::new(&mut |resolve, reject| {
        entry.file_with_callback_and_callback(&resolve, &reject)
    });
    Ok(JsFuture::from(file).await?.unchecked_into())
}
