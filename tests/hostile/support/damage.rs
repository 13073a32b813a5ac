//! Random damage, the same for the same seed.

use ibot_core::rng::Rng;
use rand::RngExt as _;

/// Numbers at which checks go wrong.
const NUMBERS: [i64; 14] = [
    0,
    1,
    -1,
    2,
    0x7f,
    0xff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 31,
    1 << 32,
    1 << 62,
    i64::MAX,
    i64::MIN,
];

/// What damage to files of a format is made of.
pub struct Damage {
    /// Bytes that mean something there.
    pub alphabet: &'static [u8],
    /// Whether its numbers have their high byte first.
    pub big_endian: bool,
}

/// Damages `bytes` in one to three places at or after `from`. Parts of `other` may get in.
pub fn mutate(bytes: &mut Vec<u8>, from: usize, other: &[u8], damage: &Damage, random: &mut Rng) {
    let letter = |random: &mut Rng| damage.alphabet[random.random_range(..damage.alphabet.len())];
    for _ in 0..1 + random.random_range(..2_usize) * random.random_range(..3_usize) {
        if bytes.len() <= from {
            return;
        }
        let at = from + random.random_range(..bytes.len() - from);
        let end = (at + 1 + random.random_range(..16_usize)).min(bytes.len());
        match random.random_range(..10_usize) {
            0 | 1 => bytes[at] ^= 1 << random.random_range(..8_usize),
            2 => bytes[at] = random.random(),
            3 | 4 => bytes[at] = letter(random),
            5 => {
                let number = NUMBERS[random.random_range(..NUMBERS.len())]
                    .wrapping_add(random.random_range(..3_usize) as i64 - 1);
                let width = [1, 2, 4, 8][random.random_range(..4_usize)];
                let end = (at + width).min(bytes.len());
                let mut number = number.to_le_bytes();
                if damage.big_endian {
                    number[..end - at].reverse();
                }
                bytes[at..end].copy_from_slice(&number[..end - at]);
            }
            6 => drop(bytes.drain(at..end)),
            7 => drop(bytes.splice(
                at..at,
                (0..1 + random.random_range(..4_usize)).map(|_| letter(random)),
            )),
            8 => {
                let part = bytes[at..end].to_vec();
                let to = from + random.random_range(..bytes.len() - from);
                drop(bytes.splice(to..to, part));
            }
            _ if random.random_ratio(1, 8) => bytes.truncate(at),
            _ => {
                let start = random.random_range(0..=other.len());
                let part = other[start..(start + random.random_range(..64_usize)).min(other.len())]
                    .to_vec();
                drop(bytes.splice(at..end, part));
            }
        }
    }
}
