//! The two `Event` messages that TensorBoard needs, in protobuf.

// Written by hand, because the crates that do it bring dozens of dependencies.

// Protobuf's wire types: the low three bits of the byte (field numbers here are small) that opens a
// field.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;
const FIXED32: u8 = 5;

/// `Event { wall_time = 1, file_version = 3 }`, which every event file starts with.
pub(super) fn version_event(wall_time: f64) -> Vec<u8> {
    let mut event = vec![1 << 3 | FIXED64];
    event.extend_from_slice(&wall_time.to_le_bytes());
    bytes_field(&mut event, 3, b"brain.Event:2");
    event
}

/// `Event { wall_time = 1, step = 2, summary = 5 { value = 1 { tag = 1, simple_value = 2 } ... }
/// }`.
pub(super) fn scalar_event(wall_time: f64, step: u64, values: &[(&str, f64)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, number) in values {
        let mut value = Vec::new();
        bytes_field(&mut value, 1, tag.as_bytes());
        value.push(2 << 3 | FIXED32);
        value.extend_from_slice(&(*number as f32).to_le_bytes());
        bytes_field(&mut summary, 1, &value);
    }
    let mut event = vec![1 << 3 | FIXED64];
    event.extend_from_slice(&wall_time.to_le_bytes());
    event.push(2 << 3 | VARINT);
    varint(&mut event, step);
    bytes_field(&mut event, 5, &summary);
    event
}

fn bytes_field(out: &mut Vec<u8>, number: u8, content: &[u8]) {
    out.push(number << 3 | BYTES);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The step of an event of scalars as [`scalar_event`] writes it; `None` of any other.
pub(super) fn step_of(event: &[u8]) -> Option<u64> {
    let (tag, number) = event.get(9..)?.split_first()?;
    if event[0] != (1 << 3 | FIXED64) || *tag != (2 << 3 | VARINT) {
        return None;
    }
    let mut step = 0;
    for (i, byte) in number.iter().take(10).enumerate() {
        // A damaged number may be too long, and a shift by 64 would panic.
        step |= u64::from(byte & 0x7f) << (7 * i).min(63);
        if byte & 0x80 == 0 {
            return Some(step);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_event_has_exactly_these_bytes() {
        let expected = [
            &[0x09][..],
            &[0, 0, 0, 0, 0, 0, 0xf8, 0x3f], // wall_time: 1.5
            &[0x10, 0xac, 0x02],             // step: 300
            &[0x2a, 0x0a, 0x0a, 0x08],       // summary of 10 bytes, one value of 8
            &[0x0a, 0x01, b'a', 0x15, 0, 0, 0, 0xc0], // tag: "a", simple_value: -2
        ]
        .concat();
        assert_eq!(scalar_event(1.5, 300, &[("a", -2.0)]), expected);
        assert_eq!(version_event(0.0)[9..], *b"\x1a\x0dbrain.Event:2");
    }
}
