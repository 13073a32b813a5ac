//! TFRecord: data between checksums.

/// The data of all whole records, up to the first that is not.
pub(super) fn frames(mut content: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some(length) = content
        .first_chunk()
        .map(|bytes| u64::from_le_bytes(*bytes))
    {
        // The length of a damaged record may be anything. Its own checksum need not be looked at:
        // with a wrong length, that of the data is wrong.
        let Some(end) = usize::try_from(length)
            .ok()
            .and_then(|length| length.checked_add(12))
        else {
            break;
        };
        let (Some(data), Some(check)) = (
            content.get(12..end),
            content.get(end..).and_then(<[u8]>::first_chunk),
        ) else {
            break;
        };
        if *check != masked_crc(data).to_le_bytes() {
            break;
        }
        frames.push(data);
        content = &content[end + 4..];
    }
    frames
}

/// A TFRecord: length, its checksum, data, its checksum; all little-endian.
pub(super) fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend_from_slice(&length);
    record.extend_from_slice(&masked_crc(&length).to_le_bytes());
    record.extend_from_slice(data);
    record.extend_from_slice(&masked_crc(data).to_le_bytes());
    record
}

pub(super) fn masked_crc(data: &[u8]) -> u32 {
    // TFRecord stores checksums rotated and shifted, so that a checksum over data that holds
    // checksums stays meaningful.
    crc32c::crc32c(data)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}
