//! Checksums and counts made right again after damage, which would end at the first of them
//! otherwise.

/// Corrects the CRC of every chunk of a PNG that can be found; leaves other files alone.
pub fn png(bytes: &mut [u8]) {
    if !bytes.starts_with(b"\x89PNG") {
        return;
    }
    let mut at = 8;
    while let Some(length) = bytes
        .get(at..at + 4)
        .and_then(|length| length.try_into().ok())
        .map(u32::from_be_bytes)
    {
        let end = at + 8 + length as usize;
        let Some(crc) = bytes.get(at + 4..end).map(crc32fast::hash) else {
            return;
        };
        let Some(slot) = bytes.get_mut(end..end + 4) else {
            return;
        };
        slot.copy_from_slice(&crc.to_be_bytes());
        at = end + 4;
    }
}

/// Where the headers of a tar archive are, by their mark.
pub fn tar_headers(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    bytes
        .chunks_exact(512)
        .enumerate()
        .filter(|(_, block)| &block[257..262] == b"ustar")
        .map(|(at, _)| at * 512)
}

/// Corrects the checksum of every header of a tar archive.
pub fn tar(bytes: &mut [u8]) {
    let headers: Vec<usize> = tar_headers(bytes).collect();
    for at in headers {
        let header = &mut bytes[at..at + 512];
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}

/// Makes the number of images, and the file's length, fit the sizes in the header.
pub fn idx(bytes: &mut Vec<u8>) {
    let Some(&[a, b, c, d, e, f, g, h]) = bytes.get(8..16) else {
        return;
    };
    let size =
        u64::from(u32::from_be_bytes([a, b, c, d])) * u64::from(u32::from_be_bytes([e, f, g, h]));
    let Some(count) = (bytes.len() as u64 - 16).checked_div(size) else {
        return;
    };
    bytes[4..8].copy_from_slice(&(count as u32).to_be_bytes());
    bytes.truncate(16 + (count * size) as usize);
}

/// Makes labels as many as the header of `images` claims, if the claim is small.
pub fn idx_labels(labels: &mut Vec<u8>, images: &[u8]) {
    let Some(count) = images.get(4..8) else {
        return;
    };
    labels.splice(4..8, count.iter().copied());
    let count = u32::from_be_bytes([count[0], count[1], count[2], count[3]]) as usize;
    labels.resize(8 + count.min(1000), 9);
}
