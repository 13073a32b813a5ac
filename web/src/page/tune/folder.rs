//! Files of folders that were dropped, each with the name of the folder that it is in.

use js_sys::{Array, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    DataTransfer, File, FileSystemDirectoryEntry, FileSystemDirectoryReader, FileSystemEntry,
    FileSystemFileEntry,
};

use crate::page::problem::PageError;
use ibot_web::wire;

/// A file, and the name of its folder.
pub struct FolderFile {
    pub folder: String,
    pub file: File,
}

/// The folders among the dropped items.
pub fn dropped(data: &DataTransfer) -> Vec<FileSystemDirectoryEntry> {
    // The browser offers them only while the event lasts.
    let items = data.items();
    let mut folders = Vec::new();
    for i in 0..items.length() {
        let entry = items
            .get(i)
            .and_then(|item| item.webkit_get_as_entry().ok());
        if let Some(Ok(folder)) = entry.flatten().map(|entry| entry.dyn_into()) {
            folders.push(folder);
        }
    }
    folders
}

/// All files in these folders and in folders within them.
pub async fn files_in(
    mut folders: Vec<FileSystemDirectoryEntry>,
) -> Result<Vec<FolderFile>, PageError> {
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let reader = folder.create_reader();

        // A reader gives some entries at a time, and none at the end.
        loop {
            let entries = read_entries(&reader).await?;
            if entries.length() == 0 {
                break;
            }
            for entry in entries.iter() {
                match entry
                    .unchecked_into::<FileSystemEntry>()
                    .dyn_into::<FileSystemDirectoryEntry>()
                {
                    Ok(inner) => folders.push(inner),
                    Err(entry) => files.push(FolderFile {
                        folder: folder.name(),
                        file: open(entry.unchecked_into()).await?,
                    }),
                }
            }
        }
    }
    Ok(files)
}

pub fn chosen(files: Vec<File>) -> Vec<FolderFile> {
    let mut named = Vec::with_capacity(files.len());
    for file in files {
        // Not in the bindings: the property is not of a standard.
        let path = wire::property(&file, "webkitRelativePath");
        let path = path.as_string().unwrap_or_default();
        // Files that lie in no folder are of one class.
        let folder = path.rsplit('/').nth(1).unwrap_or("class 1").to_owned();
        named.push(FolderFile { folder, file });
    }
    named
}

async fn read_entries(reader: &FileSystemDirectoryReader) -> Result<Array, PageError> {
    let entries = Promise::new(&mut |resolve, reject| {
        if let Err(error) = reader.read_entries_with_callback_and_callback(&resolve, &reject) {
            // Rejecting cannot fail.
            let _ = reject.call1(&JsValue::UNDEFINED, &error);
        }
    });
    Ok(JsFuture::from(entries).await?.unchecked_into())
}

async fn open(entry: FileSystemFileEntry) -> Result<File, PageError> {
    let file = Promise::new(&mut |resolve, reject| {
        entry.file_with_callback_and_callback(&resolve, &reject)
    });
    Ok(JsFuture::from(file).await?.unchecked_into())
}
