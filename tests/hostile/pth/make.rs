//! Checkpoints made by hand, right or wrong at will.

/// The bytes of 16 floats.
pub const FLOATS: &[u8] = &[0; 64];
/// Parts of pickles, one after the other.
pub fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// An integer.
pub fn int(value: i64) -> Vec<u8> {
    join(&[b"\x8a\x08", &value.to_le_bytes()])
}

/// A text of at most 255 bytes, or a longer one.
pub fn text(value: &str) -> Vec<u8> {
    match u8::try_from(value.len()) {
        Ok(len) => join(&[&[0x8c, len], value.as_bytes()]),
        Err(_) => join(&[b"X", &(value.len() as u32).to_le_bytes(), value.as_bytes()]),
    }
}

/// A tuple of integers.
pub fn ints(values: &[i64]) -> Vec<u8> {
    let values: Vec<u8> = values.iter().flat_map(|value| int(*value)).collect();
    join(&[b"(", &values, b"t"])
}

/// A storage of `len` numbers of the class `torch.<class>`.
pub fn storage(class: &str, key: &str, len: i64) -> Vec<u8> {
    let class = format!("ctorch\n{class}\n");
    join(&[
        b"(",
        &text("storage"),
        class.as_bytes(),
        &text(key),
        &text("cpu"),
        &int(len),
        b"tQ",
    ])
}

/// A tensor in a storage.
pub fn tensor(storage: &[u8], offset: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    let call = b"ctorch._utils\n_rebuild_tensor_v2\n(";
    join(&[
        call,
        storage,
        &int(offset),
        &ints(shape),
        &ints(strides),
        b"\x89}tR",
    ])
}

/// A pickle of a dictionary.
pub fn dictionary(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entries: Vec<u8> = entries
        .iter()
        .flat_map(|(key, value)| join(&[&text(key), value]))
        .collect();
    join(&[b"\x80\x02}(", &entries, b"u."])
}

/// An archive of `(name, bytes)` with right checksums.
pub fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut directory = Vec::new();
    for (name, bytes) in entries {
        let (crc, len) = (
            crc32fast::hash(bytes).to_le_bytes(),
            (bytes.len() as u32).to_le_bytes(),
        );
        let at = (file.len() as u32).to_le_bytes();
        let name_len = (name.len() as u16).to_le_bytes();
        let common = join(&[&[0; 8], &crc, &len, &len, &name_len, &[0; 2]]);
        file.extend(join(&[b"PK\x03\x04\0\0", &common, name.as_bytes(), bytes]));
        directory.extend(join(&[
            b"PK\x01\x02\0\0\0\0",
            &common,
            &[0; 10],
            &at,
            name.as_bytes(),
        ]));
    }
    let count = (entries.len() as u16).to_le_bytes();
    let (size, at) = (
        (directory.len() as u32).to_le_bytes(),
        (file.len() as u32).to_le_bytes(),
    );
    file.extend(join(&[
        &directory,
        b"PK\x05\x06\0\0\0\0",
        &count,
        &count,
        &size,
        &at,
        &[0; 2],
    ]));
    file
}

/// A checkpoint of a pickle and storages.
pub fn archive(pickle: &[u8], storages: &[(&str, &[u8])]) -> Vec<u8> {
    let names: Vec<String> = storages
        .iter()
        .map(|(key, _)| format!("a/data/{key}"))
        .collect();
    let mut entries = vec![("a/data.pkl", pickle)];
    entries.extend(
        names
            .iter()
            .map(String::as_str)
            .zip(storages.iter().map(|(_, bytes)| *bytes)),
    );
    zip(&entries)
}

/// A checkpoint in the older format: the object's pickle, storage keys, and the storages with their
/// lengths.
pub fn legacy(pickle: &[u8], storages: &[(&str, u64, &[u8])]) -> Vec<u8> {
    let magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    let system = join(&[b"\x80\x02}", &text("little_endian"), b"\x88s."]);
    let keys: Vec<u8> = storages.iter().flat_map(|(key, ..)| text(key)).collect();
    let data = storages
        .iter()
        .flat_map(|(_, len, bytes)| join(&[&len.to_le_bytes(), bytes]));
    let data: Vec<u8> = data.collect();
    join(&[
        magic,
        b"\x80\x02M\xe9\x03.",
        &system,
        pickle,
        b"\x80\x02](",
        &keys,
        b"e.",
        &data,
    ])
}

/// The entries of an archive that is right: name, bytes.
pub fn unzip(file: &[u8]) -> Vec<(String, Vec<u8>)> {
    let u32_at =
        |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("4 bytes")) as usize;
    let u16_at = |at: usize| usize::from(u16::from_le_bytes([file[at], file[at + 1]]));
    let end = file.len() - 22;
    let mut at = u32_at(end + 16);
    let mut entries = Vec::new();
    for _ in 0..u16_at(end + 10) {
        let (len, name_len, local) = (u32_at(at + 24), u16_at(at + 28), u32_at(at + 42));
        let name = String::from_utf8_lossy(&file[at + 46..][..name_len]).into_owned();
        let data = local + 30 + u16_at(local + 26) + u16_at(local + 28);
        entries.push((name, file[data..data + len].to_vec()));
        at += 46 + name_len + u16_at(at + 30) + u16_at(at + 32);
    }
    entries
}
