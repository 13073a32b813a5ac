//! Random damage, the same for the same seed.

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

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
pub fn mutate(
    bytes: &mut Vec<u8>,
    from: usize,
    other: &[u8],
    damage: &Damage,
    random: &mut Random,
) {
    let letter = |random: &mut Random| damage.alphabet[random.below(damage.alphabet.len())];
    for _ in 0..1 + random.below(2) * random.below(3) {
        if bytes.len() <= from {
            return;
        }
        let at = from + random.below(bytes.len() - from);
        let end = (at + 1 + random.below(16)).min(bytes.len());
        match random.below(10) {
            0 | 1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes[at] = random.next() as u8,
            3 | 4 => bytes[at] = letter(random),
            5 => {
                let number =
                    NUMBERS[random.below(NUMBERS.len())].wrapping_add(random.below(3) as i64 - 1);
                let width = [1, 2, 4, 8][random.below(4)];
                let end = (at + width).min(bytes.len());
                let mut number = number.to_le_bytes();
                if damage.big_endian {
                    number[..end - at].reverse();
                }
                bytes[at..end].copy_from_slice(&number[..end - at]);
            }
            6 => drop(bytes.drain(at..end)),
            7 => drop(bytes.splice(at..at, (0..1 + random.below(4)).map(|_| letter(random)))),
            8 => {
                let part = bytes[at..end].to_vec();
                let to = from + random.below(bytes.len() - from);
                drop(bytes.splice(to..to, part));
            }
            _ if random.below(8) == 0 => bytes.truncate(at),
            _ => {
                let start = random.below(other.len());
                let part = other[start..(start + random.below(64)).min(other.len())].to_vec();
                drop(bytes.splice(at..end, part));
            }
        }
    }
}
